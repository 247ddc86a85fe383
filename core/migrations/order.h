/*
 * What may be run in which state: bootstrap an empty database, `up` one that is 0.14 to 1.2, `finish` one whose `up` is complete.
 * Kong's own commands exit with 0 where they do nothing for being in the wrong order (correction C10); ours say so.
 */
#ifndef CORE_MIGRATIONS_ORDER_H
#define CORE_MIGRATIONS_ORDER_H

#include "core/migrations/plan.h"

enum order { ORDER_GO, ORDER_NOTHING, ORDER_REFUSED };

struct verdict {
    enum order order;
    int exit_code;       /* for ORDER_REFUSED: status's code for the stage, 7 for rows in the way; 0 else */
    char *sentence;      /* why not, and what to do instead; NULL for ORDER_GO. The caller frees. */
};

/* `resume`: an `up` of ours was interrupted (its journal has no end): then migrations pending from it don't speak against `up`. */
struct verdict order_check(const struct state *state, enum plan_kind kind, bool resume);

/* What is pending stems from an earlier upgrade that was never finished, or from plugins that were loaded in its time: it is finished
 * before `up`, as Kong's own `migrations up` demands. `resume` as above. */
bool order_finish_first(const struct state *state, bool resume);

/* What is to be run next, where anything can be. */
enum plan_kind order_next(const struct state *state, bool resume);

#endif
