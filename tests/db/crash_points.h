/*
 * Where a worker can be cut off, seen from the database: event triggers before and after every statement of DDL (and where a table is
 * rewritten), triggers before, within and after every change of rows, on `schema_meta` and on Kong's lock, the last also when the
 * transaction commits. A point is one such place of an undisturbed run. A worker that comes to a point which is to stop it waits there,
 * within its statement and its transaction, for an advisory lock: then it can be killed exactly there. The product knows nothing of it.
 *
 * A concurrent build of an index has two points more: `writers`, where its first transaction is over and a write transaction of
 * another session keeps it from going on, and `snapshot`, where an old snapshot keeps it from its end. Both leave an invalid index.
 *
 * What is needed for it is in a schema of its own, `crash`, and owned by the superuser; Kong's schema gets triggers `zz_crash…`.
 */
#ifndef TESTS_DB_CRASH_POINTS_H
#define TESTS_DB_CRASH_POINTS_H

#include "tests/db/harness.h"

/* In a database that no worker is connected to. points_add: in the tables that are there, too; a second call adds those made since. */
void points_add(const char *database);
void points_remove(const char *database);

/* After an undisturbed run with points_add: a VALUES list of its points (id, subject, point, hold, place, turn). `place` counts the points
 * of the same subject (a statement, a backfill, a record) from 0; `turn` is true for one of them, in the next subject for the next place;
 * `hold` is "", "writers" or "snapshot". */
char *points_seen(const char *database);
void points_forget(const char *database);

/* Which of them are to stop a worker. `where`: a condition on those columns. Returns how many. */
int points_set(const char *database, const char *values, const char *where);

/* A session that makes workers stop at the points set. */
struct stopper {
    PGconn *connection, *holder;
    int id;                     /* of the point in hand */
    int backend;                /* the worker's that stands there */
    char *subject, *point, *hold;
};

void stopper_open(struct stopper *stopper, const char *database);
void stopper_close(struct stopper *stopper);

/* Whether a worker stands at a point now; then it is in `stopper`, and will not stop another worker. Doesn't wait. */
bool stopper_caught(struct stopper *stopper);

/* For a point with a hold: lets the worker go on to where the hold keeps it, and waits until it is there. */
void stopper_hold(struct stopper *stopper);

/* Ends what the server still does for a worker that was killed: either ends its session, or lets its statement come to an end. */
void stopper_release(struct stopper *stopper, bool terminate);

#endif
