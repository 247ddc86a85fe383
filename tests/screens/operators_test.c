/*
 * Two operators on one database: the second has another state folder, as another account or another machine would. It has to be told
 * who is at work, may watch, and may not start.
 *
 * The first one's `up` is held by reading `routes` and `services` in open transactions: three of its eight changes are made then.
 */
#include "tests/db/harness.h"
#include "tests/tui/session.h"

#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WAITING "\"event\":\"wait\""

static char *other_state;   /* the second operator's XDG_STATE_HOME */

static int set_up(void **state)
{
    if (harness_setup(state) != 0)
        return -1;
    other_state = text_printf("XDG_STATE_HOME=%s/other", harness.folder);
    db_create("base", NULL);
    struct result result = kong("base", "bootstrap --to 1.2");
    expect_exit(&result, 0);
    db_run("base", "INSERT INTO services (id, name, host, protocol, port) VALUES (md5('s')::uuid, 's', 'h', 'http', 80)");
    return 0;
}

struct first {
    const char *database;
    PGconn *routes, *services;
    struct process up;
    char *who;
};

static PGconn *hold(const char *database, const char *table)
{
    PGconn *holder = db_connect("kong", database);
    PQclear(PQexec(holder, "BEGIN"));
    PQclear(PQexec(holder, text_printf("SELECT 1 FROM %s LIMIT 1", table)));
    assert_int_equal(PQtransactionStatus(holder), PQTRANS_INTRANS);
    return holder;
}

static struct first start_first(const char *database)
{
    char host[256] = "";
    gethostname(host, sizeof host - 1);
    struct first first = {.database = database};
    db_create(database, "base");
    first.routes = hold(database, "routes");
    first.services = hold(database, "services");
    first.up = kong_start(database, "up");
    await_journal(database, WAITING);
    first.who = text_printf("@%s (127.0.0.1) has been running `up` since ", host);
    return first;
}

static void let_go(PGconn **holder)
{
    PQfinish(*holder);
    *holder = NULL;
}

static void end_first(struct first *first)
{
    if (first->routes != NULL)
        let_go(&first->routes);
    let_go(&first->services);
    struct result result = kong_wait(&first->up);
    expect_exit(&result, 0);
}

static struct result second(const struct first *first, const char *line)
{
    return kong(first->database, text_printf("%s %s", other_state, line));
}

static void the_commands_tell_who_is_at_work(void **state)
{
    (void)state;
    struct first first = start_first("plainly");
    struct result result = second(&first, "status");
    expect_exit(&result, 5);
    expect_part(result.out, first.who);
    expect_part(result.out, " UTC\n");
    expect_part(result.out, "Lock       held by kong-upgrade ");
    result = second(&first, "status --json");
    expect_exit(&result, 5);
    expect_part(result.out, "\"worker_alive\": true");
    expect_part(result.out, "\"address\": \"127.0.0.1\"");
    expect_part(result.out, text_printf("\"since\": \"%s", db_ask(first.database,
        "SELECT to_char(min(backend_start) AT TIME ZONE 'UTC', 'YYYY-MM-DD') FROM pg_stat_activity WHERE application_name LIKE 'kong-upgrade worker%'")));
    expect_part(result.out, "\"worker\": null");
    result = second(&first, "up --yes");
    expect_exit(&result, 9);
    expect_part(result.err, first.who);
    expect_part(result.err, "nothing was begun");
    assert_int_equal(access(text_printf("%s/other/kong-upgrade", harness.folder), F_OK), -1);
    result = second(&first, "attach");
    expect_exit(&result, 3);
    end_first(&first);
    result = second(&first, "status");
    expect_exit(&result, 4);
    assert_null(strstr(result.out, "has been running"));
}

static void start_wizard(const char *database)
{
    const char *const arguments[] = {harness.binary, "-c", harness.conf, NULL};
    const char *const environment[] = {text_printf("HOME=%s", harness.folder), other_state, text_printf("XDG_CONFIG_HOME=%s/config", harness.folder),
                                       text_printf("KONG_PG_DATABASE=%s", database), NULL};
    session_start(80, 24, arguments, environment);
}

/* While the question stands, someone starts an old node. 0.14 gives no application_name. */
static void a_question_that_stood_long_asks_anew(void **state)
{
    (void)state;
    const char *const arguments[] = {harness.binary, "-c", harness.conf, "finish", NULL};
    const char *const environment[] = {text_printf("HOME=%s", harness.folder), other_state, "KONG_PG_DATABASE=up", NULL};
    db_create("up", "base");
    struct result result = kong("up", "up --yes");
    expect_exit(&result, 0);
    char *meta = db_meta("up");
    session_start(100, 40, arguments, environment);
    session_see("Type the database's name");
    PGconn *legacy = db_connect("kong", "up");
    PQclear(PQexec(legacy, "SET application_name = ''"));
    PQclear(PQexec(legacy, "SELECT id, node_id FROM cluster_events WHERE channel IN ('invalidations')"));
    session_press("up\r");
    session_see("At least 1 Kong 0.14 node still works");
    assert_int_equal(session_ended(true, NULL), 7);
    PQfinish(legacy);
    assert_string_equal(db_meta("up"), meta);
}

static void the_wizard_watches(void **state)
{
    (void)state;
    struct first first = start_first("watched");
    start_wizard(first.database);
    session_see(first.who);
    session_see("you can watch, not");
    session_see("3 of 8 changes");
    session_see("is there   create table ca_certificates");
    session_press("s");
    session_listen(500);
    assert_null(strstr(session_text(), "Migrate up?"));
    let_go(&first.routes);
    session_see("4 of 8 changes");
    session_see("is there   add column routes.headers");
    end_first(&first);
    session_see("Done: the database is migrated up");
    session_listen(300);
    assert_null(strstr(session_text(), "has been running"));
    session_press("q");
    assert_int_equal(session_ended(true, NULL), 0);
}

/* A worker of one's own is followed as ever. */
static void ones_own_is_not_watched(void **state)
{
    (void)state;
    other_state = text_printf("XDG_STATE_HOME=%s", harness.state);
    struct first first = start_first("own");
    start_wizard(first.database);
    session_see("Waits for backend");
    assert_null(strstr(session_text(), "you can watch"));
    struct result result = kong(first.database, "status");
    expect_part(result.out, "Worker     up runs");
    end_first(&first);
    for (int64_t until = session_now_ms() + 20000; strstr(session_text(), "`up` is complete") == NULL && session_now_ms() < until; session_listen(20))
        assert_null(strstr(session_text(), "you can watch"));
    session_see("`up` is complete");
    session_press("q");
    assert_int_equal(session_ended(true, NULL), 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_commands_tell_who_is_at_work),
        cmocka_unit_test_teardown(a_question_that_stood_long_asks_anew, session_tear_down),
        cmocka_unit_test_teardown(the_wizard_watches, session_tear_down),
        cmocka_unit_test_teardown(ones_own_is_not_watched, session_tear_down),
    };
    setlocale(LC_ALL, "C.UTF-8");
    return harness_arguments(argc, argv) ? cmocka_run_group_tests_name("operators", tests, set_up, harness_teardown) : 64;
}
