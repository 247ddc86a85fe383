/*
 * How Kong chooses, step by step over all routes, as router.lua does and without any index: slow, and simple enough to be read beside it.
 * For one order of tied routes, or for all of them. No headers.
 */
#ifndef TESTS_ROUTER_NAIVE_H
#define TESTS_ROUTER_NAIVE_H

#include "core/router/router.h"

#define NAIVE_ROUTES 500
#define NAIVE_NONE (-1)

/* Those that take part, in the version's order; of tied ones the lower `rank` first (one a route). */
struct naive_order {
    enum router_version version;
    const struct routes *routes;
    int list[NAIVE_ROUTES], count;
};
void naive_sort(struct naive_order *order, enum router_version version, const struct routes *routes, const int *rank);

/* The winner, or NAIVE_NONE. `before`: of 1.2's equally small sets, whether those of HOST (1), METHOD (2) and SNI (4) are tried before
 * that of URI; 1 is what nodes do. */
int naive_match(const struct naive_order *order, unsigned before, const struct request *request);

/* All winners that any order gives: bit i for route i, and bit 31 for none. For a few routes. false where there are too many orders. */
bool naive_match_all(enum router_version version, const struct routes *routes, const struct request *request, uint32_t *winners);
#define NAIVE_NONE_BIT (1u << 31)

#endif
