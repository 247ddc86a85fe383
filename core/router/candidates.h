/*
 * Requests worth trying, derived from the routes: each host, path, method and SNI of each route; wildcards with something in their
 * place; paths exactly and longer; strings that match a regex; and, where two routes may want the same request (a path within another's,
 * a regex that matches a plain path, a host under a wildcard, the same path), what one has put together with what the other has.
 *
 * Never routes × routes: each route meets a few neighbours, found by the index, others in turn where there are many.
 */
#ifndef CORE_ROUTER_CANDIDATES_H
#define CORE_ROUTER_CANDIDATES_H

#include "core/router/router_internal.h"

/* Called once for each different request; false ends it. The request's texts live for the call alone. */
typedef bool candidate_try(const struct request *request, void *context);

struct candidates_done {
    size_t tried;
    bool cut;          /* there were more than could be tried */
};

/* Both routers stand on one index. `most` requests at most. */
struct candidates_done candidates_each(struct router *old, struct router *new, size_t most, candidate_try *try, void *context);

/* The same for some routes alone, and whom they meet. */
struct candidates_done candidates_of(struct router *old, struct router *new, const struct numbers *routes, size_t most, candidate_try *try,
                                     void *context);

#endif
