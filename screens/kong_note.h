/*
 * Kong's own command on the screens: for the migrations of custom plugins, after ours (Up, Finish); for all, where fleet.ini says so; and
 * to start a node after an installation (Done).
 */
#ifndef SCREENS_KONG_NOTE_H
#define SCREENS_KONG_NOTE_H

#include "screens/screen.h"

/* It is of use now, so it is to be looked for (loop.c does, once). */
bool kong_is_wanted(const struct model *model);

/* Custom plugins may have migrations to be run, or, on the last step, have some pending; and Kong's command is there to do it. */
bool kong_custom_enabled(const struct model *model, enum step step);
void kong_custom_ask(struct wizard *wizard);

/* A line about them, where there are any: the key, or what is to be typed elsewhere. */
void kong_custom_add(struct prose *prose, const struct model *model, enum step step);

/* engine = kong: a line that says what that means, or why it can't be. */
bool kong_is_engine(const struct model *model);
void kong_engine_add(struct prose *prose, const struct model *model);

/* The last run has installed Kong. */
bool kong_installs(const struct model *model);

/* And the database says so, too; or it has been started since. Then it may be started. */
bool kong_was_installed(const struct model *model);
bool kong_start_enabled(const struct model *model);
void kong_start_add(struct prose *prose, const struct model *model);
void kong_start_ask(struct wizard *wizard);

/* The key by which a run of that command is started again. */
const char *kong_key_of(const char *command);

#endif
