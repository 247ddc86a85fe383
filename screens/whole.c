#include "screens/whole.h"

#include "screens/explain.h"
#include "screens/wizard.h"

void whole_add(struct wizard *wizard, const struct prose_block *blocks, size_t count)
{
    struct prose *all = wizard->view.gathered;
    for (size_t i = 0; all != NULL && i < count; i++) {
        const struct prose_block *each = &blocks[i];
        const char *text = each->text != NULL ? each->text : "";
        if (each->kind == PROSE_KEY)
            prose_add_key(all, each->term, text);
        else if (each->kind == PROSE_MARK)
            prose_add_mark(all, each->mark, "%s", text);
        else
            prose_add(all, each->kind, "%s", text);
    }
}

void whole_draw(struct wizard *wizard, struct area area, const struct prose_block *blocks, size_t count)
{
    struct prose_state state = {0};
    prose_draw(area, blocks, count, &state);
    wizard->view.cut = wizard->view.cut || (count > 0 && state.lines > state.page);
    whole_add(wizard, blocks, count);
}

void whole_line(struct wizard *wizard, struct area area, int y, enum mark mark, const char *text)
{
    const struct prose_block block = {.kind = mark < MARK_COUNT ? PROSE_MARK : PROSE_PARAGRAPH, .mark = mark, .text = text};
    int width = text_width(text, area.canvas->charset) + (mark < MARK_COUNT ? 2 : 0);
    if (mark < MARK_COUNT)
        frame_status(area, y, mark, text);
    else
        area_text(area, 0, y, ROLE_STRONG, text);
    wizard->view.cut = wizard->view.cut || y >= area.height || width > area.width;
    whole_add(wizard, &block, 1);
}

/* The screen is drawn once more, where no one sees it: what it says is gathered as it comes. */
static void gather(struct wizard *wizard, struct prose *all)
{
    struct canvas canvas;
    bool cut = wizard->view.cut;
    canvas_init(&canvas, 80, 24, wizard->view.charset);
    wizard->view.gathered = all;
    wizard_draw_screen(wizard, canvas_area(&canvas));
    wizard->view.gathered = NULL;
    wizard->view.cut = cut;
    canvas_free(&canvas);
}

void whole_open(struct wizard *wizard)
{
    struct pane pane;
    struct prose *all = &wizard->view.text;
    wizard_open_text(wizard, "All that this screen says");
    gather(wizard, all);
    if (pane_here(wizard, &pane) && pane.list != NULL && pane.list->selected < pane.table.row_count) {
        prose_add(all, PROSE_HEADING, "The selected row");
        pane_add_row(all, &pane.table, pane.list->selected);
    }
    pane_free(&pane);
    explain_screen(wizard, all);
}
