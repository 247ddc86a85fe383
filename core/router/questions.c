/* What a request hits: the wildcard, the regex or prefix, the header that come first. */
#include "core/base/mem.h"
#include "core/router/ties.h"

static void add_option(const struct router *router, struct question *question, uint32_t entry, uint32_t key, bool error)
{
    uint32_t group = router->entries[entry].group;
    size_t i = 0;
    if (question->count > 0 && group > question->group)
        return;
    if (question->count > 0 && group < question->group)
        question->count = 0;
    question->group = group;
    while (i < question->count && (question->options[i].error != error || (!error && question->options[i].key != key)))
        i++;
    if (i == OPTIONS)
        return;
    struct option *option = &question->options[i];
    if (i == question->count) {
        *option = (struct option){.key = key, .error = error};
        question->count++;
    }
    if (option->leader_count < LEADERS && !keys_have(option->leaders, option->leader_count, entry))
        option->leaders[option->leader_count++] = entry;
}

static bool have_everywhere(const struct router *router, unsigned attribute, uint32_t value)
{
    return router_list(router, EVERY_CATEGORY, attribute, value).count > 0;
}

/* Of a route's wildcards the first in its list that matches, or that PCRE refuses before. */
static void ask_entry_host(struct router *router, struct question *question, uint32_t entry)
{
    const struct route_index *index = router->index;
    const struct keys *keys = router_keys(router, entry);
    for (uint32_t i = 0; i < keys->host_count; i++) {
        bool broken = index->broken.count > 0 && keys_have(index->broken.list, (uint32_t)index->broken.count, keys->hosts[i]);
        if (!broken && index->host_look[keys->hosts[i]] != index->look)
            continue;
        add_option(router, question, entry, keys->hosts[i], broken);
        return;
    }
}

static void ask_host_list(struct router *router, struct question *question, const struct numbers *hosts)
{
    for (size_t i = 0; i < hosts->count; i++) {
        struct list list = router_list(router, EVERY_CATEGORY, HOST, hosts->list[i]);
        for (uint32_t j = 0; j < list.count; j++) {
            uint32_t entry = router->members[list.start + j];
            if (question->count > 0 && router->entries[entry].group > question->group)
                break;
            ask_entry_host(router, question, entry);
        }
    }
}

/* Returns whether a plain host is hit, which leaves the question without answers. */
static bool ask_host(struct router *router, struct question *question)
{
    const struct route_index *index = router->index;
    question->count = 0;
    if (index->host != ATOM_NONE && index->host_info[index->host].kind == HOST_PLAIN && have_everywhere(router, HOST, index->host))
        return true;
    ask_host_list(router, question, &index->wildcards);
    ask_host_list(router, question, &index->broken);
    return false;
}

static void ask_entry_regex(struct router *router, struct question *question, uint32_t entry)
{
    const struct keys *keys = router_keys(router, entry);
    for (uint32_t i = 0; i < keys->path_count; i++) {
        uint32_t path = keys->paths[i];
        enum verdict verdict = router->index->path_info[path].pattern != NULL ? index_hits(router->index, path) : VERDICT_NO;
        if (verdict == VERDICT_NO)
            continue;
        add_option(router, question, entry, path, verdict == VERDICT_ERROR);
        return;
    }
}

static size_t list_stems(struct router *router)
{
    const struct numbers *stems = &router->index->path_stems;
    size_t count = 0;
    if (stems->count > router->stem_capacity) {
        router->stem_capacity = stems->count * 2;
        router->stems = mem_grow(router->stems, router->stem_capacity, sizeof *router->stems);
    }
    for (size_t i = 0; i < stems->count; i++) {
        struct list list = router_list(router, EVERY_CATEGORY, STEM, stems->list[i]);
        if (list.count > 0)
            router->stems[count++] = list;
    }
    return count;
}

/* All lists of regexes whose matches begin as the request's path does, read side by side in the router's order until one is hit. */
static void ask_regex(struct router *router, struct question *question)
{
    size_t count = list_stems(router);
    for (;;) {
        struct list *from = NULL;
        for (size_t i = 0; i < count; i++) {
            struct list *list = &router->stems[i];
            if (list->count > 0 && (from == NULL || router->members[list->start] < router->members[from->start]))
                from = list;
        }
        if (from == NULL)
            return;
        uint32_t next = router->members[from->start++];
        from->count--;
        if (question->count > 0 && router->entries[next].group > question->group)
            return;
        router->index->glances++;
        ask_entry_regex(router, question, next);
    }
}

/* A plain path that equals the request's is no hit; else the first regex, else the longest prefix. Returns whether anything is hit. */
static bool ask_uri(struct router *router, struct question *question, uint32_t *prefix)
{
    const struct route_index *index = router->index;
    question->count = 0;
    *prefix = ATOM_NONE;
    if (index->path_key != ATOM_NONE && index->path_info[index->path_key].pattern == NULL && have_everywhere(router, URI, index->path_key))
        return true;
    for (size_t i = index->prefixes.count; *prefix == ATOM_NONE && i-- > 0;)
        if (have_everywhere(router, URI, index->prefixes.list[i]))
            *prefix = index->prefixes.list[i];
    ask_regex(router, question);
    return *prefix != ATOM_NONE || question->count > 0;
}

static void ask_header(struct router *router, struct question *question)
{
    const struct numbers *names = &router->index->request_headers;
    question->count = 0;
    for (size_t i = 0; router->rules->has_headers && i < names->count; i++) {
        struct list list = router_list(router, EVERY_CATEGORY, HEADER, names->list[i]);
        for (uint32_t j = 0; j < list.count; j++) {
            uint32_t entry = router->members[list.start + j];
            if (question->count > 0 && router->entries[entry].group > question->group)
                break;
            add_option(router, question, entry, names->list[i], false);
        }
    }
}

void router_ask(struct router *router, struct questions *questions)
{
    const struct route_index *index = router->index;
    bool host = ask_host(router, &questions->host);
    bool uri = ask_uri(router, &questions->uri, &questions->prefix);
    ask_header(router, &questions->header);
    questions->bits = (host || questions->host.count > 0 ? BIT(HOST) : 0) | (uri ? BIT(URI) : 0) |
        (questions->header.count > 0 ? BIT(HEADER) : 0) | (have_everywhere(router, METHOD, index->upper_method) ? BIT(METHOD) : 0) |
        (have_everywhere(router, SNI, index->sni) ? BIT(SNI) : 0);
}
