/*
 * The hooks in the wizard, by keys, on a whole cluster behind HAProxy with clients that send requests all the time: nodes are started,
 * traffic is moved there and back, a node is stopped, and no request is lost; a hook that fails changes nothing; one outlives the
 * wizard; new nodes that fail keep more traffic from being moved to them. Arguments: the binary, sandbox.sh; `verdict` for the last of these,
 * on a cluster of its own.
 */
#include "tests/sandbox/shell.h"
#include "tests/tui/drawn.h"
#include "tests/tui/session.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *binary, *sandbox_sh;
static char folder[64], home[96], state_folder[96], config_folder[96];

#define TAB "\t"
#define ENTER "\r"
#define ESC "\033"
#define TABS(count_) (&(TAB TAB TAB TAB TAB TAB TAB)[7 - (count_)])

/* Which answer of the dialog a share is. */
enum { BACK = 1, TO_5 = 3, TO_25 = 4, TO_100 = 6 };

static void sandbox(const char *what, const char *arguments)
{
    if (shell("sh '%s' %s %s %s </dev/null >'%s/output' 2>&1", sandbox_sh, what, folder, arguments, folder) != 0) {
        shell("cat '%s/output' >&2", folder);
        fail_msg("sandbox %s %s", what, arguments);
    }
}

static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/hooks-test-%d", (int)getpid());
    snprintf(home, sizeof home, "HOME=%s", folder);
    snprintf(state_folder, sizeof state_folder, "XDG_STATE_HOME=%s/state", folder);
    snprintf(config_folder, sizeof config_folder, "XDG_CONFIG_HOME=%s/config", folder);
    mkdir(folder, 0711);
    sandbox("start", "");
    sandbox("run", "up --yes --quiet");
    return shell("sed -i 's/^quiet = 10/quiet = 1/' %s/fleet.ini", folder);
}

static int remove_all(void **state)
{
    session_tear_down(state);
    shell("sh '%s' stop %s >/dev/null 2>&1; rm -rf %s", sandbox_sh, folder, folder);
    return 0;
}

static void start(void)
{
    char conf_path[128], fleet_path[128];
    snprintf(conf_path, sizeof conf_path, "%s/kong.conf", folder);
    snprintf(fleet_path, sizeof fleet_path, "%s/fleet.ini", folder);
    const char *const arguments[] = {binary, "--conf", conf_path, "--fleet", fleet_path, NULL};
    const char *const environment[] = {home, state_folder, config_folder, "KONG_PG_PASSWORD=kong", NULL};
    session_start(80, 24, arguments, environment);
}

/* What the hook does that fleet.ini names: moved away and replaced in one step, as it may run. */
static void replace_hook(const char *name, const char *script)
{
    char path[160], new_path[170];
    snprintf(path, sizeof path, "%s/hooks/%s", folder, name);
    snprintf(new_path, sizeof new_path, "%s.new", path);
    FILE *file = fopen(new_path, "w");
    assert_non_null(file);
    fprintf(file, "#!/bin/sh\n%s\n", script);
    fclose(file);
    chmod(new_path, 0755);
    assert_int_equal(rename(new_path, path), 0);
}

/* Opens the dialog, and goes to that answer. */
static void choose(int answer)
{
    session_press("d");
    session_see("How much of the traffic");
    session_press(TABS(answer));
    session_press(ENTER);
}

static void divert(int answer, const char *title)
{
    char outcome[64];
    snprintf(outcome, sizeof outcome, "%s went well", title);
    choose(answer);
    session_see(outcome);
    session_escape();
}

/* Requests a second of "old cluster" or "new cluster", as the screen shows them; -1: it does not. */
static double rate_of(const char *cluster)
{
    const char *text = strstr(session_text(), cluster);
    double rate;
    return text != NULL && sscanf(text + strlen(cluster), "%lf req/s", &rate) == 1 ? rate : -1;
}

/* Waits until it is none, or some; returns how long that took, in milliseconds. */
static long long see_rate(const char *cluster, bool some)
{
    int64_t begun = session_now_ms();
    while (rate_of(cluster) < 0 || (rate_of(cluster) > 0) != some) {
        if (session_now_ms() - begun > 30000)
            fail_msg("the rate of the %s is %f", cluster, rate_of(cluster));
        session_listen(50);
    }
    return session_now_ms() - begun;
}

/* What the clients have got. */
static long long clients(const char *name)
{
    char path[128], key[32];
    long long value = -1, found = -1;
    snprintf(path, sizeof path, "%s/load", folder);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    while (fscanf(file, "%31s %lld", key, &value) == 2)
        found = strcmp(key, name) == 0 ? value : found;
    fclose(file);
    return found;
}

static void hooks_move_a_cluster_by_keys(void **state)
{
    (void)state;
    start();
    session_see("0 of 3 new nodes are ready. Press p to start them");
    session_press("p");
    session_see("Start the new nodes?");
    session_press(ENTER);                      /* the safe answer has the focus */
    session_listen(500);
    assert_int_equal(shell("ls %s/state/kong-upgrade/*/*.hook >/dev/null 2>&1", folder), 2);
    session_press("p");
    session_see("Start the new nodes?");
    session_press(TAB ENTER);
    session_see("provision went well");
    session_escape();
    session_see("All 3 new nodes are ready");

    session_press("3");
    see_rate("new cluster", false);
    divert(TO_100, "divert to 100 %");
    long long begun = see_rate("new cluster", true), moved = begun + see_rate("old cluster", false);
    print_message("after the hook, traffic was seen to move within %lld ms, and to have moved within %lld ms\n", begun, moved);
    session_see(" 100 %");
    divert(BACK, "divert to 0 %");             /* at once, and without another question */
    see_rate("new cluster", false);
    divert(TO_5, "divert to 5 %");
    session_see("Moved to 5 %");

    choose(TO_25);                             /* too early: it is asked again */
    session_see("Move traffic now?");
    session_see("only");
    session_press(ENTER);
    session_listen(300);
    session_see("Moved to 5 %");
    choose(TO_25);
    session_see("Move traffic now?");
    session_press(TAB ENTER);
    session_see("divert to 25 % went well");
    session_escape();
    choose(TO_100);
    session_see("Move traffic now?");
    session_press(TAB ENTER);
    session_see("divert to 100 % went well");
    session_escape();
    session_see("The new cluster serves everything");

    session_press("4");
    session_see("3 of 3 old nodes still answer. Press d");
    session_press("d");
    session_see("Stop this old node?");
    session_press("old-2" ENTER);
    session_see("not the same yet");
    session_press("\025old-1" ENTER);          /* ^U */
    session_see("decommission old-1 went well");
    session_escape();
    session_see("2 of 3 old nodes still answer");
    session_quit();

    assert_true(clients("requests") > 500);
    assert_int_equal(clients("failed"), 0);
    assert_int_equal(shell("%s %s %s '%s' --conf %s/kong.conf report 2>/dev/null | grep -q 'divert to 25 %% went well'", home, state_folder, config_folder,
                           binary, folder), 0);
}

static void a_hook_that_fails_changes_nothing(void **state)
{
    (void)state;
    replace_hook("divert", "printf 'the balancer is \\033[2Jaway\\n'; exit 3");
    start();
    session_see("2 of 3 old nodes still answer");
    session_press("3");
    choose(BACK);
    session_see("divert to 0 % failed: exit code 3");
    session_see("the balancer is  [2Jaway");
    session_escape();
    session_see("Nothing else was changed");
    session_see("The new cluster serves everything");
    session_press("h");
    session_see("exit code 3");
    session_escape();
    replace_hook("divert", "echo moving; exec sleep 60");
    choose(BACK);
    session_see("moving");
    session_press("x");
    session_see("was stopped");
    session_escape();
    session_press("d");                        /* the last one that went well is what counts */
    session_see("the new cluster 100 %");
    session_escape();
    session_quit();
}

static bool appears(const char *name)
{
    for (int tries = 0; tries < 400; tries++, usleep(50000))
        if (shell("[ -e %s/%s ]", folder, name) == 0)
            return true;
    return false;
}

static void a_hook_outlives_the_wizard(void **state)
{
    (void)state;
    replace_hook("divert", "for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do echo \"still $n\"; sleep 0.1; done; touch \"${0%/*}/../left\"");
    start();
    session_see("2 of 3 old nodes still answer");
    session_press("3");
    choose(TO_100);
    session_see("still 2");
    session_escape();
    session_press("q");
    session_see("Leave while a hook runs?");
    session_press(ENTER);
    session_listen(200);
    session_press("q");
    session_see("Leave while a hook runs?");
    session_press(TAB ENTER);
    assert_int_equal(session_ended(true, NULL), 0);
    session_tear_down(NULL);
    assert_true(appears("left"));

    replace_hook("divert", "for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do echo \"still $n\"; sleep 0.1; done; touch \"${0%/*}/../lost\"");
    start();
    session_see("2 of 3 old nodes still answer");
    session_press("3h");
    session_see("divert to 100 % went well");
    session_see("still 15");
    session_escape();
    choose(TO_100);
    session_see("still 1");
    close(session.slave);
    session.slave = -1;
    close(session.master);
    session.master = -1;
    assert_int_equal(session_ended(false, NULL), 75);
    session_tear_down(NULL);
    assert_true(appears("lost"));
    start();
    session_see("2 of 3 old nodes still answer");
    session_press("h");
    session_see("still 15");
    session_escape();
    session_quit();
}

/* What hooks have left behind: one file a run. */
static int count_runs(void)
{
    char command[200];
    int count = -1;
    snprintf(command, sizeof command, "ls %s/state/kong-upgrade/*/*.hook | wc -l", folder);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    assert_int_equal(fscanf(pipe, "%d", &count), 1);
    pclose(pipe);
    return count;
}

/* A quarter of the traffic goes to new nodes that begin to fail: no more is moved without another question; back it goes at once. */
static void a_rising_error_rate_stops_it(void **state)
{
    (void)state;
    sandbox("new", "");
    start();
    session_press("3");
    session_see("Only the old cluster serves");
    divert(TO_25, "divert to 25 %");
    session_see("Moved to 25 %");
    sandbox("fail", "30");
    session_see("The new cluster answers");
    session_see("Don't move more traffic to it");
    int before = count_runs();
    choose(TO_100);
    session_see("Move traffic now?");
    session_see("with 5xx");
    session_press(ENTER);                      /* the safe answer has the focus */
    session_listen(500);
    assert_int_equal(count_runs(), before);
    divert(BACK, "divert to 0 %");
    assert_int_equal(count_runs(), before + 1);
    session_listen(1500);                      /* what was under way has ended, and has been written down */
    long long failed = clients("failed"), requests = clients("requests");
    assert_true(failed > 0);
    session_listen(2000);
    assert_int_equal(clients("failed"), failed);
    assert_true(clients("requests") > requests);
    session_quit();
}

int main(int count, char **arguments)
{
    if (count < 3) {
        fprintf(stderr, "usage: %s KONG_UPGRADE SANDBOX_SH\n", arguments[0]);
        return 64;
    }
    binary = arguments[1];
    sandbox_sh = arguments[2];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(hooks_move_a_cluster_by_keys, session_tear_down),
        cmocka_unit_test_teardown(a_hook_that_fails_changes_nothing, session_tear_down),
        cmocka_unit_test_teardown(a_hook_outlives_the_wizard, session_tear_down),
    };
    const struct CMUnitTest verdict_tests[] = {cmocka_unit_test_teardown(a_rising_error_rate_stops_it, session_tear_down)};
    setlocale(LC_ALL, "C.UTF-8");
    if (count > 3 && strcmp(arguments[3], "verdict") == 0)
        return cmocka_run_group_tests_name("verdict", verdict_tests, set_up, remove_all);
    return cmocka_run_group_tests_name("hooks", tests, set_up, remove_all);
}
