/* The commands that only look: status, plan, report. */
#include "screens/plain.h"

#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/journal.h"
#include "core/migrations/corrections.h"
#include "core/migrations/order.h"
#include "core/report.h"
#include "core/worker.h"
#include "screens/say.h"

#include <stdlib.h>
#include <string.h>

/* `resume`: an `up` of ours was cut short. */
static const char *stage_sentence(const struct state *state, bool resume)
{
    static const char *const sentences[] = {
        [STAGE_EMPTY] = "empty: Kong 1.3 can be installed with `kong-upgrade bootstrap`",
        [STAGE_TOO_OLD] = "older than Kong 0.14",
        [STAGE_LEGACY_014] = "Kong 0.14: run `kong-upgrade up` to begin the upgrade",
        [STAGE_UPGRADABLE] = "has new migrations: run `kong-upgrade up` to begin the upgrade",
        [STAGE_PENDING] = "migrated up: both clusters may run; `kong-upgrade finish` is what remains",
        [STAGE_CURRENT] = "nothing to do",
        [STAGE_AHEAD] = "newer than this program knows",
        [STAGE_FOREIGN] = "not a Kong database",
    };
    if (state->stage == STAGE_PENDING && state_count_new(state) > 0)
        return order_finish_first(state, resume) ? "an earlier upgrade was never finished: `kong-upgrade finish` comes first"
                                                 : "being migrated up: run `kong-upgrade up` to go on";
    if (state_plugins_only(state))
        return state_count_new(state) > 0 ? "Kong 1.3's, but for plugins that were loaded since: run `kong-upgrade up` for them"
                                          : "Kong 1.3's, but for plugins that were loaded since: `kong-upgrade finish` is what remains for them";
    if (state->stage == STAGE_EMPTY && state->reason != NULL)
        return "nothing of Kong's is here";
    return sentences[state->stage];
}

static void say_names(const char *label, const struct names *names)
{
    if (names->count == 0)
        return;
    say("    %-9s", label);
    for (size_t i = 0; i < names->count; i++)
        say(" %s", names->list[i]);
    say("\n");
}

static void say_custom(const struct state *state)
{
    char *text = state_custom_text(state);
    if (state_has_custom(state))
        say("Custom     %s: plugins whose migrations only Kong's own `kong migrations` can run, after ours\n", text);
    free(text);
    for (size_t i = 0; i < state->custom_count; i++)
        if (state->customs[i].pending.count > 0) {
            say("%s\n", state->customs[i].name);
            say_names("pending", &state->customs[i].pending);
        }
}

static void say_status(const struct app *app, const struct state *state)
{
    say("Database   %s at %s:%d, schema %s, PostgreSQL %s\n", state->database, state->host, state->port, state->schema, state->server_version);
    say("Version    %s%s\n", state->version != NULL ? "Kong " : "", state->version != NULL ? state->version : "none");
    say("Stage      %s: %s\n", stage_name(state->stage), stage_sentence(state, worker_resumes(&app->conf.pg, worker_up_interrupted)));
    if (state->reason != NULL)
        say("           %s\n", state->reason);
    if (state->lock.worker_alive) {
        char *sentence = lock_sentence(&state->lock);
        say("Runs       %s\n", sentence);
        free(sentence);
    }
    if (state->lock.held)
        say("Lock       held by %s until %s (%d s)\n", state->lock.owner, state->lock.expires, state->lock.seconds_left);
    json_t *worker = app_worker_json(app);
    if (json_is_object(worker))
        say("Worker     %s runs, %lld of %lld changes made; follow it with `kong-upgrade attach`\n", json_get_text(worker, "command"),
            (long long)json_integer_value(json_object_get(worker, "done")), (long long)json_integer_value(json_object_get(worker, "changes")));
    json_decref(worker);
    say_custom(state);
    for (size_t i = 0; i < state->subsystem_count; i++) {
        const struct subsystem_state *each = &state->subsystems[i];
        bool quiet = each->pending.count == 0 && each->new.count == 0 && each->missing.count == 0;
        if (quiet && !app->options->verbose)
            continue;
        say("%s\n", each->subsystem->name);
        if (app->options->verbose)
            say_names("executed", &each->executed);
        say_names("pending", &each->pending);
        say_names("new", &each->new);
        say_names("missing", &each->missing);
    }
}

int plain_status(struct app *app)
{
    struct error error = {0};
    struct state state;
    struct pg *pg = app_connect(app, "status", &state, &error);
    if (pg == NULL)
        return complain(&error);
    if (app->options->json) {
        json_t *json = state_json(&state);
        json_object_set_new(json, "worker", app_worker_json(app));
        say_json(json, true);
    } else if (!app->options->quiet) {
        say_status(app, &state);
    }
    int exit_code = state_exit_code(&state);
    state_free(&state);
    pg_close(pg);
    return exit_code;
}

static void say_change(const struct plan *plan, const struct plan_change *each, size_t number)
{
    char size[SAY_SIZE], *text = change_text(each->change);
    const struct plan_step *step = &plan->steps[each->step];
    say("%3zu  %s\n", number, text);
    say("     %s/%s", step->subsystem->name, step->migration->name);
    if (each->cost.lock[0] != '\0')
        say(", %s lock%s", each->cost.lock, each->cost.rewrite ? ", rewrites the table" : each->cost.scan ? ", reads the table" : ", short");
    if (plan_lock_ms(each) > 0)
        say(" and locks everyone out for %s", say_about(plan_lock_ms(each), size));
    if (each->rows >= 0)
        say(", %s: about %lld rows, %s", each->change->table, (long long)each->rows, say_bytes(each->bytes, size));
    say("\n");
    const struct correction *correction = correction_find(each->change->correction);
    if (correction != NULL)
        say("     %s: %s %s\n", correction->id, correction->fact, correction->ours);
    free(text);
}

static bool say_sql(struct pg *pg, const struct plan *plan, const struct plan_change *each, struct error *error)
{
    struct statements statements;
    char *id = plan_change_id(plan, each);
    bool built = change_statements(pg, each->change, plan->kind == PLAN_BOOTSTRAP, &statements, error);
    if (built)
        say("-- %s\n", id);
    for (size_t i = 0; built && i < statements.count; i++)
        say("%s;\n", statements.list[i].sql);
    statements_free(&statements);
    free(id);
    return built;
}

/* What our own sessions are like: without it types would be changed by another time zone. */
static void say_session(struct pg *pg)
{
    struct buf sql = {0};
    buf_add(&sql, "SET TimeZone = 'UTC';\nSET search_path TO ");
    buf_add_identifier(&sql, pg_schema(pg));
    say("%s;\n", buf_text(&sql));
    buf_free(&sql);
}

static bool say_plan(struct app *app, struct pg *pg, const struct plan *plan, struct error *error)
{
    size_t number = 0;
    if (app->options->json) {
        json_t *json = plan_json(pg, plan, error);
        if (json != NULL) {
            json_object_set_new(json, "engine", json_string(app->fleet.kong_engine ? "kong" : "kong-upgrade"));
            say_json(json, true);
        }
        return json != NULL;
    }
    if (app->options->sql)
        say_session(pg);
    else
        say("%zu changes to make, %zu migrations to record\n", plan_remaining(plan), plan->step_count);
    const char *const commands[] = {[PLAN_UP] = "up", [PLAN_FINISH] = "finish", [PLAN_BOOTSTRAP] = "bootstrap"};
    if (!app->options->sql)
        say_engine(app, &(const struct run_job){.command = commands[plan->kind], .to = KONG_1_3});
    for (size_t i = 0; i < plan->change_count; i++) {
        if (plan->changes[i].done)
            continue;
        if (!app->options->sql)
            say_change(plan, &plan->changes[i], ++number);
        else if (!say_sql(pg, plan, &plan->changes[i], error))
            return false;
    }
    return true;
}

/* `up`'s, or what `finish` would do now; an empty database's is bootstrap's. */
int plain_plan(struct app *app)
{
    struct error error = {0};
    struct state state;
    struct plan plan;
    struct pg *pg = app_connect(app, "plan", &state, &error);
    if (pg == NULL)
        return complain(&error);
    enum plan_kind kind = app->options->finish ? PLAN_FINISH : state.stage == STAGE_EMPTY ? PLAN_BOOTSTRAP : PLAN_UP;
    int exit_code = 0;
    bool elsewhere = state.stage == STAGE_EMPTY && state.reason != NULL;
    if (state.stage == STAGE_TOO_OLD || state.stage == STAGE_AHEAD || state.stage == STAGE_FOREIGN || elsewhere) {
        complain_text("%s", state.reason);
        exit_code = state_exit_code(&state);
    } else if (!plan_build(pg, &state, kind, KONG_1_3, &plan, &error)) {
        exit_code = complain(&error);
    } else {
        if (!say_plan(app, pg, &plan, &error))
            exit_code = complain(&error);
        plan_free(&plan);
    }
    state_free(&state);
    pg_close(pg);
    return exit_code;
}

int plain_report(struct app *app)
{
    struct error error = {0};
    struct state state;
    char *folder = journal_folder(&app->conf.pg, false, &error);
    if (folder == NULL)
        return complain(&error);
    struct pg *pg = app_connect(app, "report", &state, &error);
    if (app->options->json) {
        say_json(report_json(folder, pg != NULL ? &state : NULL), true);
    } else {
        char *markdown = report_markdown(folder, pg != NULL ? &state : NULL);
        say_text(markdown);
        free(markdown);
    }
    if (pg != NULL) {
        state_free(&state);
        pg_close(pg);
    }
    error_clear(&error);
    free(folder);
    return 0;
}
