/*
 * A plan: the changes that are still to be made, in order, each with what it costs, and the migrations they belong to.
 */
#ifndef CORE_MIGRATIONS_PLAN_H
#define CORE_MIGRATIONS_PLAN_H

#include "core/migrations/state.h"

#include <jansson.h>
#include <stdint.h>

enum plan_kind {
    PLAN_UP,          /* every migration that is new or missing */
    PLAN_FINISH,      /* the teardowns of those that are pending */
    PLAN_BOOTSTRAP,   /* all of a release, each up followed by its teardown, on an empty database */
    PLAN_ROLLBACK,    /* what undoes the `up` of migrations after a release (rollback.h, which builds it) */
};

struct plan_change {
    const struct change *change;
    size_t step;              /* index into steps */
    bool done;                /* its effect is there already (after a crash, or C9): not made again */
    struct change_cost cost;
    int64_t rows;             /* the table's, as the server estimates; -1: the table is not there yet */
    int64_t bytes;            /* table and indexes; -1 likewise */
};

/* One recording in schema_meta: a migration's `up` or its teardown. It may have no change at all. */
struct plan_step {
    const struct subsystem *subsystem;
    const struct migration *migration;
    enum change_phase phase;
    size_t first, count;      /* its changes */
};

struct plan {
    enum plan_kind kind;
    enum kong_version to;
    bool from_014;
    struct plan_step *steps;
    size_t step_count;
    struct plan_change *changes;
    size_t change_count;
    struct change **undos;    /* of PLAN_ROLLBACK: the changes themselves, which no table has */
};

/* Builds it for the state at hand, asking every change whether it is done. `to` is KONG_1_3 but for building test databases.
 * plan_free frees; nothing in it points into `state`. */
bool plan_build(struct pg *pg, const struct state *state, enum plan_kind kind, enum kong_version to, struct plan *plan,
                struct error *error);
void plan_free(struct plan *plan);

/* For a plan whose changes are chosen: asks each whether it is done, and what it costs. On failure the plan is freed. */
bool plan_ask(struct pg *pg, struct plan *plan, struct error *error);

/* Whether a change belongs into a plan of its kind and origin, in a step of that phase. */
bool plan_takes(const struct plan *plan, const struct change *change, enum change_phase phase);

/* Changes that are not done yet. */
size_t plan_remaining(const struct plan *plan);

/* "core/005_120_to_130/routes.headers". The caller frees. */
char *plan_change_id(const struct plan *plan, const struct plan_change *change);

/* How long the table will be locked for everyone while it is rewritten with its indexes, in ms; 0: it is not, or not there yet. An
 * estimate from its size: so many bytes a second, half of what was measured (77 to 99 MB/s: PostgreSQL 15 with fsync on two virtual cores,
 * ALTER COLUMN TYPE of timestamp and of json with 110 to 140 MB of rows and two to five indexes), for a server that has other work to do. */
#define PLAN_REWRITE_BYTES_PER_SECOND (40LL << 20)
int64_t plan_lock_ms(const struct plan_change *change);

/* The largest table that is rewritten or scanned, for a sentence about the cost; NULL if none. */
const struct plan_change *plan_heaviest(const struct plan *plan);

/* As CLI `plan --json` says: {"changes":[…]}, done ones left out, with the SQL; new reference, NULL on an error. */
json_t *plan_json(struct pg *pg, const struct plan *plan, struct error *error);

#endif
