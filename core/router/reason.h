/* Why a request goes elsewhere in 1.3, as a sentence. */
#ifndef CORE_ROUTER_REASON_H
#define CORE_ROUTER_REASON_H

#include "core/router/router_internal.h"

enum reason {
    REASON_NONE,              /* the same choice */
    REASON_OPEN,              /* the same choices, but Kong leaves open which */
    REASON_BROKEN,
    REASON_PROTOCOL,
    REASON_HEADERS,
    REASON_PLAIN_HOST,
    REASON_FIRST_WILDCARD,
    REASON_EXACT_PATH,
    REASON_LONGEST_PATH,
    REASON_HOST_SET,
    REASON_CATEGORY,
    REASON_PLAIN_HOSTS_FIRST,
    REASON_REGEX_FIRST,
    REASON_PRIORITY,
    REASON_PATH_LENGTH,
    REASON_ORDER,
    REASON_TIED,
    REASONS
};

/* Of the request that was looked at last, with what the routers chose. */
enum reason reason_find(struct router *old, struct router *new, const struct router_result *old_result, const struct router_result *new_result);

/* The sentence; it names no route and no request. Static. */
const char *reason_text(enum reason reason);

#endif
