/*
 * The frame around the screens, and what is over them.
 */
#include "screens/wizard.h"

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "screens/answers.h"
#include "screens/copy.h"
#include "screens/face.h"
#include "screens/hooks.h"
#include "screens/leave.h"
#include "screens/loop.h"
#include "screens/say.h"
#include "screens/screen.h"
#include "screens/whole.h"
#include "screens/why.h"
#include "tui/frame.h"
#include "tui/layout.h"
#include "tui/steps.h"
#include "tui/terminal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WIDE_STEPS 100       /* columns from which the steps stand beside the screen */
#define WIDE_WHY 140         /* and the why, too */
#define NARROW_STEPS 76      /* on one line only the five numbered ones have room below that */
#define STATUS_LINES 3
#define PROMPT_MESSAGE 2       /* lines for what is wrong with the text of a prompt */

/* "  2 h 05 min": since the upgrade began, or, once it has ended, how long it took. */
static void add_elapsed(const struct model *model, char *text, size_t size)
{
    int64_t until = model->ended_ms != 0 ? model->ended_ms : clock_wall_ms();
    long long minutes = (until - model->began_ms) / 60000;
    if (model->began_ms == 0 || minutes < 0 || (model->state.stage != STAGE_PENDING && model->ended_ms == 0))
        return;
    size_t length = strlen(text);
    const char *took = model->ended_ms != 0 ? "took " : "";
    if (minutes < 60)
        snprintf(text + length, size - length, "  %s%lld min", took, minutes);
    else if (minutes < 48 * 60)
        snprintf(text + length, size - length, "  %s%lld h %02lld min", took, minutes / 60, minutes % 60);
    else
        snprintf(text + length, size - length, "  %s%lld days", took, minutes / 60 / 24);
}

static bool has_room(struct area area, const char *detail, const char *right)
{
    return text_width("kong-upgrade", area.canvas->charset) + text_width(detail, area.canvas->charset) + text_width(right, area.canvas->charset) + 6 <= area.width;
}

static void draw_header(struct wizard *wizard, struct area area)
{
    const struct model *model = &wizard->model;
    char detail[160] = "", right[64] = "";
    if (model->has_state) {
        snprintf(detail, sizeof detail, "%s at %s:%d", model->state.database, model->state.host, model->state.port);
        bool current = model->state.stage == STAGE_CURRENT || state_plugins_only(&model->state);
        const char *version = model_finish_first(model) ? state_reached(&model->state) : model->state.version;
        if (version != NULL)
            snprintf(right, sizeof right, current ? "Kong %s" : "Kong %s to 1.3", version);
        else if (model->state.stage == STAGE_EMPTY)
            snprintf(right, sizeof right, "install Kong 1.3");
        size_t length = strlen(right);
        add_elapsed(model, right, sizeof right);
        if (!has_room(area, detail, right))
            right[length] = '\0';   /* which database it is goes before how long it takes */
    } else if (model->configured) {
        snprintf(detail, sizeof detail, "%.60s at %.60s:%d", model->app.conf.pg.database, model->app.conf.pg.host, model->app.conf.pg.port);
    }
    frame_header(area, "kong-upgrade", detail, right);
    char *all = mem_printf("%s: %s", detail[0] != '\0' ? detail : "no database", right[0] != '\0' ? right : "release not known");
    const struct prose_block block = {.kind = PROSE_PARAGRAPH, .text = all};
    whole_add(wizard, &block, 1);
    wizard->view.cut = wizard->view.cut || !has_room(area, detail, right);
    free(all);
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

struct prose_block wizard_status(const struct wizard *wizard, char *text, size_t size)
{
    const struct view *view = &wizard->view;
    const struct model *model = &wizard->model;
    const struct gate *gate = &model->upgrade.gates[view->shown];
    struct prose_block block = {.kind = PROSE_MARK};
    if (view->shown == STEP_WELCOME && !model->has_state) {
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

/* The last message goes before it. */
static struct prose_block status_block(const struct wizard *wizard, char *text, size_t size)
{
    const struct view *view = &wizard->view;
    if (view->message[0] != '\0' && wizard->model.now < view->message_until)
        return (struct prose_block){.kind = PROSE_MARK, .mark = view->message_mark, .text = view->message};
    return wizard_status(wizard, text, size);
}

static int status_height(const struct wizard *wizard, struct area area)
{
    char text[WIZARD_STATUS_SIZE];
    struct prose_block block = status_block(wizard, text, sizeof text);
    int height = block.text != NULL ? prose_height(&block, 1, area.width, area.canvas->charset) : 1;
    return height < STATUS_LINES ? height : STATUS_LINES;
}

static void draw_status(struct wizard *wizard, struct area area)
{
    char text[WIZARD_STATUS_SIZE];
    struct prose_block block = status_block(wizard, text, sizeof text);
    if (block.text != NULL)
        whole_draw(wizard, area, &block, 1);
}

static void draw_overlay(struct wizard *wizard, struct area area)
{
    struct view *view = &wizard->view;
    if (view->overlay != OVERLAY_NONE)
        area.canvas->cursor_shown = false;
    if (view->overlay == OVERLAY_DIALOG) {
        dialog_draw(area, &view->dialog, &view->dialog_state);
    } else if (view->overlay == OVERLAY_LEAVE) {
        leave_draw(wizard, area);
    } else if (view->overlay == OVERLAY_COUNTDOWN) {
        countdown_draw(wizard, area);
    } else if (view->overlay == OVERLAY_HOOK) {
        hook_pane_draw(wizard, area);
    } else if (view->overlay == OVERLAY_TEXT) {
        struct area box = layout_centre(area, 96, area.height);
        area_fill(box, ROLE_TEXT);
        struct area inside = area_inset(area_box(box, ROLE_BORDER, view->title), 1, 0);
        prose_draw(inside, view->text.blocks, view->text.count, &view->text_state);
        area_cursor(inside, 0, 0);
    } else if (view->overlay == OVERLAY_PROMPT) {
        struct area box = layout_centre(area, 76, 3 + PROMPT_MESSAGE + complete_height(&view->complete));
        area_fill(box, ROLE_TEXT);
        struct area inside = area_inset(area_box(box, ROLE_BORDER, view->title), 1, 0);
        int list = complete_height(&view->complete), above = inside.height - list > 0 ? inside.height - list : 0;
        field_draw(area_part(inside, (struct rect){0, 0, inside.width, above}), &view->field, &view->field_state, true);
        complete_draw(area_part(inside, (struct rect){2, above, inside.width - 2, list}), &view->complete);
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

/* Where nothing has the focus, it is read from its beginning. */
static void draw_body(struct wizard *wizard, struct area area)
{
    wizard_screen(wizard)->draw(wizard, area);
    if (!area.canvas->cursor_shown)
        area_cursor(area, 0, 0);
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
        draw_body(wizard, parts[1]);
        return;
    }
    bool runs = model_runs(&wizard->model, wizard->view.shown);
    bool why = !wizard->view.why_hidden && parts[1].height >= (runs ? 26 : 18);
    const struct layout_request split[] = {LAYOUT_FILL(8, 2), LAYOUT_FIXED(why ? why_height(wizard, parts[1].width, area.canvas->charset) : 0, 1)};
    layout_rows(parts[1], 0, split, 2, rows);
    draw_body(wizard, rows[0]);
    if (why && rows[1].height > 0)
        why_draw(wizard, rows[1]);
    else
        why_leave_out(wizard);
}

/* Header, steps, the screen and its status line. Returns the areas that are for what is over it, and for the footer. */
static struct area draw_frame(struct wizard *wizard, struct area all, struct area *footer)
{
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
    *footer = parts[5];
    return parts[3];
}

void wizard_draw_screen(struct wizard *wizard, struct area area)
{
    struct area footer;
    draw_frame(wizard, area, &footer);
}

void wizard_draw(struct wizard *wizard, struct canvas *canvas)
{
    struct area all = canvas_area(canvas), footer;
    wizard->view.charset = canvas->charset;
    wizard->view.cut = wizard->view.countdown.drawn = false;
    if (frame_too_small(all, 30, 8))
        return;
    struct area middle = draw_frame(wizard, all, &footer);
    draw_overlay(wizard, middle);
    if (!canvas->cursor_shown)   /* what has the focus has no room */
        area_cursor(middle.height > 0 ? middle : all, 0, middle.height > 0 ? 0 : 1);
    wizard_draw_keys(wizard, footer);
}

void view_free(struct view *view)
{
    prose_free(&view->text);
    free(view->title);
    free(view->must_type);
    free(view->copied);
    free(view->node_rows);
    complete_free(&view->complete);
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

/* False after a sentence. */
static bool open_trace(struct wizard *wizard)
{
    const char *path = wizard->options->trace, *term = getenv("TERM");
    char at[CLOCK_TEXT_SIZE], message[512];
    if (path == NULL)
        return true;
    char *about = mem_printf("kong-upgrade " KONG_UPGRADE_VERSION " in TERM=%s, %s, %s", term != NULL ? term : "",
                             text_locale_charset() == CHARSET_UTF8 ? "UTF-8" : "ASCII", clock_text(clock_wall_ms(), at));
    wizard->trace = trace_open(path, about, message, sizeof message);
    free(about);
    if (wizard->trace == NULL)
        complain_text("%s", message);
    return wizard->trace != NULL;
}

static void close_trace(struct wizard *wizard)
{
    int failed = trace_close(wizard->trace);
    if (failed != 0)
        complain_text("the trace %s is not complete: %s", wizard->options->trace, strerror(failed));
}

/* The dialogue: where it was asked for, and on a terminal that can't do more. */
static bool is_plain(const struct options *options)
{
    const char *terminal = getenv("TERM");
    return options->plain || options->answers != NULL || (terminal != NULL && strcmp(terminal, "dumb") == 0);
}

static bool open_face(struct wizard *wizard, const struct theme *theme)
{
    char message[256];
    wizard->face = is_plain(wizard->options) ? &face_dialogue : &face_screen;
    if (wizard->face == &face_dialogue || terminal_open(theme, wizard->options->ascii, message, sizeof message))
        return true;
    complain_text("%s; or use --plain, or the commands status, check, plan, up, nodes, finish", message);
    return false;
}

static void free_wizard(struct wizard *wizard)
{
    view_free(&wizard->view);
    model_free(&wizard->model);
    if (wizard->answers != NULL)
        answers_free(wizard->answers);
}

int wizard_main(const struct options *options)
{
    struct wizard wizard = {.options = options};
    struct answers answers;
    struct error error = {0};
    const struct theme *theme = theme_find(options->theme);
    if (!options->plain && options->answers == NULL && (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)))
        return options_wrong("the wizard needs a terminal; without one use --plain, --answers FILE, or the commands status, check, plan, up, nodes, finish");
    if (options->theme != NULL && theme == NULL)
        return options_wrong("there is no theme '%s': dark, light, contrast and mono are there", options->theme);
    if (options->copy != NULL && !copy_is_way(options->copy))
        return options_wrong("there is no way '%s' to copy: auto, terminal, file and off are there", options->copy);
    if (options->trace != NULL && is_plain(options))
        return options_wrong("--trace is for the full screen: the dialogue line by line is a trace of its own");
    if (options->answers != NULL && !answers_load(&answers, options->answers, &error)) {
        complain(&error);
        return EXIT_USAGE;
    }
    wizard.answers = options->answers != NULL ? &answers : NULL;
    if (!open_trace(&wizard))
        return EXIT_ERROR;
    if (!open_face(&wizard, theme)) {
        close_trace(&wizard);
        return EXIT_USAGE;
    }
    bool ended = loop_run(&wizard), lost = wizard.face->lost();
    if (wizard.face == &face_screen)
        terminal_close();
    close_trace(&wizard);
    if (wizard.answers != NULL && wizard.answers->stopped_by != NULL)
        complain_text("stopped: %s", wizard.answers->stopped_by);
    if (!lost)
        say_what_goes_on(&wizard);
    if (!ended) {
        fflush(NULL);
        _exit(lost ? EXIT_TERMINAL_LOST : wizard.exit_code);
    }
    free_wizard(&wizard);
    return lost ? EXIT_TERMINAL_LOST : wizard.exit_code;
}
