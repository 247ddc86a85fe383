/* What callers ask of one node: its words, whether it is ready, there or gone, and its JSON. */
#include "core/cluster/node.h"

#include "core/base/json.h"
#include "core/cluster/node_answer.h"
#include "core/cluster/verdict.h"

const char *node_state_name(enum node_state state)
{
    static const char *const names[] = {
        [NODE_UNASKED] = "unasked", [NODE_ANSWERS] = "answers", [NODE_STRANGE] = "strange", [NODE_SILENT] = "silent",
        [NODE_UNKNOWN] = "unknown"};
    return names[state];
}

const char *node_match_name(enum node_match match)
{
    static const char *const names[] = {
        [MATCH_UNKNOWN] = "unknown", [MATCH_SAME] = "same", [MATCH_PERHAPS] = "perhaps", [MATCH_OTHER] = "other"};
    return names[match];
}

const char *metrics_state_name(enum metrics_state state)
{
    static const char *const names[] = {
        [METRICS_UNASKED] = "unasked", [METRICS_ANSWERS] = "answers", [METRICS_ABSENT] = "absent", [METRICS_STRANGE] = "strange"};
    return names[state];
}

bool node_is_ready(const struct node *node)
{
    return node->cluster == CLUSTER_NEW && node->state == NODE_ANSWERS && answer_is_1_3(node->version) && node->match != MATCH_OTHER;
}

bool node_is_misplaced(const struct node *node)
{
    return node->cluster == CLUSTER_NEW && node->version != NULL && !answer_is_1_3(node->version) && node->match != MATCH_OTHER;
}

bool node_is_there(const struct node *node)
{
    return node->state == NODE_ANSWERS || node->state == NODE_STRANGE;
}

bool node_is_gone(const struct node *node, int64_t now, int64_t milliseconds)
{
    return node->state == NODE_SILENT && now - node->silent_since >= milliseconds;
}

static json_t *known_count(int64_t count)
{
    return count >= 0 ? json_integer(count) : json_null();
}

static json_t *metrics_json(const struct node *node, int64_t now)
{
    struct cluster_metrics metrics = {0};
    cluster_metrics_add(&metrics, node, now);
    json_t *json = cluster_metrics_json(&metrics);
    if (json_is_object(json)) {
        json_object_del(json, "nodes");
        json_object_set_new(json, "span_ms", json_integer(node->minute.span_ms));
    }
    return json;
}

json_t *node_json(const struct node *node, double rps, int64_t now)
{
    json_t *json = json_object();
    json_object_set_new(json, "name", json_text(node->name));
    json_object_set_new(json, "url", json_text(node->url));
    json_object_set_new(json, "address", json_text(node->address));
    json_object_set_new(json, "ssh", json_text(node->ssh));
    json_object_set_new(json, "state", json_string(node_state_name(node->state)));
    json_object_set_new(json, "version", json_text(node->version));
    json_object_set_new(json, "node_id", json_text(node->node_id));
    json_object_set_new(json, "hostname", json_text(node->hostname));
    json_object_set_new(json, "datastore", json_string(node_match_name(node->match)));
    json_object_set_new(json, "datastore_note", json_text(node->match_text));
    json_object_set_new(json, "database_reachable", node->database_reachable < 0 ? json_null() : json_boolean(node->database_reachable));
    json_object_set_new(json, "requests_per_second", rps >= 0 ? json_real(rps) : json_null());
    json_object_set_new(json, "connections", known_count(node->connections));
    json_object_set_new(json, "prometheus", json_string(metrics_state_name(node->metrics)));
    json_object_set_new(json, "metrics", metrics_json(node, now));
    json_object_set_new(json, "restarts", json_integer(node->restarts));
    json_object_set_new(json, "age_ms", node->answered_at > 0 ? json_integer(now - node->answered_at) : json_null());
    json_object_set_new(json, "problem", json_text(node->problem));
    return json;
}
