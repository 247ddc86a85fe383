/* The keys: what they do on every screen, what is opened over one, and where they go then. */
#include "screens/screen.h"

#include "core/base/mem.h"
#include "core/decisions.h"
#include "screens/copy.h"
#include "screens/explain.h"
#include "screens/face.h"
#include "screens/hooks.h"
#include "screens/kong_note.h"
#include "screens/leave.h"
#include "screens/loop.h"
#include "screens/whole.h"
#include "screens/why.h"
#include "tui/terminal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGE_MS 8000

static const struct screen *const screens[STEPS] = {
    [STEP_WELCOME] = &screen_welcome, [STEP_PREFLIGHT] = &screen_preflight, [STEP_UP] = &screen_up,
    [STEP_PROVISION] = &screen_provision, [STEP_DIVERT] = &screen_divert, [STEP_DECOMMISSION] = &screen_decommission,
    [STEP_FINISH] = &screen_finish, [STEP_DONE] = &screen_done,
};
const struct screen *wizard_screen(const struct wizard *wizard)
{
    return screens[wizard->view.shown];
}

static bool is_enabled_everywhere(const void *context, int action)
{
    const struct wizard *wizard = context;
    const struct gate *gate = &wizard->model.upgrade.gates[wizard->view.shown];
    if (action == ACTION_OVERRULE)
        return !gate->open && gate->can_overrule;
    if (action == ACTION_READ_ALL || action == ACTION_EXPLAIN)
        return wizard->view.cut == (action == ACTION_READ_ALL);
    if (action == ACTION_GUARD)
        return api_guard_is_there(&wizard->model);
    if (action == ACTION_HOOK)
        return wizard->model.hook.path != NULL || wizard->model.hook_starting;
    if (action == ACTION_LEAVE)
        return leave_enabled(wizard);
    if (action == ACTION_PREVIOUS)
        return wizard->view.shown > STEP_WELCOME;
    return action != ACTION_NEXT || wizard->view.shown < STEP_DONE;
}

static bool is_enabled_here(const void *context, int action)
{
    const struct wizard *wizard = context;
    const struct screen *screen = wizard_screen(wizard);
    return screen->enabled == NULL || screen->enabled(wizard, action);
}

static const struct keys_row common_rows[] = {
    {{'e'}, "read all", NULL, ACTION_READ_ALL, -85, NULL},
    {{'e'}, "explain", "All that this screen says, in full, and what its gate and its warnings mean.", ACTION_EXPLAIN, -44, NULL},
    {{K_RIGHT}, "screens", "Go to the next screen, and back to the one before.", ACTION_NEXT, 60, "←→"},
    {{K_LEFT}, NULL, NULL, ACTION_PREVIOUS, 0, NULL},
    {{'o'}, NULL, "Open this step though its gate is shut: its word must be typed, and the report says so.", ACTION_OVERRULE, 0, NULL},
    {{'v'}, NULL, "What the Admin API guard found: writes through new nodes, and what only 1.3 understands.", ACTION_GUARD, 0, NULL},
    {{'h'}, NULL, "What the last hook of fleet.ini says, or said.", ACTION_HOOK, 0, NULL},
    {{'L'}, "leave", "Leave the upgrade: stop here and go on another day, or roll back to the Kong that it began from.", ACTION_LEAVE, -53, NULL},
    {{'1'}, NULL, "Go to step 1, Migrate up; 2 to 5: the other steps.", ACTION_GO_1, 0, NULL},
    {{'2'}, NULL, NULL, ACTION_GO_2, 0, NULL},
    {{'3'}, NULL, NULL, ACTION_GO_3, 0, NULL},
    {{'4'}, NULL, NULL, ACTION_GO_4, 0, NULL},
    {{'5'}, NULL, NULL, ACTION_GO_5, 0, NULL},
    {{'w'}, NULL, "Show or hide what this step does, what is safe and how to get out.", ACTION_WHY, 0, NULL},
    {{'b'}, NULL, "Change between line-drawing and plain ASCII characters.", ACTION_GLYPHS, 0, NULL},
    {{'t'}, NULL, "Change the colours: dark, light, contrast, mono.", ACTION_THEME, 0, NULL},
    {{K_CTRL('l')}, NULL, "Paint the screen anew.", ACTION_REPAINT, 0, NULL},
    {{'?', K_F1}, "help", "This help.", ACTION_HELP, 80, NULL},
    {{'q', K_F1 + 9}, "quit", "Leave. Nothing is lost: a running worker goes on, and the wizard opens where the upgrade stands.", ACTION_QUIT, 90, NULL},
};

/* Every list has these, every text those: pane.h. */
#define MOVING "Move: ↑ ↓ PgUp PgDn, Home and End, or k j g G."
#define SEARCHING "Search, in capitals or not; n next, N previous, Esc ends it."

static const struct keys_row list_rows[] = {
    {{K_NONE}, "details", "The selected row in full, and what it means.", 0, 52, "Enter"},
    {{K_NONE}, NULL, MOVING, 0, 0, "↑↓"},
    {{K_NONE}, "search", SEARCHING, 0, 35, "/"},
    {{'y'}, "copy", "Copy the selected row: to the terminal's clipboard, or into a file (--copy).", ACTION_COPY, -22, NULL},
    {{K_TAB}, "next list", "The other list of this screen.", ACTION_FOCUS, -48, NULL},
};

static const struct keys_row prose_rows[] = {
    {{K_NONE}, "scroll", MOVING, 0, 40, "↑↓"},
    {{K_NONE}, "search", SEARCHING, 0, 35, "/"},
    {{'y'}, "copy", "Copy the text: to the terminal's clipboard, or into a file (--copy).", ACTION_COPY, -22, NULL},
};

static const struct keys_row text_rows[] = {
    {{K_NONE}, "scroll", NULL, 0, 50, "↑↓"},
    {{K_NONE}, "search", NULL, 0, 45, "/"},
    {{K_NONE}, "copy", NULL, 0, 40, "y"},
    {{K_NONE}, "close", NULL, 0, 90, "Esc"},
};

static const struct keys_row hook_rows[] = {
    {{K_NONE}, "scroll", NULL, 0, 50, "↑↓"},
    {{K_NONE}, "search", NULL, 0, 45, "/"},
    {{K_NONE}, "copy", NULL, 0, 40, "y"},
    {{K_NONE}, "stop", NULL, 0, 60, "x"},
    {{K_NONE}, "close", NULL, 0, 90, "Esc"},
};

static const struct keys_row countdown_rows[] = {
    {{K_NONE}, "stop: nothing is changed", NULL, 0, 90, "any key"},
};

static const char help_title[] = "Help (? once more: the words that are used here)";

static const struct keys_row prompt_rows[] = {
    {{K_NONE}, "accept", NULL, 0, 90, "Enter"},
    {{K_NONE}, "cancel", NULL, 0, 80, "Esc"},
};

static const struct keys_row path_rows[] = {
    {{K_NONE}, "accept", NULL, 0, 90, "Enter"},
    {{K_NONE}, "complete", NULL, 0, 70, "Tab"},
    {{K_NONE}, "cancel", NULL, 0, 80, "Esc"},
};

static const struct keys_row dialog_rows[] = {
    {{K_NONE}, "choose", NULL, 0, 90, "Enter"},
    {{K_NONE}, "move", NULL, 0, 80, "Tab"},
    {{K_NONE}, "scroll", NULL, 0, 40, "↑↓"},
    {{K_NONE}, "cancel", NULL, 0, 70, "Esc"},
};

static struct keys_map map_common(const struct wizard *wizard)
{
    return (struct keys_map){common_rows, COUNT_OF(common_rows), is_enabled_everywhere, wizard, NULL};
}

static bool is_enabled_in_pane(const void *context, int action)
{
    const struct wizard *wizard = context;
    return action != ACTION_FOCUS || pane_has_others(wizard);
}

/* The pane's keys; where there is none, none. */
static struct keys_map map_pane(const struct wizard *wizard, const struct pane *pane, const struct keys_map *common)
{
    bool texts = pane->list == NULL, empty = texts ? pane->text == NULL : pane->table.row_count == 0 && !pane_has_others(wizard);
    return (struct keys_map){texts ? prose_rows : list_rows, empty ? 0 : texts ? COUNT_OF(prose_rows) : COUNT_OF(list_rows), is_enabled_in_pane, wizard, common};
}

void wizard_fill_maps(struct wizard_maps *maps, const struct wizard *wizard, const struct pane *pane)
{
    const struct screen *screen = wizard_screen(wizard);
    maps->common = map_common(wizard);
    maps->pane = map_pane(wizard, pane, &maps->common);
    maps->here = (struct keys_map){screen->keys, screen->key_count, is_enabled_here, wizard, &maps->pane};
}

/* The footer: the keys that work here now. */
void wizard_draw_keys(struct wizard *wizard, struct area area)
{
    const struct view *view = &wizard->view;
    const struct keys_map text = {text_rows, COUNT_OF(text_rows), NULL, NULL, NULL};
    const struct keys_map overlays[] = {
        [OVERLAY_LEAVE] = leave_keys(wizard),
        [OVERLAY_TEXT] = {view->text_keys, view->text_key_count, is_enabled_here, wizard, &text},
        [OVERLAY_DIALOG] = {dialog_rows, COUNT_OF(dialog_rows), NULL, NULL, NULL},
        [OVERLAY_PROMPT] = {view->field.path ? path_rows : prompt_rows, view->field.path ? COUNT_OF(path_rows) : COUNT_OF(prompt_rows), NULL, NULL, NULL},
        [OVERLAY_COUNTDOWN] = {countdown_rows, COUNT_OF(countdown_rows), NULL, NULL, NULL},
        [OVERLAY_HOOK] = {hook_rows, COUNT_OF(hook_rows), NULL, NULL, NULL},
    };
    struct wizard_maps maps;
    struct pane pane;
    pane_here(wizard, &pane);
    wizard_fill_maps(&maps, wizard, &pane);
    keys_draw(area, view->overlay == OVERLAY_NONE ? &maps.here : &overlays[view->overlay]);
    pane_free(&pane);
}

/* Services. */

void wizard_say(struct wizard *wizard, enum mark mark, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(wizard->view.message, sizeof wizard->view.message, format, arguments);
    va_end(arguments);
    wizard->view.message_mark = mark;
    wizard->view.message_until = wizard->model.now + (mark == MARK_DANGER ? 3 : 1) * MESSAGE_MS;
}

void wizard_say_error(struct wizard *wizard, struct error *error)
{
    wizard_say(wizard, MARK_DANGER, "%s", error->message != NULL ? error->message : "unknown error");
    error_clear(error);
}

void wizard_open_text(struct wizard *wizard, const char *title)
{
    struct view *view = &wizard->view;
    free(view->title);
    view->title = mem_dup(title);
    prose_clear(&view->text);
    view->text_state = (struct prose_state){0};
    view->text_keys = NULL;
    view->text_key_count = 0;
    view->check_shown = NULL;
    view->overlay = OVERLAY_TEXT;
}

void wizard_open_dialog(struct wizard *wizard, const struct dialog_model *model, void (*answered)(struct wizard *wizard, size_t answer))
{
    struct view *view = &wizard->view;
    free(view->must_type);
    view->must_type = mem_dup(model->must_type);   /* the model it comes from is read anew meanwhile */
    view->dialog = *model;
    view->dialog.must_type = view->must_type;
    view->dialog.blocks = view->text.blocks;
    view->dialog.block_count = view->text.count;
    view->answered = answered;
    dialog_open(&view->dialog, &view->dialog_state);
    if (wizard->face != NULL)
        wizard->face->flush();
    view->overlay = OVERLAY_DIALOG;
}

void wizard_open_prompt(struct wizard *wizard, const char *title, const struct field_model *field, const char *text,
                        void (*submitted)(struct wizard *wizard, const char *text))
{
    struct view *view = &wizard->view;
    free(view->title);
    view->title = mem_dup(title);
    view->field = *field;
    view->field_state = (struct field_state){0};
    field_set(&view->field_state, text);
    complete_free(&view->complete);
    view->submitted = submitted;
    view->overlay = OVERLAY_PROMPT;
}

void wizard_go(struct wizard *wizard, enum step step)
{
    wizard->view.shown = step;
    wizard->view.message[0] = '\0';
}

void wizard_quit(struct wizard *wizard)
{
    if (hooks_run(&wizard->model))
        hooks_ask_quit(wizard);
    else
        wizard->leaving = true;
}

/* Actions that all screens share. */

static void open_help(struct wizard *wizard)
{
    const struct step_text text = why_text(wizard);
    struct wizard_maps maps;
    struct pane pane;
    pane_here(wizard, &pane);
    wizard_fill_maps(&maps, wizard, &pane);
    wizard_open_text(wizard, help_title);
    struct prose *prose = &wizard->view.text;
    prose_add(prose, PROSE_HEADING, "%s", text.title);
    prose_add(prose, PROSE_PARAGRAPH, "%s", text.does);
    prose_add_mark(prose, text.irreversible ? MARK_DANGER : MARK_INFO, "%s", text.safe);
    prose_add_key(prose, "Way out", text.out);
    prose_add(prose, PROSE_HEADING, "Keys");
    keys_help(&maps.here, prose, wizard->view.charset);
    pane_free(&pane);
}

static void overrule_typed(struct wizard *wizard, size_t answer)
{
    enum step step = wizard->view.shown;
    const char *word = step_texts[step].word;
    struct error error = {0};
    if (answer == 0)
        return;
    char *folder = journal_folder(&wizard->model.app.conf.pg, true, &error);
    if (folder != NULL && decisions_add(folder, DECISION_OVERRULED, word, wizard->model.upgrade.gates[step].reason, &error)) {
        names_add(&wizard->model.overruled, word);
        wizard_say(wizard, MARK_WARN, "Overruled; the report says so.");
    } else {
        wizard_say_error(wizard, &error);
    }
    free(folder);
}

static void open_overrule(struct wizard *wizard)
{
    enum step step = wizard->view.shown;
    prose_clear(&wizard->view.text);
    prose_add(&wizard->view.text, PROSE_PARAGRAPH, "%s", wizard->model.upgrade.gates[step].reason);
    prose_add(&wizard->view.text, PROSE_PARAGRAPH, "You can go on all the same if you know better. The report will say that you did.");
    const struct dialog_model dialog = {
        .title = "Overrule this gate",
        .mark = MARK_WARN,
        .answers = {{"Stay", false}, {"Overrule", true}},
        .answer_count = 2,
        .must_type = step_texts[step].word,
    };
    wizard_open_dialog(wizard, &dialog, overrule_typed);
}

static void next_theme(void)
{
    const char *current = NULL;
    int index = 0;
    for (int i = 0; theme_name(i) != NULL; i++)
        if (theme_find(theme_name(i)) == terminal_theme()) {
            current = theme_name(i);
            index = i;
        }
    const char *next = current != NULL && theme_name(index + 1) != NULL ? theme_name(index + 1) : theme_name(0);
    terminal_set_theme(theme_find(next));
}

static void copy_here(struct wizard *wizard)
{
    struct pane pane;
    if (pane_here(wizard, &pane) && (pane.list == NULL || pane.table.row_count > 0))
        pane_copy(wizard, &pane);
    pane_free(&pane);
}

static void act_everywhere(struct wizard *wizard, int action)
{
    struct view *view = &wizard->view;
    switch (action) {
    case ACTION_QUIT:
        wizard_quit(wizard);
        break;
    case ACTION_LEAVE:
        leave_open(wizard);
        break;
    case ACTION_HELP:
        open_help(wizard);
        break;
    case ACTION_NEXT:
    case ACTION_PREVIOUS:
        /* After an installation steps 2 to 5 fall away. */
        wizard_go(wizard, action == ACTION_NEXT && view->shown == STEP_UP && kong_installs(&wizard->model)
                              ? STEP_DONE : (enum step)((int)view->shown + (action == ACTION_NEXT ? 1 : -1)));
        break;
    case ACTION_WHY:
        view->why_hidden = !view->why_hidden;
        break;
    case ACTION_GLYPHS:
        terminal_set_ascii(terminal_charset() == CHARSET_UTF8);
        break;
    case ACTION_THEME:
        next_theme();
        break;
    case ACTION_REPAINT:
        terminal_repaint();
        break;
    case ACTION_COPY:
        copy_here(wizard);
        break;
    case ACTION_FOCUS:
        pane_next(wizard);
        break;
    case ACTION_EXPLAIN:
    case ACTION_READ_ALL:
        whole_open(wizard);
        break;
    case ACTION_GUARD:
        api_guard_open(wizard);
        break;
    case ACTION_HOOK:
        hook_pane_open(wizard);
        break;
    case ACTION_OVERRULE:
        open_overrule(wizard);
        break;
    default:
        wizard_go(wizard, (enum step)(STEP_UP + (action - ACTION_GO_1)));
    }
}

void wizard_act(struct wizard *wizard, int action)
{
    if (action >= ACTION_OWN)
        wizard_screen(wizard)->act(wizard, action);
    else if (action > 0)
        act_everywhere(wizard, action);
}

void wizard_answer(struct wizard *wizard, size_t answer)
{
    wizard->view.overlay = OVERLAY_NONE;
    wizard->view.answered(wizard, answer);
}

void wizard_submit(struct wizard *wizard, const char *text)
{
    wizard->view.overlay = OVERLAY_NONE;
    wizard->view.submitted(wizard, text);
}

/* Keys. */

bool wizard_read_text(struct wizard *wizard, const struct prose_block *blocks, size_t count, const struct input *input)
{
    if (prose_read(blocks, count, &wizard->view.text_state, input) != REACTION_NONE)
        return true;
    if (input->key != 'y' || input->pasted || input->alt)
        return false;
    char *text = prose_text(blocks, count);
    copy_text(wizard, text);
    free(text);
    return true;
}

static void key_overlay(struct wizard *wizard, const struct input *input)
{
    struct view *view = &wizard->view;
    const struct keys_map own = {view->text_keys, view->text_key_count, is_enabled_here, wizard, NULL};
    bool typing = view->text_state.search.typing;
    int action = view->overlay == OVERLAY_TEXT && !typing ? keys_action(&own, input) : 0;
    if (action > 0) {
        wizard_screen(wizard)->act(wizard, action);
    } else if (view->overlay == OVERLAY_TEXT) {
        bool mine = wizard_read_text(wizard, view->text.blocks, view->text.count, input);
        bool close = !mine && !input->pasted &&
                     (input->key == K_ESC || input->key == K_ENTER || input->key == 'q' || input->key == '?');
        if (close && input->key == '?' && view->title != NULL && strcmp(view->title, help_title) == 0)
            explain_words(wizard);
        else if (close)
            view->overlay = OVERLAY_NONE;
    } else if (view->overlay == OVERLAY_HOOK) {
        hook_pane_key(wizard, input);
    } else if (view->overlay == OVERLAY_LEAVE) {
        leave_key(wizard, input);
    } else if (view->overlay == OVERLAY_DIALOG) {
        enum reaction reaction = dialog_key(&view->dialog, &view->dialog_state, input);
        if (reaction == REACTION_ACTIVATE || reaction == REACTION_CANCEL) {
            wizard_answer(wizard, reaction == REACTION_ACTIVATE ? view->dialog_state.answer : view->dialog.safe);
        }
    } else if (view->field.path && input->key == K_TAB && !input->pasted) {
        complete_begin(&view->complete, &view->field_state);
        loop_complete(wizard);
    } else {
        enum reaction reaction = field_key(&view->field, &view->field_state, input);
        complete_free(&view->complete);
        if (reaction == REACTION_CANCEL)
            view->overlay = OVERLAY_NONE;
        else if (reaction == REACTION_ACTIVATE)
            wizard_submit(wizard, view->field_state.text);
    }
}

bool wizard_is_typing(struct wizard *wizard)
{
    const struct view *view = &wizard->view;
    if (view->overlay == OVERLAY_NONE) {
        struct pane pane;
        bool typing = pane_here(wizard, &pane) && pane_is_typing(&pane);
        pane_free(&pane);
        return typing;
    }
    if (view->overlay == OVERLAY_TEXT || view->overlay == OVERLAY_HOOK || view->overlay == OVERLAY_LEAVE)
        return view->text_state.search.typing;
    return view->overlay == OVERLAY_PROMPT || (view->overlay == OVERLAY_DIALOG && view->must_type != NULL);
}

/* Where the last lines say already what is in the way, that stays. */
static void say_disabled(struct wizard *wizard, const char *label)
{
    char text[512];
    if (wizard_status(wizard, text, sizeof text).text == NULL)
        wizard_say(wizard, MARK_INFO, "`%s` is not possible now.", label);
}

void wizard_key(struct wizard *wizard, const struct input *input)
{
    wizard->view.touched = true;
    if (wizard->view.overlay == OVERLAY_COUNTDOWN && input->kind != INPUT_NONE) {
        countdown_stop(wizard, input->kind == INPUT_KEY ? "a key was pressed" : "the window has another size");
        return;
    }
    if (input->kind != INPUT_KEY)
        return;
    wizard->view.settled = true;
    if (wizard->view.overlay != OVERLAY_NONE) {
        key_overlay(wizard, input);
        return;
    }
    struct wizard_maps maps;
    struct pane pane;
    bool there = pane_here(wizard, &pane);
    wizard_fill_maps(&maps, wizard, &pane);
    bool typing = there && pane_is_typing(&pane);
    int action = typing ? 0 : keys_action(&maps.here, input);
    const char *disabled = typing ? NULL : keys_disabled(&maps.here, input);
    if (input->key == K_CTRL('c'))
        wizard_say(wizard, MARK_INFO, "Press q to leave; a running worker goes on, and x stops it.");
    else if (action > 0)
        wizard_act(wizard, action);
    else if (disabled != NULL)
        say_disabled(wizard, disabled);
    else if (there)
        pane_key(wizard, &pane, input);
    pane_free(&pane);
}
