/* `rollback`: shows what would be lost, sees to it that no new node lives, has the database's name typed, and starts the worker. */
#include "core/backup/made.h"
#include "core/base/mem.h"
#include "core/cluster/sessions.h"
#include "core/journal.h"
#include "core/migrations/rollback.h"
#include "core/worker.h"
#include "screens/fleet_nodes.h"
#include "screens/plain.h"
#include "screens/plain_run.h"
#include "screens/say.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXIT_REFUSED 7

static const char not_restored[] =
    "Not restored: values that `up` has changed (created_at to the second; json as jsonb writes it); rows that nodes wrote meanwhile stay.";

/* What is asked and told on the way. Owned by plain_rollback. */
struct back {
    struct app *app;
    struct pg *pg;
    enum kong_version to;
    struct rollback rollback;
    struct plan plan;
    struct losses losses;
};

static json_t *losses_json(const struct losses *losses)
{
    json_t *list = json_array();
    for (size_t i = 0; i < losses->count; i++)
        json_array_append_new(list, json_pack("{s:s, s:I, s:b}", "what", losses->list[i].what, "rows", (json_int_t)losses->list[i].rows, "destroys",
                                              losses->list[i].destroys));
    return list;
}

static void say_losses(const struct losses *losses)
{
    size_t lost = 0;
    for (size_t i = 0; i < losses->count; i++)
        lost += losses->list[i].destroys ? 1 : 0;
    say(lost > 0 ? "What would be lost:\n" : "Nothing that is in the database would be lost.\n");
    for (size_t i = 0; i < losses->count; i++) {
        const struct loss *loss = &losses->list[i];
        if (loss->rows >= 0)
            say("  %s%s: %lld\n", loss->destroys ? "" : "Note: ", loss->what, (long long)loss->rows);
        else
            say("  Note: %s\n", loss->what);
    }
    say("%s\n", not_restored);
}

static int say_dry(const struct back *back)
{
    struct error error = {0};
    if (!back->app->options->json) {
        say("rollback would take database %s back to Kong %s in %zu changes; nothing was changed:\n", back->rollback.state.database,
            kong_version_names[back->to], plan_remaining(&back->plan));
        run_say_plan(&back->plan);
        say_losses(&back->losses);
        return 0;
    }
    json_t *json = plan_json(back->pg, &back->plan, &error);
    if (json == NULL)
        return complain(&error);
    json_object_set_new(json, "to", json_string(kong_version_names[back->to]));
    json_object_set_new(json, "losses", losses_json(&back->losses));
    say_json(json, true);
    return 0;
}

/* The only way back that is left. */
static void say_restore(const struct app *app)
{
    struct backups backups = {0};
    struct buf commands = {0};
    char *folder = journal_folder(&app->conf.pg, false, NULL);
    if (folder != NULL)
        backups_read(&backups, folder);
    const struct backup_made *newest = backups_newest(&backups);
    if (newest == NULL) {
        complain_text("no backup that was made from here is known");
    } else {
        complain_text("to restore the newest backup made from here, stop all Kong nodes, and run as a superuser of the database:");
        backup_add_commands(&commands, newest);
        for (char *line = strtok(commands.data, "\n"); line != NULL; line = strtok(NULL, "\n"))
            complain_text("%s", line);
    }
    buf_free(&commands);
    backups_free(&backups);
    free(folder);
}

/* Returns -1 to go on. */
static int check_order(const struct back *back, bool resume)
{
    struct verdict verdict = rollback_check(&back->rollback, back->to, resume);
    const struct options *options = back->app->options;
    if (verdict.order == ORDER_REFUSED) {
        complain_text("%s", verdict.sentence);
        if (back->rollback.too_late)
            say_restore(back->app);
    } else if (verdict.order == ORDER_NOTHING && !options->quiet) {
        options->json ? say_json(json_pack("{s:s, s:s, s:i, s:s}", "event", "end", "result", "nothing", "exit", 0, "message", verdict.sentence), false)
                      : say("%s\n", verdict.sentence);
    }
    free(verdict.sentence);
    return verdict.order == ORDER_GO ? -1 : verdict.exit_code;
}

/* Nodes that are seen in the database alone. 0.14's can be told from all later ones there; among these new ones can't be told from old. */
static void find_sessions(const struct back *back, const struct sessions *sessions, size_t old_nodes, struct names *against)
{
    for (size_t i = 0; i < sessions->count && back->to == KONG_0_14; i++) {
        const struct session *each = &sessions->list[i];
        if (each->legacy || each->poll_age < 0 || each->poll_age > SESSIONS_FRESH_S)
            continue;
        char *sentence = mem_printf("a Kong node at %s works on this database that is no 0.14: stop it", each->address);
        names_add(against, sentence);
        free(sentence);
    }
    if (back->to == KONG_0_14 || old_nodes == 0 || sessions->live <= old_nodes)
        return;
    char *sentence = mem_printf("at least %zu Kong nodes work on this database, more than the %zu old one%s in fleet.ini: stop the new ones, or add the"
                                " old ones to fleet.ini", sessions->live, old_nodes, old_nodes == 1 ? "" : "s");
    names_add(against, sentence);
    free(sentence);
}

/* Old nodes work on all the while: without a fleet.ini new ones among them can't be seen. */
static void warn_of_unknown(const struct back *back, const struct sessions *sessions)
{
    if (back->to > KONG_0_14 && sessions->live > 0 && fleet_count(&back->app->fleet, CLUSTER_NEW) == 0)
        complain_text("at least %zu Kong node%s on this database, and fleet.ini names no new ones: make sure that none of them is a 1.3", sessions->live,
                      sessions->live == 1 ? " works" : "s work");
}

static int check_nodes(const struct back *back)
{
    struct error error = {0};
    struct names against = {0};
    struct sessions sessions = {0};
    size_t old_nodes = 0;
    bool asked = fleet_against_rollback(&back->app->fleet, &back->app->conf.pg, back->to, RUN_ASK_NODES_MS, &against, &old_nodes, &error) &&
                 sessions_read(back->pg, &sessions, &error);
    if (asked)
        find_sessions(back, &sessions, old_nodes, &against);
    if (asked && against.count == 0)
        warn_of_unknown(back, &sessions);
    for (size_t i = 0; i < against.count; i++)
        complain_text("%s", against.list[i]);
    bool refused = against.count > 0;
    sessions_free(&sessions);
    names_free(&against);
    return !asked ? complain(&error) : refused ? EXIT_REFUSED : 0;
}

static int confirm(const struct back *back)
{
    const char *confirmed = back->app->options->confirm, *database = back->rollback.state.database;
    bool terminal = isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
    if (confirmed == NULL && !terminal)
        return options_wrong("what was written since `up` may be lost: look with --dry-run, then say --confirm %s", database);
    if (confirmed != NULL && strcmp(confirmed, database) != 0) {
        complain_text("--confirm %s does not name the database that would be rolled back (%s): nothing was changed", confirmed, database);
        return EXIT_REFUSED;
    }
    int exit_code = check_nodes(back);
    if (exit_code != 0 || confirmed != NULL)   /* what is lost, the worker tells */
        return exit_code;
    say("Database %s at %s:%d would go back to Kong %s, in %zu changes.\n", database, back->rollback.state.host, back->rollback.state.port,
        kong_version_names[back->to], plan_remaining(&back->plan));
    say_losses(&back->losses);
    run_say_backup(back->app);
    if (!run_types_name("1.3 nodes can't work on it after that.", &back->rollback.state))
        return EXIT_REFUSED;
    return check_nodes(back);   /* the question may have stood there for hours */
}

static int roll_back(struct back *back, struct run_job *job)
{
    struct error error = {0};
    int exit_code = check_order(back, job->resume);
    if (exit_code >= 0)
        return exit_code;
    if (!rollback_plan(back->pg, &back->rollback, back->to, &back->plan, &error) ||
        !rollback_losses(back->pg, &back->rollback, &back->plan, &back->losses, &error))
        return complain(&error);
    if (back->app->options->dry_run)
        return say_dry(back);
    if (run_is_in_hand(&back->rollback.state))
        return EXIT_HELD;
    exit_code = confirm(back);
    if (exit_code != 0)
        return exit_code;
    if (!run_confirms_session(back->app))
        return EXIT_ERROR;
    job->clear_dead_lock = run_confirms_dead_lock(back->app, &back->rollback.state);
    pg_close(back->pg);
    back->pg = NULL;
    return run_start_and_follow(back->app, job);
}

int plain_rollback(struct app *app)
{
    struct error error = {0};
    struct back back = {.app = app, .to = rollback_release(app->options->to != NULL ? app->options->to : "")};
    if (app->options->to == NULL)
        return options_wrong("rollback wants --to: the Kong that the database was before `up`, 0.14, 1.0, 1.1 or 1.2");
    if (back.to == KONG_VERSIONS)
        return options_wrong("--to takes 0.14, 1.0, 1.1 or 1.2, not '%s'", app->options->to);
    int exit_code = app->options->dry_run ? -1 : run_follow_running(app, ROLLBACK_COMMAND);
    if (exit_code >= 0)
        return exit_code;
    char *folder = journal_folder(&app->conf.pg, false, NULL);
    struct run_job job = {.command = ROLLBACK_COMMAND, .kind = PLAN_ROLLBACK, .to = back.to, .datastore = &app->conf.pg, .plugins = &app->conf.plugins,
                          .deadline_ms = app->fleet.lock_deadline_seconds * 1000, .resume = folder != NULL && worker_rollback_interrupted(folder)};
    back.pg = pg_connect(&app->conf.pg, ROLLBACK_COMMAND, 0, &error);
    bool looked = back.pg != NULL && rollback_look(back.pg, folder, &back.rollback, &error);
    exit_code = looked ? roll_back(&back, &job) : complain(&error);
    losses_free(&back.losses);
    plan_free(&back.plan);
    rollback_free(&back.rollback);
    pg_close(back.pg);
    free(folder);
    return exit_code;
}
