/* The nodes of one cluster as the screens Provision, Divert and Decommission show them. */
#include "screens/explain.h"

#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/mem.h"
#include "tui/frame.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MANY 12   /* nodes: fewer are seen at a glance */

enum column { COLUMN_NAME, COLUMN_STATE, COLUMN_VERSION, COLUMN_DATABASE, COLUMN_RATE, COLUMN_AGE, COLUMN_CLUSTER, COLUMN_POLL, COLUMN_PROBLEM };

struct shape {
    const struct table_column *columns;
    const enum column *kinds;
    size_t count;
};

static const struct table_column identity_columns[] = {
    {"node", LAYOUT_BETWEEN(8, 18, 9), false}, {"state", LAYOUT_FIXED(10, 8), false},   {"version", LAYOUT_FIXED(8, 7), false},
    {"database", LAYOUT_FIXED(8, 6), false},   {"last answer", LAYOUT_FIXED(11, 3), true}, {"what is wrong", LAYOUT_FILL(16, 5), false},
};
static const enum column identity_kinds[] = {COLUMN_NAME, COLUMN_STATE, COLUMN_VERSION, COLUMN_DATABASE, COLUMN_AGE, COLUMN_PROBLEM};

static const struct table_column traffic_columns[] = {
    {"node", LAYOUT_BETWEEN(8, 18, 9), false}, {"state", LAYOUT_FIXED(10, 8), false},      {"version", LAYOUT_FIXED(8, 4), false},
    {"req/s", LAYOUT_FIXED(8, 7), true},       {"last answer", LAYOUT_FIXED(11, 3), true}, {"in database", LAYOUT_FIXED(11, 6), true},
    {"what is wrong", LAYOUT_FILL(10, 5), false},
};
static const enum column traffic_kinds[] = {COLUMN_NAME, COLUMN_STATE, COLUMN_VERSION, COLUMN_RATE, COLUMN_AGE, COLUMN_POLL, COLUMN_PROBLEM};

static const struct table_column both_columns[] = {
    {"cluster", LAYOUT_FIXED(7, 9), false},                {"node", LAYOUT_BETWEEN(8, 18, 10), false}, {"state", LAYOUT_FIXED(10, 8), false},
    {"version", LAYOUT_FIXED(8, 4), false},                {"req/s", LAYOUT_FIXED(8, 7), true},        {"last answer", LAYOUT_FIXED(11, 3), true},
    {"what is wrong", LAYOUT_FILL(10, 2), false},
};
static const enum column both_kinds[] = {COLUMN_CLUSTER, COLUMN_NAME, COLUMN_STATE, COLUMN_VERSION, COLUMN_RATE, COLUMN_AGE, COLUMN_PROBLEM};

static const struct shape shapes[] = {
    [NODE_COLUMNS_IDENTITY] = {identity_columns, identity_kinds, COUNT_OF(identity_kinds)},
    [NODE_COLUMNS_TRAFFIC] = {traffic_columns, traffic_kinds, COUNT_OF(traffic_kinds)},
    [NODE_COLUMNS_BOTH] = {both_columns, both_kinds, COUNT_OF(both_kinds)},
};

/* What a table's cells are made from; one table is drawn or asked at a time. Its rows are the view's. */
struct rows {
    const struct wizard *wizard;
    const struct shape *shape;
    enum charset charset;
};

static const struct node_view *find_row(const struct wizard *wizard, size_t row)
{
    bool there = row < wizard->view.node_row_count && wizard->view.node_rows[row] < wizard->model.node_count;
    return there ? &wizard->model.nodes[wizard->view.node_rows[row]] : NULL;
}

/* On the screen that waits for it, and once the traffic has moved, an old node that is silent is as it should be. */
static bool is_well_gone(const struct wizard *wizard, const struct node *node)
{
    bool waited_for = wizard->view.shown == STEP_DECOMMISSION || wizard->model.upgrade.gates[STEP_DECOMMISSION].open;
    return waited_for && node->cluster == CLUSTER_OLD && node_is_gone(node, wizard->model.now, UPGRADE_GONE_MS);
}

/* The state as the operator means it: a new node that was there and is silent is worse than an old one. */
static enum mark mark_of(const struct wizard *wizard, const struct node *node)
{
    switch (node->state) {
    case NODE_UNASKED:
        return MARK_UNKNOWN;
    case NODE_ANSWERS:
        return node->problem != NULL ? MARK_WARN : MARK_OK;
    case NODE_STRANGE:
        return MARK_DANGER;
    case NODE_UNKNOWN:
        return MARK_UNKNOWN;
    default:
        if (is_well_gone(wizard, node))
            return MARK_OK;
        return node->cluster == CLUSTER_NEW && node->answered_at > 0 ? MARK_DANGER : MARK_STALE;
    }
}

/* NULL: nothing is wrong. */
static const char *problem_of(const struct wizard *wizard, const struct node *node)
{
    return is_well_gone(wizard, node) ? NULL : node->problem;
}

/* What an operator has to look at first. */
enum level { LEVEL_DANGER, LEVEL_WARN, LEVEL_UNKNOWN, LEVEL_SILENT, LEVEL_WELL, LEVEL_GONE, LEVELS };

static enum level level_of(const struct wizard *wizard, const struct node *node)
{
    switch (mark_of(wizard, node)) {
    case MARK_DANGER:
        return LEVEL_DANGER;
    case MARK_WARN:
        return LEVEL_WARN;
    case MARK_UNKNOWN:
        return LEVEL_UNKNOWN;
    case MARK_STALE:
        return LEVEL_SILENT;
    default:
        return is_well_gone(wizard, node) ? LEVEL_GONE : LEVEL_WELL;
    }
}

static bool is_shown(enum cluster cluster, enum node_columns columns, const struct node *node)
{
    return columns == NODE_COLUMNS_BOTH || node->cluster == cluster;
}

/* The selection stays with the node that the operator went to, wherever that is now. */
static void keep_selection(struct wizard *wizard)
{
    enum step step = wizard->view.shown;
    for (size_t row = 0; wizard->view.node_kept[step][0] != '\0' && row < wizard->view.node_row_count; row++)
        if (strncmp(find_row(wizard, row)->node->name, wizard->view.node_kept[step], NODE_KEPT_SIZE - 1) == 0) {
            wizard->view.tables[step].selected = row;
            return;
        }
    wizard->view.node_kept[step][0] = '\0';
}

/* The worst on top; then as the fleet has them. */
static void arrange(struct wizard *wizard, enum cluster cluster, enum node_columns columns)
{
    const struct model *model = &wizard->model;
    struct view *view = &wizard->view;
    view->node_rows = mem_grow(view->node_rows, model->node_count, sizeof *view->node_rows);
    view->node_row_count = 0;
    for (int level = LEVEL_DANGER; level < LEVELS; level++)
        for (int each = CLUSTER_NEW; each >= CLUSTER_OLD; each--)
            for (size_t i = 0; i < model->node_count; i++) {
                const struct node *node = model->nodes[i].node;
                if ((int)node->cluster == each && is_shown(cluster, columns, node) && (int)level_of(wizard, node) == level)
                    view->node_rows[view->node_row_count++] = i;
            }
    keep_selection(wizard);
}

/* Who has not moved in the list sees the worst. */
static void keep(struct wizard *wizard)
{
    enum step step = wizard->view.shown;
    const struct table_state *list = &wizard->view.tables[step];
    const struct node_view *selected = find_row(wizard, list->selected);
    bool kept = selected != NULL && (list->moved || list->selected > 0);
    snprintf(wizard->view.node_kept[step], NODE_KEPT_SIZE, "%s", kept ? selected->node->name : "");
}

static const char *state_word(const struct node *node)
{
    static const char *const words[] = {"asking", "answers", "strange", "silent", "unknown"};
    return words[node->state];
}

static void node_cell(const void *context, size_t row, size_t column, struct table_cell *cell)
{
    static char text[64];
    const struct rows *rows = context;
    const struct node_view *view = find_row(rows->wizard, row);
    if (view == NULL)
        return;
    const struct node *node = view->node;
    enum mark mark = mark_of(rows->wizard, node);
    const char *problem = problem_of(rows->wizard, node);
    text[0] = '\0';
    cell->text = text;
    switch (rows->shape->kinds[column]) {
    case COLUMN_NAME:
        cell->text = node->name;
        break;
    case COLUMN_CLUSTER:
        cell->text = cluster_name(node->cluster);
        cell->style = node->cluster == CLUSTER_OLD ? ROLE_OLD : ROLE_NEW;
        break;
    case COLUMN_STATE:
        snprintf(text, sizeof text, "%s %s", theme_glyph(rows->charset, mark_glyph(mark)), state_word(node));
        cell->style = mark_role(mark);
        break;
    case COLUMN_VERSION:
        cell->text = node->version != NULL ? node->version : "-";
        break;
    case COLUMN_DATABASE:
        cell->text = node->match == MATCH_UNKNOWN ? "-" : node_match_name(node->match);
        cell->style = node->match == MATCH_OTHER ? ROLE_DANGER : ROLE_TEXT;
        break;
    case COLUMN_RATE:
        snprintf(text, sizeof text, view->rps < 0 ? "-" : "%.1f", view->rps);
        break;
    case COLUMN_POLL:
        snprintf(text, sizeof text, view->poll_age == POLLS_UNKNOWN ? "-" : view->poll_age < 0 ? "not seen" : "%d s ago", view->poll_age);
        break;
    case COLUMN_AGE: {
        enum mark age_mark;
        char words[FRAME_AGE_SIZE];
        long long age = node->answered_at > 0 ? rows->wizard->model.now - node->answered_at : -1;
        frame_age(age, 2 * NODE_POLL_MS + 500, words, &age_mark);
        bool gone = is_well_gone(rows->wizard, node);
        if (age_mark == MARK_OK || gone)
            snprintf(text, sizeof text, "%s", age_mark == MARK_OK ? "now" : words);
        else
            snprintf(text, sizeof text, "%s %s", theme_glyph(rows->charset, mark_glyph(age_mark)), age_mark == MARK_UNKNOWN ? mark_word(age_mark) : words);
        cell->style = age_mark == MARK_OK ? ROLE_TEXT : gone ? ROLE_DIM : mark_role(age_mark);
        break;
    }
    default:
        cell->text = problem != NULL ? problem : "";
        cell->style = problem != NULL ? mark_role(mark == MARK_OK ? MARK_WARN : mark) : ROLE_TEXT;
    }
}

static struct table_model node_table(const struct rows *rows, const char *empty)
{
    return (struct table_model){.columns = rows->shape->columns, .column_count = rows->shape->count, .row_count = rows->wizard->view.node_row_count,
                                .cell = node_cell, .context = rows, .empty = empty};
}

void node_pane_draw(struct wizard *wizard, struct area area, enum cluster cluster, enum node_columns columns, const char *empty)
{
    const struct rows rows = {wizard, &shapes[columns], area.canvas->charset};
    arrange(wizard, cluster, columns);
    const struct table_model table = node_table(&rows, empty);
    struct table_state *state = &wizard->view.tables[wizard->view.shown];
    table_clamp(&table, state);
    const struct node_view *selected = find_row(wizard, state->selected);
    const char *problem = selected != NULL ? problem_of(wizard, selected->node) : NULL;
    char *note = problem != NULL ? mem_printf("%s %s", selected->node->name, problem) : NULL;
    table_draw(note_draw(wizard, area, table.row_count, selected != NULL ? mark_of(wizard, selected->node) : MARK_UNKNOWN, note), &table, state,
               wizard->view.focus[wizard->view.shown] == 0);
    free(note);
}

void node_pane_add_troubles(struct prose *prose, const struct wizard *wizard, enum cluster cluster, enum node_columns columns)
{
    static const char *const words[] = {[NODE_ANSWERS] = "with a problem", [NODE_STRANGE] = "strange", [NODE_SILENT] = "silent", [NODE_UNKNOWN] = "unknown"};
    size_t counts[COUNT_OF(words)] = {0}, all = 0, wrong = 0;
    struct buf text = {0};
    for (size_t i = 0; i < wizard->model.node_count; i++) {
        const struct node *node = wizard->model.nodes[i].node;
        bool shown = is_shown(cluster, columns, node), trouble = shown && node->state != NODE_UNASKED && level_of(wizard, node) < LEVEL_WELL;
        all += shown ? 1 : 0;
        wrong += trouble ? 1 : 0;
        counts[node->state] += trouble ? 1 : 0;
    }
    for (size_t state = 0; state < COUNT_OF(words); state++)
        if (counts[state] > 0)
            buf_addf(&text, "%s%zu %s", text.length > 0 ? ", " : "", counts[state], words[state]);
    if (all > MANY && wrong > 0)
        prose_add_mark(prose, MARK_WARN, "First in the list: %s (of %zu).", buf_text(&text), all);
    buf_free(&text);
}

static void add_fact(struct prose *prose, const char *term, const char *text)
{
    prose_add_key(prose, term, text != NULL ? text : "not known");
}

static void add_details(struct wizard *wizard, const struct node_view *view)
{
    static const char *const reachable[] = {"the node says that its database does not answer", "the node says that its database answers"};
    const struct node *node = view->node;
    char *number = view->rps >= 0 ? mem_printf("%.1f requests/s", view->rps) : NULL;
    char *poll = view->poll_age >= 0 ? mem_printf("polls it, %d s ago for the last time", view->poll_age) : NULL;
    char *connections = node->connections >= 0 ? mem_printf("%d open, ours among them", node->connections) : NULL;
    char *restarts = mem_printf("%u since the wizard was opened", node->restarts);
    wizard_open_text(wizard, node->name);
    struct prose *prose = &wizard->view.text;
    if (problem_of(wizard, node) != NULL)
        prose_add_mark(prose, mark_of(wizard, node), "%s %s", node->name, node->problem);
    add_fact(prose, "Cluster", cluster_name(node->cluster));
    add_fact(prose, "Admin API", node->url);
    if (node->address != NULL)
        add_fact(prose, "Address", node->address);
    if (node->ssh != NULL)
        add_fact(prose, "Through", node->ssh);
    add_fact(prose, "State", state_word(node));
    add_fact(prose, "Version", node->version);
    add_fact(prose, "Host", node->hostname);
    add_fact(prose, "Node id", node->node_id);
    add_fact(prose, "Database", node->match == MATCH_UNKNOWN ? NULL : node->match_text != NULL ? node->match_text : "the same as ours");
    add_fact(prose, "Reachable", node->database_reachable < 0 ? NULL : reachable[node->database_reachable]);
    add_fact(prose, "Sessions", view->poll_age == -1 ? "no poll from its address is seen in the database" : poll);
    add_fact(prose, "Traffic", number);
    add_fact(prose, "Connections", connections);
    verdict_add_facts(prose, &wizard->model, node);
    add_fact(prose, "Restarts", restarts);
    explain_node(prose, node);
    free(restarts);
    free(connections);
    free(poll);
    free(number);
}

const struct node *node_pane_selected(struct wizard *wizard, enum cluster cluster, enum node_columns columns)
{
    arrange(wizard, cluster, columns);
    const struct node_view *view = find_row(wizard, wizard->view.tables[wizard->view.shown].selected);
    return view != NULL ? view->node : NULL;
}

static void open_details(struct wizard *wizard, size_t row)
{
    const struct node_view *view = find_row(wizard, row);
    if (view != NULL)
        add_details(wizard, view);
}

void node_pane(struct wizard *wizard, enum cluster cluster, enum node_columns columns, struct pane *pane)
{
    static struct rows rows;   /* one pane is asked at a time */
    rows = (struct rows){wizard, &shapes[columns], wizard->view.charset};
    arrange(wizard, cluster, columns);
    *pane = (struct pane){.list = &wizard->view.tables[wizard->view.shown], .table = node_table(&rows, NULL), .moved = keep, .open = open_details};
}
