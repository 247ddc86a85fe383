/* The search that both routers share; what they differ in is in router12.c and router13.c. */
#include "core/router/router.h"

#include "core/base/mem.h"
#include "core/router/ties.h"

#include <stdlib.h>
#include <string.h>

/* Building. */

static bool takes_part(const struct router_rules *rules, const struct route *route)
{
    if (route->bare && !(rules->has_headers && route->header_count > 0))
        return false;
    for (size_t i = 0; i < route->protocols.count; i++)
        if (rules->takes_protocol(route->protocols.list[i]))
            return true;
    return false;
}

static int compare_routes(const struct router *router, uint32_t one, uint32_t other)
{
    const struct route *routes = router->index->routes->list;
    return router->rules->compare(&routes[one], &router->index->keys[one], &routes[other], &router->index->keys[other]);
}

static int compare_entries(const void *one, const void *other, void *context)
{
    uint32_t a = ((const struct entry *)one)->route, b = ((const struct entry *)other)->route;
    int order = compare_routes(context, a, b);
    return order != 0 ? order : (a > b) - (a < b);
}

static void make_entries(struct router *router)
{
    const struct routes *routes = router->index->routes;
    router->entries = mem_zero(routes->count + 1, sizeof *router->entries);
    router->takes = mem_zero(routes->count + 1, sizeof *router->takes);
    for (uint32_t i = 0; i < routes->count; i++) {
        router->takes[i] = takes_part(router->rules, &routes->list[i]);
        if (router->takes[i])
            router->entries[router->entry_count++].route = i;
    }
    qsort_r(router->entries, router->entry_count, sizeof *router->entries, compare_entries, router);
    for (uint32_t i = 1; i < router->entry_count; i++) {
        bool tied = compare_routes(router, router->entries[i - 1].route, router->entries[i].route) == 0;
        router->entries[i].group = router->entries[i - 1].group + (tied ? 0 : 1);
    }
}

struct router *router_build(enum router_version version, struct route_index *index)
{
    static const struct router_rules *const rules[ROUTER_VERSIONS] = {[ROUTER_1_2] = &router_rules_1_2, [ROUTER_1_3] = &router_rules_1_3};
    if (version >= ROUTER_VERSIONS)
        return NULL;
    struct router *router = mem_zero(1, sizeof *router);
    router->rules = rules[version];
    router->index = index;
    make_entries(router);
    router_make_categories(router);
    router_make_lists(router);
    return router;
}

void router_free(struct router *router)
{
    if (router == NULL)
        return;
    free(router->entries);
    free(router->takes);
    free(router->arrangements);
    free(router->lists);
    free(router->members);
    free(router->regex_group);
    free(router->found.list);
    free(router->stems);
    free(router);
}

bool router_takes(const struct router *router, uint32_t route)
{
    return router->takes[route];
}

const char *router_version_name(enum router_version version)
{
    return version == ROUTER_1_2 ? router_rules_1_2.name : router_rules_1_3.name;
}

/* One search, with all answers given. */

/* The sets of METHOD, SNI and, in 1.2, HOST hold every route that these let through: only another set can leave out a match. */
struct reduction {
    unsigned attribute;      /* ALL: no set that matters */
    uint32_t value;
    bool open;               /* another set is as small */
};

/* `before`: attributes whose sets are tried before URI's; of equally small ones the first is taken. */
static struct reduction reduce(const struct router *router, unsigned category, const struct hits *hits, unsigned before)
{
    static const enum attribute attributes[] = {HOST, HEADER, URI, METHOD, SNI};
    uint32_t counts[ATTRIBUTES] = {0}, smallest = 0;
    bool open = false;
    for (size_t i = 0; i < sizeof attributes / sizeof attributes[0]; i++) {
        enum attribute attribute = attributes[i];
        if (!(router->categories[category].bits & BIT(attribute)))
            continue;
        uint32_t count = router_list(router, category, attribute, router->rules->reduce_key(router->index, attribute, hits)).count;
        counts[attribute] = count;
        smallest = count > 0 && (smallest == 0 || count < smallest) ? count : smallest;
    }
    unsigned chosen = ALL;
    for (size_t i = 0; i < sizeof attributes / sizeof attributes[0]; i++) {
        enum attribute attribute = attributes[i];
        bool is_smallest = smallest > 0 && counts[attribute] == smallest;
        open |= is_smallest && attribute != URI && counts[URI] == smallest;
        if (is_smallest && (chosen == ALL || (chosen == URI && before & BIT(attribute))) && (attribute == URI || before & BIT(attribute)))
            chosen = attribute;
    }
    uint32_t value = chosen != ALL ? router->rules->reduce_key(router->index, (enum attribute)chosen, hits) : 0;
    return (struct reduction){chosen, value, open && router->rules->order_of_sets_open};
}

static bool leaves_out(const struct router *router, unsigned attribute)
{
    return attribute == URI || attribute == HEADER || (attribute == HOST && router->rules->any_wildcard);
}

/* Leaves the first matches in router->found. Returns whether another order of equally small sets could give others. */
static bool walk(struct router *router, const struct arrangement *arrangement, unsigned bits, const struct hits *hits, unsigned before)
{
    bool open = false;
    size_t start = 0;
    for (size_t i = 0; i < router->category_count; i++)
        if (router->categories[arrangement->order[i]].bits == bits)
            start = i;
    router->found.count = 0;
    for (size_t i = start; i < router->category_count && router->found.count == 0; i++) {
        unsigned category = arrangement->order[i];
        struct reduction reduction = reduce(router, category, hits, before);
        open |= reduction.open;
        if (leaves_out(router, reduction.attribute))
            router_scan(router, category, reduction.attribute, reduction.value, hits);
        if (router->found.count == 0)
            router_scan(router, category, ALL, 0, hits);
    }
    return open;
}

static void add_winner(struct router_result *result, uint32_t route)
{
    if (keys_have(result->winners, (uint32_t)result->count, route))
        return;
    if (result->count == ROUTER_WINNERS)
        result->more = true;
    else
        result->winners[result->count++] = route;
}

static void add_winners(struct router *router, struct claims *claims, struct router_result *result)
{
    const struct numbers *found = &router->found;
    for (size_t i = 0; i < found->count; i++)
        if (is_possible(router, claims, found, found->list[i]))
            add_winner(result, router->entries[found->list[i]].route);
    result->none |= found->count == 0 && is_possible(router, claims, NULL, 0);
}

/* What goes before URI; the first is 1.3's, and what 1.2 does in practice. */
static const unsigned orders_of_sets[] = {
    BIT(HOST) | BIT(HEADER), 0, BIT(METHOD), BIT(SNI), BIT(HOST) | BIT(METHOD), BIT(HOST) | BIT(SNI), BIT(METHOD) | BIT(SNI),
    BIT(HOST) | BIT(METHOD) | BIT(SNI),
};

static void search(struct router *router, const struct arrangement *arrangement, unsigned bits, const struct hits *hits, struct claims *claims,
                   struct router_result *result)
{
    bool open = walk(router, arrangement, bits, hits, orders_of_sets[0]);
    add_winners(router, claims, result);
    for (size_t i = 1; open && i < sizeof orders_of_sets / sizeof orders_of_sets[0]; i++) {
        walk(router, arrangement, bits, hits, orders_of_sets[i]);
        add_winners(router, claims, result);
    }
}

#define COMBINATIONS 256

static size_t at_least_one(size_t count)
{
    return count > 0 ? count : 1;
}

static void match_combination(struct router *router, const struct questions *questions, size_t number, struct router_result *result)
{
    const struct question *host = &questions->host, *uri = &questions->uri, *header = &questions->header;
    struct claims claims = {0};
    size_t h = number % at_least_one(host->count), u = number / at_least_one(host->count) % at_least_one(uri->count);
    size_t rest = number / at_least_one(host->count) / at_least_one(uri->count);
    size_t x = rest % at_least_one(header->count), a = rest / at_least_one(header->count);
    claim_question(&claims, host, h);
    claim_question(&claims, uri, u);
    claim_question(&claims, header, x);
    claim_categories(router, &claims, &router->arrangements[a]);
    if ((host->count > 0 && host->options[h].error) || (uri->count > 0 && uri->options[u].error)) {
        result->broken = true;
        result->none |= is_possible(router, &claims, NULL, 0);
        return;
    }
    struct hits hits = {
        .host = host->count > 0 ? host->options[h].key : ATOM_NONE,
        .uri = uri->count > 0 ? uri->options[u].key : questions->prefix,
        .header = header->count > 0 ? header->options[x].key : ATOM_NONE,
    };
    search(router, &router->arrangements[a], questions->bits, &hits, &claims, result);
}

void router_match(struct router *router, struct router_result *result)
{
    struct questions questions;
    *result = (struct router_result){0};
    if (router->category_count == 0) {
        result->none = true;
        return;
    }
    router_ask(router, &questions);
    if (questions.bits == 0 && questions.uri.count == 0 && questions.host.count == 0) {
        result->none = true;
        return;
    }
    size_t combinations = at_least_one(questions.host.count) * at_least_one(questions.uri.count) * at_least_one(questions.header.count) *
        router->arrangement_count;
    for (size_t i = 0; i < combinations && i < COMBINATIONS; i++)
        match_combination(router, &questions, i, result);
    result->more |= combinations > COMBINATIONS;
}

static bool have_winner(const struct router_result *result, uint32_t route)
{
    return keys_have(result->winners, (uint32_t)result->count, route);
}

bool router_same(const struct router_result *one, const struct router_result *other)
{
    if (one->more || other->more)   /* too many to be told apart */
        return one->more && other->more;
    if (one->count != other->count || one->none != other->none)
        return false;
    for (size_t i = 0; i < one->count; i++)
        if (!have_winner(other, one->winners[i]))
            return false;
    return true;
}
