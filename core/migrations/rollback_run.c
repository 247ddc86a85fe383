/* A rollback's order of things: the records first, the changes then, the proof, and, back to 0.14, Kong's bookkeeping last. */
#include "core/migrations/run_internal.h"

#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/db/pg.h"

#include <stdlib.h>
#include <string.h>

bool rollback_run_look(struct run *run, struct error *error)
{
    char *folder = mem_dup(journal_path(run->journal));
    *strrchr(folder, '/') = '\0';
    rollback_free(&run->rollback);
    bool looked = rollback_look(run->main, folder, &run->rollback, error);
    free(folder);
    return looked;
}

struct verdict rollback_run_check(const struct run *run)
{
    return rollback_check(&run->rollback, run->job->to, run->job->resume);
}

/* A migration whose record goes. Kong's last_executed is the one that was executed last (apply.c), which is the last that is left. */
static bool remove_record(struct run *run, const char *subsystem, const char *migration, struct error *error)
{
    static const char sql[] =
        "UPDATE schema_meta AS m SET executed = r.executed, pending = array_remove(m.pending, $2::text),"
        " last_executed = r.executed[cardinality(r.executed)]"
        " FROM (SELECT array_remove(executed, $2::text) AS executed FROM schema_meta WHERE key = 'schema_meta' AND subsystem = $1) r"
        " WHERE m.key = 'schema_meta' AND m.subsystem = $1";
    const char *const values[] = {subsystem, migration};
    return pg_run_params(run->main, error, sql, 2, values);
}

struct record {
    const char *subsystem, *migration;
};

struct records {
    struct record *list;
    size_t count;
};

/* All that is recorded of what is undone; back to 0.14, which records otherwise, all. */
static void find_records(const struct run *run, struct records *records)
{
    const struct state *state = &run->rollback.state;
    for (size_t s = 0; s < state->subsystem_count; s++) {
        const struct subsystem_state *each = &state->subsystems[s];
        for (size_t m = each->subsystem->migration_count; m-- > 0;) {
            const struct migration *migration = &each->subsystem->migrations[m];
            bool recorded = names_have(&each->executed, migration->name) || names_have(&each->pending, migration->name);
            if (!recorded || !rollback_removes(&run->rollback, each->subsystem, migration, run->job->to))
                continue;
            records->list = mem_grow(records->list, records->count + 1, sizeof *records->list);
            records->list[records->count++] = (struct record){each->subsystem->name, migration->name};
        }
    }
}

static bool try_removal(struct run *run, const struct records *records, struct error *error)
{
    bool done = pg_run(run->main, error, "BEGIN; SET LOCAL lock_timeout = 200");
    for (size_t i = 0; done && i < records->count; i++)
        done = remove_record(run, records->list[i].subsystem, records->list[i].migration, error);
    done = done && pg_run(run->main, error, "DELETE FROM schema_meta WHERE key = 'schema_meta'"
                                            " AND coalesce(cardinality(executed), 0) = 0 AND coalesce(cardinality(pending), 0) = 0");
    done = done && pg_run(run->main, error, "COMMIT");
    if (!done)
        pg_rollback(run->main);
    return done;
}

static bool remove_records(struct run *run, struct error *error)
{
    struct records records = {0};
    find_records(run, &records);
    bool done = records.count == 0 || (run_may_go_on(run, error) && try_removal(run, &records, error));
    for (size_t i = 0; done && i < records.count; i++)
        journal_add(run->journal, true, json_pack("{s:s, s:s, s:s, s:s}", "event", "record", "subsystem", records.list[i].subsystem,
            "migration", records.list[i].migration, "state", "removed"));
    free(records.list);
    return done;
}

static bool undo_step(struct run *run, const struct plan_step *step, struct error *error)
{
    bool recorded = false;
    for (size_t i = step->first; i < step->first + step->count; i++)
        if (!run_may_go_on(run, error) || !run_change(run, &run->plan.changes[i], NULL, &recorded, error))
            return false;
    return apply_verify(run, step, false, true, error);
}

/* Kong's lock goes with its table, as the last of all; what excludes another worker of ours lasts as long as the session. */
static bool drop_bookkeeping(struct run *run, const struct plan_step *step, struct error *error)
{
    if (!undo_step(run, step, error))
        return false;
    run_forget_lock(run);
    return true;
}

/* For whoever follows, and for the record: later they can't be counted. */
static bool note_losses(struct run *run, struct error *error)
{
    struct losses losses = {0};
    if (!rollback_losses(run->main, &run->rollback, &run->plan, &losses, error))
        return false;
    for (size_t i = 0; i < losses.count; i++) {
        const struct loss *loss = &losses.list[i];
        char *text = loss->rows < 0 ? mem_dup(loss->what) : mem_printf("%s%s: %lld", loss->destroys ? JOURNAL_LOST : "", loss->what, (long long)loss->rows);
        journal_add(run->journal, false, json_pack("{s:s, s:o}", "event", "note", "text", json_text(text)));
        free(text);
    }
    losses_free(&losses);
    return true;
}

/* Before anything is undone: half-way, PostgreSQL would refuse. */
static bool refuse_dependents(struct run *run, struct error *error)
{
    struct names dependents = {0};
    bool found = rollback_dependents(run->main, &run->plan, &dependents, error);
    if (dependents.count > 0)
        error_set(error, ERROR_REFUSED, "nothing was changed: %s%s; drop what is not Kong's, then run the same again", dependents.list[0],
                  dependents.count > 1 ? ", and there are more of that kind: see --dry-run" : "");
    found = found && dependents.count == 0;
    names_free(&dependents);
    return found;
}

bool rollback_run_steps(struct run *run, struct error *error)
{
    if (!refuse_dependents(run, error) || !proof_before(run, error) || !note_losses(run, error) || !remove_records(run, error))
        return false;
    const struct plan_step *last = NULL;
    for (size_t i = 0; i < run->plan.step_count; i++) {
        const struct plan_step *step = &run->plan.steps[i];
        if (rollback_is_bookkeeping(step))
            last = step;
        else if (!undo_step(run, step, error) || !proof_after(run, step, error))
            return false;
    }
    return proof_all(run, error) && (last == NULL || drop_bookkeeping(run, last, error));
}

bool rollback_run_conclude(struct run *run, char **sentence, struct error *error)
{
    struct plan plan;
    *sentence = NULL;
    if (!rollback_run_look(run, error) || !rollback_plan(run->main, &run->rollback, run->job->to, &plan, error))
        return false;
    if (plan_remaining(&plan) == 0)
        *sentence = mem_printf("database %s is Kong %s's again: what `up` had added is undone", run->rollback.state.database,
                               kong_version_names[run->job->to]);
    plan_free(&plan);
    return true;
}
