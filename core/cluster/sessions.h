/*
 * Kong nodes as the database sees them: every node polls `cluster_events` (every 5 s by default) with a SELECT that names it, from
 * its own address; application_name is `pgmoon` for Kong 1.0 to 1.3 and empty for 0.14 (kong/db/strategies/postgres/connector.lua,
 * kong/dao/db/postgres.lua). Distinct addresses are a lower bound: NAT, PgBouncer, several nodes on one host.
 */
#ifndef CORE_CLUSTER_SESSIONS_H
#define CORE_CLUSTER_SESSIONS_H

#include "core/base/error.h"

#include <stdbool.h>
#include <stddef.h>

struct pg;

#define SESSIONS_FRESH_S 15      /* a poll younger than that is a live node's */

struct session {
    char *address;               /* "10.0.0.7"; "local" for a Unix socket; "hidden" where our role may not see it */
    bool legacy;                 /* no application_name: 0.14 */
    int connections;             /* of that address and kind */
    int poll_age;                /* seconds since the last poll of cluster_events was seen; -1: none seen */
};

/* Zero-initialise; sessions_free frees. */
struct sessions {
    struct session *list;        /* by address */
    size_t count;
    size_t live;                 /* at least so many nodes live: addresses with a fresh poll */
    bool restricted;             /* our role may not see other roles' queries (needs pg_read_all_stats or the same role): polls unseen */
};

bool sessions_read(struct pg *pg, struct sessions *sessions, struct error *error);
void sessions_free(struct sessions *sessions);

#endif
