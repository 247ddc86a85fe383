/* What in a search depends on the order of tied routes: the answers there may be, and which of them go together. Of the routers alone. */
#ifndef CORE_ROUTER_TIES_H
#define CORE_ROUTER_TIES_H

#include "core/router/router_internal.h"

/* A question whose answer is the first of some entries, and so may be several where these are tied. */

#define OPTIONS 12
#define LEADERS 12

struct option {
    uint32_t key;
    bool error;                    /* PCRE refuses: the search ends without a route */
    uint32_t leaders[LEADERS];     /* the entries of which one must stand first for this answer */
    uint32_t leader_count;
};

struct question {
    struct option options[OPTIONS];
    size_t count;
    uint32_t group;                /* of the leaders */
};

struct questions {
    struct question host, uri, header;
    uint32_t prefix;
    unsigned bits;      /* the request's category */
};

/* What the request that was looked at hits. */
void router_ask(struct router *router, struct questions *questions);

/* Whether one order of the tied routes gives all answers that were chosen: each claims that its leader stands before whatever else could
 * have been it. */

#define CLAIMS 8

struct claim {
    const struct question *question;   /* or */
    int category;                      /* whose first entry it is about, or */
    const struct numbers *found;       /* the matches */
    const uint32_t *leaders;
    uint32_t leader_count, leader;
};

struct claims {
    struct claim list[CLAIMS];
    size_t count;
    uint32_t firsts[CLAIMS][LEADERS];
    size_t tries;
};

/* Where there is only one answer nothing is claimed. */
void claim_question(struct claims *claims, const struct question *question, size_t option);
void claim_categories(const struct router *router, struct claims *claims, const struct arrangement *arrangement);

/* With `found`: and the entry is the first of these. */
bool is_possible(const struct router *router, struct claims *claims, const struct numbers *found, uint32_t entry);

#endif
