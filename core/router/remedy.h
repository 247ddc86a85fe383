/* What to change so that a request goes where 1.2 sends it, in both versions: found by trying it on a copy of the routes. */
#ifndef CORE_ROUTER_REMEDY_H
#define CORE_ROUTER_REMEDY_H

#include "core/router/compare.h"

/* A sentence for the operator, or NULL where nothing that was tried keeps it for the requests of the difference. The caller frees. The
 * routes that were built again for it are added to `spent`. */
char *remedy_find(const struct routes *routes, const struct difference *difference, size_t *spent);

#endif
