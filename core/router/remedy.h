/* What to change so that a request goes where 1.2 sends it: found by trying it on a copy of the routes. */
#ifndef CORE_ROUTER_REMEDY_H
#define CORE_ROUTER_REMEDY_H

#include "core/router/compare.h"

/* A sentence for the operator, or NULL where nothing that was tried keeps it: the requests of the difference go where 1.2 sends them now, in
 * both versions, and those that routes around have not change in 1.2, nor in 1.3 but to what 1.2 chooses. The caller frees. What that
 * took is added to `spent`: some 2 million are a second. The routers are the comparison's, and have looked at other requests afterwards. */
char *remedy_find(struct router *old, struct router *new, const struct difference *difference, size_t *spent);

#endif
