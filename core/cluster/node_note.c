/*
 * What a request that has ended says of its node: what it answered (node_answer.c reads it) or how it failed (node_failure.c), what was
 * known of it before, and what is known of others.
 */
#include "core/cluster/node_watch.h"

#include "core/base/mem.h"
#include "core/cluster/node_answer.h"
#include "core/cluster/node_failure.h"

#include <stdlib.h>
#include <string.h>

#define UNSURE_LIMIT 3

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

void watch_note_failure(struct watch *watch, CURLcode code)
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

/* Another node_id is another process, whose counter began at 0. Where the counter's fall told so before, it is counted already. */
static void note_identity(struct watch *watch, const char *node_id_before)
{
    struct node *node = &watch->node;
    bool restarted = node_id_before != NULL && strcmp(node_id_before, node->node_id) != 0;
    node->restarts += restarted ? 1 : 0;
    if (restarted)
        plugin_forget(watch);
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

void watch_note_answer(struct watch *watch, int64_t now)
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
