#include "screens/hooks.h"

#include "core/base/mem.h"
#include "screens/loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NEWS_MS 3600000   /* a hook that failed longer ago is no news; h still tells */

static const int stages[] = {0, 1, 5, 25, 50, 100};   /* percent of the traffic for the new cluster */

bool hooks_is_stage(int percent)
{
    for (size_t i = 0; i < COUNT_OF(stages); i++)
        if (stages[i] == percent)
            return true;
    return false;
}

bool hooks_has(const struct model *model, enum hook_kind kind)
{
    return model->configured && model->app.fleet.hooks.list[kind].text != NULL;
}

bool hooks_run(const struct model *model)
{
    return model->hook_starting || (model->hook.path != NULL && model->hook.record.result == HOOK_RUNS);
}

bool hooks_enabled(const struct model *model, enum hook_kind kind)
{
    return hooks_has(model, kind) && !hooks_run(model);
}

static long long seconds_since(const struct model *model, int64_t at)
{
    return model->now > at ? (long long)(model->now - at) / 1000 : 0;
}

int divert_wait_left(const struct model *model)
{
    long long wait = hooks_wait(&model->app.fleet.hooks);
    long long left = model->diverted > 0 ? wait - seconds_since(model, model->diverted_at) : 0;
    return left > 0 ? (int)left : 0;
}

/* What is the same in all dialogs. */

/* `values`: NULL where what is put into the arguments is still to be chosen. */
static void add_command(struct prose *prose, const struct model *model, enum hook_kind kind, const struct hook_values *values)
{
    const struct hook *hook = &model->app.fleet.hooks.list[kind];
    struct names arguments = {0};
    if (values != NULL)
        hook_fill(hook, values, &arguments);
    char *filled = values != NULL ? hook_join(&arguments) : NULL;
    prose_add(prose, PROSE_PARAGRAPH, "This runs the %s hook of fleet.ini, for at most %d s:", hook_name(kind),
              hooks_deadline(&model->app.fleet.hooks));
    prose_add(prose, PROSE_LITERAL, "%s", filled != NULL ? filled : hook->text);
    free(filled);
    names_free(&arguments);
}

/* What has changed under the dialog is seen here, before anything is run. */
static bool may_still_run(struct wizard *wizard, enum hook_kind kind, const struct gate *gate)
{
    if (!hooks_enabled(&wizard->model, kind))
        wizard_say(wizard, MARK_WARN, "Nothing was run: another hook runs.");
    else if (gate != NULL && !gate->open)
        wizard_say(wizard, MARK_DANGER, "Nothing was run: %s", gate->reason);
    else
        return true;
    return false;
}

static void start(struct wizard *wizard, enum hook_kind kind, int percent, const struct node *node)
{
    const struct hook_values values = {percent, node != NULL ? node->name : NULL, node != NULL ? node->url : NULL};
    loop_run_hook(wizard, kind, &values);
    hook_pane_open(wizard);
}

/* Provision. */

static void provision_answered(struct wizard *wizard, size_t answer)
{
    if (answer == 1 && may_still_run(wizard, HOOK_PROVISION, &wizard->model.upgrade.gates[STEP_PROVISION]))
        start(wizard, HOOK_PROVISION, 0, NULL);
}

void hooks_ask_provision(struct wizard *wizard)
{
    struct prose *prose = &wizard->view.text;
    if (!may_still_run(wizard, HOOK_PROVISION, &wizard->model.upgrade.gates[STEP_PROVISION]))
        return;
    prose_clear(prose);
    add_command(prose, &wizard->model, HOOK_PROVISION, NULL);
    prose_add(prose, PROSE_PARAGRAPH, "It is to start the new nodes. The old ones serve on.");
    const struct dialog_model dialog = {
        .title = "Start the new nodes?", .mark = MARK_INFO, .answers = {{"Stay", false}, {"Run the hook", false}}, .answer_count = 2,
    };
    wizard_open_dialog(wizard, &dialog, provision_answered);
}

/* Divert. */

static const char *advice_to_raise(const struct model *model, char *text, size_t size)
{
    size_t ready = model_count_nodes(model, CLUSTER_NEW, node_is_ready), all = model_count_nodes(model, CLUSTER_NEW, NULL);
    int left = divert_wait_left(model);
    if (model->verdict.level == VERDICT_WORSE)
        snprintf(text, size, "%s", model->verdict.sentence);
    else if (ready < all)
        snprintf(text, size, "%zu of %zu new nodes %s not ready.", all - ready, all, all - ready == 1 ? "is" : "are");
    else if (left > 0)
        snprintf(text, size, "Traffic was moved to %d %% only %lld s ago: watch errors and latency for %d s more.", model->diverted,
                 seconds_since(model, model->diverted_at), left);
    return text;
}

static const char *advice_to_lower(const struct model *model, char *text, size_t size)
{
    size_t old = model_count_nodes(model, CLUSTER_OLD, NULL), there = model_count_nodes(model, CLUSTER_OLD, node_is_there);
    if (model->state.stage == STAGE_CURRENT)
        snprintf(text, size, "Step 5 is done: old nodes no longer work on this database.");
    else if (old > 0 && there == 0)
        snprintf(text, size, "No old node answers: what is sent to them may be lost.");
    return text;
}

const char *divert_advice(const struct model *model, int percent, char *text, size_t size)
{
    text[0] = '\0';
    int now = model->diverted_at != 0 ? model->diverted : 0;
    return percent > now ? advice_to_raise(model, text, size) : percent < 100 ? advice_to_lower(model, text, size) : text;
}

static void divert_to(struct wizard *wizard, int percent)
{
    bool raises = percent > 0 && percent > wizard->model.diverted;
    if (may_still_run(wizard, HOOK_DIVERT, raises ? &wizard->model.upgrade.gates[STEP_DIVERT] : NULL))
        start(wizard, HOOK_DIVERT, percent, NULL);
}

static void divert_confirmed(struct wizard *wizard, size_t answer)
{
    if (answer == 1)
        divert_to(wizard, wizard->view.percent);
}

static void divert_answered(struct wizard *wizard, size_t answer)
{
    char advice[sizeof wizard->model.verdict.sentence];
    if (answer == 0 || answer > COUNT_OF(stages))
        return;
    wizard->view.percent = stages[answer - 1];
    if (divert_advice(&wizard->model, wizard->view.percent, advice, sizeof advice)[0] == '\0') {
        divert_to(wizard, wizard->view.percent);
        return;
    }
    prose_clear(&wizard->view.text);
    prose_add_mark(&wizard->view.text, MARK_WARN, "%s", advice);
    prose_add(&wizard->view.text, PROSE_PARAGRAPH, "Move traffic all the same, so that the new cluster has %d %% of it?", wizard->view.percent);
    const struct dialog_model dialog = {
        .title = "Move traffic now?", .mark = MARK_WARN, .answers = {{"Stay", false}, {"Move it now", false}}, .answer_count = 2,
    };
    wizard_open_dialog(wizard, &dialog, divert_confirmed);
}

void hooks_ask_divert(struct wizard *wizard)
{
    const struct model *model = &wizard->model;
    const struct gate *gate = &model->upgrade.gates[STEP_DIVERT];
    struct prose *prose = &wizard->view.text;
    prose_clear(prose);
    add_command(prose, model, HOOK_DIVERT, NULL);
    if (model->diverted_at != 0)
        prose_add(prose, PROSE_PARAGRAPH, "The last one that went well gave the new cluster %d %%, %lld s ago.", model->diverted,
                  seconds_since(model, model->diverted_at));
    else
        prose_add(prose, PROSE_PARAGRAPH, "No divert hook has gone well yet.");
    if (!gate->open)
        prose_add_mark(prose, MARK_WARN, "Back to 0 %% is possible, more is not: %s", gate->reason);
    else if (model->verdict.level == VERDICT_WORSE)
        prose_add_mark(prose, MARK_WARN, "%s", model->verdict.sentence);
    else if (divert_wait_left(model) > 0)
        prose_add_mark(prose, MARK_WAIT, "Wait %d s more before you move more; back is possible at once.", divert_wait_left(model));
    prose_add(prose, PROSE_PARAGRAPH, "How much of the traffic is the new cluster to have?");
    const struct dialog_model dialog = {
        .title = "Move traffic", .mark = MARK_INFO, .answer_count = 1 + COUNT_OF(stages),
        .answers = {{"Stay", false}, {"0 %", false}, {"1 %", false}, {"5 %", false}, {"25 %", false}, {"50 %", false}, {"100 %", false}},
    };
    wizard_open_dialog(wizard, &dialog, divert_answered);
}

/* Decommission. */

static const struct node *find_old(const struct model *model, const char *name)
{
    for (size_t i = 0; i < model->node_count; i++)
        if (model->nodes[i].node->cluster == CLUSTER_OLD && strcmp(model->nodes[i].node->name, name) == 0)
            return model->nodes[i].node;
    return NULL;
}

static void decommission_answered(struct wizard *wizard, size_t answer)
{
    if (answer != 1 || !may_still_run(wizard, HOOK_DECOMMISSION, &wizard->model.upgrade.gates[STEP_DECOMMISSION]))
        return;
    const struct node *node = find_old(&wizard->model, wizard->view.must_type);
    if (node != NULL)
        start(wizard, HOOK_DECOMMISSION, 0, node);
    else
        wizard_say(wizard, MARK_WARN, "Nothing was run: the node is no longer in fleet.ini.");
}

void hooks_ask_decommission(struct wizard *wizard, const struct node *node)
{
    struct prose *prose = &wizard->view.text;
    if (node == NULL || !may_still_run(wizard, HOOK_DECOMMISSION, &wizard->model.upgrade.gates[STEP_DECOMMISSION]))
        return;
    prose_clear(prose);
    const struct hook_values values = {0, node->name, node->url};
    add_command(prose, &wizard->model, HOOK_DECOMMISSION, &values);
    prose_add_mark(prose, MARK_WARN, "It is to stop the old node %s (%s). Once all are stopped, there is no way back without starting them again.",
                   node->name, node->url);
    const struct dialog_model dialog = {
        .title = "Stop this old node?",
        .mark = MARK_WARN,
        .answers = {{"Stay", false}, {"Run the hook", true}},
        .answer_count = 2,
        .must_type = node->name,
        .type_label = "Type the node's name",
    };
    wizard_open_dialog(wizard, &dialog, decommission_answered);
}

/* Leaving. */

static void quit_answered(struct wizard *wizard, size_t answer)
{
    wizard->leaving = answer == 1;
}

void hooks_ask_quit(struct wizard *wizard)
{
    struct prose *prose = &wizard->view.text;
    prose_clear(prose);
    prose_add_mark(prose, MARK_WAIT, "A hook of fleet.ini still runs.");
    prose_add(prose, PROSE_PARAGRAPH, "It goes on when you leave, until it ends or its deadline does it; what it says is recorded,"
                                       " and shown when kong-upgrade is started again.");
    const struct dialog_model dialog = {
        .title = "Leave while a hook runs?", .mark = MARK_WAIT, .answers = {{"Stay", false}, {"Leave", false}}, .answer_count = 2,
    };
    wizard_open_dialog(wizard, &dialog, quit_answered);
}

/* How it came out. */

static void add_diverted(struct prose *prose, const struct model *model)
{
    int left = divert_wait_left(model);
    if (model->diverted_at == 0 || model->diverted == 0 || model->diverted == 100)
        return;
    if (model->verdict.level == VERDICT_WORSE)
        prose_add_mark(prose, MARK_WARN, "Moved to %d %%. Press d to move it back.", model->diverted);
    else if (left > 0)
        prose_add_mark(prose, MARK_WAIT, "Moved to %d %% %lld s ago. Watch errors and latency, %d s more.", model->diverted,
                       seconds_since(model, model->diverted_at), left);
    else
        prose_add_mark(prose, MARK_INFO, "Moved to %d %%. Press d to move more, or back.", model->diverted);
}

void hooks_add(struct prose *prose, const struct model *model, enum hook_kind kind)
{
    const struct hook_record *record = &model->hook.record;
    bool news = record->result == HOOK_RUNS || model->now - model->hook_at < NEWS_MS;
    bool shown = model->hook.path != NULL && record->command != NULL && record->kind == kind && news;
    if (!hooks_has(model, kind) || (!shown && kind != HOOK_DIVERT))
        return;
    if (!shown || record->result == HOOK_DONE) {
        if (kind == HOOK_DIVERT)
            add_diverted(prose, model);
        return;
    }
    char *title = record->result == HOOK_RUNS ? hook_record_title(record) : hook_record_sentence(record);
    if (record->result == HOOK_RUNS)
        prose_add_mark(prose, MARK_WAIT, "Hook: %s runs since %lld s. Press h to see what it says.", title, seconds_since(model, model->hook_at));
    else
        prose_add_mark(prose, MARK_DANGER, "Hook: %s. Press h to see what it said.", title);
    free(title);
}

void hooks_ended(struct wizard *wizard)
{
    const struct hook_record *record = &wizard->model.hook.record;
    char *sentence = hook_record_sentence(record);
    if (record->result != HOOK_DONE)
        wizard_say(wizard, MARK_DANGER, "Hook: %s. Nothing else was changed; press h to see what it said.", sentence);
    else if (record->kind == HOOK_DIVERT && record->percent > 0 && record->percent < 100)
        wizard_say(wizard, MARK_OK, "Hook: %s. Watch errors and latency for %d s before you move more.", sentence,
                   hooks_wait(&wizard->model.app.fleet.hooks));
    else
        wizard_say(wizard, MARK_OK, "Hook: %s.", sentence);
    free(sentence);
}
