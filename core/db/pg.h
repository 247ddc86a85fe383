/*
 * A connection to Kong's PostgreSQL, and its errors as sentences.
 *
 * Every connection is one as Kong makes it (TimeZone UTC, search_path = the configured schema; kong/db/strategies/postgres/
 * connector.lua at 1.3.0), and says `kong-upgrade` as its application_name. Texts come in UTF-8, but from a database in SQL_ASCII as the
 * bytes that they are. Calls wait for the server, but never blindly: while
 * they wait, a tick of the caller's runs, which may stop the statement. The wizard calls them from libuv's thread pool, the
 * worker from its only thread. One connection is used by one thread at a time.
 */
#ifndef CORE_DB_PG_H
#define CORE_DB_PG_H

#include "core/base/error.h"
#include "core/conf/kong_conf.h"

#include <libpq-fe.h>
#include <stdbool.h>

struct pg;

/* Runs every PG_TICK_MS or so while a statement waits. false: the statement is cancelled and fails with ERROR_STOPPED. */
typedef bool pg_tick(void *context);
#define PG_TICK_MS 50

/* Connects, within 10 s, and prepares the session. `role` is put behind "kong-upgrade" in application_name ("worker",
 * "wizard"…). `statement_timeout_ms` 0 is none. NULL and an error that names the database, host and port (never the
 * password) on failure. pg_close frees. */
struct pg *pg_connect(const struct datastore *datastore, const char *role, int statement_timeout_ms, struct error *error);
void pg_close(struct pg *pg);

void pg_set_tick(struct pg *pg, pg_tick *tick, void *context);

int pg_server_version(const struct pg *pg);        /* as libpq: 150004 for 15.4, 90624 for 9.6.24 */
const char *pg_server_version_text(const struct pg *pg);
const char *pg_schema(const struct pg *pg);        /* the schema Kong's tables are in, or would be */
const char *pg_where(const struct pg *pg);         /* "database kong at 10.0.0.5:5432" for sentences */
const char *pg_host(const struct pg *pg);
int pg_port(const struct pg *pg);
const char *pg_database(const struct pg *pg);
int pg_backend_pid(const struct pg *pg);
bool pg_lost(const struct pg *pg);                 /* the connection is gone; only pg_close helps */

/* The statement's result, of one or several rows or none; the caller PQclears it. NULL and an error otherwise. Parameters are
 * text, as libpq counts them. An error carries the SQLSTATE. A message's DETAIL is left out where it could hold a row's values
 * (a key-auth key in a unique violation is a secret). */
PGresult *pg_query(struct pg *pg, struct error *error, const char *sql);
PGresult *pg_query_params(struct pg *pg, struct error *error, const char *sql, int count, const char *const *values);

/* The same for statements whose rows don't matter. */
bool pg_run(struct pg *pg, struct error *error, const char *sql);
bool pg_run_params(struct pg *pg, struct error *error, const char *sql, int count, const char *const *values);
bool pg_runf(struct pg *pg, struct error *error, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Asks a question whose answer is one boolean. false also on an error: look at `answer` only where true is returned. */
bool pg_ask(struct pg *pg, struct error *error, const char *sql, bool *answer);

/* Ends an open or failed transaction, if there is one. What goes wrong here is of no use: the server rolls back anyway. */
void pg_rollback(struct pg *pg);

/* A statement's text with every quoted string and comment in it replaced by '…', for showing other sessions' queries: they may hold
 * credentials. NULL gives "". The caller frees. */
char *pg_mask_query(const char *query);

#endif
