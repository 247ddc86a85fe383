/* The search that both routers share; what they differ in is in router12.c and router13.c. */
#include "core/router/router.h"

#include "core/base/mem.h"
#include "core/router/router_internal.h"

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

/* Questions whose answer is the first of some entries, and so may be several where these are tied. */

#define OPTIONS 12
#define LEADERS 12

struct option {
    uint32_t key;
    bool error;                    /* PCRE refuses: the search ends without a route */
    uint32_t leaders[LEADERS];     /* the entries of which one must stand first for this answer */
    uint32_t leader_count;
};

struct question {
    struct option options[OPTIONS];
    size_t count;
    uint32_t group;                /* of the leaders */
};

static void add_option(const struct router *router, struct question *question, uint32_t entry, uint32_t key, bool error)
{
    uint32_t group = router->entries[entry].group;
    size_t i = 0;
    if (question->count > 0 && group > question->group)
        return;
    if (question->count > 0 && group < question->group)
        question->count = 0;
    question->group = group;
    while (i < question->count && (question->options[i].error != error || (!error && question->options[i].key != key)))
        i++;
    if (i == OPTIONS)
        return;
    struct option *option = &question->options[i];
    if (i == question->count) {
        *option = (struct option){.key = key, .error = error};
        question->count++;
    }
    if (option->leader_count < LEADERS && !keys_have(option->leaders, option->leader_count, entry))
        option->leaders[option->leader_count++] = entry;
}

static bool have_everywhere(const struct router *router, unsigned attribute, uint32_t value)
{
    return router_list(router, EVERY_CATEGORY, attribute, value).count > 0;
}

/* Of a route's wildcards the first in its list that matches, or that PCRE refuses before. */
static void ask_entry_host(struct router *router, struct question *question, uint32_t entry)
{
    const struct route_index *index = router->index;
    const struct keys *keys = router_keys(router, entry);
    for (uint32_t i = 0; i < keys->host_count; i++) {
        bool broken = index->broken.count > 0 && keys_have(index->broken.list, (uint32_t)index->broken.count, keys->hosts[i]);
        if (!broken && index->host_look[keys->hosts[i]] != index->look)
            continue;
        add_option(router, question, entry, keys->hosts[i], broken);
        return;
    }
}

static void ask_host_list(struct router *router, struct question *question, const struct numbers *hosts)
{
    for (size_t i = 0; i < hosts->count; i++) {
        struct list list = router_list(router, EVERY_CATEGORY, HOST, hosts->list[i]);
        for (uint32_t j = 0; j < list.count; j++) {
            uint32_t entry = router->members[list.start + j];
            if (question->count > 0 && router->entries[entry].group > question->group)
                break;
            ask_entry_host(router, question, entry);
        }
    }
}

/* Returns whether a plain host is hit, which leaves the question without answers. */
static bool ask_host(struct router *router, struct question *question)
{
    const struct route_index *index = router->index;
    question->count = 0;
    if (index->host != ATOM_NONE && index->host_info[index->host].kind == HOST_PLAIN && have_everywhere(router, HOST, index->host))
        return true;
    ask_host_list(router, question, &index->wildcards);
    ask_host_list(router, question, &index->broken);
    return false;
}

static void ask_entry_regex(struct router *router, struct question *question, uint32_t entry)
{
    const struct keys *keys = router_keys(router, entry);
    for (uint32_t i = 0; i < keys->path_count; i++) {
        uint32_t path = keys->paths[i];
        enum verdict verdict = router->index->path_info[path].pattern != NULL ? index_hits(router->index, path) : VERDICT_NO;
        if (verdict == VERDICT_NO)
            continue;
        add_option(router, question, entry, path, verdict == VERDICT_ERROR);
        return;
    }
}

static size_t list_stems(struct router *router)
{
    const struct numbers *stems = &router->index->path_stems;
    size_t count = 0;
    if (stems->count > router->stem_capacity) {
        router->stem_capacity = stems->count * 2;
        router->stems = mem_grow(router->stems, router->stem_capacity, sizeof *router->stems);
    }
    for (size_t i = 0; i < stems->count; i++) {
        struct list list = router_list(router, EVERY_CATEGORY, STEM, stems->list[i]);
        if (list.count > 0)
            router->stems[count++] = list;
    }
    return count;
}

/* All lists of regexes whose matches begin as the request's path does, read side by side in the router's order until one is hit. */
static void ask_regex(struct router *router, struct question *question)
{
    size_t count = list_stems(router);
    for (;;) {
        struct list *from = NULL;
        for (size_t i = 0; i < count; i++) {
            struct list *list = &router->stems[i];
            if (list->count > 0 && (from == NULL || router->members[list->start] < router->members[from->start]))
                from = list;
        }
        if (from == NULL)
            return;
        uint32_t next = router->members[from->start++];
        from->count--;
        if (question->count > 0 && router->entries[next].group > question->group)
            return;
        router->index->glances++;
        ask_entry_regex(router, question, next);
    }
}

/* A plain path that equals the request's is no hit; else the first regex, else the longest prefix. Returns whether anything is hit. */
static bool ask_uri(struct router *router, struct question *question, uint32_t *prefix)
{
    const struct route_index *index = router->index;
    question->count = 0;
    *prefix = ATOM_NONE;
    if (index->path_key != ATOM_NONE && index->path_info[index->path_key].pattern == NULL && have_everywhere(router, URI, index->path_key))
        return true;
    for (size_t i = index->prefixes.count; *prefix == ATOM_NONE && i-- > 0;)
        if (have_everywhere(router, URI, index->prefixes.list[i]))
            *prefix = index->prefixes.list[i];
    ask_regex(router, question);
    return *prefix != ATOM_NONE || question->count > 0;
}

static void ask_header(struct router *router, struct question *question)
{
    const struct numbers *names = &router->index->request_headers;
    question->count = 0;
    for (size_t i = 0; router->rules->has_headers && i < names->count; i++) {
        struct list list = router_list(router, EVERY_CATEGORY, HEADER, names->list[i]);
        for (uint32_t j = 0; j < list.count; j++) {
            uint32_t entry = router->members[list.start + j];
            if (question->count > 0 && router->entries[entry].group > question->group)
                break;
            add_option(router, question, entry, names->list[i], false);
        }
    }
}

/* Whether one order of the tied routes gives all these answers: each says that its leader stands before whatever else could have been it. */

#define CLAIMS 8

struct claim {
    const struct question *question;   /* or */
    int category;                      /* whose first entry it is about, or */
    const struct numbers *found;       /* the matches */
    const uint32_t *leaders;
    uint32_t leader_count, leader;
};

struct claims {
    struct claim list[CLAIMS];
    size_t count;
    uint32_t firsts[CLAIMS][LEADERS];
    size_t tries;
};

static bool is_about(const struct router *router, const struct claim *claim, uint32_t entry)
{
    if (claim->found != NULL)
        return keys_have(claim->found->list, (uint32_t)claim->found->count, entry);
    if (claim->question == NULL) {
        uint32_t first = router->categories[claim->category].first;
        return router->entries[entry].category == claim->category && router->entries[entry].group == router->entries[first].group;
    }
    for (size_t i = 0; i < claim->question->count; i++)
        if (keys_have(claim->question->options[i].leaders, claim->question->options[i].leader_count, entry))
            return true;
    return false;
}

static bool is_consistent(const struct router *router, const struct claims *claims)
{
    bool before[CLAIMS][CLAIMS], path[CLAIMS][CLAIMS];
    size_t count = claims->count;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            bool same = claims->list[i].leader == claims->list[j].leader;
            before[i][j] = !same && is_about(router, &claims->list[i], claims->list[j].leader);
            path[i][j] = same || before[i][j];
        }
    }
    for (size_t k = 0; k < count; k++)
        for (size_t i = 0; i < count; i++)
            for (size_t j = 0; j < count; j++)
                path[i][j] |= path[i][k] && path[k][j];
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < count; j++)
            if (before[i][j] && path[j][i])
                return false;
    return true;
}

#define TRIES 4096

static bool try_leaders(const struct router *router, struct claims *claims, size_t at)
{
    if (at == claims->count)
        return is_consistent(router, claims);
    struct claim *claim = &claims->list[at];
    for (uint32_t i = 0; i < claim->leader_count; i++) {
        claim->leader = claim->leaders[i];
        if (++claims->tries > TRIES || try_leaders(router, claims, at + 1))
            return true;
    }
    return false;
}

static void claim_question(struct claims *claims, const struct question *question, size_t option)
{
    if (question->count > 1 && claims->count + 1 < CLAIMS)
        claims->list[claims->count++] = (struct claim){.question = question, .category = -1, .leaders = question->options[option].leaders,
                                                       .leader_count = question->options[option].leader_count};
}

static void claim_categories(const struct router *router, struct claims *claims, const struct arrangement *arrangement)
{
    for (size_t i = 0; i < router->category_count; i++) {
        uint32_t first = router->categories[i].first, count = 0;
        if (!router->open_categories[i] || claims->count + 1 >= CLAIMS)
            continue;
        uint32_t *leaders = claims->firsts[claims->count];
        for (uint32_t j = first; j < router->entry_count && router->entries[j].group == router->entries[first].group && count < LEADERS; j++)
            if (router->entries[j].category == i && router->entries[j].weight == arrangement->weights[i])
                leaders[count++] = j;
        claims->list[claims->count++] = (struct claim){.category = (int)i, .leaders = leaders, .leader_count = count};
    }
}

static bool is_possible(const struct router *router, struct claims *claims, const struct numbers *found, uint32_t entry)
{
    size_t count = claims->count;
    if (count == 0)
        return true;
    if (found != NULL)
        claims->list[claims->count++] = (struct claim){.found = found, .category = -1, .leaders = &entry, .leader_count = 1};
    claims->tries = 0;
    bool possible = try_leaders(router, claims, 0);
    claims->count = count;
    return possible;
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

struct questions {
    struct question host, uri, header;
    uint32_t prefix;
    unsigned bits;      /* the request's category */
};

static void ask(struct router *router, struct questions *questions)
{
    const struct route_index *index = router->index;
    bool host = ask_host(router, &questions->host);
    bool uri = ask_uri(router, &questions->uri, &questions->prefix);
    ask_header(router, &questions->header);
    questions->bits = (host || questions->host.count > 0 ? BIT(HOST) : 0) | (uri ? BIT(URI) : 0) |
        (questions->header.count > 0 ? BIT(HEADER) : 0) | (have_everywhere(router, METHOD, index->upper_method) ? BIT(METHOD) : 0) |
        (have_everywhere(router, SNI, index->sni) ? BIT(SNI) : 0);
}

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
    ask(router, &questions);
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
