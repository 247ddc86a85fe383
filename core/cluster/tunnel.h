/*
 * The operator's own ssh (ssh.c) as a way to Admin APIs that only their hosts can reach: one process per host, with a Unix socket of ours
 * for each node there, in a folder of their own (0700) under $XDG_RUNTIME_DIR, $TMPDIR or /tmp. It is started again when it ends, with
 * growing pauses.
 */
#ifndef CORE_CLUSTER_TUNNEL_H
#define CORE_CLUSTER_TUNNEL_H

#include "core/base/names.h"
#include "core/conf/fleet.h"

#include <stdbool.h>
#include <uv.h>

#define TUNNEL_PATIENCE_MS 20000     /* for ssh to connect */
#define TUNNEL_PAUSE_MS 1000         /* before it is started again; doubled each time, up to the longest */
#define TUNNEL_LONGEST_PAUSE_MS 30000

struct tunnel;

/* Starts ssh to `ssh` (fleet.ini's ssh://…). `targets`: "HOST:PORT" as seen from there, a socket each. `secrets`: variables of the
 * environment that ssh is not given. All are copied. `changed` is called when the tunnel comes up or goes down. NULL and an error where
 * there can be no folder for the sockets. */
struct tunnel *tunnel_start(uv_loop_t *loop, const char *ssh, const struct names *targets, const struct names *secrets,
                            void (*changed)(void *context, struct tunnel *tunnel), void *context, struct error *error);

const char *tunnel_socket(const struct tunnel *tunnel, size_t target);   /* its path */
const char *tunnel_ssh(const struct tunnel *tunnel);
bool tunnel_is_up(const struct tunnel *tunnel);

/* Why it is not up, or was not the last time: a sentence, hostile text in it. NULL: nothing is known against it. */
const char *tunnel_problem(const struct tunnel *tunnel);

/* What ssh has said by now: how many connections the hosts behind it have refused, and how many could not be opened for other reasons;
 * `last` is the reason of those. Reads what there is first. */
struct tunnel_tally {
    unsigned refused, failed;
    const char *last;
};
struct tunnel_tally tunnel_tally(struct tunnel *tunnel);

/* Ends ssh. `changed` is not called any more. Memory is freed, and the folder removed, once the loop has run until ssh has ended, which
 * takes some milliseconds (where it does not heed SIGTERM, a second). */
void tunnel_stop(struct tunnel *tunnel);

#endif
