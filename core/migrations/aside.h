/*
 * Pending migrations, set aside while Kong's own command runs those of custom plugins.
 *
 * `kong migrations up` does nothing while any migration is pending ("Database has pending migrations; run 'kong migrations finish'",
 * kong/cmd/utils/migrations.lua at 1.3.0), and after our `up` some always are, until step 5. A 1.3 node that loads a custom plugin with new
 * migrations does not start before they were run, so they can't wait for that. While Kong's command runs, what is pending stands among
 * what is executed, and once more in rows of their own (key ASIDE_KEY, which Kong does not read); afterwards it is put back. state.h
 * reads such a database as what it is, and every run of ours puts it back first, so a crash in between costs nothing.
 */
#ifndef CORE_MIGRATIONS_ASIDE_H
#define CORE_MIGRATIONS_ASIDE_H

#include "core/base/error.h"

#include <stdbool.h>

struct pg;

#define ASIDE_KEY "kong-upgrade pending"

/* Each in one transaction; schema_meta must be there. Nothing to do is no error. */
bool aside_set(struct pg *pg, struct error *error);
bool aside_put_back(struct pg *pg, struct error *error);

#endif
