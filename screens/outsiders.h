/*
 * Kong nodes that the database sees, and the fleet does not name (census.h), for the plain commands: looked for by a thread of its own, through a connection that is
 * kept. Not on libuv's thread pool, for whose end a process waits: a server that hangs must not hold up the end of a command.
 */
#ifndef SCREENS_OUTSIDERS_H
#define SCREENS_OUTSIDERS_H

#include "core/cluster/sessions.h"
#include "screens/app.h"

#include <uv.h>

struct outsiders;

/* Copies what it needs of `app`. Keeps the loop alive until outsiders_stop; memory is freed once the loop has run its closing
 * callback and a look that is under way has ended. */
struct outsiders *outsiders_start(uv_loop_t *loop, const struct app *app);
void outsiders_stop(struct outsiders *outsiders);

/* Looks once more; nothing happens while a look is under way. That the database can't be reached is said on stderr, once. */
void outsiders_look(struct outsiders *outsiders);

/* Who has not answered yet, so that what was found can't be told yet: "the database", "the name server"; NULL: no one. */
const char *outsiders_waiting(const struct outsiders *outsiders);

/* As the last look saw them; empty where there was none, or it failed. */
const struct sessions *outsiders_sessions(const struct outsiders *outsiders);
bool outsiders_is_one(const struct outsiders *outsiders, const struct session *session);   /* a Kong node's, not of the fleet */

/* As CLI `nodes --json` says of unknown ones; new reference. */
json_t *outsiders_json(const struct outsiders *outsiders);

#endif
