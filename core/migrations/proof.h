/*
 * The compatibility proof: the SQL that old and new nodes issue (proof_statements.h) is run on the schema as it stands, in a
 * transaction that is rolled back. What fails would fail in a node.
 *
 *  - `up`: before its first change, and after each migration on the tables that this changed, the statements of the release that the
 *    database comes from; at its end all of that release and of 1.3, which work side by side from then on.
 *  - `finish`: before its first change, on the tables that it leaves alone, after each migration, and at its end, those of 1.3 alone
 *    (of an older release where an upgrade to that one is finished).
 *  - `rollback`: those of the release that it goes back to: before its first change on the tables that it leaves alone, after each
 *    migration that is undone on the tables that this changed, and all at its end.
 *  - `bootstrap`: at its end those of the release, within its transaction.
 *
 * The last migration is recorded after the last proof. So a run whose proof failed is not complete, and running it again proves what
 * is there again before anything else. Statements are of the loaded plugins alone; those of the old release, of plugins that it had.
 *
 * It keeps out of the way as every other change does: own rows only (no row of the operator's is locked), lock_timeout, tried again
 * until the deadline; a statement that takes longer than a node waits (5 s) is planned instead of run.
 */
#ifndef CORE_MIGRATIONS_PROOF_H
#define CORE_MIGRATIONS_PROOF_H

#include "core/base/error.h"
#include "core/base/names.h"

#include <stdbool.h>

struct run;
struct state;
struct plan_step;

/* What is to be proven in a run. Zero-initialise; proof_free frees. */
struct proof {
    unsigned old_versions, new_versions;           /* bits, 1 << PROOF_1_2 */
    struct names old_subsystems, new_subsystems;
};

/* Decides it for the run's job, from the state before its first change. */
void proof_prepare(struct run *run, const struct state *state);
void proof_free(struct proof *proof);

/* Each writes a "proof" event to the journal. false: the error names the statement, what the server says of it and what to do
 * (ERROR_SQL), or it is what ended the run meanwhile (ERROR_STOPPED, ERROR_LOCK, ERROR_CONNECT, ERROR_HELD). */
bool proof_before(struct run *run, struct error *error);
bool proof_after(struct run *run, const struct plan_step *step, struct error *error);
bool proof_all(struct run *run, struct error *error);
bool proof_within(struct run *run, struct error *error);   /* all, in the caller's open transaction, which stays as it is */

#endif
