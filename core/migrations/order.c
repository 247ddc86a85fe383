#include "core/migrations/order.h"

#include "core/base/mem.h"

static struct verdict refuse(const struct state *state, const char *why)
{
    return (struct verdict){ORDER_REFUSED, state_exit_code(state), mem_dup(why)};
}

/* As Kong 1.3 itself does (kong/cmd/utils/migrations.lua): "you have `api` entities in your database". */
static struct verdict refuse_apis(void)
{
    static const char why[] = "the database has rows in `apis`, which Kong 1.0 and later don't route by: make them services and routes through the old cluster's Admin API, delete them, then run `up` again";
    return (struct verdict){ORDER_REFUSED, 7, mem_dup(why)};
}

static struct verdict nothing(const char *why)
{
    return (struct verdict){ORDER_NOTHING, 0, mem_dup(why)};
}

static struct verdict go(void)
{
    return (struct verdict){ORDER_GO, 0, NULL};
}

static struct verdict check_bootstrap(const struct state *state)
{
    switch (state->stage) {
    case STAGE_EMPTY:
        return state->reason != NULL ? refuse(state, state->reason) : go();
    case STAGE_CURRENT:
        return nothing("nothing to do: the database is Kong 1.3's already");
    case STAGE_PENDING:
        return refuse(state, "the database is not empty: an upgrade is under way in it; go on with `finish` when the old nodes are gone");
    default:
        return refuse(state, "the database is not empty: it holds an older Kong; run `up` to upgrade it");
    }
}

bool order_finish_first(const struct state *state, bool resume)
{
    return state->stage == STAGE_PENDING && state_count_new(state) > 0 && state_pending_from_before(state) && !resume && !state_up_begun(state);
}

enum plan_kind order_next(const struct state *state, bool resume)
{
    bool up_complete = state->stage == STAGE_PENDING && state_count_new(state) == 0;
    if (state->stage == STAGE_EMPTY)
        return PLAN_BOOTSTRAP;
    return up_complete || order_finish_first(state, resume) ? PLAN_FINISH : PLAN_UP;
}

static struct verdict check_up(const struct state *state, bool resume)
{
    switch (state->stage) {
    case STAGE_EMPTY:
        return refuse(state, state->reason != NULL ? state->reason : "the database is empty: run `bootstrap` to install Kong 1.3's schema");
    case STAGE_CURRENT:
        return nothing("nothing to do: the database is Kong 1.3's already");
    case STAGE_PENDING:
        if (state_count_new(state) == 0)
            return nothing("nothing to do: `up` has run; what remains is `finish`, once the old nodes are gone");
        if (order_finish_first(state, resume))
            return refuse(state, state->from_014 ? "an earlier upgrade was never finished: run `finish` first (no 0.14 node can start after it), then `up`"
                                                 : "an earlier upgrade was never finished: run `finish` first (1.0 to 1.2 nodes work on), then `up`");
        return go();
    case STAGE_LEGACY_014:
        return state->has_apis ? refuse_apis() : go();
    default:
        return go();
    }
}

static struct verdict check_finish(const struct state *state, bool resume)
{
    switch (state->stage) {
    case STAGE_EMPTY:
        return refuse(state, state->reason != NULL ? state->reason : "the database is empty: there is nothing to finish; run `bootstrap` to install Kong 1.3's schema");
    case STAGE_CURRENT:
        return nothing("nothing to do: the database is Kong 1.3's, and nothing is pending");
    case STAGE_PENDING:
        if (state_count_new(state) > 0 && !order_finish_first(state, resume)) {
            struct verdict verdict = refuse(state, "`up` is not complete: there are new migrations; run `up` first");
            verdict.exit_code = 5;
            return verdict;
        }
        return go();
    default:
        return refuse(state, "`finish` comes after `up`: there are new migrations; run `up` first");
    }
}

struct verdict order_check(const struct state *state, enum plan_kind kind, bool resume)
{
    if (state->stage == STAGE_TOO_OLD || state->stage == STAGE_AHEAD || state->stage == STAGE_FOREIGN)
        return refuse(state, state->reason);
    if (kind == PLAN_BOOTSTRAP)
        return check_bootstrap(state);
    return kind == PLAN_UP ? check_up(state, resume) : check_finish(state, resume);
}
