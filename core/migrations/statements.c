/*
 * The statements of a change, in the way that no one notices: indexes concurrently and outside a transaction, keys attached to a
 * finished index, everything else short enough for a transaction with a lock_timeout.
 */
#include "core/migrations/statements_internal.h"

#include "core/base/mem.h"
#include "core/db/pg.h"

#include <stdlib.h>
#include <string.h>

static void free_statement(struct statement *statement)
{
    free(statement->sql);
    free(statement->column);
    free(statement->set);
    free(statement->where);
}

void statements_free(struct statements *statements)
{
    for (size_t i = 0; i < statements->count; i++)
        free_statement(&statements->list[i]);
    free(statements->list);
    *statements = (struct statements){0};
}

void statements_add(struct statements *out, bool alone, struct buf *sql)
{
    out->list = mem_grow(out->list, out->count + 1, sizeof *out->list);
    out->list[out->count++] = (struct statement){.sql = buf_take(sql), .alone = alone};
}

static void alter_table(const struct change *change, struct buf *sql)
{
    buf_add(sql, "ALTER TABLE ");
    buf_add_identifier(sql, change->table);
    buf_add(sql, " ");
}

enum presence { ABSENT, INVALID, PRESENT };

static bool index_presence(struct pg *pg, const char *name, enum presence *presence, struct error *error)
{
    const char *const values[] = {name};
    PGresult *result = pg_query_params(pg, error,
        "SELECT i.indisvalid FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname = current_schema() WHERE c.relname = $1", 1, values);
    if (result == NULL)
        return false;
    *presence = PQntuples(result) == 0 ? ABSENT : PQgetvalue(result, 0, 0)[0] == 't' ? PRESENT : INVALID;
    PQclear(result);
    return true;
}

bool statements_build_index(struct pg *pg, const struct change *change, const char *name, const char *on, bool unique, bool atomic,
                            struct statements *out, struct error *error)
{
    enum presence presence;
    if (!index_presence(pg, name, &presence, error))
        return false;
    struct buf sql = {0};
    if (presence == INVALID) {
        buf_addf(&sql, "DROP INDEX %s", atomic ? "" : "CONCURRENTLY ");
        buf_add_identifier(&sql, name);
        statements_add(out, !atomic, &sql);
    }
    if (presence == PRESENT)
        return true;
    buf_addf(&sql, "CREATE %sINDEX %s", unique ? "UNIQUE " : "", atomic ? "" : "CONCURRENTLY ");
    buf_add_identifier(&sql, name);
    buf_add(&sql, " ON ");
    buf_add_identifier(&sql, change->table);
    buf_addf(&sql, " %s", on);
    statements_add(out, !atomic, &sql);
    return true;
}

static void create_table(const struct change *change, struct buf *sql)
{
    buf_add(sql, "CREATE TABLE ");
    buf_add_identifier(sql, change->table);
    buf_addf(sql, " (%s)", change->definition);
}

static bool create_index(struct pg *pg, const struct change *change, bool atomic, struct statements *out, struct error *error)
{
    return statements_build_index(pg, change, change->name, change->definition, change->unique, atomic, out, error);
}

static void create_function(const struct change *change, struct buf *sql)
{
    buf_add(sql, "CREATE OR REPLACE FUNCTION ");
    buf_add_identifier(sql, change->name);
    buf_add(sql, change->definition);
}

static void create_trigger(const struct change *change, struct buf *sql)
{
    buf_add(sql, "CREATE TRIGGER ");
    buf_add_identifier(sql, change->name);
    buf_addf(sql, " %s", change->definition);
}

static bool has_constraint(struct pg *pg, const struct change *change, const char *name, bool *there, struct error *error)
{
    const char *const values[] = {change->table, name};
    PGresult *result = pg_query_params(pg, error,
        "SELECT 1 FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname = current_schema() WHERE c.relname = $1 AND k.conname = $2", 2, values);
    if (result == NULL)
        return false;
    *there = PQntuples(result) > 0;
    PQclear(result);
    return true;
}

/* Column and foreign key arrive together; where only the key is missing, or was not validated before a crash, it is made good
 * without a scan under the lock. */
static bool add_foreign_key(struct pg *pg, const struct change *change, struct statements *out, struct error *error)
{
    struct buf sql = {0};
    bool there = false;
    char *name = mem_printf("%s_%s_fkey", change->table, change->name);
    bool looked = has_constraint(pg, change, name, &there, error);
    if (looked && !there) {
        alter_table(change, &sql);
        buf_addf(&sql, "ADD CONSTRAINT \"%s\" FOREIGN KEY (\"%s\") REFERENCES \"%s\" (id) NOT VALID", name, change->name, change->to);
        statements_add(out, false, &sql);
    }
    if (looked) {
        alter_table(change, &sql);
        buf_addf(&sql, "VALIDATE CONSTRAINT \"%s\"", name);
        statements_add(out, true, &sql);
    }
    free(name);
    return looked;
}

/* The type that a column has now, or NULL where there is none. The caller frees. */
static bool column_type(struct pg *pg, const struct change *change, char **type, struct error *error)
{
    const char *const values[] = {change->table, change->name};
    PGresult *result = pg_query_params(pg, error,
        "SELECT pg_catalog.format_type(a.atttypid, a.atttypmod) FROM pg_catalog.pg_attribute a"
        " JOIN pg_catalog.pg_class c ON c.oid = a.attrelid"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname = current_schema()"
        " WHERE c.relname = $1 AND a.attname = $2 AND a.attnum > 0 AND NOT a.attisdropped", 2, values);
    if (result == NULL)
        return false;
    *type = PQntuples(result) > 0 ? mem_dup(PQgetvalue(result, 0, 0)) : NULL;
    PQclear(result);
    return true;
}

static bool add_column(struct pg *pg, const struct change *change, bool atomic, struct statements *out, struct error *error)
{
    (void)atomic;
    char *type = NULL;
    if (!column_type(pg, change, &type, error))
        return false;
    if (type != NULL && strcmp(type, change->definition) != 0) {
        error_set(error, ERROR_REFUSED, "%s: column %s.%s exists with type %s, but Kong's is %s: it is not Kong's; rename it, then run the same again",
                  pg_where(pg), change->table, change->name, type, change->definition);
        free(type);
        return false;
    }
    if (type != NULL) {
        free(type);
        return change->to == NULL || add_foreign_key(pg, change, out, error);
    }
    struct buf sql = {0};
    alter_table(change, &sql);
    buf_add(&sql, "ADD COLUMN ");
    buf_add_identifier(&sql, change->name);
    buf_addf(&sql, " %s", change->definition);
    if (change->to != NULL)
        buf_addf(&sql, " REFERENCES \"%s\" (id)", change->to);
    statements_add(out, false, &sql);
    return true;
}

/* In UTC and without a USING clause PostgreSQL ≥ 12 knows that the bits stay the same; json needs one. */
static void set_type_at_once(const struct change *change, struct buf *sql)
{
    struct buf column = {0};
    buf_add(&column, "ALTER COLUMN ");
    buf_add_identifier(&column, change->name);
    alter_table(change, sql);
    if (change->set != NULL)
        buf_addf(sql, "%s DROP DEFAULT, ", buf_text(&column));
    buf_addf(sql, "%s TYPE %s", buf_text(&column), change->definition);
    if (strncmp(change->definition, "json", strlen("json")) == 0)
        buf_addf(sql, " USING \"%s\"::%s", change->name, change->definition);
    if (change->set != NULL)
        buf_addf(sql, ", %s SET DEFAULT (%s)", buf_text(&column), change->set);
    buf_free(&column);
}

static bool set_type(struct pg *pg, const struct change *change, bool atomic, struct statements *out, struct error *error)
{
    bool fits = false;
    struct buf sql = {0};
    if (!atomic && !retype_statements(pg, change, out, &fits, error))
        return false;
    if (!fits) {
        set_type_at_once(change, &sql);
        statements_add(out, false, &sql);
    }
    return true;
}

/* Where it is the key already, what is left is an index that was built for another one. */
static bool is_primary_key(struct pg *pg, const struct change *change, bool *is, struct error *error)
{
    char *definition = mem_printf("PRIMARY KEY (%s)", change->definition);
    const char *const values[] = {change->table, definition};
    PGresult *result = pg_query_params(pg, error,
        "SELECT 1 FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = current_schema() AND c.relname = $1 AND pg_catalog.pg_get_constraintdef(k.oid) = $2", 2, values);
    free(definition);
    if (result == NULL)
        return false;
    *is = PQntuples(result) > 0;
    PQclear(result);
    return true;
}

static bool drop_left_index(struct pg *pg, const char *name, bool atomic, struct statements *out, struct error *error)
{
    enum presence presence;
    struct buf sql = {0};
    if (!index_presence(pg, name, &presence, error))
        return false;
    if (presence == ABSENT)
        return true;
    buf_addf(&sql, "DROP INDEX %s\"%s\"", atomic ? "" : "CONCURRENTLY ", name);
    statements_add(out, !atomic, &sql);
    return true;
}

static bool keep_primary_key(struct pg *pg, const struct change *change, const char *index, bool atomic, struct statements *out, struct error *error)
{
    struct buf sql = {0};
    if (change->where != NULL) {
        alter_table(change, &sql);
        buf_addf(&sql, "DROP CONSTRAINT IF EXISTS \"%s\"", change->where);
        statements_add(out, false, &sql);
    }
    return drop_left_index(pg, index, atomic, out, error);
}

static bool change_primary_key(struct pg *pg, const struct change *change, const char *index, bool atomic, struct statements *out, struct error *error)
{
    char *on = mem_printf("(%s)", change->definition);
    bool built = statements_build_index(pg, change, index, on, true, atomic, out, error);
    struct buf sql = {0};
    if (built) {
        alter_table(change, &sql);
        buf_addf(&sql, "DROP CONSTRAINT IF EXISTS \"%s\"", change->name);
        if (change->where != NULL)
            buf_addf(&sql, ", DROP CONSTRAINT IF EXISTS \"%s\"", change->where);
        buf_addf(&sql, ", ADD CONSTRAINT \"%s\" PRIMARY KEY USING INDEX \"%s\"", change->name, index);
        statements_add(out, false, &sql);
    }
    free(on);
    return built;
}

static bool set_primary_key(struct pg *pg, const struct change *change, bool atomic, struct statements *out, struct error *error)
{
    char *index = mem_printf("%s_new", change->name);
    bool is = false;
    bool done = is_primary_key(pg, change, &is, error) &&
                (is ? keep_primary_key : change_primary_key)(pg, change, index, atomic, out, error);
    free(index);
    return done;
}

static bool add_unique(struct pg *pg, const struct change *change, bool atomic, struct statements *out, struct error *error)
{
    char *on = mem_printf("(%s)", change->definition);
    bool built = statements_build_index(pg, change, change->name, on, true, atomic, out, error);
    free(on);
    if (!built)
        return false;
    struct buf sql = {0};
    alter_table(change, &sql);
    buf_addf(&sql, "ADD CONSTRAINT \"%s\" UNIQUE USING INDEX \"%s\"", change->name, change->name);
    statements_add(out, false, &sql);
    return true;
}

static void rename_index(const struct change *change, struct buf *sql)
{
    buf_addf(sql, "ALTER INDEX \"%s\" RENAME TO \"%s\"", change->name, change->to);
}

static void rename_constraint(const struct change *change, struct buf *sql)
{
    alter_table(change, sql);
    buf_addf(sql, "RENAME CONSTRAINT \"%s\" TO \"%s\"", change->name, change->to);
}

static bool drop_index(struct pg *pg, const struct change *change, bool atomic, struct statements *out, struct error *error)
{
    (void)pg, (void)error;
    struct buf sql = {0};
    buf_addf(&sql, "DROP INDEX %s\"%s\"", atomic ? "" : "CONCURRENTLY ", change->name);
    statements_add(out, !atomic, &sql);
    return true;
}

static bool drop_unique(struct pg *pg, const struct change *change, bool atomic, struct statements *out, struct error *error)
{
    bool there = false;
    struct buf sql = {0};
    if (!has_constraint(pg, change, change->name, &there, error))
        return false;
    if (!there)
        return drop_left_index(pg, change->name, atomic, out, error);
    alter_table(change, &sql);
    buf_addf(&sql, "DROP CONSTRAINT \"%s\"", change->name);
    statements_add(out, false, &sql);
    return true;
}

static void drop_trigger(const struct change *change, struct buf *sql)
{
    buf_addf(sql, "DROP TRIGGER \"%s\" ON \"%s\"", change->name, change->table);
}

static void drop_column(const struct change *change, struct buf *sql)
{
    alter_table(change, sql);
    buf_addf(sql, "DROP COLUMN \"%s\"", change->name);
}

static void drop_table(const struct change *change, struct buf *sql)
{
    buf_addf(sql, "DROP TABLE \"%s\"", change->table);
}

static void drop_function(const struct change *change, struct buf *sql)
{
    buf_addf(sql, "DROP FUNCTION \"%s\"(%s) CASCADE", change->name, change->arguments);
}

static void backfill(const struct change *change, struct buf *sql)
{
    buf_addf(sql, "UPDATE \"%s\" SET \"%s\" = %s WHERE %s", change->table, change->name, change->set, change->where);
}

static void delete_rows(const struct change *change, struct buf *sql)
{
    buf_addf(sql, "DELETE FROM \"%s\" WHERE %s", change->table, change->where);
}

/* Most kinds are one statement of a transaction that depends on nothing; the others look at what is there. */
static const struct builder {
    void (*plain)(const struct change *change, struct buf *sql);
    bool (*looking)(struct pg *pg, const struct change *change, bool atomic, struct statements *out, struct error *error);
} builders[CHANGE_KINDS] = {
    [CHANGE_CREATE_TABLE] = {.plain = create_table},
    [CHANGE_CREATE_INDEX] = {.looking = create_index},
    [CHANGE_CREATE_FUNCTION] = {.plain = create_function},
    [CHANGE_CREATE_TRIGGER] = {.plain = create_trigger},
    [CHANGE_ADD_COLUMN] = {.looking = add_column},
    [CHANGE_SET_TYPE] = {.looking = set_type},
    [CHANGE_SET_PRIMARY_KEY] = {.looking = set_primary_key},
    [CHANGE_ADD_UNIQUE] = {.looking = add_unique},
    [CHANGE_RENAME_INDEX] = {.plain = rename_index},
    [CHANGE_RENAME_CONSTRAINT] = {.plain = rename_constraint},
    [CHANGE_DROP_INDEX] = {.looking = drop_index},
    [CHANGE_DROP_COLUMN] = {.plain = drop_column},
    [CHANGE_DROP_TABLE] = {.plain = drop_table},
    [CHANGE_DROP_FUNCTION] = {.plain = drop_function},
    [CHANGE_DROP_TRIGGER] = {.plain = drop_trigger},
    [CHANGE_DROP_UNIQUE] = {.looking = drop_unique},
    [CHANGE_BACKFILL] = {.plain = backfill},
    [CHANGE_DELETE_ROWS] = {.plain = delete_rows},
};

bool change_statements(struct pg *pg, const struct change *change, bool atomic, struct statements *out, struct error *error)
{
    const struct builder *builder = &builders[change->kind];
    *out = (struct statements){0};
    if (builder->looking != NULL)
        return builder->looking(pg, change, atomic, out, error);
    struct buf sql = {0};
    builder->plain(change, &sql);
    statements_add(out, false, &sql);
    return true;
}

bool change_rewrites(struct pg *pg, const struct change *change, bool *rewrites, struct error *error)
{
    struct statements statements = {0};
    *rewrites = change_cost(change, pg_server_version(pg)).rewrite;
    bool looked = !*rewrites || change_statements(pg, change, false, &statements, error);
    for (size_t i = 0; i < statements.count; i++)
        *rewrites = *rewrites && statements.list[i].column == NULL;
    statements_free(&statements);
    return looked;
}
