/* Step 1: the plan, and runs in every state. */
#include "scenes.h"

static void up_plan(struct fixture *fixture)
{
    scenes_begin_upgrade(fixture, STEP_UP);
}

static void up_locked(struct fixture *fixture)
{
    static const struct finding blocks = {"ownership", CHECK_FOUND, CHECK_BLOCKS, "table oauth2_tokens belongs to role kong_admin, not to kong", NULL};
    scenes_begin_upgrade(fixture, STEP_UP);
    check_results_free(&fixture->wizard.model.checks);
    fixture_checks(fixture, &blocks, 1);
}

static void up_finish_first(struct fixture *fixture)
{
    scenes_begin_unfinished(fixture, STEP_UP, NULL);
}

static void up_finish_first_plugins(struct fixture *fixture)
{
    scenes_begin_unfinished(fixture, STEP_UP, "rate-limiting");
}

/* A node of 0.14 is still there. */
static void up_finish_first_shut(struct fixture *fixture)
{
    scenes_begin_unfinished(fixture, STEP_UP, NULL);
    fixture_node(fixture, CLUSTER_OLD, "old-3", NODE_ANSWERS, "0.14.1", 2.5, 300);
}

static void up_finish_first_dialog(struct fixture *fixture)
{
    scenes_begin_unfinished(fixture, STEP_UP, NULL);
    scenes_add_backup(fixture, 3);
    fixture_key(fixture, 'f');
}

static void up_finish_first_runs(struct fixture *fixture)
{
    scenes_begin_unfinished(fixture, STEP_UP, NULL);
    fixture_start(fixture, "finish");
    for (size_t i = 0; i < 4; i++)
        fixture_change(fixture, i, "done", (int)(5 + i * 11));
    fixture_change(fixture, 4, "begin", -1);
}

/* It has ended well: step 1 begins. */
static void up_finish_first_done(struct fixture *fixture)
{
    up_finish_first_runs(fixture);
    fixture_end(fixture, "done", 0, "the earlier upgrade is finished; go on with `up`");
    state_free(&fixture->wizard.model.state);
    fixture_state(fixture, STAGE_UPGRADABLE, "1.2");
    fixture_plan(fixture, PLAN_UP);
}

static void up_rewrite(struct fixture *fixture)
{
    fixture_configure(fixture);
    fixture_state(fixture, STAGE_LEGACY_014, "0.14");
    fixture->wizard.model.state.server_version_number = 110002;
    fixture_plan(fixture, PLAN_UP);
    fixture_checks(fixture, NULL, 0);
    scenes_show(fixture, STEP_UP);
}

static void up_confirm_rewrite(struct fixture *fixture)
{
    up_rewrite(fixture);
    fixture_key(fixture, 's');
}

static void up_confirm(struct fixture *fixture)
{
    scenes_begin_upgrade(fixture, STEP_UP);
    fixture_key(fixture, 's');
}

static void up_confirm_lock(struct fixture *fixture)
{
    scenes_begin_upgrade(fixture, STEP_UP);
    char *owner = mem_printf("kong-upgrade %s pid 4711 5d1c0a52-8c1d-4d28-9b6a-0f1f3f8f2b11", fixture_name(fixture, "ops@ops-1"));
    fixture->wizard.model.state.lock = (struct lock_info){.held = true, .owner = owner, .expires = mem_dup("2026-03-02T02:15:00Z"), .seconds_left = 41};
    fixture_key(fixture, 's');
}

static void up_backed_up(struct fixture *fixture)
{
    scenes_begin_upgrade(fixture, STEP_UP);
    scenes_add_backup(fixture, 3);
}

static void up_confirm_backed_up(struct fixture *fixture)
{
    up_backed_up(fixture);
    fixture_key(fixture, 's');
}

static void up_backup_folder(struct fixture *fixture)
{
    up_backed_up(fixture);
    fixture_key(fixture, 'B');
}

static void up_backup_failed(struct fixture *fixture)
{
    scenes_begin_upgrade(fixture, STEP_UP);
    fixture->wizard.model.backups.failure = mem_printf("no backup was made: %s has 3.0 MB of room, and the backup may need 41.2 MB", fixture_name(fixture, "/backups"));
}

static void up_backing_up(struct fixture *fixture)
{
    scenes_begin_upgrade(fixture, STEP_UP);
    scenes_start_backup(fixture);
    fixture_change(fixture, 0, "begin", -1);
    fixture_change(fixture, 0, "done", 812);
    fixture_change(fixture, 1, "begin", -1);
    for (int i = 1; i <= 8; i++)
        fixture_event(fixture, "{s:s, s:s, s:i, s:i, s:i}", "event", "progress", "id", "backup/dump", "rows", i * 9000, "total", 210000, "bytes", i * 800000);
}

static void up_confirm_logout(struct fixture *fixture)
{
    scenes_begin_upgrade(fixture, STEP_UP);
    fixture->wizard.model.ends_at_logout = true;
    fixture_key(fixture, 's');
}

static void up_watched(struct fixture *fixture)
{
    scenes_begin_upgrade(fixture, STEP_UP);
    scenes_lock_by_another(fixture, "up");
    fixture_key(fixture, 's');
}

static void up_bootstrap(struct fixture *fixture)
{
    fixture_configure(fixture);
    fixture_state(fixture, STAGE_EMPTY, NULL);
    fixture_plan(fixture, PLAN_BOOTSTRAP);
    fixture_checks(fixture, NULL, 0);
    scenes_show(fixture, STEP_UP);
}

static void up_details(struct fixture *fixture)
{
    scenes_begin_upgrade(fixture, STEP_UP);
    fixture_key(fixture, K_DOWN);
    fixture_key(fixture, K_DOWN);
    fixture_key(fixture, K_ENTER);
}

/* A run from 0.14, of which `done` changes are made. */
static void begin_run(struct fixture *fixture, size_t done)
{
    fixture_configure(fixture);
    fixture_state(fixture, STAGE_LEGACY_014, "0.14");
    fixture_plan(fixture, PLAN_UP);
    fixture_checks(fixture, NULL, 0);
    fixture_node(fixture, CLUSTER_OLD, "old-1", NODE_ANSWERS, "0.14.1", 61.5, 400);
    fixture_start(fixture, "up");
    for (size_t i = 0; i < done; i++) {
        fixture_change(fixture, i, "begin", -1);
        if (fixture->wizard.model.plan.changes[i].done)
            fixture_change(fixture, i, "already", -1);
        else
            fixture_change(fixture, i, "done", (int)(3 + i * 37 % 90));
    }
    scenes_show(fixture, STEP_UP);
}

static void add_stall(struct fixture *fixture, size_t index, double worst_ms, double p99_ms)
{
    fixture_event(fixture, "{s:s, s:s, s:f, s:f, s:i}", "event", "stall", "id", fixture->wizard.model.run.changes[index].id, "worst_ms", worst_ms, "p99_ms",
                  p99_ms, "samples", 40);
}

static void up_running(struct fixture *fixture)
{
    begin_run(fixture, 44);
    add_stall(fixture, 42, 112.4, 8.2);
    add_stall(fixture, 43, 4.1, 1.3);
    fixture_change(fixture, 44, "begin", -1);
    add_stall(fixture, 44, 2.6, 1.1);
}

static void up_waiting(struct fixture *fixture)
{
    begin_run(fixture, 44);
    fixture_change(fixture, 44, "begin", -1);
    fixture_event(fixture, "{s:s, s:s, s:s, s:[{s:i, s:o, s:o, s:o, s:i, s:o}]}", "event", "wait", "id", fixture->wizard.model.run.changes[44].id, "what",
                  "lock timeout", "blockers", "pid", 8123, "application", json_text(fixture_name(fixture, "psql")), "address",
                  json_text(fixture_name(fixture, "10.0.0.99")), "state", json_text(fixture_name(fixture, "idle in transaction")), "seconds", 5420, "query",
                  json_text(fixture_name(fixture, "SELECT count(*) FROM plugins WHERE created_at > $1")));
}

static void up_blocker(struct fixture *fixture)
{
    up_waiting(fixture);
    fixture_key(fixture, 'k');
}

/* Two of them, and the second is looked at: it runs a query. */
static void up_blockers(struct fixture *fixture)
{
    up_waiting(fixture);
    fixture_event(fixture, "{s:s, s:s, s:s, s:[{s:i, s:o, s:o, s:o, s:i, s:o}, {s:i, s:o, s:o, s:o, s:i, s:o}]}", "event", "wait", "id",
                  fixture->wizard.model.run.changes[44].id, "what", "lock timeout", "blockers",
                  "pid", 8123, "application", json_text(fixture_name(fixture, "psql")), "address", json_text(fixture_name(fixture, "10.0.0.99")), "state",
                  json_text(fixture_name(fixture, "idle in transaction")), "seconds", 5420, "query", json_text(fixture_name(fixture, "SELECT 1")),
                  "pid", 8200, "application", json_text(fixture_name(fixture, "report")), "address", json_text(fixture_name(fixture, "10.0.0.7")), "state",
                  json_text(fixture_name(fixture, "active")), "seconds", 61, "query",
                  json_text(fixture_name(fixture, "SELECT name, count(*) FROM plugins GROUP BY name")));
    fixture_key(fixture, 'k');
    fixture_key(fixture, K_TAB);
    fixture_key(fixture, K_TAB);
    fixture_key(fixture, K_ENTER);
    for (const char *c = "8200"; *c != '\0'; c++)
        fixture_key(fixture, (uint32_t)(unsigned char)*c);
}

static size_t find_backfill(const struct fixture *fixture)
{
    const struct plan *plan = &fixture->wizard.model.plan;
    for (size_t i = 0; i < plan->change_count; i++)
        if (plan->changes[i].change->kind == CHANGE_BACKFILL)
            return i;
    return 0;
}

static void up_backfill(struct fixture *fixture)
{
    fixture_configure(fixture);
    fixture_state(fixture, STAGE_UPGRADABLE, "1.0");
    fixture_plan(fixture, PLAN_UP);
    fixture_checks(fixture, NULL, 0);
    fixture_start(fixture, "up");
    size_t at = find_backfill(fixture);
    fixture_change(fixture, at, "begin", -1);
    for (int i = 1; i <= 12; i++)
        fixture_event(fixture, "{s:s, s:s, s:i, s:i}", "event", "progress", "id", fixture->wizard.model.run.changes[at].id, "rows", i * 21000, "total", 830000);
    scenes_show(fixture, STEP_UP);
}

static void up_done(struct fixture *fixture)
{
    begin_run(fixture, 0);
    for (size_t i = 0; i < fixture->wizard.model.run.change_count; i++)
        fixture_change(fixture, i, "done", (int)(3 + i * 37 % 90));
    add_stall(fixture, 44, 12.6, 1.1);
    fixture_event(fixture, "{s:s, s:s, s:s, s:s}", "event", "record", "subsystem", "core", "migration", "005_120_to_130", "state", "pending");
    fixture_end(fixture, "done", 0, "`up` is complete: 1.3 nodes may be started beside the old ones on database kong");
    state_free(&fixture->wizard.model.state);
    fixture_state(fixture, STAGE_PENDING, "0.14");
}

static void up_paused(struct fixture *fixture)
{
    begin_run(fixture, 44);
    fixture_event(fixture, "{s:s}", "event", "stop");
    fixture_end(fixture, "paused", 10, "stopped as asked, at a safe point; run the same again to go on");
}

static void up_stopping(struct fixture *fixture)
{
    up_running(fixture);
    fixture_event(fixture, "{s:s}", "event", "stop");
}

static void up_failed(struct fixture *fixture)
{
    begin_run(fixture, 44);
    fixture_change(fixture, 44, "begin", -1);
    fixture_change(fixture, 44, "failed", 12);
    fixture_end(fixture, "failed", 1,
                "database kong at db.example.net:5432: column routes.headers exists with type text, but Kong's is jsonb: it is not Kong's; rename it, then run the same again");
}

static void up_cut_short(struct fixture *fixture)
{
    up_running(fixture);
    fixture->wizard.model.run_alive = false;
    fixture->wizard.model.resume = true;
}

static void up_log(struct fixture *fixture)
{
    up_waiting(fixture);
    fixture_key(fixture, 'l');
}

static void up_complete(struct fixture *fixture)
{
    scenes_begin_migrated(fixture, STEP_UP, "1.2");
}

static const struct scene scenes[] = {
    {"up-plan", up_plan, false},
    {"up-locked", up_locked, false},
    {"up-finish-first", up_finish_first, true},
    {"up-finish-first-plugins", up_finish_first_plugins, false},
    {"up-finish-first-shut", up_finish_first_shut, false},
    {"up-finish-first-dialog", up_finish_first_dialog, false},
    {"up-finish-first-runs", up_finish_first_runs, false},
    {"up-finish-first-done", up_finish_first_done, false},
    {"up-rewrite", up_rewrite, false},
    {"up-confirm", up_confirm, false},
    {"up-confirm-rewrite", up_confirm_rewrite, false},
    {"up-confirm-lock", up_confirm_lock, false},
    {"up-backed-up", up_backed_up, false},
    {"up-confirm-backed-up", up_confirm_backed_up, false},
    {"up-backup-folder", up_backup_folder, false},
    {"up-backup-failed", up_backup_failed, false},
    {"up-backing-up", up_backing_up, false},
    {"up-confirm-logout", up_confirm_logout, false},
    {"up-watched", up_watched, false},
    {"up-bootstrap", up_bootstrap, false},
    {"up-details", up_details, false},
    {"up-running", up_running, false},
    {"up-waiting", up_waiting, true},
    {"up-blocker", up_blocker, false},
    {"up-blockers", up_blockers, false},
    {"up-backfill", up_backfill, false},
    {"up-done", up_done, false},
    {"up-stopping", up_stopping, false},
    {"up-paused", up_paused, false},
    {"up-failed", up_failed, false},
    {"up-cut-short", up_cut_short, false},
    {"up-log", up_log, false},
    {"up-complete", up_complete, false},
};
const struct scene_group scenes_up = {scenes, COUNT_OF(scenes)};
