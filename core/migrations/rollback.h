/*
 * Back to the release that the database had before `up`, until `finish` has begun: what `up` added is undone, change by change (undo in
 * change.h), newest first, and schema_meta is as it was. What there is to undo is asked of the catalogs as everywhere, so a rollback, or an
 * `up`, that was cut off anywhere can be rolled back.
 *
 * To which release? From 0.14, whose `schema_migrations` stands until `finish`, to 0.14 alone. Otherwise the database does not tell whether
 * core's migrations of 1.1 and 1.2 came with this `up` or before: where a journal of this machine does (past.h), to that release alone;
 * where none does, to any of 1.0 to 1.2 that is recorded, and the operator says which. Migrations of releases after it are undone; and
 * those of a plugin that only `up` has brought: its journal says so, or they are pending, as none was before.
 *
 * What is not restored: values that `up` has changed (created_at to the second, json as jsonb writes it).
 *
 * All records are removed first, in one transaction: from then on no 1.3 node starts, and `up` would make again what is missing.
 */
#ifndef CORE_MIGRATIONS_ROLLBACK_H
#define CORE_MIGRATIONS_ROLLBACK_H

#include "core/migrations/losses.h"
#include "core/migrations/order.h"
#include "core/migrations/past.h"
#include "core/migrations/plan.h"
#include "core/migrations/state.h"

#define ROLLBACK_COMMAND "rollback"

/* Zero-initialise; rollback_free frees. */
struct rollback {
    struct state state;          /* as state_read's, but of all subsystems that Kong 1.3 migrates, loaded or not */
    unsigned releases;           /* that it can go back to: bits, 1 << KONG_1_2; 0: to none, and `sentence` says why */
    enum kong_version recorded;  /* core's newest recorded migration is of that release; KONG_0_14 also where it comes from there */
    bool too_late;               /* `finish` has begun: only a backup brings the old release back */
    bool nothing;                /* nothing of an `up` is there */
    char *sentence;              /* or NULL */
    struct past past;
    struct names used;           /* subsystems that no journal says `up` has brought, but that are in use: their tables stay */
};

/* Looks. `folder`: of this machine's journals, or NULL. On failure `rollback` is empty. */
bool rollback_look(struct pg *pg, const char *folder, struct rollback *rollback, struct error *error);
void rollback_free(struct rollback *rollback);

/* The newest of `releases`, which undoes least; KONG_VERSIONS where there is none. */
enum kong_version rollback_newest(const struct rollback *rollback);

/* "0.14", "1.0"… ; KONG_VERSIONS for any other text, 1.3 among them. */
enum kong_version rollback_release(const char *text);

/* Whether it may go back to that release; exit code 7 for what is refused, or status's for the stage. `resume`: a rollback of ours was
 * interrupted, so that even where nothing is left to undo the proof is made. */
struct verdict rollback_check(const struct rollback *rollback, enum kong_version to, bool resume);

/* What would be undone: a plan of kind PLAN_ROLLBACK. For to == KONG_0_14 its last step drops Kong's bookkeeping. plan_free frees; it
 * points into nothing of `rollback`. */
bool rollback_plan(struct pg *pg, const struct rollback *rollback, enum kong_version to, struct plan *plan, struct error *error);

/* What the database would lose of what was written since `up`, in numbers (destroys), and what stays and the old release can't deal with
 * (not destroys); only what there is any of. By reading, a table at a time. */
bool rollback_losses(struct pg *pg, const struct rollback *rollback, const struct plan *plan, struct losses *losses, struct error *error);

/* What is not Kong's and needs what would be dropped: "view ops.headers needs routes.headers". While there is any, a run is refused before
 * its first change. */
bool rollback_dependents(struct pg *pg, const struct plan *plan, struct names *dependents, struct error *error);

/* Whether the subsystem has come with `up`, and goes with it; whether it is the release's, and stays. */
bool rollback_brought(const struct rollback *rollback, const struct subsystem *subsystem, enum kong_version to);
bool rollback_keeps(const struct rollback *rollback, const struct subsystem *subsystem, enum kong_version to);

/* Whether the record of a migration goes. */
bool rollback_removes(const struct rollback *rollback, const struct subsystem *subsystem, const struct migration *migration, enum kong_version to);

/* Pending before `up` was none (order.h, and Kong itself, refuse): so what is, and is no later release's, was brought with its plugin. */
bool rollback_pending_of(const struct subsystem_state *each, enum kong_version to);

/* The step that drops schema_meta and locks. */
bool rollback_is_bookkeeping(const struct plan_step *step);

#endif
