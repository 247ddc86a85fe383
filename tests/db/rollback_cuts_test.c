/*
 * Cut off anywhere: half an `up` is rolled back, half a rollback is ended or undone by `up`, with what is left of a change whose statements
 * were made in part, in databases that a run has paused in, and in those that Kong's own `up` has left. With --all at many more points.
 */
#include "tests/db/rollback_fixture.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

struct statements {
    char **list;
    size_t count;
};

static void add_statement(struct statements *statements, const char *sql)
{
    statements->list = realloc(statements->list, (statements->count + 1) * sizeof *statements->list);
    assert_non_null(statements->list);
    statements->list[statements->count++] = text_printf("%s;", sql);
}

/* In the order in which they would be made. */
static struct statements statements_of(const char *database, const char *line)
{
    struct statements statements = {0};
    struct result result = kong(database, line);
    expect_exit(&result, 0);
    json_t *json = json_loads(result.out, 0, NULL), *change, *sql;
    size_t i, j;
    json_array_foreach(json_object_get(json, "changes"), i, change)
        json_array_foreach(json_object_get(change, "sql"), j, sql)
            add_statement(&statements, json_string_value(sql));
    json_decref(json);
    assert_true(statements.count > 3);
    return statements;
}

static void make_first(const char *database, const struct statements *statements, size_t count)
{
    char *sql = text_printf("SET TimeZone = 'UTC';\n"), *file = text_printf("%s/part.sql", harness.folder);
    for (size_t i = 0; i < count; i++)
        sql = text_printf("%s%s\n", sql, statements->list[i]);
    text_save(file, sql);
    db_psql(database, file);
}

static bool is_cut(const struct statements *statements, size_t count, size_t step)
{
    const char *last = statements->list[count - 1];
    bool in_parts = count % (rollback_all ? 2 : 4) == 0 && (strstr(last, "config_retype\"") != NULL || strstr(last, "plugins_pkey") != NULL);
    return count == statements->count || count % (rollback_all ? step : step * 3) == 1 || in_parts;
}

/* Enough for PostgreSQL to rewrite a while: types change by way of a second column. */
static const char much[] =
    "INSERT INTO plugins (id, name, config, enabled) SELECT md5('p' || n)::uuid, 'p' || n,"
    " format('{\"b\": %s, \"a\": \"%s\"}', n, repeat('x', 300))::json, true FROM generate_series(1, 1000) n;"
    "INSERT INTO ratelimiting_metrics (identifier, period, period_date, service_id, route_id, value) SELECT '10.0.0.' || n % 250, 'minute',"
    " timestamp '2018-12-31 23:00' + n * interval '1 minute', md5('s' || n % 7)::uuid, md5('r' || n % 7)::uuid, n FROM generate_series(1, 4000) n";

static void half_an_up(const struct rollback_start *start, bool large, size_t step)
{
    if (!rollback_begin("half", start))
        return;
    if (large)
        db_run("half", much);
    struct statements statements = statements_of("half", "plan --json");
    char *schema_before = rollback_schema("half"), *rows_before = rollback_rows("half", start->version);
    for (size_t count = 1; count <= statements.count; count++) {
        if (!is_cut(&statements, count, step))
            continue;
        db_create("half-part", "half");
        make_first("half-part", &statements, count);
        rollback_run_well("half-part", text_printf("rollback --to %s --confirm half-part -q", start->version));
        rollback_expect_same(text_printf("schema of %s after %s", start->version, statements.list[count - 1]), schema_before, rollback_schema("half-part"));
        if (strcmp(start->version, "1.0") <= 0)   /* it may not have come to that */
            db_run("half-part", rollback_documented);
        rollback_expect_same(text_printf("rows of %s after %s", start->version, statements.list[count - 1]), rows_before, db_rows("half-part"));
        db_drop("half-part");
    }
    free(statements.list);
    db_drop("half");
}

static void test_half_an_up(void **state)
{
    (void)state;
    half_an_up(&rollback_starts[0], true, 60);
    half_an_up(&rollback_starts[1], false, 20);
    half_an_up(&rollback_starts[4], false, 3);
}

/* Half a rollback is followed by the other half, or by `up`, whatever it has left. */
static void test_half_a_rollback(void **state)
{
    (void)state;
    if (!rollback_begin("before", &rollback_starts[0]))
        skip();
    db_run("before", much);
    db_create("after", "before");
    rollback_run_well("after", "up");
    char *schema_before = rollback_schema("before"), *rows_before = rollback_rows("before", "0.14"), *schema_after = rollback_schema("after"), *rows_after = db_rows("after");
    /* The statements for a column's type are those for the indexes that are there when it comes to it. */
    db_create("base", "after");
    db_run("base", "DELETE FROM schema_meta; DROP INDEX ratelimiting_metrics_idx, ratelimiting_metrics_pkey_new");
    struct statements statements = statements_of("base", "rollback --to 0.14 --dry-run --json");
    for (size_t count = 1; count + 2 <= statements.count; count++) {   /* the last two drop the bookkeeping */
        if (!is_cut(&statements, count, 60))
            continue;
        db_create("part", "base");
        make_first("part", &statements, count);
        db_create("part-up", "part");
        rollback_run_well("part", "rollback --to 0.14 --confirm part -q");
        rollback_expect_same(text_printf("schema before, after %s", statements.list[count - 1]), schema_before, rollback_schema("part"));
        rollback_expect_same("rows before", rows_before, db_rows("part"));
        rollback_run_well("part-up", "up -q");
        rollback_expect_same(text_printf("schema of up, after %s", statements.list[count - 1]), schema_after, rollback_schema("part-up"));
        rollback_expect_same("rows of up", rows_after, db_rows("part-up"));
        db_drop("part");
        db_drop("part-up");
    }
    free(statements.list);
    db_drop("before");
    db_drop("after");
    db_drop("base");
}

/* Paused since a table is held; with the journals and the records that a real run leaves. */
static void pause_at(const char *database, const char *table, const char *line)
{
    char *fleet = text_printf("%s/impatient.ini", harness.folder);
    text_save(fleet, "[gates]\nlock_deadline = 1\n");
    PGconn *holder = db_connect("kong", database);
    PQclear(PQexec(holder, text_printf("BEGIN; SELECT 1 FROM %s LIMIT 1", table)));
    struct result result = kong(database, text_printf("-f %s %s", fleet, line));
    expect_exit(&result, 10);
    PQfinish(holder);
}

static void test_paused_runs(void **state)
{
    (void)state;
    static const char *const tables[] = {"consumers", "upstreams"};
    db_create("k10", NULL);
    rollback_run_well("k10", "bootstrap --to 1.0");
    for (size_t i = rollback_all ? 0 : 1; i < sizeof tables / sizeof tables[0]; i++) {
        char *database = text_printf("paused-%s", tables[i]), *back = text_printf("rollback --to 1.0 --confirm %s", database);
        db_create(database, "k10");
        char *schema_before = rollback_schema(database), *rows_before = db_rows(database);
        pause_at(database, tables[i], "up");
        struct result result = kong(database, text_printf("rollback --to 1.1 --confirm %s", database));
        expect_exit(&result, 7);
        rollback_run_well(database, back);
        rollback_expect_same("schema", schema_before, rollback_schema(database));
        rollback_expect_same("rows", rows_before, db_rows(database));
        rollback_run_well(database, "up");
        char *schema_after = rollback_schema(database), *rows_after = db_rows(database);
        pause_at(database, tables[i], back);
        result = kong(database, "status");
        expect_exit(&result, 5);
        expect_part(result.out, "Version    Kong 1.0\n");
        rollback_run_well(database, "up");
        rollback_expect_same("schema after up", schema_after, rollback_schema(database));
        rollback_expect_same("rows after up", rows_after, db_rows(database));
        pause_at(database, tables[i], back);
        rollback_run_well(database, back);
        rollback_expect_same("schema", schema_before, rollback_schema(database));
        rollback_expect_same("rows", rows_before, db_rows(database));
        db_drop(database);
    }
}

static void test_it_is_followed_and_stopped(void **state)
{
    (void)state;
    db_create("stopped", NULL);
    rollback_run_well("stopped", "bootstrap --to 1.2");
    char *schema_before = rollback_schema("stopped"), *rows_before = db_rows("stopped");
    rollback_run_well("stopped", "up");
    PGconn *holder = db_connect("kong", "stopped");
    PQclear(PQexec(holder, "BEGIN; SELECT 1 FROM upstreams LIMIT 1"));
    struct process follower = kong_start("stopped", "rollback --to 1.2 --confirm stopped");
    await_journal("stopped", "\"event\":\"wait\"");
    struct result result = kong("stopped", "up");
    expect_exit(&result, 9);
    expect_part(result.err, "`rollback` runs on this database");
    result = kong("stopped", "status");
    expect_part(result.out, "Worker     rollback runs");
    struct process second = kong_start("stopped", "attach");
    rollback_run_well("stopped", "stop");
    result = kong_wait(&follower);
    expect_exit(&result, 10);
    result = kong_wait(&second);
    expect_exit(&result, 10);
    PQfinish(holder);
    rollback_run_well("stopped", "rollback --to 1.2 --confirm stopped");
    rollback_expect_same("schema", schema_before, rollback_schema("stopped"));
    rollback_expect_same("rows", rows_before, db_rows("stopped"));
    db_drop("stopped");
}

static void test_what_kongs_own_up_left(void **state)
{
    (void)state;
    if (!rollback_begin("kongs", &rollback_starts[0]))
        skip();
    char *schema_before = rollback_schema("kongs"), *rows_before = rollback_rows("kongs", "0.14");
    rollback_run_well("kongs", "up");
    /* C1, C2. */
    db_run("kongs", "DROP FUNCTION upsert_ttl; DROP INDEX ratelimiting_metrics_pkey_new; DROP INDEX response_ratelimiting_metrics_pkey_new");
    rollback_run_well("kongs", "XDG_STATE_HOME=/tmp/none rollback --to 0.14 --confirm kongs");
    rollback_expect_same("schema", schema_before, rollback_schema("kongs"));
    rollback_expect_same("rows", rows_before, db_rows("kongs"));
    db_drop("kongs");
    /* `up` committed by the server when its client was gone: recorded nowhere. */
    if (harness_have("kong-1.2.3-data-wedged-up.sql")) {
        db_create("kongs", NULL);
        db_load("kongs", harness_reference("kong-1.2.3-data.sql"));
        schema_before = rollback_schema("kongs");
        db_drop("kongs");
        db_create("kongs", NULL);
        db_load("kongs", harness_reference("kong-1.2.3-data-wedged-up.sql"));
        rollback_run_well("kongs", "rollback --to 1.2 --confirm kongs");
        rollback_expect_same("schema of the wedged", schema_before, rollback_schema("kongs"));
        db_drop("kongs");
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_half_an_up),
        cmocka_unit_test(test_half_a_rollback),
        cmocka_unit_test(test_paused_runs),
        cmocka_unit_test(test_it_is_followed_and_stopped),
        cmocka_unit_test(test_what_kongs_own_up_left),
    };
    return rollback_arguments(argc, argv) ? cmocka_run_group_tests(tests, harness_setup, harness_teardown) : 64;
}
