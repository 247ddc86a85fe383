/*
 * The checks side by side: up to CHECK_LANES threads, each with a connection of its own where the server has enough of them free, take
 * one check after another, those that need least first. Whoever called waits for results and watches the clock: a check that has not
 * ended some time after its deadline (a name server, a file system, a server that swallows what it is sent) is given up, and another
 * thread takes its place. What a given-up thread still touches belongs to the run, which is freed by the last one to leave it.
 */
#include "core/checks/run_internal.h"

#include "core/base/clock.h"
#include "core/base/mem.h"

#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#define WATCH_MS 50
#define END_MS 300              /* how long a run waits in the end for its threads to close their connections */

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
        int64_t patience = i == JOB_CONNECT ? CHECK_CONNECT_MS + CHECK_GRACE_MS : CHECK_DEADLINE_MS + CHECK_GRACE_MS;
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
