/*
 * The process that runs a plan: this same program, started detached (a session of its own, standard streams on files), so that a
 * lost terminal or SSH session costs the view and not the work. What it has to know, the password among it, it is told through a
 * pipe: nothing secret is in its arguments or its environment. It answers with its journal.
 */
#ifndef CORE_WORKER_H
#define CORE_WORKER_H

#include "core/migrations/run.h"

/* The argument that makes the program a worker: `kong-upgrade worker`, with a job on its standard input. */
#define WORKER_COMMAND "worker"

/* Starts a worker on the job, outside of a login session that would end it (linger.h), and waits until it has opened its journal (a
 * moment; call it off the event loop). Returns the
 * journal's path, which the caller frees; NULL and an error where it could not start. */
char *worker_start(const struct run_job *job, struct error *error);

/* Asks the worker that writes this journal to stop at the next safe point. */
bool worker_stop(const char *journal_path, struct error *error);

/* Whether the last `up` recorded in the folder's journals was cut short (killed, stopped, failed): then another `up` resumes it. One
 * that never began, since it was refused or the lock was held, says nothing. */
bool worker_up_interrupted(const char *folder);

/* Likewise of the last `rollback`, which is resumed by another one. Either ends what the other has begun. */
bool worker_rollback_interrupted(const char *folder);

/* One of the two, asked of the journals of that datastore. */
bool worker_resumes(const struct datastore *datastore, bool (*interrupted)(const char *folder));

/* When the upgrade that the folder's journals tell of began (its first `up`, or `bootstrap`) and ended (with a `finish` that was done), as
 * wall times in ms; 0: it has not. Reads all journals. */
void worker_upgrade_times(const char *folder, int64_t *began_ms, int64_t *ended_ms);

/* main() of the worker. Returns its exit code. */
int worker_main(void);

#endif
