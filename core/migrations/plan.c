#include "core/migrations/plan.h"

#include "core/base/mem.h"
#include "core/db/pg.h"

#include <stdlib.h>
#include <string.h>

void plan_free(struct plan *plan)
{
    for (size_t i = 0; plan->undos != NULL && i < plan->change_count; i++)
        free(plan->undos[i]);
    free(plan->undos);
    free(plan->steps);
    free(plan->changes);
    *plan = (struct plan){0};
}

bool plan_takes(const struct plan *plan, const struct change *change, enum change_phase phase)
{
    const bool from[] = {
        [ORIGIN_ANY] = true, [ORIGIN_014] = plan->from_014, [ORIGIN_SINCE_1_0] = !plan->from_014,
        [ORIGIN_ANY_KONG] = plan->kind != PLAN_BOOTSTRAP,
    };
    return change->phase == phase && from[change->origin];
}

static void add_step(struct plan *plan, const struct subsystem *subsystem, const struct migration *migration, enum change_phase phase)
{
    struct plan_step step = {subsystem, migration, phase, plan->change_count, 0};
    for (size_t i = 0; i < migration->change_count; i++) {
        if (!plan_takes(plan, &migration->changes[i], phase))
            continue;
        plan->changes = mem_grow(plan->changes, plan->change_count + 1, sizeof *plan->changes);
        plan->changes[plan->change_count++] =
            (struct plan_change){.change = &migration->changes[i], .step = plan->step_count, .rows = -1, .bytes = -1};
        step.count++;
    }
    plan->steps = mem_grow(plan->steps, plan->step_count + 1, sizeof *plan->steps);
    plan->steps[plan->step_count++] = step;
}

static void add_steps(struct plan *plan, const struct subsystem_state *each)
{
    for (size_t i = 0; i < each->subsystem->migration_count; i++) {
        const struct migration *migration = &each->subsystem->migrations[i];
        if (migration->since > plan->to)
            continue;
        bool is_new = names_have(&each->new, migration->name) || names_have(&each->missing, migration->name);
        if (plan->kind != PLAN_FINISH && is_new)
            add_step(plan, each->subsystem, migration, PHASE_UP);
        if ((plan->kind == PLAN_BOOTSTRAP && is_new && migration->teardown) ||
            (plan->kind == PLAN_FINISH && names_have(&each->pending, migration->name)))
            add_step(plan, each->subsystem, migration, PHASE_FINISH);
    }
}

/* All questions to the catalogs in one statement: a hundred changes cost one round trip. */
static bool ask_catalogs(struct pg *pg, struct plan *plan, struct error *error)
{
    struct buf sql = {0};
    buf_add(&sql, "SELECT unnest(ARRAY[");
    size_t asked = 0;
    for (size_t i = 0; i < plan->change_count; i++) {
        if (change_asks_rows(plan->changes[i].change))
            continue;
        buf_add(&sql, asked++ > 0 ? ",\n" : "");
        change_done_sql(plan->changes[i].change, &sql);
    }
    buf_add(&sql, "]::boolean[])");
    PGresult *result = pg_query(pg, error, buf_text(&sql));
    buf_free(&sql);
    if (result == NULL)
        return false;
    int row = 0;
    for (size_t i = 0; i < plan->change_count; i++)
        if (!change_asks_rows(plan->changes[i].change))
            plan->changes[i].done = PQgetvalue(result, row++, 0)[0] == 't';
    PQclear(result);
    return true;
}

static bool ask_rows(struct pg *pg, struct plan *plan, struct error *error)
{
    for (size_t i = 0; i < plan->change_count; i++)
        if (change_asks_rows(plan->changes[i].change) && !change_is_done(pg, plan->changes[i].change, &plan->changes[i].done, error))
            return false;
    return true;
}

/* The exact size of a table that is locked would have to be waited for; its last known number of pages will do then. */
static bool read_sizes(struct pg *pg, struct plan *plan, struct error *error)
{
    PGresult *result = pg_query(pg, error,
        "SELECT c.relname, greatest(c.reltuples, coalesce(s.n_live_tup, 0))::bigint, CASE WHEN c.oid IN (SELECT relation FROM pg_catalog.pg_locks"
        " WHERE mode = 'AccessExclusiveLock') THEN c.relpages * current_setting('block_size')::bigint ELSE pg_catalog.pg_total_relation_size(c.oid) END"
        " FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_stat_all_tables s ON s.relid = c.oid"
        " WHERE c.relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = current_schema()) AND c.relkind IN ('r', 'p')");
    if (result == NULL)
        return false;
    for (size_t i = 0; i < plan->change_count; i++) {
        struct plan_change *each = &plan->changes[i];
        for (int row = 0; each->change->table != NULL && row < PQntuples(result); row++) {
            if (strcmp(PQgetvalue(result, row, 0), each->change->table) != 0)
                continue;
            each->rows = atoll(PQgetvalue(result, row, 1));
            each->bytes = atoll(PQgetvalue(result, row, 2));
        }
    }
    PQclear(result);
    return true;
}

static bool ask_rewrites(struct pg *pg, struct plan *plan, struct error *error)
{
    for (size_t i = 0; i < plan->change_count; i++)
        if (!plan->changes[i].done && !change_rewrites(pg, plan->changes[i].change, &plan->changes[i].cost.rewrite, error))
            return false;
    return true;
}

bool plan_build(struct pg *pg, const struct state *state, enum plan_kind kind, enum kong_version to, struct plan *plan,
                struct error *error)
{
    *plan = (struct plan){.kind = kind, .to = to, .from_014 = state->from_014};
    for (size_t i = 0; i < state->subsystem_count; i++)
        add_steps(plan, &state->subsystems[i]);
    return plan_ask(pg, plan, error);
}

bool plan_ask(struct pg *pg, struct plan *plan, struct error *error)
{
    for (size_t i = 0; i < plan->change_count; i++)
        plan->changes[i].cost = change_cost(plan->changes[i].change, pg_server_version(pg));
    /* On an empty database nothing is done, though "there is no such index to rename" would be true of it. */
    bool built = plan->kind == PLAN_BOOTSTRAP || (ask_catalogs(pg, plan, error) && ask_rows(pg, plan, error) && read_sizes(pg, plan, error) &&
                                                  ask_rewrites(pg, plan, error));
    if (!built)
        plan_free(plan);
    return built;
}

size_t plan_remaining(const struct plan *plan)
{
    size_t count = 0;
    for (size_t i = 0; i < plan->change_count; i++)
        count += plan->changes[i].done ? 0 : 1;
    return count;
}

char *plan_change_id(const struct plan *plan, const struct plan_change *change)
{
    const struct plan_step *step = &plan->steps[change->step];
    char *id = change_id(change->change);
    char *full = mem_printf("%s/%s/%s", step->subsystem->name, step->migration->name, id);
    free(id);
    return full;
}

int64_t plan_lock_ms(const struct plan_change *change)
{
    bool rewritten = change->cost.rewrite && !change->done && change->bytes > 0;
    return rewritten ? (int64_t)((double)change->bytes * 1000.0 / (double)PLAN_REWRITE_BYTES_PER_SECOND) + 1 : 0;
}

const struct plan_change *plan_heaviest(const struct plan *plan)
{
    const struct plan_change *heaviest = NULL;
    for (size_t i = 0; i < plan->change_count; i++) {
        const struct plan_change *each = &plan->changes[i];
        if (!each->done && (each->cost.rewrite || each->cost.scan) && (heaviest == NULL || each->bytes > heaviest->bytes))
            heaviest = each;
    }
    return heaviest;
}

static json_t *change_json(struct pg *pg, const struct plan *plan, const struct plan_change *each, struct error *error)
{
    struct statements statements;
    if (!change_statements(pg, each->change, plan->kind == PLAN_BOOTSTRAP, &statements, error)) {
        statements_free(&statements);
        return NULL;
    }
    json_t *sql = json_array();
    for (size_t i = 0; i < statements.count; i++)
        json_array_append_new(sql, json_string(statements.list[i].sql));
    statements_free(&statements);
    const struct plan_step *step = &plan->steps[each->step];
    char *id = plan_change_id(plan, each);
    char *text = change_text(each->change);
    const char *phase = plan->kind == PLAN_ROLLBACK ? "rollback" : step->phase == PHASE_UP ? "up" : "finish";
    json_t *json = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s?, s:s, s:b, s:b, s:I, s:I, s:I, s:s?, s:o}", "id", id, "subsystem",
        step->subsystem->name, "migration", step->migration->name, "phase", phase, "kind",
        change_kind_name(each->change->kind), "what", text, "table", each->change->table, "lock", each->cost.lock, "rewrite",
        each->cost.rewrite, "scan", each->cost.scan, "rows", (json_int_t)each->rows, "bytes", (json_int_t)each->bytes, "lock_ms",
        (json_int_t)plan_lock_ms(each), "correction", each->change->correction, "sql", sql);
    free(text);
    free(id);
    return json;
}

json_t *plan_json(struct pg *pg, const struct plan *plan, struct error *error)
{
    json_t *changes = json_array();
    for (size_t i = 0; i < plan->change_count; i++) {
        if (plan->changes[i].done)
            continue;
        json_t *change = change_json(pg, plan, &plan->changes[i], error);
        if (change == NULL) {
            json_decref(changes);
            return NULL;
        }
        json_array_append_new(changes, change);
    }
    return json_pack("{s:o}", "changes", changes);
}
