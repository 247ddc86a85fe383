/*
 * A list with columns: header, selection, scrolling, search. Rows are asked for by a callback as they are drawn, so
 * tens of thousands cost nothing. On a narrow screen columns shrink to their minimum, then the least important are left
 * out.
 */
#ifndef TUI_TABLE_H
#define TUI_TABLE_H

#include "tui/canvas.h"
#include "tui/input.h"
#include "tui/layout.h"
#include "tui/search.h"

#include <stdbool.h>
#include <stddef.h>

struct table_column {
    const char *title;
    struct layout_request width; /* LAYOUT_FIXED, LAYOUT_BETWEEN, LAYOUT_FILL */
    bool right;                  /* figures: flush right */
};

struct table_cell {
    const char *text; /* any text; valid until the next call. NULL is "" */
    unsigned style;   /* ROLE_TEXT by default */
};

struct table_model {
    const struct table_column *columns;
    size_t column_count; /* at most TABLE_COLUMNS; more are not shown */
    size_t row_count;
    void (*cell)(const void *context, size_t row, size_t column, struct table_cell *cell);
    const void *context;
    const char *empty; /* shown instead of rows when there are none; NULL: "nothing here" */
    bool no_header;
    bool no_selection; /* only looked at: no row is selected, pointed at or has the cursor */
};
#define TABLE_COLUMNS 16

/* Zero-initialised: first row selected, no search. */
struct table_state {
    size_t selected;
    size_t top;
    struct search search;
    size_t origin; /* the row from which the search began */
    bool moved;    /* by a key: a list that follows what goes on stays where it is. Esc undoes it */
    size_t page;   /* rows shown by the last table_draw; drawing changes only this and top */
};

/* Draws it. With focus the selected row is ROLE_HERE and has the cursor; without, ROLE_PASSIVE. If not all rows fit, a
 * scroll bar in the last column and "3 of 50000" in the last line say where one is; a search is shown in that line too.
 */
void table_draw(struct area area, const struct table_model *model, struct table_state *state, bool focused);

/* Arrows, j/k, page keys, Home/End, g/G; "/" starts a search in all columns (without regard to case), n and N go to the
 * next and the previous match, Esc ends it. Enter: REACTION_ACTIVATE (not on an empty table). REACTION_CHANGED: another
 * row is selected. */
enum reaction table_key(const struct table_model *model, struct table_state *state, const struct input *input);

/* A row as one line of printable text, its cells apart by tabs. The caller frees. */
char *table_text(const struct table_model *model, size_t row);

/* Keeps the selection inside after the model has changed. table_draw and table_key do it too. */
void table_clamp(const struct table_model *model, struct table_state *state);

#endif
