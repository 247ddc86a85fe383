/* The categories of a router, and the orders they may stand in: a category weighs what its first route weighs, and of tied first routes
 * any may be the first. */
#include "core/base/mem.h"
#include "core/router/router_internal.h"

#include <stdlib.h>
#include <string.h>

#define WEIGHTS 8
#define ARRANGEMENTS 64

unsigned router_bits(const struct router_rules *rules, const struct route *route, uint32_t *weight)
{
    const struct {
        enum attribute attribute;
        size_t count, weight;
    } attributes[] = {
        {HOST, route->hosts.count, 1}, {HEADER, rules->has_headers ? route->header_count : 0, 1}, {URI, route->paths.count, 1},
        {METHOD, route->methods.count, 1}, {SNI, route->snis.count, route->snis.count}, {SRC, route->sources.count, 1},
        {DST, route->destinations.count, 1},
    };
    unsigned bits = 0;
    *weight = 0;
    for (size_t i = 0; i < sizeof attributes / sizeof attributes[0]; i++) {
        if (attributes[i].count == 0)
            continue;
        bits |= BIT(attributes[i].attribute);
        *weight += (uint32_t)attributes[i].weight;
    }
    return bits;
}

static uint8_t category_of(struct router *router, unsigned bits, uint32_t entry)
{
    for (size_t i = 0; i < router->category_count; i++)
        if (router->categories[i].bits == bits)
            return (uint8_t)i;
    router->categories[router->category_count] = (struct category){.bits = bits, .first = entry};
    return (uint8_t)router->category_count++;
}

/* The different weights of the entries that may be the category's first. */
static size_t possible_weights(const struct router *router, size_t category, uint32_t weights[WEIGHTS])
{
    size_t count = 0;
    uint32_t first = router->categories[category].first;
    for (uint32_t i = first; i < router->entry_count && router->entries[i].group == router->entries[first].group; i++) {
        uint32_t weight = router->entries[i].weight;
        if (router->entries[i].category == category && !keys_have(weights, (uint32_t)count, weight) && count < WEIGHTS)
            weights[count++] = weight;
    }
    return count;
}

static bool goes_before(const struct router *router, const struct arrangement *arrangement, uint8_t one, uint8_t other)
{
    if (arrangement->weights[one] != arrangement->weights[other])
        return arrangement->weights[one] > arrangement->weights[other];
    return router->categories[one].bits > router->categories[other].bits;
}

static void put_in_order(const struct router *router, struct arrangement *arrangement)
{
    for (size_t i = 0; i < router->category_count; i++) {
        size_t at = i;
        for (; at > 0 && goes_before(router, arrangement, (uint8_t)i, arrangement->order[at - 1]); at--)
            arrangement->order[at] = arrangement->order[at - 1];
        arrangement->order[at] = (uint8_t)i;
    }
}

/* The next combination of possible weights; false after the last. */
static bool step(size_t *chosen, const size_t *counts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (++chosen[i] < counts[i])
            return true;
        chosen[i] = 0;
    }
    return false;
}

static void arrange(struct router *router)
{
    uint32_t weights[CATEGORIES][WEIGHTS];
    size_t counts[CATEGORIES], chosen[CATEGORIES] = {0};
    for (size_t i = 0; i < router->category_count; i++) {
        counts[i] = possible_weights(router, i, weights[i]);
        router->open_categories[i] = counts[i] > 1;
    }
    router->arrangements = mem_zero(ARRANGEMENTS, sizeof *router->arrangements);
    do {
        struct arrangement *arrangement = &router->arrangements[router->arrangement_count++];
        for (size_t i = 0; i < router->category_count; i++)
            arrangement->weights[i] = weights[i][chosen[i]];
        put_in_order(router, arrangement);
    } while (step(chosen, counts, router->category_count) && router->arrangement_count < ARRANGEMENTS);
}

void router_make_categories(struct router *router)
{
    for (uint32_t i = 0; i < router->entry_count; i++) {
        struct entry *entry = &router->entries[i];
        unsigned bits = router_bits(router->rules, &router->index->routes->list[entry->route], &entry->weight);
        entry->category = category_of(router, bits, i);
        router->categories[entry->category].count++;
    }
    arrange(router);
}
