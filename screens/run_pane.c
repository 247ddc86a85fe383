/*
 * A run as the screens Up and Finish show it: how far it is, who stands in its way, every change or the log; and the plan before
 * there is a run.
 */
#include "screens/screen.h"

#include "core/base/mem.h"
#include "core/migrations/corrections.h"
#include "core/migrations/meaning.h"
#include "screens/backup_note.h"
#include "screens/kong_note.h"
#include "screens/explain.h"
#include "screens/loop.h"
#include "screens/say.h"
#include "screens/whole.h"
#include "tui/layout.h"
#include "tui/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define END_LINES 4
#define END_SIZE 600

enum column { COLUMN_STATE, COLUMN_CHANGE, COLUMN_SIZE, COLUMN_LOCK, COLUMN_TIME, COLUMN_STALL, COLUMN_FIX };

#define CHANGE_COLUMN {"change", {36, 42, 0, 1, 11}, false}   /* "create index plugins_cache_key_idx on plugins" */

static const struct table_column run_columns[] = {
    {"state", LAYOUT_FIXED(9, 10), false}, CHANGE_COLUMN,
    {"time", LAYOUT_FIXED(9, 8), true},    {"stall", LAYOUT_FIXED(8, 7), true},
    {"size", LAYOUT_FIXED(8, 4), true},    {"fix", LAYOUT_FIXED(3, 6), false},
    {"lock", LAYOUT_BETWEEN(16, 22, 2), false},
};
static const enum column run_kinds[] = {COLUMN_STATE, COLUMN_CHANGE, COLUMN_TIME, COLUMN_STALL, COLUMN_SIZE, COLUMN_FIX, COLUMN_LOCK};

static const struct table_column plan_columns[] = {
    {"state", LAYOUT_FIXED(9, 10), false}, CHANGE_COLUMN,
    {"size", LAYOUT_FIXED(8, 5), true},    {"fix", LAYOUT_FIXED(3, 6), false},
    {"lock", LAYOUT_BETWEEN(16, 22, 2), false},
};
static const enum column plan_kinds[] = {COLUMN_STATE, COLUMN_CHANGE, COLUMN_SIZE, COLUMN_FIX, COLUMN_LOCK};

static void run_cell(const void *context, size_t row, size_t column, struct table_cell *cell)
{
    static const struct {
        const char *word;
        unsigned style;
    } states[] = {
        [CHANGE_TO_DO] = {"to do", ROLE_DIM}, [CHANGE_BEGUN] = {"now", ROLE_WAIT}, [CHANGE_DONE] = {"done", ROLE_OK},
        [CHANGE_ALREADY] = {"was there", ROLE_OK}, [CHANGE_FAILED] = {"not made", ROLE_DANGER},
    };
    static char text[32];
    const struct wizard *wizard = context;
    const struct run_change *each = &wizard->model.run.changes[row];
    text[0] = '\0';
    cell->text = text;
    switch (run_kinds[column]) {
    case COLUMN_STATE:
        cell->text = states[each->progress].word;
        cell->style = states[each->progress].style;
        break;
    case COLUMN_CHANGE:
        cell->text = each->what;
        break;
    case COLUMN_SIZE:
        if (each->bytes >= 0)
            say_bytes(each->bytes, text);
        break;
    case COLUMN_LOCK:
        cell->text = each->lock;
        cell->style = ROLE_DIM;
        break;
    case COLUMN_TIME:
        if (each->ms >= 0)
            snprintf(text, sizeof text, "%lld ms", (long long)each->ms);
        break;
    case COLUMN_STALL:
        if (each->worst_ms >= 0)
            snprintf(text, sizeof text, "%.0f ms", each->worst_ms);
        cell->style = each->worst_ms > RUN_STALL_FELT_MS ? ROLE_WARN : ROLE_TEXT;
        break;
    default:
        cell->text = each->correction;
    }
}

static struct table_model run_table(const struct wizard *wizard)
{
    return (struct table_model){run_columns, COUNT_OF(run_columns), wizard->model.run.change_count, run_cell, wizard,
                                wizard->model.run.ended ? "No change was begun." : "The plan is being made.", false, false};
}

static void plan_cell(const void *context, size_t row, size_t column, struct table_cell *cell)
{
    static char text[512];
    const struct wizard *wizard = context;
    const struct plan_change *each = &wizard->model.plan.changes[row];
    text[0] = '\0';
    cell->text = text;
    switch (plan_kinds[column]) {
    case COLUMN_STATE:
        cell->text = each->done ? "is there" : each->cost.rewrite ? "rewrite" : "to do";
        cell->style = each->done ? ROLE_OK : each->cost.rewrite ? ROLE_WARN : ROLE_TEXT;
        break;
    case COLUMN_CHANGE: {
        char *what = change_text(each->change);
        snprintf(text, sizeof text, "%s", what);
        free(what);
        break;
    }
    case COLUMN_SIZE:
        if (each->bytes >= 0)
            say_bytes(each->bytes, text);
        break;
    case COLUMN_LOCK:
        cell->text = each->cost.lock;
        cell->style = ROLE_DIM;
        break;
    case COLUMN_FIX:
        cell->text = each->change->correction != NULL ? each->change->correction : "";
        break;
    default:
        break;
    }
}

static struct table_model plan_table(const struct wizard *wizard)
{
    return (struct table_model){plan_columns, COUNT_OF(plan_columns), wizard->model.has_plan ? wizard->model.plan.change_count : 0, plan_cell, wizard,
                                wizard->model.has_plan ? "There is nothing to change." : "The plan is being made.", false, false};
}

static void draw_progress(struct wizard *wizard, struct area area)
{
    const struct run_view *run = &wizard->model.run;
    if (run->change_count == 0)
        return;
    struct progress_model model = {.done = (double)run->done_count, .total = (double)run->change_count, .seconds_left = -1,
                                    .unit = model_backs_up(&wizard->model) ? "parts" : "changes"};
    progress_draw(area, 0, &model);
    if (run->current < run->change_count && !run->ended) {
        const struct run_change *each = &run->changes[run->current];
        double rate = run_view_rate(run);
        whole_line(wizard, area, 1, MARK_COUNT, each->what);
        if (each->rows_total > 0) {
            struct progress_model rows = {.done = (double)each->rows_done, .total = (double)each->rows_total, .per_second = rate,
                                          .seconds_left = rate > 0 ? (double)(each->rows_total - each->rows_done) / rate : -1, .unit = "rows"};
            progress_draw(area, 2, &rows);
        }
    }
}

/* Who stands in the way. Of sessions that the role may not look at, the state is not known. */
static void describe_blocker(const struct run_view *run, char *text, size_t size)
{
    const struct run_blocker *first = &run->blockers[0];
    char more[32] = "", state[80] = "";
    if (run->blocker_count > 1)
        snprintf(more, sizeof more, " and %zu more", run->blocker_count - 1);
    if (first->state[0] != '\0' && first->seconds >= 120)
        snprintf(state, sizeof state, ", %.40s for %d min", first->state, first->seconds / 60);
    else if (first->state[0] != '\0')
        snprintf(state, sizeof state, ", %.40s for %d s", first->state, first->seconds);
    snprintf(text, size, "Waits for backend %d (%s, from %s%s)%s: %s", first->pid, first->application[0] != '\0' ? first->application : "no application name",
             first->address, state, more, first->query);
}

/* A sentence of the worker's begins with a capital letter here. */
static void capitalise(char *text)
{
    if (text[0] >= 'a' && text[0] <= 'z')
        text[0] = (char)(text[0] - 'a' + 'A');
}

/* The key that starts it again. */
/* Static, until the next call. */
static const char *again_of(const struct model *model)
{
    if (model_rolls_back(model))
        return " Press L to go on with it.";
    static char text[48];
    snprintf(text, sizeof text, " Press %s to start it again.", kong_key_of(model->run.command));
    return text;
}

/* How it ended, or what it waits for, and the key that goes on. */
static struct prose_block end_block(const struct model *model, char *text, size_t size)
{
    const struct run_view *run = &model->run;
    enum step step = model_runs(model, STEP_FINISH) ? STEP_FINISH : STEP_UP;
    bool custom = kong_custom_enabled(model, step) && run->kong == NULL;
    const char *again = again_of(model), *on = model_rolls_back(model) ? " Press q to quit; s migrates up once more."
                                               : custom              ? " Press m for the migrations of custom plugins, → to go on."
                                                                     : " Press → to go on.";
    const char *next = run->exit_code == 0 ? on : again;
    struct prose_block block = {.kind = PROSE_MARK, .mark = MARK_WAIT, .text = text};
    if (run->ended) {
        block.mark = run->exit_code == 0 ? MARK_OK : run->exit_code == 10 ? MARK_WARN : MARK_DANGER;
        snprintf(text, size, "%s.%s", run->message, next);
        capitalise(text);
    } else if (!model->run_alive) {
        block.mark = MARK_DANGER;
        snprintf(text, size, "The worker ended without a word. %s.%s It goes on from there.",
                 run->kong != NULL ? "What Kong has done is read from the database" : "Nothing half done is left", again);
    } else if (run->waiting && run->blocker_count > 0) {
        block.mark = MARK_WARN;
        describe_blocker(run, text, size);
    } else if (run->waiting) {
        snprintf(text, size, "%s", run->wait_what);
    } else if (run->stop_asked) {
        snprintf(text, size, run->kong != NULL ? "Ending Kong's command, as asked." : "Stopping at the next safe point, as asked.");
    } else if (run->kong != NULL) {
        snprintf(text, size, "%s is at work, under worker %d of %s@%s. It goes on if this screen is closed.", run->kong, run->pid, run->user, run->host);
    } else {
        snprintf(text, size, "Worker %d of %s@%s is at work. It goes on if this screen is closed.", run->pid, run->user, run->host);
    }
    return block;
}

/* What the stall meter says: of the change in hand, and of the whole run. */
static void draw_stall(struct wizard *wizard, struct area area)
{
    const struct model *model = &wizard->model;
    const struct run_view *run = &model->run;
    char text[300];
    if (run->change_count == 0 || run->worst_ms < 0)
        return;
    const struct run_change *now = run->current < run->change_count && model->run_alive ? &run->changes[run->current] : NULL;
    if (now != NULL && now->worst_ms >= 0)
        snprintf(text, sizeof text, "A node would have waited %.0f ms at most, now %.0f ms (99 %% under %.0f ms).", run->worst_ms, now->worst_ms, now->p99_ms);
    else
        snprintf(text, sizeof text, "A node would have waited %.0f ms at most, during: %s", run->worst_ms, run->changes[run->worst_change].what);
    whole_line(wizard, area, 0, run->worst_ms > RUN_STALL_FELT_MS ? MARK_WARN : MARK_INFO, text);
}

static void draw_log(const struct wizard *wizard, struct area area, struct prose_state *state)
{
    const struct names *log = &wizard->model.run.log;
    struct prose_block *blocks = mem_zero(log->count, sizeof *blocks);
    for (size_t i = 0; i < log->count; i++)
        blocks[i] = (struct prose_block){.kind = PROSE_LITERAL, .text = log->list[i]};
    prose_draw(area, blocks, log->count, state);
    area_cursor(area, 0, 0);
    free(blocks);
}

/* Kong's own command has no list of changes. */
static bool shows_log(const struct wizard *wizard)
{
    return wizard->view.show_log || wizard->model.run.kong != NULL;
}

void run_pane_draw(struct wizard *wizard, struct area area)
{
    struct view *view = &wizard->view;
    const struct run_view *run = &wizard->model.run;
    char text[END_SIZE];
    const struct prose_block end = end_block(&wizard->model, text, sizeof text);
    int height = prose_height(&end, 1, area.width, area.canvas->charset);
    bool live = run->current < run->change_count && !run->ended, counts = live && run->changes[run->current].rows_total > 0;
    bool measured = run->change_count > 0 && run->worst_ms >= 0;
    const struct layout_request rows[] = {
        LAYOUT_FIXED(run->change_count == 0 ? 0 : counts ? 3 : live ? 2 : 1, 3), LAYOUT_FIXED(measured ? 1 : 0, 2),
        LAYOUT_FIXED(height < END_LINES ? height : END_LINES, 4), LAYOUT_FILL(3, 1),
    };
    struct area parts[4];
    layout_rows(area, 0, rows, 4, parts);
    draw_progress(wizard, parts[0]);
    draw_stall(wizard, parts[1]);
    whole_draw(wizard, parts[2], &end, 1);
    struct table_model table = run_table(wizard);
    struct table_state *state = &view->tables[view->shown];
    if (!run->ended && run->current < run->change_count && !state->moved && wizard->model.run_alive)
        state->selected = run->current;
    if (shows_log(wizard))
        draw_log(wizard, parts[3], &view->proses[view->shown]);
    else
        table_draw(parts[3], &table, state, true);
}

static void add_cost(struct prose *prose, const char *table, const char *lock, bool rewrite, bool scan, int64_t rows, int64_t bytes)
{
    char size[SAY_SIZE];
    if (table[0] != '\0' && rows >= 0)
        prose_add_key(prose, "Table", table);
    if (rows >= 0) {
        char *text = mem_printf("about %lld rows, %s", (long long)rows, say_bytes(bytes, size));
        prose_add_key(prose, "Size", text);
        free(text);
    }
    prose_add_key(prose, "Lock", lock[0] != '\0' ? lock : "none");
    prose_add_key(prose, "Cost", rewrite ? "The table is rewritten under that lock." : scan ? "The table is read; nobody waits for that." : "A moment, in a short transaction that gives up if it would have to wait.");
}

static void add_correction(struct prose *prose, const char *id)
{
    const struct correction *correction = correction_find(id);
    if (correction == NULL)
        return;
    prose_add(prose, PROSE_HEADING, "Correction %s", correction->id);
    prose_add(prose, PROSE_PARAGRAPH, "%s", correction->fact);
    prose_add(prose, PROSE_PARAGRAPH, "%s", correction->ours);
    prose_add(prose, PROSE_PARAGRAPH, "Source: %s", correction->source);
}

static void open_run_details(struct wizard *wizard, size_t row)
{
    const struct run_change *each = &wizard->model.run.changes[row];
    wizard_open_text(wizard, each->id);
    prose_add(&wizard->view.text, PROSE_HEADING, "%s", each->what);
    add_cost(&wizard->view.text, each->table, each->lock, each->rewrite, each->scan, each->rows, each->bytes);
    explain_change(&wizard->view.text, each->id, change_find(each->id), each->lock);
    add_correction(&wizard->view.text, each->correction);
}

void run_pane(struct wizard *wizard, struct pane *pane)
{
    struct view *view = &wizard->view;
    const struct names *log = &wizard->model.run.log;
    *pane = (struct pane){.list = &view->tables[view->shown], .table = run_table(wizard), .open = open_run_details};
    if (!shows_log(wizard))
        return;
    *pane = (struct pane){.text = &view->proses[view->shown]};
    for (size_t i = 0; i < log->count; i++)
        prose_add(&pane->prose, PROSE_LITERAL, "%s", log->list[i]);
}

void plan_pane_draw(struct wizard *wizard, struct area area)
{
    struct table_model table = plan_table(wizard);
    struct table_state *state = &wizard->view.tables[wizard->view.shown];
    char *note = NULL;
    table_clamp(&table, state);
    if (table.row_count > 0) {
        const struct plan_change *each = &wizard->model.plan.changes[state->selected];
        char *what = change_text(each->change);
        note = mem_printf("%s; lock: %s", what, each->cost.lock[0] != '\0' ? each->cost.lock : "none");
        free(what);
    }
    table_draw(note_draw(wizard, area, table.row_count, MARK_INFO, note), &table, state, true);
    free(note);
}

static void open_plan_details(struct wizard *wizard, size_t row)
{
    const struct plan_change *each = &wizard->model.plan.changes[row];
    const char *table = each->change->table != NULL ? each->change->table : "";
    char *id = plan_change_id(&wizard->model.plan, each), *text = change_text(each->change), about[SAY_SIZE];
    wizard_open_text(wizard, id);
    prose_add(&wizard->view.text, PROSE_HEADING, "%s", text);
    add_cost(&wizard->view.text, table, each->cost.lock, each->cost.rewrite, each->cost.scan, each->rows, each->bytes);
    if (plan_lock_ms(each) > 0)
        prose_add_key(&wizard->view.text, "Locked", say_about(plan_lock_ms(each), about));
    if (each->done)
        prose_add(&wizard->view.text, PROSE_PARAGRAPH, "Its effect is there already: it will not be made again.");
    explain_change(&wizard->view.text, id, each->change, each->cost.lock);
    add_correction(&wizard->view.text, each->change->correction);
    free(text);
    free(id);
}

void plan_pane(struct wizard *wizard, struct pane *pane)
{
    *pane = (struct pane){.list = &wizard->view.tables[wizard->view.shown], .table = plan_table(wizard), .open = open_plan_details};
}

bool dead_lock_is_there(const struct model *model)
{
    const struct lock_info *lock = &model->state.lock;
    return model->has_state && lock->held && !lock->worker_alive && strncmp(lock->owner, LOCK_OWNER_PREFIX, strlen(LOCK_OWNER_PREFIX)) == 0;
}

void dead_lock_add(struct prose *prose, const struct model *model)
{
    if (dead_lock_is_there(model))
        prose_add_mark(prose, MARK_WARN, "Kong's migrations lock was left behind by a worker that no longer runs (%s). It is removed first.", model->state.lock.owner);
}

bool run_pane_enabled(const struct wizard *wizard, int action)
{
    const struct model *model = &wizard->model;
    enum step step = wizard->view.shown;
    switch (action) {
    case ACTION_STOP:
        return model->run_alive && !model->run.stop_asked;
    case ACTION_BACKUP:
        return backup_can_start(model) && model_is_up(model) == (step == STEP_FINISH) && !model_runs(model, step);
    case ACTION_CUSTOM:
        return kong_custom_enabled(model, step);
    case ACTION_LOG:
        return model_runs(model, step) && model->run.kong == NULL;
    case ACTION_BLOCKERS:
        return blockers_are_there(model);
    default:
        return model_runs(model, step);
    }
}

void run_pane_act(struct wizard *wizard, int action)
{
    switch (action) {
    case ACTION_STOP:
        loop_stop_worker(wizard);
        break;
    case ACTION_BACKUP:
        backup_ask_folder(wizard);
        break;
    case ACTION_CUSTOM:
        kong_custom_ask(wizard);
        break;
    case ACTION_BLOCKERS:
        blockers_open(wizard);
        break;
    default:
        wizard->view.show_log = !wizard->view.show_log;
        wizard->view.proses[wizard->view.shown].follow = true;
    }
}
