/* Step 5 and what comes after it. */
#include "scenes.h"

/* Finish. */

static void finish_early(struct fixture *fixture)
{
    scenes_begin_upgrade(fixture, STEP_FINISH);
}

static void finish_locked(struct fixture *fixture)
{
    scenes_decommission_some(fixture);
    scenes_show(fixture, STEP_FINISH);
}

static void finish_ready(struct fixture *fixture)
{
    scenes_begin_last_step(fixture, "1.2");
}

static void finish_014(struct fixture *fixture)
{
    scenes_begin_last_step(fixture, "0.14");
}

static void finish_overruled(struct fixture *fixture)
{
    scenes_begin_migrated(fixture, STEP_FINISH, "1.2");
    scenes_add_new_ready(fixture, 60);
    names_add(&fixture->wizard.model.overruled, "finish");
}

static void finish_overrule(struct fixture *fixture)
{
    scenes_begin_migrated(fixture, STEP_FINISH, "1.2");
    scenes_add_new_ready(fixture, 60);
    fixture_key(fixture, 'o');
}

static void finish_dialog(struct fixture *fixture)
{
    scenes_begin_last_step(fixture, "1.2");
    fixture_key(fixture, 'f');
}

static void finish_dialog_backed_up(struct fixture *fixture)
{
    scenes_begin_last_step(fixture, "1.2");
    scenes_add_backup(fixture, 9 * 24);
    fixture_key(fixture, 'f');
}

static void finish_declared(struct fixture *fixture)
{
    scenes_begin_last_step(fixture, "1.2");
    fixture->wizard.model.other_backup = true;
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

static void finish_countdown(struct fixture *fixture)
{
    finish_dialog_backed_up(fixture);
    for (int i = 0; i < 9; i++)
        fixture_key(fixture, K_PAGE_DOWN);
    fixture_type(fixture, "kong");
    fixture_key(fixture, K_ENTER);
    fixture_draw(fixture);
    fixture->wizard.view.countdown.left_ms = 3200;
}

static void finish_dialog_014(struct fixture *fixture)
{
    scenes_begin_last_step(fixture, "0.14");
    fixture_key(fixture, 'f');
}

static void finish_running(struct fixture *fixture)
{
    scenes_begin_last_step(fixture, "0.14");
    fixture_start(fixture, "finish");
    for (size_t i = 0; i < 5; i++)
        fixture_change(fixture, i, "done", (int)(5 + i * 11));
    fixture_change(fixture, 5, "begin", -1);
}

static void decommission_begun(struct fixture *fixture)
{
    finish_running(fixture);
    scenes_show(fixture, STEP_DECOMMISSION);
}

static void finish_held(struct fixture *fixture)
{
    scenes_begin_last_step(fixture, "1.2");
    fixture_start(fixture, "finish");
    run_view_free(&fixture->wizard.model.run);
    fixture_event(fixture, "{s:s, s:s, s:i, s:s, s:s}", "event", "start", "command", "finish", "pid", 4712, "host", "ops-1", "user", "ops");
    fixture_end(fixture, "held", 9, "database kong at db.example.net:5432: Kong's migrations lock is held by 7d0d6c2e-12f5-4a39-8f0d-54d1d37ee2fe for another 44 s: wait until it is done, then run the same again");
}

static void finish_watched(struct fixture *fixture)
{
    finish_ready(fixture);
    scenes_lock_by_another(fixture, "finish");
}

/* Done. */

static void done_early(struct fixture *fixture)
{
    scenes_begin_last_step(fixture, "1.2");
    scenes_show(fixture, STEP_DONE);
}

static void done_report(struct fixture *fixture)
{
    static const char report[] =
        "# Kong upgrade to 1.3\n\nWritten 2026-03-02T03:10:00Z by kong-upgrade 0.1.0.\n\n| | |\n| --- | --- |\n| database | %s at %s:5432, schema public |\n"
        "| PostgreSQL | 15.4 |\n| stage | current |\n| version | 1.3 |\n\n## Runs\n\n### up, 2026-03-02T02:14:00Z: done\n\n"
        "By ops on %s, 4.2 s, 1 wait for a lock.\n\n`up` is complete: 1.3 nodes may be started beside the old ones on database kong.\n\n"
        "| change | outcome | ms | lock | worst stall, ms | 99 %% under, ms | correction |\n| --- | --- | ---: | --- | ---: | ---: | --- |\n"
        "| add column upstreams.algorithm text | made | 12 | ACCESS EXCLUSIVE | 3.1 | 1.2 |  |\n| create table ca_certificates | made | 31 |  | | |  |\n"
        "| create trigger a\\|b on ca_certificates | made | 9 | SHARE ROW EXCLUSIVE | 2.4 | 1.1 | C3 |\n\n"
        "### finish, 2026-03-02T03:09:00Z: done\n\nBy ops on %s, 0.8 s, 0 waits for a lock.\n\ndatabase kong is Kong 1.3's: the upgrade is complete.\n\n"
        "## Decisions\n\n- 2026-03-02T02:10:00Z ops acknowledged long-transactions \\<2\\>\n";
    fixture_configure(fixture);
    fixture_state(fixture, STAGE_CURRENT, "1.3");
    fixture->wizard.model.began_ms = 60000;
    fixture->wizard.model.ended_ms = 50 * 60000LL;
    fixture_checks(fixture, NULL, 0);
    fixture->wizard.model.report = mem_printf(report, fixture_name(fixture, "kong"), fixture_name(fixture, "db.example.net"), fixture_name(fixture, "ops-1"), fixture_name(fixture, "ops-1"));
    scenes_add_old_stopped(fixture);
    scenes_add_new_ready(fixture, 60);
    scenes_show(fixture, STEP_DONE);
}

/* Earlier screens looked at once more, when all is done. */
static void welcome_current(struct fixture *fixture)
{
    done_report(fixture);
    scenes_show(fixture, STEP_WELCOME);
}

static void up_current(struct fixture *fixture)
{
    done_report(fixture);
    scenes_show(fixture, STEP_UP);
}

static void provision_current(struct fixture *fixture)
{
    done_report(fixture);
    scenes_show(fixture, STEP_PROVISION);
}

static void divert_current(struct fixture *fixture)
{
    done_report(fixture);
    fixture_traffic(fixture, 0, 120, 300000);
    scenes_show(fixture, STEP_DIVERT);
}

static void decommission_current(struct fixture *fixture)
{
    done_report(fixture);
    scenes_show(fixture, STEP_DECOMMISSION);
}

static void finish_current(struct fixture *fixture)
{
    done_report(fixture);
    scenes_show(fixture, STEP_FINISH);
}

static const struct scene scenes[] = {
    {"finish-early", finish_early, false},
    {"finish-locked", finish_locked, false},
    {"finish-ready", finish_ready, true},
    {"finish-014", finish_014, false},
    {"finish-overruled", finish_overruled, false},
    {"finish-overrule", finish_overrule, false},
    {"finish-dialog", finish_dialog, true},
    {"finish-dialog-backed-up", finish_dialog_backed_up, false},
    {"finish-declared", finish_declared, false},
    {"finish-dialog-part", finish_dialog_part, false},
    {"finish-dialog-full", finish_dialog_full, false},
    {"finish-countdown", finish_countdown, true},
    {"finish-dialog-014", finish_dialog_014, false},
    {"finish-running", finish_running, false},
    {"finish-running-decommission", decommission_begun, false},
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
const struct scene_group scenes_end = {scenes, COUNT_OF(scenes)};
