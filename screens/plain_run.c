/* The commands that change the database: they are refused here as early as they can be, started as a worker, and followed. */
#include "core/backup/backup.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/decisions.h"
#include "core/journal.h"
#include "core/kong_run.h"
#include "core/linger.h"
#include "core/migrations/order.h"
#include "core/worker.h"
#include "screens/backup_note.h"
#include "screens/fleet_nodes.h"
#include "screens/model.h"
#include "screens/plain.h"
#include "screens/plain_run.h"
#include "screens/say.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int run_follow_running(const struct app *app, const char *command)
{
    char *folder = journal_folder(&app->conf.pg, false, NULL);
    char *running = folder != NULL ? journal_find_running(folder) : NULL;
    int exit_code = -1;
    if (running != NULL) {
        json_t *worker = app_worker_json(app);
        const char *other = json_get_text(worker, "command");
        if (strcmp(other, command) == 0) {
            complain_text("a worker runs already on this database: following it");
            exit_code = follow_journal(app, running);
        } else {
            complain_text("`%s` runs on this database: nothing was begun; wait until it has ended (`kong-upgrade attach` follows it), then run `%s` again",
                          other[0] != '\0' ? other : "another command", command);
            exit_code = EXIT_HELD;
        }
        json_decref(worker);
    }
    free(running);
    free(folder);
    return exit_code;
}

void run_say_plan(const struct plan *plan)
{
    size_t number = 0;
    for (size_t i = 0; i < plan->change_count; i++) {
        const struct plan_change *each = &plan->changes[i];
        char size[SAY_SIZE], about[SAY_SIZE], *text = change_text(each->change);
        if (!each->done)
            say("%3zu  %s%s%s%s%s%s\n", ++number, text, each->rows > 0 ? ", " : "", each->rows > 0 ? say_bytes(each->bytes, size) : "",
                each->cost.rewrite ? ", rewrites the table: it is locked " : "", each->cost.rewrite ? say_about(plan_lock_ms(each), about) : "",
                each->change->correction != NULL ? " (corrected)" : "");
        free(text);
    }
}

void say_engine(const struct app *app, const struct run_job *job)
{
    if (app_leaves_to_kong(app, job))
        say("`kong migrations %s` makes them, in its own way (engine = kong in fleet.ini): statements may stall old nodes, and no correction of ours is made\n",
            job->command);
}

static int dry_run(const struct app *app, struct pg *pg, const struct state *state, const struct run_job *job)
{
    struct error error = {0};
    struct plan plan;
    if (!plan_build(pg, state, job->kind, job->to, &plan, &error))
        return complain(&error);
    if (app->options->json) {
        json_t *json = plan_json(pg, &plan, &error);
        if (json != NULL)
            say_json(json, true);
    } else {
        say("%s would make %zu changes and record %zu migrations; nothing was changed:\n", job->command, plan_remaining(&plan), plan.step_count);
        say_engine(app, job);
        run_say_plan(&plan);
    }
    plan_free(&plan);
    return error.code != ERROR_NONE ? complain(&error) : 0;
}

bool run_confirms_session(const struct app *app)
{
    if (linger_find(NULL) != LINGER_ENDS)
        return true;
    complain_text("%s", linger_warning);
    return app->options->yes || !isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) || ask("Start all the same?");
}

int run_start_and_follow(const struct app *app, struct run_job *job)
{
    struct error error = {0};
    char *path = app_start(app, job, &error);
    if (path == NULL)
        return complain(&error);
    int exit_code = follow_journal(app, path);
    free(path);
    return exit_code;
}

bool run_confirms_dead_lock(const struct app *app, const struct state *state)
{
    bool dead = state->lock.held && !state->lock.worker_alive && strncmp(state->lock.owner, LOCK_OWNER_PREFIX, strlen(LOCK_OWNER_PREFIX)) == 0;
    if (!dead)
        return false;
    return app->options->yes || ask("The migrations lock was left behind by a worker that no longer runs (%s). Remove it?", state->lock.owner);
}

void run_say_backup(const struct app *app)
{
    struct backups backups = {0};
    struct names declared = {0};
    char text[1200], *folder = journal_folder(&app->conf.pg, false, NULL);
    if (folder != NULL) {
        backups_read(&backups, folder);
        decisions_read(folder, DECISION_DECLARED, &declared);
    }
    enum mark mark = backup_sentence(&backups, names_have(&declared, DECISION_OTHER_BACKUP), false, text, sizeof text);
    say("%s%s\n", text, mark == MARK_WARN ? "; `kong-upgrade backup` makes one" : "");
    names_free(&declared);
    backups_free(&backups);
    free(folder);
}

bool run_is_in_hand(const struct state *state)
{
    char *sentence = state->lock.worker_alive ? lock_sentence(&state->lock) : NULL;
    if (sentence != NULL)
        complain_text("a kong-upgrade worker runs already: %s; nothing was begun. The wizard shows how far it is; run the same again when it has ended",
                      sentence);
    free(sentence);
    return sentence != NULL;
}

typedef int confirmation(const struct app *app, struct pg *pg, const struct state *state, const struct run_job *job);

static int confirm_harmless(const struct app *app, struct pg *pg, const struct state *state, const struct run_job *job)
{
    if (app->options->yes || !isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
        return 0;
    dry_run(app, pg, state, job);
    if (state->schema_missing)
        say("Schema %s does not exist: it is created first.\n", state->schema);
    if (job->kind != PLAN_BOOTSTRAP)
        run_say_backup(app);
    return ask("Start now?") ? 0 : EXIT_ERROR;
}

static int run_command(struct app *app, struct run_job *job, confirmation *confirm)
{
    struct error error = {0};
    struct state state;
    int exit_code = app->options->dry_run ? -1 : run_follow_running(app, job->command);
    if (exit_code >= 0)
        return exit_code;
    struct pg *pg = app_connect(app, job->command, &state, &error);
    if (pg == NULL)
        return complain(&error);
    job->datastore = &app->conf.pg;
    job->plugins = &app->conf.plugins;
    job->deadline_ms = app->fleet.lock_deadline_seconds * 1000;
    job->resume = worker_resumes(&app->conf.pg, worker_up_interrupted);
    struct verdict verdict = order_check(&state, job->kind, job->resume);
    if (verdict.order == ORDER_REFUSED)
        complain_text("%s", verdict.sentence);
    else if (verdict.order == ORDER_NOTHING && !app->options->quiet)
        app->options->json ? say_json(json_pack("{s:s, s:s, s:i, s:s}", "event", "end", "result", "nothing", "exit", 0, "message", verdict.sentence), false)
                           : say("%s\n", verdict.sentence);
    exit_code = verdict.exit_code;
    bool go = verdict.order == ORDER_GO;
    if (go && app->options->dry_run) {
        exit_code = dry_run(app, pg, &state, job);
        go = false;
    }
    if (go && run_is_in_hand(&state)) {
        exit_code = EXIT_HELD;
        go = false;
    }
    if (go) {
        exit_code = confirm(app, pg, &state, job);
        if (exit_code == 0 && !run_confirms_session(app))
            exit_code = EXIT_ERROR;
        go = exit_code == 0;
    }
    job->clear_dead_lock = go && run_confirms_dead_lock(app, &state);
    pg_close(pg);
    state_free(&state);
    free(verdict.sentence);
    return go ? run_start_and_follow(app, job) : exit_code;
}

int plain_up(struct app *app)
{
    struct run_job job = {.command = "up", .kind = PLAN_UP, .to = KONG_1_3};
    int exit_code = run_command(app, &job, confirm_harmless);
    return exit_code == 0 ? plain_custom(app, KONG_CUSTOM_UP) : exit_code;
}

int plain_bootstrap(struct app *app)
{
    struct run_job job = {.command = "bootstrap", .kind = PLAN_BOOTSTRAP, .to = KONG_VERSIONS};
    for (int version = KONG_1_0; version < KONG_VERSIONS; version++)
        if (strcmp(app->options->to != NULL ? app->options->to : "1.3", kong_version_names[version]) == 0)
            job.to = (enum kong_version)version;
    if (job.to == KONG_VERSIONS)
        return options_wrong("--to takes 1.0, 1.1, 1.2 or 1.3, not '%s'", app->options->to);
    int exit_code = plain_create(app);
    if (exit_code == 0)
        exit_code = run_command(app, &job, confirm_harmless);
    return exit_code == 0 && job.to == KONG_1_3 ? plain_offer_start(app) : exit_code;
}

bool run_types_name(const char *sentence, const struct state *state)
{
    char typed[256] = "";
    fprintf(stderr, "%s Type the database's name to go on: ", sentence);
    if (fgets(typed, sizeof typed, stdin) != NULL) {
        typed[strcspn(typed, "\n")] = '\0';
        if (strcmp(typed, state->database) == 0)
            return true;
    }
    complain_text("that is not the database's name: nothing was changed");
    return false;
}

/* What was typed in the wizard for the gate of step 5 holds here too. */
static bool is_overruled(const struct app *app)
{
    struct names overruled = {0};
    char *folder = journal_folder(&app->conf.pg, false, NULL);
    if (folder != NULL)
        decisions_read(folder, DECISION_OVERRULED, &overruled);
    bool is = names_have(&overruled, step_texts[STEP_FINISH].word);
    names_free(&overruled);
    free(folder);
    return is;
}

/* The gate, as far as nodes speak against it that are seen in the database alone; the fleet's have been asked. */
static bool find_sessions(const struct app *app, struct pg *pg, struct upgrade_facts *facts, struct names *against, struct error *error)
{
    struct sessions sessions;
    struct upgrade upgrade;
    if (!sessions_read(pg, &sessions, error))
        return false;
    facts->live_sessions = sessions.live;
    facts->legacy_sessions = model_count_legacy(&sessions);
    facts->overruled[STEP_FINISH] = is_overruled(app);
    upgrade_derive(facts, &upgrade);
    const struct gate *gate = facts->finish_first ? &upgrade.finish_first : &upgrade.gates[STEP_FINISH];
    if (!gate->open)
        names_add(against, gate->reason);
    sessions_free(&sessions);
    return true;
}

/* Old nodes of the fleet that still answer speak against `finish`, and nothing overrules that; against an earlier upgrade's, those of
 * 0.14 alone. */
static int check_nodes(const struct app *app, struct pg *pg, const struct state *state, bool resume)
{
    struct upgrade_facts facts = {.state = state, .finish_first = order_finish_first(state, resume), .old_nodes = 1, .new_ready = 1,
                                  .old_session_ms = -1, .old_answered_ms = -1};
    struct error error = {0};
    struct names against = {0};
    if (facts.finish_first && !state->from_014)
        return 0;
    bool asked = facts.finish_first ? fleet_against_finish_first(&app->fleet, &app->conf.pg, RUN_ASK_NODES_MS, &against, &error)
                                    : fleet_against_finish(&app->fleet, &app->conf.pg, RUN_ASK_NODES_MS, &against, &facts.new_nodes, &error);
    asked = asked && (against.count > 0 || find_sessions(app, pg, &facts, &against, &error));
    for (size_t i = 0; i < against.count; i++)
        complain_text("%s", against.list[i]);
    bool refused = against.count > 0;
    names_free(&against);
    return !asked ? complain(&error) : refused ? 7 : 0;
}

static int confirm_finish(const struct app *app, struct pg *pg, const struct state *state, const struct run_job *job)
{
    const char *confirm = app->options->confirm;
    bool terminal = isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
    if (confirm == NULL && !terminal)
        return options_wrong("finish can't be undone: say --confirm %s", state->database);
    if (confirm != NULL && strcmp(confirm, state->database) != 0) {
        complain_text("--confirm %s does not name the database that would be finished (%s): nothing was changed", confirm, state->database);
        return 7;
    }
    int exit_code = check_nodes(app, pg, state, job->resume);
    if (exit_code != 0)
        return exit_code;
    if (confirm == NULL) {
        dry_run(app, pg, state, job);
        run_say_backup(app);
        if (!run_types_name("This can't be undone: old nodes can't come back after it.", state))
            return 7;
        return check_nodes(app, pg, state, job->resume);   /* the question may have stood there for hours */
    }
    return 0;
}

int plain_finish(struct app *app)
{
    struct run_job job = {.command = "finish", .kind = PLAN_FINISH, .to = KONG_1_3};
    int exit_code = run_command(app, &job, confirm_finish);
    return exit_code == 0 ? plain_custom(app, KONG_CUSTOM_FINISH) : exit_code;
}

/* The folder is the argument, if there is one. */
int plain_backup(struct app *app)
{
    struct error error = {0};
    int exit_code = run_follow_running(app, BACKUP_COMMAND);
    if (exit_code >= 0)
        return exit_code;
    bool named = app->options->argument_count > 0 && app->options->arguments[0][0] != '\0';
    char *folder = named ? backup_absolute_folder(app->options->arguments[0]) : backup_default_folder(&app->conf.pg, &error);
    if (folder == NULL)
        return complain(&error);
    struct run_job job = {.command = BACKUP_COMMAND, .datastore = &app->conf.pg, .plugins = &app->conf.plugins, .folder = folder};
    exit_code = run_start_and_follow(app, &job);
    free(folder);
    return exit_code;
}

int plain_attach(struct app *app)
{
    struct error error = {0};
    char *folder = journal_folder(&app->conf.pg, false, &error);
    if (folder == NULL)
        return complain(&error);
    char *running = journal_find_running(folder);
    free(folder);
    if (running == NULL) {
        complain_text("no worker runs on this database from here; `kong-upgrade status` says where it stands");
        return 3;
    }
    int exit_code = follow_journal(app, running);
    free(running);
    return exit_code;
}

int plain_stop(struct app *app)
{
    struct error error = {0};
    char *folder = journal_folder(&app->conf.pg, false, &error);
    if (folder == NULL)
        return complain(&error);
    char *running = journal_find_running(folder);
    free(folder);
    if (running == NULL) {
        complain_text("no worker runs on this database from here: there is nothing to stop");
        return 3;
    }
    bool stopped = worker_stop(running, &error);
    free(running);
    if (!stopped)
        return complain(&error);
    if (!app->options->quiet)
        say("asked the worker to stop at the next safe point; `kong-upgrade attach` shows it\n");
    return 0;
}
