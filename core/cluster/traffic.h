/*
 * How many requests the nodes serve, from their counters: our own polls subtracted, restarts seen, a history kept of both clusters.
 */
#ifndef CORE_CLUSTER_TRAFFIC_H
#define CORE_CLUSTER_TRAFFIC_H

#include "core/cluster/node.h"

#define TRAFFIC_HISTORY 3600     /* values kept, one a second */

struct traffic;

struct traffic *traffic_new(void);
void traffic_free(struct traffic *traffic);   /* NULL is fine */

/* Looks at the counters: call it once a second. The set of nodes may change; a node is known by its name and address. */
void traffic_note(struct traffic *traffic, const struct nodes *nodes, int64_t now);

/* Requests per second over the last few seconds; < 0: not known (never counted twice, or not within the last 5 s). */
double traffic_node_rps(struct traffic *traffic, const struct node *node);
double traffic_cluster_rps(const struct traffic *traffic, enum cluster cluster);   /* the sum over nodes that are known; < 0: none is */

/* A value a second, oldest first, NAN where nothing was known; at most TRAFFIC_HISTORY. Valid until the next traffic_note. */
const double *traffic_history(const struct traffic *traffic, enum cluster cluster, size_t *count);

/* For so long have all old nodes that are there served nothing but our own polls; those that are silent serve nothing. -1: not
 * known, since a node that is there has not been counted twice yet. */
int64_t traffic_old_quiet_ms(const struct traffic *traffic, int64_t now);

#endif
