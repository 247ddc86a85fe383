/*
 * PostgreSQL's own programs for a backup, pg_dump and pg_restore: where they are, and how they are run.
 *
 * They are looked for in $KONG_UPGRADE_PG_BIN where that is set, else in $PATH and where packages put them
 * (/usr/lib/postgresql/VERSION/bin, /usr/pgsql-VERSION/bin). pg_dump refuses a server of a newer major version than its own, and
 * what a much newer one writes does not always go into the server that it came from: so the oldest is taken that is not older
 * than the server.
 *
 * Where the database is they are told by libpq's variables; the password by a PGPASSFILE that is never on a disk (a memfd of mode
 * 0600, open in the program alone), so that it is in no argument, no environment and in no file that a crash could leave behind.
 */
#ifndef CORE_BACKUP_TOOLS_H
#define CORE_BACKUP_TOOLS_H

#include "core/base/error.h"
#include "core/conf/kong_conf.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

/* Owns its strings; zero-initialised it is empty. */
struct tools {
    char *dump, *restore;     /* paths */
    int version;              /* as libpq counts them, of the major version: 150000, 90600 */
    char **environment;       /* for both; the password is not in it */
    int passfile;             /* descriptor; -1: no password */
};

/* Finds them for a server of that version (as libpq: 150004). The error says which package to install. `stop`: see tool_run. */
bool tools_find(struct tools *tools, const struct datastore *datastore, int server_version, const volatile sig_atomic_t *stop, struct error *error);
void tools_free(struct tools *tools);

/* Bytes of standard output, or one line of standard error without its end. */
typedef void tool_output(void *context, const char *bytes, size_t length);

struct tool_call {
    const char *const *arguments;   /* the first is the program's path; NULL ends them */
    int input, output;              /* descriptors; input -1: /dev/null, output -1: on_output gets it */
    tool_output *on_output, *on_line;
    void (*on_tick)(void *context); /* some four times a second; NULL: none */
    void *context;
    const volatile sig_atomic_t *stop;
};

#define TOOL_LINE_LIMIT 1000        /* longer lines of standard error are cut */

/* Runs it in a process group of its own and waits for its end. Once `stop` is set the group gets SIGTERM, and SIGKILL a few
 * seconds later: ERROR_STOPPED. It dies with this process. An exit code other than 0 is ERROR_SYSTEM with what it complained of. */
bool tool_run(const struct tools *tools, const struct tool_call *call, struct error *error);

#endif
