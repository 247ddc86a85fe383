/*
 * What `finish` destroys or rewrites, and `rollback` loses, in numbers, for the last screen before it.
 */
#ifndef CORE_MIGRATIONS_LOSSES_H
#define CORE_MIGRATIONS_LOSSES_H

#include "core/migrations/plan.h"

struct loss {
    char *what;           /* "column oauth2_credentials.redirect_uri is dropped", "algorithm is set in rows of upstreams" */
    int64_t rows;         /* values or rows that are affected; -1: not a matter of rows */
    bool destroys;        /* false: rows are filled, nothing is lost */
};

struct losses {
    struct loss *list;
    size_t count;
};

/* Counts them, by reading (a table at a time). `plan` is a PLAN_FINISH; what is done already is left out. Of a PLAN_ROLLBACK: what it
 * drops that is nowhere else (`lost` in change.h), where there is any; see rollback_losses. */
bool losses_count(struct pg *pg, const struct plan *plan, struct losses *losses, struct error *error);
void losses_free(struct losses *losses);

#endif
