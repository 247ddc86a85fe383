/*
 * The stall meter: what our changes cost a node, measured while they run. A thread with a connection of its own does, 20 times a
 * second, what a node does to the table under change, and times it as a node would see it, from sending to the answer:
 *
 *     BEGIN; UPDATE t SET c = c WHERE false; SELECT 1 FROM t LIMIT 1; SELECT id FROM t WHERE id >= RANDOM … LIMIT 1 FOR UPDATE; ROLLBACK
 *
 * The UPDATE takes the lock on the table that a node's write takes, but changes no row; the SELECT is a read; the last takes the lock
 * on a row that a node's update of it would take, for a moment, and gives it back. Nothing is written. Like a node (pg_timeout) it
 * gives a statement up after 5 s.
 */
#ifndef CORE_MIGRATIONS_PROBE_H
#define CORE_MIGRATIONS_PROBE_H

#include "core/base/error.h"
#include "core/conf/kong_conf.h"

#include <stdbool.h>
#include <stddef.h>

#define PROBE_EVERY_MS 50
#define PROBE_TIMEOUT_MS 5000

struct probe;

struct probe_figures {
    size_t samples;
    double worst_ms, p99_ms;   /* the statement under way counts with the time it has taken so far */
};

/* Starts it. NULL and an error where there is no connection for it: the run can do without. */
struct probe *probe_start(const struct datastore *datastore, struct error *error);

/* Ends it, within a moment; NULL is fine. */
void probe_stop(struct probe *probe);

/* From now on that table, and, where it is not NULL, the other one too (a foreign key locks both); figures begin anew. A table that is
 * not there is left alone until it is. NULL: none. */
void probe_watch(struct probe *probe, const char *table, const char *other);

/* The figures since probe_watch. */
struct probe_figures probe_read(struct probe *probe);

/* The worst of the last second: what a backfill heeds. 0 for NULL. */
double probe_recent_ms(struct probe *probe);

#endif
