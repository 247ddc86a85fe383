/* One change: its statements, in transactions that give up their wait for a lock quickly and are tried again. */
#include "core/migrations/run_internal.h"

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/db/pg.h"

#include <stdlib.h>
#include <string.h>

#define INDEX_TRIES 5
#define FIRST_PAUSE_MS 250
#define LONGEST_PAUSE_MS 30000

static bool not_done(const struct plan_step *step, const struct change *change, struct error *error)
{
    char *text = change_text(change);
    error_set(error, ERROR_SQL, "%s/%s: %s was made, but is not there: someone undid it meanwhile; find out who changes the schema, then run the same again",
              step->subsystem->name, step->migration->name, text);
    free(text);
    return false;
}

/* Rows that `up` has filled are not asked about again: the old cluster may have written others that are in need, every second. */
static bool is_asked(const struct change *change, bool rows, bool catalogs)
{
    return change_asks_rows(change) ? rows && change->phase == PHASE_FINISH : catalogs;
}

bool apply_verify(struct run *run, const struct plan_step *step, bool rows, bool catalogs, struct error *error)
{
    for (size_t i = step->first; i < step->first + step->count; i++) {
        const struct change *change = run->plan.changes[i].change;
        bool done = false;
        if (!is_asked(change, rows, catalogs))
            continue;
        if (!change_is_done(run->main, change, &done, error))
            return false;
        if (!done)
            return not_done(step, change, error);
    }
    return true;
}

/* Kong's own three ways to write a row (kong/db/strategies/postgres/connector.lua, record_migration, at 1.3.0), except that a name
 * never stands twice (C10). */
bool apply_record(struct run *run, const struct plan_step *step, struct error *error)
{
    static const char executed[] =
        "INSERT INTO schema_meta AS m (key, subsystem, last_executed, executed) VALUES ('schema_meta', $1, $2::text, ARRAY[$2::text])"
        " ON CONFLICT (key, subsystem) DO UPDATE SET last_executed = $2::text,"
        " executed = array_append(array_remove(m.executed, $2::text), $2::text)";
    static const char pending[] =
        "INSERT INTO schema_meta AS m (key, subsystem, pending) VALUES ('schema_meta', $1, ARRAY[$2::text])"
        " ON CONFLICT (key, subsystem) DO UPDATE SET pending = array_append(array_remove(m.pending, $2::text), $2::text)";
    static const char finished[] =
        "UPDATE schema_meta SET last_executed = $2::text, executed = array_append(array_remove(executed, $2::text), $2::text),"
        " pending = array_remove(pending, $2::text) WHERE key = 'schema_meta' AND subsystem = $1";
    const char *const values[] = {step->subsystem->name, step->migration->name};
    const char *sql = step->phase == PHASE_FINISH ? finished : step->migration->teardown ? pending : executed;
    return pg_run_params(run->main, error, sql, 2, values);
}

/* The statements from `first` to before `end`, and the record, as one transaction. */
static bool try_transaction(struct run *run, const struct statements *statements, size_t first, size_t end, int lock_timeout_ms,
                            const struct plan_step *record, struct error *error)
{
    bool done = pg_runf(run->main, error, "BEGIN; SET LOCAL lock_timeout = %d", lock_timeout_ms);
    for (size_t i = first; done && i < end; i++)
        done = pg_run(run->main, error, statements->list[i].sql);
    if (done && record != NULL)
        done = apply_verify(run, record, false, true, error) && apply_record(run, record, error);
    done = done && pg_run(run->main, error, "COMMIT");
    if (!done)
        pg_rollback(run->main);
    return done;
}

static int64_t jittered(int64_t pause)
{
    return pause / 2 + rand() % (pause + 1);
}

static bool run_transaction(struct run *run, const struct statements *statements, size_t first, size_t end, const char *table,
                            const struct plan_step *record, struct error *error)
{
    static const int timeouts[] = {50, 100, 200};
    int64_t deadline = clock_ms() + run->job->deadline_ms, pause = FIRST_PAUSE_MS;
    for (size_t attempt = 0;; attempt++) {
        int timeout = timeouts[attempt < COUNT_OF(timeouts) ? attempt : COUNT_OF(timeouts) - 1];
        if (!run_may_go_on(run, error))
            return false;
        if (try_transaction(run, statements, first, end, timeout, record, error))
            return true;
        if (error->code != ERROR_LOCK)
            return false;
        run_report_wait(run, table, error->message);
        if (clock_ms() + pause > deadline)
            return false;
        error_clear(error);
        if (!run_pause(run, jittered(pause), error))
            return false;
        pause = pause * 3 / 2 < LONGEST_PAUSE_MS ? pause * 3 / 2 : LONGEST_PAUSE_MS;
    }
}

static bool in_transaction(const struct statement *statement)
{
    return !statement->alone && statement->column == NULL;
}

/* One that stands alone, or a backfill that a change needs on its way. No row in need may be left: a trigger sees to new ones. */
static bool run_alone(struct run *run, const struct change *change, const struct statement *statement, struct error *error)
{
    struct change fill = {.kind = CHANGE_BACKFILL, .phase = PHASE_FINISH, .table = change->table, .name = statement->column,
                          .set = statement->set, .where = statement->where};
    if (statement->column != NULL)
        return backfill_run(run, &fill, error);
    bool done = run_may_go_on(run, error) && run_wait_for_locks(run, false, error) && pg_run(run->main, error, statement->sql);
    return run_wait_for_locks(run, true, done ? error : NULL) && done;
}

/* All statements: runs of those that belong in a transaction, and the ones that stand alone. `*alone`: one of these failed. */
static bool run_statements(struct run *run, const struct change *change, const struct statements *statements,
                           const struct plan_step *step, bool *recorded, bool *alone, struct error *error)
{
    for (size_t i = 0; i < statements->count;) {
        if (!in_transaction(&statements->list[i])) {
            if (!run_alone(run, change, &statements->list[i], error)) {
                *alone = statements->list[i].alone;
                return false;
            }
            i++;
            continue;
        }
        size_t end = i;
        while (end < statements->count && in_transaction(&statements->list[end]))
            end++;
        const struct plan_step *record = end == statements->count ? step : NULL;
        if (record != NULL && !apply_verify(run, record, true, false, error))
            return false;
        if (!run_transaction(run, statements, i, end, change->table, record, error))
            return false;
        *recorded = record != NULL;
        i = end;
    }
    return true;
}

bool apply_change(struct run *run, const struct change *change, const struct plan_step *step, bool *recorded, struct error *error)
{
    *recorded = false;
    if (change_asks_rows(change))
        return backfill_run(run, change, error);
    for (int attempt = 1;; attempt++) {
        struct statements statements;
        bool alone = false;
        bool done = change_statements(run->main, change, false, &statements, error) &&
                    run_statements(run, change, &statements, step, recorded, &alone, error);
        statements_free(&statements);
        /* A deadlock ends a concurrent build and leaves its index invalid: the next attempt drops it first. */
        bool again = !done && error->code == ERROR_LOCK && alone && attempt < INDEX_TRIES;
        if (!again)
            return done;
        run_report_wait(run, change->table, error->message);
        error_clear(error);
        if (!run_pause(run, FIRST_PAUSE_MS * attempt, error))
            return false;
    }
}
