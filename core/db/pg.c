#include "core/db/pg.h"

#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/mem.h"

#include <ctype.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_MS 10000

struct pg {
    PGconn *connection;
    char *schema;
    char *where;
    char *version_text;
    pg_tick *tick;
    void *tick_context;
};

static void ignore_notice(void *context, const PGresult *notice)
{
    (void)context;
    (void)notice;
}

/* libpq's messages end with a newline and may have several lines. */
static char *one_line(const char *message)
{
    char *line = mem_dup(message != NULL ? message : "");
    size_t length = strlen(line);
    while (length > 0 && (line[length - 1] == '\n' || line[length - 1] == ' '))
        line[--length] = '\0';
    for (char *c = line; *c != '\0'; c++)
        if (*c == '\n' || *c == '\t')
            *c = ' ';
    return line;
}

static bool is_one_of(const char *state, const char *const *states)
{
    for (; *states != NULL; states++)
        if (strncmp(state, *states, strlen(*states)) == 0)
            return true;
    return false;
}

static enum error_code code_of(const char *state)
{
    static const char *const locks[] = {"55P03", "40P01", NULL};
    static const char *const connections[] = {"08", "57P01", "57P02", "57P03", NULL};
    if (is_one_of(state, locks))
        return ERROR_LOCK;
    if (is_one_of(state, connections))
        return ERROR_CONNECT;
    return strcmp(state, "57014") == 0 ? ERROR_STOPPED : ERROR_SQL;
}

/* What an operator can do about the errors that a migration meets in the field. */
static const char *advice(const char *state)
{
    static const struct {
        const char *state, *advice;
    } table[] = {
        {"53100", "free disk space on the database server, then run the same again: it goes on where it stopped"},
        {"53200", "the database server is out of memory; run the same again later"},
        {"53300", "the server has no free connection: raise max_connections or end idle sessions, then try again"},
        {"42501", "grant the right, or make the role own the object, then run the same again"},
        {"25006", "this server is a standby, or the database is set to read-only: set pg_host to the primary, or lift that"},
        {"57014", "the statement was cancelled; run the same again: it goes on where it stopped"},
        {"23505", "there are duplicate rows: remove them, then run the same again"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (strcmp(state, table[i].state) == 0)
            return table[i].advice;
    return NULL;
}

static bool set_sql_error(struct pg *pg, const PGresult *result, struct error *error)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    if (state == NULL || PQstatus(pg->connection) == CONNECTION_BAD) {
        char *message = one_line(PQerrorMessage(pg->connection));
        error_set(error, ERROR_CONNECT, "the connection to %s was lost (%s); nothing half done is left behind: run the same again",
                  pg->where, message);
        free(message);
        return false;
    }
    char *message = one_line(PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY));
    const char *what_to_do = advice(state);
    error_set(error, code_of(state), "%s: %s%s%s", pg->where, message, what_to_do != NULL ? "; " : "",
              what_to_do != NULL ? what_to_do : "");
    if (error != NULL)
        snprintf(error->sqlstate, sizeof error->sqlstate, "%s", state);
    free(message);
    return false;
}

static void cancel(struct pg *pg)
{
    char ignored[256];
    PGcancel *cancel = PQgetCancel(pg->connection);
    if (cancel != NULL)
        PQcancel(cancel, ignored, sizeof ignored);
    PQfreeCancel(cancel);
}

/* Waits until a result is there, ticking meanwhile. */
static void await_result(struct pg *pg)
{
    bool cancelled = false;
    int64_t next_tick = clock_ms() + PG_TICK_MS;
    while (PQisBusy(pg->connection)) {
        int unsent = PQflush(pg->connection);
        struct pollfd socket = {.fd = PQsocket(pg->connection), .events = (short)(POLLIN | (unsent > 0 ? POLLOUT : 0))};
        if (socket.fd < 0)
            return;
        poll(&socket, 1, PG_TICK_MS);
        if (socket.revents != 0 && PQconsumeInput(pg->connection) == 0)
            return;
        if (pg->tick != NULL && !cancelled && clock_ms() >= next_tick) {
            if (!pg->tick(pg->tick_context)) {
                cancel(pg);
                cancelled = true;
            }
            next_tick = clock_ms() + PG_TICK_MS;
        }
    }
}

/* The last result of what was sent; earlier ones (of a string of several statements) count only where they failed. */
static PGresult *collect(struct pg *pg)
{
    PGresult *last = NULL;
    for (;;) {
        await_result(pg);
        PGresult *result = PQgetResult(pg->connection);
        if (result == NULL)
            return last;
        bool keep = last != NULL && PQresultStatus(last) == PGRES_FATAL_ERROR;
        PQclear(keep ? result : last);
        last = keep ? last : result;
        if (PQstatus(pg->connection) == CONNECTION_BAD)
            return last;
    }
}

PGresult *pg_query_params(struct pg *pg, struct error *error, const char *sql, int count, const char *const *values)
{
    /* The extended protocol takes one statement; several, and those without parameters, go by the simple one. */
    int sent = count == 0 ? PQsendQuery(pg->connection, sql)
                          : PQsendQueryParams(pg->connection, sql, count, NULL, values, NULL, NULL, 0);
    PGresult *result = sent ? collect(pg) : NULL;
    ExecStatusType status = PQresultStatus(result);
    if (result != NULL && (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK || status == PGRES_EMPTY_QUERY))
        return result;
    set_sql_error(pg, result, error);
    PQclear(result);
    return NULL;
}

PGresult *pg_query(struct pg *pg, struct error *error, const char *sql)
{
    return pg_query_params(pg, error, sql, 0, NULL);
}

bool pg_run_params(struct pg *pg, struct error *error, const char *sql, int count, const char *const *values)
{
    PGresult *result = pg_query_params(pg, error, sql, count, values);
    PQclear(result);
    return result != NULL;
}

bool pg_run(struct pg *pg, struct error *error, const char *sql)
{
    return pg_run_params(pg, error, sql, 0, NULL);
}

bool pg_runf(struct pg *pg, struct error *error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *sql = mem_vprintf(format, arguments);
    va_end(arguments);
    bool done = pg_run(pg, error, sql);
    free(sql);
    return done;
}

bool pg_ask(struct pg *pg, struct error *error, const char *sql, bool *answer)
{
    PGresult *result = pg_query(pg, error, sql);
    if (result == NULL)
        return false;
    *answer = PQntuples(result) > 0 && strcmp(PQgetvalue(result, 0, 0), "t") == 0;
    PQclear(result);
    return true;
}

void pg_rollback(struct pg *pg)
{
    PGTransactionStatusType status = PQtransactionStatus(pg->connection);
    if (status == PQTRANS_INTRANS || status == PQTRANS_INERROR)
        pg_run(pg, NULL, "ROLLBACK");
}

static const char *connect_advice(const char *message)
{
    static const struct {
        const char *part, *advice;
    } table[] = {
        {"password authentication failed", "check pg_user and pg_password in kong.conf or KONG_PG_PASSWORD"},
        {"no password supplied", "set pg_password in kong.conf or KONG_PG_PASSWORD"},
        {"certificate", "check pg_ssl, pg_ssl_verify and lua_ssl_trusted_certificate in kong.conf"},
        {"does not exist", "check pg_database and pg_user in kong.conf"},
        {"no pg_hba.conf entry", "allow this host in the server's pg_hba.conf"},
        {"too many clients", "raise max_connections or end idle sessions on the server"},
        {"connection slots", "raise max_connections or end idle sessions on the server"},
        {"too many connections for", "raise the CONNECTION LIMIT of the role or the database, or end idle sessions of theirs"},
        {"could not translate host name", "check pg_host in kong.conf"},
        {"server does not support SSL", "turn on ssl on the server, or set pg_ssl = off"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (strstr(message, table[i].part) != NULL)
            return table[i].advice;
    return "check that PostgreSQL runs there, and pg_host and pg_port in kong.conf";
}

static bool await_connection(PGconn *connection)
{
    int64_t end = clock_ms() + CONNECT_MS;
    PostgresPollingStatusType wants = PGRES_POLLING_WRITING;
    while (wants != PGRES_POLLING_OK && wants != PGRES_POLLING_FAILED && PQstatus(connection) != CONNECTION_BAD) {
        struct pollfd socket = {.fd = PQsocket(connection), .events = wants == PGRES_POLLING_READING ? POLLIN : POLLOUT};
        int64_t left = end - clock_ms();
        if (left <= 0)
            return false;
        if (poll(&socket, 1, (int)left) > 0)
            wants = PQconnectPoll(connection);
    }
    return true;
}

static PGconn *open_connection(const struct datastore *datastore, const char *role, bool *in_time)
{
    char port[16];
    snprintf(port, sizeof port, "%d", datastore->port);
    char *application = mem_printf("kong-upgrade %s", role);
    struct datastore_tls tls = datastore_tls(datastore);
    const char *const keywords[] = {"host", "port", "dbname", "user", "password", "passfile", "sslmode", "sslrootcert",
                                    "application_name", "client_encoding", "keepalives_idle", "keepalives_interval",
                                    "keepalives_count", "tcp_user_timeout", NULL};
    const char *const values[] = {datastore->host, port, datastore->database, datastore->user, datastore->password,
                                  "/dev/null/none", tls.sslmode, tls.sslrootcert, application, "UTF8", "10", "5", "3", "20000", NULL};
    /* Not PQconnectdb: what the server has to say while it lets us in (a collation's version, say) would go to standard error. */
    PGconn *connection = PQconnectStartParams(keywords, values, 0);
    PQsetNoticeReceiver(connection, ignore_notice, NULL);
    *in_time = await_connection(connection);
    free(application);
    return connection;
}

/* As Kong: UTC, and the configured schema as the whole search_path; unset, it is the session's current one, else `public`. The rest
 * is what a role or database may have been given otherwise, and we rely on. */
static bool prepare_session(struct pg *pg, const char *schema, int statement_timeout_ms, struct error *error)
{
    const char *encoding = PQparameterStatus(pg->connection, "server_encoding");
    /* Such a server knows of no encoding, but would refuse to hand out as UTF-8 what is none. */
    if (encoding != NULL && strcmp(encoding, "SQL_ASCII") == 0 && !pg_run(pg, error, "SET client_encoding TO 'SQL_ASCII'"))
        return false;
    const char *const configured[] = {schema};
    PGresult *result = pg_query_params(pg, error,
        "SELECT coalesce($1, current_schema(), 'public'), current_setting('server_version')", 1, configured);
    if (result == NULL)
        return false;
    pg->schema = mem_dup(PQgetvalue(result, 0, 0));
    pg->version_text = mem_dup(PQgetvalue(result, 0, 1));
    PQclear(result);
    struct buf sql = {0};
    buf_add(&sql, "SET TimeZone = 'UTC'; SET standard_conforming_strings = on; SET quote_all_identifiers = off;"
                  " SET default_transaction_isolation = 'read committed'; SET row_security = on; SET search_path TO ");
    buf_add_identifier(&sql, pg->schema);
    buf_addf(&sql, "; SET statement_timeout = %d; SET lock_timeout = 0; SELECT set_config(name, '0', false) FROM pg_catalog.pg_settings"
                   " WHERE name IN ('idle_in_transaction_session_timeout', 'idle_session_timeout', 'transaction_timeout')", statement_timeout_ms);
    bool done = pg_run(pg, error, buf_text(&sql));
    buf_free(&sql);
    return done;
}

struct pg *pg_connect(const struct datastore *datastore, const char *role, int statement_timeout_ms, struct error *error)
{
    struct pg *pg = mem_zero(1, sizeof *pg);
    pg->where = mem_printf("database %s at %s:%d", datastore->database, datastore->host, datastore->port);
    bool in_time = true;
    pg->connection = open_connection(datastore, role, &in_time);
    if (PQstatus(pg->connection) != CONNECTION_OK) {
        char *message = in_time ? one_line(PQerrorMessage(pg->connection)) : mem_printf("no answer within %d s", CONNECT_MS / 1000);
        error_set(error, ERROR_CONNECT, "can't connect to %s as %s (%s); %s", pg->where, datastore->user, message,
                  connect_advice(message));
        free(message);
        pg_close(pg);
        return NULL;
    }
    if (PQsetnonblocking(pg->connection, 1) != 0 || !prepare_session(pg, datastore->schema, statement_timeout_ms, error)) {
        pg_close(pg);
        return NULL;
    }
    if (pg_server_version(pg) < 90500) {
        error_set(error, ERROR_REFUSED, "%s runs PostgreSQL %s; Kong 1.3 needs 9.5 or newer", pg->where, pg->version_text);
        pg_close(pg);
        return NULL;
    }
    return pg;
}

void pg_close(struct pg *pg)
{
    if (pg == NULL)
        return;
    PQfinish(pg->connection);
    free(pg->schema);
    free(pg->where);
    free(pg->version_text);
    free(pg);
}

void pg_set_tick(struct pg *pg, pg_tick *tick, void *context)
{
    pg->tick = tick;
    pg->tick_context = context;
}

int pg_server_version(const struct pg *pg)
{
    return PQserverVersion(pg->connection);
}

const char *pg_server_version_text(const struct pg *pg)
{
    return pg->version_text;
}

const char *pg_schema(const struct pg *pg)
{
    return pg->schema;
}

const char *pg_where(const struct pg *pg)
{
    return pg->where;
}

const char *pg_host(const struct pg *pg)
{
    return PQhost(pg->connection);
}

int pg_port(const struct pg *pg)
{
    return atoi(PQport(pg->connection));
}

const char *pg_database(const struct pg *pg)
{
    return PQdb(pg->connection);
}

int pg_backend_pid(const struct pg *pg)
{
    return PQbackendPID(pg->connection);
}

bool pg_lost(const struct pg *pg)
{
    return PQstatus(pg->connection) != CONNECTION_OK;
}
