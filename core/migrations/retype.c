#include "core/migrations/statements_internal.h"

#include "core/base/mem.h"
#include "core/db/pg.h"

#include <stdlib.h>
#include <string.h>

/* Smaller tables are rewritten in a few milliseconds. */
#define SMALL_BYTES "262144"

#define TABLE_OID "(SELECT c.oid FROM pg_catalog.pg_class c WHERE c.relnamespace = (SELECT oid FROM pg_catalog.pg_namespace" \
                  " WHERE nspname = current_schema()) AND c.relname = $1 AND c.relkind = 'r')"

/* The types that Kong changes; the new values depend on no setting of the session that writes. */
static const struct conversion {
    const char *from, *to, *by;
} conversions[] = {
    {"timestamp without time zone", TIMESTAMPTZ, " AT TIME ZONE 'UTC'"},
    {TIMESTAMPTZ, "timestamp without time zone", " AT TIME ZONE 'UTC'"},
    {"json", "jsonb", "::jsonb"},
    {"jsonb", "json", "::json"},
};

struct column {
    const struct change *change;
    const struct conversion *conversion;
    char *second;                 /* the column beside it: also the name of its check, behind the table's that of function and trigger */
    char *helper;
    char *not_null_name;          /* NOT NULL has a name from PostgreSQL 18 on; NULL before */
    bool second_there, checked, not_null;
    bool left;                    /* the type is right: the second column was on the way to another one */
};

static void free_column(struct column *column)
{
    free(column->second);
    free(column->helper);
    free(column->not_null_name);
}

static void alter(const struct change *change, struct buf *sql)
{
    buf_add(sql, "ALTER TABLE ");
    buf_add_identifier(sql, change->table);
    buf_add(sql, " ");
}

static void add_converted(const struct column *column, const char *row, struct buf *sql)
{
    buf_addf(sql, "(%s\"%s\"%s)", row, column->change->name, column->conversion->by);
}

/* Whether it is worth it, and nothing depends on the column but what the swap sees to: its default where the change sets one, keys of
 * this table, plain indexes. */
static bool read_column(struct pg *pg, struct column *column, bool *fits, struct error *error)
{
    const struct change *change = column->change;
    const char *const values[] = {change->table, change->name, column->second, change->set != NULL ? "t" : "f"};
    PGresult *result = pg_query_params(pg, error,
        "SELECT pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull, EXISTS (SELECT 1 FROM pg_catalog.pg_attribute n"
        "  WHERE n.attrelid = r.oid AND n.attname = $3 AND NOT n.attisdropped),"
        " EXISTS (SELECT 1 FROM pg_catalog.pg_constraint k WHERE k.conrelid = r.oid AND k.conname = $3 AND k.contype = 'c'),"
        " pg_catalog.pg_relation_size(r.oid) > " SMALL_BYTES " AND a.attacl IS NULL AND a.attinhcount = 0 AND NOT r.relhassubclass AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d"
        "  LEFT JOIN pg_catalog.pg_constraint k ON d.classid = 'pg_catalog.pg_constraint'::regclass AND k.oid = d.objid"
        "  LEFT JOIN pg_catalog.pg_index i ON d.classid = 'pg_catalog.pg_class'::regclass AND i.indexrelid = d.objid"
        "  LEFT JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid LEFT JOIN pg_catalog.pg_am m ON m.oid = x.relam"
        "  WHERE d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = r.oid AND d.refobjsubid = a.attnum AND NOT coalesce("
        "   k.conrelid = r.oid AND k.contype IN ('p', 'u', 'n') AND NOT k.condeferrable"
        "   OR i.indrelid = r.oid AND i.indisvalid AND i.indexprs IS NULL AND i.indpred IS NULL AND m.amname = 'btree' AND i.indnatts = array_length(i.indclass, 1)"
        "    AND NOT EXISTS (SELECT 1 FROM unnest(i.indoption) o WHERE o <> 0)"
        "    AND NOT EXISTS (SELECT 1 FROM unnest(i.indclass) o JOIN pg_catalog.pg_opclass p ON p.oid = o WHERE NOT p.opcdefault)"
        "   OR d.classid = 'pg_catalog.pg_attrdef'::regclass AND $4 = 't', false)),"
        " EXISTS (SELECT 1 FROM pg_catalog.pg_index i WHERE i.indrelid = r.oid AND a.attnum = ANY (i.indkey)),"
        " (SELECT k.conname FROM pg_catalog.pg_constraint k WHERE k.conrelid = r.oid AND k.contype = 'n' AND k.conkey = ARRAY[a.attnum])"
        " FROM pg_catalog.pg_class r JOIN pg_catalog.pg_attribute a ON a.attrelid = r.oid AND a.attname = $2 AND NOT a.attisdropped WHERE r.oid = " TABLE_OID,
        4, values);
    if (result == NULL)
        return false;
    if (PQntuples(result) > 0) {
        const char *type = PQgetvalue(result, 0, 0);
        bool indexed = PQgetvalue(result, 0, 5)[0] == 't';
        for (size_t i = 0; i < COUNT_OF(conversions); i++)
            if (strcmp(change->definition, conversions[i].to) == 0 && strcmp(type, conversions[i].from) == 0)
                column->conversion = &conversions[i];
        column->left = strcmp(change->definition, type) == 0;
        column->not_null = PQgetvalue(result, 0, 1)[0] == 't';
        column->not_null_name = PQgetisnull(result, 0, 6) ? NULL : mem_dup(PQgetvalue(result, 0, 6));
        column->second_there = PQgetvalue(result, 0, 2)[0] == 't';
        column->checked = PQgetvalue(result, 0, 3)[0] == 't';
        bool rewritten = change_cost(change, pg_server_version(pg)).rewrite;
        *fits = (column->left && column->second_there) || (column->conversion != NULL && (column->second_there || (PQgetvalue(result, 0, 4)[0] == 't' && (rewritten || indexed))));
    }
    PQclear(result);
    return true;
}

static void add_second(const struct column *column, struct statements *out)
{
    const struct change *change = column->change;
    struct buf sql = {0};
    if (!column->second_there) {
        alter(change, &sql);
        buf_addf(&sql, "ADD COLUMN \"%s\" %s", column->second, change->definition);
        statements_add(out, false, &sql);
    }
    buf_addf(&sql, "CREATE OR REPLACE FUNCTION \"%s\"() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.\"%s\" := ", column->helper, column->second);
    add_converted(column, "NEW.", &sql);
    buf_add(&sql, "; RETURN NEW; END $$");
    statements_add(out, false, &sql);
    buf_addf(&sql, "DROP TRIGGER IF EXISTS \"%s\" ON \"%s\"", column->helper, change->table);
    statements_add(out, false, &sql);
    buf_addf(&sql, "CREATE TRIGGER \"%s\" BEFORE INSERT OR UPDATE ON \"%s\" FOR EACH ROW EXECUTE PROCEDURE \"%s\"()", column->helper, change->table,
             column->helper);
    statements_add(out, false, &sql);
}

static void add_fill(const struct column *column, struct statements *out)
{
    struct buf sql = {0}, set = {0}, where = {0};
    add_converted(column, "", &set);
    /* json has no equality. */
    const char *as = strcmp(column->change->definition, "json") == 0 ? "::text" : "";
    buf_addf(&where, "\"%s\"%s IS DISTINCT FROM %s%s", column->second, as, buf_text(&set), as);
    buf_addf(&sql, "UPDATE \"%s\" SET \"%s\" = %s WHERE %s", column->change->table, column->second, buf_text(&set), buf_text(&where));
    statements_add(out, false, &sql);
    struct statement *fill = &out->list[out->count - 1];
    fill->column = mem_dup(column->second);
    fill->set = buf_take(&set);
    fill->where = buf_take(&where);
}

/* Checked beforehand, so that the swap need not read the rows (PostgreSQL ≥ 12 takes the check's word for it). */
static void add_check(const struct column *column, struct statements *out)
{
    struct buf sql = {0};
    if (!column->checked) {
        alter(column->change, &sql);
        buf_addf(&sql, "ADD CONSTRAINT \"%s\" CHECK (\"%s\" IS NOT NULL) NOT VALID", column->second, column->second);
        statements_add(out, false, &sql);
    }
    alter(column->change, &sql);
    buf_addf(&sql, "VALIDATE CONSTRAINT \"%s\"", column->second);
    statements_add(out, true, &sql);
}

/* The old column's indexes go with it; those of the second one take their names, and the constraints. */
static void add_takeover(const struct change *change, PGresult *indexes, int row, struct buf *sql)
{
    const char *index = PQgetvalue(indexes, row, 0), *constraint = PQgetvalue(indexes, row, 2);
    bool primary = PQgetvalue(indexes, row, 3)[0] == 'p';
    if (constraint[0] != '\0')
        buf_addf(sql, "; ALTER TABLE \"%s\" ADD CONSTRAINT \"%s\" %s USING INDEX \"%s_retype\"", change->table, constraint,
                 primary ? "PRIMARY KEY" : "UNIQUE", index);
    else
        buf_addf(sql, "; ALTER INDEX \"%s_retype\" RENAME TO \"%s\"", index, index);
}

/* One statement, even for whoever runs the plan's by hand: a table without the column is no state to stop in. */
static void add_swap(const struct column *column, PGresult *indexes, struct buf *sql)
{
    const struct change *change = column->change;
    buf_addf(sql, "DROP TRIGGER IF EXISTS \"%s\" ON \"%s\"; DROP FUNCTION IF EXISTS \"%s\"()", column->helper, change->table, column->helper);
    if (column->not_null)
        buf_addf(sql, "; ALTER TABLE \"%s\" ALTER COLUMN \"%s\" SET NOT NULL", change->table, column->second);
    buf_addf(sql, "; ALTER TABLE \"%s\" DROP CONSTRAINT IF EXISTS \"%s\", DROP COLUMN \"%s\"", change->table, column->second, change->name);
    buf_addf(sql, "; ALTER TABLE \"%s\" RENAME COLUMN \"%s\" TO \"%s\"", change->table, column->second, change->name);
    if (column->not_null_name != NULL)
        buf_addf(sql, "; ALTER TABLE \"%s\" RENAME CONSTRAINT \"%s_not_null\" TO \"%s\"", change->table, column->helper, column->not_null_name);
    if (change->set != NULL)
        buf_addf(sql, "; ALTER TABLE \"%s\" ALTER COLUMN \"%s\" SET DEFAULT (%s)", change->table, change->name, change->set);
    for (int row = 0; row < PQntuples(indexes); row++)
        add_takeover(change, indexes, row, sql);
}

static PGresult *read_indexes(struct pg *pg, const struct column *column, struct error *error)
{
    const char *const values[] = {column->change->table, column->change->name, column->second};
    return pg_query_params(pg, error,
        "SELECT x.relname, i.indisunique, coalesce(k.conname, ''), coalesce(k.contype::text, ''), (SELECT string_agg(quote_ident(CASE WHEN a.attname = $2 THEN $3"
        "  ELSE a.attname END), ', ' ORDER BY p.place) FROM unnest(i.indkey) WITH ORDINALITY AS p (attnum, place)"
        "  JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = p.attnum)"
        " FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid"
        " LEFT JOIN pg_catalog.pg_constraint k ON k.conindid = i.indexrelid AND k.conrelid = i.indrelid AND k.contype IN ('p', 'u')"
        " WHERE i.indrelid = " TABLE_OID " AND (SELECT a.attnum FROM pg_catalog.pg_attribute a WHERE a.attrelid = i.indrelid AND a.attname = $2"
        " AND NOT a.attisdropped) = ANY (i.indkey) ORDER BY x.relname", 3, values);
}

/* Its indexes and its check go with it. */
static void add_removal(const struct column *column, struct statements *out)
{
    const struct change *change = column->change;
    struct buf sql = {0};
    buf_addf(&sql, "DROP TRIGGER IF EXISTS \"%s\" ON \"%s\"; DROP FUNCTION IF EXISTS \"%s\"(); ALTER TABLE \"%s\" DROP COLUMN \"%s\"", column->helper,
             change->table, column->helper, change->table, column->second);
    statements_add(out, false, &sql);
}

static bool add_all(struct pg *pg, const struct column *column, PGresult *indexes, struct statements *out, struct error *error)
{
    bool added = true;
    add_second(column, out);
    add_fill(column, out);
    for (int row = 0; added && row < PQntuples(indexes); row++) {
        char *name = mem_printf("%s_retype", PQgetvalue(indexes, row, 0));
        char *on = mem_printf("(%s)", PQgetvalue(indexes, row, 4));
        added = statements_build_index(pg, column->change, name, on, PQgetvalue(indexes, row, 1)[0] == 't', false, out, error);
        free(on);
        free(name);
    }
    if (column->not_null)
        add_check(column, out);
    struct buf sql = {0};
    add_swap(column, indexes, &sql);
    statements_add(out, false, &sql);
    return added;
}

bool retype_statements(struct pg *pg, const struct change *change, struct statements *out, bool *fits, struct error *error)
{
    struct column column = {.change = change, .second = mem_printf("%s_retype", change->name),
                            .helper = mem_printf("%s_%s_retype", change->table, change->name)};
    *fits = false;
    bool done = read_column(pg, &column, fits, error);
    bool whole = done && *fits && !column.left;
    PGresult *indexes = whole ? read_indexes(pg, &column, error) : NULL;
    if (done && *fits && column.left)
        add_removal(&column, out);
    if (whole)
        done = indexes != NULL && add_all(pg, &column, indexes, out, error);
    PQclear(indexes);
    free_column(&column);
    return done;
}
