/* What stands on that which a rollback would drop, and is not Kong's: an operator's view, foreign key, policy, trigger. PostgreSQL drops
 * nothing that such an object needs, but would say so half-way only; functions alone would take theirs along. */
#include "core/migrations/rollback.h"

#include "core/base/mem.h"
#include "core/db/pg.h"

#include <stdlib.h>

#define IN_SCHEMA "relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = current_schema())"

static void add_pair(struct buf *list, const char *first, const char *second)
{
    buf_add(list, list->length > 0 ? ", (" : "(");
    buf_add_literal(list, first);
    buf_add(list, ", ");
    if (second != NULL)
        buf_add_literal(list, second);
    else
        buf_add(list, "NULL");
    buf_add(list, ")");
}

/* As VALUES: columns and tables, functions with their arguments, and triggers, which go before their functions. */
struct dropped {
    struct buf of_tables, functions, triggers;
};

static void find_dropped(const struct plan *plan, struct dropped *dropped)
{
    add_pair(&dropped->of_tables, "", "");
    add_pair(&dropped->functions, "", "");
    add_pair(&dropped->triggers, "", "");
    for (size_t i = 0; i < plan->change_count; i++) {
        const struct change *change = plan->changes[i].change;
        if (change->kind == CHANGE_DROP_TABLE)
            add_pair(&dropped->of_tables, change->table, NULL);
        else if (change->kind == CHANGE_DROP_COLUMN || (change->kind == CHANGE_SET_TYPE && !plan->changes[i].done))
            add_pair(&dropped->of_tables, change->table, change->name);
        else if (change->kind == CHANGE_DROP_FUNCTION)
            add_pair(&dropped->functions, change->name, change->arguments);
        else if (change->kind == CHANGE_DROP_TRIGGER)
            add_pair(&dropped->triggers, change->table, change->name);
    }
}

/* A view depends by its rule; what is of a dropped table goes with it. */
static char *dependents_sql(const struct dropped *dropped)
{
    return mem_printf(
        "WITH of_tables (tab, col) AS (VALUES %s), functions (name, arguments) AS (VALUES %s), triggers (tab, name) AS (VALUES %s),"
        " needs (classid, objid, objsubid, what) AS ("
        "SELECT d.classid, d.objid, d.objsubid, concat_ws('.', o.tab, o.col) FROM of_tables o"
        " JOIN pg_catalog.pg_class c ON c." IN_SCHEMA " AND c.relname = o.tab AND c.relkind IN ('r', 'p')"
        " JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = c.oid AND d.deptype = 'n'"
        " WHERE o.col IS NULL OR d.refobjsubid = (SELECT a.attnum FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attname = o.col)"
        " UNION SELECT d.classid, d.objid, d.objsubid, 'function ' || f.name FROM functions f"
        " JOIN pg_catalog.pg_proc p ON p.pronamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = current_schema())"
        "  AND p.proname = f.name AND pg_catalog.oidvectortypes(p.proargtypes) = f.arguments"
        " JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_proc'::regclass AND d.refobjid = p.oid AND d.deptype = 'n')"
        " SELECT DISTINCT CASE WHEN r.oid IS NOT NULL THEN pg_catalog.pg_describe_object('pg_catalog.pg_class'::regclass, r.ev_class, 0)"
        " ELSE pg_catalog.pg_describe_object(n.classid, n.objid, n.objsubid) END || ' needs ' || n.what FROM needs n"
        " LEFT JOIN pg_catalog.pg_rewrite r ON n.classid = 'pg_catalog.pg_rewrite'::regclass AND r.oid = n.objid"
        " LEFT JOIN pg_catalog.pg_constraint k ON n.classid = 'pg_catalog.pg_constraint'::regclass AND k.oid = n.objid"
        " LEFT JOIN pg_catalog.pg_trigger t ON n.classid = 'pg_catalog.pg_trigger'::regclass AND t.oid = n.objid"
        " LEFT JOIN pg_catalog.pg_class h ON h.oid = coalesce(k.conrelid, t.tgrelid) AND h." IN_SCHEMA
        " WHERE NOT EXISTS (SELECT 1 FROM of_tables o WHERE o.tab = h.relname AND o.col IS NULL)"
        " AND NOT EXISTS (SELECT 1 FROM triggers g WHERE g.tab = h.relname AND g.name = t.tgname) ORDER BY 1",
        buf_text(&dropped->of_tables), buf_text(&dropped->functions), buf_text(&dropped->triggers));
}

bool rollback_dependents(struct pg *pg, const struct plan *plan, struct names *dependents, struct error *error)
{
    struct dropped dropped = {0};
    find_dropped(plan, &dropped);
    char *sql = dependents_sql(&dropped);
    PGresult *result = pg_query(pg, error, sql);
    for (int row = 0; result != NULL && row < PQntuples(result); row++)
        names_add(dependents, PQgetvalue(result, row, 0));
    bool found = result != NULL;
    PQclear(result);
    free(sql);
    buf_free(&dropped.of_tables);
    buf_free(&dropped.functions);
    buf_free(&dropped.triggers);
    return found;
}
