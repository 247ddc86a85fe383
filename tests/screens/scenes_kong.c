/* Kong's own command: an installation from nothing, custom plugins, all migrations left to it. */
#include "scenes.h"

#include "core/kong_run.h"

static void find_kong(struct fixture *fixture, const char *problem)
{
    struct kong_binary *kong = &fixture->wizard.model.kong;
    fixture->wizard.model.kong_known = true;
    if (problem != NULL)
        kong->problem = mem_dup(fixture_name(fixture, problem));
    else
        *kong = (struct kong_binary){.path = mem_dup(fixture_name(fixture, "/usr/local/bin/kong")), .version = mem_dup("1.3.0")};
}

static const char not_found[] = "no kong command was found on this machine: name it in fleet.ini, [kong] bin = PATH";

static void start_kong(struct fixture *fixture, const char *command)
{
    struct model *model = &fixture->wizard.model;
    model->journal_path = mem_dup("/nowhere/2026-03-02T02-14-00-kong.jsonl");
    model->run_alive = model->run_is_news = true;
    fixture_event(fixture, "{s:s, s:s, s:i, s:o, s:o, s:s, s:{s:o, s:o, s:i}}", "event", "start", "command", command, "pid", 4711, "host",
                  json_text(fixture_name(fixture, "ops-1")), "user", json_text(fixture_name(fixture, "ops")), "kong", "/usr/local/bin/kong", "database",
                  "name", json_text(fixture_name(fixture, "kong")), "host", json_text(fixture_name(fixture, "db.example.net")), "port", 5432);
}

static void say(struct fixture *fixture, const char *line)
{
    fixture_event(fixture, "{s:s, s:o}", "event", "output", "text", json_text(fixture_name(fixture, line)));
}

/* No database. */

static void begin_absent(struct fixture *fixture, bool may_create)
{
    struct model *model = &fixture->wizard.model;
    fixture_configure(fixture);
    model->state_error = mem_dup("can't connect to database kong");
    model->absence = (struct absence){true, may_create, mem_dup(fixture_name(fixture, "CREATE DATABASE kong OWNER kong;"))};
}

static void absent(struct fixture *fixture)
{
    begin_absent(fixture, true);
}

static void absent_forbidden(struct fixture *fixture)
{
    begin_absent(fixture, false);
}

static void absent_dialog(struct fixture *fixture)
{
    begin_absent(fixture, true);
    fixture_key(fixture, 'i');
}

/* All migrations. */

static void begin_engine(struct fixture *fixture, const char *problem)
{
    scenes_begin_upgrade(fixture, STEP_UP);
    fixture->wizard.model.app.fleet.kong_engine = true;
    find_kong(fixture, problem);
}

static void engine(struct fixture *fixture)
{
    begin_engine(fixture, NULL);
}

static void engine_missing(struct fixture *fixture)
{
    begin_engine(fixture, not_found);
}

static void engine_dialog(struct fixture *fixture)
{
    begin_engine(fixture, NULL);
    fixture_key(fixture, 's');
}

static void engine_runs(struct fixture *fixture)
{
    begin_engine(fixture, NULL);
    start_kong(fixture, "up");
    say(fixture, "migrating core on database 'kong'...");
    say(fixture, "core migrated up to: 005_120_to_130 (pending)");
}

/* Custom plugins. */

static void begin_custom(struct fixture *fixture, const char *problem)
{
    scenes_begin_migrated(fixture, STEP_UP, "1.2");
    fixture_custom(fixture, "acme-auth", 3, 0);
    find_kong(fixture, problem);
}

static void custom(struct fixture *fixture)
{
    begin_custom(fixture, NULL);
}

static void custom_missing(struct fixture *fixture)
{
    begin_custom(fixture, not_found);
}

static void custom_dialog(struct fixture *fixture)
{
    begin_custom(fixture, NULL);
    fixture_key(fixture, 'm');
}

static void custom_failed(struct fixture *fixture)
{
    begin_custom(fixture, NULL);
    start_kong(fixture, KONG_CUSTOM_UP);
    say(fixture, "migrating acme-auth on database 'kong'...");
    say(fixture, "Error: [PostgreSQL error] failed to run migration '003_new' up: relation \"acme\" does not exist");
    fixture_end(fixture, "failed", 1, "`kong migrations up` failed: exit code 1; the log has what it said. Mend that, then start the same again");
}

static void custom_finish_dialog(struct fixture *fixture)
{
    fixture_configure(fixture);
    fixture_state(fixture, STAGE_CURRENT, "1.3");
    fixture_checks(fixture, NULL, 0);
    fixture_custom(fixture, "acme-auth", 3, 1);
    find_kong(fixture, NULL);
    scenes_show(fixture, STEP_FINISH);
    fixture_key(fixture, 'm');
}

/* A node's start. */

static void begin_installed(struct fixture *fixture)
{
    fixture_configure(fixture);
    fixture_state(fixture, STAGE_EMPTY, NULL);
    fixture_plan(fixture, PLAN_BOOTSTRAP);
    fixture_start(fixture, "bootstrap");
    fixture_end(fixture, "done", 0, "database kong is ready for Kong 1.3");
    state_free(&fixture->wizard.model.state);
    fixture_state(fixture, STAGE_CURRENT, "1.3");
    fixture_checks(fixture, NULL, 0);
    fixture->wizard.model.report = mem_dup("# Kong upgrade to 1.3\n");
    find_kong(fixture, NULL);
    scenes_show(fixture, STEP_DONE);
}

static void installed(struct fixture *fixture)
{
    begin_installed(fixture);
}

static void start_dialog(struct fixture *fixture)
{
    begin_installed(fixture);
    fixture_key(fixture, 'K');
}

static const struct scene scenes[] = {
    {"kong-absent", absent, true},
    {"kong-absent-forbidden", absent_forbidden, false},
    {"kong-absent-dialog", absent_dialog, false},
    {"kong-engine", engine, true},
    {"kong-engine-missing", engine_missing, false},
    {"kong-engine-dialog", engine_dialog, false},
    {"kong-engine-runs", engine_runs, true},
    {"kong-custom", custom, true},
    {"kong-custom-missing", custom_missing, false},
    {"kong-custom-dialog", custom_dialog, false},
    {"kong-custom-failed", custom_failed, false},
    {"kong-custom-finish-dialog", custom_finish_dialog, true},
    {"kong-installed", installed, true},
    {"kong-start-dialog", start_dialog, false},
};

const struct scene_group scenes_kong = {scenes, COUNT_OF(scenes)};
