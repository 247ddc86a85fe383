/* The operator's hand on a session: whom it reaches, and whom it leaves alone. */
#include "tests/db/harness.h"

#include "core/db/blocker.h"
#include "core/db/pg.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char host[] = "127.0.0.1", database[] = "blockers", user[] = "kong", password[] = HARNESS_PASSWORD;
static struct pg *pg;

static struct datastore store(void)
{
    return (struct datastore){.host = host, .port = harness.port, .database = database, .user = user, .password = password, .timeout_ms = 5000};
}

static int setup(void **state)
{
    struct error error = {0};
    if (harness_setup(state) != 0)
        return -1;
    db_create(database, NULL);
    db_run(database, "CREATE TABLE t (id int); INSERT INTO t VALUES (1)");
    struct datastore ours = store();
    pg = pg_connect(&ours, "wizard", 5000, &error);
    assert_non_null(pg);
    return 0;
}

static int teardown(void **state)
{
    pg_close(pg);
    return harness_teardown(state);
}

typedef bool blocker_function(struct pg *pg, int pid, struct error *error);

static void expect_refused(blocker_function *function, int pid, const char *part)
{
    struct error error = {0};
    assert_false(function(pg, pid, &error));
    assert_int_equal(error.code, ERROR_REFUSED);
    expect_part(error.message, part);
    error_clear(&error);
}

static void expect_alive(PGconn *connection)
{
    PGresult *result = PQexec(connection, "SELECT 1");
    assert_int_equal(PQresultStatus(result), PGRES_TUPLES_OK);
    PQclear(result);
}

static void expect_ended(PGconn *connection, const char *sqlstate)
{
    PGresult *result = PQgetResult(connection);
    assert_int_equal(PQresultStatus(result), PGRES_FATAL_ERROR);
    assert_string_equal(PQresultErrorField(result, PG_DIAG_SQLSTATE), sqlstate);
    PQclear(result);
    while ((result = PQgetResult(connection)) != NULL)
        PQclear(result);
}

static void await_busy(PGconn *connection)
{
    await_true(database, text_printf("SELECT count(*) = 1 FROM pg_stat_activity WHERE pid = %d AND state = 'active' AND query LIKE '%%pg_sleep%%'",
                                     PQbackendPID(connection)));
}

static void test_a_query_is_cancelled(void **state)
{
    (void)state;
    struct error error = {0};
    PGconn *other = db_connect("kong", database);
    assert_int_equal(PQsendQuery(other, "SELECT pg_sleep(60)"), 1);
    await_busy(other);
    assert_true(blocker_cancel(pg, PQbackendPID(other), &error));
    expect_ended(other, "57014");
    expect_alive(other);
    PQfinish(other);
}

/* To cancel is of no use there, and would be said to have worked. */
static void test_an_idle_session_is_ended(void **state)
{
    (void)state;
    struct error error = {0};
    PGconn *other = db_connect("kong", database);
    PQclear(PQexec(other, "BEGIN; UPDATE t SET id = 2"));
    expect_refused(blocker_cancel, PQbackendPID(other), "runs no query now");
    assert_true(blocker_terminate(pg, PQbackendPID(other), &error));
    PQclear(PQexec(other, "SELECT 1"));
    assert_int_equal(PQstatus(other), CONNECTION_BAD);
    await_true(database, "SELECT count(*) = 0 FROM pg_locks WHERE relation = 't'::regclass");
    assert_string_equal(db_ask(database, "SELECT id FROM t"), "1");
    expect_refused(blocker_terminate, PQbackendPID(other), "is gone already");
    expect_refused(blocker_cancel, PQbackendPID(other), "is gone already");
    PQfinish(other);
}

static void test_who_is_left_alone(void **state)
{
    (void)state;
    static const char *const names[] = {"kong-upgrade worker", "kong-upgrade worker locks", "kong-upgrade wizard"};
    PGconn *elsewhere = db_connect("kong", "postgres");
    expect_refused(blocker_terminate, PQbackendPID(elsewhere), "not a client's session on this database");
    expect_alive(elsewhere);
    PQfinish(elsewhere);
    int checkpointer = atoi(db_ask(database, "SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'"));
    expect_refused(blocker_terminate, checkpointer, "not a client's session on this database");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        PGconn *worker = db_connect("kong", database);
        PQclear(PQexec(worker, text_printf("SET application_name = '%s'", names[i])));
        expect_refused(blocker_terminate, PQbackendPID(worker), "is kong-upgrade's own");
        expect_refused(blocker_cancel, PQbackendPID(worker), "is kong-upgrade's own");
        expect_alive(worker);
        PQfinish(worker);
    }
    expect_refused(blocker_terminate, pg_backend_pid(pg), "is kong-upgrade's own");
    static const int nobody[] = {0, -1, 2147483647};
    for (size_t i = 0; i < sizeof nobody / sizeof nobody[0]; i++)
        expect_refused(blocker_terminate, nobody[i], "is gone already");
}

static void test_the_right_is_missing(void **state)
{
    (void)state;
    struct error error = {0};
    db_ask(database, "CREATE ROLE reporting LOGIN");
    PGconn *theirs = db_connect("reporting", database), *super = db_connect("postgres", database);
    expect_refused(blocker_terminate, PQbackendPID(theirs), "may not touch sessions of the role reporting");
    expect_refused(blocker_terminate, PQbackendPID(theirs), text_printf("SELECT pg_terminate_backend(%d)", PQbackendPID(theirs)));
    expect_refused(blocker_terminate, PQbackendPID(super), "of the role postgres");
    expect_alive(theirs);
    db_ask(database, "GRANT pg_signal_backend TO kong");
    expect_refused(blocker_terminate, PQbackendPID(super), "of the role postgres");
    expect_alive(super);
    assert_true(blocker_terminate(pg, PQbackendPID(theirs), &error));
    PQfinish(theirs);
    PQfinish(super);
}

/* Our own connection may be lost at that moment. */
static void test_the_connection_is_lost(void **state)
{
    (void)state;
    struct error error = {0};
    struct datastore ours = store();
    struct pg *lost = pg_connect(&ours, "wizard", 5000, &error);
    assert_non_null(lost);
    db_ask(database, text_printf("SELECT pg_terminate_backend(%d, 5000)", pg_backend_pid(lost)));
    assert_false(blocker_terminate(lost, 1, &error));
    assert_int_equal(error.code, ERROR_CONNECT);
    error_clear(&error);
    pg_close(lost);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_query_is_cancelled),
        cmocka_unit_test(test_an_idle_session_is_ended),
        cmocka_unit_test(test_who_is_left_alone),
        cmocka_unit_test(test_the_right_is_missing),
        cmocka_unit_test(test_the_connection_is_lost),
    };
    return harness_arguments(argc, argv) ? cmocka_run_group_tests(tests, setup, teardown) : 64;
}
