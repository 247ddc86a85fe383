/* The command line, by running the program: what is wrong usage, what is said to it, and with which exit code. */
#include "tests/unit/unit.h"

#include "core/base/buf.h"

#include <jansson.h>
#include <sys/wait.h>

static const char *program;

struct run {
    int exit_code;
    char *out, *err;
};

static void run_free(struct run *run)
{
    free(run->out);
    free(run->err);
}

/* Runs it with arguments ended by NULL, no terminal, and an environment of its own: a home in the test's folder, `variable` or NULL. */
static struct run run_with(void **state, const char *variable, const char *const *arguments)
{
    char *out = path_in(*state, "stdout"), *err = path_in(*state, "stderr");
    char *home = mem_printf("HOME=%s", (char *)*state);
    const char *asan = getenv("ASAN_OPTIONS");
    char *sanitizer = mem_printf("ASAN_OPTIONS=%s", asan != NULL ? asan : "");
    char *const environment[] = {home, sanitizer, "LC_ALL=C.UTF-8", "KONG_PG_HOST=127.0.0.1", "KONG_PG_PORT=1", (char *)variable, NULL};
    const char *argv[20] = {program};
    for (size_t i = 0; arguments[i] != NULL; i++)
        argv[i + 1] = arguments[i];
    pid_t child = fork();
    if (child == 0) {
        int null = open("/dev/null", O_RDONLY), to_out = open(out, O_WRONLY | O_CREAT | O_TRUNC, 0600), to_err = open(err, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        if (null < 0 || dup2(null, 0) < 0 || dup2(to_out, 1) < 0 || dup2(to_err, 2) < 0 || setsid() < 0)
            _exit(126);
        alarm(20);
        execve(program, (char *const *)argv, environment);
        _exit(127);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    struct run run = {WEXITSTATUS(status), read_whole(out), read_whole(err)};
    free(out);
    free(err);
    free(home);
    free(sanitizer);
    return run;
}

#define RUN(...) run_with(state, NULL, (const char *const[]){__VA_ARGS__, NULL})

/* One line, after the program's name. */
static void assert_one_sentence(const struct run *run)
{
    const char *newline = strchr(run->err, '\n');
    if (strncmp(run->err, "kong-upgrade: ", 14) != 0 || newline == NULL || newline[1] != '\0')
        fail_msg("not one sentence: '%s'", run->err);
}

static void wrong_usage_is_64_and_says_what_is_wrong(void **state)
{
    static const struct {
        const char *arguments[6];
        const char *part;
    } cases[] = {
        {{"frobnicate"}, "there is no command 'frobnicate'"},
        {{"Status"}, "there is no command 'Status'"},
        {{"statu"}, "there is no command 'statu'"},
        {{""}, "there is no command ''"},
        {{"worker", "x"}, "there is no command 'worker'"},
        {{"--frobnicate"}, "there is no option --frobnicate"},
        {{"status", "--frobnicate=x"}, "there is no option --frobnicate=x"},
        {{"-x"}, "there is no option -x"},
        {{"-qx", "status"}, "there is no option -x"},
        {{"--conf"}, "--conf wants a value"},
        {{"status", "-c"}, "-c wants a value"},
        {{"finish", "--confirm"}, "--confirm wants a value"},
        {{"--json=yes", "status"}, "--json=yes: that option takes no value"},
        {{"--req", "x"}, "there is no option --req"},
        {{"status", "extra"}, "status takes no argument 'extra'"},
        {{"up", "--", "--dry-run"}, "up takes no argument '--dry-run'"},
        {{"plan", "core"}, "plan takes no argument 'core'"},
        {{"status", "--dry-run"}, "--dry-run does not go with status"},
        {{"--dry-run", "status"}, "--dry-run does not go with status"},
        {{"attach", "--dry-run"}, "--dry-run does not go with attach"},
        {{"up", "--confirm", "kong"}, "--confirm does not go with up"},
        {{"up", "--sql"}, "--sql does not go with up"},
        {{"up", "--finish"}, "--finish does not go with up"},
        {{"plan", "--confirm", "kong"}, "--confirm does not go with plan"},
        {{"finish", "--to", "1.2"}, "--to does not go with finish"},
        {{"finish", "--ignore", "x"}, "--ignore does not go with finish"},
        {{"up", "--request", "GET http://h/"}, "--request does not go with up"},
        {{"up", "--requests", "file"}, "--requests does not go with up"},
        {{"up", "--fix"}, "--fix does not go with up"},
        {{"conf", "file"}, "conf takes no argument 'file' without --fix"},
        {{"conf", "--fix", "file", "more"}, "conf takes no argument 'more'"},
        {{"bootstrap", "--to", "0.14"}, "--to takes 1.0, 1.1, 1.2 or 1.3, not '0.14'"},
        {{"--dry-run"}, "--dry-run does not go with the wizard"},
        {{"--confirm", "kong"}, "--confirm does not go with the wizard"},
        {{"--trace"}, "--trace wants a value"},
        {{"status", "--trace", "file"}, "--trace does not go with status"},
    };
    for (EACH(cases)) {
        struct run run = run_with(state, NULL, cases[i].arguments);
        if (run.exit_code != 64 || strstr(run.err, cases[i].part) == NULL)
            fail_msg("case %zu: exit %d, '%s'", i, run.exit_code, run.err);
        assert_one_sentence(&run);
        assert_has(run.err, "see kong-upgrade --help");
        assert_string_equal(run.out, "");
        run_free(&run);
    }
}

static void without_a_terminal_the_commands_are_named(void **state)
{
    static const char *const cases[][3] = {{NULL}, {"--ascii"}, {"--theme", "dark"}, {"-q"}};
    for (EACH(cases)) {
        struct run run = run_with(state, NULL, cases[i]);
        assert_int_equal(run.exit_code, 64);
        assert_one_sentence(&run);
        assert_has(run.err, "needs a terminal");
        assert_has(run.err, "status, ");
        assert_has(run.err, " up, ");
        assert_has(run.err, "finish");
        assert_string_equal(run.out, "");
        run_free(&run);
    }
}

static void help_and_version_go_to_stdout(void **state)
{
    static const char *const words[] = {"status", "plan", "up", "bootstrap", "finish", "attach", "stop", "conf", "report", "--conf", "--fleet", "--json",
                                        "--yes", "--dry-run", "--confirm", "--version", "64 wrong usage"};
    static const char *const ways[][3] = {{"--help"}, {"-h"}, {"status", "--help"}, {"-q", "-h"}, {"--help", "--no-such-option"}};
    for (EACH(ways)) {
        struct run run = run_with(state, NULL, ways[i]);
        assert_int_equal(run.exit_code, 0);
        assert_string_equal(run.err, "");
        for (size_t n = 0; n < sizeof words / sizeof words[0]; n++)
            assert_has(run.out, words[n]);
        for (const char *line = run.out, *end; (end = strchr(line, '\n')) != NULL; line = end + 1)
            assert_in_range(end - line, 0, 120);
        run_free(&run);
    }
    struct run run = RUN("--version");
    assert_int_equal(run.exit_code, 0);
    assert_ptr_equal(strstr(run.out, "kong-upgrade " KONG_UPGRADE_VERSION "\n"), run.out);
    static const char *const libraries[] = {"\nlibpq ", "\nncurses ", "\nlibuv ", "\nlibcurl/", "\njansson ", "\npcre2 ", "\ninih "};
    for (EACH(libraries)) {
        assert_has(run.out, libraries[i]);
        const char *number = strstr(run.out, libraries[i]) + strlen(libraries[i]);
        assert_in_range(*number, '1', '9');
    }
    run_free(&run);
}

static void hostile_arguments_do_not_reach_the_terminal(void **state)
{
    char *huge = mem_zero(10001, 1);
    memset(huge, 'x', 10000);
    const char *const cases[][3] = {{"\x1B[31mred\nkong-upgrade: all is well"}, {"\xFF\xFE"}, {huge}, {"status", "\x1B]0;title\x07"}, {"--\x1B[2J"}, {"-\x1B"},
                                    {"-\xC3"}, {"bootstrap", "--to", "\x1B[2J"}, {"-c", "/nonexistent/\x1B[2J\n", "conf"}};
    for (EACH(cases)) {
        const char *const arguments[] = {cases[i][0], cases[i][1], cases[i][2], NULL};
        struct run run = run_with(state, NULL, arguments);
        assert_true(run.exit_code == 64 || run.exit_code == 1);
        assert_one_sentence(&run);
        assert_has_not(run.err, "\x1B");
        assert_has_not(run.err, "\x07");
        assert_has_not(run.err, "\xFF");
        run_free(&run);
    }
    free(huge);
}

static void files_that_are_missing_are_errors(void **state)
{
    static const char *const cases[][5] = {{"status", "-c", "/nonexistent/kong.conf"}, {"conf", "--conf=/nonexistent/kong.conf"},
                                           {"-f", "/nonexistent/fleet.ini", "conf"}, {"conf", "-c", ""}, {"conf", "-c", "/etc"}};
    for (EACH(cases)) {
        struct run run = run_with(state, NULL, cases[i]);
        if (run.exit_code != 1)
            fail_msg("case %zu: exit %d, %s", i, run.exit_code, run.err);
        assert_one_sentence(&run);
        assert_string_equal(run.out, "");
        run_free(&run);
    }
}

/* Nothing listens on port 1. */
static void a_database_that_does_not_answer_is_an_error(void **state)
{
    static const char *const cases[][5] = {{"status"}, {"status", "--json"}, {"plan"}, {"up", "--dry-run"}, {"up", "-y"}, {"bootstrap", "-y"},
                                           {"finish", "--confirm", "kong"}};
    for (EACH(cases)) {
        struct run run = run_with(state, "KONG_PG_PASSWORD=hunter2", cases[i]);
        if (run.exit_code != 1)
            fail_msg("case %zu: exit %d, %s", i, run.exit_code, run.err);
        assert_one_sentence(&run);
        assert_has(run.err, "can't connect to database kong at 127.0.0.1:1 as kong");
        assert_has(run.err, "check that PostgreSQL runs there");
        assert_has_not(run.err, "hunter2");
        assert_string_equal(run.out, "");
        run_free(&run);
    }
    struct run run = RUN("report");
    assert_int_equal(run.exit_code, 0);
    assert_has(run.out, "The database does not answer.");
    run_free(&run);
    run = RUN("report", "--json");
    assert_int_equal(run.exit_code, 0);
    json_t *report = json_loads(run.out, 0, NULL);
    assert_true(json_is_null(json_object_get(report, "state")));
    json_decref(report);
    run_free(&run);
}

static void without_a_worker_there_is_none_to_follow(void **state)
{
    struct run run = RUN("attach");
    assert_int_equal(run.exit_code, 3);
    assert_one_sentence(&run);
    run_free(&run);
    run = RUN("stop");
    assert_int_equal(run.exit_code, 3);
    assert_one_sentence(&run);
    run_free(&run);
    run = RUN("worker");   /* without a job on its standard input */
    assert_int_equal(run.exit_code, 64);
    assert_has(run.out, "the worker was given no job; it is not meant to be started by hand");   /* where its starter listens */
    run_free(&run);
}

static void settings_are_shown_but_no_secret(void **state)
{
    char *conf = path_in(*state, "kong.conf");
    write_text(conf, "pg_user = ann\npg_password = hunter2\\#\nplugins = acl\ncustom_plugins = mine\n");
    struct run run = RUN("conf", "-c", conf);
    assert_int_equal(run.exit_code, 0);
    assert_has(run.out, "pg_user = ann  (line 1)\n");
    assert_has(run.out, "pg_password = ******  (line 2)\n");
    assert_has(run.out, "pg_port = 1  (environment)\n");
    assert_has(run.out, "pg_database = kong  (default)\n");
    assert_has(run.err, "custom_plugins is ignored");
    assert_has_not(run.out, "hunter2");
    assert_has_not(run.err, "hunter2");
    run_free(&run);

    run = RUN("conf", "--json", "-c", conf);
    assert_int_equal(run.exit_code, 0);
    assert_has_not(run.out, "hunter2");
    json_t *json = json_loads(run.out, 0, NULL);
    json_t *password = json_object_get(json_object_get(json, "settings"), "pg_password");
    assert_string_equal(json_string_value(json_object_get(password, "value")), "******");
    assert_string_equal(json_string_value(json_object_get(password, "origin")), "file");
    assert_string_equal(json_string_value(json_object_get(json, "file")), conf);
    assert_int_equal(json_array_size(json_object_get(json, "plugins")), 1);
    assert_int_equal(json_array_size(json_object_get(json, "warnings")), 2);
    json_decref(json);
    run_free(&run);

    run = run_with(state, "KONG_PG_PASSWORD=hunter2", (const char *const[]){"conf", NULL});
    assert_has(run.out, "pg_password = ******  (environment)\n");
    assert_has_not(run.out, "hunter2");
    run_free(&run);
    run = RUN("conf");   /* none set: nothing is masked */
    assert_has(run.out, "pg_password =   (default)\n");
    run_free(&run);
    free(conf);
}

/* kong.conf: the one asked for, then the one that fleet.ini names. */
static void kong_conf_is_mended_in_a_copy(void **state)
{
    char *conf = path_in(*state, "kong.conf"), *named = path_in(*state, "named"), *copy = path_in(*state, "kong.conf.1.3");
    const char before[] = "pg_password = hunter2\ncustom_plugins = mine\nupstream_keepalive = 0\n";
    const char after[] = "pg_password = hunter2\nplugins = bundled, mine\nnginx_http_upstream_keepalive = NONE\n";
    write_text(conf, before);
    struct run run = RUN("conf", "--fix", "-c", conf);
    assert_int_equal(run.exit_code, 0);
    assert_has(run.out, " pg_password = ******\n-custom_plugins = mine\n+plugins = bundled, mine\n");
    assert_has(run.out, "since it holds a password");
    assert_has_not(run.out, "hunter2");
    assert_string_equal(run.err, "");
    run_free(&run);
    char *text = read_whole(copy);
    assert_string_equal(text, after);
    free(text);
    text = read_whole(conf);
    assert_string_equal(text, before);
    free(text);

    run = RUN("conf", "--fix", "-c", conf);
    assert_int_equal(run.exit_code, 1);
    assert_one_sentence(&run);
    assert_has(run.err, "kong.conf.1.3 is there already");
    run_free(&run);

    run = RUN("conf", "-c", conf, "--json", "--fix", named);
    assert_int_equal(run.exit_code, 0);
    assert_has_not(run.out, "hunter2");
    json_t *json = json_loads(run.out, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(json, "written")), named);
    assert_int_equal(json_array_size(json_object_get(json, "changes")), 2);
    json_decref(json);
    run_free(&run);

    /* The original itself: by its name, and --yes. */
    char *argument = mem_printf("--fix=%s", conf);
    run = RUN("conf", "-c", conf, argument);
    assert_int_equal(run.exit_code, 1);
    assert_has(run.err, "is replaced only with --yes");
    run_free(&run);
    text = read_whole(conf);
    assert_string_equal(text, before);
    free(text);
    run = RUN("conf", "-c", conf, argument, "-y", "-q");
    assert_int_equal(run.exit_code, 0);
    assert_string_equal(run.out, "");
    run_free(&run);
    text = read_whole(conf);
    assert_string_equal(text, after);
    free(text);
    run = RUN("conf", "-c", conf, "--fix");
    assert_int_equal(run.exit_code, 0);
    assert_has(run.out, "nothing to mend");
    run_free(&run);
    run = run_with(state, "KONG_CUSTOM_PLUGINS=mine", (const char *const[]){"conf", "--fix", "-c", conf, NULL});
    assert_int_equal(run.exit_code, 0);
    assert_has(run.err, "KONG_CUSTOM_PLUGINS is set in the environment");
    run_free(&run);
    free(argument);
    free(conf);
    free(named);
    free(copy);
}

static void fleet_ini_names_kong_conf(void **state)
{
    char *first = path_in(*state, "first.conf"), *second = path_in(*state, "second.conf"), *fleet = path_in(*state, "fleet.ini");
    char *text = mem_printf("[datastore]\nkong_conf = %s\n", first);
    write_text(first, "pg_user = first\n");
    write_text(second, "pg_user = second\n");
    write_text(fleet, text);
    struct run run = RUN("conf", "-f", fleet);
    assert_has(run.out, "pg_user = first ");
    run_free(&run);
    run = RUN("-f", fleet, "-c", second, "conf");
    assert_has(run.out, "pg_user = second ");
    run_free(&run);
    write_text(fleet, "[old]\nnode = a http://kong:hunter2@h\n");
    run = RUN("-f", fleet, "conf");
    assert_int_equal(run.exit_code, 1);
    assert_has(run.err, "fleet.ini line 2: ");
    assert_has_not(run.err, "hunter2");
    assert_one_sentence(&run);
    run_free(&run);
    free(text);
    free(fleet);
    free(second);
    free(first);
}

int main(int argc, char **argv)
{
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        TEST(wrong_usage_is_64_and_says_what_is_wrong),
        TEST(without_a_terminal_the_commands_are_named),
        TEST(help_and_version_go_to_stdout),
        TEST(hostile_arguments_do_not_reach_the_terminal),
        TEST(files_that_are_missing_are_errors),
        TEST(a_database_that_does_not_answer_is_an_error),
        TEST(without_a_worker_there_is_none_to_follow),
        TEST(settings_are_shown_but_no_secret),
        TEST(kong_conf_is_mended_in_a_copy),
        TEST(fleet_ini_names_kong_conf),
    };
    if (argc < 2) {
        fprintf(stderr, "usage: options_test PROGRAM\n");
        return 64;
    }
    program = argv[1];
    return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
