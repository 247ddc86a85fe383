/* The rules of 1.2.3 (the same since 0.14). */
#include "core/router/router_internal.h"

#include <string.h>

static bool takes_protocol(const char *protocol)
{
    return strcmp(protocol, "http") == 0 || strcmp(protocol, "https") == 0;
}

static int compare(const struct route *one, const struct keys *one_keys, const struct route *other, const struct keys *other_keys)
{
    (void)one_keys;
    (void)other_keys;
    if (one->regex_priority != other->regex_priority)
        return one->regex_priority > other->regex_priority ? -1 : 1;
    return (one->created_at > other->created_at) - (one->created_at < other->created_at);
}

/* One string is compared: the wildcard hit, else the request's host. So a plain host that matches anywhere turns wildcards off. */
static bool host_matches(struct route_index *index, const struct keys *keys, const struct hits *hits)
{
    uint32_t host = hits->host != ATOM_NONE ? hits->host : index->host;
    return host != ATOM_NONE && keys_have(keys->hosts, keys->host_count, host);
}

static uint32_t reduce_key(const struct route_index *index, enum attribute attribute, const struct hits *hits)
{
    switch (attribute) {
    case HOST: return hits->host;
    case URI: return hits->uri != ATOM_NONE ? hits->uri : index->path_key;
    case METHOD: return index->method;
    case SNI: return index->sni;
    default: return ATOM_NONE;
    }
}

const struct router_rules router_rules_1_2 = {
    .name = "1.2", .takes_protocol = takes_protocol, .compare = compare, .host_matches = host_matches, .reduce_key = reduce_key,
    .order_of_sets_open = true,
};
