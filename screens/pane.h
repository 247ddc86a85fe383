/*
 * What has the focus on a screen, a list or a text, with the keys that all of them have: moving, searching, opening, copying. A screen
 * says what its panes are; the wizard gives them their keys, so that no list is without.
 */
#ifndef SCREENS_PANE_H
#define SCREENS_PANE_H

#include "tui/prose.h"
#include "tui/table.h"

struct wizard;

struct pane {
    struct table_state *list;         /* NULL: a text */
    struct table_model table;
    void (*open)(struct wizard *wizard, size_t row);   /* Enter on a row; NULL: its cells in full */
    void (*moved)(struct wizard *wizard);              /* after a key that was the list's; NULL: nothing follows from it */
    struct prose_state *text;
    struct prose prose;               /* of a text; pane_free frees */
};
void pane_free(struct pane *pane);

/* The pane that has the focus on the screen shown. False where there is none. */
bool pane_here(struct wizard *wizard, struct pane *pane);

/* The focus to the next pane of the screen. */
bool pane_has_others(const struct wizard *wizard);
void pane_next(struct wizard *wizard);

/* Whether all keys go to its search. */
bool pane_is_typing(const struct pane *pane);

/* Moving, searching, Enter. False: not its key. */
bool pane_key(struct wizard *wizard, struct pane *pane, const struct input *input);

/* Copies the selected row, or the text. */
void pane_copy(struct wizard *wizard, const struct pane *pane);

/* The cells of a row under each other, in full. */
void pane_add_row(struct prose *prose, const struct table_model *table, size_t row);

#endif
