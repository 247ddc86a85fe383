#include "screens/app.h"

#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/journal.h"
#include "core/kong_run.h"
#include "core/run_view.h"
#include "core/worker.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool app_load(struct app *app, const struct options *options, struct error *error)
{
    *app = (struct app){.options = options};
    if (!fleet_load(&app->fleet, options->fleet, error))
        return false;
    const char *file = options->conf != NULL ? options->conf : app->fleet.kong_conf;
    if (kong_conf_load(&app->conf, file, NULL, environ, error))
        return true;
    fleet_free(&app->fleet);
    return false;
}

void app_free(struct app *app)
{
    kong_conf_free(&app->conf);
    fleet_free(&app->fleet);
}

struct pg *app_connect(const struct app *app, const char *role, struct state *state, struct error *error)
{
    struct pg *pg = pg_connect(&app->conf.pg, role, 0, error);
    if (pg == NULL)
        return NULL;
    if (state_read(pg, (const char *const *)app->conf.plugins.list, app->conf.plugins.count, state, error))
        return pg;
    pg_close(pg);
    return NULL;
}

bool app_leaves_to_kong(const struct app *app, const struct run_job *job)
{
    static const char *const engines[] = {"up", "finish", "bootstrap"}, *const kongs[] = {KONG_CUSTOM_UP, KONG_CUSTOM_FINISH, KONG_START};
    for (size_t i = 0; i < COUNT_OF(kongs); i++)
        if (strcmp(kongs[i], job->command) == 0)
            return true;
    for (size_t i = 0; i < COUNT_OF(engines); i++)
        if (strcmp(engines[i], job->command) == 0)
            return app->fleet.kong_engine && job->to == KONG_1_3;
    return false;
}

char *app_start(const struct app *app, struct run_job *job, struct error *error)
{
    if (app_leaves_to_kong(app, job) && !kong_job_make(job, &app->fleet, app->conf.file, error))
        return NULL;
    char *path = worker_start(job, error);
    kong_job_free(job, path != NULL);
    return path;
}

static void apply(void *context, const json_t *event)
{
    run_view_apply(context, event);
}

json_t *app_worker_json(const struct app *app)
{
    char *folder = journal_folder(&app->conf.pg, false, NULL);
    char *running = folder != NULL ? journal_find_running(folder) : NULL;
    struct journal_reader reader;
    struct run_view view = {0};
    json_t *json = json_null();
    if (running != NULL && journal_open(&reader, running, NULL)) {
        journal_read(&reader, apply, &view);
        journal_reader_close(&reader);
        json = json_pack("{s:o, s:i, s:o, s:o, s:i, s:i, s:b}", "command", json_text(view.command), "pid", view.pid, "user", json_text(view.user),
                         "host", json_text(view.host), "changes", (int)view.change_count, "done", (int)view.done_count, "waiting", view.waiting);
    }
    run_view_free(&view);
    free(running);
    free(folder);
    return json;
}
