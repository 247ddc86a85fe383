/*
 * What the checks' families share: asking the server, and writing down what was found in a bounded amount. For core/checks only.
 *
 * A check's `look` begins with CHECK_OK and its own severity. Names and texts in evidence stay as they came (the faces clean them),
 * but no sentence grows beyond LOOK_SENTENCE bytes, and of many rows only LOOK_ROWS are listed.
 */
#ifndef CORE_CHECKS_LOOK_H
#define CORE_CHECKS_LOOK_H

#include "core/base/buf.h"
#include "core/checks/check.h"
#include "core/db/pg.h"

#define LOOK_SENTENCE 600
#define LOOK_ROWS 20
#define LOOK_ROLE "check"   /* pg_connect's role of the checks' connections */

/* Evidence that finds nothing: what was looked at. */
void look_note(struct check_result *result, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Evidence that speaks against going on. Of several findings the worst severity counts. */
void look_found(struct check_result *result, enum check_severity severity, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The same for row `index` (from 0) of `count`: those beyond LOOK_ROWS become one "and N more". */
void look_found_row(struct check_result *result, enum check_severity severity, size_t index, size_t count, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* It, or a part of it, could not be looked at: a warning, but what else was found stays found. */
void look_unable(struct check_result *result, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same, for want of what the error says. */
void look_unable_for(struct check_result *result, const struct error *error);

/* A further line of the remedy; never cut, since it is copied. */
void look_remedy(struct check_result *result, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What the operator's own session needs before SQL that names Kong's tables without their schema; nothing where that is `public`. */
void look_remedy_path(const struct check_subject *subject, struct check_result *result);

/* Whether `text` has control characters: a newline in it would end a comment, or a command that is pasted. */
bool look_is_unruly(const char *text);

/* At most `limit` bytes, cut before a byte that begins a character. Takes `text`; the caller frees what is returned. */
char *look_cut(char *text, size_t limit);

/* The rows, which the caller PQclears; NULL where there is no connection or the statement failed: then the result is unable. */
PGresult *look_query(const struct check_subject *subject, struct check_result *result, const char *sql);

/* How many connections are free within the server's, the role's and the database's limits, those of the checks not counted. */
int look_free_connections(struct pg *pg);

/* One boolean; false where the result is unable, too. */
bool look_ask(const struct check_subject *subject, struct check_result *result, const char *sql, bool *answer);

/* There is a state to look at; else the result is unable. */
bool look_has_state(const struct check_subject *subject, struct check_result *result);

/* The database holds a Kong that we know, so that its tables can be asked. */
bool look_is_kong(const struct check_subject *subject);

/* "1 row", "2 rows": the plural's s. */
const char *look_s(long long count);

/* Adds `text` as one word of a POSIX shell. */
void look_add_shell(struct buf *buf, const char *text);

/* As an identifier or a literal of SQL; for remedies. The caller frees. */
char *look_identifier(const char *name);
char *look_literal(const char *text);

/* A line of the remedy that deletes what the Admin API has there: through the first old node, else at Kong's default address. */
void look_remedy_delete(const struct check_subject *subject, struct check_result *result, const char *collection, const char *id);

extern const struct check check_connection, check_pgbouncer, check_server_version, check_standby, check_connections, check_privileges,
    check_ownership, check_stage, check_apis, check_lock, check_custom_migrations, check_unknown_plugins, check_duplicates,
    check_long_transactions, check_prepared_transactions, check_running_maintenance, check_authentication,
    check_behaviour, check_router, check_old_counters, check_drift, check_configuration, check_host, check_cost, check_fleet, check_nodes,
    check_admin_api, check_custom_plugins;

/* The check "openresty", on files under that folder ("" for the host's own). */
void look_host_under(const char *root, struct check_result *result);

#endif
