/*
 * The way back to the release that the database had before `up`, as the pane "Leave the upgrade" shows it: looked at when it is asked for,
 * since rows are counted for it.
 */
#ifndef SCREENS_WAY_BACK_H
#define SCREENS_WAY_BACK_H

#include "core/migrations/rollback.h"
#include "screens/app.h"

/* Zero-initialise; way_back_free frees. */
struct way_back {
    bool looked;                  /* what follows is from a look */
    char *problem;                /* why there is no answer; or NULL */
    struct rollback rollback;
    enum kong_version to;         /* the release that the rest is about; KONG_VERSIONS: there is none to go back to */
    struct verdict verdict;       /* whether it may; its sentence is owned */
    struct plan plan;             /* where it may */
    struct losses losses;
};

/* `wanted`: the release that the operator chose; KONG_VERSIONS: the newest that there is. Never fails: what does is `problem`. */
void way_back_look(struct pg *pg, const struct datastore *datastore, enum kong_version wanted, struct way_back *back);
void way_back_free(struct way_back *back);

/* It was looked at, and nothing in the database speaks against it. */
bool way_back_is_open(const struct way_back *back);

/* "Kong 1.2", or "an older Kong" where it is not known to which. Static, until the next call. */
const char *way_back_name(const struct way_back *back);

#endif
