#include "core/cluster/traffic.h"

#include "core/base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLES 6              /* of one node, a second apart */
#define WINDOW_MS 3500         /* that a rate is taken over */
#define MOVE_MS 100            /* a count that came within so long after a move may have been made before it */
#define FRESH_MS 5000          /* an older count says nothing of now */
#define STEP_MS 1000           /* of the history */
#define ALLOWED_SECONDS 10     /* that what is allowed may come at once */
#define LONGEST_GAP (TRAFFIC_HISTORY * 60)   /* in seconds; nothing is left of the history after it */

struct sample {
    int64_t at, served;        /* served: all but our own, since the counting began */
};

struct track {
    char *name, *url;
    enum cluster cluster;
    enum node_state state;
    unsigned restarts;
    int64_t total, own;        /* of the last sample */
    int64_t quiet_since;       /* it has served nothing, or what is allowed, since; 0: not counted yet */
    double excess;             /* requests served lately beyond what is allowed a second */
    int64_t silent_since;
    struct sample samples[SAMPLES];   /* oldest first */
    size_t count;
    bool seen;                 /* in the set of nodes that is looked at */
};

struct history {
    double values[TRAFFIC_HISTORY];
    size_t count;
    double sum;                /* of what was known in the step under way, without its last second */
    int seconds, known;        /* of it; `known` without its last second */
    double last;               /* the last second's; < 0: not known */
};

struct traffic {
    struct track *tracks;
    size_t count;
    size_t next;               /* where the node that is asked for next is expected: callers go through them in order */
    struct history history[2][TRAFFIC_STEPS];   /* by enum cluster */
    double allowed;            /* requests a second */
    struct cluster_metrics metrics[2], remembered;   /* the old cluster's last good minute */
    struct traffic_verdict verdict;
    int64_t noted_at, stepped_at, moved_at;
};

struct traffic *traffic_new(void)
{
    struct traffic *traffic = mem_zero(1, sizeof *traffic);
    verdict_judge(&traffic->metrics[CLUSTER_OLD], &traffic->metrics[CLUSTER_NEW], &traffic->verdict);
    return traffic;
}

void traffic_allow(struct traffic *traffic, double quiet_rps)
{
    traffic->allowed = quiet_rps;
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

void traffic_moved(struct traffic *traffic, int64_t at)
{
    traffic->moved_at = at;
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

/* A bucket that leaks by what is allowed; what runs over is traffic. At least one request fits in it where any is allowed. */
static bool is_too_much(struct track *track, double allowed, int64_t served, int64_t milliseconds)
{
    double room = allowed <= 0 ? 0 : allowed * ALLOWED_SECONDS > 1 ? allowed * ALLOWED_SECONDS : 1;
    double excess = track->excess - allowed * (double)milliseconds / 1000;
    track->excess = (excess > 0 ? excess : 0) + (double)served;
    bool too_much = track->excess > room;
    track->excess = too_much ? room : track->excess;
    return too_much;
}

/* A counter that fell, or of another process, says nothing together with what was counted before. Requests of ours that the node
 * may not have counted can only make the difference negative: then nothing was served. */
static void note_node(struct track *track, const struct node *node, double allowed)
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
    int64_t served = 0, passed = 0;
    if (track->count > 0) {
        int64_t difference = (node->total_requests - track->total) - (node->own_requests - track->own);
        served = difference > 0 ? difference : 0;
        passed = node->counted_at - track->samples[track->count - 1].at;
    }
    if (track->count == 0 || is_too_much(track, allowed, served, passed))
        track->quiet_since = node->counted_at;
    track->excess = track->count == 0 ? 0 : track->excess;
    add_sample(track, node->counted_at, track->count > 0 ? track->samples[track->count - 1].served + served : 0);
    track->total = node->total_requests;
    track->own = node->own_requests;
}

static bool is_known(const struct traffic *traffic, const struct track *track)
{
    bool there = track->state == NODE_ANSWERS || track->state == NODE_STRANGE;
    return there && track->count >= 2 && traffic->noted_at - track->samples[track->count - 1].at <= FRESH_MS;
}

/* Where traffic was moved within the window, what was before says nothing of now. */
static double track_rps(const struct traffic *traffic, const struct track *track)
{
    if (!is_known(traffic, track))
        return -1;
    const struct sample *last = &track->samples[track->count - 1], *first = last - 1;
    bool after_move = first->at >= traffic->moved_at + MOVE_MS;
    while (first > track->samples && last->at - (first - 1)->at <= WINDOW_MS &&
           (!after_move || (first - 1)->at >= traffic->moved_at + MOVE_MS))
        first--;
    return (double)(last->served - first->served) * 1000 / (double)(last->at - first->at);
}

int traffic_step_seconds(enum traffic_step step)
{
    static const int seconds[TRAFFIC_STEPS] = {[TRAFFIC_SECONDS] = 1, [TRAFFIC_TENS] = 10, [TRAFFIC_MINUTES] = 60};
    return seconds[step];
}

/* The last second's rate, which is the newest there is: so the chart tells what the figures tell. */
static void set_second(struct history *history, double rps)
{
    int known = history->known + (rps >= 0 ? 1 : 0);
    history->last = rps;
    history->values[history->count - 1] = known > 0 ? (history->sum + (rps >= 0 ? rps : 0)) / known : (double)NAN;
}

static void add_second(struct history *history, int step_seconds, double rps)
{
    if (history->seconds == step_seconds || history->count == 0) {
        history->seconds = history->known = 0;
        history->sum = 0;
        if (history->count == TRAFFIC_HISTORY)
            memmove(&history->values[0], &history->values[1], --history->count * sizeof history->values[0]);
        history->count++;
    } else if (history->last >= 0) {
        history->known++;
        history->sum += history->last;
    }
    history->seconds++;
    set_second(history, rps);
}

/* Timers are late by some milliseconds, never exact: the history keeps its own step. A second without a look is a gap. */
static void note_history(struct traffic *traffic, int64_t now)
{
    int64_t seconds = traffic->stepped_at == 0 ? 1 : (now - traffic->stepped_at + STEP_MS / 2) / STEP_MS;
    if (seconds > 0)
        traffic->stepped_at = traffic->stepped_at == 0 ? now : traffic->stepped_at + seconds * STEP_MS;
    seconds = seconds < LONGEST_GAP ? seconds : LONGEST_GAP;
    for (enum cluster cluster = CLUSTER_OLD; cluster <= CLUSTER_NEW; cluster++) {
        double rps = traffic_cluster_rps(traffic, cluster);
        for (int step = 0; step < TRAFFIC_STEPS; step++) {
            struct history *history = &traffic->history[cluster][step];
            for (int64_t i = 1; i < seconds; i++)
                add_second(history, traffic_step_seconds((enum traffic_step)step), -1);
            if (seconds > 0)
                add_second(history, traffic_step_seconds((enum traffic_step)step), rps);
            else
                set_second(history, rps);
        }
    }
}

/* Once the old cluster serves too little to compare with, it is taken as it was. */
static void note_metrics(struct traffic *traffic, const struct nodes *nodes, int64_t now)
{
    struct cluster_metrics *old = &traffic->metrics[CLUSTER_OLD], *new = &traffic->metrics[CLUSTER_NEW];
    *old = *new = (struct cluster_metrics){0};
    for (size_t i = 0; i < nodes_count(nodes); i++)
        cluster_metrics_add(&traffic->metrics[nodes_get(nodes, i)->cluster], nodes_get(nodes, i), now);
    if (metrics_requests(&old->counts) >= VERDICT_REQUESTS) {
        traffic->remembered = *old;
        traffic->remembered.remembered = true;
    }
    bool remembers = metrics_requests(&old->counts) < VERDICT_REQUESTS && traffic->remembered.remembered;
    verdict_judge(remembers ? &traffic->remembered : old, new, &traffic->verdict);
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
        note_node(find_or_add(traffic, node), node, traffic->allowed);
    }
    drop_unseen(traffic);
    traffic->noted_at = now;
    note_history(traffic, now);
    note_metrics(traffic, nodes, now);
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

const double *traffic_history(const struct traffic *traffic, enum cluster cluster, enum traffic_step step, size_t *count)
{
    *count = traffic->history[cluster][step].count;
    return traffic->history[cluster][step].values;
}

const struct cluster_metrics *traffic_metrics(const struct traffic *traffic, enum cluster cluster)
{
    return &traffic->metrics[cluster];
}

const struct traffic_verdict *traffic_verdict(const struct traffic *traffic)
{
    return &traffic->verdict;
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
