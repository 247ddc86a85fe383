#include "tui/field.h"

#include "tui/prose.h"

#include <stdio.h>
#include <string.h>

static size_t next_boundary(const char *text, size_t at)
{
    struct grapheme grapheme;
    return at + text_next(text + at, strlen(text + at), CHARSET_UTF8, &grapheme);
}

static size_t previous_boundary(const char *text, size_t at)
{
    size_t boundary = 0;
    for (size_t next; (next = next_boundary(text, boundary)) < at;)
        boundary = next;
    return at > 0 ? boundary : 0;
}

/* The first boundary at or after `at`: what was inserted may have joined its neighbours. */
static size_t boundary_from(const char *text, size_t at)
{
    size_t boundary = 0;
    while (boundary < at && text[boundary] != '\0')
        boundary = next_boundary(text, boundary);
    return boundary;
}

static bool blank_at(const char *text, size_t at)
{
    return text[at] == ' ';
}

static size_t word_end(const char *text, size_t at)
{
    while (blank_at(text, at))
        at = next_boundary(text, at);
    while (text[at] != '\0' && !blank_at(text, at))
        at = next_boundary(text, at);
    return at;
}

static size_t word_start(const char *text, size_t at)
{
    while (at > 0 && blank_at(text, previous_boundary(text, at)))
        at = previous_boundary(text, at);
    while (at > 0 && !blank_at(text, previous_boundary(text, at)))
        at = previous_boundary(text, at);
    return at;
}

/* What may stand in a field: printable, and shown as itself. */
static bool acceptable(uint32_t code_point)
{
    char bytes[5] = {0};
    size_t length = text_encode(code_point, bytes);
    struct grapheme grapheme;
    text_next(bytes, length, CHARSET_UTF8, &grapheme);
    return code_point >= ' ' && code_point <= 0x10FFFF && grapheme.width > 0 && strstr(grapheme.text, bytes) != NULL;
}

static void insert(struct field_state *state, const char *bytes, size_t length)
{
    size_t used = strlen(state->text);
    if (used + length >= sizeof(state->text)) {
        state->full = true;
        return;
    }
    memmove(state->text + state->cursor + length, state->text + state->cursor, used - state->cursor + 1);
    memcpy(state->text + state->cursor, bytes, length);
    state->cursor = boundary_from(state->text, state->cursor + length);
}

static void erase(struct field_state *state, size_t from, size_t to, bool keep)
{
    if (keep && to > from) {
        memcpy(state->deleted, state->text + from, to - from);
        state->deleted[to - from] = '\0';
    }
    memmove(state->text + from, state->text + to, strlen(state->text + to) + 1);
    state->cursor = boundary_from(state->text, from);
}

void field_set(struct field_state *state, const char *text)
{
    *state = (struct field_state){0};
    while (text != NULL && *text != '\0') {
        uint32_t code_point;
        size_t size = text_decode(text, strlen(text) < 4 ? strlen(text) : 4, &code_point);
        if (size > 0 && acceptable(code_point))
            insert(state, text, size);
        if (state->full)
            break;
        text += size > 0 ? size : 1;
    }
    state->full = false;
}

void field_insert(struct field_state *state, const char *text)
{
    uint32_t code_point;
    for (size_t size; (size = text_decode(text, strnlen(text, 4), &code_point)) > 0 && acceptable(code_point); text += size)
        insert(state, text, size);
}

static int width_between(const char *text, size_t from, size_t to, enum charset charset)
{
    int width = 0;
    struct grapheme grapheme;
    for (size_t size; from < to && (size = text_next(text + from, to - from, charset, &grapheme)) > 0; from += size)
        width += grapheme.width;
    return width;
}

/* Where the shown part begins: the cursor is kept near the middle of what is longer than the field. */
static size_t first_shown(const struct field_state *state, int width, enum charset charset)
{
    size_t end = strlen(state->text);
    int total = width_between(state->text, 0, end, charset) + 1;
    int before = width_between(state->text, 0, state->cursor, charset);
    int skip = before - width / 2 < total - width ? before - width / 2 : total - width;
    size_t at = 0;
    for (int skipped = 0; skipped < skip && at < end;) {
        size_t next = next_boundary(state->text, at);
        skipped += width_between(state->text, at, next, charset);
        at = next;
    }
    return at < state->cursor ? at : state->cursor;
}

static void draw_text(struct area area, const struct field_model *model, const struct field_state *state, bool focused)
{
    enum charset charset = area.canvas->charset;
    size_t from = first_shown(state, area.width, charset);
    size_t end = strlen(state->text);
    area_fill(area, ROLE_INPUT);
    if (end == 0 && model->placeholder != NULL)
        area_text(area, 0, 0, ROLE_INPUT | STYLE_DIM, model->placeholder);
    area_bytes(area, 0, 0, ROLE_INPUT, state->text + from, end - from);
    if (from > 0)
        area_glyph(area, 0, 0, ROLE_INPUT, GLYPH_MORE_LEFT);
    if (width_between(state->text, from, end, charset) > area.width)
        area_glyph(area, area.width - 1, 0, ROLE_INPUT, GLYPH_MORE_RIGHT);
    if (focused)
        area_cursor(area, width_between(state->text, from, state->cursor, charset), 0);
}

void field_draw(struct area area, const struct field_model *model, const struct field_state *state, bool focused)
{
    int x = 0;
    if (model->label != NULL && area.width > 12) {
        struct area label = area_part(area, (struct rect){0, 0, area.width / 2, 1});
        x = area_text(label, 0, 0, focused ? ROLE_STRONG : ROLE_TEXT, model->label) + 1;
    }
    draw_text(area_part(area, (struct rect){x, 0, area.width - x, 1}), model, state, focused);
    const char *message = state->full ? "that is all that fits here" : state->message;
    bool warns = state->full || state->refused;
    if (message[0] == '\0')
        return;
    struct area below = area_part(area, (struct rect){x, 1, area.width - x, area.height - 1});
    struct prose_block block = {.kind = warns ? PROSE_MARK : PROSE_PARAGRAPH, .text = message, .mark = MARK_WARN, .style = warns ? ROLE_WARN : ROLE_DIM};
    struct prose_state unread = {0};
    prose_draw(below, &block, 1, &unread);
}

static bool check(const struct field_model *model, struct field_state *state)
{
    state->message[0] = '\0';
    if (model->validate == NULL || model->validate(model->context, state->text, state->message, sizeof(state->message)))
        return true;
    if (state->message[0] == '\0')
        snprintf(state->message, sizeof(state->message), "this can't be used");
    return false;
}

static enum reaction submit(const struct field_model *model, struct field_state *state)
{
    state->refused = !check(model, state);
    return state->refused ? REACTION_REDRAW : REACTION_ACTIVATE;
}

/* Moves the cursor. False if it is no such key. */
static bool move_key(struct field_state *state, const struct input *input)
{
    size_t end = strlen(state->text);
    switch (input->key) {
    case K_LEFT:
    case K_CTRL('b'):
        state->cursor =
            input->alt ? word_start(state->text, state->cursor) : previous_boundary(state->text, state->cursor);
        return true;
    case K_RIGHT:
    case K_CTRL('f'):
        state->cursor = input->alt ? word_end(state->text, state->cursor) : next_boundary(state->text, state->cursor);
        return true;
    case K_HOME:
    case K_CTRL('a'):
        state->cursor = 0;
        return true;
    case K_END:
    case K_CTRL('e'):
        state->cursor = end;
        return true;
    case 'b':
        state->cursor = input->alt ? word_start(state->text, state->cursor) : state->cursor;
        return input->alt;
    case 'f':
        state->cursor = input->alt ? word_end(state->text, state->cursor) : state->cursor;
        return input->alt;
    default:
        return false;
    }
}

/* Changes the text. False if it is no such key. */
static bool edit_key(struct field_state *state, const struct input *input)
{
    size_t at = state->cursor;
    char bytes[4];
    switch (input->key) {
    case K_BACKSPACE:
        erase(state, input->alt ? word_start(state->text, at) : previous_boundary(state->text, at), at, input->alt);
        return true;
    case K_DELETE:
    case K_CTRL('d'):
        erase(state, at, next_boundary(state->text, at), false);
        return true;
    case K_CTRL('w'):
        erase(state, word_start(state->text, at), at, true);
        return true;
    case K_CTRL('u'):
        erase(state, 0, at, true);
        return true;
    case K_CTRL('k'):
        erase(state, at, strlen(state->text), true);
        return true;
    case K_CTRL('y'):
        insert(state, state->deleted, strlen(state->deleted));
        return true;
    default:
        break;
    }
    if (input->alt && input->key == 'd')
        erase(state, at, word_end(state->text, at), true);
    else if (input->alt || !acceptable(input->key))
        return false;
    else
        insert(state, bytes, text_encode(input->key, bytes));
    return true;
}

enum reaction field_key(const struct field_model *model, struct field_state *state, const struct input *input)
{
    if (input->kind != INPUT_KEY)
        return REACTION_NONE;
    if (input->pasted && (input->key < ' ' || input->key >= K_ENTER))
        return REACTION_REDRAW;
    state->full = false;
    if (input->key == K_ENTER)
        return submit(model, state);
    if (input->key == K_ESC)
        return REACTION_CANCEL;
    if (move_key(state, input))
        return REACTION_REDRAW;
    if (!edit_key(state, input))
        return input->key >= ' ' && input->key < K_ENTER ? REACTION_REDRAW : REACTION_NONE;
    state->refused = false;
    check(model, state);
    return REACTION_CHANGED;
}
