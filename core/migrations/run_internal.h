/* What the files of a run share: run.c (order of things, locks), apply.c (one change), backfill.c (rows), proof.c (the proof),
 * rollback_run.c (a rollback's order of things). */
#ifndef CORE_MIGRATIONS_RUN_INTERNAL_H
#define CORE_MIGRATIONS_RUN_INTERNAL_H

#include "core/migrations/probe.h"
#include "core/migrations/proof.h"
#include "core/migrations/rollback.h"
#include "core/migrations/run.h"

#include <stdint.h>

struct run {
    const struct run_job *job;
    struct journal *journal;
    const volatile sig_atomic_t *stop;
    struct pg *main;            /* makes the changes */
    struct pg *aux;             /* holds the advisory lock, renews Kong's, looks who blocks */
    char *owner;                /* Kong's lock is held under that name; NULL: not held */
    int64_t renewed_at, stop_seen_at, looked_at, statement_at;
    bool lock_lost;             /* it could not be renewed in time: no further change is begun */
    const char *current_id;     /* the change in hand, for events */
    const char *current_table;  /* and its table; NULL: none */
    struct probe *probe;        /* NULL: none could be started */
    double stall_told_ms;       /* of the change in hand, in the last event */
    int64_t stall_told_at;
    struct plan plan;
    struct proof proof;
    struct rollback rollback;   /* of a rollback: what was found before its first change */
};

/* Connects; where connections are few, the one of whoever started us may not be gone yet, so it tries for a second. */
struct pg *run_connect(const struct datastore *datastore, const char *role, int timeout_ms, struct error *error);

/* Renews the lock, sees to a request to stop. false: the statement in hand must be cancelled. Also the tick of both connections'
 * waits on `main`. */
bool run_tick(void *run);

/* Whether to begin something further; fills the error (ERROR_STOPPED, ERROR_HELD) where not. */
bool run_may_go_on(struct run *run, struct error *error);

/* What is done outside transactions on `main` waits for its locks until the deadline, or, `until_deadline` false, without end. */
bool run_wait_for_locks(struct run *run, bool until_deadline, struct error *error);

/* Sleeps, ticking. false and an error where the run is to end. */
bool run_pause(struct run *run, int64_t milliseconds, struct error *error);

/* Adds a "wait" event with who stands in the way of `table` (or of the statement in hand, where NULL). */
void run_report_wait(struct run *run, const char *table, const char *why);

/* Adds a "stall" event where the stall meter has something new: at most twice a second, or, `always`, at the change's end. */
void run_report_stall(struct run *run, bool always);

/* Makes the change, where it is not done, with its events in the journal; else as apply_change. */
bool run_change(struct run *run, const struct plan_change *each, const struct plan_step *record, bool *recorded, struct error *error);

/* Whether Kong's lock is known to be gone with its table: it is not released. */
void run_forget_lock(struct run *run);

/* A rollback: looks and plans (in place of state_read and plan_build), and runs it. `verdict`: whether it may. */
bool rollback_run_look(struct run *run, struct error *error);
struct verdict rollback_run_check(const struct run *run);
bool rollback_run_steps(struct run *run, struct error *error);

/* Once it has run: whether the database says so. A sentence, which the caller frees, or NULL where it does not; an error where it can't be asked. */
bool rollback_run_conclude(struct run *run, char **sentence, struct error *error);

/* Makes one change that is not done. Where its last part is a transaction and `step` is not NULL, the step is recorded in the same
 * transaction (*recorded), once all its changes answer that they are done. */
bool apply_change(struct run *run, const struct change *change, const struct plan_step *step, bool *recorded, struct error *error);

/* Asks all changes of the step whether they are done, those about rows (where `rows`, and in `finish` only) and those about the
 * catalogs; an error names the first that is not. */
bool apply_verify(struct run *run, const struct plan_step *step, bool rows, bool catalogs, struct error *error);

/* Writes the step to schema_meta, as Kong does. */
bool apply_record(struct run *run, const struct plan_step *step, struct error *error);

/* A backfill or a deletion, in batches. In `finish` no row in need is left; in `up` those may be that nodes wrote while it ran. */
bool backfill_run(struct run *run, const struct change *change, struct error *error);

#endif
