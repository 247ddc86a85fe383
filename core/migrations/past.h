/*
 * What the journals of this machine say of the `up` that the database stands on: since the last `finish`, `bootstrap` or `rollback`.
 * It sharpens what `rollback` reads in the database, and is never needed: `up` may have run elsewhere, or have been Kong's own, or
 * the database may have been replaced since (restored).
 */
#ifndef CORE_MIGRATIONS_PAST_H
#define CORE_MIGRATIONS_PAST_H

#include "core/base/names.h"

/* Zero-initialise; past_free frees. Empty: nothing is known. */
struct past {
    struct names made;    /* "core/005_120_to_130": recorded by `up`; "core/005_120_to_130/routes.headers": a change that it made */
    struct names found;   /* changes that were there already */
};

/* Reads the journals of a folder; NULL is no folder. What is in it already is freed. */
void past_read(struct past *past, const char *folder);
void past_free(struct past *past);

#endif
