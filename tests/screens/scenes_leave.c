/* Leaving the upgrade: the two ways out, and a rollback as step 1 shows it. */
#include "scenes.h"

/* As a look would have found it. */
static struct way_back *open_back(struct fixture *fixture, enum kong_version to, unsigned releases, size_t changes)
{
    struct way_back *back = &fixture->wizard.model.way_back;
    way_back_free(back);
    back->looked = true;
    back->to = to;
    back->rollback.releases = releases;
    back->rollback.recorded = KONG_1_3;
    back->plan = (struct plan){.kind = PLAN_ROLLBACK, .to = to, .change_count = changes, .changes = mem_zero(changes, sizeof *back->plan.changes)};
    return back;
}

static void add_loss(struct way_back *back, const char *what, int64_t rows, bool destroys)
{
    back->losses.list = mem_grow(back->losses.list, back->losses.count + 1, sizeof *back->losses.list);
    back->losses.list[back->losses.count++] = (struct loss){mem_dup(what), rows, destroys};
}

static void add_stopped(struct fixture *fixture, int64_t ago)
{
    fixture_node(fixture, CLUSTER_NEW, "new-1", NODE_SILENT, "1.3.0", -1, ago);
    fixture_trouble(fixture, MATCH_SAME, "can't be reached: Connection refused");
    fixture_node(fixture, CLUSTER_NEW, "new-2", NODE_SILENT, "1.3.0", -1, ago);
    fixture_trouble(fixture, MATCH_SAME, "can't be reached: Connection refused");
}

static void begin(struct fixture *fixture, enum step step, const char *version)
{
    scenes_begin_migrated(fixture, step, version);
    fixture_node(fixture, CLUSTER_OLD, "old-1", NODE_ANSWERS, strcmp(version, "0.14") == 0 ? "0.14.1" : "1.2.1", 61.5, 400);
    fixture_node(fixture, CLUSTER_OLD, "old-2", NODE_ANSWERS, strcmp(version, "0.14") == 0 ? "0.14.1" : "1.2.1", 58.9, 700);
}

/* Nothing was begun. */
static void leave_early(struct fixture *fixture)
{
    scenes_begin_upgrade(fixture, STEP_UP);
    struct way_back *back = open_back(fixture, KONG_1_2, 0, 0);
    back->rollback.nothing = true;
    back->verdict = (struct verdict){ORDER_NOTHING, 0, mem_dup("there is nothing to roll back")};
    fixture_key(fixture, 'L');
}

static void leave_looking(struct fixture *fixture)
{
    begin(fixture, STEP_DIVERT, "1.2");
    add_stopped(fixture, 60000);
    fixture->wizard.model.looking_back = true;
    fixture_key(fixture, 'L');
}

/* The new nodes are stopped: it may be rolled back. */
static void set_ready(struct fixture *fixture)
{
    begin(fixture, STEP_DIVERT, "1.2");
    add_stopped(fixture, 60000);
    struct way_back *back = open_back(fixture, KONG_1_2, 1u << KONG_1_2, 8);
    add_loss(back, "values of routes.headers", 3, true);
    add_loss(back, "rows of ca_certificates", 1, true);
}

static void leave_ready(struct fixture *fixture)
{
    set_ready(fixture);
    fixture_key(fixture, 'L');
}

static void leave_hook(struct fixture *fixture)
{
    set_ready(fixture);
    fixture->wizard.model.hook_starting = true;
    fixture_key(fixture, 'L');
}

static void leave_nodes(struct fixture *fixture)
{
    begin(fixture, STEP_DECOMMISSION, "1.2");
    fixture_node(fixture, CLUSTER_NEW, "new-1", NODE_ANSWERS, "1.3.0", 60, 300);
    fixture_node(fixture, CLUSTER_NEW, "new-2", NODE_SILENT, "1.3.0", -1, 60000);
    fixture_trouble(fixture, MATCH_SAME, "can't be reached: Connection refused");
    open_back(fixture, KONG_1_2, 1u << KONG_1_2, 8);
    fixture_key(fixture, 'L');
}

static void leave_014(struct fixture *fixture)
{
    begin(fixture, STEP_PROVISION, "0.14");
    struct way_back *back = open_back(fixture, KONG_0_14, 1u << KONG_0_14, 97);
    add_loss(back, "values of services.tags", 12, true);
    add_loss(back, "rows of sessions", 340, true);
    add_loss(back, "plugins named session stay, and Kong 0.14 does not start while they are there: delete them first", 1, false);
    fixture_key(fixture, 'L');
}

/* `up` runs, from 1.0 or later: the journal of another machine knows. */
static void leave_half(struct fixture *fixture)
{
    scenes_begin_upgrade(fixture, STEP_UP);
    fixture->wizard.model.state.stage = STAGE_PENDING;
    fixture_start(fixture, "up");
    fixture_change(fixture, 0, "begin", -1);
    open_back(fixture, KONG_1_2, 1u << KONG_1_0 | 1u << KONG_1_1 | 1u << KONG_1_2, 5);
    fixture_key(fixture, 'L');
}

static void leave_release(struct fixture *fixture)
{
    begin(fixture, STEP_UP, "1.2");
    open_back(fixture, KONG_1_2, 1u << KONG_1_0 | 1u << KONG_1_1 | 1u << KONG_1_2, 8);
    fixture_key(fixture, 'L');
    fixture_key(fixture, 'c');
}

/* The old nodes are 1.2.1's: it can't go back to 1.1 under them. */
static void leave_newer(struct fixture *fixture)
{
    begin(fixture, STEP_UP, "1.2");
    add_stopped(fixture, 60000);
    open_back(fixture, KONG_1_1, 1u << KONG_1_0 | 1u << KONG_1_1 | 1u << KONG_1_2, 8);
    fixture_key(fixture, 'L');
}

static void leave_too_late(struct fixture *fixture)
{
    begin(fixture, STEP_DECOMMISSION, "1.2");
    struct way_back *back = open_back(fixture, KONG_VERSIONS, 0, 0);
    back->rollback.too_late = true;
    back->rollback.sentence = mem_dup("`finish` has begun on database kong: nothing undoes that");
    fixture_key(fixture, 'L');
}

static void leave_restore(struct fixture *fixture)
{
    leave_too_late(fixture);
    scenes_add_backup(fixture, 9);
}

static void leave_problem(struct fixture *fixture)
{
    begin(fixture, STEP_UP, "1.2");
    open_back(fixture, KONG_VERSIONS, 0, 0)->problem = mem_dup(fixture_name(fixture, "database kong at db.example.net:5432: permission denied for table routes; run GRANT SELECT"));
    fixture_key(fixture, 'L');
}

static void leave_dialog(struct fixture *fixture)
{
    set_ready(fixture);
    scenes_add_backup(fixture, 3);
    fixture_key(fixture, 'L');
    fixture_key(fixture, 'r');
}

static void leave_countdown(struct fixture *fixture)
{
    leave_dialog(fixture);
    for (int i = 0; i < 5; i++)
        fixture_key(fixture, K_PAGE_DOWN);
    fixture_type(fixture, "kong\t\t");
    fixture_key(fixture, K_ENTER);
}

static void leave_runs(struct fixture *fixture)
{
    scenes_begin_upgrade(fixture, STEP_UP);
    fixture_start(fixture, "rollback");
    fixture_change(fixture, 0, "done", 12);
    fixture_change(fixture, 1, "begin", -1);
}

static void leave_done(struct fixture *fixture)
{
    leave_runs(fixture);
    for (size_t i = 1; i < fixture->wizard.model.run.change_count; i++)
        fixture_change(fixture, i, "done", (int)(3 + i * 37 % 90));
    fixture_end(fixture, "done", 0, "database kong is Kong 1.2's again: what `up` had added is undone");
}

static void leave_cut_short(struct fixture *fixture)
{
    leave_runs(fixture);
    fixture->wizard.model.run_alive = false;
}

static void leave_half_back(struct fixture *fixture)
{
    leave_cut_short(fixture);
    open_back(fixture, KONG_1_2, 1u << KONG_1_0 | 1u << KONG_1_1 | 1u << KONG_1_2, 5);
    fixture_key(fixture, 'L');
}

static void welcome_half_back(struct fixture *fixture)
{
    leave_cut_short(fixture);
    scenes_show(fixture, STEP_WELCOME);
}

static const struct scene scenes[] = {
    {"leave-early", leave_early, false},
    {"leave-looking", leave_looking, false},
    {"leave-ready", leave_ready, true},
    {"leave-hook", leave_hook, false},
    {"leave-nodes", leave_nodes, false},
    {"leave-014", leave_014, false},
    {"leave-half", leave_half, false},
    {"leave-release", leave_release, false},
    {"leave-newer", leave_newer, false},
    {"leave-too-late", leave_too_late, false},
    {"leave-restore", leave_restore, false},
    {"leave-problem", leave_problem, false},
    {"leave-dialog", leave_dialog, false},
    {"leave-countdown", leave_countdown, false},
    {"leave-runs", leave_runs, false},
    {"leave-done", leave_done, false},
    {"leave-cut-short", leave_cut_short, false},
    {"leave-half-back", leave_half_back, false},
    {"welcome-half-back", welcome_half_back, false},
};
const struct scene_group scenes_leave = {scenes, COUNT_OF(scenes)};
