/*
 * `status`: every stage that a database can be in, its exit code, its sentence and its JSON; and databases whose names and rows were
 * made to do harm to a terminal or to a parser.
 */
#include "core/base/utf8.h"
#include "core/migrations/legacy.h"
#include "tests/db/harness.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int setup(void **state)
{
    if (harness_setup(state) != 0)
        return -1;
    static const char *const versions[] = {"1.0", "1.1", "1.2", "1.3"};
    for (size_t i = 0; i < 4; i++) {
        const char *name = text_printf("kong%s", versions[i]);
        db_create(name, NULL);
        struct result result = kong(name, text_printf("bootstrap --to %s", versions[i]));
        expect_exit(&result, 0);
    }
    return 0;
}

static const char *member(const json_t *json, const char *key)
{
    const json_t *value = json_object_get(json, key);
    if (value == NULL)
        fail_msg("the JSON has no \"%s\"", key);
    return json_is_string(value) ? json_string_value(value) : NULL;
}

/* The JSON of `status` on that database; all that CLI.md promises of its shape is seen to. The caller decrefs. */
static json_t *status_json(const char *database, const char *environment, int exit_code, const char *stage)
{
    static const char *const members[] = {"database", "stage", "version", "target", "subsystems", "unknown_subsystems", "lock", "worker"};
    static const char *const lists[] = {"executed", "pending", "new", "missing"};
    struct result result = kong(database, text_printf("%s status --json", environment));
    expect_exit(&result, exit_code);
    json_error_t error;
    json_t *json = json_loads(result.out, 0, &error), *each;
    if (json == NULL)
        fail_msg("%s, line %d: %s", error.text, error.line, result.out);
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        assert_non_null(json_object_get(json, members[i]));
    const json_t *place = json_object_get(json, "database");
    assert_string_equal(member(place, "host"), "127.0.0.1");
    assert_int_equal(json_integer_value(json_object_get(place, "port")), harness.port);
    assert_string_equal(member(place, "name"), database);
    assert_non_null(member(place, "schema"));
    assert_non_null(member(place, "server_version"));
    assert_string_equal(member(json, "target"), "1.3");
    assert_true(json_is_array(json_object_get(json, "unknown_subsystems")));
    size_t i;
    json_array_foreach(json_object_get(json, "subsystems"), i, each) {
        assert_non_null(member(each, "name"));
        for (size_t list = 0; list < 4; list++)
            assert_true(json_is_array(json_object_get(each, lists[list])));
    }
    if (strcmp(member(json, "stage"), stage) != 0)
        fail_msg("stage %s, not %s: %s", member(json, "stage"), stage, result.out);
    return json;
}

static const json_t *subsystem(const json_t *json, const char *name)
{
    json_t *each;
    size_t i;
    json_array_foreach(json_object_get(json, "subsystems"), i, each)
        if (strcmp(member(each, "name"), name) == 0)
            return each;
    fail_msg("no subsystem %s", name);
    return NULL;
}

static void expect_list(const json_t *subsystem_json, const char *key, const char *names)
{
    json_t *each;
    size_t i;
    char *text = text_printf("%s", "");
    json_array_foreach(json_object_get(subsystem_json, key), i, each)
        text = text_printf("%s%s%s", text, i > 0 ? " " : "", json_string_value(each));
    assert_string_equal(text, names);
}

static void expect_version(const json_t *json, const char *version)
{
    const char *is = member(json, "version");
    if (version == NULL)
        assert_null(is);
    else
        assert_string_equal(is, version);
}

static void expect_text(const char *database, const char *line, int exit_code, const char *part)
{
    struct result result = kong(database, line);
    expect_exit(&result, exit_code);
    expect_part(result.out, part);
}

static void test_empty(void **state)
{
    (void)state;
    db_create("empty", NULL);
    json_t *json = status_json("empty", "", 3, "empty");
    expect_version(json, NULL);
    assert_true(json_is_null(json_object_get(json, "lock")));
    assert_true(json_is_null(json_object_get(json, "worker")));
    expect_list(subsystem(json, "core"), "new", "000_base 001_14_to_15 002_15_to_1 003_100_to_110 004_110_to_120 005_120_to_130");
    assert_int_equal(json_array_size(json_object_get(json, "subsystems")), 10);
    json_decref(json);
    json = status_json("empty", "KONG_PLUGINS=off", 3, "empty");
    assert_int_equal(json_array_size(json_object_get(json, "subsystems")), 1);
    json_decref(json);
    expect_text("empty", "status", 3, "`kong-upgrade bootstrap`");
    struct result quiet = kong("empty", "-q status");
    expect_exit(&quiet, 3);
    assert_string_equal(quiet.out, "");
}

/* What Kong's bootstrap leaves that died after making its bookkeeping, and what an extension brings along, is still empty. */
static void test_nearly_empty(void **state)
{
    (void)state;
    db_create("begun", NULL);
    db_run("begun", "CREATE TABLE schema_meta (key text, subsystem text, last_executed text, executed text[], pending text[], PRIMARY KEY (key, subsystem))");
    json_decref(status_json("begun", "", 3, "empty"));
    struct result result = kong("begun", "bootstrap");
    expect_exit(&result, 0);
    assert_string_equal(db_catalog("kong1.3"), db_catalog("begun"));
}

static void test_foreign(void **state)
{
    (void)state;
    db_create("foreign", NULL);
    db_run("foreign", "CREATE TABLE invoices (id int); CREATE TABLE schema_migrations (version text)");
    json_t *json = status_json("foreign", "", 8, "foreign");
    expect_version(json, NULL);
    json_decref(json);
    expect_text("foreign", "status", 8, "not a Kong database");
}

static void make_014(const char *database)
{
    db_create(database, NULL);
    db_run(database, "CREATE TABLE schema_migrations (id text PRIMARY KEY, migrations text[])");
    for (size_t i = 0; i < legacy_migration_count; i++)
        db_run(database, text_printf("INSERT INTO schema_migrations AS s VALUES ('%s', ARRAY['%s']) ON CONFLICT (id) DO UPDATE SET migrations = s.migrations || EXCLUDED.migrations",
                                     legacy_migrations[i].component, legacy_migrations[i].name));
}

static void test_legacy(void **state)
{
    (void)state;
    make_014("legacy");
    json_t *json = status_json("legacy", "", 5, "legacy_014");
    expect_version(json, "0.14");
    json_decref(json);
    expect_text("legacy", "status", 5, "Kong 0.14");
    db_create("too-old", "legacy");
    db_run("too-old", "UPDATE schema_migrations SET migrations = array_remove(migrations, '2018-05-17-173100_hash_on_cookie') WHERE id = 'core'");
    json = status_json("too-old", "", 2, "too_old");
    expect_version(json, NULL);
    json_decref(json);
    expect_text("too-old", "status", 2, "2018-05-17-173100_hash_on_cookie of core");
    db_run("legacy", "DELETE FROM schema_migrations WHERE id = 'datadog'");
    expect_text("legacy", "status", 2, "2017-06-09-160000_datadog_schema_changes of datadog");
}

static void test_upgradable(void **state)
{
    (void)state;
    static const struct {
        const char *database, *version, *new;
    } table[] = {
        {"kong1.0", "1.0", "003_100_to_110 004_110_to_120 005_120_to_130"},
        {"kong1.1", "1.1", "004_110_to_120 005_120_to_130"},
        {"kong1.2", "1.2", "005_120_to_130"},
    };
    for (size_t i = 0; i < 3; i++) {
        json_t *json = status_json(table[i].database, "", 5, "upgradable");
        expect_version(json, table[i].version);
        expect_list(subsystem(json, "core"), "new", table[i].new);
        expect_list(subsystem(json, "core"), "pending", "");
        expect_list(subsystem(json, "session"), "new", "000_base_session");
        expect_list(subsystem(json, "rate-limiting"), "new", i == 0 ? "003_10_to_112" : "");
        json_decref(json);
    }
    expect_text("kong1.2", "status", 5, "`kong-upgrade up`");
    expect_text("kong1.2", "status -v", 5, "004_110_to_120");
}

/* A 1.3 whose operator has just added plugins to kong.conf. */
static void test_a_plugin_just_loaded(void **state)
{
    (void)state;
    db_create("loaded", NULL);
    struct result result = kong("loaded", "KONG_PLUGINS=key-auth bootstrap");
    expect_exit(&result, 0);
    json_decref(status_json("loaded", "KONG_PLUGINS=key-auth", 0, "current"));
    json_t *json = status_json("loaded", "KONG_PLUGINS=key-auth,acl", 5, "upgradable");
    expect_version(json, "1.3");
    expect_list(subsystem(json, "acl"), "new", "000_base_acl 001_14_to_15");
    json_decref(json);
    expect_text("loaded", "KONG_PLUGINS=key-auth,acl status", 5, "Kong 1.3's, but for plugins that were loaded since: run `kong-upgrade up`");
    result = kong("loaded", "up");
    expect_exit(&result, 0);
    json_decref(status_json("loaded", "", 4, "pending"));
    expect_text("loaded", "status", 4, "`kong-upgrade finish` is what remains for them");
    result = kong("loaded", "finish --confirm loaded");
    expect_exit(&result, 0);
    json_decref(status_json("loaded", "", 0, "current"));
    assert_string_equal(db_catalog("kong1.3"), db_catalog("loaded"));
}

static void test_pending_and_current(void **state)
{
    (void)state;
    db_create("pending", "kong1.2");
    struct result result = kong("pending", "up");
    expect_exit(&result, 0);
    json_t *json = status_json("pending", "", 4, "pending");
    expect_version(json, "1.2");
    expect_list(subsystem(json, "core"), "pending", "005_120_to_130");
    expect_list(subsystem(json, "core"), "new", "");
    json_decref(json);
    expect_text("pending", "status", 4, "`kong-upgrade finish` is what remains");
    result = kong("pending", "finish --confirm pending");
    expect_exit(&result, 0);
    json = status_json("pending", "", 0, "current");
    expect_version(json, "1.3");
    expect_list(subsystem(json, "core"), "executed", "000_base 001_14_to_15 002_15_to_1 003_100_to_110 004_110_to_120 005_120_to_130");
    json_decref(json);
    expect_text("pending", "status", 0, "current");
}

static void test_pending_from_before(void **state)
{
    (void)state;
    db_create("before", "kong1.2");
    db_run("before", "UPDATE schema_meta SET pending = '{001_14_to_15}', executed = '{000_base_acl}', last_executed = '000_base_acl' WHERE subsystem = 'acl'");
    json_t *json = status_json("before", "", 4, "pending");
    expect_list(subsystem(json, "acl"), "pending", "001_14_to_15");
    expect_list(subsystem(json, "core"), "new", "005_120_to_130");
    json_decref(json);
    expect_text("before", "status", 4, "an earlier upgrade was never finished");
}

/* Recorded by `kong migrations up -f` out of order: what is listed before last_executed and is not recorded is missing, not new. */
static void test_missing(void **state)
{
    (void)state;
    db_create("missing", "kong1.2");
    db_run("missing", "UPDATE schema_meta SET executed = array_remove(executed, '003_100_to_110') WHERE subsystem = 'core'");
    json_t *json = status_json("missing", "", 5, "upgradable");
    expect_list(subsystem(json, "core"), "missing", "003_100_to_110");
    expect_list(subsystem(json, "core"), "new", "005_120_to_130");
    json_decref(json);
    db_run("missing", "UPDATE schema_meta SET executed = executed || '{000_base,000_base,NULL}', pending = NULL WHERE subsystem = 'core'");
    json_decref(status_json("missing", "", 5, "upgradable"));
}

static void test_ahead(void **state)
{
    (void)state;
    db_create("ahead", "kong1.3");
    db_run("ahead", "UPDATE schema_meta SET executed = executed || '{006_130_to_140}', last_executed = '006_130_to_140' WHERE subsystem = 'core'");
    json_t *json = status_json("ahead", "", 8, "ahead");
    expect_version(json, NULL);
    json_decref(json);
    expect_text("ahead", "status", 8, "006_130_to_140 of core");
}

static void test_another_schema(void **state)
{
    (void)state;
    db_create("schemas", NULL);
    struct result result = kong("schemas", "KONG_PG_SCHEMA=gateway bootstrap --to 1.2");
    expect_exit(&result, 0);
    json_decref(status_json("schemas", "KONG_PG_SCHEMA=gateway", 5, "upgradable"));
    json_t *json = status_json("schemas", "", 3, "empty");
    expect_part(member(json, "reason"), "pg_schema = gateway");
    json_decref(json);
    result = kong("schemas", "status");
    expect_part(result.out, "pg_schema = gateway");
    expect_part(result.out, "Stage      empty");
    assert_null(strstr(result.out, "`kong-upgrade bootstrap`"));
    result = kong("schemas", "plan");
    expect_exit(&result, 3);
    expect_part(result.err, "pg_schema = gateway");
    result = kong("schemas", "KONG_PG_SCHEMA=gateway up");
    expect_exit(&result, 0);
    assert_string_equal(db_ask("schemas", "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"), "0");
    db_run("schemas", "CREATE TABLE public.invoices (id int)");
    json = status_json("schemas", "", 8, "foreign");
    expect_part(member(json, "reason"), "pg_schema = gateway");
    json_decref(json);
}

static void test_custom_plugins(void **state)
{
    (void)state;
    db_create("custom", "kong1.3");
    db_run("custom", "INSERT INTO schema_meta VALUES ('schema_meta', 'my-plugin', '001', '{000,001}', '{}'), ('schema_meta', 'another', NULL, NULL, '{000}')");
    json_t *json = status_json("custom", "KONG_PLUGINS=bundled,my-plugin", 0, "current"), *unknown = json_object_get(json, "unknown_subsystems");
    assert_int_equal(json_array_size(unknown), 2);
    assert_string_equal(json_string_value(json_array_get(unknown, 0)), "another");
    assert_string_equal(json_string_value(json_array_get(unknown, 1)), "my-plugin");
    json_decref(json);
    expect_text("custom", "status", 0, "another (0 executed, 1 pending), my-plugin (2 executed)");
}

/* Nothing but printable text and newlines, and valid UTF-8. */
static void expect_harmless(const char *what, const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++) {
        bool control = (*c < ' ' && *c != '\n') || *c == 0x7F || (c[0] == 0xC2 && c[1] >= 0x80 && c[1] < 0xA0);
        bool direction = c[0] == 0xE2 && c[1] == 0x80 && (c[2] == 0xAE || c[2] == 0xAD);
        if (control || direction)
            fail_msg("%s has byte %02x at %zu: %.200s", what, *c, (size_t)(c - (const unsigned char *)text), text);
    }
    char *clean = utf8_clean(text);
    assert_string_equal(clean, text);
    free(clean);
}

static void expect_all_harmless(const char *database, const char *environment)
{
    static const char *const commands[] = {"status", "status -v", "status --json", "plan", "plan --sql", "plan --json", "up --dry-run", "report", "report --json", "conf", "conf --json"};
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        struct result result = kong(database, text_printf("%s %s", environment, commands[i]));
        assert_true(result.exit_code < 64);
        expect_harmless(commands[i], result.out);
        expect_harmless(commands[i], result.err);
        json_t *json = strstr(commands[i], "--json") != NULL && result.out[0] != '\0' ? json_loads(result.out, 0, NULL) : json_null();
        assert_non_null(json);
        json_decref(json);
    }
}

#define HOSTILE_SQL "E'\\x1b]0;owned\\x07\\x1b[2J\\u009b31m\\u202eabc\\r\\n\\t\\x7f%s%n'"

static void test_hostile_rows(void **state)
{
    (void)state;
    db_create("hostile", "kong1.2");
    db_run("hostile", "INSERT INTO schema_meta (key, subsystem) VALUES ('schema_meta', " HOSTILE_SQL "), ('schema_meta', repeat('x', 10000))");
    db_run("hostile", "INSERT INTO locks VALUES ('migrations', " HOSTILE_SQL " || repeat('y', 10000), now() + interval '1 hour')");
    expect_all_harmless("hostile", "");
    struct result result = kong("hostile", "up");
    expect_exit(&result, 9);
    expect_harmless("up", result.out);
    expect_harmless("up", result.err);
    db_run("hostile", "UPDATE schema_meta SET executed = executed || ARRAY[" HOSTILE_SQL "] WHERE subsystem = 'core'");
    expect_all_harmless("hostile", "");
    result = kong("hostile", "up");
    expect_exit(&result, 8);
    expect_harmless("up", result.err);
}

/* A server in SQL_ASCII hands out whatever bytes there are. */
static void test_invalid_utf8(void **state)
{
    (void)state;
    db_ask("postgres", "CREATE DATABASE ascii OWNER kong ENCODING 'SQL_ASCII' TEMPLATE template0");
    struct result result = kong("ascii", "bootstrap");
    expect_exit(&result, 0);
    db_run("ascii", "INSERT INTO schema_meta (key, subsystem) VALUES ('schema_meta', E'caf\\xe9 \\xff\\xfe')");
    db_run("ascii", "INSERT INTO locks VALUES ('migrations', E'\\xc3\\x28 \\xed\\xa0\\x80', now() + interval '1 hour')");
    expect_all_harmless("ascii", "");
}

/* Names of the database and of its schema: quoted wherever they go, on to the end of an upgrade. */
static void test_hostile_names(void **state)
{
    (void)state;
    const char *database = "k'o;n$(g)%s%n\\\x1b[31m", *environment = "KONG_PG_SCHEMA=Sch'em\"a;\x1b]0;x\x07$$%s";
    db_create(database, NULL);
    struct result result = kong(database, text_printf("%s bootstrap --to 1.2", environment));
    expect_exit(&result, 0);
    expect_harmless("bootstrap", result.out);
    expect_all_harmless(database, environment);
    result = kong(database, text_printf("%s up", environment));
    expect_exit(&result, 0);
    expect_harmless("up", result.out);
    result = kong(database, text_printf("%s --json finish --confirm %s", environment, database));
    expect_exit(&result, 0);
    expect_harmless("finish", result.out);
    expect_all_harmless(database, environment);
    result = kong(database, "status");
    expect_exit(&result, 3);
    expect_harmless("status", result.out);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_nearly_empty),
        cmocka_unit_test(test_foreign),
        cmocka_unit_test(test_legacy),
        cmocka_unit_test(test_upgradable),
        cmocka_unit_test(test_a_plugin_just_loaded),
        cmocka_unit_test(test_pending_and_current),
        cmocka_unit_test(test_pending_from_before),
        cmocka_unit_test(test_missing),
        cmocka_unit_test(test_ahead),
        cmocka_unit_test(test_another_schema),
        cmocka_unit_test(test_custom_plugins),
        cmocka_unit_test(test_hostile_rows),
        cmocka_unit_test(test_invalid_utf8),
        cmocka_unit_test(test_hostile_names),
    };
    return harness_arguments(argc, argv) ? cmocka_run_group_tests(tests, setup, harness_teardown) : 64;
}
