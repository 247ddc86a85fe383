/* The dialogue: what it tells. */
#include "screens/dialogue_internal.h"

#include "core/base/mem.h"
#include "screens/hooks.h"
#include "screens/why.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_TOLD 20         /* of a list that was not asked for in full */
#define PROGRESS_MS 10000    /* between lines on how far a run is, where it says nothing else */

/* The screen. */

static void hear_screen(struct wizard *wizard, struct dialogue *dialogue)
{
    struct canvas canvas;
    char text[WIZARD_STATUS_SIZE];
    told_begin(&dialogue->told, &canvas);
    wizard->view.charset = canvas.charset;
    wizard_screen(wizard)->draw(wizard, canvas_area(&canvas));
    const struct prose_block status = wizard_status(wizard, text, sizeof text);
    told_add(&dialogue->told, TOLD_MARK, status.mark, status.text);
}

static void take_gists(const struct told *told, struct names *gists)
{
    names_free(gists);
    for (size_t i = 0; i < told->count; i++)
        names_add(gists, told->lines[i].gist);
}

void dialogue_say_why(struct wizard *wizard, struct dialogue *dialogue)
{
    const struct step_text text = why_text(wizard);
    dialogue_say(dialogue, "", text.does);
    dialogue_say_marked(dialogue, text.irreversible ? MARK_DANGER : MARK_INFO, text.safe);
    dialogue_say(dialogue, "Way out: ", text.out);
    dialogue->why_told[wizard->view.shown] = true;
}

static void say_title(struct wizard *wizard, struct dialogue *dialogue)
{
    const struct step_text *text = &step_texts[wizard->view.shown];
    char *title = text->number > 0 ? mem_printf("Step %d of 5: %s", text->number, text->title) : mem_dup(text->title);
    dialogue_say(dialogue, "", "");
    dialogue_say(dialogue, "== ", title);
    free(title);
}

/* All that the screen says. Of a long list only its beginning, unless it is asked for. */
static void say_screen(struct wizard *wizard, struct dialogue *dialogue)
{
    const struct told *told = &dialogue->told;
    size_t rows = 0;
    say_title(wizard, dialogue);
    if (!dialogue->why_told[wizard->view.shown])
        dialogue_say_why(wizard, dialogue);
    for (size_t i = 0; i < told->count; i++) {
        bool row = told->lines[i].kind == TOLD_ROW || told->lines[i].kind == TOLD_LISTED;
        rows += row ? 1 : 0;
        if (!row || rows <= ROWS_TOLD || dialogue->read_all)
            dialogue_say_line(dialogue, &told->lines[i]);
    }
    if (rows > ROWS_TOLD && !dialogue->read_all) {
        char *more = mem_printf("%zu more; `all` tells them.", rows - ROWS_TOLD);
        dialogue_say(dialogue, "  ", more);
        free(more);
    }
    dialogue->read = dialogue->read_all = false;
    take_gists(told, &dialogue->said);
}

/* What stands there for two frames and was not said before. While a run is shown, its log tells of its changes. */
static void say_news(struct wizard *wizard, struct dialogue *dialogue)
{
    const struct told *told = &dialogue->told;
    bool runs = model_runs(&wizard->model, wizard->view.shown), news = false;
    for (size_t i = 0; i < told->count; i++) {
        const struct told_line *line = &told->lines[i];
        bool row = line->kind == TOLD_ROW || line->kind == TOLD_LISTED || line->kind == TOLD_LITERAL;
        bool tells = !(runs && (row || line->kind == TOLD_TEXT));
        if (!tells || names_have(&dialogue->said, line->gist) || !names_have(&dialogue->before, line->gist))
            continue;
        dialogue_say_line(dialogue, line);
        news = true;
    }
    if (news)
        dialogue->told_at = wizard->model.now;
    names_free(&dialogue->said);
    for (size_t i = 0; i < told->count; i++)   /* what came this moment is news in the next one, if it stays */
        if (names_have(&dialogue->before, told->lines[i].gist))
            names_add(&dialogue->said, told->lines[i].gist);
}

/* How far the run is, now and then. */
static void say_progress(struct wizard *wizard, struct dialogue *dialogue)
{
    const struct model *model = &wizard->model;
    if (!model->run_alive || !model_runs(model, wizard->view.shown) || model->now - dialogue->told_at < PROGRESS_MS)
        return;
    for (size_t i = 0; i < dialogue->told.count; i++)
        if (dialogue->told.lines[i].kind == TOLD_TEXT)
            dialogue_say_line(dialogue, &dialogue->told.lines[i]);
    dialogue->told_at = model->now;
}

static void tell_screen(struct wizard *wizard, struct dialogue *dialogue)
{
    bool another = !dialogue->entered || dialogue->step != wizard->view.shown;
    hear_screen(wizard, dialogue);
    if (another || dialogue->read) {
        dialogue->entered = true;
        dialogue->step = wizard->view.shown;
        free(dialogue->choices);
        dialogue->choices = NULL;
        say_screen(wizard, dialogue);
        dialogue->told_at = wizard->model.now;
    } else {
        say_news(wizard, dialogue);
        say_progress(wizard, dialogue);
    }
    take_gists(&dialogue->told, &dialogue->before);
}

/* What comes by itself. */

static void tell_message(struct wizard *wizard, struct dialogue *dialogue)
{
    const struct view *view = &wizard->view;
    bool same = dialogue->message != NULL && dialogue->message_until == view->message_until && strcmp(dialogue->message, view->message) == 0;
    if (view->message[0] == '\0' || same)
        return;
    free(dialogue->message);
    dialogue->message = mem_dup(view->message);
    dialogue->message_until = view->message_until;
    dialogue_say_marked(dialogue, view->message_mark, view->message);
    dialogue->told_at = wizard->model.now;
}

/* Where the upgrade stands, each time that it is another step; the first time the screen says it. */
static void tell_here(struct wizard *wizard, struct dialogue *dialogue)
{
    enum step here = wizard->model.upgrade.here;
    const struct step_text *text = &step_texts[here];
    if (!wizard->model.has_state || here == dialogue->here)
        return;
    dialogue->here = here;
    if (text->number == 0)
        return;
    char *sentence = mem_printf("The upgrade stands at step %d of 5, %s.", text->number, text->title);
    dialogue_say(dialogue, "", sentence);
    free(sentence);
}

/* A worker that waits says so again and again, with other figures: now and then is enough. */
static bool is_news(struct dialogue *dialogue, const char *line, int64_t now)
{
    char *gist = told_gist(line);
    bool again = dialogue->log_gist != NULL && strcmp(dialogue->log_gist, gist) == 0 && now - dialogue->told_at < PROGRESS_MS;
    free(dialogue->log_gist);
    dialogue->log_gist = gist;
    return !again;
}

/* Of a run that had ended before, only how it ended is told, by its screen. */
static void tell_log(struct wizard *wizard, struct dialogue *dialogue)
{
    const struct model *model = &wizard->model;
    const struct names *log = &model->run.log;
    if (model->journal_path == NULL)
        return;
    if (dialogue->log_path == NULL || strcmp(dialogue->log_path, model->journal_path) != 0) {
        bool old = dialogue->log_path == NULL && !model->run_alive && !model->run_is_news;
        free(dialogue->log_path);
        dialogue->log_path = mem_dup(model->journal_path);
        dialogue->log_count = old || (!model->run_alive && model->run.ended && !dialogue->entered) ? log->count : 0;
    }
    for (; dialogue->log_count < log->count; dialogue->log_count++)
        if (is_news(dialogue, log->list[dialogue->log_count], model->now)) {
            dialogue_say(dialogue, "", log->list[dialogue->log_count]);
            dialogue->told_at = model->now;
        }
}

static void tell_hook(struct wizard *wizard, struct dialogue *dialogue)
{
    const struct hook_follower *hook = &wizard->model.hook;
    if (hook->path == NULL)
        return;
    size_t count = hook->lines.dropped + hook->lines.count;
    if (dialogue->hook_path == NULL || strcmp(dialogue->hook_path, hook->path) != 0) {
        bool old = dialogue->hook_path == NULL && !dialogue->entered;
        free(dialogue->hook_path);
        dialogue->hook_path = mem_dup(hook->path);
        dialogue->hook_count = old ? count : 0;
    }
    for (; dialogue->hook_count < count; dialogue->hook_count++)
        if (dialogue->hook_count >= hook->lines.dropped)
            dialogue_say(dialogue, "  hook: ", hook_lines_get(&hook->lines, dialogue->hook_count - hook->lines.dropped));
}

/* What is over the screen. */

static void tell_dialog(struct wizard *wizard, struct dialogue *dialogue)
{
    struct view *view = &wizard->view;
    const struct dialog_model *dialog = &view->dialog;
    dialogue_say(dialogue, "", "");
    dialogue_say_marked(dialogue, dialog->mark, dialog->title);
    dialogue_say_prose(dialogue, &view->text);
    view->dialog_state.prose.end_seen = true;   /* all of it was told */
    for (size_t i = 0; i < dialog->answer_count; i++) {
        char letter[8];
        snprintf(letter, sizeof letter, "  %c. ", (char)('a' + i));
        dialogue_say(dialogue, letter, dialog->answers[i].label);
    }
    char *hint = mem_printf("Your answer: a letter. Enter alone: %s.", dialog->answers[dialog->safe].label);
    dialogue_say(dialogue, "", hint);
    free(hint);
    dialogue->asks = DIALOGUE_ANSWER;
}

static void tell_prompt(struct wizard *wizard, struct dialogue *dialogue)
{
    struct view *view = &wizard->view;
    const char *text = view->field_state.text;
    char *hint = text[0] != '\0' ? mem_printf("%s (Enter alone: %s; a single dot: none)", view->field.label != NULL ? view->field.label : "Text", text)
                                 : mem_printf("%s%s%s (a single dot: none)", view->field.label != NULL ? view->field.label : "Text",
                                              view->field.placeholder != NULL ? ", as: " : "", view->field.placeholder != NULL ? view->field.placeholder : "");
    dialogue_say(dialogue, "", "");
    dialogue_say(dialogue, "", view->title);
    dialogue_say(dialogue, "", hint);
    free(hint);
    dialogue->asks = DIALOGUE_TEXT;
}

static void tell_countdown(struct wizard *wizard, struct dialogue *dialogue)
{
    char *text = mem_printf("%s %d s, and can't be undone. Enter stops it.", wizard->view.countdown.what, COUNTDOWN_MS / 1000);
    dialogue_say_marked(dialogue, MARK_DANGER, text);
    free(text);
    dialogue->asks = DIALOGUE_COUNTDOWN;
}

static void tell_overlay(struct wizard *wizard, struct dialogue *dialogue)
{
    struct view *view = &wizard->view;
    view->countdown.drawn = true;   /* once it was told, its seconds count */
    if (view->overlay == OVERLAY_HOOK && !hooks_run(&wizard->model))
        view->overlay = OVERLAY_NONE;
    if (dialogue->overlay_told && view->overlay != OVERLAY_NONE)
        return;
    dialogue->overlay_told = view->overlay != OVERLAY_NONE;
    if (view->overlay == OVERLAY_TEXT) {
        dialogue_say(dialogue, "", "");
        dialogue_say(dialogue, "", view->title);
        dialogue_say_prose(dialogue, &view->text);
        view->overlay = OVERLAY_NONE;
        dialogue->overlay_told = false;
    } else if (view->overlay == OVERLAY_DIALOG) {
        tell_dialog(wizard, dialogue);
    } else if (view->overlay == OVERLAY_PROMPT) {
        tell_prompt(wizard, dialogue);
    } else if (view->overlay == OVERLAY_COUNTDOWN) {
        tell_countdown(wizard, dialogue);
    } else if (view->overlay == OVERLAY_HOOK) {
        dialogue_say(dialogue, "", "The hook runs. x stops it; Enter alone goes back to the choices, and it goes on.");
        dialogue->asks = DIALOGUE_HOOK;
    }
    if (view->overlay == OVERLAY_NONE)
        dialogue->asks = DIALOGUE_CHOICE;
}

/* What can be chosen, where that has changed and stays so. */
static void tell_choices(struct wizard *wizard, struct dialogue *dialogue)
{
    char *choices = dialogue_choices(wizard, false);
    bool stays = dialogue->choices_before != NULL && strcmp(dialogue->choices_before, choices) == 0;
    if (stays && (dialogue->choices == NULL || strcmp(dialogue->choices, choices) != 0)) {
        dialogue_say(dialogue, "", choices);
        free(dialogue->choices);
        dialogue->choices = mem_dup(choices);
    }
    free(dialogue->choices_before);
    dialogue->choices_before = choices;
}

void dialogue_show(struct wizard *wizard, struct dialogue *dialogue)
{
    tell_log(wizard, dialogue);
    tell_hook(wizard, dialogue);
    tell_message(wizard, dialogue);
    tell_overlay(wizard, dialogue);
    if (wizard->view.overlay == OVERLAY_NONE) {
        tell_here(wizard, dialogue);
        tell_screen(wizard, dialogue);
        tell_choices(wizard, dialogue);
    }
    dialogue->prompt_shown = wizard->answers == NULL;   /* else it is told with the answer */
    if (!dialogue->prompted && dialogue->prompt_shown)
        buf_add(&dialogue->out, "> ");
    dialogue->prompted = true;
}

bool dialogue_waits(const struct dialogue *dialogue)
{
    return dialogue->prompted && dialogue->entered;
}

void dialogue_free(struct dialogue *dialogue)
{
    buf_free(&dialogue->out);
    told_free(&dialogue->told);
    names_free(&dialogue->before);
    names_free(&dialogue->said);
    free(dialogue->choices);
    free(dialogue->choices_before);
    free(dialogue->message);
    free(dialogue->log_path);
    free(dialogue->log_gist);
    free(dialogue->hook_path);
    *dialogue = (struct dialogue){0};
}
