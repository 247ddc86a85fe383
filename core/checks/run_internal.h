/* What the two sides of a run share: run.c, which waits and watches the clock, and lane.c, the threads that look. */
#ifndef CORE_CHECKS_RUN_INTERNAL_H
#define CORE_CHECKS_RUN_INTERNAL_H

#include "core/checks/look.h"

#include <pthread.h>
#include <stdatomic.h>

#define CHECK_CONNECT_MS 10000  /* pg_connect's own patience */

enum stage_of_job { JOB_WAITS, JOB_RUNS, JOB_DONE, JOB_TAKEN };

/* The first two are no checks: what the others need. */
enum { JOB_CONNECT, JOB_STATE, JOB_CHECKS };

struct job {
    const struct check *check;
    enum check_reach reach;
    enum stage_of_job stage;
    int64_t begun;
    struct lane *lane;                /* that looks */
    struct check_result result;       /* JOB_DONE */
};

struct run {
    pthread_mutex_t mutex;            /* for all of this but what says otherwise */
    pthread_cond_t changed;
    unsigned references;              /* the caller's, and each thread's */
    atomic_bool stopped;
    struct kong_conf conf;            /* never changed: read without the mutex */
    struct fleet fleet;
    struct job *jobs;
    size_t count;
    struct state state;               /* once has_state: never changed */
    bool has_state;
    char *trouble;                    /* why there is no connection, or no state */
    bool connected;
    size_t connections;               /* of threads that were not given up */
    size_t spare;                     /* further ones that may be opened */
    size_t lanes;                     /* threads that look, and were not given up */
    struct lane *all;                 /* every thread that was started */
};

struct lane {
    struct run *run;
    struct lane *next;
    pthread_t thread;
    struct pg *pg;
    bool ended;                       /* all that it does is done */
    bool lost;                        /* it got no connection */
    bool given_up;                    /* under the mutex */
    _Atomic int64_t deadline;
    struct check_result result;       /* of the check in hand */
};

/* A thread's whole life; `argument` is its struct lane. */
void *lane_main(void *argument);

/* Whoever leaves last frees the run. */
void run_release(struct run *run);

#endif
