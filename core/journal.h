/*
 * The worker's append-only record: one JSON object a line, in a file of mode 0600 under
 * $XDG_STATE_HOME/kong-upgrade/HOST_PORT_DB_SCHEMA/TIME-COMMAND.jsonl. The worker holds a flock on it while it lives; whoever
 * follows it reads it from the beginning, so that a new terminal shows the same run as the one that was lost.
 *
 * Events ("event" and what comes with it; each has "t", the wall time in UTC):
 *   start      command, pid, host, user, program, database{}, to, kong: the path of Kong's own command where that does it, or null
 *   plan       from: the Kong whose schema it is before, or null, changes[{id, what, table, lock, rewrite, scan, rows, bytes, correction}]
 *   lock       state: "taken" | "released"
 *   change     id, state: "begin" | "done" | "already" | "failed", ms
 *   wait       id, what: why the change is tried again, blockers[{pid, application, address, state, seconds, query}]
 *   progress   id, rows, total; of `backup` also bytes: what the file has
 *   stall      id, worst_ms, p99_ms, samples: what the stall meter (migrations/probe.h) has seen since the change began
 *   record     subsystem, migration, state: "executed" | "pending" | "removed" (of `rollback`)
 *   proof      subsystem, migration (neither: before the first change, or after all), versions: of Kong, statements: how many of
 *              theirs were run and rolled back, state: "passed" | "failed", statement: the SQL that failed (its values are our own), ms
 *   rows       tables[{name, rows}]: of `backup`, as counted in the snapshot that is dumped
 *   backup     path, bytes, tables, rows, as_of: when the snapshot was taken, host, port, database, schema, owner: of the schema,
 *              server: its version as libpq counts, restore: the pg_restore that has read it. It is verified: the event comes once
 *              the file has its name
 *   output     text: a line that Kong's own command has said
 *   stop       asked for
 *   note       text: something the operator should know
 *   end        result: "done" | "nothing" | "paused" | "held" | "refused" | "failed", exit, message
 * What `backup` does (counting, dumping, reading it back) is told as changes, with the ids backup/count, backup/dump, backup/list and
 * backup/rows. No secret is ever in it.
 */
#ifndef CORE_JOURNAL_H
#define CORE_JOURNAL_H

#include "core/base/buf.h"
#include "core/base/error.h"
#include "core/base/names.h"
#include "core/conf/kong_conf.h"

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

#define JOURNAL_LOST "lost: "   /* begins the notes of `rollback` that tell what is lost by it */

/* The folder for a datastore; made (0700) where it is not there and `create`. NULL and an error if it can't be. The caller frees. */
char *journal_folder(const struct datastore *datastore, bool create, struct error *error);

/* Adds a part of a file's name: letters that are harmless in one stay; the others, of which a host or database name may have any,
 * become %XX. Of what gets too long so, a hash stands for the end. */
void journal_add_file_name(struct buf *path, const char *name);

/* Writing: the worker. */
struct journal;

/* Creates `path` and takes its flock. */
struct journal *journal_create(const char *path, struct error *error);
const char *journal_path(const struct journal *journal);

/* Appends the event, taking the reference. `durable`: fsync'd before it returns. A full disk is remembered for good, see
 * journal_failed; the run goes on, since the database knows where it stands. */
void journal_add(struct journal *journal, bool durable, json_t *event);
bool journal_failed(const struct journal *journal, struct error *error);
void journal_close(struct journal *journal);

/* A new path for a run that begins now. The caller frees. */
char *journal_new_path(const char *folder, const char *command);

/* Reading: whoever follows. */
struct journal_reader {
    char *path;
    int fd;
    off_t offset;
    struct buf partial;
};

typedef void journal_event(void *context, const json_t *event);

bool journal_open(struct journal_reader *reader, const char *path, struct error *error);
void journal_reader_close(struct journal_reader *reader);

/* Gives what has come since the last call, whole lines only; a line that is not JSON (a crash in the middle of a write) is
 * passed over. Never waits. */
void journal_read(struct journal_reader *reader, journal_event *each, void *context);

/* The worker that writes it lives: it holds the flock. */
bool journal_alive(const char *path);

/* The journals of a folder, oldest first. */
void journal_list(const char *folder, struct names *paths);

/* The journal of the worker that runs now, or NULL. The caller frees. */
char *journal_find_running(const char *folder);

#endif
