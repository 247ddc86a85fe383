/*
 * The type of a column of a large table, changed by way of a second column: beside nodes that write, cut off after any statement, and
 * killed. The schema must be that of a small database, changed at once, and no value may be lost. It needs the reference data.
 */
#include "tests/db/harness.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOAD "kong-0.14.1-data.sql"
#define COUNTER "md5('r')::uuid, md5('s')::uuid, '10.9.9.9', 'minute', '2019-06-01 10:00:00+00'"

#define CONFIG_LINES "set type plugins.config jsonb\n     core/001_14_to_15, ACCESS EXCLUSIVE lock, "

static char *catalog_small, *values_before;
static char **statements;
static size_t statement_count;

static const char fill[] =
    "INSERT INTO plugins (id, name, config, enabled) SELECT md5('p' || n)::uuid, 'p' || n,"
    " format('{\"b\": %s, \"a\": \"%s\", \"a\": null}', n, repeat('x', 300))::json, true FROM generate_series(1, 1500) n;"
    "INSERT INTO ratelimiting_metrics (identifier, period, period_date, service_id, route_id, value) SELECT '10.0.0.' || n % 250, 'minute',"
    " timestamp '2018-12-31 23:00' + n * interval '1 minute', md5('s' || n % 7)::uuid, md5('r' || n % 7)::uuid, n FROM generate_series(1, 5000) n";

static void run_well(const char *database, const char *line)
{
    struct result result = kong(database, line);
    expect_exit(&result, 0);
}

/* What the columns held, however they hold it. */
static char *values(const char *database)
{
    const char *date = db_ask(database, "SELECT CASE WHEN data_type = 'timestamp without time zone' THEN 'period_date' ELSE 'period_date AT TIME ZONE ''UTC''' END"
                                        " FROM information_schema.columns WHERE table_name = 'ratelimiting_metrics' AND column_name = 'period_date'");
    return db_ask(database, text_printf("SELECT md5(string_agg(format('%%s %%s', id, config::jsonb), ',' ORDER BY id)) FROM plugins UNION ALL"
                                        " SELECT md5(string_agg(line, ',' ORDER BY line COLLATE \"C\")) FROM (SELECT format('%%s %%s %%s %%s %%s %%s %%s', identifier, period,"
                                        " to_char(%s, 'YYYY-MM-DD HH24:MI:SS.US'), service_id, route_id, api_id, value) AS line FROM ratelimiting_metrics) lines", date));
}

static void read_statements(void)
{
    struct result result = kong("large", "plan --sql");
    expect_exit(&result, 0);
    char *rest;
    for (char *line = strtok_r(result.out, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
        if (strncmp(line, "--", 2) == 0)
            continue;
        statements = realloc(statements, (statement_count + 1) * sizeof *statements);
        assert_non_null(statements);
        statements[statement_count++] = line;
    }
}

static int setup(void **state)
{
    if (harness_setup(state) != 0)
        return -1;
    if (!harness_have(LOAD))
        return 0;
    db_create("small", NULL);
    db_load("small", harness_reference(LOAD));
    db_create("large", "small");
    db_run("large", fill);
    run_well("small", "up");
    catalog_small = db_catalog("small");
    values_before = values("large");
    read_statements();
    return 0;
}

static int teardown(void **state)
{
    free(statements);
    return harness_teardown(state);
}

static void expect_as_small(const char *database, const char *when)
{
    char *difference = text_difference(catalog_small, db_catalog(database));
    if (difference[0] != '\0')
        fail_msg("%s: the schema is not that of a small database:\n%.3000s", when, difference);
}

static bool is_on_the_way(size_t i)
{
    return strstr(statements[i], "_retype") != NULL;
}

static void test_cut_off_anywhere(void **state)
{
    (void)state;
    if (!harness_have(LOAD))
        skip();
    size_t cuts = 0;
    for (size_t made = 1; made <= statement_count; made++) {
        if (!is_on_the_way(made - 1) || cuts++ % 3 != 0)
            continue;
        char *sql = text_printf("%s", "");
        for (size_t i = 0; i < made; i++)
            sql = text_printf("%s%s\n", sql, statements[i]);
        char *file = text_printf("%s/part.sql", harness.folder);
        text_save(file, sql);
        db_create("cut", "large");
        db_psql("cut", file);
        run_well("cut", "up");
        expect_as_small("cut", statements[made - 1]);
        assert_string_equal(values_before, values("cut"));
        db_drop("cut");
    }
    assert_true(cuts > 10);
}

/* 0.14's function adds to a row, or inserts it, on a connection of its own; another node changes a plugin. */
static void test_nodes_write(void **state)
{
    (void)state;
    if (!harness_have(LOAD))
        skip();
    db_create("written", "large");
    PGconn *node = db_connect("kong", "written");
    struct process follower = kong_start("written", "up");
    const char *journal = await_journal("written", "\"state\":\"begin\"");
    int written = 0;
    while (strstr(text_file(journal), "\"event\":\"end\"") == NULL) {
        PGresult *result = PQexec(node, text_printf("SELECT increment_rate_limits(" COUNTER ", 1); UPDATE plugins SET config = '{\"count\": %d}'"
                                                    " WHERE name = 'p17'", ++written));
        assert_int_equal(PQresultStatus(result), PGRES_COMMAND_OK);
        PQclear(result);
    }
    PQfinish(node);
    struct result result = kong_wait(&follower);
    expect_exit(&result, 0);
    expect_as_small("written", "beside nodes");
    assert_string_equal(db_ask("written", "SELECT value FROM ratelimiting_metrics WHERE identifier = '10.9.9.9' AND period_date = '2019-06-01 10:00:00+00'"),
                        text_printf("%d", written));
    assert_string_equal(db_ask("written", "SELECT config FROM plugins WHERE name = 'p17'"), text_printf("{\"count\": %d}", written));
    db_drop("written");
}

static void test_killed(void **state)
{
    (void)state;
    if (!harness_have(LOAD))
        skip();
    db_create("killed", "large");
    PGconn *holder = db_connect("kong", "killed");
    PQclear(PQexec(holder, "BEGIN; SELECT 1 FROM plugins WHERE name = 'p700' FOR UPDATE"));
    assert_int_equal(PQtransactionStatus(holder), PQTRANS_INTRANS);
    struct process follower = kong_start("killed", "up");
    const char *journal = await_journal("killed", "\"event\":\"wait\"");
    kill(journal_pid(journal), SIGKILL);
    struct result result = kong_wait(&follower);
    expect_exit(&result, 1);
    PQfinish(holder);
    await_true("killed", "SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = 'killed' AND application_name LIKE 'kong-upgrade worker%'");
    run_well("killed", "-y up");
    expect_as_small("killed", "killed");
    assert_string_equal(values_before, values("killed"));
    db_drop("killed");
}

/* What depends on the column and would be lost with it is left as it is: the type is changed at once. */
static void test_something_depends(void **state)
{
    (void)state;
    if (!harness_have(LOAD))
        skip();
    db_create("depended", "large");
    db_run("depended", "CREATE INDEX mine ON ratelimiting_metrics (date(period_date)); GRANT SELECT (config) ON plugins TO public");
    struct result plan = kong("depended", "plan --sql");
    assert_null(strstr(plan.out, "period_date_retype"));
    assert_null(strstr(plan.out, "config_retype"));
    plan = kong("depended", "plan");
    expect_part(plan.out, CONFIG_LINES "rewrites the table");
    plan = kong("large", "plan");
    expect_part(plan.out, CONFIG_LINES "reads the table");
    plan = kong("large", "plan --sql");
    expect_part(plan.out, "period_date_retype");
    expect_part(plan.out, "config_retype");
    db_drop("depended");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cut_off_anywhere),
        cmocka_unit_test(test_nodes_write),
        cmocka_unit_test(test_killed),
        cmocka_unit_test(test_something_depends),
    };
    return harness_arguments(argc, argv) ? cmocka_run_group_tests(tests, setup, teardown) : 64;
}
