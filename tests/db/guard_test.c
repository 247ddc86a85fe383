/* The Admin API guard on a real database: what new nodes wrote, and what only 1.3 understands. */
#include "tests/db/harness.h"

#include "core/cluster/api_guard.h"
#include "core/db/pg.h"

#include <string.h>

#define NEW_NODE "11111111-2222-3333-4444-555555555555"
#define OLD_NODE "99999999-2222-3333-4444-555555555555"

static struct pg *connect_to(const char *database)
{
    struct error error = {0};
    struct datastore datastore = {.host = "127.0.0.1", .port = harness.port, .database = (char *)(uintptr_t)database, .user = "kong",
                                  .password = HARNESS_PASSWORD, .timeout_ms = 5000};
    struct pg *pg = pg_connect(&datastore, "test", 0, &error);
    if (pg == NULL)
        fail_msg("%s", error.message);
    return pg;
}

static struct api_guard look(const char *database, const char *node_id)
{
    struct names ids = {0};
    struct api_guard guard;
    struct error error = {0};
    struct pg *pg = connect_to(database);
    names_add(&ids, node_id);
    names_add(&ids, "no uuid'); DROP TABLE routes; --");
    names_add(&ids, "------------------------------------");   /* as long as one, and of its letters */
    names_add(&ids, "2f9c1f0e-7a51-4f0e-9d3b-6a3c8f1b2a1-");
    if (!api_guard_read(pg, &ids, &guard, &error))
        fail_msg("%s", error.message);
    pg_close(pg);
    names_free(&ids);
    return guard;
}

static void make(const char *database, bool up)
{
    db_create(database, NULL);
    struct result result = kong(database, "bootstrap --to 1.2 -y");
    expect_exit(&result, 0);
    db_run(database, "INSERT INTO services (id, name) VALUES (md5('s')::uuid, 's'); INSERT INTO routes (id, name, service_id) VALUES (md5('r')::uuid, 'r', md5('s')::uuid);"
                     " INSERT INTO upstreams (id, name, slots) VALUES (md5('u')::uuid, 'u', 10);"
                     " INSERT INTO plugins (id, name, config, enabled) VALUES (md5('p')::uuid, 'cors', '{}', true);"
                     " INSERT INTO cluster_events (id, node_id, at, expire_at, channel, data) VALUES (md5('e')::uuid, '" OLD_NODE "', now(), now() + interval '1 hour',"
                     " 'invalidations', 'routes:old')");
    if (up) {
        result = kong(database, "up -y");
        expect_exit(&result, 0);
    }
}

static void test_quiet(void **state)
{
    (void)state;
    make("quiet", true);
    struct api_guard guard = look("quiet", NEW_NODE);
    assert_true(api_guard_is_quiet(&guard));
    api_guard_free(&guard);
}

/* Before `up` its columns are not there. */
static void test_before_up(void **state)
{
    (void)state;
    make("before", false);
    struct api_guard guard = look("before", NEW_NODE);
    assert_true(api_guard_is_quiet(&guard));
    api_guard_free(&guard);
}

static void test_writes(void **state)
{
    (void)state;
    make("writes", true);
    db_run("writes", "INSERT INTO cluster_events (id, node_id, at, expire_at, channel, data) SELECT md5('n' || n)::uuid, '" NEW_NODE "', now() - n * interval '1 second',"
                     " now() + interval '1 hour', 'invalidations', CASE n WHEN 1 THEN 'routes:' || repeat('x', 10000) WHEN 2 THEN E'oauth2_tokens:\\x1b[2J'"
                     " WHEN 3 THEN 'keyauth_credentials:hunter2:::::' WHEN 4 THEN 'my_plugin:hunter2' WHEN 5 THEN 'hunted' ELSE 'plugins:' || n END"
                     " FROM generate_series(1, 30) n");
    struct api_guard guard = look("writes", NEW_NODE);
    assert_int_equal(guard.write_count, API_GUARD_WRITES);
    assert_string_equal(guard.writes[0].node_id, NEW_NODE);
    assert_int_equal(strlen(guard.writes[0].entity), 200);
    assert_false(guard.writes[0].maybe_plugin);
    assert_true(guard.writes[1].maybe_plugin);
    assert_string_equal(guard.writes[1].entity, "oauth2_tokens:\xE2\x80\xA6");   /* the token is in it */
    assert_string_equal(guard.writes[2].entity, "keyauth_credentials:\xE2\x80\xA6");
    assert_string_equal(guard.writes[3].entity, "my_plugin:\xE2\x80\xA6");
    assert_string_equal(guard.writes[4].entity, "hunted");
    assert_string_equal(guard.writes[5].entity, "plugins:6");
    assert_true(guard.writes[0].seconds_ago >= 1 && guard.writes[0].seconds_ago < 60);
    json_t *json = api_guard_json(&guard);
    assert_int_equal(json_array_size(json_object_get(json, "writes")), API_GUARD_WRITES);
    json_decref(json);
    api_guard_free(&guard);
    guard = look("writes", OLD_NODE);
    assert_int_equal(guard.write_count, 1);
    api_guard_free(&guard);
}

static void test_rows_of_1_3(void **state)
{
    (void)state;
    static const struct {
        const char *kind, *sql, *example;
    } cases[] = {
        {"routes.headers", "UPDATE routes SET headers = '{\"x\": [\"y\"]}'", "r"},
        {"upstreams.algorithm", "UPDATE upstreams SET algorithm = 'least-connections'", "u"},
        {"services.client_certificate_id", "INSERT INTO certificates (id, cert, key) VALUES (md5('c')::uuid, 'c', 'k');"
                                           " UPDATE services SET client_certificate_id = md5('c')::uuid", "s"},
        {"ca_certificates", "INSERT INTO ca_certificates (id, cert) VALUES (md5('a')::uuid, 'a')", NULL},
        {"plugins.session", "INSERT INTO plugins (id, name, config, enabled) VALUES (md5('q')::uuid, 'session', '{}', true)", "global"},
    };
    make("rows", true);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        db_run("rows", cases[i].sql);
        struct api_guard guard = look("rows", NEW_NODE);
        assert_int_equal(guard.row_count, i + 1);
        assert_string_equal(guard.rows[i].kind->id, cases[i].kind);
        assert_int_equal(guard.rows[i].count, 1);
        if (cases[i].example != NULL)
            assert_string_equal(guard.rows[i].examples.list[0], cases[i].example);
        api_guard_free(&guard);
    }
    db_run("rows", "INSERT INTO routes (id, name, headers) SELECT md5('m' || n)::uuid, 'm' || n, '{\"x\": [\"y\"]}' FROM generate_series(1, 40) n;"
                   " UPDATE routes SET headers = 'null' WHERE name = 'm1'; UPDATE routes SET headers = '{}' WHERE name = 'm2'");
    struct api_guard guard = look("rows", NEW_NODE);
    assert_int_equal(guard.rows[0].count, 39);
    assert_int_equal(guard.rows[0].examples.count, API_GUARD_EXAMPLES);
    api_guard_free(&guard);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quiet),
        cmocka_unit_test(test_before_up),
        cmocka_unit_test(test_writes),
        cmocka_unit_test(test_rows_of_1_3),
    };
    return harness_arguments(argc, argv) ? cmocka_run_group_tests(tests, harness_setup, harness_teardown) : 64;
}
