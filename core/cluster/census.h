/*
 * What the database sees of Kong (sessions.h) beside the fleet: nodes of the fleet that were seen, and Kong nodes at addresses that no name
 * of the fleet has, here called strangers. The fleet's names are looked up again now and then, since their addresses may change. A
 * node's address towards the database need not be its Admin API's, but mostly is; one behind PgBouncer or NAT has another's, and
 * several may share one: all that is said here is "at least".
 *
 * Strangers can be knocked at: whether an Admin API answers, by plain HTTP, at Kong's port of their address. That is asked by the same
 * means as the nodes of the fleet (node.h): it delays no one, and whatever answers is told as what it is.
 */
#ifndef CORE_CLUSTER_CENSUS_H
#define CORE_CLUSTER_CENSUS_H

#include "core/cluster/node.h"
#include "core/cluster/sessions.h"

#define CENSUS_PORT 8001             /* Kong's default, which by default listens on loopback only (kong.conf.default, admin_listen) */
#define CENSUS_AGAIN_MS 30000        /* between two knocks at one address */

struct stranger {
    char *address;                   /* as in struct session */
    char *host;                      /* the same as seen from here: of "local" and of loopback, the database's host */
    char *url;                       /* that is knocked at */
    bool legacy;                     /* 0.14 */
    int poll_age;                    /* seconds since the last poll of cluster_events; -1: none seen */
    enum node_state state;           /* NODE_UNASKED: not knocked at yet */
    char *problem;                   /* likewise as in struct node, of the last knock */
    char *version, *node_id, *hostname;
    enum node_match match;
    int64_t knocked_at;              /* 0: never */
};

struct census;

/* For tests, whose fake nodes can't all listen on Kong's port: another one. */
extern int census_port;

/* On that loop; copies what it needs. */
struct census *census_start(uv_loop_t *loop, const struct datastore *datastore);
void census_stop(struct census *census);   /* memory is freed once the loop has run its closing callbacks. NULL is fine */

/* The fleet as it is from now on. */
void census_know(struct census *census, const struct fleet *fleet);

/* Each name has been looked up once: before that there are no strangers. */
bool census_is_ready(const struct census *census);

/* A look at the database. What was found by knocking is kept of those that are still there. */
void census_see(struct census *census, const struct sessions *sessions);

/* Knocks at those strangers for whom that is due, and takes what was found: call it a few times a second while someone looks. */
void census_knock(struct census *census);

/* Sorted by address. Valid until the next call of census_see, census_know or census_stop. */
size_t census_count(const struct census *census);
const struct stranger *census_get(const struct census *census, size_t index);

/* A session of a Kong node that the fleet does not name. One without application_name that never polled may be any program's. */
bool census_is_stranger(const struct census *census, const struct session *session);

/* Addresses with a fresh poll that are of old nodes alone: whatever their Admin APIs say, a Kong works there. */
size_t census_count_old(const struct census *census);

/* Seconds since a node of that entry of the fleet, or the one of its nodes that is at `address` (else NULL), polled the database, as the
 * last look saw it; -1: no poll was seen from there. */
int census_poll_age(const struct census *census, const struct fleet_node *node, const char *address);

#endif
