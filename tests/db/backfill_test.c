/*
 * Rows in need, filled and deleted in batches beside nodes that work on the same rows: a row that is locked, rows that come meanwhile,
 * rows that can't be filled; stopped and killed half-way.
 */
#include "tests/db/harness.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS 5000
#define MIDDLE "'80000000-0000-4000-8000-000000000000'"

static char *catalog_after, *rows_after;

static const char fill[] =
    "INSERT INTO upstreams (id, name, hash_on, slots, algorithm) SELECT md5('u' || n)::uuid, 'u' || n,"
    " CASE n % 4 WHEN 0 THEN 'none' WHEN 1 THEN 'ip' WHEN 2 THEN '' END, 10, CASE n % 5 WHEN 0 THEN 'least-connections' WHEN 1 THEN '' END"
    " FROM generate_series(1, 5000) n; INSERT INTO upstreams (id, name, hash_on, slots) VALUES (" MIDDLE ", 'middle', 'none', 10)";

static void run_well(const char *database, const char *line)
{
    struct result result = kong(database, line);
    expect_exit(&result, 0);
}

/* A database after `up`, with rows for `finish`. */
static int setup(void **state)
{
    if (harness_setup(state) != 0)
        return -1;
    db_create("base", NULL);
    run_well("base", "bootstrap --to 1.2");
    run_well("base", "up");
    db_run("base", fill);
    db_create("undisturbed", "base");
    run_well("undisturbed", "finish --confirm undisturbed");
    catalog_after = db_catalog("undisturbed");
    rows_after = db_rows("undisturbed");
    return 0;
}

static void expect_as_undisturbed(const char *database)
{
    char *difference = text_difference(rows_after, db_rows(database));
    if (difference[0] != '\0')
        fail_msg("the rows are not those of an undisturbed run:\n%.3000s", difference);
    assert_string_equal(catalog_after, db_catalog(database));
    db_drop(database);
}

static void test_values(void **state)
{
    (void)state;
    assert_string_equal(db_ask("undisturbed", "SELECT string_agg(DISTINCT format('%s %s', coalesce(hash_on, 'NULL'), algorithm), ', ') FROM upstreams"
                                              " WHERE algorithm <> 'least-connections'"),
                        " consistent-hashing, NULL consistent-hashing, ip consistent-hashing, none round-robin");
    assert_int_equal(atoi(db_ask("undisturbed", "SELECT count(*) FROM upstreams WHERE algorithm = 'least-connections'")), ROWS / 5);
    assert_int_equal(atoi(db_ask("undisturbed", "SELECT count(*) FROM upstreams")), ROWS + 1);
    expect_part(text_file(journal_newest("undisturbed")), "\"event\":\"progress\"");
}

/* Someone holds a row in the middle of the key's order; `finish` waits for it with the half before it done. */
static PGconn *hold_row(const char *database)
{
    db_create(database, "base");
    PGconn *holder = db_connect("kong", database);
    PQclear(PQexec(holder, "BEGIN; SELECT 1 FROM upstreams WHERE id = " MIDDLE " FOR UPDATE"));
    assert_int_equal(PQtransactionStatus(holder), PQTRANS_INTRANS);
    return holder;
}

static struct process finish_until_held(const char *database)
{
    struct process follower = kong_start(database, text_printf("finish --confirm %s", database));
    char *journal = text_file(await_journal(database, "\"event\":\"wait\""));
    expect_part(journal, "\"application\":\"test\"");
    await_true(database, "SELECT count(*) > 0 FROM upstreams WHERE algorithm = 'consistent-hashing'");
    return follower;
}

/* What a 1.2 node writes meanwhile has no algorithm, and its key may lie before the batch in hand. */
static void test_a_row_is_locked_and_rows_come(void **state)
{
    (void)state;
    PGconn *holder = hold_row("locked");
    struct process follower = finish_until_held("locked");
    db_run("locked", "INSERT INTO upstreams (id, name, hash_on, slots) VALUES ('00000000-0000-4000-8000-000000000001', 'late', 'none', 10)");
    PQfinish(holder);
    struct result result = kong_wait(&follower);
    expect_exit(&result, 0);
    assert_string_equal(db_ask("locked", "SELECT algorithm FROM upstreams WHERE name = 'late'"), "round-robin");
    db_run("locked", "DELETE FROM upstreams WHERE name = 'late'; DELETE FROM tags WHERE entity_id = '00000000-0000-4000-8000-000000000001'");
    expect_as_undisturbed("locked");
}

static void test_stopped_half_way(void **state)
{
    (void)state;
    PGconn *holder = hold_row("stopped");
    struct process follower = finish_until_held("stopped");
    run_well("stopped", "stop");
    struct result result = kong_wait(&follower);
    expect_exit(&result, 10);
    assert_string_equal(db_ask("stopped", "SELECT count(*) > 0 FROM upstreams WHERE algorithm IS NULL"), "t");
    result = kong("stopped", "status");
    expect_exit(&result, 4);
    PQfinish(holder);
    run_well("stopped", "finish --confirm stopped");
    expect_as_undisturbed("stopped");
}

static void test_killed_half_way(void **state)
{
    (void)state;
    PGconn *holder = hold_row("killed");
    struct process follower = finish_until_held("killed");
    kill(journal_pid(journal_newest("killed")), SIGKILL);
    struct result result = kong_wait(&follower);
    expect_exit(&result, 1);
    PQfinish(holder);
    await_true("killed", "SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = 'killed' AND application_name LIKE 'kong-upgrade worker%'");
    run_well("killed", "-y finish --confirm killed");
    expect_as_undisturbed("killed");
}

/* Plugins as an upgrade to 1.0 leaves them that was not finished. */
static void make_unfinished(const char *database)
{
    db_create(database, NULL);
    run_well(database, "bootstrap --to 1.2");
    db_run(database, "UPDATE schema_meta SET pending = '{001_14_to_15,002_15_to_1}', executed = array_remove(array_remove(executed, '001_14_to_15'), '002_15_to_1')"
                     " WHERE subsystem = 'core'");
    db_run(database, "INSERT INTO services (id, name) VALUES (md5('s')::uuid, 'secret-service');"
                     " INSERT INTO plugins (id, name, config, enabled, service_id) VALUES (md5('1')::uuid, 'key-auth', '{}', true, md5('s')::uuid),"
                     " (md5('2')::uuid, 'galileo', '{}', true, NULL), (md5('3')::uuid, 'galileo', '{}', true, md5('s')::uuid), (md5('4')::uuid, 'cors', '{}', true, NULL)");
}

static void test_rows_are_deleted(void **state)
{
    (void)state;
    make_unfinished("galileo");
    struct result plan = kong("galileo", "plan --finish");
    expect_part(plan.out, "delete galileo plugins from plugins");
    run_well("galileo", "finish --confirm galileo");
    assert_string_equal(db_ask("galileo", "SELECT string_agg(name || ' ' || cache_key, ', ' ORDER BY name) FROM plugins"),
                        db_ask("galileo", "SELECT format('cors plugins:cors::::, key-auth plugins:key-auth::%s::', md5('s')::uuid)"));
    run_well("galileo", "up");
    run_well("galileo", "finish --confirm galileo");
    assert_string_equal(catalog_after, db_catalog("galileo"));
    db_drop("galileo");
}

/* Two rows that would get the same key: said without showing it, nothing recorded, and mended by hand it goes on. */
static void test_rows_that_collide(void **state)
{
    (void)state;
    make_unfinished("colliding");
    db_run("colliding", "INSERT INTO plugins (id, name, config, enabled, service_id) VALUES (md5('5')::uuid, 'key-auth', '{}', true, md5('s')::uuid)");
    char *meta = db_meta("colliding"), *count = db_ask("colliding", "SELECT count(*) FROM plugins");
    struct result result = kong("colliding", "finish --confirm colliding");
    expect_exit(&result, 1);
    expect_part(result.err, "plugins_cache_key_key");
    expect_part(result.err, "duplicate rows");
    char *service = db_ask("colliding", "SELECT md5('s')::uuid");
    assert_null(strstr(result.err, service));
    assert_null(strstr(text_file(journal_newest("colliding")), service));
    assert_string_equal(meta, db_meta("colliding"));
    assert_string_equal(count, db_ask("colliding", "SELECT count(*) FROM plugins"));
    db_run("colliding", "DELETE FROM plugins WHERE id = md5('5')::uuid");
    run_well("colliding", "finish --confirm colliding");
    db_drop("colliding");
}

/* Nodes of 1.0 go on to create upstreams with milliseconds, which core's 003 truncates: `up` must not wait for the last of them. */
static void test_old_nodes_keep_writing(void **state)
{
    (void)state;
    db_create("written", NULL);
    run_well("written", "bootstrap --to 1.0");
    db_run("written", "INSERT INTO upstreams (id, name, slots, created_at) VALUES (" MIDDLE ", 'first', 10, '2019-01-01 00:00:00.5+00')");
    PGconn *node = db_connect("kong", "written");
    struct process follower = kong_start("written", "up");
    int written = 0;
    const char *journal = await_journal("written", "\"state\":\"begin\"");
    while (strstr(text_file(journal), "\"event\":\"end\"") == NULL && written < 20000) {
        PGresult *result = PQexec(node, text_printf("INSERT INTO upstreams (id, name, slots, created_at) VALUES (md5('w%d')::uuid, 'w%d', 10,"
                                                    " '2019-01-01 00:00:00.5+00')", written, written));
        assert_int_equal(PQresultStatus(result), PGRES_COMMAND_OK);
        PQclear(result);
        written++;
    }
    PQfinish(node);
    struct result result = kong_wait(&follower);
    expect_exit(&result, 0);
    assert_true(written > 10);
    assert_string_equal(db_ask("written", "SELECT extract(microseconds FROM created_at)::bigint FROM upstreams WHERE name = 'first'"), "0");
    run_well("written", "finish --confirm written");
    assert_string_equal(db_ask("written", "SELECT count(*) FROM upstreams WHERE algorithm IS NULL"), "0");
    assert_string_equal(catalog_after, db_catalog("written"));
    db_drop("written");
}

/* An application made through a node of 0.14 after `up`: it keeps its URIs, whose old column goes. Also where Kong's own `finish` had
 * dropped that column and died before its record. */
static void test_an_application_of_an_old_node(void **state)
{
    (void)state;
    if (!harness_have("kong-0.14.1-data.sql"))
        skip();
    db_create("applied", NULL);
    db_load("applied", harness_reference("kong-0.14.1-data.sql"));
    run_well("applied", "up");
    db_create("dropped", "applied");
    db_run("applied", "INSERT INTO oauth2_credentials (id, name, client_id, redirect_uri) VALUES (md5('app')::uuid, 'late', 'late', '[\"https://a/cb\",\"https://b/cb\"]')");
    run_well("applied", "finish --confirm applied");
    assert_string_equal(db_ask("applied", "SELECT redirect_uris FROM oauth2_credentials WHERE name = 'late'"), "{https://a/cb,https://b/cb}");
    db_run("dropped", "ALTER TABLE oauth2_credentials DROP COLUMN redirect_uri");
    run_well("dropped", "finish --confirm dropped");
    db_drop("applied");
    db_drop("dropped");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_a_row_is_locked_and_rows_come),
        cmocka_unit_test(test_stopped_half_way),
        cmocka_unit_test(test_killed_half_way),
        cmocka_unit_test(test_rows_are_deleted),
        cmocka_unit_test(test_rows_that_collide),
        cmocka_unit_test(test_old_nodes_keep_writing),
        cmocka_unit_test(test_an_application_of_an_old_node),
    };
    return harness_arguments(argc, argv) ? cmocka_run_group_tests(tests, setup, harness_teardown) : 64;
}
