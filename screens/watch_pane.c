/*
 * A run of someone else's, whose journal is not here, as the screens Up and Finish show it: the plan, read anew every few seconds, in
 * which one change after the other is there. Who it is, is in the status line.
 */
#include "screens/whole.h"

#include "tui/layout.h"
#include "tui/progress.h"

void watch_pane_draw(struct wizard *wizard, struct area area)
{
    const struct model *model = &wizard->model;
    const struct layout_request rows[] = {LAYOUT_FIXED(2, 2), LAYOUT_FILL(3, 1)};
    struct area parts[2];
    layout_rows(area, 0, rows, 2, parts);
    if (model->has_plan) {
        size_t remaining = plan_remaining(&model->plan), total = model->watched_total > remaining ? model->watched_total : remaining;
        const struct progress_model progress = {.done = (double)(total - remaining), .total = (double)total, .seconds_left = -1, .unit = "changes"};
        progress_draw(parts[0], 0, &progress);
        whole_line(wizard, parts[0], 1, MARK_COUNT, "As the database shows it: read anew every few seconds.");
    } else {
        whole_line(wizard, parts[0], 0, MARK_WAIT, "The plan is being made.");
    }
    plan_pane_draw(wizard, parts[1]);
}
