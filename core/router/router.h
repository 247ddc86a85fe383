/*
 * How Kong 1.2 and Kong 1.3 choose the route of a request (kong/router.lua and kong/runloop/handler.lua at 1.2.3 and 1.3.0; 0.14, 1.0 and
 * 1.1 choose as 1.2). The http subsystem alone: routes of tcp and tls take no part.
 *
 *   struct route_index *index = index_build(&routes);
 *   struct router *old = router_build(ROUTER_1_2, index), *new = router_build(ROUTER_1_3, index);
 *   index_look(index, &request);
 *   router_match(old, &old_result); router_match(new, &new_result);
 *
 * The routes must outlive the index, and the index its routers. One thread uses an index and its routers at a time.
 */
#ifndef CORE_ROUTER_ROUTER_H
#define CORE_ROUTER_ROUTER_H

#include "core/router/route.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum router_version { ROUTER_1_2, ROUTER_1_3, ROUTER_VERSIONS };

/* As a client sends it. Host with or without port, path with or without query; "" or NULL where there is none. */
struct request {
    const char *method, *host, *path, *sni;
    const struct route_header *headers;     /* names and values in lower case */
    size_t header_count;
};

/* Routes whose sort keys are equal stand in an order that Kong leaves open (table.sort is not stable), and so is the order of equally
 * small sets in 1.2. So a request may have several possible winners, of which a live node has one. */
#define ROUTER_WINNERS 16
struct router_result {
    size_t count;                            /* 0: no route */
    uint32_t winners[ROUTER_WINNERS];        /* indexes in `routes` */
    bool more;                               /* there are others beyond these */
    bool none;                               /* no route is possible too, or certain where count is 0 */
    bool broken;                             /* a regex that PCRE refuses or gives up on ended a search: Kong then finds no route */
};

struct route_index *index_build(const struct routes *routes);
void index_free(struct route_index *index);

/* Looks at a request: what follows, router_match included, is about it. The request must live as long. */
void index_look(struct route_index *index, const struct request *request);

/* What looking and matching took so far, whatever the machine: some 100 million of these are a second. */
uint64_t index_work(const struct route_index *index);

/* NULL only for a version that is none. */
struct router *router_build(enum router_version version, struct route_index *index);
void router_free(struct router *router);

/* Who wins the request that was looked at last. */
void router_match(struct router *router, struct router_result *result);

/* Whether a route takes part at all: its protocols belong to the http subsystem of that version, and Kong can categorise it. */
bool router_takes(const struct router *router, uint32_t route);

/* Whether the results are the same: the same winners, whatever their order. */
bool router_same(const struct router_result *one, const struct router_result *other);

const char *router_version_name(enum router_version version);   /* "1.2", "1.3" */

#endif
