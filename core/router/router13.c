/* The rules of 1.3.0. */
#include "core/router/router_internal.h"

#include <string.h>

static bool takes_protocol(const char *protocol)
{
    static const char *const protocols[] = {"http", "https", "grpc", "grpcs"};
    for (size_t i = 0; i < sizeof protocols / sizeof protocols[0]; i++)
        if (strcmp(protocol, protocols[i]) == 0)
            return true;
    return false;
}

/* Hosts that are all plain, even if there is none in the list, go before a regex. */
static int submatch_weight(const struct route *route, const struct keys *keys)
{
    return (!route->hosts_null && !keys->wildcard ? 2 : 0) + (keys->regex ? 1 : 0);
}

static int compare(const struct route *one, const struct keys *one_keys, const struct route *other, const struct keys *other_keys)
{
    int one_weight = submatch_weight(one, one_keys), other_weight = submatch_weight(other, other_keys);
    if (one_weight != other_weight)
        return one_weight > other_weight ? -1 : 1;
    if (one->header_count != other->header_count)
        return one->header_count > other->header_count ? -1 : 1;
    if (one->regex_priority != other->regex_priority)
        return one->regex_priority > other->regex_priority ? -1 : 1;
    if (one_keys->longest_plain != other_keys->longest_plain)
        return one_keys->longest_plain > other_keys->longest_plain ? -1 : 1;
    return (one->created_at > other->created_at) - (one->created_at < other->created_at);
}

/* A plain host, else any wildcard of the route, in its order. */
static bool host_matches(struct route_index *index, const struct keys *keys, const struct hits *hits)
{
    if (hits->host == ATOM_NONE && index->host != ATOM_NONE && index->host_info[index->host].kind == HOST_PLAIN &&
        keys_have(keys->hosts, keys->host_count, index->host))
        return true;
    for (uint32_t i = 0; keys->wildcard && i < keys->host_count; i++) {
        if (index->host_look[keys->hosts[i]] == index->look)
            return true;
        if (index->broken.count > 0 && keys_have(index->broken.list, (uint32_t)index->broken.count, keys->hosts[i]))
            return false;
    }
    return false;
}

static uint32_t reduce_key(const struct route_index *index, enum attribute attribute, const struct hits *hits)
{
    switch (attribute) {
    case HOST: return hits->host != ATOM_NONE ? hits->host : index->host;
    case HEADER: return hits->header;
    case URI: return hits->uri;
    case METHOD: return index->method;
    case SNI: return index->sni;
    default: return ATOM_NONE;
    }
}

const struct router_rules router_rules_1_3 = {
    .name = "1.3", .takes_protocol = takes_protocol, .has_headers = true, .compare = compare, .host_matches = host_matches, .any_wildcard = true,
    .reduce_key = reduce_key,
};
