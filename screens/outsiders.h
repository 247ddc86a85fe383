/* Kong nodes that the database sees, and the fleet does not name: looked for on libuv's thread pool, by a connection that is kept. */
#ifndef SCREENS_OUTSIDERS_H
#define SCREENS_OUTSIDERS_H

#include "core/cluster/sessions.h"
#include "screens/app.h"

#include <uv.h>

struct outsiders;

/* Copies what it needs of `app`. outsiders_free frees, when no look is under way. */
struct outsiders *outsiders_new(uv_loop_t *loop, const struct app *app);
void outsiders_free(struct outsiders *outsiders);

/* Looks once more; nothing happens while a look is under way. That the database can't be reached is said on stderr, once. */
void outsiders_look(struct outsiders *outsiders);
bool outsiders_looking(const struct outsiders *outsiders);

/* As the last look saw them; empty where there was none, or it failed. */
const struct sessions *outsiders_sessions(const struct outsiders *outsiders);
bool outsiders_is_one(const struct outsiders *outsiders, const struct session *session);   /* a Kong node's, not of the fleet */

/* As CLI `nodes --json` says of unknown ones; new reference. */
json_t *outsiders_json(const struct outsiders *outsiders);

#endif
