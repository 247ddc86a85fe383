/* A route's hosts, paths, methods and SNIs, as requests have them. */
#include "core/base/mem.h"
#include "core/router/candidates_internal.h"
#include "core/router/sample.h"

#include <stdlib.h>
#include <string.h>

/* Where case is ignored, other routes' paths are more likely small. */
static void add_small(const struct maker *maker, struct pattern *pattern, struct names *samples)
{
    for (size_t i = samples->count; i-- > 0;) {
        char *small = mem_dup(samples->list[i]);
        for (char *c = small; *c != '\0'; c++)
            *c = *c >= 'A' && *c <= 'Z' ? (char)(*c - 'A' + 'a') : *c;
        if (!names_have(samples, small) && pattern_hits(maker->index->matcher, pattern, small, strlen(small)) == VERDICT_YES)
            names_add(samples, small);
        free(small);
    }
}

const struct names *samples_of(const struct maker *maker, uint32_t path)
{
    struct pattern *pattern = maker->index->path_info[path].pattern;
    const char *text = maker->index->paths.list[path].text;
    if (pattern != NULL && !maker->sampled[path]) {
        regex_samples(maker->index->matcher, pattern, text, &maker->samples[path]);
        if (strstr(text, "(?i") != NULL)
            add_small(maker, pattern, &maker->samples[path]);
    }
    maker->sampled[path] = true;
    return &maker->samples[path];
}

void values_add(struct values *values, const char *text, size_t most)
{
    if (values->count < most)
        values->list[values->count++] = text;
}

static void add_own(struct values *values, char *text, size_t most)
{
    if (values->count < most) {
        values->own[values->own_count++] = text;
        values_add(values, text, most);
    } else {
        free(text);
    }
}

void values_free(struct values *values)
{
    for (size_t i = 0; i < values->own_count; i++)
        free(values->own[i]);
}

char *instance_of(const char *wildcard)
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

void read_hosts(const struct maker *maker, uint32_t route, struct values *values, size_t most)
{
    const struct keys *keys = &maker->index->keys[route];
    *values = (struct values){0};
    for (uint32_t i = 0; i < keys->host_count && values->count < most; i++) {
        const char *host = maker->index->hosts.list[keys->hosts[i]].text;
        if (maker->index->host_info[keys->hosts[i]].kind == HOST_PLAIN)
            values_add(values, host, most);
        else
            add_own(values, instance_of(host), most);
    }
    if (values->count == 0)
        values_add(values, "", most);
}

void read_paths(const struct maker *maker, uint32_t route, struct values *values, size_t most)
{
    const struct keys *keys = &maker->index->keys[route];
    *values = (struct values){0};
    for (uint32_t i = 0; i < keys->path_count && values->count < most; i++) {
        const struct names *samples = samples_of(maker, keys->paths[i]);
        bool plain = maker->index->path_info[keys->paths[i]].pattern == NULL;
        for (size_t j = 0; !plain && j < samples->count && values->count < most; j++) {
            values->longer[values->count] = j == 0;
            values_add(values, samples->list[j], most);
        }
        if (plain) {
            values->longer[values->count] = true;
            values_add(values, maker->index->paths.list[keys->paths[i]].text, most);
        }
    }
    if (values->count == 0) {
        values->longer[0] = true;
        values_add(values, "/", most);
    }
}

void read_methods(const struct maker *maker, uint32_t route, struct values *values, size_t most)
{
    const struct keys *keys = &maker->index->keys[route];
    *values = (struct values){0};
    for (uint32_t i = 0; i < keys->method_count; i++)
        values_add(values, maker->index->methods.list[keys->methods[i]].text, most);
    if (values->count > 0)
        return;
    values_add(values, maker->unnamed, most);
    if (atoms_find_text(&maker->index->methods, "GET") != ATOM_NONE)
        values_add(values, "GET", most);
}

void read_snis(const struct maker *maker, uint32_t route, struct values *values, size_t most)
{
    const struct keys *keys = &maker->index->keys[route];
    *values = (struct values){0};
    for (uint32_t i = 0; i < keys->sni_count; i++)
        values_add(values, maker->index->snis.list[keys->snis[i]].text, most);
    if (values->count == 0)
        values_add(values, NULL, most);
}
