#include "tui/dialog.h"

#include "tui/layout.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIALOG_WIDTH   72
#define BUTTON_PADDING 4

static const struct dialog_answer close_answer = {"Close", false};

static size_t answers_of(const struct dialog_model *model)
{
    return model->answer_count == 0 ? 1 : model->answer_count < DIALOG_ANSWERS ? model->answer_count : DIALOG_ANSWERS;
}

static const struct dialog_answer *answer_of(const struct dialog_model *model, size_t answer)
{
    return model->answer_count == 0 ? &close_answer : &model->answers[answer];
}

static size_t safe_of(const struct dialog_model *model)
{
    return model->safe < answers_of(model) ? model->safe : 0;
}

static bool asks_name(const struct dialog_model *model)
{
    return model->must_type != NULL && model->must_type[0] != '\0';
}

void dialog_open(const struct dialog_model *model, struct dialog_state *state)
{
    *state = (struct dialog_state){.answer = safe_of(model)};
}

bool dialog_enabled(const struct dialog_model *model, const struct dialog_state *state, size_t answer)
{
    if (answer >= answers_of(model))
        return false;
    if (!answer_of(model, answer)->needs_typing)
        return true;
    return asks_name(model) && state->prose.end_seen && strcmp(state->field.text, model->must_type) == 0;
}

static void draw_answers(struct area area, const struct dialog_model *model, const struct dialog_state *state)
{
    enum charset charset = area.canvas->charset;
    int x = 0;
    for (size_t i = 0; i < answers_of(model); i++) {
        bool here = !state->in_field && i == state->answer;
        bool enabled = dialog_enabled(model, state, i);
        const char *label = answer_of(model, i)->label;
        unsigned style = here ? ROLE_HERE : enabled ? ROLE_STRONG : ROLE_DIM;
        int width = text_width(label, charset) + BUTTON_PADDING;
        if (x + width > area.width && x > 0 && !here)
            continue;
        if (x + width > area.width)
            x = area.width - width > 0 ? area.width - width : 0;
        struct area button = area_part(area, (struct rect){x, 0, width, 1});
        area_fill(button, style);
        area_text(button, 0, 0, style, enabled ? "[ " : "( ");
        int end = area_text(button, 2, 0, style, label);
        area_text(button, end, 0, style, enabled ? " ]" : " )");
        if (here)
            area_cursor(button, button.width > 2 ? 2 : 0, 0);
        x += width + 2;
    }
}

static void draw_field(struct area area, const struct dialog_model *model, const struct dialog_state *state)
{
    char label[256];
    if (model->type_label != NULL)
        snprintf(label, sizeof(label), "%.200s:", model->type_label);
    else
        snprintf(label, sizeof(label), "To confirm, type %.200s:", model->must_type);
    area_text(area, 0, 0, ROLE_TEXT, label);
    struct field_model field = {0};
    field_draw(area_part(area, (struct rect){0, 1, area.width, 1}), &field, &state->field, state->in_field);
    const char *hint = !state->prose.end_seen                             ? "read the text to its end first (PgDn)"
                       : state->field.text[0] == '\0'                     ? ""
                       : strcmp(state->field.text, model->must_type) == 0 ? "the name matches"
                                                                          : "not the same yet";
    area_text(area, 0, 2, ROLE_DIM, hint);
}

void dialog_draw(struct area area, const struct dialog_model *model, struct dialog_state *state)
{
    enum { PROSE, GAP_ABOVE, FIELD, GAP_BELOW, ANSWERS, PARTS };
    enum charset charset = area.canvas->charset;
    int width = area.width - 4 < DIALOG_WIDTH ? area.width - 4 : DIALOG_WIDTH;
    width = width > 20 ? width : area.width;
    int margin = width > 30 ? 2 : 0;
    int lines = prose_height(model->blocks, model->block_count, width - 2 - 2 * margin, charset);
    int field = asks_name(model) ? 3 : 0;
    int height = lines + field + (field > 0 ? 2 : 1) + 1 + 2;
    struct area box = layout_centre(area, width, height);
    if (field == 3 && box.height < 9)
        field = 2;

    area_fill(box, ROLE_TEXT);
    char title[256];
    snprintf(title, sizeof(title), "%s %.200s", theme_glyph(charset, mark_glyph(model->mark)),
             model->title != NULL ? model->title : "");
    struct area inside = area_box(box, mark_role(model->mark), title);
    inside = area_inset(inside, margin, 0);
    struct layout_request requests[PARTS] = {
        [PROSE] = {lines > 0 ? 1 : 0, lines, lines > 0 ? lines : 1, 1, 4},
        [GAP_ABOVE] = LAYOUT_FIXED(field > 0 ? 1 : 0, 0),
        [FIELD] = LAYOUT_FIXED(field, 5),
        [GAP_BELOW] = LAYOUT_FIXED(1, 1),
        [ANSWERS] = LAYOUT_FIXED(1, 6),
    };
    struct area parts[PARTS];
    layout_rows(inside, 0, requests, PARTS, parts);
    prose_draw(parts[PROSE], model->blocks, model->block_count, &state->prose);
    if (field > 0)
        draw_field(parts[FIELD], model, state);
    draw_answers(parts[ANSWERS], model, state);
}

/* The focus goes round: the field if there is one, then the answers. */
static void move_focus(const struct dialog_model *model, struct dialog_state *state, int by)
{
    int stops = (int)answers_of(model) + (asks_name(model) ? 1 : 0);
    int offset = asks_name(model) ? 1 : 0;
    int at = state->in_field ? 0 : (int)state->answer + offset;
    at = (at + by + stops) % stops;
    state->in_field = asks_name(model) && at == 0;
    if (!state->in_field)
        state->answer = (size_t)(at - offset);
}

static enum reaction choose(const struct dialog_model *model, struct dialog_state *state)
{
    size_t answer = state->answer;
    for (size_t i = 0; state->in_field && i < answers_of(model); i++)
        if (answer_of(model, i)->needs_typing)
            answer = i;
    if (state->in_field && !answer_of(model, answer)->needs_typing)
        return REACTION_REDRAW;
    if (!dialog_enabled(model, state, answer))
        return REACTION_REDRAW;
    state->answer = answer;
    return REACTION_ACTIVATE;
}

static bool scroll_key(struct dialog_state *state, const struct input *input)
{
    bool letter = input->key < K_ENTER;
    bool home = input->key == K_HOME || input->key == K_END;
    return !(state->in_field && (letter || home)) && prose_key(&state->prose, input) != REACTION_NONE;
}

enum reaction dialog_key(const struct dialog_model *model, struct dialog_state *state, const struct input *input)
{
    struct field_model field = {0};
    bool arrows = !state->in_field && !input->pasted;
    bool types = asks_name(model) && input->key >= ' ' && input->key < K_ENTER;
    if (input->kind != INPUT_KEY)
        return REACTION_REDRAW;
    if (input->key == K_ESC && !input->pasted) {
        state->answer = safe_of(model);
        state->in_field = false;
        return REACTION_CANCEL;
    }
    if (input->key == K_ENTER && !input->pasted)
        return choose(model, state);
    if (input->key == K_TAB || (arrows && input->key == K_RIGHT))
        move_focus(model, state, input->pasted ? 0 : 1);
    else if (input->key == K_BACKTAB || (arrows && input->key == K_LEFT))
        move_focus(model, state, -1);
    else if (types || state->in_field) {
        /* Whoever begins to type means the field, wherever the focus is. */
        state->in_field = true;
        if (!scroll_key(state, input))
            field_key(&field, &state->field, input);
    } else if (!input->pasted) {
        scroll_key(state, input);
    }
    return REACTION_REDRAW;
}
