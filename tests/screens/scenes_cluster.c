/* Steps 2 to 4: the nodes of both clusters, and their traffic. */
#include "scenes.h"

/* Provision. */

static void provision_none(struct fixture *fixture)
{
    scenes_begin_migrated(fixture, STEP_PROVISION, "1.2");
}

static void provision_early(struct fixture *fixture)
{
    scenes_begin_upgrade(fixture, STEP_PROVISION);
}

static void provision_some(struct fixture *fixture)
{
    scenes_begin_migrated(fixture, STEP_PROVISION, "1.2");
    fixture_node(fixture, CLUSTER_NEW, "new-1", NODE_ANSWERS, "1.3.0", 0, 300);
    fixture_node(fixture, CLUSTER_NEW, "new-2", NODE_UNASKED, NULL, -1, -1);
    fixture_node(fixture, CLUSTER_NEW, "new-3", NODE_SILENT, NULL, -1, -1);
    fixture_trouble(fixture, MATCH_UNKNOWN, "can't be reached: Connection refused");
    fixture_node(fixture, CLUSTER_NEW, "new-4", NODE_STRANGE, NULL, -1, -1);
    fixture_trouble(fixture, MATCH_UNKNOWN, "does not answer as Kong's Admin API does (HTTP status 404); check the address in fleet.ini");
}

static void provision_ready(struct fixture *fixture)
{
    scenes_begin_migrated(fixture, STEP_PROVISION, "1.2");
    scenes_add_new_ready(fixture, 0);
}

static void provision_014(struct fixture *fixture)
{
    scenes_begin_migrated(fixture, STEP_PROVISION, "0.14");
    fixture_node(fixture, CLUSTER_OLD, "old-1", NODE_ANSWERS, "0.14.1", 60, 300);
    scenes_add_new_ready(fixture, 0);
}

static void decommission_014(struct fixture *fixture)
{
    scenes_begin_migrated(fixture, STEP_DECOMMISSION, "0.14");
    fixture_node(fixture, CLUSTER_OLD, "old-1", NODE_ANSWERS, "0.14.1", 0, 300);
    fixture_node(fixture, CLUSTER_OLD, "old-2", NODE_SILENT, "0.14.1", -1, 62000);
    fixture_trouble(fixture, MATCH_SAME, "can't be reached: Connection refused");
    scenes_add_new_ready(fixture, 60);
    fixture_traffic(fixture, 0, 120, 300000);
    fixture_session(fixture, "10.0.0.11", true, 2);
    fixture_session(fixture, "10.0.0.21", false, 1);
}

static void provision_wrong(struct fixture *fixture)
{
    scenes_begin_migrated(fixture, STEP_PROVISION, "1.2");
    fixture_node(fixture, CLUSTER_NEW, "new-1", NODE_ANSWERS, "1.2.1", 0, 300);
    fixture_trouble(fixture, MATCH_SAME, "runs Kong 1.2.1, not 1.3; start Kong 1.3 there, or move the node to [old] in fleet.ini");
    fixture_node(fixture, CLUSTER_NEW, "new-2", NODE_ANSWERS, "1.3.0", 0, 300);
    fixture_trouble(fixture, MATCH_OTHER, "uses another database (pg_database is kong2, not kong); point it at this one, or take it out of fleet.ini");
    fixture_node(fixture, CLUSTER_NEW, "new-3", NODE_SILENT, "1.3.0", -1, 95000);
    fixture_trouble(fixture, MATCH_SAME, "can't be reached: no connection within 4 s");   /* it was there: the worst */
    for (int i = 0; i < 2; i++)
        fixture_key(fixture, K_DOWN);
}

static void provision_details(struct fixture *fixture)
{
    provision_wrong(fixture);
    fixture_key(fixture, K_ENTER);
}

/* Divert. */

static void divert_no_data(struct fixture *fixture)
{
    scenes_begin_migrated(fixture, STEP_DIVERT, "1.2");
    fixture_node(fixture, CLUSTER_OLD, "old-1", NODE_UNASKED, NULL, -1, -1);
    fixture_node(fixture, CLUSTER_NEW, "new-1", NODE_ANSWERS, "1.3.0", -1, 300);
}

static void divert_half(struct fixture *fixture)
{
    scenes_begin_migrated(fixture, STEP_DIVERT, "1.2");
    fixture_node(fixture, CLUSTER_OLD, "old-1", NODE_ANSWERS, "1.2.1", 31.5, 400);
    fixture_node(fixture, CLUSTER_OLD, "old-2", NODE_ANSWERS, "1.2.1", 28.9, 4700);
    scenes_add_new_ready(fixture, 29.8);
    fixture_traffic(fixture, 60.4, 59.6, 0);
}

static void divert_all(struct fixture *fixture)
{
    scenes_begin_migrated(fixture, STEP_DIVERT, "1.2");
    fixture_node(fixture, CLUSTER_OLD, "old-1", NODE_ANSWERS, "1.2.1", 0, 400);
    fixture_node(fixture, CLUSTER_OLD, "old-2", NODE_ANSWERS, "1.2.1", 0, 700);
    scenes_add_new_ready(fixture, 60.1);
    fixture_traffic(fixture, 0, 120.2, 180000);
}

/* As half, with the Prometheus plugin on all nodes. */
static void divert_well(struct fixture *fixture)
{
    divert_half(fixture);
    fixture_metrics(fixture, CLUSTER_OLD, 1810, 0.001, 20);
    fixture_metrics(fixture, CLUSTER_NEW, 1790, 0.002, 19);
}

static void divert_worse(struct fixture *fixture)
{
    divert_half(fixture);
    fixture_metrics(fixture, CLUSTER_OLD, 1810, 0.001, 20);
    fixture_metrics(fixture, CLUSTER_NEW, 1790, 0.098, 20);
}

static void divert_worse_and_slow(struct fixture *fixture)
{
    divert_half(fixture);
    fixture_metrics(fixture, CLUSTER_OLD, 1810, 0.001, 20);
    fixture_metrics(fixture, CLUSTER_NEW, 1790, 0.098, 200);
}

/* The plugin on the new nodes alone. */
static void divert_one_sided(struct fixture *fixture)
{
    divert_half(fixture);
    fixture_metrics(fixture, CLUSTER_NEW, 1790, 0.098, 20);
}

static void divert_six_hours(struct fixture *fixture)
{
    divert_half(fixture);
    for (int cluster = CLUSTER_OLD; cluster <= CLUSTER_NEW; cluster++) {
        fixture->wizard.model.history[TRAFFIC_MINUTES][cluster] = fixture->history[cluster];
        fixture->wizard.model.history_count[TRAFFIC_MINUTES][cluster] = FIXTURE_SECONDS;
    }
    for (int i = 0; i < 5; i++)   /* it ends at six hours */
        fixture_key(fixture, '+');
}

static void divert_details(struct fixture *fixture)
{
    divert_worse(fixture);
    fixture->nodes[2].connections = 12;
    fixture_key(fixture, K_ENTER);
}

static void divert_details_without(struct fixture *fixture)
{
    divert_half(fixture);
    fixture->nodes[2].metrics = METRICS_ABSENT;
    fixture_key(fixture, K_ENTER);
}

static void provision_worse(struct fixture *fixture)
{
    divert_worse(fixture);
    scenes_show(fixture, STEP_PROVISION);
}

/* Decommission. */

/* What old nodes still serve may be a scraper's polls. */
static void decommission_polls(struct fixture *fixture)
{
    divert_worse(fixture);
    scenes_show(fixture, STEP_DECOMMISSION);
    fixture_traffic(fixture, 0.3, 119.7, 0);
}

static void decommission_busy(struct fixture *fixture)
{
    divert_half(fixture);
    scenes_show(fixture, STEP_DECOMMISSION);
}

void scenes_decommission_some(struct fixture *fixture)
{
    scenes_begin_migrated(fixture, STEP_DECOMMISSION, "1.2");
    fixture_node(fixture, CLUSTER_OLD, "old-1", NODE_SILENT, "1.2.1", -1, 62000);
    fixture_trouble(fixture, MATCH_SAME, "can't be reached: Connection refused");
    fixture_node(fixture, CLUSTER_OLD, "old-2", NODE_ANSWERS, "1.2.1", 0, 700);
    scenes_add_new_ready(fixture, 60.1);
    fixture_traffic(fixture, 0, 120.2, 180000);
    fixture_session(fixture, "10.0.0.12", false, 2);
    fixture_session(fixture, "10.0.0.21", false, 1);
    fixture_session(fixture, "10.0.0.22", false, 4);
    fixture_session(fixture, "10.0.0.40", true, -1);
}

static void decommission_stranger(struct fixture *fixture)
{
    scenes_decommission_some(fixture);
    fixture_stranger(fixture, "10.0.0.13", NODE_UNASKED, NULL, NULL);
    fixture_stranger(fixture, "local", NODE_UNASKED, NULL, NULL);
}

/* The second list has the focus: its last row, in full. */
static void decommission_seen(struct fixture *fixture)
{
    decommission_stranger(fixture);
    fixture_key(fixture, K_TAB);
    fixture_key(fixture, K_END);
    fixture_key(fixture, K_ENTER);
}

static void decommission_unknown(struct fixture *fixture)
{
    scenes_begin_migrated(fixture, STEP_DECOMMISSION, "1.2");
    fixture_node(fixture, CLUSTER_OLD, "old-1", NODE_SILENT, "1.2.1", -1, 62000);
    fixture_trouble(fixture, MATCH_SAME, "can't be reached: Connection refused");
    fixture_node(fixture, CLUSTER_OLD, "old-2", NODE_UNKNOWN, "1.2.1", -1, 62000);
    fixture_trouble(fixture, MATCH_SAME, "can't be asked: ssh://ops@10.0.0.12 does not connect (Host key verification failed.); tried again in 8 s");
    scenes_add_new_ready(fixture, 60.1);
    fixture_traffic(fixture, 0, 120.2, -1);
}

/* All has moved, and the new cluster fails: compared with the old one as it was. */
static void decommission_worse(struct fixture *fixture)
{
    struct model *model = &fixture->wizard.model;
    divert_all(fixture);
    fixture_metrics(fixture, CLUSTER_OLD, 1810, 0.001, 20);
    model->metrics[CLUSTER_OLD].remembered = true;
    fixture_metrics(fixture, CLUSTER_NEW, 3600, 0.098, 20);
    scenes_show(fixture, STEP_DECOMMISSION);
}

static void decommission_gone(struct fixture *fixture)
{
    scenes_begin_last_step(fixture, "1.2");
    scenes_show(fixture, STEP_DECOMMISSION);
}

static void decommission_no_nodes(struct fixture *fixture)
{
    scenes_begin_migrated(fixture, STEP_DECOMMISSION, "0.14");
    fixture->wizard.model.sessions.restricted = true;
}

/* Fleets of two, twenty and two hundred nodes, half of them old. In the larger ones some of each cluster are not as they should be. */

static void add_trouble(struct fixture *fixture, enum cluster cluster, const char *name, int kind)
{
    static const struct { enum node_state state; const char *version, *problem; } troubles[] = {
        {NODE_STRANGE, NULL, "answers GET / with an error (HTTP 500), perhaps for want of its database; see its error.log"},
        {NODE_SILENT, NULL, "can't be reached: Connection refused"},
        {NODE_UNKNOWN, NULL, "can't be asked: ssh://ops@10.0.0.12 does not connect (Host key verification failed.); tried again in 8 s"},
        {NODE_ANSWERS, "1.2.1", "does not reach its database; see its error.log"},
    };
    const char *version = cluster == CLUSTER_NEW && troubles[kind].version != NULL ? "1.3.0" : troubles[kind].version;
    fixture_node(fixture, cluster, name, troubles[kind].state, version, -1, -1);
    fixture_trouble(fixture, version != NULL ? MATCH_SAME : MATCH_UNKNOWN, troubles[kind].problem);
}

static void add_many(struct fixture *fixture, int all, double old_rps, double new_rps)
{
    for (int i = 0; i < all; i++) {
        enum cluster cluster = i < all / 2 ? CLUSTER_OLD : CLUSTER_NEW;
        int number = i % (all / 2) + 1;
        char name[16];
        snprintf(name, sizeof name, "%s-%d", cluster_name(cluster), number);
        if (all >= 20 && number % 9 == 0 && number / 9 % 5 > 0)
            add_trouble(fixture, cluster, name, number / 9 % 5 - 1);
        else
            fixture_node(fixture, cluster, name, NODE_ANSWERS, cluster == CLUSTER_OLD ? "1.2.1" : "1.3.0", cluster == CLUSTER_OLD ? old_rps : new_rps, 400);
    }
    fixture_traffic(fixture, old_rps * all / 2, new_rps * all / 2, old_rps > 0 ? 0 : 180000);
    fixture_metrics(fixture, CLUSTER_OLD, 1810, 0.001, 20);
    fixture_metrics(fixture, CLUSTER_NEW, 1790, 0.002, 19);
}

static void add_many_sessions(struct fixture *fixture, int all)
{
    for (int i = 0; i < all; i++) {
        char address[24];
        snprintf(address, sizeof address, "10.0.%d.%d", i / 100, 11 + i % 100);
        fixture_session(fixture, address, false, i % 6);
    }
}

static void provision_many(struct fixture *fixture, int all)
{
    scenes_begin_migrated(fixture, STEP_PROVISION, "1.2");
    add_many(fixture, all, 30.2, 0);
}

static void divert_many(struct fixture *fixture, int all)
{
    scenes_begin_migrated(fixture, STEP_DIVERT, "1.2");
    add_many(fixture, all, 30.2, 29.8);
}

static void decommission_many(struct fixture *fixture, int all)
{
    scenes_begin_migrated(fixture, STEP_DECOMMISSION, "1.2");
    add_many(fixture, all, 0, 60.1);
    add_many_sessions(fixture, all);
}

static void provision_2(struct fixture *fixture) { provision_many(fixture, 2); }
static void provision_20(struct fixture *fixture) { provision_many(fixture, 20); }
static void provision_200(struct fixture *fixture) { provision_many(fixture, 200); }
static void divert_2(struct fixture *fixture) { divert_many(fixture, 2); }
static void divert_20(struct fixture *fixture) { divert_many(fixture, 20); }
static void divert_200(struct fixture *fixture) { divert_many(fixture, 200); }
static void decommission_2(struct fixture *fixture) { decommission_many(fixture, 2); }
static void decommission_20(struct fixture *fixture) { decommission_many(fixture, 20); }
static void decommission_200(struct fixture *fixture) { decommission_many(fixture, 200); }

/* Hooks. */

static void add_hooks(struct fixture *fixture)
{
    static const char *const lines[HOOKS] = {"/opt/gateway/start-new", "/opt/gateway/move \"to new\" {percent}", "/opt/gateway/stop {node} {url}"};
    struct error error = {0};
    for (int kind = 0; kind < HOOKS; kind++)
        hooks_set(&fixture->wizard.model.app.fleet.hooks, hook_name((enum hook_kind)kind), lines[kind], &error);
    error_clear(&error);
}

/* The last hook, begun so many seconds ago; what comes from outside may be hostile. */
static void add_hook(struct fixture *fixture, enum hook_kind kind, enum hook_result result, const char *message, const char *said, int ago)
{
    struct hook_follower *hook = &fixture->wizard.model.hook;
    hook->path = mem_dup("/nowhere/2026-03-02T03-14-00.000Z.hook");
    hook->record = (struct hook_record){
        .kind = kind, .percent = 25, .result = result, .exit_code = result == HOOK_DONE ? 0 : 3, .ended_ms = result == HOOK_RUNS ? 0 : 1,
        .command = mem_dup(fixture_name(fixture, "/opt/gateway/move \"to new\" 25")), .message = mem_dup(fixture_name(fixture, message)),
        .node = kind == HOOK_DECOMMISSION ? mem_dup(fixture_name(fixture, "old-1")) : NULL, .user = mem_dup("ops"), .host = mem_dup("ops-1"),
    };
    fixture->wizard.model.hook_at = FIXTURE_NOW - (int64_t)ago * 1000;
    for (int i = 0; i < 30; i++) {
        const char *line = fixture_name(fixture, said);
        hook_lines_add(&hook->lines, line, strlen(line));
        hook_lines_end(&hook->lines);
    }
}

static void set_diverted(struct fixture *fixture, int percent, int ago)
{
    fixture->wizard.model.diverted = percent;
    fixture->wizard.model.diverted_at = FIXTURE_NOW - (int64_t)ago * 1000;
}

static void hook_provision_dialog(struct fixture *fixture)
{
    provision_some(fixture);
    add_hooks(fixture);
    fixture_key(fixture, 'p');
}

static void hook_divert_dialog(struct fixture *fixture)
{
    divert_half(fixture);
    add_hooks(fixture);
    set_diverted(fixture, 25, 12);
    fixture_key(fixture, 'd');
}

static void hook_divert_too_early(struct fixture *fixture)
{
    hook_divert_dialog(fixture);
    for (int i = 0; i < 5; i++)
        fixture_key(fixture, K_TAB);
    fixture_key(fixture, K_ENTER);
}

static void hook_divert_worse(struct fixture *fixture)
{
    divert_worse(fixture);
    add_hooks(fixture);
    set_diverted(fixture, 25, 90);
    fixture_key(fixture, 'd');
    for (int i = 0; i < 6; i++)
        fixture_key(fixture, K_TAB);
    fixture_key(fixture, K_ENTER);
}

static void hook_divert_moved(struct fixture *fixture)
{
    divert_half(fixture);
    add_hooks(fixture);
    set_diverted(fixture, 50, 12);
}

static void hook_divert_runs(struct fixture *fixture)
{
    divert_half(fixture);
    add_hooks(fixture);
    add_hook(fixture, HOOK_DIVERT, HOOK_RUNS, "", "balancer-1: draining, 12 connections left", 7);
    fixture_key(fixture, 'h');
}

static void hook_divert_failed(struct fixture *fixture)
{
    divert_half(fixture);
    add_hooks(fixture);
    add_hook(fixture, HOOK_DIVERT, HOOK_FAILED, "exit code 3", "balancer-1 does not answer", 60);
}

static void hook_decommission_dialog(struct fixture *fixture)
{
    scenes_decommission_some(fixture);
    add_hooks(fixture);
    fixture_key(fixture, K_DOWN);
    fixture_key(fixture, 'd');
    fixture_type(fixture, "old-");
}

static void hook_quit_dialog(struct fixture *fixture)
{
    scenes_decommission_some(fixture);
    add_hooks(fixture);
    add_hook(fixture, HOOK_DECOMMISSION, HOOK_RUNS, "", "stopping", 3);
    fixture_key(fixture, 'q');
}

static const struct scene scenes[] = {
    {"provision-2-nodes", provision_2, true},
    {"provision-20-nodes", provision_20, true},
    {"provision-200-nodes", provision_200, true},
    {"divert-2-nodes", divert_2, true},
    {"divert-20-nodes", divert_20, true},
    {"divert-200-nodes", divert_200, true},
    {"decommission-2-nodes", decommission_2, true},
    {"decommission-20-nodes", decommission_20, true},
    {"decommission-200-nodes", decommission_200, true},
    {"provision-early", provision_early, false},
    {"provision-none", provision_none, false},
    {"provision-some", provision_some, true},
    {"provision-ready", provision_ready, false},
    {"provision-014", provision_014, false},
    {"provision-wrong", provision_wrong, false},
    {"provision-details", provision_details, false},
    {"divert-no-data", divert_no_data, false},
    {"divert-half", divert_half, true},
    {"divert-all", divert_all, false},
    {"divert-well", divert_well, true},
    {"divert-worse", divert_worse, true},
    {"divert-worse-and-slow", divert_worse_and_slow, false},
    {"divert-one-sided", divert_one_sided, false},
    {"divert-six-hours", divert_six_hours, false},
    {"divert-details", divert_details, false},
    {"divert-details-without", divert_details_without, false},
    {"provision-worse", provision_worse, false},
    {"decommission-busy", decommission_busy, false},
    {"decommission-polls", decommission_polls, false},
    {"decommission-worse", decommission_worse, false},
    {"decommission-some", scenes_decommission_some, true},
    {"decommission-stranger", decommission_stranger, false},
    {"decommission-seen", decommission_seen, false},
    {"decommission-unknown", decommission_unknown, false},
    {"decommission-gone", decommission_gone, false},
    {"decommission-014", decommission_014, false},
    {"decommission-no-nodes", decommission_no_nodes, false},
    {"hook-provision-dialog", hook_provision_dialog, false},
    {"hook-divert-dialog", hook_divert_dialog, true},
    {"hook-divert-too-early", hook_divert_too_early, false},
    {"hook-divert-worse", hook_divert_worse, false},
    {"hook-divert-moved", hook_divert_moved, false},
    {"hook-divert-runs", hook_divert_runs, true},
    {"hook-divert-failed", hook_divert_failed, false},
    {"hook-decommission-dialog", hook_decommission_dialog, false},
    {"hook-quit-dialog", hook_quit_dialog, false},
};
const struct scene_group scenes_cluster = {scenes, COUNT_OF(scenes)};
