/* Checks that compare: routes under both routers, counters that are of no use any more, and what is installed on a host. */
#include "tests/checks/place.h"

#include "core/base/mem.h"
#include "core/checks/look.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

static void expect_ok(const struct check_result *result, const char *part)
{
    assert_string_equal(check_outcome_name(result->outcome), "ok");
    assert_true(has_evidence(result, part));
    assert_null(result->remedy);
}

static void expect_found(const struct check_result *result, enum check_severity severity, const char *part, const char *remedy)
{
    assert_string_equal(check_outcome_name(result->outcome), "found");
    assert_string_equal(check_severity_name(result->severity), check_severity_name(severity));
    assert_true(has_evidence(result, part));
    if (result->remedy == NULL || strstr(result->remedy, remedy) == NULL)
        fail_msg("no '%s' in the remedy: %s", remedy, result->remedy != NULL ? result->remedy : "(none)");
}

/* Of router.md's examples: with the same path, the plain one in 1.2, the regex in 1.3. */
#define ROUTE(id_, name_, columns_, values_) \
    "INSERT INTO routes (id, name, created_at, regex_priority, protocols, " columns_ ") VALUES (md5('" id_ "')::uuid, " name_ \
    ", '2019-01-01 00:00:0" id_ "', 0, '{http}', " values_ ");"

static void test_router(void **state)
{
    (void)state;
    struct check_results results;
    const char *database = place_database("k12", "kong");
    place_check(database, NULL, &results);
    expect_ok(place_find(&results, "router"), "no routes");
    check_results_free(&results);

    place_sql(database, ROUTE("1", "'plain'", "paths", "'{/a}'") ROUTE("2", "'other'", "hosts, paths", "'{h.com}', '{/b}'"));
    place_check(database, NULL, &results);
    expect_ok(place_find(&results, "router"), "none goes elsewhere in 1.3");
    check_results_free(&results);

    place_sql(database, ROUTE("3", "'exact'", "paths", "'{/route/fixture}'") ROUTE("4", "'regex'", "paths", "'{/route/(fixture)}'"));
    place_check(database, NULL, &results);
    const struct check_result *result = place_find(&results, "router");
    expect_found(result, CHECK_WARNS, "/route/fixture goes to exact in 1.2, to regex in 1.3", "kong-upgrade routes");
    assert_true(has_evidence(result, " go elsewhere in 1.3, by "));
    assert_non_null(strstr(result->remedy, "/route/fixture: "));   /* what the comparison proposes */
    check_results_free(&results);

    /* After `up` the old nodes serve still; a database that 1.3 alone serves is another matter. */
    struct buf output = {0};
    assert_int_equal(place_program(database, "up -y -q", &output), 0);
    assert_int_equal(place_program(database, "check router", &output), 6);
    char *finish = mem_printf("finish --confirm %s -q", database);
    assert_int_equal(place_program(database, finish, &output), 0);
    buf_clear(&output);
    assert_int_equal(place_program(database, "check router -v", &output), 0);
    assert_non_null(strstr(buf_text(&output), "no routes that an older Kong serves"));
    free(finish);
    buf_free(&output);
}

/* Many wildcards and regexes that all meet: whether that ends in time or not, it ends, says so, and no sentence is long. */
static void test_router_many(void **state)
{
    (void)state;
    struct check_results results;
    const char *database = place_database("k12", "kong");
    place_sql(database, "INSERT INTO routes (id, name, created_at, regex_priority, protocols, hosts, paths)"
                        " SELECT md5(n::text)::uuid, E'\\x1b[31m' || n || repeat('n', 10000), now(), n % 3, '{http}', ARRAY['*.h' || n % 50 || '.com', 'a.h' || n % 40 || '.com'],"
                        " ARRAY['/p' || n % 20, '/p' || n % 20 || '/(a|b)+x' || n, '/' || repeat('q', 500) || n] FROM generate_series(1, 1500) n");
    place_check(database, NULL, &results);
    const struct check_result *result = place_find(&results, "router");
    assert_int_equal(result->outcome, CHECK_FOUND);
    assert_true(has_evidence(result, "and "));
    assert_in_range(result->evidence.count, 6, 30);
    for (size_t i = 0; i < result->evidence.count; i++)
        assert_in_range(strlen(result->evidence.list[i]), 1, 700);
    check_results_free(&results);
}

static void test_old_counters(void **state)
{
    (void)state;
    struct check_results results;
    const char *database = place_database("k12", "kong");
    static const char insert[] = "INSERT INTO ratelimiting_metrics (identifier, period, period_date, service_id, route_id, value)"
                                 " SELECT n::text, '%s', now() - interval '%s', md5('s')::uuid, md5('r')::uuid, 1 FROM generate_series(1, 12000) n";
    char *of_years = mem_printf(insert, "year", "10 days"), *of_now = mem_printf(insert, "day", "1 hour"), *passed = mem_printf(insert, "minute", "3 days");
    place_sql(database, of_years);
    place_sql(database, of_now);
    place_check(database, NULL, &results);
    expect_ok(place_find(&results, "old-counters"), "fewer than 10000");
    check_results_free(&results);
    place_sql(database, passed);
    place_check(database, NULL, &results);
    const struct check_result *result = place_find(&results, "old-counters");
    expect_found(result, CHECK_INFORMS, "ratelimiting_metrics: 12000 counters of days and less that have passed", "DELETE FROM \"public\".ratelimiting_metrics WHERE");
    place_sql(database, result->remedy);
    check_results_free(&results);
    place_check(database, NULL, &results);
    expect_ok(place_find(&results, "old-counters"), "fewer than 10000");
    check_results_free(&results);
    place_sql(database, "DO $$ BEGIN ASSERT (SELECT count(*) FROM ratelimiting_metrics) = 24000; END $$");   /* the others are there still */
    free(of_years);
    free(of_now);
    free(passed);
}

static void test_behaviour(void **state)
{
    (void)state;
    struct check_results results;
    const char *database = place_database("k10", "kong");
    place_sql(database, "INSERT INTO services (id, name, path) VALUES (md5('s')::uuid, 's', '/base/'), (md5('t')::uuid, 't', '/');"
                        "INSERT INTO routes (id, service_id, strip_path, paths, protocols) VALUES (md5('r')::uuid, md5('s')::uuid, true, '{/r}', '{http}'),"
                        " (md5('q')::uuid, md5('t')::uuid, true, '{/q}', '{http}'), (md5('p')::uuid, md5('s')::uuid, false, '{/p}', '{http}')");
    place_check(database, NULL, &results);
    assert_int_equal(place_find(&results, "behaviour")->outcome, CHECK_OK);   /* 1.0 has it right already */
    check_results_free(&results);
}

/* Hosts. */

static void put_file(const char *root, const char *path, const char *bytes, size_t length)
{
    char *full = mem_printf("%s%s", root, path), *make = mem_printf("mkdir -p $(dirname %s)", full);
    assert_int_equal(system(make), 0);
    FILE *file = fopen(full, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
    free(make);
    free(full);
}

#define PUT(path_, bytes_) put_file(root, path_, bytes_, sizeof(bytes_) - 1)

static struct check_result look_at(const char *root)
{
    const struct check *check = check_find("openresty");
    struct check_result result = {.check = check, .outcome = CHECK_OK, .severity = check->severity};
    look_host_under(root, &result);
    return result;
}

static void result_free(struct check_result *result)
{
    names_free(&result->evidence);
    free(result->remedy);
}

static void test_host(void **state)
{
    (void)state;
    char root[] = "/tmp/kong-host-XXXXXX";
    static const char nginx[] = "/usr/local/openresty/nginx/sbin/nginx", unit[] = "/etc/systemd/system/kong.service";
    assert_non_null(mkdtemp(root));
    struct check_result result = look_at(root);
    expect_ok(&result, "no OpenResty on this host");
    result_free(&result);

    PUT(nginx, "\x7F" "ELF\0openresty/\0nginx version: openresty/1.15.8.1\0ngx_http_lua_kong_module\0");
    PUT(unit, "[Service]\nExecStart=/usr/local/bin/kong start\n");
    result = look_at(root);
    expect_ok(&result, "OpenResty 1.15.8.1 with lua-kong-nginx-module");
    result_free(&result);

    PUT(nginx, "\x7F" "ELF\0openresty/1.15.8.1");
    result = look_at(root);
    expect_found(&result, CHECK_WARNS, "without lua-kong-nginx-module", "--add-module");
    result_free(&result);

    PUT(nginx, "\x7F" "ELF\0openresty/1.13.6.2\n");
    result = look_at(root);
    expect_found(&result, CHECK_INFORMS, "OpenResty 1.13.6.2 is installed here", "nginx -V");
    result_free(&result);

    /* An nginx that is none of OpenResty's, an endless version, an empty file, a folder. */
    static const char *const others[] = {"nginx/1.18.0", "openresty/", "", "openresty/99999999999999999999999999999999999999999999999"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        put_file(root, nginx, others[i], strlen(others[i]));
        result = look_at(root);
        assert_int_equal(result.outcome, i < 3 ? CHECK_OK : CHECK_FOUND);
        assert_int_equal(result.evidence.count, 1);
        assert_in_range(strlen(result.evidence.list[0]), 10, 200);
        result_free(&result);
    }
    PUT(nginx, "");
    PUT(unit, "ExecStart=/usr/local/bin/kong start --nginx-conf /etc/kong/mine.lua\n");
    result = look_at(root);
    expect_found(&result, CHECK_INFORMS, "kong.service starts Kong with a template of its own", "grep -n -e --nginx-conf /etc/systemd/system/kong.service");
    result_free(&result);

    /* The package's old name. */
    PUT(unit, "ExecStart=/usr/local/bin/kong start\n");
    PUT("/var/lib/dpkg/info/kong.list", "/.\n");
    result = look_at(root);
    assert_int_equal(result.outcome, CHECK_OK);
    result_free(&result);
    PUT("/var/lib/dpkg/info/kong-community-edition.list", "/.\n");
    result = look_at(root);
    expect_found(&result, CHECK_INFORMS, "the package kong-community-edition is installed here", "dpkg -l 'kong*'");
    result_free(&result);
    char *clear = mem_printf("rm -rf %s", root);
    assert_int_equal(system(clear), 0);
    free(clear);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_router), cmocka_unit_test(test_router_many), cmocka_unit_test(test_old_counters), cmocka_unit_test(test_behaviour),
        cmocka_unit_test(test_host),
    };
    if (argc != 3) {
        fprintf(stderr, "usage: detect_test KONG-UPGRADE POSTGRES.SH\n");
        return 64;
    }
    place_arguments(argv[1], argv[2]);
    return cmocka_run_group_tests(tests, place_open, place_close);
}
