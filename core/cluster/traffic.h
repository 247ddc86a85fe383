/*
 * How many requests the nodes serve, from their counters: our own polls subtracted, restarts seen, a history kept of both clusters. And
 * how well: what the Prometheus plugin counted on both in the last minute, and whether the new one is worse.
 */
#ifndef CORE_CLUSTER_TRAFFIC_H
#define CORE_CLUSTER_TRAFFIC_H

#include "core/cluster/verdict.h"

/* The history is kept in steps of a second, of ten, and of a minute: the older, the coarser, so that ten hours take 30 kB. */
enum traffic_step { TRAFFIC_SECONDS, TRAFFIC_TENS, TRAFFIC_MINUTES, TRAFFIC_STEPS };

#define TRAFFIC_HISTORY 600      /* values kept of each step: 10 minutes, 100 minutes, 10 hours */

struct traffic;

struct traffic *traffic_new(void);

/* So many requests a second may each old node serve beyond our polls and still be quiet (fleet.ini, quiet_rps; at first 0): a scraper's
 * or a health checker's polls. Taken over some ten seconds, so that one request now and then is not more. */
void traffic_allow(struct traffic *traffic, double quiet_rps);
void traffic_free(struct traffic *traffic);   /* NULL is fine */

/* Traffic was moved on purpose at that time (clock_ms(); 0: never): a rate is taken of counts made after it as soon as there are two, which
 * with polls a second apart takes some two seconds. Else it would be a mixture of before and after for as long as its window. */
void traffic_moved(struct traffic *traffic, int64_t at);

/* Looks at the counters: call it once a second or more often. The set of nodes may change; a node is known by its name and address. */
void traffic_note(struct traffic *traffic, const struct nodes *nodes, int64_t now);

/* Requests per second over the last few seconds; < 0: not known (never counted twice, or not within the last 5 s). */
double traffic_node_rps(struct traffic *traffic, const struct node *node);
double traffic_cluster_rps(const struct traffic *traffic, enum cluster cluster);   /* the sum over nodes that are known; < 0: none is */

/* A value a step, oldest first, the mean of what was known in it, NAN where nothing was; at most TRAFFIC_HISTORY. The newest is of the
 * step under way. Valid until the next traffic_note. */
const double *traffic_history(const struct traffic *traffic, enum cluster cluster, enum traffic_step step, size_t *count);
int traffic_step_seconds(enum traffic_step step);   /* 1, 10, 60 */

/* The last minute as the Prometheus plugin tells, and the verdict on it (verdict.h): as of the last traffic_note, and valid until the
 * next. The verdict compares with the old cluster's last good minute where it serves too little by now. */
const struct cluster_metrics *traffic_metrics(const struct traffic *traffic, enum cluster cluster);
const struct traffic_verdict *traffic_verdict(const struct traffic *traffic);

/* For so long have all old nodes that are there served nothing but our own polls, or no more than is allowed; those that are silent serve nothing. -1: not
 * known, since a node that is there has not been counted twice yet. */
int64_t traffic_old_quiet_ms(const struct traffic *traffic, int64_t now);

#endif
