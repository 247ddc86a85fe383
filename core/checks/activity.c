/* Checks: what goes on in the database now that a change would have to wait for. */
#include "core/checks/look.h"

#include "core/base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define OLD_TRANSACTION_S 30
#define IDLE_TRANSACTION_S 5
#define HIDDEN_WAIT_MS 1500
#define QUERY_SHOWN 200

#define NUMBER_TEXT_(number_) #number_
#define NUMBER_TEXT(number_) NUMBER_TEXT_(number_)

#define OURS "(a.pid = pg_backend_pid() OR a.application_name LIKE 'kong-upgrade %')"
#define TABLES_OF_SCHEMA "c.relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = current_schema())"

/* Masked before it is cut, so that no half of a string is left. */
static char *short_query(const char *query)
{
    char *masked = pg_mask_query(query);
    return look_cut(masked, QUERY_SHOWN);
}

/* Kong's nodes are in no transaction between their polls, so that they are never among these. */
static bool look_at_visible(const struct check_subject *subject, struct check_result *result)
{
    PGresult *rows = look_query(subject, result,
        "SELECT a.pid, coalesce(nullif(a.application_name, ''), 'no name'), coalesce(host(a.client_addr), 'local'), a.usename, a.state,"
        " floor(extract(epoch FROM clock_timestamp() - a.xact_start))::bigint, floor(extract(epoch FROM clock_timestamp() - a.state_change))::bigint,"
        " coalesce(a.query, '') FROM pg_catalog.pg_stat_activity a WHERE a.datname = current_database() AND NOT " OURS
        " AND a.usesysid IS NOT NULL AND a.query NOT LIKE 'autovacuum: %'"
        " AND (a.xact_start < clock_timestamp() - interval '" NUMBER_TEXT(OLD_TRANSACTION_S) " s'"
        " OR (a.state LIKE 'idle in transaction%' AND a.state_change < clock_timestamp() - interval '" NUMBER_TEXT(IDLE_TRANSACTION_S) " s'))"
        " ORDER BY a.xact_start");
    int count = PQntuples(rows);
    for (int row = 0; row < count; row++) {
        char *query = short_query(PQgetvalue(rows, row, 7));
        look_found_row(result, CHECK_WARNS, (size_t)row, (size_t)count, "session %s (%s, role %s, from %s) has been in a transaction for %s s, %s for %s s; last query: %s",
                       PQgetvalue(rows, row, 0), PQgetvalue(rows, row, 1), PQgetvalue(rows, row, 3), PQgetvalue(rows, row, 2), PQgetvalue(rows, row, 5),
                       PQgetvalue(rows, row, 4), PQgetvalue(rows, row, 6), query);
        if (row < LOOK_ROWS)
            look_remedy(result, "SELECT pg_terminate_backend(%s);", PQgetvalue(rows, row, 0));
        free(query);
    }
    PQclear(rows);
    return rows != NULL;
}

/* Other roles' transactions are hidden from a role without pg_read_all_stats, but the locks they hold on Kong's tables are not: one
 * held by the same transaction for HIDDEN_WAIT_MS is no poll of a node. */
static const char *const hidden_sql =
    "SELECT l.pid, l.virtualtransaction, min(c.relname), coalesce(max(r.rolname), '?') FROM pg_catalog.pg_locks l"
    " JOIN pg_catalog.pg_class c ON c.oid = l.relation JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.usesysid"
    " WHERE l.locktype = 'relation' AND l.granted AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())"
    " AND " TABLES_OF_SCHEMA " AND c.relkind IN ('r', 'p') AND a.usesysid IS NOT NULL AND a.query = '<insufficient privilege>' AND NOT " OURS
    " GROUP BY l.pid, l.virtualtransaction ORDER BY l.pid";

static bool is_in(PGresult *rows, const char *virtual_transaction)
{
    for (int row = 0; row < PQntuples(rows); row++)
        if (strcmp(PQgetvalue(rows, row, 1), virtual_transaction) == 0)
            return true;
    return false;
}

static void look_at_hidden(const struct check_subject *subject, struct check_result *result)
{
    PGresult *before = look_query(subject, result, hidden_sql);
    if (PQntuples(before) == 0) {
        PQclear(before);
        return;
    }
    nanosleep(&(struct timespec){HIDDEN_WAIT_MS / 1000, HIDDEN_WAIT_MS % 1000 * 1000000L}, NULL);
    PGresult *after = look_query(subject, result, hidden_sql);
    for (int row = 0; row < PQntuples(after) && row < LOOK_ROWS; row++) {
        if (!is_in(before, PQgetvalue(after, row, 1)))
            continue;
        look_found(result, CHECK_WARNS, "session %s of role %s holds a lock on %s for longer than a node's query takes; what it does is hidden from role %s",
                   PQgetvalue(after, row, 0), PQgetvalue(after, row, 3), PQgetvalue(after, row, 2), subject->conf->pg.user);
        look_remedy(result, "SELECT pg_terminate_backend(%s);", PQgetvalue(after, row, 0));
    }
    PQclear(after);
    PQclear(before);
}

static void look_long_transactions(const struct check_subject *subject, struct check_result *result)
{
    if (look_at_visible(subject, result))
        look_at_hidden(subject, result);
    if (result->outcome == CHECK_OK)
        look_note(result, "no transaction older than %d s, none idle for more than %d s", OLD_TRANSACTION_S, IDLE_TRANSACTION_S);
}

const struct check check_long_transactions = {
    .id = "long-transactions", .title = "Long transactions", .severity = CHECK_WARNS, .reach = CHECK_SERVER, .look = look_long_transactions,
    .why = "A change waits for every open transaction that has read its table, however idle, and concurrent index builds wait for all of them. The "
           "wait is short for the nodes, but the migration can't go on. Ask the owner, or end the session by the remedy (as its role or a superuser).",
    .source = "Kong issues #4335, #5934, #14542; seen with Kong 1.3.0",
};

static void look_prepared_transactions(const struct check_subject *subject, struct check_result *result)
{
    PGresult *rows = look_query(subject, result,
        "SELECT gid, owner, floor(extract(epoch FROM clock_timestamp() - prepared))::bigint FROM pg_catalog.pg_prepared_xacts"
        " WHERE database = current_database() ORDER BY prepared");
    int count = PQntuples(rows);
    for (int row = 0; row < count; row++) {
        char *gid = look_literal(PQgetvalue(rows, row, 0));
        look_found_row(result, CHECK_WARNS, (size_t)row, (size_t)count, "transaction %s of role %s has been prepared for %s s", gid, PQgetvalue(rows, row, 1),
                       PQgetvalue(rows, row, 2));
        if (row < LOOK_ROWS)
            look_remedy(result, "ROLLBACK PREPARED %s;  -- or COMMIT PREPARED, as its transaction manager decides", gid);
        free(gid);
    }
    if (rows != NULL && count == 0)
        look_note(result, "no prepared transaction in this database");
    PQclear(rows);
}

const struct check check_prepared_transactions = {
    .id = "prepared-transactions", .title = "Prepared transactions", .severity = CHECK_WARNS, .reach = CHECK_SERVER, .look = look_prepared_transactions,
    .why = "A prepared transaction keeps its locks without any session, even over a restart: a change can wait for it for ever. Kong makes none.",
    .source = "PostgreSQL, PREPARE TRANSACTION",
};

/* Locks that only maintenance takes; nodes take weaker ones. Autovacuum (which has no role) gives way by itself, unless it prevents
 * wraparound. The last column is how far it is, where the server says that. */
static const char maintenance_columns[] =
    "SELECT a.pid, coalesce(nullif(a.application_name, ''), 'no name'), coalesce(host(a.client_addr), 'local'), min(l.mode), min(c.relname),"
    " coalesce(floor(extract(epoch FROM clock_timestamp() - min(a.query_start)))::bigint, -1), coalesce(a.query, ''), ";
static const char maintenance_rows[] =
    " FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_class c ON c.oid = l.relation JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid"
    " WHERE l.locktype = 'relation' AND l.granted AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())"
    " AND " TABLES_OF_SCHEMA " AND c.relkind IN ('r', 'p') AND NOT " OURS " AND coalesce(a.state, 'active') = 'active'"
    " AND l.mode IN ('ShareUpdateExclusiveLock', 'ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')"
    " AND (a.usesysid IS NOT NULL OR a.query LIKE '%wraparound%') GROUP BY a.pid, a.application_name, a.client_addr, a.query ORDER BY a.pid";

#define PROGRESS_SINCE_12 \
    "coalesce((SELECT p.phase || CASE WHEN p.blocks_total > 0 THEN ' ' || 100 * p.blocks_done / p.blocks_total || ' %' ELSE '' END" \
    " FROM pg_catalog.pg_stat_progress_create_index p WHERE p.pid = a.pid)," \
    " (SELECT p.phase FROM pg_catalog.pg_stat_progress_cluster p WHERE p.pid = a.pid)," \
    " (SELECT p.phase FROM pg_catalog.pg_stat_progress_vacuum p WHERE p.pid = a.pid), '')"

static void look_running_maintenance(const struct check_subject *subject, struct check_result *result)
{
    if (subject->pg == NULL) {
        look_has_state(subject, result);
        return;
    }
    char *sql = mem_printf("%s%s%s", maintenance_columns, pg_server_version(subject->pg) >= 120000 ? PROGRESS_SINCE_12 : "''", maintenance_rows);
    PGresult *rows = look_query(subject, result, sql);
    free(sql);
    int count = PQntuples(rows);
    for (int row = 0; row < count; row++) {
        char *query = short_query(PQgetvalue(rows, row, 6));
        const char *phase = PQgetvalue(rows, row, 7);
        look_found_row(result, CHECK_WARNS, (size_t)row, (size_t)count, "session %s (%s, from %s) holds %s on %s, for %s s: %s%s%s%s", PQgetvalue(rows, row, 0),
                       PQgetvalue(rows, row, 1), PQgetvalue(rows, row, 2), PQgetvalue(rows, row, 3), PQgetvalue(rows, row, 4), PQgetvalue(rows, row, 5),
                       query, phase[0] != '\0' ? " (" : "", phase, phase[0] != '\0' ? ")" : "");
        if (row < LOOK_ROWS)
            look_remedy(result, "SELECT pg_cancel_backend(%s);  -- or wait until it has ended", PQgetvalue(rows, row, 0));
        free(query);
    }
    if (rows != NULL && count == 0)
        look_note(result, "no vacuum, index build or other maintenance on Kong's tables");
    PQclear(rows);
}

const struct check check_running_maintenance = {
    .id = "running-maintenance", .title = "Running maintenance", .severity = CHECK_WARNS, .reach = CHECK_SERVER, .look = look_running_maintenance,
    .why = "VACUUM, CREATE INDEX, REINDEX, CLUSTER and their like hold a lock that no schema change gets past until they end.",
    .source = "PostgreSQL, explicit locking; pg_stat_progress_*",
};
