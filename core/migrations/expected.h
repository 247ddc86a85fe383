/*
 * What the schema should be, by the migrations that are recorded: their changes played one after another, without a database.
 */
#ifndef CORE_MIGRATIONS_EXPECTED_H
#define CORE_MIGRATIONS_EXPECTED_H

#include "core/migrations/state.h"

struct expected_column {
    const char *table;         /* the change's */
    char *name;
    char *type;                /* as format_type() writes it */
};

/* A primary or unique key that a table was made with, or has had since. */
struct expected_key {
    const char *table;         /* the change's */
    char *columns;             /* "a, b" */
    bool primary;
};

/* Zero-initialise. */
struct expected {
    struct expected_column *columns;
    size_t column_count;
    const struct change **objects;   /* what made tables, indexes, functions, triggers, keys and references that no later change takes away */
    size_t object_count;
    struct expected_key *keys;       /* of definitions of tables; of other changes, the change is among the objects */
    size_t key_count;
};

/* Of executed migrations all is played, of pending ones what `up` does, of the others nothing. Where Kong has recorded it, but we would do
 * more (C2), that is not expected. Of 0.14, which records otherwise, it is the columns alone that every later change builds on. */
void expected_play(struct expected *expected, const struct state *state);
void expected_free(struct expected *expected);

/* Whether both lists ("a, b") have the same columns, in whichever order. */
bool expected_same_columns(const char *a, const char *b);

/* Whether some migration, recorded or not, makes, renames or drops a thing of that name: then it is no stranger. `kind` is CHANGE_ADD_COLUMN,
 * CHANGE_CREATE_INDEX, CHANGE_CREATE_TRIGGER, or CHANGE_CREATE_TABLE or CHANGE_DROP_TABLE, which ask for tables that are made, or dropped
 * (`name` is NULL). */
bool expected_knows(enum change_kind kind, const char *table, const char *name);

#endif
