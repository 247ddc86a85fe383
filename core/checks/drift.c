/* Check: is the schema what the recorded migrations make of it, or has someone else been at work on it. */
#include "core/checks/look.h"

#include "core/base/mem.h"
#include "core/migrations/expected.h"

#include <stdlib.h>
#include <string.h>

#define SCHEMA_OID "(SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = current_schema())"

/* Kind, table, name, type. Constraints' indexes and internal triggers belong to what is expected otherwise, an extension's tables to it. */
static const char found_sql[] =
    "SELECT 'column' AS kind, c.relname AS table, a.attname AS name, pg_catalog.format_type(a.atttypid, a.atttypmod) AS type"
    " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
    " WHERE c.relnamespace = " SCHEMA_OID " AND c.relkind IN ('r', 'p')"
    " UNION ALL SELECT 'index', c.relname, x.relname, '' FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indrelid"
    " JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid WHERE c.relnamespace = " SCHEMA_OID
    " AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_constraint k WHERE k.conindid = x.oid)"
    " UNION ALL SELECT 'key', c.relname, (SELECT string_agg(a.attname::text, ', ') FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid"
    " AND a.attnum = ANY (i.indkey)), '' FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indrelid WHERE c.relnamespace = " SCHEMA_OID
    " AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL"
    " UNION ALL SELECT 'trigger', c.relname, t.tgname, '' FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid"
    " WHERE c.relnamespace = " SCHEMA_OID " AND NOT t.tgisinternal"
    " UNION ALL SELECT 'table', c.relname, '', '' FROM pg_catalog.pg_class c WHERE c.relnamespace = " SCHEMA_OID " AND c.relkind IN ('r', 'p')"
    " AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')"
    " ORDER BY 1, 2, 3";

struct drift {
    const struct check_subject *subject;
    struct check_result *result;
    struct expected expected;
    PGresult *found;
    struct names missing, wrong, strange;   /* a sentence each */
    bool has_path;                          /* the remedy has set search_path */
};

static void note(struct names *sentences, char *sentence)
{
    names_add(sentences, sentence);
    free(sentence);
}

static void tell(struct check_result *result, enum check_severity severity, const struct names *sentences)
{
    for (size_t i = 0; i < sentences->count; i++)
        look_found_row(result, severity, i, sentences->count, "%s", sentences->list[i]);
}

/* The type, or NULL where there is no such column. `table_is_there` tells why. */
static const char *type_of(const struct drift *drift, const char *table, const char *column, bool *table_is_there)
{
    *table_is_there = false;
    for (int row = 0; row < PQntuples(drift->found); row++) {
        if (strcmp(PQgetvalue(drift->found, row, 0), "column") != 0 || strcmp(PQgetvalue(drift->found, row, 1), table) != 0)
            continue;
        *table_is_there = true;
        if (strcmp(PQgetvalue(drift->found, row, 2), column) == 0)
            return PQgetvalue(drift->found, row, 3);
    }
    return NULL;
}

static void remedy_column(struct drift *drift, const struct expected_column *column, const char *does)
{
    char *schema = look_identifier(pg_schema(drift->subject->pg)), *name = look_identifier(column->name);
    if (does[0] == 'a')
        look_remedy(drift->result, "ALTER TABLE %s.%s ADD COLUMN %s %s;", schema, column->table, name, column->type);
    else
        look_remedy(drift->result, "ALTER TABLE %s.%s ALTER COLUMN %s TYPE %s USING %s::%s;", schema, column->table, name, column->type, name, column->type);
    free(schema);
    free(name);
}

/* Missing tables are found as such. 0.14's types are those of the releases before; later ones would only be found early. */
static void look_at_columns(struct drift *drift)
{
    bool is_014 = drift->subject->state->stage == STAGE_LEGACY_014, has_table;
    for (size_t i = 0; i < drift->expected.column_count; i++) {
        const struct expected_column *column = &drift->expected.columns[i];
        const char *type = type_of(drift, column->table, column->name, &has_table);
        if (type == NULL && has_table) {
            note(&drift->missing, mem_printf("column %s.%s (%s) is missing", column->table, column->name, column->type));
            remedy_column(drift, column, "add");
        } else if (type != NULL && !is_014 && strcmp(type, column->type) != 0) {
            note(&drift->wrong, mem_printf("column %s.%s is %s, and should be %s", column->table, column->name, type, column->type));
            remedy_column(drift, column, "type");
        }
    }
}

static bool has_key(const struct drift *drift, const struct expected_key *key)
{
    for (int row = 0; row < PQntuples(drift->found); row++)
        if (strcmp(PQgetvalue(drift->found, row, 0), "key") == 0 && strcmp(PQgetvalue(drift->found, row, 1), key->table) == 0 &&
            expected_same_columns(PQgetvalue(drift->found, row, 2), key->columns))
            return true;
    return false;
}

static bool has_columns(const struct drift *drift, const struct expected_key *key, bool *has_table)
{
    bool has_all = true;
    char *columns = mem_dup(key->columns), *rest = NULL;
    for (char *each = strtok_r(columns, ", ", &rest); each != NULL; each = strtok_r(NULL, ", ", &rest))
        has_all = has_all && type_of(drift, key->table, each, has_table) != NULL;
    free(columns);
    return has_all;
}

/* By PostgreSQL's own name for such a key, and without holding anyone up. */
static void remedy_key(struct drift *drift, const struct expected_key *key)
{
    char *schema = look_identifier(pg_schema(drift->subject->pg)), *name = key->primary ? mem_printf("%s_pkey", key->table) : NULL;
    if (name == NULL)
        name = mem_printf("%s_%s_key", key->table, key->columns);
    look_remedy(drift->result, "CREATE UNIQUE INDEX CONCURRENTLY \"%s\" ON %s.%s (%s);", name, schema, key->table, key->columns);
    look_remedy(drift->result, "ALTER TABLE %s.%s ADD CONSTRAINT \"%s\" %s USING INDEX \"%s\";", schema, key->table, name,
                key->primary ? "PRIMARY KEY" : "UNIQUE", name);
    free(name);
    free(schema);
}

/* Where a column is missing, that is said, and the remedy makes its key again after it. */
static void look_at_keys(struct drift *drift)
{
    bool has_table = false;
    for (size_t i = 0; i < drift->expected.key_count; i++) {
        const struct expected_key *key = &drift->expected.keys[i];
        if (has_key(drift, key))
            continue;
        if (has_columns(drift, key, &has_table))
            note(&drift->missing, mem_printf("the %s key (%s) of table %s is missing", key->primary ? "primary" : "unique", key->columns, key->table));
        if (has_table && drift->missing.count <= LOOK_ROWS)
            remedy_key(drift, key);
    }
}

static const char *object_word(const struct change *change)
{
    switch (change->kind) {
    case CHANGE_CREATE_TABLE: return "table";
    case CHANGE_CREATE_INDEX: return "index";
    case CHANGE_CREATE_FUNCTION: return "function";
    case CHANGE_CREATE_TRIGGER: return "trigger";
    case CHANGE_ADD_COLUMN: return "foreign key of column";
    default: return "key";
    }
}

/* The statements that make it again; of a table, what makes it whole is another database of that release. */
static void remedy_object(struct drift *drift, const struct change *change)
{
    struct error error = {0};
    struct statements statements = {0};
    if (change->kind == CHANGE_CREATE_TABLE)
        look_remedy(drift->result, "pg_dump --schema-only -t %s  # of an empty database where `kong-upgrade bootstrap --to %s` has run; into this one with psql",
                    change->table, drift->subject->state->version != NULL ? drift->subject->state->version : "1.3");
    else if (change_statements(drift->subject->pg, change, false, &statements, &error)) {
        if (!drift->has_path)
            look_remedy_path(drift->subject, drift->result);
        drift->has_path = true;
        for (size_t i = 0; i < statements.count; i++)
            look_remedy(drift->result, "%s;", statements.list[i].sql);
    }
    statements_free(&statements);
    error_clear(&error);
}

static void tell_missing(struct drift *drift, const struct change *change)
{
    bool has_table;
    if (change->kind != CHANGE_CREATE_TABLE && change->table != NULL && type_of(drift, change->table, "", &has_table) == NULL && !has_table)
        return;   /* the table is missing: said once */
    if (change->kind == CHANGE_ADD_COLUMN && type_of(drift, change->table, change->name, &has_table) == NULL)
        return;
    const char *on = change->kind != CHANGE_CREATE_TABLE && change->table != NULL ? " of table " : "";
    note(&drift->missing, mem_printf("%s %s%s%s is missing%s", object_word(change), change->name != NULL ? change->name : change->table, on,
                                     on[0] != '\0' ? change->table : "", change->kind == CHANGE_CREATE_INDEX ? ", or was never built to its end" : ""));
    if (drift->missing.count <= LOOK_ROWS)
        remedy_object(drift, change);
}

/* Every change's own question, in one statement. */
static bool look_at_objects(struct drift *drift)
{
    struct buf sql = {0};
    buf_add(&sql, "SELECT unnest(ARRAY[");
    for (size_t i = 0; i < drift->expected.object_count; i++) {
        buf_add(&sql, i > 0 ? ",\n" : "");
        change_done_sql(drift->expected.objects[i], &sql);
    }
    buf_add(&sql, "]::boolean[])");
    PGresult *rows = look_query(drift->subject, drift->result, buf_text(&sql));
    for (int row = 0; rows != NULL && row < PQntuples(rows); row++)
        if (PQgetvalue(rows, row, 0)[0] != 't')
            tell_missing(drift, drift->expected.objects[row]);
    PQclear(rows);
    buf_free(&sql);
    return rows != NULL;
}

static enum change_kind kind_of(const char *word)
{
    return word[0] == 'c' ? CHANGE_ADD_COLUMN : word[0] == 'i' ? CHANGE_CREATE_INDEX : CHANGE_CREATE_TRIGGER;
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), end_length = strlen(end);
    return length > end_length && strcmp(text + length - end_length, end) == 0;
}

/* What an interrupted run has left for the next, which takes it away (core/migrations/retype.c, statements.c). */
static bool is_left_by_a_run(const char *word, const char *name)
{
    return ends_with(name, "_retype") || (word[0] == 'i' && ends_with(name, "_new"));
}

/* On Kong's own tables; and whole tables, which are most likely a custom plugin's. What is on those is theirs. */
static void look_at_strangers(struct drift *drift)
{
    struct names tables = {0};
    for (int row = 0; row < PQntuples(drift->found); row++) {
        const char *word = PQgetvalue(drift->found, row, 0), *table = PQgetvalue(drift->found, row, 1), *name = PQgetvalue(drift->found, row, 2);
        if (strcmp(word, "key") == 0)
            continue;
        bool whole = strcmp(word, "table") == 0, kongs = expected_knows(CHANGE_CREATE_TABLE, table, NULL);
        if (whole ? kongs || expected_knows(CHANGE_DROP_TABLE, table, NULL) : !kongs || expected_knows(kind_of(word), table, name) || is_left_by_a_run(word, name))
            continue;
        note(&drift->strange, whole ? mem_printf("table %s is not Kong's", table) : mem_printf("%s %s of table %s is not Kong's", word, name, table));
        if (!names_have(&tables, table))
            names_add(&tables, table);
    }
    char *schema = look_identifier(pg_schema(drift->subject->pg));
    if (tables.count > 0)
        look_remedy(drift->result, "-- what others have added may stay, where nothing fails for it; psql shows it:");
    for (size_t i = 0; i < tables.count && i < LOOK_ROWS; i++) {
        char *table = look_identifier(tables.list[i]);
        /* psql ends such a command at a newline, and takes what follows for the next. */
        if (!look_is_unruly(schema) && !look_is_unruly(table))
            look_remedy(drift->result, "\\d %s.%s", schema, table);
        free(table);
    }
    free(schema);
    names_free(&tables);
}

static void look_drift(const struct check_subject *subject, struct check_result *result)
{
    struct drift drift = {.subject = subject, .result = result};
    if (!look_has_state(subject, result))
        return;
    if (!look_is_kong(subject)) {
        look_note(result, "no schema of a Kong that is known");
        return;
    }
    expected_play(&drift.expected, subject->state);
    drift.found = look_query(subject, result, found_sql);
    if (drift.found != NULL && look_at_objects(&drift)) {
        look_at_columns(&drift);
        look_at_keys(&drift);
        look_at_strangers(&drift);
    }
    tell(result, CHECK_BLOCKS, &drift.missing);
    tell(result, CHECK_BLOCKS, &drift.wrong);
    tell(result, CHECK_INFORMS, &drift.strange);
    if (result->outcome == CHECK_OK)
        look_note(result, "%zu columns and %zu tables, indexes, keys, functions and triggers are as the recorded migrations make them",
                  drift.expected.column_count, drift.expected.object_count);
    names_free(&drift.missing);
    names_free(&drift.wrong);
    names_free(&drift.strange);
    PQclear(drift.found);
    expected_free(&drift.expected);
}

const struct check check_drift = {
    .id = "drift", .title = "The schema itself", .severity = CHECK_BLOCKS, .reach = CHECK_SCHEMA, .look = look_drift,
    .why = "Migrations that are recorded are not made again: what is missing of them stays missing, and a later one, or a node, fails on it. "
           "What others have added is kept, but can get in the way.",
    .source = "the migrations of Kong 1.0 to 1.3, as in `kong-upgrade plan --sql`",
};
