/*
 * The addresses of a host's name, looked up again now and then, for names that stand for many nodes. Lookups run in threads of their
 * own, not in libuv's pool: a name server that does not answer must neither use up the pool nor keep anyone from leaving.
 */
#ifndef CORE_CLUSTER_RESOLVE_H
#define CORE_CLUSTER_RESOLVE_H

#include "core/base/names.h"

#include <stdbool.h>
#include <uv.h>

extern unsigned resolve_ms;        /* between two lookups of a name that has addresses: 30 s, but in tests */
#define RESOLVE_AGAIN_MS 5000      /* of one that has none, or could not be looked up */

struct resolve;

/* Looks up `host` on the loop from now on. `found` is called after each lookup with the addresses as numbers, in their order, IPv4
 * first, each once; `problem` is NULL, or a sentence why there are none: then the list is empty. NULL where the loop has no handle. */
struct resolve *resolve_start(uv_loop_t *loop, const char *host, void (*found)(void *context, const struct names *addresses, const char *problem),
                              void *context);

/* `found` is not called any more. Memory is freed once the loop has run its closing callbacks, or, where a lookup is under way, when
 * that ends. NULL is fine. */
void resolve_stop(struct resolve *resolve);

#endif
