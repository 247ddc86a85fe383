/* Entries by what they hold: the sets that Kong reduces a category to, kept as runs of one array. */
#include "core/base/mem.h"
#include "core/router/router_internal.h"

#include <stdlib.h>

static uint64_t key_of(unsigned category, unsigned attribute, uint32_t value)
{
    return 1 + ((uint64_t)category << 40 | (uint64_t)attribute << 32 | value);
}

static uint64_t pair_key(unsigned category, uint32_t host, unsigned attribute, uint32_t value)
{
    uint64_t kind = 1ull << 63 | (uint64_t)(category & 127) << 56 | (uint64_t)(attribute == STEM) << 55;
    return kind | (uint64_t)(host & 0x7ffffff) << 28 | (value & 0xfffffff);
}

static struct list *slot_of(const struct router *router, uint64_t key)
{
    size_t slot = (size_t)((key * 0x9e3779b97f4a7c15u) >> 30) & (router->list_slots - 1);
    while (router->lists[slot].key != 0 && router->lists[slot].key != key)
        slot = (slot + 1) & (router->list_slots - 1);
    return &router->lists[slot];
}

struct list router_list(const struct router *router, unsigned category, unsigned attribute, uint32_t value)
{
    if (value == ATOM_NONE)
        return NO_LIST;
    struct list *list = slot_of(router, key_of(category, attribute, value));
    return list->key != 0 ? *list : NO_LIST;
}

struct list router_pair_list(const struct router *router, unsigned category, uint32_t host, unsigned attribute, uint32_t value)
{
    if (host == ATOM_NONE || value == ATOM_NONE)
        return NO_LIST;
    struct list *list = slot_of(router, pair_key(category, host, attribute, value));
    return list->key != 0 ? *list : NO_LIST;
}

typedef void visit(struct router *router, uint64_t key, uint32_t entry);

static void visit_value(struct router *router, visit *each, uint32_t entry, unsigned attribute, uint32_t value)
{
    each(router, key_of(router->entries[entry].category, attribute, value), entry);
    each(router, key_of(EVERY_CATEGORY, attribute, value), entry);
}

#define MOST_PAIRS 16

static bool is_wide(const struct keys *keys)
{
    return (size_t)keys->host_count * keys->path_count > MOST_PAIRS;
}

static void visit_pairs(struct router *router, visit *each, uint32_t entry)
{
    const struct keys *keys = router_keys(router, entry);
    const struct path_info *paths = router->index->path_info;
    unsigned category = router->entries[entry].category;
    if (is_wide(keys))
        each(router, key_of(category, WIDE, 0), entry);
    for (uint32_t i = 0; !is_wide(keys) && i < keys->host_count * keys->path_count; i++) {
        uint32_t host = keys->hosts[i % keys->host_count], path = keys->paths[i / keys->host_count];
        each(router, pair_key(category, host, URI, path), entry);
        if (paths[path].pattern != NULL)
            each(router, pair_key(category, host, STEM, paths[path].stem), entry);
    }
}

static void visit_entry(struct router *router, visit *each, uint32_t entry)
{
    const struct keys *keys = router_keys(router, entry);
    const struct path_info *paths = router->index->path_info;
    for (uint32_t i = 0; i < keys->host_count; i++)
        visit_value(router, each, entry, HOST, keys->hosts[i]);
    for (uint32_t i = 0; i < keys->path_count; i++) {
        visit_value(router, each, entry, URI, keys->paths[i]);
        if (paths[keys->paths[i]].pattern == NULL)
            continue;
        each(router, key_of(router->entries[entry].category, STEM, paths[keys->paths[i]].stem), entry);
        uint32_t *group = &router->regex_group[keys->paths[i]];
        *group = *group == UINT32_MAX ? router->entries[entry].group : *group;
        if (*group == router->entries[entry].group)
            each(router, key_of(EVERY_CATEGORY, STEM, paths[keys->paths[i]].stem), entry);
    }
    for (uint32_t i = 0; i < keys->method_count; i++)
        visit_value(router, each, entry, METHOD, keys->methods[i]);
    for (uint32_t i = 0; i < keys->sni_count; i++)
        visit_value(router, each, entry, SNI, keys->snis[i]);
    for (uint32_t i = 0; router->rules->has_headers && i < keys->header_count; i++)
        visit_value(router, each, entry, HEADER, keys->headers[i]);
    visit_pairs(router, each, entry);
    each(router, key_of(router->entries[entry].category, ALL, 0), entry);
}

static void grow(struct router *router)
{
    struct list *old = router->lists;
    size_t old_slots = router->list_slots;
    router->list_slots = old_slots > 0 ? old_slots * 2 : 1024;
    router->lists = mem_zero(router->list_slots, sizeof *router->lists);
    for (size_t i = 0; i < old_slots; i++)
        if (old[i].key != 0)
            *slot_of(router, old[i].key) = old[i];
    free(old);
}

static void count(struct router *router, uint64_t key, uint32_t entry)
{
    (void)entry;
    if (router->list_count * 3 >= router->list_slots * 2)
        grow(router);
    struct list *list = slot_of(router, key);
    router->list_count += list->key == 0 ? 1 : 0;
    list->key = key;
    list->count++;
}

/* `count` was set back: it goes up to what it was. */
static void fill(struct router *router, uint64_t key, uint32_t entry)
{
    struct list *list = slot_of(router, key);
    router->members[list->start + list->count++] = entry;
}

void router_make_lists(struct router *router)
{
    uint32_t start = 0;
    router->regex_group = mem_zero(router->index->paths.count + 1, sizeof *router->regex_group);
    for (size_t i = 0; i < router->index->paths.count; i++)
        router->regex_group[i] = UINT32_MAX;
    grow(router);
    for (uint32_t i = 0; i < router->entry_count; i++)
        visit_entry(router, count, i);
    for (size_t i = 0; i < router->list_slots; i++) {
        router->lists[i].start = start;
        start += router->lists[i].count;
        router->lists[i].count = 0;
    }
    router->members = mem_zero(start, sizeof *router->members);
    for (uint32_t i = 0; i < router->entry_count; i++)
        visit_entry(router, fill, i);
}
