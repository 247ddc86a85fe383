/* Checks: can the database be reached, and directly. */
#include "core/checks/look.h"

#include "core/base/mem.h"

#include <stdlib.h>
#include <string.h>

/* Shown, never run: the program asks for the password itself. */
static void add_try(const struct check_subject *subject, struct buf *remedy)
{
    const struct datastore *to = &subject->conf->pg;
    buf_add(remedy, "psql -h ");
    look_add_shell(remedy, to->host);
    buf_addf(remedy, " -p %d -U ", to->port);
    look_add_shell(remedy, to->user);
    buf_add(remedy, " -d ");
    look_add_shell(remedy, to->database);
    buf_add(remedy, " -c 'SELECT version()'");
}

static void look_connection(const struct check_subject *subject, struct check_result *result)
{
    const struct datastore *to = &subject->conf->pg;
    if (subject->pg != NULL) {
        look_note(result, "connected to %s as %s", pg_where(subject->pg), to->user);
        return;
    }
    struct buf remedy = {0};
    add_try(subject, &remedy);
    look_found(result, CHECK_BLOCKS, "%s", subject->connect_error);
    look_remedy(result, "%s", buf_text(&remedy));
    buf_free(&remedy);
}

const struct check check_connection = {
    .id = "connection", .title = "Connection to the database", .severity = CHECK_BLOCKS, .reach = CHECK_SERVER, .look = look_connection,
    .why = "Without a connection nothing can be looked at or migrated. The remedy tries the same by hand: mend kong.conf (or the server) until it works.",
    .source = "kong/db/strategies/postgres/connector.lua",
};

static void look_pgbouncer(const struct check_subject *subject, struct check_result *result)
{
    PGresult *rows = look_query(subject, result,
        "SELECT pg_backend_pid(), host(inet_server_addr()), coalesce(inet_server_port()::text, current_setting('port'))");
    if (rows == NULL)
        return;
    int server = atoi(PQgetvalue(rows, 0, 0)), seen = pg_backend_pid(subject->pg);
    /* A pooler that goes through a Unix socket stands on the server's own host. */
    const char *host = PQgetisnull(rows, 0, 1) ? subject->conf->pg.host : PQgetvalue(rows, 0, 1), *port = PQgetvalue(rows, 0, 2);
    if (server == seen) {
        look_note(result, "connected directly: backend %d", server);
    } else {
        look_found(result, CHECK_BLOCKS, "the connection was announced as backend %d, but backend %d of the server at %s:%s answers: a pooler is in between",
                   seen, server, host, port);
        look_remedy(result, "pg_host = %s\npg_port = %s", host, port);
    }
    PQclear(rows);
}

const struct check check_pgbouncer = {
    .id = "pgbouncer", .title = "Connection pooler", .severity = CHECK_BLOCKS, .reach = CHECK_SERVER, .look = look_pgbouncer,
    .why = "Behind PgBouncer, session settings, advisory locks and cancelling don't hold: a lock timeout could be lost and old nodes stall. Use a "
           "kong.conf with the server's own address for this program (--conf); the nodes may keep the pooler.",
    .source = "PgBouncer's features by pooling mode; libpq, PQbackendPID",
};
