/*
 * How long `routes` takes for 50,000 routes on a real database, in how much memory, and how much that is beside trying all routes for each
 * request. `meson test --benchmark`, on a build with optimisation and without sanitizers; no part of the tests.
 */
#include "core/base/mem.h"
#include "core/router/router.h"
#include "tests/db/harness.h"
#include "naive.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define ROUTES 50000
#define SUBSET 400
#define REQUESTS 20000

/* Of ten routes six have a host and a path (a host has several, some of them within others), and one each a wildcard, a regex, a path with a
 * method, a host with an SNI. Every hundredth wildcard's domain has a plain host, too; ten routes are made a second. */
static const char fill[] =
    "INSERT INTO services (id, name, protocol, host, port) SELECT md5('s' || i)::uuid, 'service-' || i, 'http', 'h', 80"
    " FROM generate_series(0, 999) i;"
    "INSERT INTO routes (id, name, service_id, protocols, hosts, paths, methods, snis, regex_priority, created_at)"
    " SELECT md5(i::text)::uuid, 'route-' || i, md5('s' || i %% 1000)::uuid, '{http,https}',"
    " CASE WHEN i %% 10 IN (8) THEN NULL WHEN i %% 1000 = 6 THEN ARRAY['www.t' || i %% 500 || '.example.com']"
    " WHEN i %% 10 = 6 THEN ARRAY['*.t' || i %% 500 || '.example.com'] ELSE ARRAY['h' || i %% 12500 || '.example.com'] END,"
    " CASE i %% 10 WHEN 7 THEN ARRAY['/v1/res' || i %% 5000 || '/(\\d+)/items'] WHEN 8 THEN ARRAY['/public/' || i || '/'] WHEN 9 THEN NULL"
    " ELSE ARRAY['/v' || i %% 3 || repeat('/sub', i / 12500 %% 3)] END,"
    " CASE WHEN i %% 10 = 8 THEN '{GET}'::text[] END, CASE WHEN i %% 10 = 9 THEN ARRAY['s' || i || '.example.com'] END, 0,"
    " timestamptz '2019-01-01' + i / 10 * interval '1 second' FROM generate_series(0, %d - 1) i";

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static double processor(const struct rusage *usage)
{
    return (double)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) + (double)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) / 1e6;
}

static void run_program(void)
{
    struct rusage before, usage;
    getrusage(RUSAGE_CHILDREN, &before);
    double start = now();
    struct result result = kong("bench", "routes");
    double seconds = now() - start;
    getrusage(RUSAGE_CHILDREN, &usage);
    assert_true(result.exit_code == 0 || result.exit_code == 6);
    print_message("%.*s\n", (int)strcspn(result.out, "\n"), result.out);
    print_message("loaded, compared and reported in %.1f s (%.1f s of the processor); %ld MB at most, other children's included\n", seconds,
                  processor(&usage) - processor(&before), usage.ru_maxrss / 1024);
}

static struct routes make_subset(void)
{
    struct routes routes = {mem_zero(SUBSET, sizeof *routes.list), SUBSET};
    for (int i = 0; i < SUBSET; i++) {
        struct route *route = &routes.list[i];
        char *host = mem_printf(i % 10 == 6 ? "*.t%d.example.com" : "h%d.example.com", i % 100), *path = mem_printf("/v%d/res%d", i % 3, i % 40);
        route->id = mem_printf("%d", i);
        route->created_at = i;
        names_add(&route->protocols, "http");
        names_add(&route->hosts, host);
        names_add(&route->paths, path);
        free(host);
        free(path);
    }
    return routes;
}

/* One request after another, whole hosts and paths of the routes put together anew. */
static struct request request_number(const struct routes *routes, int i)
{
    const struct route *one = &routes->list[i % SUBSET], *other = &routes->list[i * 7 % SUBSET];
    return (struct request){.method = "GET", .host = one->hosts.list[0], .path = other->paths.list[0]};
}

static void measure_ratio(void)
{
    static struct naive_order orders[ROUTER_VERSIONS];
    int ranks[SUBSET] = {0};
    size_t winners = 0, naive_winners = 0;
    struct routes routes = make_subset();
    struct route_index *index = index_build(&routes);
    struct router *routers[ROUTER_VERSIONS] = {router_build(ROUTER_1_2, index), router_build(ROUTER_1_3, index)};
    double start = now();
    for (int i = 0; i < REQUESTS; i++) {
        struct request request = request_number(&routes, i);
        struct router_result result;
        index_look(index, &request);
        for (unsigned v = 0; v < ROUTER_VERSIONS; v++) {
            router_match(routers[v], &result);
            winners += result.count > 0 ? result.winners[0] : SUBSET;
        }
    }
    double indexed = now() - start;
    for (unsigned v = 0; v < ROUTER_VERSIONS; v++)
        naive_sort(&orders[v], v, &routes, ranks);
    start = now();
    for (int i = 0; i < REQUESTS; i++) {
        struct request request = request_number(&routes, i);
        for (unsigned v = 0; v < ROUTER_VERSIONS; v++) {
            int winner = naive_match(&orders[v], 1, &request);
            naive_winners += winner != NAIVE_NONE ? (size_t)winner : SUBSET;
        }
    }
    double naive = now() - start;
    print_message("%d routes: %.2f µs a choice, naively %.2f µs: %.0f times\n", SUBSET, indexed / REQUESTS / 2 * 1e6, naive / REQUESTS / 2 * 1e6,
                  naive / indexed);
    assert_int_equal(winners, naive_winners);
    router_free(routers[0]);
    router_free(routers[1]);
    index_free(index);
    routes_free(&routes);
}

static void bench_routes(void **state)
{
    (void)state;
    db_create("bench", NULL);
    struct result result = kong("bench", "bootstrap -q --to 1.2");
    expect_exit(&result, 0);
    db_run("bench", text_printf(fill, ROUTES));
    run_program();
    measure_ratio();
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(bench_routes)};
    if (!harness_arguments(argc, argv))
        return 1;
    return cmocka_run_group_tests(tests, harness_setup, harness_teardown);
}
