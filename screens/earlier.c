/*
 * An earlier upgrade that was never finished: Kong 1.3's `up` is refused until it is. What that means and which nodes it excludes, on the
 * screen of step 1; the question; then step 1 itself goes on. What is pending from before 1.3 is always of the way from 0.14 to 1.0, or
 * of plugins that were loaded later, whose migrations are the same.
 */
#include "core/base/buf.h"
#include "core/linger.h"
#include "screens/backup_note.h"
#include "screens/loop.h"
#include "screens/losses_note.h"
#include "screens/screen.h"

#include <string.h>

static bool is_planned(const struct model *model)
{
    return model->has_plan && model->plan.kind == PLAN_FINISH;
}

bool earlier_enabled(const struct model *model)
{
    char reason[512];
    return model_finish_first(model) && is_planned(model) && model_refusal_to_finish_first(model, reason, sizeof reason)[0] == '\0';
}

static const char *reached(const struct model *model)
{
    const char *version = state_reached(&model->state);
    return version != NULL ? version : "1.x";
}

static void add_what(struct prose *prose, const struct model *model)
{
    if (model->state.from_014)
        prose_add_mark(prose, MARK_WARN, "The upgrade of this database from Kong 0.14 to %s was never finished: `up` was run, `finish` was not. That comes first; then the upgrade to 1.3"
                                         " goes on here.", reached(model));
    else
        prose_add_mark(prose, MARK_WARN, "Migrations from before 1.3 were never finished: of an earlier upgrade, or of plugins that were loaded since. That comes first; then the"
                                         " upgrade to 1.3 goes on here.");
}

static void add_nodes(struct prose *prose, const struct model *model)
{
    if (model->state.from_014)
        prose_add_mark(prose, MARK_DANGER, "Nodes of Kong 0.14 can't start any more after it. There is no way back to them but a backup.");
    prose_add_mark(prose, MARK_OK, "Nodes of 1.0 to 1.2 work on, and serve meanwhile: leave them running.");
}

/* What an `up` to 1.3 leaves on the way looks much the same. */
static void add_doubt(struct prose *prose, const struct model *model)
{
    if (model->state.from_014)
        prose_add_mark(prose, MARK_WARN, "Is it rather an `up` from 0.14 straight to 1.3 that was begun from another machine, and not this one? Then don't: go on with `up` there.");
}

static void add_pending(struct prose *prose, const struct model *model)
{
    prose_add(prose, PROSE_HEADING, "What is pending");
    for (size_t i = 0; i < model->state.subsystem_count; i++) {
        const struct subsystem_state *each = &model->state.subsystems[i];
        struct buf names = {0};
        for (size_t j = 0; j < each->pending.count; j++)
            buf_addf(&names, "%s%s", j > 0 ? ", " : "", each->pending.list[j]);
        if (names.length > 0)
            prose_add_key(prose, each->subsystem->name, buf_text(&names));
        buf_free(&names);
    }
}

static void fill(struct prose *prose, const struct model *model)
{
    char reason[512];
    add_what(prose, model);
    model_refusal_to_finish_first(model, reason, sizeof reason);
    if (model->starting)
        prose_add_mark(prose, MARK_WAIT, "Asking the nodes once more, then starting the worker.");
    else if (!is_planned(model))
        prose_add_mark(prose, MARK_WAIT, "Counting what would be changed.");
    else if (reason[0] != '\0')
        prose_add_mark(prose, MARK_DANGER, "%s", reason);
    else
        prose_add_mark(prose, MARK_INFO, "Press f to finish it: the database's name must be typed first.");
    prose_add(prose, PROSE_HEADING, "Which nodes can live on");
    add_nodes(prose, model);
    add_doubt(prose, model);
    if (is_planned(model)) {
        prose_add(prose, PROSE_HEADING, "What it does to database %s", model->state.database);
        losses_add(prose, &model->losses);
        backup_add(prose, model, false);
    }
    add_pending(prose, model);
    if (is_planned(model))
        losses_add_rest(prose, &model->losses, "Changes that delete no value");
}

void earlier_draw(struct wizard *wizard, struct area area)
{
    struct prose prose = {0};
    fill(&prose, &wizard->model);
    prose_draw(area, prose.blocks, prose.count, &wizard->view.proses[STEP_UP]);
    area_cursor(area, 0, 0);
    prose_free(&prose);
}

void earlier_pane(struct wizard *wizard, struct pane *pane)
{
    pane->text = &wizard->view.proses[STEP_UP];
    fill(&pane->prose, &wizard->model);
}

static const char *refusal(const struct wizard *wizard, char *text, size_t size)
{
    if (model_finish_first(&wizard->model))
        return model_refusal_to_finish_first(&wizard->model, text, size);
    return strcpy(text, "There is no earlier upgrade to be finished any more.");
}

static void start(struct wizard *wizard)
{
    loop_start(wizard, "finish", dead_lock_is_there(&wizard->model));
}

void earlier_ask(struct wizard *wizard)
{
    static const struct countdown countdown = {
        .title = "Finish the earlier upgrade: this can't be undone",
        .yes = "Finish it",
        .yes_without = "I have another: finish it",
        .what = "The earlier upgrade is finished in",
        .go = start,
        .refusal = refusal,
    };
    const struct model *model = &wizard->model;
    struct prose *prose = &wizard->view.text;
    prose_clear(prose);
    prose_add(prose, PROSE_PARAGRAPH, "Database %s at %s:%d", model->state.database, model->state.host, model->state.port);
    losses_add(prose, &model->losses);
    add_nodes(prose, model);
    add_doubt(prose, model);
    if (!backup_is_there(model))
        prose_add_mark(prose, MARK_DANGER, "No backup was made here. Make one first, or have another.");
    else
        backup_add(prose, model, true);
    if (model->ends_at_logout)
        prose_add_mark(prose, MARK_WARN, "%s", linger_warning);
    dead_lock_add(prose, model);
    countdown_ask(wizard, &countdown);
}
