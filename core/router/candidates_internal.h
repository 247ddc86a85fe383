/* What making candidates is made of. Of candidates*.c alone. */
#ifndef CORE_ROUTER_CANDIDATES_INTERNAL_H
#define CORE_ROUTER_CANDIDATES_INTERNAL_H

#include "core/router/candidates.h"

#define PRODUCT 64           /* of one route's own values */

/* What may stand for "none of the others": a host for a route without, and what stands in a wildcard's place. */
#define ANY_LABEL "any"

struct maker {
    struct router *new;
    struct route_index *index;
    candidate_try *try;
    void *context;
    size_t most;
    struct candidates_done done;
    bool ended;
    uint64_t *seen;          /* hashes of what was tried; 0 is free */
    size_t seen_slots;
    struct names *samples;   /* one list a path, made when asked for; empty for plain ones */
    bool *sampled;
    size_t neighbours, turn;
    const char *unnamed;     /* a method that no route names */
};

/* Tries it, if it was not tried before. */
void candidate_request(struct maker *maker, const struct request *request);

/* A route's values, as requests have them. Zero-initialise it. */
struct values {
    const char *list[PRODUCT];
    bool longer[PRODUCT];       /* of paths: try it longer too */
    size_t count;
    char *own[PRODUCT];         /* to be freed */
    size_t own_count;
};

void values_add(struct values *values, const char *text, size_t most);
void values_free(struct values *values);

/* At most `most` of the route's values; where it has none, something that stands for none. values_free frees what read_hosts makes. */
void read_hosts(const struct maker *maker, uint32_t route, struct values *values, size_t most);
void read_paths(const struct maker *maker, uint32_t route, struct values *values, size_t most);
void read_methods(const struct maker *maker, uint32_t route, struct values *values, size_t most);
void read_snis(const struct maker *maker, uint32_t route, struct values *values, size_t most);

const struct names *samples_of(const struct maker *maker, uint32_t path);   /* of a regex */
char *instance_of(const char *wildcard);                                    /* something in the place of each `*`; the caller frees */

/* Any values of all routes with any others. */
void try_crossed(struct maker *maker);

#endif
