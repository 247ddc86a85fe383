/* What the scenes have in common, and all of them in the order of the steps. */
#include "scenes.h"

#include "core/base/clock.h"

const struct scene *scene_at(size_t index)
{
    static const struct scene_group *const groups[] = {&scenes_welcome, &scenes_up, &scenes_cluster, &scenes_leave, &scenes_kong, &scenes_end};
    for (size_t i = 0; i < COUNT_OF(groups); i++) {
        if (index < groups[i]->count)
            return &groups[i]->list[index];
        index -= groups[i]->count;
    }
    return NULL;
}

void scenes_add_fleet(struct fixture *fixture)
{
    fixture_node(fixture, CLUSTER_OLD, "old-1", NODE_ANSWERS, "1.2.1", 61.5, 400);
    fixture_node(fixture, CLUSTER_OLD, "old-2", NODE_ANSWERS, "1.2.1", 58.9, 700);
    fixture_node(fixture, CLUSTER_NEW, "new-1", NODE_SILENT, NULL, -1, -1);
    fixture_trouble(fixture, MATCH_UNKNOWN, "can't be reached: Connection refused");
    fixture_node(fixture, CLUSTER_NEW, "new-2", NODE_SILENT, NULL, -1, -1);
    fixture_trouble(fixture, MATCH_UNKNOWN, "can't be reached: Connection refused");
}

void scenes_add_sessions(struct fixture *fixture)
{
    fixture_session(fixture, "10.0.0.11", false, 2);
    fixture_session(fixture, "10.0.0.12", false, 4);
    fixture_session(fixture, "10.0.0.40", false, -1);
    fixture_polls(fixture, (const int[]){2, 4}, 2);
}

void scenes_show(struct fixture *fixture, enum step step)
{
    fixture->wizard.view.shown = step;
}

/* Kong 1.2 before anything has been done, with its preflight. */
void scenes_begin_upgrade(struct fixture *fixture, enum step step)
{
    fixture_configure(fixture);
    fixture_state(fixture, STAGE_UPGRADABLE, "1.2");
    fixture_plan(fixture, PLAN_UP);
    scenes_add_fleet(fixture);
    scenes_add_sessions(fixture);
    fixture_checks(fixture, NULL, 0);
    scenes_show(fixture, step);
}

/* What was recorded as executed is pending still. */
static void leave_pending(struct subsystem_state *each)
{
    struct names executed = {0};
    for (size_t i = 0; i < each->executed.count; i++) {
        const struct migration *migration = subsystem_migration(each->subsystem, each->executed.list[i]);
        names_add(migration->teardown ? &each->pending : &executed, migration->name);
    }
    names_free(&each->executed);
    each->executed = executed;
}

/* An upgrade came before, and was never finished: from 0.14 to 1.2; or, `plugin` not NULL, that plugin was loaded. */
void scenes_begin_unfinished(struct fixture *fixture, enum step step, const char *plugin)
{
    scenes_begin_upgrade(fixture, step);
    struct state *state = &fixture->wizard.model.state;
    state->stage = STAGE_PENDING;
    state->from_014 = plugin == NULL;
    state->version = plugin == NULL ? "0.14" : "1.2";
    for (size_t i = 0; i < state->subsystem_count; i++)
        if (plugin == NULL || strcmp(state->subsystems[i].subsystem->name, plugin) == 0)
            leave_pending(&state->subsystems[i]);
    fixture_plan(fixture, PLAN_FINISH);
    fixture_losses(fixture);
}

/* `up` is complete, and the new nodes are started or not. */
void scenes_begin_migrated(struct fixture *fixture, enum step step, const char *version)
{
    fixture_configure(fixture);
    fixture_state(fixture, STAGE_PENDING, version);
    fixture->wizard.model.began_ms = clock_wall_ms() - 125 * 60000LL;
    fixture_plan(fixture, PLAN_FINISH);
    fixture_losses(fixture);
    fixture_checks(fixture, NULL, 0);
    scenes_show(fixture, step);
}

void scenes_add_new_ready(struct fixture *fixture, double rps)
{
    fixture_node(fixture, CLUSTER_NEW, "new-1", NODE_ANSWERS, "1.3.0", rps, 300);
    fixture_node(fixture, CLUSTER_NEW, "new-2", NODE_ANSWERS, "1.3.0", rps, 600);
}

void scenes_add_old_stopped(struct fixture *fixture)
{
    fixture_node(fixture, CLUSTER_OLD, "old-1", NODE_SILENT, "1.2.1", -1, 95000);
    fixture_trouble(fixture, MATCH_SAME, "can't be reached: Connection refused");
    fixture_node(fixture, CLUSTER_OLD, "old-2", NODE_SILENT, "1.2.1", -1, 62000);
    fixture_trouble(fixture, MATCH_SAME, "can't be reached: Connection refused");
}

void scenes_begin_last_step(struct fixture *fixture, const char *version)
{
    scenes_begin_migrated(fixture, STEP_FINISH, version);
    scenes_add_old_stopped(fixture);
    scenes_add_new_ready(fixture, 60);
    fixture_traffic(fixture, 0, 120, 300000);
    fixture_session(fixture, "10.0.0.21", false, 1);
    fixture_session(fixture, "10.0.0.22", false, 3);
}

void scenes_add_backup(struct fixture *fixture, int hours)
{
    struct backups *backups = &fixture->wizard.model.backups;
    backups->list = mem_grow(backups->list, backups->count + 1, sizeof *backups->list);
    backups->list[backups->count++] = (struct backup_made){
        .path = mem_printf("%s/kong-kong-2026-03-02T02-10-44.120Z.dump", fixture_name(fixture, "/var/backups/kong")),
        .as_of_ms = clock_wall_ms() - hours * 3600000LL,
        .bytes = 35600000,
        .rows = 210000,
        .tables = 25,
        .there = true,
        .event = json_pack("{s:o, s:i, s:o, s:s, s:s, s:i, s:s}", "host", json_text(fixture_name(fixture, "db.example.net")), "port", 5432, "database",
                           json_text(fixture_name(fixture, "kong")), "schema", "public", "owner", "kong", "server", 150004, "restore", "pg_restore"),
    };
}

void scenes_start_backup(struct fixture *fixture)
{
    static const char *const parts[][2] = {{"backup/count", "count the rows of 25 tables"},
        {"backup/dump", "dump schema public to /var/backups/kong/kong-kong-2026-03-02T02-10-44.120Z.dump"},
        {"backup/list", "look for every table in the archive"}, {"backup/rows", "read the archive and count its rows"}};
    json_t *changes = json_array();
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        json_array_append_new(changes, json_pack("{s:s, s:o, s:s, s:s, s:b, s:b, s:i, s:i, s:n}", "id", parts[i][0], "what",
            json_text(fixture_name(fixture, parts[i][1])), "table", "", "lock", i < 2 ? "ACCESS SHARE" : "", "rewrite", 0, "scan", 1, "rows", 210000, "bytes",
            48000000, "correction"));
    fixture_start(fixture, "backup");
    fixture_event(fixture, "{s:s, s:o}", "event", "plan", "changes", changes);
}

void scenes_lock_by_another(struct fixture *fixture, const char *command)
{
    struct model *model = &fixture->wizard.model;
    model->state.lock = (struct lock_info){
        .held = true, .worker_alive = true, .expires = mem_dup("2026-03-02T02:15:00Z"), .seconds_left = 41, .since = mem_dup("2026-03-02T02:12:40Z"),
        .owner = mem_printf("kong-upgrade %s pid 4711 5d1c0a52-8c1d-4d28-9b6a-0f1f3f8f2b11 %s", fixture_name(fixture, "alice@bastion"), command),
        .address = mem_dup(fixture_name(fixture, "10.0.0.7")),
    };
    for (size_t i = 0; i + 1 < model->plan.change_count && i < 3; i++)
        model->plan.changes[i].done = true;
    model->watched_total = model->plan.change_count;
}
