/* The dialogue: what a line of the operator's does. */
#include "screens/dialogue_internal.h"

#include "core/base/mem.h"
#include "screens/hooks.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* A choice. */

static void refuse(struct dialogue *dialogue, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void refuse(struct dialogue *dialogue, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = mem_vprintf(format, arguments);
    va_end(arguments);
    dialogue_say(dialogue, "", text);
    free(text);
}

/* The choices are told once more. */
static void ask_again(struct dialogue *dialogue)
{
    free(dialogue->choices);
    dialogue->choices = NULL;
}

/* "details 3": the word, and the number; 0: none was given. */
static char *split_number(const char *line, size_t *number)
{
    const char *last = strrchr(line, ' ');
    *number = 0;
    if (last == NULL || last[1] == '\0' || last[1 + strspn(last + 1, "0123456789")] != '\0' || strlen(last + 1) > 9)
        return mem_dup(line);
    *number = strtoul(last + 1, NULL, 10);
    return mem_ndup(line, (size_t)(last - line));
}

static bool select_row(struct wizard *wizard, struct dialogue *dialogue, const char *word, size_t number, const struct keys_row *row)
{
    if (number == 0 && dialogue->told.rows == 1)
        number = 1;
    bool selected = dialogue_select(wizard, number, row);
    if (number == 0)
        refuse(dialogue, "Which one? Write its number, as in: %s 2", word);
    else if (!selected)
        refuse(dialogue, "There is no item %zu in the list for that.", number);
    return selected;
}

static void help(struct wizard *wizard, struct dialogue *dialogue)
{
    char *choices = dialogue_choices(wizard, true);
    dialogue_say(dialogue, "", "");
    dialogue_say(dialogue, "", "Write a key or its word, and Enter:");
    dialogue_say(dialogue, "  ", choices);
    free(choices);
}

static void open_row(struct wizard *wizard)
{
    const struct input enter = {.kind = INPUT_KEY, .key = K_ENTER};
    struct pane pane;
    if (pane_here(wizard, &pane))
        pane_key(wizard, &pane, &enter);
    pane_free(&pane);
}

static void act(struct wizard *wizard, struct dialogue *dialogue, int action)
{
    const struct gate *gate = &wizard->model.upgrade.gates[wizard->view.shown];
    if (action == ACTION_HELP)
        help(wizard, dialogue);
    else if (action == ACTION_WHY)
        dialogue_say_why(wizard, dialogue);
    else if (action == ACTION_GLYPHS || action == ACTION_THEME || action == ACTION_REPAINT || action == ACTION_COPY || action == ACTION_FOCUS)
        refuse(dialogue, "That is for the full screen.");
    else if (!dialogue_enabled(wizard, action))
        refuse(dialogue, "That can't be done now.%s%s", gate->open ? "" : " ", gate->open ? "" : gate->reason);
    else if (action > 0)
        wizard_act(wizard, action);
    else
        open_row(wizard);
}

static void choose(struct wizard *wizard, struct dialogue *dialogue, const char *line)
{
    size_t number;
    int action;
    char *word = split_number(line, &number);
    const struct keys_row *row = dialogue_find(wizard, word, &action);
    dialogue->read_all = strcasecmp(word, "all") == 0;
    if (dialogue->read_all || strcasecmp(word, "read") == 0)
        dialogue->read = true;
    else if (word[0] == '\0')
        ask_again(dialogue);
    else if (row == NULL && action == 0)
        refuse(dialogue, "There is no choice '%s'. Write ? for help.", word);
    else if (row == NULL || !dialogue_needs_row(row) || select_row(wizard, dialogue, word, number, row))
        act(wizard, dialogue, action);
    free(word);
}

/* What is over the screen. */

/* Letters apart from blanks and case: "25%" is "25 %". */
static bool is_alike(const char *a, const char *b)
{
    for (;; a++, b++) {
        while (*a == ' ')
            a++;
        while (*b == ' ')
            b++;
        if (tolower((unsigned char)*a) != tolower((unsigned char)*b))
            return false;
        if (*a == '\0')
            return true;
    }
}

/* By its letter or its label; answer_count: none of them. */
static size_t find_answer(const struct dialog_model *dialog, const char *line)
{
    if (line[0] == '\0')
        return dialog->safe;
    for (size_t i = 0; i < dialog->answer_count; i++) {
        const char letter[] = {(char)('a' + i), '\0'};
        if (is_alike(letter, line) || is_alike(dialog->answers[i].label, line))
            return i;
    }
    return dialog->answer_count;
}

static void close_dialog(struct wizard *wizard, struct dialogue *dialogue, size_t answer)
{
    dialogue->overlay_told = false;
    dialogue->asks = DIALOGUE_CHOICE;
    ask_again(dialogue);
    wizard_answer(wizard, answer);
}

static void answer(struct wizard *wizard, struct dialogue *dialogue, const char *line)
{
    const struct dialog_model *dialog = &wizard->view.dialog;
    size_t chosen = find_answer(dialog, line);
    if (chosen >= dialog->answer_count) {
        refuse(dialogue, "There is no answer '%s'. Write the letter of one, or Enter alone: %s.", line, dialog->answers[dialog->safe].label);
    } else if (dialog->answers[chosen].needs_typing) {
        dialogue->answer = chosen;
        dialogue->asks = DIALOGUE_NAME;
        if (dialog->type_label != NULL)
            refuse(dialogue, "%s, and Enter:", dialog->type_label);
        else
            refuse(dialogue, "To confirm, type %s, and Enter:", dialog->must_type);
    } else {
        close_dialog(wizard, dialogue, chosen);
    }
}

static void type_name(struct wizard *wizard, struct dialogue *dialogue, const char *line)
{
    struct view *view = &wizard->view;
    field_set(&view->dialog_state.field, line);
    if (dialog_enabled(&view->dialog, &view->dialog_state, dialogue->answer)) {
        close_dialog(wizard, dialogue, dialogue->answer);
        return;
    }
    refuse(dialogue, "That is not the same: nothing was done.");
    dialogue->asks = DIALOGUE_ANSWER;
    dialogue->overlay_told = false;   /* from the beginning */
}

static void submit(struct wizard *wizard, struct dialogue *dialogue, const char *line)
{
    struct view *view = &wizard->view;
    char text[FIELD_SIZE], message[FIELD_MESSAGE_SIZE];
    ask_again(dialogue);
    if (strcmp(line, ".") == 0) {
        view->overlay = OVERLAY_NONE;
        dialogue->overlay_told = false;
        return;
    }
    if (line[0] != '\0')
        field_set(&view->field_state, line);
    strcpy(text, view->field_state.text);   /* the prompt may be opened anew by what takes it */
    if (view->field.validate != NULL && !view->field.validate(view->field.context, text, message, sizeof message)) {
        refuse(dialogue, "%s", message);
        return;
    }
    dialogue->overlay_told = false;
    wizard_submit(wizard, text);
}

static void answer_hook(struct wizard *wizard, struct dialogue *dialogue, const char *line)
{
    const struct input input = {.kind = INPUT_KEY, .key = strcmp(line, "x") == 0 ? 'x' : K_ESC};
    if (line[0] != '\0' && strcmp(line, "x") != 0)
        refuse(dialogue, "x stops the hook; Enter alone goes back to the choices.");
    else
        hook_pane_key(wizard, &input);
}

static void stop_countdown(struct wizard *wizard, struct dialogue *dialogue, const char *line)
{
    (void)line;
    ask_again(dialogue);
    countdown_stop(wizard, "a line was written");
}

void dialogue_line(struct wizard *wizard, struct dialogue *dialogue, const char *line)
{
    static void (*const takers[])(struct wizard *, struct dialogue *, const char *) = {
        [DIALOGUE_CHOICE] = choose, [DIALOGUE_ANSWER] = answer, [DIALOGUE_NAME] = type_name, [DIALOGUE_TEXT] = submit, [DIALOGUE_HOOK] = answer_hook,
        [DIALOGUE_COUNTDOWN] = stop_countdown,
    };
    char *text = mem_dup(line + strspn(line, " \t"));
    for (size_t length = strlen(text); length > 0 && isspace((unsigned char)text[length - 1]); length--)
        text[length - 1] = '\0';
    if (!isatty(STDIN_FILENO) && dialogue->prompt_shown)
        buf_add(&dialogue->out, "\n");   /* a terminal's echo has left the prompt */
    dialogue->prompted = false;
    dialogue->interrupts = 0;
    wizard->view.settled = true;
    takers[dialogue->asks](wizard, dialogue, dialogue->asks == DIALOGUE_NAME ? line : text);
    free(text);
}
