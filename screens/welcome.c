/* Welcome: what was found, where it stands, what will happen; kong.conf chosen, nodes entered. */
#include "core/base/mem.h"
#include "screens/explain.h"
#include "screens/loop.h"
#include "screens/strangers.h"
#include "screens/whole.h"
#include "tui/layout.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ACTION_CONF = ACTION_OWN, ACTION_CREATE, ACTION_ADD, ACTION_REMOVE = ACTION_ROW, ACTION_OLD, ACTION_NEW };

static const struct keys_row keys[] = {
    {{'c'}, "kong.conf", "Read another kong.conf.", ACTION_CONF, 40, NULL},
    {{'a'}, "add node", "Add a node of the old or the new cluster; fleet.ini is saved at once.", ACTION_ADD, 45, NULL},
    {{'o'}, "into old", "Take the selected Kong, which the database sees and fleet.ini does not name, into the old cluster.", ACTION_OLD, -55, NULL},
    {{'n'}, "into new", "The same into the new cluster.", ACTION_NEW, -54, NULL},
    {{'d', K_DELETE}, "remove", "Take the selected node out of fleet.ini.", ACTION_REMOVE, 30, NULL},
    {{'i'}, "create database", "Create the database, which is not there yet.", ACTION_CREATE, -50, NULL},
};

static const struct table_column columns[] = {
    {"cluster", LAYOUT_FIXED(7, 9), false},
    {"node", LAYOUT_BETWEEN(8, 24, 8), false},
    {"Admin API", LAYOUT_FILL(30, 7), false},
    {"in database", LAYOUT_FIXED(11, 3), true},
};

static bool may_create(const struct model *model)
{
    return model->configured && !model->has_state && model->absence.absent && model->absence.may_create && !model->creating;
}

/* The selected row is not the fleet's, but that of a Kong that the database sees; NULL: it is the fleet's. */
static const struct stranger *selected_stranger(const struct wizard *wizard)
{
    const struct model *model = &wizard->model;
    size_t row = wizard->view.tables[STEP_WELCOME].selected, known = model->app.fleet.count;
    return row >= known && row - known < model->stranger_count ? model->strangers[row - known] : NULL;
}

static bool is_enabled(const struct wizard *wizard, int action)
{
    const struct table_state *state = &wizard->view.tables[STEP_WELCOME];
    if (action == ACTION_CONF || !wizard->model.configured)
        return action == ACTION_CONF;
    if (action == ACTION_CREATE)
        return may_create(&wizard->model);
    if (action == ACTION_OLD || action == ACTION_NEW)   /* n is the list's where something is searched in it */
        return selected_stranger(wizard) != NULL && !search_active(&state->search);
    return action != ACTION_REMOVE || state->selected < wizard->model.app.fleet.count;
}

static void stranger_cell(const struct stranger *stranger, size_t column, struct table_cell *cell)
{
    static char text[400];
    switch (column) {
    case 0:
        cell->text = "seen";
        cell->style = ROLE_WARN;
        break;
    case 1:
        cell->text = stranger->address;
        break;
    case 2:
        cell->text = strangers_row(stranger, text, sizeof text);
        break;
    default:
        snprintf(text, sizeof text, stranger->poll_age < 0 ? "no poll" : "%d s ago", stranger->poll_age);
        cell->text = text;
    }
}

static void fleet_cell(const void *context, size_t row, size_t column, struct table_cell *cell)
{
    const struct model *model = context;
    const struct fleet *fleet = &model->app.fleet;
    static char address[FLEET_LINE_LIMIT + 1], poll[32];
    if (row >= fleet->count) {
        if (row - fleet->count < model->stranger_count)
            stranger_cell(model->strangers[row - fleet->count], column, cell);
        return;
    }
    const struct fleet_node *node = &fleet->nodes[row];
    bool known = row < model->fleet_poll_count;
    int age = known ? model->fleet_polls[row] : -1;
    snprintf(address, sizeof address, "%s%s%s", node->ssh != NULL ? node->ssh : "", node->ssh != NULL ? " " : "", node->url);
    snprintf(poll, sizeof poll, !known ? "-" : age < 0 ? "not seen" : "%d s ago", age);
    const char *const texts[] = {cluster_name(node->cluster), node->name, address, poll};
    cell->text = texts[column];
    cell->style = column > 0 ? ROLE_TEXT : node->cluster == CLUSTER_OLD ? ROLE_OLD : ROLE_NEW;
}

static struct table_model fleet_table(const struct wizard *wizard)
{
    const struct model *model = &wizard->model;
    return (struct table_model){columns, COUNT_OF(columns), model->app.fleet.count + model->stranger_count, fleet_cell, model,
                                "No node is known. Press a to add one, to be watched.", false, false};
}

/* Kong 1.3's, whose operator has loaded plugins since. */
static char *plugins_text(const struct state *state)
{
    struct buf names = {0};
    for (size_t i = 0; i < state->subsystem_count; i++) {
        const struct subsystem_state *each = &state->subsystems[i];
        if (each->new.count + each->missing.count + each->pending.count > 0)
            buf_addf(&names, "%s%s", names.length > 0 ? ", " : "", each->subsystem->name);
    }
    char *text = mem_printf(state_count_new(state) > 0 ? "Kong 1.3's. Plugins were loaded since (%s): step 1 makes what they need."
                                                       : "Kong 1.3's. Step 5 completes what step 1 has made for plugins that were loaded since (%s).", buf_text(&names));
    buf_free(&names);
    return text;
}

static char *stage_text(const struct model *model)
{
    static const char five_steps[] = ". Five steps lead to 1.3; until the fifth, the old cluster works as before.";
    static const char *const texts[] = {
        [STAGE_EMPTY] = "empty. Kong 1.3 can be installed on it: step 1 does it, and steps 2 to 5 fall away.",
        [STAGE_TOO_OLD] = "older than Kong 0.14. It can't be upgraded yet.",
        [STAGE_LEGACY_014] = "Kong 0.14's. Five steps lead straight to 1.3, with no stop at 1.0; until the fifth, the old cluster works as before.",
        [STAGE_UPGRADABLE] = five_steps,
        [STAGE_PENDING] = "migrated up: old nodes and 1.3 nodes may work on it side by side.",
        [STAGE_CURRENT] = "Kong 1.3's. There is nothing to do.",
        [STAGE_AHEAD] = "newer than Kong 1.3. This program can't help.",
        [STAGE_FOREIGN] = "not a Kong database.",
    };
    const struct state *state = &model->state;
    if (state->stage == STAGE_EMPTY && state->reason != NULL)
        return mem_dup("empty, as it seems.");
    if (model_finish_first(model))
        return mem_printf(state->from_014 ? "Kong %s's, but the upgrade from 0.14 to it was never finished: step 1 begins with that."
                                          : "Kong %s's, but migrations from before 1.3 were never finished: step 1 begins with that.",
                          state_reached(state) != NULL ? state_reached(state) : "1.x");
    if (state_plugins_only(state))
        return plugins_text(state);
    if (state->stage == STAGE_PENDING && state_count_new(state) > 0)
        return mem_dup("half-way: `up` has begun and is not complete. Step 1 goes on with it.");
    if (texts[state->stage] == five_steps)
        return mem_printf("Kong %s's%s", state->version, five_steps);
    return mem_dup(texts[state->stage]);
}

static void add_database(struct prose *prose, const struct model *model)
{
    const struct state *state = &model->state;
    char *text = mem_printf("%s at %s:%d, schema %s, PostgreSQL %s", state->database, state->host, state->port, state->schema, state->server_version);
    prose_add_key(prose, "Database", text);
    free(text);
    char *stage = stage_text(model);
    text = mem_printf("The database is %s", stage);
    prose_add_key(prose, "Stage", text);
    free(stage);
    free(text);
    if (state->reason != NULL)
        prose_add_mark(prose, MARK_DANGER, "%s", state->reason);
    if (state_has_custom(state)) {
        char *plugins = state_custom_text(state);
        text = mem_printf("%s: their own migrations are left to `kong migrations`", plugins);
        prose_add_key(prose, "Custom", text);
        free(text);
        free(plugins);
    }
}

/* What the release notes of 1.0 ask of an operator who comes from 0.14. */
static void add_014(struct prose *prose, const struct model *model)
{
    if (model->has_state && model->state.stage == STAGE_LEGACY_014)
        prose_add_mark(prose, MARK_WARN, "Coming from 0.14: custom plugins must be made for 1.0 or later, and scripts must speak the new Admin API (foreign keys, arrays,"
                                         " pages). 0.14 nodes can't start after step 5.");
}

/* What to do now. */
static void add_advice(struct prose *prose, const struct model *model)
{
    enum step here = model->upgrade.here;
    if (!model->has_state || !model->upgrade.gates[STEP_PREFLIGHT].open)
        return;
    if (model_is_half_back(model))
        prose_add_mark(prose, MARK_WARN, "A rollback was cut short: press 1, then L to go on with it.");
    else if (step_texts[here].number > 0)
        prose_add_mark(prose, MARK_INFO, "The upgrade stands at step %d, %s: press %d.", step_texts[here].number, step_texts[here].title, step_texts[here].number);
    else if (here < STEP_UP)
        prose_add_mark(prose, MARK_INFO, "Press → for the preflight: what could go wrong.");
}

static void add_absence(struct prose *prose, const struct model *model)
{
    const struct datastore *store = &model->app.conf.pg;
    prose_add_mark(prose, MARK_WARN, "The server at %s:%d answers, but has no database %s.", store->host, store->port, store->database);
    if (model->creating)
        prose_add_mark(prose, MARK_WAIT, "It is being created.");
    else if (model->absence.may_create)
        prose_add_mark(prose, MARK_INFO, "Is that the right server, for a new Kong? Then press i to create it. Otherwise press c for another kong.conf.");
    else
        prose_add(prose, PROSE_PARAGRAPH, "Role %s may not create it. For a new Kong, have a superuser run:", store->user);
    if (!model->creating && !model->absence.may_create)
        prose_add(prose, PROSE_LITERAL, "%s", model->absence.statement);
}

static void fill(struct prose *prose, const struct model *model)
{
    if (!model->configured) {
        prose_add_mark(prose, MARK_DANGER, "%s", model->conf_error != NULL ? model->conf_error : "The configuration is being read.");
        prose_add(prose, PROSE_PARAGRAPH, "Press c to choose the right kong.conf.");
        return;
    }
    prose_add_key(prose, "kong.conf", model->app.conf.file != NULL ? model->app.conf.file : "none found: Kong's own defaults and KONG_* are used");
    if (model->has_state)
        add_database(prose, model);
    else if (model->absence.absent)
        add_absence(prose, model);
    else
        prose_add_mark(prose, model->state_error != NULL ? MARK_DANGER : MARK_WAIT, "%s",
                       model->state_error != NULL ? model->state_error : "Asking the database where it stands.");
    prose_add_key(prose, "fleet.ini", model->app.fleet.file);
    strangers_add_seen(prose, model);
    add_014(prose, model);
    add_advice(prose, model);
}

static void draw(struct wizard *wizard, struct area area)
{
    struct prose prose = {0};
    struct area parts[2];
    fill(&prose, &wizard->model);
    int height = prose_height(prose.blocks, prose.count, area.width, area.canvas->charset);
    const struct layout_request rows[] = {LAYOUT_BETWEEN(3, height, 2), LAYOUT_FILL(wizard->model.configured ? 3 : 0, 1)};
    layout_rows(area, 1, rows, 2, parts);
    whole_draw(wizard, parts[0], prose.blocks, prose.count);
    if (wizard->model.configured) {
        struct table_model table = fleet_table(wizard);
        table_clamp(&table, &wizard->view.tables[STEP_WELCOME]);
        const struct stranger *stranger = selected_stranger(wizard);
        char *note = stranger != NULL ? strangers_note(stranger) : NULL;
        struct area list = note_draw(wizard, parts[1], table.row_count, stranger != NULL ? strangers_mark(stranger) : MARK_UNKNOWN, note);
        table_draw(list, &table, &wizard->view.tables[STEP_WELCOME], true);
        free(note);
    }
    prose_free(&prose);
}

/* A Kong that fleet.ini does not name; other rows are opened as they are. */
static void open_details(struct wizard *wizard, size_t row)
{
    (void)row;
    const struct stranger *stranger = selected_stranger(wizard);
    if (stranger == NULL)
        return;
    char *note = strangers_note(stranger);
    wizard_open_text(wizard, stranger->address);
    prose_add_mark(&wizard->view.text, strangers_mark(stranger), "%s", note);
    explain_stranger(&wizard->view.text);
    free(note);
}

static bool pane(struct wizard *wizard, size_t index, struct pane *pane)
{
    *pane = (struct pane){.list = &wizard->view.tables[STEP_WELCOME], .table = fleet_table(wizard),
                          .open = selected_stranger(wizard) != NULL ? open_details : NULL};
    return index == 0 && wizard->model.configured;
}

/* kong.conf. */

static void conf_chosen(struct wizard *wizard, const char *text)
{
    loop_load(wizard, text);
    wizard_say(wizard, MARK_WAIT, "Reading the configuration.");
}

static void ask_conf(struct wizard *wizard)
{
    static const struct field_model field = {.label = "File", .placeholder = "/etc/kong/kong.conf; empty: Kong's own search path", .path = true};
    const char *file = wizard->model.configured && wizard->model.app.conf.file != NULL ? wizard->model.app.conf.file : "";
    wizard_open_prompt(wizard, "Which kong.conf?", &field, file, conf_chosen);
}

/* Nodes. */

/* "old NAME URL", or "old NAME ssh://HOST URL": checked while it is typed, by the same rules as fleet.ini. */
static bool parse_node(const char *text, struct fleet *fleet, struct error *error)
{
    char cluster[8] = "", name[FIELD_SIZE] = "", *address;
    int used = 0;
    sscanf(text, "%7s %1023s %n", cluster, name, &used);
    if ((strcmp(cluster, "old") != 0 && strcmp(cluster, "new") != 0) || used == 0 || text[used] == '\0')
        return error_set(error, ERROR_USAGE, "Write: old NAME URL, or: new NAME URL (before URL: ssh://USER@HOST, to go through it)");
    address = mem_dup(text + used);
    for (size_t length = strlen(address); length > 0 && address[length - 1] == ' '; length--)
        address[length - 1] = '\0';
    bool added = fleet_add(fleet, strcmp(cluster, "old") == 0 ? CLUSTER_OLD : CLUSTER_NEW, name, address, error);
    free(address);
    return added;
}

static bool node_is_valid(const void *context, const char *text, char *message, size_t size)
{
    const struct wizard *wizard = context;
    struct fleet trial;
    struct error error = {0};
    fleet_copy(&trial, &wizard->model.app.fleet);
    bool valid = parse_node(text, &trial, &error);
    if (!valid)
        snprintf(message, size, "%s", error.message);
    error_clear(&error);
    fleet_free(&trial);
    return valid;
}

/* The ages of the polls are those of the fleet as it was. */
static void save(struct wizard *wizard, const char *what)
{
    struct error error = {0};
    struct fleet *fleet = &wizard->model.app.fleet;
    wizard->model.fleet_poll_count = 0;
    if (fleet_save(fleet, &error))
        wizard_say(wizard, MARK_OK, "%s; saved to %s.", what, fleet->file);
    else
        wizard_say_error(wizard, &error);
    loop_watch_nodes(wizard);
}

static void node_entered(struct wizard *wizard, const char *text)
{
    struct error error = {0};
    if (parse_node(text, &wizard->model.app.fleet, &error))
        save(wizard, "Added");
    else
        wizard_say_error(wizard, &error);
}

static void ask_node(struct wizard *wizard, const char *text)
{
    const struct field_model field = {.label = "Node", .placeholder = "old NAME http://HOST:8001", .validate = node_is_valid, .context = wizard};
    wizard_open_prompt(wizard, "Add a node: old or new, its name, the address of its Admin API", &field, text, node_entered);
}

/* One that answers is taken as it is; of another the way to it is for the operator to say. */
static void take_stranger(struct wizard *wizard, enum cluster cluster)
{
    const struct stranger *stranger = selected_stranger(wizard);
    if (stranger == NULL)
        return;
    char *entry = strangers_entry(stranger, &wizard->model.app.fleet), *line = mem_printf("%s %s", cluster_name(cluster), entry);
    if (stranger->state == NODE_ANSWERS)
        node_entered(wizard, line);
    else
        ask_node(wizard, line);
    free(line);
    free(entry);
}

static void remove_node(struct wizard *wizard)
{
    struct fleet *fleet = &wizard->model.app.fleet;
    size_t row = wizard->view.tables[STEP_WELCOME].selected;
    if (row >= fleet->count)
        return;
    char *what = mem_printf("Took %s out", fleet->nodes[row].name);
    fleet_remove(fleet, fleet->nodes[row].name);
    save(wizard, what);
    free(what);
}

static void create_answered(struct wizard *wizard, size_t answer)
{
    if (answer == 1 && may_create(&wizard->model))
        loop_create(wizard);
}

static void ask_create(struct wizard *wizard)
{
    const struct datastore *store = &wizard->model.app.conf.pg;
    struct prose *prose = &wizard->view.text;
    prose_clear(prose);
    prose_add(prose, PROSE_PARAGRAPH, "On the server at %s:%d, as role %s:", store->host, store->port, store->user);
    prose_add(prose, PROSE_LITERAL, "%s", wizard->model.absence.statement);
    prose_add(prose, PROSE_PARAGRAPH, "Kong 1.3 is then installed on it by step 1, which asks again.");
    const struct dialog_model dialog = {
        .title = "Create the database?", .mark = MARK_INFO, .answers = {{"Not now", false}, {"Create it", false}}, .answer_count = 2,
    };
    wizard_open_dialog(wizard, &dialog, create_answered);
}

static void act(struct wizard *wizard, int action)
{
    switch (action) {
    case ACTION_CREATE:
        ask_create(wizard);
        break;
    case ACTION_CONF:
        ask_conf(wizard);
        break;
    case ACTION_ADD:
        ask_node(wizard, "");
        break;
    case ACTION_OLD:
    case ACTION_NEW:
        take_stranger(wizard, action == ACTION_OLD ? CLUSTER_OLD : CLUSTER_NEW);
        break;
    default:
        remove_node(wizard);
    }
}

const struct screen screen_welcome = {keys, COUNT_OF(keys), is_enabled, draw, pane, act};
