/* The journal: written, read, found, and told alive from dead; and the folder that it is in. */
#include "tests/unit/unit.h"

#include "core/journal.h"
#include "core/worker.h"

#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/wait.h>

static void count_event(void *context, const json_t *event)
{
    assert_true(json_is_object(event));
    ++*(int *)context;
}

static int count_events(struct journal_reader *reader)
{
    int count = 0;
    journal_read(reader, count_event, &count);
    return count;
}

static void what_is_written_is_read(void **state)
{
    struct error error = {0};
    struct journal_reader reader;
    char *path = journal_new_path(*state, "up");
    umask(0);
    struct journal *journal = journal_create(path, &error);
    assert_non_null(journal);
    assert_string_equal(journal_path(journal), path);
    assert_int_equal(mode_of(path), 0600);
    assert_null(journal_create(path, &error));   /* a run of the same millisecond */
    assert_error(&error, ERROR_FILE, "can't create the journal");
    assert_true(journal_open(&reader, path, &error));
    assert_int_equal(count_events(&reader), 0);
    journal_add(journal, false, json_pack("{s:s}", "event", "stop"));
    journal_add(journal, true, json_pack("{s:s, s:s}", "event", "note", "text", "a\nb \xE2\x82\xAC"));
    assert_int_equal(count_events(&reader), 2);
    assert_int_equal(count_events(&reader), 0);
    for (int n = 0; n < 3000; n++)
        journal_add(journal, false, json_pack("{s:s, s:i}", "event", "progress", "rows", n));
    assert_int_equal(count_events(&reader), 3000);
    assert_false(journal_failed(journal, NULL));
    journal_close(journal);
    journal_close(NULL);
    journal_reader_close(&reader);
    journal_reader_close(&reader);
    char *text = read_whole(path);
    assert_has(text, "{\"event\":\"stop\",\"t\":\"20");
    assert_has(text, "Z\"}\n");
    free(text);
    free(path);
}

static void lines_in_part_wait_garbage_is_passed_over(void **state)
{
    struct journal_reader reader;
    struct error error = {0};
    char *path = path_in(*state, "x.jsonl");
    write_text(path, "{\"event\":\"st");
    assert_true(journal_open(&reader, path, &error));
    assert_int_equal(count_events(&reader), 0);
    append_text(path, "op\"}");
    assert_int_equal(count_events(&reader), 0);
    append_text(path, "\n{\"event\"");
    assert_int_equal(count_events(&reader), 1);
    append_text(path, ":1}\n");
    assert_int_equal(count_events(&reader), 1);
    append_text(path, "garbage\n\n[1]\n\"text\"\nnull\n{\"a\":1} x\n{\"a\":\"\xFF\"}\n{\"event\":\"sto\n{}\n");
    assert_int_equal(count_events(&reader), 1);
    FILE *file = fopen(path, "a");
    for (int n = 0; n < 100000; n++)
        fputs("[[", file);
    fputs("\n{\"a\":\"", file);
    for (int n = 0; n < 200000; n++)
        fputs("xx", file);
    fputs("\"}\n", file);
    fwrite("{\"b\":\0}\n{\"c\":1}\n", 1, 17, file);
    fclose(file);
    assert_int_equal(count_events(&reader), 2);
    journal_reader_close(&reader);
    assert_false(journal_open(&reader, "/nonexistent/x.jsonl", &error));
    assert_error(&error, ERROR_FILE, "can't read the journal /nonexistent/x.jsonl");
    journal_reader_close(&reader);
    free(path);
}

/* A full disk, played by a limit on the file's size. */
static void a_full_disk_is_remembered_and_the_next_line_is_whole(void **state)
{
    struct error error = {0};
    struct journal_reader reader;
    struct rlimit before, tight;
    char *path = path_in(*state, "x.jsonl");
    struct journal *journal = journal_create(path, &error);
    journal_add(journal, true, json_pack("{s:s}", "event", "first"));
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    tight = before;
    tight.rlim_cur = 80;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    journal_add(journal, true, json_pack("{s:s, s:s}", "event", "second", "text", "which does not fit into what is left of it"));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_DFL);
    assert_true(journal_failed(journal, NULL));
    journal_add(journal, true, json_pack("{s:s}", "event", "third"));
    journal_add(journal, true, json_pack("{s:s}", "event", "fourth"));
    assert_true(journal_failed(journal, NULL));
    assert_true(journal_open(&reader, path, &error));
    assert_int_equal(count_events(&reader), 3);
    journal_reader_close(&reader);
    journal_close(journal);
    free(path);
}

static void who_writes_lives(void **state)
{
    struct error error = {0};
    char *first = path_in(*state, "2026-01-01-up.jsonl"), *second = path_in(*state, "2026-01-02-up.jsonl");
    assert_false(journal_alive(first));
    assert_null(journal_find_running(*state));
    struct journal *journal = journal_create(first, &error);
    write_text(second, "{}\n");
    assert_true(journal_alive(first));
    assert_true(journal_alive(first));
    assert_false(journal_alive(second));
    char *running = journal_find_running(*state);
    assert_string_equal(running, first);
    free(running);
    journal_close(journal);
    assert_false(journal_alive(first));
    assert_null(journal_find_running(*state));

    /* Killed, not closed. */
    assert_int_equal(unlink(first), 0);
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        bool created = journal_create(first, NULL) != NULL;
        (void)!write(ready[1], "x", created ? 1 : 0);
        close(ready[1]);
        pause();
        _exit(0);
    }
    char byte;
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    assert_true(journal_alive(first));
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_false(journal_alive(first));
    free(first);
    free(second);
}

/* Someone looks all the time whether a worker lives: that must not keep one from beginning. */
static void looking_does_not_disturb_creating(void **state)
{
    char *path = path_in(*state, "x.jsonl");
    pid_t child = fork();
    if (child == 0) {
        alarm(20);
        for (;;)
            journal_alive(path);
    }
    int failures = 0;
    for (int n = 0; n < 300; n++) {
        struct error error = {0};
        struct journal *journal = journal_create(path, &error);
        failures += journal == NULL ? 1 : 0;
        journal_close(journal);
        error_clear(&error);
        unlink(path);
    }
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_int_equal(failures, 0);
    free(path);
}

static void journals_are_listed_oldest_first(void **state)
{
    static const char *const files[] = {"2026-11-24T10-00-00.000Z-up.jsonl", "2026-11-24T09-59-59.999Z-up.jsonl", "2026-11-24T10-00-00.000Z-finish.jsonl",
                                        "decisions.log", "2026-11-24T10-00-00.000Z-up.log", ".jsonl", "x.jsonl.bak"};
    struct names paths = {0};
    journal_list("/nonexistent", &paths);
    assert_int_equal(paths.count, 0);
    for (EACH(files)) {
        char *path = path_in(*state, files[i]);
        write_text(path, "");
        free(path);
    }
    char *fifo = path_in(*state, "z.jsonl"), *folder = path_in(*state, "zz.jsonl");
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_int_equal(mkdir(folder, 0700), 0);
    journal_list(*state, &paths);
    assert_int_equal(paths.count, 5);
    assert_has(paths.list[0], "/2026-11-24T09-59-59.999Z-up.jsonl");
    assert_has(paths.list[1], "/2026-11-24T10-00-00.000Z-finish.jsonl");
    assert_has(paths.list[2], "/2026-11-24T10-00-00.000Z-up.jsonl");
    names_free(&paths);
    alarm(5);   /* a pipe and a folder of such a name are survived without waiting */
    assert_null(journal_find_running(*state));
    assert_false(worker_up_interrupted(*state));
    alarm(0);
    free(fifo);
    free(folder);
}

static char *folder_for(const char *host, const char *database, const char *schema, bool create)
{
    struct error error = {0};
    struct datastore datastore = {.host = mem_dup(host), .port = 5432, .database = mem_dup(database), .schema = mem_dup(schema)};
    char *folder = journal_folder(&datastore, create, &error);
    if (folder == NULL)
        fail_msg("%s", error.message);
    datastore_free(&datastore);
    return folder;
}

static void no_name_leads_out_of_the_state_folder(void **state)
{
    static const struct {
        const char *host, *database, *schema, *folder;
    } cases[] = {
        {"db.example", "kong", NULL, "db.example_5432_kong_default"},
        {"db", "kong", "public", "db_5432_kong_public"},
        {"/var/run/postgresql", "kong", NULL, "%2Fvar%2Frun%2Fpostgresql_5432_kong_default"},
        {"..", "../../etc", "..", "%2E._5432_%2E.%2F..%2Fetc_%2E."},
        {".", ".", "", "%2E_5432_%2E_"},
        {"h", "a_b", "c", "h_5432_a%5Fb_c"},
        {"h", "a", "b_c", "h_5432_a_b%5Fc"},
        {"h", "x\n\x1B[31m", "\xC3\xA4", "h_5432_x%0A%1B%5B31m_%C3%A4"},
        {"h", "100%", "%2F", "h_5432_100%25_%252F"},
    };
    setenv("XDG_STATE_HOME", *state, 1);
    for (EACH(cases)) {
        char *folder = folder_for(cases[i].host, cases[i].database, cases[i].schema, true);
        char *expected = mem_printf("%s/kong-upgrade/%s", (char *)*state, cases[i].folder);
        assert_string_equal(folder, expected);
        assert_int_equal(mode_of(folder), 0700);
        free(expected);
        free(folder);
    }
    unsetenv("XDG_STATE_HOME");
}

static void very_long_names_have_a_folder_each(void **state)
{
    char host[400] = "", first[100] = "", second[100] = "";
    memset(host, 'h', 399);
    memset(first, '/', 63);
    memset(second, '/', 63);
    second[62] = '.';
    setenv("XDG_STATE_HOME", *state, 1);
    char *one = folder_for(host, first, first, true), *other = folder_for(host, first, second, true), *again = folder_for(host, first, first, true);
    assert_string_not_equal(one, other);
    assert_string_equal(one, again);
    struct stat status;
    assert_int_equal(stat(one, &status), 0);
    assert_int_equal(stat(other, &status), 0);
    free(one);
    free(other);
    free(again);
    unsetenv("XDG_STATE_HOME");
}

static void the_state_folder_has_a_home_or_an_error(void **state)
{
    struct datastore datastore = {.host = mem_dup("h"), .port = 1, .database = mem_dup("d")};
    struct error error = {0};
    setenv("XDG_STATE_HOME", "relative", 1);
    setenv("HOME", *state, 1);
    char *folder = journal_folder(&datastore, false, &error);
    char *expected = path_in(*state, ".local/state/kong-upgrade/h_1_d_default");
    assert_string_equal(folder, expected);
    assert_int_not_equal(access(folder, F_OK), 0);
    unsetenv("XDG_STATE_HOME");
    unsetenv("HOME");
    assert_null(journal_folder(&datastore, true, &error));
    assert_error(&error, ERROR_FILE, "set XDG_STATE_HOME");
    setenv("XDG_STATE_HOME", "/dev/null", 1);
    assert_null(journal_folder(&datastore, true, &error));
    assert_error(&error, ERROR_FILE, "can't create the state folder");
    unsetenv("XDG_STATE_HOME");
    datastore_free(&datastore);
    free(expected);
    free(folder);
}

/* Only an `up` that began can be resumed, whatever came after it. */
static void an_up_cut_short_is_resumed(void **state)
{
    static const struct {
        const char *command, *events;
        bool interrupted;   /* with all journals up to this one */
    } journals[] = {
        {"up", "", false},
        {"up", "{\"event\":\"end\",\"result\":\"refused\"}\n", false},
        {"up", "{\"event\":\"end\",\"result\":\"held\"}\n", false},
        {"finish", "{\"event\":\"plan\"}\n", false},
        {"up", "{\"event\":\"end\",\"result\":\"nothing\"}\n", false},
        {"up", "{\"event\":\"plan\"}\n{\"event\":\"cha", true},
        {"up", "{\"event\":\"end\",\"result\":\"held\"}\n", true},
        {"finish", "{\"event\":\"end\",\"result\":\"refused\"}\n", true},
        {"up", "{\"event\":\"plan\"}\n{\"event\":\"end\",\"result\":\"done\"}\n", false},
        {"up", "{\"event\":\"plan\"}\n{\"event\":\"end\",\"result\":\"paused\"}\n", true},
        {"up", "{\"event\":\"plan\"}\n{\"event\":\"end\",\"result\":\"failed\"}\n", true},
    };
    assert_false(worker_up_interrupted(*state));
    for (EACH(journals)) {
        char *path = mem_printf("%s/2026-01-%02zu.jsonl", (char *)*state, i + 1);
        char *text = mem_printf("{\"event\":\"start\",\"command\":\"%s\",\"pid\":1}\n%s", journals[i].command, journals[i].events);
        write_text(path, text);
        if (worker_up_interrupted(*state) != journals[i].interrupted)
            fail_msg("journal %zu", i);
        free(text);
        free(path);
    }
    struct error error = {0};
    char *last = mem_printf("%s/2026-01-99.jsonl", (char *)*state);
    struct journal *journal = journal_create(last, &error);
    journal_add(journal, true, json_pack("{s:s, s:s, s:i}", "event", "start", "command", "up", "pid", 0));
    journal_add(journal, true, json_pack("{s:s}", "event", "plan"));
    assert_false(worker_up_interrupted(*state));   /* it lives */
    assert_false(worker_stop(last, &error));       /* but pid 0 is no one's, and would be us all */
    assert_error(&error, ERROR_REFUSED, "no worker runs");
    journal_close(journal);
    assert_true(worker_up_interrupted(*state));
    assert_false(worker_stop(last, &error));
    assert_error(&error, ERROR_REFUSED, "no worker runs");
    free(last);
}

/* From the first `up` that changed something to the `finish` that was done; the next one begins anew. */
static void an_upgrade_has_times(void **state)
{
    static const struct {
        const char *command, *events;
        int64_t began, ended;   /* minutes, with all journals up to this one */
    } journals[] = {
        {"up", "{\"event\":\"end\",\"result\":\"held\"}\n", 0, 0},
        {"up", "{\"event\":\"plan\"}\n{\"event\":\"end\",\"result\":\"nothing\"}\n", 0, 0},
        {"backup", "{\"event\":\"plan\"}\n{\"event\":\"end\",\"result\":\"done\"}\n", 0, 0},
        {"up", "{\"event\":\"plan\"}\n{\"event\":\"end\",\"result\":\"paused\"}\n", 4, 0},
        {"up", "{\"event\":\"plan\"}\n{\"event\":\"end\",\"result\":\"done\"}\n", 4, 0},
        {"finish", "{\"event\":\"end\",\"result\":\"refused\"}\n", 4, 0},
        {"finish", "{\"event\":\"plan\"}\n{\"event\":\"end\",\"result\":\"failed\"}\n", 4, 0},
        {"finish", "{\"event\":\"plan\"}\n{\"event\":\"end\",\"result\":\"done\",\"t\":\"1970-01-01T00:30:00Z\"}\n", 4, 30},
        {"finish", "{\"event\":\"plan\"}\n{\"event\":\"end\",\"result\":\"nothing\"}\n", 4, 30},
        {"up", "{\"event\":\"plan\"}\n", 10, 0},
        {"rollback", "{\"event\":\"plan\"}\n{\"event\":\"end\",\"result\":\"done\"}\n", 0, 0},
        {"bootstrap", "{\"event\":\"plan\"}\n{\"event\":\"end\",\"result\":\"done\",\"t\":\"1970-01-01T00:40:00Z\"}\n", 12, 40},
    };
    int64_t began, ended;
    for (EACH(journals)) {
        char *path = mem_printf("%s/2026-01-%02zu.jsonl", (char *)*state, i + 1);
        char *text = mem_printf("{\"event\":\"start\",\"command\":\"%s\",\"t\":\"1970-01-01T00:%02zu:00Z\"}\n%s", journals[i].command, i + 1, journals[i].events);
        write_text(path, text);
        worker_upgrade_times(*state, &began, &ended);
        if (began != journals[i].began * 60000 || ended != journals[i].ended * 60000)
            fail_msg("journal %zu: %lld, %lld", i, (long long)began, (long long)ended);
        free(text);
        free(path);
    }
}

int main(void)
{
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        TEST(what_is_written_is_read),
        TEST(lines_in_part_wait_garbage_is_passed_over),
        TEST(a_full_disk_is_remembered_and_the_next_line_is_whole),
        TEST(who_writes_lives),
        TEST(looking_does_not_disturb_creating),
        TEST(journals_are_listed_oldest_first),
        TEST(no_name_leads_out_of_the_state_folder),
        TEST(very_long_names_have_a_folder_each),
        TEST(the_state_folder_has_a_home_or_an_error),
        TEST(an_up_cut_short_is_resumed),
        TEST(an_upgrade_has_times),
    };
    return cmocka_run_group_tests_name("journal", tests, NULL, NULL);
}
