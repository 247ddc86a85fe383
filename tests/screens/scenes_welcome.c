/* Before anything is changed: Welcome and Preflight. */
#include "scenes.h"

/* Welcome. */

static void welcome_unconfigured(struct fixture *fixture)
{
    fixture->wizard.model.conf_error =
        mem_dup(fixture_name(fixture, "/etc/kong/kong.conf, line 14: pg_port is not a number: 54e2; mend the line, then try again"));
}

static void welcome_asking(struct fixture *fixture)
{
    fixture_configure(fixture);
    scenes_add_fleet(fixture);
}

static void welcome_unreachable(struct fixture *fixture)
{
    fixture_configure(fixture);
    scenes_add_fleet(fixture);
    fixture->wizard.model.state_error = mem_dup(fixture_name(
        fixture, "can't connect to database kong at db.example.net:5432 as kong (Connection refused); is the server running, and does kong.conf name the right host and port?"));
}

static void welcome_upgradable(struct fixture *fixture)
{
    scenes_begin_upgrade(fixture, STEP_WELCOME);
}

static void welcome_empty(struct fixture *fixture)
{
    fixture_configure(fixture);
    fixture_state(fixture, STAGE_EMPTY, NULL);
}

static void welcome_wrong_schema(struct fixture *fixture)
{
    welcome_empty(fixture);
    fixture->wizard.model.state.reason =
        mem_dup(fixture_name(fixture, "schema public has no Kong tables, but schema kong has: set pg_schema = kong in kong.conf"));
}

static void welcome_pending(struct fixture *fixture)
{
    scenes_begin_migrated(fixture, STEP_WELCOME, "1.2");
    scenes_add_fleet(fixture);
    scenes_add_sessions(fixture);
}

/* `up` was cut short after its first migrations, on this machine or another. */
static void welcome_half_way(struct fixture *fixture)
{
    scenes_begin_upgrade(fixture, STEP_WELCOME);
    fixture->wizard.model.state.stage = STAGE_PENDING;
    names_add(&fixture->wizard.model.state.subsystems[0].pending, "005_120_to_130");
    names_free(&fixture->wizard.model.state.subsystems[0].new);
    fixture->wizard.model.resume = true;
}

static void welcome_finish_first(struct fixture *fixture)
{
    scenes_begin_unfinished(fixture, STEP_WELCOME);
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

/* Of all kinds: a Kong that answers, a port that does not, something else at it, one that is being asked. */
static void welcome_strangers(struct fixture *fixture)
{
    scenes_begin_upgrade(fixture, STEP_WELCOME);
    fixture_stranger(fixture, "10.0.0.13", NODE_ANSWERS, "1.2.1", NULL);
    fixture_stranger(fixture, "10.0.0.14", NODE_SILENT, NULL, "can't be reached: Connection refused");
    fixture_stranger(fixture, "10.0.0.15", NODE_STRANGE, NULL, "answers with HTML: this is a web page, not Kong's Admin API; check the address in fleet.ini");
    fixture_stranger(fixture, "local", NODE_UNASKED, NULL, NULL);
    fixture_draw(fixture);
    fixture_key(fixture, K_END);
    for (int i = 0; i < 3; i++)
        fixture_key(fixture, K_UP);
}

static void welcome_stranger_silent(struct fixture *fixture)
{
    welcome_strangers(fixture);
    fixture_key(fixture, K_DOWN);
}

static void welcome_stranger_ssh(struct fixture *fixture)
{
    welcome_stranger_silent(fixture);
    fixture_key(fixture, 'o');
}

/* The first thing that is seen of a cluster: nothing is in fleet.ini yet. */
static void welcome_strangers_only(struct fixture *fixture)
{
    fixture_configure(fixture);
    fixture_state(fixture, STAGE_UPGRADABLE, "1.2");
    fixture_checks(fixture, NULL, 0);
    fixture_stranger(fixture, "10.0.0.11", NODE_ANSWERS, "1.2.1", NULL);
    fixture_stranger(fixture, "10.0.0.12", NODE_ANSWERS, "1.2.1", NULL);
    fixture_polls(fixture, NULL, 0);
}

static void welcome_restricted(struct fixture *fixture)
{
    scenes_begin_upgrade(fixture, STEP_WELCOME);
    sessions_free(&fixture->wizard.model.sessions);
    fixture_session(fixture, "hidden", false, -1);
    fixture->wizard.model.sessions.restricted = true;
    free(fixture->wizard.model.fleet_polls);
    fixture->wizard.model.fleet_polls = NULL;
}

static void welcome_message(struct fixture *fixture)
{
    scenes_begin_upgrade(fixture, STEP_WELCOME);
    wizard_say(&fixture->wizard, MARK_OK, "Took %s out; saved to %s.", fixture_name(fixture, "old-3"), fixture->wizard.model.app.fleet.file);
}

static void welcome_prompt(struct fixture *fixture)
{
    scenes_begin_upgrade(fixture, STEP_WELCOME);
    fixture_key(fixture, 'a');
    fixture_type(fixture, "old old-1 http://10.0.0.13:8001");
    fixture_key(fixture, K_ENTER);
}

static void welcome_prompt_ssh(struct fixture *fixture)
{
    scenes_begin_upgrade(fixture, STEP_WELCOME);
    fixture_key(fixture, 'a');
    fixture_type(fixture, "old far ssh://-oProxyCommand=x http://127.0.0.1:8001");
    fixture_key(fixture, K_ENTER);
}

static void welcome_conf(struct fixture *fixture)
{
    scenes_begin_upgrade(fixture, STEP_WELCOME);
    fixture_key(fixture, 'c');
}

static void welcome_help(struct fixture *fixture)
{
    scenes_begin_upgrade(fixture, STEP_WELCOME);
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
    scenes_begin_upgrade(fixture, STEP_PREFLIGHT);
    check_results_free(&fixture->wizard.model.checks);
    fixture_checks(fixture, findings, COUNT_OF(findings));
}

static void preflight_running(struct fixture *fixture)
{
    scenes_begin_upgrade(fixture, STEP_PREFLIGHT);
    check_results_free(&fixture->wizard.model.checks);
    fixture->wizard.model.checks_run = false;
    fixture->wizard.model.checks_running = true;
}

static void preflight_clean(struct fixture *fixture)
{
    scenes_begin_upgrade(fixture, STEP_PREFLIGHT);
}

static void preflight_findings(struct fixture *fixture)
{
    begin_findings(fixture);
}

static void preflight_acknowledged(struct fixture *fixture)
{
    scenes_begin_upgrade(fixture, STEP_PREFLIGHT);
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

static const struct scene scenes[] = {
    {"welcome-unconfigured", welcome_unconfigured, false},
    {"welcome-asking", welcome_asking, false},
    {"welcome-unreachable", welcome_unreachable, false},
    {"welcome-upgradable", welcome_upgradable, true},
    {"welcome-empty", welcome_empty, false},
    {"welcome-wrong-schema", welcome_wrong_schema, false},
    {"welcome-pending", welcome_pending, false},
    {"welcome-half-way", welcome_half_way, false},
    {"welcome-finish-first", welcome_finish_first, false},
    {"welcome-too-old", welcome_too_old, false},
    {"welcome-no-nodes", welcome_no_nodes, false},
    {"welcome-strangers", welcome_strangers, true},
    {"welcome-stranger-silent", welcome_stranger_silent, false},
    {"welcome-stranger-ssh", welcome_stranger_ssh, false},
    {"welcome-strangers-only", welcome_strangers_only, false},
    {"welcome-restricted", welcome_restricted, false},
    {"welcome-message", welcome_message, false},
    {"welcome-add-node", welcome_prompt, false},
    {"welcome-add-node-ssh", welcome_prompt_ssh, false},
    {"welcome-kong-conf", welcome_conf, false},
    {"welcome-help", welcome_help, true},
    {"preflight-running", preflight_running, false},
    {"preflight-clean", preflight_clean, false},
    {"preflight-findings", preflight_findings, true},
    {"preflight-acknowledged", preflight_acknowledged, false},
    {"preflight-details", preflight_details, false},
    {"preflight-search", preflight_search, false},
};
const struct scene_group scenes_welcome = {scenes, COUNT_OF(scenes)};
