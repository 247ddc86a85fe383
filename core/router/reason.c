#include "core/router/reason.h"

static const char *const sentences[REASONS] = {
    [REASON_NONE] = "both choose the same",
    [REASON_OPEN] = "both leave open which: the routes have the same regex_priority and created_at, so that each node's order decides",
    [REASON_BROKEN] = "a regex that can't be evaluated ends the search in one of them: the other does not come to it",
    [REASON_PROTOCOL] = "1.2 ignores routes of grpc and grpcs alone, 1.3 lets them take part",
    [REASON_HEADERS] = "1.2 does not know a route's headers, 1.3 asks for them and counts them",
    [REASON_PLAIN_HOST] = "the host is a plain host of some route, which turns all wildcards off in 1.2; 1.3 tries each wildcard",
    [REASON_FIRST_WILDCARD] = "several wildcards match the host: 1.2 knows only the first of them, 1.3 tries each",
    [REASON_EXACT_PATH] = "the path is exactly that of a route, which 1.2 takes before any regex or priority; 1.3 goes by its own order",
    [REASON_LONGEST_PATH] = "1.2 looks at the routes that have the regex or longest path hit, 1.3 at another set",
    [REASON_HOST_SET] = "1.3 looks first at the routes that have just this host or wildcard, 1.2 does not",
    [REASON_CATEGORY] = "the first route of a group of routes with the same attributes is another one in 1.3, so that the group weighs more or less",
    [REASON_PLAIN_HOSTS_FIRST] = "1.3 looks at routes whose hosts are all plain before others, whatever their priority and age",
    [REASON_REGEX_FIRST] = "1.3 looks at routes that have a regex path before those with plain paths alone",
    [REASON_PRIORITY] = "regex_priority counts for all routes in 1.3, plain paths included, before the length of a path",
    [REASON_PATH_LENGTH] = "1.3 looks at routes with a longer plain path first (a route's longest, even if another matches), 1.2 at older ones",
    [REASON_ORDER] = "1.3 looks at the routes in another order",
    [REASON_TIED] = "the routes have the same regex_priority and created_at: one of the versions leaves their order open",
};

const char *reason_text(enum reason reason)
{
    return sentences[reason];
}

/* A winner that the other version does not have; else any; -1 for no route. */
static long other_winner(const struct router_result *result, const struct router_result *other)
{
    for (size_t i = 0; i < result->count; i++)
        if (!keys_have(other->winners, (uint32_t)other->count, result->winners[i]))
            return result->winners[i];
    if (result->none && !other->none)
        return -1;
    return result->count > 0 ? (long)result->winners[0] : -1;
}

static bool has_plain_host(const struct route_index *index, const struct keys *keys)
{
    return index->host != ATOM_NONE && index->host_info[index->host].kind == HOST_PLAIN && keys_have(keys->hosts, keys->host_count, index->host);
}

/* The route is let through by a wildcard alone. */
static bool needs_wildcard(const struct route_index *index, const struct keys *keys)
{
    if (has_plain_host(index, keys))
        return false;
    for (uint32_t i = 0; i < keys->host_count; i++)
        if (index->host_look[keys->hosts[i]] == index->look)
            return true;
    return false;
}

static bool is_plain_host_of_some(const struct router *router)
{
    const struct route_index *index = router->index;
    return index->host != ATOM_NONE && index->host_info[index->host].kind == HOST_PLAIN &&
        router_list(router, EVERY_CATEGORY, HOST, index->host).count > 0;
}

static bool is_plain_path_of_some(const struct router *router)
{
    const struct route_index *index = router->index;
    return index->path_key != ATOM_NONE && index->path_info[index->path_key].pattern == NULL &&
        router_list(router, EVERY_CATEGORY, URI, index->path_key).count > 0;
}

static bool same_category(const struct router *router, long one, long other)
{
    uint32_t ignored;
    const struct route *routes = router->index->routes->list;
    return router_bits(router->rules, &routes[one], &ignored) == router_bits(router->rules, &routes[other], &ignored);
}

/* Where both are of one category: what puts the new winner before the old in 1.3's order. */
static enum reason order_reason(const struct router *new, long old_route, long new_route)
{
    const struct route *one = &new->index->routes->list[new_route], *other = &new->index->routes->list[old_route];
    const struct keys *one_keys = &new->index->keys[new_route], *other_keys = &new->index->keys[old_route];
    bool one_plain = !one->hosts_null && !one_keys->wildcard, other_plain = !other->hosts_null && !other_keys->wildcard;
    if (new->rules->compare(one, one_keys, other, other_keys) > 0)
        return REASON_ORDER;
    if (one_plain != other_plain)
        return REASON_PLAIN_HOSTS_FIRST;
    if (one_keys->regex != other_keys->regex)
        return REASON_REGEX_FIRST;
    if (one->header_count != other->header_count)
        return REASON_HEADERS;
    if (one->regex_priority != other->regex_priority)
        return REASON_PRIORITY;
    if (one_keys->longest_plain != other_keys->longest_plain)
        return REASON_PATH_LENGTH;
    return one->created_at == other->created_at ? REASON_TIED : REASON_ORDER;
}

static enum reason reason_between(const struct router *old, const struct router *new, long old_route, long new_route)
{
    const struct route_index *index = new->index;
    const struct keys *old_keys = &index->keys[old_route], *new_keys = &index->keys[new_route];
    if (!same_category(new, old_route, new_route))
        return REASON_CATEGORY;
    bool exact = is_plain_path_of_some(old) && keys_have(old_keys->paths, old_keys->path_count, index->path_key);
    if (exact && !keys_have(new_keys->paths, new_keys->path_count, index->path_key))
        return REASON_EXACT_PATH;
    enum reason reason = order_reason(new, old_route, new_route);
    if (reason != REASON_ORDER)
        return reason;
    return needs_wildcard(index, new_keys) ? REASON_HOST_SET : REASON_LONGEST_PATH;
}

enum reason reason_find(struct router *old, struct router *new, const struct router_result *old_result, const struct router_result *new_result)
{
    const struct route_index *index = new->index;
    const struct route *routes = index->routes->list;
    long old_route = other_winner(old_result, new_result), new_route = other_winner(new_result, old_result);
    if (router_same(old_result, new_result))
        return old_result->count > 1 || (old_result->count == 1 && old_result->none) || old_result->more ? REASON_OPEN : REASON_NONE;
    if (old_result->broken || new_result->broken)
        return REASON_BROKEN;
    if (new_route >= 0 && !router_takes(old, (uint32_t)new_route))
        return REASON_PROTOCOL;
    if ((new_route >= 0 && routes[new_route].header_count > 0) || (old_route >= 0 && routes[old_route].header_count > 0))
        return REASON_HEADERS;
    if (new_route >= 0 && needs_wildcard(index, &index->keys[new_route]) && is_plain_host_of_some(old))
        return REASON_PLAIN_HOST;
    if (new_route >= 0 && needs_wildcard(index, &index->keys[new_route]) && index->wildcards.count > 1 &&
        (old_route < 0 || !same_category(new, old_route, new_route)))
        return REASON_FIRST_WILDCARD;
    if (old_route >= 0 && new_route >= 0 && old_route != new_route)
        return reason_between(old, new, old_route, new_route);
    return old_result->count > 1 || new_result->count > 1 ? REASON_TIED : REASON_CATEGORY;
}
