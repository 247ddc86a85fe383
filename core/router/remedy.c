#include "core/router/remedy.h"

#include "core/base/ascii.h"
#include "core/base/buf.h"
#include "core/base/mem.h"
#include "core/router/index.h"

#include <stdlib.h>
#include <string.h>

#define REQUESTS 20          /* of a difference, that an attempt must keep */
#define VALUES 8             /* of one attribute of a route to be added */

/* A copy of the routes, whose texts are the originals', and with room for one more. */
struct attempt {
    const struct routes *original;
    const struct difference *difference;
    struct routes routes;
    struct route *added;
    size_t *spent;
};

static void start(struct attempt *attempt)
{
    memcpy(attempt->routes.list, attempt->original->list, attempt->original->count * sizeof *attempt->routes.list);
    attempt->routes.count = attempt->original->count;
}

static bool is_kept(const struct attempt *attempt, const struct router_result *result)
{
    const struct router_result *old = &attempt->difference->old;
    if (result->count != 1 || result->none)
        return false;
    if (result->winners[0] == attempt->original->count)
        return true;
    for (size_t i = 0; i < old->count; i++)
        if (old->winners[i] == result->winners[0])
            return true;
    return false;
}

/* Both versions must choose as 1.2 does now: the database is one, and old nodes still read it. */
static bool keeps(const struct attempt *attempt)
{
    const struct difference *difference = attempt->difference;
    struct route_index *index = index_build(&attempt->routes);
    struct router *routers[ROUTER_VERSIONS] = {router_build(ROUTER_1_2, index), router_build(ROUTER_1_3, index)};
    size_t step = difference->count > REQUESTS ? difference->count / REQUESTS : 1;
    bool kept = true;
    *attempt->spent += attempt->routes.count;
    for (size_t i = 0; kept && i < difference->count; i += step) {
        struct request request = difference_request(difference, i);
        index_look(index, &request);
        for (size_t v = 0; kept && v < ROUTER_VERSIONS; v++) {
            struct router_result result;
            router_match(routers[v], &result);
            kept = is_kept(attempt, &result);
        }
    }
    router_free(routers[0]);
    router_free(routers[1]);
    index_free(index);
    return kept;
}

static char *try_priority(struct attempt *attempt, uint32_t route, double priority)
{
    start(attempt);
    attempt->routes.list[route].regex_priority = priority;
    if (!keeps(attempt))
        return NULL;
    return mem_printf("set regex_priority of route %s to %.0f", route_label(&attempt->original->list[route]), priority);
}

/* A route of its own for these requests. */

static const char *value_of(const struct request *request, enum attribute attribute)
{
    switch (attribute) {
    case HOST: return request->host;
    case METHOD: return request->method;
    case SNI: return request->sni;
    default: return request->path;
    }
}

/* The different values that the requests have; false where there are too many, or one has none. */
static bool collect(const struct difference *difference, enum attribute attribute, struct names *names)
{
    for (size_t i = 0; i < difference->count; i++) {
        struct request request = difference_request(difference, i);
        const char *value = value_of(&request, attribute);
        if (value == NULL || value[0] == '\0')
            return false;
        if (!names_have(names, value))
            names_add(names, value);
        if (names->count > VALUES)
            return false;
    }
    return true;
}

static void add_quoted_path(struct names *names, const char *path)
{
    struct buf regex = {0};
    for (const char *c = path; *c != '\0'; c++) {
        if (!ascii_is_alnum(*c) && strchr("/-_~%", *c) == NULL && (unsigned char)*c < 128)
            buf_add(&regex, "\\");
        buf_add_bytes(&regex, c, 1);
    }
    buf_add(&regex, "$");
    names_add(names, buf_text(&regex));
    buf_free(&regex);
}

/* The old winner's paths, and these exactly: as regexes, which 1.3 looks at first. */
static char *try_paths(struct attempt *attempt, uint32_t route, double priority)
{
    const struct route *original = &attempt->original->list[route];
    struct names values = {0}, paths = {0};
    struct buf text = {0};
    char *sentence = NULL;
    for (size_t i = 0; i < original->paths.count; i++)
        names_add(&paths, original->paths.list[i]);
    if (original->paths.count > 0 && collect(attempt->difference, URI, &values)) {
        for (size_t i = 0; i < values.count; i++)
            add_quoted_path(&paths, values.list[i]);
        start(attempt);
        attempt->routes.list[route].paths = paths;
        attempt->routes.list[route].regex_priority = priority;
        if (keeps(attempt)) {
            buf_addf(&text, "add to route %s the path%s", route_label(original), values.count > 1 ? "s" : "");
            for (size_t i = original->paths.count; i < paths.count; i++)
                buf_addf(&text, "%s %s", i > original->paths.count ? "," : "", paths.list[i]);
            if (priority != original->regex_priority)
                buf_addf(&text, " and set its regex_priority to %.0f", priority);
            sentence = buf_take(&text);
        }
    }
    names_free(&values);
    names_free(&paths);
    return sentence;
}

/* Whether another of the paths is the beginning of this one. */
static bool is_covered(const struct names *paths, size_t number)
{
    for (size_t i = 0; i < paths->count; i++) {
        size_t length = strlen(paths->list[i]);
        if (i != number && strncmp(paths->list[number], paths->list[i], length) == 0)
            return true;
    }
    return false;
}

static void say_list(struct buf *text, const char *label, const struct names *names)
{
    for (size_t i = 0; i < names->count; i++)
        buf_addf(text, "%s%s", i == 0 ? label : ", ", names->list[i]);
}

static char *describe(const struct attempt *attempt, const struct route *old)
{
    const struct route *added = attempt->added;
    struct buf text = {0};
    if (old == NULL)
        buf_add(&text, "add a route whose plugin request-termination answers 404, with");
    else
        buf_addf(&text, "add a route to the service of %s%s%s%s, with the same plugins,", route_label(old), old->service != NULL ? " (" : "",
                 old->service != NULL ? old->service : "", old->service != NULL ? ")" : "");
    say_list(&text, " hosts ", &added->hosts);
    say_list(&text, " paths ", &added->paths);
    say_list(&text, " methods ", &added->methods);
    say_list(&text, " snis ", &added->snis);
    buf_addf(&text, " regex_priority %.0f", added->regex_priority);
    return buf_take(&text);
}

static char *try_route(struct attempt *attempt, const struct route *old, const struct route *new, bool regex)
{
    struct route *added = attempt->added;
    const struct route *const both[] = {old, new};
    bool have[ATTRIBUTES] = {[URI] = true};
    struct names paths = {0};
    *added = (struct route){.id = (char *)(uintptr_t)"", .created_at = INT64_MAX};
    for (size_t i = 0; i < 2; i++) {
        have[HOST] |= both[i] != NULL && both[i]->hosts.count > 0;
        have[METHOD] |= both[i] != NULL && both[i]->methods.count > 0;
        have[SNI] |= both[i] != NULL && both[i]->snis.count > 0;
        if (both[i] != NULL && both[i]->regex_priority >= added->regex_priority)
            added->regex_priority = both[i]->regex_priority + 1;
    }
    char *sentence = NULL;
    names_add(&added->protocols, "http");
    added->hosts_null = !have[HOST];
    bool fits = (!have[HOST] || collect(attempt->difference, HOST, &added->hosts)) &&
        (!have[METHOD] || collect(attempt->difference, METHOD, &added->methods)) &&
        (!have[SNI] || collect(attempt->difference, SNI, &added->snis)) && collect(attempt->difference, URI, &paths);
    for (size_t i = 0; i < paths.count; i++) {
        if (regex)
            add_quoted_path(&added->paths, paths.list[i]);
        else if (!is_covered(&paths, i))
            names_add(&added->paths, paths.list[i]);
    }
    if (fits) {
        start(attempt);
        attempt->routes.list[attempt->routes.count++] = *added;
        sentence = keeps(attempt) ? describe(attempt, old) : NULL;
    }
    struct names *const lists[] = {&added->protocols, &added->hosts, &added->methods, &added->snis, &added->paths, &paths};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        names_free(lists[i]);
    return sentence;
}

static const struct route *winner_of(const struct routes *routes, const struct router_result *result)
{
    return result->count > 0 ? &routes->list[result->winners[0]] : NULL;
}

char *remedy_find(const struct routes *routes, const struct difference *difference, size_t *spent)
{
    const struct route *old = winner_of(routes, &difference->old), *new = winner_of(routes, &difference->new);
    struct route added;
    struct attempt attempt = {.original = routes, .difference = difference, .added = &added, .spent = spent};
    char *sentence = NULL;
    attempt.routes.list = mem_zero(routes->count + 1, sizeof *attempt.routes.list);
    if (old != NULL && new != NULL && old != new) {
        sentence = try_priority(&attempt, difference->old.winners[0], new->regex_priority + 1);
        if (sentence == NULL)
            sentence = try_priority(&attempt, difference->new.winners[0], old->regex_priority - 1);
        double most = old->regex_priority > new->regex_priority ? old->regex_priority : new->regex_priority;
        if (sentence == NULL)
            sentence = try_paths(&attempt, difference->old.winners[0], old->regex_priority);
        if (sentence == NULL)
            sentence = try_paths(&attempt, difference->old.winners[0], most + 1);
    }
    if (sentence == NULL)
        sentence = try_route(&attempt, old, new, false);
    if (sentence == NULL)
        sentence = try_route(&attempt, old, new, true);
    free(attempt.routes.list);
    return sentence;
}
