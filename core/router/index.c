#include "core/router/index.h"

#include "core/base/ascii.h"
#include "core/base/mem.h"

#include <stdlib.h>
#include <string.h>

void numbers_add(struct numbers *numbers, uint32_t number)
{
    if (numbers->count == numbers->capacity) {
        numbers->capacity = numbers->capacity > 0 ? numbers->capacity * 2 : 16;
        numbers->list = mem_grow(numbers->list, numbers->capacity, sizeof *numbers->list);
    }
    numbers->list[numbers->count++] = number;
}

static bool is_name(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (!ascii_is_alnum(text[i]) && strchr(".-_", text[i]) == NULL)
            return false;
    return true;
}

/* Only of names is it certain that Kong's regex means what the wildcard says. */
static enum host_kind kind_of(const char *host, size_t length)
{
    if (memchr(host, '*', length) == NULL)
        return HOST_PLAIN;
    if (length > 2 && host[0] == '*' && host[1] == '.' && is_name(host + 1, length - 1))
        return HOST_TAIL;
    if (length > 2 && host[length - 1] == '*' && host[length - 2] == '.' && is_name(host, length - 1))
        return HOST_HEAD;
    return HOST_PATTERN;
}

/* One number for each value; with `once`, one for each different value. Returns how many there are. */
static uint32_t number_all(struct atoms *atoms, const struct names *names, bool once, uint32_t **list)
{
    uint32_t count = 0;
    *list = mem_zero(names->count + 1, sizeof **list);
    for (size_t i = 0; i < names->count; i++) {
        uint32_t number = atoms_add(atoms, names->list[i], strlen(names->list[i]));
        bool known = false;
        for (uint32_t j = 0; once && !known && j < count; j++)
            known = (*list)[j] == number;
        if (!known)
            (*list)[count++] = number;
    }
    return count;
}

static void number_route(struct route_index *index, const struct route *route, struct keys *keys)
{
    keys->host_count = number_all(&index->hosts, &route->hosts, false, &keys->hosts);
    keys->path_count = number_all(&index->paths, &route->paths, false, &keys->paths);
    keys->method_count = number_all(&index->methods, &route->methods, true, &keys->methods);
    keys->sni_count = number_all(&index->snis, &route->snis, true, &keys->snis);
    keys->headers = mem_zero(route->header_count + 1, sizeof *keys->headers);
    for (size_t i = 0; i < route->header_count; i++)
        keys->headers[keys->header_count++] = atoms_add(&index->headers, route->headers[i].name, strlen(route->headers[i].name));
}

static void describe_hosts(struct route_index *index)
{
    index->host_info = mem_zero(index->hosts.count + 1, sizeof *index->host_info);
    index->tail_host = mem_zero(index->hosts.count + 1, sizeof *index->tail_host);
    index->head_host = mem_zero(index->hosts.count + 1, sizeof *index->head_host);
    for (uint32_t i = 0; i < index->hosts.count; i++) {
        const struct atom *host = &index->hosts.list[i];
        struct host_info *info = &index->host_info[i];
        info->kind = kind_of(host->text, host->length);
        if (info->kind == HOST_TAIL)
            index->tail_host[atoms_add(&index->tails, host->text + 1, host->length - 1)] = i;
        if (info->kind == HOST_HEAD)
            index->head_host[atoms_add(&index->heads, host->text, host->length - 1)] = i;
        if (info->kind == HOST_PATTERN) {
            info->pattern = pattern_new_host(host->text);
            numbers_add(&index->patterns, i);
        }
    }
}

/* The stems' texts are the index' own. */
static uint32_t add_stem(struct route_index *index, const char *regex)
{
    char *stem = regex_stem(regex);
    size_t count = index->stems.count;
    uint32_t number = atoms_add(&index->stems, stem, strlen(stem));
    if (index->stems.count == count)
        free(stem);
    return number;
}

static void describe_paths(struct route_index *index)
{
    index->path_info = mem_zero(index->paths.count + 1, sizeof *index->path_info);
    for (uint32_t i = 0; i < index->paths.count; i++) {
        const struct atom *path = &index->paths.list[i];
        struct path_info *info = &index->path_info[i];
        if (!path_is_plain(path->text)) {
            info->pattern = pattern_new(path->text);
            info->stem = add_stem(index, pattern_is_broken(info->pattern) ? "" : path->text);
        }
        index->longest = path->length > index->longest ? path->length : index->longest;
    }
    index->path_lengths = mem_zero(index->longest + 1, sizeof *index->path_lengths);
    for (uint32_t i = 0; i < index->paths.count; i++)
        if (index->path_info[i].pattern == NULL)
            index->path_lengths[index->paths.list[i].length] = true;
    for (uint32_t i = 0; i < index->stems.count; i++)
        index->path_lengths[index->stems.list[i].length] = true;
}

static void describe_route(const struct route_index *index, struct keys *keys)
{
    for (uint32_t i = 0; i < keys->host_count; i++)
        keys->wildcard |= index->host_info[keys->hosts[i]].kind != HOST_PLAIN;
    for (uint32_t i = 0; i < keys->path_count; i++) {
        uint32_t length = (uint32_t)index->paths.list[keys->paths[i]].length;
        bool regex = index->path_info[keys->paths[i]].pattern != NULL;
        keys->regex |= regex;
        keys->longest_plain = !regex && length > keys->longest_plain ? length : keys->longest_plain;
    }
}

struct route_index *index_build(const struct routes *routes)
{
    struct route_index *index = mem_zero(1, sizeof *index);
    index->routes = routes;
    index->matcher = matcher_new();
    index->keys = mem_zero(routes->count + 1, sizeof *index->keys);
    for (size_t i = 0; i < routes->count; i++)
        number_route(index, &routes->list[i], &index->keys[i]);
    describe_hosts(index);
    describe_paths(index);
    for (size_t i = 0; i < routes->count; i++)
        describe_route(index, &index->keys[i]);
    index->host_look = mem_zero(index->hosts.count + 1, sizeof *index->host_look);
    index->path_look = mem_zero(index->paths.count + 1, sizeof *index->path_look);
    index->header_look = mem_zero(index->headers.count + 1, sizeof *index->header_look);
    return index;
}

static void free_keys(struct keys *keys)
{
    free(keys->hosts);
    free(keys->paths);
    free(keys->methods);
    free(keys->snis);
    free(keys->headers);
}

void index_free(struct route_index *index)
{
    if (index == NULL)
        return;
    for (size_t i = 0; i < index->routes->count; i++)
        free_keys(&index->keys[i]);
    for (size_t i = 0; i < index->hosts.count; i++)
        pattern_free(index->host_info[i].pattern);
    for (size_t i = 0; i < index->paths.count; i++)
        pattern_free(index->path_info[i].pattern);
    for (size_t i = 0; i < index->stems.count; i++)
        free((char *)(uintptr_t)index->stems.list[i].text);
    struct atoms *const atoms[] = {&index->hosts, &index->paths, &index->methods, &index->snis, &index->headers, &index->stems, &index->tails,
                                   &index->heads};
    for (size_t i = 0; i < sizeof atoms / sizeof atoms[0]; i++)
        atoms_free(atoms[i]);
    struct numbers *const numbers[] = {&index->patterns, &index->wildcards, &index->broken, &index->prefixes, &index->path_stems,
                                       &index->request_headers};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        free(numbers[i]->list);
    void *const blocks[] = {index->keys, index->host_info, index->path_info, index->tail_host, index->head_host, index->path_lengths,
                            index->host_look, index->path_look, index->header_look, index->host_text};
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++)
        free(blocks[i]);
    matcher_free(index->matcher);
    free(index);
}

uint64_t index_work(const struct route_index *index)
{
    return index->glances + matcher_work(index->matcher);
}

/* Looking at a request. */

/* A copy without the port: what follows the first `:` from the second character on. */
static size_t cut_host(struct route_index *index, const char *host)
{
    const char *colon = host[0] != '\0' ? strchr(host + 1, ':') : NULL;
    size_t length = colon != NULL ? (size_t)(colon - host) : strlen(host);
    if (length + 1 > index->host_capacity) {
        index->host_capacity = length + 64;
        index->host_text = mem_grow(index->host_text, index->host_capacity, 1);
    }
    memcpy(index->host_text, host, length);
    index->host_text[length] = '\0';
    return length;
}

static void note_wildcard(struct route_index *index, uint32_t host)
{
    numbers_add(&index->wildcards, host);
    index->host_look[host] = index->look;
}

static void look_at_host(struct route_index *index)
{
    size_t length = cut_host(index, index->request->host != NULL ? index->request->host : "");
    const char *host = index->host_text;
    index->host = atoms_find_text(&index->hosts, host);
    index->wildcards.count = index->broken.count = 0;
    for (size_t i = 1; index->tails.count > 0 && i < length; i++) {
        uint32_t tail = host[i] == '.' ? atoms_find_text(&index->tails, host + i) : ATOM_NONE;
        if (tail != ATOM_NONE)
            note_wildcard(index, index->tail_host[tail]);
    }
    uint64_t hash = ATOM_HASH_START;
    for (size_t i = 0; index->heads.count > 0 && i + 1 < length; i++) {
        hash = atom_hash_add(hash, host[i]);
        uint32_t head = host[i] == '.' ? atoms_find(&index->heads, host, i + 1, hash) : ATOM_NONE;
        if (head != ATOM_NONE)
            note_wildcard(index, index->head_host[head]);
    }
    for (size_t i = 0; i < index->patterns.count; i++) {
        uint32_t number = index->patterns.list[i];
        enum verdict verdict = pattern_hits(index->matcher, index->host_info[number].pattern, host, length);
        if (verdict == VERDICT_YES)
            note_wildcard(index, number);
        else if (verdict == VERDICT_ERROR)
            numbers_add(&index->broken, number);
    }
}

static void look_at_path(struct route_index *index)
{
    const char *path = index->request->path != NULL ? index->request->path : "";
    const char *query = path[0] != '\0' ? strchr(path + 1, '?') : NULL;
    uint64_t hash = ATOM_HASH_START;
    index->path = path;
    index->path_length = query != NULL ? (size_t)(query - path) : strlen(path);
    index->prefixes.count = index->path_stems.count = 0;
    for (size_t length = 0;; length++) {
        if (length <= index->longest && index->path_lengths[length]) {
            uint32_t prefix = atoms_find(&index->paths, path, length, hash), stem = atoms_find(&index->stems, path, length, hash);
            if (prefix != ATOM_NONE && index->path_info[prefix].pattern == NULL) {
                numbers_add(&index->prefixes, prefix);
                index->path_look[prefix] = index->look;
            }
            if (stem != ATOM_NONE)
                numbers_add(&index->path_stems, stem);
        }
        if (length == index->path_length)
            break;
        hash = atom_hash_add(hash, path[length]);
    }
    index->path_key = atoms_find(&index->paths, path, index->path_length, hash);
}

static void look_at_headers(struct route_index *index)
{
    index->request_headers.count = 0;
    for (size_t i = 0; i < index->request->header_count; i++) {
        uint32_t name = atoms_find_text(&index->headers, index->request->headers[i].name);
        if (name == ATOM_NONE)
            continue;
        numbers_add(&index->request_headers, name);
        index->header_look[name] = index->look;
    }
}

void index_look(struct route_index *index, const struct request *request)
{
    char upper[64];
    const char *method = request->method != NULL ? request->method : "";
    size_t length = strlen(method);
    index->look++;
    index->request = request;
    index->method = index->upper_method = atoms_find_text(&index->methods, method);
    if (index->method == ATOM_NONE && length < sizeof upper) {
        for (size_t i = 0; i <= length; i++)
            upper[i] = ascii_upper(method[i]);
        index->upper_method = atoms_find_text(&index->methods, upper);
    }
    index->sni = atoms_find_text(&index->snis, request->sni != NULL ? request->sni : "");
    look_at_host(index);
    look_at_path(index);
    look_at_headers(index);
}

enum verdict index_hits(struct route_index *index, uint32_t path)
{
    struct path_info *info = &index->path_info[path];
    if (info->looked_at != index->look) {
        info->looked_at = index->look;
        info->hits = pattern_hits(index->matcher, info->pattern, index->path, index->path_length);
    }
    return info->hits;
}

enum verdict index_matches(struct route_index *index, uint32_t path)
{
    struct path_info *info = &index->path_info[path];
    if (!pattern_postfix_matters(info->pattern))
        return index_hits(index, path);
    if (info->matched_at != index->look) {
        info->matched_at = index->look;
        info->matches = pattern_matches(index->matcher, info->pattern, index->path, index->path_length);
    }
    return info->matches;
}
