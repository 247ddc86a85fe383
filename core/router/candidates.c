#include "core/router/candidates.h"

#include "core/base/mem.h"
#include "core/router/sample.h"

#include <stdlib.h>
#include <string.h>

/* Above so many routes each meets fewer neighbours. */
#define MANY_ROUTES 8000
#define NEIGHBOURS 4
#define VALUES 4             /* of one attribute, where two routes meet */
#define PRODUCT 64           /* of one route's own values */
#define CROSSED 20000        /* requests of any values with any others: of few routes that is all there is */
#define CROSSED_HOSTS 64     /* hosts that are under two wildcards, as api.example is under api.* and *.example */

/* What may stand for "none of the others": a host for a route without, and what stands in a wildcard's place. */
#define ANY_LABEL "any"

struct maker {
    struct router *new;
    struct route_index *index;
    candidate_try *try;
    void *context;
    size_t most;
    struct candidates_done done;
    bool ended;
    uint64_t *seen;          /* hashes of what was tried; 0 is free */
    size_t seen_slots;
    struct names *samples;   /* one list a path, made when asked for; empty for plain ones */
    bool *sampled;
    size_t neighbours, turn;
    const char *unnamed;     /* a method that no route names */
};

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

static void try_request(struct maker *maker, const struct request *request)
{
    uint64_t hash = hash_text(hash_text(hash_text(hash_text(ATOM_HASH_START, request->method), request->host), request->path), request->sni);
    for (size_t i = 0; i < request->header_count; i++)
        hash = hash_text(hash_text(hash, request->headers[i].name), request->headers[i].values.count > 0 ? request->headers[i].values.list[0] : NULL);
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
    try_request(maker, request);
    if (!longer || maker->ended)
        return;
    size_t length = strlen(path);
    char *extended = mem_printf("%s%s", path, length > 0 && path[length - 1] == '/' ? "x" : "/x");
    request->path = extended;
    try_request(maker, request);
    free(extended);
    request->path = path;
}

/* A route's values, as requests have them. */

static const struct names *samples_of(const struct maker *maker, uint32_t path)
{
    struct pattern *pattern = maker->index->path_info[path].pattern;
    if (pattern != NULL && !maker->sampled[path])
        regex_samples(maker->index->matcher, pattern, maker->index->paths.list[path].text, &maker->samples[path]);
    maker->sampled[path] = true;
    return &maker->samples[path];
}

struct values {
    const char *list[PRODUCT];
    bool longer[PRODUCT];       /* of paths: try it longer too */
    size_t count;
    char *own[PRODUCT];         /* to be freed */
    size_t own_count;
};

static void add_value(struct values *values, const char *text, size_t most)
{
    if (values->count < most)
        values->list[values->count++] = text;
}

static void add_own(struct values *values, char *text, size_t most)
{
    if (values->count < most) {
        values->own[values->own_count++] = text;
        add_value(values, text, most);
    } else {
        free(text);
    }
}

static void free_values(struct values *values)
{
    for (size_t i = 0; i < values->own_count; i++)
        free(values->own[i]);
}

/* Something in the place of each `*`. */
static char *instance_of(const char *wildcard)
{
    size_t length = strlen(wildcard), stars = 0;
    for (const char *c = wildcard; *c != '\0'; c++)
        stars += *c == '*' ? 1 : 0;
    char *host = mem_zero(length + stars * strlen(ANY_LABEL) + 1, 1), *end = host;
    for (const char *c = wildcard; *c != '\0'; c++) {
        if (*c == '*')
            end = stpcpy(end, ANY_LABEL);
        else
            *end++ = *c;
    }
    return host;
}

static void read_hosts(const struct maker *maker, uint32_t route, struct values *values, size_t most)
{
    const struct keys *keys = &maker->index->keys[route];
    *values = (struct values){0};
    for (uint32_t i = 0; i < keys->host_count && values->count < most; i++) {
        const char *host = maker->index->hosts.list[keys->hosts[i]].text;
        if (maker->index->host_info[keys->hosts[i]].kind == HOST_PLAIN)
            add_value(values, host, most);
        else
            add_own(values, instance_of(host), most);
    }
    if (values->count == 0)
        add_value(values, "", most);
}

static void read_paths(const struct maker *maker, uint32_t route, struct values *values, size_t most)
{
    const struct keys *keys = &maker->index->keys[route];
    *values = (struct values){0};
    for (uint32_t i = 0; i < keys->path_count && values->count < most; i++) {
        const struct names *samples = samples_of(maker, keys->paths[i]);
        bool plain = maker->index->path_info[keys->paths[i]].pattern == NULL;
        for (size_t j = 0; !plain && j < samples->count && values->count < most; j++) {
            values->longer[values->count] = j == 0;
            add_value(values, samples->list[j], most);
        }
        if (plain) {
            values->longer[values->count] = true;
            add_value(values, maker->index->paths.list[keys->paths[i]].text, most);
        }
    }
    if (values->count == 0) {
        values->longer[0] = true;
        add_value(values, "/", most);
    }
}

static void read_methods(const struct maker *maker, uint32_t route, struct values *values, size_t most)
{
    const struct keys *keys = &maker->index->keys[route];
    *values = (struct values){0};
    for (uint32_t i = 0; i < keys->method_count; i++)
        add_value(values, maker->index->methods.list[keys->methods[i]].text, most);
    if (values->count > 0)
        return;
    add_value(values, maker->unnamed, most);
    if (atoms_find_text(&maker->index->methods, "GET") != ATOM_NONE)
        add_value(values, "GET", most);
}

static const char *unnamed_method(const struct route_index *index)
{
    static const char *const methods[] = {"GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "PROPFIND"};
    size_t i = 0;
    while (i + 1 < sizeof methods / sizeof methods[0] && atoms_find_text(&index->methods, methods[i]) != ATOM_NONE)
        i++;
    return methods[i];
}

static void read_snis(const struct maker *maker, uint32_t route, struct values *values, size_t most)
{
    const struct keys *keys = &maker->index->keys[route];
    *values = (struct values){0};
    for (uint32_t i = 0; i < keys->sni_count; i++)
        add_value(values, maker->index->snis.list[keys->snis[i]].text, most);
    if (values->count == 0)
        add_value(values, NULL, most);
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
        try_request(maker, &other);
        other.method = maker->unnamed;
        try_request(maker, &other);
    }
    if (sni != NULL && keys->sni_count == 0) {
        struct request other = request;
        other.sni = sni;
        try_request(maker, &other);
    }
    if (host != NULL && keys->host_count == 0) {
        struct request other = request;
        char *instance = instance_of(host);
        other.host = instance;
        try_request(maker, &other);
        free(instance);
    }
    if (path != NULL && keys->path_count == 0 && path_is_plain(path)) {
        struct request other = request;
        other.path = path;
        try_request(maker, &other);
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
    free_values(&hosts);
    free_values(&paths);
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
            add_value(values, others->list[i], most);
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
    free_values(&hosts);
    free_values(&other_hosts);
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
    free_values(&paths);
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
        free_values(&paths);
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
    free_values(&hosts);
}

/* Any values with any others. */

struct texts {
    const char **list;
    struct names own;        /* those made here */
    size_t count;
};

static void add_text(struct texts *texts, const char *text)
{
    texts->list = mem_grow(texts->list, texts->count + 1, sizeof *texts->list);
    texts->list[texts->count++] = text;
}

static void add_own_text(struct texts *texts, char *text)
{
    names_add(&texts->own, text);
    add_text(texts, texts->own.list[texts->own.count - 1]);
    free(text);
}

static void free_texts(struct texts *texts)
{
    names_free(&texts->own);
    free(texts->list);
}

static struct texts all_hosts(const struct route_index *index)
{
    struct texts hosts = {0};
    add_text(&hosts, "");
    for (size_t i = 0; i < index->hosts.count && i < CROSSED; i++)
        add_own_text(&hosts, instance_of(index->hosts.list[i].text));
    for (size_t i = 0; i < CROSSED_HOSTS && i < index->heads.count * index->tails.count; i++) {
        const struct atom *head = &index->heads.list[i % index->heads.count], *tail = &index->tails.list[i / index->heads.count];
        add_own_text(&hosts, mem_printf("%.*s%s", (int)(head->length - 1), head->text, tail->text));
    }
    return hosts;
}

static struct texts all_paths(const struct maker *maker)
{
    const struct route_index *index = maker->index;
    struct texts paths = {0};
    add_text(&paths, "/");
    add_text(&paths, "/" ANY_LABEL);
    for (size_t i = 0; i < index->paths.count && i < CROSSED; i++) {
        const char *path = index->paths.list[i].text;
        const struct names *samples = samples_of(maker, (uint32_t)i);
        for (size_t j = 0; j < samples->count; j++)
            add_text(&paths, samples->list[j]);
        if (index->path_info[i].pattern != NULL && strpbrk(path, "? \t\r\n") == NULL)
            add_text(&paths, path);   /* a path that equals a regex' text is let through by it */
        if (index->path_info[i].pattern != NULL || path[0] == '\0')
            continue;
        add_text(&paths, path);
        add_own_text(&paths, mem_printf("%s/x", path));
    }
    return paths;
}

static struct texts all_of(const struct atoms *atoms, const char *other)
{
    struct texts texts = {0};
    add_text(&texts, other);
    for (size_t i = 0; i < atoms->count && i < CROSSED; i++)
        add_text(&texts, atoms->list[i].text);
    return texts;
}

/* All of them where they are few; else some from all over: a step that is prime to any count of small factors. */
static void try_crossed(struct maker *maker)
{
    struct texts hosts = all_hosts(maker->index), paths = all_paths(maker);
    struct texts methods = all_of(&maker->index->methods, maker->unnamed), snis = all_of(&maker->index->snis, NULL);
    size_t all = hosts.count * paths.count, step = 1;
    all = methods.count < SIZE_MAX / all ? all * methods.count : SIZE_MAX / 2;
    all = snis.count < SIZE_MAX / all ? all * snis.count : SIZE_MAX / 2;
    if (all > CROSSED)
        step = (all / CROSSED) | 1;
    for (size_t i = 0, at = 0; i < CROSSED && i < all && !maker->ended; i++, at += step) {
        size_t h = at % hosts.count, rest = at / hosts.count, p = rest % paths.count;
        rest /= paths.count;
        struct request request = {.host = hosts.list[h], .path = paths.list[p], .method = methods.list[rest % methods.count],
                                  .sni = snis.list[rest / methods.count % snis.count]};
        try_request(maker, &request);
    }
    free_texts(&hosts);
    free_texts(&paths);
    free_texts(&methods);
    free_texts(&snis);
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
