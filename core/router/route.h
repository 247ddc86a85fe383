/*
 * Routes as they stand in the database: what Kong's routers look at, and what an operator knows them by.
 *
 * They are loaded from `routes` of any version since 0.14 (columns that came later may be missing; any column may be NULL), or from
 * JSON as the Admin API writes it.
 */
#ifndef CORE_ROUTER_ROUTE_H
#define CORE_ROUTER_ROUTE_H

#include "core/base/error.h"
#include "core/base/names.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct pg;

struct route_header {
    char *name;              /* in lower case */
    struct names values;     /* in lower case */
};

/* `sources` or `destinations`. In the http subsystem no address is known to the router (kong/router.lua at 1.2.3 and 1.3.0: exec passes
 * none), so that all that counts is whether there are any, and whether one asks for no address and no port. */
struct route_ends {
    size_t count;
    bool open;
};

struct route {
    char *id, *name, *service;                  /* the service by name, else by id; name and service may be NULL */
    struct names protocols, methods, hosts, paths, snis;   /* methods in upper case */
    bool hosts_null;                            /* NULL, where `[]` counts as "all plain" in 1.3's order */
    bool bare;                                  /* hosts, paths, methods, snis, sources and destinations are all NULL */
    struct route_ends sources, destinations;
    struct route_header *headers;               /* since 1.3; without "host" */
    size_t header_count;
    double regex_priority;                      /* NULL is 0; a double as in Lua */
    int64_t created_at;                         /* microseconds since the epoch; NULL is 0 */
};

struct routes {
    struct route *list;                         /* in order of id, as the database gives it */
    size_t count;
};

/* All routes with their services' names. false and an error otherwise, and where the schema has no table `routes`. routes_free either way. */
bool routes_load(struct pg *pg, struct routes *routes, struct error *error);

/* The same from an array of objects: id, name, service (a name, or an object with one), and the columns; created_at in seconds. */
bool routes_from_json(const json_t *array, struct routes *routes, struct error *error);

void routes_free(struct routes *routes);

/* What an operator knows it by: `name`, else its id. */
const char *route_label(const struct route *route);

/* Fills the headers from an object of arrays ({"x-a": ["1", "2"]}); NULL and JSON's null are none. false where it is something else. */
bool route_set_headers(struct route *route, const json_t *object);

/* The same for sources and destinations: an array of objects with ip, port, both or none. */
bool route_set_ends(struct route_ends *ends, const json_t *array);

#endif
