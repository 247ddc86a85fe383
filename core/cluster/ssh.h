/*
 * Starting the operator's own ssh, to forward Unix sockets of ours to what its host can reach. For tunnel.c alone.
 *
 * By fork rather than uv_spawn, which can't ask for PR_SET_PDEATHSIG: so that it ends with us even when we are killed. An argument
 * vector, no shell; nothing is asked (BatchMode): keys are the agent's, the rest is the operator's ssh configuration. Its environment is
 * ours without what may hold secrets that we know of: KONG_*, PG*, and the variables of fleet.ini's headers.
 */
#ifndef CORE_CLUSTER_SSH_H
#define CORE_CLUSTER_SSH_H

#include "core/base/names.h"
#include "core/conf/fleet.h"

#include <sys/types.h>

/* Forwards `sockets` (paths) to `targets` ("HOST:PORT"), one each. The process, which the caller waits for, leads a session of its own; what it
 * says on stderr is read from `*stderr_fd`, which does not block and is the caller's. -1 and errno where it can't be forked; where there
 * is no ssh, that is said on its stderr. */
pid_t ssh_start(const struct fleet_ssh *to, char *const *sockets, const struct names *targets, const struct names *secrets, int *stderr_fd);

#endif
