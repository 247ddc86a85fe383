/* Step 3, Divert: where the traffic is. */
#include "screens/hooks.h"
#include "screens/whole.h"
#include "tui/chart.h"
#include "tui/layout.h"
#include "tui/progress.h"

#include <stdio.h>

#define QUIET_MS 5000    /* not a moment between two requests */

enum { ACTION_LONGER = ACTION_OWN, ACTION_SHORTER, ACTION_DIVERT };

static const struct keys_row keys[] = {
    {{'d'}, "divert", "Move traffic by the divert hook of fleet.ini: 1, 5, 25, 50, 100 % to the new cluster, or back to 0.", ACTION_DIVERT, -65, NULL},
    {{'+', '=', 'z'}, "longer", "The chart over a longer time: 2 min, 10 min, 1 h, 6 h.", ACTION_LONGER, 30, NULL},
    {{'-', '_', 'Z'}, "shorter", "The chart over a shorter time.", ACTION_SHORTER, 25, NULL},
};

static const struct span {
    enum traffic_step step;
    size_t values;
} spans[] = {{TRAFFIC_SECONDS, 120}, {TRAFFIC_SECONDS, 600}, {TRAFFIC_TENS, 360}, {TRAFFIC_MINUTES, 360}};

static void rate_text(double rate, char *text, size_t size)
{
    snprintf(text, size, rate < 0 ? "no figure yet" : "%.1f req/s", rate);
}

/* "5xx   6.0/s  9.8 %   p95  41 ms   4xx 0.6/s  1.0 %", as much of it as there is room for. */
static void draw_answers(const struct model *model, enum cluster cluster, struct area area, int x)
{
    const struct cluster_metrics *metrics = &model->metrics[cluster];
    bool worse = cluster == CLUSTER_NEW && model->verdict.level == VERDICT_WORSE;
    char texts[3][48] = {"", "", ""};
    double p95 = cluster_metrics_ms(metrics, 0.95);
    if (metrics->counted == 0 || metrics_requests(&metrics->counts) <= 0)
        return;
    snprintf(texts[0], sizeof texts[0], "5xx %6.1f/s %5.1f %%", cluster_metrics_rate(metrics, 5), cluster_metrics_share(metrics, 5) * 100);
    if (p95 >= 0)
        snprintf(texts[1], sizeof texts[1], "p95 %5.0f ms", p95);
    snprintf(texts[2], sizeof texts[2], "4xx %6.1f/s %5.1f %%", cluster_metrics_rate(metrics, 4), cluster_metrics_share(metrics, 4) * 100);
    for (size_t i = 0; i < 3 && x + text_width(texts[i], area.canvas->charset) <= area.width; i++)
        x = area_text(area, x, 0, worse ? ROLE_WARN : ROLE_TEXT, texts[i]) + 3;
}

static void draw_share(const struct model *model, struct area area)
{
    double old = model->rps[CLUSTER_OLD], new = model->rps[CLUSTER_NEW], all = (old > 0 ? old : 0) + (new > 0 ? new : 0);
    if (all <= 0) {
        area_text(area, 0, 0, ROLE_DIM, old < 0 && new < 0 ? "No node has been counted yet." : "No traffic now.");
        return;
    }
    struct progress_model share = {.done = new > 0 ? new : 0, .total = all, .seconds_left = -1};
    int after = area_text(area, 0, 0, ROLE_TEXT, "share of new ");
    progress_draw(area_part(area, (struct rect){after, 0, area.width - after, 1}), 0, &share);
}

static bool has_answers(const struct model *model)
{
    return model->metrics[CLUSTER_OLD].counted > 0 || model->metrics[CLUSTER_NEW].counted > 0;
}

/* "old cluster 120.0 req/s   new cluster 40.0 req/s" and the new cluster's share as a bar. With more figures a line for each. */
static void draw_shares(const struct model *model, struct area area)
{
    static const char *const names[] = {"old cluster ", "new cluster "};
    bool apart = has_answers(model) && area.height >= 3;
    int x = 0;
    for (int cluster = CLUSTER_OLD; cluster <= CLUSTER_NEW; cluster++) {
        char rate[32];
        int y = apart ? cluster : 0;
        x = apart || cluster == CLUSTER_OLD ? 0 : x + 3;
        rate_text(model->rps[cluster], rate, sizeof rate);
        x = area_text(area, x, y, cluster == CLUSTER_OLD ? ROLE_OLD : ROLE_NEW, names[cluster]);
        if (apart)
            area_column(area, x, y, 13, true, ROLE_STRONG, rate);
        else
            x = area_text(area, x, y, ROLE_STRONG, rate);
        if (apart)
            draw_answers(model, (enum cluster)cluster, area_part(area, (struct rect){0, y, area.width, 1}), x + 16);
    }
    draw_share(model, area_part(area, (struct rect){0, apart ? 2 : 1, area.width, 1}));
}

/* What is allowed to it (quiet_rps) is a scraper's. */
static bool old_serves(const struct model *model)
{
    bool is_allowed = model->app.fleet.quiet_rps > 0 && model->old_quiet_ms >= QUIET_MS;
    return model->rps[CLUSTER_OLD] > 0 && !is_allowed;
}

/* What to do now. */
static enum mark advise(const struct model *model, char *text, size_t size)
{
    const struct gate *next = &model->upgrade.gates[STEP_DECOMMISSION];
    double old = model->rps[CLUSTER_OLD], new = model->rps[CLUSTER_NEW];
    long long needed = model->app.fleet.quiet_seconds;
    text[0] = '\0';
    if (!model->upgrade.gates[STEP_DIVERT].open || model->verdict.level == VERDICT_WORSE)
        return MARK_UNKNOWN;   /* the gate, or the verdict, says what to do */
    if (next->open && !next->overruled && new > 0)
        snprintf(text, size, "The new cluster serves everything.%s", model_go_on(model, STEP_DECOMMISSION));
    else if (old_serves(model) && new > 0 && model->verdict.level == VERDICT_FINE)
        snprintf(text, size, "Both serve, and the new cluster answers no worse. Move more.");
    else if (old_serves(model) && new > 0)
        snprintf(text, size, "Both serve. Move more if errors and latency are as before.");
    else if (old_serves(model))
        snprintf(text, size, "Only the old cluster serves. Move 1 %% to the new one%s.", hooks_enabled(model, HOOK_DIVERT) ? ": press d" : "");
    else if (old >= 0 && new > 0)
        snprintf(text, size, "Only the new one serves. Step 4 opens after %lld s of that.", needed);
    return next->open ? MARK_OK : MARK_WAIT;
}

static void draw_chart(const struct model *model, size_t which, struct area area)
{
    const struct span *span = &spans[which];
    const double *const *history = model->history[span->step];
    const size_t *count = model->history_count[span->step];
    const struct chart_series series[] = {
        {"old", history[CLUSTER_OLD], count[CLUSTER_OLD], ROLE_OLD, 'o'},
        {"new", history[CLUSTER_NEW], count[CLUSTER_NEW], ROLE_NEW, 'n'},
    };
    const struct chart_model chart = {.series = series, .count = 2, .seconds_per_value = traffic_step_seconds(span->step), .span = span->values, .unit = "req/s", .empty = "no figures yet: nodes are asked once a second"};
    chart_draw(area, &chart);
}

static void draw(struct wizard *wizard, struct area area)
{
    char text[120];
    enum mark mark = advise(&wizard->model, text, sizeof text);
    int nodes = (int)(model_count_nodes(&wizard->model, CLUSTER_OLD, NULL) + model_count_nodes(&wizard->model, CLUSTER_NEW, NULL));
    struct prose prose = {0};
    api_guard_add(&prose, &wizard->model);
    verdict_add(&prose, &wizard->model);
    hooks_add(&prose, &wizard->model, HOOK_DIVERT);
    node_pane_add_troubles(&prose, wizard, CLUSTER_NEW, NODE_COLUMNS_BOTH);
    if (text[0] != '\0')
        prose_add_mark(&prose, mark, "%s", text);
    int lines = prose.count > 0 ? prose_height(prose.blocks, prose.count, area.width, area.canvas->charset) : 0;
    const struct layout_request rows[] = {
        LAYOUT_BETWEEN(2, has_answers(&wizard->model) ? 3 : 2, 4), LAYOUT_FIXED(lines, 3), LAYOUT_FILL(4, 1), {3, nodes < 12 ? nodes + 2 : 14, 14, 0, 2},
    };
    struct area parts[4];
    layout_rows(area, area.height >= 24 ? 1 : 0, rows, 4, parts);
    draw_shares(&wizard->model, parts[0]);
    whole_draw(wizard, parts[1], prose.blocks, prose.count);
    prose_free(&prose);
    draw_chart(&wizard->model, wizard->view.span, parts[2]);
    node_pane_draw(wizard, parts[3], CLUSTER_NEW, NODE_COLUMNS_BOTH, "No node is in fleet.ini. Add them on the Welcome screen.");
}

static bool pane(struct wizard *wizard, size_t index, struct pane *pane)
{
    node_pane(wizard, CLUSTER_NEW, NODE_COLUMNS_BOTH, pane);
    return index == 0;
}

static bool enabled(const struct wizard *wizard, int action)
{
    if (action == ACTION_DIVERT)
        return hooks_enabled(&wizard->model, HOOK_DIVERT);
    return action == ACTION_LONGER ? wizard->view.span + 1 < COUNT_OF(spans) : action != ACTION_SHORTER || wizard->view.span > 0;
}

static void act(struct wizard *wizard, int action)
{
    if (action == ACTION_DIVERT)
        hooks_ask_divert(wizard);
    wizard->view.span += action == ACTION_LONGER ? 1 : 0;
    wizard->view.span -= action == ACTION_SHORTER ? 1 : 0;
}

const struct screen screen_divert = {keys, COUNT_OF(keys), enabled, draw, pane, act};
