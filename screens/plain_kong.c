/* What the plain commands leave to Kong's own: the migrations of custom plugins, once ours are made. */
#include "core/base/mem.h"
#include "core/kong_binary.h"
#include "core/kong_run.h"
#include "screens/plain.h"
#include "screens/say.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The plugins that are concerned, as text; NULL: none, or the database does not answer any more. The caller frees. */
static char *concerned(const struct app *app, bool finishes)
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
    pg_close(pg);
    state_free(&state);
    return text;
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
    bool finishes = strcmp(command, KONG_CUSTOM_FINISH) == 0, terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
    char *plugins = app->fleet.kong_engine || app->options->dry_run ? NULL : concerned(app, finishes);
    if (plugins == NULL)
        return 0;
    struct kong_binary binary;
    kong_binary_find(&app->fleet, &binary);
    char *typed = kong_command_text(command, binary.path, app->conf.file);
    const char *what = finishes ? "have pending migrations" : "may have migrations of their own";
    int exit_code = 0;
    if (binary.path != NULL && (app->options->yes || (terminal && ask("Custom plugins %s: %s. Run `%s` for them now?", what, plugins, typed))))
        exit_code = run(app, command, finishes);
    else if (!app->options->quiet)
        complain_text("custom plugins %s: %s. Not run: `%s`%s%s", what, plugins, typed, binary.path == NULL ? "; " : ", or this again with --yes",
                      binary.path == NULL ? binary.problem : "");
    free(typed);
    kong_binary_free(&binary);
    free(plugins);
    return exit_code;
}
