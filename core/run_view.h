/*
 * A run as its journal tells it: what was planned, what is done, what is waited for and by whom it is blocked, how it ended. The
 * wizard's screens, the plain commands and the report all look at a run through this; it is built from events alone, so that a
 * terminal attached in the middle shows the same as one that was there from the beginning.
 */
#ifndef CORE_RUN_VIEW_H
#define CORE_RUN_VIEW_H

#include "core/base/names.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum change_progress { CHANGE_TO_DO, CHANGE_BEGUN, CHANGE_DONE, CHANGE_ALREADY, CHANGE_FAILED };

struct run_change {
    char *id, *what, *table, *lock, *correction;   /* correction "": none */
    bool rewrite, scan;
    int64_t rows, bytes;                  /* of the table; -1 unknown */
    enum change_progress progress;
    int64_t ms;                           /* how long it took; -1 not known yet */
    int64_t rows_done, rows_total;        /* of a backfill; total 0: none known */
    double worst_ms, p99_ms;              /* what a node would have waited meanwhile; < 0: not measured */
};

#define RUN_VIEW_KONG "kong: "   /* before what Kong's own command said, in the log */

struct run_blocker {
    int pid, seconds;
    char *application, *address, *state, *query;
};

/* Zero-initialise; run_view_free frees. All texts may be hostile. Figures of stalls are set once there is a plan. */
struct run_view {
    char *command, *host, *user;
    char *from, *to;                      /* Kong versions; NULL: not told */
    char *kong;                           /* the path of Kong's own command, which does it; NULL: we do */
    int pid;
    int64_t started_ms, last_ms;          /* wall clock; 0: no event yet */
    struct run_change *changes;
    size_t change_count;
    size_t done_count;                    /* done or there already */
    size_t current;                       /* index of the change in hand; change_count: none */
    int64_t progress_since_ms, progress_since_rows;   /* of the change in hand, for a rate */
    bool waiting;                         /* for a lock; cleared as soon as anything else happens */
    char *wait_what;
    struct run_blocker *blockers;
    size_t blocker_count;
    size_t wait_count;
    double worst_ms;                      /* of all changes; < 0: not measured */
    size_t worst_change;                  /* whose it was */
    bool stop_asked, ended;
    char *result, *message;               /* once ended */
    int exit_code;
    int64_t proven;                       /* statements of Kong's nodes that were run and rolled back */
    char *unproven;                       /* the one that failed, or NULL */
    struct names log;                     /* a line per event worth one */
};

void run_view_apply(struct run_view *view, const json_t *event);
void run_view_free(struct run_view *view);

/* Rows per second of the backfill in hand, 0 if not known. */
double run_view_rate(const struct run_view *view);

/* Milliseconds since the epoch of a journal's "t"; 0 where it is none. */
int64_t run_view_time(const char *text);

#endif
