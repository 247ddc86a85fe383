/*
 * The operator's hand on a session that stands in the way: its query is cancelled, or it is ended. Sessions of other clients of this
 * database only: never ours, never a kong-upgrade worker's, never one of the server's own processes. Who may: PostgreSQL lets a role do
 * it to its own sessions, a member of pg_signal_backend to all but a superuser's, a superuser to all (PostgreSQL's manual, "Server
 * Signaling Functions").
 */
#ifndef CORE_DB_BLOCKER_H
#define CORE_DB_BLOCKER_H

#include "core/base/error.h"

#include <stdbool.h>

struct pg;

/* Cancels the query that the backend runs now. An idle session has none: then that is the error, since to cancel would change nothing.
 * Errors: gone already, not such a session, no right (and who has it). */
bool blocker_cancel(struct pg *pg, int pid, struct error *error);

/* Ends its session; what it had not committed is rolled back. The same errors. */
bool blocker_terminate(struct pg *pg, int pid, struct error *error);

#endif
