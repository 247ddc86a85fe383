/*
 * `rollback`: from every release, with data, the database ends as it was before `up`, schema and rows, but for the values that `up` is
 * said to change; and then goes up again as if nothing had been. Where real Kong's data is not there, ours of a fresh release is used.
 */
#include "tests/db/rollback_fixture.h"

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

/* What 1.3 nodes write that an older database has no place for. */
static const char new_data[] =
    "INSERT INTO ca_certificates (id, cert, tags) VALUES ('" ROLLBACK_ID "a', 'ca', '{t}');"
    "INSERT INTO sessions (id, session_id, expires, data) VALUES ('" ROLLBACK_ID "b', 'sid-secret', 1, 'data-secret');"
    "UPDATE routes SET headers = '{\"x-a\": [\"b\"]}' WHERE id = (SELECT min(id::text)::uuid FROM routes);"
    "UPDATE upstreams SET algorithm = CASE WHEN hash_on = 'none' THEN 'round-robin' ELSE 'consistent-hashing' END;"
    "UPDATE upstreams SET algorithm = 'least-connections' WHERE id = (SELECT min(id::text)::uuid FROM upstreams)";

static void go_there_and_back(const struct rollback_start *start, bool with_journal)
{
    static int number;
    char *database = text_printf("back%d", number++);
    if (!rollback_begin(database, start))
        return;
    char *schema_before = rollback_schema(database), *rows_before = rollback_rows(database, start->version), *straight = text_printf("%s-straight", database);
    if (with_journal)
        db_create(straight, database);
    rollback_run_well(database, "up");
    db_run(database, new_data);
    if (!with_journal)
        db_run(database, "DELETE FROM sessions");
    char *back = text_printf("XDG_STATE_HOME=%s%s rollback --to %s", harness.state, with_journal ? "" : "-elsewhere", start->version);
    struct result result = kong(database, text_printf("%s --dry-run", back));
    expect_exit(&result, 0);
    expect_part(result.out, "nothing was changed");
    expect_part(result.out, "column routes.headers is dropped with its values: 1\n");
    expect_part(result.out, "column upstreams.algorithm is dropped with its values: 1\n");
    expect_part(result.out, "table ca_certificates is dropped with its rows: 1\n");
    if (with_journal)
        expect_part(result.out, "table sessions is dropped with its rows: 1\n");
    result = kong(database, text_printf("%s --confirm %s", back, database));
    expect_exit(&result, 0);
    expect_part(result.out, text_printf("database %s is Kong %s's again", database, start->version));
    rollback_expect_same(text_printf("schema of %s", start->version), schema_before, rollback_schema(database));
    rollback_expect_same(text_printf("rows of %s", start->version), rows_before, db_rows(database));
    result = kong(database, text_printf("%s --confirm %s", back, database));
    expect_exit(&result, 0);
    expect_part(result.out, "nothing to roll back");
    if (!with_journal) {
        db_drop(database);
        return;
    }
    rollback_run_well(database, "up");
    rollback_run_well(database, text_printf("finish --confirm %s", database));
    rollback_run_well(straight, "up");
    rollback_run_well(straight, text_printf("finish --confirm %s", straight));
    rollback_expect_same("schema after all", rollback_schema(straight), rollback_schema(database));
    rollback_expect_same("rows after all", db_rows(straight), db_rows(database));
    db_drop(straight);
    result = kong(database, text_printf("rollback --to %s --confirm %s", start->version, database));
    expect_exit(&result, 7);
    expect_part(result.err, "is finished: nothing undoes that");
    db_drop(database);
}

static void test_from_every_release(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROLLBACK_STARTS; i++)
        go_there_and_back(&rollback_starts[i], true);
}

static void test_without_a_journal(void **state)
{
    (void)state;
    go_there_and_back(&rollback_starts[0], false);
    go_there_and_back(&rollback_starts[1], false);
}

/* Plugins that the old cluster did not load. */

static void test_plugins_that_came_with_up(void **state)
{
    (void)state;
    db_create("few", NULL);
    rollback_run_well("few", "KONG_PLUGINS=key-auth bootstrap --to 1.2");
    db_create("some", "few");
    char *schema_before = rollback_schema("few"), *rows_before = db_rows("few");
    rollback_run_well("few", "up");
    db_run("few", rollback_data);
    rollback_run_well("few", "rollback --to 1.2 --confirm few");
    rollback_expect_same("schema", schema_before, rollback_schema("few"));
    db_run("few", "DELETE FROM targets; DELETE FROM upstreams; DELETE FROM plugins; DELETE FROM consumers; DELETE FROM routes; DELETE FROM services");
    rollback_expect_same("rows", rows_before, db_rows("few"));
    db_drop("few");
    /* Without a journal those that leave nothing pending can't be told from older ones, and stay, with their records. */
    rollback_run_well("some", "up");
    rollback_run_well("some", "XDG_STATE_HOME=/tmp/none rollback --to 1.2 --confirm some");
    assert_string_equal(db_ask("some", "SELECT string_agg(subsystem, ' ' ORDER BY subsystem) FROM schema_meta"), "basic-auth core hmac-auth jwt key-auth");
    assert_string_equal(db_ask("some", "SELECT to_regclass('jwt_secrets') IS NOT NULL AND to_regclass('oauth2_tokens') IS NULL"), "t");
    db_drop("some");
}

/* Of an upgrade from 0.14 that did without the plugin, and a custom plugin that has become Kong's own. */
static void test_tables_that_were_there(void **state)
{
    (void)state;
    db_create("older", NULL);
    rollback_run_well("older", "bootstrap --to 1.2");
    db_run("older", rollback_data);
    db_run("older", "DELETE FROM schema_meta WHERE subsystem = 'acl';"
                    "CREATE TABLE sessions (id uuid PRIMARY KEY, session_id text UNIQUE, expires integer, data text, created_at timestamptz, ttl timestamptz);"
                    "CREATE INDEX session_sessions_expires_idx ON sessions (expires);"
                    "INSERT INTO sessions (id, session_id) VALUES ('" ROLLBACK_ID "b', 's');"
                    "INSERT INTO schema_meta VALUES ('schema_meta', 'session', '000_base_session', '{000_base_session}', NULL)");
    char *schema_before = rollback_schema("older"), *rows_before = db_rows("older");
    db_create("older2", "older");
    rollback_run_well("older", "up");
    rollback_run_well("older", "rollback --to 1.2 --confirm older");
    rollback_expect_same("schema", schema_before, rollback_schema("older"));
    rollback_expect_same("rows", rows_before, db_rows("older"));
    db_drop("older");
    /* Without a journal: what is in use stays. */
    db_run("older2", "INSERT INTO schema_meta VALUES ('schema_meta', 'acl', '001_14_to_15', '{000_base_acl,001_14_to_15}', '{}')");
    rows_before = db_rows("older2");
    rollback_run_well("older2", "up");
    struct result result = kong("older2", "XDG_STATE_HOME=/tmp/none rollback --to 1.2 --confirm older2");
    expect_exit(&result, 0);
    expect_part(result.out, "the tables of session stay: they are in use");
    rollback_expect_same("schema", schema_before, rollback_schema("older2"));
    rollback_expect_same("rows", rows_before, db_rows("older2"));
    db_drop("older2");
}

/* An old node at work. */

struct client {
    PGconn *connection;
    atomic_bool stop;
    int rounds;
    char error[400];
};

static void *work(void *pointer)
{
    static const char round[] =
        "BEGIN; INSERT INTO services (id, name, host, port, protocol) VALUES (md5('load')::uuid, 'load', 'h', 80, 'http');"
        "INSERT INTO routes (id, service_id, paths) VALUES (md5('load')::uuid, md5('load')::uuid, '{/load}'); COMMIT;"
        "INSERT INTO consumers (id, username) VALUES (md5('load')::uuid, 'load');"
        "INSERT INTO plugins (id, name, config, enabled, consumer_id) VALUES (md5('load')::uuid, 'cors', '{\"a\": 1}', true, md5('load')::uuid);"
        "INSERT INTO upstreams (id, name, slots, hash_on, healthchecks) VALUES (md5('load')::uuid, 'load', 10, 'none', '{\"a\": 1}');"
        "INSERT INTO targets (id, upstream_id, target, weight) VALUES (md5('load')::uuid, md5('load')::uuid, 'load', 1);"
        "SELECT id, created_at, name, host FROM services WHERE name = 'load'; SELECT id, service_id, paths FROM routes ORDER BY id LIMIT 100;"
        "SELECT id, config, created_at FROM plugins WHERE name = 'cors'; SELECT id, healthchecks FROM upstreams ORDER BY id LIMIT 100;"
        "UPDATE services SET host = 'g' WHERE id = md5('load')::uuid; UPDATE upstreams SET slots = 11 WHERE id = md5('load')::uuid;"
        "UPDATE plugins SET config = '{\"a\": 2}' WHERE id = md5('load')::uuid; UPDATE routes SET paths = '{/l}' WHERE id = md5('load')::uuid;"
        "DELETE FROM targets WHERE id = md5('load')::uuid; DELETE FROM upstreams WHERE id = md5('load')::uuid;"
        "DELETE FROM plugins WHERE id = md5('load')::uuid; DELETE FROM consumers WHERE id = md5('load')::uuid;"
        "DELETE FROM routes WHERE id = md5('load')::uuid; DELETE FROM services WHERE id = md5('load')::uuid";
    struct client *client = pointer;
    PQclear(PQexec(client->connection, "SET TimeZone = 'UTC'"));
    while (!client->stop && client->error[0] == '\0') {
        PGresult *result = PQexec(client->connection, round);
        if (PQresultStatus(result) != PGRES_COMMAND_OK)
            snprintf(client->error, sizeof client->error, "%s", PQerrorMessage(client->connection));
        PQclear(result);
        client->rounds++;
    }
    return NULL;
}

static void test_old_nodes_work_on_meanwhile(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct client client = {0};
        pthread_t thread;
        if (!rollback_begin("load", &rollback_starts[i]))
            continue;
        char *schema_before = rollback_schema("load"), *rows_before = rollback_rows("load", rollback_starts[i].version);
        rollback_run_well("load", "up");
        client.connection = db_connect("kong", "load");
        assert_int_equal(pthread_create(&thread, NULL, work, &client), 0);
        struct result result = kong("load", text_printf("rollback --to %s --confirm load", rollback_starts[i].version));
        client.stop = true;
        pthread_join(thread, NULL);
        PQfinish(client.connection);
        expect_exit(&result, 0);
        assert_string_equal(client.error, "");
        assert_true(client.rounds > 3);
        rollback_expect_same("schema", schema_before, rollback_schema("load"));
        rollback_expect_same("rows", rows_before, db_rows("load"));
        db_drop("load");
    }
}

/* What is refused. */

static void refuse(const char *database, const char *line, int exit_code, const char *part)
{
    char *schema_before = rollback_schema(database), *rows_before = db_rows(database);
    struct result result = kong(database, line);
    expect_exit(&result, exit_code);
    expect_part(result.err, part);
    assert_string_equal(schema_before, rollback_schema(database));
    assert_string_equal(rows_before, db_rows(database));
}

/* Between our look and Kong's lock: here a statement of a dead worker is waited for, and Kong's own `migrations finish` comes. */
static void finish_comes_between(const char *database)
{
    db_create("between", database);
    PGconn *leftover = db_connect("kong", "between");
    PQclear(PQexec(leftover, "SELECT pg_advisory_lock_shared(hashtext('kong-upgrade session'), hashtext('public'))"));
    struct process process = kong_start("between", "rollback --to 1.2 --confirm between");
    await_true("between", "SELECT count(*) = 3 FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())");
    db_run("between", "UPDATE schema_meta SET executed = executed || pending, pending = '{}' WHERE cardinality(pending) > 0");
    char *schema = rollback_schema("between"), *rows = db_rows("between");
    PQfinish(leftover);
    struct result result = kong_wait(&process);
    expect_exit(&result, 7);
    expect_part(result.err, "is finished: nothing undoes that");
    assert_string_equal(schema, rollback_schema("between"));
    assert_string_equal(rows, db_rows("between"));
    db_drop("between");
}

/* A view, a foreign key, and a trigger that would go with its function. */
static void others_objects_need_what_goes(const char *database)
{
    static const struct {
        const char *sql, *needs, *drop;
    } table[] = {
        {"CREATE SCHEMA ops; CREATE VIEW ops.heads AS SELECT headers FROM routes", "view ops.heads needs routes.headers", "DROP SCHEMA ops CASCADE"},
        {"CREATE TABLE mine (ca uuid REFERENCES ca_certificates)", "constraint mine_ca_fkey on table mine needs ca_certificates", "DROP TABLE mine"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        db_run(database, table[i].sql);
        refuse(database, text_printf("rollback --to 1.2 --confirm %s", database), 7, table[i].needs);
        struct result result = kong(database, "rollback --to 1.2 --dry-run");
        expect_part(result.out, text_printf("%s: drop that first", table[i].needs));
        db_run(database, table[i].drop);
    }
    db_run(database, "CREATE TABLE mine (id uuid, tags text[]); CREATE TRIGGER own AFTER DELETE ON mine FOR EACH ROW EXECUTE PROCEDURE sync_tags()");
    struct result result = kong(database, "XDG_STATE_HOME=/tmp/none rollback --to 1.0 --dry-run");
    expect_part(result.out, "trigger own on table mine needs function sync_tags");
    result = kong(database, "rollback --to 1.2 --dry-run");
    assert_null(strstr(result.out, "needs"));
    db_run(database, "DROP TABLE mine");
}

static void test_refusals(void **state)
{
    (void)state;
    db_create("no", NULL);
    refuse("no", "rollback --to 1.2 --confirm no", 3, "the database is empty");
    rollback_run_well("no", "bootstrap --to 1.2");
    struct result result = kong("no", "rollback --to 1.2 --confirm no");
    expect_exit(&result, 0);
    expect_part(result.out, "nothing of an `up` to 1.3 is in it");
    refuse("no", "rollback --to 1.0 --confirm no", 7, "nothing of an `up` to 1.3 is in it");
    rollback_run_well("no", "up");
    others_objects_need_what_goes("no");
    finish_comes_between("no");
    refuse("no", "rollback --confirm no", 64, "rollback wants --to");
    refuse("no", "rollback --to 1.3 --confirm no", 64, "--to takes 0.14, 1.0, 1.1 or 1.2, not '1.3'");
    refuse("no", "rollback --to 1.2", 64, "--confirm no");
    refuse("no", "rollback --to 1.2 -y", 64, "--confirm no");
    refuse("no", "rollback --to 1.2 --confirm other", 7, "does not name the database");
    refuse("no", "rollback --to 0.14 --confirm no", 7, "can't go back to 0.14; it can go back to 1.2");
    refuse("no", "rollback --to 1.0 --confirm no", 7, "was Kong 1.2's");
    result = kong("no", "XDG_STATE_HOME=/tmp/none rollback --to 1.0 --dry-run");
    expect_exit(&result, 0);
    expect_part(result.out, "back to Kong 1.0");
    struct result backup = kong("no", text_printf("backup %s/backups", harness.folder));
    bool dumps = strstr(backup.err, "can't dump a newer server") == NULL;
    expect_exit(&backup, dumps ? 0 : 1);
    rollback_run_well("no", "finish --confirm no");
    refuse("no", "rollback --to 1.2 --confirm no", 7, "only a backup brings an older Kong back");
    refuse("no", "rollback --to 1.2 --confirm no", 7, dumps ? "pg_restore" : "no backup");
    refuse("no", "XDG_STATE_HOME=/tmp/none rollback --to 1.2 --confirm no", 7, "no backup that was made from here is known");
    db_drop("no");
    if (!rollback_begin("no", &rollback_starts[0]))
        return;
    rollback_run_well("no", "up");
    refuse("no", "rollback --to 1.0 --confirm no", 7, "comes from Kong 0.14");
    db_create("no2", "no");
    db_run("no2", "ALTER TABLE oauth2_credentials DROP COLUMN redirect_uri");
    refuse("no2", "rollback --to 0.14 --confirm no2", 7, "`finish` has begun");
    db_drop("no2");
    db_create("no2", "no");
    db_run("no2", "DROP TABLE schema_migrations");
    refuse("no2", "rollback --to 0.14 --confirm no2", 7, "`finish` has begun");
    db_drop("no2");
    PGconn *node = db_connect("kong", "no");
    PQclear(PQexec(node, "SET application_name = 'pgmoon'"));
    PQclear(PQexec(node, "SELECT id FROM cluster_events LIMIT 1"));
    refuse("no", "rollback --to 0.14 --confirm no", 7, "that is no 0.14");
    PQfinish(node);
    rollback_run_well("no", "rollback --to 0.14 --confirm no");
    db_drop("no");
}

/* A plugin row stops old nodes from starting: it is told, and left. */
static void test_it_is_told_and_reported(void **state)
{
    (void)state;
    assert_true(rollback_begin("told", &rollback_starts[4]));
    rollback_run_well("told", "up");
    db_run("told", new_data);
    db_run("told", "INSERT INTO plugins (id, name, config, enabled, cache_key) VALUES ('" ROLLBACK_ID "c', 'session', '{}', true, 'c');"
                   "INSERT INTO routes (id, protocols) VALUES ('" ROLLBACK_ID "d', '{grpc}')");
    struct result result = kong("told", "rollback --to 1.2 --dry-run --json");
    expect_exit(&result, 0);
    json_t *json = json_loads(result.out, 0, NULL), *loss, *losses = json_object_get(json, "losses");
    size_t i, lost = 0;
    json_array_foreach(losses, i, loss)
        lost += json_is_true(json_object_get(loss, "destroys")) && json_integer_value(json_object_get(loss, "rows")) == 1 ? 1 : 0;
    assert_int_equal(lost, 4);
    assert_int_equal(json_array_size(losses), 6);
    assert_string_equal(json_string_value(json_object_get(json_array_get(json_object_get(json, "changes"), 0), "phase")), "rollback");
    json_decref(json);
    PGconn *node = db_connect("kong", "told");
    PQclear(PQexec(node, "SET application_name = 'pgmoon'"));
    PQclear(PQexec(node, "SELECT id FROM cluster_events LIMIT 1"));
    result = kong("told", "rollback --to 1.2 --confirm told --json");
    PQfinish(node);
    expect_exit(&result, 0);
    expect_part(result.err, "at least 1 Kong node works on this database, and fleet.ini names no new ones");
    expect_part(result.out, "\"state\":\"removed\"");
    expect_part(result.out, "\"versions\":[\"1.2\"]");
    expect_part(result.out, "\"result\":\"done\"");
    expect_part(result.out, "lost: column routes.headers is dropped with its values: 1");
    expect_part(result.out, "plugins named session stay, and Kong 1.2 does not start while they are there: delete them first: 1");
    expect_part(result.out, "routes of grpc stay, and Kong 1.2 passes them over: 1");
    result = kong("told", "report");
    expect_exit(&result, 0);
    expect_part(result.out, "### rollback, ");
    expect_part(result.out, "| drop column routes.headers | made |");
    expect_part(result.out, "Lost by it:\n\n- ");
    expect_part(result.out, "- table sessions is dropped with its rows: 1\n");
    assert_null(strstr(result.out, "-secret"));
    assert_null(strstr(text_file(journal_newest("told")), "-secret"));
    db_drop("told");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_from_every_release),
        cmocka_unit_test(test_without_a_journal),
        cmocka_unit_test(test_plugins_that_came_with_up),
        cmocka_unit_test(test_tables_that_were_there),
        cmocka_unit_test(test_old_nodes_work_on_meanwhile),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_it_is_told_and_reported),
    };
    return harness_arguments(argc, argv) ? cmocka_run_group_tests(tests, harness_setup, harness_teardown) : 64;
}
