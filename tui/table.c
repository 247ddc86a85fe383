#include "tui/table.h"

#include "tui/memory.h"
#include "tui/told.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMN_GAP    2
#define POINTER_WIDTH 2

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
        if (search_contains(cell_of(model, row, column).text, pattern))
            return true;
    return false;
}

/* Selects the first match from `from` on, round the end. */
static void look(const struct table_model *model, struct table_state *state, size_t from, bool backwards)
{
    size_t count = model->row_count;
    state->search.not_found = state->search.pattern[0] != '\0';
    if (count == 0 || state->search.pattern[0] == '\0')
        return;
    for (size_t i = 0; i < count; i++) {
        size_t row = backwards ? (from % count + count - i) % count : (from + i) % count;
        if (row_matches(model, row, state->search.pattern)) {
            state->selected = row;
            state->search.not_found = false;
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
        bool match = state->search.pattern[0] != '\0' && search_contains(cell.text, state->search.pattern);
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
    if (search_active(&state->search))
        search_draw(left, &state->search);
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
    if (focused)
        area_glyph(line, 0, 0, ROLE_HERE, GLYPH_HERE);
    if (focused && !state->search.typing)
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

/* Without the mark's glyph before a word: it says the same again. */
static const char *words_of(const char *text)
{
    for (int mark = 0; mark < MARK_COUNT; mark++)
        for (int charset = CHARSET_UTF8; charset <= CHARSET_ASCII; charset++) {
            const char *glyph = theme_glyph((enum charset)charset, mark_glyph((enum mark)mark));
            size_t length = strlen(glyph);
            if (strncmp(text, glyph, length) == 0 && text[length] == ' ')
                return text + length + 1;
        }
    return text;
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
    told_add_row(told, model->no_selection ? TOLD_LISTED : TOLD_ROW, sentence, gist);
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
    bool searching = search_active(&state->search);
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

static enum reaction select_row(const struct table_model *model, struct table_state *state, size_t row)
{
    size_t before = state->selected;
    state->selected = row;
    state->moved = true;
    table_clamp(model, state);
    return state->selected != before ? REACTION_CHANGED : REACTION_REDRAW;
}

static enum reaction search_rows(const struct table_model *model, struct table_state *state, enum search_step step)
{
    size_t before = state->selected;
    size_t count = model->row_count > 0 ? model->row_count : 1;
    switch (step) {
    case SEARCH_BEGUN:
        state->origin = before;
        break;
    case SEARCH_TYPED:
    case SEARCH_CANCELLED:
        state->selected = state->origin;
        look(model, state, state->origin, false);
        break;
    case SEARCH_NEXT:
        look(model, state, before + 1, false);
        break;
    case SEARCH_PREVIOUS:
        look(model, state, (before + count - 1) % count, true);
        break;
    default:
        break;
    }
    table_clamp(model, state);
    return state->selected != before ? REACTION_CHANGED : REACTION_REDRAW;
}

char *table_text(const struct table_model *model, size_t row)
{
    char *text = memory_copy("", 0);
    size_t length = 0;
    for (size_t column = 0; row < model->row_count && column < columns_of(model); column++) {
        char *cell = text_plain(cell_of(model, row, column).text);
        size_t size = strlen(cell);
        text = memory_grow(text, length + size + 2, 1);
        length += (size_t)sprintf(text + length, "%s%s", column > 0 ? "\t" : "", cell);
        free(cell);
    }
    return text;
}

enum reaction table_key(const struct table_model *model, struct table_state *state, const struct input *input)
{
    if (input->kind != INPUT_KEY)
        return REACTION_NONE;
    table_clamp(model, state);
    enum search_step step = search_key(&state->search, input);
    if (step != SEARCH_NONE) {
        state->moved = step != SEARCH_ENDED && step != SEARCH_CANCELLED;
        return search_rows(model, state, step);
    }
    if (input->pasted || input->alt)
        return REACTION_NONE;
    if (input->key == K_ESC && state->moved) {
        state->moved = false;
        return REACTION_REDRAW;
    }
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
    case K_ENTER:
        return model->row_count > 0 ? REACTION_ACTIVATE : REACTION_NONE;
    default:
        return REACTION_NONE;
    }
}
