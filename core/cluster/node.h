/*
 * The nodes of the fleet, as their Admin APIs tell: asked once a second through libcurl on the caller's libuv loop, so that a slow
 * or dead node delays no one; where there are many, spread over the second. A name of fleet.ini with a `*` stands for a node per
 * address of its host; one that has left the name is watched until it is silent. Facts about `GET /` and `GET /status`: Kong's
 * kong/api/routes/kong.lua at 0.14.1 to 1.3.0.
 */
#ifndef CORE_CLUSTER_NODE_H
#define CORE_CLUSTER_NODE_H

#include "core/cluster/metrics.h"
#include "core/conf/fleet.h"
#include "core/conf/kong_conf.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#define NODE_POLL_MS 1000        /* `GET /status`; at most one request is under way per node, and one to its Prometheus plugin */
#define NODE_IDENTITY_MS 5000    /* `GET /`, which reads the node's database; at once where its identity is not known */
#define NODE_IDENTITY_EACH_MS 20 /* but no more often than once in so long, over all nodes: its answer is long */
/* `GET /metrics`, where the Prometheus plugin answers: METRICS_POLL_MS. */
#define NODE_DEADLINE_MS 4000    /* of one request, from the connection to the last byte */
#define NODE_ANSWER_LIMIT (1 << 20)   /* bytes; a longer answer is cut off and is no Kong's */

enum node_state {
    NODE_UNASKED,    /* no request has ended yet */
    NODE_ANSWERS,    /* as Kong's Admin API does */
    NODE_STRANGE,    /* something listens there, but does not answer as Kong: HTML, an error, too slow, too much */
    NODE_SILENT,     /* nothing listens: refused, unreachable */
    NODE_UNKNOWN,    /* it can't be asked: its name has no address, the ssh before it is down, this machine has no network or too
                        few file descriptors. Says nothing about the node */
};

/* Its Prometheus plugin. What it does, or does not, changes nothing of the node's state. */
enum metrics_state {
    METRICS_UNASKED,
    METRICS_ANSWERS,
    METRICS_ABSENT,      /* 404: the plugin is not loaded */
    METRICS_STRANGE,     /* something else: an error, too slow, too much, not Kong's */
};

/* Whether its configuration names our database. Another host string may still be the same server: then "perhaps". */
enum node_match { MATCH_UNKNOWN, MATCH_SAME, MATCH_PERHAPS, MATCH_OTHER };

/* What is known of one node. Times are clock_ms(); all texts may be hostile. Owned by `struct nodes`. */
struct node {
    enum cluster cluster;
    char *name, *url;
    char *address;               /* of those that the host's name has, the one that is asked; NULL: any */
    char *ssh;                   /* that it is reached through, as in fleet.ini; NULL: none */
    enum node_state state;
    char *problem;               /* a sentence: why it is not as it should be (strange, silent, wrong version…); NULL: nothing wrong */
    char *version;               /* "1.2.3"; NULL: not known. Kept over a silence */
    char *hostname, *node_id;    /* likewise */
    enum node_match match;
    char *match_text;            /* "pg_database is kong2, not kong"; NULL where the same */
    int database_reachable;      /* 1, 0; -1: not known */
    int64_t total_requests;      /* the node's counter, proxy and Admin API together; -1: not known */
    int64_t own_requests;        /* requests of ours that are in it: each adds 1 */
    int64_t counted_at;          /* when the counter was read; 0: never */
    int connections;             /* connections_active; -1: not known */
    int64_t answered_at;         /* last answer as Kong; 0: never */
    int64_t silent_since;        /* NODE_SILENT: since when; else 0 */
    unsigned restarts;           /* node_id changed while we looked */
    enum metrics_state metrics;
    struct metrics_minute minute;   /* what the Prometheus plugin counted in the last minute, or less; see METRICS_FRESH_MS */
};

/* "unasked", "answers", "absent", "strange". */
const char *metrics_state_name(enum metrics_state state);

/* "unasked", "answers", "strange", "silent", "unknown"; "unknown", "same", "perhaps", "other". */
const char *node_state_name(enum node_state state);
const char *node_match_name(enum node_match match);

/* A new node that may be given traffic: answers, is 1.3, and is not known to use another database. */
bool node_is_ready(const struct node *node);

/* In [new], but last seen to run another Kong than 1.3, and not known to use another database: `finish` is no less against it than
 * against an old node, whatever fleet.ini says. */
bool node_is_misplaced(const struct node *node);

/* Something answers there, as Kong or not: it can't be taken for stopped. */
bool node_is_there(const struct node *node);

/* Silent for `milliseconds` at `now`. */
bool node_is_gone(const struct node *node, int64_t now, int64_t milliseconds);

struct nodes;

/* Watches the fleet's nodes on the loop from now on; copies what it needs. `changed` (or NULL) is called after each answer. Raises the
 * soft limit of open files where there are more nodes than it allows. NULL and an error where libcurl can't be used. */
struct nodes *nodes_start(uv_loop_t *loop, const struct fleet *fleet, const struct datastore *datastore, void (*changed)(void *context),
                          void *context, struct error *error);

/* Ends it: requests under way are given up, ssh is ended, the handles are closed; memory is freed once the loop has run until none of
 * them is left. */
void nodes_stop(struct nodes *nodes);

/* For tests, to which a minute is long: other times than METRICS_POLL_MS (and METRICS_FIRST_MS) and METRICS_WINDOW_MS. */
void nodes_set_pace(struct nodes *nodes, int64_t metrics_poll_ms, int64_t metrics_window_ms);

/* How many there are may change whenever the loop runs; what nodes_get returned is there until nodes_stop. */
size_t nodes_count(const struct nodes *nodes);             /* 0 for NULL */
const struct node *nodes_get(const struct nodes *nodes, size_t index);   /* in the fleet's order */

/* As CLI `nodes --json` says of one node; new reference. `rps` < 0: not known, null. */
json_t *node_json(const struct node *node, double rps, int64_t now);

#endif
