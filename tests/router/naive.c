#include "naive.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DST = 1, SRC = 2, SNI = 4, METHOD = 8, URI = 16, HOST = 64 };

struct seen {
    enum router_version version;
    const struct naive_order *order;
    int count;
    char host[256], path[512];
    const char *method, *sni, *hit_host, *hit_uri;
    unsigned before;
};

/* 1 where it matches, 0 where not, -1 where PCRE refuses. Few regexes come again and again. */
static int regex(const char *pattern, const char *suffix, const char *subject)
{
    static struct {
        char text[256];
        pcre2_code *code;
    } cache[256];
    static int count;
    char text[256];
    int i = 0, error;
    PCRE2_SIZE at;
    snprintf(text, sizeof text, "%s%s", pattern, suffix);
    while (i < count && strcmp(cache[i].text, text) != 0)
        i++;
    if (i == count) {
        if (count == 256)
            abort();
        strcpy(cache[count].text, text);
        cache[count++].code = pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED, PCRE2_ANCHORED, &error, &at, NULL);
    }
    if (cache[i].code == NULL)
        return -1;
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    int result = pcre2_match(cache[i].code, (PCRE2_SPTR)subject, strlen(subject), 0, 0, data, NULL);
    pcre2_match_data_free(data);
    return result >= 0 ? 1 : 0;
}

static bool is_plain(const char *path)
{
    return path[strspn(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_~/%")] == '\0';
}

static bool wildcard_matches(const char *wildcard, const char *host)
{
    size_t length = strlen(wildcard), host_length = strlen(host);
    if (wildcard[0] == '*')
        return host_length > length - 1 && strcmp(host + host_length - (length - 1), wildcard + 1) == 0;
    return host_length > length - 1 && strncmp(host, wildcard, length - 1) == 0;
}

static bool has(const struct names *names, const char *value)
{
    for (size_t i = 0; value != NULL && i < names->count; i++)
        if (strcmp(names->list[i], value) == 0)
            return true;
    return false;
}

static bool is_wildcard(const char *host)
{
    return strchr(host, '*') != NULL;
}

static unsigned bits_of(const struct route *route)
{
    return (route->hosts.count > 0 ? HOST : 0u) | (route->paths.count > 0 ? URI : 0u) | (route->methods.count > 0 ? METHOD : 0u) |
        (route->snis.count > 0 ? SNI : 0u);
}

static size_t weight_of(const struct route *route)
{
    return (route->hosts.count > 0 ? 1u : 0u) + (route->paths.count > 0 ? 1u : 0u) + (route->methods.count > 0 ? 1u : 0u) + route->snis.count;
}

static int submatch(const struct route *route)
{
    int weight = route->hosts_null ? 0 : 2, has_regex = 0;
    for (size_t i = 0; i < route->hosts.count; i++)
        weight = is_wildcard(route->hosts.list[i]) ? 0 : weight;
    for (size_t i = 0; i < route->paths.count; i++)
        has_regex |= !is_plain(route->paths.list[i]);
    return weight + has_regex;
}

static size_t longest(const struct route *route)
{
    size_t most = 0;
    for (size_t i = 0; i < route->paths.count; i++)
        if (is_plain(route->paths.list[i]) && strlen(route->paths.list[i]) > most)
            most = strlen(route->paths.list[i]);
    return most;
}

/* Below 0: `a` goes first; 0: tied. */
static int compare(enum router_version version, const struct route *a, const struct route *b)
{
    if (version == ROUTER_1_3 && submatch(a) != submatch(b))
        return submatch(b) - submatch(a);
    if (a->regex_priority != b->regex_priority)
        return a->regex_priority > b->regex_priority ? -1 : 1;
    if (version == ROUTER_1_3 && longest(a) != longest(b))
        return longest(a) > longest(b) ? -1 : 1;
    return (a->created_at > b->created_at) - (a->created_at < b->created_at);
}

static bool takes_part(enum router_version version, const struct route *route)
{
    bool web = has(&route->protocols, "http") || has(&route->protocols, "https");
    bool grpc = has(&route->protocols, "grpc") || has(&route->protocols, "grpcs");
    return !route->bare && (web || (version == ROUTER_1_3 && grpc));
}

void naive_sort(struct naive_order *order, enum router_version version, const struct routes *routes, const int *rank)
{
    order->version = version;
    order->routes = routes;
    order->count = 0;
    for (int i = 0; i < (int)routes->count && order->count < NAIVE_ROUTES; i++) {
        const struct route *route = &routes->list[i];
        if (!takes_part(version, route))
            continue;
        int at = order->count++;
        for (; at > 0; at--) {
            int other = order->list[at - 1], which = compare(version, route, &routes->list[other]);
            if (which > 0 || (which == 0 && rank[i] > rank[other]))
                break;
            order->list[at] = other;
        }
        order->list[at] = i;
    }
}

static const struct route *at(const struct seen *seen, int i)
{
    return &seen->order->routes->list[seen->order->list[i]];
}

static bool host_matches(const struct seen *seen, const struct route *route)
{
    const char *host = seen->hit_host != NULL ? seen->hit_host : seen->host;
    if (seen->version == ROUTER_1_2)
        return has(&route->hosts, host);
    if (!is_wildcard(host) && has(&route->hosts, host))
        return true;
    for (size_t i = 0; i < route->hosts.count; i++)
        if (is_wildcard(route->hosts.list[i]) && wildcard_matches(route->hosts.list[i], seen->host))
            return true;
    return false;
}

static bool uri_matches(const struct seen *seen, const struct route *route)
{
    const char *key = seen->hit_uri != NULL ? seen->hit_uri : seen->path;
    if (has(&route->paths, key))
        return is_plain(key) || regex(key, "(?<uri_postfix>.*)", seen->path) >= 0;
    for (size_t i = 0; i < route->paths.count; i++) {
        const char *path = route->paths.list[i];
        int matches = is_plain(path) ? strncmp(seen->path, path, strlen(path)) == 0 : regex(path, "(?<uri_postfix>.*)", seen->path);
        if (matches != 0)
            return matches > 0;
    }
    return false;
}

static bool route_matches(const struct seen *seen, const struct route *route)
{
    unsigned bits = bits_of(route);
    return (!(bits & HOST) || host_matches(seen, route)) && (!(bits & URI) || uri_matches(seen, route)) &&
        (!(bits & METHOD) || has(&route->methods, seen->method)) && (!(bits & SNI) || has(&route->snis, seen->sni));
}

/* How many entries the set of the routes with that value has: those that hold it twice count twice. */
static size_t set_size(const struct seen *seen, unsigned bits, unsigned attribute, const char *value)
{
    size_t size = 0;
    for (int i = 0; value != NULL && i < seen->count; i++) {
        const struct route *route = at(seen, i);
        const struct names *names = attribute == HOST ? &route->hosts : attribute == URI ? &route->paths : attribute == METHOD ? &route->methods :
                                                                                                                               &route->snis;
        bool map = attribute == METHOD || attribute == SNI;
        if (bits_of(route) != bits)
            continue;
        for (size_t j = 0, found = 0; j < names->count && (!map || found == 0); j++) {
            found += strcmp(names->list[j], value) == 0 ? 1 : 0;
            size += strcmp(names->list[j], value) == 0 ? 1 : 0;
        }
    }
    return size;
}

static int first_match(const struct seen *seen, unsigned bits, unsigned attribute, const char *value)
{
    for (int i = 0; i < seen->count; i++) {
        const struct route *route = at(seen, i);
        bool in_set = attribute == 0 || (attribute == HOST && has(&route->hosts, value)) || (attribute == URI && has(&route->paths, value)) ||
            (attribute == METHOD && has(&route->methods, value)) || (attribute == SNI && has(&route->snis, value));
        if (bits_of(route) == bits && in_set && route_matches(seen, route))
            return seen->order->list[i];
    }
    return NAIVE_NONE;
}

static int search_category(const struct seen *seen, unsigned bits)
{
    bool old = seen->version == ROUTER_1_2;
    const struct {
        unsigned attribute;
        const char *value;
    } sets[] = {
        {HOST, old || seen->hit_host != NULL ? seen->hit_host : seen->host},
        {URI, seen->hit_uri != NULL ? seen->hit_uri : old ? seen->path : NULL}, {METHOD, seen->method}, {SNI, seen->sni},
    };
    size_t least = 0;
    unsigned chosen = 0;
    const char *value = NULL;
    for (int pass = 0; pass < 3; pass++) {   /* those before URI, URI, those behind */
        for (size_t i = 0; i < 4; i++) {
            bool before = sets[i].attribute == HOST ? !old || seen->before & 1 : sets[i].attribute == METHOD ? old && seen->before & 2 :
                                                                                                              old && seen->before & 4;
            int its_pass = sets[i].attribute == URI ? 1 : before ? 0 : 2;
            size_t size = bits & sets[i].attribute ? set_size(seen, bits, sets[i].attribute, sets[i].value) : 0;
            if (its_pass != pass || size == 0 || (least != 0 && size >= least))
                continue;
            least = size;
            chosen = sets[i].attribute;
            value = sets[i].value;
        }
    }
    int winner = chosen != 0 ? first_match(seen, bits, chosen, value) : NAIVE_NONE;
    return winner != NAIVE_NONE ? winner : first_match(seen, bits, 0, NULL);
}

/* What hits; false where PCRE ends the search. */
static bool look(struct seen *seen, unsigned *category)
{
    bool plain_host = false, exact = false;
    const char *prefix = NULL;
    *category = 0;
    for (int i = 0; i < seen->count; i++) {
        const struct route *route = at(seen, i);
        plain_host |= has(&route->hosts, seen->host) && !is_wildcard(seen->host);
        exact |= has(&route->paths, seen->path) && is_plain(seen->path);
        *category |= (has(&route->methods, seen->method) ? METHOD : 0u) | (has(&route->snis, seen->sni) ? SNI : 0u);
    }
    for (int i = 0; i < seen->count; i++) {
        const struct route *route = at(seen, i);
        for (size_t j = 0; !plain_host && seen->hit_host == NULL && j < route->hosts.count; j++)
            if (is_wildcard(route->hosts.list[j]) && wildcard_matches(route->hosts.list[j], seen->host))
                seen->hit_host = route->hosts.list[j];
        for (size_t j = 0; !exact && j < route->paths.count; j++) {
            const char *path = route->paths.list[j];
            bool longer = prefix == NULL || strlen(path) > strlen(prefix);
            if (is_plain(path) && longer && strncmp(seen->path, path, strlen(path)) == 0)
                prefix = path;
        }
    }
    for (int i = 0; !exact && i < seen->count && seen->hit_uri == NULL; i++) {
        const struct route *route = at(seen, i);
        for (size_t j = 0; seen->hit_uri == NULL && j < route->paths.count; j++) {
            int hits = is_plain(route->paths.list[j]) ? 0 : regex(route->paths.list[j], "", seen->path);
            if (hits < 0)
                return false;
            seen->hit_uri = hits > 0 ? route->paths.list[j] : NULL;
        }
    }
    seen->hit_uri = seen->hit_uri != NULL ? seen->hit_uri : prefix;
    *category |= (plain_host || seen->hit_host != NULL ? HOST : 0u) | (exact || seen->hit_uri != NULL ? URI : 0u);
    return true;
}

int naive_match(const struct naive_order *order, unsigned before, const struct request *request)
{
    struct seen seen = {.version = order->version, .order = order, .count = order->count, .method = request->method, .sni = request->sni,
                        .before = before};
    const char *colon = request->host[0] != '\0' ? strchr(request->host + 1, ':') : NULL;
    const char *query = request->path[0] != '\0' ? strchr(request->path + 1, '?') : NULL;
    unsigned category, found[128], weights[128];
    int count = 0, start = 0;
    snprintf(seen.host, sizeof seen.host, "%.*s", colon != NULL ? (int)(colon - request->host) : 255, request->host);
    snprintf(seen.path, sizeof seen.path, "%.*s", query != NULL ? (int)(query - request->path) : 511, request->path);
    if (!look(&seen, &category) || category == 0)
        return NAIVE_NONE;
    for (int i = 0; i < seen.count; i++) {   /* categories, heaviest first; each weighs what its first route does */
        unsigned bits = bits_of(at(&seen, i)), weight = (unsigned)weight_of(at(&seen, i));
        int to = count;
        bool known = false;
        for (int j = 0; j < count; j++)
            known |= found[j] == bits;
        if (known)
            continue;
        for (; to > 0 && (weights[to - 1] < weight || (weights[to - 1] == weight && found[to - 1] < bits)); to--) {
            found[to] = found[to - 1];
            weights[to] = weights[to - 1];
        }
        found[to] = bits;
        weights[to] = weight;
        count++;
    }
    for (int i = 0; i < count; i++)
        start = found[i] == category ? i : start;
    for (int i = start; i < count; i++) {
        int winner = search_category(&seen, found[i]);
        if (winner != NAIVE_NONE)
            return winner;
    }
    return NAIVE_NONE;
}

/* All orders: only among routes that are tied with another one. */

#define MOST_TIED 5

struct orders {
    enum router_version version;
    const struct routes *routes;
    const struct request *request;
    int tied[MOST_TIED], count, rank[32];
    bool used[MOST_TIED];
    uint32_t winners;
};

static void try_orders(struct orders *orders, int depth)
{
    if (depth < orders->count) {
        for (int i = 0; i < orders->count; i++) {
            if (orders->used[i])
                continue;
            orders->used[i] = true;
            orders->rank[orders->tied[i]] = depth;
            try_orders(orders, depth + 1);
            orders->used[i] = false;
        }
        return;
    }
    struct naive_order order;
    naive_sort(&order, orders->version, orders->routes, orders->rank);
    for (unsigned before = 0; before < (orders->version == ROUTER_1_2 ? 8u : 1u); before++) {
        int winner = naive_match(&order, before, orders->request);
        orders->winners |= winner == NAIVE_NONE ? NAIVE_NONE_BIT : 1u << winner;
    }
}

bool naive_match_all(enum router_version version, const struct routes *routes, const struct request *request, uint32_t *winners)
{
    struct orders orders = {.version = version, .routes = routes, .request = request};
    for (int i = 0; i < (int)routes->count; i++) {
        bool tied = false;
        for (int j = 0; j < (int)routes->count; j++)
            tied |= i != j && compare(version, &routes->list[i], &routes->list[j]) == 0;
        if (tied && orders.count == MOST_TIED)
            return false;
        if (tied)
            orders.tied[orders.count++] = i;
    }
    try_orders(&orders, 0);
    *winners = orders.winners;
    return true;
}
