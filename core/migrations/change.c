#include "core/migrations/change.h"

#include "core/base/mem.h"
#include "core/db/pg.h"

#include <stdlib.h>
#include <string.h>

const char *const kong_version_names[KONG_VERSIONS] = {"0.14", "1.0", "1.1", "1.2", "1.3"};

#define SCHEMA_OID "(SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = current_schema())"

/* The catalogs' answers. Each adds a boolean expression. */

static void relation_exists(const char *name, const char *kinds, struct buf *sql)
{
    buf_add(sql, "EXISTS (SELECT 1 FROM pg_catalog.pg_class WHERE relnamespace = " SCHEMA_OID " AND relname = ");
    buf_add_literal(sql, name);
    buf_addf(sql, " AND relkind IN (%s))", kinds);
}

static void done_create_table(const struct change *change, struct buf *sql)
{
    relation_exists(change->table, "'r', 'p'", sql);
}

/* A primary key that is set already has taken its index over, with its name: then there is nothing to build. */
static void done_create_index(const struct change *change, struct buf *sql)
{
    buf_add(sql, "EXISTS (SELECT 1 FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid"
                 " WHERE c.relnamespace = " SCHEMA_OID " AND i.indisvalid AND c.relname IN (");
    buf_add_literal(sql, change->name);
    buf_add(sql, ", ");
    buf_add_literal(sql, change->to != NULL ? change->to : change->name);
    buf_add(sql, "))");
}

static void done_function(const struct change *change, struct buf *sql)
{
    buf_add(sql, "EXISTS (SELECT 1 FROM pg_catalog.pg_proc WHERE pronamespace = " SCHEMA_OID " AND proname = ");
    buf_add_literal(sql, change->name);
    buf_add(sql, " AND pg_catalog.oidvectortypes(proargtypes) = ");
    buf_add_literal(sql, change->arguments);
    buf_add(sql, ")");
}

static void done_drop_function(const struct change *change, struct buf *sql)
{
    buf_add(sql, "NOT ");
    done_function(change, sql);
}

static void of_table(const struct change *change, const char *column, struct buf *sql)
{
    buf_addf(sql, "%s IN (SELECT oid FROM pg_catalog.pg_class WHERE relnamespace = " SCHEMA_OID " AND relname = ", column);
    buf_add_literal(sql, change->table);
    buf_add(sql, ")");
}

static void done_create_trigger(const struct change *change, struct buf *sql)
{
    buf_add(sql, "EXISTS (SELECT 1 FROM pg_catalog.pg_trigger WHERE ");
    of_table(change, "tgrelid", sql);
    buf_add(sql, " AND tgname = ");
    buf_add_literal(sql, change->name);
    buf_add(sql, ")");
}

static void column_exists(const struct change *change, const char *type, struct buf *sql)
{
    buf_add(sql, "EXISTS (SELECT 1 FROM pg_catalog.pg_attribute WHERE ");
    of_table(change, "attrelid", sql);
    buf_add(sql, " AND attnum > 0 AND NOT attisdropped AND attname = ");
    buf_add_literal(sql, change->name);
    if (type != NULL) {
        buf_add(sql, " AND pg_catalog.format_type(atttypid, atttypmod) = ");
        buf_add_literal(sql, type);
    }
    buf_add(sql, ")");
}

/* One that holds for the rows that are there, too: a crash may leave a foreign key that was not validated yet. */
static void constraint_exists(const struct change *change, const char *name, const char *definition, struct buf *sql)
{
    buf_add(sql, "EXISTS (SELECT 1 FROM pg_catalog.pg_constraint WHERE convalidated AND ");
    of_table(change, "conrelid", sql);
    buf_add(sql, " AND conname = ");
    buf_add_literal(sql, name);
    if (definition != NULL) {
        buf_add(sql, " AND pg_catalog.pg_get_constraintdef(oid) = ");
        buf_add_literal(sql, definition);
    }
    buf_add(sql, ")");
}

static void done_add_column(const struct change *change, struct buf *sql)
{
    column_exists(change, change->definition, sql);
    if (change->to == NULL)
        return;
    char *foreign_key = mem_printf("%s_%s_fkey", change->table, change->name);
    buf_add(sql, " AND ");
    constraint_exists(change, foreign_key, NULL, sql);
    free(foreign_key);
}

/* A second column (retype.c) is left where it was cut off on the way to another type. */
static void done_set_type(const struct change *change, struct buf *sql)
{
    char *second = mem_printf("%s_retype", change->name);
    const struct change beside = {.table = change->table, .name = second};
    column_exists(change, change->definition, sql);
    buf_add(sql, " AND NOT ");
    column_exists(&beside, NULL, sql);
    free(second);
}

/* An index that was built for it is left where another one became the key. */
static void done_set_primary_key(const struct change *change, struct buf *sql)
{
    char *definition = mem_printf("PRIMARY KEY (%s)", change->definition), *index = mem_printf("%s_new", change->name);
    constraint_exists(change, change->name, definition, sql);
    buf_add(sql, " AND NOT ");
    relation_exists(index, "'i'", sql);
    free(index);
    free(definition);
    if (change->where != NULL) {
        buf_add(sql, " AND NOT ");
        constraint_exists(change, change->where, NULL, sql);
    }
}

static void done_add_unique(const struct change *change, struct buf *sql)
{
    char *definition = mem_printf("UNIQUE (%s)", change->definition);
    constraint_exists(change, change->name, definition, sql);
    free(definition);
}

static void done_drop_index(const struct change *change, struct buf *sql)
{
    buf_add(sql, "NOT ");
    relation_exists(change->name, "'i'", sql);
}

static void done_rename_constraint(const struct change *change, struct buf *sql)
{
    buf_add(sql, "NOT ");
    constraint_exists(change, change->name, NULL, sql);
}

static void done_drop_column(const struct change *change, struct buf *sql)
{
    buf_add(sql, "NOT ");
    column_exists(change, NULL, sql);
}

static void done_drop_table(const struct change *change, struct buf *sql)
{
    buf_add(sql, "NOT ");
    relation_exists(change->table, "'r', 'p'", sql);
}

static void done_drop_trigger(const struct change *change, struct buf *sql)
{
    buf_add(sql, "NOT ");
    done_create_trigger(change, sql);
}

static void done_rows(const struct change *change, struct buf *sql)
{
    buf_add(sql, "NOT EXISTS (SELECT 1 FROM ");
    buf_add_identifier(sql, change->table);
    buf_addf(sql, " WHERE %s)", change->where);
}

/* What is the same for every change of a kind. A short lock is one held for catalog work only. */
static const struct kind {
    const char *name;
    const char *id_suffix;
    const char *lock;
    bool rewrite, scan;
    void (*done)(const struct change *change, struct buf *sql);
} kinds[CHANGE_KINDS] = {
    [CHANGE_CREATE_TABLE] = {"create table", "", "", false, false, done_create_table},
    [CHANGE_CREATE_INDEX] = {"create index", "", "SHARE UPDATE EXCLUSIVE", false, true, done_create_index},
    [CHANGE_CREATE_FUNCTION] = {"create function", "", "", false, false, done_function},
    [CHANGE_CREATE_TRIGGER] = {"create trigger", "", "SHARE ROW EXCLUSIVE", false, false, done_create_trigger},
    [CHANGE_ADD_COLUMN] = {"add column", "", "ACCESS EXCLUSIVE", false, false, done_add_column},
    [CHANGE_SET_TYPE] = {"set type", ".type", "ACCESS EXCLUSIVE", true, true, done_set_type},
    [CHANGE_SET_PRIMARY_KEY] = {"set primary key", "", "ACCESS EXCLUSIVE", false, true, done_set_primary_key},
    [CHANGE_ADD_UNIQUE] = {"add unique", "", "ACCESS EXCLUSIVE", false, true, done_add_unique},
    [CHANGE_RENAME_INDEX] = {"rename index", ".rename", "SHARE UPDATE EXCLUSIVE", false, false, done_drop_index},
    [CHANGE_RENAME_CONSTRAINT] = {"rename constraint", ".rename", "ACCESS EXCLUSIVE", false, false, done_rename_constraint},
    [CHANGE_DROP_INDEX] = {"drop index", ".drop", "SHARE UPDATE EXCLUSIVE", false, false, done_drop_index},
    [CHANGE_DROP_COLUMN] = {"drop column", ".drop", "ACCESS EXCLUSIVE", false, false, done_drop_column},
    [CHANGE_DROP_TABLE] = {"drop table", ".drop", "ACCESS EXCLUSIVE", false, false, done_drop_table},
    [CHANGE_DROP_FUNCTION] = {"drop function", ".drop", "", false, false, done_drop_function},
    [CHANGE_DROP_TRIGGER] = {"drop trigger", ".drop", "ACCESS EXCLUSIVE", false, false, done_drop_trigger},
    [CHANGE_DROP_UNIQUE] = {"drop unique", ".drop", "ACCESS EXCLUSIVE", false, false, done_drop_index},
    [CHANGE_BACKFILL] = {"backfill", ".backfill", "ROW EXCLUSIVE", false, true, done_rows},
    [CHANGE_DELETE_ROWS] = {"delete rows", ".delete", "ROW EXCLUSIVE", false, true, done_rows},
};

const char *change_kind_name(enum change_kind kind)
{
    return kinds[kind].name;
}

static bool is_function(const struct change *change)
{
    return change->kind == CHANGE_CREATE_FUNCTION || change->kind == CHANGE_DROP_FUNCTION;
}

char *change_id(const struct change *change)
{
    const char *suffix = change->again ? ".refill" : kinds[change->kind].id_suffix;
    if (is_function(change))
        return mem_printf("%s(%s)%s", change->name, change->arguments, suffix);
    if (change->name == NULL)
        return mem_printf("%s%s", change->table, suffix);
    return mem_printf("%s.%s%s", change->table, change->name, suffix);
}

char *change_text(const struct change *change)
{
    const char *kind = kinds[change->kind].name;
    switch (change->kind) {
    case CHANGE_CREATE_TABLE:
    case CHANGE_DROP_TABLE:
        return mem_printf("%s %s", kind, change->table);
    case CHANGE_CREATE_FUNCTION:
    case CHANGE_DROP_FUNCTION:
        return mem_printf("%s %s(%s)", kind, change->name, change->arguments);
    case CHANGE_ADD_COLUMN:
    case CHANGE_SET_TYPE:
        return mem_printf("%s %s.%s %s", kind, change->table, change->name, change->definition);
    case CHANGE_RENAME_INDEX:
    case CHANGE_RENAME_CONSTRAINT:
        return mem_printf("%s %s to %s", kind, change->name, change->to);
    case CHANGE_DELETE_ROWS:
        return mem_printf("delete %s from %s", change->name, change->table);
    case CHANGE_SET_PRIMARY_KEY:
        return mem_printf("%s of %s (%s)", kind, change->table, change->definition);
    case CHANGE_CREATE_INDEX:
    case CHANGE_ADD_UNIQUE:
    case CHANGE_CREATE_TRIGGER:
    case CHANGE_DROP_INDEX:
    case CHANGE_DROP_TRIGGER:
    case CHANGE_DROP_UNIQUE:
        return mem_printf("%s %s on %s", kind, change->name, change->table);
    default:
        return mem_printf("%s %s.%s", kind, change->table, change->name);
    }
}

bool change_asks_rows(const struct change *change)
{
    return change->kind == CHANGE_BACKFILL || change->kind == CHANGE_DELETE_ROWS;
}

void change_done_sql(const struct change *change, struct buf *sql)
{
    buf_add(sql, "(");
    kinds[change->kind].done(change, sql);
    buf_add(sql, ")");
}

bool change_is_done(struct pg *pg, const struct change *change, bool *done, struct error *error)
{
    struct buf sql = {0};
    struct error failure = {0};
    buf_add(&sql, "SELECT ");
    change_done_sql(change, &sql);
    bool answered = pg_ask(pg, &failure, buf_text(&sql), done);
    buf_free(&sql);
    static const char undefined_column[] = "42703", undefined_table[] = "42P01";
    bool not_there = strcmp(failure.sqlstate, undefined_column) == 0 || strcmp(failure.sqlstate, undefined_table) == 0;
    if (!answered && change_asks_rows(change) && not_there) {
        *done = false;
        answered = true;
    }
    if (!answered)
        error_set(error, failure.code, "%s", failure.message);
    error_clear(&failure);
    return answered;
}

/* From PostgreSQL 12 on, timestamp ↔ timestamptz in a session in UTC changes the catalog only. */
static bool is_rewritten(const struct change *change, int server_version)
{
    bool is_time = strcmp(change->definition, TIMESTAMPTZ) == 0 || strcmp(change->definition, TIMESTAMP) == 0;
    return !(is_time && server_version >= 120000);
}

struct change_cost change_cost(const struct change *change, int server_version)
{
    const struct kind *kind = &kinds[change->kind];
    struct change_cost cost = {kind->lock, kind->rewrite, kind->scan};
    if (change->kind == CHANGE_SET_TYPE)
        cost.rewrite = cost.scan = is_rewritten(change, server_version);
    if (change->kind == CHANGE_RENAME_INDEX && server_version < 120000)
        cost.lock = "ACCESS EXCLUSIVE";
    if (change->kind == CHANGE_CREATE_TABLE && strstr(change->definition, "REFERENCES") != NULL)
        cost.lock = "SHARE ROW EXCLUSIVE";
    return cost;
}
