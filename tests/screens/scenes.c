/* Every screen in the states that an operator meets. */
#include "fixture.h"

#include "core/base/json.h"
#include "core/base/mem.h"

#include <stdlib.h>
#include <string.h>

/* What scenes have in common. */

static void add_fleet(struct fixture *fixture)
{
    fixture_node(fixture, CLUSTER_OLD, "old-1", NODE_ANSWERS, "1.2.1", 61.5, 400);
    fixture_node(fixture, CLUSTER_OLD, "old-2", NODE_ANSWERS, "1.2.1", 58.9, 700);
    fixture_node(fixture, CLUSTER_NEW, "new-1", NODE_SILENT, NULL, -1, -1);
    fixture_trouble(fixture, MATCH_UNKNOWN, "can't be reached: Connection refused");
    fixture_node(fixture, CLUSTER_NEW, "new-2", NODE_SILENT, NULL, -1, -1);
    fixture_trouble(fixture, MATCH_UNKNOWN, "can't be reached: Connection refused");
}

static void add_sessions(struct fixture *fixture)
{
    fixture_session(fixture, "10.0.0.11", false, 2);
    fixture_session(fixture, "10.0.0.12", false, 4);
    fixture_session(fixture, "10.0.0.40", false, -1);
}

static void show(struct fixture *fixture, enum step step)
{
    fixture->wizard.view.shown = step;
}

/* Kong 1.2 before anything has been done, with its preflight. */
static void begin_upgrade(struct fixture *fixture, enum step step)
{
    fixture_configure(fixture);
    fixture_state(fixture, STAGE_UPGRADABLE, "1.2");
    fixture_plan(fixture, PLAN_UP);
    add_fleet(fixture);
    add_sessions(fixture);
    fixture_checks(fixture, NULL, 0);
    show(fixture, step);
}

/* `up` is complete, and the new nodes are started or not. */
static void begin_migrated(struct fixture *fixture, enum step step, const char *version)
{
    fixture_configure(fixture);
    fixture_state(fixture, STAGE_PENDING, version);
    fixture_plan(fixture, PLAN_FINISH);
    fixture_losses(fixture);
    fixture_checks(fixture, NULL, 0);
    show(fixture, step);
}

static void add_new_ready(struct fixture *fixture, double rps)
{
    fixture_node(fixture, CLUSTER_NEW, "new-1", NODE_ANSWERS, "1.3.0", rps, 300);
    fixture_node(fixture, CLUSTER_NEW, "new-2", NODE_ANSWERS, "1.3.0", rps, 600);
}

static void add_old_stopped(struct fixture *fixture)
{
    fixture_node(fixture, CLUSTER_OLD, "old-1", NODE_SILENT, "1.2.1", -1, 95000);
    fixture_trouble(fixture, MATCH_SAME, "can't be reached: Connection refused");
    fixture_node(fixture, CLUSTER_OLD, "old-2", NODE_SILENT, "1.2.1", -1, 62000);
    fixture_trouble(fixture, MATCH_SAME, "can't be reached: Connection refused");
}

static void begin_last_step(struct fixture *fixture, const char *version)
{
    begin_migrated(fixture, STEP_FINISH, version);
    add_old_stopped(fixture);
    add_new_ready(fixture, 60);
    fixture_traffic(fixture, 0, 120, 300000);
    fixture_session(fixture, "10.0.0.21", false, 1);
    fixture_session(fixture, "10.0.0.22", false, 3);
}

/* Welcome. */

static void welcome_unconfigured(struct fixture *fixture)
{
    fixture->wizard.model.conf_error =
        mem_dup(fixture_name(fixture, "/etc/kong/kong.conf, line 14: pg_port is not a number: 54e2; mend the line, then try again"));
}

static void welcome_asking(struct fixture *fixture)
{
    fixture_configure(fixture);
    add_fleet(fixture);
}

static void welcome_unreachable(struct fixture *fixture)
{
    fixture_configure(fixture);
    add_fleet(fixture);
    fixture->wizard.model.state_error = mem_dup(fixture_name(
        fixture, "can't connect to database kong at db.example.net:5432 as kong (Connection refused); is the server running, and does kong.conf name the right host and port?"));
}

static void welcome_upgradable(struct fixture *fixture)
{
    begin_upgrade(fixture, STEP_WELCOME);
}

static void welcome_empty(struct fixture *fixture)
{
    fixture_configure(fixture);
    fixture_state(fixture, STAGE_EMPTY, NULL);
}

static void welcome_pending(struct fixture *fixture)
{
    begin_migrated(fixture, STEP_WELCOME, "1.2");
    add_fleet(fixture);
    add_sessions(fixture);
}

static void welcome_too_old(struct fixture *fixture)
{
    fixture_configure(fixture);
    fixture_state(fixture, STAGE_TOO_OLD, NULL);
    fixture->wizard.model.state.reason = mem_dup(fixture_name(fixture,
        "the database is older than Kong 0.14: migration 2018-05-17-173100_hash_on_cookie of core is missing; run `kong migrations up` of Kong 0.14.1 with the bundled plugins first"));
}

static void welcome_no_nodes(struct fixture *fixture)
{
    fixture_configure(fixture);
    fixture_state(fixture, STAGE_LEGACY_014, "0.14");
    names_add(&fixture->wizard.model.state.unknown, fixture_name(fixture, "acme-auth"));
    names_add(&fixture->wizard.model.state.unknown, fixture_name(fixture, "acme-billing"));
}

static void welcome_message(struct fixture *fixture)
{
    begin_upgrade(fixture, STEP_WELCOME);
    wizard_say(&fixture->wizard, MARK_OK, "Took %s out; saved to %s.", fixture_name(fixture, "old-3"), fixture->wizard.model.app.fleet.file);
}

static void welcome_prompt(struct fixture *fixture)
{
    begin_upgrade(fixture, STEP_WELCOME);
    fixture_key(fixture, 'a');
    fixture_type(fixture, "old old-1 http://10.0.0.13:8001");
    fixture_key(fixture, K_ENTER);
}

static void welcome_conf(struct fixture *fixture)
{
    begin_upgrade(fixture, STEP_WELCOME);
    fixture_key(fixture, 'c');
}

static void welcome_help(struct fixture *fixture)
{
    begin_upgrade(fixture, STEP_WELCOME);
    fixture_key(fixture, '?');
}

/* Preflight. */

static const struct finding findings[] = {
    {"ownership", CHECK_FOUND, CHECK_BLOCKS, "table oauth2_tokens belongs to role kong_admin, not to kong", "ALTER TABLE public.oauth2_tokens OWNER TO kong;"},
    {"long-transactions", CHECK_FOUND, CHECK_WARNS,
     "session 8123 (psql, role report, from 10.0.0.99) has been in a transaction for 5420 s, idle in transaction for 5400 s; last query: SELECT count(*) FROM oauth2_tokens",
     "SELECT pg_terminate_backend(8123);"},
    {"unknown-plugins", CHECK_FOUND, CHECK_WARNS, "acme-auth plugin is in use (2 rows, 8f0c…) but not enabled", "plugins = bundled,acme-auth"},
    {"running-maintenance", CHECK_UNABLE, CHECK_WARNS, "role kong may not see other roles' sessions: grant it pg_read_all_stats", "GRANT pg_read_all_stats TO kong;"},
    {"cost", CHECK_FOUND, CHECK_INFORMS, "the heaviest table is consumers: about 1250000 rows, 393 MB are read", NULL},
};

static void begin_findings(struct fixture *fixture)
{
    begin_upgrade(fixture, STEP_PREFLIGHT);
    check_results_free(&fixture->wizard.model.checks);
    fixture_checks(fixture, findings, COUNT_OF(findings));
}

static void preflight_running(struct fixture *fixture)
{
    begin_upgrade(fixture, STEP_PREFLIGHT);
    check_results_free(&fixture->wizard.model.checks);
    fixture->wizard.model.checks_run = false;
    fixture->wizard.model.checks_running = true;
}

static void preflight_clean(struct fixture *fixture)
{
    begin_upgrade(fixture, STEP_PREFLIGHT);
}

static void preflight_findings(struct fixture *fixture)
{
    begin_findings(fixture);
}

static void preflight_acknowledged(struct fixture *fixture)
{
    begin_upgrade(fixture, STEP_PREFLIGHT);
    check_results_free(&fixture->wizard.model.checks);
    fixture_checks(fixture, findings + 1, COUNT_OF(findings) - 1);
    names_add(&fixture->wizard.model.acknowledged, "long-transactions");
    names_add(&fixture->wizard.model.acknowledged, "running-maintenance");
    fixture_key(fixture, K_DOWN);
}

static void preflight_details(struct fixture *fixture)
{
    begin_findings(fixture);
    fixture_key(fixture, K_DOWN);
    fixture_key(fixture, K_ENTER);
}

static void preflight_search(struct fixture *fixture)
{
    begin_findings(fixture);
    fixture_key(fixture, '/');
    fixture_type(fixture, "lock");
}

/* Up. */

static void up_plan(struct fixture *fixture)
{
    begin_upgrade(fixture, STEP_UP);
}

static void up_locked(struct fixture *fixture)
{
    begin_findings(fixture);
    show(fixture, STEP_UP);
}

static void up_rewrite(struct fixture *fixture)
{
    fixture_configure(fixture);
    fixture_state(fixture, STAGE_LEGACY_014, "0.14");
    fixture->wizard.model.state.server_version_number = 110002;
    fixture_plan(fixture, PLAN_UP);
    fixture_checks(fixture, NULL, 0);
    show(fixture, STEP_UP);
}

static void up_confirm(struct fixture *fixture)
{
    begin_upgrade(fixture, STEP_UP);
    fixture_key(fixture, 's');
}

static void up_confirm_lock(struct fixture *fixture)
{
    begin_upgrade(fixture, STEP_UP);
    char *owner = mem_printf("kong-upgrade %s pid 4711 5d1c0a52-8c1d-4d28-9b6a-0f1f3f8f2b11", fixture_name(fixture, "ops@ops-1"));
    fixture->wizard.model.state.lock = (struct lock_info){.held = true, .owner = owner, .expires = mem_dup("2026-03-02T02:15:00Z"), .seconds_left = 41};
    fixture_key(fixture, 's');
}

static void up_confirm_logout(struct fixture *fixture)
{
    begin_upgrade(fixture, STEP_UP);
    fixture->wizard.model.ends_at_logout = true;
    fixture_key(fixture, 's');
}

/* A worker of another operator's is at work. */
static void lock_by_another(struct fixture *fixture, const char *command)
{
    char *owner = mem_printf("kong-upgrade %s pid 4711 5d1c0a52-8c1d-4d28-9b6a-0f1f3f8f2b11 %s", fixture_name(fixture, "alice@bastion"), command);
    fixture->wizard.model.state.lock = (struct lock_info){
        .held = true, .worker_alive = true, .owner = owner, .expires = mem_dup("2026-03-02T02:15:00Z"), .seconds_left = 41,
        .address = mem_dup(fixture_name(fixture, "10.0.0.7")), .since = mem_dup("2026-03-02T02:12:40Z"),
    };
}

static void up_watched(struct fixture *fixture)
{
    begin_upgrade(fixture, STEP_UP);
    lock_by_another(fixture, "up");
    for (size_t i = 0; i < 3; i++)
        fixture->wizard.model.plan.changes[i].done = true;
    fixture->wizard.model.watched_total = fixture->wizard.model.plan.change_count;
    fixture_key(fixture, 's');
}

static void up_bootstrap(struct fixture *fixture)
{
    fixture_configure(fixture);
    fixture_state(fixture, STAGE_EMPTY, NULL);
    fixture_plan(fixture, PLAN_BOOTSTRAP);
    fixture_checks(fixture, NULL, 0);
    show(fixture, STEP_UP);
}

static void up_details(struct fixture *fixture)
{
    begin_upgrade(fixture, STEP_UP);
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
    show(fixture, STEP_UP);
}

static void up_running(struct fixture *fixture)
{
    begin_run(fixture, 44);
    fixture_change(fixture, 44, "begin", -1);
}

static void up_waiting(struct fixture *fixture)
{
    begin_run(fixture, 44);
    fixture_change(fixture, 44, "begin", -1);
    fixture_event(fixture, "{s:s, s:s, s:s, s:[{s:i, s:o, s:o, s:s, s:i, s:o}]}", "event", "wait", "id", fixture->wizard.model.run.changes[44].id, "what",
                  "lock timeout", "blockers", "pid", 8123, "application", json_string(fixture->hostile != NULL ? "" : "psql"), "address",
                  json_text(fixture->hostile != NULL ? "\x1b[2J" : "10.0.0.99"), "state", "idle in transaction", "seconds", 5420, "query",
                  json_string(fixture->hostile != NULL ? "SELECT '\x1b]0;owned\x07\xe2\x80\xae'" : "SELECT count(*) FROM plugins WHERE created_at > $1"));
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
    show(fixture, STEP_UP);
}

static void up_done(struct fixture *fixture)
{
    begin_run(fixture, 0);
    for (size_t i = 0; i < fixture->wizard.model.run.change_count; i++)
        fixture_change(fixture, i, "done", (int)(3 + i * 37 % 90));
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
    begin_migrated(fixture, STEP_UP, "1.2");
}

/* Provision. */

static void provision_none(struct fixture *fixture)
{
    begin_migrated(fixture, STEP_PROVISION, "1.2");
}

static void provision_early(struct fixture *fixture)
{
    begin_upgrade(fixture, STEP_PROVISION);
}

static void provision_some(struct fixture *fixture)
{
    begin_migrated(fixture, STEP_PROVISION, "1.2");
    fixture_node(fixture, CLUSTER_NEW, "new-1", NODE_ANSWERS, "1.3.0", 0, 300);
    fixture_node(fixture, CLUSTER_NEW, "new-2", NODE_UNASKED, NULL, -1, -1);
    fixture_node(fixture, CLUSTER_NEW, "new-3", NODE_SILENT, NULL, -1, -1);
    fixture_trouble(fixture, MATCH_UNKNOWN, "can't be reached: Connection refused");
    fixture_node(fixture, CLUSTER_NEW, "new-4", NODE_STRANGE, NULL, -1, -1);
    fixture_trouble(fixture, MATCH_UNKNOWN, "does not answer as Kong's Admin API does (HTTP status 404); check the address in fleet.ini");
}

static void provision_ready(struct fixture *fixture)
{
    begin_migrated(fixture, STEP_PROVISION, "1.2");
    add_new_ready(fixture, 0);
}

static void provision_wrong(struct fixture *fixture)
{
    begin_migrated(fixture, STEP_PROVISION, "1.2");
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
    begin_migrated(fixture, STEP_DIVERT, "1.2");
    fixture_node(fixture, CLUSTER_OLD, "old-1", NODE_UNASKED, NULL, -1, -1);
    fixture_node(fixture, CLUSTER_NEW, "new-1", NODE_ANSWERS, "1.3.0", -1, 300);
}

static void divert_half(struct fixture *fixture)
{
    begin_migrated(fixture, STEP_DIVERT, "1.2");
    fixture_node(fixture, CLUSTER_OLD, "old-1", NODE_ANSWERS, "1.2.1", 31.5, 400);
    fixture_node(fixture, CLUSTER_OLD, "old-2", NODE_ANSWERS, "1.2.1", 28.9, 4700);
    add_new_ready(fixture, 29.8);
    fixture_traffic(fixture, 60.4, 59.6, 0);
}

static void divert_all(struct fixture *fixture)
{
    begin_migrated(fixture, STEP_DIVERT, "1.2");
    fixture_node(fixture, CLUSTER_OLD, "old-1", NODE_ANSWERS, "1.2.1", 0, 400);
    fixture_node(fixture, CLUSTER_OLD, "old-2", NODE_ANSWERS, "1.2.1", 0, 700);
    add_new_ready(fixture, 60.1);
    fixture_traffic(fixture, 0, 120.2, 180000);
}

/* Decommission. */

static void decommission_busy(struct fixture *fixture)
{
    divert_half(fixture);
    show(fixture, STEP_DECOMMISSION);
}

static void decommission_some(struct fixture *fixture)
{
    begin_migrated(fixture, STEP_DECOMMISSION, "1.2");
    fixture_node(fixture, CLUSTER_OLD, "old-1", NODE_SILENT, "1.2.1", -1, 62000);
    fixture_trouble(fixture, MATCH_SAME, "can't be reached: Connection refused");
    fixture_node(fixture, CLUSTER_OLD, "old-2", NODE_ANSWERS, "1.2.1", 0, 700);
    add_new_ready(fixture, 60.1);
    fixture_traffic(fixture, 0, 120.2, 180000);
    fixture_session(fixture, "10.0.0.12", false, 2);
    fixture_session(fixture, "10.0.0.21", false, 1);
    fixture_session(fixture, "10.0.0.22", false, 4);
    fixture_session(fixture, "10.0.0.40", true, -1);
}

static void decommission_gone(struct fixture *fixture)
{
    begin_last_step(fixture, "1.2");
    show(fixture, STEP_DECOMMISSION);
}

static void decommission_no_nodes(struct fixture *fixture)
{
    begin_migrated(fixture, STEP_DECOMMISSION, "0.14");
    fixture->wizard.model.sessions.restricted = true;
}

/* Finish. */

static void finish_early(struct fixture *fixture)
{
    begin_upgrade(fixture, STEP_FINISH);
}

static void finish_locked(struct fixture *fixture)
{
    decommission_some(fixture);
    show(fixture, STEP_FINISH);
}

static void finish_ready(struct fixture *fixture)
{
    begin_last_step(fixture, "1.2");
}

static void finish_014(struct fixture *fixture)
{
    begin_last_step(fixture, "0.14");
}

static void finish_overruled(struct fixture *fixture)
{
    begin_migrated(fixture, STEP_FINISH, "1.2");
    add_new_ready(fixture, 60);
    names_add(&fixture->wizard.model.overruled, "finish");
}

static void finish_overrule(struct fixture *fixture)
{
    begin_migrated(fixture, STEP_FINISH, "1.2");
    add_new_ready(fixture, 60);
    fixture_key(fixture, 'o');
}

static void finish_dialog(struct fixture *fixture)
{
    begin_last_step(fixture, "1.2");
    fixture_key(fixture, 'f');
}

static void finish_dialog_part(struct fixture *fixture)
{
    finish_dialog(fixture);
    fixture_type(fixture, "ko");
}

static void finish_dialog_full(struct fixture *fixture)
{
    finish_dialog(fixture);
    for (int i = 0; i < 9; i++)
        fixture_key(fixture, K_PAGE_DOWN);
    fixture_type(fixture, "kong");
}

static void finish_dialog_014(struct fixture *fixture)
{
    begin_last_step(fixture, "0.14");
    fixture_key(fixture, 'f');
}

static void finish_running(struct fixture *fixture)
{
    begin_last_step(fixture, "0.14");
    fixture_start(fixture, "finish");
    for (size_t i = 0; i < 5; i++)
        fixture_change(fixture, i, "done", (int)(5 + i * 11));
    fixture_change(fixture, 5, "begin", -1);
}

static void finish_watched(struct fixture *fixture)
{
    finish_ready(fixture);
    lock_by_another(fixture, "finish");
    fixture->wizard.model.watched_total = fixture->wizard.model.plan.change_count;
}

static void finish_held(struct fixture *fixture)
{
    begin_last_step(fixture, "1.2");
    fixture_start(fixture, "finish");
    run_view_free(&fixture->wizard.model.run);
    fixture_event(fixture, "{s:s, s:s, s:i, s:s, s:s}", "event", "start", "command", "finish", "pid", 4712, "host", "ops-1", "user", "ops");
    fixture_end(fixture, "held", 9, "database kong at db.example.net:5432: Kong's migrations lock is held by 7d0d6c2e-12f5-4a39-8f0d-54d1d37ee2fe for another 44 s: wait until it is done, then run the same again");
}

/* Done. */

static void done_early(struct fixture *fixture)
{
    begin_last_step(fixture, "1.2");
    show(fixture, STEP_DONE);
}

static void done_report(struct fixture *fixture)
{
    static const char report[] =
        "# Kong upgrade to 1.3\n\nWritten 2026-03-02T03:10:00Z by kong-upgrade 0.1.0.\n\n| | |\n| --- | --- |\n| database | %s at db.example.net:5432, schema public |\n"
        "| server | PostgreSQL 15.4 |\n| stage | current |\n| version | 1.3 |\n\n## Runs\n\n### up, 2026-03-02T02:14:00Z: done\n\n"
        "By ops on ops-1, 4.2 s, 1 wait for a lock.\n`up` is complete: 1.3 nodes may be started beside the old ones on database kong.\n\n"
        "| change | outcome | ms | lock | correction |\n| --- | --- | ---: | --- | --- |\n| add column upstreams.algorithm text | made | 12 | AccessExclusiveLock |  |\n"
        "| create table ca_certificates | made | 31 |  |  |\n| add column routes.headers jsonb | made | 9 | AccessExclusiveLock |  |\n\n"
        "### finish, 2026-03-02T03:09:00Z: done\n\nBy ops on ops-1, 0.8 s, 0 waits for a lock.\ndatabase kong is Kong 1.3's: the upgrade is complete.\n\n"
        "## Decisions\n\n- 2026-03-02T02:10:00Z ops acknowledged long-transactions\n";
    fixture_configure(fixture);
    fixture_state(fixture, STAGE_CURRENT, "1.3");
    fixture_checks(fixture, NULL, 0);
    fixture->wizard.model.report = mem_printf(report, fixture_name(fixture, "kong"));
    add_old_stopped(fixture);
    add_new_ready(fixture, 60);
    show(fixture, STEP_DONE);
}

/* Earlier screens looked at once more, when all is done. */
static void welcome_current(struct fixture *fixture)
{
    done_report(fixture);
    show(fixture, STEP_WELCOME);
}

static void up_current(struct fixture *fixture)
{
    done_report(fixture);
    show(fixture, STEP_UP);
}

static void provision_current(struct fixture *fixture)
{
    done_report(fixture);
    show(fixture, STEP_PROVISION);
}

static void divert_current(struct fixture *fixture)
{
    done_report(fixture);
    fixture_traffic(fixture, 0, 120, 300000);
    show(fixture, STEP_DIVERT);
}

static void decommission_current(struct fixture *fixture)
{
    done_report(fixture);
    show(fixture, STEP_DECOMMISSION);
}

static void finish_current(struct fixture *fixture)
{
    done_report(fixture);
    show(fixture, STEP_FINISH);
}

const struct scene scenes[] = {
    {"welcome-unconfigured", welcome_unconfigured, false},
    {"welcome-asking", welcome_asking, false},
    {"welcome-unreachable", welcome_unreachable, false},
    {"welcome-upgradable", welcome_upgradable, true},
    {"welcome-empty", welcome_empty, false},
    {"welcome-pending", welcome_pending, false},
    {"welcome-too-old", welcome_too_old, false},
    {"welcome-no-nodes", welcome_no_nodes, false},
    {"welcome-message", welcome_message, false},
    {"welcome-add-node", welcome_prompt, false},
    {"welcome-kong-conf", welcome_conf, false},
    {"welcome-help", welcome_help, true},
    {"preflight-running", preflight_running, false},
    {"preflight-clean", preflight_clean, false},
    {"preflight-findings", preflight_findings, true},
    {"preflight-acknowledged", preflight_acknowledged, false},
    {"preflight-details", preflight_details, false},
    {"preflight-search", preflight_search, false},
    {"up-plan", up_plan, false},
    {"up-locked", up_locked, false},
    {"up-rewrite", up_rewrite, false},
    {"up-confirm", up_confirm, false},
    {"up-confirm-lock", up_confirm_lock, false},
    {"up-confirm-logout", up_confirm_logout, false},
    {"up-watched", up_watched, false},
    {"up-bootstrap", up_bootstrap, false},
    {"up-details", up_details, false},
    {"up-running", up_running, false},
    {"up-waiting", up_waiting, true},
    {"up-backfill", up_backfill, false},
    {"up-done", up_done, false},
    {"up-stopping", up_stopping, false},
    {"up-paused", up_paused, false},
    {"up-failed", up_failed, false},
    {"up-cut-short", up_cut_short, false},
    {"up-log", up_log, false},
    {"up-complete", up_complete, false},
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
    {"decommission-some", decommission_some, true},
    {"decommission-gone", decommission_gone, false},
    {"decommission-no-nodes", decommission_no_nodes, false},
    {"finish-early", finish_early, false},
    {"finish-locked", finish_locked, false},
    {"finish-ready", finish_ready, true},
    {"finish-014", finish_014, false},
    {"finish-overruled", finish_overruled, false},
    {"finish-overrule", finish_overrule, false},
    {"finish-dialog", finish_dialog, true},
    {"finish-dialog-part", finish_dialog_part, false},
    {"finish-dialog-full", finish_dialog_full, false},
    {"finish-dialog-014", finish_dialog_014, false},
    {"finish-running", finish_running, false},
    {"finish-held", finish_held, false},
    {"finish-watched", finish_watched, false},
    {"done-early", done_early, false},
    {"done-report", done_report, true},
    {"after-welcome", welcome_current, false},
    {"after-up", up_current, false},
    {"after-provision", provision_current, false},
    {"after-divert", divert_current, false},
    {"after-decommission", decommission_current, false},
    {"after-finish", finish_current, false},
};
const size_t scene_count = COUNT_OF(scenes);
