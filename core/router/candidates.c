#include "core/router/candidates_internal.h"

#include "core/base/mem.h"

#include <stdlib.h>
#include <string.h>

/* Above so many routes each meets fewer neighbours. */
#define MANY_ROUTES 8000
#define NEIGHBOURS 4
#define VALUES 4             /* of one attribute, where two routes meet */

/* Trying. */

static bool is_new(struct maker *maker, uint64_t hash)
{
    hash = hash != 0 ? hash : 1;
    size_t slot = (size_t)(hash >> 20) & (maker->seen_slots - 1);
    while (maker->seen[slot] != 0 && maker->seen[slot] != hash)
        slot = (slot + 1) & (maker->seen_slots - 1);
    bool new = maker->seen[slot] == 0;
    maker->seen[slot] = hash;
    return new;
}

static uint64_t hash_text(uint64_t hash, const char *text)
{
    for (; text != NULL && *text != '\0'; text++)
        hash = atom_hash_add(hash, *text);
    return atom_hash_add(hash, text != NULL ? '\n' : '\t');
}

static void grow_seen(struct maker *maker)
{
    uint64_t *old = maker->seen;
    size_t old_slots = maker->seen_slots;
    maker->seen_slots = old_slots > 0 ? old_slots * 2 : 4096;
    maker->seen = mem_zero(maker->seen_slots, sizeof *maker->seen);
    for (size_t i = 0; i < old_slots; i++)
        if (old[i] != 0)
            is_new(maker, old[i]);
    free(old);
}

void candidate_request(struct maker *maker, const struct request *request)
{
    uint64_t hash = hash_text(hash_text(hash_text(hash_text(ATOM_HASH_START, request->method), request->host), request->path), request->sni);
    for (size_t i = 0; i < request->header_count; i++) {
        const struct names *values = &request->headers[i].values;
        hash = hash_text(hash_text(hash, request->headers[i].name), values->count > 0 ? values->list[0] : NULL);
    }
    if (maker->ended)
        return;
    if (maker->done.tried >= maker->most) {
        maker->done.cut = maker->ended = true;
        return;
    }
    if ((maker->done.tried + 1) * 2 > maker->seen_slots)
        grow_seen(maker);
    if (!is_new(maker, hash * 0x9e3779b97f4a7c15u))
        return;
    maker->done.tried++;
    maker->ended = !maker->try(request, maker->context);
}

/* A path exactly, and longer. */
static void try_path(struct maker *maker, struct request *request, const char *path, bool longer)
{
    request->path = path;
    candidate_request(maker, request);
    if (!longer || maker->ended)
        return;
    size_t length = strlen(path);
    char *extended = mem_printf("%s%s", path, length > 0 && path[length - 1] == '/' ? "x" : "/x");
    request->path = extended;
    candidate_request(maker, request);
    free(extended);
    request->path = path;
}

/* A text that other routes have, others in turn; NULL where none has. */
static const char *foreign(const struct maker *maker, const struct atoms *atoms)
{
    return atoms->count > 0 ? atoms->list[maker->turn % atoms->count].text : NULL;
}

static const struct route *route_of(const struct maker *maker, uint32_t route)
{
    return &maker->index->routes->list[route];
}

/* One route alone. */

static void try_product(struct maker *maker, const struct route *route, const struct values *hosts, const struct values *paths,
                        const struct values *methods, const struct values *snis)
{
    bool all = hosts->count * paths->count * methods->count * snis->count <= PRODUCT;
    size_t most = hosts->count > paths->count ? hosts->count : paths->count;
    most = methods->count > most ? methods->count : most;
    most = snis->count > most ? snis->count : most;
    size_t count = all ? hosts->count * paths->count * methods->count * snis->count : most;
    for (size_t i = 0; i < count && !maker->ended; i++) {
        size_t rest = i / hosts->count, p = all ? rest % paths->count : i % paths->count;
        struct request request = {
            .host = hosts->list[i % hosts->count],
            .method = methods->list[(all ? rest / paths->count : i) % methods->count],
            .sni = snis->list[(all ? rest / paths->count / methods->count : i) % snis->count],
            .headers = route->headers, .header_count = route->header_count,
        };
        try_path(maker, &request, paths->list[p], paths->longer[p]);
        if (route->header_count == 0)
            continue;
        request.header_count = 0;
        request.headers = NULL;
        try_path(maker, &request, paths->list[p], false);
    }
}

/* The route's first values with one that it does not ask for, but another does: a hit alone decides in which category Kong begins. */
static void try_foreign(struct maker *maker, const struct keys *keys, const struct values *hosts, const struct values *paths,
                        const struct values *methods, const struct values *snis)
{
    struct request request = {.host = hosts->list[0], .path = paths->list[0], .method = methods->list[0], .sni = snis->list[0]};
    const char *method = foreign(maker, &maker->index->methods), *sni = foreign(maker, &maker->index->snis);
    const char *host = foreign(maker, &maker->index->hosts), *path = foreign(maker, &maker->index->paths);
    if (method != NULL) {
        struct request other = request;
        other.method = method;
        candidate_request(maker, &other);
        other.method = maker->unnamed;
        candidate_request(maker, &other);
    }
    if (sni != NULL && keys->sni_count == 0) {
        struct request other = request;
        other.sni = sni;
        candidate_request(maker, &other);
    }
    if (host != NULL && keys->host_count == 0) {
        struct request other = request;
        char *instance = instance_of(host);
        other.host = instance;
        candidate_request(maker, &other);
        free(instance);
    }
    if (path != NULL && keys->path_count == 0 && path_is_plain(path)) {
        struct request other = request;
        other.path = path;
        candidate_request(maker, &other);
    }
}

static void try_route(struct maker *maker, uint32_t route)
{
    struct values hosts, paths, methods, snis;
    maker->turn++;
    read_hosts(maker, route, &hosts, PRODUCT);
    read_paths(maker, route, &paths, PRODUCT);
    read_methods(maker, route, &methods, PRODUCT);
    read_snis(maker, route, &snis, PRODUCT);
    try_product(maker, route_of(maker, route), &hosts, &paths, &methods, &snis);
    try_foreign(maker, &maker->index->keys[route], &hosts, &paths, &methods, &snis);
    values_free(&hosts);
    values_free(&paths);
}

/* Two routes. */

static void join(struct values *values, const struct values *others, size_t most)
{
    for (size_t i = 0; i < others->count; i++) {
        bool known = false;
        for (size_t j = 0; j < values->count; j++) {
            const char *one = values->list[j], *other = others->list[i];
            known |= one == other || (one != NULL && other != NULL && strcmp(one, other) == 0);
        }
        if (!known)
            values_add(values, others->list[i], most);
    }
}

/* The path with what either route has of the rest. */
static void try_pair(struct maker *maker, uint32_t one, uint32_t other, const char *host, const char *path, bool longer)
{
    struct values hosts, other_hosts, methods, other_methods, snis, other_snis;
    read_hosts(maker, one, &hosts, 2);
    read_hosts(maker, other, &other_hosts, 2);
    read_methods(maker, one, &methods, 2);
    read_methods(maker, other, &other_methods, 2);
    read_snis(maker, one, &snis, 2);
    read_snis(maker, other, &other_snis, 2);
    join(&hosts, &other_hosts, VALUES);
    join(&methods, &other_methods, VALUES);
    join(&snis, &other_snis, VALUES);
    for (size_t h = 0; h < (host != NULL ? 1 : hosts.count); h++)
        for (size_t m = 0; m < methods.count; m++)
            for (size_t s = 0; s < snis.count && !maker->ended; s++) {
                struct request request = {.host = host != NULL ? host : hosts.list[h], .method = methods.list[m], .sni = snis.list[s]};
                try_path(maker, &request, path, longer);
            }
    values_free(&hosts);
    values_free(&other_hosts);
}

/* The routes of a list that this one meets: those that stand first, then others in turn. */
static void try_neighbours(struct maker *maker, uint32_t route, struct list list, const char *host, const char *path, bool longer)
{
    size_t few = maker->neighbours < list.count ? maker->neighbours : list.count;
    for (size_t i = 0; i < few && !maker->ended; i++) {
        size_t at = i < (few + 1) / 2 ? i : maker->turn++ % list.count;
        uint32_t other = maker->new->entries[maker->new->members[list.start + at]].route;
        if (other != route)
            try_pair(maker, route, other, host, path, longer);
    }
}

/* Who else may want this path: those with the same, with a longer or shorter part of it, and with a regex that matches. Their lists are
 * noted first, since trying looks at other requests. */
#define RIVALS 8

static size_t find_rivals(const struct maker *maker, const char *path, struct list rivals[RIVALS])
{
    struct route_index *index = maker->index;
    struct request request = {.path = path};
    size_t count = 0;
    index_look(index, &request);
    for (size_t i = index->prefixes.count; i-- > 0 && count < RIVALS / 2;)
        rivals[count++] = router_list(maker->new, EVERY_CATEGORY, URI, index->prefixes.list[i]);
    for (size_t i = index->path_stems.count; i-- > 0 && count < RIVALS;) {
        struct list list = router_list(maker->new, EVERY_CATEGORY, STEM, index->path_stems.list[i]);
        if (list.count > 0)
            rivals[count++] = list;
    }
    return count;
}

static void try_rivals(struct maker *maker, uint32_t route, const char *path, bool longer)
{
    struct list rivals[RIVALS];
    size_t count = find_rivals(maker, path, rivals);
    for (size_t i = 0; i < count && !maker->ended; i++)
        try_neighbours(maker, route, rivals[i], NULL, path, longer);
}

static void try_paths(struct maker *maker, uint32_t route)
{
    struct values paths;
    if (maker->index->keys[route].path_count == 0)
        return;
    read_paths(maker, route, &paths, VALUES * 2);
    for (size_t i = 0; i < paths.count && !maker->ended; i++)
        try_rivals(maker, route, paths.list[i], paths.longer[i]);
    values_free(&paths);
}

/* A host with all that the wildcards it is under are for: a plain host turns them off in 1.2, of several only one works there. */
static void try_wildcard(struct maker *maker, uint32_t route, const char *host, struct list list)
{
    size_t few = maker->neighbours * 2 < list.count ? maker->neighbours * 2 : list.count;
    for (size_t i = 0; i < few && !maker->ended; i++) {
        uint32_t other = maker->new->entries[maker->new->members[list.start + (few < list.count ? maker->turn++ % list.count : i)]].route;
        struct values paths;
        if (other == route)
            continue;
        read_paths(maker, other, &paths, VALUES);
        for (size_t j = 0; j < paths.count && !maker->ended; j++)
            try_pair(maker, route, other, host, paths.list[j], paths.longer[j]);
        values_free(&paths);
    }
}

static void try_hosts(struct maker *maker, uint32_t route)
{
    struct values hosts;
    struct route_index *index = maker->index;
    if (index->tails.count + index->heads.count + index->patterns.count == 0 || index->keys[route].host_count == 0)
        return;
    read_hosts(maker, route, &hosts, VALUES * 2);
    for (size_t i = 0; i < hosts.count && !maker->ended; i++) {
        struct list lists[RIVALS];
        struct request request = {.host = hosts.list[i]};
        size_t count = 0;
        index_look(index, &request);
        for (size_t j = 0; j < index->wildcards.count && count < RIVALS; j++)
            lists[count++] = router_list(maker->new, EVERY_CATEGORY, HOST, index->wildcards.list[j]);
        for (size_t j = 0; j < count && !maker->ended; j++)
            try_wildcard(maker, route, hosts.list[i], lists[j]);
    }
    values_free(&hosts);
}

/* All. */

static const char *unnamed_method(const struct route_index *index)
{
    static const char *const methods[] = {"GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "PROPFIND"};
    size_t i = 0;
    while (i + 1 < sizeof methods / sizeof methods[0] && atoms_find_text(&index->methods, methods[i]) != ATOM_NONE)
        i++;
    return methods[i];
}

static struct maker start(struct router *new, size_t most, candidate_try *try, void *context)
{
    struct route_index *index = new->index;
    struct maker maker = {.new = new, .index = index, .try = try, .context = context, .most = most};
    maker.neighbours = index->routes->count > MANY_ROUTES ? 2 : NEIGHBOURS;
    maker.unnamed = unnamed_method(index);
    maker.samples = mem_zero(index->paths.count + 1, sizeof *maker.samples);
    maker.sampled = mem_zero(index->paths.count + 1, sizeof *maker.sampled);
    return maker;
}

static struct candidates_done end(struct maker *maker)
{
    for (size_t i = 0; i < maker->index->paths.count; i++)
        names_free(&maker->samples[i]);
    free(maker->samples);
    free(maker->sampled);
    free(maker->seen);
    return maker->done;
}

static void try_meetings(struct maker *maker, uint32_t route)
{
    try_paths(maker, route);
    try_hosts(maker, route);
}

struct candidates_done candidates_each(struct router *old, struct router *new, size_t most, candidate_try *try, void *context)
{
    struct maker maker = start(new, most, try, context);
    for (uint32_t i = 0; i < new->index->routes->count && !maker.ended; i++)
        if (router_takes(old, i) || router_takes(new, i))
            try_route(&maker, i);
    for (uint32_t i = 0; i < new->index->routes->count && !maker.ended; i++)
        if (router_takes(new, i))
            try_meetings(&maker, i);
    try_crossed(&maker);
    return end(&maker);
}

struct candidates_done candidates_of(struct router *old, struct router *new, const struct numbers *routes, size_t most, candidate_try *try,
                                     void *context)
{
    struct maker maker = start(new, most, try, context);
    for (size_t i = 0; i < routes->count && !maker.ended; i++)
        if (router_takes(old, routes->list[i]) || router_takes(new, routes->list[i]))
            try_route(&maker, routes->list[i]);
    for (size_t i = 0; i < routes->count && !maker.ended; i++)
        if (router_takes(new, routes->list[i]))
            try_meetings(&maker, routes->list[i]);
    return end(&maker);
}
