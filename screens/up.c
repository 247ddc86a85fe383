/* Step 1, Migrate up: the plan, its start, the run live, its result. On an empty database it is the installation. */
#include "core/base/mem.h"
#include "core/linger.h"
#include "screens/backup_note.h"
#include "screens/kong_note.h"
#include "screens/loop.h"
#include "screens/say.h"
#include "screens/screen.h"
#include "screens/whole.h"
#include "tui/layout.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COST_LINES 4            /* one less where there is nothing to back up */
#define WORTH_SAYING_MS 100     /* as much as a node notices */

enum { ACTION_START = ACTION_OWN, ACTION_FINISH_FIRST };

static const struct keys_row keys[] = {
    {{'s'}, "start", "Start the migration. It asks once more.", ACTION_START, 60, NULL},
    {{'f'}, "finish first", "Finish the earlier upgrade. The database's name must be typed.", ACTION_FINISH_FIRST, -61, NULL},
    RUN_PANE_KEYS,
};

static bool is_enabled(const struct wizard *wizard, int action)
{
    const struct model *model = &wizard->model;
    char reason[512];
    if (action == ACTION_START)
        return model->has_plan && model_refusal(model, STEP_UP, reason, sizeof reason)[0] == '\0';
    return action == ACTION_FINISH_FIRST ? earlier_enabled(model) : run_pane_enabled(wizard, action);
}

/* The largest table that is rewritten; NULL if none. `count`: how many changes rewrite one. */
static const struct plan_change *find_rewritten(const struct plan *plan, size_t *count)
{
    const struct plan_change *largest = NULL;
    *count = 0;
    for (size_t i = 0; i < plan->change_count; i++) {
        const struct plan_change *each = &plan->changes[i];
        if (each->done || !each->cost.rewrite || each->bytes < 0)
            continue;
        ++*count;
        if (largest == NULL || each->bytes > largest->bytes)
            largest = each;
    }
    return largest;
}

static void draw_engine(struct wizard *wizard, struct area area)
{
    const char *problem = wizard->model.kong.problem;
    char text[400];
    snprintf(text, sizeof text, "engine = kong in fleet.ini, but %s.", problem != NULL ? problem : "");
    whole_line(wizard, area, 0, problem != NULL ? MARK_DANGER : MARK_WARN, problem != NULL ? text : "Kong's own `kong migrations` makes them (engine = kong), not kong-upgrade.");
}

static void draw_heaviest(struct wizard *wizard, struct area area)
{
    const struct plan *plan = &wizard->model.plan;
    char size[SAY_SIZE], about[SAY_SIZE], text[200];
    size_t count;
    const struct plan_change *heaviest = plan_heaviest(plan), *rewritten = find_rewritten(plan, &count);
    if (kong_is_engine(&wizard->model)) {
        draw_engine(wizard, area);
    } else if (plan->kind == PLAN_BOOTSTRAP) {
        whole_line(wizard, area, 0, MARK_COUNT, "The database is empty: Kong 1.3's tables are made in it, in one transaction.");
    } else if (rewritten != NULL) {
        snprintf(text, sizeof text, "%zu change%s a table, %s (%s) for %s.", count, count == 1 ? " rewrites and locks" : "s rewrite and lock",
                 rewritten->change->table, say_bytes(rewritten->bytes, size), say_about(plan_lock_ms(rewritten), about));
        whole_line(wizard, area, 0, MARK_WARN, text);
    } else if (heaviest != NULL && heaviest->bytes >= 0) {
        snprintf(text, sizeof text, "No table is rewritten. The largest that is read: %s (%s).", heaviest->change->table, say_bytes(heaviest->bytes, size));
        whole_line(wizard, area, 0, MARK_COUNT, text);
    } else {
        whole_line(wizard, area, 0, MARK_COUNT, "No table is rewritten.");
    }
}

static void draw_cost(struct wizard *wizard, struct area area)
{
    const struct model *model = &wizard->model;
    char reason[512], text[120];
    size_t remaining = plan_remaining(&model->plan);
    int last = area.height - 1;
    if (!model->has_plan) {
        whole_line(wizard, area, 0, MARK_WAIT, "The plan is being made.");
        return;
    }
    snprintf(text, sizeof text, "%zu change%s to make, %zu migration%s to record", remaining, remaining == 1 ? "" : "s",
             model->plan.step_count, model->plan.step_count == 1 ? "" : "s");
    whole_line(wizard, area, 0, MARK_COUNT, text);
    draw_heaviest(wizard, area_part(area, (struct rect){0, 1, area.width, 1}));
    if (model->plan.kind != PLAN_BOOTSTRAP)
        backup_draw(wizard, area, 2);
    model_refusal(model, STEP_UP, reason, sizeof reason);
    if (model->starting)
        whole_line(wizard, area, last, MARK_WAIT, "The worker is being started.");
    else if (reason[0] == '\0')
        whole_line(wizard, area, last, MARK_INFO, "Press s to start: it asks once more.");
}

/* Its work is done, by whomever: the plan at hand is that of step 5 already, or there is none. */
static void draw_complete(struct wizard *wizard, struct area area)
{
    const struct model *model = &wizard->model;
    bool current = model->state.stage == STAGE_CURRENT;
    char text[200];
    snprintf(text, sizeof text, "Done: the database is %s.%s", current ? "Kong 1.3's"
             : state_plugins_only(&model->state) ? "Kong 1.3's, and what its new plugins need is made; step 5 completes it"
                                                 : "migrated up. Old nodes and 1.3 nodes may work on it side by side",
             model_go_on(model, STEP_PROVISION));
    struct prose prose = {0};
    prose_add_mark(&prose, MARK_OK, "%s", text);
    kong_custom_add(&prose, model, STEP_UP);
    whole_draw(wizard, area, prose.blocks, prose.count);
    prose_free(&prose);
}

static void draw(struct wizard *wizard, struct area area)
{
    if (model_runs(&wizard->model, STEP_UP)) {
        run_pane_draw(wizard, area);
        return;
    }
    if (model_is_watching(&wizard->model) && !model_is_up(&wizard->model)) {
        watch_pane_draw(wizard, area);
        return;
    }
    if (model_is_up(&wizard->model)) {
        draw_complete(wizard, area);
        return;
    }
    if (model_finish_first(&wizard->model)) {
        earlier_draw(wizard, area);
        return;
    }
    bool installs = wizard->model.has_plan && wizard->model.plan.kind == PLAN_BOOTSTRAP;
    const struct layout_request rows[] = {LAYOUT_FIXED(installs ? COST_LINES - 1 : COST_LINES, 2), LAYOUT_FILL(3, 1)};
    struct area parts[2];
    layout_rows(area, 0, rows, 2, parts);
    draw_cost(wizard, parts[0]);
    plan_pane_draw(wizard, parts[1]);
}

static bool pane(struct wizard *wizard, size_t index, struct pane *pane)
{
    bool runs = model_runs(&wizard->model, STEP_UP);
    if (index > 0 || (!runs && model_is_up(&wizard->model)))
        return false;
    if (runs)
        run_pane(wizard, pane);
    else if (model_finish_first(&wizard->model) && !model_is_watching(&wizard->model))
        earlier_pane(wizard, pane);
    else
        plan_pane(wizard, pane);
    return true;
}

static const char *command_for(const struct model *model)
{
    return model->state.stage == STAGE_EMPTY ? "bootstrap" : "up";
}

static void start(struct wizard *wizard)
{
    loop_start(wizard, command_for(&wizard->model), dead_lock_is_there(&wizard->model));
}

static void start_answered(struct wizard *wizard, size_t answer)
{
    if (answer == 1)
        start(wizard);
}

static void start_without_answered(struct wizard *wizard, size_t answer)
{
    if (answer == 1)
        backup_ask_folder(wizard);
    else if (answer == 2 && backup_declare(wizard, STEP_UP))
        start(wizard);
}

/* Every other change takes a moment; these don't, and no one can read or write the table meanwhile. */
static void add_rewrites(struct prose *prose, const struct plan *plan)
{
    char size[SAY_SIZE], about[SAY_SIZE];
    for (size_t i = 0; i < plan->change_count; i++) {
        const struct plan_change *each = &plan->changes[i];
        if (plan_lock_ms(each) >= WORTH_SAYING_MS)
            prose_add_mark(prose, MARK_WARN, "No node can read or write %s (%s) for %s: it is rewritten for the new type of %s.", each->change->table, say_bytes(each->bytes, size),
                           say_about(plan_lock_ms(each), about), each->change->name);
    }
}

static void ask_start(struct wizard *wizard)
{
    const struct model *model = &wizard->model;
    struct prose *prose = &wizard->view.text;
    bool installs = model->state.stage == STAGE_EMPTY, without = !installs && !backup_is_there(model);
    prose_clear(prose);
    if (installs)
        prose_add(prose, PROSE_PARAGRAPH, "Kong 1.3's tables are made in database %s, in one transaction.", model->state.database);
    else
        prose_add(prose, PROSE_PARAGRAPH, "%zu changes are made to database %s, beside live traffic. Nothing is destroyed: the old cluster works on, and step 5 is not begun by this.",
                  plan_remaining(&model->plan), model->state.database);
    if (installs && model->state.schema_missing)
        prose_add_mark(prose, MARK_INFO, "Schema %s does not exist: it is created first.", model->state.schema);
    kong_engine_add(prose, model);
    if (model->has_plan && !installs && !kong_is_engine(model))
        add_rewrites(prose, &model->plan);
    if (model->ends_at_logout)
        prose_add_mark(prose, MARK_WARN, "%s", linger_warning);
    else
        prose_add(prose, PROSE_PARAGRAPH, "The work runs in a process of its own: closing this screen or losing the connection does not stop it.");
    dead_lock_add(prose, model);
    if (without)
        prose_add_mark(prose, MARK_WARN, "No backup was made here. What this step adds can stay; should anything else go wrong, only a backup brings back what is there now.");
    else if (!installs)
        backup_add(prose, model, true);
    const struct dialog_model dialog = {
        .title = installs ? "Install Kong 1.3 on it?" : "Migrate up?",
        .mark = MARK_INFO,
        .answers = {{"Not now", false}, {without ? "Back up first" : "Start", false}, {"I have another: start", false}},
        .answer_count = without ? 3 : 2,
    };
    wizard_open_dialog(wizard, &dialog, without ? start_without_answered : start_answered);
}

static void act(struct wizard *wizard, int action)
{
    if (action == ACTION_START)
        ask_start(wizard);
    else if (action == ACTION_FINISH_FIRST)
        earlier_ask(wizard);
    else
        run_pane_act(wizard, action);
}

const struct screen screen_up = {keys, COUNT_OF(keys), is_enabled, draw, pane, act};
