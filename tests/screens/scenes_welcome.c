/* Before anything is changed: Welcome and Preflight. */
#include "scenes.h"

#include "core/base/buf.h"

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
    scenes_begin_unfinished(fixture, STEP_WELCOME, NULL);
}

static void welcome_014(struct fixture *fixture)
{
    fixture_configure(fixture);
    fixture_state(fixture, STAGE_LEGACY_014, "0.14");
    fixture_plan(fixture, PLAN_UP);
    scenes_add_fleet(fixture);
    fixture_session(fixture, "10.0.0.11", true, 2);
    fixture_checks(fixture, NULL, 0);
}

/* Kong 1.3's, whose operator has loaded oauth2 and acl since. */
static void begin_plugins(struct fixture *fixture, bool up)
{
    fixture_configure(fixture);
    fixture_state(fixture, STAGE_CURRENT, "1.3");
    struct state *state = &fixture->wizard.model.state;
    for (size_t i = 0; i < state->subsystem_count; i++) {
        struct subsystem_state *each = &state->subsystems[i];
        const char *name = each->subsystem->name;
        if (strcmp(name, "oauth2") != 0 && strcmp(name, "acl") != 0)
            continue;
        names_free(&each->executed);
        for (size_t j = 0; j < each->subsystem->migration_count; j++)
            names_add(!up ? &each->new : each->subsystem->migrations[j].teardown ? &each->pending : &each->executed, each->subsystem->migrations[j].name);
    }
    state->stage = up ? STAGE_PENDING : STAGE_UPGRADABLE;
    fixture_plan(fixture, up ? PLAN_FINISH : PLAN_UP);
    fixture_checks(fixture, NULL, 0);
}

static void welcome_plugins(struct fixture *fixture)
{
    begin_plugins(fixture, false);
}

static void finish_plugins(struct fixture *fixture)
{
    begin_plugins(fixture, true);
    fixture_losses(fixture);
    scenes_add_old_stopped(fixture);
    scenes_add_new_ready(fixture, 60);
    scenes_show(fixture, STEP_FINISH);
}

static void up_plugins(struct fixture *fixture)
{
    begin_plugins(fixture, true);
    scenes_show(fixture, STEP_UP);
}

static void welcome_plugins_pending(struct fixture *fixture)
{
    begin_plugins(fixture, true);
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
    fixture_custom(fixture, "acme-auth", 3, 0);
    fixture_custom(fixture, "acme-billing", 1, 1);
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
    fixture->wizard.model.fleet_poll_count = 0;
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

static void begin_looking(struct fixture *fixture)
{
    const struct names all = {0};
    scenes_begin_upgrade(fixture, STEP_PREFLIGHT);
    check_results_free(&fixture->wizard.model.checks);
    fixture->wizard.model.checks_run = false;
    preflight_wait(&fixture->wizard, &all);
}

static void preflight_running(struct fixture *fixture)
{
    begin_looking(fixture);
}

static void take(struct fixture *fixture, const struct finding *finding)
{
    const struct check *check = check_find(finding->id);
    struct check_result result = {.check = check, .outcome = finding->outcome, .severity = finding->severity};
    names_add(&result.evidence, fixture_name(fixture, finding->evidence));
    preflight_take(&fixture->wizard, &result);
}

/* Some are through; the operator has gone down to one that is, and it stays under the cursor as others come before it. */
static void preflight_filling(struct fixture *fixture)
{
    static const struct finding fine[] = {
        {"connection", CHECK_OK, CHECK_BLOCKS, "connected to database kong at db.example.net:5432 as kong", NULL},
        {"pgbouncer", CHECK_OK, CHECK_BLOCKS, "connected directly: backend 812", NULL},
        {"configuration", CHECK_OK, CHECK_WARNS, "kong.conf: /etc/kong/kong.conf", NULL},
    };
    begin_looking(fixture);
    for (size_t i = 0; i < COUNT_OF(fine); i++)
        take(fixture, &fine[i]);
    take(fixture, &findings[2]);
    take(fixture, &findings[1]);
    fixture_key(fixture, K_DOWN);
    take(fixture, &findings[0]);
    take(fixture, &findings[3]);
}

/* One alone is looked at again, from its details. */
static void preflight_again(struct fixture *fixture)
{
    struct names ids = {0};
    begin_findings(fixture);
    fixture_key(fixture, K_ENTER);
    names_add(&ids, "ownership");
    preflight_wait(&fixture->wizard, &ids);
    names_free(&ids);
}

static void preflight_three(struct fixture *fixture)
{
    scenes_begin_upgrade(fixture, STEP_PREFLIGHT);
    check_results_free(&fixture->wizard.model.checks);
    fixture_checks(fixture, findings, 3);
}

/* As much as there can be: 40 findings, of all kinds, half of the warnings taken note of, with sentences that no cell can hold. */
static void preflight_forty(struct fixture *fixture)
{
    static const char *const sentences[] = {
        ("table \x1b[31m\xe2\x80\xae belongs to role \"o\"ther\nrole\", not to kong; and this sentence goes on for much longer than any list, or even a note below it, can"
        " hold: the details have it in full, wrapped to the width of the screen, and can be scrolled to their end"),
        "\xff\xfe\x01 wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww",
        "路由 \xe4\xb8\x8d\xe6\x98\xaf 2 rows of services (8f0c…)",
    };
    struct finding forty[40];
    size_t checks_count = 0;
    while (checks[checks_count] != NULL)
        checks_count++;
    for (size_t i = 0; i < COUNT_OF(forty); i++)
        forty[i] = (struct finding){checks[i % checks_count]->id, i % 7 == 5 ? CHECK_UNABLE : CHECK_FOUND,
                                    i < 6 ? CHECK_BLOCKS : i < 30 ? CHECK_WARNS : CHECK_INFORMS, sentences[i % COUNT_OF(sentences)], "SELECT 1;"};
    scenes_begin_upgrade(fixture, STEP_PREFLIGHT);
    check_results_free(&fixture->wizard.model.checks);
    fixture_checks(fixture, forty, COUNT_OF(forty));
    for (size_t i = 8; i < 20; i += 2)
        names_add(&fixture->wizard.model.acknowledged, forty[i].id);
    fixture_key(fixture, K_PAGE_DOWN);
}

/* A finding with 500 affected routes: what the check says of them, and at the end how to have them all. */
static void preflight_many_routes(struct fixture *fixture)
{
    struct check_result result = {.check = check_find("router"), .outcome = CHECK_FOUND, .severity = CHECK_WARNS};
    struct buf remedy = {0};
    char text[400];
    scenes_begin_upgrade(fixture, STEP_PREFLIGHT);
    names_add(&result.evidence, "1504 of 90210 requests that were derived from 2000 routes go elsewhere in 1.3, by 500 pairs of routes");
    for (int i = 0; i < 20; i++) {
        snprintf(text, sizeof text, "GET http://www.shop%d.example.com/v1/orders/%d goes to orders-%d in 1.2, to catch-all-%d in 1.3 (and others like it): 1.3 prefers"
                 " a regex to an equal plain path", i, i, i, i);
        names_add(&result.evidence, fixture_name(fixture, text));
        buf_addf(&remedy, "# GET http://www.shop%d.example.com/v1/orders/%d: set regex_priority of route orders-%d to 1\n", i, i, i);
    }
    names_add(&result.evidence, "and 480 more pairs");
    buf_add(&remedy, "kong-upgrade routes  # shows them all, and what to change for each");
    result.remedy = buf_take(&remedy);
    preflight_take(&fixture->wizard, &result);
    fixture_key(fixture, K_ENTER);
}

static void preflight_many_routes_end(struct fixture *fixture)
{
    preflight_many_routes(fixture);
    fixture_key(fixture, K_END);
}

/* kong.conf. */

static void begin_configuration(struct fixture *fixture)
{
    static const struct finding deprecated[] = {{"configuration", CHECK_FOUND, CHECK_WARNS,
        "custom_plugins is ignored since Kong 1.0: name those plugins in `plugins`, beside `bundled`", "plugins = bundled,acme-auth  # instead of custom_plugins"}};
    scenes_begin_upgrade(fixture, STEP_PREFLIGHT);
    check_results_free(&fixture->wizard.model.checks);
    fixture_checks(fixture, deprecated, 1);
    fixture_key(fixture, K_ENTER);
}

static struct conf_fix mended(struct fixture *fixture)
{
    struct conf_fix fix = {.file = mem_dup(fixture_name(fixture, "/etc/kong/kong.conf")), .holds_secret = true,
                           .diff = mem_printf("@@ -1,4 +1,4 @@\n # our plugins\n-custom_plugins = acme-auth\n+plugins = bundled, acme-auth\n pg_host = %s\n pg_password = ******\n",
                                              fixture_name(fixture, "db.example.net"))};
    names_add(&fix.changes, fixture_name(fixture, "line 2: custom_plugins is now plugins = bundled, acme-auth"));
    names_add(&fix.notes, fixture_name(fixture, "KONG_UPSTREAM_KEEPALIVE is set in the environment, where it can't be mended from here: set KONG_NGINX_HTTP_UPSTREAM_KEEPALIVE=60 there instead"));
    return fix;
}

static void preflight_conf(struct fixture *fixture)
{
    begin_configuration(fixture);
}

static void preflight_mend(struct fixture *fixture)
{
    struct error error = {0};
    begin_configuration(fixture);
    struct conf_fix fix = mended(fixture);
    conf_pane_made(&fixture->wizard, &fix, &error);
    conf_fix_free(&fix);
}

static void preflight_mend_elsewhere(struct fixture *fixture)
{
    preflight_mend(fixture);
    fixture_key(fixture, K_TAB);
    fixture_key(fixture, K_TAB);
    fixture_key(fixture, K_ENTER);
}

static void preflight_mended(struct fixture *fixture)
{
    struct error error = {0};
    begin_configuration(fixture);
    struct conf_fix fix = mended(fixture);
    conf_pane_written(&fixture->wizard, &fix, fixture_name(fixture, "/etc/kong/kong.conf.1.3"), &error);
    conf_fix_free(&fix);
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
    {"welcome-014", welcome_014, false},
    {"welcome-plugins", welcome_plugins, false},
    {"welcome-plugins-pending", welcome_plugins_pending, false},
    {"up-plugins", up_plugins, false},
    {"finish-plugins", finish_plugins, false},
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
    {"preflight-filling", preflight_filling, false},
    {"preflight-again", preflight_again, false},
    {"preflight-three", preflight_three, false},
    {"preflight-forty", preflight_forty, true},
    {"preflight-many-routes", preflight_many_routes, true},
    {"preflight-many-routes-end", preflight_many_routes_end, false},
    {"preflight-conf", preflight_conf, false},
    {"preflight-mend", preflight_mend, true},
    {"preflight-mend-elsewhere", preflight_mend_elsewhere, false},
    {"preflight-mended", preflight_mended, false},
    {"preflight-clean", preflight_clean, false},
    {"preflight-findings", preflight_findings, true},
    {"preflight-acknowledged", preflight_acknowledged, false},
    {"preflight-details", preflight_details, false},
    {"preflight-search", preflight_search, false},
};
const struct scene_group scenes_welcome = {scenes, COUNT_OF(scenes)};
