/* Step 4, Decommission: old nodes that still answer, and Kong nodes that the database still sees. */
#include "screens/hooks.h"
#include "screens/strangers.h"
#include "screens/whole.h"
#include "tui/layout.h"

#include <stdio.h>

enum { ACTION_DECOMMISSION = ACTION_ROW };

static const struct keys_row keys[] = {
    {{'d'}, "stop node", "Stop the selected old node by the decommission hook of fleet.ini; its name must be typed.", ACTION_DECOMMISSION, -65, NULL},
};

/* Not asked yet, or can't be asked: neither there nor silent. */
static bool is_unknown(const struct node *node)
{
    return !node_is_there(node) && node->state != NODE_SILENT;
}

static void add_old(struct prose *prose, const struct model *model)
{
    size_t there = model_count_nodes(model, CLUSTER_OLD, node_is_there), all = model_count_nodes(model, CLUSTER_OLD, NULL);
    size_t unknown = model_count_nodes(model, CLUSTER_OLD, is_unknown);
    const struct upgrade *upgrade = &model->upgrade;
    const char *answer = there == 1 ? "answers" : "answer", *stop = there == 1 ? "Stop it on its host" : "Stop them on their hosts";
    if (all == 0)
        prose_add_mark(prose, MARK_UNKNOWN, "No old node is in fleet.ini: that they are stopped can't be seen from here.");
    else if (there > 0 && (!upgrade->gates[STEP_DECOMMISSION].open || model->verdict.level == VERDICT_WORSE))
        prose_add_mark(prose, MARK_WAIT, "%zu of %zu old nodes still %s. Don't stop any yet.", there, all, answer);
    else if (there > 0 && hooks_has(model, HOOK_DECOMMISSION))
        prose_add_mark(prose, MARK_WAIT, "%zu of %zu old nodes still %s. Press d to stop the selected one.", there, all, answer);
    else if (there > 0)
        prose_add_mark(prose, MARK_WAIT, "%zu of %zu old nodes still %s. %s: kong quit", there, all, answer, stop);
    else if (unknown > 0)
        prose_add_mark(prose, MARK_UNKNOWN, "Whether %zu of %zu old nodes still answer%s is not known.", unknown, all, unknown == 1 ? "s" : "");
    else
        prose_add_mark(prose, MARK_OK, "No old node answers any more, of %zu in fleet.ini.%s", all,
                       upgrade->gates[STEP_FINISH].open ? model_go_on(model, STEP_FINISH) : "");
}

static void fill(struct prose *prose, const struct wizard *wizard)
{
    const struct model *model = &wizard->model;
    api_guard_add(prose, model);
    verdict_add(prose, model);
    hooks_add(prose, model, HOOK_DECOMMISSION);
    add_old(prose, model);
    node_pane_add_troubles(prose, wizard, CLUSTER_OLD, NODE_COLUMNS_TRAFFIC);
    strangers_add(prose, model);
    if (model->state.from_014 && !model_finish_begun(model))
        prose_add_mark(prose, MARK_INFO, "A 0.14 node can be started again until step 5; after that it refuses.");
    if (!model->state.from_014)
        prose_add_mark(prose, MARK_WARN, "Nothing in Kong keeps a 1.0 to 1.2 node from being started again: see to it that nothing does.");
}

static const struct table_column columns[] = {
    {"Kong seen in the database", LAYOUT_FILL(14, 9), false},
    {"release", LAYOUT_FIXED(8, 5), false},
    {"sessions", LAYOUT_FIXED(8, 4), true},
    {"last poll", LAYOUT_FIXED(12, 8), true},
};

static void session_cell(const void *context, size_t row, size_t column, struct table_cell *cell)
{
    static char text[80];
    const struct model *model = context;
    const struct session *session = &model->sessions.list[row];
    cell->text = text;
    switch (column) {
    case 0:
        snprintf(text, sizeof text, "%.46s%s", session->address, strangers_have(model, session->address) ? ", not in fleet.ini" : "");
        break;
    case 1:
        cell->text = !session->legacy ? "1.x" : session->poll_age >= 0 ? "0.14" : "unknown";
        break;
    case 2:
        snprintf(text, sizeof text, "%d", session->connections);
        break;
    default:
        snprintf(text, sizeof text, session->poll_age < 0 ? "none seen" : "%d s ago", session->poll_age);
        cell->style = session->poll_age >= 0 && session->poll_age <= SESSIONS_FRESH_S ? ROLE_TEXT : ROLE_DIM;
    }
}

static struct table_model session_table(const struct wizard *wizard)
{
    const struct sessions *sessions = &wizard->model.sessions;
    const char *empty = sessions->restricted ? "This role may not see other roles' sessions." : "No Kong node is seen in the database.";
    return (struct table_model){columns, COUNT_OF(columns), sessions->count, session_cell, &wizard->model, empty, false, false};
}

static void draw(struct wizard *wizard, struct area area)
{
    struct prose prose = {0};
    struct area parts[3];
    const struct table_model sessions = session_table(wizard);
    fill(&prose, wizard);
    const int nodes = (int)model_count_nodes(&wizard->model, CLUSTER_OLD, NULL), note = 4;
    const struct layout_request rows[] = {
        LAYOUT_BETWEEN(1, prose_height(prose.blocks, prose.count, area.width, area.canvas->charset), 3),
        {3, nodes + 1, nodes + 1 + note, 2, 2}, {wizard->model.sessions.count > 1 ? 4 : 2, (int)wizard->model.sessions.count + 1, 0, 1, 1},
    };
    layout_rows(area, 1, rows, 3, parts);
    whole_draw(wizard, parts[0], prose.blocks, prose.count);
    node_pane_draw(wizard, parts[1], CLUSTER_OLD, NODE_COLUMNS_TRAFFIC, "No old node is in fleet.ini.");
    table_draw(parts[2], &sessions, &wizard->view.sessions, wizard->view.focus[STEP_DECOMMISSION] == 1);
    prose_free(&prose);
}

static bool pane(struct wizard *wizard, size_t index, struct pane *pane)
{
    if (index == 0)
        node_pane(wizard, CLUSTER_OLD, NODE_COLUMNS_TRAFFIC, pane);
    else
        *pane = (struct pane){.list = &wizard->view.sessions, .table = session_table(wizard)};
    return index <= 1;
}

static bool enabled(const struct wizard *wizard, int action)
{
    (void)action;
    return hooks_enabled(&wizard->model, HOOK_DECOMMISSION) && wizard->model.upgrade.gates[STEP_DECOMMISSION].open &&
           model_count_nodes(&wizard->model, CLUSTER_OLD, NULL) > 0;
}

static void act(struct wizard *wizard, int action)
{
    (void)action;
    hooks_ask_decommission(wizard, node_pane_selected(wizard, CLUSTER_OLD, NODE_COLUMNS_TRAFFIC));
}

const struct screen screen_decommission = {keys, COUNT_OF(keys), enabled, draw, pane, act};
