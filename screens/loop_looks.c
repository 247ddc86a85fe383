/* Looks at the database and the preflight, made on the thread pool, and what they found. */
#include "screens/loop_internal.h"

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/decisions.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_MS 2000             /* between looks at the database */
#define WATCH_MS 4000            /* between plans while someone else's run is watched */

void loop_read_decisions(struct model *model, const char *folder)
{
    struct names declared = {0};
    decisions_read(folder, DECISION_DECLARED, &declared);
    model->other_backup = names_have(&declared, DECISION_OTHER_BACKUP);
    names_free(&declared);
    names_free(&model->acknowledged);
    names_free(&model->overruled);
    decisions_read(folder, DECISION_ACKNOWLEDGED, &model->acknowledged);
    decisions_read(folder, DECISION_OVERRULED, &model->overruled);
}

/* What is recorded leaves the plan: how much there was is remembered. */
static void note_watched(struct model *model, bool planned)
{
    if (!model_is_watching(model) || !model->has_plan)
        model->watched_total = 0;
    else if (planned && model->watched_total < model->plan.change_count)
        model->watched_total = model->plan.change_count;
}

static void take_look(struct loop *loop)
{
    struct model *model = &loop->wizard->model;
    struct database_look *look = &loop->look;
    bool first = !model->has_state;
    int64_t before = model->state_at;
    free(model->state_error);
    model->state_error = look->error.message;
    look->error = (struct error){0};
    absence_free(&model->absence);
    model->absence = look->absence;
    look->absence = (struct absence){0};
    if (!look->good)
        return;
    if (model->has_state)
        state_free(&model->state);
    model->state = look->state;
    look->good = false;
    model->has_state = true;
    model->state_at = clock_ms();
    model->resume = look->resume;
    model->began_ms = look->began_ms;
    model->ended_ms = look->ended_ms;
    backups_free(&model->backups);
    model->backups = look->backups;
    look->backups = (struct backups){0};
    model->ends_at_logout = look->linger == LINGER_ENDS;
    sessions_free(&model->sessions);
    model->sessions = look->sessions;
    look->sessions = (struct sessions){0};
    census_see(loop->census, &model->sessions);
    loop_take_census(loop);
    model_note_sessions(model, before, model->state_at);
    api_guard_free(&model->guard);
    model->guard = look->guard;
    look->guard = (struct api_guard){0};
    if (look->has_plan) {
        plan_free(&model->plan);
        losses_free(&model->losses);
        model->plan = look->plan;
        model->losses = look->losses;
        model->has_plan = true;
        look->plan = (struct plan){0};
        look->losses = (struct losses){0};
    }
    note_watched(model, look->has_plan);
    if (look->report != NULL) {
        free(model->report);
        model->report = look->report;
        look->report = NULL;
    }
    if (first)
        loop_check(loop->wizard, NULL);
}

static void on_looked(uv_work_t *work, int status)
{
    struct database_look *look = (struct database_look *)work;
    struct loop *loop = look->context;
    (void)status;
    loop->jobs--;
    look->busy = false;
    loop->looked_at = clock_ms();
    if (loop->wizard->leaving)
        return;
    take_look(loop);
    loop_derive(loop);
    loop_draw(loop);
}

static bool stage_changed(const struct loop *loop)
{
    const struct model *model = &loop->wizard->model;
    return !model->has_plan || (model->plan.kind == PLAN_FINISH) != (order_next(&model->state, model->resume) == PLAN_FINISH);
}

/* Whether a change is there may be a question to all rows of a table: so not with every look. Once more when that run has ended. */
static bool watch_is_due(const struct loop *loop)
{
    const struct model *model = &loop->wizard->model;
    if (!model_is_watching(model))
        return model->watched_total > 0;
    return clock_ms() - loop->planned_at >= WATCH_MS;
}

static void name_new_nodes(const struct model *model, struct names *ids)
{
    names_free(ids);
    for (size_t i = 0; i < model->node_count; i++) {
        const struct node *node = model->nodes[i].node;
        if (node->cluster == CLUSTER_NEW && node->node_id != NULL)
            names_add(ids, node->node_id);
    }
}

void loop_start_look(struct loop *loop)
{
    struct model *model = &loop->wizard->model;
    struct database_look *look = &loop->look;
    bool due = loop->look_at_once || clock_ms() - loop->looked_at >= LOOK_MS;
    if (look->busy || !model->configured || loop->loads || !due)
        return;
    look->app = &model->app;
    look->context = loop;
    look->want_plan = loop->want_plan || (model->has_state && !model->run_alive && (stage_changed(loop) || watch_is_due(loop)));
    if (look->want_plan)
        loop->planned_at = clock_ms();
    look->want_report = model->has_state && model->state.stage == STAGE_CURRENT && (model->report == NULL || loop->want_plan);
    loop->look_at_once = loop->want_plan = false;
    name_new_nodes(model, &look->new_node_ids);
    look->busy = true;
    loop->jobs++;
    uv_queue_work(&loop->uv, &look->work, look_work, on_looked);
}

void loop_look(struct wizard *wizard, bool plan)
{
    if (wizard->loop == NULL)
        return;
    wizard->loop->look_at_once = true;
    wizard->loop->want_plan = wizard->loop->want_plan || plan;
}

/* What has arrived goes into its place at once. */
static void take_results(struct loop *loop)
{
    struct check_job *job = &loop->check;
    uv_mutex_lock(&job->mutex);
    struct check_results arrived = job->results;
    job->results = (struct check_results){0};
    uv_mutex_unlock(&job->mutex);
    for (size_t i = 0; i < arrived.count; i++)
        preflight_take(loop->wizard, &arrived.list[i]);
    check_results_free(&arrived);
}

static void on_arrived(uv_async_t *async)
{
    struct loop *loop = async->data;
    if (loop->wizard->leaving)
        return;
    take_results(loop);
    loop_derive(loop);
    loop_draw(loop);
}

static void on_checked(uv_work_t *work, int status)
{
    struct check_job *job = (struct check_job *)work;
    struct loop *loop = job->context;
    (void)status;
    loop->jobs--;
    if (loop->wizard->leaving)
        return;
    loop->wizard->model.checks_running = false;
    loop->wizard->model.checks_run = true;
    take_results(loop);
    if (job->conf_changed) {
        wizard_say(loop->wizard, MARK_INFO, "kong.conf has changed: everything is looked at anew, by what it says now.");
        loop->loads = true;
    }
    loop_derive(loop);
    loop_draw(loop);
    /* Comparing thousands of routes takes many times what the wizard needs for hours afterwards. */
    malloc_trim(0);
}

void loop_begin_checks(struct loop *loop)
{
    uv_mutex_init(&loop->check.mutex);
    uv_async_init(&loop->uv, &loop->check.arrived, on_arrived);
    loop->check.arrived.data = loop;
}

void loop_end_checks(struct loop *loop)
{
    uv_close((uv_handle_t *)&loop->check.arrived, NULL);
    uv_mutex_destroy(&loop->check.mutex);
    check_results_free(&loop->check.results);
    names_free(&loop->check.ids);
    conf_fix_free(&loop->conf.fix);
    error_clear(&loop->conf.error);
    free(loop->conf.target);
}

void loop_check(struct wizard *wizard, const char *id)
{
    struct loop *loop = wizard->loop;
    if (loop == NULL || wizard->model.checks_running || !wizard->model.configured || loop->loads)
        return;
    names_free(&loop->check.ids);
    if (id != NULL)
        names_add(&loop->check.ids, id);
    preflight_wait(wizard, &loop->check.ids);
    loop->check.app = &wizard->model.app;
    loop->check.context = loop;
    loop->jobs++;
    uv_queue_work(&loop->uv, &loop->check.work, check_work, on_checked);
}

static void on_conf_fixed(uv_work_t *work, int status)
{
    struct conf_job *job = (struct conf_job *)work;
    struct loop *loop = job->context;
    (void)status;
    loop->jobs--;
    job->busy = false;
    if (loop->wizard->leaving)
        return;
    if (job->target == NULL)
        conf_pane_made(loop->wizard, job->done ? &job->fix : NULL, &job->error);
    else
        conf_pane_written(loop->wizard, &job->fix, job->target, &job->error);
    error_clear(&job->error);
    loop_draw(loop);
}

void loop_fix_conf(struct wizard *wizard, const char *target)
{
    struct loop *loop = wizard->loop;
    if (loop == NULL || loop->conf.busy || !wizard->model.configured || loop->loads)
        return;
    free(loop->conf.target);
    loop->conf.target = mem_dup(target);
    if (target == NULL)
        conf_fix_free(&loop->conf.fix);
    loop->conf.app = &wizard->model.app;
    loop->conf.context = loop;
    loop->conf.busy = true;
    loop->jobs++;
    uv_queue_work(&loop->uv, &loop->conf.work, conf_work, on_conf_fixed);
}

static void on_looked_back(uv_work_t *work, int status)
{
    struct back_job *job = (struct back_job *)work;
    struct loop *loop = job->context;
    struct model *model = &loop->wizard->model;
    (void)status;
    loop->jobs--;
    job->busy = false;
    if (loop->wizard->leaving)
        return;
    model->looking_back = false;
    way_back_free(&model->way_back);
    model->way_back = job->back;
    job->back = (struct way_back){.to = KONG_VERSIONS};
    loop_draw(loop);
}

void loop_look_back(struct wizard *wizard, enum kong_version to)
{
    struct loop *loop = wizard->loop;
    if (loop == NULL || loop->back.busy || !wizard->model.configured || loop->loads)
        return;
    loop->back.app = &wizard->model.app;
    loop->back.context = loop;
    loop->back.wanted = to;
    loop->back.busy = true;
    wizard->model.looking_back = true;
    loop->jobs++;
    uv_queue_work(&loop->uv, &loop->back.work, back_work, on_looked_back);
}
