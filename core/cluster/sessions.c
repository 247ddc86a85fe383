#include "core/cluster/sessions.h"

#include "core/base/mem.h"
#include "core/db/pg.h"

#include <stdlib.h>
#include <string.h>

/*
 * A row per address and kind. Only client backends have a client_port (-1 for a Unix socket; null where we may not see it, as are
 * the address and the query, while the application_name is always shown). Our own sessions carry another name.
 */
static const char sessions_sql[] =
    "SELECT CASE WHEN hidden THEN 'hidden' ELSE coalesce(host(client_addr), 'local') END AS address, application_name = '' AS legacy,"
    " count(*) AS connections,"
    " floor(min(greatest(extract(epoch FROM clock_timestamp() - state_change), 0))"
    "  FILTER (WHERE query ~* '^\\s*select\\M.*\\mcluster_events\\M'))::bigint AS poll_age,"
    " bool_or(hidden) AS hidden"
    " FROM (SELECT *, query = '<insufficient privilege>' AS hidden FROM pg_catalog.pg_stat_activity"
    "  WHERE datname = pg_catalog.current_database() AND usename IS NOT NULL AND pid <> pg_catalog.pg_backend_pid()) AS activity"
    " WHERE application_name IN ('', 'pgmoon') AND (client_port IS NOT NULL OR hidden)"
    " GROUP BY 1, 2 ORDER BY 1, 2";

static struct session read_row(const PGresult *rows, int row)
{
    return (struct session){
        .address = mem_dup(PQgetvalue(rows, row, 0)),
        .legacy = PQgetvalue(rows, row, 1)[0] == 't',
        .connections = atoi(PQgetvalue(rows, row, 2)),
        .poll_age = PQgetisnull(rows, row, 3) ? -1 : atoi(PQgetvalue(rows, row, 3)),
    };
}

bool sessions_read(struct pg *pg, struct sessions *sessions, struct error *error)
{
    *sessions = (struct sessions){0};
    PGresult *rows = pg_query(pg, error, sessions_sql);
    if (rows == NULL)
        return false;
    for (int row = 0; row < PQntuples(rows); row++) {
        struct session session = read_row(rows, row);
        sessions->list = mem_grow(sessions->list, sessions->count + 1, sizeof *sessions->list);
        sessions->list[sessions->count++] = session;
        sessions->live += session.poll_age >= 0 && session.poll_age <= SESSIONS_FRESH_S ? 1 : 0;
        sessions->restricted = sessions->restricted || PQgetvalue(rows, row, 4)[0] == 't';
    }
    PQclear(rows);
    return true;
}

void sessions_free(struct sessions *sessions)
{
    for (size_t i = 0; i < sessions->count; i++)
        free(sessions->list[i].address);
    free(sessions->list);
    *sessions = (struct sessions){0};
}
