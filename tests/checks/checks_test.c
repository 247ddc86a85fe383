/* Every check provoked on a real server: it finds what is wrong, says who and what, and its remedy makes it well. */
#include "tests/checks/place.h"

#include "core/base/mem.h"
#include "core/db/lock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CLEAN NULL

static bool has_evidence(const struct check_result *result, const char *part)
{
    for (size_t i = 0; i < result->evidence.count; i++)
        if (strstr(result->evidence.list[i], part) != NULL)
            return true;
    print_error("%s: no evidence with '%s'\n", result->check->id, part);
    for (size_t i = 0; i < result->evidence.count; i++)
        print_error("  %s\n", result->evidence.list[i]);
    return false;
}

/* Nothing but `id` is found (or, for CLEAN, nothing at all), and what is true of an old server. */
static void expect_only(const struct check_results *results, const char *id)
{
    for (size_t i = 0; i < results->count; i++) {
        const struct check_result *each = &results->list[i];
        bool rewrites = strcmp(each->check->id, "server-version") == 0 && place_version() < 120000 && each->severity == CHECK_INFORMS;
        bool scram = strcmp(each->check->id, "authentication") == 0 && place_version() >= 140000 && each->severity == CHECK_INFORMS;
        bool here = strcmp(each->check->id, "openresty") == 0;   /* the host's own: whatever it is */
        bool meant = rewrites || scram || here || (id != NULL && strcmp(each->check->id, id) == 0);
        if (!meant && each->outcome != CHECK_OK)
            fail_msg("%s is %s: %s", each->check->id, check_outcome_name(each->outcome), each->evidence.count > 0 ? each->evidence.list[0] : "");
    }
}

/* Only that one is found, so severely, with that in its evidence. Returns its remedy, which the caller frees. */
static char *expect_found(const char *database, const char *const *environment, const char *id, enum check_severity severity, const char *part)
{
    struct check_results results;
    place_check(database, environment, &results);
    const struct check_result *result = place_find(&results, id);
    assert_string_equal(check_outcome_name(result->outcome), "found");
    assert_string_equal(check_severity_name(result->severity), check_severity_name(severity));
    assert_true(has_evidence(result, part));
    assert_non_null(result->remedy);
    expect_only(&results, id);
    char *remedy = mem_dup(result->remedy);
    check_results_free(&results);
    return remedy;
}

static void expect_clean(const char *database, const char *const *environment)
{
    struct check_results results;
    place_check(database, environment, &results);
    expect_only(&results, CLEAN);
    check_results_free(&results);
}

/* The remedy is SQL for a superuser, after which nothing is found. */
static void expect_remedy_works(const char *database, char *remedy, const char *const *environment)
{
    place_sql(database, remedy);
    free(remedy);
    expect_clean(database, environment);
}

static void expect_remedy(char *remedy, const char *part)
{
    if (strstr(remedy, part) == NULL)
        fail_msg("no '%s' in the remedy: %s", part, remedy);
    free(remedy);
}

static void test_clean(void **state)
{
    (void)state;
    struct check_results results;
    place_check("k12", NULL, &results);
    expect_only(&results, CLEAN);
    size_t count = 0;
    while (checks[count] != NULL)
        count++;
    assert_int_equal(results.count, count);
    for (size_t i = 0; i < count; i++) {
        assert_true(results.list[i].evidence.count > 0);
        assert_true((results.list[i].remedy != NULL) == (results.list[i].outcome == CHECK_FOUND));
        assert_ptr_equal(check_find(checks[i]->id), checks[i]);
    }
    assert_null(check_find("no-such-check"));
    check_results_free(&results);
    expect_clean("k10", NULL);
}

static void expect_no_connection(const char *const *environment, const char *part, const char *remedy_part)
{
    struct check_results results;
    place_check("k12", environment, &results);
    const struct check_result *result = &results.list[0];
    assert_string_equal(result->check->id, "connection");
    assert_true(has_evidence(result, part));
    assert_non_null(strstr(result->remedy, remedy_part));
    assert_null(strstr(result->remedy, "secret"));
    assert_int_equal(place_find(&results, "ownership")->outcome, CHECK_UNABLE);
    assert_int_equal(place_find(&results, "running-maintenance")->outcome, CHECK_UNABLE);
    assert_int_equal(place_find(&results, "privileges")->outcome, CHECK_UNABLE);
    assert_int_equal(place_find(&results, "configuration")->outcome, CHECK_OK);
    assert_int_equal(place_find(&results, "fleet")->outcome, CHECK_OK);
    check_results_free(&results);
}

static void test_connection(void **state)
{
    (void)state;
    static const char *const password[] = {"KONG_PG_PASSWORD=secret", NULL}, *const nobody[] = {"KONG_PG_PORT=1", NULL},
                      *const database[] = {"KONG_PG_DATABASE=no'where", NULL};
    expect_no_connection(password, "password authentication failed", "psql -h '127.0.0.1' -p ");
    expect_no_connection(nobody, "Connection refused", "-p 1 -U 'kong'");
    expect_no_connection(database, "does not exist", "-d 'no'\\''where'");
}

static void test_privileges(void **state)
{
    (void)state;
    static const char *const absent[] = {"KONG_PG_SCHEMA=not \"there", NULL};
    const char *database = place_database("k12", "postgres");
    place_sql(database, "REVOKE CREATE ON SCHEMA public FROM public");   /* as from 15 on by itself */
    char *remedy = expect_found(database, NULL, "privileges", CHECK_BLOCKS, "role kong lacks CREATE on schema public");
    assert_string_equal(remedy, "GRANT USAGE, CREATE ON SCHEMA \"public\" TO \"kong\";");
    expect_remedy_works(database, remedy, NULL);

    struct check_results results;
    place_sql(database, "REVOKE ALL ON SCHEMA public FROM public, kong");
    place_check(database, NULL, &results);
    assert_true(has_evidence(place_find(&results, "privileges"), "lacks USAGE and CREATE"));
    assert_true(has_evidence(place_find(&results, "stage"), "may not use the schema public"));
    assert_int_equal(place_find(&results, "stage")->outcome, CHECK_UNABLE);
    check_results_free(&results);

    database = place_database("template0", "postgres");
    place_check(database, absent, &results);
    const struct check_result *result = place_find(&results, "privileges");
    assert_true(has_evidence(result, "may not create schemas in database"));
    assert_string_equal(result->remedy, "CREATE SCHEMA \"not \"\"there\" AUTHORIZATION \"kong\";");
    place_sql(database, result->remedy);
    check_results_free(&results);
    place_check(database, absent, &results);
    assert_int_equal(place_find(&results, "privileges")->outcome, CHECK_OK);
    check_results_free(&results);
}

static void test_ownership(void **state)
{
    (void)state;
    const char *database = place_database("k12", "kong");
    place_sql(database, "ALTER TABLE consumers OWNER TO other");
    expect_clean(database, NULL);   /* nothing changes consumers any more */
    place_sql(database, "ALTER TABLE upstreams OWNER TO \"o\"\"ther\nrole\"; ALTER TABLE routes OWNER TO other; GRANT SELECT ON routes TO kong");
    char *remedy = expect_found(database, NULL, "ownership", CHECK_BLOCKS, "table upstreams belongs to role o\"ther\nrole, not to kong");
    assert_string_equal(remedy, "ALTER TABLE public.routes OWNER TO \"kong\";\nALTER TABLE public.upstreams OWNER TO \"kong\";");
    expect_remedy_works(database, remedy, NULL);
    place_sql(database, "ALTER TABLE routes OWNER TO other; GRANT other TO kong");
    expect_clean(database, NULL);   /* a member may do as the owner */
    place_sql(database, "REVOKE other FROM kong");

    database = place_database("k10", "kong");
    place_sql(database, "ALTER FUNCTION upsert_ttl OWNER TO other; ALTER TABLE schema_meta OWNER TO other; GRANT ALL ON schema_meta TO kong");
    remedy = expect_found(database, NULL, "ownership", CHECK_BLOCKS, "function upsert_ttl belongs to role other");
    expect_remedy_works(database, remedy, NULL);
}

/* Where schema_meta can't even be read, the rest is still looked at. */
static void test_unreadable_state(void **state)
{
    (void)state;
    const char *database = place_database("k12", "kong");
    struct check_results results;
    place_sql(database, "ALTER TABLE schema_meta OWNER TO other");
    place_check(database, NULL, &results);
    const struct check_result *result = &results.list[0];
    assert_string_equal(result->check->id, "ownership");
    assert_string_equal(result->remedy, "ALTER TABLE public.schema_meta OWNER TO \"kong\";");
    assert_true(has_evidence(place_find(&results, "stage"), "permission denied for "));
    assert_int_equal(place_find(&results, "long-transactions")->outcome, CHECK_OK);
    place_sql(database, result->remedy);
    check_results_free(&results);
    expect_clean(database, NULL);
}

static void test_statement_fails(void **state)
{
    (void)state;
    const char *database = place_database("k12", "kong");
    struct check_results results;
    place_sql(database, "REVOKE SELECT ON pg_catalog.pg_prepared_xacts FROM public");
    place_check(database, NULL, &results);
    const struct check_result *result = &results.list[0];
    assert_string_equal(result->check->id, "prepared-transactions");
    assert_int_equal(result->outcome, CHECK_UNABLE);
    assert_true(has_evidence(result, "permission denied"));
    expect_only(&results, "prepared-transactions");
    struct names acknowledged = {0};
    assert_true(check_is_open(result, &acknowledged));
    names_add(&acknowledged, "prepared-transactions");
    assert_false(check_is_open(result, &acknowledged));
    names_free(&acknowledged);
    check_results_free(&results);
}

/* As into psql: a statement a line, one after another in one session of a superuser's on that database. */
static void paste(const char *database, char *remedy)
{
    PGconn *session = place_session(database, "postgres");
    char *rest = NULL;
    for (char *line = strtok_r(remedy, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
        PGresult *result = PQexec(session, line);
        if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK)
            fail_msg("%s: %s", line, PQerrorMessage(session));
        PQclear(result);
    }
    PQfinish(session);
    free(remedy);
}

static void test_read_only(void **state)
{
    (void)state;
    const char *database = place_database("k12", "kong");
    for (size_t i = 0; i < 2; i++) {
        char sql[128];
        snprintf(sql, sizeof sql, "ALTER %s %s SET default_transaction_read_only = on", i == 0 ? "DATABASE" : "ROLE kong IN DATABASE", database);
        place_sql("postgres", sql);
        char *remedy = expect_found(database, NULL, "standby", CHECK_BLOCKS, "default_transaction_read_only is on");
        paste(database, remedy);
        expect_clean(database, NULL);
    }
    place_sql("postgres", "ALTER ROLE ALL SET default_transaction_read_only = on");
    char *everyone = expect_found(database, NULL, "standby", CHECK_BLOCKS, "(set for: global)");
    paste(database, everyone);
    expect_clean(database, NULL);
}

static void test_standby(void **state)
{
    (void)state;
    if (place_version() < 120000)
        skip();
    char port[32];
    snprintf(port, sizeof port, "KONG_PG_PORT=%d", place_standby());
    const char *const environment[] = {port, NULL};
    struct check_results results;
    place_check("postgres", environment, &results);
    place_standby_end();
    assert_string_equal(results.list[0].check->id, "standby");
    assert_true(has_evidence(&results.list[0], "is a standby (in recovery)"));
    check_results_free(&results);
}

static void test_connections(void **state)
{
    (void)state;
    const char *database = place_database("k12", "kong");
    char sql[128];
    snprintf(sql, sizeof sql, "ALTER DATABASE %s CONNECTION LIMIT 2", database);
    place_sql("postgres", sql);
    char *remedy = expect_found(database, NULL, "connections", CHECK_BLOCKS, "only 2 connections are free within the limit of database");
    expect_remedy_works(database, remedy, NULL);
    snprintf(sql, sizeof sql, "ALTER DATABASE %s CONNECTION LIMIT 4", database);
    place_sql("postgres", sql);
    free(expect_found(database, NULL, "connections", CHECK_WARNS, "only 4 connections are free"));
    place_sql("postgres", "ALTER ROLE kong CONNECTION LIMIT 1");
    snprintf(sql, sizeof sql, "ALTER DATABASE %s CONNECTION LIMIT -1", database);
    place_sql("postgres", sql);
    remedy = expect_found(database, NULL, "connections", CHECK_BLOCKS, "only 1 connection is free within the limit of role kong (1)");
    PGconn *last = place_session(database, "kong");
    struct check_results results;
    place_check(database, NULL, &results);
    assert_true(has_evidence(place_find(&results, "connection"), "too many connections for role"));
    assert_true(has_evidence(place_find(&results, "connection"), "CONNECTION LIMIT"));
    check_results_free(&results);
    PQfinish(last);
    expect_remedy_works(database, remedy, NULL);
    place_sql("postgres", "ALTER ROLE kong CONNECTION LIMIT -1");
}

static void test_stage(void **state)
{
    (void)state;
    static const char *const schema[] = {"KONG_PG_SCHEMA=elsewhere", NULL};
    const char *database = place_database("k12", "kong");
    place_sql(database, "CREATE SCHEMA elsewhere AUTHORIZATION kong");
    struct check_results results;
    place_check(database, schema, &results);
    assert_true(has_evidence(place_find(&results, "stage"), "schema public has: set pg_schema = public"));
    assert_int_equal(place_find(&results, "stage")->severity, CHECK_BLOCKS);
    check_results_free(&results);

    place_sql(database, "UPDATE schema_meta SET executed = array_remove(executed, '001_14_to_15'), pending = '{001_14_to_15}' WHERE subsystem = 'core'");
    expect_remedy(expect_found(database, NULL, "stage", CHECK_BLOCKS, "an earlier upgrade was never finished"), "kong-upgrade finish --confirm '");
    place_sql(database, "UPDATE schema_meta SET executed = executed || '{099_later}', pending = NULL WHERE subsystem = 'core'");
    place_check(database, NULL, &results);
    assert_true(has_evidence(place_find(&results, "stage"), "099_later"));
    assert_string_equal(results.list[0].check->id, "stage");
    check_results_free(&results);

    database = place_database("template0", "kong");
    expect_remedy(expect_found(database, NULL, "stage", CHECK_INFORMS, "there is nothing to upgrade"), "kong-upgrade bootstrap");
    place_sql(database, "CREATE TABLE shop (id int)");
    place_check(database, NULL, &results);
    assert_true(has_evidence(place_find(&results, "stage"), "not a Kong database"));
    check_results_free(&results);
}

static void test_legacy(void **state)
{
    (void)state;
    const char *database = place_database("k10", "kong");
    place_make_014(database);
    expect_clean(database, NULL);
    struct check_results results;
    place_check(database, NULL, &results);
    const struct check_result *result = place_find(&results, "server-version");
    assert_int_equal(result->outcome, place_version() < 120000 ? CHECK_FOUND : CHECK_OK);
    assert_true(has_evidence(result, place_version() < 120000 ? "rewrites table ratelimiting_metrics for a new column type" : "PostgreSQL "));
    check_results_free(&results);

    place_sql(database, "INSERT INTO apis (id, name, preserve_host) SELECT md5(random()::text)::uuid, 'api-' || to_char(n, '00'), true FROM generate_series(1, 25) n");
    place_check(database, NULL, &results);
    result = &results.list[0];
    assert_string_equal(result->check->id, "apis");
    assert_int_equal(result->severity, CHECK_BLOCKS);
    assert_int_equal(result->evidence.count, 21);
    assert_string_equal(result->evidence.list[0], "API api- 01");
    assert_string_equal(result->evidence.list[20], "and 5 more");
    assert_non_null(strstr(result->remedy, "curl -X DELETE http://127.0.0.1:1/apis/"));
    expect_only(&results, "apis");
    check_results_free(&results);
    place_sql(database, "DELETE FROM apis");

    place_sql(database, "INSERT INTO schema_migrations VALUES ('my-plugin', '{2018_init}')");
    expect_remedy(expect_found(database, NULL, "custom-migrations", CHECK_WARNS, "my-plugin has migrations of 0.14's form"), "kong migrations");
    place_sql(database, "DELETE FROM schema_migrations WHERE id = 'my-plugin'");

    place_sql(database, "UPDATE schema_migrations SET migrations = migrations[2:] WHERE id = 'core'");
    expect_remedy(expect_found(database, NULL, "stage", CHECK_BLOCKS, "older than Kong 0.14"), "kong migrations up");
}

static void test_duplicates(void **state)
{
    (void)state;
    const char *database = place_database("k10", "kong");
    place_make_014(database);
    place_sql(database, "INSERT INTO plugins (id, created_at, name, config, enabled) VALUES"
                        " ('00000000-0000-0000-0000-00000000000a', '2018-01-02', 'acl', '{}', true),"
                        " ('00000000-0000-0000-0000-00000000000b', '2018-01-01', 'acl', '{}', true),"
                        " ('00000000-0000-0000-0000-00000000000c', '2018-01-03', 'statsd', '{}', true)");
    char *remedy = expect_found(database, NULL, "duplicates", CHECK_BLOCKS, "acl: 2 plugins of the same route, service, consumer and API");
    assert_string_equal(remedy, "DELETE FROM \"public\".plugins WHERE id IN ('00000000-0000-0000-0000-00000000000a');");
    expect_remedy_works(database, remedy, NULL);

    /* What was found stays found where another part can't be looked at. */
    struct check_results results;
    place_sql(database, "INSERT INTO plugins (id, name, config, enabled) SELECT md5(n::text)::uuid, 'statsd', '{}', true FROM generate_series(1, 2) n;"
                        "ALTER TABLE ratelimiting_metrics OWNER TO other");
    place_check(database, NULL, &results);
    assert_int_equal(place_find(&results, "duplicates")->outcome, CHECK_FOUND);
    assert_int_equal(place_find(&results, "duplicates")->severity, CHECK_BLOCKS);
    assert_true(has_evidence(place_find(&results, "duplicates"), "permission denied for "));
    check_results_free(&results);
    place_sql(database, "ALTER TABLE ratelimiting_metrics OWNER TO kong; DELETE FROM plugins");

    place_sql(database, "INSERT INTO ratelimiting_metrics (identifier, period, period_date, api_id, value) VALUES"
                        " ('i', 'day', '2018-01-01', '00000000-0000-0000-0000-000000000000', 1),"
                        " ('i', 'day', '2018-01-01', '00000000-0000-0000-0000-000000000001', 1), ('i', 'day', '2018-01-02', DEFAULT, 1)");
    remedy = expect_found(database, NULL, "duplicates", CHECK_BLOCKS, "ratelimiting_metrics: 2 rows differ in api_id only, 1 keys");
    expect_remedy_works(database, remedy, NULL);
}

static void test_lock(void **state)
{
    (void)state;
    const char *database = place_database("k12", "kong");
    place_sql(database, "INSERT INTO locks VALUES ('migrations', '11111111-2222-3333-4444-555555555555', now() + interval '50 s')");
    expect_remedy(expect_found(database, NULL, "lock", CHECK_BLOCKS, "11111111-2222-3333-4444-555555555555) for another "), "FROM locks");
    place_sql(database, "UPDATE locks SET owner = '" LOCK_OWNER_PREFIX "root@there pid 1 x'");
    expect_remedy(expect_found(database, NULL, "lock", CHECK_WARNS, "no longer runs left the lock behind (kong-upgrade root@there pid 1 x)"), "kong-upgrade up");
    PGconn *worker = place_session(database, "kong");
    PQclear(PQexec(worker, "SELECT pg_advisory_lock(hashtext('kong-upgrade'), hashtext(current_schema()))"));
    expect_remedy(expect_found(database, NULL, "lock", CHECK_BLOCKS, "a worker of kong-upgrade holds the lock"), "kong-upgrade attach");
    place_sql(database, "UPDATE locks SET ttl = now() - interval '1 s'");
    expect_remedy(expect_found(database, NULL, "lock", CHECK_BLOCKS, "a worker of kong-upgrade runs"), "kong-upgrade attach");
    PQfinish(worker);
    usleep(100000);
    expect_clean(database, NULL);   /* an expired row is no lock */
}

static void test_unknown_plugins(void **state)
{
    (void)state;
    static const char *const loaded[] = {"KONG_PLUGINS=bundled,my-plugin", NULL};
    const char *database = place_database("k12", "kong");
    place_sql(database, "INSERT INTO plugins (id, name, config, enabled) VALUES (md5(random()::text)::uuid, 'my-plugin', '{}', true), (md5(random()::text)::uuid, 'key-auth', '{}', true)");
    expect_remedy(expect_found(database, NULL, "unknown-plugins", CHECK_WARNS, "my-plugin plugin is in use (1 row"), "plugins = bundled,my-plugin");
    expect_clean(database, loaded);
    place_sql(database, "INSERT INTO plugins (id, name, config, enabled) VALUES ('00000000-0000-0000-0000-00000000000a', 'galileo', '{}', true)");
    expect_remedy(expect_found(database, loaded, "unknown-plugins", CHECK_WARNS, "galileo plugin is in use"),
                  "curl -X DELETE http://127.0.0.1:1/plugins/00000000-0000-0000-0000-00000000000a");
    place_sql(database, "DELETE FROM plugins; INSERT INTO schema_meta (key, subsystem, last_executed, executed) VALUES ('schema_meta', 'my-plugin', '000_base', '{000_base}')");
    expect_remedy(expect_found(database, NULL, "custom-migrations", CHECK_WARNS, "my-plugin has migrations of its own"), "kong migrations");
}

static void test_transactions(void **state)
{
    (void)state;
    const char *database = place_database("k12", "kong");
    PGconn *node = place_session(database, "kong"), *idle = place_session(database, "kong");
    PQclear(PQexec(node, "SET application_name = 'pgmoon'"));
    PQclear(PQexec(node, "SELECT id, channel FROM cluster_events WHERE channel = 'invalidations'"));
    PQclear(PQexec(idle, "SET application_name = 'batch'; BEGIN"));
    PQclear(PQexec(idle, "SELECT * FROM routes WHERE name = 'a secret'"));
    expect_clean(database, NULL);   /* a moment of idleness is none */

    PGconn *hidden = place_session(database, "postgres");
    PQclear(PQexec(hidden, "BEGIN; SELECT * FROM upstreams"));
    char pid[64];
    snprintf(pid, sizeof pid, "SELECT pg_terminate_backend(%d);", PQbackendPID(hidden));
    char *remedy = expect_found(database, NULL, "long-transactions", CHECK_WARNS, "of role postgres holds a lock on upstreams");
    assert_string_equal(remedy, pid);
    expect_remedy_works(database, remedy, NULL);
    PQfinish(hidden);

    sleep(4);
    remedy = expect_found(database, NULL, "long-transactions", CHECK_WARNS, "(batch, role kong, from 127.0.0.1) has been in a transaction for ");
    struct check_results results;
    place_check(database, NULL, &results);
    assert_true(has_evidence(&results.list[0], "name = '\xE2\x80\xA6'"));
    assert_null(strstr(results.list[0].evidence.list[0], "secret"));
    check_results_free(&results);
    expect_remedy_works(database, remedy, NULL);
    PQfinish(idle);
    PQfinish(node);
}

static void test_prepared(void **state)
{
    (void)state;
    const char *database = place_database("k12", "kong");
    place_sql(database, "BEGIN; UPDATE routes SET name = 'x'; PREPARE TRANSACTION 'it''s mine'");
    char *remedy = expect_found(database, NULL, "prepared-transactions", CHECK_WARNS, "transaction 'it''s mine' of role postgres");
    expect_remedy_works(database, remedy, NULL);
}

static void test_maintenance(void **state)
{
    (void)state;
    const char *database = place_database("k12", "kong");
    place_sql(database, "INSERT INTO upstreams (id, name, slots) VALUES (md5(random()::text)::uuid, 'u', 100);"
                        "CREATE FUNCTION slow(text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(5); RETURN 'x'; END $$");
    PGconn *builder = place_session(database, "kong");
    PQsendQuery(builder, "CREATE INDEX builder ON upstreams (slow(name))");
    usleep(200000);
    expect_remedy(expect_found(database, NULL, "running-maintenance", CHECK_WARNS, "holds ShareLock on upstreams"), "SELECT pg_cancel_backend(");
    char *remedy = expect_found(database, NULL, "running-maintenance", CHECK_WARNS,
                                place_version() < 120000 ? "CREATE INDEX builder ON upstreams (slow(name))" : "CREATE INDEX builder ON upstreams (slow(name)) (building index");
    place_sql(database, remedy);
    free(remedy);
    PQclear(PQgetResult(builder));
    PQfinish(builder);
    expect_clean(database, NULL);
}

static void expect_pooler(int way)
{
    char port[32], remedy[64];
    snprintf(port, sizeof port, "KONG_PG_PORT=%d", place_relay(way));
    snprintf(remedy, sizeof remedy, "pg_host = 127.0.0.1\npg_port = %d", place_port());
    const char *const environment[] = {port, NULL};
    struct check_results results;
    place_check("k12", environment, &results);
    place_relay_end();
    assert_string_equal(results.list[0].check->id, "pgbouncer");
    assert_int_equal(results.list[0].severity, CHECK_BLOCKS);
    assert_true(has_evidence(&results.list[0], "a pooler is in between"));
    assert_string_equal(results.list[0].remedy, remedy);
    expect_only(&results, "pgbouncer");
    check_results_free(&results);
}

static void test_pooler(void **state)
{
    (void)state;
    expect_pooler(PLACE_POOLER);
    expect_pooler(PLACE_POOLER_LOCAL);
}

static void test_configuration(void **state)
{
    (void)state;
    static const char *const keepalive[] = {"KONG_UPSTREAM_KEEPALIVE=0", NULL}, *const custom[] = {"KONG_CUSTOM_PLUGINS=mine, yours", NULL};
    expect_remedy(expect_found("k12", keepalive, "configuration", CHECK_INFORMS, "upstream_keepalive is deprecated"), "nginx_http_upstream_keepalive = NONE");
    expect_remedy(expect_found("k12", custom, "configuration", CHECK_WARNS, "custom_plugins is ignored"), "plugins = bundled,mine, yours");
}

static void test_behaviour(void **state)
{
    (void)state;
    const char *database = place_database("k10", "kong");
    place_sql(database, "INSERT INTO services (id, name, read_timeout) VALUES (md5('s')::uuid, 's', 0);"
                        "INSERT INTO plugins (id, name, config, enabled) VALUES (md5('c')::uuid, 'cors', '{}', true), (md5('k')::uuid, 'key-auth', '{}', true)");
    free(expect_found(database, NULL, "behaviour", CHECK_INFORMS, "1 row of services (03c7c0ac"));
    free(expect_found(database, NULL, "behaviour", CHECK_INFORMS, "1 row of plugins (4a8a08f0"));
    expect_remedy(expect_found(database, NULL, "behaviour", CHECK_INFORMS, "authentication answers 401"), "SELECT * FROM plugins WHERE name = 'cors'");
    database = place_database("k12", "kong");
    place_sql(database, "INSERT INTO plugins (id, name, config, enabled) VALUES (md5('c')::uuid, 'cors', '{\"methods\": [\"GET\"]}', true), (md5('k')::uuid, 'key-auth', '{}', true)");
    expect_clean(database, NULL);
}

/* The server keeps what ALTER ROLE made of the password, and asks for that. */
/* What is pasted names Kong's tables in whichever schema they are, in a session that looks elsewhere. */
static void test_other_schema(void **state)
{
    (void)state;
    static const char *const environment[] = {"KONG_PG_SCHEMA=O\"dd S", NULL};
    const char *database = place_database("k10", "kong");
    place_sql(database, "INSERT INTO plugins (id, name, config, enabled) VALUES (md5('k')::uuid, 'cors', '{}', true);"
                        "ALTER SCHEMA public RENAME TO \"O\"\"dd S\"; CREATE SCHEMA public");
    paste(database, expect_found(database, environment, "behaviour", CHECK_INFORMS, "cors without methods"));
    place_sql(database, "DELETE FROM \"O\"\"dd S\".plugins; INSERT INTO \"O\"\"dd S\".locks (key, owner, ttl) VALUES ('migrations', 'someone', now() + interval '1 hour')");
    paste(database, expect_found(database, environment, "lock", CHECK_BLOCKS, "owner someone"));
}

/* No name in it ends a comment: the next line would be a command. */
static void test_names_in_comments(void **state)
{
    (void)state;
    const char *database = place_database("k12", "kong");
    place_sql(database, "INSERT INTO services (id, name, host, protocol, port) VALUES (md5('s')::uuid, 's', 'h', 'http', 80);"
                        "INSERT INTO routes (id, name, service_id, protocols, hosts, paths) VALUES (md5('1')::uuid, 'plain', md5('s')::uuid, '{http}', '{a.example.com}', '{/x}'),"
                        " (md5('2')::uuid, 'wild', md5('s')::uuid, '{http}', '{a.*}', '{/foo}'),"
                        " (md5('3')::uuid, E'old\nreboot', md5('s')::uuid, '{http}', NULL, '{/foo}')");
    char *remedy = expect_found(database, NULL, "router", CHECK_WARNS, "to wild in 1.3"), *rest = NULL;
    assert_non_null(strstr(remedy, "reboot"));
    for (char *line = strtok_r(remedy, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
        assert_true(line[0] == '#' || strncmp(line, "kong-upgrade routes", 19) == 0);
    free(remedy);
}

/* A remedy that goes to a node goes the way that the node is reached. */
static void test_far_node(void **state)
{
    (void)state;
    const char *database = place_database("k12", "kong");
    struct check_results results = {0};
    struct fleet fleet = {0};
    struct error error = {0};
    assert_true(fleet_add(&fleet, CLUSTER_OLD, "far", "ssh://nobody@127.0.0.1:1 http://127.0.0.1:8001", &error));
    place_sql(database, "INSERT INTO plugins (id, name, config, enabled) VALUES (md5('k')::uuid, 'unheard-of', '{}', true)");
    place_check_each(database, NULL, &fleet, NULL, check_results_take, &results);
    assert_non_null(strstr(place_find(&results, "unknown-plugins")->remedy, "ssh ssh://nobody@127.0.0.1:1 curl -X DELETE http://127.0.0.1:8001/plugins/8ce4b16b"));
    assert_true(has_evidence(place_find(&results, "nodes"), "old node far can't be asked: ssh://nobody@127.0.0.1:1"));
    check_results_free(&results);
    fleet_free(&fleet);
}

static void test_authentication(void **state)
{
    (void)state;
    struct check_results results;
    place_sql("postgres", "SET password_encryption = 'scram-sha-256'; CREATE ROLE scrambled LOGIN PASSWORD 'kong' IN ROLE kong;"
                          "SET password_encryption = 'md5'; CREATE ROLE digested LOGIN PASSWORD 'kong' IN ROLE kong");
    static const char *const scrambled[] = {"KONG_PG_USER=scrambled", NULL}, *const digested[] = {"KONG_PG_USER=digested", NULL};
    place_check("k12", scrambled, &results);
    const struct check_result *result = place_find(&results, "authentication");
    assert_int_equal(result->outcome, CHECK_FOUND);
    assert_int_equal(result->severity, CHECK_INFORMS);
    assert_true(has_evidence(result, "asks role scrambled for SCRAM"));
    assert_non_null(strstr(result->remedy, "ALTER ROLE \"scrambled\" PASSWORD '...'"));
    check_results_free(&results);
    place_check("k12", digested, &results);
    assert_int_equal(place_find(&results, "authentication")->outcome, CHECK_OK);
    check_results_free(&results);

    /* What was not heard is not denied. */
    char port[32];
    snprintf(port, sizeof port, "KONG_PG_PORT=%d", place_relay(PLACE_SINGLE));
    const char *const mute[] = {port, "KONG_PG_USER=scrambled", NULL};
    place_check("k12", mute, &results);
    place_relay_end();
    assert_int_equal(place_find(&results, "authentication")->outcome, CHECK_OK);
    assert_true(has_evidence(place_find(&results, "authentication"), "did not come to light"));
    check_results_free(&results);

    /* Where the server asks us otherwise than it asks nodes, only who may read how passwords are kept can tell. */
    char host[128];
    snprintf(host, sizeof host, "KONG_PG_HOST=%s", place_socket());
    const char *const local[] = {host, "KONG_PG_USER=scrambled", NULL}, *const superuser[] = {host, "KONG_PG_USER=chief", NULL};
    place_check("k12", local, &results);
    assert_int_equal(place_find(&results, "authentication")->outcome, CHECK_OK);
    assert_true(has_evidence(place_find(&results, "authentication"), "over a Unix socket is seen only by a superuser"));
    check_results_free(&results);
    place_sql("postgres", "SET password_encryption = 'scram-sha-256'; CREATE ROLE chief SUPERUSER LOGIN PASSWORD 'kong'");
    place_check("k12", superuser, &results);
    assert_true(has_evidence(place_find(&results, "authentication"), "asks role chief for SCRAM"));
    check_results_free(&results);
}

static void test_command(void **state)
{
    (void)state;
    const char *database = place_database("k12", "kong");
    struct buf output = {0};
    assert_int_equal(place_program(database, "check", &output), 0);
    assert_non_null(strstr(buf_text(&output), "0 blocking, 0 warnings, 0 ignored, 28 fine"));
    buf_clear(&output);
    assert_int_equal(place_program(database, "check -q", &output), 0);
    assert_string_equal(buf_text(&output), "");
    assert_int_equal(place_program(database, "check stage no-such", &output), 64);
    assert_non_null(strstr(buf_text(&output), "'no-such' is no check; there are connection, "));
    assert_int_equal(place_program(database, "check --ignore no-such", &output), 64);
    buf_clear(&output);

    place_sql(database, "INSERT INTO plugins (id, name, config, enabled) VALUES (md5(random()::text)::uuid, 'mine', '{}', true)");
    assert_int_equal(place_program(database, "check", &output), 6);
    assert_int_equal(place_program(database, "check stage", &output), 0);
    buf_clear(&output);
    assert_int_equal(place_program(database, "check --ignore unknown-plugins", &output), 0);
    assert_non_null(strstr(buf_text(&output), "Plugins that new nodes don't load (ignored)"));
    assert_non_null(strstr(buf_text(&output), "0 blocking, 0 warnings, 1 ignored, 27 fine"));
    buf_clear(&output);
    assert_int_equal(place_program(database, "check --ignore unknown-plugins -q", &output), 0);
    assert_string_equal(buf_text(&output), "");
    assert_int_equal(place_program(database, "report", &output), 0);
    assert_non_null(strstr(buf_text(&output), "acknowledged unknown-plugins (mine plugin is in use"));
    assert_null(strstr(strstr(buf_text(&output), "acknowledged unknown-plugins") + 1, "acknowledged unknown-plugins"));
    buf_clear(&output);

    place_sql(database, "ALTER TABLE routes OWNER TO other");
    assert_int_equal(place_program(database, "check --ignore unknown-plugins --ignore ownership", &output), 7);
    assert_non_null(strstr(buf_text(&output), "--ignore ownership has no effect"));
    assert_true(strstr(buf_text(&output), "ALTER TABLE public.routes OWNER TO \"kong\";") < strstr(buf_text(&output), "unknown-plugins"));
    buf_free(&output);
}

static void test_json(void **state)
{
    (void)state;
    const char *database = place_database("k12", "kong");
    struct buf output = {0};
    place_sql(database, "INSERT INTO plugins (id, name, config, enabled) VALUES (md5(random()::text)::uuid, E'm\\x1b[31mine', '{}', true)");
    assert_int_equal(place_program(database, "check --json", &output), 6);
    json_t *json = json_loads(buf_text(&output), 0, NULL), *list = json_object_get(json, "checks"), *first = json_array_get(list, 0);
    assert_int_equal(json_array_size(list), 28);
    assert_string_equal(json_string_value(json_object_get(first, "id")), "unknown-plugins");
    assert_string_equal(json_string_value(json_object_get(first, "severity")), "warn");
    assert_string_equal(json_string_value(json_object_get(first, "result")), "found");
    assert_string_equal(json_string_value(json_object_get(json_array_get(list, 27), "result")), "ok");
    static const char *const texts[] = {"title", "why", "remedy", "source"};
    for (size_t i = 0; i < 4; i++)
        assert_true(json_is_string(json_object_get(first, texts[i])));
    assert_true(json_is_null(json_object_get(json_array_get(list, 27), "remedy")));
    json_decref(json);
    buf_free(&output);
}

/* Names of 10,000 characters and with escape sequences: what is printed is printable, and no longer than it must be. */
static void test_hostile(void **state)
{
    (void)state;
    const char *database = place_database("k12", "kong");
    struct buf output = {0};
    place_sql(database, "INSERT INTO plugins (id, name, config, enabled) SELECT md5(random()::text)::uuid, E'\\x1b]0;x\\x07\\u009b31m\\u202e\\n' || n || repeat('w', 10000),"
                        " '{}', true FROM generate_series(1, 100) n;"
                        "INSERT INTO schema_meta (key, subsystem, executed) SELECT 'schema_meta', E'\\x1b[2J' || n || repeat('\xE2\x82\xAC', 3000), '{a}' FROM generate_series(1, 100) n;"
                        "INSERT INTO locks VALUES ('migrations', E'\\x1b[2J' || repeat('o', 10000), now() + interval '1 min')");
    assert_int_equal(place_program(database, "check -v", &output), 7);
    assert_true(output.length < 60000);
    for (size_t i = 0; i < output.length; i++)
        if ((unsigned char)output.data[i] < 0x20 && output.data[i] != '\n')
            fail_msg("byte %02x at %zu", (unsigned char)output.data[i], i);
    assert_null(strstr(output.data, "\xC2\x9B"));
    assert_null(strstr(output.data, "\xE2\x80\xAE"));
    assert_non_null(strstr(output.data, "and 80 more"));
    assert_int_equal(strlen(output.data), output.length);
    buf_free(&output);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clean), cmocka_unit_test(test_connection), cmocka_unit_test(test_privileges), cmocka_unit_test(test_ownership),
        cmocka_unit_test(test_unreadable_state), cmocka_unit_test(test_statement_fails), cmocka_unit_test(test_read_only), cmocka_unit_test(test_standby),
        cmocka_unit_test(test_connections), cmocka_unit_test(test_stage), cmocka_unit_test(test_legacy), cmocka_unit_test(test_duplicates),
        cmocka_unit_test(test_lock), cmocka_unit_test(test_unknown_plugins), cmocka_unit_test(test_transactions), cmocka_unit_test(test_prepared),
        cmocka_unit_test(test_maintenance), cmocka_unit_test(test_pooler), cmocka_unit_test(test_configuration), cmocka_unit_test(test_behaviour),
        cmocka_unit_test(test_other_schema), cmocka_unit_test(test_far_node), cmocka_unit_test(test_names_in_comments), cmocka_unit_test(test_authentication), cmocka_unit_test(test_command),
        cmocka_unit_test(test_json), cmocka_unit_test(test_hostile),
    };
    if (argc != 3) {
        fprintf(stderr, "usage: checks_test KONG-UPGRADE POSTGRES.SH\n");
        return 64;
    }
    place_arguments(argv[1], argv[2]);
    return cmocka_run_group_tests(tests, place_open, place_close);
}
