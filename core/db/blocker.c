#include "core/db/blocker.h"

#include "core/base/mem.h"
#include "core/db/pg.h"

#include <stdlib.h>
#include <string.h>

struct session {
    bool gone, foreign, ours, client, busy;
    char *role;
};

/* backend_type came with PostgreSQL 10; before, pg_stat_activity had client sessions only. Of another role's session it may not be seen,
 * nor its state; the role may. */
static bool read_session(struct pg *pg, int pid, struct session *session, struct error *error)
{
    char *number = mem_printf("%d", pid);
    char *sql = mem_printf("SELECT a.datname IS DISTINCT FROM current_database(), a.pid = pg_backend_pid() OR a.application_name LIKE 'kong-upgrade%%',"
                           " %s, coalesce(a.state, '') NOT LIKE 'idle%%', coalesce(a.usename, '?')"
                           " FROM pg_catalog.pg_stat_activity a WHERE a.pid = $1::int",
                           pg_server_version(pg) >= 100000 ? "a.usename IS NOT NULL AND coalesce(a.backend_type, 'client backend') = 'client backend'" : "true");
    const char *const values[] = {number};
    PGresult *result = pg_query_params(pg, error, sql, 1, values);
    free(sql);
    free(number);
    *session = (struct session){.gone = PQntuples(result) == 0};
    if (result != NULL && !session->gone) {
        session->foreign = PQgetvalue(result, 0, 0)[0] == 't';
        session->ours = PQgetvalue(result, 0, 1)[0] == 't';
        session->client = PQgetvalue(result, 0, 2)[0] == 't';
        session->busy = PQgetvalue(result, 0, 3)[0] == 't';
        session->role = mem_dup(PQgetvalue(result, 0, 4));
    }
    PQclear(result);
    return result != NULL;
}

static bool may_be_touched(struct pg *pg, int pid, const struct session *session, struct error *error)
{
    if (session->gone)
        return error_set(error, ERROR_REFUSED, "%s: backend %d is gone already: there is nothing to end", pg_where(pg), pid);
    if (!session->client || session->foreign)
        return error_set(error, ERROR_REFUSED, "%s: backend %d is not a client's session on this database: it is left alone", pg_where(pg), pid);
    if (session->ours)
        return error_set(error, ERROR_REFUSED, "%s: backend %d is kong-upgrade's own: to end a worker, stop it", pg_where(pg), pid);
    return true;
}

static bool no_right(struct pg *pg, int pid, const struct session *session, const char *function, struct error *error)
{
    return error_set(error, ERROR_REFUSED, "%s: our role may not touch sessions of the role %s; let that role or a superuser run SELECT %s(%d), or a superuser GRANT pg_signal_backend to ours",
                     pg_where(pg), session->role, function, pid);
}

/* `function` is asked last, and again about the session's database and name: a number may belong to another one by then. */
static bool signal_session(struct pg *pg, int pid, const struct session *session, const char *function, struct error *error)
{
    static const char insufficient_privilege[] = "42501";
    struct error failure = {0};
    char *number = mem_printf("%d", pid);
    char *sql = mem_printf("SELECT pg_catalog.%s(a.pid) FROM pg_catalog.pg_stat_activity a WHERE a.pid = $1::int AND a.datname = current_database()"
                           " AND a.application_name NOT LIKE 'kong-upgrade%%'", function);
    const char *const values[] = {number};
    PGresult *result = pg_query_params(pg, &failure, sql, 1, values);
    free(sql);
    free(number);
    bool done = PQntuples(result) > 0 && PQgetvalue(result, 0, 0)[0] == 't';
    if (result == NULL && strcmp(failure.sqlstate, insufficient_privilege) == 0)
        no_right(pg, pid, session, function, error);
    else if (result == NULL)
        error_set(error, failure.code, "%s", failure.message);
    else if (!done)
        error_set(error, ERROR_REFUSED, "%s: backend %d is gone already: there is nothing to end", pg_where(pg), pid);
    PQclear(result);
    error_clear(&failure);
    return done;
}

static bool act_on(struct pg *pg, int pid, const char *function, bool needs_query, struct error *error)
{
    struct session session;
    if (!read_session(pg, pid, &session, error))
        return false;
    bool done = may_be_touched(pg, pid, &session, error);
    if (done && needs_query && !session.busy)
        done = error_set(error, ERROR_REFUSED, "%s: backend %d runs no query now, so there is none to cancel: end its session, or let it go on", pg_where(pg), pid);
    done = done && signal_session(pg, pid, &session, function, error);
    free(session.role);
    return done;
}

bool blocker_cancel(struct pg *pg, int pid, struct error *error)
{
    return act_on(pg, pid, "pg_cancel_backend", true, error);
}

bool blocker_terminate(struct pg *pg, int pid, struct error *error)
{
    return act_on(pg, pid, "pg_terminate_backend", false, error);
}
