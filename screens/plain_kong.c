/* What the plain commands leave to Kong's own: the migrations of custom plugins, once ours are made; and a node's start after an installation,
 * before which the database may have to be created. */
#include "core/base/mem.h"
#include "core/db/absence.h"
#include "core/kong_binary.h"
#include "core/kong_run.h"
#include "screens/plain.h"
#include "screens/say.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The plugins that are concerned, as text; NULL: none, or the database does not answer any more. The caller frees. *pending: Kong, run by
 * hand, would refuse. */
static char *concerned(const struct app *app, bool finishes, bool *pending)
{
    struct error error = {0};
    struct state state;
    char *text = NULL;
    struct pg *pg = app_connect(app, "status", &state, &error);
    if (pg == NULL) {
        complain(&error);
        return NULL;
    }
    bool ready = state.stage == STAGE_CURRENT || (!finishes && state.stage == STAGE_PENDING && state_count_new(&state) == 0);
    if (ready && (finishes ? state_count_custom_pending(&state) > 0 : state_has_custom(&state)))
        text = state_custom_text(&state);
    *pending = state.stage == STAGE_PENDING;
    pg_close(pg);
    state_free(&state);
    return text;
}

static bool has_terminal(void)
{
    return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
}

static int run(const struct app *app, const char *command, bool finishes)
{
    struct error error = {0};
    struct run_job job = {
        .command = command, .kind = finishes ? PLAN_FINISH : PLAN_UP, .to = KONG_1_3, .datastore = &app->conf.pg, .plugins = &app->conf.plugins,
    };
    char *path = app_start(app, &job, &error);
    if (path == NULL)
        return complain(&error);
    int exit_code = follow_journal(app, path);
    free(path);
    return exit_code;
}

int plain_custom(const struct app *app, const char *command)
{
    bool finishes = strcmp(command, KONG_CUSTOM_FINISH) == 0, pending = false;
    char *plugins = app->options->dry_run ? NULL : concerned(app, finishes, &pending);
    if (plugins == NULL)
        return 0;
    struct kong_binary binary;
    kong_binary_find(&app->fleet, &binary);
    char *typed = kong_command_text(command, binary.path, app->conf.file);
    const char *what = finishes ? "have pending migrations" : "may have migrations of their own";
    int exit_code = 0;
    if (binary.path != NULL && (app->options->yes || (has_terminal() && ask("Custom plugins %s: %s. Run `%s` for them now?", what, plugins, typed))))
        exit_code = run(app, command, finishes);
    else if (!app->options->quiet)
        complain_text("custom plugins %s: %s. Not run: `%s`%s; %s", what, plugins, typed, pending ? ", which by itself refuses until `finish`" : "",
                      binary.path == NULL ? binary.problem : "this again with --yes runs it");
    free(typed);
    kong_binary_free(&binary);
    free(plugins);
    return exit_code;
}

int plain_create(const struct app *app)
{
    const struct datastore *store = &app->conf.pg;
    struct error error = {0};
    struct absence absence;
    struct pg *pg = pg_connect(store, "bootstrap", 0, &error);
    bool there = pg != NULL;
    pg_close(pg);
    if (there)
        return 0;
    absence_read(store, &absence);
    int exit_code = 0;
    if (!absence.absent) {
        exit_code = complain(&error);
    } else if (absence.may_create && !app->options->dry_run &&
               (app->options->yes || (has_terminal() && ask("There is no database %s at %s:%d. Create it?", store->database, store->host, store->port)))) {
        error_clear(&error);
        exit_code = absence_end(store, &error) ? 0 : complain(&error);
    } else {
        complain_text("there is no database %s at %s:%d; %s: %s", store->database, store->host, store->port,
                      absence.may_create ? "this again with --yes creates it, or" : "have a superuser run", absence.statement);
        exit_code = EXIT_ERROR;
    }
    error_clear(&error);
    absence_free(&absence);
    return exit_code;
}

int plain_offer_start(const struct app *app)
{
    struct kong_binary binary = {0};
    int exit_code = 0;
    if (app->options->json || app->options->quiet || app->options->dry_run)
        return 0;
    if (has_terminal() && !app->options->yes)
        kong_binary_find(&app->fleet, &binary);
    char *typed = kong_command_text(KONG_START, binary.path, app->conf.file);
    if (binary.path != NULL && ask("Start Kong on this machine now (`%s`)?", typed))
        exit_code = run(app, KONG_START, false);
    else
        say("Start Kong on its nodes: %s\n", typed);
    free(typed);
    kong_binary_free(&binary);
    return exit_code;
}
