/*
 * Kong's own command as the work of a worker: `kong migrations up`, `finish` and `bootstrap`, for everything (engine = kong in fleet.ini) or,
 * after ours, for custom plugins; and `kong start`.
 *
 * The worker holds the advisory lock meanwhile, so that no other of ours begins, but never Kong's, which the command itself takes: for 60 s,
 * and it does not renew it (correction C7), so the worker does. What it says goes into the journal (`output`), bounded and without
 * control characters or the database's password. It exits with 0 also where it did nothing: what is said of the outcome is read from
 * schema_meta. It gets no KONG_*, but a private copy of kong.conf (conf_copy.h), which the worker removes.
 */
#ifndef CORE_KONG_RUN_H
#define CORE_KONG_RUN_H

#include "core/conf/fleet.h"
#include "core/migrations/run.h"

/* The commands beside up, finish and bootstrap. */
#define KONG_CUSTOM_UP "custom-up"
#define KONG_CUSTOM_FINISH "custom-finish"
#define KONG_START "start"

struct kong_task {
    const char *command;         /* of the job */
    const char *words[2];        /* Kong's: "migrations", "up" */
    bool custom;                 /* for custom plugins alone */
};

const struct kong_task *kong_task_find(const char *command);   /* NULL: there is none */

#define KONG_OUTPUT_LINES 1000   /* so many go into the journal as they come, and then the last that are kept (HOOK_LINES) */

/* Makes the job one of Kong's command: finds that (up to KONG_VERSION_MS), and copies `conf_file` with our environment's KONG_*.
 * kong_job_free removes the copy again; not where a worker was started. */
bool kong_job_make(struct run_job *job, const struct fleet *fleet, const char *conf_file, struct error *error);
void kong_job_free(struct run_job *job, bool started);

/* In the worker. */
struct run_outcome kong_run(const struct run_job *job, struct journal *journal, const volatile sig_atomic_t *stop);

/* What is typed to do the same by hand: "kong migrations up -c /etc/kong/kong.conf". The caller frees. */
char *kong_command_text(const char *command, const char *binary, const char *conf_file);

#endif
