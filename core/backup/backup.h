/*
 * A backup of Kong's schema by pg_dump, verified, as a worker's job. It is what brings the old cluster back after `finish`, and what
 * there is if anything else goes wrong.
 *
 * Kong's schema alone is dumped (its owner, its grants and all that is in it), not the whole database: that is what the upgrade
 * changes and what Kong's role may read; another application's data in the same database is not set back with Kong's when it is
 * restored, and its size does not count.
 *
 * How it is done:
 *  - Of a snapshot: the rows of every table are counted in the same one that pg_dump reads, so that the counts are exact.
 *  - Locks: none but ACCESS SHARE, which nodes never wait for; they are waited for BACKUP_LOCK_WAIT_MS at most. The advisory lock
 *    of our workers is held meanwhile, and nothing begins while Kong's migrations lock is held: DDL would wait for the dump, and
 *    nodes for the DDL.
 *  - The file is made under a hidden temporary name, 0600, and gets its own, kong-DATABASE-TIME.dump, once it is verified and on
 *    the disk; a file that is there is never overwritten. So a file of that name is whole.
 *  - Verified: pg_restore reads the table of contents (every table must be in it) and then all of the archive; each table's rows
 *    are counted in what it writes.
 * Stopped, failed or killed by SIGTERM it removes what it has written; what a SIGKILL leaves is removed by the next backup there.
 */
#ifndef CORE_BACKUP_BACKUP_H
#define CORE_BACKUP_BACKUP_H

#include "core/migrations/run.h"

#define BACKUP_COMMAND "backup"       /* run_job's command */
#define BACKUP_LOCK_WAIT_MS 10000
#define BACKUP_MARGIN_BYTES (16 << 20)   /* must be free in the folder beyond the tables' size */

/* Where backups go unless a folder is named: "backups" beside the journals. NULL and an error where there is no such place. The
 * caller frees. */
char *backup_default_folder(const struct datastore *datastore, struct error *error);

/* A folder as the operator names it: relative to the working directory, or to the home with "~/". The caller frees. */
char *backup_absolute_folder(const char *folder);

/* Runs job->folder's; see run_job. Exit codes: 0, 1, 9 another worker or `kong migrations` runs, 10 stopped. */
struct run_outcome backup_run(const struct run_job *job, struct journal *journal, const volatile sig_atomic_t *stop);

#endif
