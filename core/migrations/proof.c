#include "core/migrations/proof.h"

#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/db/pg.h"
#include "core/migrations/proof_statements.h"
#include "core/migrations/run_internal.h"

#include <stdlib.h>
#include <string.h>

#define NODE_TIMEOUT "5s"           /* a node's pg_timeout: kong/templates/kong_defaults.lua at 1.3.0 */
#define FIRST_PAUSE_MS 250
#define LONGEST_PAUSE_MS 30000

const char *const proof_version_names[PROOF_VERSIONS] = {"0.14", "1.0", "1.1", "1.2", "1.3"};

static const struct proof_table *const tables[] = {&proof_core, &proof_legacy, &proof_plugins};

/* The statements that one proof is made of. */
struct chosen {
    const struct proof_statement *statement;
    unsigned versions;      /* those that issue it */
    bool planned;           /* by EXPLAIN, not run */
};

struct selection {
    struct chosen *list;
    size_t count;
    size_t kongs;           /* without the parent rows */
    unsigned versions;      /* those that issue any of them */
};

/* Where in the run it is, for the journal and the sentence. */
struct place {
    const char *subsystem, *migration;   /* NULL: none */
    char *text;                          /* "after core/005_120_to_130" */
    const char *kept;                    /* what has become of the database if it fails */
    const char *begin, *end;             /* the transaction */
};

static const char nothing_changed[] = "nothing was changed";
static const char nothing_further[] = "nothing further was changed";

static unsigned bit(enum proof_version version)
{
    return 1u << version;
}

static unsigned versions_of(const struct proof_statement *statement)
{
    unsigned versions = 0;
    for (enum proof_version version = statement->from; version <= statement->to; version++)
        versions |= bit(version);
    return versions;
}

static unsigned issued_by(const struct proof *proof, const struct proof_statement *statement, bool old, bool new)
{
    unsigned versions = 0;
    if (old && names_have(&proof->old_subsystems, statement->subsystem))
        versions |= proof->old_versions;
    if (new && names_have(&proof->new_subsystems, statement->subsystem))
        versions |= proof->new_versions;
    return versions & versions_of(statement);
}

/* A function is no table: it matters to the statements that call it. */
static bool is_touched(const struct plan *plan, const struct plan_step *step, const struct proof_statement *statement)
{
    for (size_t i = step->first; i < step->first + step->count; i++) {
        const struct change *change = plan->changes[i].change;
        if (change->table != NULL ? strcmp(change->table, statement->table) == 0 : strstr(statement->sql, change->name) != NULL)
            return true;
    }
    return false;
}

static bool is_touched_by_any(const struct plan *plan, const struct proof_statement *statement)
{
    for (size_t i = 0; i < plan->step_count; i++)
        if (is_touched(plan, &plan->steps[i], statement))
            return true;
    return false;
}

typedef bool wanted(const struct run *run, const struct plan_step *step, const struct proof_statement *statement);

static bool want_all(const struct run *run, const struct plan_step *step, const struct proof_statement *statement)
{
    (void)run, (void)step, (void)statement;
    return true;
}

static bool want_touched(const struct run *run, const struct plan_step *step, const struct proof_statement *statement)
{
    return is_touched(&run->plan, step, statement);
}

static bool want_untouched(const struct run *run, const struct plan_step *step, const struct proof_statement *statement)
{
    (void)step;
    return !is_touched_by_any(&run->plan, statement);
}

/* Parent rows go with the statements of their table: alone they prove nothing. */
static struct selection choose(const struct run *run, bool old, bool new, wanted *wants, const struct plan_step *step)
{
    struct selection selection = {0};
    for (size_t table = 0; table < COUNT_OF(tables); table++) {
        for (size_t i = 0; i < tables[table]->count; i++) {
            const struct proof_statement *statement = &tables[table]->list[i];
            unsigned versions = issued_by(&run->proof, statement, old, new);
            if (versions == 0 || !wants(run, step, statement))
                continue;
            selection.list = mem_grow(selection.list, selection.count + 1, sizeof *selection.list);
            selection.list[selection.count++] = (struct chosen){.statement = statement, .versions = versions};
            selection.kongs += statement->parent == NULL ? 1 : 0;
            selection.versions |= statement->parent == NULL ? versions : 0;
        }
    }
    return selection;
}

static char *version_list(unsigned versions)
{
    struct buf text = {0};
    for (enum proof_version version = PROOF_0_14; version < PROOF_VERSIONS; version++)
        if ((versions & bit(version)) != 0)
            buf_addf(&text, "%s%s", text.length > 0 ? ", " : "", proof_version_names[version]);
    return buf_take(&text);
}

static void add_event(struct run *run, const struct place *place, const struct selection *selection, int64_t begun,
                      const struct proof_statement *failed)
{
    json_t *versions = json_array();
    for (enum proof_version version = PROOF_0_14; version < PROOF_VERSIONS; version++)
        if ((selection->versions & bit(version)) != 0)
            json_array_append_new(versions, json_string(proof_version_names[version]));
    journal_add(run->journal, true, json_pack("{s:s, s:s?, s:s?, s:o, s:I, s:s, s:s?, s:I}", "event", "proof", "subsystem", place->subsystem,
        "migration", place->migration, "versions", versions, "statements", (json_int_t)selection->kongs, "state",
        failed == NULL ? "passed" : "failed", "statement", failed != NULL ? failed->sql : NULL, "ms", (json_int_t)(clock_ms() - begun)));
}

static const char *written_table(const struct proof_statement *statement)
{
    return statement->parent != NULL ? statement->parent : statement->table;
}

static bool fail(const struct place *place, const struct chosen *failed, struct error *error)
{
    char *issuers = version_list(failed->versions);
    char *message = error->message, sqlstate[sizeof error->sqlstate];
    memcpy(sqlstate, error->sqlstate, sizeof sqlstate);
    error->message = NULL;
    error_set(error, ERROR_SQL, "%s a statement that Kong %s issues on %s does not work (%s); %s: look for a trigger, a constraint or a column"
              " that is not Kong's, mend it and run the same again, or report it; the statement: %s", place->text, issuers,
              written_table(failed->statement), message, place->kept, failed->statement->sql);
    memcpy(error->sqlstate, sqlstate, sizeof sqlstate);
    free(message);
    free(issuers);
    return false;
}

/* Those that would touch rows of the operator's are found out now. *at: the one that can't be asked. */
static bool decide_planned(struct run *run, struct selection *selection, size_t *at, struct error *error)
{
    for (*at = 0; *at < selection->count; ++*at) {
        struct chosen *each = &selection->list[*at];
        if (each->statement->planned == NULL)
            continue;
        char *sql = mem_printf("SELECT %s", each->statement->planned);
        each->planned = strcmp(each->statement->planned, "true") == 0;
        bool asked = each->planned || pg_ask(run->main, error, sql, &each->planned);
        free(sql);
        if (!asked)
            return false;
    }
    return true;
}

static void add_sql(struct buf *sql, const struct chosen *chosen)
{
    buf_addf(sql, "%s%s", chosen->planned ? "EXPLAIN " : "", chosen->statement->sql);
}

/* All in one round trip: what a healthy schema costs. */
static bool run_together(struct run *run, const struct selection *selection, struct error *error)
{
    struct buf sql = {0};
    for (size_t i = 0; i < selection->count; i++) {
        add_sql(&sql, &selection->list[i]);
        buf_add(&sql, ";\n");
    }
    bool done = pg_run(run->main, error, buf_text(&sql));
    buf_free(&sql);
    return done;
}

/* One by one, to learn which fails. */
static bool run_singly(struct run *run, const struct selection *selection, size_t *failed, struct error *error)
{
    struct buf sql = {0};
    bool done = true;
    for (*failed = 0; done && *failed < selection->count; *failed += done ? 1 : 0) {
        buf_clear(&sql);
        add_sql(&sql, &selection->list[*failed]);
        done = pg_run(run->main, error, buf_text(&sql));
    }
    buf_free(&sql);
    return done;
}

static bool begin(struct run *run, const struct place *place, int lock_timeout_ms, struct error *error)
{
    return pg_runf(run->main, error, "%s; SET LOCAL lock_timeout = %d; SET LOCAL statement_timeout = '" NODE_TIMEOUT "'", place->begin, lock_timeout_ms);
}

/* Always rolled back. Where the connection is gone the server has done so. */
static bool end(struct run *run, const struct place *place, bool done, struct error *error)
{
    return pg_run(run->main, done ? error : NULL, place->end) && done;
}

/* The server cancelled it for its time, not we. */
static bool is_too_slow(const struct run *run, const struct error *error)
{
    return error->code == ERROR_STOPPED && !*run->stop && !run->lock_lost;
}

/* A slow table makes each of its statements slow. */
static void plan_table(struct selection *selection, const char *table)
{
    for (size_t i = 0; i < selection->count; i++)
        if (strcmp(selection->list[i].statement->table, table) == 0)
            selection->list[i].planned = true;
}

/* One attempt. *failed: the statement that could not be run; count, where it is something else. */
static bool try_proof(struct run *run, const struct place *place, struct selection *selection, int lock_timeout_ms, size_t *failed,
                      struct error *error)
{
    if (!decide_planned(run, selection, failed, error) || !begin(run, place, lock_timeout_ms, error))
        return false;
    bool done = end(run, place, run_together(run, selection, error), error);
    while (!done && (error->code == ERROR_SQL || error->code == ERROR_LOCK || is_too_slow(run, error))) {
        error_clear(error);
        if (!begin(run, place, lock_timeout_ms, error))
            return false;
        size_t at;
        done = end(run, place, run_singly(run, selection, &at, error), error);
        if (!done && is_too_slow(run, error) && at < selection->count && !selection->list[at].planned) {
            plan_table(selection, selection->list[at].statement->table);
            continue;
        }
        *failed = at;
        break;
    }
    return done;
}

/* Tried again, as the changes are (apply.c), where someone holds a table. */
static bool try_until_deadline(struct run *run, const struct place *place, struct selection *selection, size_t *failed, struct error *error)
{
    static const int timeouts[] = {50, 100, 200};
    int64_t deadline = clock_ms() + run->job->deadline_ms, pause = FIRST_PAUSE_MS;
    for (size_t attempt = 0;; attempt++) {
        *failed = selection->count;
        if (!run_may_go_on(run, error))
            return false;
        if (try_proof(run, place, selection, timeouts[attempt < COUNT_OF(timeouts) ? attempt : COUNT_OF(timeouts) - 1], failed, error))
            return true;
        if (error->code != ERROR_LOCK)
            return false;
        const char *table = *failed < selection->count ? written_table(selection->list[*failed].statement) : NULL;
        run_report_wait(run, table, error->message);
        if (clock_ms() + pause > deadline)
            return error_prefix(error, "the proof did not get its lock on %s within %d s; paused with nothing half done: end what blocks it, then run the same again",
                                table != NULL ? table : "a table", run->job->deadline_ms / 1000);
        error_clear(error);
        if (!run_pause(run, pause / 2 + rand() % (pause + 1), error))
            return false;
        pause = pause * 3 / 2 < LONGEST_PAUSE_MS ? pause * 3 / 2 : LONGEST_PAUSE_MS;
    }
}

static bool prove(struct run *run, const struct place *place, struct selection *selection, struct error *error)
{
    int64_t begun = clock_ms();
    size_t failed;
    bool done = selection->kongs == 0 || try_until_deadline(run, place, selection, &failed, error);
    if (done && selection->kongs > 0)
        add_event(run, place, selection, begun, NULL);
    if (!done && error->code == ERROR_SQL && failed < selection->count) {
        add_event(run, place, selection, begun, selection->list[failed].statement);
        fail(place, &selection->list[failed], error);
    }
    free(selection->list);
    return done;
}

#define OWN_TRANSACTION .begin = "BEGIN", .end = "ROLLBACK"

bool proof_before(struct run *run, struct error *error)
{
    bool finishes = run->job->kind == PLAN_FINISH, ups = run->job->kind == PLAN_UP;
    struct place place = {.text = mem_dup("before the first change"), .kept = nothing_changed, OWN_TRANSACTION};
    struct selection selection = choose(run, !finishes, finishes, ups ? want_all : want_untouched, NULL);
    bool done = prove(run, &place, &selection, error);
    free(place.text);
    return done;
}

bool proof_after(struct run *run, const struct plan_step *step, struct error *error)
{
    bool finishes = run->job->kind == PLAN_FINISH;
    struct place place = {step->subsystem->name, step->migration->name, mem_printf("after %s/%s", step->subsystem->name, step->migration->name),
                          .kept = nothing_further, OWN_TRANSACTION};
    struct selection selection = choose(run, !finishes, finishes, want_touched, step);
    bool done = prove(run, &place, &selection, error);
    free(place.text);
    return done;
}

bool proof_all(struct run *run, struct error *error)
{
    struct place place = {.text = mem_dup("after all changes"), .kept = nothing_further, OWN_TRANSACTION};
    struct selection selection = choose(run, run->job->kind != PLAN_FINISH, true, want_all, NULL);
    bool done = prove(run, &place, &selection, error);
    free(place.text);
    return done;
}

bool proof_within(struct run *run, struct error *error)
{
    struct place place = {.text = mem_dup("after all changes"), .kept = "all of it was rolled back", .begin = "SAVEPOINT proof",
                          .end = "ROLLBACK TO SAVEPOINT proof; RELEASE SAVEPOINT proof"};
    struct selection selection = choose(run, false, true, want_all, NULL);
    bool done = prove(run, &place, &selection, error);
    free(place.text);
    return done;
}

/* What to prove. */

/* The release whose core migrations are recorded, pending ones too. */
static enum proof_version recorded_version(const struct state *state)
{
    const struct subsystem_state *core = &state->subsystems[0];
    enum proof_version version = PROOF_1_0;
    for (size_t i = 0; i < core->subsystem->migration_count; i++) {
        const struct migration *migration = &core->subsystem->migrations[i];
        bool recorded = names_have(&core->executed, migration->name) || names_have(&core->pending, migration->name);
        if (recorded && migration->since > KONG_1_0)
            version = (enum proof_version)migration->since;
    }
    return version;
}

/* Where an `up` has begun before, the release that it began from is not known any more: any that it may have been. */
static unsigned old_versions(const struct run *run, const struct state *state)
{
    enum proof_version recorded = recorded_version(state);
    unsigned versions = bit(recorded);
    if (state->from_014)
        return bit(PROOF_0_14);
    for (enum proof_version version = PROOF_1_0; version < recorded && (run->job->resume || state_up_begun(state)); version++)
        versions |= bit(version);
    return versions;
}

static void prepare_rollback(struct run *run, const struct state *state)
{
    run->proof.old_versions = bit((enum proof_version)run->job->to);
    for (size_t i = 0; i < state->subsystem_count; i++)
        if (rollback_keeps(&run->rollback, state->subsystems[i].subsystem, run->job->to))
            names_add(&run->proof.old_subsystems, state->subsystems[i].subsystem->name);
}

void proof_prepare(struct run *run, const struct state *state)
{
    struct proof *proof = &run->proof;
    if (run->job->kind == PLAN_ROLLBACK) {
        prepare_rollback(run, state);
        return;
    }
    proof->old_versions = run->job->kind == PLAN_UP ? old_versions(run, state) : 0;
    proof->new_versions = bit(run->job->kind == PLAN_FINISH ? recorded_version(state) : (enum proof_version)run->job->to);
    for (size_t i = 0; i < state->subsystem_count; i++) {
        const struct subsystem_state *each = &state->subsystems[i];
        bool recorded = each->executed.count > 0 || each->pending.count > 0;
        if (recorded || state->from_014)
            names_add(&proof->old_subsystems, each->subsystem->name);
        if (recorded || run->job->kind != PLAN_FINISH)
            names_add(&proof->new_subsystems, each->subsystem->name);
    }
}

void proof_free(struct proof *proof)
{
    names_free(&proof->old_subsystems);
    names_free(&proof->new_subsystems);
}
