#include "core/migrations/losses.h"

#include "core/base/mem.h"
#include "core/db/pg.h"

#include <stdlib.h>

void losses_free(struct losses *losses)
{
    for (size_t i = 0; i < losses->count; i++)
        free(losses->list[i].what);
    free(losses->list);
    *losses = (struct losses){0};
}

static char *describe(const struct change *change)
{
    switch (change->kind) {
    case CHANGE_DROP_COLUMN:
        return mem_printf("column %s.%s is dropped with its values", change->table, change->name);
    case CHANGE_DROP_TABLE:
        return mem_printf("table %s is dropped with its rows", change->table);
    case CHANGE_DROP_INDEX:
        return mem_printf("index %s is dropped", change->name);
    case CHANGE_DROP_FUNCTION:
        return mem_printf("function %s(%s) is dropped", change->name, change->arguments);
    case CHANGE_DELETE_ROWS:
        return mem_printf("%s are deleted", change->name);
    case CHANGE_SET_PRIMARY_KEY:
        return mem_printf("the primary key of %s becomes (%s)", change->table, change->definition);
    case CHANGE_BACKFILL:
        return mem_printf("%s is filled in rows of %s", change->name, change->table);
    default:
        return change_text(change);
    }
}

/* The question that counts what a change affects; empty where it is not a matter of rows. */
static void count_sql(const struct change *change, struct buf *sql)
{
    if (change->lost != NULL && (change->kind == CHANGE_DROP_COLUMN || change->kind == CHANGE_DROP_TABLE))
        buf_addf(sql, "SELECT count(*) FROM \"%s\" WHERE %s", change->table, change->lost);
    else if (change->kind == CHANGE_DROP_COLUMN)
        buf_addf(sql, "SELECT count(\"%s\") FROM \"%s\"", change->name, change->table);
    else if (change->kind == CHANGE_DROP_TABLE)
        buf_addf(sql, "SELECT count(*) FROM \"%s\"", change->table);
    else if (change_asks_rows(change))
        buf_addf(sql, "SELECT count(*) FROM \"%s\" WHERE %s", change->table, change->where);
}

bool losses_count(struct pg *pg, const struct plan *plan, struct losses *losses, struct error *error)
{
    *losses = (struct losses){0};
    for (size_t i = 0; i < plan->change_count; i++) {
        const struct change *change = plan->changes[i].change;
        if (plan->changes[i].done)
            continue;
        struct buf sql = {0};
        int64_t rows = -1;
        count_sql(change, &sql);
        PGresult *result = sql.length > 0 ? pg_query(pg, error, buf_text(&sql)) : NULL;
        bool failed = sql.length > 0 && result == NULL;
        if (result != NULL)
            rows = atoll(PQgetvalue(result, 0, 0));
        PQclear(result);
        buf_free(&sql);
        if (failed) {
            losses_free(losses);
            return false;
        }
        if (plan->kind == PLAN_ROLLBACK && (rows <= 0 || change_asks_rows(change)))
            continue;
        bool destroys = change->kind != CHANGE_BACKFILL && change->kind != CHANGE_SET_PRIMARY_KEY;
        losses->list = mem_grow(losses->list, losses->count + 1, sizeof *losses->list);
        losses->list[losses->count++] = (struct loss){describe(change), rows, destroys};
    }
    return true;
}
