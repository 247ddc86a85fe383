/* Step 3, Divert: where the traffic is. */
#include "screens/screen.h"
#include "tui/chart.h"
#include "tui/layout.h"
#include "tui/progress.h"

#include <stdio.h>

static const struct keys_row keys[] = {
    {{K_ENTER}, "details", "All that is known of the selected new node.", 0, 45, NULL},
};

static const char *rate_text(double rate, char *text, size_t size)
{
    snprintf(text, size, rate < 0 ? "-" : "%.1f", rate);
    return text;
}

/* "old 120.0 req/s   new 40.0 req/s" and the new cluster's share as a bar. */
static void draw_shares(const struct model *model, struct area area)
{
    char old_text[32], new_text[32];
    double old = model->rps[CLUSTER_OLD], new = model->rps[CLUSTER_NEW], all = (old > 0 ? old : 0) + (new > 0 ? new : 0);
    int x = area_text(area, 0, 0, ROLE_OLD, "old cluster ");
    x = area_textf(area, x, 0, ROLE_STRONG, "%s req/s", rate_text(old, old_text, sizeof old_text));
    x = area_text(area, x + 3, 0, ROLE_NEW, "new cluster ");
    area_textf(area, x, 0, ROLE_STRONG, "%s req/s", rate_text(new, new_text, sizeof new_text));
    if (all <= 0) {
        area_text(area, 0, 1, ROLE_DIM, old < 0 && new < 0 ? "No node has been counted yet." : "No traffic now.");
        return;
    }
    struct progress_model share = {.done = new > 0 ? new : 0, .total = all, .seconds_left = -1};
    int after = area_text(area, 0, 1, ROLE_TEXT, "share of new ");
    progress_draw(area_part(area, (struct rect){after, 1, area.width - after, 1}), 0, &share);
}

static void draw_chart(const struct model *model, struct area area)
{
    const struct chart_series series[] = {
        {"old", model->history[CLUSTER_OLD], model->history_count[CLUSTER_OLD], ROLE_OLD, 'o'},
        {"new", model->history[CLUSTER_NEW], model->history_count[CLUSTER_NEW], ROLE_NEW, 'n'},
    };
    const struct chart_model chart = {.series = series, .count = 2, .seconds_per_value = 1, .unit = "req/s", .empty = "no figures yet: nodes are asked once a second"};
    chart_draw(area, &chart);
}

static void draw(struct wizard *wizard, struct area area)
{
    const struct layout_request rows[] = {LAYOUT_FIXED(2, 4), LAYOUT_FILL(4, 3), LAYOUT_BETWEEN(2, 5, 2), LAYOUT_BETWEEN(2, 5, 1)};
    struct area parts[4];
    layout_rows(area, area.height >= 18 ? 1 : 0, rows, 4, parts);
    draw_shares(&wizard->model, parts[0]);
    draw_chart(&wizard->model, parts[1]);
    node_pane_draw(wizard, parts[2], CLUSTER_NEW, NODE_COLUMNS_TRAFFIC, "No new node is in fleet.ini.");
    node_pane_draw(wizard, parts[3], CLUSTER_OLD, NODE_COLUMNS_TRAFFIC, "No old node is in fleet.ini.");
}

static bool key(struct wizard *wizard, const struct input *input)
{
    return node_pane_key(wizard, input, CLUSTER_NEW, NODE_COLUMNS_TRAFFIC);
}

const struct screen screen_divert = {keys, COUNT_OF(keys), NULL, draw, key, NULL};
