/* Whether an entry matches, and the first that do: found by whatever few entries hold what the request has, instead of by trying all. */
#include "core/router/router_internal.h"

#include <string.h>

static bool is_prefix(const struct route_index *index, uint32_t path)
{
    return index->path_look[path] == index->look;
}

/* A path that equals the hit (or, without one, the request's path) lets it through even where the regex does not match: only an error
 * of PCRE's keeps it out. Else the paths are tried in their order. */
static bool uri_matches(struct route_index *index, const struct keys *keys, const struct hits *hits)
{
    uint32_t key = hits->uri != ATOM_NONE ? hits->uri : index->path_key;
    if (key != ATOM_NONE && keys_have(keys->paths, keys->path_count, key))
        return index->path_info[key].pattern == NULL || index_matches(index, key) != VERDICT_ERROR;
    for (uint32_t i = 0; i < keys->path_count; i++) {
        uint32_t path = keys->paths[i];
        if (index->path_info[path].pattern == NULL) {
            if (is_prefix(index, path))
                return true;
            continue;
        }
        enum verdict verdict = index_matches(index, path);
        if (verdict != VERDICT_NO)
            return verdict == VERDICT_YES;
    }
    return false;
}

static bool have_header(const struct request *request, const struct route_header *header)
{
    for (size_t i = 0; i < request->header_count; i++) {
        if (strcmp(request->headers[i].name, header->name) != 0)
            continue;
        for (size_t j = 0; j < request->headers[i].values.count; j++)
            if (names_have(&header->values, request->headers[i].values.list[j]))
                return true;
    }
    return false;
}

static bool headers_match(const struct request *request, const struct route *route)
{
    for (size_t i = 0; i < route->header_count; i++)
        if (!have_header(request, &route->headers[i]))
            return false;
    return true;
}

bool router_entry_matches(struct router *router, uint32_t entry, const struct hits *hits)
{
    struct route_index *index = router->index;
    const struct keys *keys = router_keys(router, entry);
    const struct route *route = &index->routes->list[router->entries[entry].route];
    unsigned bits = router->categories[router->entries[entry].category].bits;
    if (bits & BIT(METHOD) && !keys_have(keys->methods, keys->method_count, index->method))
        return false;
    if (bits & BIT(SNI) && !keys_have(keys->snis, keys->sni_count, index->sni))
        return false;
    if (bits & BIT(HOST) && !router->rules->host_matches(index, keys, hits))
        return false;
    if ((bits & BIT(SRC) && !route->sources.open) || (bits & BIT(DST) && !route->destinations.open))
        return false;
    if (bits & BIT(HEADER) && !headers_match(index->request, route))
        return false;
    return !(bits & BIT(URI)) || uri_matches(index, keys, hits);
}

/* Lists that together hold all entries of a category that may match, `restricted` to such as hold a value. */
struct choice {
    const struct router *router;
    const struct hits *hits;
    unsigned category, attribute;       /* by which attribute's lists */
    uint32_t value;                     /* of a restriction to `attribute`; else ATOM_NONE */
};

typedef void take_list(struct router *router, const struct choice *choice, struct list list, void *context);

static void each_of(struct router *router, const struct choice *choice, unsigned attribute, uint32_t value, take_list *take, void *context)
{
    struct list list = router_list(router, choice->category, attribute, value);
    if (list.count > 0)
        take(router, choice, list, context);
}

static void each_host_list(struct router *router, const struct choice *choice, take_list *take, void *context)
{
    const struct route_index *index = router->index;
    each_of(router, choice, HOST, choice->hits->host != ATOM_NONE ? choice->hits->host : index->host, take, context);
    for (size_t i = 0; router->rules->any_wildcard && i < index->wildcards.count; i++)
        if (index->wildcards.list[i] != choice->hits->host)   /* that one was taken */
            each_of(router, choice, HOST, index->wildcards.list[i], take, context);
}

static void each_path_list(struct router *router, const struct choice *choice, take_list *take, void *context)
{
    const struct route_index *index = router->index;
    uint32_t key = choice->hits->uri != ATOM_NONE ? choice->hits->uri : index->path_key;
    each_of(router, choice, URI, key, take, context);
    for (size_t i = 0; i < index->prefixes.count; i++)
        if (index->prefixes.list[i] != key)
            each_of(router, choice, URI, index->prefixes.list[i], take, context);
    for (size_t i = 0; i < index->path_stems.count; i++)
        each_of(router, choice, STEM, index->path_stems.list[i], take, context);
}

/* `host` with each path key. */
static void each_pair_of(struct router *router, const struct choice *choice, uint32_t host, take_list *take, void *context)
{
    const struct route_index *index = router->index;
    uint32_t key = choice->hits->uri != ATOM_NONE ? choice->hits->uri : index->path_key;
    struct list list = router_pair_list(router, choice->category, host, URI, key);
    if (list.count > 0)
        take(router, choice, list, context);
    for (size_t i = 0; i < index->prefixes.count; i++) {
        list = index->prefixes.list[i] != key ? router_pair_list(router, choice->category, host, URI, index->prefixes.list[i]) : NO_LIST;
        if (list.count > 0)
            take(router, choice, list, context);
    }
    for (size_t i = 0; i < index->path_stems.count; i++) {
        list = router_pair_list(router, choice->category, host, STEM, index->path_stems.list[i]);
        if (list.count > 0)
            take(router, choice, list, context);
    }
}

static void each_pair_list(struct router *router, const struct choice *choice, take_list *take, void *context)
{
    const struct route_index *index = router->index;
    uint32_t host = choice->hits->host != ATOM_NONE ? choice->hits->host : index->host;
    each_of(router, choice, WIDE, 0, take, context);
    each_pair_of(router, choice, host, take, context);
    for (size_t i = 0; router->rules->any_wildcard && i < index->wildcards.count; i++)
        if (index->wildcards.list[i] != host)
            each_pair_of(router, choice, index->wildcards.list[i], take, context);
}

static void each_list(struct router *router, const struct choice *choice, take_list *take, void *context)
{
    const struct route_index *index = router->index;
    if (choice->value != ATOM_NONE)
        each_of(router, choice, choice->attribute, choice->value, take, context);
    else if (choice->attribute == HOST)
        each_host_list(router, choice, take, context);
    else if (choice->attribute == PAIR)
        each_pair_list(router, choice, take, context);
    else if (choice->attribute == URI)
        each_path_list(router, choice, take, context);
    else if (choice->attribute == HEADER)
        for (size_t i = 0; i < index->request_headers.count; i++)
            each_of(router, choice, HEADER, index->request_headers.list[i], take, context);
    else
        each_of(router, choice, choice->attribute, choice->attribute == METHOD ? index->method : choice->attribute == SNI ? index->sni : 0, take,
                context);
}

static void add_count(struct router *router, const struct choice *choice, struct list list, void *context)
{
    (void)router;
    (void)choice;
    *(size_t *)context += list.count;
}

/* Of the ways to look for the matches of a category the one with the fewest entries. */
static struct choice choose(struct router *router, unsigned category, unsigned attribute, uint32_t value, const struct hits *hits, size_t *fewest)
{
    static const unsigned attributes[] = {HOST, SNI, URI, PAIR, METHOD, HEADER};
    unsigned bits = router->categories[category].bits;
    struct choice best = {router, hits, category, attribute, attribute == ALL ? 0 : value};
    *fewest = 0;
    each_list(router, &best, add_count, fewest);
    for (size_t i = 0; i < sizeof attributes / sizeof attributes[0] && *fewest > 2; i++) {
        struct choice choice = {router, hits, category, attributes[i], ATOM_NONE};
        size_t count = 0;
        unsigned needed = attributes[i] == PAIR ? BIT(HOST) | BIT(URI) : BIT(attributes[i]);
        if ((bits & needed) != needed)
            continue;
        each_list(router, &choice, add_count, &count);
        if (count < *fewest) {
            best = choice;
            *fewest = count;
        }
    }
    return best;
}

struct search {
    const struct hits *hits;
    unsigned attribute;
    uint32_t value;
};

static bool holds(const struct keys *keys, unsigned attribute, uint32_t value)
{
    switch (attribute) {
    case HOST: return keys_have(keys->hosts, keys->host_count, value);
    case URI: return keys_have(keys->paths, keys->path_count, value);
    case HEADER: return keys_have(keys->headers, keys->header_count, value);
    default: return true;
    }
}

/* Keeps in `found` what stands first, with all that is tied with it. */
static void search_list(struct router *router, const struct choice *choice, struct list list, void *context)
{
    const struct search *search = context;
    struct numbers *found = &router->found;
    (void)choice;
    for (uint32_t i = 0; i < list.count; i++) {
        uint32_t entry = router->members[list.start + i], group = router->entries[entry].group;
        router->index->glances++;
        uint32_t best = found->count > 0 ? router->entries[found->list[0]].group : UINT32_MAX;
        if (group > best || (group == best && found->count > ROUTER_WINNERS))
            return;
        if (!holds(router_keys(router, entry), search->attribute, search->value) || !router_entry_matches(router, entry, search->hits))
            continue;
        if (group < best)
            found->count = 0;
        if (!keys_have(found->list, (uint32_t)found->count, entry))
            numbers_add(found, entry);
    }
}

void router_scan(struct router *router, unsigned category, unsigned attribute, uint32_t value, const struct hits *hits)
{
    size_t fewest;
    struct choice choice = choose(router, category, attribute, value, hits, &fewest);
    struct search search = {hits, attribute, value};
    router->found.count = 0;
    if (fewest > 0)
        each_list(router, &choice, search_list, &search);
}
