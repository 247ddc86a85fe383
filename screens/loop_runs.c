/* What is started and goes on beside the screen: workers, backups, hooks; and who is in their way. */
#include "screens/loop_internal.h"

#include "core/backup/backup.h"
#include "core/base/clock.h"
#include "core/base/mem.h"
#include "screens/kong_note.h"

#include <stdlib.h>
#include <string.h>

#define LOCK_CHECK "lock"   /* the id of the check that comes upon workers */

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

/* The preflight came upon the run that has ended now. */
static bool lock_was_found(const struct model *model)
{
    for (size_t i = 0; i < model->checks.count; i++)
        if (strcmp(model->checks.list[i].check->id, LOCK_CHECK) == 0 && model->checks.list[i].outcome == CHECK_FOUND)
            return true;
    return false;
}

/* What it has changed is looked at anew. One that finished an earlier upgrade, or rolled this one back, leaves step 1 where it begins, with
 * no decisions made and another preflight. */
static void begin_anew(struct loop *loop)
{
    struct model *model = &loop->wizard->model;
    char *folder = journal_folder(&model->app.conf.pg, false, NULL);
    if (folder != NULL)
        loop_read_decisions(model, folder);
    free(folder);
    way_back_free(&model->way_back);
    loop_check(loop->wizard, NULL);
}

static void end_run(struct loop *loop)
{
    const struct model *model = &loop->wizard->model;
    const char *command = model->run.command != NULL ? model->run.command : "";
    bool well = model->run.ended && model->run.exit_code == 0, first = strcmp(command, "finish") == 0 && model->has_state && !model_is_up(model);
    if (well && first)
        wizard_say(loop->wizard, MARK_OK, "The earlier upgrade is finished. Go on with this one.");
    if (well && (first || strcmp(command, ROLLBACK_COMMAND) == 0))
        begin_anew(loop);
    else if (lock_was_found(model))
        loop_check(loop->wizard, LOCK_CHECK);
    if (model_runs(model, STEP_DONE))
        loop->wizard->view.proses[STEP_DONE] = (struct prose_state){0};   /* the report is there again, from its beginning */
    loop_look(loop->wizard, true);
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
void loop_find_run(struct loop *loop)
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

void loop_read_run(struct loop *loop)
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
        end_run(loop);
    if (!was_alive && model->run_alive && !loop->wizard->view.settled && !model_backs_up(model)) {
        loop->wizard->view.settled = true;
        wizard_go(loop->wizard, model_runs(model, STEP_FINISH) ? STEP_FINISH : model_runs(model, STEP_DONE) ? STEP_DONE : STEP_UP);
    }
    if (!model->run_alive && model_backs_up(model))
        end_backup(loop);
}

/* Hooks. */

static void read_diverted(struct loop *loop)
{
    struct model *model = &loop->wizard->model;
    char *folder = journal_folder(&model->app.conf.pg, false, NULL);
    int64_t at = 0;
    model->diverted = 0;
    model->diverted_at = folder != NULL && hook_record_diverted(folder, &model->diverted, &at) ? clock_of_wall(at) : 0;
    free(folder);
}

static void show_hook(struct loop *loop, const char *path)
{
    struct model *model = &loop->wizard->model;
    hook_follow(&model->hook, path);
    model->hook_at = clock_of_wall(model->hook.record.started_ms);
    read_diverted(loop);
}

/* The last one, which may run: this wizard's, or another's. */
void loop_find_hook(struct loop *loop)
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

void loop_read_hook(struct loop *loop)
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

static void on_kong(uv_work_t *work, int status)
{
    struct kong_job *job = (struct kong_job *)work;
    struct loop *loop = job->context;
    struct model *model = &loop->wizard->model;
    (void)status;
    loop->jobs--;
    job->busy = false;
    kong_binary_free(&model->kong);
    model->kong = job->binary;
    model->kong_known = true;
    job->binary = (struct kong_binary){0};
}

void loop_find_kong(struct loop *loop)
{
    struct model *model = &loop->wizard->model;
    if (loop->kong.busy || model->kong_known || !kong_is_wanted(model))
        return;
    loop->kong.app = &model->app;
    loop->kong.context = loop;
    loop->kong.busy = true;
    loop->jobs++;
    uv_queue_work(&loop->uv, &loop->kong.work, kong_find_work, on_kong);
}

static void on_created(uv_work_t *work, int status)
{
    struct create_job *job = (struct create_job *)work;
    struct loop *loop = job->context;
    struct model *model = &loop->wizard->model;
    (void)status;
    loop->jobs--;
    model->creating = false;
    if (loop->wizard->leaving)
        error_clear(&job->error);
    else if (job->created)
        wizard_say(loop->wizard, MARK_OK, "Database %s has been created.", model->app.conf.pg.database);
    else
        wizard_say_error(loop->wizard, &job->error);
    loop_look(loop->wizard, true);
}

void loop_create(struct wizard *wizard)
{
    struct loop *loop = wizard->loop;
    if (loop == NULL || wizard->model.creating || loop->loads)
        return;
    wizard->model.creating = true;
    loop->create = (struct create_job){.app = &wizard->model.app, .context = loop};
    loop->jobs++;
    uv_queue_work(&loop->uv, &loop->create.work, create_work, on_created);
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
    wizard->view.proses[wizard->view.shown].follow = true;
    loop_read_run(loop);
}

/* Which nodes may not live while it runs. */
static enum nodes_against find_against(const struct model *model, const char *command)
{
    if (strcmp(command, ROLLBACK_COMMAND) == 0)
        return AGAINST_NEW;
    if (strcmp(command, "finish") != 0)
        return AGAINST_NONE;
    if (!model_finish_first(model))
        return AGAINST_OLD;
    return model->state.from_014 ? AGAINST_014 : AGAINST_NONE;
}

void loop_start(struct wizard *wizard, const char *command, bool clear_dead_lock)
{
    struct loop *loop = wizard->loop;
    if (wizard->model.starting || wizard->model.run_alive)
        return;
    wizard->model.starting = true;
    if (loop == NULL)
        return;
    if (strcmp(command, "finish") == 0)
        model_facts(&wizard->model, &loop->start.facts);
    loop->start.app = &wizard->model.app;
    loop->start.context = loop;
    loop->start.command = command;
    loop->start.clear_dead_lock = clear_dead_lock;
    loop->start.against = find_against(&wizard->model, command);
    loop->start.to = wizard->model.way_back.to;
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

/* What was copied. */

static void on_copied(uv_work_t *work, int status)
{
    struct copy_job *job = (struct copy_job *)work;
    struct loop *loop = job->context;
    (void)status;
    loop->jobs--;
    job->busy = false;
    if (job->path != NULL)
        wizard_say(loop->wizard, MARK_OK, "Copied%s into %s", job->cut, job->path);
    else if (!loop->wizard->leaving)
        wizard_say_error(loop->wizard, &job->error);
    error_clear(&job->error);
    free(job->path);
    free(job->text);
}

void loop_save_copy(struct wizard *wizard, const char *cut)
{
    struct loop *loop = wizard->loop;
    if (loop == NULL || loop->copy.busy || loop->loads)
        return;
    if (!wizard->model.configured) {
        wizard_say(wizard, MARK_WARN, "Nothing was copied: without kong.conf there is no state folder. --copy=terminal copies to the terminal's clipboard.");
        return;
    }
    loop->copy = (struct copy_job){.context = loop, .app = &wizard->model.app, .busy = true, .text = mem_dup(wizard->view.copied), .cut = cut};
    loop->jobs++;
    uv_queue_work(&loop->uv, &loop->copy.work, copy_work, on_copied);
}

/* Paths. */

static bool is_folder(const uv_dirent_t *entry)
{
    return entry->type == UV_DIRENT_DIR;
}

/* A prompt that was closed meanwhile, or another text in it, has no use for it. */
static void on_scanned(uv_fs_t *scan)
{
    struct loop *loop = scan->data;
    struct view *view = &loop->wizard->view;
    struct complete *complete = &view->complete;
    uv_dirent_t entry;
    loop->jobs--;
    loop->scans = false;
    bool wanted = view->overlay == OVERLAY_PROMPT && complete->before != NULL && !complete->done && strcmp(complete->before, loop->scanned) == 0;
    if (wanted && scan->result < 0)
        complete->problem = mem_printf("! The folder can't be read: %s", uv_strerror((int)scan->result));
    while (wanted && scan->result >= 0 && uv_fs_scandir_next(scan, &entry) == 0)
        complete_add(complete, entry.name, is_folder(&entry));
    if (wanted)
        complete_end(complete, &view->field_state);
    uv_fs_req_cleanup(scan);
    free(loop->scanned);
    loop->scanned = NULL;
    if (wanted && !loop->wizard->leaving)
        loop_draw(loop);
}

void loop_complete(struct wizard *wizard)
{
    struct loop *loop = wizard->loop;
    if (loop == NULL || loop->scans)
        return;
    char *folder = complete_folder(&wizard->view.complete);
    loop->scan.data = loop;
    loop->scanned = mem_dup(wizard->view.complete.before);
    loop->scans = uv_fs_scandir(&loop->uv, &loop->scan, folder, 0, on_scanned) == 0;
    loop->jobs += loop->scans ? 1 : 0;
    free(folder);
}
