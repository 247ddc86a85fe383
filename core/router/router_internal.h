/* What the two routers are made of: one search, and the rules in which they differ (router12.c, router13.c). Of core/router alone. */
#ifndef CORE_ROUTER_ROUTER_INTERNAL_H
#define CORE_ROUTER_ROUTER_INTERNAL_H

#include "core/router/index.h"

/* The attributes, as bits of a category: the higher goes before. (1.2 has no HEADER, and HOST one bit lower: the order is the same.) */
enum attribute { DST = 0, SRC, SNI, METHOD, URI, HEADER, HOST, ATTRIBUTES, STEM = ATTRIBUTES, PAIR, WIDE, ALL };
#define BIT(attribute) (1u << (attribute))
#define CATEGORIES 128

/* What the request hits before any route is looked at; ATOM_NONE: nothing. */
struct hits {
    uint32_t host;      /* a wildcard */
    uint32_t uri;       /* a prefix or a regex */
    uint32_t header;    /* a header's name */
};

struct router_rules {
    const char *name;
    bool (*takes_protocol)(const char *protocol);
    bool has_headers;

    /* Which stands first: below 0, above 0, or 0 where the keys are equal. */
    int (*compare)(const struct route *one, const struct keys *one_keys, const struct route *other, const struct keys *other_keys);

    /* Whether the route's hosts let the request through. */
    bool (*host_matches)(struct route_index *index, const struct keys *keys, const struct hits *hits);
    bool any_wildcard;            /* it may be let through by a wildcard that is not the hit */

    /* The value by which an attribute reduces a category to a set; ATOM_NONE: it doesn't. */
    uint32_t (*reduce_key)(const struct route_index *index, enum attribute attribute, const struct hits *hits);
    bool order_of_sets_open;      /* of equally small ones any may be taken: they are tried in the order of pairs() */
};

extern const struct router_rules router_rules_1_2, router_rules_1_3;

/* A route that takes part, in the router's order. */
struct entry {
    uint32_t route;
    uint32_t group;       /* entries of one group are tied: their order is open */
    uint8_t category;
    uint32_t weight;
};

struct category {
    unsigned bits;
    uint32_t first;       /* entry */
    uint32_t count;
};

struct list {
    uint64_t key;
    uint32_t start, count;
};

/* One order in which the categories may stand, where tied first routes weigh differently. */
struct arrangement {
    uint8_t order[CATEGORIES];
    uint32_t weights[CATEGORIES];
};

struct router {
    const struct router_rules *rules;
    struct route_index *index;
    struct entry *entries;
    uint32_t entry_count;
    bool *takes;                      /* one a route */
    struct category categories[CATEGORIES];
    size_t category_count;
    struct arrangement *arrangements; /* at least one */
    size_t arrangement_count;
    bool open_categories[CATEGORIES]; /* whose weight depends on the order of ties */

    /* Entries by what they hold: of one category, or of all (EVERY_CATEGORY), in order. */
    struct list *lists;
    size_t list_slots, list_count;
    uint32_t *members;
    uint32_t *regex_group;            /* [path]: the group in which a regex stands first; UINT32_MAX: in none */

    /* While a request is matched. */
    struct numbers found;             /* entries */
    struct list *stems;               /* what is left to read of each stem's list */
    size_t stem_capacity;
};

#define EVERY_CATEGORY 255
#define NO_LIST ((struct list){0})

/* The entries of that category that hold the value, in order, those that hold it twice twice. */
struct list router_list(const struct router *router, unsigned category, unsigned attribute, uint32_t value);

/* EVERY_CATEGORY's lists of STEM hold only entries that are the first to hold one of their regexes, or tied with those: no other can be
 * the first whose regex hits. */

/* Those that hold both a host and a path, or a host and a regex with that stem. Entries with very many hosts and paths are in no such
 * list, but in that of WIDE. */
struct list router_pair_list(const struct router *router, unsigned category, uint32_t host, unsigned attribute, uint32_t value);

void router_make_lists(struct router *router);
void router_make_categories(struct router *router);

/* The bits of a category that a route belongs to, and its weight. */
unsigned router_bits(const struct router_rules *rules, const struct route *route, uint32_t *weight);

static inline const struct keys *router_keys(const struct router *router, uint32_t entry)
{
    return &router->index->keys[router->entries[entry].route];
}

/* Whether the entry is a match, and the first group of matches of a category: those whose `attribute` holds `value`, or with ALL any.
 * They are left in router->found. */
bool router_entry_matches(struct router *router, uint32_t entry, const struct hits *hits);
void router_scan(struct router *router, unsigned category, unsigned attribute, uint32_t value, const struct hits *hits);

static inline bool keys_have(const uint32_t *list, uint32_t count, uint32_t value)
{
    for (uint32_t i = 0; i < count; i++)
        if (list[i] == value)
            return true;
    return false;
}

#endif
