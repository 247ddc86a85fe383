/* Entries by what they hold: the sets that Kong reduces a category to, kept as runs of one array. */
#include "core/base/mem.h"
#include "core/router/router_internal.h"

#include <stdlib.h>

static uint64_t key_of(unsigned category, unsigned attribute, uint32_t value)
{
    return 1 + ((uint64_t)category << 40 | (uint64_t)attribute << 32 | value);
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

typedef void visit(struct router *router, uint64_t key, uint32_t entry);

static void visit_value(struct router *router, visit *each, uint32_t entry, unsigned attribute, uint32_t value)
{
    each(router, key_of(router->entries[entry].category, attribute, value), entry);
    each(router, key_of(EVERY_CATEGORY, attribute, value), entry);
}

static void visit_entry(struct router *router, visit *each, uint32_t entry)
{
    const struct keys *keys = router_keys(router, entry);
    const struct path_info *paths = router->index->path_info;
    for (uint32_t i = 0; i < keys->host_count; i++)
        visit_value(router, each, entry, HOST, keys->hosts[i]);
    for (uint32_t i = 0; i < keys->path_count; i++) {
        visit_value(router, each, entry, URI, keys->paths[i]);
        if (paths[keys->paths[i]].pattern != NULL)
            visit_value(router, each, entry, STEM, paths[keys->paths[i]].stem);
    }
    for (uint32_t i = 0; i < keys->method_count; i++)
        visit_value(router, each, entry, METHOD, keys->methods[i]);
    for (uint32_t i = 0; i < keys->sni_count; i++)
        visit_value(router, each, entry, SNI, keys->snis[i]);
    for (uint32_t i = 0; router->rules->has_headers && i < keys->header_count; i++)
        visit_value(router, each, entry, HEADER, keys->headers[i]);
    each(router, key_of(router->entries[entry].category, ALL, 0), entry);
}

static void count(struct router *router, uint64_t key, uint32_t entry)
{
    (void)entry;
    struct list *list = slot_of(router, key);
    list->key = key;
    list->count++;
}

/* `count` was set back: it goes up to what it was. */
static void fill(struct router *router, uint64_t key, uint32_t entry)
{
    struct list *list = slot_of(router, key);
    router->members[list->start + list->count++] = entry;
}

static size_t most_lists(const struct router *router)
{
    size_t most = 16;
    for (uint32_t i = 0; i < router->entry_count; i++) {
        const struct keys *keys = router_keys(router, i);
        most += 1 + 2 * (size_t)(keys->host_count + 2 * keys->path_count + keys->method_count + keys->sni_count + keys->header_count);
    }
    return most;
}

void router_make_lists(struct router *router)
{
    size_t most = most_lists(router);
    for (router->list_slots = 64; router->list_slots < most + most / 2;)
        router->list_slots *= 2;
    router->lists = mem_zero(router->list_slots, sizeof *router->lists);
    router->members = mem_zero(most, sizeof *router->members);
    for (uint32_t i = 0; i < router->entry_count; i++)
        visit_entry(router, count, i);
    uint32_t start = 0;
    for (size_t i = 0; i < router->list_slots; i++) {
        router->lists[i].start = start;
        start += router->lists[i].count;
        router->lists[i].count = 0;
    }
    for (uint32_t i = 0; i < router->entry_count; i++)
        visit_entry(router, fill, i);
}
