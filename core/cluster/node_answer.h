/*
 * Reading what an Admin API answered. No network here: bytes in, what is known of the node out, so that hostile answers can be
 * tried by the thousand. For node.c alone.
 */
#ifndef CORE_CLUSTER_NODE_ANSWER_H
#define CORE_CLUSTER_NODE_ANSWER_H

#include "core/cluster/node.h"

/* One answer, as it came. */
struct answer {
    const char *path;            /* that was asked for: "/" or "/status" */
    long status;                 /* of HTTP */
    const char *content_type;    /* or NULL */
    const char *location;        /* where a redirect leads; or NULL */
    const char *body;            /* not NUL-terminated */
    size_t length;
};

/* `GET /`: notes version, hostname, node_id and match. NULL, or a sentence (the caller frees) why this is no Kong's answer: then
 * nothing is noted. */
char *answer_read_root(const struct answer *answer, const struct datastore *datastore, struct node *node);

/* `GET /status`: notes database_reachable, total_requests and connections. Else as above. */
char *answer_read_status(const struct answer *answer, struct node *node);

/* What is wrong with a node that answers as Kong does, as a sentence with what to do about it; NULL: nothing. The caller frees. */
char *answer_problem(const struct node *node);

/* "1.3", and nothing longer before the next dot: 1.3.0, 1.3.1rc1, not 1.30.0. */
bool answer_is_1_3(const char *version);

#endif
