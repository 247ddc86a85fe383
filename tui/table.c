#include "tui/table.h"

#include "tui/memory.h"
#include "tui/told.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wctype.h>

#define COLUMN_GAP    2
#define POINTER_WIDTH 2

static uint32_t next_folded(const char **text)
{
    uint32_t code_point;
    size_t size = text_decode(*text, strlen(*text) < 4 ? strlen(*text) : 4, &code_point);
    if (size == 0) {
        code_point = 0x110000u + (unsigned char)**text;
        size = 1;
    }
    *text += size;
    return code_point > 0x10FFFF ? code_point : (uint32_t)towlower((wint_t)code_point);
}

static bool begins_with(const char *text, const char *pattern)
{
    while (*pattern != '\0')
        if (*text == '\0' || next_folded(&text) != next_folded(&pattern))
            return false;
    return true;
}

static bool contains(const char *text, const char *pattern)
{
    for (; text != NULL && *text != '\0'; text++)
        if (((unsigned char)*text & 0xC0) != 0x80 && begins_with(text, pattern))
            return true;
    return false;
}

static struct table_cell cell_of(const struct table_model *model, size_t row, size_t column)
{
    struct table_cell cell = {NULL, ROLE_TEXT};
    model->cell(model->context, row, column, &cell);
    return cell;
}

static size_t columns_of(const struct table_model *model)
{
    return model->column_count < TABLE_COLUMNS ? model->column_count : TABLE_COLUMNS;
}

static bool row_matches(const struct table_model *model, size_t row, const char *pattern)
{
    for (size_t column = 0; column < columns_of(model); column++)
        if (contains(cell_of(model, row, column).text, pattern))
            return true;
    return false;
}

/* Selects the first match from `from` on, round the end. */
static void search(const struct table_model *model, struct table_state *state, size_t from, bool backwards)
{
    size_t count = model->row_count;
    state->not_found = state->pattern[0] != '\0';
    if (count == 0 || state->pattern[0] == '\0')
        return;
    for (size_t i = 0; i < count; i++) {
        size_t row = backwards ? (from % count + count - i) % count : (from + i) % count;
        if (row_matches(model, row, state->pattern)) {
            state->selected = row;
            state->not_found = false;
            return;
        }
    }
}

void table_clamp(const struct table_model *model, struct table_state *state)
{
    size_t last = model->row_count > 0 ? model->row_count - 1 : 0;
    size_t page = state->page > 0 ? state->page : 1;
    size_t last_top = model->row_count > page ? model->row_count - page : 0;
    if (state->selected > last)
        state->selected = last;
    if (state->top > state->selected)
        state->top = state->selected;
    if (state->selected - state->top >= page)
        state->top = state->selected - page + 1;
    if (state->top > last_top)
        state->top = last_top;
}

static void draw_cells(struct area line, const struct table_model *model, const int *widths, size_t row,
                       const struct table_state *state)
{
    int x = POINTER_WIDTH;
    for (size_t i = 0; i < columns_of(model); i++) {
        if (widths[i] == 0)
            continue;
        struct table_cell cell = cell_of(model, row, i);
        bool match = state->pattern[0] != '\0' && contains(cell.text, state->pattern);
        area_column(line, x, 0, widths[i], model->columns[i].right, match ? (unsigned)ROLE_MATCH : cell.style,
                    cell.text);
        x += widths[i] + COLUMN_GAP;
    }
}

static void draw_header(struct area line, const struct table_model *model, const int *widths)
{
    int x = POINTER_WIDTH;
    for (size_t i = 0; i < columns_of(model); i++) {
        if (widths[i] == 0)
            continue;
        area_column(line, x, 0, widths[i], model->columns[i].right, ROLE_TITLE, model->columns[i].title);
        x += widths[i] + COLUMN_GAP;
    }
}

static void draw_status(struct area line, const struct table_model *model, const struct table_state *state)
{
    char position[64];
    if (model->no_selection)
        snprintf(position, sizeof(position), "%zu of %zu shown", state->page, model->row_count);
    else
        snprintf(position, sizeof(position), "%zu of %zu", model->row_count > 0 ? state->selected + 1 : 0,
                 model->row_count);
    int width = (int)strlen(position);
    struct area left = area_part(line, (struct rect){0, 0, line.width - width - 2, 1});
    if (state->typing || state->pattern[0] != '\0') {
        int x = area_text(left, 0, 0, ROLE_KEY, "/");
        x = area_text(left, x, 0, state->typing ? ROLE_INPUT : ROLE_TEXT, state->pattern);
        if (state->typing)
            area_cursor(line, x < line.width ? x : line.width - 1, 0);
        if (state->not_found)
            area_text(left, x + 2, 0, ROLE_WARN, "! not found");
        else if (!state->typing)
            area_text(left, x + 2, 0, ROLE_DIM, "n next  N previous  Esc end");
    }
    area_column(line, line.width - width, 0, width, true, ROLE_DIM, position);
}

static void draw_scroll_bar(struct area area, const struct table_model *model, const struct table_state *state)
{
    size_t height = (size_t)area.height;
    size_t thumb = height * state->page / model->row_count;
    thumb = thumb > 0 ? thumb : 1;
    size_t hidden = model->row_count - state->page;
    size_t at = hidden > 0 ? (height - thumb) * state->top / hidden : 0;
    for (size_t y = 0; y < height; y++) {
        bool here = y >= at && y < at + thumb;
        area_glyph(area, area.width - 1, (int)y, here ? ROLE_STRONG : ROLE_BORDER, here ? GLYPH_THUMB : GLYPH_TRACK);
    }
}

static void draw_row(struct area line, const struct table_model *model, const struct table_state *state,
                     const int *widths, size_t row, bool focused)
{
    draw_cells(line, model, widths, row, state);
    if (row != state->selected || model->no_selection)
        return;
    area_restyle(line, focused ? ROLE_HERE : ROLE_PASSIVE);
    area_glyph(line, 0, 0, focused ? ROLE_HERE : ROLE_PASSIVE, GLYPH_HERE);
    if (focused && !state->typing)
        area_cursor(line, 0, 0);
}

static void add_cell(char **sentence, const struct table_column *column, bool first, const char *text)
{
    char *longer = NULL;
    if (asprintf(&longer, "%s%s%s%s%s", *sentence, **sentence != '\0' ? "; " : "", first ? "" : column->title, first ? "" : " ", text) < 0)
        return;
    free(*sentence);
    *sentence = longer;
}

/* Without the glyph before a word: it says the same again. */
static const char *words_of(const char *text)
{
    struct grapheme first;
    size_t size = text_next(text, strlen(text), CHARSET_UTF8, &first);
    bool letter = iswalnum((wint_t)(unsigned char)text[0]) != 0 && size == 1;
    return !letter && text[size] == ' ' && text[size + 1] != '\0' ? text + size + 1 : text;
}

/* "old-1; state answers; version 1.2; req/s 12.0". Figures make no other row of it. */
static void tell_row(struct told *told, const struct table_model *model, size_t row)
{
    char *sentence = memory_copy("", 0), *gist = memory_copy("", 0);
    for (size_t i = 0; i < columns_of(model); i++) {
        struct table_cell cell = cell_of(model, row, i);
        if (cell.text == NULL || cell.text[0] == '\0' || strcmp(cell.text, "-") == 0)
            continue;
        cell.text = words_of(cell.text);
        add_cell(&sentence, &model->columns[i], i == 0 && !model->no_selection, cell.text);
        if (!model->columns[i].right)
            add_cell(&gist, &model->columns[i], i == 0, cell.text);
    }
    told_add_row(told, model->no_selection ? TOLD_LISTED : TOLD_ROW, row, sentence, gist);
    free(gist);
    free(sentence);
}

static void tell(struct told *told, const struct table_model *model, struct table_state *state)
{
    state->page = model->row_count;
    table_clamp(model, state);
    if (model->row_count == 0)
        told_add(told, TOLD_TEXT, MARK_INFO, model->empty != NULL ? model->empty : "nothing here");
    for (size_t i = 0; i < model->row_count; i++)
        tell_row(told, model, i);
}

void table_draw(struct area area, const struct table_model *model, struct table_state *state, bool focused)
{
    if (area.canvas->told != NULL) {
        tell(area.canvas->told, model, state);
        return;
    }
    int header = model->no_header || area.height < 2 ? 0 : 1;
    bool searching = state->typing || state->pattern[0] != '\0';
    bool overflow = model->row_count > (size_t)(area.height > header ? area.height - header : 0);
    bool status = (overflow || searching) && area.height >= header + 2;
    struct area body = area_part(area, (struct rect){0, header, area.width, area.height - header - (status ? 1 : 0)});
    bool bar = overflow && area.width > 8 && body.height > 0;
    struct area rows = area_part(body, (struct rect){0, 0, body.width - (bar ? 2 : 0), body.height});

    state->page = (size_t)body.height;
    table_clamp(model, state);
    struct layout_request requests[TABLE_COLUMNS];
    int widths[TABLE_COLUMNS];
    for (size_t i = 0; i < columns_of(model); i++)
        requests[i] = model->columns[i].width;
    layout_share(rows.width - POINTER_WIDTH, COLUMN_GAP, requests, columns_of(model), widths);
    if (header > 0)
        draw_header(area_part(area, (struct rect){0, 0, rows.width, 1}), model, widths);
    if (model->row_count == 0)
        area_text(rows, POINTER_WIDTH, 0, ROLE_DIM, model->empty != NULL ? model->empty : "nothing here");
    for (int y = 0; y < rows.height && state->top + (size_t)y < model->row_count; y++)
        draw_row(area_part(rows, (struct rect){0, y, rows.width, 1}), model, state, widths, state->top + (size_t)y,
                 focused);
    if (bar)
        draw_scroll_bar(body, model, state);
    if (status)
        draw_status(area_part(area, (struct rect){0, area.height - 1, area.width, 1}), model, state);
}

static void pattern_edit(struct table_state *state, uint32_t key)
{
    size_t length = strlen(state->pattern);
    if (key == K_BACKSPACE) {
        while (length > 0 && ((unsigned char)state->pattern[--length] & 0xC0) == 0x80)
            ;
    } else if (length + 4 < sizeof(state->pattern)) {
        length += text_encode(key, state->pattern + length);
    }
    state->pattern[length] = '\0';
}

static enum reaction typing_key(const struct table_model *model, struct table_state *state, const struct input *input)
{
    size_t before = state->selected;
    uint32_t key = input->key;
    bool text = key >= ' ' && key != 0x7F && key < K_ENTER && !input->alt;
    if (key == K_ENTER && !input->pasted) {
        state->typing = false;
    } else if (key == K_ESC || (key == K_BACKSPACE && state->pattern[0] == '\0')) {
        state->typing = state->not_found = false;
        state->pattern[0] = '\0';
        state->selected = state->origin;
    } else if (text || key == K_BACKSPACE) {
        pattern_edit(state, key);
        state->selected = state->origin;
        search(model, state, state->origin, false);
    }
    table_clamp(model, state);
    return state->selected != before ? REACTION_CHANGED : REACTION_REDRAW;
}

static enum reaction select_row(const struct table_model *model, struct table_state *state, size_t row)
{
    size_t before = state->selected;
    state->selected = row;
    table_clamp(model, state);
    return state->selected != before ? REACTION_CHANGED : REACTION_REDRAW;
}

static enum reaction search_key(const struct table_model *model, struct table_state *state, uint32_t key)
{
    size_t before = state->selected;
    size_t count = model->row_count > 0 ? model->row_count : 1;
    if (key == '/') {
        state->typing = true;
        state->not_found = false;
        state->pattern[0] = '\0';
        state->origin = state->selected;
        return REACTION_REDRAW;
    }
    if (state->pattern[0] == '\0')
        return REACTION_NONE;
    if (key == K_ESC) {
        state->pattern[0] = '\0';
        state->not_found = false;
        return REACTION_REDRAW;
    }
    search(model, state, key == 'n' ? before + 1 : (before + count - 1) % count, key == 'N');
    table_clamp(model, state);
    return state->selected != before ? REACTION_CHANGED : REACTION_REDRAW;
}

enum reaction table_key(const struct table_model *model, struct table_state *state, const struct input *input)
{
    if (input->kind != INPUT_KEY)
        return REACTION_NONE;
    table_clamp(model, state);
    if (state->typing)
        return typing_key(model, state, input);
    if (input->pasted || input->alt)
        return REACTION_NONE;
    size_t row = state->selected;
    size_t last = model->row_count > 0 ? model->row_count - 1 : 0;
    size_t page = state->page > 1 ? state->page - 1 : 1;
    switch (input->key) {
    case K_UP:
    case 'k':
        return select_row(model, state, row > 0 ? row - 1 : 0);
    case K_DOWN:
    case 'j':
        return select_row(model, state, row + 1);
    case K_PAGE_UP:
        return select_row(model, state, row > page ? row - page : 0);
    case K_PAGE_DOWN:
        return select_row(model, state, row + page);
    case K_HOME:
    case 'g':
        return select_row(model, state, 0);
    case K_END:
    case 'G':
        return select_row(model, state, last);
    case '/':
    case 'n':
    case 'N':
    case K_ESC:
        return search_key(model, state, input->key);
    case K_ENTER:
        return model->row_count > 0 ? REACTION_ACTIVATE : REACTION_NONE;
    default:
        return REACTION_NONE;
    }
}
