/* What the files that build statements share: statements.c (all kinds of change), retype.c (the type of a column of a large table). */
#ifndef CORE_MIGRATIONS_STATEMENTS_INTERNAL_H
#define CORE_MIGRATIONS_STATEMENTS_INTERNAL_H

#include "core/migrations/change.h"

/* Adds a statement, and takes what is in `sql`. */
void statements_add(struct statements *out, bool alone, struct buf *sql);

/* An index, built concurrently unless `atomic`, on the change's table; `on` as in change.h. One that an earlier failure left invalid
 * goes first; where it is there, nothing is added. */
bool statements_build_index(struct pg *pg, const struct change *change, const char *name, const char *on, bool unique, bool atomic,
                            struct statements *out, struct error *error);

/*
 * The type of a column by way of a second one, where PostgreSQL would rewrite the table, or build indexes anew, under a lock that
 * nodes wait for: a column of the new type beside it, kept equal by a trigger; filled in batches; its indexes built concurrently; then
 * put in the old one's place in a short transaction. Each step looks at what an interrupted run has left.
 *
 * *fits is false, and nothing is added, where it is not needed (a small table, a change of the catalog alone) or not to be had:
 * something else than defaults, keys and plain indexes depends on the column (a view, a foreign key).
 */
bool retype_statements(struct pg *pg, const struct change *change, struct statements *out, bool *fits, struct error *error);

#endif
