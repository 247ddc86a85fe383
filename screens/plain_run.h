/* What the commands that change the database share (plain_run.c, plain_rollback.c). */
#ifndef SCREENS_PLAIN_RUN_H
#define SCREENS_PLAIN_RUN_H

#include "core/migrations/run.h"
#include "screens/app.h"

#define RUN_ASK_NODES_MS 5000    /* so long is each node asked */

/* The same command, going on already, is followed instead of a second one being started; another one is in the way. Returns -1 if
 * there is none. */
int run_follow_running(const struct app *app, const char *command);

/* Someone else's worker, whose journal is not here: then it is said. */
bool run_is_in_hand(const struct state *state);

/* The changes that are not done, a line each. */
void run_say_plan(const struct plan *plan);

/* Before the database is changed, on a terminal: what backup there is. */
void run_say_backup(const struct app *app);

/* The worker may end with this login session: then it is said before, and asked on a terminal. */
bool run_confirms_session(const struct app *app);

/* A row left by a dead worker of ours is removed after a question, or with --yes. */
bool run_confirms_dead_lock(const struct app *app, const struct state *state);

/* Has the database's name typed on the terminal, after that sentence. Where it isn't, that nothing was changed is said. */
bool run_types_name(const char *sentence, const struct state *state);

int run_start_and_follow(const struct app *app, struct run_job *job);

#endif
