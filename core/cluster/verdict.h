/*
 * Old and new cluster side by side over the last minute, and whether the new one is worse: by what the Prometheus plugin counts
 * (metrics.h). No network here.
 *
 * The rule, and why it is so:
 * - Both must have answered VERDICT_REQUESTS: of fewer, one failure more or less is a percent. Where the old cluster serves less
 *   than that by now, it is taken as it was when it last did: all traffic moved is no reason to look away.
 * - Errors: the 5xx share of the new one is above the old one's by more than a percentage point, and the difference is beyond chance
 *   (two proportions, pooled, z > 3: one false alarm in some 700 comparisons). The point keeps a difference that is real, but that
 *   nobody minds, from alarming under heavy traffic; z keeps chance from alarming under light traffic. The same for 4xx with 5
 *   points, as clients cause most of these, and which clients come differs between two clusters.
 * - Latency: p95 of all requests is above one and a half times the old one's and 20 ms more (buckets are 100 ms wide from 100 ms
 *   on, wider from 500 ms on, so that smaller differences may be theirs), and more of the new one's requests than of the old one's
 *   took longer than that, again with z > 3: p95 of 100 requests rests on five of them.
 * The plugin counts no request without a route: what the new router no longer matches is not seen here.
 */
#ifndef CORE_CLUSTER_VERDICT_H
#define CORE_CLUSTER_VERDICT_H

#include "core/cluster/node.h"

#define VERDICT_REQUESTS 100
#define VERDICT_5XX_POINTS 0.01
#define VERDICT_4XX_POINTS 0.05
#define VERDICT_LATENCY_FACTOR 1.5
#define VERDICT_LATENCY_MS 20.0
#define VERDICT_Z 3.0

/* One cluster over the last minute. Zero-initialised: no node. */
struct cluster_metrics {
    size_t nodes;                 /* of the cluster */
    size_t counted;               /* of them, with figures */
    double per_second[STATUS_CLASSES];
    struct metrics_counts counts; /* summed over nodes */
    bool remembered;              /* not of the last minute, but of the last in which it served VERDICT_REQUESTS */
};

void cluster_metrics_add(struct cluster_metrics *metrics, const struct node *node, int64_t now);

/* Parts of all requests, 0 to 1; < 0: no request. `hundreds`: 4 or 5. */
double cluster_metrics_share(const struct cluster_metrics *metrics, int hundreds);
double cluster_metrics_rate(const struct cluster_metrics *metrics, int hundreds);   /* a second; < 0: not known */
double cluster_metrics_ms(const struct cluster_metrics *metrics, double part);      /* of `request`, as metrics_quantile */

enum verdict_level {
    VERDICT_NONE,                 /* no error rates: the plugin does not answer on either side, or has not been read twice */
    VERDICT_FEW,                  /* too few requests to tell */
    VERDICT_FINE,
    VERDICT_WORSE,                /* the new cluster is worse: no more traffic should be moved to it */
};

struct traffic_verdict {
    enum verdict_level level;
    char sentence[400];           /* a whole one for VERDICT_WORSE; else a remark for details. Never empty */
};

const char *verdict_level_name(enum verdict_level level);   /* "none", "few", "fine", "worse" */
void verdict_judge(const struct cluster_metrics *old, const struct cluster_metrics *new, struct traffic_verdict *verdict);

/* z of two proportions, `hits` of `all` each; 0 where it is not defined. Positive: the second is the larger. */
double verdict_z(double hits_1, double all_1, double hits_2, double all_2);

/* As CLI `nodes --json` says of a cluster; new reference. */
json_t *cluster_metrics_json(const struct cluster_metrics *metrics);
json_t *verdict_json(const struct traffic_verdict *verdict);

#endif
