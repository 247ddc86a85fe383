/*
 * Whether a worker outlives its login session: on machines made up of a few files, with programs of our own for loginctl and
 * systemd-run. The last tests start a worker for real, through a systemd-run that only runs what it is given.
 */
#include "core/journal.h"
#include "core/linger.h"
#include "core/worker.h"
#include "tests/unit/unit.h"

#include <pwd.h>
#include <signal.h>

#define SESSION "0::/user.slice/user-1000.slice/session-7.scope\n"
#define MANAGER "0::/user.slice/user-1000.slice/user@1000.service/tmux-spawn.scope\n"
#define SERVICE "0::/system.slice/cron.service\n"
#define KILLS "[Login]\nKillUserProcesses=yes\n"

static void put_text(const char *folder, const char *name, const char *text)
{
    char *path = path_in(folder, name);
    for (char *slash = path + strlen(folder) + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = '\0';
        mkdir(path, 0755);
        *slash = '/';
    }
    write_bytes(path, text, strlen(text));
    free(path);
}

static void write_program(const char *folder, const char *name, const char *text)
{
    char *path = path_in(folder, name);
    put_text(folder, name, text);
    assert_int_equal(chmod(path, 0755), 0);
    free(path);
}

/* A machine with systemd, ours the cgroup; no program of systemd's is there. */
static void begin(const char *folder, const char *cgroup)
{
    static char root[256], path[300];
    snprintf(root, sizeof root, "%s", folder);
    snprintf(path, sizeof path, "%s/bin", folder);
    linger_root = root;
    put_text(folder, "run/systemd/system/x", "");
    put_text(folder, "proc/self/cgroup", cgroup);
    put_text(folder, "bin/x", "");
    setenv("PATH", path, 1);
}

static void with_scopes(const char *folder)
{
    char *script = mem_printf("#!/bin/sh\necho \"$*\" >>'%s/scopes'\n/usr/bin/env >>'%s/environment'\nwhile [ \"$1\" != -- ]; do shift; done\nshift\n"
                              "[ \"$1\" != true ] || exit 0\nexec \"$@\"\n", folder, folder);
    write_program(folder, "bin/systemd-run", script);
    free(script);
}

static char *read_text(const char *folder, const char *name)
{
    static char text[16384];
    char *path = path_in(folder, name);
    FILE *file = fopen(path, "r");
    size_t length = file != NULL ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file != NULL)
        fclose(file);
    text[length] = '\0';
    free(path);
    return text;
}

static void without_systemd_nothing_ends_it(void **state)
{
    static char root[256];
    snprintf(root, sizeof root, "%s", (char *)*state);
    linger_root = root;
    put_text(*state, "proc/self/cgroup", SESSION);
    put_text(*state, "etc/systemd/logind.conf", KILLS);
    assert_int_equal(linger_find("alice"), LINGER_STAYS);
}

static void the_cgroup_decides(void **state)
{
    begin(*state, SERVICE);
    put_text(*state, "etc/systemd/logind.conf", KILLS);
    assert_int_equal(linger_find("alice"), LINGER_STAYS);
    put_text(*state, "proc/self/cgroup", "1:name=systemd:/user.slice/user-1000.slice/session-c2.scope\n0::/\n");
    assert_int_equal(linger_find("alice"), LINGER_ENDS);
}

static void files_are_read_as_logind_does(void **state)
{
    static const struct {
        const char *name, *text;
        enum lingers alice, root;
    } steps[] = {   /* one after the other */
        {"x", "", LINGER_ENDS, LINGER_STAYS},   /* nothing is said: systemd's own default */
        {"usr/lib/systemd/logind.conf", "[Login]\n#KillUserProcesses=yes\nKillUserProcesses=no\n", LINGER_STAYS, LINGER_STAYS},
        {"etc/systemd/logind.conf", "[Manager]\nKillUserProcesses=no\n" KILLS, LINGER_ENDS, LINGER_STAYS},
        {"usr/lib/systemd/logind.conf.d/50-keep.conf", "[Login]\nKillUserProcesses=off\n", LINGER_STAYS, LINGER_STAYS},
        {"run/systemd/logind.conf.d/40-kill.conf", KILLS, LINGER_STAYS, LINGER_STAYS},
        {"run/systemd/logind.conf.d/60-kill.conf", KILLS, LINGER_ENDS, LINGER_STAYS},
        {"etc/systemd/logind.conf.d/60-kill.conf", "[Login]\n", LINGER_STAYS, LINGER_STAYS},
        {"etc/systemd/logind.conf.d/70-kill.conf", KILLS "KillExcludeUsers=bob alice\n", LINGER_STAYS, LINGER_STAYS},
        {"etc/systemd/logind.conf.d/80-none.conf", "[Login]\nKillExcludeUsers=\n", LINGER_ENDS, LINGER_ENDS},
        {"etc/systemd/logind.conf.d/85-only.conf", "[Login]\nKillOnlyUsers=bob\n", LINGER_STAYS, LINGER_STAYS},
        {"etc/systemd/logind.conf.d/not.txt", "[Login]\nKillOnlyUsers=alice\n", LINGER_STAYS, LINGER_STAYS},
        {"etc/systemd/logind.conf.d/90-only.conf", "[Login]\nKillOnlyUsers=alice\n", LINGER_ENDS, LINGER_STAYS},
    };
    begin(*state, SESSION);
    for (EACH(steps)) {
        put_text(*state, steps[i].name, steps[i].text);
        if (linger_find("alice") != steps[i].alice || linger_find("root") != steps[i].root)
            fail_msg("%s: %d for alice, %d for root", steps[i].name, linger_find("alice"), linger_find("root"));
    }
}

static void logind_itself_knows_better(void **state)
{
    begin(*state, SESSION);
    put_text(*state, "etc/systemd/logind.conf", KILLS);
    write_program(*state, "bin/loginctl", "#!/bin/sh\nprintf 'KillUserProcesses=no\\nKillOnlyUsers=\\nKillExcludeUsers=root\\n'\n");
    assert_int_equal(linger_find("alice"), LINGER_STAYS);
    write_program(*state, "bin/loginctl", "#!/bin/sh\nprintf 'KillUserProcesses=yes\\nKillOnlyUsers=\\nKillExcludeUsers=root\\n'\n");
    assert_int_equal(linger_find("alice"), LINGER_ENDS);
    assert_int_equal(linger_find("root"), LINGER_STAYS);
    write_program(*state, "bin/loginctl", "#!/bin/sh\necho 'Failed to connect to bus' >&2\nexit 1\n");
    put_text(*state, "etc/systemd/logind.conf", "[Login]\nKillUserProcesses=no\n");
    assert_int_equal(linger_find("alice"), LINGER_STAYS);
}

/* A user's own systemd ends with the last session, unless the user lingers. */
static void a_scope_helps_those_who_linger(void **state)
{
    begin(*state, SESSION);
    put_text(*state, "etc/systemd/logind.conf", KILLS);
    with_scopes(*state);
    assert_int_equal(linger_find("alice"), LINGER_ENDS);
    put_text(*state, "var/lib/systemd/linger/alice", "");
    assert_int_equal(linger_find("alice"), LINGER_SCOPE);
    assert_string_equal(read_text(*state, "scopes"), "--quiet --user --scope -- true\n");
    write_program(*state, "bin/systemd-run", "#!/bin/sh\nexit 1\n");
    assert_int_equal(linger_find("alice"), LINGER_ENDS);
    put_text(*state, "proc/self/cgroup", MANAGER);
    assert_int_equal(linger_find("alice"), LINGER_STAYS);
    assert_int_equal(linger_find("bob"), LINGER_ENDS);
}

static void roots_scope_is_the_systems(void **state)
{
    begin(*state, SESSION);
    put_text(*state, "etc/systemd/logind.conf", KILLS "KillExcludeUsers=\n");
    with_scopes(*state);
    assert_int_equal(linger_find("root"), LINGER_SCOPE);
    assert_string_equal(read_text(*state, "scopes"), "--quiet --scope -- true\n");
}

/* A worker for a server that is not there. */
static char *start_worker(const char *folder, struct error *error)
{
    char *home = path_in(folder, "state");
    struct datastore store = {.host = mem_dup("127.0.0.1"), .port = 1, .database = mem_dup("kong"), .user = mem_dup("kong"),
                              .password = mem_dup("Open-Sesame-47"), .timeout_ms = 1000};
    const struct names plugins = {0};
    const struct run_job job = {.command = "up", .kind = PLAN_UP, .to = KONG_1_3, .datastore = &store, .plugins = &plugins, .deadline_ms = 1000};
    setenv("XDG_STATE_HOME", home, 1);
    setenv("KONG_PG_PASSWORD", "Open-Sesame-47", 1);
    char *journal = worker_start(&job, error);
    unsetenv("KONG_PG_PASSWORD");
    datastore_free(&store);
    free(home);
    return journal;
}

static void a_worker_is_started_in_a_scope(void **state)
{
    struct error error = {0};
    const struct passwd *user = getpwuid(getuid());
    begin(*state, SESSION);
    put_text(*state, "etc/systemd/logind.conf", KILLS "KillExcludeUsers=\n");
    char *linger = mem_printf("var/lib/systemd/linger/%s", user->pw_name);
    put_text(*state, linger, "");
    free(linger);
    with_scopes(*state);
    char *journal = start_worker(*state, &error);
    if (journal == NULL)
        fail_msg("%s", error.message);
    for (int tries = 0; journal_alive(journal) && tries < 1000; tries++)
        usleep(10000);
    assert_false(journal_alive(journal));
    char *folder = mem_dup(journal), *name = strrchr(folder, '/');
    *name = '\0';
    const char *text = read_text(folder, name + 1);
    assert_non_null(strstr(text, "\"event\":\"start\""));
    assert_non_null(strstr(text, "\"event\":\"end\""));
    text = read_text(*state, "scopes");
    assert_non_null(strstr(text, "--scope -- true\n"));
    assert_non_null(strstr(text, " worker\n"));
    assert_null(strstr(text, "Sesame"));
    assert_null(strstr(read_text(*state, "environment"), "Sesame"));
    free(folder);
    free(journal);
}

static void what_systemd_run_refuses_is_an_error(void **state)
{
    struct error error = {0};
    a_worker_is_started_in_a_scope(state);
    write_program(*state, "bin/systemd-run", "#!/bin/sh\nfor last; do :; done\n[ \"$last\" = true ] || exit 1\n");
    assert_null(start_worker(*state, &error));
    assert_non_null(strstr(error.message, "the worker ended before it began"));
    error_clear(&error);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], WORKER_COMMAND) == 0)
        return worker_main();
    signal(SIGPIPE, SIG_IGN);   /* as our main() does */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(without_systemd_nothing_ends_it, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(the_cgroup_decides, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(files_are_read_as_logind_does, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(logind_itself_knows_better, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_scope_helps_those_who_linger, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(roots_scope_is_the_systems, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_worker_is_started_in_a_scope, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(what_systemd_run_refuses_is_an_error, make_folder, remove_folder),
    };
    return cmocka_run_group_tests_name("linger", tests, NULL, NULL);
}
