/*
 * What both routers share: every text that routes hold, numbered, found by whole hosts, prefixes of paths and ends of wildcards; and what
 * one request looks like beside them. The routers of both versions stand on one index, so that a request is looked at once.
 */
#ifndef CORE_ROUTER_INDEX_H
#define CORE_ROUTER_INDEX_H

#include "core/router/atoms.h"
#include "core/router/pattern.h"
#include "core/router/route.h"
#include "core/router/router.h"

enum host_kind { HOST_PLAIN, HOST_TAIL /* *.example.com */, HOST_HEAD /* example.* */, HOST_PATTERN /* any other wildcard */ };

struct host_info {
    enum host_kind kind;
    struct pattern *pattern;      /* HOST_PATTERN alone */
};

struct path_info {
    struct pattern *pattern;      /* NULL: a plain path */
    uint32_t stem;                /* of a regex */
    uint32_t looked_at, matched_at;   /* the look for which the verdicts stand */
    enum verdict hits, matches;
};

/* One route's values as numbers, in the order of its lists. Methods, SNIs and headers are maps in Kong: each once. */
struct keys {
    uint32_t *hosts, *paths, *methods, *snis, *headers;
    uint32_t host_count, path_count, method_count, sni_count, header_count;
    uint32_t longest_plain;       /* the length of the longest plain path */
    bool wildcard, regex;         /* has one */
};

/* A list of numbers that grows. */
struct numbers {
    uint32_t *list;
    size_t count, capacity;
};

struct route_index {
    const struct routes *routes;
    struct keys *keys;            /* one a route */
    struct atoms hosts, paths, methods, snis, headers, stems, tails, heads;
    struct host_info *host_info;  /* one a host */
    struct path_info *path_info;  /* one a path */
    uint32_t *tail_host, *head_host;   /* the wildcard of a tail, of a head */
    struct numbers patterns;      /* hosts of kind HOST_PATTERN */
    bool *path_lengths;           /* [length]: a plain path or a stem is as long */
    size_t longest;
    struct matcher *matcher;
    uint64_t glances;             /* at routes, that might have matched */

    /* The request that was looked at last. */
    uint32_t look;                /* counts */
    const struct request *request;
    const char *path;
    size_t path_length;
    uint32_t host, path_key, method, upper_method, sni;   /* ATOM_NONE where no route has it */
    struct numbers wildcards;     /* that match the host */
    struct numbers broken;        /* those of kind HOST_PATTERN that PCRE refuses or gives up on */
    struct numbers prefixes;      /* plain paths the request's begins with, shortest first */
    struct numbers path_stems;    /* stems likewise */
    struct numbers request_headers;
    uint32_t *host_look, *path_look, *header_look;        /* [number]: the look at which it matched, was a prefix, was there */
    char *host_text;
    size_t host_capacity;
};

void numbers_add(struct numbers *numbers, uint32_t number);

/* Whether the route's regex hits the path that was looked at, and whether the route matches by it; each asked of PCRE once. */
enum verdict index_hits(struct route_index *index, uint32_t path);
enum verdict index_matches(struct route_index *index, uint32_t path);

#endif
