/* The nodes of one cluster as the screens Provision, Divert and Decommission show them. */
#include "screens/explain.h"

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "tui/frame.h"

#include <stdio.h>
#include <stdlib.h>

enum column { COLUMN_NAME, COLUMN_STATE, COLUMN_VERSION, COLUMN_DATABASE, COLUMN_RATE, COLUMN_AGE, COLUMN_CLUSTER, COLUMN_PROBLEM };

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
    {"req/s", LAYOUT_FIXED(8, 7), true},       {"last answer", LAYOUT_FIXED(11, 3), true}, {"what is wrong", LAYOUT_FILL(10, 5), false},
};
static const enum column traffic_kinds[] = {COLUMN_NAME, COLUMN_STATE, COLUMN_VERSION, COLUMN_RATE, COLUMN_AGE, COLUMN_PROBLEM};

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

/* What a table's cells are made from; one table is drawn or asked at a time. */
struct rows {
    const struct wizard *wizard;
    bool shows[2];                /* by enum cluster */
    const struct shape *shape;
    enum charset charset;
};

static struct rows rows_of(const struct wizard *wizard, enum cluster cluster, enum node_columns columns, enum charset charset)
{
    bool both = columns == NODE_COLUMNS_BOTH;
    return (struct rows){wizard, {both || cluster == CLUSTER_OLD, both || cluster == CLUSTER_NEW}, &shapes[columns], charset};
}

static const struct node_view *find_row(const struct rows *rows, size_t row)
{
    const struct model *model = &rows->wizard->model;
    for (int cluster = CLUSTER_NEW; cluster >= CLUSTER_OLD; cluster--)
        for (size_t i = 0; rows->shows[cluster] && i < model->node_count; i++)
            if ((int)model->nodes[i].node->cluster == cluster && row-- == 0)
                return &model->nodes[i];
    return NULL;
}

/* On the screen that waits for it, an old node that is silent is as it should be. */
static bool is_well_gone(const struct wizard *wizard, const struct node *node)
{
    return wizard->view.shown == STEP_DECOMMISSION && node->cluster == CLUSTER_OLD && node_is_gone(node, wizard->model.now, UPGRADE_GONE_MS);
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

static const char *state_word(const struct node *node)
{
    static const char *const words[] = {"asking", "answers", "strange", "silent", "unknown"};
    return words[node->state];
}

static void node_cell(const void *context, size_t row, size_t column, struct table_cell *cell)
{
    static char text[64];
    const struct rows *rows = context;
    const struct node_view *view = find_row(rows, row);
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
    case COLUMN_AGE: {
        enum mark age_mark;
        long long age = node->answered_at > 0 ? rows->wizard->model.now - node->answered_at : -1;
        cell->text = frame_age(age, 2 * NODE_POLL_MS + 500, text, &age_mark);
        cell->style = age_mark == MARK_OK ? ROLE_TEXT : mark_role(age_mark);
        if (age_mark == MARK_OK)
            cell->text = "now";
        break;
    }
    default:
        cell->text = problem != NULL ? problem : "";
        cell->style = problem != NULL ? mark_role(mark == MARK_OK ? MARK_WARN : mark) : ROLE_TEXT;
    }
}

static struct table_model node_table(const struct rows *rows, const char *empty)
{
    size_t count = 0;
    for (int cluster = CLUSTER_OLD; cluster <= CLUSTER_NEW; cluster++)
        count += !rows->shows[cluster] ? 0 : model_count_nodes(&rows->wizard->model, (enum cluster)cluster, NULL);
    return (struct table_model){.columns = rows->shape->columns, .column_count = rows->shape->count, .row_count = count, .cell = node_cell,
                                .context = rows, .empty = empty};
}

void node_pane_draw(struct wizard *wizard, struct area area, enum cluster cluster, enum node_columns columns, const char *empty)
{
    const struct rows rows = rows_of(wizard, cluster, columns, area.canvas->charset);
    const struct table_model table = node_table(&rows, empty);
    struct table_state *state = &wizard->view.tables[wizard->view.shown];
    table_clamp(&table, state);
    const struct node_view *selected = find_row(&rows, state->selected);
    const char *problem = selected != NULL ? problem_of(wizard, selected->node) : NULL;
    char *note = problem != NULL ? mem_printf("%s %s", selected->node->name, problem) : NULL;
    table_draw(note_draw(wizard, area, table.row_count, selected != NULL ? mark_of(wizard, selected->node) : MARK_UNKNOWN, note), &table, state,
               wizard->view.focus[wizard->view.shown] == 0);
    free(note);
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
    add_fact(prose, "Traffic", number);
    add_fact(prose, "Connections", connections);
    verdict_add_facts(prose, &wizard->model, node);
    add_fact(prose, "Restarts", restarts);
    explain_node(prose, node);
    free(restarts);
    free(connections);
    free(number);
}

const struct node *node_pane_selected(const struct wizard *wizard, enum cluster cluster, enum node_columns columns)
{
    const struct rows rows = rows_of(wizard, cluster, columns, CHARSET_UTF8);
    const struct node_view *view = find_row(&rows, wizard->view.tables[wizard->view.shown].selected);
    return view != NULL ? view->node : NULL;
}

/* The pane's cells are made from these: one pane is asked at a time. */
static struct rows asked;

static void open_details(struct wizard *wizard, size_t row)
{
    const struct node_view *view = find_row(&asked, row);
    if (view != NULL)
        add_details(wizard, view);
}

void node_pane(struct wizard *wizard, enum cluster cluster, enum node_columns columns, struct pane *pane)
{
    asked = rows_of(wizard, cluster, columns, wizard->view.charset);
    *pane = (struct pane){.list = &wizard->view.tables[wizard->view.shown], .table = node_table(&asked, NULL), .open = open_details};
}
