#include "core/migrations/run.h"

#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/db/pg.h"
#include "core/migrations/aside.h"
#include "core/migrations/order.h"
#include "core/migrations/run_internal.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RENEW_MS (LOCK_SECONDS * 1000 / 3)
#define STALL_TELL_MS 500
#define LOOK_MS 1000                /* how often a long wait is looked into */
#define AUX_TIMEOUT_MS 5000
#define CONNECT_TRIES 5
#define CONNECT_PAUSE_MS 200
#define LEFTOVER_MS 10000           /* so long is the end of a dead worker's statement waited for */

const char *run_result_name(enum run_result result)
{
    static const char *const names[] = {"done", "nothing", "paused", "held", "refused", "failed"};
    return names[result];
}

/* Reconnects the second session where it was lost, and takes its advisory lock again. */
static bool revive_aux(struct run *run, struct error *error)
{
    if (!pg_lost(run->aux))
        return true;
    struct pg *aux = pg_connect(run->job->datastore, "worker locks", AUX_TIMEOUT_MS, error);
    if (aux == NULL)
        return false;
    pg_close(run->aux);
    run->aux = aux;
    return lock_take_session(aux, error);
}

static void renew_lock(struct run *run)
{
    struct error error = {0};
    if (run->owner == NULL || run->lock_lost || clock_ms() - run->renewed_at < RENEW_MS)
        return;
    if (revive_aux(run, &error) && lock_renew(run->aux, run->owner, &error))
        run->renewed_at = clock_ms();
    else if (error.code == ERROR_HELD || clock_ms() - run->renewed_at > LOCK_SECONDS * 1000)
        run->lock_lost = true;
    else
        run->renewed_at += PG_TICK_MS * 20;   /* once a second until the row expires */
    error_clear(&error);
}

static void look_who_blocks(struct run *run)
{
    if (clock_ms() - run->looked_at < LOOK_MS || pg_lost(run->aux))
        return;
    run->looked_at = clock_ms();
    run_report_wait(run, NULL, "the statement in hand waits for other transactions");
}

static double tenth(double ms)
{
    return (double)(int64_t)(ms * 10 + 0.5) / 10;
}

void run_report_stall(struct run *run, bool always)
{
    if (run->probe == NULL || run->current_id == NULL || (!always && clock_ms() - run->stall_told_at < STALL_TELL_MS))
        return;
    struct probe_figures figures = probe_read(run->probe);
    run->stall_told_at = clock_ms();
    if (figures.samples == 0 || (!always && figures.worst_ms <= run->stall_told_ms))
        return;
    run->stall_told_ms = figures.worst_ms;
    journal_add(run->journal, false, json_pack("{s:s, s:s, s:f, s:f, s:I}", "event", "stall", "id", run->current_id, "worst_ms", tenth(figures.worst_ms),
                                               "p99_ms", tenth(figures.p99_ms), "samples", (json_int_t)figures.samples));
}

bool run_tick(void *context)
{
    struct run *run = context;
    renew_lock(run);
    look_who_blocks(run);
    run_report_stall(run, false);
    if (!*run->stop)
        return true;
    if (run->stop_seen_at == 0) {
        run->stop_seen_at = clock_ms();
        journal_add(run->journal, true, json_pack("{s:s}", "event", "stop"));
    }
    return clock_ms() - run->stop_seen_at < RUN_GRACE_MS;
}

bool run_may_go_on(struct run *run, struct error *error)
{
    run->looked_at = clock_ms();
    run_tick(run);
    if (run->lock_lost)
        return error_set(error, ERROR_HELD, "%s: Kong's migrations lock could not be kept; stopped with nothing half done: see who took it, then run the same again",
                         pg_where(run->main));
    if (*run->stop)
        return error_set(error, ERROR_STOPPED, "stopped as asked, at a safe point; run the same again to go on");
    return true;
}

/* To wait for a read lock keeps no one else from the table. */
bool run_wait_for_locks(struct run *run, bool until_deadline, struct error *error)
{
    return pg_runf(run->main, error, "SET lock_timeout = %d", until_deadline ? run->job->deadline_ms : 0);
}

bool run_pause(struct run *run, int64_t milliseconds, struct error *error)
{
    int64_t end = clock_ms() + milliseconds;
    while (clock_ms() < end) {
        if (!run_may_go_on(run, error))
            return false;
        struct timespec slice = {.tv_nsec = PG_TICK_MS * 1000000L};
        nanosleep(&slice, NULL);
    }
    return true;
}

/* Sessions that hold a lock on the table, or, with $2, those that the backend waits for. Long and idle ones first. Our own sessions
 * hold theirs for moments only. Of other roles'
 * sessions a role without pg_read_all_stats sees no more than the application's name. */
static const char blockers_sql[] =
    "SELECT a.pid, coalesce(a.application_name, ''), CASE WHEN a.query = '<insufficient privilege>' THEN 'of another role'"
    " ELSE coalesce(a.client_addr::text, 'local') END, coalesce(a.state, ''),"
    " coalesce(extract(epoch FROM clock_timestamp() - coalesce(a.xact_start, a.query_start))::bigint, 0), coalesce(left(a.query, 300), '')"
    " FROM pg_catalog.pg_stat_activity a WHERE a.pid <> $2::int AND a.pid <> pg_backend_pid() AND a.application_name NOT LIKE 'kong-upgrade worker%' AND a.pid = ANY (CASE WHEN $1::text IS NULL"
    " THEN pg_catalog.pg_blocking_pids($2::int) ELSE ARRAY(SELECT l.pid FROM pg_catalog.pg_locks l WHERE l.granted"
    " AND l.relation = to_regclass($1) AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())) END)"
    " ORDER BY a.xact_start LIMIT 10";

void run_report_wait(struct run *run, const char *table, const char *why)
{
    struct buf quoted = {0};
    char *pid = mem_printf("%d", pg_backend_pid(run->main));
    if (table != NULL)
        buf_add_identifier(&quoted, table);
    const char *const values[] = {quoted.data, pid};
    PGresult *result = pg_query_params(run->aux, NULL, blockers_sql, 2, values);
    json_t *blockers = json_array();
    for (int row = 0; result != NULL && row < PQntuples(result); row++) {
        char *query = pg_mask_query(PQgetvalue(result, row, 5));
        json_array_append_new(blockers, json_pack("{s:i, s:o, s:o, s:o, s:i, s:o}", "pid", atoi(PQgetvalue(result, row, 0)),
            "application", json_text(PQgetvalue(result, row, 1)), "address", json_text(PQgetvalue(result, row, 2)),
            "state", json_text(PQgetvalue(result, row, 3)), "seconds", atoi(PQgetvalue(result, row, 4)), "query", json_text(query)));
        free(query);
    }
    bool worth_saying = table != NULL || json_array_size(blockers) > 0;
    PQclear(result);
    buf_free(&quoted);
    free(pid);
    if (worth_saying)
        journal_add(run->journal, false, json_pack("{s:s, s:s?, s:o, s:o}", "event", "wait", "id", run->current_id, "what", json_text(why), "blockers", blockers));
    else
        json_decref(blockers);
}

static void add_change_event(struct run *run, const char *state, int64_t begun, bool sync)
{
    json_t *event = json_pack("{s:s, s:s, s:s}", "event", "change", "id", run->current_id, "state", state);
    if (begun > 0)
        json_object_set_new(event, "ms", json_integer(clock_ms() - begun));
    journal_add(run->journal, sync, event);
}

static void add_record_event(struct run *run, const struct plan_step *step)
{
    bool pending = step->phase == PHASE_UP && step->migration->teardown;
    journal_add(run->journal, true, json_pack("{s:s, s:s, s:s, s:s}", "event", "record", "subsystem", step->subsystem->name,
        "migration", step->migration->name, "state", pending ? "pending" : "executed"));
}

bool run_change(struct run *run, const struct plan_change *each, const struct plan_step *record, bool *recorded, struct error *error)
{
    bool done = false;
    char *id = plan_change_id(&run->plan, each);
    int64_t begun = clock_ms();
    run->current_id = id;
    run->current_table = each->change->table;
    bool made = change_is_done(run->main, each->change, &done, error);
    if (made && !done) {
        add_change_event(run, "begin", 0, true);
        run->stall_told_ms = 0;
        probe_watch(run->probe, each->change->table, each->change->kind == CHANGE_ADD_COLUMN ? each->change->to : NULL);
        made = apply_change(run, each->change, record, recorded, error);
        run_report_stall(run, true);
        add_change_event(run, made ? "done" : "failed", begun, true);
    } else if (made) {
        add_change_event(run, "already", 0, false);
    }
    run->current_id = NULL;
    free(id);
    return made;
}

/* The last migration is recorded once all is proven: until then the run is not complete. */
static bool run_step(struct run *run, const struct plan_step *step, struct error *error)
{
    bool recorded = false, last_step = step + 1 == run->plan.steps + run->plan.step_count;
    for (size_t i = 0; i < step->count; i++) {
        bool last = i + 1 == step->count;
        if (!run_may_go_on(run, error) ||
            !run_change(run, &run->plan.changes[step->first + i], last && !last_step ? step : NULL, &recorded, error))
            return false;
    }
    if (!recorded) {
        bool done = run_may_go_on(run, error) && apply_verify(run, step, true, false, error) &&
                    (!last_step || proof_all(run, error)) && pg_run(run->main, error, "BEGIN") &&
                    apply_verify(run, step, false, true, error) && apply_record(run, step, error) && pg_run(run->main, error, "COMMIT");
        if (!done) {
            pg_rollback(run->main);
            return false;
        }
    }
    add_record_event(run, step);
    return last_step || proof_after(run, step, error);
}

static bool run_steps(struct run *run, struct error *error)
{
    if (!proof_before(run, error))
        return false;
    for (size_t i = 0; i < run->plan.step_count; i++)
        if (!run_step(run, &run->plan.steps[i], error))
            return false;
    return true;
}

/* An empty database: everything in one transaction, plainly. */
static bool fill_step(struct run *run, const struct plan_step *step, struct error *error)
{
    for (size_t i = step->first; i < step->first + step->count; i++) {
        const struct change *change = run->plan.changes[i].change;
        struct statements statements = {0};
        bool done = false;
        bool made = run_may_go_on(run, error) && change_is_done(run->main, change, &done, error) &&
                    (done || change_statements(run->main, change, true, &statements, error));
        for (size_t j = 0; made && j < statements.count; j++)
            made = pg_run(run->main, error, statements.list[j].sql);
        statements_free(&statements);
        if (!made)
            return false;
        char *id = plan_change_id(&run->plan, &run->plan.changes[i]);
        journal_add(run->journal, false, json_pack("{s:s, s:s, s:s}", "event", "change", "id", id, "state", done ? "already" : "done"));
        free(id);
    }
    return apply_verify(run, step, true, true, error) && apply_record(run, step, error);
}

static bool fill_empty_database(struct run *run, struct error *error)
{
    bool done = pg_run(run->main, error, "BEGIN; SET LOCAL lock_timeout = '5s'");
    for (size_t i = 0; done && i < run->plan.step_count; i++)
        done = fill_step(run, &run->plan.steps[i], error);
    done = done && proof_within(run, error) && pg_run(run->main, error, "COMMIT");
    if (!done)
        pg_rollback(run->main);
    for (size_t i = 0; done && i < run->plan.step_count; i++)
        add_record_event(run, &run->plan.steps[i]);
    return done;
}

/* What has to be granted is said. */
static bool forbidden(const struct run *run, bool schema_there, struct error *error)
{
    struct buf role = {0}, object = {0};
    if (error == NULL || strcmp(error->sqlstate, "42501") != 0)
        return false;
    buf_add_identifier(&role, run->job->datastore->user);
    buf_add_identifier(&object, schema_there ? pg_schema(run->main) : pg_database(run->main));
    if (schema_there)
        error_set(error, ERROR_SQL, "%s: the role %s may not create tables in schema %s; have its owner or a superuser run GRANT USAGE, CREATE ON SCHEMA %s TO %s;"
                  " then run the same again", pg_where(run->main), run->job->datastore->user, pg_schema(run->main), buf_text(&object), buf_text(&role));
    else
        error_set(error, ERROR_SQL, "%s: schema %s does not exist, and the role %s may not create it; have a superuser run GRANT CREATE ON DATABASE %s TO %s;"
                  " then run the same again", pg_where(run->main), pg_schema(run->main), run->job->datastore->user, buf_text(&object), buf_text(&role));
    buf_free(&role);
    buf_free(&object);
    return false;
}

/* Kong's bookkeeping is there before its first migration: the lock needs its table. */
static bool make_bookkeeping(struct run *run, struct error *error)
{
    struct buf sql = {0};
    buf_add(&sql, "CREATE SCHEMA IF NOT EXISTS ");
    buf_add_identifier(&sql, pg_schema(run->main));
    bool there = false;
    bool made = pg_ask(run->main, error, "SELECT current_schema() IS NOT NULL", &there) && (there || pg_run(run->main, error, buf_text(&sql)));
    buf_free(&sql);
    for (size_t i = 0; made && i < bookkeeping_count; i++) {
        bool done = false, recorded;
        made = change_is_done(run->main, &bookkeeping[i], &done, error) &&
               (done || apply_change(run, &bookkeeping[i], NULL, &recorded, error));
        there = true;
    }
    return made || forbidden(run, there, error);
}

/* We hold the advisory lock now: a worker that still has a session lives no more, or has lost its lock. What the server still does for
 * it ends by itself, most often at once; only a concurrent build may take long. */
static bool await_leftover(struct run *run, struct error *error)
{
    int64_t end = clock_ms() + LEFTOVER_MS;
    for (;;) {
        bool there = false;
        error_clear(error);
        if (lock_leftover(run->aux, pg_backend_pid(run->main), &there, error))
            return true;
        if (!there || clock_ms() > end || !run_pause(run, PG_TICK_MS * 2, error))
            return false;
    }
}

static bool take_lock(struct run *run, struct error *error)
{
    if (!lock_mark_session(run->main, error) || !await_leftover(run, error))
        return false;
    if (run->job->kind != PLAN_FINISH && !make_bookkeeping(run, error))
        return false;
    if (run->job->clear_dead_lock && !lock_clear_dead(run->aux, error))
        return false;
    char *unique = lock_new_owner(), *owner = mem_printf("%s %s", unique, run->job->command);
    free(unique);
    if (!lock_acquire(run->aux, owner, error)) {
        free(owner);
        return false;
    }
    run->owner = owner;
    run->renewed_at = clock_ms();
    journal_add(run->journal, true, json_pack("{s:s, s:s}", "event", "lock", "state", "taken"));
    return true;
}

void run_forget_lock(struct run *run)
{
    journal_add(run->journal, true, json_pack("{s:s, s:s}", "event", "lock", "state", "released"));
    free(run->owner);
    run->owner = NULL;
}

static void release_lock(struct run *run)
{
    struct error error = {0};
    if (run->owner == NULL)
        return;
    bool released = revive_aux(run, &error) && lock_release(run->aux, run->owner, &error);
    /* That the session is gone shows only when it is used. */
    if (!released && pg_lost(run->aux))
        released = revive_aux(run, &error) && lock_release(run->aux, run->owner, &error);
    if (!released) {
        char *text = mem_printf("Kong's migrations lock could not be released (%s); it expires within %d s", error.message, LOCK_SECONDS);
        journal_add(run->journal, false, json_pack("{s:s, s:o}", "event", "note", "text", json_text(text)));
        free(text);
        free(run->owner);
        run->owner = NULL;
    } else {
        run_forget_lock(run);
    }
    error_clear(&error);
}

/* `from`: the Kong whose schema it is before; NULL: there is none. */
static void add_plan_event(struct run *run, const char *from)
{
    json_t *changes = json_array();
    for (size_t i = 0; i < run->plan.change_count; i++) {
        const struct plan_change *each = &run->plan.changes[i];
        char *id = plan_change_id(&run->plan, each), *text = change_text(each->change);
        json_array_append_new(changes, json_pack("{s:s, s:s, s:s?, s:s, s:b, s:b, s:I, s:I, s:s?}", "id", id, "what", text, "table",
            each->change->table, "lock", each->cost.lock, "rewrite", each->cost.rewrite, "scan", each->cost.scan, "rows",
            (json_int_t)each->rows, "bytes", (json_int_t)each->bytes, "correction", each->change->correction));
        free(text);
        free(id);
    }
    journal_add(run->journal, true, json_pack("{s:s, s:o, s:o}", "event", "plan", "from", json_text(from), "changes", changes));
}

static bool read_state(struct run *run, struct state *state, struct error *error)
{
    return state_read(run->main, (const char *const *)run->job->plugins->list, run->job->plugins->count, state, error);
}

/* The outcome that a failure amounts to. */
static struct run_outcome failed(const struct run *run, struct error *error)
{
    static const struct {
        enum error_code code;
        enum run_result result;
        int exit_code;
    } table[] = {
        {ERROR_STOPPED, RUN_PAUSED, 10}, {ERROR_LOCK, RUN_PAUSED, 10}, {ERROR_HELD, RUN_HELD, 9}, {ERROR_REFUSED, RUN_REFUSED, 7},
    };
    if (error->code == ERROR_LOCK)
        error_prefix(error, "%s did not get its lock within %d s; paused with nothing half done: end what blocks it, then run the same again",
                     run->current_table != NULL ? run->current_table : "a table", run->job->deadline_ms / 1000);
    struct run_outcome outcome = {RUN_FAILED, 1, error->message};
    for (size_t i = 0; i < COUNT_OF(table); i++)
        if (table[i].code == error->code)
            outcome.result = table[i].result, outcome.exit_code = table[i].exit_code;
    *error = (struct error){0};
    return outcome;
}

static char *success_sentence(const struct run_job *job, const struct state *state)
{
    if (job->kind == PLAN_BOOTSTRAP)
        return mem_printf("database %s is ready for Kong %s", state->database, kong_version_names[job->to]);
    if (job->kind == PLAN_FINISH)
        return mem_printf("database %s is Kong 1.3's: the upgrade is complete", state->database);
    return mem_printf("`up` is complete: 1.3 nodes may be started beside the old ones on database %s", state->database);
}

/* Reads where the database stands once more: what schema_meta says, not what we believe, is the result. */
static struct run_outcome conclude_rollback(struct run *run)
{
    struct error error = {0};
    char *sentence = NULL;
    if (!rollback_run_conclude(run, &sentence, &error))
        return failed(run, &error);
    if (sentence != NULL)
        return (struct run_outcome){RUN_DONE, 0, sentence};
    return (struct run_outcome){RUN_FAILED, 1, mem_dup("all was undone, but the database does not say so: someone else changes it; run `status`")};
}

static struct run_outcome conclude(struct run *run)
{
    struct error error = {0};
    struct state state;
    if (!read_state(run, &state, &error))
        return failed(run, &error);
    bool complete = run->job->to != KONG_1_3 ||
                    (run->job->kind == PLAN_FINISH ? state_count_pending(&state) == 0 : state_count_new(&state) == 0);
    struct run_outcome outcome = {RUN_DONE, 0, success_sentence(run->job, &state)};
    if (!complete) {
        free(outcome.message);
        outcome = (struct run_outcome){RUN_FAILED, 1, mem_dup("all changes were made, but schema_meta does not say so: someone else changes it; run `status`")};
    } else if (run->job->kind == PLAN_FINISH && state_count_new(&state) > 0) {
        free(outcome.message);
        outcome.message = mem_dup("the earlier upgrade is finished; go on with `up`");
    }
    state_free(&state);
    return outcome;
}

static void start_probe(struct run *run)
{
    struct error error = {0};
    run->probe = probe_start(run->job->datastore, &error);
    if (run->probe != NULL)
        return;
    char *text = mem_printf("the stall meter could not be started, so stalls are not measured: %s", error.message);
    journal_add(run->journal, false, json_pack("{s:s, s:o}", "event", "note", "text", json_text(text)));
    free(text);
    error_clear(&error);
}

static struct run_outcome roll_back(struct run *run)
{
    struct error error = {0};
    if (!rollback_plan(run->main, &run->rollback, run->job->to, &run->plan, &error))
        return failed(run, &error);
    proof_prepare(run, &run->rollback.state);
    add_plan_event(run, run->rollback.state.version);
    start_probe(run);
    return rollback_run_steps(run, &error) ? conclude_rollback(run) : failed(run, &error);
}

static bool check_order(struct run *run, struct verdict *verdict, struct error *error)
{
    struct state state;
    if (run->job->kind == PLAN_ROLLBACK) {
        bool looked = rollback_run_look(run, error);
        if (looked)
            *verdict = rollback_run_check(run);
        return looked;
    }
    if (!read_state(run, &state, error))
        return false;
    *verdict = order_check(&state, run->job->kind, run->job->resume);
    state_free(&state);
    return true;
}

static struct run_outcome not_now(struct verdict verdict)
{
    return (struct run_outcome){verdict.order == ORDER_NOTHING ? RUN_NOTHING : RUN_REFUSED, verdict.exit_code, verdict.sentence};
}

/* Under the lock: the state read and judged again (until we had it, Kong's own command may have run), planned, and run. */
static struct run_outcome run_locked(struct run *run)
{
    struct error error = {0};
    struct verdict verdict;
    struct state state;
    if (!aside_put_back(run->main, &error) || !check_order(run, &verdict, &error))
        return failed(run, &error);
    if (verdict.order != ORDER_GO)
        return not_now(verdict);
    if (run->job->kind == PLAN_ROLLBACK)
        return roll_back(run);
    if (!read_state(run, &state, &error))
        return failed(run, &error);
    bool planned = plan_build(run->main, &state, run->job->kind, run->job->to, &run->plan, &error);
    if (planned) {
        proof_prepare(run, &state);
        add_plan_event(run, state.version);
    }
    state_free(&state);
    if (!planned)
        return failed(run, &error);
    if (run->job->kind != PLAN_BOOTSTRAP)
        start_probe(run);
    bool done = run->job->kind == PLAN_BOOTSTRAP ? fill_empty_database(run, &error) : run_steps(run, &error);
    return done ? conclude(run) : failed(run, &error);
}

static struct run_outcome run_connected(struct run *run)
{
    struct error error = {0};
    struct verdict verdict;
    if (!lock_take_session(run->aux, &error) || !check_order(run, &verdict, &error))
        return failed(run, &error);
    if (verdict.order != ORDER_GO)
        return not_now(verdict);
    if (!take_lock(run, &error))
        return failed(run, &error);
    struct run_outcome outcome = run_locked(run);
    release_lock(run);
    return outcome;
}

struct pg *run_connect(const struct datastore *datastore, const char *role, int timeout_ms, struct error *error)
{
    struct pg *pg = NULL;
    for (int attempt = 0; pg == NULL && attempt < CONNECT_TRIES; attempt++) {
        struct timespec pause = {.tv_nsec = CONNECT_PAUSE_MS * 1000000L};
        if (attempt > 0)
            nanosleep(&pause, NULL);
        error_clear(error);
        pg = pg_connect(datastore, role, timeout_ms, error);
    }
    return pg;
}

struct run_outcome run_job(const struct run_job *job, struct journal *journal, const volatile sig_atomic_t *stop)
{
    struct error error = {0};
    struct run run = {.job = job, .journal = journal, .stop = stop};
    struct run_outcome outcome;
    run.main = run_connect(job->datastore, "worker", 0, &error);
    run.aux = run.main != NULL ? run_connect(job->datastore, "worker locks", AUX_TIMEOUT_MS, &error) : NULL;
    if (run.aux != NULL) {
        pg_set_tick(run.main, run_tick, &run);
        outcome = run_wait_for_locks(&run, true, &error) ? run_connected(&run) : failed(&run, &error);
    } else {
        outcome = failed(&run, &error);
    }
    probe_stop(run.probe);
    proof_free(&run.proof);
    rollback_free(&run.rollback);
    plan_free(&run.plan);
    pg_close(run.main);
    pg_close(run.aux);
    return outcome;
}
