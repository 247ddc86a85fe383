/*
 * Cut off anywhere: of the statements that a run would make, the first few are made by hand, as a run that died there would have
 * left it, parts of a change and all. Running then must come to the same schema, rows and records as an undisturbed run.
 */
#include "tests/db/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct route {
    const char *base;        /* the database to begin with */
    char *catalog, *rows, *meta;   /* of an undisturbed run */
    const char *command;
    char **statements;       /* as `plan --sql` prints them; the session's settings first */
    size_t count;
};

static void run_well(const char *database, const char *line)
{
    struct result result = kong(database, line);
    expect_exit(&result, 0);
}

static struct route plan_route(const char *base, const char *plan, const char *command)
{
    struct route route = {.base = base, .command = command};
    struct result result = kong(base, plan);
    expect_exit(&result, 0);
    char *rest;
    for (char *line = strtok_r(result.out, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
        if (strncmp(line, "--", 2) == 0)
            continue;
        route.statements = realloc(route.statements, (route.count + 1) * sizeof *route.statements);
        assert_non_null(route.statements);
        route.statements[route.count++] = line;
    }
    assert_true(route.count > 3);
    db_create("undisturbed", base);
    run_well("undisturbed", text_printf("%s", command));
    route.catalog = db_catalog("undisturbed");
    route.rows = db_rows("undisturbed");
    route.meta = db_meta("undisturbed");
    db_drop("undisturbed");
    return route;
}

static void expect_equal(const struct route *route, size_t made, const char *what, const char *undisturbed, const char *resumed)
{
    char *difference = text_difference(undisturbed, resumed);
    if (difference[0] != '\0')
        fail_msg("%s, %s, after %zu statements (the last: %s): %s\n%.3000s", route->base, route->command, made, route->statements[made - 1], what, difference);
}

static void cut_off_after(const struct route *route, size_t made)
{
    char *sql = text_printf("%s", "");
    for (size_t i = 0; i < made; i++)
        sql = text_printf("%s%s\n", sql, route->statements[i]);
    char *file = text_printf("%s/part.sql", harness.folder);
    text_save(file, sql);
    db_create("undisturbed", route->base);   /* `finish` names its database */
    db_psql("undisturbed", file);
    run_well("undisturbed", route->command);
    expect_equal(route, made, "schema", route->catalog, db_catalog("undisturbed"));
    expect_equal(route, made, "rows", route->rows, db_rows("undisturbed"));
    expect_equal(route, made, "records", route->meta, db_meta("undisturbed"));
    db_drop("undisturbed");
}

static void cut_off_every(struct route *route, size_t step)
{
    for (size_t made = 3; made < route->count; made += step)
        cut_off_after(route, made);
    cut_off_after(route, route->count);
    free(route->statements);
}

static void make(const char *version)
{
    char *name = text_printf("kong%s", version);
    db_create(name, NULL);
    run_well(name, text_printf("bootstrap --to %s", version));
    db_run(name, "INSERT INTO upstreams (id, name, hash_on, slots, created_at) SELECT md5('u' || n)::uuid, 'u' || n,"
                 " CASE n % 3 WHEN 0 THEN 'none' WHEN 1 THEN 'ip' END, 10, '2020-01-01 00:00:00.123' FROM generate_series(1, 1000) n;"
                 " INSERT INTO targets (id, target, weight, created_at) VALUES (md5('t')::uuid, 't', 1, '2020-01-01 00:00:00.123456')");
}

static void test_up_from_1_2(void **state)
{
    (void)state;
    make("1.2");
    struct route route = plan_route("kong1.2", "plan --sql", "up");
    cut_off_every(&route, 1);
}

static void test_up_from_1_0(void **state)
{
    (void)state;
    make("1.0");
    struct route route = plan_route("kong1.0", "plan --sql", "up");
    cut_off_every(&route, 9);
}

static void test_from_0_14(void **state)
{
    (void)state;
    if (!harness_have("kong-0.14.1-data.sql"))
        skip();
    db_create("kong0.14", NULL);
    db_load("kong0.14", harness_reference("kong-0.14.1-data.sql"));
    struct route route = plan_route("kong0.14", "plan --sql", "up");
    cut_off_every(&route, 60);
    run_well("kong0.14", "up");
    route = plan_route("kong0.14", "plan --sql --finish", "finish --confirm undisturbed");
    cut_off_every(&route, 11);
}

/* A foreign key that a run had added, but not validated, is validated. */
static void test_key_not_validated(void **state)
{
    (void)state;
    db_create("undisturbed", "kong1.2");
    run_well("undisturbed", "up");
    char *catalog = db_catalog("undisturbed");
    db_drop("undisturbed");
    db_create("undisturbed", "kong1.2");
    db_run("undisturbed", "ALTER TABLE services ADD COLUMN client_certificate_id uuid; ALTER TABLE services ADD CONSTRAINT"
                          " services_client_certificate_id_fkey FOREIGN KEY (client_certificate_id) REFERENCES certificates (id) NOT VALID");
    run_well("undisturbed", "up");
    assert_string_equal(text_difference(catalog, db_catalog("undisturbed")), "");
    db_drop("undisturbed");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_up_from_1_2),
        cmocka_unit_test(test_key_not_validated),
        cmocka_unit_test(test_up_from_1_0),
        cmocka_unit_test(test_from_0_14),
    };
    return harness_arguments(argc, argv) ? cmocka_run_group_tests(tests, harness_setup, harness_teardown) : 64;
}
