/* What every face works on: what was asked for, Kong's configuration, the fleet. */
#ifndef SCREENS_APP_H
#define SCREENS_APP_H

#include "core/conf/fleet.h"
#include "core/conf/kong_conf.h"
#include "core/db/pg.h"
#include "core/migrations/run.h"
#include "screens/options.h"

struct app {
    const struct options *options;
    struct kong_conf conf;
    struct fleet fleet;
};

/* Reads kong.conf (the one asked for, else fleet.ini's, else Kong's search path) and fleet.ini. */
bool app_load(struct app *app, const struct options *options, struct error *error);
void app_free(struct app *app);

/* A connection and the state read through it; the caller pg_closes and state_frees. NULL and an error otherwise. */
struct pg *app_connect(const struct app *app, const char *role, struct state *state, struct error *error);

/* Kong's own command does that job: fleet.ini says so, or it is what we can't do. */
bool app_leaves_to_kong(const struct app *app, const struct run_job *job);

/* Starts a worker on it, ours or of Kong's own command; takes a moment. Returns its journal's path, which the caller frees; NULL and an error
 * otherwise. */
char *app_start(const struct app *app, struct run_job *job, struct error *error);

/* The worker that runs now, as status --json shows it, or null. New reference. */
json_t *app_worker_json(const struct app *app);

#endif
