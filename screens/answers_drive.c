/*
 * Answers from a file: what is said next. Looked at anew each time, from where the upgrade stands: so a start in the middle, after a
 * crash or an operator's own steps goes on from there.
 */
#include "screens/answers_internal.h"

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "screens/backup_note.h"
#include "screens/hooks.h"
#include "screens/say.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BACKUP_FRESH_MS 3600000
#define STATE_WAIT_S 60          /* for the database's first answer */
#define SETTLE_MS 15000          /* after a run or a backup, until the database has been looked at again */

void answers_stop(struct wizard *wizard, int exit_code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    free(wizard->answers->stopped_by);
    wizard->answers->stopped_by = mem_vprintf(format, arguments);
    va_end(arguments);
    wizard->exit_code = exit_code;
    wizard->leaving = true;
}

/* What is said now, and what its dialog is answered. Ended by NULL. */
void answers_will_say(struct answers *answers, ...)
{
    va_list lines;
    names_free(&answers->lines);
    answers->next_line = 0;
    va_start(lines, answers);
    for (const char *line = va_arg(lines, const char *); line != NULL; line = va_arg(lines, const char *))
        names_add(&answers->lines, line);
    va_end(lines);
}

static void say_next(struct answers *answers, struct wizard *wizard, struct dialogue *dialogue)
{
    const char *line = answers->lines.list[answers->next_line++];
    dialogue_echo(dialogue, line);
    answers->line_at = clock_ms();
    dialogue_line(wizard, dialogue, line);
}

/* On that step's screen; else goes there, and is not yet. */
bool answers_is_at(struct answers *answers, const struct wizard *wizard, enum step step)
{
    char number[8];
    if (wizard->view.shown == step)
        return true;
    snprintf(number, sizeof number, "%d", step_texts[step].number);
    if (step == STEP_PREFLIGHT || step == STEP_DONE)
        answers_will_say(answers, (int)wizard->view.shown < (int)step ? "next" : "back", NULL);
    else
        answers_will_say(answers, number, NULL);
    return false;
}

/* Waiting for a step's gate, or for what else must be so before. False once its time is over. */
bool answers_may_wait(struct answers *answers, enum step step)
{
    if (answers->waits_since == 0 || answers->waits != step) {
        answers->waits = step;
        answers->waits_since = clock_ms();
    }
    return clock_ms() - answers->waits_since < (int64_t)answers->wait_s[step] * 1000;
}

/* The gate has stayed shut: it is overruled, or what it says ends it. */
static void force(struct answers *answers, struct wizard *wizard, enum step step)
{
    const struct gate *gate = &wizard->model.upgrade.gates[step];
    if (!gate->can_overrule || !answers->overrule[step])
        answers_stop(wizard, 7, "step %d, %s, stays shut: %s", step_texts[step].number, step_texts[step].title, gate->reason);
    else if (answers_is_at(answers, wizard, step))
        answers_will_say(answers, "o", "Overrule", step_texts[step].word, NULL);
}

/* True: the gate is open. Else it is waited for, so long as it may. */
bool answers_pass(struct answers *answers, struct wizard *wizard, enum step step)
{
    const struct gate *gate = &wizard->model.upgrade.gates[step];
    if (gate->open) {
        answers->waits_since = 0;
        return true;
    }
    if (!answers_may_wait(answers, step))
        force(answers, wizard, step);
    return false;
}

/* Step by step. */

/* The number of the row that has this cell, as it was told; 0: there is none yet. */
static size_t find_row(const struct dialogue *dialogue, const char *cell)
{
    char *inside = mem_printf("; %s;", cell);
    size_t number = 0;
    for (size_t i = 0; i < dialogue->told.count && number == 0; i++) {
        const struct told_line *line = &dialogue->told.lines[i];
        char *cells = mem_printf("; %s;", line->text);
        if (line->kind == TOLD_ROW && strstr(cells, inside) != NULL)
            number = line->number;
        free(cells);
    }
    free(inside);
    return number;
}

/* "stop node 2". Not before the row was told. */
static void say_of_row(struct answers *answers, const struct dialogue *dialogue, const char *word, const char *cell, const char *answer, const char *name)
{
    size_t number = find_row(dialogue, cell);
    char *choice = mem_printf("%s %zu", word, number);
    if (number > 0)
        answers_will_say(answers, choice, answer, name, NULL);
    free(choice);
}

/* Warnings that the file acknowledges. False: something is still to be said, or stopped it. */
static bool passes_checks(struct answers *answers, struct wizard *wizard, const struct dialogue *dialogue)
{
    const struct check_results *results = &wizard->model.checks;
    for (size_t i = 0; i < results->count; i++) {
        const struct check_result *each = &results->list[i];
        const char *found = each->evidence.count > 0 ? each->evidence.list[0] : each->check->title;
        bool blocks = each->outcome == CHECK_FOUND && each->severity == CHECK_BLOCKS;
        if (!check_is_open(each, &wizard->model.acknowledged))
            continue;
        if (blocks || !names_have(&answers->acknowledged, each->check->id)) {
            answers_stop(wizard, 7, "the check %s %s: %s%s", each->check->id, blocks ? "blocks" : "warns", found,
                 blocks ? "" : " (mend it, or acknowledge it in [preflight])");
        } else if (answers_is_at(answers, wizard, STEP_PREFLIGHT)) {
            char *cell = mem_printf("check %s", each->check->title);
            say_of_row(answers, dialogue, "acknowledge", cell, NULL, NULL);
            free(cell);
        }
        return false;
    }
    return true;
}

static bool has_fresh_backup(const struct model *model)
{
    const struct backup_made *newest = backups_newest(&model->backups);
    return newest != NULL && clock_wall_ms() - newest->as_of_ms < BACKUP_FRESH_MS;
}

/* How the last run from here, or backup, ended is known, and it was well. */
static bool has_ended_well(struct answers *answers, struct wizard *wizard)
{
    const struct model *model = &wizard->model;
    if (answers->backs_up) {
        if (!has_fresh_backup(model) && clock_ms() - answers->line_at < SETTLE_MS)
            return false;
        answers->backs_up = false;
        if (!has_fresh_backup(model))
            answers_stop(wizard, 1, "no backup was made%s%s", model->backups.failure != NULL ? ": " : "", model->backups.failure != NULL ? model->backups.failure : "");
        return !wizard->leaving;
    }
    if (answers->run_begun && model->journal_path != NULL) {
        answers->run_begun = false;
        if (!model->run.ended)
            answers_stop(wizard, 1, "the worker ended without a word; nothing half done is left, and starting again goes on from there");
        else if (model->run.exit_code != 0)
            answers_stop(wizard, model->run.exit_code, "%s", model->run.message);
    }
    return !wizard->leaving;
}

static void start_up(struct answers *answers, struct wizard *wizard, const struct dialogue *dialogue)
{
    const struct model *model = &wizard->model;
    bool installs = model->state.stage == STAGE_EMPTY, makes_backup = answers->backup != NULL && answers->backup[0] == '/';
    char reason[512];
    if (model_finish_first(model)) {
        answers_stop(wizard, 7, "%s", model->upgrade.gates[STEP_UP].reason);
        return;
    }
    if (!passes_checks(answers, wizard, dialogue) || !answers_pass(answers, wizard, STEP_UP) || !answers_is_at(answers, wizard, STEP_UP))
        return;
    if (!model->has_plan || model_refusal(model, STEP_UP, reason, sizeof reason)[0] != '\0') {
        if (!answers_may_wait(answers, STEP_UP))
            answers_stop(wizard, 7, "step 1 can't be started: %s", model->has_plan ? reason : "there is no plan yet");
        return;
    }
    if (!installs && makes_backup && !has_fresh_backup(model)) {
        answers->backs_up = true;
        answers_will_say(answers, "back up", answers->backup, NULL);
    } else if (!installs && !backup_is_there(model) && answers->backup == NULL) {
        answers_stop(wizard, 7, "no backup was made here: say in [up] where to (backup = FOLDER), or that there is another (backup = another)");
    } else {
        answers->run_begun = true;
        answers_will_say(answers, "start", installs || backup_is_there(model) ? "Start" : "I have another: start", NULL);
    }
}

/* All new nodes are ready. */
static bool is_provisioned(struct answers *answers, struct wizard *wizard)
{
    const struct model *model = &wizard->model;
    size_t ready = model_count_nodes(model, CLUSTER_NEW, node_is_ready), all = model_count_nodes(model, CLUSTER_NEW, NULL);
    if (all > 0 && ready == all)
        return answers_pass(answers, wizard, STEP_DIVERT);
    if (answers->hook[STEP_PROVISION] && !hooks_has(model, HOOK_PROVISION)) {
        answers_stop(wizard, 7, "[provision] wants the hook, and fleet.ini has no provision hook");
    } else if (answers->hook[STEP_PROVISION] && !answers->provisioned && all > 0) {
        if (answers_is_at(answers, wizard, STEP_PROVISION) && hooks_enabled(model, HOOK_PROVISION)) {
            answers->provisioned = true;
            answers_will_say(answers, "provision", "Run the hook", NULL);
        }
    } else if (answers_is_at(answers, wizard, STEP_PROVISION) && !answers_may_wait(answers, STEP_PROVISION)) {
        if (model->upgrade.gates[STEP_DIVERT].open && answers->overrule[STEP_DIVERT])
            return true;
        if (!model->upgrade.gates[STEP_DIVERT].open)
            force(answers, wizard, STEP_DIVERT);
        else
            answers_stop(wizard, 7, "%zu of %zu new nodes are ready, and the time for it is over", ready, all);
    }
    return false;
}

/* The old nodes are stopped, one by one where that is the hook's. */
static bool is_decommissioned(struct answers *answers, struct wizard *wizard, const struct dialogue *dialogue)
{
    const struct model *model = &wizard->model;
    if (model_count_nodes(model, CLUSTER_OLD, node_is_there) == 0 || !answers->hook[STEP_DECOMMISSION])
        return answers_pass(answers, wizard, STEP_FINISH);
    if (!hooks_has(model, HOOK_DECOMMISSION)) {
        answers_stop(wizard, 7, "[decommission] wants the hook, and fleet.ini has no decommission hook");
        return false;
    }
    for (size_t i = 0; i < model->node_count; i++) {
        const struct node *node = model->nodes[i].node;
        if (node->cluster != CLUSTER_OLD || !node_is_there(node) || names_have(&answers->stopped, node->name))
            continue;
        if (answers_is_at(answers, wizard, STEP_DECOMMISSION) && hooks_enabled(model, HOOK_DECOMMISSION)) {
            say_of_row(answers, dialogue, "stop node", node->name, "Run the hook", node->name);
            if (answers->lines.count > 0)
                names_add(&answers->stopped, node->name);
        }
        return false;
    }
    return answers_pass(answers, wizard, STEP_FINISH);
}

static void start_finish(struct answers *answers, struct wizard *wizard)
{
    const struct model *model = &wizard->model;
    char reason[512];
    bool refused = !model->has_plan || model->plan.kind != PLAN_FINISH || model_refusal(model, STEP_FINISH, reason, sizeof reason)[0] != '\0';
    if (answers->confirm == NULL)
        answers_stop(wizard, 7, "the answers do not confirm step 5, which can't be undone: say in [finish] confirm = %s", model->state.database);
    else if (strcmp(answers->confirm, model->state.database) != 0)
        answers_stop(wizard, 7, "[finish] confirms database %s, and this one is %s", answers->confirm, model->state.database);
    else if (!backup_is_there(model) && (answers->backup == NULL || answers->backup[0] == '/'))
        answers_stop(wizard, 7, "no backup is there; say in [up] that there is another (backup = another), or make one");
    else if (answers_is_at(answers, wizard, STEP_FINISH) && !refused) {
        answers->run_begun = true;
        answers_will_say(answers, "finish", backup_is_there(model) ? "Finish" : "I have another: finish", answers->confirm, NULL);
    }
}

static void end_well(struct answers *answers, struct wizard *wizard)
{
    if (answers->report == NULL || answers->reported) {
        wizard->leaving = true;
    } else if (answers_is_at(answers, wizard, STEP_DONE) && wizard->model.report != NULL) {
        answers->reported = true;
        answers_will_say(answers, "save report", answers->report, NULL);
    }
}

/* Whoever works, or is asked, is waited for. */
static bool is_busy(const struct model *model)
{
    return model->starting || model->run_alive || model->hook_starting || hooks_run(model) || model->checks_running || model_is_watching(model);
}

static void decide(struct answers *answers, struct wizard *wizard, const struct dialogue *dialogue)
{
    const struct model *model = &wizard->model;
    const struct gate *gate = &model->upgrade.gates[STEP_PREFLIGHT];
    if (!model->has_state) {
        if (answers->begun_at == 0)
            answers->begun_at = clock_ms();
        if (model->conf_error != NULL || clock_ms() - answers->begun_at > STATE_WAIT_S * 1000)
            answers_stop(wizard, EXIT_ERROR, "%s", model->conf_error != NULL ? model->conf_error : model->state_error != NULL ? model->state_error : "the database does not answer");
        return;
    }
    if (is_busy(model) || !has_ended_well(answers, wizard))
        return;
    if (!gate->open)
        answers_stop(wizard, 7, "%s", gate->reason);
    else if (model->state.stage == STAGE_CURRENT)
        end_well(answers, wizard);
    else if (!model->checks_run)
        return;
    else if (!model_is_up(model))
        start_up(answers, wizard, dialogue);
    else if (is_provisioned(answers, wizard) && answers_are_diverted(answers, wizard) && is_decommissioned(answers, wizard, dialogue))
        start_finish(answers, wizard);
}

/* What was begun has failed: the last message says why. */
static bool has_failed(struct answers *answers, struct wizard *wizard)
{
    const struct view *view = &wizard->view;
    bool bad = view->message[0] != '\0' && view->message_mark == MARK_DANGER && view->message_until != answers->message_until;
    answers->message_until = view->message_until;
    if (bad && !(answers->run_begun && wizard->model.run.ended))
        answers_stop(wizard, EXIT_ERROR, "%s", view->message);
    return bad;
}

void answers_go_on(struct answers *answers, struct wizard *wizard, struct dialogue *dialogue)
{
    bool more = answers->next_line < answers->lines.count;
    if (!dialogue_waits(dialogue) || wizard->leaving)
        return;
    if (has_failed(answers, wizard))
        return;
    if (dialogue->asks == DIALOGUE_HOOK || dialogue->asks == DIALOGUE_COUNTDOWN)
        return;
    if (dialogue->asks != DIALOGUE_CHOICE) {
        if (more)
            say_next(answers, wizard, dialogue);
        else
            answers_stop(wizard, 7, "the dialogue asks what the answers do not say: %s", dialogue->asks == DIALOGUE_TEXT ? wizard->view.title : wizard->view.dialog.title);
        return;
    }
    answers_will_say(answers, NULL);   /* what is left was for a dialog that did not open */
    decide(answers, wizard, dialogue);
    if (answers->lines.count > 0 && !wizard->leaving)
        say_next(answers, wizard, dialogue);
}
