/*
 * All subsystems that Kong 1.3 migrates, in Kong's order, and what is kept beside them.
 */
#ifndef CORE_MIGRATIONS_SUBSYSTEMS_H
#define CORE_MIGRATIONS_SUBSYSTEMS_H

#include "core/migrations/change.h"

extern const struct subsystem subsystem_core, subsystem_acl, subsystem_basic_auth, subsystem_hmac_auth, subsystem_jwt,
    subsystem_key_auth, subsystem_oauth2, subsystem_rate_limiting, subsystem_response_ratelimiting, subsystem_session;

/* Core first; NULL ends it. */
extern const struct subsystem *const subsystems[];

/* NULL where we don't know it (a custom plugin's). */
const struct subsystem *subsystem_find(const char *name);
const struct migration *subsystem_migration(const struct subsystem *subsystem, const char *name);

/* Kong's own bookkeeping, which exists before any migration runs: `schema_meta` and `locks` (kong/db/strategies/postgres/
 * connector.lua at 1.3.0, schema_bootstrap and setup_locks). Recorded nowhere. */
extern const struct change bookkeeping[];
extern const size_t bookkeeping_count;

#endif
