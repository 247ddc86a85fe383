/*
 * What was seen of the nodes and of the traffic while somebody watched the upgrade, for its report: JSON lines beside the journals
 * ("seen.log", 0600). A line is written where a node's state or version is another and has stayed so for a moment, and where the new
 * cluster's share of the traffic has reached another stage and stayed there, and once more when it leaves it. What another wizard has
 * written already is not written again.
 *
 * Events, each with "t": "node" (cluster, name, url, version, state) and "traffic" (at: "begin" | "end" of a stage, stage: percent,
 * share: of the new cluster in percent, old{} and new{}: rps, errors_5xx: percent or null, p95_ms or null; verdict).
 */
#ifndef CORE_CLUSTER_SEEN_H
#define CORE_CLUSTER_SEEN_H

#include "core/cluster/verdict.h"

#include <jansson.h>

#define SEEN_SETTLE_MS 2000
#define SEEN_LIMIT (1 << 20)   /* bytes; nothing is added to a longer file */

/* What there is at a moment. Belongs to the caller. */
struct seen_traffic {
    double rps[2];                              /* by enum cluster; < 0: not known */
    const struct cluster_metrics *metrics[2];
    enum verdict_level verdict;
};

struct seen;

/* `folder`: the journals'. Free with seen_free. */
struct seen *seen_new(const char *folder);
void seen_free(struct seen *seen);

/* Looks, at `now` (monotonic ms), and writes what there is to write. That the file can't be written is no reason to stop for: then the
 * report does not have it. */
void seen_node(struct seen *seen, const struct node *node, int64_t now);
void seen_traffic(struct seen *seen, const struct seen_traffic *traffic, int64_t now);

/* All of the folder's events, oldest first. New reference: an array. */
json_t *seen_read(const char *folder);

#endif
