/* What a request that failed says of the node. No network here; for node.c alone. */
#ifndef CORE_CLUSTER_NODE_FAILURE_H
#define CORE_CLUSTER_NODE_FAILURE_H

#include "core/cluster/node.h"

#include <curl/curl.h>

/* One request that failed, as libcurl tells. */
struct failure {
    CURLcode code;
    long os_error;               /* errno of the connection, or of making a socket; 0: none */
    const char *reason;          /* libcurl's words */
    bool resolved, connected;    /* the name has addresses; something took the connection */
    size_t received;             /* bytes */
    enum cluster cluster;
    const char *ca;              /* of fleet.ini, or NULL */
    const char *ssh;             /* the tunnel that it went through, or NULL */
    const char *ssh_problem;     /* why that is down; NULL: it is up */
    bool refused_there;          /* ssh says that the node's host refused the connection */
    bool perhaps_refused;        /* it refused one, this one or another */
    const char *failed_there;    /* ssh says that the connection could not be made there; or NULL */
};

/* NODE_STRANGE, NODE_SILENT or NODE_UNKNOWN, and a sentence, which the caller frees. */
enum node_state failure_read(const struct failure *failure, char **problem);

#endif
