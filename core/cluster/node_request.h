/* libcurl's handles for the nodes of a fleet: how they are asked. For node.c alone. */
#ifndef CORE_CLUSTER_NODE_REQUEST_H
#define CORE_CLUSTER_NODE_REQUEST_H

#include "core/conf/fleet.h"

#include <curl/curl.h>

/* How one cluster's Admin APIs are asked; owns everything, the headers' values among it. */
struct request_access {
    struct fleet_access access;
    struct curl_slist *headers;
};

void request_access_init(struct request_access *to, const struct fleet_access *from);
void request_access_free(struct request_access *access);   /* wipes what is secret; no handle uses it any more */

/* For CURLOPT_CONNECT_TO: whatever the host's name, connect to that address. The caller frees with curl_slist_free_all. */
struct curl_slist *request_connect_to(const char *address);

/* A handle for requests of one node; `access` and `connect_to` (or NULL) must outlive it. `socket`: the path of a tunnel's, or NULL. NULL
 * where libcurl has none. */
CURL *request_new_easy(const struct request_access *access, struct curl_slist *connect_to, const char *socket);

#endif
