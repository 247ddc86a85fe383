/*
 * libcurl's multi handle, driven by a libuv loop: its sockets and its timeout are the loop's. Knows no nodes; for node.c.
 */
#ifndef CORE_CLUSTER_MULTI_H
#define CORE_CLUSTER_MULTI_H

#include <curl/curl.h>
#include <uv.h>

struct multi;

/* `ended` is called, outside of libcurl, for each transfer that has ended, with the easy handle's CURLOPT_PRIVATE; the easy handle has
 * been removed by then, and may be added again; multi_stop may be called, too. NULL where libcurl can't be used. */
struct multi *multi_start(uv_loop_t *loop, void (*ended)(void *private_pointer, CURLcode code));

void multi_add(struct multi *multi, CURL *easy);
void multi_remove(struct multi *multi, CURL *easy);

/* All easy handles have been removed. Memory is freed once the loop has run its closing callbacks. */
void multi_stop(struct multi *multi);

#endif
