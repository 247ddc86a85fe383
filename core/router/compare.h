/*
 * Where the routers of Kong 1.2 and 1.3 differ on the same routes: for one request, or for all requests worth trying (candidates.h).
 * What is reported is what both routers, asked, answer; what is not was tried and found equal, or not tried.
 */
#ifndef CORE_ROUTER_COMPARE_H
#define CORE_ROUTER_COMPARE_H

#include "core/base/names.h"
#include "core/router/reason.h"
#include "core/router/router.h"

struct tried_request {
    char *texts;              /* METHOD, host, path and SNI one after another, each with its NUL; an empty SNI is none */
    const struct route_header *headers;   /* a route's */
    size_t header_count;
};

struct tried_request tried_request_keep(const struct request *request);       /* a copy; free its texts */
struct request tried_request_get(const struct tried_request *tried);          /* its texts belong to `tried` */

/* Requests with the same winners before, the same after, and the same reason. */
struct difference {
    struct router_result old, new;
    enum reason reason;
    char *remedy;             /* what to change so that both versions choose as 1.2 does now; NULL: nothing that was tried does */
    bool remedy_sought;       /* false: not tried at all, among so many differences or routes */
    struct tried_request *requests;
    size_t count, capacity;
};

struct comparison {
    size_t tried, differing;
    size_t open;                  /* requests for which both leave the same choice open */
    struct difference *list;      /* those with most requests first */
    size_t count;
    struct names problems;        /* sentences: routes that take no part, regexes that can't be evaluated, what was not tried */
};

struct compare;

/* The routes must live as long. */
struct compare *compare_new(const struct routes *routes);
void compare_free(struct compare *compare);

/* One request. The difference has one request, or none where both choose the same; `reason` is set in any case. */
void compare_request(struct compare *compare, const struct request *request, struct difference *difference);
void difference_free(struct difference *difference);

/* All requests worth trying. */
void compare_all(struct compare *compare, struct comparison *comparison);
void comparison_free(struct comparison *comparison);

/* A request of a difference; its texts belong to the difference. */
struct request difference_request(const struct difference *difference, size_t number);

#endif
