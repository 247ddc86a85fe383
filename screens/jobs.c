#include "screens/jobs.h"

#include "core/base/mem.h"
#include "core/db/blocker.h"
#include "core/decisions.h"
#include "core/journal.h"
#include "core/migrations/order.h"
#include "core/report.h"
#include "screens/copy.h"
#include "screens/fleet_nodes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOOK_TIMEOUT_MS 20000
#define ASK_NODES_MS 5000
#define BLOCKER_TIMEOUT_MS 5000

static bool go_on(void *context)
{
    const struct database_look *look = context;
    return !look->abandoned;
}

void look_disconnect(struct database_look *look)
{
    pg_close(look->pg);
    look->pg = NULL;
}

void look_free(struct database_look *look)
{
    look_disconnect(look);
    if (look->good)
        state_free(&look->state);
    sessions_free(&look->sessions);
    api_guard_free(&look->guard);
    names_free(&look->new_node_ids);
    plan_free(&look->plan);
    losses_free(&look->losses);
    error_clear(&look->error);
    backups_free(&look->backups);
    free(look->report);
}

static enum plan_kind kind_for(const struct state *state)
{
    if (state->stage == STAGE_EMPTY)
        return PLAN_BOOTSTRAP;
    return state->stage == STAGE_PENDING && state_count_new(state) == 0 ? PLAN_FINISH : PLAN_UP;
}

static bool has_plan(const struct state *state)
{
    return state->stage != STAGE_TOO_OLD && state->stage != STAGE_AHEAD && state->stage != STAGE_FOREIGN;
}

static bool look_at_plan(struct database_look *look)
{
    if (!has_plan(&look->state))
        return true;
    if (!plan_build(look->pg, &look->state, kind_for(&look->state), KONG_1_3, &look->plan, &look->error))
        return false;
    if (look->plan.kind == PLAN_FINISH && !losses_count(look->pg, &look->plan, &look->losses, &look->error)) {
        losses_free(&look->losses);
        plan_free(&look->plan);
        return false;
    }
    look->has_plan = true;
    return true;
}

static bool look_at_guard(struct database_look *look)
{
    return look->state.stage != STAGE_PENDING || api_guard_read(look->pg, &look->new_node_ids, &look->guard, &look->error);
}

static void look_at_journals(struct database_look *look)
{
    char *folder = journal_folder(&look->app->conf.pg, false, NULL);
    if (folder == NULL)
        return;
    look->resume = worker_up_interrupted(folder);
    backups_read(&look->backups, folder);
    if (look->want_report)
        look->report = report_markdown(folder, &look->state);
    free(folder);
}

static bool reconnect(struct database_look *look)
{
    if (look->pg != NULL && pg_lost(look->pg))
        look_disconnect(look);
    if (look->pg == NULL)
        look->pg = pg_connect(&look->app->conf.pg, "wizard", LOOK_TIMEOUT_MS, &look->error);
    if (look->pg != NULL)
        pg_set_tick(look->pg, go_on, look);
    return look->pg != NULL;
}

void look_work(uv_work_t *work)
{
    struct database_look *look = (struct database_look *)work;
    const struct names *plugins = &look->app->conf.plugins;
    look->good = look->has_plan = look->resume = false;
    error_clear(&look->error);
    if (!look->lingers_known)
        look->linger = linger_find(NULL);
    look->lingers_known = true;
    if (!reconnect(look) || !state_read(look->pg, (const char *const *)plugins->list, plugins->count, &look->state, &look->error))
        return;
    look->good = sessions_read(look->pg, &look->sessions, &look->error) && look_at_guard(look) && (!look->want_plan || look_at_plan(look));
    if (!look->good) {
        state_free(&look->state);
        sessions_free(&look->sessions);
        api_guard_free(&look->guard);
        return;
    }
    look_at_journals(look);
}

static void take_result(void *context, struct check_result *result)
{
    struct check_job *job = context;
    uv_mutex_lock(&job->mutex);
    check_results_put(&job->results, result);
    uv_mutex_unlock(&job->mutex);
    uv_async_send(&job->arrived);
}

void check_work(uv_work_t *work)
{
    struct check_job *job = (struct check_job *)work;
    checks_run(&job->app->conf, &job->app->fleet, &job->ids, &job->stop, take_result, job);
}

void conf_work(uv_work_t *work)
{
    struct conf_job *job = (struct conf_job *)work;
    if (job->target == NULL)
        job->done = conf_fix_make(&job->fix, job->app->conf.file, environ, &job->error);
    else if (conf_fix_is_original(&job->fix, job->target))
        job->done = error_set(&job->error, ERROR_FILE, "%s is the original, by another name: old nodes may still read it; name another file", job->target);
    else
        job->done = conf_fix_write(&job->fix, job->target, &job->error);
}

/* The gate that nothing overrules, asked once more before the irreversible step. */
static bool old_nodes_are_gone(struct start_job *job)
{
    struct names against = {0};
    if (!fleet_answering_old_nodes(&job->app->fleet, &job->app->conf.pg, ASK_NODES_MS, &against, &job->error))
        return false;
    bool gone = against.count == 0;
    if (!gone)
        error_set(&job->error, ERROR_REFUSED, "Nothing was changed: %s.", against.list[0]);
    names_free(&against);
    return gone;
}

void start_work(uv_work_t *work)
{
    struct start_job *job = (struct start_job *)work;
    bool finishes = strcmp(job->command, "finish") == 0;
    char *folder = journal_folder(&job->app->conf.pg, false, NULL);
    struct run_job run = {
        .command = job->command,
        .kind = finishes ? PLAN_FINISH : strcmp(job->command, "bootstrap") == 0 ? PLAN_BOOTSTRAP : PLAN_UP,
        .to = KONG_1_3,
        .datastore = &job->app->conf.pg,
        .plugins = &job->app->conf.plugins,
        .resume = folder != NULL && worker_up_interrupted(folder),
        .clear_dead_lock = job->clear_dead_lock,
        .deadline_ms = job->app->fleet.lock_deadline_seconds * 1000,
        .folder = job->folder,
    };
    free(folder);
    job->path = NULL;
    if (!finishes || old_nodes_are_gone(job))
        job->path = worker_start(&run, &job->error);
}

void hook_start_work(uv_work_t *work)
{
    struct hook_start *start = (struct hook_start *)work;
    start->path = NULL;
    char *folder = journal_folder(&start->app->conf.pg, true, &start->error);
    const struct hook_job job = {&start->app->fleet, start->kind, {start->percent, start->node, start->url}, folder};
    if (folder != NULL)
        start->path = hook_start(&job, &start->error);
    free(folder);
}

void blocker_work(uv_work_t *work)
{
    struct blocker_job *job = (struct blocker_job *)work;
    struct pg *pg = pg_connect(&job->app->conf.pg, "wizard", BLOCKER_TIMEOUT_MS, &job->error);
    char *folder = pg != NULL ? journal_folder(&job->app->conf.pg, true, &job->error) : NULL;
    job->done = folder != NULL && (job->terminate ? blocker_terminate(pg, job->pid, &job->error) : blocker_cancel(pg, job->pid, &job->error));
    if (job->done)
        decisions_add(folder, job->terminate ? DECISION_ENDED : DECISION_CANCELLED, job->what, job->query, &job->error);
    free(folder);
    pg_close(pg);
}

/* A file of our own making each time: what is there may be a link that someone else put there. */
static bool write_copy(const char *path, const char *text)
{
    unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    size_t length = strlen(text);
    bool written = fd >= 0 && write(fd, text, length) == (ssize_t)length;
    int failure = written ? 0 : errno;
    if (fd >= 0 && close(fd) != 0)
        written = false;
    errno = failure;
    return written;
}

void copy_work(uv_work_t *work)
{
    struct copy_job *job = (struct copy_job *)work;
    char *folder = journal_folder(&job->app->conf.pg, true, &job->error);
    job->path = folder != NULL ? mem_printf("%s/" COPY_FILE, folder) : NULL;
    if (job->path != NULL && !write_copy(job->path, job->text)) {
        error_set(&job->error, ERROR_FILE, "nothing was copied: %s can't be written: %s", job->path, strerror(errno));
        free(job->path);
        job->path = NULL;
    }
    free(folder);
}
