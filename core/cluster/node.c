/*
 * Asking: one easy handle per node, all on one multi handle that the caller's loop drives (multi.c). What the answers mean is
 * node_answer.c's, what failures mean node_failure.c's. An entry of the fleet is one node, or, where its name has a `*`, one per address
 * that its host has or had (resolve.c); nodes behind the same host share its ssh (tunnel.c).
 */
#include "core/cluster/node.h"

#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/cluster/multi.h"
#include "core/cluster/node_answer.h"
#include "core/cluster/node_failure.h"
#include "core/cluster/node_request.h"
#include "core/cluster/resolve.h"
#include "core/cluster/tunnel.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define SPREAD_MS 10           /* between the first requests of two nodes, so that a second's are not all at once */
#define TUNNEL_LOOK_MS 500     /* whether it is up by now; its news come earlier */
#define MEMBERS_LIMIT 4096     /* addresses of one name, those that left it among them */
#define BODY_KEPT 4096         /* bytes of room that are kept for the next answer */
#define FILES_SPARE 256        /* besides two per node */

enum request { REQUEST_ROOT, REQUEST_STATUS, REQUESTS };

static const char *const request_paths[REQUESTS] = {"/", "/status"};

struct watch {
    struct nodes *nodes;
    struct node node;
    CURL *easy;
    struct curl_slist *connect_to;
    char *urls[REQUESTS];
    size_t index;                 /* among all */
    struct way *way;              /* through ssh, or NULL */
    size_t target;                /* of its tunnel */
    uv_timer_t timer;             /* until the next request */
    enum request request;         /* the one under way, or the last */
    bool under_way;
    bool timed_out;               /* the last one: what came of its connection may be told yet */
    bool identified;              /* `GET /` has answered since the last silence */
    bool counter_fell;            /* and node_id has not been looked at since */
    bool status_strange;          /* what made it strange was `GET /status` */
    bool left;                    /* its address is not its name's any more */
    bool hidden;                  /* and it is silent: it is not asked, and is none of the nodes */
    const struct watch *twin;     /* answers with the same node_id */
    int64_t started_at, identified_at;
    int64_t failed_at;            /* the last request that ended without a byte */
    int64_t reached;              /* requests of ours since the node's counter began */
    int64_t reached_then;         /* as of the last count */
    struct tunnel_tally tally;    /* of its tunnel when the request began */
    struct buf body;
    size_t received;              /* bytes, headers included */
    char reason[CURL_ERROR_SIZE];
};

/* A node of fleet.ini. */
struct entry {
    struct nodes *nodes;
    struct fleet_node from;
    struct resolve *resolve;      /* NULL: the name has no `*` */
    struct watch *self;           /* the node; or, of a name with a `*`, what is shown while it has no addresses */
    struct watch **members;       /* in the order of their numbers: each keeps its address and its name */
    size_t member_count;
    bool overflows;               /* there are more */
};

/* One ssh, and the nodes behind it. */
struct way {
    struct tunnel *tunnel;
    char *ssh;
    struct names targets;
    char *problem;                /* why there is no tunnel */
};

struct nodes {
    uv_loop_t *loop;
    struct multi *multi;
    struct entry *entries;
    size_t entry_count;
    struct way *ways;
    size_t way_count;
    struct watch **all;           /* that were ever made: they stay until the end, so that no one's pointer dangles */
    size_t all_count;
    struct watch **list;          /* that are shown, in the fleet's order */
    size_t count;
    struct request_access access[2];   /* by enum cluster */
    struct datastore datastore;
    void (*changed)(void *context);
    void *context;
    size_t open_timers;           /* memory is freed when the last has closed */
    bool stopped;
};

static void begin(struct watch *watch);

static void forget(struct node *node)
{
    free(node->name);
    free(node->url);
    free(node->address);
    free(node->ssh);
    free(node->problem);
    free(node->version);
    free(node->hostname);
    free(node->node_id);
    free(node->match_text);
}

static void forget_watch(struct watch *watch)
{
    forget(&watch->node);
    curl_slist_free_all(watch->connect_to);
    for (size_t request = 0; request < REQUESTS; request++)
        free(watch->urls[request]);
    buf_free(&watch->body);
    free(watch);
}

static void forget_all(struct nodes *nodes)
{
    for (size_t i = 0; i < nodes->all_count; i++)
        forget_watch(nodes->all[i]);
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
    for (enum cluster cluster = CLUSTER_OLD; cluster <= CLUSTER_NEW; cluster++)
        request_access_free(&nodes->access[cluster]);
    free(nodes->entries);
    free(nodes->ways);
    free(nodes->all);
    free(nodes->list);
    datastore_free(&nodes->datastore);
    free(nodes);
    curl_global_cleanup();
}

/* What an ended request was. */

static void set_problem(struct node *node, char *problem)
{
    free(node->problem);
    node->problem = problem;
}

static void note_trouble(struct watch *watch, enum node_state state, char *problem)
{
    watch->node.state = state;
    watch->node.silent_since = 0;
    watch->node.connections = -1;
    watch->node.database_reachable = -1;
    watch->identified = false;
    watch->status_strange = state == NODE_STRANGE && watch->request == REQUEST_STATUS;
    set_problem(&watch->node, problem);
}

static long info_long(struct watch *watch, CURLINFO info)
{
    long value = 0;
    curl_easy_getinfo(watch->easy, info, &value);
    return value;
}

static const char *info_text(struct watch *watch, CURLINFO info)
{
    char *text = NULL;
    curl_easy_getinfo(watch->easy, info, &text);
    return text;
}

static bool was_connected(struct watch *watch)
{
    curl_off_t microseconds = 0;
    curl_easy_getinfo(watch->easy, CURLINFO_CONNECT_TIME_T, &microseconds);
    return microseconds > 0 || info_long(watch, CURLINFO_REQUEST_SIZE) > 0;
}

static bool was_resolved(struct watch *watch)
{
    curl_off_t microseconds = 0;
    curl_easy_getinfo(watch->easy, CURLINFO_NAMELOOKUP_TIME_T, &microseconds);
    return microseconds > 0 || was_connected(watch);
}

/* Connections that others behind the same ssh may have had refused meanwhile: ssh does not say whose it speaks of. */
static unsigned count_rivals(const struct watch *watch)
{
    unsigned rivals = watch->timed_out ? 1 : 0;
    for (size_t i = 0; i < watch->nodes->all_count; i++) {
        const struct watch *other = watch->nodes->all[i];
        bool rival = other->under_way || other->timed_out || (other->failed_at >= watch->started_at && other->failed_at > 0);
        rivals += other != watch && other->way == watch->way && rival ? 1 : 0;
    }
    return rivals;
}

/* Only where more connections were refused than all others can account for, it was this one. */
static void add_tunnel(const struct watch *watch, struct failure *failure)
{
    if (watch->way == NULL)
        return;
    const struct tunnel_tally tally = tunnel_tally(watch->way->tunnel);
    failure->ssh = watch->node.ssh;
    if (!tunnel_is_up(watch->way->tunnel))
        failure->ssh_problem = tunnel_problem(watch->way->tunnel);
    failure->refused_there = tally.refused - watch->tally.refused > count_rivals(watch);
    failure->failed_there = tally.failed != watch->tally.failed ? tally.last : NULL;
}

static void note_failure(struct watch *watch, CURLcode code)
{
    struct failure failure = {
        .code = code,
        .os_error = info_long(watch, CURLINFO_OS_ERRNO),
        .reason = watch->reason[0] != '\0' ? watch->reason : curl_easy_strerror(code),
        .resolved = was_resolved(watch),
        .connected = was_connected(watch),
        .received = watch->received,
        .cluster = watch->node.cluster,
        .ca = watch->nodes->access[watch->node.cluster].access.ca,
    };
    char *problem = NULL;
    add_tunnel(watch, &failure);
    enum node_state state = failure_read(&failure, &problem);
    note_trouble(watch, state, problem);
}

/* Two entries of fleet.ini, or two addresses, may lead to one node. */
static void find_twin(struct watch *watch)
{
    const struct nodes *nodes = watch->nodes;
    watch->twin = NULL;
    for (size_t i = 0; i < nodes->count && watch->twin == NULL; i++) {
        const struct watch *other = nodes->list[i];
        bool same = other != watch && other->node.node_id != NULL && strcmp(other->node.node_id, watch->node.node_id) == 0;
        watch->twin = same && other->node.state == NODE_ANSWERS ? other : NULL;
    }
}

/* Another node_id is another process, whose counter began at 0. Where the counter's fall told so before, it is counted already. */
static void note_identity(struct watch *watch, const char *node_id_before)
{
    struct node *node = &watch->node;
    bool restarted = node_id_before != NULL && strcmp(node_id_before, node->node_id) != 0;
    node->restarts += restarted ? 1 : 0;
    if (restarted && !watch->counter_fell) {
        watch->reached = 1;
        watch->reached_then = 0;
        node->total_requests = -1;
        node->own_requests = 0;
    }
    watch->counter_fell = false;
    watch->identified = true;
    watch->identified_at = watch->started_at;
    if (node->state != NODE_STRANGE || !watch->status_strange)
        node->state = NODE_ANSWERS;
    find_twin(watch);
}

static void note_count(struct watch *watch, int64_t total_before, int64_t now)
{
    struct node *node = &watch->node;
    if (total_before >= 0 && node->total_requests < total_before) {
        watch->reached -= watch->reached_then;
        watch->counter_fell = true;
        watch->identified = false;
    }
    if (watch->reached > node->total_requests)
        watch->reached = node->total_requests;
    watch->reached_then = watch->reached;
    node->own_requests = watch->reached;
    node->counted_at = now;
    node->state = NODE_ANSWERS;
    watch->status_strange = false;
}

/* What is wrong with a node that answers, the worst first; NULL: nothing. */
static char *whole_problem(const struct watch *watch)
{
    char *problem = answer_problem(&watch->node);
    if (problem == NULL && watch->twin != NULL)
        problem = mem_printf("is the same node as %s (both answer as node %s); take one of them out of fleet.ini", watch->twin->node.name,
                             watch->node.node_id);
    if (problem == NULL && watch->left)
        problem = mem_printf("answers, though its address, %s, has left the name in %s", watch->node.address, watch->node.url);
    return problem;
}

static void note_answer(struct watch *watch, int64_t now)
{
    struct node *node = &watch->node;
    struct answer answer = {
        .path = request_paths[watch->request],
        .status = info_long(watch, CURLINFO_RESPONSE_CODE),
        .content_type = info_text(watch, CURLINFO_CONTENT_TYPE),
        .location = info_text(watch, CURLINFO_REDIRECT_URL),
        .body = buf_text(&watch->body),
        .length = watch->body.length,
    };
    int64_t total = node->total_requests;
    char *node_id = mem_dup(node->node_id);
    char *trouble = watch->request == REQUEST_ROOT ? answer_read_root(&answer, &watch->nodes->datastore, node) : answer_read_status(&answer, node);
    if (trouble != NULL) {
        note_trouble(watch, NODE_STRANGE, trouble);
    } else {
        node->answered_at = now;
        node->silent_since = 0;
        if (watch->request == REQUEST_ROOT)
            note_identity(watch, node_id);
        else
            note_count(watch, total, now);
        if (node->state == NODE_ANSWERS)
            set_problem(node, whole_problem(watch));
    }
    free(node_id);
}

static void on_next(uv_timer_t *timer)
{
    begin(timer->data);
}

/* At once where `GET /` has just answered, or has to be asked; else a second after the last one began. A node that fails is left
 * alone for a second. */
static void plan_next(struct watch *watch, bool failed, int64_t now)
{
    bool at_once = !failed && (watch->request == REQUEST_ROOT || !watch->identified);
    int64_t due = at_once ? now : failed ? now + NODE_POLL_MS : watch->started_at + NODE_POLL_MS;
    uv_timer_start(&watch->timer, on_next, due > now ? (uint64_t)(due - now) : 0, 0);
}

/* The caller may stop everything from `changed`. */
static void on_ended(void *private_pointer, CURLcode code)
{
    struct watch *watch = private_pointer;
    struct nodes *nodes = watch->nodes;
    struct node *node = &watch->node;
    int64_t now = clock_ms(), silent_since = node->state == NODE_SILENT ? node->silent_since : now;
    watch->under_way = false;
    watch->timed_out = code == CURLE_OPERATION_TIMEDOUT;
    watch->failed_at = watch->received == 0 ? now : watch->failed_at;
    watch->reached += info_long(watch, CURLINFO_REQUEST_SIZE) > 0 ? 1 : 0;
    if (code == CURLE_OK)
        note_answer(watch, now);
    else
        note_failure(watch, code);
    node->silent_since = node->state == NODE_SILENT ? silent_since : 0;
    buf_clear(&watch->body);
    if (watch->body.capacity > BODY_KEPT)
        buf_free(&watch->body);
    plan_next(watch, code != CURLE_OK || node->state != NODE_ANSWERS, now);
    if (nodes->changed != NULL)
        nodes->changed(nodes->context);
}

/* One request. Headers count too: a node could send them for ever. */

static size_t take_header(char *data, size_t size, size_t count, void *context)
{
    struct watch *watch = context;
    (void)data;
    watch->received += size * count;
    return watch->received > NODE_ANSWER_LIMIT ? 0 : size * count;
}

static size_t take_body(char *data, size_t size, size_t count, void *context)
{
    struct watch *watch = context;
    size_t taken = take_header(data, size, count, context);
    buf_add_bytes(&watch->body, data, taken);
    return taken;
}

/* While its ssh is not up. As long as nothing is known against it, it has not been asked. */
static void wait_for_tunnel(struct watch *watch)
{
    const char *problem = tunnel_problem(watch->way->tunnel);
    if (problem != NULL)
        note_trouble(watch, NODE_UNKNOWN, mem_dup(problem));
    uv_timer_start(&watch->timer, on_next, TUNNEL_LOOK_MS, 0);
    if (problem != NULL && watch->nodes->changed != NULL)
        watch->nodes->changed(watch->nodes->context);
}

/* A little longer for each, so that they do not go on to be asked all at once, as they were first. */
static int64_t identity_ms(const struct watch *watch)
{
    int64_t all = (int64_t)watch->nodes->all_count * NODE_IDENTITY_EACH_MS, least = all > NODE_IDENTITY_MS ? all : NODE_IDENTITY_MS;
    return least + (int64_t)watch->index * NODE_IDENTITY_EACH_MS % least / 4;
}

static void begin(struct watch *watch)
{
    int64_t now = clock_ms();
    if (watch->way != NULL && !tunnel_is_up(watch->way->tunnel)) {
        wait_for_tunnel(watch);
        return;
    }
    if (watch->way != NULL)
        watch->tally = tunnel_tally(watch->way->tunnel);
    bool identify = !watch->identified || now - watch->identified_at >= identity_ms(watch);
    enum request request = identify ? REQUEST_ROOT : REQUEST_STATUS;
    if (request != watch->request || watch->started_at == 0)
        curl_easy_setopt(watch->easy, CURLOPT_URL, watch->urls[request]);
    watch->request = request;
    watch->started_at = now;
    watch->received = 0;
    watch->reason[0] = '\0';
    watch->under_way = true;
    multi_add(watch->nodes->multi, watch->easy);
}

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

/* One node. */

static struct watch *new_watch(struct nodes *nodes, const struct fleet_node *from, char *name)
{
    struct watch *watch = mem_zero(1, sizeof *watch);
    watch->nodes = nodes;
    watch->index = nodes->all_count;
    watch->node = (struct node){.cluster = from->cluster, .name = name, .url = mem_dup(from->url), .ssh = mem_dup(from->ssh),
                                .database_reachable = -1, .total_requests = -1, .connections = -1};
    uv_timer_init(nodes->loop, &watch->timer);
    watch->timer.data = watch;
    nodes->open_timers++;
    nodes->all = mem_grow(nodes->all, nodes->all_count + 1, sizeof *nodes->all);
    nodes->all[nodes->all_count++] = watch;
    return watch;
}

/* From now on it is asked. Without a handle of libcurl's it can't be. */
static void ask(struct watch *watch, const char *address)
{
    struct nodes *nodes = watch->nodes;
    if (watch->way != NULL && watch->way->tunnel == NULL) {
        note_trouble(watch, NODE_UNKNOWN, mem_printf("can't be asked: %s", watch->way->problem));
        return;
    }
    const char *socket = watch->way != NULL ? tunnel_socket(watch->way->tunnel, watch->target) : NULL;
    watch->node.address = mem_dup(address);
    watch->connect_to = address != NULL ? request_connect_to(address) : NULL;
    for (size_t request = 0; request < REQUESTS; request++)
        watch->urls[request] = mem_printf("%s%s", watch->node.url, request_paths[request]);
    watch->easy = request_new_easy(&nodes->access[watch->node.cluster], watch->connect_to, socket);
    if (watch->easy == NULL) {
        note_trouble(watch, NODE_UNKNOWN, mem_dup("can't be asked: not enough memory for libcurl"));
        return;
    }
    curl_easy_setopt(watch->easy, CURLOPT_PRIVATE, watch);
    curl_easy_setopt(watch->easy, CURLOPT_ERRORBUFFER, watch->reason);
    curl_easy_setopt(watch->easy, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(watch->easy, CURLOPT_HEADERDATA, watch);
    curl_easy_setopt(watch->easy, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(watch->easy, CURLOPT_WRITEDATA, watch);
    uv_timer_start(&watch->timer, on_next, watch->index * SPREAD_MS % NODE_POLL_MS, 0);
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
            uv_timer_start(&watch->timer, on_next, 0, 0);
        watch->hidden = false;
        return;
    }
    if (entry->member_count == MEMBERS_LIMIT) {
        entry->overflows = true;
        note_trouble(entry->self, NODE_UNKNOWN, mem_printf("has had more than %d addresses: the others are not asked", MEMBERS_LIMIT));
        return;
    }
    watch = new_watch(entry->nodes, &entry->from, fleet_numbered(entry->from.name, (unsigned)entry->member_count + 1));
    entry->members = mem_grow(entry->members, entry->member_count + 1, sizeof *entry->members);
    entry->members[entry->member_count++] = watch;
    ask(watch, address);
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
    note_trouble(entry->self, NODE_UNKNOWN, mem_dup(problem));
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

static void on_tunnel(void *context, struct tunnel *tunnel)
{
    struct nodes *nodes = context;
    for (size_t i = 0; i < nodes->all_count; i++)
        if (nodes->all[i]->way != NULL && nodes->all[i]->way->tunnel == tunnel && !nodes->all[i]->under_way && nodes->all[i]->easy != NULL)
            uv_timer_start(&nodes->all[i]->timer, on_next, i * SPREAD_MS % NODE_POLL_MS, 0);
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
    entry->self = new_watch(nodes, from, mem_dup(from->name));
    if (strchr(from->name, '*') == NULL) {
        entry->self->way = find_way(nodes, from->ssh);
        entry->self->target = entry->self->way != NULL ? used[entry->self->way - nodes->ways]++ : 0;
        ask(entry->self, NULL);
        return;
    }
    char *host = host_of(from->url);
    entry->resolve = resolve_start(nodes->loop, host, on_found, entry);
    free(host);
    if (entry->resolve == NULL)
        note_trouble(entry->self, NODE_UNKNOWN, mem_dup("can't be asked: its name can't be looked up for want of file descriptors"));
}

static void start_entries(struct nodes *nodes, const struct fleet *fleet)
{
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

/* Where even the hard limit is too low, the nodes that can't be asked say so. */
static void raise_files(size_t nodes)
{
    struct rlimit limit;
    rlim_t needed = (rlim_t)nodes * 2 + FILES_SPARE;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= needed)
        return;
    limit.rlim_cur = limit.rlim_max == RLIM_INFINITY || limit.rlim_max > needed ? needed : limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static void copy_without_password(struct datastore *to, const struct datastore *from)
{
    struct datastore open = *from;
    open.password = NULL;
    datastore_copy(to, &open);
}

struct nodes *nodes_start(uv_loop_t *loop, const struct fleet *fleet, const struct datastore *datastore, void (*changed)(void *context),
                          void *context, struct error *error)
{
    bool prepared = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
    struct nodes *nodes = mem_zero(1, sizeof *nodes);
    nodes->loop = loop;
    nodes->changed = changed;
    nodes->context = context;
    copy_without_password(&nodes->datastore, datastore);
    for (enum cluster cluster = CLUSTER_OLD; cluster <= CLUSTER_NEW; cluster++)
        request_access_init(&nodes->access[cluster], &fleet->access[cluster]);
    raise_files(fleet->count);
    nodes->multi = prepared ? multi_start(loop, on_ended) : NULL;
    if (nodes->multi == NULL) {
        forget_all(nodes);
        error_set(error, ERROR_SYSTEM, "libcurl can't be used (not enough memory?), so the nodes can't be watched");
        return NULL;
    }
    collect_ways(nodes, fleet);
    nodes->open_timers = 1;   /* our own hold on it */
    start_ways(nodes, fleet);
    start_entries(nodes, fleet);
    return nodes;
}

static void let_nodes_go(struct nodes *nodes)
{
    if (--nodes->open_timers == 0)
        forget_all(nodes);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct watch *watch = handle->data;
    let_nodes_go(watch->nodes);
}

void nodes_stop(struct nodes *nodes)
{
    if (nodes == NULL || nodes->stopped)
        return;
    nodes->stopped = true;
    for (size_t i = 0; i < nodes->all_count; i++) {
        if (nodes->all[i]->under_way)
            multi_remove(nodes->multi, nodes->all[i]->easy);
        curl_easy_cleanup(nodes->all[i]->easy);
    }
    multi_stop(nodes->multi);
    for (size_t i = 0; i < nodes->entry_count; i++)
        resolve_stop(nodes->entries[i].resolve);
    for (size_t i = 0; i < nodes->way_count; i++)
        if (nodes->ways[i].tunnel != NULL)
            tunnel_stop(nodes->ways[i].tunnel);
    for (size_t i = 0; i < nodes->all_count; i++)
        uv_close((uv_handle_t *)&nodes->all[i]->timer, on_timer_closed);
    let_nodes_go(nodes);
}

size_t nodes_count(const struct nodes *nodes)
{
    return nodes != NULL ? nodes->count : 0;
}

const struct node *nodes_get(const struct nodes *nodes, size_t index)
{
    return &nodes->list[index]->node;
}
