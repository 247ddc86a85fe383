/*
 * A stand-in for a Kong node, for tests and the sandbox: its Admin API, its proxy port, its sessions in the database and its refusal to
 * start on a schema that it can't use, as the releases 0.14.1 to 1.3 behave. It routes nothing.
 */
#ifndef TESTS_SANDBOX_FAKE_NODE_H
#define TESTS_SANDBOX_FAKE_NODE_H

#include "core/conf/kong_conf.h"

#include <libpq-fe.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define FAKE_BUCKETS 26
#define FAKE_LATENCIES 3               /* kong, request, upstream */
#define FAKE_SERVICES 2

/* What its Prometheus plugin has counted. */
struct fake_metrics {
    atomic_llong all, well[FAKE_SERVICES], failed[FAKE_SERVICES];
    atomic_llong buckets[FAKE_LATENCIES][FAKE_SERVICES][FAKE_BUCKETS], observed[FAKE_LATENCIES][FAKE_SERVICES];
};

struct fake_node {
    const char *version;               /* as given: may be hostile */
    int minor;                         /* of 1.x; -1: 0.14 */
    const char *address;               /* that it listens on */
    int admin_port, proxy_port;        /* 0: any that is free; set when it listens */
    const char *mode;                  /* of misbehaving, or NULL */
    const char *traffic_file;          /* holds requests per second to be made believe, and perhaps the next two, or NULL */
    atomic_int fail_percent;           /* of the proxy's answers */
    atomic_int latency_ms;             /* that most requests are told to have taken */
    bool prometheus;                   /* the plugin is loaded and enabled */
    bool metrics_hang;                 /* /metrics takes the request and never answers */
    const char *metrics_file;          /* what it answers instead, whatever that is; NULL: as the plugin does */
    struct fake_metrics metrics;
    int poll_ms;
    bool no_database;
    const char *tls_cert, *tls_key;    /* PEM files: the Admin API speaks HTTPS; or NULL */
    const char *header;                /* "NAME: VALUE" without which the Admin API answers 401; or NULL */
    char node_id[37];
    struct kong_conf conf;
    atomic_llong requests, served;     /* all; the proxy's */
};

/* node_database.c */

/* NULL where it fails; says why on stderr if `loud`. */
PGconn *fake_database_connect(const struct fake_node *node, bool loud);

/* Whether a node of that version starts on this schema; says why not on stderr, as Kong does. */
bool fake_database_check(const struct fake_node *node);

/* Polls cluster_events for ever, in a thread of its own. */
void fake_database_poll(struct fake_node *node);

/* node_http.c: false and a message on stderr where the ports are taken. */
bool fake_http_start(struct fake_node *node);

/* node_metrics.c: so many requests were proxied; and the answer to GET /metrics, which the caller frees. */
void fake_metrics_count(struct fake_node *node, long long count);
char *fake_metrics_text(struct fake_node *node);

/* node_hostile.c: the Admin API that misbehaves; likewise. */
bool fake_hostile_start(struct fake_node *node);
bool fake_hostile_is_mode(const char *mode);

#endif
