/* Asking one node, over and over. What that says of it is node_note.c's. */
#include "core/cluster/node_watch.h"

#include "core/base/clock.h"
#include "core/base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define SPREAD_MS 10           /* between the first requests of two nodes, so that a second's are not all at once */
#define TUNNEL_LOOK_MS 500     /* whether it is up by now; its news come earlier */
#define JITTER_MS 400          /* so that two nodes behind one ssh are not asked at the same time again and again */
#define FILES_SPARE 256        /* file descriptors besides those of the nodes */
#define FILES_STEP 100         /* nodes */
#define BODY_KEPT 4096         /* bytes of room that are kept for the next answer */

const char *const request_paths[REQUESTS] = {"/", "/status"};

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

void watch_free(struct watch *watch)
{
    forget(&watch->node);
    curl_slist_free_all(watch->connect_to);
    for (size_t request = 0; request < REQUESTS; request++)
        free(watch->urls[request]);
    buf_free(&watch->body);
    free(watch);
}

static void on_next(uv_timer_t *timer)
{
    begin(timer->data);
}

void watch_ask_in(struct watch *watch, uint64_t milliseconds)
{
    uv_timer_start(&watch->timer, on_next, milliseconds, 0);
}

/* At once where `GET /` has just answered, or has to be asked; else a second after the last one began. A node that fails is left alone
 * for a second. */
static void plan_next(struct watch *watch, bool failed, int64_t now)
{
    bool at_once = !failed && (watch->request != REQUEST_STATUS || !watch->identified);
    int64_t due = at_once ? now : failed ? now + NODE_POLL_MS : watch->started_at + NODE_POLL_MS;
    due += failed && watch->way != NULL ? (int64_t)(uv_hrtime() / 1000 % JITTER_MS) : 0;
    watch_ask_in(watch, due > now ? (uint64_t)(due - now) : 0);
}

/* The caller may stop everything from `changed`. */
static void request_ended(struct watch *watch, CURLcode code)
{
    struct nodes *nodes = watch->nodes;
    struct node *node = &watch->node;
    long sent = 0;
    int64_t now = clock_ms(), silent_since = node->state == NODE_SILENT ? node->silent_since : now;
    watch->under_way = false;
    watch->timed_out = code == CURLE_OPERATION_TIMEDOUT;
    watch->failed_at = watch->received == 0 ? now : watch->failed_at;
    curl_easy_getinfo(watch->easy, CURLINFO_REQUEST_SIZE, &sent);
    watch->reached += sent > 0 ? 1 : 0;
    if (code == CURLE_OK)
        watch_note_answer(watch, now);
    else
        watch_note_failure(watch, code);
    node->silent_since = node->state == NODE_SILENT ? silent_since : 0;
    buf_clear(&watch->body);
    if (watch->body.capacity > BODY_KEPT)
        buf_free(&watch->body);
    bool failed = code != CURLE_OK || node->state != NODE_ANSWERS;
    if (!failed && watch->request == REQUEST_STATUS && watch->identified)
        plugin_ask(watch, now);
    plan_next(watch, failed, now);
    if (nodes->changed != NULL)
        nodes->changed(nodes->context);
}

void watch_ended(void *private_pointer, CURLcode code)
{
    const struct call *call = private_pointer;
    call->ended(call->watch, code);
}

/* One request. Headers count too: a node could send them for ever. */

/* libcurl does not tell why there is no socket. One for a family that this machine does not speak is no one's want: the other one is tried. */
static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct watch *watch = context;
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    (void)purpose;
    if (fd < 0 && errno != EAFNOSUPPORT)
        watch->socket_error = errno;
    return fd >= 0 ? fd : CURL_SOCKET_BAD;
}

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
        watch_trouble(watch, NODE_UNKNOWN, mem_dup(problem));
    watch_ask_in(watch, TUNNEL_LOOK_MS);
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
    plugin_settle(watch, now);
    enum request request = !watch->identified || now - watch->identified_at >= identity_ms(watch) ? REQUEST_ROOT : REQUEST_STATUS;
    if (request != watch->request || watch->started_at == 0)
        curl_easy_setopt(watch->easy, CURLOPT_URL, watch->urls[request]);
    watch->request = request;
    watch->started_at = now;
    watch->received = 0;
    watch->socket_error = 0;
    watch->reason[0] = '\0';
    watch->under_way = true;
    multi_add(watch->nodes->multi, watch->easy);
}

/* One node. */

/* Where even the hard limit is too low, the nodes that can't be asked say so. */
static void raise_files(size_t nodes)
{
    struct rlimit limit;
    rlim_t needed = 2 * (rlim_t)nodes + FILES_SPARE;   /* its plugin may be asked at the same time */
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= needed)
        return;
    limit.rlim_cur = limit.rlim_max == RLIM_INFINITY || limit.rlim_max > needed ? needed : limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

struct watch *watch_new(struct nodes *nodes, const struct fleet_node *from, char *name)
{
    struct watch *watch = mem_zero(1, sizeof *watch);
    watch->nodes = nodes;
    watch->index = nodes->all_count;
    if (watch->index % FILES_STEP == 0)
        raise_files(watch->index + FILES_STEP);
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
void watch_ask(struct watch *watch, const char *address)
{
    struct nodes *nodes = watch->nodes;
    if (watch->way != NULL && watch->way->tunnel == NULL) {
        watch_trouble(watch, NODE_UNKNOWN, mem_printf("can't be asked: %s", watch->way->problem));
        return;
    }
    const char *socket = watch->way != NULL ? tunnel_socket(watch->way->tunnel, watch->target) : NULL;
    watch->node.address = mem_dup(address);
    watch->connect_to = address != NULL ? request_connect_to(address) : NULL;
    for (size_t request = 0; request < REQUESTS; request++)
        watch->urls[request] = mem_printf("%s%s", watch->node.url, request_paths[request]);
    watch->easy = request_new_easy(&nodes->access[watch->node.cluster], watch->connect_to, socket);
    if (watch->easy == NULL) {
        watch_trouble(watch, NODE_UNKNOWN, mem_dup("can't be asked: not enough memory for libcurl"));
        return;
    }
    watch->call = (struct call){watch, request_ended};
    curl_easy_setopt(watch->easy, CURLOPT_PRIVATE, &watch->call);
    curl_easy_setopt(watch->easy, CURLOPT_TIMEOUT_MS, (long)NODE_DEADLINE_MS);
    curl_easy_setopt(watch->easy, CURLOPT_ERRORBUFFER, watch->reason);
    curl_easy_setopt(watch->easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(watch->easy, CURLOPT_OPENSOCKETDATA, watch);
    curl_easy_setopt(watch->easy, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(watch->easy, CURLOPT_HEADERDATA, watch);
    curl_easy_setopt(watch->easy, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(watch->easy, CURLOPT_WRITEDATA, watch);
    watch_ask_in(watch, watch->way != NULL ? 0 : watch->index * SPREAD_MS % NODE_POLL_MS);
}
