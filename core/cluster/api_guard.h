/*
 * The Admin API guard: between `up` and `finish` the new nodes' Admin API must not be used. Two things in the database tell when it
 * was: rows of `cluster_events` by a new node's node_id (a node writes one when an entity is changed through it: kong/cluster_events,
 * kong/runloop/handler.lua at 1.3.0), and rows whose content only 1.3 understands.
 */
#ifndef CORE_CLUSTER_API_GUARD_H
#define CORE_CLUSTER_API_GUARD_H

#include "core/base/error.h"
#include "core/base/names.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pg;

#define API_GUARD_WRITES 20          /* the newest are kept */
#define API_GUARD_EXAMPLES 5

/* A row of cluster_events. Kong keeps them for an hour at least, and as long as no other row is written. */
struct api_guard_write {
    char *node_id, *channel;     /* "invalidations", "balancer:targets", "balancer:upstreams", "balancer:post_health" */
    char *entity;                /* the cached entity that was changed: "routes:…". May be hostile; cut to 200 bytes.
                                    Of entities whose cache key is a secret, the name alone: "keyauth_credentials:…" */
    char *at;                    /* ISO time, UTC */
    int seconds_ago;
    bool maybe_plugin;           /* oauth2 tokens and sessions: plugins write those while they serve traffic */
};

/* Rows that only 1.3 understands. */
struct api_guard_kind {
    const char *id;              /* "routes.headers" */
    const char *what;            /* "routes that match by headers" */
    const char *means;           /* what it means for old nodes, in a sentence */
    const char *table, *column;  /* must be there for the question to be asked */
    const char *rows;            /* the rest of SELECT … FROM: names and a condition */
};

struct api_guard_rows {
    const struct api_guard_kind *kind;
    int64_t count;
    struct names examples;
};

/* Zero-initialise; api_guard_free frees. */
struct api_guard {
    struct api_guard_write writes[API_GUARD_WRITES];   /* newest first */
    size_t write_count;
    struct api_guard_rows *rows;     /* kinds with at least one row */
    size_t row_count;
};

/* Looks. `new_node_ids`: of the new cluster's nodes, as far as they are known. On failure `guard` is empty. */
bool api_guard_read(struct pg *pg, const struct names *new_node_ids, struct api_guard *guard, struct error *error);
void api_guard_free(struct api_guard *guard);

/* Nothing was found. */
bool api_guard_is_quiet(const struct api_guard *guard);

/* {"writes":[…],"rows":[…]}; new reference. */
json_t *api_guard_json(const struct api_guard *guard);

#endif
