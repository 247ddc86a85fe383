#include "screens/jobs.h"

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/db/blocker.h"
#include "core/decisions.h"
#include "core/journal.h"
#include "core/kong_run.h"
#include "core/migrations/order.h"
#include "core/report.h"
#include "screens/copy.h"
#include "screens/fleet_nodes.h"
#include "screens/model.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOOK_TIMEOUT_MS 20000
#define SOON_MS 3000
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
    look->journal_grew = true;   /* the next look may be at another database */
    look->began_ms = look->ended_ms = 0;
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
    absence_free(&look->absence);
    backups_free(&look->backups);
    free(look->report);
}

static bool has_plan(const struct state *state)
{
    return state->stage != STAGE_TOO_OLD && state->stage != STAGE_AHEAD && state->stage != STAGE_FOREIGN;
}

static bool look_at_plan(struct database_look *look)
{
    if (!has_plan(&look->state))
        return true;
    if (!plan_build(look->pg, &look->state, order_next(&look->state, look->resume), KONG_1_3, &look->plan, &look->error))
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

/* Journals are read where there is something new in them. */
static void look_at_times(struct database_look *look, const char *folder)
{
    struct names paths = {0};
    journal_list(folder, &paths);
    bool grows = paths.count > 0 && journal_alive(paths.list[paths.count - 1]);
    if (paths.count != look->journals || look->journal_grew)
        worker_upgrade_times(folder, &look->began_ms, &look->ended_ms);
    look->journals = paths.count;
    look->journal_grew = grows;
    names_free(&paths);
}

static void look_at_journals(struct database_look *look)
{
    char *folder = journal_folder(&look->app->conf.pg, false, NULL);
    if (folder == NULL)
        return;
    backups_read(&look->backups, folder);
    look_at_times(look, folder);
    if (look->want_report)
        look->report = report_markdown(folder, &look->state);
    free(folder);
}

/* Only of a server that answers: of the others it would be waited for in vain. */
static void look_why(struct database_look *look, int64_t begun)
{
    if (clock_ms() - begun < SOON_MS)
        absence_read(&look->app->conf.pg, &look->absence);
}

static bool reconnect(struct database_look *look)
{
    int64_t begun = clock_ms();
    if (look->pg != NULL && pg_lost(look->pg))
        look_disconnect(look);
    if (look->pg == NULL)
        look->pg = pg_connect(&look->app->conf.pg, "wizard", LOOK_TIMEOUT_MS, &look->error);
    if (look->pg != NULL)
        pg_set_tick(look->pg, go_on, look);
    else
        look_why(look, begun);
    return look->pg != NULL;
}

void look_work(uv_work_t *work)
{
    struct database_look *look = (struct database_look *)work;
    const struct names *plugins = &look->app->conf.plugins;
    look->good = look->has_plan = look->resume = false;
    error_clear(&look->error);
    absence_free(&look->absence);
    if (!look->lingers_known)
        look->linger = linger_find(NULL);
    look->lingers_known = true;
    if (!reconnect(look) || !state_read(look->pg, (const char *const *)plugins->list, plugins->count, &look->state, &look->error))
        return;
    look->resume = worker_resumes(&look->app->conf.pg, worker_up_interrupted);
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

/* kong.conf as it is now: it may have been mended since. One that can't be read any more is a warning beside what it was. */
static void read_conf(struct check_job *job, struct kong_conf *conf)
{
    const struct kong_conf *before = &job->app->conf;
    struct error error = {0};
    job->conf_changed = false;
    if (kong_conf_load(conf, before->file, NULL, environ, &error)) {
        job->conf_changed = !kong_conf_equal(conf, before);
        return;
    }
    kong_conf_copy(conf, before);
    names_free(&conf->warnings);
    names_add(&conf->warnings, error.message);
    for (size_t i = 0; i < before->warnings.count; i++)
        names_add(&conf->warnings, before->warnings.list[i]);
    error_clear(&error);
}

void check_work(uv_work_t *work)
{
    struct check_job *job = (struct check_job *)work;
    struct kong_conf conf;
    read_conf(job, &conf);
    checks_run(&conf, &job->app->fleet, &job->ids, &job->stop, take_result, job);
    kong_conf_free(&conf);
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

/* The gate that nothing overrules, asked once more before what can't be undone. */
static bool no_node_is_against(struct start_job *job)
{
    const struct fleet *fleet = &job->app->fleet;
    const struct datastore *datastore = &job->app->conf.pg;
    struct names against = {0};
    struct fleet_stamp stamp;
    bool asked = true;
    size_t old_nodes, new_nodes;
    if (job->against != AGAINST_NONE && fleet_has_changed(fleet, &stamp))
        return error_set(&job->error, ERROR_REFUSED, "Nothing was changed: %s has been written since it was read; see what it says now.", fleet->file);
    if (job->against == AGAINST_OLD)
        asked = fleet_against_finish(fleet, datastore, ASK_NODES_MS, &against, &new_nodes, &job->error);
    else if (job->against == AGAINST_014)
        asked = fleet_against_finish_first(fleet, datastore, ASK_NODES_MS, &against, &job->error);
    else if (job->against == AGAINST_NEW)
        asked = fleet_against_rollback(fleet, datastore, job->to, ASK_NODES_MS, &against, &old_nodes, &job->error);
    bool none = asked && against.count == 0;
    if (asked && !none)
        error_set(&job->error, ERROR_REFUSED, "Nothing was changed: %s.", against.list[0]);
    names_free(&against);
    return none;
}

/* The gate once more, by what the database says at this moment. */
static bool gate_is_open(struct start_job *job)
{
    const struct names *plugins = &job->app->conf.plugins;
    struct state state;
    struct sessions sessions = {0};
    struct upgrade upgrade;
    struct pg *pg = pg_connect(&job->app->conf.pg, "wizard", LOOK_TIMEOUT_MS, &job->error);
    bool read = pg != NULL && state_read(pg, (const char *const *)plugins->list, plugins->count, &state, &job->error), open = false;
    if (read && sessions_read(pg, &sessions, &job->error)) {
        job->facts.state = &state;
        job->facts.live_sessions = sessions.live;
        job->facts.legacy_sessions = model_count_legacy(&sessions);
        job->facts.later_sessions = model_count_later(&sessions);
        upgrade_derive(&job->facts, &upgrade);
        const struct gate *gate = job->against == AGAINST_NEW ? &upgrade.rollback : job->facts.finish_first ? &upgrade.finish_first : &upgrade.gates[STEP_FINISH];
        open = gate->open;
        if (!open)
            error_set(&job->error, ERROR_REFUSED, "Nothing was changed: %s", gate->reason);
    }
    sessions_free(&sessions);
    if (read)
        state_free(&state);
    pg_close(pg);
    return open;
}
static enum plan_kind kind_of(const char *command)
{
    static const struct {
        const char *command;
        enum plan_kind kind;
    } kinds[] = {{"finish", PLAN_FINISH}, {"bootstrap", PLAN_BOOTSTRAP}, {ROLLBACK_COMMAND, PLAN_ROLLBACK}, {KONG_CUSTOM_FINISH, PLAN_FINISH}};
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        if (strcmp(kinds[i].command, command) == 0)
            return kinds[i].kind;
    return PLAN_UP;
}

void start_work(uv_work_t *work)
{
    struct start_job *job = (struct start_job *)work;
    enum plan_kind kind = kind_of(job->command);
    bool back = kind == PLAN_ROLLBACK, finishes = strcmp(job->command, "finish") == 0;
    struct run_job run = {
        .command = job->command,
        .kind = kind,
        .to = back ? job->to : KONG_1_3,
        .datastore = &job->app->conf.pg,
        .plugins = &job->app->conf.plugins,
        .resume = worker_resumes(&job->app->conf.pg, back ? worker_rollback_interrupted : worker_up_interrupted),
        .clear_dead_lock = job->clear_dead_lock,
        .deadline_ms = job->app->fleet.lock_deadline_seconds * 1000,
        .folder = job->folder,
    };
    job->path = NULL;
    if (no_node_is_against(job) && (!(back || finishes) || gate_is_open(job)))
        job->path = app_start(job->app, &run, &job->error);
}

void kong_find_work(uv_work_t *work)
{
    struct kong_job *job = (struct kong_job *)work;
    kong_binary_find(&job->app->fleet, &job->binary);
}

void create_work(uv_work_t *work)
{
    struct create_job *job = (struct create_job *)work;
    job->created = absence_end(&job->app->conf.pg, &job->error);
}

static bool is_wanted(void *context)
{
    const struct back_job *job = context;
    return !job->abandoned;
}

void back_work(uv_work_t *work)
{
    struct back_job *job = (struct back_job *)work;
    struct error error = {0};
    struct pg *pg = pg_connect(&job->app->conf.pg, "wizard", LOOK_TIMEOUT_MS, &error);
    way_back_free(&job->back);
    if (pg != NULL) {
        pg_set_tick(pg, is_wanted, job);
        way_back_look(pg, &job->app->conf.pg, job->wanted, &job->back);
    } else {
        job->back.looked = true;
        job->back.problem = mem_dup(error.message);
    }
    error_clear(&error);
    pg_close(pg);
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
