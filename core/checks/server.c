/* Checks: the server itself, whichever database is in it. */
#include "core/checks/look.h"

#include "core/base/mem.h"

#include <stdlib.h>
#include <string.h>

/* A type change of a table that was not added yet. */
static void add_rewritten(const struct check_subject *subject, struct check_result *result, const struct change *change, struct names *tables)
{
    struct error error = {0};
    bool done = false, rewrites = false;
    if (!change_cost(change, pg_server_version(subject->pg)).rewrite || names_have(tables, change->table))
        return;
    if (!change_is_done(subject->pg, change, &done, &error) || !change_rewrites(subject->pg, change, &rewrites, &error))
        look_unable_for(result, &error);
    else if (!done && rewrites)
        names_add(tables, change->table);
    error_clear(&error);
}

/* Tables that a new migration rewrites. Kong: 001_14_to_15 of core and of plugins. */
static void collect_rewritten(const struct check_subject *subject, struct check_result *result, struct names *tables)
{
    for (size_t i = 0; i < subject->state->subsystem_count; i++) {
        const struct subsystem_state *each = &subject->state->subsystems[i];
        for (size_t m = 0; m < each->subsystem->migration_count; m++) {
            const struct migration *migration = &each->subsystem->migrations[m];
            bool new = names_have(&each->new, migration->name) || names_have(&each->missing, migration->name);
            for (size_t c = 0; new && c < migration->change_count; c++)
                add_rewritten(subject, result, &migration->changes[c], tables);
        }
    }
}

static void look_server_version(const struct check_subject *subject, struct check_result *result)
{
    struct names tables = {0};
    if (!look_has_state(subject, result))
        return;
    const char *version = pg_server_version_text(subject->pg);
    if (pg_server_version(subject->pg) < 120000 && look_is_kong(subject))
        collect_rewritten(subject, result, &tables);
    for (size_t i = 0; i < tables.count; i++)
        look_found_row(result, CHECK_INFORMS, i, tables.count, "PostgreSQL %s rewrites table %s for a new column type", version, tables.list[i]);
    if (tables.count > 0)
        look_remedy(result, "kong-upgrade plan");
    else
        look_note(result, "PostgreSQL %s", version);
    names_free(&tables);
}

const struct check check_server_version = {
    .id = "server-version", .title = "PostgreSQL's version", .severity = CHECK_INFORMS, .reach = CHECK_ROWS, .look = look_server_version,
    .why = "From 12 on, `timestamp` becomes `timestamptz` without touching a row; before, a small table is rewritten while everyone else waits, and a "
           "large one gets a second column that is filled in batches. The plan shows which. (Below 9.5 Kong 1.3 does not run at all, and no connection is made.)",
    .source = "PostgreSQL 12 release notes; Kong's 001_14_to_15 migrations",
};

static void add_read_only_remedy(struct check_result *result, const char *source, const char *role, const char *database)
{
    char *quoted_role = look_identifier(role), *quoted_database = look_identifier(database);
    /* Who takes it away is mostly under it, too. */
    look_remedy(result, "SET default_transaction_read_only = off;");
    if (strcmp(source, "user") == 0)
        look_remedy(result, "ALTER ROLE %s RESET default_transaction_read_only;", quoted_role);
    else if (strcmp(source, "database") == 0)
        look_remedy(result, "ALTER DATABASE %s RESET default_transaction_read_only;", quoted_database);
    else if (strcmp(source, "database user") == 0)
        look_remedy(result, "ALTER ROLE %s IN DATABASE %s RESET default_transaction_read_only;", quoted_role, quoted_database);
    else if (strcmp(source, "global") == 0)
        look_remedy(result, "ALTER ROLE ALL RESET default_transaction_read_only;");
    else
        look_remedy(result, "ALTER SYSTEM SET default_transaction_read_only = off;\nSELECT pg_reload_conf();");
    free(quoted_role);
    free(quoted_database);
}

static void look_standby(const struct check_subject *subject, struct check_result *result)
{
    PGresult *rows = look_query(subject, result,
        "SELECT pg_is_in_recovery(), setting = 'on', source, session_user::text, current_database()"
        " FROM pg_catalog.pg_settings WHERE name = 'default_transaction_read_only'");
    if (rows == NULL)
        return;
    if (PQgetvalue(rows, 0, 0)[0] == 't') {
        look_found(result, CHECK_BLOCKS, "%s is a standby (in recovery): nothing can be written there", pg_where(subject->pg));
        look_remedy(result, "SELECT conninfo FROM pg_stat_wal_receiver;  -- names the primary: set pg_host and pg_port in kong.conf to it");
    } else if (PQgetvalue(rows, 0, 1)[0] == 't') {
        look_found(result, CHECK_BLOCKS, "default_transaction_read_only is on (set for: %s)", PQgetvalue(rows, 0, 2));
        add_read_only_remedy(result, PQgetvalue(rows, 0, 2), PQgetvalue(rows, 0, 3), PQgetvalue(rows, 0, 4));
    } else {
        look_note(result, "a primary that can be written to");
    }
    PQclear(rows);
}

const struct check check_standby = {
    .id = "standby", .title = "Read-only server", .severity = CHECK_BLOCKS, .reach = CHECK_SERVER, .look = look_standby,
    .why = "Migrations write. On a standby, or where transactions are read-only by default, the first of them fails.",
    .source = "PostgreSQL, hot standby and default_transaction_read_only",
};

/* The worker needs two sessions, its watcher one. */
#define SESSIONS_NEEDED 3
#define SESSIONS_WISHED 6

#define OTHERS "usesysid IS NOT NULL AND coalesce(application_name, '') <> 'kong-upgrade " LOOK_ROLE "'"

/* How many are free within the server's, the role's and the database's limit, NULL where there is none. The checks' own connections are
 * free again by the time that it matters. Of PostgreSQL 16 the reserved ones have a second kind. */
static const char *const limits_sql =
    "SELECT current_setting('max_connections')::int"
    "       - CASE WHEN r.rolsuper THEN 0 ELSE current_setting('superuser_reserved_connections')::int"
    "         + coalesce(%s, 0) END - (SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE datid IS NOT NULL AND " OTHERS "),"
    " CASE WHEN r.rolsuper OR r.rolconnlimit < 0 THEN NULL ELSE r.rolconnlimit"
    "      - (SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE usesysid = r.oid AND " OTHERS ") END,"
    " CASE WHEN r.rolsuper OR d.datconnlimit < 0 THEN NULL ELSE d.datconnlimit"
    "      - (SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE datid = d.oid AND " OTHERS ") END,"
    " r.rolname, d.datname, r.rolconnlimit, d.datconnlimit, current_setting('max_connections')::int"
    " FROM pg_catalog.pg_roles r, pg_catalog.pg_database d WHERE r.rolname = session_user AND d.datname = current_database()";

static char *make_limits_sql(struct pg *pg)
{
    return mem_printf(limits_sql, pg_server_version(pg) >= 160000 ? "current_setting('reserved_connections')::int" : "0");
}

int look_free_connections(struct pg *pg)
{
    char *sql = make_limits_sql(pg);
    PGresult *rows = pg_query(pg, NULL, sql);
    int fewest = rows != NULL && PQntuples(rows) > 0 ? atoi(PQgetvalue(rows, 0, 0)) : 0;
    for (int i = 1; i < 3 && PQntuples(rows) > 0; i++)
        if (!PQgetisnull(rows, 0, i) && atoi(PQgetvalue(rows, 0, i)) < fewest)
            fewest = atoi(PQgetvalue(rows, 0, i));
    PQclear(rows);
    free(sql);
    return fewest;
}

static void look_at_limit(struct check_result *result, const char *free_text, const char *what, const char *remedy)
{
    int left = atoi(free_text);
    left = left < 0 ? 0 : left;
    if (left >= SESSIONS_WISHED) {
        look_note(result, "%d connections are free within %s", left, what);
        return;
    }
    look_found(result, left < SESSIONS_NEEDED ? CHECK_BLOCKS : CHECK_WARNS, "only %d connection%s free within %s; %d are needed, and new nodes need more",
               left, left == 1 ? " is" : "s are", what, SESSIONS_NEEDED);
    look_remedy(result, "%s", remedy);
}

static void look_connections(const struct check_subject *subject, struct check_result *result)
{
    char *sql = subject->pg != NULL ? make_limits_sql(subject->pg) : NULL;
    PGresult *rows = look_query(subject, result, sql);
    free(sql);
    if (rows == NULL || PQntuples(rows) == 0) {
        PQclear(rows);
        return;
    }
    char *role = look_identifier(PQgetvalue(rows, 0, 3)), *database = look_identifier(PQgetvalue(rows, 0, 4));
    char *what[] = {mem_printf("max_connections (%s)", PQgetvalue(rows, 0, 7)),
                    mem_printf("the limit of role %s (%s)", PQgetvalue(rows, 0, 3), PQgetvalue(rows, 0, 5)),
                    mem_printf("the limit of database %s (%s)", PQgetvalue(rows, 0, 4), PQgetvalue(rows, 0, 6))};
    char *remedies[] = {mem_printf("ALTER SYSTEM SET max_connections = %d;  -- then restart PostgreSQL, or end idle sessions of others", atoi(PQgetvalue(rows, 0, 7)) + 20),
                        mem_printf("ALTER ROLE %s CONNECTION LIMIT %d;", role, atoi(PQgetvalue(rows, 0, 5)) + 20),
                        mem_printf("ALTER DATABASE %s CONNECTION LIMIT %d;", database, atoi(PQgetvalue(rows, 0, 6)) + 20)};
    for (int i = 0; i < 3; i++) {
        if (!PQgetisnull(rows, 0, i))
            look_at_limit(result, PQgetvalue(rows, 0, i), what[i], remedies[i]);
        free(what[i]);
        free(remedies[i]);
    }
    free(role);
    free(database);
    PQclear(rows);
}

const struct check check_connections = {
    .id = "connections", .title = "Free connections", .severity = CHECK_BLOCKS, .reach = CHECK_SERVER, .look = look_connections,
    .why = "The worker keeps two sessions and whoever watches it a third; new nodes need connections beside the old ones. Where none is free, "
           "nodes of both clusters fail to answer.",
    .source = "PostgreSQL, max_connections and CONNECTION LIMIT; lua_socket_pool_size in kong.conf",
};
