#include "core/cluster/seen.h"

#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/journal.h"

#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* One thing that is watched: what was written of it last, and what it may be now. */
struct watched {
    char *key, *written, *now;
    int64_t since;
};

struct seen {
    char *folder;
    struct watched *nodes;
    size_t count;
    struct watched traffic;
    json_t *last;          /* the traffic in the stage that was written, as it was seen last; NULL: none was */
};

static char *path_of(const char *folder)
{
    return mem_printf("%s/seen.log", folder);
}

struct seen *seen_new(const char *folder)
{
    struct seen *seen = mem_zero(1, sizeof *seen);
    seen->folder = mem_dup(folder);
    return seen;
}

static void free_watched(struct watched *watched)
{
    free(watched->key);
    free(watched->written);
    free(watched->now);
}

void seen_free(struct seen *seen)
{
    if (seen == NULL)
        return;
    for (size_t i = 0; i < seen->count; i++)
        free_watched(&seen->nodes[i]);
    free_watched(&seen->traffic);
    json_decref(seen->last);
    free(seen->nodes);
    free(seen->folder);
    free(seen);
}

/* Writing. */

static void append(const struct seen *seen, json_t *event)
{
    char now[CLOCK_TEXT_SIZE], *path = path_of(seen->folder);
    struct stat status = {0};
    json_object_set_new(event, "t", json_string(clock_text(clock_wall_ms(), now)));
    char *text = json_dumps(event, JSON_COMPACT), *line = mem_printf("%s\n", text != NULL ? text : "{}");
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd >= 0 && fstat(fd, &status) == 0 && status.st_size < SEEN_LIMIT)
        (void)!write(fd, line, strlen(line));
    if (fd >= 0)
        close(fd);
    json_decref(event);
    free(line);
    free(text);
    free(path);
}

/* The last event of that kind (and name) in the file is the same: another wizard's, or ours before a restart. */
static bool is_written(const struct seen *seen, const json_t *event, const char *const *keys)
{
    json_t *all = seen_read(seen->folder);
    const json_t *last = NULL, *each;
    size_t i;
    json_array_foreach(all, i, each)
        if (strcmp(json_get_text(each, "event"), json_get_text(event, "event")) == 0 && strcmp(json_get_text(each, "name"), json_get_text(event, "name")) == 0)
            last = each;
    bool same = last != NULL;
    for (; same && *keys != NULL; keys++)
        same = json_equal(json_object_get(last, *keys), json_object_get(event, *keys));
    json_decref(all);
    return same;
}

/* Whether it is another than what was written, and has stayed so. */
static bool has_settled(struct watched *watched, const char *is, int64_t now)
{
    if (watched->now == NULL || strcmp(watched->now, is) != 0) {
        free(watched->now);
        watched->now = mem_dup(is);
        watched->since = now;
    }
    bool other = watched->written == NULL || strcmp(watched->written, is) != 0;
    if (!other || now - watched->since < SEEN_SETTLE_MS)
        return false;
    free(watched->written);
    watched->written = mem_dup(is);
    return true;
}

/* Nodes. */

static struct watched *find(struct seen *seen, const char *key)
{
    for (size_t i = 0; i < seen->count; i++)
        if (strcmp(seen->nodes[i].key, key) == 0)
            return &seen->nodes[i];
    seen->nodes = mem_grow(seen->nodes, seen->count + 1, sizeof *seen->nodes);
    seen->nodes[seen->count] = (struct watched){.key = mem_dup(key)};
    return &seen->nodes[seen->count++];
}

void seen_node(struct seen *seen, const struct node *node, int64_t now)
{
    static const char *const keys[] = {"cluster", "url", "version", "state", NULL};
    if (node->state == NODE_UNASKED || node->state == NODE_UNKNOWN)
        return;   /* says nothing about the node */
    if (node->state != NODE_ANSWERS && node->answered_at == 0)
        return;   /* it was never there */
    char *is = mem_printf("%s %s", node_state_name(node->state), node->version != NULL ? node->version : "-");
    if (has_settled(find(seen, node->name), is, now)) {
        json_t *event = json_pack("{s:s, s:s, s:o, s:o, s:o, s:s}", "event", "node", "cluster", cluster_name(node->cluster), "name", json_text(node->name), "url",
                                  json_text(node->url), "version", json_text(node->version), "state", node_state_name(node->state));
        if (is_written(seen, event, keys))
            json_decref(event);
        else
            append(seen, event);
    }
    free(is);
}

/* Traffic. */

/* The stage of the upgrade guide that is nearest to a share; NULL: there is no traffic to tell from. */
static const char *stage_of(const struct seen_traffic *traffic, double *share)
{
    static const struct {
        double below;
        const char *name;
    } stages[] = {{0.2, "0"}, {3, "1"}, {12, "5"}, {37, "25"}, {62, "50"}, {88, "75"}, {99.8, "95"}, {INFINITY, "100"}};
    double old = fmax(traffic->rps[CLUSTER_OLD], 0), new = fmax(traffic->rps[CLUSTER_NEW], 0);
    if (old + new <= 0)
        return NULL;
    *share = 100 * new / (old + new);
    size_t i = 0;
    while (*share >= stages[i].below)
        i++;
    return stages[i].name;
}

static json_t *figure(double value)
{
    return value >= 0 && isfinite(value) ? json_real(round(value * 10) / 10) : json_null();
}

static json_t *cluster_json(const struct seen_traffic *traffic, enum cluster cluster)
{
    const struct cluster_metrics *metrics = traffic->metrics[cluster];
    double share = metrics->remembered ? -1 : cluster_metrics_share(metrics, 5), p95 = metrics->remembered ? -1 : cluster_metrics_ms(metrics, 0.95);
    return json_pack("{s:o, s:o, s:o}", "rps", figure(traffic->rps[cluster]), "errors_5xx", figure(share < 0 ? -1 : share * 100), "p95_ms", figure(p95));
}

static json_t *traffic_json(const struct seen_traffic *traffic, const char *stage, double share)
{
    return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:s}", "event", "traffic", "at", "begin", "stage", stage, "share", figure(share), "old",
                     cluster_json(traffic, CLUSTER_OLD), "new", cluster_json(traffic, CLUSTER_NEW), "verdict", verdict_level_name(traffic->verdict));
}

void seen_traffic(struct seen *seen, const struct seen_traffic *traffic, int64_t now)
{
    static const char *const keys[] = {"stage", "at", NULL};
    double share = 0;
    const char *stage = stage_of(traffic, &share);
    if (stage == NULL)
        return;
    json_t *event = traffic_json(traffic, stage, share);
    if (has_settled(&seen->traffic, stage, now)) {
        if (seen->last != NULL && is_written(seen, seen->last, keys)) {
            json_object_set_new(seen->last, "at", json_string("end"));
            append(seen, json_incref(seen->last));
        }
        if (!is_written(seen, event, keys))
            append(seen, json_incref(event));
    }
    bool stays = seen->traffic.written != NULL && strcmp(seen->traffic.written, stage) == 0;
    if (stays) {
        json_decref(seen->last);
        seen->last = json_incref(event);
    }
    json_decref(event);
}

/* Reading. */

static void add_event(void *context, const json_t *event)
{
    json_array_append_new(context, json_deep_copy(event));
}

json_t *seen_read(const char *folder)
{
    struct journal_reader reader;
    json_t *all = json_array();
    char *path = path_of(folder);
    if (journal_open(&reader, path, NULL)) {
        journal_read(&reader, add_event, all);
        journal_reader_close(&reader);
    }
    free(path);
    return all;
}
