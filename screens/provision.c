/* Step 2, Provision: the new nodes as they come up. */
#include "screens/hooks.h"
#include "screens/strangers.h"
#include "screens/whole.h"
#include "tui/layout.h"

enum { ACTION_PROVISION = ACTION_OWN };

static const struct keys_row keys[] = {
    {{'p'}, "provision", "Start the new nodes by the provision hook of fleet.ini.", ACTION_PROVISION, -65, NULL},
};

static void add_ready(struct prose *prose, const struct model *model)
{
    static const char *const all_ready[] = {[1] = "The new node is ready.", [2] = "Both new nodes are ready."};
    size_t ready = model_count_nodes(model, CLUSTER_NEW, node_is_ready), all = model_count_nodes(model, CLUSTER_NEW, NULL);
    const char *file = model->app.conf.file != NULL ? model->app.conf.file : "/etc/kong/kong.conf";
    if (!model->upgrade.gates[STEP_PROVISION].open)
        prose_add_mark(prose, MARK_UNKNOWN, "Don't start new nodes yet.");
    else if (all > 0 && ready < all && hooks_has(model, HOOK_PROVISION))
        prose_add_mark(prose, MARK_WAIT, "%zu of %zu new nodes %s ready.%s", ready, all, ready == 1 ? "is" : "are",
                       hooks_run(model) ? "" : " Press p to start them by the provision hook.");
    else if (all == 0)
        prose_add_mark(prose, MARK_UNKNOWN, "Start 1.3 nodes with this kong.conf (kong start -c %s), and add them to fleet.ini on the Welcome screen.", file);
    else if (ready < all)
        prose_add_mark(prose, MARK_WAIT, "%zu of %zu new nodes %s ready. Start 1.3 nodes with this kong.conf: kong start -c %s", ready, all,
                       ready == 1 ? "is" : "are", file);
    else if (all < COUNT_OF(all_ready))
        prose_add_mark(prose, MARK_OK, "%s%s", all_ready[all], model_go_on(model, STEP_DIVERT));
    else
        prose_add_mark(prose, MARK_OK, "All %zu new nodes are ready.%s", all, model_go_on(model, STEP_DIVERT));
}

static void fill(struct prose *prose, const struct model *model)
{
    if (model->state.stage == STAGE_CURRENT)
        prose_add_mark(prose, MARK_OK, "Step 5 is done: the new nodes' Admin API may be used.");
    else
        prose_add_mark(prose, MARK_WARN, "Don't use the new nodes' Admin API before step 5 is done: what it writes, old nodes may not understand.%s",
                       model_count_nodes(model, CLUSTER_NEW, node_is_there) == 0 ? "" : " It answers from here: let a firewall, or admin_listen = off, keep others off it.");
    if (model->state.from_014)
        prose_add_mark(prose, MARK_INFO, "It has another syntax than 0.14's: scripts for it are needed from step 5 on.");
    api_guard_add(prose, model);
    verdict_add(prose, model);
    hooks_add(prose, model, HOOK_PROVISION);
    add_ready(prose, model);
    strangers_add(prose, model);
}

static void draw(struct wizard *wizard, struct area area)
{
    struct prose prose = {0};
    struct area parts[2];
    fill(&prose, &wizard->model);
    node_pane_add_troubles(&prose, wizard, CLUSTER_NEW, NODE_COLUMNS_IDENTITY);
    const struct layout_request rows[] = {
        LAYOUT_BETWEEN(2, prose_height(prose.blocks, prose.count, area.width, area.canvas->charset), 2), LAYOUT_FILL(3, 1),
    };
    layout_rows(area, 1, rows, 2, parts);
    whole_draw(wizard, parts[0], prose.blocks, prose.count);
    node_pane_draw(wizard, parts[1], CLUSTER_NEW, NODE_COLUMNS_IDENTITY, "No new node is in fleet.ini.");
    prose_free(&prose);
}

static bool pane(struct wizard *wizard, size_t index, struct pane *pane)
{
    node_pane(wizard, CLUSTER_NEW, NODE_COLUMNS_IDENTITY, pane);
    return index == 0;
}

static bool enabled(const struct wizard *wizard, int action)
{
    (void)action;
    return hooks_enabled(&wizard->model, HOOK_PROVISION) && wizard->model.upgrade.gates[STEP_PROVISION].open;
}

static void act(struct wizard *wizard, int action)
{
    (void)action;
    hooks_ask_provision(wizard);
}

const struct screen screen_provision = {keys, COUNT_OF(keys), enabled, draw, pane, act};
