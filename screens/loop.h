/*
 * The wizard's one event loop: the face, a tick, and looks at the database, which are made on libuv's thread pool so that no
 * slow server ever freezes a key.
 */
#ifndef SCREENS_LOOP_H
#define SCREENS_LOOP_H

#include "screens/screen.h"

/* Runs the wizard until it is left; its exit code is then in it. false: something that can't be ended soon (a connection to a server
 * that does not answer) is still under way on another thread: nothing may be freed, the process has to _exit. */
bool loop_run(struct wizard *wizard);

/* For the face: there is input. Takes it, and shows what came of it. */
void loop_input(struct wizard *wizard);

/* Look at the database at once; `plan`: and build the plan anew. */
void loop_look(struct wizard *wizard, bool plan);

/* Run the preflight, or of it the check with that id; nothing where it runs already. */
void loop_check(struct wizard *wizard, const char *id);

/* Mend kong.conf in memory: conf_pane_made is called with what came of it. With a `target`: write what was mended there, then
 * conf_pane_written. */
void loop_fix_conf(struct wizard *wizard, const char *target);

/* Create the database that is not there. */
void loop_create(struct wizard *wizard);

/* Look at the way back to that release, or, KONG_VERSIONS, to the newest that there is. */
void loop_look_back(struct wizard *wizard, enum kong_version to);

/* Start a worker on "up", "bootstrap", "finish", to the release that was looked at "rollback", or a command of Kong's own (core/kong_run.h);
 * its gates are checked again, off the screen, first. */
void loop_start(struct wizard *wizard, const char *command, bool clear_dead_lock);

/* Start a worker that backs up into the folder, an absolute path. */
void loop_backup(struct wizard *wizard, const char *folder);
void loop_stop_worker(struct wizard *wizard);

/* Run a hook; what it says is then in the model. */
void loop_run_hook(struct wizard *wizard, enum hook_kind kind, const struct hook_values *values);

/* Cancel the query of a session that is in the way, or, `terminate`, end it. */
void loop_end_blocker(struct wizard *wizard, const struct run_blocker *blocker, bool terminate);

/* The nodes of the fleet have changed: watch those that are there now. */
void loop_watch_nodes(struct wizard *wizard);

/* Read the folder that view.complete is about, and complete the field of the prompt by it. */
void loop_complete(struct wizard *wizard);

/* Write what was copied (view.copied) into the state folder; `cut` is added to what is said of it. */
void loop_save_copy(struct wizard *wizard, const char *cut);

/* Another kong.conf: read it (as soon as no look is under way). */
void loop_load(struct wizard *wizard, const char *conf);

#endif
