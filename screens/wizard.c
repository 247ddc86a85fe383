/*
 * The frame around the screens, what is over them, and the keys they share.
 */
#include "screens/wizard.h"

#include "core/base/mem.h"
#include "core/decisions.h"
#include "screens/hooks.h"
#include "screens/loop.h"
#include "screens/say.h"
#include "screens/screen.h"
#include "screens/why.h"
#include "tui/frame.h"
#include "tui/layout.h"
#include "tui/steps.h"
#include "tui/terminal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WIDE_STEPS 100       /* columns from which the steps stand beside the screen */
#define WIDE_WHY 140         /* and the why, too */
#define NARROW_STEPS 76      /* on one line only the five numbered ones have room below that */
#define STATUS_LINES 3
#define STATUS_SIZE 400
#define MESSAGE_MS 8000

static const struct screen *const screens[STEPS] = {
    [STEP_WELCOME] = &screen_welcome, [STEP_PREFLIGHT] = &screen_preflight, [STEP_UP] = &screen_up,
    [STEP_PROVISION] = &screen_provision, [STEP_DIVERT] = &screen_divert, [STEP_DECOMMISSION] = &screen_decommission,
    [STEP_FINISH] = &screen_finish, [STEP_DONE] = &screen_done,
};

static bool is_enabled_everywhere(const void *context, int action)
{
    const struct wizard *wizard = context;
    const struct gate *gate = &wizard->model.upgrade.gates[wizard->view.shown];
    if (action == ACTION_OVERRULE)
        return !gate->open && gate->can_overrule;
    if (action == ACTION_GUARD)
        return api_guard_is_there(&wizard->model);
    if (action == ACTION_HOOK)
        return wizard->model.hook.path != NULL || wizard->model.hook_starting;
    if (action == ACTION_PREVIOUS)
        return wizard->view.shown > STEP_WELCOME;
    return action != ACTION_NEXT || wizard->view.shown < STEP_DONE;
}

static bool is_enabled_here(const void *context, int action)
{
    const struct wizard *wizard = context;
    const struct screen *screen = screens[wizard->view.shown];
    return screen->enabled == NULL || screen->enabled(wizard, action);
}

static const struct keys_row common_rows[] = {
    {{K_RIGHT}, "screens", "Go to the next screen, and back to the one before.", ACTION_NEXT, 60, "←→"},
    {{K_LEFT}, NULL, NULL, ACTION_PREVIOUS, 0, NULL},
    {{'o'}, NULL, "Open this step though its gate is shut: its word must be typed, and the report says so.", ACTION_OVERRULE, 0, NULL},
    {{'v'}, NULL, "What the Admin API guard found: writes through new nodes, and what only 1.3 understands.", ACTION_GUARD, 0, NULL},
    {{'h'}, NULL, "What the last hook of fleet.ini says, or said.", ACTION_HOOK, 0, NULL},
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

static const struct keys_row text_rows[] = {
    {{K_NONE}, "scroll", NULL, 0, 50, "↑↓"},
    {{K_NONE}, "close", NULL, 0, 90, "Esc"},
};

static const struct keys_row hook_rows[] = {
    {{K_NONE}, "scroll", NULL, 0, 50, "↑↓"},
    {{K_NONE}, "stop", NULL, 0, 60, "x"},
    {{K_NONE}, "close", NULL, 0, 90, "Esc"},
};

static const struct keys_row prompt_rows[] = {
    {{K_NONE}, "accept", NULL, 0, 90, "Enter"},
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

static struct keys_map map_here(const struct wizard *wizard, const struct keys_map *common)
{
    const struct screen *screen = screens[wizard->view.shown];
    return (struct keys_map){screen->keys, screen->key_count, is_enabled_here, wizard, common};
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
    if (wizard->loop != NULL)
        terminal_flush_input();
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
    view->submitted = submitted;
    view->overlay = OVERLAY_PROMPT;
}

void wizard_go(struct wizard *wizard, enum step step)
{
    wizard->view.shown = step;
    wizard->view.message[0] = '\0';
}

/* Actions that all screens share. */

static void open_help(struct wizard *wizard)
{
    const struct step_text text = why_text(wizard);
    struct keys_map common = map_common(wizard), here = map_here(wizard, &common);
    wizard_open_text(wizard, "Help");
    struct prose *prose = &wizard->view.text;
    prose_add(prose, PROSE_HEADING, "%s", text.title);
    prose_add(prose, PROSE_PARAGRAPH, "%s", text.does);
    prose_add_mark(prose, text.irreversible ? MARK_DANGER : MARK_INFO, "%s", text.safe);
    prose_add_key(prose, "Way out", text.out);
    prose_add(prose, PROSE_HEADING, "Keys");
    keys_help(&here, prose, wizard->view.charset);
    prose_add(prose, PROSE_HEADING, "Lists");
    prose_add_key(prose, "↑ ↓ PgUp PgDn", "Move; Home and End go to the ends.");
    prose_add_key(prose, "/ n N", "Search; next and previous match.");
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

static void act_everywhere(struct wizard *wizard, int action)
{
    struct view *view = &wizard->view;
    switch (action) {
    case ACTION_QUIT:
        if (hooks_run(&wizard->model))
            hooks_ask_quit(wizard);
        else
            wizard->leaving = true;
        break;
    case ACTION_HELP:
        open_help(wizard);
        break;
    case ACTION_NEXT:
    case ACTION_PREVIOUS:
        wizard_go(wizard, (enum step)((int)view->shown + (action == ACTION_NEXT ? 1 : -1)));
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

/* Keys. */

static void key_overlay(struct wizard *wizard, const struct input *input)
{
    struct view *view = &wizard->view;
    if (view->overlay == OVERLAY_TEXT) {
        bool close = prose_key(&view->text_state, input) == REACTION_NONE && !input->pasted &&
                     (input->key == K_ESC || input->key == K_ENTER || input->key == 'q' || input->key == '?');
        if (close)
            view->overlay = OVERLAY_NONE;
    } else if (view->overlay == OVERLAY_HOOK) {
        hook_pane_key(wizard, input);
    } else if (view->overlay == OVERLAY_DIALOG) {
        enum reaction reaction = dialog_key(&view->dialog, &view->dialog_state, input);
        if (reaction == REACTION_ACTIVATE || reaction == REACTION_CANCEL) {
            size_t answer = reaction == REACTION_ACTIVATE ? view->dialog_state.answer : view->dialog.safe;
            view->overlay = OVERLAY_NONE;
            view->answered(wizard, answer);
        }
    } else {
        enum reaction reaction = field_key(&view->field, &view->field_state, input);
        if (reaction == REACTION_ACTIVATE || reaction == REACTION_CANCEL)
            view->overlay = OVERLAY_NONE;
        if (reaction == REACTION_ACTIVATE)
            view->submitted(wizard, view->field_state.text);
    }
}

void wizard_key(struct wizard *wizard, const struct input *input)
{
    if (input->kind != INPUT_KEY)
        return;
    wizard->view.settled = true;
    if (wizard->view.overlay != OVERLAY_NONE) {
        key_overlay(wizard, input);
        return;
    }
    const struct screen *screen = screens[wizard->view.shown];
    struct keys_map common = map_common(wizard), here = map_here(wizard, &common);
    bool typing = wizard->view.tables[wizard->view.shown].typing;
    if (input->key == K_CTRL('c')) {
        wizard_say(wizard, MARK_INFO, "Press q to leave; a running worker goes on, and x stops it.");
        return;
    }
    if (typing && screen->key != NULL && screen->key(wizard, input))
        return;
    int action = keys_action(&here, input);
    if (action >= ACTION_OWN)
        screen->act(wizard, action);
    else if (action > 0)
        act_everywhere(wizard, action);
    else if (screen->key != NULL)
        screen->key(wizard, input);
}

/* Drawing. */

static void draw_header(struct wizard *wizard, struct area area)
{
    const struct model *model = &wizard->model;
    char detail[160] = "", right[64] = "";
    if (model->has_state) {
        snprintf(detail, sizeof detail, "%s at %s:%d", model->state.database, model->state.host, model->state.port);
        bool current = model->state.stage == STAGE_CURRENT;
        if (model->state.version != NULL)
            snprintf(right, sizeof right, current ? "Kong %s" : "Kong %s to 1.3", model->state.version);
        else if (model->state.stage == STAGE_EMPTY)
            snprintf(right, sizeof right, "install Kong 1.3");
    } else if (model->configured) {
        snprintf(detail, sizeof detail, "%.60s at %.60s:%d", model->app.conf.pg.database, model->app.conf.pg.host, model->app.conf.pg.port);
    }
    frame_header(area, "kong-upgrade", detail, right);
}

static void draw_steps(struct wizard *wizard, struct area area)
{
    static const enum steps_progress progress[] = {
        [STEP_STATE_LOCKED] = STEPS_LOCKED, [STEP_STATE_OPEN] = STEPS_NEXT, [STEP_STATE_HERE] = STEPS_HERE, [STEP_STATE_DONE] = STEPS_DONE,
    };
    struct steps_item items[STEPS];
    size_t count = 0;
    bool all = area.height >= 3;
    for (int i = 0; i < STEPS; i++) {
        bool viewed = i == (int)wizard->view.shown;
        if (!all && step_texts[i].number == 0 && !(viewed && area.width >= NARROW_STEPS))
            continue;
        items[count++] = (struct steps_item){
            .label = step_texts[i].title,
            .name = step_texts[i].brief,
            .progress = progress[wizard->model.upgrade.states[i]],
            .number = step_texts[i].number,
            .irreversible = step_texts[i].irreversible,
            .viewed = viewed,
        };
    }
    steps_draw(area, items, count);
}

/* The last message, what is wrong, or the gate's sentence where it is shut. */
static struct prose_block status_block(const struct wizard *wizard, char *text, size_t size)
{
    const struct view *view = &wizard->view;
    const struct model *model = &wizard->model;
    const struct gate *gate = &model->upgrade.gates[view->shown];
    struct prose_block block = {.kind = PROSE_MARK};
    if (view->message[0] != '\0' && model->now < view->message_until) {
        block.text = view->message;
        block.mark = view->message_mark;
    } else if (view->shown == STEP_WELCOME && !model->has_state) {
        return block;   /* it says the same */
    } else if (model->conf_error != NULL || model->state_error != NULL) {
        block.text = model->conf_error != NULL ? model->conf_error : model->state_error;
        block.mark = MARK_DANGER;
    } else if (model_watched(model, text, size)[0] != '\0') {
        block.text = text;
        block.mark = MARK_WAIT;
    } else if (!gate->open) {
        snprintf(text, size, "%s%s", gate->reason, gate->can_overrule ? " Press o to overrule." : "");
        block.text = text;
        block.mark = gate->can_overrule ? MARK_WARN : MARK_DANGER;
    } else if (gate->overruled) {
        block.text = "This gate was overruled.";
        block.mark = MARK_WARN;
    }
    if (!model->has_state && block.mark != MARK_DANGER && model->configured) {
        block.text = "Asking the database.";
        block.mark = MARK_WAIT;
    }
    return block;
}

static int status_height(const struct wizard *wizard, struct area area)
{
    char text[STATUS_SIZE];
    struct prose_block block = status_block(wizard, text, sizeof text);
    int height = block.text != NULL ? prose_height(&block, 1, area.width, area.canvas->charset) : 1;
    return height < STATUS_LINES ? height : STATUS_LINES;
}

static void draw_status(struct wizard *wizard, struct area area)
{
    char text[STATUS_SIZE];
    struct prose_block block = status_block(wizard, text, sizeof text);
    struct prose_state state = {0};
    if (block.text != NULL)
        prose_draw(area, &block, 1, &state);
}

static void draw_footer(struct wizard *wizard, struct area area)
{
    struct keys_map common = map_common(wizard), here = map_here(wizard, &common);
    const struct keys_map overlays[] = {
        [OVERLAY_TEXT] = {text_rows, COUNT_OF(text_rows), NULL, NULL, NULL},
        [OVERLAY_DIALOG] = {dialog_rows, COUNT_OF(dialog_rows), NULL, NULL, NULL},
        [OVERLAY_PROMPT] = {prompt_rows, COUNT_OF(prompt_rows), NULL, NULL, NULL},
        [OVERLAY_HOOK] = {hook_rows, COUNT_OF(hook_rows), NULL, NULL, NULL},
    };
    keys_draw(area, wizard->view.overlay == OVERLAY_NONE ? &here : &overlays[wizard->view.overlay]);
}

static void draw_overlay(struct wizard *wizard, struct area area)
{
    struct view *view = &wizard->view;
    if (view->overlay != OVERLAY_NONE)
        area.canvas->cursor_shown = false;
    if (view->overlay == OVERLAY_DIALOG) {
        dialog_draw(area, &view->dialog, &view->dialog_state);
    } else if (view->overlay == OVERLAY_HOOK) {
        hook_pane_draw(wizard, area);
    } else if (view->overlay == OVERLAY_TEXT) {
        struct area box = layout_centre(area, 96, area.height);
        area_fill(box, ROLE_TEXT);
        struct area inside = area_inset(area_box(box, ROLE_BORDER, view->title), 1, 0);
        prose_draw(inside, view->text.blocks, view->text.count, &view->text_state);
        area_cursor(inside, 0, 0);
    } else if (view->overlay == OVERLAY_PROMPT) {
        struct area box = layout_centre(area, 72, 4);
        area_fill(box, ROLE_TEXT);
        field_draw(area_inset(area_box(box, ROLE_BORDER, view->title), 1, 0), &view->field, &view->field_state, true);
    }
}

/* Which screen this is, where colour alone would say it in the line of steps. */
static void draw_title(struct wizard *wizard, struct area area)
{
    const struct step_text *text = &step_texts[wizard->view.shown];
    area_horizontal(area, 0, ROLE_BORDER);
    if (text->number > 0)
        area_textf(area, 2, 0, ROLE_TITLE, " Step %d: %s ", text->number, text->title);
    else
        area_textf(area, 2, 0, ROLE_TITLE, " %s ", text->title);
}

static void draw_middle(struct wizard *wizard, struct area area)
{
    bool wide_steps = area.width >= WIDE_STEPS, wide_why = area.width >= WIDE_WHY && !wizard->view.why_hidden;
    const struct layout_request columns[] = {
        LAYOUT_FIXED(wide_steps ? 22 : 0, 2), LAYOUT_FILL(40, 3), LAYOUT_FIXED(wide_why ? 40 : 0, 1),
    };
    struct area parts[3], rows[2];
    layout_columns(area, wide_steps ? 1 : 0, columns, 3, parts);
    if (wide_steps)
        draw_steps(wizard, parts[0]);
    if (wide_why) {
        int height = why_height(wizard, parts[2].width, area.canvas->charset);
        why_draw(wizard, area_part(parts[2], (struct rect){0, 0, parts[2].width, height}));
        screens[wizard->view.shown]->draw(wizard, parts[1]);
        return;
    }
    bool runs = model_runs(&wizard->model, wizard->view.shown);
    bool why = !wizard->view.why_hidden && parts[1].height >= (runs ? 26 : 18);
    const struct layout_request split[] = {LAYOUT_FILL(8, 2), LAYOUT_FIXED(why ? why_height(wizard, parts[1].width, area.canvas->charset) : 0, 1)};
    layout_rows(parts[1], 0, split, 2, rows);
    screens[wizard->view.shown]->draw(wizard, rows[0]);
    if (why && rows[1].height > 0)
        why_draw(wizard, rows[1]);
}

void wizard_draw(struct wizard *wizard, struct canvas *canvas)
{
    struct area all = canvas_area(canvas);
    wizard->view.charset = canvas->charset;
    if (frame_too_small(all, 30, 8))
        return;
    bool steps_line = all.width < WIDE_STEPS;
    const struct layout_request rows[] = {
        LAYOUT_FIXED(1, 9), LAYOUT_FIXED(steps_line ? 1 : 0, 8), LAYOUT_FIXED(1, 2), LAYOUT_FILL(4, 7), LAYOUT_FIXED(status_height(wizard, all), 6), LAYOUT_FIXED(1, 9),
    };
    struct area parts[6];
    layout_rows(all, 0, rows, 6, parts);
    draw_header(wizard, parts[0]);
    if (steps_line)
        draw_steps(wizard, parts[1]);
    draw_title(wizard, parts[2]);
    draw_middle(wizard, parts[3]);
    draw_status(wizard, parts[4]);
    draw_overlay(wizard, parts[3]);
    draw_footer(wizard, parts[5]);
}

static void say_what_goes_on(const struct wizard *wizard)
{
    const struct model *model = &wizard->model;
    if (hooks_run(model))
        say("The hook that was begun goes on. Start kong-upgrade again to see how it comes out.\n");
    if (model->run_alive)
        say("The worker goes on with `%s` on database %s. Start kong-upgrade again to see it, or: kong-upgrade attach\n", model->run.command, model->app.conf.pg.database);
    else if (model->has_state && model->state.stage == STAGE_PENDING)
        say("Nothing runs. The upgrade of database %s stands at step %d; start kong-upgrade again to go on.\n", model->state.database,
            step_texts[model->upgrade.here].number);
}

int wizard_main(const struct options *options)
{
    struct wizard wizard = {.options = options};
    char message[256];
    const struct theme *theme = theme_find(options->theme);
    if (options->plain || !isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
        return options_wrong("the wizard needs a terminal; without one use the commands status, check, plan, up, nodes, finish");
    if (options->theme != NULL && theme == NULL)
        return options_wrong("there is no theme '%s': dark, light, contrast and mono are there", options->theme);
    if (!terminal_open(theme, options->ascii, message, sizeof message)) {
        complain_text("%s; or use the commands status, check, plan, up, nodes, finish", message);
        return EXIT_USAGE;
    }
    bool ended = loop_run(&wizard), lost = terminal_lost();
    terminal_close();
    if (!lost)
        say_what_goes_on(&wizard);
    if (!ended) {
        fflush(NULL);
        _exit(lost ? EXIT_TERMINAL_LOST : wizard.exit_code);
    }
    prose_free(&wizard.view.text);
    free(wizard.view.title);
    free(wizard.view.must_type);
    model_free(&wizard.model);
    return lost ? EXIT_TERMINAL_LOST : wizard.exit_code;
}
