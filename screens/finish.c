/* Step 5, Finish: everything that it destroys, in numbers; the last warnings; the typed name; the run. */
#include "core/base/mem.h"
#include "core/linger.h"
#include "screens/backup_note.h"
#include "screens/kong_note.h"
#include "screens/loop.h"
#include "screens/losses_note.h"
#include "screens/screen.h"
#include "tui/layout.h"

#include <stdlib.h>

enum { ACTION_FINISH = ACTION_OWN };

static const struct keys_row keys[] = {
    {{'f'}, "finish", "Finish the upgrade. The database's name must be typed.", ACTION_FINISH, 60, NULL},
    RUN_PANE_KEYS,
};

static bool is_enabled(const struct wizard *wizard, int action)
{
    const struct model *model = &wizard->model;
    char reason[512];
    if (action == ACTION_FINISH)
        return model->has_plan && model->plan.kind == PLAN_FINISH && model_refusal(model, STEP_FINISH, reason, sizeof reason)[0] == '\0';
    return run_pane_enabled(wizard, action);
}

/* What is pending is of plugins that were loaded on a database of 1.3 alone. */
static void add_plugins_only(struct prose *prose, const struct model *model)
{
    for (size_t i = 0; i < model->state.subsystem_count; i++)
        if (model->state.subsystems[i].pending.count > 0)
            prose_add(prose, PROSE_BULLET, "It completes the tables of the plugin %s, which was loaded since.", model->state.subsystems[i].subsystem->name);
    prose_add_mark(prose, MARK_INFO, "Kong's own tables are 1.3's already, and nodes of 1.3 work on meanwhile.");
}

static void add_warnings(struct prose *prose, const struct model *model)
{
    if (state_plugins_only(&model->state)) {
        add_plugins_only(prose, model);
        return;
    }
    prose_add_mark(prose, MARK_DANGER, "After this, nodes of the old cluster must never run on this database again. There is no way back but a backup.");
    if (model->state.from_014)
        prose_add(prose, PROSE_BULLET, "A 0.14 node will refuse to start.");
    else
        prose_add(prose, PROSE_BULLET, "A 1.0 to 1.2 node would start, and nothing in Kong stops it: keep them off.");
    if (model->sessions.live > 0)
        prose_add(prose, PROSE_BULLET, "At least %zu Kong node%s on the database now: %s.", model->sessions.live, model->sessions.live == 1 ? " works" : "s work",
                  model->sessions.live == 1 ? "it should be a new one" : "all should be new ones");
    if (model->upgrade.gates[STEP_FINISH].overruled)
        prose_add_mark(prose, MARK_WARN, "The gate to this step was overruled: that all old nodes are stopped was not seen.");
}

static void fill(struct prose *prose, const struct model *model)
{
    char reason[512];
    if (!model_is_up(model)) {
        prose_add_mark(prose, MARK_UNKNOWN, "This step comes last. First the database is migrated up (step 1).");
        return;
    }
    if (model->state.stage == STAGE_CURRENT) {
        prose_add_mark(prose, MARK_OK, "Done: nothing is pending.");
        kong_custom_add(prose, model, STEP_FINISH);
        return;
    }
    if (!model->has_plan || model->plan.kind != PLAN_FINISH) {
        prose_add_mark(prose, MARK_WAIT, "Counting what would be changed.");
        return;
    }
    model_refusal(model, STEP_FINISH, reason, sizeof reason);
    if (model->starting)
        prose_add_mark(prose, MARK_WAIT, "Asking the old nodes once more, then starting the worker.");
    else if (reason[0] == '\0')
        prose_add_mark(prose, MARK_INFO, "Press f to finish: the database's name must be typed first.");
    prose_add(prose, PROSE_HEADING, "What it does to database %s", model->state.database);
    losses_add(prose, &model->losses);
    prose_add(prose, PROSE_PARAGRAPH, "%zu change%s, %zu migration%s recorded as executed.", plan_remaining(&model->plan), plan_remaining(&model->plan) == 1 ? "" : "s",
              model->plan.step_count, model->plan.step_count == 1 ? "" : "s");
    prose_add(prose, PROSE_HEADING, "Before you go on");
    backup_add(prose, model, false);
    add_warnings(prose, model);
    losses_add_rest(prose, &model->losses, "Changes that delete no value");
}

/* Someone else finishes. */
static bool is_watched(const struct model *model)
{
    return model_is_watching(model) && model->state.stage == STAGE_PENDING && model_is_up(model);
}

static void draw(struct wizard *wizard, struct area area)
{
    if (model_runs(&wizard->model, STEP_FINISH)) {
        run_pane_draw(wizard, area);
        return;
    }
    if (is_watched(&wizard->model)) {
        watch_pane_draw(wizard, area);
        return;
    }
    struct prose prose = {0};
    fill(&prose, &wizard->model);
    prose_draw(area, prose.blocks, prose.count, &wizard->view.proses[STEP_FINISH]);
    area_cursor(area, 0, 0);
    prose_free(&prose);
}

static bool pane(struct wizard *wizard, size_t index, struct pane *pane)
{
    if (index > 0)
        return false;
    if (model_runs(&wizard->model, STEP_FINISH)) {
        run_pane(wizard, pane);
    } else if (is_watched(&wizard->model)) {
        plan_pane(wizard, pane);
    } else {
        pane->text = &wizard->view.proses[STEP_FINISH];
        fill(&pane->prose, &wizard->model);
    }
    return true;
}

static const char *refusal(const struct wizard *wizard, char *text, size_t size)
{
    return model_refusal(&wizard->model, STEP_FINISH, text, size);
}

static void start(struct wizard *wizard)
{
    loop_start(wizard, "finish", dead_lock_is_there(&wizard->model));
}

static void ask_finish(struct wizard *wizard)
{
    static const struct countdown countdown = {
        .title = "Finish: this can't be undone",
        .yes = "Finish",
        .yes_without = "I have another: finish",
        .what = "Step 5 begins in",
        .go = start,
        .refusal = refusal,
    };
    const struct model *model = &wizard->model;
    struct prose *prose = &wizard->view.text;
    prose_clear(prose);
    prose_add(prose, PROSE_PARAGRAPH, "Database %s at %s:%d", model->state.database, model->state.host, model->state.port);
    losses_add(prose, &model->losses);
    if (!backup_is_there(model))
        prose_add_mark(prose, MARK_DANGER, "No backup was made here. Make one first, or have another.");
    else
        backup_add(prose, model, true);
    add_warnings(prose, model);
    kong_engine_add(prose, model);
    if (model->ends_at_logout)
        prose_add_mark(prose, MARK_WARN, "%s", linger_warning);
    dead_lock_add(prose, model);
    countdown_ask(wizard, &countdown);
}

static void act(struct wizard *wizard, int action)
{
    if (action == ACTION_FINISH)
        ask_finish(wizard);
    else
        run_pane_act(wizard, action);
}

const struct screen screen_finish = {keys, COUNT_OF(keys), is_enabled, draw, pane, act};
