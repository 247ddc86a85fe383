/* What there was before `up`, and so what a rollback undoes, and keeps. */
#include "core/migrations/rollback.h"

#include "core/base/mem.h"

#include <stdlib.h>
#include <string.h>

/* What 0.14 did not have, and no migration makes. */
static const struct migration bookkeeping_migrations[] = {{.name = "bookkeeping", .since = KONG_1_0}};
static const struct subsystem bookkeeping_subsystem = {"kong", bookkeeping_migrations, COUNT_OF(bookkeeping_migrations)};

bool rollback_is_bookkeeping(const struct plan_step *step)
{
    return step->subsystem == &bookkeeping_subsystem;
}

/* What there was before `up`. */

static bool is_made(const struct past *past, const struct subsystem *subsystem, const struct migration *migration)
{
    char *name = mem_printf("%s/%s", subsystem->name, migration->name);
    size_t length = strlen(name);
    bool made = false;
    for (size_t i = 0; i < past->made.count && !made; i++)
        made = strncmp(past->made.list[i], name, length) == 0 && strchr("/", past->made.list[i][length]) != NULL;
    free(name);
    return made;
}

bool rollback_pending_of(const struct subsystem_state *each, enum kong_version to)
{
    for (size_t i = 0; i < each->subsystem->migration_count; i++)
        if (each->subsystem->migrations[i].since <= to && names_have(&each->pending, each->subsystem->migrations[i].name))
            return true;
    return false;
}

/* The subsystem has come with `up`, and goes with it. 0.14 had the tables of all that it knows. */
static bool is_brought(const struct rollback *rollback, const struct subsystem_state *each, enum kong_version to)
{
    const struct migration *first = &each->subsystem->migrations[0];
    if (is_made(&rollback->past, each->subsystem, first))
        return first->since > to || to > KONG_0_14;
    if (first->since > to)
        return rollback->past.made.count == 0 && !names_have(&rollback->used, each->subsystem->name);
    return to > KONG_0_14 && rollback_pending_of(each, to);
}

static const struct subsystem_state *state_of(const struct rollback *rollback, const struct subsystem *subsystem)
{
    for (size_t i = 0; i < rollback->state.subsystem_count; i++)
        if (rollback->state.subsystems[i].subsystem == subsystem)
            return &rollback->state.subsystems[i];
    return NULL;
}

bool rollback_brought(const struct rollback *rollback, const struct subsystem *subsystem, enum kong_version to)
{
    return is_brought(rollback, state_of(rollback, subsystem), to);
}

bool rollback_keeps(const struct rollback *rollback, const struct subsystem *subsystem, enum kong_version to)
{
    const struct subsystem_state *each = state_of(rollback, subsystem);
    bool there = to == KONG_0_14 ? subsystem->migrations[0].since == KONG_0_14 : each->executed.count > 0 || each->pending.count > 0;
    return there && !is_brought(rollback, each, to);
}

/* Whether a migration is undone; one that is not recorded may be there in parts. */
static bool is_undone(const struct rollback *rollback, const struct subsystem_state *each, const struct migration *migration, enum kong_version to)
{
    return is_brought(rollback, each, to) || (each->subsystem->migrations[0].since <= to && migration->since > to);
}

bool rollback_removes(const struct rollback *rollback, const struct subsystem *subsystem, const struct migration *migration, enum kong_version to)
{
    return to == KONG_0_14 || is_undone(rollback, state_of(rollback, subsystem), migration, to);
}

/* Of a plugin's tables those may be older than `up`: left by an upgrade from 0.14 that did without the plugin. */
static bool was_found(const struct rollback *rollback, const struct subsystem_state *each, const struct migration *migration, const struct change *change)
{
    char *id = change_id(change), *full = mem_printf("%s/%s/%s", each->subsystem->name, migration->name, id);
    bool found = names_have(&rollback->past.found, full) && !names_have(&rollback->past.made, full);
    free(full);
    free(id);
    return found;
}

/* The plan. */

struct planning {
    const struct rollback *rollback;
    enum kong_version to;
    struct plan *plan;
    struct names dropped;       /* tables: what else is undone of them goes with them */
};

static bool takes(const struct planning *planning, const struct subsystem_state *each, const struct migration *migration, const struct change *change)
{
    bool brought = migration->since <= planning->to;
    return change->phase == PHASE_UP && !(brought && was_found(planning->rollback, each, migration, change));
}

static void note_dropped(struct planning *planning)
{
    const struct state *state = &planning->rollback->state;
    for (size_t s = 0; s < state->subsystem_count; s++) {
        const struct subsystem_state *each = &state->subsystems[s];
        for (size_t m = 0; m < each->subsystem->migration_count; m++) {
            const struct migration *migration = &each->subsystem->migrations[m];
            for (size_t i = 0; i < migration->change_count && is_undone(planning->rollback, each, migration, planning->to); i++)
                if (migration->changes[i].kind == CHANGE_CREATE_TABLE && takes(planning, each, migration, &migration->changes[i]))
                    names_add(&planning->dropped, migration->changes[i].table);
        }
    }
}

static void add_undo(struct plan *plan, const struct change *undo)
{
    struct change *copy = mem_zero(1, sizeof *copy);
    *copy = *undo;
    plan->undos = mem_grow(plan->undos, plan->change_count + 1, sizeof *plan->undos);
    plan->undos[plan->change_count] = copy;
    plan->changes = mem_grow(plan->changes, plan->change_count + 1, sizeof *plan->changes);
    plan->changes[plan->change_count++] = (struct plan_change){.change = copy, .step = plan->step_count, .rows = -1, .bytes = -1};
}

static void end_step(struct plan *plan, struct plan_step step)
{
    step.count = plan->change_count - step.first;
    if (step.count == 0)
        return;
    plan->steps = mem_grow(plan->steps, plan->step_count + 1, sizeof *plan->steps);
    plan->steps[plan->step_count++] = step;
}

static void add_migration(struct planning *planning, const struct subsystem_state *each, const struct migration *migration)
{
    struct plan *plan = planning->plan;
    struct change undo[CHANGE_UNDOS];
    struct plan_step step = {each->subsystem, migration, PHASE_UP, plan->change_count, 0};
    for (size_t i = migration->change_count; i-- > 0;) {
        const struct change *change = &migration->changes[i];
        size_t count = takes(planning, each, migration, change) ? change_undo(change, undo) : 0;
        for (size_t u = 0; u < count; u++)
            if (undo[u].kind == CHANGE_DROP_TABLE || undo[u].table == NULL || !names_have(&planning->dropped, undo[u].table))
                add_undo(plan, &undo[u]);
    }
    end_step(plan, step);
}

static void add_bookkeeping(struct plan *plan)
{
    struct plan_step step = {&bookkeeping_subsystem, &bookkeeping_migrations[0], PHASE_UP, plan->change_count, 0};
    struct change undo[CHANGE_UNDOS];
    for (size_t i = 0; i < bookkeeping_count; i++)
        if (bookkeeping[i].kind == CHANGE_CREATE_TABLE && change_undo(&bookkeeping[i], undo) > 0) {
            undo[0].lost = "false";
            add_undo(plan, &undo[0]);
        }
    end_step(plan, step);
}

/* Core first, which has what the others' proofs call; of each the newest migration first. */
bool rollback_plan(struct pg *pg, const struct rollback *rollback, enum kong_version to, struct plan *plan, struct error *error)
{
    struct planning planning = {rollback, to, plan, {0}};
    *plan = (struct plan){.kind = PLAN_ROLLBACK, .to = to, .from_014 = rollback->state.from_014};
    note_dropped(&planning);
    for (size_t s = 0; s < rollback->state.subsystem_count; s++) {
        const struct subsystem_state *each = &rollback->state.subsystems[s];
        for (size_t m = each->subsystem->migration_count; m-- > 0;)
            if (is_undone(rollback, each, &each->subsystem->migrations[m], to))
                add_migration(&planning, each, &each->subsystem->migrations[m]);
    }
    if (to == KONG_0_14)
        add_bookkeeping(plan);
    names_free(&planning.dropped);
    return plan_ask(pg, plan, error);
}
