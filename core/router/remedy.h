/* What to change so that a request goes where 1.2 sends it, in both versions: found by trying it on a copy of the routes. */
#ifndef CORE_ROUTER_REMEDY_H
#define CORE_ROUTER_REMEDY_H

#include "core/router/compare.h"

/* A sentence for the operator, or NULL where nothing that was tried keeps it for the requests of the difference. The caller frees. */
char *remedy_find(const struct routes *routes, const struct difference *difference);

/* How many routes are built again for one attempt, so that a caller can keep within bounds. */
size_t remedy_cost(const struct routes *routes);

#endif
