/* Asking one node, over and over. What its answers mean is node_answer.c's, what failures mean node_failure.c's. */
#include "core/cluster/node_watch.h"

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/cluster/node_answer.h"
#include "core/cluster/node_failure.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define SPREAD_MS 10           /* between the first requests of two nodes, so that a second's are not all at once */
#define TUNNEL_LOOK_MS 500     /* whether it is up by now; its news come earlier */
#define UNSURE_LIMIT 3
#define JITTER_MS 400          /* so that two nodes behind one ssh are not asked at the same time again and again */
#define FILES_SPARE 256        /* file descriptors besides one per node */
#define FILES_STEP 100         /* nodes */
#define BODY_KEPT 4096         /* bytes of room that are kept for the next answer */

static const char *const request_paths[REQUESTS] = {"/", "/status", "/metrics"};

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

/* What an ended request was. */

static void set_problem(struct node *node, char *problem)
{
    free(node->problem);
    node->problem = problem;
}

void watch_trouble(struct watch *watch, enum node_state state, char *problem)
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
    failure->perhaps_refused = tally.refused != watch->tally.refused && !failure->refused_there;
    failure->failed_there = tally.failed != watch->tally.failed ? tally.last : NULL;
}

static void note_failure(struct watch *watch, CURLcode code)
{
    struct failure failure = {
        .code = code,
        .os_error = watch->socket_error != 0 ? watch->socket_error : info_long(watch, CURLINFO_OS_ERRNO),
        .reason = watch->reason[0] != '\0' ? watch->reason : curl_easy_strerror(code),
        .resolved = was_resolved(watch),
        .connected = was_connected(watch),
        .received = watch->received,
        .cluster = watch->node.cluster,
        .ca = watch->nodes->access[watch->node.cluster].access.ca,
    };
    char *problem = NULL;
    add_tunnel(watch, &failure);
    bool unsure = failure.perhaps_refused && failure.ssh_problem == NULL && failure.received == 0;
    watch->unsure = unsure ? watch->unsure + 1 : 0;
    if (unsure && watch->node.state == NODE_SILENT && watch->unsure <= UNSURE_LIMIT)
        return;   /* it was refused for certain before, and did not answer now */
    enum node_state state = failure_read(&failure, &problem);
    watch_trouble(watch, state, problem);
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

/* Another process counts anew, and may have the plugin where the one before had not. */
static void forget_metrics(struct watch *watch)
{
    metrics_forget(&watch->window);
    watch->node.minute = (struct metrics_minute){0};
    watch->node.metrics = METRICS_UNASKED;
    watch->metrics_due = 0;
}

/* Another node_id is another process, whose counter began at 0. Where the counter's fall told so before, it is counted already. */
static void note_identity(struct watch *watch, const char *node_id_before)
{
    struct node *node = &watch->node;
    bool restarted = node_id_before != NULL && strcmp(node_id_before, node->node_id) != 0;
    node->restarts += restarted ? 1 : 0;
    if (restarted)
        forget_metrics(watch);
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
        watch_trouble(watch, NODE_STRANGE, trouble);
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

/* What is known of the last minute stays until it is too old. */
static void note_no_metrics(struct watch *watch, enum metrics_state state, int64_t pause, int64_t now)
{
    watch->node.metrics = state;
    watch->metrics_due = now + pause;
}

static void note_metrics(struct watch *watch, int64_t now)
{
    const struct nodes *nodes = watch->nodes;
    metrics_end(&watch->reader);
    if (!watch->reader.is_kong) {
        note_no_metrics(watch, METRICS_STRANGE, METRICS_FAILED_MS, now);
        return;
    }
    metrics_note(&watch->window, &watch->reader.counts, now, nodes->metrics_window_ms);
    metrics_minute(&watch->window, &watch->node.minute);
    watch->node.metrics = METRICS_ANSWERS;
    watch->metrics_due = watch->started_at + (watch->window.count == 1 ? nodes->metrics_first_ms : nodes->metrics_poll_ms);
}

/* A node that can't be reached, `GET /status` will tell soon. */
static void note_metrics_end(struct watch *watch, CURLcode code, int64_t now)
{
    long status = info_long(watch, CURLINFO_RESPONSE_CODE);
    if (code == CURLE_COULDNT_CONNECT)
        watch->metrics_due = now + watch->nodes->metrics_poll_ms;
    else if (code == CURLE_OK && status == 404)
        note_no_metrics(watch, METRICS_ABSENT, METRICS_ABSENT_MS, now);
    else if (code == CURLE_OK && status == 200)
        note_metrics(watch, now);
    else
        note_no_metrics(watch, METRICS_STRANGE, METRICS_FAILED_MS, now);
}

static void on_next(uv_timer_t *timer)
{
    begin(timer->data);
}

void watch_ask_in(struct watch *watch, uint64_t milliseconds)
{
    uv_timer_start(&watch->timer, on_next, milliseconds, 0);
}

/* At once where `GET /` has just answered, or has to be asked, or `GET /metrics` took the place of `GET /status`; else a second after
 * the last one began. A node that fails is left alone for a second. */
static void plan_next(struct watch *watch, bool failed, int64_t now)
{
    bool at_once = !failed && (watch->request != REQUEST_STATUS || !watch->identified);
    int64_t due = at_once ? now : failed ? now + NODE_POLL_MS : watch->started_at + NODE_POLL_MS;
    due += failed && watch->way != NULL ? (int64_t)(uv_hrtime() / 1000 % JITTER_MS) : 0;
    watch_ask_in(watch, due > now ? (uint64_t)(due - now) : 0);
}

/* The caller may stop everything from `changed`. */
void watch_ended(void *private_pointer, CURLcode code)
{
    struct watch *watch = private_pointer;
    struct nodes *nodes = watch->nodes;
    struct node *node = &watch->node;
    int64_t now = clock_ms(), silent_since = node->state == NODE_SILENT ? node->silent_since : now;
    watch->under_way = false;
    watch->timed_out = code == CURLE_OPERATION_TIMEDOUT;
    watch->failed_at = watch->received == 0 ? now : watch->failed_at;
    watch->reached += info_long(watch, CURLINFO_REQUEST_SIZE) > 0 ? 1 : 0;
    if (watch->request == REQUEST_METRICS)
        note_metrics_end(watch, code, now);
    else if (code == CURLE_OK)
        note_answer(watch, now);
    else
        note_failure(watch, code);
    node->silent_since = node->state == NODE_SILENT ? silent_since : 0;
    buf_clear(&watch->body);
    if (watch->body.capacity > BODY_KEPT)
        buf_free(&watch->body);
    bool failed = watch->request != REQUEST_METRICS && (code != CURLE_OK || node->state != NODE_ANSWERS);
    plan_next(watch, failed, now);
    if (nodes->changed != NULL)
        nodes->changed(nodes->context);
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
    return watch->received > (watch->request == REQUEST_METRICS ? METRICS_ANSWER_LIMIT : NODE_ANSWER_LIMIT) ? 0 : size * count;
}

static size_t take_body(char *data, size_t size, size_t count, void *context)
{
    struct watch *watch = context;
    size_t taken = take_header(data, size, count, context);
    if (watch->request == REQUEST_METRICS)
        metrics_feed(&watch->reader, data, taken);
    else
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

/* The counter first; the plugin is a guest in between, of a node that is well. */
static enum request choose(const struct watch *watch, int64_t now)
{
    const struct node *node = &watch->node;
    if (!watch->identified || now - watch->identified_at >= identity_ms(watch))
        return REQUEST_ROOT;
    bool is_well = node->state == NODE_ANSWERS && node->total_requests >= 0;
    return is_well && watch->request != REQUEST_METRICS && now >= watch->metrics_due ? REQUEST_METRICS : REQUEST_STATUS;
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
    enum request request = choose(watch, now);
    if (request != watch->request || watch->started_at == 0)
        curl_easy_setopt(watch->easy, CURLOPT_URL, watch->urls[request]);
    watch->request = request;
    watch->reader = (struct metrics_reader){0};
    watch->started_at = now;
    watch->received = 0;
    watch->socket_error = 0;
    watch->reason[0] = '\0';
    watch->under_way = true;
    curl_easy_setopt(watch->easy, CURLOPT_TIMEOUT_MS, watch->request == REQUEST_METRICS ? (long)METRICS_DEADLINE_MS : (long)NODE_DEADLINE_MS);
    multi_add(watch->nodes->multi, watch->easy);
}

/* One node. */

/* Where even the hard limit is too low, the nodes that can't be asked say so. */
static void raise_files(size_t nodes)
{
    struct rlimit limit;
    rlim_t needed = (rlim_t)nodes + FILES_SPARE;
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
    curl_easy_setopt(watch->easy, CURLOPT_PRIVATE, watch);
    curl_easy_setopt(watch->easy, CURLOPT_ERRORBUFFER, watch->reason);
    curl_easy_setopt(watch->easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(watch->easy, CURLOPT_OPENSOCKETDATA, watch);
    curl_easy_setopt(watch->easy, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(watch->easy, CURLOPT_HEADERDATA, watch);
    curl_easy_setopt(watch->easy, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(watch->easy, CURLOPT_WRITEDATA, watch);
    watch_ask_in(watch, watch->way != NULL ? 0 : watch->index * SPREAD_MS % NODE_POLL_MS);
}
