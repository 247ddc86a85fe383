/* The threads that look: each takes one check after another, with a connection of its own where one is to be had. */
#include "core/checks/run_internal.h"

#include "core/base/clock.h"
#include "core/base/mem.h"

#include <stdlib.h>

#define CONNECTIONS_LEFT 6      /* to others, when a further one is opened */

void run_release(struct run *run)
{
    pthread_mutex_lock(&run->mutex);
    unsigned left = --run->references;
    pthread_mutex_unlock(&run->mutex);
    if (left > 0)
        return;
    for (size_t i = 0; i < run->count; i++)
        check_result_free(&run->jobs[i].result);
    for (struct lane *next, *lane = run->all; lane != NULL; lane = next) {
        next = lane->next;
        free(lane);
    }
    free(run->jobs);
    if (run->has_state)
        state_free(&run->state);
    free(run->trouble);
    kong_conf_free(&run->conf);
    fleet_free(&run->fleet);
    pthread_cond_destroy(&run->changed);
    pthread_mutex_destroy(&run->mutex);
    free(run);
}

static bool goes_on(void *context)
{
    const struct lane *lane = context;
    return !lane->run->stopped && clock_ms() < lane->deadline;
}

static struct pg *connect_lane(struct lane *lane, struct error *error)
{
    struct pg *pg = pg_connect(&lane->run->conf.pg, LOOK_ROLE, CHECK_STATEMENT_MS, error);
    if (pg == NULL)
        return NULL;
    pg_set_tick(pg, goes_on, lane);
    if (pg_runf(pg, error, "SET lock_timeout = %d", CHECK_LOCK_MS))
        return pg;
    pg_close(pg);
    return NULL;
}

static bool is_over(const struct run *run, size_t number)
{
    return run->jobs[number].stage >= JOB_DONE;
}

/* Without any connection left, a check is begun all the same: to say so. */
static bool may_begin(const struct lane *lane, size_t number)
{
    const struct run *run = lane->run;
    const struct job *job = &run->jobs[number];
    if (job->stage != JOB_WAITS)
        return false;
    if (number == JOB_CONNECT || (number >= JOB_CHECKS && job->reach == CHECK_HOST))
        return true;
    if (!is_over(run, JOB_CONNECT))
        return false;
    bool reachable = run->connected && (run->connections > 0 || run->spare > 0);
    if (reachable && lane->pg == NULL && (lane->lost || run->spare == 0))
        return false;
    return number == JOB_STATE || job->reach == CHECK_SERVER || is_over(run, JOB_STATE);
}

/* NULL once all are over: one that is begun may come back, from a thread that gets no connection. */
static struct job *pick(struct lane *lane)
{
    struct run *run = lane->run;
    for (;;) {
        bool all_over = true;
        for (size_t i = 0; !run->stopped && i < run->count; i++) {
            if (may_begin(lane, i))
                return &run->jobs[i];
            all_over = all_over && is_over(run, i);
        }
        if (all_over || run->stopped)
            return NULL;
        pthread_cond_wait(&run->changed, &run->mutex);
    }
}

/* A further connection; where there is none to be had, the job waits for a thread that has one. */
static bool has_what_it_needs(struct lane *lane, struct job *job)
{
    struct run *run = lane->run;
    bool wants = job != &run->jobs[JOB_CONNECT] && job->reach != CHECK_HOST && lane->pg == NULL && run->connected && run->spare > 0;
    if (!wants)
        return true;
    run->spare--;
    pthread_mutex_unlock(&run->mutex);
    struct pg *pg = connect_lane(lane, NULL);
    pthread_mutex_lock(&run->mutex);
    lane->pg = pg;
    if (lane->given_up)
        return false;
    lane->lost = pg == NULL;
    run->connections += lane->lost ? 0 : 1;
    if (lane->lost)
        job->stage = JOB_WAITS;
    return !lane->lost;
}

/* The first connection, and how many more may be had beside it. */
static void connect_first(struct lane *lane)
{
    struct run *run = lane->run;
    struct error error = {0};
    struct pg *pg = connect_lane(lane, &error);
    int available = pg != NULL ? look_free_connections(pg) - 1 - CONNECTIONS_LEFT : 0;
    pthread_mutex_lock(&run->mutex);
    lane->pg = pg;
    if (!lane->given_up) {
        run->connected = pg != NULL;
        run->connections = pg != NULL ? 1 : 0;
        run->spare = available < 0 ? 0 : available > CHECK_LANES - 1 ? CHECK_LANES - 1 : (size_t)available;
        run->trouble = error.message;
        error.message = NULL;
    }
    pthread_mutex_unlock(&run->mutex);
    error_clear(&error);
}

static void read_state(struct lane *lane)
{
    struct run *run = lane->run;
    struct error error = {0};
    struct state state;
    bool read = lane->pg != NULL && state_read(lane->pg, (const char *const *)run->conf.plugins.list, run->conf.plugins.count, &state, &error);
    pthread_mutex_lock(&run->mutex);
    if (read && !lane->given_up) {
        run->state = state;
        run->has_state = true;
    } else if (read) {
        state_free(&state);
    } else if (lane->pg != NULL && !lane->given_up) {
        free(run->trouble);
        run->trouble = error.message;
        error.message = NULL;
    }
    pthread_mutex_unlock(&run->mutex);
    error_clear(&error);
}

static void look(struct lane *lane, const struct job *job, const char *trouble)
{
    const struct run *run = lane->run;
    const struct check_subject subject = {
        .conf = &run->conf, .fleet = &run->fleet, .pg = lane->pg, .state = job->reach >= CHECK_SCHEMA && run->has_state ? &run->state : NULL,
        .connect_error = trouble, .deadline_ms = lane->deadline,
    };
    lane->result = (struct check_result){.check = job->check, .outcome = CHECK_OK, .severity = job->check->severity};
    job->check->look(&subject, &lane->result);
}

/* With the mutex; it is open meanwhile. What the job wrote to of the run's own is not read by others before it is done. */
static void work(struct lane *lane, struct job *job)
{
    struct run *run = lane->run;
    char *trouble = mem_dup(run->trouble);
    pthread_mutex_unlock(&run->mutex);
    if (job == &run->jobs[JOB_CONNECT])
        connect_first(lane);
    else if (job == &run->jobs[JOB_STATE])
        read_state(lane);
    else
        look(lane, job, trouble);
    free(trouble);
    pthread_mutex_lock(&run->mutex);
    if (!lane->given_up) {
        job->result = lane->result;
        lane->result = (struct check_result){0};
        job->stage = JOB_DONE;
    }
}

void *lane_main(void *argument)
{
    struct lane *lane = argument;
    struct run *run = lane->run;
    struct job *job;
    pthread_mutex_lock(&run->mutex);
    while (!lane->given_up && (job = pick(lane)) != NULL) {
        job->stage = JOB_RUNS;
        job->begun = clock_ms();
        job->lane = lane;
        lane->deadline = job->begun + (job == &run->jobs[JOB_CONNECT] ? CHECK_CONNECT_MS + CHECK_GRACE_MS : CHECK_DEADLINE_MS);
        if (has_what_it_needs(lane, job))
            work(lane, job);
        pthread_cond_broadcast(&run->changed);
    }
    pthread_mutex_unlock(&run->mutex);
    pg_close(lane->pg);
    check_result_free(&lane->result);
    pthread_mutex_lock(&run->mutex);
    run->lanes -= lane->given_up ? 0 : 1;
    lane->ended = true;
    pthread_cond_broadcast(&run->changed);
    pthread_mutex_unlock(&run->mutex);
    run_release(run);
    return NULL;
}
