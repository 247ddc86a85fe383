/*
 * The checks side by side: up to CHECK_LANES threads, each with a connection of its own where the server has enough of them free, take
 * one check after another, those that need least first. Whoever called waits for results and watches the clock: a check that has not
 * ended some time after its deadline (a name server, a file system, a server that swallows what it is sent) is given up, and another
 * thread takes its place. What a given-up thread still touches belongs to the run, which is freed by the last one to leave it.
 */
#include "core/checks/check.h"

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/checks/look.h"

#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#define CONNECT_MS 10000        /* pg_connect's own patience */
#define WATCH_MS 50
#define END_MS 300              /* how long a run waits in the end for its threads to close their connections */
#define CONNECTIONS_LEFT 6      /* to others, when a further one is opened */

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

/* The threads. */

static void run_release(struct run *run)
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

static void *lane_main(void *argument)
{
    struct lane *lane = argument;
    struct run *run = lane->run;
    struct job *job;
    pthread_mutex_lock(&run->mutex);
    while (!lane->given_up && (job = pick(lane)) != NULL) {
        job->stage = JOB_RUNS;
        job->begun = clock_ms();
        job->lane = lane;
        lane->deadline = job->begun + (job == &run->jobs[JOB_CONNECT] ? CONNECT_MS + CHECK_GRACE_MS : CHECK_DEADLINE_MS);
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

/* With the mutex. Signals are for the caller's thread. */
static void begin_lane(struct run *run)
{
    sigset_t all, before;
    struct lane *lane = mem_zero(1, sizeof *lane);
    lane->run = run;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    run->references++;
    run->lanes++;
    if (pthread_create(&lane->thread, NULL, lane_main, lane) == 0) {
        lane->next = run->all;
        run->all = lane;
    } else {
        run->references--;
        run->lanes--;
        free(lane);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* Whoever called. */

static void __attribute__((format(printf, 2, 3))) end_unable(struct job *job, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *sentence = mem_vprintf(format, arguments);
    va_end(arguments);
    job->stage = JOB_DONE;
    if (job->check != NULL) {
        job->result = (struct check_result){.check = job->check, .outcome = CHECK_OK, .severity = job->check->severity};
        look_unable(&job->result, "%s", sentence);
    }
    free(sentence);
}

static void give_up(struct run *run, struct job *job, int64_t now)
{
    struct lane *lane = job->lane;
    long long seconds = (long long)(now - job->begun) / 1000;
    bool database = job->check == NULL || job->reach != CHECK_HOST;
    end_unable(job, "no answer within %lld s: it was given up", seconds);
    lane->given_up = true;
    run->lanes--;
    run->connections -= lane->pg != NULL ? 1 : 0;
    if (database && run->trouble == NULL)
        run->trouble = mem_printf("%s:%d gave no answer within %lld s: check pg_host in kong.conf, the name server and the network, and look again",
                                  run->conf.pg.host, run->conf.pg.port, seconds);
    begin_lane(run);
    pthread_cond_broadcast(&run->changed);
}

static void watch_the_clock(struct run *run)
{
    int64_t now = clock_ms();
    for (size_t i = 0; i < run->count; i++) {
        struct job *job = &run->jobs[i];
        int64_t patience = i == JOB_CONNECT ? CONNECT_MS + CHECK_GRACE_MS : CHECK_DEADLINE_MS + CHECK_GRACE_MS;
        if (job->stage == JOB_RUNS && now - job->begun > patience)
            give_up(run, job, now);
    }
    /* Not one thread could be started. */
    for (size_t i = 0; run->lanes == 0 && i < run->count; i++)
        if (run->jobs[i].stage == JOB_WAITS)
            end_unable(&run->jobs[i], "this machine has no room for another thread: end what you don't need on it, then look again");
}

/* With the mutex, which is open while results are taken. Returns whether all were. */
static bool hand_over(struct run *run, check_taker *take, void *context)
{
    bool all = true;
    for (size_t i = 0; i < run->count; i++) {
        struct job *job = &run->jobs[i];
        all = all && job->stage >= JOB_DONE;
        if (job->stage != JOB_DONE || job->check == NULL)
            continue;
        struct check_result result = job->result;
        job->result = (struct check_result){0};
        job->stage = JOB_TAKEN;
        pthread_mutex_unlock(&run->mutex);
        take(context, &result);
        check_result_free(&result);
        pthread_mutex_lock(&run->mutex);
    }
    return all;
}

static void wait_a_moment(struct run *run)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += WATCH_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    pthread_cond_timedwait(&run->changed, &run->mutex, &until);
}

static void add_job(struct run *run, const struct check *check)
{
    run->jobs = mem_grow(run->jobs, run->count + 1, sizeof *run->jobs);
    run->jobs[run->count++] = (struct job){.check = check, .reach = check != NULL ? check->reach : CHECK_SERVER};
}

static void add_jobs(struct run *run, const struct names *ids)
{
    bool needs_database = false;
    add_job(run, NULL);
    add_job(run, NULL);
    for (enum check_reach reach = CHECK_HOST; reach <= CHECK_ROWS; reach++)
        for (const struct check *const *each = checks; *each != NULL; each++) {
            if ((*each)->reach != reach || (ids != NULL && ids->count > 0 && !names_have(ids, (*each)->id)))
                continue;
            add_job(run, *each);
            needs_database = needs_database || reach != CHECK_HOST;
        }
    if (!needs_database)
        run->jobs[JOB_CONNECT].stage = run->jobs[JOB_STATE].stage = JOB_DONE;
}

static struct run *run_new(const struct kong_conf *conf, const struct fleet *fleet, const struct names *ids)
{
    struct run *run = mem_zero(1, sizeof *run);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&run->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&run->mutex, NULL);
    run->references = 1;
    kong_conf_copy(&run->conf, conf);
    fleet_copy(&run->fleet, fleet);
    add_jobs(run, ids);
    return run;
}

/* With the mutex, which is open meanwhile. What has ended leaves nothing behind; what has not is left to itself. */
static void leave_lanes(struct run *run)
{
    for (struct lane *lane = run->all; lane != NULL; lane = lane->next) {
        bool ended = lane->ended;
        pthread_mutex_unlock(&run->mutex);
        if (ended)
            pthread_join(lane->thread, NULL);
        else
            pthread_detach(lane->thread);
        pthread_mutex_lock(&run->mutex);
    }
}

void checks_run(const struct kong_conf *conf, const struct fleet *fleet, const struct names *ids, const volatile bool *stop, check_taker *take,
                void *context)
{
    struct run *run = run_new(conf, fleet, ids);
    pthread_mutex_lock(&run->mutex);
    for (size_t i = 0; i < CHECK_LANES && i < run->count; i++)
        begin_lane(run);
    while (!hand_over(run, take, context) && (stop == NULL || !*stop)) {
        wait_a_moment(run);
        watch_the_clock(run);
    }
    run->stopped = true;
    pthread_cond_broadcast(&run->changed);
    for (int64_t until = clock_ms() + END_MS; run->lanes > 0 && clock_ms() < until;)
        wait_a_moment(run);
    leave_lanes(run);
    pthread_mutex_unlock(&run->mutex);
    run_release(run);
}
