/*
 * Thousands of generated sets of routes, the same in every run. The indexed routers choose what the naive one (naive.h) does, in all orders
 * of tied routes; what the comparison reports is so when both are asked again; sets that can't differ don't.
 */
#include "core/router/compare.h"
#include "naive.h"

#include "core/base/mem.h"
#include "core/router/pattern.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint64_t state_of_chance = 88172645463325252u;

static unsigned chance(unsigned below)
{
    state_of_chance ^= state_of_chance << 13;
    state_of_chance ^= state_of_chance >> 7;
    state_of_chance ^= state_of_chance << 17;
    return (unsigned)(state_of_chance >> 33) % below;
}

static const char *const hosts[] = {"a.com", "b.org", "api.a.com", "x.a.com", "*.a.com", "*.com", "api.*", "*.b.org", "x.a.*", NULL};
static const char *const plain_hosts[] = {"a.com", "b.org", "api.a.com", "x.a.com", "c.net", NULL};
static const char *const paths[] = {"/", "/a", "/a/b", "/a/b/c", "/ab", "/b", "/(a)", "/a/(b|c)", "/\\w+", "/a+b", "/a/b$", "/n/(?<uri_postfix>x)",
                                    "/q\\Qa+b", "/a|/b", "/x(", "/[ab]+/b", "/\\x61/b", "/a{1,2}b?", "/.*b/c", "/(?i)A/b", "/a/(?=b)b",
                                    NULL};
static const char *const unnested_paths[] = {"/one", "/two", "/three", "/four-x", "/five", "/six", NULL};
static const char *const methods[] = {"GET", "POST", "PUT", NULL};
static const char *const snis[] = {"s1", "s2", "s3", NULL};
static const char *const request_hosts[] = {"", "a.com", "b.org", "api.a.com", "x.a.com", "y.x.a.com", "api.org", "x.a.org", "z.b.org", "c.net",
                                            "a.com:8080", "*.com", NULL};
static const char *const request_paths[] = {"/", "/a", "/a/b", "/a/b/c", "/a/bx", "/ab", "/ab/x", "/b", "/aab", "/a+b", "/n/x", "/qa+b", "/zz", "/a?q=1",
                                            "/(a)", "/x(", "", NULL};

static const char *any(const char *const *list)
{
    unsigned count = 0;
    while (list[count] != NULL)
        count++;
    return list[chance(count)];
}

/* Some of the list, now and then the same twice, in about `percent` of all calls. */
static void some(struct names *names, const char *const *list, unsigned percent, unsigned most)
{
    if (chance(100) < percent)
        for (unsigned i = 1 + (chance(3) == 0 ? chance(most) : 0); i > 0; i--)
            names_add(names, any(list));
}

struct style {
    const char *const *hosts, *const *paths;
    unsigned most_values, instants;   /* created_at is one of so many: few make ties */
    bool odd;                         /* grpc, tcp, empty lists, priorities */
};

static struct routes make_routes(const struct style *style, unsigned most)
{
    struct routes routes = {.count = 1 + chance(most)};
    routes.list = mem_zero(routes.count, sizeof *routes.list);
    for (size_t i = 0; i < routes.count; i++) {
        struct route *route = &routes.list[i];
        route->id = mem_printf("r%zu", i);
        names_add(&route->protocols, style->odd && chance(15) == 0 ? (chance(2) == 0 ? "grpc" : "tcp") : "http");
        some(&route->hosts, style->hosts, 60, style->most_values);
        some(&route->paths, style->paths, 75, style->most_values);
        some(&route->methods, methods, 30, style->most_values);
        some(&route->snis, snis, 20, style->most_values);
        route->hosts_null = route->hosts.count == 0 && !(style->odd && chance(6) == 0);
        route->bare = route->hosts_null && route->paths.count + route->methods.count + route->snis.count == 0;
        route->regex_priority = style->odd && chance(4) == 0 ? (double)chance(4) - 1 : 0;
        route->created_at = style->instants > 0 ? chance(style->instants) : (int64_t)i * 1000;
    }
    return routes;
}

/* Mostly of what some route asks for, so that it gets somewhere. */
static struct request make_request(const struct routes *routes)
{
    const struct route *route = &routes->list[chance((unsigned)routes->count)];
    struct request request = {.method = chance(4) == 0 ? "HEAD" : any(methods), .host = any(request_hosts), .path = any(request_paths),
                            .sni = chance(2) == 0 ? NULL : any(snis)};
    if (chance(3) > 0 && route->hosts.count > 0 && strchr(route->hosts.list[0], '*') == NULL)
        request.host = route->hosts.list[0];
    if (chance(3) > 0 && route->paths.count > 0 && path_is_plain(route->paths.list[0]))
        request.path = route->paths.list[0];
    if (chance(3) > 0 && route->snis.count > 0)
        request.sni = route->snis.list[0];
    return request;
}

static void say_routes(const struct routes *routes)
{
    for (size_t i = 0; i < routes->count; i++) {
        const struct route *route = &routes->list[i];
        const struct names *const lists[] = {&route->protocols, &route->hosts, &route->paths, &route->methods, &route->snis};
        print_error("  %s%s priority %.0f age %lld:", route->id, route->hosts_null ? "" : " (hosts)", route->regex_priority, (long long)route->created_at);
        for (size_t j = 0; j < 5; j++) {
            print_error(" {");
            for (size_t k = 0; k < lists[j]->count; k++)
                print_error(" %s", lists[j]->list[k]);
            print_error(" }");
        }
        print_error("\n");
    }
}

static uint32_t winners_of(const struct router_result *result)
{
    uint32_t winners = result->none ? NAIVE_NONE_BIT : 0;
    for (size_t i = 0; i < result->count; i++)
        winners |= 1u << result->winners[i];
    return winners;
}

static const struct style styles[] = {
    {hosts, paths, 3, 0, true}, {hosts, paths, 3, 3, true}, {hosts, paths, 2, 8, false}, {plain_hosts, paths, 3, 0, false},
    {hosts, unnested_paths, 3, 2, true},
    {hosts, paths, 3, 1, false},
};
#define STYLES (sizeof styles / sizeof styles[0])

static void test_index_agrees_with_naive(void **state)
{
    (void)state;
    size_t compared = 0, open = 0;
    for (unsigned set = 0; set < 1000; set++) {
        struct routes routes = make_routes(&styles[set % STYLES], 7);
        struct route_index *index = index_build(&routes);
        struct router *routers[ROUTER_VERSIONS] = {router_build(ROUTER_1_2, index), router_build(ROUTER_1_3, index)};
        for (unsigned i = 0; i < 12; i++) {
            struct request request = make_request(&routes);
            index_look(index, &request);
            for (unsigned v = 0; v < ROUTER_VERSIONS; v++) {
                struct router_result result;
                uint32_t expected;
                router_match(routers[v], &result);
                if (!naive_match_all(v, &routes, &request, &expected))
                    continue;
                compared++;
                open += (expected & (expected - 1)) != 0 ? 1 : 0;
                if (winners_of(&result) == expected)
                    continue;
                say_routes(&routes);
                fail_msg("set %u, %s: %s %s%s SNI %s: %x, naively %x", set, router_version_name(v), request.method, request.host, request.path,
                         request.sni != NULL ? request.sni : "none", winners_of(&result), expected);
            }
        }
        router_free(routers[0]);
        router_free(routers[1]);
        index_free(index);
        routes_free(&routes);
    }
    print_message("%zu choices compared, %zu of them open\n", compared, open);
    assert_true(compared > 20000 && open > 100);
}

/* The values behind a label: "; paths /a, /b;". */
static void read_values(const char *text, const char *label, struct names *names)
{
    const char *at = strstr(text, label);
    if (at == NULL)
        return;
    for (at += strlen(label); *at != ';' && *at != '\0'; at += *at == ',' ? 2 : 0) {
        size_t length = strcspn(at, ",;");
        char *value = mem_ndup(at, length);
        names_add(names, value);
        free(value);
        at += length;
    }
}

/* Does what is advised, on a copy: a priority set, or a route added behind the others. Returns false for other advice. */
static bool do_advice(const char *advice, const struct routes *routes, struct route *list)
{
    size_t number;
    double priority;
    struct route *added = &list[routes->count];
    memcpy(list, routes->list, routes->count * sizeof *list);
    *added = (struct route){.id = (char *)(uintptr_t)"added", .created_at = INT64_MAX};
    if (advice != NULL && sscanf(advice, "set regex_priority of route r%zu to %lf", &number, &priority) == 2) {
        list[number].regex_priority = priority;
        return true;
    }
    if (advice == NULL || strncmp(advice, "add a route", 11) != 0)
        return false;
    read_values(advice, " hosts ", &added->hosts);
    read_values(advice, " paths ", &added->paths);
    read_values(advice, " methods ", &added->methods);
    read_values(advice, " snis ", &added->snis);
    names_add(&added->protocols, "http");
    added->hosts_null = added->hosts.count == 0;
    added->regex_priority = strtod(strstr(advice, "regex_priority ") + 15, NULL);
    return true;
}

/* Whether it was done: then both versions choose what 1.2 did, or the added route. */
static bool follow(const struct routes *routes, const struct difference *difference)
{
    struct route list[32];
    bool done = do_advice(difference->remedy, routes, list);
    struct route *added = &list[routes->count];
    struct routes changed = {list, routes->count + (added->protocols.count > 0 ? 1 : 0)};
    for (size_t i = 0; done && i < difference->count; i += 1 + difference->count / 10) {
        struct request request = difference_request(difference, i);
        uint32_t old, new;
        if (!naive_match_all(ROUTER_1_2, &changed, &request, &old) || !naive_match_all(ROUTER_1_3, &changed, &request, &new))
            continue;
        assert_int_equal(old & ~(winners_of(&difference->old) & ~NAIVE_NONE_BIT) & ~(1u << routes->count), 0);
        assert_int_equal(new & ~(winners_of(&difference->old) & ~NAIVE_NONE_BIT) & ~(1u << routes->count), 0);
    }
    struct names *const lists[] = {&added->protocols, &added->hosts, &added->paths, &added->methods, &added->snis};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        names_free(lists[i]);
    return done;
}

static void test_reported_differ(void **state)
{
    (void)state;
    size_t checked = 0, remedies = 0, sets = 0, followed = 0;
    for (unsigned set = 0; set < 500; set++) {
        struct routes routes = make_routes(&styles[set % STYLES], 6);
        struct compare *compare = compare_new(&routes);
        struct comparison comparison;
        compare_all(compare, &comparison);
        size_t sum = 0;
        sets += comparison.count > 0 ? 1 : 0;
        for (size_t i = 0; i < comparison.count; i++) {
            const struct difference *difference = &comparison.list[i];
            sum += difference->count;
            remedies += difference->remedy != NULL ? 1 : 0;
            followed += follow(&routes, difference) ? 1 : 0;
            for (size_t j = 0; j < difference->count; j += 1 + difference->count / 5, checked++) {
                struct request request = difference_request(difference, j);
                uint32_t old, new;
                if (!naive_match_all(ROUTER_1_2, &routes, &request, &old) || !naive_match_all(ROUTER_1_3, &routes, &request, &new))
                    continue;
                assert_int_equal(old, winners_of(&difference->old));
                assert_int_equal(new, winners_of(&difference->new));
                assert_int_not_equal(old, new);
            }
        }
        assert_int_equal(sum, comparison.differing);
        assert_true(comparison.tried >= comparison.differing + comparison.open);
        comparison_free(&comparison);
        compare_free(compare);
        routes_free(&routes);
    }
    print_message("%zu reported requests asked again, from %zu sets; %zu remedies, %zu followed\n", checked, sets, remedies, followed);
    assert_true(checked > 2000 && remedies > 150 && followed > 120);
}

/* And nothing of what random requests find is missing from the report. */
static void test_nothing_missed(void **state)
{
    (void)state;
    size_t differing = 0, missed = 0;
    for (unsigned set = 0; set < 300; set++) {
        struct routes routes = make_routes(&styles[set % STYLES], 5);
        struct compare *compare = compare_new(&routes);
        struct comparison comparison;
        compare_all(compare, &comparison);
        for (unsigned i = 0; i < 40; i++) {
            struct request request = make_request(&routes);
            struct difference difference;
            bool found = false;
            compare_request(compare, &request, &difference);
            for (size_t j = 0; j < comparison.count; j++)
                found |= router_same(&comparison.list[j].old, &difference.old) && router_same(&comparison.list[j].new, &difference.new);
            if (difference.reason > REASON_OPEN && !found) {
                say_routes(&routes);
                print_error("set %u: %s %s%s SNI %s differs, and no such pair is reported\n", set, request.method, request.host, request.path,
                            request.sni != NULL ? request.sni : "none");
                missed++;
            }
            differing += difference.reason > REASON_OPEN ? 1 : 0;
            difference_free(&difference);
        }
        comparison_free(&comparison);
        compare_free(compare);
        routes_free(&routes);
    }
    print_message("%zu differing requests asked, %zu not reported\n", differing, missed);
    assert_true(differing > 200);
    assert_int_equal(missed, 0);
}

/* Plain hosts or none, single paths of which none begins another, at most one SNI, no ties. */
static void test_what_cannot_differ(void **state)
{
    (void)state;
    static const struct style style = {plain_hosts, unnested_paths, 3, 0, false};
    size_t tried = 0;
    for (unsigned set = 0; set < 800; set++) {
        struct routes routes = make_routes(&style, 8);
        for (size_t i = 0; i < routes.count; i++) {
            struct names *const lists[] = {&routes.list[i].paths, &routes.list[i].snis};
            for (size_t j = 0; j < 2; j++)
                while (lists[j]->count > 1)
                    free(lists[j]->list[--lists[j]->count]);
        }
        struct compare *compare = compare_new(&routes);
        struct comparison comparison;
        compare_all(compare, &comparison);
        if (comparison.differing > 0) {
            struct request request = difference_request(&comparison.list[0], 0);
            say_routes(&routes);
            fail_msg("%s %s%s SNI %s differs: %s", request.method, request.host, request.path, request.sni != NULL ? request.sni : "none",
                     reason_text(comparison.list[0].reason));
        }
        tried += comparison.tried;
        comparison_free(&comparison);
        compare_free(compare);
        routes_free(&routes);
    }
    print_message("%zu requests tried\n", tried);
    assert_true(tried > 80000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_index_agrees_with_naive),
        cmocka_unit_test(test_reported_differ),
        cmocka_unit_test(test_nothing_missed),
        cmocka_unit_test(test_what_cannot_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
