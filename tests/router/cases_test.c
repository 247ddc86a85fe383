/*
 * The choices of real nodes, 1.2.3 and 1.3.0 (the reference folder's router-cases.json): for each request the winners that any order of
 * tied routes gives; and whether the report finds, from the routes alone, each pair of routes between which a request of these changes.
 * Argument: the reference folder; where it is not there, all is skipped.
 */
#include "core/router/compare.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const char *reference;

static bool is_listed(const json_t *ids, const char *id)
{
    for (size_t i = 0; i < json_array_size(ids); i++)
        if (strcmp(json_string_value(json_array_get(ids, i)), id) == 0)
            return true;
    return false;
}

static bool agrees(const struct routes *routes, const struct router_result *result, const json_t *ids)
{
    if (result->count != json_array_size(ids) || result->none != (result->count == 0))
        return false;
    for (size_t i = 0; i < result->count; i++)
        if (!is_listed(ids, routes->list[result->winners[i]].id))
            return false;
    return true;
}

static void complain(const char *id, const char *version, const json_t *request, const struct routes *routes, const struct router_result *result)
{
    char *text = json_dumps(request, JSON_COMPACT);
    print_error("%s, %s: %s\n  chosen:", id, version, text);
    for (size_t i = 0; i < result->count; i++)
        print_error(" %s", routes->list[result->winners[i]].id);
    print_error("%s\n", result->none ? " none" : "");
    free(text);
}

static struct request request_of_json(const json_t *item)
{
    return (struct request){
        .method = json_string_value(json_object_get(item, "method")), .host = json_string_value(json_object_get(item, "host")),
        .path = json_string_value(json_object_get(item, "path")), .sni = json_string_value(json_object_get(item, "sni")),
    };
}

static size_t compare_requests(const json_t *each, const struct routes *routes, size_t *wrong)
{
    static const char *const keys[ROUTER_VERSIONS] = {"old", "new"};
    size_t i, count = 0;
    json_t *item;
    const char *id = json_string_value(json_object_get(each, "id"));
    struct route_index *index = index_build(routes);
    struct router *routers[ROUTER_VERSIONS] = {router_build(ROUTER_1_2, index), router_build(ROUTER_1_3, index)};
    json_array_foreach(json_object_get(each, "requests"), i, item) {
        struct request request = request_of_json(item);
        index_look(index, &request);
        for (size_t v = 0; v < ROUTER_VERSIONS; v++, count++) {
            struct router_result result;
            router_match(routers[v], &result);
            if (agrees(routes, &result, json_object_get(item, keys[v])))
                continue;
            complain(id, keys[v], item, routes, &result);
            ++*wrong;
        }
    }
    router_free(routers[0]);
    router_free(routers[1]);
    index_free(index);
    return count;
}

/* NULL, after a note, where there is none. */
static json_t *load_cases(void)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/router-cases.json", reference);
    if (access(path, R_OK) != 0) {
        print_message("[  NOTE    ] %s is not there: skipped\n", path);
        return NULL;
    }
    json_t *cases = json_load_file(path, 0, NULL);
    assert_true(json_array_size(cases) > 0);
    return cases;
}

static void test_cases(void **state)
{
    (void)state;
    size_t i, count = 0, wrong = 0;
    json_t *each, *cases = load_cases();
    if (cases == NULL)
        skip();
    json_array_foreach(cases, i, each) {
        struct routes routes;
        assert_true(routes_from_json(json_object_get(each, "routes"), &routes, NULL));
        count += compare_requests(each, &routes, &wrong);
        routes_free(&routes);
    }
    json_decref(cases);
    print_message("%zu choices compared, %zu differ\n", count, wrong);
    assert_true(count > 0);
    assert_int_equal(wrong, 0);
}

static bool is_reported(const struct comparison *comparison, const struct difference *difference)
{
    for (size_t i = 0; i < comparison->count; i++)
        if (router_same(&comparison->list[i].old, &difference->old) && router_same(&comparison->list[i].new, &difference->new))
            return true;
    return false;
}

static void test_report(void **state)
{
    (void)state;
    size_t i, j, differing = 0;
    json_t *each, *item, *cases = load_cases();
    if (cases == NULL)
        skip();
    json_array_foreach(cases, i, each) {
        struct routes routes;
        struct comparison comparison;
        assert_true(routes_from_json(json_object_get(each, "routes"), &routes, NULL));
        struct compare *compare = compare_new(&routes);
        compare_all(compare, &comparison);
        json_array_foreach(json_object_get(each, "requests"), j, item) {
            struct request request = request_of_json(item);
            struct difference difference;
            compare_request(compare, &request, &difference);
            differing += difference.reason > REASON_OPEN ? 1 : 0;
            if (difference.reason > REASON_OPEN && !is_reported(&comparison, &difference))
                fail_msg("%s: not in the report: %s %s%s", json_string_value(json_object_get(each, "id")), request.method, request.host, request.path);
            difference_free(&difference);
        }
        comparison_free(&comparison);
        compare_free(compare);
        routes_free(&routes);
    }
    json_decref(cases);
    print_message("%zu requests that real nodes send elsewhere, all in the report\n", differing);
    assert_true(differing > 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases), cmocka_unit_test(test_report)};
    if (argc != 2) {
        fprintf(stderr, "usage: %s REFERENCE\n", argv[0]);
        return 1;
    }
    reference = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
