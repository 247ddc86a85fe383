/*
 * What changes and their locks mean, in plain words, for whoever wants one explained; and the file of Kong's that a change is from.
 */
#ifndef CORE_MIGRATIONS_MEANING_H
#define CORE_MIGRATIONS_MEANING_H

#include "core/migrations/change.h"

/* A sentence or two on what a change of that kind does to nodes and rows, and how it is made without anyone noticing. Static. */
const char *change_meaning(enum change_kind kind);

/* What PostgreSQL lets others do while a table lock of that name is held ("" too). NULL: not one that a change takes. Static. */
const char *lock_meaning(const char *lock);

/* The change of that id ("core/005_120_to_130/routes.headers"); NULL where no table has it. */
const struct change *change_find(const char *id);

/* Where Kong has it: "kong/db/migrations/core/005_120_to_130.lua at 1.3.0"; NULL for an id that is no migration's. The caller frees. */
char *change_source(const char *id);

#endif
