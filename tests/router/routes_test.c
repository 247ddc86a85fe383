/* `routes` on real databases, old schemas included, run as an operator would. */
#include "tests/db/harness.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* r1 `*.route.com` /path1 and r2 plain.route.com /path2: GET plain.route.com/path1 goes nowhere in 1.2, to r1 in 1.3. */
#define R1 "11111111-1111-4111-8111-111111111111"
#define R2 "22222222-2222-4222-8222-222222222222"
static const char pair[] =
    "INSERT INTO services (id, name, protocol, host, port) VALUES ('33333333-3333-4333-8333-333333333333', 'billing', 'http', 'h', 80);"
    "INSERT INTO routes (id, service_id, protocols, hosts, paths, created_at) VALUES"
    " ('" R1 "', '33333333-3333-4333-8333-333333333333', '{http,https}', '{*.route.com}', '{/path1}', '2019-01-01'),"
    " ('" R2 "', NULL, '{http,https}', '{plain.route.com}', '{/path2}', '2019-01-02')";

static void make(const char *name, const char *version, const char *sql)
{
    db_create(name, NULL);
    struct result result = kong(name, text_printf("bootstrap -q --to %s", version));
    expect_exit(&result, 0);
    if (sql != NULL)
        db_run(name, sql);
}

static json_t *parse(const struct result *result)
{
    json_error_t error;
    json_t *json = json_loads(result->out, 0, &error);
    if (json == NULL)
        fail_msg("%s: %s", error.text, result->out);
    return json;
}

static const char *winner(const json_t *json, size_t number, const char *key)
{
    const json_t *ids = json_object_get(json_array_get(json_object_get(json, "requests"), number), key);
    return json_array_size(ids) == 1 ? text_printf("%s", json_string_value(json_array_get(ids, 0))) : text_printf("%zu", json_array_size(ids));
}

static void test_all_requests(void **state)
{
    (void)state;
    static const char *const versions[] = {"1.0", "1.1", "1.2", "1.3"};
    for (size_t i = 0; i < 4; i++) {
        char *name = text_printf("all%zu", i), *before;
        make(name, versions[i], pair);
        before = db_rows(name);
        struct result result = kong(name, "routes");
        expect_exit(&result, 6);
        expect_part(result.out, "2 routes, ");
        expect_part(result.out, "no route");
        expect_part(result.out, R1 " (service billing)");
        expect_part(result.out, "turns all wildcards off");
        expect_part(result.out, "GET http://plain.route.com/path1");
        expect_part(result.out, "add a route whose plugin request-termination answers 404");
        assert_string_equal(result.err, "");
        result = kong(name, "routes --json");
        expect_exit(&result, 6);
        json_t *json = parse(&result), *first = json_array_get(json_object_get(json, "differences"), 0);
        assert_int_equal(json_integer_value(json_object_get(json, "routes")), 2);
        assert_true(json_integer_value(json_object_get(json, "tried")) > 4);
        assert_int_equal(json_array_size(json_object_get(first, "old")), 0);
        assert_string_equal(json_string_value(json_object_get(json_array_get(json_object_get(first, "new"), 0), "service")), "billing");
        assert_true(json_array_size(json_object_get(first, "requests")) > 0);
        json_decref(json);
        assert_string_equal(before, db_rows(name));
    }
}

static void test_no_difference(void **state)
{
    (void)state;
    make("same", "1.2", "INSERT INTO routes (id, protocols, hosts, created_at) VALUES ('" R1 "', '{http}', '{a.com}', now())");
    struct result result = kong("same", "routes");
    expect_exit(&result, 0);
    expect_part(result.out, "1 route, ");
    expect_part(result.out, "0 go elsewhere");
    result = kong("same", "routes -q");
    expect_exit(&result, 0);
    assert_string_equal(result.out, "");
    make("none", "1.2", NULL);
    result = kong("none", "routes --json");
    expect_exit(&result, 0);
    json_decref(parse(&result));
}

static void test_given_requests(void **state)
{
    (void)state;
    char *file = text_printf("%s/requests", harness.folder);
    make("given", "1.2", pair);
    text_save(file, "GET http://plain.route.com/path1\n\n# a comment\n  POST https://x.route.com:8443/path1/x?q  \r\nGET h/nothing");
    struct result result = kong("given", text_printf("routes --json --requests %s", file));
    expect_exit(&result, 6);
    json_t *json = parse(&result);
    assert_int_equal(json_array_size(json_object_get(json, "requests")), 3);
    assert_string_equal(winner(json, 0, "old"), "0");
    assert_string_equal(winner(json, 0, "new"), R1);
    assert_string_equal(winner(json, 1, "old"), R1);
    assert_string_equal(winner(json, 1, "new"), R1);
    assert_string_equal(winner(json, 2, "new"), "0");
    json_t *second = json_array_get(json_object_get(json, "requests"), 1);
    assert_true(json_is_false(json_object_get(second, "differs")));
    assert_string_equal(json_string_value(json_object_get(second, "url")), "https://x.route.com:8443/path1/x?q");
    json_decref(json);
    text_save(file, "GET http://x.route.com/path1\n");
    result = kong("given", text_printf("routes --requests %s", file));
    expect_exit(&result, 0);
    expect_part(result.out, "same");
}

/* A word with spaces can't go through the harness' line. */
static struct result ask(const char *database, const char *request)
{
    const char *const arguments[] = {harness.binary, "-c", harness.conf, "routes", "--request", request, NULL};
    const char *const environment[] = {text_printf("KONG_PG_DATABASE=%s", database), text_printf("HOME=%s", harness.folder),
                                       text_printf("XDG_STATE_HOME=%s", harness.state), "LC_ALL=C.UTF-8",
                                       text_printf("ASAN_OPTIONS=%s", getenv("ASAN_OPTIONS") != NULL ? getenv("ASAN_OPTIONS") : ""), NULL};
    struct process process = program_start(arguments, environment, NULL);
    return kong_wait(&process);
}

static void test_one_request(void **state)
{
    (void)state;
    make("one", "1.2", pair);
    struct result result = ask("one", "GET plain.route.com/path1");
    expect_exit(&result, 6);
    expect_part(result.out, "differs  GET http://plain.route.com/path1");
    expect_part(result.out, "to keep");
    result = ask("one", "GET plain.route.com/path2/x");
    expect_exit(&result, 0);
    result = ask("one", "GET gopher://plain.route.com/path2");
    expect_exit(&result, 64);
    expect_part(result.err, "scheme");
    result = ask("one", "nonsense");
    expect_exit(&result, 64);
}

static void test_wrong_requests(void **state)
{
    (void)state;
    char *file = text_printf("%s/wrong", harness.folder);
    make("wrong", "1.2", NULL);
    text_save(file, "GET http://a/\n\nGET http://b/ c\n");
    struct result result = kong("wrong", text_printf("routes --requests %s", file));
    expect_exit(&result, 1);
    expect_part(result.err, text_printf("%s, line 3: ", file));
    assert_string_equal(result.out, "");
    result = kong("wrong", "routes --requests /nowhere/to/be/found");
    expect_exit(&result, 1);
    expect_part(result.err, "/nowhere/to/be/found");
    result = kong("wrong", text_printf("routes --requests %s", harness.folder));
    expect_exit(&result, 1);
    result = kong("wrong", "routes superfluous");
    expect_exit(&result, 64);
    result = kong("wrong", "status --requests x");
    expect_exit(&result, 64);
}

static void test_no_routes_table(void **state)
{
    (void)state;
    db_create("empty", NULL);
    struct result result = kong("empty", "routes");
    expect_exit(&result, 1);
    expect_part(result.err, "no table routes");
}

/* What PostgreSQL's notation of arrays must quote, NULLs in and instead of them. */
static void test_values(void **state)
{
    (void)state;
    char *file = text_printf("%s/values", harness.folder);
    make("vals", "1.2",
         "INSERT INTO routes (id, name, protocols, paths, methods, created_at, regex_priority) VALUES"
         " ('" R1 "', 'r1', '{https}', ARRAY['/a{1,2}\"b\\d', '/NULL', '/c c', NULL], ARRAY['get', NULL], NULL, NULL),"
         " ('" R2 "', 'r2', '{http}', ARRAY['/\\(x\\)'], NULL, '2019-01-02', 9223372036854775807);"
         "INSERT INTO routes (id, created_at) VALUES ('33333333-3333-4333-8333-333333333333', '2019-01-02')");
    text_save(file, "GET h/aa\"b7\nGET h/NULL/x\nGET h/(x)\nPOST h/NULL\n");
    struct result result = kong("vals", text_printf("routes --json --requests %s", file));
    expect_exit(&result, 0);
    json_t *json = parse(&result);
    assert_string_equal(winner(json, 0, "new"), R1);
    assert_string_equal(winner(json, 1, "old"), R1);
    assert_string_equal(winner(json, 2, "new"), R2);
    assert_string_equal(winner(json, 3, "new"), "0");
    json_decref(json);
    result = kong("vals", "routes");
    expect_part(result.err, "route 33333333-3333-4333-8333-333333333333 has no hosts, paths, methods or snis");
}

static void test_headers(void **state)
{
    (void)state;
    make("heads", "1.3", "INSERT INTO routes (id, protocols, paths, headers, created_at) VALUES"
                         " ('" R1 "', '{http}', '{/a}', '{\"X-Version\": [\"2\"]}', '2019-01-01'), ('" R2 "', '{http}', '{/a}', NULL, '2019-01-02')");
    struct result result = ask("heads", "GET h/a");
    expect_exit(&result, 6);
    expect_part(result.out, "headers");
    result = kong("heads", "routes");
    expect_exit(&result, 6);
    db_run("heads", "UPDATE routes SET headers = '[1]' WHERE headers IS NOT NULL");
    result = kong("heads", "routes");
    expect_exit(&result, 1);
    expect_part(result.err, "route " R1 " has headers");
}

static void test_hostile(void **state)
{
    (void)state;
    make("hostile", "1.2",
         "INSERT INTO routes (id, name, protocols, hosts, paths, created_at) VALUES"
         " ('" R1 "', E'\\x1b[2Jname\\nline', '{http}', ARRAY[E'*.\\x1b]0;x\\x07.com', '*.route.com'], ARRAY[E'/\\x1b[31m', '/(a+)+$', '/p'], '2019-01-01'),"
         " ('" R2 "', repeat('n', 10000), '{http}', ARRAY['plain.route.com'], ARRAY['/' || repeat('a', 10000), '/(', '/q'], '2019-01-02')");
    struct result result = kong("hostile", "routes -v");
    expect_exit(&result, 6);
    assert_null(strchr(result.out, '\x1b'));
    assert_null(strstr(result.out, "name\nline"));
    expect_part(result.err, "is no regex that PCRE understands");
    assert_null(strchr(result.err, '\x1b'));
    result = kong("hostile", "routes --json");
    expect_exit(&result, 6);
    json_decref(parse(&result));
}

/* A database that does not know encodings holds bytes; Kong compares bytes. */
static void test_bytes(void **state)
{
    (void)state;
    db_ask("postgres", "CREATE DATABASE bytes OWNER kong TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'");
    struct result result = kong("bytes", "bootstrap -q --to 1.2");
    expect_exit(&result, 0);
    db_run("bytes", "SET client_encoding = 'SQL_ASCII';"
                    "INSERT INTO routes (id, name, protocols, hosts, paths, created_at) VALUES"
                    " ('" R1 "', E'r\\xff', '{http}', ARRAY['*.route.com'], ARRAY[E'/\\xff'], '2019-01-01'),"
                    " ('" R2 "', 'r2', '{http}', ARRAY['plain.route.com'], ARRAY['/x'], '2019-01-02')");
    result = kong("bytes", "routes");
    expect_exit(&result, 6);
    expect_part(result.out, R1);
    result = kong("bytes", "routes --json");
    expect_exit(&result, 6);
    json_decref(parse(&result));
}

static void test_reference(void **state)
{
    (void)state;
    static const char *const versions[] = {"0.14.1", "1.0.4", "1.2.3"};
    for (size_t i = 0; i < 3; i++) {
        char *dump = text_printf("kong-%s-data.sql", versions[i]), *name = text_printf("reference%zu", i);
        if (!harness_have(dump))
            skip();
        db_create(name, NULL);
        db_load(name, harness_reference(dump));
        struct result result = kong(name, "routes --json");
        assert_true(result.exit_code == 0 || result.exit_code == 6);
        json_t *json = parse(&result);
        assert_int_equal(json_integer_value(json_object_get(json, "routes")), atoi(db_ask(name, "SELECT count(*) FROM routes")));
        assert_int_equal(json_array_size(json_object_get(json, "differences")) > 0, result.exit_code == 6);
        json_decref(json);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_requests),   cmocka_unit_test(test_no_difference), cmocka_unit_test(test_given_requests),
        cmocka_unit_test(test_one_request),    cmocka_unit_test(test_wrong_requests), cmocka_unit_test(test_no_routes_table),
        cmocka_unit_test(test_values),         cmocka_unit_test(test_headers),       cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_bytes),          cmocka_unit_test(test_reference),
    };
    if (!harness_arguments(argc, argv))
        return 1;
    return cmocka_run_group_tests(tests, harness_setup, harness_teardown);
}
