#include "core/router/remedy.h"

#include "core/base/ascii.h"
#include "core/base/buf.h"
#include "core/base/mem.h"
#include "core/router/candidates.h"

#include <stdlib.h>
#include <string.h>

#define REQUESTS 50          /* of a difference, that an attempt must keep */
#define WITNESSES 4000
#define AROUND 100           /* routes, whose requests are the witnesses */
#define AROUND_EACH 10
#define BUILD 10             /* what a route built again takes, beside hearing a witness */
#define VALUES 8             /* of one attribute of a route to be added */

/* What must not change for a remedy: requests of the routes around, and who wins them now. */
struct witness {
    struct tried_request request;
    struct router_result results[ROUTER_VERSIONS];
};

/* A copy of the routes, whose texts are the originals', and with room for one more. */
struct attempt {
    const struct routes *original;
    const struct difference *difference;
    struct routes routes;
    struct route *added;
    bool from_old;            /* the added route stands for the old winner */
    struct router *now[ROUTER_VERSIONS];
    struct witness *witnesses;
    size_t witness_count;
    size_t *spent;
};

static void start(struct attempt *attempt)
{
    memcpy(attempt->routes.list, attempt->original->list, attempt->original->count * sizeof *attempt->routes.list);
    attempt->routes.count = attempt->original->count;
}

/* The routes around. */

static void add_around(const struct router *router, struct numbers *around, struct list list)
{
    for (uint32_t i = 0; i < list.count && i < AROUND_EACH; i++) {
        uint32_t route = router->entries[router->members[list.start + i]].route;
        if (around->count < AROUND && !keys_have(around->list, (uint32_t)around->count, route))
            numbers_add(around, route);
    }
}

static void look_around(struct router *router, const struct request *request, struct numbers *around)
{
    struct route_index *index = router->index;
    index_look(index, request);
    add_around(router, around, router_list(router, EVERY_CATEGORY, HOST, index->host));
    for (size_t i = 0; i < index->wildcards.count; i++)
        add_around(router, around, router_list(router, EVERY_CATEGORY, HOST, index->wildcards.list[i]));
    for (size_t i = index->prefixes.count; i-- > 0;)
        add_around(router, around, router_list(router, EVERY_CATEGORY, URI, index->prefixes.list[i]));
    for (size_t i = index->path_stems.count; i-- > 0;)
        add_around(router, around, router_list(router, EVERY_CATEGORY, STEM, index->path_stems.list[i]));
}

static bool note_witness(const struct request *request, void *context)
{
    struct attempt *attempt = context;
    struct witness *witness = &attempt->witnesses[attempt->witness_count++];
    witness->request = tried_request_keep(request);
    index_look(attempt->now[0]->index, request);
    for (size_t v = 0; v < ROUTER_VERSIONS; v++)
        router_match(attempt->now[v], &witness->results[v]);
    return true;
}

static void call_witnesses(struct attempt *attempt)
{
    const struct difference *difference = attempt->difference;
    struct numbers around = {0};
    for (size_t i = 0; i < difference->old.count && i < AROUND_EACH; i++)
        numbers_add(&around, difference->old.winners[i]);
    for (size_t i = 0; i < difference->new.count && i < AROUND_EACH; i++)
        if (!keys_have(around.list, (uint32_t)around.count, difference->new.winners[i]))
            numbers_add(&around, difference->new.winners[i]);
    for (size_t i = 0; i < difference->count && i < AROUND_EACH; i++) {
        struct request request = difference_request(difference, i);
        look_around(attempt->now[ROUTER_1_3], &request, &around);
    }
    attempt->witnesses = mem_zero(WITNESSES, sizeof *attempt->witnesses);
    if (attempt->original->count <= AROUND)
        candidates_each(attempt->now[ROUTER_1_2], attempt->now[ROUTER_1_3], WITNESSES, note_witness, attempt);
    else
        candidates_of(attempt->now[ROUTER_1_2], attempt->now[ROUTER_1_3], &around, WITNESSES, note_witness, attempt);
    *attempt->spent += attempt->witness_count;
    free(around.list);
}

/* A change tried. */

static bool has_winner(const struct router_result *result, uint32_t route)
{
    return keys_have(result->winners, (uint32_t)result->count, route);
}

static bool is_kept(const struct attempt *attempt, const struct router_result *result)
{
    if (result->count != 1 || result->none)
        return false;
    return result->winners[0] == attempt->original->count || has_winner(&attempt->difference->old, result->winners[0]);
}

/* The same as before, but that the added route may stand for the old winner, or for no route. */
static bool is_unchanged(const struct attempt *attempt, const struct router_result *before, const struct router_result *after)
{
    struct router_result result = *after;
    if (router_same(before, after))
        return true;
    if (result.count != 1 || result.none || result.more || result.winners[0] != attempt->original->count)
        return false;
    if (!attempt->from_old)
        return before->count == 0;
    return before->count == 1 && !before->none && has_winner(&attempt->difference->old, before->winners[0]);
}

static bool keeps_witness(const struct attempt *attempt, struct router *const *routers, const struct witness *witness)
{
    struct router_result old, new;
    struct request request = tried_request_get(&witness->request);
    index_look(routers[0]->index, &request);
    router_match(routers[ROUTER_1_2], &old);
    router_match(routers[ROUTER_1_3], &new);
    return is_unchanged(attempt, &witness->results[ROUTER_1_2], &old) && (is_unchanged(attempt, &witness->results[ROUTER_1_3], &new) ||
                                                                          is_unchanged(attempt, &witness->results[ROUTER_1_2], &new));
}

static bool keeps_difference(const struct attempt *attempt, struct router *const *routers)
{
    const struct difference *difference = attempt->difference;
    size_t step = difference->count > REQUESTS ? difference->count / REQUESTS : 1;
    for (size_t i = 0; i < difference->count; i += step) {
        struct request request = difference_request(difference, i);
        index_look(routers[0]->index, &request);
        for (size_t v = 0; v < ROUTER_VERSIONS; v++) {
            struct router_result result;
            router_match(routers[v], &result);
            if (!is_kept(attempt, &result))
                return false;
        }
    }
    return true;
}

/* Both versions must choose as 1.2 does now: the database is one, and old nodes still read it. */
static bool keeps(const struct attempt *attempt)
{
    struct route_index *index = index_build(&attempt->routes);
    struct router *routers[ROUTER_VERSIONS] = {router_build(ROUTER_1_2, index), router_build(ROUTER_1_3, index)};
    bool kept = keeps_difference(attempt, routers);
    size_t heard = 0;
    for (; kept && heard < attempt->witness_count; heard++)
        kept = keeps_witness(attempt, routers, &attempt->witnesses[heard]);
    *attempt->spent += attempt->routes.count * BUILD + heard;
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
        buf_addf(text, "%s%s%s", i == 0 ? label : ", ", names->list[i], i + 1 == names->count ? ";" : "");
}

static char *describe(const struct attempt *attempt, const struct route *old)
{
    const struct route *added = attempt->added;
    struct buf text = {0};
    if (old == NULL)
        buf_add(&text, "add a route whose plugin request-termination answers 404:");
    else
        buf_addf(&text, "add a route to the service of %s%s%s%s, with the same plugins:", route_label(old), old->service != NULL ? " (" : "",
                 old->service != NULL ? old->service : "", old->service != NULL ? ")" : "");
    say_list(&text, " hosts ", &added->hosts);
    say_list(&text, " paths ", &added->paths);
    say_list(&text, " methods ", &added->methods);
    say_list(&text, " snis ", &added->snis);
    buf_addf(&text, " regex_priority %.0f", added->regex_priority);
    return buf_take(&text);
}

/* A plain path of the route with which all the requests' begin; NULL: there is none. */
static const char *common_path(const struct difference *difference, const struct route *route)
{
    for (size_t i = 0; route != NULL && i < route->paths.count; i++) {
        const char *path = route->paths.list[i];
        bool common = path_is_plain(path);
        for (size_t j = 0; common && j < difference->count; j++)
            common = strncmp(difference_request(difference, j).path, path, strlen(path)) == 0;
        if (common)
            return path;
    }
    return NULL;
}

enum kind { WITH_NEW_PATH, WITH_OLD_PATH, WITH_PATHS, EXACTLY };

static bool collect_paths(const struct attempt *attempt, const struct route *old, const struct route *new, enum kind kind, struct names *paths)
{
    if (kind == WITH_PATHS || kind == EXACTLY)
        return collect(attempt->difference, URI, paths);
    const char *path = common_path(attempt->difference, kind == WITH_NEW_PATH ? new : old);
    if (path != NULL)
        names_add(paths, path);
    return path != NULL;
}

static char *try_route(struct attempt *attempt, const struct route *old, const struct route *new, enum kind kind, bool narrow, double priority)
{
    struct route *added = attempt->added;
    const struct route *const both[] = {old, new};
    bool have[ATTRIBUTES] = {[URI] = true};
    struct names paths = {0};
    *added = (struct route){.id = (char *)(uintptr_t)"", .created_at = INT64_MAX, .regex_priority = priority};
    for (size_t i = 0; i < 2; i++) {
        have[HOST] |= both[i] != NULL && both[i]->hosts.count > 0;
        have[METHOD] |= narrow && both[i] != NULL && both[i]->methods.count > 0;
        have[SNI] |= narrow && both[i] != NULL && both[i]->snis.count > 0;
    }
    char *sentence = NULL;
    names_add(&added->protocols, "http");
    added->hosts_null = !have[HOST];
    bool fits = (!narrow || have[METHOD] || have[SNI]) && (!have[HOST] || collect(attempt->difference, HOST, &added->hosts)) &&
        (!have[METHOD] || collect(attempt->difference, METHOD, &added->methods)) &&
        (!have[SNI] || collect(attempt->difference, SNI, &added->snis)) && collect_paths(attempt, old, new, kind, &paths);
    for (size_t i = 0; i < paths.count; i++) {
        if (kind == EXACTLY)
            add_quoted_path(&added->paths, paths.list[i]);
        else if (!is_covered(&paths, i))
            names_add(&added->paths, paths.list[i]);
    }
    if (fits) {
        start(attempt);
        attempt->routes.list[attempt->routes.count++] = *added;
        attempt->from_old = old != NULL;
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

/* What is least to change first. */
static char *try_changes(struct attempt *attempt, const struct route *old, const struct route *new, double most)
{
    const struct difference *difference = attempt->difference;
    char *sentence = try_priority(attempt, difference->old.winners[0], new->regex_priority + 1);
    if (sentence == NULL)
        sentence = try_priority(attempt, difference->new.winners[0], old->regex_priority - 1);
    if (sentence == NULL)
        sentence = try_paths(attempt, difference->old.winners[0], old->regex_priority);
    if (sentence == NULL)
        sentence = try_paths(attempt, difference->old.winners[0], most + 1);
    return sentence;
}

static char *try_all(struct attempt *attempt)
{
    const struct route *old = winner_of(attempt->original, &attempt->difference->old);
    const struct route *new = winner_of(attempt->original, &attempt->difference->new);
    double most = old != NULL ? old->regex_priority : new != NULL ? new->regex_priority : 0;
    most = new != NULL && new->regex_priority > most ? new->regex_priority : most;
    char *sentence = old != NULL && new != NULL && old != new ? try_changes(attempt, old, new, most) : NULL;
    for (int higher = 0; sentence == NULL && higher <= 1; higher++)
        for (enum kind kind = WITH_NEW_PATH; sentence == NULL && kind <= EXACTLY; kind++)
            for (int narrow = 0; sentence == NULL && narrow <= 1; narrow++)
                sentence = try_route(attempt, old, new, kind, narrow == 1, most + higher);
    return sentence;
}

char *remedy_find(struct router *old, struct router *new, const struct difference *difference, size_t *spent)
{
    struct route added;
    struct attempt attempt = {.original = old->index->routes, .difference = difference, .added = &added, .now = {old, new}, .spent = spent};
    attempt.routes.list = mem_zero(attempt.original->count + 1, sizeof *attempt.routes.list);
    call_witnesses(&attempt);
    char *sentence = try_all(&attempt);
    for (size_t i = 0; i < attempt.witness_count; i++)
        free(attempt.witnesses[i].request.texts);
    free(attempt.witnesses);
    free(attempt.routes.list);
    return sentence;
}
