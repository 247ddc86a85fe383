/*
 * What may be run when: the wrong order is refused with what to do instead and with an exit code of its own, and nothing is changed;
 * nor is it by looking (`plan`, `--dry-run`). What `plan --sql` prints is what is done.
 */
#include "tests/db/harness.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int setup(void **state)
{
    if (harness_setup(state) != 0)
        return -1;
    static const char *const versions[] = {"1.0", "1.2", "1.3"};
    for (size_t i = 0; i < 3; i++) {
        const char *name = text_printf("kong%s", versions[i]);
        db_create(name, NULL);
        struct result result = kong(name, text_printf("bootstrap --to %s", versions[i]));
        expect_exit(&result, 0);
    }
    db_run("kong1.2", "INSERT INTO upstreams (id, name, hash_on, slots) VALUES (md5('u')::uuid, 'u', 'none', 10);"
                      " INSERT INTO consumers (id, username) VALUES (md5('c')::uuid, 'c');"
                      " INSERT INTO acls (id, consumer_id, \"group\") VALUES (md5('a')::uuid, md5('c')::uuid, 'g')");
    db_create("foreign", NULL);
    db_run("foreign", "CREATE TABLE invoices (id int)");
    db_create("empty", NULL);
    db_create("ahead", "kong1.3");
    db_run("ahead", "UPDATE schema_meta SET executed = executed || '{009_x}' WHERE subsystem = 'core'");
    db_create("too-old", NULL);
    db_run("too-old", "CREATE TABLE schema_migrations (id text PRIMARY KEY, migrations text[])");
    return 0;
}

/* Everything that could have been changed. */
static char *fingerprint(const char *database)
{
    const char *locks = strcmp(db_ask(database, "SELECT to_regclass('locks') IS NULL"), "t") == 0 ? "" : db_ask(database, "SELECT l::text FROM locks l");
    return text_printf("%s\n%s\n%s", db_catalog(database), db_rows(database), locks);
}

static struct result without_effect(const char *database, const char *line, int exit_code)
{
    char *before = fingerprint(database);
    struct result result = kong(database, line);
    expect_exit(&result, exit_code);
    assert_string_equal(before, fingerprint(database));
    return result;
}

static void refused(const char *database, const char *line, int exit_code, const char *instead)
{
    struct result result = without_effect(database, line, exit_code);
    expect_part(result.err, "kong-upgrade: ");
    expect_part(result.err, instead);
    if (strchr(result.err, '\n') != strrchr(result.err, '\n'))
        fail_msg("more than one line: %s", result.err);
    assert_string_equal(result.out, "");
}

static void run_well(const char *database, const char *line)
{
    struct result result = kong(database, line);
    expect_exit(&result, 0);
}

static void test_finish_first(void **state)
{
    (void)state;
    refused("kong1.2", "finish --confirm kong1.2", 5, "run `up` first");
    refused("empty", "finish --confirm empty", 3, "`bootstrap`");
    refused("foreign", "finish --confirm foreign", 8, "not a Kong database");
    refused("ahead", "finish --confirm ahead", 8, "newer");
    refused("too-old", "finish --confirm too-old", 2, "0.14.1");
}

static void test_up_where_it_does_not_belong(void **state)
{
    (void)state;
    refused("empty", "up", 3, "`bootstrap`");
    refused("foreign", "up", 8, "not a Kong database");
    refused("ahead", "up", 8, "newer");
    refused("too-old", "up", 2, "0.14.1");
    struct result nothing = without_effect("kong1.3", "up", 0);
    expect_part(nothing.out, "nothing to do");
    nothing = without_effect("kong1.3", "finish --confirm kong1.3", 0);
    expect_part(nothing.out, "nothing to do");
    nothing = without_effect("kong1.3", "--json up", 0);
    json_t *json = json_loads(nothing.out, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(json, "result")), "nothing");
    json_decref(json);
}

static void test_bootstrap_where_something_is(void **state)
{
    (void)state;
    refused("kong1.2", "bootstrap", 5, "`up`");
    refused("foreign", "bootstrap", 8, "not a Kong database");
    refused("ahead", "bootstrap", 8, "newer");
    refused("too-old", "bootstrap", 2, "0.14.1");
    db_create("half", "kong1.2");
    run_well("half", "up");
    refused("half", "bootstrap", 4, "`finish`");
    struct result nothing = without_effect("kong1.3", "bootstrap", 0);
    expect_part(nothing.out, "nothing to do");
    nothing = without_effect("half", "up", 0);
    expect_part(nothing.out, "`finish`");
}

/* An upgrade to 1.2, say, that was never finished: its own finish comes first. */
static void test_pending_from_before(void **state)
{
    (void)state;
    db_create("before", "kong1.2");
    db_run("before", "UPDATE schema_meta SET pending = '{001_14_to_15}', executed = '{000_base_acl}', last_executed = '000_base_acl' WHERE subsystem = 'acl'");
    refused("before", "up", 4, "run `finish` first");
    refused("before", "-y up", 4, "run `finish` first");
    struct result result = kong("before", "finish --confirm before");
    expect_exit(&result, 0);
    expect_part(result.out, "go on with `up`");
    assert_string_equal(db_ask("before", "SELECT cache_key FROM acls"), db_ask("before", "SELECT format('acls:%s:g:::', consumer_id) FROM acls"));
    run_well("before", "up");
    run_well("before", "finish --confirm before");
    assert_string_equal(db_catalog("kong1.3"), db_catalog("before"));
}

/* `up` from 0.14 that ended between core and the plugins, found from a machine that has not its journal. Finishing now would take
 * from the old cluster what it needs. */
static void test_interrupted_elsewhere(void **state)
{
    (void)state;
    db_create("elsewhere", "kong1.2");
    run_well("elsewhere", "KONG_PLUGINS=off up");
    db_run("elsewhere", "UPDATE schema_meta SET pending = '{001_14_to_15}', executed = '{000_base_acl}', last_executed = '000_base_acl' WHERE subsystem = 'acl'");
    const char *other = text_printf("XDG_STATE_HOME=%s/other", harness.folder);
    refused("elsewhere", text_printf("%s finish --confirm elsewhere", other), 5, "run `up` first");
    run_well("elsewhere", text_printf("%s up", other));
    run_well("elsewhere", text_printf("%s finish --confirm elsewhere", other));
    assert_string_equal(db_catalog("kong1.3"), db_catalog("elsewhere"));
}

static void test_finish_wants_its_confirmation(void **state)
{
    (void)state;
    db_create("confirm", "kong1.2");
    run_well("confirm", "up");
    refused("confirm", "finish", 64, "--confirm confirm");
    refused("confirm", "-y finish", 64, "--confirm confirm");
    refused("confirm", "finish --confirm kong1.2", 7, "does not name the database");
    refused("confirm", "-y finish --confirm Confirm", 7, "does not name the database");
    refused("confirm", "finish --confirm=", 7, "does not name the database");
    run_well("confirm", "finish --confirm confirm");
}

static void test_dry_run(void **state)
{
    (void)state;
    db_create("dry", "kong1.2");
    struct result result = without_effect("dry", "up --dry-run", 0);
    expect_part(result.out, "nothing was changed");
    expect_part(result.out, "add column routes.headers jsonb");
    result = without_effect("empty", "bootstrap --dry-run", 0);
    expect_part(result.out, "create table services");
    assert_null(journal_newest("dry"));
    run_well("dry", "up");
    result = without_effect("dry", "finish --dry-run", 0);
    expect_part(result.out, "backfill upstreams.algorithm");
    result = without_effect("dry", "--json finish --confirm dry --dry-run", 0);
    json_t *json = json_loads(result.out, 0, NULL);
    assert_int_equal(json_array_size(json_object_get(json, "changes")), 1);
    json_decref(json);
    refused("empty", "up --dry-run", 3, "`bootstrap`");
}

static void test_wrong_usage(void **state)
{
    (void)state;
    refused("kong1.2", "up --sql", 64, "--sql does not go with up");
    refused("kong1.2", "status extra", 64, "extra");
    refused("kong1.2", "destroy", 64, "there is no command 'destroy'");
    refused("kong1.2", "bootstrap --to 9.9", 64, "9.9");
    refused("kong1.2", "finish --confirm", 64, "--help");
    refused("kong1.2", "--nonsense up", 64, "--help");
}

static void expect_change(const json_t *change, const char *phase)
{
    static const char *const texts[] = {"id", "subsystem", "migration", "phase", "kind", "lock"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_true(json_is_string(json_object_get(change, texts[i])));
    assert_true(json_is_boolean(json_object_get(change, "rewrite")) && json_is_boolean(json_object_get(change, "scan")));
    assert_true(json_is_integer(json_object_get(change, "rows")) && json_is_integer(json_object_get(change, "bytes")));
    json_t *correction = json_object_get(change, "correction"), *table = json_object_get(change, "table");
    assert_true(json_is_null(correction) || json_is_string(correction));
    assert_true(json_is_null(table) || json_is_string(table));
    assert_true(json_array_size(json_object_get(change, "sql")) > 0);
    if (phase != NULL)
        assert_string_equal(json_string_value(json_object_get(change, "phase")), phase);
    char *prefix = text_printf("%s/%s/", json_string_value(json_object_get(change, "subsystem")), json_string_value(json_object_get(change, "migration")));
    assert_int_equal(strncmp(json_string_value(json_object_get(change, "id")), prefix, strlen(prefix)), 0);
}

/* The ids in order, a line each. */
static char *plan_ids(const char *database, const char *line, const char *phase)
{
    struct result result = without_effect(database, line, 0);
    json_t *json = json_loads(result.out, 0, NULL), *change;
    assert_non_null(json);
    char *ids = text_printf("%s", "");
    size_t i;
    json_array_foreach(json_object_get(json, "changes"), i, change) {
        expect_change(change, phase);
        ids = text_printf("%s%s\n", ids, json_string_value(json_object_get(change, "id")));
    }
    json_decref(json);
    return ids;
}

static void test_plan(void **state)
{
    (void)state;
    assert_string_equal(plan_ids("kong1.2", "plan --json", "up"),
        "core/005_120_to_130/upstreams.algorithm\ncore/005_120_to_130/ca_certificates\n"
        "core/005_120_to_130/ca_certificates.ca_certificates_sync_tags_trigger\ncore/005_120_to_130/routes.headers\n"
        "core/005_120_to_130/services.client_certificate_id\ncore/005_120_to_130/services.services_fkey_client_certificate\n"
        "session/000_base_session/sessions\nsession/000_base_session/sessions.session_sessions_expires_idx\n");
    assert_string_equal(plan_ids("kong1.2", "plan --json --finish", "finish"), "");
    assert_string_equal(plan_ids("kong1.3", "plan --json", "up"), "");
    assert_true(strlen(plan_ids("empty", "plan --json", NULL)) > 5000);
    struct result result = without_effect("kong1.2", "plan", 0);
    expect_part(result.out, "8 changes to make, 2 migrations to record");
    expect_part(result.out, "C3: The trigger on ca_certificates");
    expect_part(result.out, "ACCESS EXCLUSIVE lock, short");
    refused("foreign", "plan", 8, "not a Kong database");
    refused("too-old", "plan", 2, "0.14.1");
    db_create("planned", "kong1.2");
    run_well("planned", "up");
    assert_string_equal(plan_ids("planned", "plan --json --finish", "finish"), "core/005_120_to_130/upstreams.algorithm.backfill\n");
    result = without_effect("planned", "plan --finish", 0);
    expect_part(result.out, "backfill upstreams.algorithm");
}

/* psql, in another time zone and with nothing on its search path, makes by what `plan --sql` printed the schema that `up` makes. */
static void run_printed_sql(const char *database, const char *line)
{
    struct result result = without_effect(database, line, 0);
    const char *file = text_printf("%s/plan.sql", harness.folder);
    text_save(file, text_printf("SET TimeZone = 'America/New_York'; SET search_path TO '';\n%s", result.out));
    db_psql(database, file);
}

static void by_hand(const char *database, const char *base)
{
    char *made = text_printf("%s-made", database);
    db_create(database, base);
    db_create(made, base);
    run_well(made, "up");
    run_printed_sql(database, "plan --sql");
    assert_string_equal(plan_ids(database, "plan --json", "up"), "");
    run_well(database, "up");
    assert_string_equal(db_catalog(made), db_catalog(database));
    assert_string_equal(db_meta(made), db_meta(database));
    run_printed_sql(database, "plan --sql --finish");
    run_well(database, text_printf("finish --confirm %s", database));
    run_well(made, text_printf("finish --confirm %s", made));
    assert_string_equal(db_catalog(made), db_catalog(database));
    assert_string_equal(db_rows(made), db_rows(database));
    db_drop(made);
    db_drop(database);
}

static void test_printed_sql(void **state)
{
    (void)state;
    by_hand("sql10", "kong1.0");
    by_hand("sql12", "kong1.2");
}

static void test_printed_sql_of_014(void **state)
{
    (void)state;
    if (!harness_have("kong-0.14.1-data.sql"))
        skip();
    db_create("kong014", NULL);
    db_load("kong014", harness_reference("kong-0.14.1-data.sql"));
    by_hand("sql014", "kong014");
}

/* Kong 1.0 and later have no APIs: what 0.14 routes by them would be gone. */
static void test_apis_must_be_routes_first(void **state)
{
    (void)state;
    if (!harness_have("kong-0.14.1-data.sql"))
        skip();
    db_create("apis", NULL);
    db_load("apis", harness_reference("kong-0.14.1-data.sql"));
    db_run("apis", "INSERT INTO apis (id, name, preserve_host) VALUES (md5('x')::uuid, 'old-api', true)");
    refused("apis", "up", 7, "`apis`");
    refused("apis", "up --dry-run", 7, "`apis`");
    db_run("apis", "DELETE FROM apis");
    run_well("apis", "up");
}

/* Someone else's column of that name. */
static void test_a_column_in_the_way(void **state)
{
    (void)state;
    db_create("inway", "kong1.2");
    db_run("inway", "ALTER TABLE routes ADD COLUMN headers text; UPDATE routes SET headers = 'mine'");
    struct result result = kong("inway", "up");
    expect_exit(&result, 7);
    expect_part(result.err, "routes.headers exists with type text");
    db_run("inway", "ALTER TABLE routes RENAME COLUMN headers TO my_headers");
    run_well("inway", "up");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finish_first),
        cmocka_unit_test(test_up_where_it_does_not_belong),
        cmocka_unit_test(test_bootstrap_where_something_is),
        cmocka_unit_test(test_pending_from_before),
        cmocka_unit_test(test_interrupted_elsewhere),
        cmocka_unit_test(test_finish_wants_its_confirmation),
        cmocka_unit_test(test_dry_run),
        cmocka_unit_test(test_wrong_usage),
        cmocka_unit_test(test_plan),
        cmocka_unit_test(test_printed_sql),
        cmocka_unit_test(test_printed_sql_of_014),
        cmocka_unit_test(test_apis_must_be_routes_first),
        cmocka_unit_test(test_a_column_in_the_way),
    };
    return harness_arguments(argc, argv) ? cmocka_run_group_tests(tests, setup, harness_teardown) : 64;
}
