/* Plain output: sizes for people, and nothing from outside that a terminal would obey. */
#include "tests/unit/unit.h"

#include "screens/options.h"
#include "screens/say.h"

#include <locale.h>

static void sizes_are_short(void **state)
{
    static const struct {
        long long bytes;
        const char *text;
    } cases[] = {
        {-1, "-"}, {0, "0 B"}, {7, "7 B"}, {1023, "1023 B"}, {1024, "1.0 kB"}, {1536, "1.5 kB"}, {10240, "10 kB"}, {849920, "830 kB"},
        {1048575, "1.0 MB"}, {1048576, "1.0 MB"}, {10485759, "10 MB"}, {5LL << 30, "5.0 GB"}, {3LL << 40, "3.0 TB"}, {INT64_MAX, "8388608 TB"},
    };
    char text[SAY_SIZE];
    (void)state;
    for (EACH(cases))
        assert_string_equal(say_bytes(cases[i].bytes, text), cases[i].text);
}

static void estimates_are_short(void **state)
{
    static const struct {
        long long ms;
        const char *text;
    } cases[] = {
        {0, "under 1 s"}, {999, "under 1 s"}, {1000, "about 1 s"}, {12400, "about 12 s"}, {99499, "about 99 s"}, {100000, "about 2 min"},
        {5999999, "about 100 min"}, {6000000, "about 2 h"}, {36000000, "about 10 h"}, {INT64_MAX, "about 9999 h"},
    };
    char text[SAY_SIZE];
    (void)state;
    for (EACH(cases))
        assert_string_equal(say_about(cases[i].ms, text), cases[i].text);
}

/* Runs `print` with stdout and stderr on a file, and returns what it wrote. */
static char *printed(void **state, void (*print)(void))
{
    char *path = path_in(*state, "printed");
    fflush(stdout);
    fflush(stderr);
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600), out = dup(STDOUT_FILENO), err = dup(STDERR_FILENO);
    dup2(file, STDOUT_FILENO);
    dup2(file, STDERR_FILENO);
    print();
    fflush(stdout);
    dup2(out, STDOUT_FILENO);
    dup2(err, STDERR_FILENO);
    close(file);
    close(out);
    close(err);
    char *text = read_whole(path);
    free(path);
    return text;
}

static void say_hostile(void)
{
    say("table %s\nnext\n", "\x1B[2Jx\x07\xFF");
    say("name %s\n", "a\nStage      current");
}

static void complain_hostile(void)
{
    struct error error = {0};
    error_set(&error, ERROR_SQL, "relation \"%s\"", "a\nkong-upgrade: all is well\x1B[2J");
    assert_int_equal(complain(&error), EXIT_ERROR);
    assert_null(error.message);
    assert_int_equal(complain(&error), EXIT_ERROR);
}

static void say_objects(void)
{
    say_json(json_pack("{s:s}", "a", "x\x1B[2J\n\xC2\x9B\x7F"), false);
    say_json(json_pack("[i]", 1), true);
}

static void what_is_said_does_nothing_to_a_terminal(void **state)
{
    assert_non_null(setlocale(LC_ALL, "C.UTF-8"));
    char *text = printed(state, say_hostile);
    assert_string_equal(text, "table \xEF\xBF\xBD[2Jx\xEF\xBF\xBD\xEF\xBF\xBD\nnext\nname a Stage      current\n");
    free(text);
    text = printed(state, complain_hostile);
    assert_string_equal(text, "kong-upgrade: relation \"a kong-upgrade: all is well\xEF\xBF\xBD[2J\"\nkong-upgrade: unknown error\n");
    free(text);
    text = printed(state, say_objects);
    assert_has_not(text, "\x1B");
    assert_has_not(text, "\xC2\x9B");
    assert_has_not(text, "\x7F");
    assert_has(text, "{\"a\":\"x\\u001B[2J\\n\\u009B\\u007f\"}\n[\n  1\n]\n");
    free(text);
}

static void a_question_without_a_terminal_is_a_no(void **state)
{
    (void)state;
    int in = dup(STDIN_FILENO), null = open("/dev/null", O_RDONLY);
    dup2(null, STDIN_FILENO);
    assert_false(ask("Start now?"));
    if (in >= 0)
        dup2(in, STDIN_FILENO);
    close(in);
    close(null);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_are_short),
        cmocka_unit_test(estimates_are_short),
        cmocka_unit_test_setup_teardown(what_is_said_does_nothing_to_a_terminal, make_folder, remove_folder),
        cmocka_unit_test(a_question_without_a_terminal_is_a_no),
    };
    return cmocka_run_group_tests_name("say", tests, NULL, NULL);
}
