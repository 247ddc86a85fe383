/*
 * What tests on a real PostgreSQL share: a private server for the test program, databases on it, and the binary run against them
 * as an operator would run it, with a kong.conf, a state folder and an environment of its own.
 *
 * A failure of the harness itself fails the test in hand (cmocka's fail_msg). Every text that a function returns belongs to the
 * harness and lives until the program ends: there is nothing to free.
 *
 * Arguments of a test program: the binary, postgres.sh, and the folder of the reference data (it may not be there).
 */
#ifndef TESTS_DB_HARNESS_H
#define TESTS_DB_HARNESS_H

#include <libpq-fe.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cmocka.h>

struct harness {
    const char *binary, *postgres_sh, *reference;
    char folder[64];        /* temporary, for everything; also $HOME of what is run. Removed at the end */
    char server[96];        /* the server's folder, and its Unix socket's */
    char state[96];         /* XDG_STATE_HOME */
    char conf[96];          /* a kong.conf that names the server, the role kong and its password; no database */
    int port;
};

extern struct harness harness;

/* Of the role kong: a text that is nowhere by chance. */
#define HARNESS_PASSWORD "Open-Sesame-47"

/* cmocka's group setup and teardown: they start the server, and stop it and remove the folder. Call harness_arguments first, in
 * main; it returns false after a message where they are wrong. */
bool harness_arguments(int argc, char **argv);
int harness_setup(void **state);
int harness_teardown(void **state);

/* postgres.sh with that command ("crash") on our server. */
void harness_server(const char *command);

char *text_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
char *text_file(const char *path);                           /* the file's contents; NULL where it can't be read */
void text_save(const char *path, const char *text);
bool harness_have(const char *file);                         /* whether the reference folder has it; says so where not */
char *harness_reference(const char *file);                   /* its path */

/* Databases. They belong to the role kong. `like`: a database to copy, which no one may be connected to, or NULL. */
void db_create(const char *name, const char *like);
void db_drop(const char *name);
void db_load(const char *name, const char *dump);            /* by psql, as kong */
PGconn *db_connect(const char *user, const char *name);      /* as "kong", or as the superuser "postgres"; the caller PQfinishes */
void db_run(const char *name, const char *sql);              /* one or several statements, as the role kong */
char *db_ask(const char *name, const char *sql);             /* the first column of all rows, a line each, as the superuser */
char *db_psql(const char *name, const char *file);           /* what the script writes, as kong; the test fails where psql does */

/* On a database of 0.14: Kong's own migrations of 1.3, made plainly as Kong makes them ("up", "finish": tests/bench/kong_up.sql), but for
 * those in `without` ("core/005_120_to_130", ended by NULL; or NULL). */
void db_kongs_own(const char *name, const char *script, const char *const *without);

/* The schema as sorted lines (columns, indexes, constraints, triggers, functions with their bodies), without order of columns,
 * owners and grants; and all rows of all its tables but `locks` and `cluster_events`. */
char *db_catalog(const char *name);
char *db_rows(const char *name);
char *db_meta(const char *name);                             /* schema_meta alone, arrays as they stand */

/* The binary. */
struct result {
    int exit_code;           /* 128 + the signal's number where one ended it */
    char *out, *err;
};

/* Runs it on the database. `line` is split at spaces: NAME=VALUE words first go to the environment, the rest are arguments; `-c`
 * and the conf are put before them. Standard input is /dev/null. 60 s at most. */
struct result kong(const char *database, const char *line);

/* The same in the background; kong_wait gives the result. */
struct process {
    pid_t pid;
    char *out_path, *err_path;
};
struct process kong_start(const char *database, const char *line);
struct result kong_wait(const struct process *process);

/* Runs any program, arguments ended by NULL, with `environment` (NULL: the harness' own) and text for its standard input (NULL:
 * /dev/null). */
struct process program_start(const char *const *arguments, const char *const *environment, const char *input);

/* Fail with both outputs shown where the exit code is another one, or where the text lacks the part. */
void expect_exit(const struct result *result, int exit_code);
void expect_part(const char *text, const char *part);

/* Waits until the question's answer is `t`; the test fails after 20 s. */
void await_true(const char *database, const char *sql);

void pause_ms(long milliseconds);

/* Wait until the newest journal of that database has the text (its path is returned), and until a process is gone: 20 s likewise. */
char *await_journal(const char *database, const char *part);
void await_gone(pid_t pid);

/* The newest journal of that database, or NULL; and the pid of the worker that wrote it. */
char *journal_newest(const char *database);
pid_t journal_pid(const char *path);

/* The lines of two sorted texts that only one of them has: "- old" and "+ new". "" where they are equal. */
char *text_difference(const char *before, const char *after);

#endif
