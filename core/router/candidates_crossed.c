/* Any values with any others. */
#include "core/base/mem.h"
#include "core/router/candidates_internal.h"

#include <stdlib.h>
#include <string.h>

#define CROSSED 20000        /* requests of any values with any others: of few routes that is all there is */
#define CROSSED_HOSTS 64     /* hosts that are under two wildcards, as api.example is under api.* and *.example */
#define CROSSED_PATHS 64     /* paths of one route that go on so that another's regex matches them, as /a and /.*b have /a/xb */

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

/* What a request for that path of a route's is: itself, or what its regex matches; NULL where nothing is known. */
static const char *first_of(const struct maker *maker, uint32_t path)
{
    const struct names *samples = samples_of(maker, path);
    if (maker->index->path_info[path].pattern == NULL)
        return maker->index->paths.list[path].text;
    return samples->count > 0 ? samples->list[0] : NULL;
}

static void add_continued(const struct maker *maker, struct texts *paths)
{
    const struct route_index *index = maker->index;
    size_t asked = 0, added = 0;
    for (uint32_t r = 0; r < index->paths.count && added < CROSSED_PATHS; r++) {
        struct pattern *pattern = index->path_info[r].pattern;
        const char *end = pattern != NULL ? first_of(maker, r) : NULL;
        for (uint32_t p = 0; end != NULL && p < index->paths.count && added < CROSSED_PATHS && asked < CROSSED; p++) {
            const char *begin = first_of(maker, p);
            if (p == r || begin == NULL)
                continue;
            size_t length = strlen(begin);
            char *path = mem_printf("%.*s%s", (int)(length > 0 && begin[length - 1] == '/' && end[0] == '/' ? length - 1 : length), begin, end);
            bool matches = pattern_hits(index->matcher, pattern, path, strlen(path)) == VERDICT_YES;
            asked++;
            added += matches ? 1 : 0;
            if (matches)
                add_own_text(paths, path);
            else
                free(path);
        }
    }
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
    add_continued(maker, &paths);
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
void try_crossed(struct maker *maker)
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
        candidate_request(maker, &request);
    }
    free_texts(&hosts);
    free_texts(&paths);
    free_texts(&methods);
    free_texts(&snis);
}
