/* Step 3, Divert: where the traffic is. */
#include "screens/hooks.h"
#include "tui/chart.h"
#include "tui/layout.h"
#include "tui/progress.h"

#include <stdio.h>

enum { ACTION_DIVERT = ACTION_OWN };

static const struct keys_row keys[] = {
    {{'d'}, "divert", "Move traffic by the divert hook of fleet.ini: 1, 5, 25, 50, 100 % to the new cluster, or back to 0.", ACTION_DIVERT, -65, NULL},
    {{K_ENTER}, "details", "All that is known of the selected node.", 0, 45, NULL},
};

static void rate_text(double rate, char *text, size_t size)
{
    snprintf(text, size, rate < 0 ? "no figure yet" : "%.1f req/s", rate);
}

/* "old cluster 120.0 req/s   new cluster 40.0 req/s" and the new cluster's share as a bar. */
static void draw_shares(const struct model *model, struct area area)
{
    char old_text[32], new_text[32];
    double old = model->rps[CLUSTER_OLD], new = model->rps[CLUSTER_NEW], all = (old > 0 ? old : 0) + (new > 0 ? new : 0);
    rate_text(old, old_text, sizeof old_text);
    rate_text(new, new_text, sizeof new_text);
    int x = area_text(area, 0, 0, ROLE_OLD, "old cluster ");
    x = area_text(area, x, 0, ROLE_STRONG, old_text);
    x = area_text(area, x + 3, 0, ROLE_NEW, "new cluster ");
    area_text(area, x, 0, ROLE_STRONG, new_text);
    if (all <= 0) {
        area_text(area, 0, 1, ROLE_DIM, old < 0 && new < 0 ? "No node has been counted yet." : "No traffic now.");
        return;
    }
    struct progress_model share = {.done = new > 0 ? new : 0, .total = all, .seconds_left = -1};
    int after = area_text(area, 0, 1, ROLE_TEXT, "share of new ");
    progress_draw(area_part(area, (struct rect){after, 1, area.width - after, 1}), 0, &share);
}

/* What to do now. */
static enum mark advise(const struct model *model, char *text, size_t size)
{
    const struct gate *next = &model->upgrade.gates[STEP_DECOMMISSION];
    double old = model->rps[CLUSTER_OLD], new = model->rps[CLUSTER_NEW];
    long long needed = model->app.fleet.quiet_seconds;
    text[0] = '\0';
    if (!model->upgrade.gates[STEP_DIVERT].open)
        return MARK_UNKNOWN;
    if (next->open && !next->overruled && new > 0)
        snprintf(text, size, "The new cluster serves everything.%s", model_go_on(model, STEP_DECOMMISSION));
    else if (old > 0 && new > 0)
        snprintf(text, size, "Both serve. Move more if errors and latency are as before.");
    else if (old > 0)
        snprintf(text, size, "Only the old cluster serves. Move 1 %% to the new one%s.", hooks_enabled(model, HOOK_DIVERT) ? ": press d" : "");
    else if (old >= 0 && new > 0)
        snprintf(text, size, "Only the new one serves. Step 4 opens after %lld s of that.", needed);
    return next->open ? MARK_OK : MARK_WAIT;
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
    char text[120];
    enum mark mark = advise(&wizard->model, text, sizeof text);
    int nodes = (int)(model_count_nodes(&wizard->model, CLUSTER_OLD, NULL) + model_count_nodes(&wizard->model, CLUSTER_NEW, NULL));
    struct prose prose = {0};
    struct prose_state state = {0};
    api_guard_add(&prose, &wizard->model);
    hooks_add(&prose, &wizard->model, HOOK_DIVERT);
    if (text[0] != '\0')
        prose_add_mark(&prose, mark, "%s", text);
    int lines = prose.count > 0 ? prose_height(prose.blocks, prose.count, area.width, area.canvas->charset) : 0;
    const struct layout_request rows[] = {
        LAYOUT_FIXED(2, 4), LAYOUT_FIXED(lines, 3), LAYOUT_FILL(4, 1), {3, nodes < 12 ? nodes + 2 : 14, 14, 0, 2},
    };
    struct area parts[4];
    layout_rows(area, area.height >= 24 ? 1 : 0, rows, 4, parts);
    draw_shares(&wizard->model, parts[0]);
    prose_draw(parts[1], prose.blocks, prose.count, &state);
    prose_free(&prose);
    draw_chart(&wizard->model, parts[2]);
    node_pane_draw(wizard, parts[3], CLUSTER_NEW, NODE_COLUMNS_BOTH, "No node is in fleet.ini. Add them on the Welcome screen.");
}

static bool key(struct wizard *wizard, const struct input *input)
{
    return node_pane_key(wizard, input, CLUSTER_NEW, NODE_COLUMNS_BOTH);
}

static bool enabled(const struct wizard *wizard, int action)
{
    (void)action;
    return hooks_enabled(&wizard->model, HOOK_DIVERT);
}

static void act(struct wizard *wizard, int action)
{
    (void)action;
    hooks_ask_divert(wizard);
}

const struct screen screen_divert = {keys, COUNT_OF(keys), enabled, draw, key, act};
