/*
 * fleet.ini: the nodes of both clusters, and where their kong.conf is. Read by inih.
 *
 *     [datastore]
 *     kong_conf = /etc/kong/kong.conf
 *     [old]
 *     node = old-1 http://10.0.0.11:8001
 *     [new]
 *     node = new-1 http://10.0.0.21:8001
 *     [gates]
 *     quiet = 120
 *     quiet_rps = 0.5
 *     lock_deadline = 600
 *     [hooks]                        (hooks.h)
 *     divert = /usr/local/bin/move-traffic {percent}
 *
 * `quiet`: so many seconds must the old nodes have served nothing before step 4 opens (default 120). `quiet_rps`: so many requests a
 * second, beyond our own polls, may each of them serve and still be quiet (default 0): what a Prometheus scraper, a health checker or
 * another kong-upgrade asks of its Admin API. `lock_deadline`: so many seconds is a change tried again for its lock before the run is
 * paused (default 600). One node a line; nothing in it is secret, so an address with a password in it is refused.
 */
#ifndef CORE_CONF_FLEET_H
#define CORE_CONF_FLEET_H

#include "core/base/error.h"
#include "core/conf/hooks.h"

#include <stdbool.h>
#include <stddef.h>

#define FLEET_QUIET_SECONDS 120
#define FLEET_LOCK_DEADLINE_SECONDS 600
#define FLEET_LINE_LIMIT 198   /* Debian's inih cuts lines at 200 bytes, the newline and the NUL among them */

enum cluster { CLUSTER_OLD, CLUSTER_NEW };

struct fleet_node {
    enum cluster cluster;
    char *name;                /* unique in the fleet */
    char *url;                 /* of its Admin API: http or https, host, perhaps a port and a path */
};

/* Zero-initialise. Owns everything. */
struct fleet {
    char *file;                /* the one that was read, or where it would be saved */
    char *kong_conf;           /* NULL: not said */
    int quiet_seconds, lock_deadline_seconds;
    double quiet_rps;
    struct hooks hooks;        /* [hooks]: see hooks.h */
    struct fleet_node *nodes;
    size_t count;
};

/* Reads `file`, or, where that is NULL, the first that exists of $XDG_CONFIG_HOME/kong-upgrade/fleet.ini (~/.config without it)
 * and /etc/kong-upgrade/fleet.ini; none is an empty fleet, whose `file` is the first of them (a user without a home has the last).
 * Errors name file and line: unknown section or key, over-long line, a bad node, a bad hook; and hooks in a file that everyone may
 * write. On failure the fleet is empty. */
bool fleet_load(struct fleet *fleet, const char *file, struct error *error);

/* Writes it to its `file` (0600), by way of a temporary file, making folders (0700); it loads back equal, the old cluster's nodes
 * first. Errors: a kong_conf that no line can hold, and what the system says. */
bool fleet_save(const struct fleet *fleet, struct error *error);

/* Adds a node, after the same checks as on loading. */
bool fleet_add(struct fleet *fleet, enum cluster cluster, const char *name, const char *url, struct error *error);
void fleet_remove(struct fleet *fleet, const char *name);

size_t fleet_count(const struct fleet *fleet, enum cluster cluster);
const char *cluster_name(enum cluster cluster);   /* "old", "new" */
void fleet_free(struct fleet *fleet);

#endif
