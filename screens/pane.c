#include "screens/pane.h"

#include "screens/copy.h"
#include "screens/screen.h"

#include <stdlib.h>

void pane_free(struct pane *pane)
{
    prose_free(&pane->prose);
}

bool pane_here(struct wizard *wizard, struct pane *pane)
{
    const struct screen *screen = wizard_screen(wizard);
    size_t *focus = &wizard->view.focus[wizard->view.shown];
    *pane = (struct pane){0};
    if (screen->pane(wizard, *focus, pane))
        return true;
    *focus = 0;   /* what had it is no longer there */
    return screen->pane(wizard, 0, pane);
}

/* How many panes the screen has. */
static size_t count_panes(const struct wizard *wizard)
{
    struct wizard *changed = (struct wizard *)(uintptr_t)wizard;   /* panes point to the view's states; none is changed here */
    size_t count = 0;
    for (struct pane pane = {0}; count < PANES && wizard_screen(wizard)->pane(changed, count, &pane); count++) {
        pane_free(&pane);
        pane = (struct pane){0};
    }
    return count;
}

bool pane_has_others(const struct wizard *wizard)
{
    return count_panes(wizard) > 1;
}

void pane_next(struct wizard *wizard)
{
    size_t *focus = &wizard->view.focus[wizard->view.shown], count = count_panes(wizard);
    *focus = count > 0 ? (*focus + 1) % count : 0;
}

bool pane_is_typing(const struct pane *pane)
{
    return pane->list != NULL ? pane->list->search.typing : pane->text->search.typing;
}

void pane_add_row(struct prose *prose, const struct table_model *table, size_t row)
{
    for (size_t column = 0; row < table->row_count && column < table->column_count; column++) {
        struct table_cell cell = {NULL, ROLE_TEXT};
        table->cell(table->context, row, column, &cell);
        prose_add_key(prose, table->columns[column].title, cell.text != NULL ? cell.text : "");
    }
}

static void open_row(struct wizard *wizard, const struct pane *pane)
{
    if (pane->open != NULL) {
        pane->open(wizard, pane->list->selected);
        return;
    }
    wizard_open_text(wizard, "Details");
    pane_add_row(&wizard->view.text, &pane->table, pane->list->selected);
}

bool pane_key(struct wizard *wizard, struct pane *pane, const struct input *input)
{
    if (pane->list == NULL)
        return prose_read(pane->prose.blocks, pane->prose.count, pane->text, input) != REACTION_NONE;
    enum reaction reaction = table_key(&pane->table, pane->list, input);
    if (reaction != REACTION_NONE && pane->moved != NULL)
        pane->moved(wizard);
    if (reaction == REACTION_ACTIVATE)
        open_row(wizard, pane);
    return reaction != REACTION_NONE;
}

void pane_copy(struct wizard *wizard, const struct pane *pane)
{
    char *text = pane->list != NULL ? table_text(&pane->table, pane->list->selected) : prose_text(pane->prose.blocks, pane->prose.count);
    copy_text(wizard, text);
    free(text);
}
