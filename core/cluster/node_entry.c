/*
 * What fleet.ini says of nodes, as nodes to be watched: one, or, where its name has a `*`, one per address that its host has or had
 * (resolve.c); nodes behind the same host share its ssh (tunnel.c).
 */
#include "core/cluster/node_watch.h"

#include "core/base/clock.h"
#include "core/base/mem.h"

#include <stdlib.h>
#include <string.h>

#define MEMBERS_LIMIT 4096     /* addresses of one name, those that left it among them */

/* The nodes that are shown: of a name with a `*` its members, or itself while there are none to show. */

static void show(struct nodes *nodes, struct watch *watch)
{
    nodes->list = mem_grow(nodes->list, nodes->count + 1, sizeof *nodes->list);
    nodes->list[nodes->count++] = watch;
}

static void show_all(struct nodes *nodes)
{
    nodes->count = 0;
    for (size_t i = 0; i < nodes->entry_count; i++) {
        const struct entry *entry = &nodes->entries[i];
        size_t before = nodes->count;
        for (size_t member = 0; member < entry->member_count; member++)
            if (!entry->members[member]->hidden)
                show(nodes, entry->members[member]);
        if (nodes->count == before || entry->overflows)
            show(nodes, entry->self);
    }
}

/* Names with a `*`. */

static struct watch *find_member(const struct entry *entry, const char *address)
{
    for (size_t i = 0; i < entry->member_count; i++)
        if (strcmp(entry->members[i]->node.address, address) == 0)
            return entry->members[i];
    return NULL;
}

static void add_member(struct entry *entry, const char *address)
{
    struct watch *watch = find_member(entry, address);
    if (watch != NULL) {
        watch->left = false;
        if (watch->hidden)
            watch_ask_in(watch, 0);
        watch->hidden = false;
        return;
    }
    if (entry->member_count == MEMBERS_LIMIT) {
        entry->overflows = true;
        watch_trouble(entry->self, NODE_UNKNOWN, mem_printf("has had more than %d addresses: the others are not asked", MEMBERS_LIMIT));
        return;
    }
    watch = watch_new(entry->nodes, &entry->from, fleet_numbered(entry->from.name, (unsigned)entry->member_count + 1));
    entry->members = mem_grow(entry->members, entry->member_count + 1, sizeof *entry->members);
    entry->members[entry->member_count++] = watch;
    watch_ask(watch, address);
}

/* A node that left its name may still run, and serve; only one that has been silent since the last lookup is let go. */
static void let_go(struct watch *watch, int64_t now)
{
    watch->left = true;
    if (watch->hidden || watch->under_way || !node_is_gone(&watch->node, now, resolve_ms))
        return;
    watch->hidden = true;
    uv_timer_stop(&watch->timer);
}

static void on_found(void *context, const struct names *addresses, const char *problem)
{
    struct entry *entry = context;
    struct nodes *nodes = entry->nodes;
    int64_t now = clock_ms();
    watch_trouble(entry->self, NODE_UNKNOWN, mem_dup(problem));
    for (size_t i = 0; i < addresses->count; i++)
        add_member(entry, addresses->list[i]);
    for (size_t i = 0; problem == NULL && i < entry->member_count; i++)
        if (!names_have(addresses, entry->members[i]->node.address))
            let_go(entry->members[i], now);
    show_all(nodes);
    if (nodes->changed != NULL)
        nodes->changed(nodes->context);
}

static char *host_of(const char *url)
{
    CURLU *parsed = curl_url();
    char *host = NULL, *copy;
    if (curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK)
        curl_url_get(parsed, CURLUPART_HOST, &host, 0);
    copy = host != NULL && host[0] == '[' ? mem_ndup(host + 1, strcspn(host + 1, "]")) : mem_dup(host != NULL ? host : "");
    curl_free(host);
    curl_url_cleanup(parsed);
    return copy;
}

/* ssh. */

/* Spread over the second: ssh does not tell whose connection was refused. */
static void on_tunnel(void *context, struct tunnel *tunnel)
{
    struct nodes *nodes = context;
    for (size_t i = 0; i < nodes->all_count; i++) {
        struct watch *watch = nodes->all[i];
        if (watch->way != NULL && watch->way->tunnel == tunnel && !watch->under_way && watch->easy != NULL)
            watch_ask_in(watch, watch->target * NODE_POLL_MS / watch->way->targets.count);
    }
}

/* "HOST:PORT" of the address, as -L takes it. */
static char *target_of(const char *url)
{
    CURLU *parsed = curl_url();
    char *host = NULL, *port = NULL, *target = NULL;
    if (curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK && curl_url_get(parsed, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
        curl_url_get(parsed, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK)
        target = mem_printf("%s:%s", host, port);
    curl_free(host);
    curl_free(port);
    curl_url_cleanup(parsed);
    return target != NULL ? target : mem_dup("");
}

static struct way *find_way(const struct nodes *nodes, const char *ssh)
{
    for (size_t i = 0; ssh != NULL && i < nodes->way_count; i++)
        if (strcmp(nodes->ways[i].ssh, ssh) == 0)
            return &nodes->ways[i];
    return NULL;
}

static void collect_ways(struct nodes *nodes, const struct fleet *fleet)
{
    nodes->ways = mem_zero(fleet->count, sizeof *nodes->ways);
    for (size_t i = 0; i < fleet->count; i++) {
        const struct fleet_node *from = &fleet->nodes[i];
        struct way *way = find_way(nodes, from->ssh);
        if (from->ssh != NULL && way == NULL) {
            way = &nodes->ways[nodes->way_count++];
            way->ssh = mem_dup(from->ssh);
        }
        if (way != NULL) {
            char *target = target_of(from->url);
            names_add(&way->targets, target);
            free(target);
        }
    }
}

static void start_ways(struct nodes *nodes, const struct fleet *fleet)
{
    struct names secrets = {0};
    for (enum cluster cluster = CLUSTER_OLD; cluster <= CLUSTER_NEW; cluster++)
        for (size_t i = 0; i < fleet->access[cluster].header_count; i++)
            names_add(&secrets, fleet->access[cluster].headers[i].variable);
    for (size_t i = 0; i < nodes->way_count; i++) {
        struct way *way = &nodes->ways[i];
        struct error error = {0};
        way->tunnel = tunnel_start(nodes->loop, way->ssh, &way->targets, &secrets, on_tunnel, nodes, &error);
        way->problem = error.message;
    }
    names_free(&secrets);
}

/* All of them. */

static void start_entry(struct nodes *nodes, struct entry *entry, size_t *used)
{
    const struct fleet_node *from = &entry->from;
    entry->self = watch_new(nodes, from, mem_dup(from->name));
    if (strchr(from->name, '*') == NULL) {
        entry->self->way = find_way(nodes, from->ssh);
        entry->self->target = entry->self->way != NULL ? used[entry->self->way - nodes->ways]++ : 0;
        watch_ask(entry->self, NULL);
        return;
    }
    char *host = host_of(from->url);
    entry->resolve = resolve_start(nodes->loop, host, on_found, entry);
    free(host);
    if (entry->resolve == NULL)
        watch_trouble(entry->self, NODE_UNKNOWN, mem_dup("can't be asked: its name can't be looked up for want of file descriptors"));
}

void entries_start(struct nodes *nodes, const struct fleet *fleet)
{
    collect_ways(nodes, fleet);
    start_ways(nodes, fleet);
    size_t *used = mem_zero(nodes->way_count, sizeof *used);
    nodes->entries = mem_zero(fleet->count, sizeof *nodes->entries);
    for (nodes->entry_count = 0; nodes->entry_count < fleet->count; nodes->entry_count++) {
        const struct fleet_node *from = &fleet->nodes[nodes->entry_count];
        struct entry *entry = &nodes->entries[nodes->entry_count];
        entry->nodes = nodes;
        entry->from = (struct fleet_node){.cluster = from->cluster, .name = mem_dup(from->name), .url = mem_dup(from->url)};
    }
    for (size_t i = 0; i < fleet->count; i++) {
        nodes->entries[i].from.ssh = fleet->nodes[i].ssh;   /* for now */
        start_entry(nodes, &nodes->entries[i], used);
        nodes->entries[i].from.ssh = NULL;
    }
    free(used);
    show_all(nodes);
}

void entries_stop(struct nodes *nodes)
{
    for (size_t i = 0; i < nodes->entry_count; i++)
        resolve_stop(nodes->entries[i].resolve);
    for (size_t i = 0; i < nodes->way_count; i++)
        if (nodes->ways[i].tunnel != NULL)
            tunnel_stop(nodes->ways[i].tunnel);
}

void entries_free(struct nodes *nodes)
{
    for (size_t i = 0; i < nodes->entry_count; i++) {
        free(nodes->entries[i].from.name);
        free(nodes->entries[i].from.url);
        free(nodes->entries[i].members);
    }
    for (size_t i = 0; i < nodes->way_count; i++) {
        free(nodes->ways[i].ssh);
        free(nodes->ways[i].problem);
        names_free(&nodes->ways[i].targets);
    }
    free(nodes->entries);
    free(nodes->ways);
}
