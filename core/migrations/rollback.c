#include "core/migrations/rollback.h"

#include "core/base/mem.h"
#include "core/db/pg.h"

#include <stdlib.h>
#include <string.h>

void rollback_free(struct rollback *rollback)
{
    state_free(&rollback->state);
    past_free(&rollback->past);
    names_free(&rollback->used);
    free(rollback->sentence);
    *rollback = (struct rollback){0};
}

enum kong_version rollback_newest(const struct rollback *rollback)
{
    for (int version = KONG_VERSIONS - 1; version >= 0; version--)
        if ((rollback->releases & 1u << version) != 0)
            return (enum kong_version)version;
    return KONG_VERSIONS;
}

enum kong_version rollback_release(const char *text)
{
    int version = 0;
    while (version < KONG_1_3 && strcmp(kong_version_names[version], text) != 0)
        version++;
    return version < KONG_1_3 ? (enum kong_version)version : KONG_VERSIONS;
}

/* Looking. */

static bool is_recorded(const struct subsystem_state *each, const struct migration *migration)
{
    return names_have(&each->executed, migration->name) || names_have(&each->pending, migration->name);
}

static bool state_read_all(struct pg *pg, struct state *state, struct error *error)
{
    const char *names[32];
    size_t count = 0;
    for (const struct subsystem *const *each = subsystems; *each != NULL; each++)
        names[count++] = (*each)->name;
    return state_read(pg, names, count, state, error);
}

static bool is_there(struct pg *pg, const struct subsystem *subsystem, bool *there, struct error *error)
{
    return change_is_done(pg, &subsystem->migrations[0].changes[0], there, error);
}

/* A plugin of a later release may have been there before as a custom one (session was): where no journal tells, it is asked. */
static bool find_used(struct pg *pg, struct rollback *rollback, struct error *error)
{
    for (const struct subsystem *const *each = subsystems; *each != NULL; each++) {
        bool there = false, used = false;
        if ((*each)->migrations[0].since == KONG_0_14 || !is_there(pg, *each, &there, error)) {
            if (error->code != ERROR_NONE)
                return false;
            continue;
        }
        char *sql = mem_printf("SELECT EXISTS (SELECT 1 FROM \"%s\") OR EXISTS (SELECT 1 FROM plugins WHERE name = '%s')",
                               (*each)->migrations[0].changes[0].table, (*each)->name);
        bool asked = !there || pg_ask(pg, error, sql, &used);
        free(sql);
        if (!asked)
            return false;
        if (used)
            names_add(&rollback->used, (*each)->name);
    }
    return true;
}

/* What `finish` has destroyed: a teardown that is executed while its table says so, or is recorded as such. */
static bool is_torn_down(struct pg *pg, const struct subsystem_state *each, bool *torn, struct error *error)
{
    for (size_t m = 0; m < each->subsystem->migration_count && !*torn; m++) {
        const struct migration *migration = &each->subsystem->migrations[m];
        for (size_t i = 0; i < migration->change_count && !*torn && names_have(&each->pending, migration->name); i++) {
            const struct change *change = &migration->changes[i];
            bool tells = change->phase == PHASE_FINISH && (change->kind == CHANGE_DROP_COLUMN || change->kind == CHANGE_SET_PRIMARY_KEY);
            if (tells && !change_is_done(pg, change, torn, error))
                return false;
        }
    }
    return true;
}

static bool is_finished(const struct subsystem_state *each, enum kong_version least)
{
    for (size_t m = 0; m < each->subsystem->migration_count; m++) {
        const struct migration *migration = &each->subsystem->migrations[m];
        if (migration->teardown && migration->since >= least && names_have(&each->executed, migration->name))
            return true;
    }
    return false;
}

/* From 0.14 every teardown is this upgrade's; else core's of 1.3 (the first that `finish` does), or one of 0.14's that has lost its
 * `schema_migrations`. */
static bool find_too_late(struct pg *pg, struct rollback *rollback, struct error *error)
{
    const struct state *state = &rollback->state;
    const struct subsystem_state *core = &state->subsystems[0];
    bool late = !state->from_014 && rollback_pending_of(core, KONG_1_2);
    for (size_t s = 0; s < state->subsystem_count && !late; s++) {
        const struct subsystem_state *each = &state->subsystems[s];
        if (state->from_014 || each == core)
            late = is_finished(each, state->from_014 ? KONG_0_14 : KONG_1_3);
        if (!late && !is_torn_down(pg, each, &late, error))
            return false;
    }
    rollback->too_late = late;
    return true;
}

static enum kong_version recorded_release(const struct state *state)
{
    enum kong_version version = KONG_1_0;
    const struct subsystem_state *core = &state->subsystems[0];
    for (size_t m = 0; m < core->subsystem->migration_count; m++)
        if (is_recorded(core, &core->subsystem->migrations[m]) && core->subsystem->migrations[m].since > version)
            version = core->subsystem->migrations[m].since;
    return state->from_014 ? KONG_0_14 : version;
}

static bool count_left(struct pg *pg, const struct rollback *rollback, enum kong_version to, size_t *left, struct error *error)
{
    struct plan plan;
    if (!rollback_plan(pg, rollback, to, &plan, error))
        return false;
    *left = plan_remaining(&plan);
    plan_free(&plan);
    return true;
}

static bool is_told(const struct past *past, const struct subsystem *subsystem, const struct migration *migration)
{
    char *name = mem_printf("%s/%s", subsystem->name, migration->name);
    bool told = names_have(&past->made, name);
    free(name);
    return told;
}

/* A database that was replaced since is not what the journals tell of: of core's migrations that they say are recorded some are, and some not. (A
 * rollback removes all at once.) */
static void forget_another(struct rollback *rollback)
{
    const struct subsystem_state *core = &rollback->state.subsystems[0];
    bool some = false, missing = false;
    for (size_t m = 0; m < core->subsystem->migration_count; m++) {
        const struct migration *migration = &core->subsystem->migrations[m];
        bool told = is_told(&rollback->past, core->subsystem, migration), recorded = is_recorded(core, migration);
        some = some || (told && recorded);
        missing = missing || (told && !recorded);
    }
    if (some && missing)
        past_free(&rollback->past);
}

/* The release before the first of core's migrations that a journal says `up` has recorded, and that are; KONG_VERSIONS: none says so. */
static enum kong_version told_release(const struct rollback *rollback)
{
    const struct subsystem_state *core = &rollback->state.subsystems[0];
    for (size_t m = 0; m < core->subsystem->migration_count && !rollback->state.from_014; m++) {
        const struct migration *migration = &core->subsystem->migrations[m];
        if (migration->since > KONG_1_0 && is_recorded(core, migration) && is_told(&rollback->past, core->subsystem, migration))
            return (enum kong_version)(migration->since - 1);
    }
    return KONG_VERSIONS;
}

static bool find_releases(struct pg *pg, struct rollback *rollback, struct error *error)
{
    enum kong_version newest = rollback->recorded < KONG_1_3 ? rollback->recorded : KONG_1_2, told = told_release(rollback);
    size_t left = 0;
    if (!count_left(pg, rollback, newest, &left, error))
        return false;
    bool begun = rollback->recorded == KONG_1_3 || left > 0 || told < KONG_VERSIONS;
    rollback->nothing = !begun;
    for (int version = KONG_0_14; version <= (int)newest; version++)
        if (begun && (version > KONG_0_14 || rollback->state.from_014) && (told == KONG_VERSIONS || version == (int)told))
            rollback->releases |= 1u << version;
    if (!begun)
        rollback->sentence = mem_printf("there is nothing to roll back: database %s is Kong %s's, and nothing of an `up` to 1.3 is in it",
                                        rollback->state.database, kong_version_names[newest]);
    return true;
}

static bool decide(struct pg *pg, struct rollback *rollback, struct error *error)
{
    const struct state *state = &rollback->state;
    if (state->reason != NULL || state->stage == STAGE_EMPTY) {
        rollback->sentence = mem_dup(state->reason != NULL ? state->reason : "the database is empty: there is nothing to roll back");
        return true;
    }
    rollback->recorded = recorded_release(state);
    forget_another(rollback);
    if (!find_used(pg, rollback, error) || !find_too_late(pg, rollback, error))
        return false;
    if (!rollback->too_late)
        return find_releases(pg, rollback, error);
    rollback->sentence = mem_printf(state->stage == STAGE_CURRENT
        ? "the upgrade of database %s is finished: nothing undoes that; only a backup brings an older Kong back"
        : "`finish` has begun on database %s: nothing undoes that; run `finish` to its end, or restore a backup to bring the old Kong back", state->database);
    return true;
}

bool rollback_look(struct pg *pg, const char *folder, struct rollback *rollback, struct error *error)
{
    struct error failure = {0};
    *rollback = (struct rollback){0};
    past_read(&rollback->past, folder);
    bool looked = state_read_all(pg, &rollback->state, &failure) && decide(pg, rollback, &failure);
    if (!looked) {
        error_set(error, failure.code, "%s", failure.message);
        rollback_free(rollback);
    }
    error_clear(&failure);
    return looked;
}

/* Whether it may. */

static char *release_list(unsigned releases)
{
    struct buf text = {0};
    for (int version = 0; version < KONG_VERSIONS; version++)
        if ((releases & 1u << version) != 0)
            buf_addf(&text, "%s%s", text.length > 0 ? ", " : "", kong_version_names[version]);
    return buf_take(&text);
}

static char *wrong_release(const struct rollback *rollback, enum kong_version to)
{
    char *list = release_list(rollback->releases), *sentence;
    bool several = strchr(list, ',') != NULL;
    if (rollback->state.from_014)
        sentence = mem_printf("this database comes from Kong 0.14, so it can go back to 0.14 only, not to %s: run `rollback --to 0.14`",
                              kong_version_names[to]);
    else if (to == KONG_0_14)
        sentence = mem_printf("this database was Kong 1.0's or later before `up`, so it can't go back to 0.14; it can go back to %s", list);
    else if (several)
        sentence = mem_printf("this database can't go back to Kong %s, whose migrations are not all recorded in it; it can go back to %s",
                              kong_version_names[to], list);
    else
        sentence = mem_printf("before `up` this database was Kong %s's, so it goes back to that, not to %s: run `rollback --to %s`", list,
                              kong_version_names[to], list);
    free(list);
    return sentence;
}

struct verdict rollback_check(const struct rollback *rollback, enum kong_version to, bool resume)
{
    const struct state *state = &rollback->state;
    bool wrong_stage = state->reason != NULL || state->stage == STAGE_EMPTY;
    bool is_release = rollback->nothing && to == (rollback->recorded < KONG_1_3 ? rollback->recorded : KONG_1_2);
    if (is_release && resume && to > KONG_0_14)
        return (struct verdict){ORDER_GO, 0, NULL};
    if (is_release)
        return (struct verdict){ORDER_NOTHING, 0, mem_dup(rollback->sentence)};
    if (rollback->sentence != NULL)
        return (struct verdict){ORDER_REFUSED, wrong_stage && state_exit_code(state) != 0 ? state_exit_code(state) : 7, mem_dup(rollback->sentence)};
    if ((rollback->releases & 1u << to) == 0)
        return (struct verdict){ORDER_REFUSED, 7, wrong_release(rollback, to)};
    return (struct verdict){ORDER_GO, 0, NULL};
}
