/*
 * Routes that 1.2 and 1.3 choose differently among, one by one: what each chooses, why, and what keeps it; then what no Admin API lets
 * through but a database may hold.
 */
#include "core/router/compare.h"
#include "core/router/request.h"

#include "core/base/buf.h"
#include "core/base/mem.h"
#include "core/router/sample.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* `routes` in short: JSON with ' for ", one object a route, without the brackets around. Names are r1, r2…, each a second younger. */
static struct routes make(const char *text)
{
    struct routes routes;
    struct error error = {0};
    char *json = mem_printf("[%s]", text);
    for (char *c = json; *c != '\0'; c++)
        *c = *c == '\'' ? '"' : *c;
    json_error_t where;
    json_t *array = json_loads(json, 0, &where);
    if (array == NULL)
        fail_msg("%s: %s", where.text, json);
    for (size_t i = 0; i < json_array_size(array); i++) {
        json_t *object = json_array_get(array, i);
        char *name = mem_printf("r%zu", i + 1);
        json_object_set_new(object, "id", json_sprintf("id-%zu", i + 1));
        json_object_set_new(object, "name", json_string(name));
        if (json_object_get(object, "created_at") == NULL)
            json_object_set_new(object, "created_at", json_integer(1546300800 + (json_int_t)i));
        if (json_object_get(object, "protocols") == NULL)
            json_object_set_new(object, "protocols", json_pack("[s, s]", "http", "https"));
        free(name);
    }
    assert_true(routes_from_json(array, &routes, &error));
    json_decref(array);
    free(json);
    return routes;
}

static const char *names_of(const struct routes *routes, const struct router_result *result, struct buf *text)
{
    buf_clear(text);
    for (size_t i = 0; i < result->count; i++)
        buf_addf(text, "%s%s", i > 0 ? " " : "", routes->list[result->winners[i]].name);
    if (result->none)
        buf_addf(text, "%snone", result->count > 0 ? " " : "");
    return buf_text(text);
}

static const struct {
    const char *routes, *request, *old, *new;
    enum reason reason;
} examples[] = {
    {"{'hosts':['*.route.com'],'paths':['/path1']},{'hosts':['plain.route.com'],'paths':['/path2']}", "GET plain.route.com/path1", "none", "r1",
     REASON_PLAIN_HOST},
    {"{'hosts':['*.route.com']},{'hosts':['plain.route.com'],'paths':['/path2']}", "GET plain.route.com/other", "none", "r1", REASON_PLAIN_HOST},
    {"{'hosts':['*.route.com'],'paths':['/p']},{'hosts':['plain.route.com']}", "GET plain.route.com/p", "r2", "r1", REASON_PLAIN_HOST},
    {"{'hosts':['*.com'],'paths':['/a']},{'hosts':['*.foo.com'],'paths':['/b']}", "GET x.foo.com/b", "none", "r2", REASON_FIRST_WILDCARD},
    {"{'paths':['/route/fixture']},{'paths':['/route/(fixture)']}", "GET /route/fixture", "r1", "r2", REASON_EXACT_PATH},
    {"{'hosts':['h'],'paths':['/pat']},{'hosts':['h'],'paths':['/path'],'methods':['POST']},{'hosts':['h'],'paths':['/(path)']}", "GET h/path", "r1",
     "r3", REASON_REGEX_FIRST},
    {"{'hosts':['a.com','*.b.com'],'paths':['/x']},{'hosts':['a.com'],'paths':['/x']}", "GET a.com/x", "r1", "r2", REASON_PLAIN_HOSTS_FIRST},
    {"{'paths':['/a'],'regex_priority':5},{'paths':['/a/b']}", "GET /a/b", "r2", "r1", REASON_EXACT_PATH},
    {"{'paths':['/a']},{'paths':['/a','/longer']}", "GET /a", "r1", "r2", REASON_PATH_LENGTH},
    {"{'methods':['GET'],'paths':['/a']},{'methods':['GET'],'paths':['/a/b']},{'methods':['POST'],'paths':['/a/b/c']}", "GET /a/b/c", "r1", "r2",
     REASON_PATH_LENGTH},
    {"{'hosts':['*.api.com'],'methods':['GET']},{'paths':['/']},{'hosts':['www.api.com'],'paths':['/shop']}", "GET www.api.com/x", "r2", "r1",
     REASON_PLAIN_HOST},
    /* the fine print */
    {"{'paths':['/a']},{'paths':['/a'],'protocols':['grpc']}", "GET /a/x", "r1", "r1", REASON_NONE},
    {"{'paths':['/a']},{'paths':['/a'],'hosts':['h'],'protocols':['grpc','grpcs']}", "GET h/a", "r1", "r2", REASON_PROTOCOL},
    {"{'paths':['/longer'],'snis':['s1','s2','s3'],'created_at':20},{'paths':['/a'],'snis':['s1'],'created_at':10},{'hosts':['s1'],'paths':['/a']}",
     "GET https://s1/a", "r3", "r2", REASON_CATEGORY},
    {"{'paths':['/n/(?<uri_postfix>x)']},{'paths':['/n']}", "GET /n/x", "r2", "r2", REASON_NONE},
    {"{'hosts':['h'],'paths':['/a+b']},{'hosts':['h'],'paths':['/(x)']}", "GET h/a+b", "r1", "r1", REASON_NONE},
    {"{'paths':['/a+b']},{'paths':['/(x)']}", "GET /a+b", "none", "none", REASON_NONE},
    {"{'hosts':['[::1]']}", "GET [::1]:80/", "none", "none", REASON_NONE},
    {"{'paths':['/a']}", "GET h/a?x=/b", "r1", "r1", REASON_NONE},
    {"{'paths':['/a'],'created_at':1},{'paths':['/a'],'created_at':1}", "GET /a", "r1 r2", "r1 r2", REASON_OPEN},
    {"{'paths':['/a'],'created_at':1},{'paths':['/a','/long'],'created_at':1}", "GET /a", "r1 r2", "r2", REASON_PATH_LENGTH},
    {"{'paths':['/a'],'headers':{'X-A':['1']}},{'paths':['/a']}", "GET /a", "r1", "r2", REASON_HEADERS},
    /* no hosts, paths, methods and so on at all: everything that hits anything comes to it in the end */
    {"{'paths':['/a']},{'hosts':[]}", "GET /b", "none", "none", REASON_NONE},
    {"{'paths':['/a'],'methods':['GET']},{'hosts':[]}", "GET /b", "r2", "r2", REASON_NONE},
};

static void test_examples(void **state)
{
    (void)state;
    struct buf text = {0};
    for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++) {
        struct routes routes = make(examples[i].routes);
        struct written_requests requests = {0};
        struct difference difference;
        struct compare *compare = compare_new(&routes);
        assert_true(requests_add(&requests, examples[i].request, NULL));
        struct request request = request_of(&requests.list[0]);
        compare_request(compare, &request, &difference);
        if (strcmp(names_of(&routes, &difference.old, &text), examples[i].old) != 0)
            fail_msg("%s, %s: 1.2 chooses %s", examples[i].routes, examples[i].request, buf_text(&text));
        if (strcmp(names_of(&routes, &difference.new, &text), examples[i].new) != 0)
            fail_msg("%s, %s: 1.3 chooses %s", examples[i].routes, examples[i].request, buf_text(&text));
        if (difference.reason != examples[i].reason)
            fail_msg("%s, %s: %s", examples[i].routes, examples[i].request, reason_text(difference.reason));
        difference_free(&difference);
        requests_free(&requests);
        compare_free(compare);
        routes_free(&routes);
    }
    buf_free(&text);
}

/* Each example's pair is found without being told the request. */
static void test_examples_are_found(void **state)
{
    (void)state;
    struct buf old = {0}, new = {0};
    for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++) {
        if (strcmp(examples[i].old, examples[i].new) == 0)
            continue;
        struct routes routes = make(examples[i].routes);
        struct compare *compare = compare_new(&routes);
        struct comparison comparison;
        bool found = false;
        compare_all(compare, &comparison);
        for (size_t j = 0; j < comparison.count; j++)
            found |= strcmp(names_of(&routes, &comparison.list[j].old, &old), examples[i].old) == 0 &&
                strcmp(names_of(&routes, &comparison.list[j].new, &new), examples[i].new) == 0;
        if (!found)
            fail_msg("%s: not found in %zu requests", examples[i].routes, comparison.tried);
        comparison_free(&comparison);
        compare_free(compare);
        routes_free(&routes);
    }
    buf_free(&old);
    buf_free(&new);
}

static char *remedy_of(const char *text, const char *line)
{
    struct routes routes = make(text);
    struct written_requests requests = {0};
    struct difference difference;
    struct compare *compare = compare_new(&routes);
    assert_true(requests_add(&requests, line, NULL));
    struct request request = request_of(&requests.list[0]);
    compare_request(compare, &request, &difference);
    char *remedy = mem_dup(difference.remedy != NULL ? difference.remedy : "");
    difference_free(&difference);
    requests_free(&requests);
    compare_free(compare);
    routes_free(&routes);
    return remedy;
}

static void expect_remedy(const char *text, const char *line, const char *expected)
{
    char *remedy = remedy_of(text, line);
    assert_string_equal(remedy, expected);
    free(remedy);
}

/* What is advised, done: both versions choose as 1.2 did. */
static void expect_choice(const char *text, const char *line, const char *name)
{
    struct routes routes = make(text);
    struct written_requests requests = {0};
    struct difference difference;
    struct buf names = {0};
    struct compare *compare = compare_new(&routes);
    assert_true(requests_add(&requests, line, NULL));
    struct request request = request_of(&requests.list[0]);
    compare_request(compare, &request, &difference);
    assert_string_equal(names_of(&routes, &difference.old, &names), name);
    assert_string_equal(names_of(&routes, &difference.new, &names), name);
    buf_free(&names);
    difference_free(&difference);
    requests_free(&requests);
    compare_free(compare);
    routes_free(&routes);
}

static void test_remedies(void **state)
{
    (void)state;
    expect_remedy("{'paths':['/a'],'regex_priority':5},{'paths':['/a/b']}", "GET /a/b", "set regex_priority of route r2 to 6");
    expect_choice("{'paths':['/a'],'regex_priority':5},{'paths':['/a/b'],'regex_priority':6}", "GET /a/b", "r2");
    expect_remedy("{'paths':['/a']},{'paths':['/a','/longer']}", "GET /a", "set regex_priority of route r1 to 1");
    expect_choice("{'paths':['/a'],'regex_priority':1},{'paths':['/a','/longer']}", "GET /a", "r1");
    expect_remedy("{'paths':['/route/fixture'],'service':'s'},{'paths':['/route/(fixture)']}", "GET /route/fixture",
                  "add to route r1 the path /route/fixture$");
    expect_choice("{'paths':['/route/fixture','/route/fixture$']},{'paths':['/route/(fixture)']}", "GET /route/fixture", "r1");
    expect_remedy("{'hosts':['*.route.com'],'paths':['/path1']},{'hosts':['plain.route.com'],'paths':['/path2']}", "GET plain.route.com/path1",
                  "add a route whose plugin request-termination answers 404: hosts plain.route.com; paths /path1; regex_priority 0");
    expect_remedy("{'hosts':['*.api.com'],'methods':['GET']},{'paths':['/']},{'hosts':['www.api.com'],'paths':['/shop']}", "GET www.api.com/x",
                  "add a route to the service of r2, with the same plugins: hosts www.api.com; paths /; regex_priority 0");
}

/* Hostile sets. */

static void compare_without_harm(const char *text, size_t problems)
{
    struct routes routes = make(text);
    struct compare *compare = compare_new(&routes);
    struct comparison comparison;
    compare_all(compare, &comparison);
    if (comparison.problems.count != problems)
        fail_msg("%zu problems with %.200s: %s", comparison.problems.count, text, comparison.problems.count > 0 ? comparison.problems.list[0] : "");
    comparison_free(&comparison);
    compare_free(compare);
    routes_free(&routes);
}

static void test_hostile(void **state)
{
    (void)state;
    compare_without_harm("", 0);
    compare_without_harm("{'paths':[]},{'hosts':[],'snis':[]}", 0);
    compare_without_harm("{'headers':{'x-a':['1']}},{'paths':['/a']}", 1);   /* 1.2 can't build its router with the first */
    compare_without_harm("{}", 1);                                      /* nothing at all: no router can be built with it */
    compare_without_harm("{'paths':['/a'],'protocols':['tcp']}", 1);
    compare_without_harm("{'paths':['/x(','/[','/a{2,1}','/\\\\']},{'paths':['/ok']}", 4);
    compare_without_harm("{'paths':['','','/(((((a)))))','/(?:']},{'hosts':['*','**','*.','.*','a*b','(*','*a[.com']}", 1);
    compare_without_harm("{'hosts':['\xc3\xa9.com'],'paths':['/\xc3\xa9','/\xf0\x9f\x92\xa9+']}", 0);
    compare_without_harm("{'methods':['','get'],'snis':['']}", 0);
    compare_without_harm("{'paths':['/(a+)+$'],'regex_priority':9007199254740993},{'paths':['/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa~']}", 1);
    compare_without_harm("{'paths':['/(a|(b|(c|(d|(e|(f|(g|(h))))))))+','/[^/]+/[[:alpha:]-]{3}x{0,1}.*?\\\\.(?=z)z']}", 0);
}

/* Invalid UTF-8 and control characters, which JSON can't hold but SQL_ASCII databases do. */
static void test_bytes(void **state)
{
    (void)state;
    struct routes routes = make("{'hosts':['h'],'paths':['/a']},{'hosts':['h'],'paths':['/b']}");
    struct difference difference;
    strcpy(routes.list[0].paths.list[0], "/\xff");
    strcpy(routes.list[1].paths.list[0], "/\x1b");
    struct compare *compare = compare_new(&routes);
    struct comparison comparison;
    compare_all(compare, &comparison);
    assert_int_equal(comparison.differing, 0);
    struct request request = {.method = "GET", .host = "h", .path = "/\xff/x"};
    compare_request(compare, &request, &difference);
    assert_int_equal(difference.old.count, 1);
    assert_int_equal(difference.old.winners[0], 0);
    difference_free(&difference);
    comparison_free(&comparison);
    compare_free(compare);
    routes_free(&routes);
}

static void test_long(void **state)
{
    (void)state;
    struct buf text = {0};
    struct names paths = {0};
    for (int i = 0; i < 10000; i++)
        buf_add(&text, i % 10 == 0 ? "/" : "a");
    char *json = mem_printf("{'paths':['%s']},{'paths':['%s/b']},{'paths':['/(%s)','%s+']},{'hosts':['%s'],'snis':['%s']}", buf_text(&text),
                            buf_text(&text), buf_text(&text), buf_text(&text), buf_text(&text), buf_text(&text));
    compare_without_harm(json, 0);
    free(json);
    buf_clear(&text);
    for (int i = 0; i < 400; i++)
        buf_addf(&text, "%s{'paths':['/%.*s']}", i > 0 ? "," : "", i, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    compare_without_harm(buf_text(&text), 0);
    buf_free(&text);
    names_free(&paths);
}

static void test_samples(void **state)
{
    (void)state;
    static const char *const regexes[] = {"/users/\\d+/posts", "/(a|b)c", "/[^/]+/x", "/[a-f0-9]{8}-[a-f0-9]{4}", "/v\\d{1,2}(?:\\.\\d+)?/x", "/\\w+@\\w+",
                                          "/(?i)ABC$", "/a+b*c?", "/(?<name>x|y)/\\k<name>", "/q\\Qa+b\\E/z", "/[]x]", "/[[:digit:]]+z", "/x(?!y)",
                                          "/\\.well-known/.*", "/(?=a)a", "/((a|b)/){2}"};
    struct matcher *matcher = matcher_new();
    for (size_t i = 0; i < sizeof regexes / sizeof regexes[0]; i++) {
        struct pattern *pattern = pattern_new(regexes[i]);
        struct names samples = {0};
        bool reference = strstr(regexes[i], "\\k") != NULL;   /* what it refers to is not made */
        regex_samples(matcher, pattern, regexes[i], &samples);
        if (samples.count == 0 && !reference)
            fail_msg("nothing matches %s", regexes[i]);
        for (size_t j = 0; j < samples.count; j++)
            assert_int_equal(pattern_hits(matcher, pattern, samples.list[j], strlen(samples.list[j])), VERDICT_YES);
        names_free(&samples);
        pattern_free(pattern);
    }
    matcher_free(matcher);
}

static void expect_stem(const char *regex, const char *expected)
{
    char *stem = regex_stem(regex);
    assert_string_equal(stem, expected);
    free(stem);
}

static void test_stems(void **state)
{
    (void)state;
    expect_stem("/users/\\d+", "/users/");
    expect_stem("/a+b", "/");
    expect_stem("/ab?c", "/a");
    expect_stem("/ab{0}c", "/a");
    expect_stem("/v1\\.0/(x)", "/v1.0/");
    expect_stem("/a\\.?", "/a");
    expect_stem("/a|/b", "");
    expect_stem("/(a|b)", "/");
    expect_stem("/a[(]|/b", "");
    expect_stem("/a[)|(]x", "/a");
    expect_stem("/a\\(|/b", "");
    expect_stem("/q\\Qa|b", "");
    expect_stem("/q(?#(|)", "");
    expect_stem("/a(?#c)?", "");
    expect_stem("/a\\E*", "");
    expect_stem("(?i)/a", "");
    expect_stem("", "");
}

/* Requests as they are written. */

static void expect_request(const char *line, const char *method, const char *host, const char *path, const char *sni)
{
    struct written_requests requests = {0};
    struct error error = {0};
    if (!requests_add(&requests, line, &error))
        fail_msg("%s: %s", line, error.message);
    assert_string_equal(requests.list[0].method, method);
    assert_string_equal(requests.list[0].host, host);
    assert_string_equal(requests.list[0].path, path);
    assert_string_equal(requests.list[0].sni != NULL ? requests.list[0].sni : "none", sni != NULL ? sni : "none");
    requests_free(&requests);
}

static void expect_refused(const char *line, const char *part)
{
    struct written_requests requests = {0};
    struct error error = {0};
    assert_false(requests_add(&requests, line, &error));
    if (strstr(error.message, part) == NULL)
        fail_msg("%s: %s", line, error.message);
    assert_int_equal(requests.count, 0);
    error_clear(&error);
    requests_free(&requests);
}

static void test_requests(void **state)
{
    (void)state;
    expect_request("GET h/p", "GET", "h", "/p", NULL);
    expect_request("  GET\thttp://h:80/p?q=/x  \r\n", "GET", "h:80", "/p?q=/x", NULL);
    expect_request("POST https://h.com:8443/p#f", "POST", "h.com:8443", "/p", "h.com");
    expect_request("GET HTTPS://h.com", "GET", "h.com", "/", "h.com");
    expect_request("GET https://10.0.0.1/x", "GET", "10.0.0.1", "/x", NULL);
    expect_request("GET https://[::1]:8443/x", "GET", "[::1]:8443", "/x", NULL);
    expect_request("GET /p", "GET", "", "/p", NULL);
    expect_request("GET h?a=b", "GET", "h", "/?a=b", NULL);
    expect_request("GET /p?u=ftp://x/", "GET", "", "/p?u=ftp://x/", NULL);
    expect_refused("", "method");
    expect_refused("get h/p", "method");
    expect_refused("GET", "no URL");
    expect_refused("GET a b", "space");
    expect_refused("GET ftp://h/p", "scheme");
    expect_refused("GET h/\x01", "control");
    expect_refused("http://h/p", "method");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples),    cmocka_unit_test(test_examples_are_found), cmocka_unit_test(test_remedies),
        cmocka_unit_test(test_hostile),     cmocka_unit_test(test_bytes),              cmocka_unit_test(test_long),
        cmocka_unit_test(test_samples),     cmocka_unit_test(test_stems),              cmocka_unit_test(test_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
