#include "core/cluster/traffic.h"

#include "core/base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLES 6              /* of one node, a second apart */
#define WINDOW_MS 3500         /* that a rate is taken over */
#define FRESH_MS 5000          /* an older count says nothing of now */
#define STEP_MS 1000           /* of the history */

struct sample {
    int64_t at, served;        /* served: all but our own, since the counting began */
};

struct track {
    char *name, *url;
    enum cluster cluster;
    enum node_state state;
    unsigned restarts;
    int64_t total, own;        /* of the last sample */
    int64_t quiet_since;       /* it has served nothing since; 0: not counted yet */
    int64_t silent_since;
    struct sample samples[SAMPLES];   /* oldest first */
    size_t count;
    bool seen;                 /* in the set of nodes that is looked at */
};

struct history {
    double values[TRAFFIC_HISTORY];
    size_t count;
};

struct traffic {
    struct track *tracks;
    size_t count;
    size_t next;               /* where the node that is asked for next is expected: callers go through them in order */
    struct history history[2];   /* by enum cluster */
    int64_t noted_at, stepped_at;
};

struct traffic *traffic_new(void)
{
    return mem_zero(1, sizeof(struct traffic));
}

static void forget(struct track *track)
{
    free(track->name);
    free(track->url);
}

void traffic_free(struct traffic *traffic)
{
    if (traffic == NULL)
        return;
    for (size_t i = 0; i < traffic->count; i++)
        forget(&traffic->tracks[i]);
    free(traffic->tracks);
    free(traffic);
}

static bool is_of(const struct track *track, const struct node *node)
{
    return track->cluster == node->cluster && strcmp(track->name, node->name) == 0 && strcmp(track->url, node->url) == 0;
}

static struct track *find(struct traffic *traffic, const struct node *node)
{
    for (size_t i = 0; i < traffic->count; i++) {
        size_t at = (traffic->next + i) % traffic->count;
        if (is_of(&traffic->tracks[at], node)) {
            traffic->next = at + 1;
            return &traffic->tracks[at];
        }
    }
    return NULL;
}

static struct track *find_or_add(struct traffic *traffic, const struct node *node)
{
    struct track *track = find(traffic, node);
    if (track != NULL)
        return track;
    traffic->tracks = mem_grow(traffic->tracks, traffic->count + 1, sizeof *traffic->tracks);
    track = &traffic->tracks[traffic->count++];
    *track = (struct track){.name = mem_dup(node->name), .url = mem_dup(node->url), .cluster = node->cluster};
    return track;
}

static void add_sample(struct track *track, int64_t at, int64_t served)
{
    if (track->count == SAMPLES)
        memmove(&track->samples[0], &track->samples[1], --track->count * sizeof track->samples[0]);
    track->samples[track->count++] = (struct sample){at, served};
}

/* A counter that fell, or of another process, says nothing together with what was counted before. Requests of ours that the node
 * may not have counted can only make the difference negative: then nothing was served. */
static void note_node(struct track *track, const struct node *node)
{
    track->seen = true;
    track->state = node->state;
    track->silent_since = node->silent_since;
    if (track->restarts != node->restarts)
        track->count = 0;
    track->restarts = node->restarts;
    bool counted = node->total_requests >= 0 && node->counted_at > 0;
    if (!counted || (track->count > 0 && track->samples[track->count - 1].at >= node->counted_at))
        return;
    if (track->count > 0 && node->total_requests < track->total)
        track->count = 0;
    int64_t served = 0;
    if (track->count > 0) {
        int64_t difference = (node->total_requests - track->total) - (node->own_requests - track->own);
        served = difference > 0 ? difference : 0;
    }
    if (track->count == 0 || served > 0)
        track->quiet_since = node->counted_at;
    add_sample(track, node->counted_at, track->count > 0 ? track->samples[track->count - 1].served + served : 0);
    track->total = node->total_requests;
    track->own = node->own_requests;
}

static bool is_known(const struct traffic *traffic, const struct track *track)
{
    bool there = track->state == NODE_ANSWERS || track->state == NODE_STRANGE;
    return there && track->count >= 2 && traffic->noted_at - track->samples[track->count - 1].at <= FRESH_MS;
}

static double track_rps(const struct traffic *traffic, const struct track *track)
{
    if (!is_known(traffic, track))
        return -1;
    const struct sample *last = &track->samples[track->count - 1], *first = last - 1;
    while (first > track->samples && last->at - (first - 1)->at <= WINDOW_MS)
        first--;
    return (double)(last->served - first->served) * 1000 / (double)(last->at - first->at);
}

/* Timers are late by some milliseconds, never exact: the history keeps its own step. A second without a look is a gap. */
static void note_history(struct traffic *traffic, int64_t now)
{
    int64_t steps = traffic->stepped_at == 0 ? 1 : (now - traffic->stepped_at + STEP_MS / 2) / STEP_MS;
    if (steps <= 0)
        return;
    traffic->stepped_at = traffic->stepped_at == 0 ? now : traffic->stepped_at + steps * STEP_MS;
    size_t added = steps < TRAFFIC_HISTORY ? (size_t)steps : TRAFFIC_HISTORY;
    for (enum cluster cluster = CLUSTER_OLD; cluster <= CLUSTER_NEW; cluster++) {
        struct history *history = &traffic->history[cluster];
        double rps = traffic_cluster_rps(traffic, cluster);
        size_t dropped = history->count + added > TRAFFIC_HISTORY ? history->count + added - TRAFFIC_HISTORY : 0;
        memmove(&history->values[0], &history->values[dropped], (history->count - dropped) * sizeof history->values[0]);
        history->count -= dropped;
        for (size_t i = 0; i < added; i++)
            history->values[history->count++] = i + 1 == added && rps >= 0 ? rps : (double)NAN;
    }
}

static void drop_unseen(struct traffic *traffic)
{
    size_t kept = 0;
    for (size_t i = 0; i < traffic->count; i++) {
        if (traffic->tracks[i].seen)
            traffic->tracks[kept++] = traffic->tracks[i];
        else
            forget(&traffic->tracks[i]);
    }
    traffic->count = kept;
}

void traffic_note(struct traffic *traffic, const struct nodes *nodes, int64_t now)
{
    for (size_t i = 0; i < traffic->count; i++)
        traffic->tracks[i].seen = false;
    for (size_t i = 0; i < nodes_count(nodes); i++) {
        const struct node *node = nodes_get(nodes, i);
        note_node(find_or_add(traffic, node), node);
    }
    drop_unseen(traffic);
    traffic->noted_at = now;
    note_history(traffic, now);
}

double traffic_node_rps(struct traffic *traffic, const struct node *node)
{
    const struct track *track = find(traffic, node);
    return track != NULL ? track_rps(traffic, track) : -1;
}

double traffic_cluster_rps(const struct traffic *traffic, enum cluster cluster)
{
    double sum = -1;
    for (size_t i = 0; i < traffic->count; i++) {
        double rps = traffic->tracks[i].cluster == cluster ? track_rps(traffic, &traffic->tracks[i]) : -1;
        if (rps >= 0)
            sum = (sum < 0 ? 0 : sum) + rps;
    }
    return sum;
}

const double *traffic_history(const struct traffic *traffic, enum cluster cluster, size_t *count)
{
    *count = traffic->history[cluster].count;
    return traffic->history[cluster].values;
}

/* One that served nothing already when it fell silent has been quiet all along: stopping it does not begin the wait anew. Of one that
 * served to the end, its silence is all that is known. */
static int64_t quiet_since(const struct track *track)
{
    if (track->state != NODE_SILENT)
        return track->quiet_since;
    bool was_quiet = track->count > 1 && track->samples[track->count - 1].at > track->quiet_since;
    return was_quiet ? track->quiet_since : track->silent_since;
}

int64_t traffic_old_quiet_ms(const struct traffic *traffic, int64_t now)
{
    int64_t since = -1;
    for (size_t i = 0; i < traffic->count; i++) {
        const struct track *track = &traffic->tracks[i];
        if (track->cluster != CLUSTER_OLD)
            continue;
        if (track->state != NODE_SILENT && !is_known(traffic, track))
            return -1;
        since = quiet_since(track) > since ? quiet_since(track) : since;
    }
    return since < 0 ? -1 : now > since ? now - since : 0;
}
