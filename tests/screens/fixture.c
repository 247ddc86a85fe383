#include "fixture.h"

#include "core/base/json.h"
#include "core/base/mem.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *fixture_name(const struct fixture *fixture, const char *usual)
{
    return fixture->hostile != NULL ? fixture->hostile : usual;
}

static char *copy_name(const struct fixture *fixture, const char *usual)
{
    return mem_dup(fixture_name(fixture, usual));
}

void fixture_begin(struct fixture *fixture, const struct scene *scene, int width, int height, enum charset charset, const char *hostile)
{
    static const struct options options;
    *fixture = (struct fixture){.hostile = hostile};
    struct model *model = &fixture->wizard.model;
    fixture->wizard.options = &options;
    model->now = FIXTURE_NOW;
    model->rps[CLUSTER_OLD] = model->rps[CLUSTER_NEW] = -1;
    model->old_quiet_ms = -1;
    verdict_judge(&model->metrics[CLUSTER_OLD], &model->metrics[CLUSTER_NEW], &model->verdict);
    canvas_init(&fixture->canvas, width, height, charset);
    scene->set(fixture);
}

void fixture_free(struct fixture *fixture)
{
    for (size_t i = 0; i < fixture->node_count; i++) {
        struct node *node = &fixture->nodes[i];
        char *const texts[] = {node->name, node->url, node->problem, node->version, node->hostname, node->node_id, node->match_text};
        for (size_t j = 0; j < COUNT_OF(texts); j++)
            free(texts[j]);
    }
    for (size_t i = 0; i < fixture->wizard.model.stranger_count && i < FIXTURE_STRANGERS; i++) {
        struct stranger *stranger = &fixture->strangers[i];
        char *const texts[] = {stranger->address, stranger->host, stranger->url, stranger->problem, stranger->version, stranger->node_id, stranger->hostname};
        for (size_t j = 0; j < COUNT_OF(texts); j++)
            free(texts[j]);
    }
    view_free(&fixture->wizard.view);
    model_free(&fixture->wizard.model);
    canvas_free(&fixture->canvas);
}

void fixture_draw(struct fixture *fixture)
{
    model_derive(&fixture->wizard.model);
    canvas_erase(&fixture->canvas);
    wizard_draw(&fixture->wizard, &fixture->canvas);
}

void fixture_key(struct fixture *fixture, uint32_t key)
{
    const struct input input = {.kind = INPUT_KEY, .key = key};
    fixture_draw(fixture);
    wizard_key(&fixture->wizard, &input);
}

void fixture_type(struct fixture *fixture, const char *text)
{
    while (*text != '\0') {
        uint32_t code_point;
        text += text_decode(text, strlen(text), &code_point);
        fixture_key(fixture, code_point);
    }
}

/* The configuration and the state. */

void fixture_configure(struct fixture *fixture)
{
    struct app *app = &fixture->wizard.model.app;
    fixture->wizard.model.configured = true;
    app->conf.file = copy_name(fixture, "/etc/kong/kong.conf");
    app->conf.pg.host = copy_name(fixture, "db.example.net");
    app->conf.pg.port = 5432;
    app->conf.pg.database = copy_name(fixture, "kong");
    app->conf.pg.user = copy_name(fixture, "kong");
    app->fleet.file = copy_name(fixture, "/home/ops/.config/kong-upgrade/fleet.ini");
    app->fleet.quiet_seconds = FLEET_QUIET_SECONDS;
}

static void add_migrations(struct subsystem_state *each, enum stage stage, int version)
{
    for (size_t i = 0; i < each->subsystem->migration_count; i++) {
        const struct migration *migration = &each->subsystem->migrations[i];
        bool old = (int)migration->since <= version;
        if (stage == STAGE_CURRENT || old)
            names_add(&each->executed, migration->name);
        else if (stage != STAGE_PENDING)
            names_add(&each->new, migration->name);
        else
            names_add(migration->teardown ? &each->pending : &each->executed, migration->name);
    }
    if (each->executed.count > 0)
        each->last_executed = mem_dup(each->executed.list[each->executed.count - 1]);
}

void fixture_state(struct fixture *fixture, enum stage stage, const char *version)
{
    struct model *model = &fixture->wizard.model;
    struct state *state = &model->state;
    int known = -1;
    for (int i = KONG_1_0; version != NULL && i < KONG_VERSIONS; i++)
        known = strcmp(kong_version_names[i], version) == 0 ? i : known;
    *state = (struct state){
        .host = copy_name(fixture, "db.example.net"), .port = 5432, .database = copy_name(fixture, "kong"), .schema = copy_name(fixture, "public"),
        .server_version = copy_name(fixture, "15.4"), .server_version_number = 150004, .stage = stage, .version = version,
        .from_014 = version != NULL && strcmp(version, "0.14") == 0,
    };
    for (const struct subsystem *const *each = subsystems; *each != NULL; each++) {
        state->subsystems = mem_grow(state->subsystems, state->subsystem_count + 1, sizeof *state->subsystems);
        state->subsystems[state->subsystem_count] = (struct subsystem_state){.subsystem = *each};
        add_migrations(&state->subsystems[state->subsystem_count++], stage, known);
    }
    model->has_state = true;
    model->state_at = FIXTURE_NOW;
}

/* The plan. */

static void size_of(const struct change *change, struct plan_change *each)
{
    static const struct {
        const char *table;
        int64_t rows, bytes;
    } sizes[] = {
        {"consumers", 1250000, 412000000}, {"oauth2_tokens", 3400000, 1300000000}, {"ratelimiting_metrics", 88000, 24000000},
        {"plugins", 412, 262144}, {"routes", 230, 98304}, {"services", 180, 81920}, {"upstreams", 12, 65536},
    };
    for (size_t i = 0; i < COUNT_OF(sizes); i++)
        if (change->table != NULL && strcmp(sizes[i].table, change->table) == 0) {
            each->rows = sizes[i].rows;
            each->bytes = sizes[i].bytes;
        }
}

static void add_changes(struct plan *plan, const struct state *state, size_t step)
{
    const struct migration *migration = plan->steps[step].migration;
    for (size_t i = 0; i < migration->change_count; i++) {
        const struct change *change = &migration->changes[i];
        if (!plan_takes(plan, change, plan->steps[step].phase))
            continue;
        struct plan_change each = {.change = change, .step = step, .cost = change_cost(change, state->server_version_number)};
        each.rows = each.bytes = -1;
        if (plan->kind != PLAN_BOOTSTRAP)
            size_of(change, &each);
        each.done = state->from_014 && strcmp(migration->name, "000_base") == 0;
        plan->changes = mem_grow(plan->changes, plan->change_count + 1, sizeof *plan->changes);
        plan->changes[plan->change_count++] = each;
        plan->steps[step].count++;
    }
}

void fixture_custom(struct fixture *fixture, const char *plugin, size_t executed, size_t pending)
{
    struct state *state = &fixture->wizard.model.state;
    struct custom_state custom = {.name = mem_dup(fixture_name(fixture, plugin))};
    for (size_t i = 0; i < executed + pending; i++) {
        char *migration = mem_printf("%03zu_step", i);
        names_add(i < executed ? &custom.executed : &custom.pending, migration);
        free(migration);
    }
    state->customs = mem_grow(state->customs, state->custom_count + 1, sizeof *state->customs);
    state->customs[state->custom_count++] = custom;
}

void fixture_plan(struct fixture *fixture, enum plan_kind kind)
{
    struct model *model = &fixture->wizard.model;
    struct plan *plan = &model->plan;
    plan_free(plan);
    *plan = (struct plan){.kind = kind, .to = KONG_1_3, .from_014 = model->state.from_014};
    for (size_t i = 0; i < model->state.subsystem_count; i++) {
        const struct subsystem_state *each = &model->state.subsystems[i];
        const struct names *wanted = kind == PLAN_FINISH ? &each->pending : &each->new;
        for (size_t j = 0; j < wanted->count; j++) {
            const struct migration *migration = subsystem_migration(each->subsystem, wanted->list[j]);
            plan->steps = mem_grow(plan->steps, plan->step_count + 1, sizeof *plan->steps);
            plan->steps[plan->step_count] =
                (struct plan_step){each->subsystem, migration, kind == PLAN_FINISH ? PHASE_FINISH : PHASE_UP, plan->change_count, 0};
            add_changes(plan, &model->state, plan->step_count++);
        }
    }
    model->has_plan = true;
}

static void add_loss(struct losses *losses, char *what, int64_t rows, bool destroys)
{
    losses->list = mem_grow(losses->list, losses->count + 1, sizeof *losses->list);
    losses->list[losses->count++] = (struct loss){what, rows, destroys};
}

void fixture_losses(struct fixture *fixture)
{
    const struct plan *plan = &fixture->wizard.model.plan;
    struct losses *losses = &fixture->wizard.model.losses;
    for (size_t i = 0; i < plan->change_count; i++) {
        const struct change *change = plan->changes[i].change;
        int64_t rows = plan->changes[i].rows > 0 ? plan->changes[i].rows : 0;
        if (change->kind == CHANGE_DROP_COLUMN)
            add_loss(losses, mem_printf("column %s.%s is dropped with its values", change->table, change->name), rows, true);
        else if (change->kind == CHANGE_DROP_TABLE)
            add_loss(losses, mem_printf("table %s is dropped with its rows", change->table), rows, true);
        else if (change->kind == CHANGE_DROP_INDEX)
            add_loss(losses, mem_printf("index %s is dropped", change->name), -1, true);
        else if (change->kind == CHANGE_DROP_FUNCTION)
            add_loss(losses, mem_printf("function %s(%s) is dropped", change->name, change->arguments), -1, true);
        else if (change->kind == CHANGE_DELETE_ROWS)
            add_loss(losses, mem_printf("%s are deleted", change->name), 3, true);
        else if (change->kind == CHANGE_SET_PRIMARY_KEY)
            add_loss(losses, mem_printf("the primary key of %s becomes (%s)", change->table, change->definition), -1, false);
        else if (change->kind == CHANGE_BACKFILL)
            add_loss(losses, mem_printf("%s is filled in rows of %s", change->name, change->table), rows, false);
        else
            add_loss(losses, change_text(change), -1, true);
    }
}

void fixture_session(struct fixture *fixture, const char *address, bool legacy, int poll_age)
{
    struct sessions *sessions = &fixture->wizard.model.sessions;
    sessions->list = mem_grow(sessions->list, sessions->count + 1, sizeof *sessions->list);
    sessions->list[sessions->count++] = (struct session){copy_name(fixture, address), legacy, 4, poll_age};
    sessions->live += poll_age >= 0 && poll_age <= SESSIONS_FRESH_S ? 1 : 0;
}

void fixture_stranger(struct fixture *fixture, const char *address, enum node_state state, const char *version, const char *problem)
{
    struct model *model = &fixture->wizard.model;
    struct stranger *stranger = &fixture->strangers[model->stranger_count];
    bool local = strcmp(address, "local") == 0;
    const char *host = local ? "db.example.net" : address;
    char *url = mem_printf("http://%s:8001", host);
    *stranger = (struct stranger){
        .address = copy_name(fixture, address), .host = copy_name(fixture, host), .url = copy_name(fixture, url), .poll_age = 3, .state = state,
        .problem = problem != NULL ? copy_name(fixture, problem) : NULL, .version = version != NULL ? copy_name(fixture, version) : NULL,
        .node_id = version != NULL ? copy_name(fixture, "7d0f35a2-11c5-4f7e-8a1e-0c9be2c55d01") : NULL,
        .hostname = version != NULL ? copy_name(fixture, "kong-a3") : NULL, .match = version != NULL ? MATCH_SAME : MATCH_UNKNOWN,
    };
    fixture_session(fixture, address, false, 3);
    model->strangers = mem_grow(model->strangers, model->stranger_count + 1, sizeof *model->strangers);
    model->strangers[model->stranger_count++] = stranger;
    free(url);
}

void fixture_polls(struct fixture *fixture, const int *ages, size_t count)
{
    struct model *model = &fixture->wizard.model;
    model->fleet_polls = mem_grow(model->fleet_polls, model->app.fleet.count, sizeof *model->fleet_polls);
    model->fleet_poll_count = model->app.fleet.count;
    for (size_t i = 0; i < model->app.fleet.count; i++)
        model->fleet_polls[i] = i < count ? ages[i] : -1;
}

/* Nodes and traffic. */

/* Kong 1.3 stays what it is under a hostile name: the steps behind "no new node is ready" must be reached. */
void fixture_node(struct fixture *fixture, enum cluster cluster, const char *name, enum node_state state, const char *version, double rps,
                  int64_t ago)
{
    struct model *model = &fixture->wizard.model;
    struct fleet *fleet = &model->app.fleet;
    struct node *node = &fixture->nodes[fixture->node_count];
    char *url = mem_printf("http://%s.example.net:8001", name);
    *node = (struct node){
        .cluster = cluster, .name = copy_name(fixture, name), .url = copy_name(fixture, url), .state = state,
        .version = version == NULL || strcmp(version, "1.3.0") == 0 ? mem_dup(version) : copy_name(fixture, version), .hostname = version != NULL ? copy_name(fixture, name) : NULL,
        .node_id = version != NULL ? copy_name(fixture, "2f9c1f0e-7a51-4f0e-9d3b-6a3c8f1b2a10") : NULL,
        .match = version != NULL ? MATCH_SAME : MATCH_UNKNOWN, .database_reachable = version != NULL ? 1 : -1,
        .answered_at = ago >= 0 ? FIXTURE_NOW - ago : 0, .silent_since = state == NODE_SILENT ? FIXTURE_NOW - (ago >= 0 ? ago : 60000) : 0,
    };
    fleet->nodes = mem_grow(fleet->nodes, fleet->count + 1, sizeof *fleet->nodes);
    fleet->nodes[fleet->count++] = (struct fleet_node){.cluster = cluster, .name = mem_dup(node->name), .url = mem_dup(node->url)};
    fixture->rps[fixture->node_count++] = rps;
    model->nodes = mem_grow(model->nodes, fixture->node_count, sizeof *model->nodes);
    for (size_t i = 0; i < fixture->node_count; i++)
        model->nodes[i] = (struct node_view){&fixture->nodes[i], fixture->rps[i], fixture->nodes[i].state == NODE_ANSWERS ? (int)(i % 5) : -1};
    model->node_count = fixture->node_count;
    free(url);
}

void fixture_trouble(struct fixture *fixture, enum node_match match, const char *problem)
{
    struct node *node = &fixture->nodes[fixture->node_count - 1];
    node->match = match;
    if (match == MATCH_OTHER)
        node->match_text = copy_name(fixture, "pg_database is kong2, not kong");
    node->problem = copy_name(fixture, problem);
}

/* The last minutes of a diversion, with a gap in which a node could not be asked. */
void fixture_traffic(struct fixture *fixture, double old, double new, int64_t quiet_ms)
{
    struct model *model = &fixture->wizard.model;
    double all = (old > 0 ? old : 0) + (new > 0 ? new : 0), share = all > 0 ? new / all : 0;
    for (int i = 0; i < FIXTURE_SECONDS; i++) {
        double moved = share * fmin(1.0, i / (FIXTURE_SECONDS * 0.8));
        bool gap = i > 150 && i < 165;
        fixture->history[CLUSTER_OLD][i] = old < 0 ? NAN : all * (1 - moved);
        fixture->history[CLUSTER_NEW][i] = new < 0 || gap ? NAN : all * moved;
    }
    for (int cluster = CLUSTER_OLD; cluster <= CLUSTER_NEW; cluster++) {
        model->history[TRAFFIC_SECONDS][cluster] = fixture->history[cluster];
        model->history_count[TRAFFIC_SECONDS][cluster] = FIXTURE_SECONDS;
    }
    model->rps[CLUSTER_OLD] = old;
    model->rps[CLUSTER_NEW] = new;
    model->old_quiet_ms = quiet_ms;
}

void fixture_metrics(struct fixture *fixture, enum cluster cluster, double requests, double failed, double milliseconds)
{
    struct model *model = &fixture->wizard.model;
    const struct metrics_counts counts = {
        .classes = {0, requests * (0.99 - failed), 0, requests * 0.01, requests * failed},
        .latency = {[LATENCY_REQUEST] = {{milliseconds, 2 * milliseconds, 4 * milliseconds, INFINITY}, {requests * 0.8, requests * 0.96, requests, requests}, 4},
                    [LATENCY_UPSTREAM] = {{milliseconds, 2 * milliseconds, INFINITY}, {requests * 0.9, requests, requests}, 3}},
    };
    model->metrics[cluster] = (struct cluster_metrics){0};
    for (size_t i = 0; i < fixture->node_count; i++) {
        struct node *node = &fixture->nodes[i];
        if (node->cluster != cluster)
            continue;
        node->metrics = METRICS_ANSWERS;
        node->minute = (struct metrics_minute){FIXTURE_NOW - 3000, 60000, counts};
        cluster_metrics_add(&model->metrics[cluster], node, FIXTURE_NOW);
    }
    verdict_judge(&model->metrics[CLUSTER_OLD], &model->metrics[CLUSTER_NEW], &model->verdict);
}

/* Checks. */

static void add_result(struct fixture *fixture, const struct check *check, const struct finding *finding)
{
    struct check_results *results = &fixture->wizard.model.checks;
    results->list = mem_grow(results->list, results->count + 1, sizeof *results->list);
    struct check_result *result = &results->list[results->count++];
    *result = (struct check_result){.check = check, .outcome = CHECK_OK, .severity = check->severity};
    if (finding == NULL) {
        names_add(&result->evidence, fixture_name(fixture, "looked at, and as it should be"));
        return;
    }
    result->outcome = finding->outcome;
    result->severity = finding->severity;
    names_add(&result->evidence, fixture_name(fixture, finding->evidence));
    result->remedy = finding->remedy != NULL ? copy_name(fixture, finding->remedy) : NULL;
}

void fixture_checks(struct fixture *fixture, const struct finding *findings, size_t count)
{
    for (size_t i = 0; i < count; i++)
        add_result(fixture, check_find(findings[i].id), &findings[i]);
    for (const struct check *const *each = checks; *each != NULL; each++) {
        bool found = false;
        for (size_t i = 0; i < count; i++)
            found = found || strcmp(findings[i].id, (*each)->id) == 0;
        if (!found)
            add_result(fixture, *each, NULL);
    }
    fixture->wizard.model.checks_run = true;
}

/* Runs. */

void fixture_event(struct fixture *fixture, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    json_t *event = json_vpack_ex(NULL, 0, format, arguments);
    va_end(arguments);
    char at[40];
    int second = fixture->second++;
    snprintf(at, sizeof at, "2026-03-02T02:%02d:%02d.000Z", 14 + second / 60, second % 60);
    json_object_set_new(event, "t", json_string(at));
    run_view_apply(&fixture->wizard.model.run, event);
    json_decref(event);
}

void fixture_start(struct fixture *fixture, const char *command)
{
    struct model *model = &fixture->wizard.model;
    json_t *changes = json_array();
    for (size_t i = 0; i < model->plan.change_count; i++) {
        const struct plan_change *each = &model->plan.changes[i];
        char *id = plan_change_id(&model->plan, each), *text = change_text(each->change);
        json_array_append_new(changes, json_pack("{s:s, s:o, s:s?, s:s, s:b, s:b, s:I, s:I, s:s?}", "id", id, "what",
                                                 json_text(fixture_name(fixture, text)), "table", each->change->table, "lock", each->cost.lock,
                                                 "rewrite", each->cost.rewrite, "scan", each->cost.scan, "rows", (json_int_t)each->rows, "bytes",
                                                 (json_int_t)each->bytes, "correction", each->change->correction));
        free(text);
        free(id);
    }
    model->journal_path = mem_dup("/nowhere/2026-03-02T02-14-00-up.jsonl");
    model->run_alive = model->run_is_news = true;
    fixture_event(fixture, "{s:s, s:s, s:i, s:o, s:o, s:{s:o, s:o, s:i}}", "event", "start", "command", command, "pid", 4711, "host",
                  json_text(fixture_name(fixture, "ops-1")), "user", json_text(fixture_name(fixture, "ops")), "database", "name",
                  json_text(fixture_name(fixture, "kong")), "host", json_text(fixture_name(fixture, "db.example.net")), "port", 5432);
    fixture_event(fixture, "{s:s, s:s}", "event", "lock", "state", "taken");
    fixture_event(fixture, "{s:s, s:o}", "event", "plan", "changes", changes);
}

void fixture_change(struct fixture *fixture, size_t index, const char *state, int ms)
{
    const char *id = fixture->wizard.model.run.changes[index].id;
    if (ms >= 0)
        fixture_event(fixture, "{s:s, s:s, s:s, s:i}", "event", "change", "id", id, "state", state, "ms", ms);
    else
        fixture_event(fixture, "{s:s, s:s, s:s}", "event", "change", "id", id, "state", state);
}

void fixture_end(struct fixture *fixture, const char *result, int exit_code, const char *message)
{
    fixture_event(fixture, "{s:s, s:s, s:i, s:o}", "event", "end", "result", result, "exit", exit_code, "message",
                  json_text(fixture_name(fixture, message)));
    fixture->wizard.model.run_alive = false;
}
