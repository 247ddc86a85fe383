/* The commands: the same core in plain text or JSON. Each returns its exit code. */
#ifndef SCREENS_PLAIN_H
#define SCREENS_PLAIN_H

#include "screens/app.h"

int plain_status(struct app *app);
int plain_plan(struct app *app);
int plain_check(struct app *app);
int plain_conf(struct app *app);
int plain_nodes(struct app *app);
int plain_watch(struct app *app);
int plain_routes(struct app *app);
int plain_report(struct app *app);

int plain_up(struct app *app);
int plain_finish(struct app *app);
int plain_bootstrap(struct app *app);
int plain_rollback(struct app *app);
int plain_backup(struct app *app);
int plain_attach(struct app *app);
int plain_stop(struct app *app);

/* After ours: Kong's own command for the migrations of custom plugins, where there are any; it is asked for, or, where that can't be, said.
 * `command`: KONG_CUSTOM_UP or KONG_CUSTOM_FINISH. */
int plain_custom(const struct app *app, const char *command);

/* Before an installation: creates the database where it is not there, after a question or with --yes. 0: go on; else an exit code. */
int plain_create(const struct app *app);

/* After one: `kong start` on this machine, where that is wanted; else how. Returns an exit code. */
int plain_offer_start(const struct app *app);

/* Says it where Kong's own command is to do that job. */
void say_engine(const struct app *app, const struct run_job *job);

/* Follows a journal to its end, in plain lines or JSON. Returns the run's exit code, or EXIT_TERMINAL_LOST. */
int follow_journal(const struct app *app, const char *path);

#endif
