/* The check `drift`: silent on every schema that Kong or this program makes, on every step of the way; and what someone else has done is found. */
#include "tests/db/harness.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* The result of the check; json_decref frees `whole`. */
static json_t *look(const char *database, json_t **whole)
{
    struct result run = kong(database, "check drift --json");
    *whole = json_loads(run.out, 0, NULL);
    if (*whole == NULL)
        fail_msg("%s: %s%s", database, run.out, run.err);
    return json_array_get(json_object_get(*whole, "checks"), 0);
}

static void expect_silence(const char *database, const char *when)
{
    json_t *whole, *check = look(database, &whole);
    if (strcmp(json_string_value(json_object_get(check, "result")), "ok") != 0)
        fail_msg("%s, %s: %s", database, when, json_dumps(check, JSON_INDENT(1)));
    json_decref(whole);
}

static void expect_silence_all_the_way(const char *database)
{
    expect_silence(database, "before up");
    assert_int_equal(kong(database, "up -y -q").exit_code, 0);
    expect_silence(database, "after up");
    assert_int_equal(kong(database, text_printf("finish -q --confirm %s", database)).exit_code, 0);
    expect_silence(database, "after finish");
}

static void fresh_schemas_have_no_drift(void **state)
{
    (void)state;
    static const char *const versions[] = {"1.0", "1.1", "1.2", "1.3"};
    for (size_t i = 0; i < 4; i++) {
        const char *database = text_printf("fresh%zu", i);
        db_create(database, NULL);
        expect_silence(database, "empty");
        assert_int_equal(kong(database, text_printf("bootstrap -y -q --to %s", versions[i])).exit_code, 0);
        if (i < 3)
            expect_silence_all_the_way(database);
        else
            expect_silence(database, "fresh");
    }
}

/* Kong's own `up` drops a function, and leaves out indexes, otherwise than ours does. */
static void what_kongs_own_up_does_is_no_drift(void **state)
{
    (void)state;
    if (!harness_have("kong-0.14.1-data.sql"))
        skip();
    db_create("own", NULL);
    db_load("own", harness_reference("kong-0.14.1-data.sql"));
    assert_int_equal(kong("own", "up -y -q").exit_code, 0);
    db_run("own", "DROP FUNCTION upsert_ttl(text, uuid, text, text, timestamp without time zone);"
                  "DROP INDEX ratelimiting_metrics_pkey_new; DROP INDEX response_ratelimiting_metrics_pkey_new");
    expect_silence("own", "after Kong's own up");
}

static void databases_of_real_nodes_have_no_drift(void **state)
{
    (void)state;
    static const char *const dumps[] = {"kong-0.14.1-data.sql", "kong-1.0.4-data.sql", "kong-1.2.3-data.sql", "kong-1.2.3-data-wedged-up.sql"};
    for (size_t i = 0; i < 4; i++) {
        const char *database = text_printf("real%zu", i);
        if (!harness_have(dumps[i]))
            skip();
        db_create(database, NULL);
        db_load(database, harness_reference(dumps[i]));
        expect_silence_all_the_way(database);
    }
    db_create("half", NULL);
    db_load("half", harness_reference("kong-1.2.3-data-half-finish.sql"));
    expect_silence("half", "in the middle of finish");
    assert_int_equal(kong("half", "finish -q --confirm half").exit_code, 0);
    expect_silence("half", "after finish");
}

/* What is done to a fresh 1.2 or to one after `up`, what is said of it, and whether the remedy mends it. */
struct drift {
    const char *template, *sql, *severity, *evidence, *remedy;
    bool mends;
};

static const struct drift drifts[] = {
    {"t12", "ALTER TABLE routes DROP COLUMN name", "block", "column routes.name (text) is missing", "ADD COLUMN \"name\" text;", false},
    {"t12", "ALTER TABLE consumers DROP COLUMN custom_id", "block", "column consumers.custom_id (text) is missing", "ADD COLUMN \"custom_id\" text;", true},
    {"t12", "ALTER TABLE services ALTER COLUMN retries TYPE integer", "block", "column services.retries is integer, and should be bigint", "TYPE bigint USING", true},
    {"t12", "ALTER TABLE upstreams ALTER COLUMN created_at TYPE timestamp", "block", "and should be timestamp with time zone", "TYPE timestamp with time zone", true},
    {"t12", "DROP INDEX cluster_events_expire_at_idx", "block", "index cluster_events_expire_at_idx of table cluster_events is missing", "CREATE INDEX CONCURRENTLY", true},
    {"t12", "DROP INDEX plugins_name_idx; CREATE INDEX plugins_name_idx ON plugins (name) ; UPDATE pg_index SET indisvalid = false"
            " WHERE indexrelid = 'plugins_name_idx'::regclass", "block", "or was never built to its end", "plugins_name_idx", false},
    {"t12", "DROP TRIGGER routes_sync_tags_trigger ON routes", "block", "trigger routes_sync_tags_trigger of table routes is missing", "CREATE TRIGGER", true},
    {"t12", "DROP FUNCTION sync_tags() CASCADE", "block", "function sync_tags is missing", "CREATE", true},
    {"t12", "DROP TABLE ttls", "block", "table ttls is missing", "pg_dump --schema-only -t ttls", false},
    {"t12", "ALTER TABLE ratelimiting_metrics DROP CONSTRAINT ratelimiting_metrics_pkey", "block", "key ratelimiting_metrics_pkey of table ratelimiting_metrics is missing",
     "PRIMARY KEY", true},
    {"t12", "ALTER TABLE plugins DROP CONSTRAINT plugins_cache_key_key", "block", "key plugins_cache_key_key of table plugins is missing", "UNIQUE", true},
    {"t12", "ALTER TABLE upstreams DROP CONSTRAINT upstreams_name_key", "block", "the unique key (name) of table upstreams is missing",
     "ALTER TABLE \"public\".upstreams ADD CONSTRAINT", true},
    {"t12", "ALTER TABLE snis DROP CONSTRAINT snis_pkey", "block", "the primary key (id) of table snis is missing", "PRIMARY KEY USING INDEX", true},
    {"t12", "ALTER TABLE ttls DROP CONSTRAINT ttls_pkey; CREATE UNIQUE INDEX ON ttls (primary_key_value, table_name) WHERE primary_key_value <> ''", "block",
     "the primary key (primary_key_value, table_name) of table ttls is missing", "(primary_key_value, table_name);", false},
    {"up", "ALTER TABLE routes DROP COLUMN headers", "block", "column routes.headers (jsonb) is missing", "ADD COLUMN \"headers\" jsonb;", true},
    {"up", "ALTER TABLE services DROP CONSTRAINT services_client_certificate_id_fkey", "block", "foreign key of column client_certificate_id of table services is missing",
     "services_client_certificate_id_fkey", true},
    {"t12", "CREATE INDEX mine ON routes (name)", "inform", "index mine of table routes is not Kong's", "\\d \"public\".\"routes\"", false},
    {"t12", "ALTER TABLE consumers ADD COLUMN \"own Col\" text", "inform", "column own Col of table consumers is not Kong's", "\\d \"public\".\"consumers\"", false},
    {"t12", "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TRIGGER audit BEFORE UPDATE ON services FOR EACH ROW EXECUTE PROCEDURE f()",
     "inform", "trigger audit of table services is not Kong's", "\\d \"public\".\"services\"", false},
    {"t12", "CREATE TABLE \"acme Things\" (id uuid PRIMARY KEY, at timestamp); CREATE INDEX acme_idx ON \"acme Things\" (at)", "inform", "table acme Things is not Kong's",
     "\\d \"public\".\"acme Things\"", false},
};

static bool has_evidence(const json_t *check, const char *part)
{
    size_t i;
    json_t *each;
    json_array_foreach(json_object_get(check, "evidence"), i, each)
        if (strstr(json_string_value(each), part) != NULL)
            return true;
    return false;
}

static void run_as_owner(const char *database, const char *sql)
{
    PGconn *session = db_connect("postgres", database);   /* pg_index is the superuser's */
    PGresult *result = PQexec(session, sql);
    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        fail_msg("%s: %s", sql, PQerrorMessage(session));
    PQclear(result);
    PQfinish(session);
}

static void paste(const char *database, const char *remedy)
{
    const char *file = text_printf("%s/remedy.sql", harness.folder);
    text_save(file, text_printf("%s\n", remedy));
    db_psql(database, file);
}

/* Into psql, line by line, where Kong's schema is not the session's own; and no name in it is a command. */
static void a_remedy_can_be_pasted(void **state)
{
    (void)state;
    db_create("odd", NULL);
    assert_int_equal(kong("odd", "KONG_PG_SCHEMA=O\"dd bootstrap -y -q --to 1.2").exit_code, 0);
    db_run("odd", "SET search_path TO \"O\"\"dd\"; DROP INDEX plugins_name_idx; DROP INDEX cluster_events_expire_at_idx;"
                  "ALTER TABLE plugins DROP CONSTRAINT plugins_cache_key_key; CREATE INDEX mine ON plugins (name);"
                  "CREATE TABLE \"x\nDROP TABLE \"\"O\"\"\"\"dd\"\".tags; --\" (a int)");
    struct result run = kong("odd", "KONG_PG_SCHEMA=O\"dd check drift --json");
    json_t *whole = json_loads(run.out, 0, NULL), *check = json_array_get(json_object_get(whole, "checks"), 0);
    assert_true(has_evidence(check, "key plugins_cache_key_key of table plugins is missing"));
    paste("odd", json_string_value(json_object_get(check, "remedy")));
    json_decref(whole);
    run = kong("odd", "KONG_PG_SCHEMA=O\"dd check drift --json");
    whole = json_loads(run.out, 0, NULL);
    check = json_array_get(json_object_get(whole, "checks"), 0);
    assert_string_equal(json_string_value(json_object_get(check, "severity")), "inform");
    assert_int_equal(json_array_size(json_object_get(check, "evidence")), 2);
    json_decref(whole);
}

/* A database in SQL_ASCII hands out what is no UTF-8, too. */
static void strange_bytes_are_read(void **state)
{
    (void)state;
    db_ask("postgres", "CREATE DATABASE bytes OWNER kong TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'");
    assert_int_equal(kong("bytes", "bootstrap -y -q --to 1.2").exit_code, 0);
    db_run("bytes", "SET client_encoding = 'SQL_ASCII'; DO $$ BEGIN EXECUTE E'CREATE TABLE \"caf\\xe9\" (a int)'; END $$");
    json_t *whole, *check = look("bytes", &whole);
    assert_true(has_evidence(check, "table caf\xEF\xBF\xBD is not Kong's"));
    json_decref(whole);
    assert_int_equal(kong("bytes", "plan").exit_code, 0);
}

static void what_others_did_is_found(void **state)
{
    (void)state;
    db_create("t12", NULL);
    assert_int_equal(kong("t12", "bootstrap -y -q --to 1.2").exit_code, 0);
    db_create("up", "t12");
    assert_int_equal(kong("up", "up -y -q").exit_code, 0);
    for (size_t i = 0; i < sizeof drifts / sizeof drifts[0]; i++) {
        const struct drift *drift = &drifts[i];
        const char *database = text_printf("drift%zu", i);
        db_create(database, drift->template);
        run_as_owner(database, drift->sql);
        json_t *whole, *check = look(database, &whole);
        const char *remedy = json_string_value(json_object_get(check, "remedy"));
        if (strcmp(json_string_value(json_object_get(check, "result")), "found") != 0 || !has_evidence(check, drift->evidence) ||
            strcmp(json_string_value(json_object_get(check, "severity")), drift->severity) != 0 || remedy == NULL || strstr(remedy, drift->remedy) == NULL)
            fail_msg("%s: %s", drift->sql, json_dumps(check, JSON_INDENT(1)));
        if (drift->mends) {
            paste(database, remedy);
            expect_silence(database, drift->sql);
        }
        json_decref(whole);
        db_drop(database);
    }
}

/* 0.14 has recorded nothing that is known here, but `up` takes its columns for granted. */
static void a_column_that_014_should_have_is_missed(void **state)
{
    (void)state;
    if (!harness_have("kong-0.14.1-data.sql"))
        skip();
    db_create("legacy", NULL);
    db_load("legacy", harness_reference("kong-0.14.1-data.sql"));
    db_run("legacy", "ALTER TABLE consumers DROP COLUMN custom_id; CREATE INDEX mine ON routes (created_at)");
    json_t *whole, *check = look("legacy", &whole);
    assert_string_equal(json_string_value(json_object_get(check, "severity")), "block");
    assert_int_equal(json_array_size(json_object_get(check, "evidence")), 2);
    assert_true(has_evidence(check, "column consumers.custom_id (text) is missing"));
    assert_true(has_evidence(check, "index mine of table routes is not Kong's"));
    json_decref(whole);
}

/* What is new but not yet recorded, and what an interrupted run leaves, is no drift; a table that is gone is said once, not for all that was
 * on it; and of many tables of others some. */
static void what_is_none_of_it_is_not_said(void **state)
{
    (void)state;
    db_create("others", "t12");
    db_run("others", "ALTER TABLE routes ADD COLUMN headers jsonb; CREATE TABLE sessions (id uuid PRIMARY KEY);"
                     "ALTER TABLE plugins ADD COLUMN config_retype jsonb; CREATE UNIQUE INDEX acls_cache_key_key_new ON acls (cache_key)");
    expect_silence("others", "with what a run has left");
    run_as_owner("others", "DROP TABLE tags");
    json_t *whole, *check = look("others", &whole);
    assert_int_equal(json_array_size(json_object_get(check, "evidence")), 1);
    assert_true(has_evidence(check, "table tags is missing"));
    json_decref(whole);
    db_run("others", "DO $$ BEGIN FOR i IN 1..25 LOOP EXECUTE format('CREATE TABLE others_%s (id int)', i); END LOOP; END $$");
    check = look("others", &whole);
    assert_int_equal(json_array_size(json_object_get(check, "evidence")), 1 + 20 + 1);
    assert_true(has_evidence(check, "and 5 more"));
    json_decref(whole);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(fresh_schemas_have_no_drift), cmocka_unit_test(databases_of_real_nodes_have_no_drift),
        cmocka_unit_test(what_kongs_own_up_does_is_no_drift), cmocka_unit_test(what_others_did_is_found), cmocka_unit_test(a_remedy_can_be_pasted), cmocka_unit_test(strange_bytes_are_read),
        cmocka_unit_test(a_column_that_014_should_have_is_missed), cmocka_unit_test(what_is_none_of_it_is_not_said),
    };
    if (!harness_arguments(argc, argv))
        return 64;
    return cmocka_run_group_tests_name("drift", tests, harness_setup, harness_teardown);
}
