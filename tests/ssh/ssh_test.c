/*
 * An operator's SSH connection breaks in the middle of `up`: over a real sshd on loopback, with a shell in a terminal, the wizard or
 * the plain command in it. The connection ends in two ways: sshd's process of the session is killed, and the network is silent (a
 * proxy between the two is stopped) until sshd gives the client up. Each time the screen's process has to be gone at once, to burn
 * nothing, to leave no session on the server; the worker has to go on; and the next login has to see the run from its beginning.
 *
 * `up` is held by reading the table `routes` in an open transaction, as in tests/db/worker_test.c.
 */
#include "tests/db/harness.h"
#include "tests/ssh/sshd.h"
#include "tests/tui/session.h"

#include <limits.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WAITING "\"event\":\"wait\""
#define PROMPT "operator> "
#define GONE_MS 1000
#define STALL_MS 1500
#define SCREEN_SESSIONS \
    "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'kong-upgrade %' AND application_name NOT LIKE 'kong-upgrade worker%'" \
    " AND datname = current_database()"

/* AddressSanitizer looks through the whole memory before a process may end. */
#ifdef __SANITIZE_ADDRESS__
#define SLOW 3
#else
#define SLOW 1
#endif

static char *left_path;   /* the screen's exit code is written there by the shell that ran it */

/* What is run at login: a shell like an operator's, in which `run DATABASE ARGS…` is the program, and its exit code outlives the
 * terminal. */
static void write_scripts(void)
{
    const char *asan = getenv("ASAN_OPTIONS"), *path = getenv("PATH");
    left_path = text_printf("%s/left", harness.folder);
    text_save(text_printf("%s/login", harness.folder),
        text_printf("export HOME='%s' XDG_STATE_HOME='%s' XDG_CONFIG_HOME='%s/config' PATH='%s:%s' LC_ALL=C.UTF-8 PS1='" PROMPT "'\n"
                    "export ASAN_OPTIONS='%s:log_path=%s/sanitizer' UBSAN_OPTIONS='log_path=%s/sanitizer'\n"
                    "unset ENV\ncd\nexec sh -i\n", harness.folder, harness.state, harness.folder, harness.folder,
                    path != NULL ? path : "/usr/bin:/bin", asan != NULL ? asan : "", harness.folder, harness.folder));
    text_save(text_printf("%s/run", harness.folder),
        text_printf("#!/bin/sh\ntrap : HUP\ndatabase=$1\nshift\nKONG_PG_DATABASE=$database '%s' -c '%s' \"$@\"\ncode=$?\n"
                    "echo $code >'%s.new'\nmv '%s.new' '%s'\n", harness.binary, harness.conf, left_path, left_path, left_path));
    chmod(text_printf("%s/run", harness.folder), 0755);
}

static int set_up(void **state)
{
    if (harness_setup(state) != 0)
        return -1;
    db_create("base", NULL);
    struct result result = kong("base", "bootstrap --to 1.2");
    expect_exit(&result, 0);
    db_run("base", "INSERT INTO services (id, name, host, protocol, port) VALUES (md5('s')::uuid, 's', 'h', 'http', 80)");
    write_scripts();
    sshd_start();
    return 0;
}

static int tear_down(void **state)
{
    session_tear_down(state);
    sshd_stop();
    return harness_teardown(state);
}

static int hang_up(void **state)
{
    session_tear_down(state);
    sshd_proxy_stop();
    return 0;
}

/* Logs in through that port. */
static void log_in(int port)
{
    const char *const environment[] = {NULL};
    session_start(120, 40, sshd_login(port, text_printf("exec sh '%s/login'", harness.folder)), environment);
    session_see(PROMPT);
}

static void log_out(void)
{
    session_press("exit\r");
    assert_int_equal(session_ended(true, NULL), 0);
    session_tear_down(NULL);
}

static void type(const char *line)
{
    unlink(left_path);
    session_press(line);
    session_press("\r");
}

static int exit_code_within(int64_t milliseconds)
{
    int64_t until = session_now_ms() + milliseconds;
    char *text;
    while ((text = text_file(left_path)) == NULL && session_now_ms() < until)
        pause_ms(5);
    return text != NULL ? atoi(text) : -1;
}

/* One run that is cut off. */

struct cut {
    const char *database;
    bool wizard, silent;
    PGconn *holder;
    char *journal;
    pid_t worker, screen;
};

static void start_up(struct cut *cut)
{
    db_create(cut->database, "base");
    cut->holder = db_connect("kong", cut->database);
    PQclear(PQexec(cut->holder, "BEGIN"));
    PQclear(PQexec(cut->holder, "SELECT 1 FROM routes LIMIT 1"));
    type(text_printf("run %s%s", cut->database, cut->wizard ? "" : " up -y"));
    if (cut->wizard) {
        session_see("Five steps lead to 1.3");
        session_press("1");
        session_see("Press s to start");
        session_press("s");
        session_see("Migrate up?");
        session_press("\t\t\r");   /* "I have another: start" */
    }
    cut->journal = await_journal(cut->database, WAITING);
    session_see(cut->wizard ? "Waits for backend" : "add column upstreams.algorithm");
    cut->worker = journal_pid(cut->journal);
    cut->screen = process_find(harness.binary, harness.conf);
    assert_true(cut->screen > 0);
}

/* Returns when the terminal has just gone. While the network is silent nobody knows it yet: that must cost nothing. */
static void cut_off(const struct cut *cut)
{
    pid_t server = sshd_session_of(cut->screen);
    assert_true(server > 0);
    if (!cut->silent) {
        assert_int_equal(kill(server, SIGKILL), 0);
        return;
    }
    sshd_proxy_silence();
    double before = process_seconds(cut->screen);
    int64_t begun = session_now_ms();
    while (session_now_ms() - begun < STALL_MS && process_alive(cut->screen))
        pause_ms(20);
    assert_true(process_seconds(cut->screen) - before < STALL_MS / 1000.0 / 2);
    for (int64_t until = session_now_ms() + 20000; process_alive(server) && session_now_ms() < until;)
        pause_ms(5);
    assert_false(process_alive(server));
}

static void expect_gone(const struct cut *cut)
{
    int64_t begun = session_now_ms();
    int exit_code = exit_code_within(GONE_MS * SLOW);
    print_message("[  NOTE    ] %s, %s: gone after %d ms\n", cut->wizard ? "the wizard" : "`up`",
                  cut->silent ? "silent network" : "sshd killed", (int)(session_now_ms() - begun));
    assert_int_equal(exit_code, 75);
    assert_false(process_alive(cut->screen));
    assert_int_equal(process_find(harness.binary, harness.conf), 0);
    await_true(cut->database, "SELECT (" SCREEN_SESSIONS ") = 0");
    assert_true(process_alive(cut->worker));
    assert_null(strstr(text_file(cut->journal), "\"event\":\"stop\""));
}

/* The wizard opens on the run, and `attach` tells it from the start; with the table free again both see its end. */
static void attach_again(struct cut *cut)
{
    log_in(sshd_port());
    type(text_printf("run %s", cut->database));
    session_see("Waits for backend");
    session_see("done       add column upstreams.algorithm");
    session_press("q");
    assert_int_equal(exit_code_within(20000), 0);
    assert_true(process_alive(cut->worker));
    session_see(PROMPT);
    type(text_printf("clear; run %s attach", cut->database));
    session_see("add column upstreams.algorithm");
    session_see("waiting: backend");
    PQfinish(cut->holder);
    cut->holder = NULL;
    assert_int_equal(exit_code_within(20000), 0);
    session_see("`up` is complete");
    await_gone(cut->worker);
    type(text_printf("clear; run %s", cut->database));
    session_see("`up` is complete");
    session_press("q");
    assert_int_equal(exit_code_within(20000), 0);
    log_out();
}

static void cut_and_come_back(const char *database, bool wizard, bool silent)
{
    struct cut cut = {.database = database, .wizard = wizard, .silent = silent};
    log_in(silent ? sshd_proxy_start() : sshd_port());
    start_up(&cut);
    cut_off(&cut);
    expect_gone(&cut);
    hang_up(NULL);
    attach_again(&cut);
    struct result result = kong(database, "status");
    expect_exit(&result, 4);
    assert_string_equal(db_ask(database, "SELECT count(*) FROM locks"), "0");
}

static void the_wizard_loses_its_sshd(void **state)
{
    (void)state;
    cut_and_come_back("wizardkilled", true, false);
}

static void the_wizard_loses_the_network(void **state)
{
    (void)state;
    cut_and_come_back("wizardsilent", true, true);
}

static void the_command_loses_its_sshd(void **state)
{
    (void)state;
    cut_and_come_back("plainkilled", false, false);
}

static void the_command_loses_the_network(void **state)
{
    (void)state;
    cut_and_come_back("plainsilent", false, true);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(the_wizard_loses_its_sshd, hang_up),
        cmocka_unit_test_teardown(the_wizard_loses_the_network, hang_up),
        cmocka_unit_test_teardown(the_command_loses_its_sshd, hang_up),
        cmocka_unit_test_teardown(the_command_loses_the_network, hang_up),
    };
    static char binary[PATH_MAX];
    if (!harness_arguments(argc, argv) || realpath(harness.binary, binary) == NULL)
        return 64;
    harness.binary = binary;   /* the shell it is run by stands elsewhere */
    if (!sshd_is_there()) {
        printf("1..0 # SKIP no sshd and ssh here (Debian: openssh-server, openssh-client), or this user can't log in by them\n");
        return 77;
    }
    setlocale(LC_ALL, "C.UTF-8");
    return cmocka_run_group_tests_name("ssh", tests, set_up, tear_down);
}
