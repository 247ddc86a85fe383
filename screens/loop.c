#include "screens/loop.h"

#include "core/backup/backup.h"
#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/cluster/traffic.h"
#include "core/decisions.h"
#include "core/report.h"
#include "screens/hooks.h"
#include "screens/jobs.h"
#include "tui/terminal.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define TICK_MS 250              /* the terminal wants to be asked four times a second */
#define LOOK_MS 2000             /* between looks at the database */
#define WATCH_MS 4000            /* between plans while someone else's run is watched */
#define SEEK_MS 1000             /* between looks for a worker that someone else started */
#define SETTLE_MS 4000           /* after the database's first answer the screen is no longer chosen for the operator */
#define LEAVE_MS 400             /* how long leaving waits for what is under way */

struct loop {
    struct wizard *wizard;
    uv_loop_t uv;
    uv_poll_t terminal;
    uv_timer_t tick;
    uv_signal_t terminate;
    struct canvas canvas;

    struct database_look look;            /* one at a time */
    bool look_at_once, want_plan;
    int64_t looked_at, planned_at;
    struct check_job check;
    struct start_job start;
    struct hook_start hook;
    struct blocker_job blocker;
    size_t jobs;                 /* under way */

    struct nodes *nodes;
    struct traffic *traffic;
    int64_t noted_at, sought_at, settles_at;

    char *wanted_conf;           /* another kong.conf is to be read; "" the one by default */
    bool loads;
};

/* The screen. */

static void draw(struct loop *loop)
{
    int width, height;
    terminal_size(&width, &height);
    canvas_resize(&loop->canvas, width, height, terminal_charset());
    loop->wizard->model.now = clock_ms();
    wizard_draw(loop->wizard, &loop->canvas);
    terminal_show(&loop->canvas);
}

static void leave(struct loop *loop, int exit_code)
{
    loop->wizard->leaving = true;
    loop->wizard->exit_code = exit_code;
    uv_stop(&loop->uv);
}

static void read_keys(struct loop *loop)
{
    struct input input;
    while (!loop->wizard->leaving && terminal_next(&input))
        wizard_key(loop->wizard, &input);
    if (terminal_lost())
        leave(loop, EXIT_TERMINAL_LOST);
    else if (loop->wizard->leaving)
        leave(loop, 0);
}

static void on_terminal(uv_poll_t *poll, int status, int events)
{
    struct loop *loop = poll->data;
    (void)events;
    if (status < 0)
        terminal_hangup();
    read_keys(loop);
    if (!loop->wizard->leaving)
        draw(loop);
}

static void on_terminate(uv_signal_t *handle, int signal_number)
{
    (void)signal_number;
    leave(handle->data, 0);
}

/* Not libuv's, whose handler goes with the loop: a terminal is lost first and its signal comes while we leave already. The next tick
 * sees it. */
static void on_hangup(int signal_number)
{
    (void)signal_number;
    terminal_hangup();
}

/* What the looks found. */

/* The wizard opens where the upgrade stands: nodes take a moment to be known. From then on the operator alone changes the screen. */
static void settle(struct loop *loop)
{
    struct wizard *wizard = loop->wizard;
    const struct model *model = &wizard->model;
    bool begun = model->state.stage == STAGE_PENDING || model->state.stage == STAGE_CURRENT || model_is_watching(model);
    if (wizard->view.settled || !model->has_state)
        return;
    if (loop->settles_at == 0)
        loop->settles_at = clock_ms() + SETTLE_MS;
    wizard->view.settled = clock_ms() >= loop->settles_at || !begun;
    if (begun && wizard->view.shown != model->upgrade.here)
        wizard_go(wizard, model->upgrade.here);
}

static void derive(struct loop *loop)
{
    loop->wizard->model.now = clock_ms();
    model_derive(&loop->wizard->model);
    settle(loop);
}

static void read_decisions(struct model *model, const char *folder)
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
    free(model->state_error);
    model->state_error = look->error.message;
    look->error = (struct error){0};
    if (!look->good)
        return;
    if (model->has_state)
        state_free(&model->state);
    model->state = look->state;
    look->good = false;
    model->has_state = true;
    model->state_at = clock_ms();
    model->resume = look->resume;
    backups_free(&model->backups);
    model->backups = look->backups;
    look->backups = (struct backups){0};
    model->ends_at_logout = look->linger == LINGER_ENDS;
    sessions_free(&model->sessions);
    model->sessions = look->sessions;
    look->sessions = (struct sessions){0};
    if (model_sees_old_sessions(model))
        model->old_session_at = clock_ms();
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
        loop_check(loop->wizard);
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
    derive(loop);
    draw(loop);
}

static bool stage_changed(const struct loop *loop)
{
    const struct model *model = &loop->wizard->model;
    return !model->has_plan || (model->plan.kind == PLAN_FINISH) != model_is_up(model);
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

static void start_look(struct loop *loop)
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

/* The run. */

static void apply_event(void *context, const json_t *event)
{
    run_view_apply(context, event);
}

static void leave_run(struct model *model)
{
    if (model->journal_path != NULL)
        journal_reader_close(&model->reader);
    free(model->journal_path);
    run_view_free(&model->run);
    model->journal_path = NULL;
    model->run_is_news = false;
}

static void show_run(struct loop *loop, char *path)
{
    struct model *model = &loop->wizard->model;
    leave_run(model);
    if (journal_open(&model->reader, path, NULL))
        model->journal_path = path;
    else
        free(path);
}

/* A backup that has ended is on the screens as a line; what ran before it, if it was cut short, is to be seen again. */
static void end_backup(struct loop *loop)
{
    struct model *model = &loop->wizard->model;
    if (!model->run.ended)
        wizard_say(loop->wizard, MARK_DANGER, "The backup ended without a word: none was made.");
    else
        wizard_say(loop->wizard, model->run.exit_code == 0 ? MARK_OK : model->run.exit_code == 10 ? MARK_WARN : MARK_DANGER, "%s.", model->run.message);
    if (loop->wizard->view.message[0] >= 'a' && loop->wizard->view.message[0] <= 'z')
        loop->wizard->view.message[0] = (char)(loop->wizard->view.message[0] - 'a' + 'A');
    model->state.lock.worker_alive = model->state.lock.backs_up = false;   /* as the next look will tell */
    leave_run(model);
}

static char *last_run(const char *folder)
{
    struct names paths = {0};
    char *path = NULL;
    journal_list(folder, &paths);
    for (size_t i = paths.count; i > 0 && path == NULL; i--)
        if (strstr(strrchr(paths.list[i - 1], '/'), "-" BACKUP_COMMAND ".") == NULL)
            path = mem_dup(paths.list[i - 1]);
    names_free(&paths);
    return path;
}

/* The worker's journal, or, where none runs, the last one: a run that was cut short is to be seen. */
static void find_run(struct loop *loop)
{
    struct model *model = &loop->wizard->model;
    if (model->run_alive)
        return;
    char *folder = journal_folder(&model->app.conf.pg, false, NULL), *path = NULL;
    if (folder != NULL) {
        path = journal_find_running(folder);
        if (path == NULL && model->journal_path == NULL)
            path = last_run(folder);
    }
    if (path != NULL && (model->journal_path == NULL || strcmp(path, model->journal_path) != 0))
        show_run(loop, path);
    else
        free(path);
    free(folder);
}

static void read_run(struct loop *loop)
{
    struct model *model = &loop->wizard->model;
    if (model->journal_path == NULL)
        return;
    bool was_alive = model->run_alive;
    model->run_alive = journal_alive(model->journal_path);
    journal_read(&model->reader, apply_event, &model->run);
    bool ended_well = model->run.ended && model->run.exit_code == 0;
    model->run_is_news = model->run_is_news || model->run_alive || !ended_well;
    if (was_alive && !model->run_alive)
        loop_look(loop->wizard, true);
    if (!was_alive && model->run_alive && !loop->wizard->view.settled && !model_backs_up(model)) {
        loop->wizard->view.settled = true;
        wizard_go(loop->wizard, model_runs(model, STEP_FINISH) ? STEP_FINISH : STEP_UP);
    }
    if (!model->run_alive && model_backs_up(model))
        end_backup(loop);
}

/* Hooks. */

/* A wall time on the monotonic clock, on which ages are counted. */
static int64_t monotonic(int64_t wall_ms)
{
    return clock_ms() - (clock_wall_ms() - wall_ms);
}

static void read_diverted(struct loop *loop)
{
    struct model *model = &loop->wizard->model;
    char *folder = journal_folder(&model->app.conf.pg, false, NULL);
    int64_t at = 0;
    model->diverted = 0;
    model->diverted_at = folder != NULL && hook_record_diverted(folder, &model->diverted, &at) ? monotonic(at) : 0;
    free(folder);
}

static void show_hook(struct loop *loop, const char *path)
{
    struct model *model = &loop->wizard->model;
    hook_follow(&model->hook, path);
    model->hook_at = monotonic(model->hook.record.started_ms);
    read_diverted(loop);
}

/* The last one, which may run: this wizard's, or another's. */
static void find_hook(struct loop *loop)
{
    struct model *model = &loop->wizard->model;
    struct names paths = {0};
    char *folder = journal_folder(&model->app.conf.pg, false, NULL);
    if (folder != NULL && !hooks_run(model))
        hook_record_list(folder, &paths);
    const char *last = paths.count > 0 ? paths.list[paths.count - 1] : NULL;
    if (last != NULL && (model->hook.path == NULL || strcmp(last, model->hook.path) != 0))
        show_hook(loop, last);
    names_free(&paths);
    free(folder);
}

static void read_hook(struct loop *loop)
{
    struct model *model = &loop->wizard->model;
    if (model->hook.path == NULL || model->hook.record.result != HOOK_RUNS)
        return;
    hook_follow_read(&model->hook);
    if (model->hook.record.result == HOOK_RUNS)
        return;
    read_diverted(loop);
    hooks_ended(loop->wizard);
}

/* The nodes. */

static void take_nodes(struct loop *loop)
{
    struct model *model = &loop->wizard->model;
    model->node_count = nodes_count(loop->nodes);
    model->nodes = mem_grow(model->nodes, model->node_count, sizeof *model->nodes);
    for (size_t i = 0; i < model->node_count; i++) {
        const struct node *node = nodes_get(loop->nodes, i);
        model->nodes[i] = (struct node_view){node, traffic_node_rps(loop->traffic, node)};
    }
    for (int cluster = CLUSTER_OLD; cluster <= CLUSTER_NEW; cluster++) {
        for (int step = 0; step < TRAFFIC_STEPS; step++)
            model->history[step][cluster] = traffic_history(loop->traffic, (enum cluster)cluster, (enum traffic_step)step, &model->history_count[step][cluster]);
        model->metrics[cluster] = *traffic_metrics(loop->traffic, (enum cluster)cluster);
        model->rps[cluster] = traffic_cluster_rps(loop->traffic, (enum cluster)cluster);
    }
    model->verdict = *traffic_verdict(loop->traffic);
    model->old_quiet_ms = traffic_old_quiet_ms(loop->traffic, clock_ms());
}

static void watch_nodes(struct loop *loop)
{
    struct model *model = &loop->wizard->model;
    struct error error = {0};
    nodes_stop(loop->nodes);
    loop->nodes = nodes_start(&loop->uv, &model->app.fleet, &model->app.conf.pg, NULL, NULL, &error);
    if (loop->nodes == NULL)
        wizard_say_error(loop->wizard, &error);
    take_nodes(loop);
}

static void note_traffic(struct loop *loop)
{
    int64_t now = clock_ms();
    if (loop->nodes == NULL || now - loop->noted_at < 1000)
        return;
    traffic_allow(loop->traffic, loop->wizard->model.app.fleet.quiet_rps);
    loop->noted_at = now - loop->noted_at < 2000 ? loop->noted_at + 1000 : now;
    traffic_note(loop->traffic, loop->nodes, now);
}

/* The configuration. */

static void forget(struct loop *loop)
{
    struct model *model = &loop->wizard->model;
    nodes_stop(loop->nodes);
    loop->nodes = NULL;
    traffic_free(loop->traffic);
    loop->traffic = traffic_new();
    look_disconnect(&loop->look);
    model_free(model);
    model->now = clock_ms();
    model->rps[CLUSTER_OLD] = model->rps[CLUSTER_NEW] = -1;
    model->old_quiet_ms = -1;
}

static void load(struct loop *loop)
{
    struct model *model = &loop->wizard->model;
    struct options options = *loop->wizard->options;
    struct error error = {0};
    if (loop->wanted_conf != NULL && loop->wanted_conf[0] != '\0')
        options.conf = loop->wanted_conf;
    forget(loop);
    model->configured = app_load(&model->app, &options, &error);
    model->app.options = loop->wizard->options;
    model->conf_error = error.message;
    loop->loads = false;
    if (model->configured) {
        char *folder = journal_folder(&model->app.conf.pg, false, NULL);
        if (folder != NULL)
            read_decisions(model, folder);
        free(folder);
        watch_nodes(loop);
        find_run(loop);
        read_run(loop);
        find_hook(loop);
        loop_look(loop->wizard, true);
    }
    derive(loop);
}

static void on_tick(uv_timer_t *timer)
{
    struct loop *loop = timer->data;
    struct model *model = &loop->wizard->model;
    read_keys(loop);
    if (loop->wizard->leaving)
        return;
    if (loop->loads && loop->jobs == 0)
        load(loop);
    if (model->configured && !loop->loads) {
        if (clock_ms() - loop->sought_at >= SEEK_MS) {
            loop->sought_at = clock_ms();
            find_run(loop);
            find_hook(loop);
        }
        read_run(loop);
        read_hook(loop);
        note_traffic(loop);
        take_nodes(loop);
        start_look(loop);
    }
    derive(loop);
    draw(loop);
}

/* What screens ask for. */

void loop_look(struct wizard *wizard, bool plan)
{
    if (wizard->loop == NULL)
        return;
    wizard->loop->look_at_once = true;
    wizard->loop->want_plan = wizard->loop->want_plan || plan;
}

static void on_checked(uv_work_t *work, int status)
{
    struct check_job *job = (struct check_job *)work;
    struct loop *loop = job->context;
    struct model *model = &loop->wizard->model;
    (void)status;
    loop->jobs--;
    if (loop->wizard->leaving)
        return;
    model->checks_running = false;
    model->checks_run = true;
    check_results_free(&model->checks);
    model->checks = job->results;
    job->results = (struct check_results){0};
    derive(loop);
    draw(loop);
}

void loop_check(struct wizard *wizard)
{
    struct loop *loop = wizard->loop;
    if (loop == NULL || wizard->model.checks_running || !wizard->model.configured || loop->loads)
        return;
    wizard->model.checks_running = true;
    loop->check.app = &wizard->model.app;
    loop->check.context = loop;
    loop->jobs++;
    uv_queue_work(&loop->uv, &loop->check.work, check_work, on_checked);
}

static void on_started(uv_work_t *work, int status)
{
    struct start_job *job = (struct start_job *)work;
    struct loop *loop = job->context;
    struct wizard *wizard = loop->wizard;
    (void)status;
    loop->jobs--;
    wizard->model.starting = false;
    if (job->path == NULL) {
        if (!wizard->leaving)
            wizard_say_error(wizard, &job->error);
        error_clear(&job->error);
        return;
    }
    show_run(loop, job->path);
    job->path = NULL;
    wizard->model.run_is_news = true;
    read_run(loop);
}

void loop_start(struct wizard *wizard, const char *command, bool clear_dead_lock)
{
    struct loop *loop = wizard->loop;
    if (loop == NULL || wizard->model.starting || wizard->model.run_alive)
        return;
    wizard->model.starting = true;
    loop->start.app = &wizard->model.app;
    loop->start.context = loop;
    loop->start.command = command;
    loop->start.clear_dead_lock = clear_dead_lock;
    loop->jobs++;
    uv_queue_work(&loop->uv, &loop->start.work, start_work, on_started);
}

void loop_backup(struct wizard *wizard, const char *folder)
{
    struct loop *loop = wizard->loop;
    if (loop == NULL || wizard->model.starting || wizard->model.run_alive)
        return;
    free(loop->start.folder);
    loop->start.folder = mem_dup(folder);
    loop_start(wizard, BACKUP_COMMAND, false);
}

static void on_hook_started(uv_work_t *work, int status)
{
    struct hook_start *start = (struct hook_start *)work;
    struct loop *loop = start->context;
    struct wizard *wizard = loop->wizard;
    (void)status;
    loop->jobs--;
    wizard->model.hook_starting = false;
    if (start->path != NULL) {
        show_hook(loop, start->path);
        if (wizard->model.hook.record.result != HOOK_RUNS)
            hooks_ended(wizard);
    } else if (!wizard->leaving) {
        wizard->view.overlay = wizard->view.overlay == OVERLAY_HOOK ? OVERLAY_NONE : wizard->view.overlay;
        wizard_say_error(wizard, &start->error);
    }
    error_clear(&start->error);
    free(start->path);
    free(start->node);
    free(start->url);
    start->path = start->node = start->url = NULL;
}

void loop_run_hook(struct wizard *wizard, enum hook_kind kind, const struct hook_values *values)
{
    struct loop *loop = wizard->loop;
    if (loop == NULL || hooks_run(&wizard->model) || loop->loads)
        return;
    wizard->model.hook_starting = true;
    loop->hook.app = &wizard->model.app;
    loop->hook.context = loop;
    loop->hook.kind = kind;
    loop->hook.percent = values->percent;
    loop->hook.node = mem_dup(values->node);
    loop->hook.url = mem_dup(values->url);
    loop->jobs++;
    uv_queue_work(&loop->uv, &loop->hook.work, hook_start_work, on_hook_started);
}

void loop_stop_worker(struct wizard *wizard)
{
    struct error error = {0};
    if (wizard->loop == NULL)
        return;
    if (wizard->model.journal_path == NULL || worker_stop(wizard->model.journal_path, &error))
        wizard_say(wizard, MARK_WAIT, "Asked the worker to stop at the next safe point.");
    else
        wizard_say_error(wizard, &error);
}

static void on_blocker(uv_work_t *work, int status)
{
    struct blocker_job *job = (struct blocker_job *)work;
    struct loop *loop = job->context;
    (void)status;
    loop->jobs--;
    job->busy = false;
    if (loop->wizard->leaving)
        error_clear(&job->error);
    else if (job->error.code != ERROR_NONE)
        wizard_say_error(loop->wizard, &job->error);
    else
        wizard_say(loop->wizard, MARK_OK, job->terminate ? "Ended %s; the report says so." : "Cancelled the query of %s; the report says so.", job->what);
    free(job->what);
    free(job->query);
}

void loop_end_blocker(struct wizard *wizard, const struct run_blocker *blocker, bool terminate)
{
    struct loop *loop = wizard->loop;
    if (loop == NULL || loop->blocker.busy)
        return;
    loop->blocker = (struct blocker_job){
        .context = loop, .app = &wizard->model.app, .busy = true, .pid = blocker->pid, .terminate = terminate,
        .what = mem_printf("backend %d (%s, %s, %s for %d s)", blocker->pid, blocker->application, blocker->address, blocker->state, blocker->seconds),
        .query = mem_dup(blocker->query),
    };
    wizard_say(wizard, MARK_WAIT, "Asking the server to %s backend %d.", terminate ? "end" : "cancel the query of", blocker->pid);
    loop->jobs++;
    uv_queue_work(&loop->uv, &loop->blocker.work, blocker_work, on_blocker);
}

void loop_watch_nodes(struct wizard *wizard)
{
    if (wizard->loop != NULL)
        watch_nodes(wizard->loop);
}

void loop_load(struct wizard *wizard, const char *conf)
{
    if (wizard->loop == NULL)
        return;
    free(wizard->loop->wanted_conf);
    wizard->loop->wanted_conf = mem_dup(conf);
    wizard->loop->loads = true;
}

/* Beginning and end. */

static void begin(struct loop *loop)
{
    uv_loop_init(&loop->uv);
    uv_poll_init(&loop->uv, &loop->terminal, terminal_fd());
    loop->terminal.data = loop;
    uv_poll_start(&loop->terminal, UV_READABLE | UV_DISCONNECT, on_terminal);
    uv_timer_init(&loop->uv, &loop->tick);
    loop->tick.data = loop;
    uv_timer_start(&loop->tick, on_tick, TICK_MS, TICK_MS);
    uv_signal_init(&loop->uv, &loop->terminate);
    loop->terminate.data = loop;
    uv_signal_start(&loop->terminate, on_terminate, SIGTERM);
    sigaction(SIGHUP, &(struct sigaction){.sa_handler = on_hangup}, NULL);
    loop->traffic = traffic_new();
}

static void on_late(uv_timer_t *timer)
{
    uv_stop(timer->loop);
}

/* What is under way gets a moment to end; false where it did not, and its memory can't be freed. */
static bool end(struct loop *loop)
{
    loop->look.abandoned = true;
    uv_close((uv_handle_t *)&loop->terminal, NULL);
    uv_close((uv_handle_t *)&loop->terminate, NULL);
    nodes_stop(loop->nodes);
    loop->nodes = NULL;
    uv_timer_start(&loop->tick, on_late, LEAVE_MS, 0);
    while (loop->jobs > 0 && uv_timer_get_due_in(&loop->tick) > 0)
        uv_run(&loop->uv, UV_RUN_ONCE);
    if (loop->jobs > 0)
        return false;
    uv_close((uv_handle_t *)&loop->tick, NULL);
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    uv_loop_close(&loop->uv);
    look_free(&loop->look);
    check_results_free(&loop->check.results);
    free(loop->start.folder);
    traffic_free(loop->traffic);
    canvas_free(&loop->canvas);
    free(loop->wanted_conf);
    free(loop);
    return true;
}

bool loop_run(struct wizard *wizard)
{
    struct loop *loop = mem_zero(1, sizeof *loop);
    loop->wizard = wizard;
    wizard->loop = loop;
    begin(loop);
    load(loop);
    draw(loop);
    if (!wizard->leaving)
        uv_run(&loop->uv, UV_RUN_DEFAULT);
    return end(loop);
}
