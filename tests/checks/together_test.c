/*
 * One database with everything wrong that can be wrong at once: each check finds its own, with what it is about in its evidence. And the
 * databases that nothing is wrong with, of every release and at every stage: none finds anything.
 *
 * Not among them, since they exclude the rest or are not of the database: `connection` and `openresty` (checks_test.c, detect_test.c),
 * and `server-version`, which is about servers older than PostgreSQL 12.
 */
#include "tests/checks/place.h"

#include "core/base/mem.h"
#include "core/migrations/legacy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NEW_NODE "0a0a0a0a-0000-4000-8000-00000000000a"

/* A 0.14 whose upgrade to 1.0 was never finished, with rows that nothing of 1.3 can live with. */
static const char wrong_rows[] =
    "SET ROLE kong;"
    "UPDATE schema_meta SET executed = array_remove(executed, '001_14_to_15'), pending = '{001_14_to_15}' WHERE subsystem = 'core';"
    "CREATE TABLE schema_migrations (id text PRIMARY KEY, migrations varchar(100)[]);"
    "INSERT INTO schema_migrations VALUES ('my-plugin', '{2018_init}');"
    "INSERT INTO schema_meta (key, subsystem, last_executed, executed) VALUES ('schema_meta', 'acme-auth', '000_base', '{000_base}');"
    "INSERT INTO apis (id, name, preserve_host) VALUES (md5('api')::uuid, 'old-api', true);"
    "INSERT INTO locks VALUES ('migrations', '11111111-2222-3333-4444-555555555555', now() + interval '10 min');"
    "ALTER TABLE ratelimiting_metrics ADD api_id uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',"
    " DROP CONSTRAINT ratelimiting_metrics_pkey, ADD PRIMARY KEY (identifier, period, period_date, service_id, route_id, api_id);"
    "INSERT INTO ratelimiting_metrics (identifier, period, period_date, api_id, value) SELECT 'i', 'day', '2018-01-01', md5(n::text)::uuid, 1 FROM generate_series(1, 2) n;"
    "INSERT INTO ratelimiting_metrics (identifier, period, period_date, value) SELECT n::text, 'minute', '2018-01-01', 1 FROM generate_series(1, 12000) n;"
    "INSERT INTO plugins (id, name, config, enabled) SELECT md5(name || n)::uuid, name, '{}', true"
    " FROM (VALUES ('galileo', 1), ('acme-auth', 1), ('acl', 1), ('acl', 2), ('cors', 1), ('key-auth', 1)) p (name, n);"
    "INSERT INTO services (id, name, path, read_timeout) VALUES (md5('s')::uuid, 's', '/base/', 0);"
    "INSERT INTO routes (id, name, service_id, strip_path, created_at, regex_priority, protocols, paths) VALUES"
    " (md5('1')::uuid, 'exact', md5('s')::uuid, true, '2019-01-01', 0, '{http}', '{/route/fixture}'),"
    " (md5('2')::uuid, 'regex', md5('s')::uuid, true, '2019-01-02', 0, '{http}', '{/route/(fixture)}');"
    "INSERT INTO certificates (id, cert, key) VALUES (md5('c')::uuid, 'c', 'k');"
    /* What only 1.3 understands, and a write through one of its nodes. */
    "ALTER TABLE routes ADD COLUMN headers jsonb; UPDATE routes SET headers = '{\"x-beta\": [\"1\"]}' WHERE name = 'regex';"
    "INSERT INTO cluster_events (id, node_id, at, expire_at, channel, data) VALUES (md5('e')::uuid, '" NEW_NODE "', now(), now() + interval '1 h', 'invalidations', 'routes:beta');"
    /* Drift, and a table of more than 100 MB. */
    "CREATE INDEX mine ON routes (created_at); DROP INDEX plugins_name_idx;"
    "ALTER TABLE plugins ALTER config SET STORAGE EXTERNAL; UPDATE plugins SET config = jsonb_build_object('x', repeat('x', 110000000)) WHERE name = 'acme-auth';"
    "CREATE FUNCTION slow(text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(60); RETURN 'x'; END $$;"
    "RESET ROLE; ALTER TABLE upstreams OWNER TO other; GRANT ALL ON upstreams TO kong";

static const struct expectation {
    const char *id;
    enum check_severity severity;
    const char *evidence[5], *remedy;
} expectations[] = {
    {"pgbouncer", CHECK_BLOCKS, {"a pooler is in between"}, "pg_port = "},
    {"standby", CHECK_BLOCKS, {"default_transaction_read_only is on"}, "RESET default_transaction_read_only"},
    {"privileges", CHECK_BLOCKS, {"lacks CREATE on schema public"}, "GRANT USAGE, CREATE"},
    {"ownership", CHECK_BLOCKS, {"table upstreams belongs to role other"}, "ALTER TABLE public.upstreams OWNER TO"},
    {"connections", CHECK_WARNS, {"connections are free within the limit of database"}, "CONNECTION LIMIT"},
    {"stage", CHECK_BLOCKS, {"an earlier upgrade was never finished"}, "kong-upgrade finish --confirm"},
    {"drift", CHECK_BLOCKS, {"index plugins_name_idx of table plugins is missing", "index mine of table routes is not Kong's"}, "CREATE INDEX"},
    {"apis", CHECK_BLOCKS, {"API old-api"}, "/apis/"},
    {"lock", CHECK_BLOCKS, {"11111111-2222-3333-4444-555555555555) for another "}, "FROM locks"},
    {"custom-migrations", CHECK_WARNS, {"my-plugin has migrations of 0.14's form", "acme-auth has migrations of its own"}, "kong migrations"},
    {"custom-plugins", CHECK_WARNS, {"acme-auth does not come with Kong"}, "kong start"},
    {"unknown-plugins", CHECK_WARNS, {"acme-auth plugin is in use (1 row", "galileo plugin is in use"}, "curl -X DELETE"},
    {"duplicates", CHECK_BLOCKS, {"acl: 2 plugins of the same route, service, consumer and API", "ratelimiting_metrics: 2 rows differ in api_id only"}, "DELETE FROM"},
    {"long-transactions", CHECK_WARNS, {"of role postgres holds a lock on routes"}, "pg_terminate_backend"},
    {"prepared-transactions", CHECK_WARNS, {"transaction 'forgotten' of role postgres"}, "ROLLBACK PREPARED"},
    {"running-maintenance", CHECK_WARNS, {"holds ShareLock on certificates"}, "pg_cancel_backend"},
    {"authentication", CHECK_INFORMS, {"asks role together for SCRAM"}, "PASSWORD"},
    {"behaviour", CHECK_INFORMS, {"cors without methods", "401 instead of 403", "a timeout of 0", "an extra `/`", "1.0's Admin API writes foreign keys"}, "SELECT * FROM"},
    {"router", CHECK_WARNS, {"/route/fixture goes to exact in 1.2"}, "kong-upgrade routes"},
    {"old-counters", CHECK_INFORMS, {"ratelimiting_metrics: 12"}, "DELETE FROM"},
    {"configuration", CHECK_WARNS, {"custom_plugins is ignored", "upstream_keepalive is deprecated", "after 100 requests, or 60s idle"}, "nginx_http_upstream_keepalive = 10"},
    {"cost", CHECK_INFORMS, {"the heaviest table is plugins"}, "kong-upgrade plan"},
    {"nodes", CHECK_WARNS, {"old-1 runs Kong 0.14.0", "new node new-2 runs Kong 1.2.3, not 1.3", "new node new-3 uses another database"}, "curl http://127.0.0.1:"},
    {"admin-api", CHECK_WARNS, {"node " NEW_NODE " of the new cluster wrote invalidations at ", "routes:beta", "routes that match by headers (regex)"}, "admin_listen = off"},
};

static void expect(const struct check_results *results, const struct expectation *expected)
{
    const struct check_result *result = place_find(results, expected->id);
    struct buf all = {0};
    for (size_t i = 0; i < result->evidence.count; i++)
        buf_addf(&all, "%s\n", result->evidence.list[i]);
    if (result->outcome != CHECK_FOUND || result->severity != expected->severity)
        fail_msg("%s: %s, %s\n%s", expected->id, check_outcome_name(result->outcome), check_severity_name(result->severity), buf_text(&all));
    for (size_t i = 0; i < 5 && expected->evidence[i] != NULL; i++)
        if (strstr(buf_text(&all), expected->evidence[i]) == NULL)
            fail_msg("%s: no '%s' in\n%s", expected->id, expected->evidence[i], buf_text(&all));
    if (result->remedy == NULL || strstr(result->remedy, expected->remedy) == NULL)
        fail_msg("%s: no '%s' in the remedy: %s", expected->id, expected->remedy, result->remedy != NULL ? result->remedy : "(none)");
    buf_free(&all);
}

static void sql(const char *format, const char *database)
{
    char *text = mem_printf(format, database);   /* NOLINT: a literal of this file */
    place_sql("postgres", text);
    free(text);
}

/* Sessions and settings that are in the way; ended by sessions_end. */
static PGconn *reader, *builder;

static void spoil(const char *database)
{
    place_sql(database, wrong_rows);
    place_sql(database, "BEGIN; UPDATE consumers SET username = 'x'; PREPARE TRANSACTION 'forgotten'");
    builder = place_session(database, "kong");
    PQsendQuery(builder, "CREATE INDEX builder ON certificates (slow(cert))");
    reader = place_session(database, "postgres");
    PQclear(PQexec(reader, "BEGIN; SELECT * FROM routes"));
    place_sql("postgres", "SET password_encryption = 'scram-sha-256'; CREATE ROLE together LOGIN PASSWORD 'kong' IN ROLE kong");
    place_sql(database, "REVOKE CREATE ON SCHEMA public FROM public");
    sql("ALTER DATABASE %s OWNER TO postgres", database);
    sql("ALTER DATABASE %s CONNECTION LIMIT 6", database);
    sql("ALTER DATABASE %s SET default_transaction_read_only = on", database);
    usleep(200000);
}

static void spoil_end(const char *database)
{
    PQfinish(reader);
    sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '%s' AND pid <> pg_backend_pid()", database);
    PQfinish(builder);
    place_relay_end();
    place_nodes_end();
}

static void test_everything_at_once(void **state)
{
    (void)state;
    struct check_results results = {0};
    struct fleet fleet = {0}, nobody = {0};
    char port[32];
    const char *database = place_database("k10", "kong");
    spoil(database);
    snprintf(port, sizeof port, "KONG_PG_PORT=%d", place_relay(PLACE_POOLER));
    const char *const environment[] = {port, "KONG_PG_USER=together", "KONG_CUSTOM_PLUGINS=acme-auth", "KONG_UPSTREAM_KEEPALIVE=10", NULL};
    place_node(&fleet, CLUSTER_OLD, "old-1", "0.14.0", "0b0b0b0b-0000-4000-8000-00000000000b", database);
    place_node(&fleet, CLUSTER_NEW, "new-1", "1.3.0", NEW_NODE, database);
    place_node(&fleet, CLUSTER_NEW, "new-2", "1.2.3", "0c0c0c0c-0000-4000-8000-00000000000c", database);
    place_node(&fleet, CLUSTER_NEW, "new-3", "1.3.0", "0d0d0d0d-0000-4000-8000-00000000000d", "another");
    place_check_each(database, environment, &fleet, NULL, check_results_take, &results);
    for (size_t i = 0; i < sizeof expectations / sizeof expectations[0]; i++)
        expect(&results, &expectations[i]);

    /* Whoever adds a check adds what makes it fire. */
    for (size_t i = 0; i < results.count; i++) {
        static const char *const elsewhere[] = {"connection", "openresty", "server-version", "fleet"};
        bool known = false;
        for (size_t j = 0; j < sizeof expectations / sizeof expectations[0]; j++)
            known = known || strcmp(expectations[j].id, results.list[i].check->id) == 0;
        for (size_t j = 0; j < sizeof elsewhere / sizeof elsewhere[0]; j++)
            known = known || strcmp(elsewhere[j], results.list[i].check->id) == 0;
        if (!known)
            fail_msg("nothing here is wrong for %s", results.list[i].check->id);
    }
    check_results_free(&results);
    place_check_each(database, environment, &nobody, NULL, check_results_take, &results);
    static const struct expectation no_fleet = {"fleet", CHECK_INFORMS, {"no old node is known", "no new node is known"}, "[old]\nnode = "};
    expect(&results, &no_fleet);
    check_results_free(&results);
    fleet_free(&fleet);
    spoil_end(database);
}

/* What is true of any server or host that this may run on. */
static bool is_of_the_place(const struct check_result *result)
{
    const char *id = result->check->id;
    return result->severity == CHECK_INFORMS && ((strcmp(id, "server-version") == 0 && place_version() < 120000) || strcmp(id, "authentication") == 0 || strcmp(id, "openresty") == 0);
}

static void expect_clean(const char *database, const char *when)
{
    struct check_results results = {0};
    struct fleet fleet = {0};
    place_node(&fleet, CLUSTER_OLD, "old-1", "1.2.3", "0b0b0b0b-0000-4000-8000-00000000000b", database);
    place_node(&fleet, CLUSTER_NEW, "new-1", "1.3.0", NEW_NODE, database);
    place_check_each(database, NULL, &fleet, NULL, check_results_take, &results);
    for (size_t i = 0; i < results.count; i++)
        if (results.list[i].outcome != CHECK_OK && !is_of_the_place(&results.list[i]))
            fail_msg("%s: %s is %s: %s", when, results.list[i].check->id, check_outcome_name(results.list[i].outcome), results.list[i].evidence.list[0]);
    check_results_free(&results);
    fleet_free(&fleet);
    place_nodes_end();
}

static void run(const char *database, const char *format)
{
    struct buf output = {0};
    char *arguments = mem_printf(format, database);   /* NOLINT: a literal of this file */
    if (place_program(database, arguments, &output) != 0)
        fail_msg("%s: %s", arguments, buf_text(&output));
    free(arguments);
    buf_free(&output);
}

/* Entities as there are in any Kong, which nothing is wrong with. */
static const char some_rows[] =
    "INSERT INTO services (id, name, protocol, host, port) VALUES (md5('s')::uuid, 's', 'http', 'h', 80);"
    "INSERT INTO routes (id, service_id, created_at, regex_priority, protocols, hosts, paths, strip_path, preserve_host) VALUES"
    " (md5('r')::uuid, md5('s')::uuid, '2019-01-01', 0, '{http,https}', '{a.com}', '{/a}', true, false),"
    " (md5('q')::uuid, md5('s')::uuid, '2019-01-02', 0, '{http,https}', '{b.com}', '{/b}', true, false);"
    "INSERT INTO consumers (id, username) VALUES (md5('c')::uuid, 'c'); INSERT INTO upstreams (id, name, slots) VALUES (md5('u')::uuid, 'u', 100);"
    "INSERT INTO plugins (id, name, config, enabled) VALUES (md5('p')::uuid, 'rate-limiting', '{\"minute\": 5}', true);"
    "INSERT INTO ratelimiting_metrics (identifier, period, period_date, value) VALUES ('i', 'minute', now(), 1)";

static void test_nothing_anywhere(void **state)
{
    (void)state;
    static const char *const releases[] = {"1.0", "1.1", "1.2"};
    const char *database = place_database("k10", "kong");
    place_make_014(database);
    place_sql(database, some_rows);
    expect_clean(database, "0.14");
    for (size_t i = 0; i < sizeof releases / sizeof releases[0]; i++) {
        char *when = mem_printf("%s after up", releases[i]), *bootstrap = mem_printf("bootstrap -q -y --to %s", releases[i]);
        database = place_database("template0", "kong");
        run(database, bootstrap);
        place_sql(database, some_rows);
        expect_clean(database, releases[i]);
        run(database, "up -q -y");
        expect_clean(database, when);
        run(database, "finish -q --confirm %s");
        expect_clean(database, "after finish");
        free(bootstrap);
        free(when);
    }
    database = place_database("template0", "kong");
    run(database, "bootstrap -q -y");
    expect_clean(database, "1.3");
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_everything_at_once), cmocka_unit_test(test_nothing_anywhere)};
    if (argc != 3) {
        fprintf(stderr, "usage: together_test KONG-UPGRADE POSTGRES.SH\n");
        return 64;
    }
    place_arguments(argv[1], argv[2]);
    return cmocka_run_group_tests(tests, place_open, place_close);
}
