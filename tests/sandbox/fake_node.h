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

struct fake_node {
    const char *version;               /* as given: may be hostile */
    int minor;                         /* of 1.x; -1: 0.14 */
    const char *address;               /* that it listens on */
    int admin_port, proxy_port;        /* 0: any that is free; set when it listens */
    const char *mode;                  /* of misbehaving, or NULL */
    const char *traffic_file;          /* holds requests per second to be made believe, or NULL */
    int fail_percent;                  /* of the proxy's answers */
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

/* node_hostile.c: the Admin API that misbehaves; likewise. */
bool fake_hostile_start(struct fake_node *node);
bool fake_hostile_is_mode(const char *mode);

#endif
