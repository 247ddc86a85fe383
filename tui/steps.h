/* The steps of a long job, always in sight: which are done, where one is, what is next, what is locked, what can't be
 * undone. */
#ifndef TUI_STEPS_H
#define TUI_STEPS_H

#include "tui/canvas.h"

#include <stdbool.h>
#include <stddef.h>

enum steps_progress {
    STEPS_LOCKED,
    STEPS_NEXT, /* can be opened now */
    STEPS_HERE,
    STEPS_DONE,
};

struct steps_item {
    const char *label; /* "Migrate up" */
    const char *name;  /* shorter, for the one line; NULL: label */
    enum steps_progress progress;
    int number; /* shown before the label; 0: none (Welcome, Preflight, Done) */
    bool irreversible;
    bool viewed; /* its screen is the one shown */
};

/* Three lines or more: a column, an item a line; fewer: one line, shortened as needed around the item that is here, in
 * the end to "step 3 of 5: Divert". */
void steps_draw(struct area area, const struct steps_item *items, size_t count);

#endif
