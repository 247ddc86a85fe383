/*
 * fleet.ini: the nodes of both clusters, how their Admin APIs are reached, and where their kong.conf is. Read by inih.
 *
 *     [datastore]
 *     kong_conf = /etc/kong/kong.conf
 *     [old]
 *     node = old-1 http://10.0.0.11:8001
 *     node = pod-* http://kong-old.internal:8001
 *     node = far ssh://ops@10.0.0.12:2222 http://127.0.0.1:8001
 *     header = apikey: ${KONG_ADMIN_KEY}
 *     [new]
 *     node = new-1 https://10.0.0.21:8444
 *     ca = /etc/kong/admin-ca.pem
 *     certificate = /etc/kong/client.pem
 *     key = /etc/kong/client.key
 *     insecure = off
 *     [gates]
 *     quiet = 120
 *     quiet_rps = 0.5
 *     lock_deadline = 600
 *     [kong]
 *     bin = /usr/local/bin/kong
 *     engine = kong
 *     deadline = 3600
 *     [hooks]                        (hooks.h)
 *     divert = /usr/local/bin/move-traffic {percent}
 *
 * One setting a line, unknown ones are refused. Nothing in the file is secret: an address with a password in it is refused, and so is
 * a header's value that is not `${VARIABLE}`, which is taken from the environment when the file is read.
 *
 * node: a name and the address of its Admin API. A name with one `*` stands for as many nodes as the host's name has addresses (pod-1,
 * pod-2 …). With `ssh://[USER@]HOST[:PORT]` before it the address is as seen from HOST, and is reached through the operator's own ssh.
 * header, ca, certificate, key, insecure: of all nodes of that cluster. `quiet`: so many seconds must the old nodes have served nothing
 * before step 4 opens (default 120). `quiet_rps`: so many requests a second, beyond our own polls, may each of them serve and still
 * be quiet (default 0): what a Prometheus scraper, a health checker or another kong-upgrade asks of its Admin API. `lock_deadline`: so
 * many seconds is a change tried again for its lock before the run is paused (default 600).
 *
 * [kong] bin: Kong 1.3's own command; not said, it is looked for (kong_binary.h). engine: who makes the migrations, `kong-upgrade` (the
 * default) or `kong`, its own `kong migrations`. deadline: after so many seconds a command of Kong's is ended (default 3600).
 */
#ifndef CORE_CONF_FLEET_H
#define CORE_CONF_FLEET_H

#include "core/base/error.h"
#include "core/conf/hooks.h"
#include "core/conf/ini_file.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <time.h>

#define FLEET_QUIET_SECONDS 120
#define FLEET_LOCK_DEADLINE_SECONDS 600
#define FLEET_KONG_DEADLINE_SECONDS 3600
#define FLEET_LINE_LIMIT INI_LINE_LIMIT

enum cluster { CLUSTER_OLD, CLUSTER_NEW };

struct fleet_node {
    enum cluster cluster;
    char *name;                /* unique in the fleet; may hold one `*` */
    char *url;                 /* of its Admin API: http or https, host, perhaps a port and a path */
    char *ssh;                 /* ssh://[USER@]HOST[:PORT] that it is reached through, or NULL */
    char *whole;               /* the url with all that may be left out, to be compared by fleet_add; NULL: not made yet */
};

struct fleet_header {
    char *name, *variable;     /* of the environment */
    char *value;               /* secret: never shown, wiped when it is freed */
};

/* How the Admin APIs of one cluster are asked. Files are full paths of PEM; NULL: not said. */
struct fleet_access {
    char *ca;                  /* whose signature counts; NULL: the system's */
    char *certificate, *key;   /* our own; the key may be in the certificate's file */
    bool insecure;             /* certificates are not checked */
    struct fleet_header *headers;
    size_t header_count;
};

/* A file as it was when it was read or saved. */
struct fleet_stamp {
    bool known;                /* it was looked at */
    dev_t device;
    ino_t inode;               /* 0: there was none */
    off_t size;
    struct timespec changed;
};

/* Zero-initialise. Owns everything. */
struct fleet {
    char *file;                /* the one that was read, or where it would be saved */
    struct fleet_stamp stamp;  /* of it */
    char *kong_conf;           /* NULL: not said */
    int quiet_seconds, lock_deadline_seconds;
    double quiet_rps;
    char *kong_bin;            /* a full path; NULL: not said */
    bool kong_engine;          /* Kong's own commands make the migrations */
    int kong_deadline_seconds; /* 0: not said; see fleet_kong_deadline */
    struct hooks hooks;        /* [hooks]: see hooks.h */
    struct fleet_node *nodes;
    size_t count;
    struct fleet_access access[2];   /* by enum cluster */
};

/* Reads `file`, or, where that is NULL, the first that exists of $XDG_CONFIG_HOME/kong-upgrade/fleet.ini (~/.config without it)
 * and /etc/kong-upgrade/fleet.ini; none is an empty fleet, whose `file` is the first of them (a user without a home has the last).
 * Errors name file and line: unknown section or key, over-long line, a bad node, a bad hook; and commands in a file that everyone may
 * write. On failure the fleet is empty. */
bool fleet_load(struct fleet *fleet, const char *file, struct error *error);

/* Writes it to its `file` (0600), by way of a temporary file, making folders (0700); it loads back equal, the old cluster's nodes
 * first. Comments of a file that was there are lost. Errors: one that someone else has changed meanwhile, whose nodes would be lost; a
 * kong_conf that no line can hold; and what the system says. */
bool fleet_save(struct fleet *fleet, struct error *error);

/* Someone has written its `file` since it was loaded or saved: by hand, or another kong-upgrade. *stamp: the file as it is now. */
bool fleet_has_changed(const struct fleet *fleet, struct fleet_stamp *stamp);
bool fleet_stamp_equal(const struct fleet_stamp *one, const struct fleet_stamp *other);

/* Adds a node, after the same checks as on loading. `address`: what follows the name in fleet.ini, URL or SSH URL. Refused: a name
 * that is there or that a `*` may come to, an address that is there. */
bool fleet_add(struct fleet *fleet, enum cluster cluster, const char *name, const char *address, struct error *error);
void fleet_remove(struct fleet *fleet, const char *name);

/* `name` with `number` for its `*`. The caller frees. */
char *fleet_numbered(const char *name, unsigned number);

struct fleet_ssh {
    char *user;                /* or NULL */
    char *host;                /* without the brackets of IPv6; does not begin with '-', nor does user */
    int port;                  /* 0: not said */
};

/* The parts of ssh://…, which the caller frees. False where it is no such thing. */
bool fleet_parse_ssh(const char *ssh, struct fleet_ssh *parts);
void fleet_ssh_free(struct fleet_ssh *parts);

/* `to` is empty before. */
void fleet_copy(struct fleet *to, const struct fleet *from);
void fleet_access_copy(struct fleet_access *to, const struct fleet_access *from);
void fleet_access_free(struct fleet_access *access);

/* One setting of a cluster's section but `node`: `key` is one of fleet_access_keys. */
extern const char *const fleet_access_keys[];   /* a NULL ends them */
bool fleet_access_set(struct fleet_access *access, const char *key, const char *value, struct error *error);

int fleet_kong_deadline(const struct fleet *fleet);   /* in effect */
bool fleet_has_ssh(const struct fleet *fleet);   /* some node is behind ssh */
size_t fleet_count(const struct fleet *fleet, enum cluster cluster);
const char *cluster_name(enum cluster cluster);   /* "old", "new" */
void fleet_free(struct fleet *fleet);

#endif
