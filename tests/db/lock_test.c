/*
 * Kong's lock: taken, renewed, lost, found expired or left behind; and, since it is renewed every 20 s only, two runs that are held
 * up side by side for that long.
 */
#include "core/db/lock.h"
#include "core/db/pg.h"
#include "tests/db/harness.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int setup(void **state)
{
    if (harness_setup(state) != 0)
        return -1;
    db_create("base", NULL);
    struct result result = kong("base", "bootstrap --to 1.2");
    expect_exit(&result, 0);
    db_create("empty", NULL);
    return 0;
}

static struct pg *connect_to(const char *database)
{
    struct error error = {0};
    struct datastore datastore = {.host = "127.0.0.1", .port = harness.port, .database = (char *)(uintptr_t)database, .user = "kong",
                                  .password = HARNESS_PASSWORD, .timeout_ms = 5000};
    struct pg *pg = pg_connect(&datastore, "test", 0, &error);
    if (pg == NULL)
        fail_msg("%s", error.message);
    return pg;
}

static void expect_error(struct error *error, enum error_code code, const char *part)
{
    assert_int_equal(error->code, code);
    expect_part(error->message, part);
    error_clear(error);
}

static void test_taken_renewed_released(void **state)
{
    (void)state;
    struct pg *pg = connect_to("base");
    struct error error = {0};
    struct lock_info info;
    char *owner = lock_new_owner(), *other = lock_new_owner();
    assert_int_equal(strncmp(owner, LOCK_OWNER_PREFIX, strlen(LOCK_OWNER_PREFIX)), 0);
    assert_string_not_equal(owner, other);
    assert_true(lock_read(pg, &info, &error));
    assert_false(info.held);
    assert_true(lock_acquire(pg, owner, &error));
    assert_true(lock_read(pg, &info, &error));
    assert_true(info.held);
    assert_string_equal(info.owner, owner);
    assert_in_range(info.seconds_left, LOCK_SECONDS - 5, LOCK_SECONDS);
    lock_info_free(&info);
    assert_false(lock_acquire(pg, other, &error));
    expect_error(&error, ERROR_HELD, owner);
    assert_false(lock_renew(pg, other, &error));
    expect_error(&error, ERROR_HELD, "no longer ours");
    db_run("base", "UPDATE locks SET ttl = now() + interval '5 s'");
    assert_true(lock_renew(pg, owner, &error));
    assert_true(lock_read(pg, &info, &error));
    assert_in_range(info.seconds_left, LOCK_SECONDS - 5, LOCK_SECONDS);
    lock_info_free(&info);
    assert_true(lock_release(pg, other, &error));
    assert_string_equal(db_ask("base", "SELECT count(*) FROM locks"), "1");
    assert_true(lock_release(pg, owner, &error));
    assert_string_equal(db_ask("base", "SELECT count(*) FROM locks"), "0");
    assert_false(lock_renew(pg, owner, &error));
    expect_error(&error, ERROR_HELD, "no longer ours");
    free(owner);
    free(other);
    pg_close(pg);
}

/* Other keys of Kong's table are none of our business. */
static void test_expired_and_other_rows(void **state)
{
    (void)state;
    struct pg *pg = connect_to("base");
    struct error error = {0};
    struct lock_info info;
    char *owner = lock_new_owner();
    db_run("base", "INSERT INTO locks VALUES ('migrations', 'gone', now() - interval '1 s'), ('cluster_ca', 'other', now() + interval '1 min')");
    assert_true(lock_read(pg, &info, &error));
    assert_false(info.held);
    assert_true(lock_acquire(pg, owner, &error));
    assert_true(lock_release(pg, owner, &error));
    assert_string_equal(db_ask("base", "SELECT key FROM locks"), "cluster_ca");
    db_run("base", "DELETE FROM locks");
    free(owner);
    pg_close(pg);
}

static void test_a_dead_workers_row(void **state)
{
    (void)state;
    struct pg *dead = connect_to("base"), *next = connect_to("base");
    struct error error = {0};
    struct lock_info info;
    char *owner = lock_new_owner(), *mine = lock_new_owner();
    assert_true(lock_take_session(dead, &error));
    assert_true(lock_acquire(dead, owner, &error));
    assert_true(lock_read(next, &info, &error));
    assert_true(info.worker_alive);
    lock_info_free(&info);
    assert_false(lock_take_session(next, &error));
    expect_error(&error, ERROR_HELD, "a kong-upgrade worker runs already");
    pg_close(dead);
    await_true("base", "SELECT count(*) = 0 FROM pg_locks WHERE locktype = 'advisory'");
    assert_true(lock_take_session(next, &error));
    assert_true(lock_read(next, &info, &error));
    assert_true(info.held);
    assert_false(info.worker_alive);
    lock_info_free(&info);
    assert_false(lock_acquire(next, mine, &error));
    expect_error(&error, ERROR_HELD, "no longer runs");
    db_run("base", "DELETE FROM locks");
    free(owner);
    free(mine);
    pg_close(next);
}

static void test_no_table_yet(void **state)
{
    (void)state;
    struct pg *pg = connect_to("empty");
    struct error error = {0};
    struct lock_info info;
    assert_true(lock_read(pg, &info, &error));
    assert_false(info.held);
    assert_true(lock_take_session(pg, &error));
    pg_close(pg);
}

/* One lock a schema: two of Kong's may be in one database. */
static void test_schemas_are_apart(void **state)
{
    (void)state;
    struct pg *pg = connect_to("empty");
    struct error error = {0};
    await_true("empty", "SELECT count(*) = 0 FROM pg_locks WHERE locktype = 'advisory'");   /* the session before has ended */
    assert_true(lock_take_session(pg, &error));
    struct result result = kong("empty", "bootstrap");
    expect_exit(&result, 9);
    expect_part(result.err, "a kong-upgrade worker runs already");
    result = kong("empty", "KONG_PG_SCHEMA=second bootstrap");
    expect_exit(&result, 0);
    pg_close(pg);
}

static void test_long_runs(void **state)
{
    (void)state;
    static const char *const names[] = {"renewed", "robbed"};
    PGconn *holders[2];
    struct process followers[2];
    for (int i = 0; i < 2; i++) {
        db_create(names[i], "base");
        holders[i] = db_connect("kong", names[i]);
        PQclear(PQexec(holders[i], "BEGIN; SELECT 1 FROM routes"));
        followers[i] = kong_start(names[i], "up");
        await_journal(names[i], "\"event\":\"wait\"");
    }
    db_run("renewed", "UPDATE locks SET ttl = now() + interval '30 s'");
    db_run("robbed", "UPDATE locks SET owner = 'someone else', ttl = now() + interval '5 min'");
    struct result robbed = kong_wait(&followers[1]);
    expect_exit(&robbed, 9);
    expect_part(robbed.err, "could not be kept");
    assert_string_equal(db_ask("robbed", "SELECT owner FROM locks"), "someone else");
    await_true("renewed", "SELECT ttl > now() + interval '31 s' FROM locks");
    PQfinish(holders[0]);
    PQfinish(holders[1]);
    struct result renewed = kong_wait(&followers[0]);
    expect_exit(&renewed, 0);
    db_run("robbed", "DELETE FROM locks");
    robbed = kong("robbed", "up");
    expect_exit(&robbed, 0);
    assert_string_equal(db_catalog("renewed"), db_catalog("robbed"));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_taken_renewed_released),
        cmocka_unit_test(test_expired_and_other_rows),
        cmocka_unit_test(test_a_dead_workers_row),
        cmocka_unit_test(test_no_table_yet),
        cmocka_unit_test(test_schemas_are_apart),
        cmocka_unit_test(test_long_runs),
    };
    return harness_arguments(argc, argv) ? cmocka_run_group_tests(tests, setup, harness_teardown) : 64;
}
