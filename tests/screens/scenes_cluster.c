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

static void provision_wrong(struct fixture *fixture)
{
    scenes_begin_migrated(fixture, STEP_PROVISION, "1.2");
    fixture_node(fixture, CLUSTER_NEW, "new-1", NODE_ANSWERS, "1.2.1", 0, 300);
    fixture_trouble(fixture, MATCH_SAME, "runs Kong 1.2.1, not 1.3; start Kong 1.3 there, or move the node to [old] in fleet.ini");
    fixture_node(fixture, CLUSTER_NEW, "new-2", NODE_ANSWERS, "1.3.0", 0, 300);
    fixture_trouble(fixture, MATCH_OTHER, "uses another database (pg_database is kong2, not kong); point it at this one, or take it out of fleet.ini");
    fixture_node(fixture, CLUSTER_NEW, "new-3", NODE_SILENT, "1.3.0", -1, 95000);
    fixture_trouble(fixture, MATCH_SAME, "can't be reached: no connection within 4 s");
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

/* Decommission. */

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

static const struct scene scenes[] = {
    {"provision-early", provision_early, false},
    {"provision-none", provision_none, false},
    {"provision-some", provision_some, true},
    {"provision-ready", provision_ready, false},
    {"provision-wrong", provision_wrong, false},
    {"provision-details", provision_details, false},
    {"divert-no-data", divert_no_data, false},
    {"divert-half", divert_half, true},
    {"divert-all", divert_all, false},
    {"decommission-busy", decommission_busy, false},
    {"decommission-some", scenes_decommission_some, true},
    {"decommission-unknown", decommission_unknown, false},
    {"decommission-gone", decommission_gone, false},
    {"decommission-no-nodes", decommission_no_nodes, false},
};
const struct scene_group scenes_cluster = {scenes, COUNT_OF(scenes)};
