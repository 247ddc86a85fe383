#include "screens/kong_note.h"

#include "core/base/mem.h"
#include "core/kong_run.h"
#include "core/linger.h"
#include "screens/loop.h"

#include <stdlib.h>
#include <string.h>

static bool is_command(const struct model *model, const char *command)
{
    return model->journal_path != NULL && model->run.command != NULL && strcmp(model->run.command, command) == 0;
}

static bool is_idle(const struct model *model)
{
    return model->has_state && !model->starting && !model->run_alive && !model->state.lock.worker_alive;
}

bool kong_is_engine(const struct model *model)
{
    return model->configured && model->app.fleet.kong_engine;
}

bool kong_installs(const struct model *model)
{
    return is_command(model, "bootstrap") && model->run.ended && model->run.exit_code == 0;
}

bool kong_was_installed(const struct model *model)
{
    return model->has_state && model->state.stage == STAGE_CURRENT && (kong_installs(model) || is_command(model, KONG_START));
}

bool kong_is_wanted(const struct model *model)
{
    return kong_is_engine(model) || kong_was_installed(model) || (model->has_state && state_has_custom(&model->state));
}

static char *typed(const struct model *model, const char *command)
{
    return kong_command_text(command, model->kong.path, model->app.conf.file);
}

/* Custom plugins. */

static const char *custom_command(enum step step)
{
    return step == STEP_FINISH ? KONG_CUSTOM_FINISH : KONG_CUSTOM_UP;
}

static bool concerns_custom(const struct model *model, enum step step)
{
    const struct state *state = &model->state;
    if (!model->has_state || !model_is_up(model))
        return false;
    if (step == STEP_FINISH)
        return state->stage == STAGE_CURRENT && state_count_custom_pending(state) > 0;
    return step == STEP_UP && state_has_custom(state);
}

bool kong_custom_enabled(const struct model *model, enum step step)
{
    return concerns_custom(model, step) && model->kong.path != NULL && is_idle(model);
}

void kong_custom_add(struct prose *prose, const struct model *model, enum step step)
{
    if (!concerns_custom(model, step))
        return;
    char *plugins = state_custom_text(&model->state), *command = typed(model, custom_command(step));
    const char *what = step == STEP_FINISH ? "Custom plugins have pending migrations" : "Custom plugins may have migrations of their own";
    if (kong_custom_enabled(model, step))
        prose_add_mark(prose, MARK_WARN, "%s: %s. Press m to run `%s` for them.", what, plugins, command);
    else if (model->kong.problem != NULL && model->state.stage == STAGE_PENDING)   /* alone, Kong refuses beside what is pending: aside.h */
        prose_add_mark(prose, MARK_WARN, "%s: %s. To run them before step 5, a kong 1.3 with these plugins is needed on this machine: %s.", what, plugins,
                       model->kong.problem);
    else if (model->kong.problem != NULL)
        prose_add_mark(prose, MARK_WARN, "%s: %s. Run `%s` where they are installed: %s.", what, plugins, command, model->kong.problem);
    else
        prose_add_mark(prose, MARK_WAIT, "%s: %s.", what, plugins);
    free(command);
    free(plugins);
}

/* What has changed under the dialog is seen here, before anything is run. */
static void custom_answered(struct wizard *wizard, size_t answer)
{
    enum step step = wizard->view.shown;
    if (answer != 1)
        return;
    if (kong_custom_enabled(&wizard->model, step))
        loop_start(wizard, custom_command(step), false);
    else
        wizard_say(wizard, MARK_WARN, "Nothing was run: a worker runs already, or there is nothing to run any more.");
}

static void add_how(struct prose *prose, const struct model *model, const char *command)
{
    char *text = typed(model, command);
    prose_add_key(prose, "Command", text);
    prose_add(prose, PROSE_PARAGRAPH, "It is Kong %s's own, and runs for at most %d s. What it says is shown, and kept in the journal.", model->kong.version,
              fleet_kong_deadline(&model->app.fleet));
    if (model->ends_at_logout)
        prose_add_mark(prose, MARK_WARN, "%s", linger_warning);
    free(text);
}

void kong_custom_ask(struct wizard *wizard)
{
    const struct model *model = &wizard->model;
    enum step step = wizard->view.shown;
    bool finishes = step == STEP_FINISH;
    struct prose *prose = &wizard->view.text;
    if (!kong_custom_enabled(model, step))
        return;
    char *plugins = state_custom_text(&model->state);
    prose_clear(prose);
    prose_add(prose, PROSE_PARAGRAPH, "The migrations of custom plugins are their authors' code, which only Kong can run: %s.", plugins);
    add_how(prose, model, custom_command(step));
    if (finishes)
        prose_add_mark(prose, MARK_DANGER, "What their last part removes can't be brought back but by a backup.");
    else
        prose_add_mark(prose, MARK_WARN, "Their statements are not made to wait briefly, as ours are: they may stall old nodes.");
    const struct dialog_model dialog = {
        .title = finishes ? "Finish custom plugins?" : "Migrate custom plugins?", .mark = finishes ? MARK_DANGER : MARK_WARN,
        .answers = {{"Not now", false}, {"Run it", finishes}}, .answer_count = 2,
        .must_type = finishes ? model->state.database : NULL, .type_label = finishes ? "Type the database's name" : NULL,
    };
    wizard_open_dialog(wizard, &dialog, custom_answered);
    free(plugins);
}

/* The engine. */

void kong_engine_add(struct prose *prose, const struct model *model)
{
    if (!kong_is_engine(model))
        return;
    if (model->kong.problem != NULL)
        prose_add_mark(prose, MARK_DANGER, "fleet.ini says engine = kong, but %s.", model->kong.problem);
    else
        prose_add_mark(prose, MARK_WARN, "Kong's own `kong migrations` makes these changes (engine = kong), in its own way: statements may stall old nodes, and none of"
                                         " our corrections is made.");
}

/* Starting. */

bool kong_start_enabled(const struct model *model)
{
    return kong_was_installed(model) && model->kong.path != NULL && is_idle(model);
}

void kong_start_add(struct prose *prose, const struct model *model)
{
    if (!kong_was_installed(model))
        return;
    char *command = typed(model, KONG_START);
    if (is_command(model, KONG_START) && model->run.ended && model->run.exit_code == 0)
        prose_add_mark(prose, MARK_OK, "%s.", model->run.message);
    else if (kong_start_enabled(model))
        prose_add_mark(prose, MARK_INFO, "Press K to start Kong on this machine: %s", command);
    else
        prose_add_mark(prose, MARK_INFO, "Start Kong on its nodes: %s", command);
    free(command);
}

static void start_answered(struct wizard *wizard, size_t answer)
{
    if (answer == 1 && kong_start_enabled(&wizard->model))
        loop_start(wizard, KONG_START, false);
}

void kong_start_ask(struct wizard *wizard)
{
    struct prose *prose = &wizard->view.text;
    if (!kong_start_enabled(&wizard->model))
        return;
    prose_clear(prose);
    prose_add(prose, PROSE_PARAGRAPH, "A Kong node is started on this machine, on the database that has just been made.");
    add_how(prose, &wizard->model, KONG_START);
    const struct dialog_model dialog = {
        .title = "Start Kong here?", .mark = MARK_INFO, .answers = {{"Not now", false}, {"Start Kong", false}}, .answer_count = 2,
    };
    wizard_open_dialog(wizard, &dialog, start_answered);
}

const char *kong_key_of(const char *command)
{
    static const struct {
        const char *command, *key;
    } table[] = {{"finish", "f"}, {KONG_CUSTOM_UP, "m"}, {KONG_CUSTOM_FINISH, "m"}, {KONG_START, "K"}};
    for (size_t i = 0; command != NULL && i < COUNT_OF(table); i++)
        if (strcmp(table[i].command, command) == 0)
            return table[i].key;
    return "s";
}
