#include "core/router/compare.h"

#include "core/base/mem.h"
#include "core/router/candidates.h"
#include "core/router/remedy.h"

#include <stdlib.h>
#include <string.h>

/* Bounds, for any set of routes: requests tried, what finding out takes that would keep the old behaviour, and what choosing takes. */
#define MOST_REQUESTS 1000000
#define MOST_REMEDIES 3000000
#define MOST_WORK 300000000

struct compare {
    const struct routes *routes;
    struct route_index *index;
    struct router *old, *new;
    size_t spent;             /* on remedies */
};

struct compare *compare_new(const struct routes *routes)
{
    struct compare *compare = mem_zero(1, sizeof *compare);
    compare->routes = routes;
    compare->index = index_build(routes);
    compare->old = router_build(ROUTER_1_2, compare->index);
    compare->new = router_build(ROUTER_1_3, compare->index);
    return compare;
}

void compare_free(struct compare *compare)
{
    if (compare == NULL)
        return;
    router_free(compare->old);
    router_free(compare->new);
    index_free(compare->index);
    free(compare);
}

/* Differences. */

struct tried_request tried_request_keep(const struct request *request)
{
    const char *const parts[] = {request->method, request->host, request->path, request->sni};
    size_t length = 0;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        length += parts[i] != NULL ? strlen(parts[i]) + 1 : 1;
    char *text = mem_zero(length + 1, 1), *end = text;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        end = stpcpy(end, parts[i] != NULL ? parts[i] : "") + 1;
    return (struct tried_request){text, request->headers, request->header_count};
}

struct request tried_request_get(const struct tried_request *tried)
{
    const char *method = tried->texts, *host = method + strlen(method) + 1, *path = host + strlen(host) + 1;
    const char *sni = path + strlen(path) + 1;
    return (struct request){.method = method, .host = host, .path = path, .sni = sni[0] != '\0' ? sni : NULL,
                            .headers = tried->headers, .header_count = tried->header_count};
}

struct request difference_request(const struct difference *difference, size_t number)
{
    return tried_request_get(&difference->requests[number]);
}

static void add_request(struct difference *difference, const struct request *request)
{
    if (difference->count == difference->capacity) {
        difference->capacity = difference->capacity > 0 ? difference->capacity * 2 : 2;
        difference->requests = mem_grow(difference->requests, difference->capacity, sizeof *difference->requests);
    }
    difference->requests[difference->count++] = tried_request_keep(request);
}

void difference_free(struct difference *difference)
{
    for (size_t i = 0; i < difference->count; i++)
        free(difference->requests[i].texts);
    free(difference->requests);
    free(difference->remedy);
    *difference = (struct difference){0};
}

static void ask(struct compare *compare, const struct request *request, struct difference *difference)
{
    *difference = (struct difference){0};
    index_look(compare->index, request);
    router_match(compare->old, &difference->old);
    router_match(compare->new, &difference->new);
}

static void find_remedy(struct compare *compare, struct difference *difference)
{
    difference->remedy_sought = compare->spent < MOST_REMEDIES;
    if (difference->remedy_sought)
        difference->remedy = remedy_find(compare->old, compare->new, difference, &compare->spent);
}

void compare_request(struct compare *compare, const struct request *request, struct difference *difference)
{
    ask(compare, request, difference);
    difference->reason = reason_find(compare->old, compare->new, &difference->old, &difference->new);
    if (difference->reason <= REASON_OPEN)
        return;
    add_request(difference, request);
    find_remedy(compare, difference);
}

/* Differences by winners and reason. */

struct collection {
    struct compare *compare;
    struct comparison *comparison;
    uint32_t *slots;          /* number + 1 */
    size_t slot_count, capacity;
    bool exhausted;
};

static uint64_t hash_of(const struct difference *difference)
{
    uint64_t hash = (uint64_t)difference->reason + 1;
    const struct router_result *const results[] = {&difference->old, &difference->new};
    for (size_t i = 0; i < 2; i++) {
        uint64_t sum = results[i]->none ? 7 : 0;   /* the order of winners is no matter */
        for (size_t j = 0; j < results[i]->count; j++)
            sum += (results[i]->winners[j] + 1) * 0x9e3779b97f4a7c15u;
        hash = (hash ^ sum) * 0x2545f4914f6cdd1du;
    }
    return hash >> 16;
}

static bool same_difference(const struct difference *one, const struct difference *other)
{
    return one->reason == other->reason && router_same(&one->old, &other->old) && router_same(&one->new, &other->new);
}

static void put(struct collection *collection, uint32_t number)
{
    size_t slot = (size_t)hash_of(&collection->comparison->list[number]) & (collection->slot_count - 1);
    while (collection->slots[slot] != 0)
        slot = (slot + 1) & (collection->slot_count - 1);
    collection->slots[slot] = number + 1;
}

static void grow(struct collection *collection)
{
    struct comparison *comparison = collection->comparison;
    collection->capacity = collection->capacity > 0 ? collection->capacity * 2 : 64;
    comparison->list = mem_grow(comparison->list, collection->capacity, sizeof *comparison->list);
    free(collection->slots);
    collection->slot_count = collection->capacity * 2;
    collection->slots = mem_zero(collection->slot_count, sizeof *collection->slots);
    for (size_t i = 0; i < comparison->count; i++)
        put(collection, (uint32_t)i);
}

static struct difference *find(struct collection *collection, const struct difference *difference)
{
    struct comparison *comparison = collection->comparison;
    if (comparison->count == collection->capacity)
        grow(collection);
    for (size_t slot = (size_t)hash_of(difference) & (collection->slot_count - 1); collection->slots[slot] != 0;
         slot = (slot + 1) & (collection->slot_count - 1))
        if (same_difference(&comparison->list[collection->slots[slot] - 1], difference))
            return &comparison->list[collection->slots[slot] - 1];
    comparison->list[comparison->count++] = *difference;
    put(collection, (uint32_t)(comparison->count - 1));
    return &comparison->list[comparison->count - 1];
}

static bool try_one(const struct request *request, void *context)
{
    struct collection *collection = context;
    struct difference difference;
    ask(collection->compare, request, &difference);
    difference.reason = reason_find(collection->compare->old, collection->compare->new, &difference.old, &difference.new);
    collection->comparison->open += difference.reason == REASON_OPEN ? 1 : 0;
    collection->exhausted = index_work(collection->compare->index) > MOST_WORK;
    if (difference.reason <= REASON_OPEN)
        return !collection->exhausted;
    collection->comparison->differing++;
    add_request(find(collection, &difference), request);
    return !collection->exhausted;
}

static int by_count(const void *one, const void *other)
{
    const struct difference *a = one, *b = other;
    if (a->count != b->count)
        return a->count > b->count ? -1 : 1;
    return strcmp(a->requests[0].texts, b->requests[0].texts);
}

/* Problems. */

static void add_problem(struct comparison *comparison, char *sentence)
{
    names_add(&comparison->problems, sentence);
    free(sentence);
}

static void note_routes(const struct compare *compare, struct comparison *comparison)
{
    size_t others = 0, shown = 0;
    for (uint32_t i = 0; i < compare->routes->count; i++) {
        const struct route *route = &compare->routes->list[i];
        if (route->bare && shown++ < 20)
            add_problem(comparison, mem_printf("route %s has no hosts, paths, methods or snis%s: %s can build its router with it; delete it, or give"
                                               " it one", route_label(route), route->header_count > 0 ? ", but headers" : "",
                                               route->header_count > 0 ? "only Kong 1.3" : "no Kong"));
        others += !route->bare && !router_takes(compare->new, i) && !router_takes(compare->old, i) ? 1 : 0;
    }
    if (others > 0)
        add_problem(comparison, mem_printf("%zu route%s of tcp and tls: not looked at", others, others == 1 ? "" : "s"));
}

static const struct route *holder_of(const struct compare *compare, uint32_t path)
{
    struct list list = router_list(compare->new, EVERY_CATEGORY, URI, path);
    return list.count > 0 ? &compare->routes->list[compare->new->entries[compare->new->members[list.start]].route] : NULL;
}

static void note_regexes(const struct compare *compare, struct comparison *comparison)
{
    size_t shown = 0;
    for (uint32_t i = 0; i < compare->index->paths.count; i++) {
        const struct pattern *pattern = compare->index->path_info[i].pattern;
        const struct route *route = holder_of(compare, i);
        if (pattern == NULL || route == NULL || shown == 20)
            continue;
        if (pattern_is_broken(pattern))
            add_problem(comparison, mem_printf("route %s: path %.200s is no regex that PCRE understands: a request for which Kong comes to it finds"
                                               " no route at all", route_label(route), compare->index->paths.list[i].text));
        else if (pattern_gave_up(pattern))
            add_problem(comparison, mem_printf("route %s: regex %.200s takes too many steps on some paths: taken as an error here, as by Kong beyond"
                                               " its own limit", route_label(route), compare->index->paths.list[i].text));
        else
            continue;
        shown++;
    }
}

void compare_all(struct compare *compare, struct comparison *comparison)
{
    *comparison = (struct comparison){0};
    struct collection collection = {.compare = compare, .comparison = comparison};
    struct candidates_done done = candidates_each(compare->old, compare->new, MOST_REQUESTS, try_one, &collection);
    free(collection.slots);
    comparison->tried = done.tried;
    if (comparison->count > 0)
        qsort(comparison->list, comparison->count, sizeof *comparison->list, by_count);
    note_routes(compare, comparison);
    note_regexes(compare, comparison);
    if (done.cut || collection.exhausted)
        add_problem(comparison, mem_printf("there are more requests worth trying than the %zu that were tried: ask for those you know of with"
                                           " --requests", done.tried));
    for (size_t i = 0; i < comparison->count; i++)
        find_remedy(compare, &comparison->list[i]);
}

void comparison_free(struct comparison *comparison)
{
    for (size_t i = 0; i < comparison->count; i++)
        difference_free(&comparison->list[i]);
    free(comparison->list);
    names_free(&comparison->problems);
    *comparison = (struct comparison){0};
}
