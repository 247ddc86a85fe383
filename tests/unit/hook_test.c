/*
 * Running hooks: how each way of ending is recorded, that what a hook says is bounded, that its group ends with it, and what it finds in
 * its environment. This program is also the process that runs them, as the binary is.
 */
#include "tests/unit/unit.h"

#include "core/base/clock.h"
#include "core/hook.h"
#include "core/hook_record.h"
#include "core/journal.h"
#include "core/report.h"
#include "core/supervise.h"

#include <signal.h>
#include <time.h>

static void pause_ms(int ms)
{
    const struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    nanosleep(&pause, NULL);
}

/* A script in the test's folder. The caller frees. */
static char *make_script(const char *folder, const char *text)
{
    char *path = path_in(folder, "hook.sh"), *whole = mem_printf("#!/bin/sh\n%s\n", text);
    write_text(path, whole);
    chmod(path, 0755);
    free(whole);
    return path;
}

/* Starts the hook of that kind with `rest` after the command; returns the record's path. The caller frees. */
static char *start_command(const char *folder, enum hook_kind kind, const char *command, const char *rest, int deadline, struct error *error)
{
    struct fleet fleet = {.hooks = {.deadline_seconds = deadline}};
    struct error ignored = {0};
    char *line = mem_printf("\"%s\" %s", command, rest);
    if (!hooks_set(&fleet.hooks, hook_name(kind), line, error))
        fail_msg("%s", error->message);
    if (!fleet_access_set(&fleet.access[CLUSTER_NEW], "header", "apikey: ${GATE_KEY}", &ignored))
        error_clear(&ignored);   /* where the variable is not set */
    const struct hook_job job = {&fleet, kind, {25, "old-1", "http://10.0.0.11:8001"}, folder};
    char *path = hook_start(&job, error);
    fleet_free(&fleet);
    free(line);
    return path;
}

static char *start_script(const char *folder, const char *text, int deadline)
{
    struct error error = {0};
    char *script = make_script(folder, text), *path = start_command(folder, HOOK_DIVERT, script, "{percent} \"a b\"", deadline, &error);
    if (path == NULL)
        fail_msg("%s", error.message);
    free(script);
    return path;
}

/* Until it has ended. */
static void await(const char *path, struct hook_record *record)
{
    for (int64_t limit = clock_ms() + 30000; clock_ms() < limit; pause_ms(20)) {
        if (hook_record_read(path, record) && record->result != HOOK_RUNS)
            break;
        hook_record_free(record);
    }
    while (journal_alive(path))
        pause_ms(20);
}

static void run_script(const char *folder, const char *text, int deadline, struct hook_record *record)
{
    char *path = start_script(folder, text, deadline);
    await(path, record);
    free(path);
}

static size_t count_entries(const char *folder, const char *ending)
{
    char *command = mem_printf("exit $(ls '%s' | grep -c '%s$')", folder, ending);
    int status = system(command);
    free(command);
    return (size_t)WEXITSTATUS(status);
}

static void what_went_well_is_recorded(void **state)
{
    struct hook_record record;
    run_script(*state, "echo \"moving $1 of $2\"; cat; echo done >&2", 20, &record);
    assert_int_equal(record.result, HOOK_DONE);
    assert_int_equal(record.exit_code, 0);
    assert_int_equal(record.percent, 25);
    assert_int_equal(record.kind, HOOK_DIVERT);
    assert_non_null(strstr(record.command, "hook.sh 25 \"a b\""));
    assert_true(record.user[0] != '\0' && record.host[0] != '\0');
    assert_true(record.ended_ms >= record.started_ms && clock_wall_ms() - record.ended_ms < 30000);
    assert_int_equal(record.lines.count, 2);
    assert_string_equal(record.lines.list[0], "moving 25 of a b");
    assert_string_equal(record.lines.list[1], "done");
    hook_record_free(&record);
    assert_int_equal(count_entries(*state, ".hook"), 1);
    assert_int_equal(count_entries(*state, ".out"), 0);
    assert_int_equal(count_entries(*state, ".log"), 0);
    int percent = 0;
    int64_t at = 0;
    assert_true(hook_record_diverted(*state, &percent, &at));
    assert_int_equal(percent, 25);
}

static void ways_to_fail_are_told_apart(void **state)
{
    static const struct {
        const char *text, *message;
    } cases[] = {{"echo no balancer; exit 3", "exit code 3"}, {"kill -9 $$", "signal 9 (Killed)"}};
    for (EACH(cases)) {
        struct hook_record record;
        run_script(*state, cases[i].text, 20, &record);
        assert_int_equal(record.result, HOOK_FAILED);
        assert_string_equal(record.message, cases[i].message);
        char *sentence = hook_record_sentence(&record);
        assert_non_null(strstr(sentence, "divert to 25 % failed: "));
        free(sentence);
        hook_record_free(&record);
    }
    int percent;
    int64_t at;
    assert_false(hook_record_diverted(*state, &percent, &at));
}

static void what_can_not_be_started_is_said(void **state)
{
    char *plain = path_in(*state, "plain"), *wrong = path_in(*state, "wrong"), *none = path_in(*state, "none");
    write_text(plain, "#!/bin/sh\n");
    write_text(wrong, "#!/nowhere/sh\n");
    chmod(plain, 0644);
    chmod(wrong, 0755);
    const struct {
        const char *command, *said;
    } cases[] = {{none, "there is no file"}, {plain, "not executable"}, {*state, "is a folder"}, {wrong, "interpreter"}};
    for (EACH(cases)) {
        struct error error = {0};
        struct hook_record record;
        char *path = start_command(*state, HOOK_DECOMMISSION, cases[i].command, "{node}", 20, &error);
        assert_non_null(path);
        await(path, &record);
        assert_int_equal(record.result, HOOK_FAILED);
        assert_string_equal(record.node, "old-1");
        if (strstr(record.message, cases[i].said) == NULL)
            fail_msg("%s: %s", cases[i].command, record.message);
        hook_record_free(&record);
        free(path);
    }
    free(none);
    free(wrong);
    free(plain);
}

/* The pid that a script has written there. */
static pid_t read_pid(const char *folder)
{
    char *path = path_in(folder, "pid");
    for (int tries = 0; tries < 500 && (access(path, F_OK) != 0); tries++)
        pause_ms(20);
    char *text = read_whole(path);
    pid_t pid = (pid_t)atol(text);
    free(text);
    free(path);
    assert_true(pid > 1);
    return pid;
}

/* One that has ended and that nobody asked for does not run. */
static bool runs(pid_t pid)
{
    char *path = mem_printf("/proc/%d/stat", (int)pid), *text = NULL, state = 'Z';
    if (access(path, R_OK) == 0) {
        text = read_whole(path);
        sscanf(text, "%*d (%*[^)]) %c", &state);
    }
    free(text);
    free(path);
    return state != 'Z' && state != 'X';
}

static void the_deadline_ends_the_whole_group(void **state)
{
    struct hook_record record;
    const char *folder = *state;
    char *text = mem_printf("(trap '' TERM; echo working; while :; do sleep 0.1; done) & echo $! >'%s/pid.new'; mv '%s/pid.new' '%s/pid'; wait",
                            folder, folder, folder);
    int64_t begun = clock_ms();
    run_script(*state, text, 1, &record);
    assert_int_equal(record.result, HOOK_LATE);
    assert_string_equal(record.message, "it was not done after 1 s");
    assert_string_equal(record.lines.list[0], "working");
    assert_true(clock_ms() - begun >= 1000 + SUPERVISE_GRACE_MS - 200);   /* its child did not obey SIGTERM */
    pid_t child = read_pid(*state);
    for (int tries = 0; tries < 100 && runs(child); tries++)
        pause_ms(20);
    assert_false(runs(child));
    hook_record_free(&record);
    free(text);
}

static void it_can_be_stopped(void **state)
{
    struct hook_record record;
    struct error error = {0};
    char *path = start_script(*state, "trap 'echo stopping; exit 7' TERM; echo ready; while :; do sleep 0.05; done", 30);
    struct hook_follower follower = {0};
    hook_follow(&follower, path);
    for (int tries = 0; tries < 500 && follower.lines.count == 0; tries++) {   /* what it says is seen while it runs */
        pause_ms(20);
        hook_follow_read(&follower);
    }
    assert_int_equal(follower.lines.count, 1);
    assert_string_equal(hook_lines_get(&follower.lines, 0), "ready");
    assert_int_equal(follower.record.result, HOOK_RUNS);
    char *running = hook_find_running(*state);
    assert_string_equal(running, path);
    free(running);
    assert_true(hook_stop(path, &error));
    await(path, &record);
    assert_int_equal(record.result, HOOK_STOPPED);
    assert_string_equal(record.lines.list[record.lines.count - 1], "stopping");
    hook_follow_read(&follower);
    assert_int_equal(follower.record.result, HOOK_STOPPED);
    assert_int_equal(follower.lines.count, record.lines.count);
    assert_false(hook_stop(path, &error));
    assert_non_null(strstr(error.message, "has ended"));
    error_clear(&error);
    assert_null(hook_find_running(*state));
    hook_follow_end(&follower);
    hook_record_free(&record);
    free(path);
}

static void one_runs_at_a_time(void **state)
{
    struct hook_record record;
    struct error error = {0};
    char *path = start_script(*state, "while ! [ -e \"${0%/*}/go\" ]; do sleep 0.05; done", 30);
    char *other = start_command(*state, HOOK_PROVISION, "/bin/true", "", 30, &error);
    assert_null(other);
    assert_int_equal(error.code, ERROR_SYSTEM);
    assert_non_null(strstr(error.message, "another hook runs"));
    error_clear(&error);
    char *go = path_in(*state, "go");
    write_text(go, "");
    await(path, &record);
    assert_int_equal(record.result, HOOK_DONE);
    hook_record_free(&record);
    free(path);
    path = start_command(*state, HOOK_PROVISION, "/bin/true", "", 30, &error);
    assert_non_null(path);
    await(path, &record);
    assert_int_equal(record.result, HOOK_DONE);
    hook_record_free(&record);
    free(go);
    free(path);
}

static void what_it_says_is_bounded(void **state)
{
    struct hook_record record;
    run_script(*state, "yes 123456789 | head -n 1000000; head -c 3000 /dev/zero | tr '\\0' x; echo; echo last", 60, &record);
    assert_int_equal(record.result, HOOK_DONE);
    assert_int_equal(record.lines.count, HOOK_LINES);
    assert_string_equal(record.lines.list[HOOK_LINES - 1], "last");
    assert_int_equal(strlen(record.lines.list[HOOK_LINES - 2]), HOOK_LINE_SIZE);
    assert_string_equal(record.lines.list[0], "123456789");
    hook_record_free(&record);
}

static void hostile_bytes_become_harmless(void **state)
{
    struct hook_record record;
    run_script(*state, "printf 'a\\033[2J\\007b\\0c\\n\\377\\376\\n\\303\\251 \\302\\233 \\302\\n10 %%\\r20 %%\\r\\n\\n\"}{<b>|\\n'", 20, &record);
    static const char *const expected[] = {"a [2J b c", "\xEF\xBF\xBD\xEF\xBF\xBD", "\xC3\xA9    \xEF\xBF\xBD", "10 %", "20 %", "\"}{<b>|"};
    assert_int_equal(record.lines.count, sizeof expected / sizeof expected[0]);
    for (EACH(expected))
        assert_string_equal(record.lines.list[i], expected[i]);
    hook_record_free(&record);
}

static void lines_are_cut_between_letters(void **state)
{
    struct hook_lines lines = {0};
    (void)state;
    for (int shift = 0; shift < 4; shift++) {
        hook_lines_add(&lines, "xxxx", (size_t)shift);
        for (int i = 0; i < 300; i++)
            hook_lines_add(&lines, "\xE2\x82\xAC", 3);
        hook_lines_end(&lines);
        const char *line = hook_lines_get(&lines, lines.count - 1);
        assert_in_range(strlen(line), HOOK_LINE_SIZE - 3, HOOK_LINE_SIZE);
        assert_null(strstr(line, "\xEF\xBF\xBD"));
    }
    hook_lines_free(&lines);
}

static void the_environment_holds_no_secret(void **state)
{
    struct hook_record record;
    setenv("KONG_PG_PASSWORD", "Open-Sesame-47", 1);
    setenv("KONG_ADMIN_TOKEN", "Open-Sesame-47", 1);
    setenv("PGPASSWORD", "Open-Sesame-47", 1);
    setenv("GATE_KEY", "Open-Sesame-47", 1);   /* fleet.ini takes a header from it */
    setenv("BALANCER", "lb-1", 1);
    run_script(*state, "env", 20, &record);
    unsetenv("KONG_PG_PASSWORD");
    unsetenv("KONG_ADMIN_TOKEN");
    unsetenv("PGPASSWORD");
    unsetenv("GATE_KEY");
    bool balancer = false;
    for (size_t i = 0; i < record.lines.count; i++) {
        assert_null(strstr(record.lines.list[i], "Sesame"));
        balancer = balancer || strcmp(record.lines.list[i], "BALANCER=lb-1") == 0;
    }
    assert_true(balancer);
    hook_record_free(&record);
}

/* A hook that starts something and goes: that lives on, and may write for ever. */
static void what_it_leaves_running_lives(void **state)
{
    struct hook_record record;
    char *text = mem_printf("(for n in 1 2 3 4 5 6 7 8; do sleep 0.2; echo still; done; echo fine >'%s/proof') &", (char *)*state);
    run_script(*state, text, 30, &record);
    assert_int_equal(record.result, HOOK_DONE);
    char *proof = path_in(*state, "proof");
    for (int tries = 0; tries < 500 && access(proof, F_OK) != 0; tries++)
        pause_ms(20);
    assert_int_equal(access(proof, F_OK), 0);
    free(proof);
    hook_record_free(&record);
    free(text);
}

/* The process that runs it is killed: the hook goes on, and the record does not say that all went well. */
static void a_record_without_an_end_is_cut_short(void **state)
{
    struct hook_record record;
    char *path = start_script(*state, "while ! [ -e \"${0%/*}/go\" ]; do sleep 0.05; done; touch \"${0%/*}/proof\"", 30);
    assert_true(hook_record_read(path, &record));
    assert_int_equal(record.result, HOOK_RUNS);
    kill(record.pid, SIGKILL);
    hook_record_free(&record);
    await(path, &record);
    assert_int_equal(record.result, HOOK_CUT);
    hook_record_free(&record);
    char *go = path_in(*state, "go"), *proof = path_in(*state, "proof");
    write_text(go, "");
    for (int tries = 0; tries < 500 && access(proof, F_OK) != 0; tries++)
        pause_ms(20);
    assert_int_equal(access(proof, F_OK), 0);
    free(proof);
    free(go);
    free(path);
}

static void the_report_lists_them(void **state)
{
    struct hook_record record;
    run_script(*state, "echo 'weights <set> | all'; exit 0", 20, &record);
    hook_record_free(&record);
    pause_ms(5);
    run_script(*state, "echo nothing; exit 9", 20, &record);
    hook_record_free(&record);
    char *report = report_markdown(*state, NULL);
    assert_non_null(strstr(report, "## Hooks"));
    assert_non_null(strstr(report, "divert to 25 % went well"));
    assert_non_null(strstr(report, "divert to 25 % failed: exit code 9"));
    assert_non_null(strstr(report, "hook.sh 25 \"a b\""));
    assert_non_null(strstr(report, "weights \\<set> \\| all"));
    free(report);
    json_t *json = report_json(*state, NULL);
    const json_t *hooks = json_object_get(json, "hooks");
    assert_int_equal(json_array_size(hooks), 2);
    assert_int_equal(json_integer_value(json_object_get(json_array_get(hooks, 1), "exit")), 9);
    assert_int_equal(json_integer_value(json_object_get(json_array_get(hooks, 0), "percent")), 25);
    json_decref(json);
}

static void garbage_in_the_folder_is_survived(void **state)
{
    static const char *const texts[] = {"", "\n", "{", "[]\n", "{\"event\":\"end\"}\n",
                                        "{\"event\":\"start\",\"arguments\":[1,null],\"hook\":3,\"t\":\"x\"}\n",
                                        "{\"event\":\"start\"}\n{\"event\":\"end\",\"lines\":{\"a\":1},\"exit\":\"x\",\"result\":7}\n"};
    for (EACH(texts)) {
        char *name = mem_printf("%zu.hook", i), *path = path_in(*state, name);
        write_text(path, texts[i]);
        free(path);
        free(name);
    }
    char *report = report_markdown(*state, NULL);
    assert_non_null(report);
    free(report);
    int percent;
    int64_t at;
    assert_false(hook_record_diverted(*state, &percent, &at));
}

int main(int argc, char **argv)
{
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        TEST(what_went_well_is_recorded),
        TEST(ways_to_fail_are_told_apart),
        TEST(what_can_not_be_started_is_said),
        TEST(the_deadline_ends_the_whole_group),
        TEST(it_can_be_stopped),
        TEST(one_runs_at_a_time),
        TEST(what_it_says_is_bounded),
        TEST(hostile_bytes_become_harmless),
        TEST(lines_are_cut_between_letters),
        TEST(the_environment_holds_no_secret),
        TEST(what_it_leaves_running_lives),
        TEST(a_record_without_an_end_is_cut_short),
        TEST(the_report_lists_them),
        TEST(garbage_in_the_folder_is_survived),
    };
    if (argc == 2 && strcmp(argv[1], HOOK_COMMAND) == 0)
        return hook_main();
    return cmocka_run_group_tests_name("hook", tests, NULL, NULL);
}
