/*
 * Runs a plan: takes the locks, makes every change that is not done in the way that no one notices, records the migrations exactly
 * as Kong does, and writes it all to the journal. It can be stopped, killed or cut off from the server anywhere: running it again
 * finishes the job, since every change is asked first whether it is done.
 *
 * How it keeps out of the way:
 *  - DDL runs in a short transaction, one change each, with lock_timeout 50, then 100, then 200 ms, and is tried again after
 *    growing, jittered pauses (250 ms to 30 s) until the deadline; then the run is paused, nothing half done.
 *  - To read whether a change is done waits until the deadline: a wait for a read lock keeps no one else from the table.
 *  - A statement that the server still runs for a dead worker is waited for, ten seconds, before anything is begun.
 *  - Indexes are built CONCURRENTLY, without lock_timeout; an invalid one is dropped and built again, five times at most.
 *  - Backfills go page by page in batches sized towards 50 ms, each a transaction of its own.
 *  - An empty database is filled in a single transaction: it is empty or complete.
 */
#ifndef CORE_MIGRATIONS_RUN_H
#define CORE_MIGRATIONS_RUN_H

#include "core/journal.h"
#include "core/migrations/plan.h"

#include <signal.h>

#define RUN_GRACE_MS 5000           /* after a request to stop, so long may the statement in hand take */

struct run_job {
    const char *command;            /* for the journal: "up", "finish", "bootstrap", "rollback", "backup" */
    enum plan_kind kind;
    enum kong_version to;           /* KONG_1_3 but for building test databases; of a rollback: the release to go back to */
    const struct datastore *datastore;
    const struct names *plugins;
    bool resume;                    /* an interrupted `up` of ours is being continued; of a rollback: one of these */
    bool clear_dead_lock;           /* the operator confirmed that the lock row of a dead worker of ours be removed */
    int deadline_ms;                /* how long one change may be tried for its lock */
    const char *folder;             /* of `backup` (core/backup/backup.h): where to; absolute */

    /* Kong's own command runs it (core/kong_run.h): these are owned, kong_job_make fills them. NULL: we do. */
    char *kong, *kong_conf;         /* its path; a private kong.conf, removed by the worker */
    int kong_deadline;              /* seconds */
    char **environment;             /* the worker's, and so the command's */
};

enum run_result { RUN_DONE, RUN_NOTHING, RUN_PAUSED, RUN_HELD, RUN_REFUSED, RUN_FAILED };

/* "done", "nothing", "paused"… as in the journal. */
const char *run_result_name(enum run_result result);

struct run_outcome {
    enum run_result result;
    int exit_code;                  /* 0, 10 paused, 9 held, a refusal's own, 1 failed */
    char *message;                  /* a sentence; the caller frees */
};

/* `stop` is set by a signal handler; the run then ends at the next safe point. */
struct run_outcome run_job(const struct run_job *job, struct journal *journal, const volatile sig_atomic_t *stop);

#endif
