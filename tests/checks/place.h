/* A private server for the checks' tests, databases made from templates, and sessions that get in the way. */
#ifndef TESTS_CHECKS_PLACE_H
#define TESTS_CHECKS_PLACE_H

#include "core/base/buf.h"
#include "core/checks/check.h"

#include <libpq-fe.h>

/* cmocka's group fixtures: the server is started and Kong's schemas 1.0 and 1.2 are made with the program. */
int place_open(void **state);
int place_close(void **state);
void place_arguments(const char *program, const char *postgres_sh);

/* A new database from a template ("k12", "k10", "template0"), owned by `owner`; the name is valid until the next call. */
const char *place_database(const char *template, const char *owner);

/* A session of that role; it must succeed. PQfinish ends it. */
PGconn *place_session(const char *database, const char *role);

/* As superuser, in a session of its own; must succeed. */
void place_sql(const char *database, const char *sql);

/* Makes of a "k10" what a 0.14 database is to the checks: its list of migrations, no schema_meta, plugins and counters with their old keys. */
void place_make_014(const char *database);

/* Looks at everything; kong.conf is Kong's defaults with the database's place and `environment` ("KONG_X=y", NULL-ended; NULL: none). */
void place_check(const char *database, const char *const *environment, struct check_results *results);

/* The same, for a test that wants each result as it comes, or stops in between, or has a fleet of its own (NULL: an old and a new node,
 * neither of which answers). */
void place_check_each(const char *database, const char *const *environment, const struct fleet *fleet, const volatile bool *stop, check_taker *take,
                      void *context);

/* A check's result, which must be among them. */
const struct check_result *place_find(const struct check_results *results, const char *id);

/* Runs the program with these arguments (a shell's words) on the database; its output is added to `output`. Returns the exit code. */
int place_program(const char *database, const char *arguments, struct buf *output);

/* A second server, in recovery as a standby is (PostgreSQL 12 and later). Returns its port. */
int place_standby(void);
void place_standby_end(void);

/* Something between us and the server: a pooler; one on the server's host, that gets to it through its Unix socket; one that takes a single connection and closes all others; or a network that swallows all
 * but the first so many bytes of what the server sends on a connection. Returns its port. One at a time. */
#define PLACE_POOLER (-1)
#define PLACE_SINGLE (-2)
#define PLACE_POOLER_LOCAL (-3)
int place_relay(int limit);
void place_relay_end(void);

/* A stand-in for a node: whatever its Admin API is asked, it says that it is that version and has that id, and works on that database, by
 * the relay where there is one. Adds it to the fleet. All of them end with place_nodes_end. */
void place_node(struct fleet *fleet, enum cluster cluster, const char *name, const char *version, const char *node_id, const char *database);
void place_nodes_end(void);

const char *place_socket(void);   /* the folder of the server's Unix socket */
int place_port(void);
int place_version(void);   /* the server's, as libpq counts */

#endif
