/*
 * Asking: one easy handle per node, all on one multi handle that the caller's loop drives (multi.c). What the answers mean is
 * node_answer.c's.
 */
#include "core/cluster/node.h"

#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/cluster/multi.h"
#include "core/cluster/node_answer.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum request { REQUEST_ROOT, REQUEST_STATUS, REQUEST_METRICS, REQUESTS };

static const char *const request_paths[REQUESTS] = {"/", "/status", "/metrics"};

struct watch {
    struct nodes *nodes;
    struct node node;
    CURL *easy;
    char *urls[REQUESTS];
    uv_timer_t timer;             /* until the next request */
    enum request request;         /* the one under way, or the last */
    bool under_way;
    bool identified;              /* `GET /` has answered since the last silence */
    bool counter_fell;            /* and node_id has not been looked at since */
    bool status_strange;          /* what made it strange was `GET /status` */
    int64_t started_at, identified_at;
    int64_t reached;              /* requests of ours since the node's counter began */
    int64_t reached_then;         /* as of the last count */
    int64_t metrics_due;          /* 0: at once */
    struct metrics_window window;
    struct metrics_reader reader; /* of the answer that comes in */
    struct buf body;
    size_t received;              /* bytes, headers included */
    char reason[CURL_ERROR_SIZE];
};

struct nodes {
    struct multi *multi;
    struct watch *list;
    size_t count;
    struct datastore datastore;
    void (*changed)(void *context);
    void *context;
    int64_t metrics_poll_ms, metrics_first_ms, metrics_window_ms;
    size_t open_timers;           /* memory is freed when the last has closed */
    bool stopped;
};

static void begin(struct watch *watch);

static void forget(struct node *node)
{
    free(node->name);
    free(node->url);
    free(node->problem);
    free(node->version);
    free(node->hostname);
    free(node->node_id);
    free(node->match_text);
}

static void forget_all(struct nodes *nodes)
{
    for (size_t i = 0; i < nodes->count; i++) {
        forget(&nodes->list[i].node);
        for (size_t request = 0; request < REQUESTS; request++)
            free(nodes->list[i].urls[request]);
        buf_free(&nodes->list[i].body);
    }
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

static void note_strange(struct watch *watch, char *problem)
{
    watch->node.state = NODE_STRANGE;
    watch->node.silent_since = 0;
    watch->node.connections = -1;
    watch->node.database_reachable = -1;
    watch->identified = false;
    watch->status_strange = watch->request == REQUEST_STATUS;
    set_problem(&watch->node, problem);
}

static void note_silent(struct watch *watch, char *problem)
{
    note_strange(watch, problem);
    watch->node.state = NODE_SILENT;
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

/* Want of file descriptors or memory on this side says nothing about the node, least of all that it is stopped. */
static bool is_our_own_want(long os_error)
{
    return os_error == EMFILE || os_error == ENFILE || os_error == ENOMEM || os_error == ENOBUFS || os_error == EADDRNOTAVAIL;
}

static void note_timeout(struct watch *watch)
{
    int seconds = NODE_DEADLINE_MS / 1000;
    if (was_connected(watch))
        note_strange(watch, mem_printf("accepts connections, but gave no whole answer within %d s; see whether it hangs or is overloaded", seconds));
    else
        note_silent(watch, mem_printf("can't be reached: no connection within %d s", seconds));
}

static void note_failure(struct watch *watch, CURLcode code)
{
    long os_error = info_long(watch, CURLINFO_OS_ERRNO);
    const char *reason = watch->reason[0] != '\0' ? watch->reason : curl_easy_strerror(code);
    if (code == CURLE_OPERATION_TIMEDOUT)
        note_timeout(watch);
    else if (code == CURLE_COULDNT_RESOLVE_HOST)
        note_silent(watch, mem_dup("can't be reached: its name can't be resolved; check the address in fleet.ini"));
    else if (code == CURLE_COULDNT_CONNECT && is_our_own_want(os_error))
        note_strange(watch, mem_printf("can't be asked: %s on this machine", strerror((int)os_error)));
    else if (code == CURLE_COULDNT_CONNECT)
        note_silent(watch, mem_printf("can't be reached: %s", os_error != 0 ? strerror((int)os_error) : reason));
    else if (watch->received > NODE_ANSWER_LIMIT)
        note_strange(watch, mem_printf("answers with more than %d kB, so it is not Kong's Admin API; check the address in fleet.ini",
                                       NODE_ANSWER_LIMIT / 1024));
    else if (code == CURLE_GOT_NOTHING || ((code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR) && watch->received == 0))
        note_strange(watch, mem_dup("accepts connections, but closes them without an answer; check the address in fleet.ini"));
    else
        note_strange(watch, mem_printf("does not answer as Kong's Admin API does (%s); check the address in fleet.ini", reason));
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
        note_strange(watch, trouble);
    } else {
        node->answered_at = now;
        node->silent_since = 0;
        if (watch->request == REQUEST_ROOT)
            note_identity(watch, node_id);
        else
            note_count(watch, total, now);
        if (node->state == NODE_ANSWERS)
            set_problem(node, answer_problem(node));
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

/* At once where `GET /` has just answered, or has to be asked, or `GET /metrics` took the place of `GET /status`; else a second after
 * the last one began. A node that fails is left alone for a second. */
static void plan_next(struct watch *watch, bool failed, int64_t now)
{
    bool at_once = !failed && (watch->request != REQUEST_STATUS || !watch->identified);
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
    watch->reached += info_long(watch, CURLINFO_REQUEST_SIZE) > 0 ? 1 : 0;
    if (watch->request == REQUEST_METRICS)
        note_metrics_end(watch, code, now);
    else if (code == CURLE_OK)
        note_answer(watch, now);
    else
        note_failure(watch, code);
    node->silent_since = node->state == NODE_SILENT ? silent_since : 0;
    buf_clear(&watch->body);
    bool failed = watch->request != REQUEST_METRICS && (code != CURLE_OK || node->state != NODE_ANSWERS);
    plan_next(watch, failed, now);
    if (nodes->changed != NULL)
        nodes->changed(nodes->context);
}

/* One request. Headers count too: a node could send them for ever. */

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

/* The counter first; the plugin is a guest in between, of a node that is well. */
static enum request choose(const struct watch *watch, int64_t now)
{
    const struct node *node = &watch->node;
    if (!watch->identified || now - watch->identified_at >= NODE_IDENTITY_MS)
        return REQUEST_ROOT;
    bool is_well = node->state == NODE_ANSWERS && node->total_requests >= 0;
    return is_well && watch->request != REQUEST_METRICS && now >= watch->metrics_due ? REQUEST_METRICS : REQUEST_STATUS;
}

static void begin(struct watch *watch)
{
    int64_t now = clock_ms();
    watch->request = choose(watch, now);
    watch->reader = (struct metrics_reader){0};
    watch->started_at = now;
    watch->received = 0;
    watch->reason[0] = '\0';
    watch->under_way = true;
    curl_easy_setopt(watch->easy, CURLOPT_URL, watch->urls[watch->request]);
    curl_easy_setopt(watch->easy, CURLOPT_TIMEOUT_MS, watch->request == REQUEST_METRICS ? (long)METRICS_DEADLINE_MS : (long)NODE_DEADLINE_MS);
    multi_add(watch->nodes->multi, watch->easy);
}

/* Nothing but the address asked for: no proxy, no .netrc, no redirect. Certificates are not checked, since Kong makes a self-signed
 * one where none is configured (admin_ssl_cert), and nothing secret is sent. QUICK_EXIT: else giving up a name that does not
 * resolve waits for the resolver's thread. */
static CURL *new_easy(struct watch *watch)
{
    CURL *easy = curl_easy_init();
    if (easy == NULL)
        return NULL;
    curl_easy_setopt(easy, CURLOPT_PRIVATE, watch);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_NETRC, CURL_NETRC_IGNORED);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)NODE_DEADLINE_MS);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "kong-upgrade/" KONG_UPGRADE_VERSION);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, watch->reason);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, watch);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, watch);
    return easy;
}

static bool prepare(struct watch *watch, struct nodes *nodes, const struct fleet_node *from)
{
    watch->nodes = nodes;
    watch->node = (struct node){.cluster = from->cluster, .name = mem_dup(from->name), .url = mem_dup(from->url), .database_reachable = -1,
                                .total_requests = -1, .connections = -1};
    for (size_t request = 0; request < REQUESTS; request++)
        watch->urls[request] = mem_printf("%s%s", from->url, request_paths[request]);
    watch->easy = new_easy(watch);
    return watch->easy != NULL;
}

static void copy_without_password(struct datastore *to, const struct datastore *from)
{
    struct datastore open = *from;
    open.password = NULL;
    datastore_copy(to, &open);
}

static void clean_up_easies(struct nodes *nodes)
{
    for (size_t i = 0; i < nodes->count; i++)
        curl_easy_cleanup(nodes->list[i].easy);
}

struct nodes *nodes_start(uv_loop_t *loop, const struct fleet *fleet, const struct datastore *datastore, void (*changed)(void *context),
                          void *context, struct error *error)
{
    bool prepared = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
    struct nodes *nodes = mem_zero(1, sizeof *nodes);
    nodes->changed = changed;
    nodes->context = context;
    nodes->metrics_first_ms = METRICS_FIRST_MS;
    nodes->metrics_poll_ms = METRICS_POLL_MS;
    nodes->metrics_window_ms = METRICS_WINDOW_MS;
    copy_without_password(&nodes->datastore, datastore);
    nodes->list = mem_zero(fleet->count, sizeof *nodes->list);
    for (nodes->count = 0; nodes->count < fleet->count; nodes->count++)
        prepared = prepare(&nodes->list[nodes->count], nodes, &fleet->nodes[nodes->count]) && prepared;
    nodes->multi = prepared ? multi_start(loop, on_ended) : NULL;
    if (nodes->multi == NULL) {
        clean_up_easies(nodes);
        forget_all(nodes);
        error_set(error, ERROR_SYSTEM, "libcurl can't be used (not enough memory?), so the nodes can't be watched");
        return NULL;
    }
    for (size_t i = 0; i < nodes->count; i++, nodes->open_timers++) {
        uv_timer_init(loop, &nodes->list[i].timer);
        nodes->list[i].timer.data = &nodes->list[i];
        uv_timer_start(&nodes->list[i].timer, on_next, 0, 0);
    }
    return nodes;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct watch *watch = handle->data;
    if (--watch->nodes->open_timers == 0)
        forget_all(watch->nodes);
}

void nodes_stop(struct nodes *nodes)
{
    if (nodes == NULL || nodes->stopped)
        return;
    nodes->stopped = true;
    for (size_t i = 0; i < nodes->count; i++)
        if (nodes->list[i].under_way)
            multi_remove(nodes->multi, nodes->list[i].easy);
    clean_up_easies(nodes);
    multi_stop(nodes->multi);
    for (size_t i = 0; i < nodes->count; i++)
        uv_close((uv_handle_t *)&nodes->list[i].timer, on_timer_closed);
    if (nodes->count == 0)
        forget_all(nodes);
}

void nodes_set_pace(struct nodes *nodes, int64_t metrics_poll_ms, int64_t metrics_window_ms)
{
    nodes->metrics_first_ms = nodes->metrics_poll_ms = metrics_poll_ms;
    nodes->metrics_window_ms = metrics_window_ms;
}

size_t nodes_count(const struct nodes *nodes)
{
    return nodes != NULL ? nodes->count : 0;
}

const struct node *nodes_get(const struct nodes *nodes, size_t index)
{
    return &nodes->list[index].node;
}
