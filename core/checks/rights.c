/* Checks: may our role make the changes. */
#include "core/checks/look.h"

#include "core/base/mem.h"

#include <stdlib.h>
#include <string.h>

static bool nothing_to_change(const struct check_subject *subject, struct check_result *result)
{
    if (subject->state == NULL || subject->state->stage != STAGE_CURRENT)
        return false;
    look_note(result, "nothing remains to be changed");
    return true;
}

/* Of the one row: there is the schema, CREATE on the database, USAGE and CREATE on the schema, role, database. */
static void judge_privileges(const struct check_subject *subject, struct check_result *result, PGresult *rows)
{
    const char *name = pg_schema(subject->pg), *role_name = PQgetvalue(rows, 0, 4);
    char *schema = look_identifier(name), *role = look_identifier(role_name);
    bool exists = PQgetvalue(rows, 0, 0)[0] == 't', may_create_schema = PQgetvalue(rows, 0, 1)[0] == 't';
    bool usage = PQgetvalue(rows, 0, 2)[0] == 't', create = PQgetvalue(rows, 0, 3)[0] == 't';
    if (exists && usage && create) {
        look_note(result, "role %s may use schema %s and create in it", role_name, name);
    } else if (exists) {
        look_found(result, CHECK_BLOCKS, "role %s lacks %s on schema %s", role_name, usage ? "CREATE" : create ? "USAGE" : "USAGE and CREATE", name);
        look_remedy(result, "GRANT USAGE, CREATE ON SCHEMA %s TO %s;", schema, role);
    } else if (may_create_schema) {
        look_note(result, "schema %s is not there, but role %s may create it", name, role_name);
    } else {
        look_found(result, CHECK_BLOCKS, "schema %s is not there, and role %s may not create schemas in database %s", name, role_name,
                   PQgetvalue(rows, 0, 5));
        look_remedy(result, "CREATE SCHEMA %s AUTHORIZATION %s;", schema, role);
    }
    free(role);
    free(schema);
}

static void look_privileges(const struct check_subject *subject, struct check_result *result)
{
    struct buf sql = {0};
    if (nothing_to_change(subject, result))
        return;
    buf_add(&sql, "SELECT n.oid IS NOT NULL, has_database_privilege(current_database(), 'CREATE'), has_schema_privilege(n.oid, 'USAGE'),"
                  " has_schema_privilege(n.oid, 'CREATE'), current_user::text, current_database() FROM (SELECT 1) one"
                  " LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = ");
    buf_add_literal(&sql, subject->pg != NULL ? pg_schema(subject->pg) : "");
    PGresult *rows = look_query(subject, result, buf_text(&sql));
    if (rows != NULL)
        judge_privileges(subject, result, rows);
    PQclear(rows);
    buf_free(&sql);
}

const struct check check_privileges = {
    .id = "privileges", .title = "Privileges on the schema", .severity = CHECK_BLOCKS, .reach = CHECK_SCHEMA, .look = look_privileges,
    .why = "New tables, indexes and functions are made in Kong's schema; from PostgreSQL 15 on, `public` does not allow that to everyone. The remedy "
           "is for the schema's owner or a superuser.",
    .source = "Kong issue #4483; PostgreSQL 15 release notes",
};

static void add_name(struct names *names, const char *name)
{
    if (name != NULL && !names_have(names, name))
        names_add(names, name);
}

/* Tables and functions that the migrations still to be run or finished touch: only their owner may alter or drop them. Without a
 * state, those of all migrations. */
static void collect(const struct check_subject *subject, struct names *tables, struct names *functions)
{
    const struct state *state = subject->state;
    for (const struct subsystem *const *each = subsystems; *each != NULL; each++) {
        const struct subsystem_state *known = NULL;
        for (size_t i = 0; state != NULL && i < state->subsystem_count; i++)
            known = state->subsystems[i].subsystem == *each ? &state->subsystems[i] : known;
        for (size_t m = 0; m < (*each)->migration_count; m++) {
            const struct migration *migration = &(*each)->migrations[m];
            bool open = state == NULL || (known != NULL && !names_have(&known->executed, migration->name));
            for (size_t c = 0; open && c < migration->change_count; c++) {
                const struct change *change = &migration->changes[c];
                bool function = change->kind == CHANGE_CREATE_FUNCTION || change->kind == CHANGE_DROP_FUNCTION;
                add_name(tables, change->table);
                add_name(tables, change->kind == CHANGE_ADD_COLUMN ? change->to : NULL);
                add_name(functions, function ? change->name : NULL);
            }
        }
    }
    for (size_t i = 0; i < bookkeeping_count; i++)
        add_name(tables, bookkeeping[i].table);
}

static void add_array(struct buf *sql, const struct names *names)
{
    buf_add(sql, "ARRAY[");
    for (size_t i = 0; i < names->count; i++) {
        buf_add(sql, i > 0 ? ", " : "");
        buf_add_literal(sql, names->list[i]);
    }
    buf_add(sql, "]::text[]");
}

/* What, name as ALTER takes it, owner. Sequences are owned with their tables; those that stand alone are asked for, too. */
static void build_sql(const struct check_subject *subject, struct buf *sql)
{
    struct names tables = {0}, functions = {0};
    collect(subject, &tables, &functions);
    buf_add(sql, "WITH s AS (SELECT oid, nspname FROM pg_catalog.pg_namespace WHERE nspname = ");
    buf_add_literal(sql, pg_schema(subject->pg));
    buf_add(sql, ") SELECT CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, format('%I.%I', s.nspname, c.relname), c.relname::text,"
                 " pg_catalog.pg_get_userbyid(c.relowner), current_user::text FROM pg_catalog.pg_class c JOIN s ON s.oid = c.relnamespace"
                 " WHERE NOT pg_catalog.pg_has_role(c.relowner, 'USAGE') AND ((c.relkind IN ('r', 'p') AND c.relname = ANY (");
    add_array(sql, &tables);
    buf_add(sql, ")) OR (c.relkind = 'S' AND EXISTS (SELECT 1 FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_class t ON t.oid = d.refobjid"
                 " WHERE d.objid = c.oid AND d.deptype = 'n' AND t.relname = ANY (");
    add_array(sql, &tables);
    buf_add(sql, ")))) UNION ALL SELECT 'FUNCTION', format('%I.%I(%s)', s.nspname, p.proname, pg_catalog.pg_get_function_identity_arguments(p.oid)),"
                 " p.proname::text, pg_catalog.pg_get_userbyid(p.proowner), current_user::text FROM pg_catalog.pg_proc p JOIN s ON s.oid = p.pronamespace"
                 " WHERE NOT pg_catalog.pg_has_role(p.proowner, 'USAGE') AND p.proname = ANY (");
    add_array(sql, &functions);
    buf_add(sql, ") ORDER BY 1 DESC, 2");
    names_free(&tables);
    names_free(&functions);
}

static void look_ownership(const struct check_subject *subject, struct check_result *result)
{
    struct buf sql = {0};
    if (nothing_to_change(subject, result))
        return;
    if (subject->pg != NULL)
        build_sql(subject, &sql);
    PGresult *rows = look_query(subject, result, buf_text(&sql));
    int count = rows != NULL ? PQntuples(rows) : 0;
    for (int row = 0; row < count; row++) {
        char *role = look_identifier(PQgetvalue(rows, row, 4));
        look_found_row(result, CHECK_BLOCKS, (size_t)row, (size_t)count, "%s %s belongs to role %s, not to %s", PQgetvalue(rows, row, 0)[0] == 'T' ? "table" :
                       PQgetvalue(rows, row, 0)[0] == 'S' ? "sequence" : "function", PQgetvalue(rows, row, 2), PQgetvalue(rows, row, 3),
                       PQgetvalue(rows, row, 4));
        look_remedy(result, "ALTER %s %s OWNER TO %s;", PQgetvalue(rows, row, 0), PQgetvalue(rows, row, 1), role);
        free(role);
    }
    if (rows != NULL && count == 0)
        look_note(result, "every table and function that is changed belongs to role %s or a role it is a member of", subject->conf->pg.user);
    PQclear(rows);
    buf_free(&sql);
}

const struct check check_ownership = {
    .id = "ownership", .title = "Owner of Kong's tables", .severity = CHECK_BLOCKS, .reach = CHECK_SCHEMA, .look = look_ownership,
    .why = "PostgreSQL lets only the owner of a table or function alter or drop it: with the first of these the migration would stop. The remedy is "
           "for a superuser; the old owner's nodes may then need grants.",
    .source = "Kong issue #4483 (must be owner of table)",
};
