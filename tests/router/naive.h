/*
 * How Kong chooses, step by step over all routes, as router.lua does and without any index: slow, and simple enough to be read beside it.
 * For one order of tied routes, or for all of them. No headers.
 */
#ifndef TESTS_ROUTER_NAIVE_H
#define TESTS_ROUTER_NAIVE_H

#include "core/router/router.h"

#define NAIVE_ROUTES 10
#define NAIVE_NONE (-1)

/* The winner where tied routes stand in order of `rank` (one a route; the lower first), or NAIVE_NONE. `before`: of 1.2's equally small
 * sets, whether those of HOST (1), METHOD (2) and SNI (4) are tried before that of URI. */
int naive_match(enum router_version version, const struct routes *routes, const int *rank, unsigned before, const struct request *request);

/* All winners that any order gives: bit i for route i, and bit 31 for none. false where there are too many orders to try. */
bool naive_match_all(enum router_version version, const struct routes *routes, const struct request *request, uint32_t *winners);
#define NAIVE_NONE_BIT (1u << 31)

#endif
