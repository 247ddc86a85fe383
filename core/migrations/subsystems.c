#include "core/migrations/subsystems.h"

#include <string.h>

const struct subsystem *const subsystems[] = {
    &subsystem_core,     &subsystem_acl,    &subsystem_basic_auth,    &subsystem_hmac_auth,
    &subsystem_jwt,      &subsystem_key_auth, &subsystem_oauth2,      &subsystem_rate_limiting,
    &subsystem_response_ratelimiting, &subsystem_session, NULL,
};

const struct change bookkeeping[] = {
    TABLE("schema_meta", "key text, subsystem text, last_executed text, executed text[], pending text[], PRIMARY KEY (key, subsystem)"),
    TABLE("locks", "key text PRIMARY KEY, owner text, ttl timestamptz"),
    INDEX("locks", "locks_ttl_idx", "(ttl)"),
};
const size_t bookkeeping_count = COUNT_OF(bookkeeping);

const struct subsystem *subsystem_find(const char *name)
{
    for (const struct subsystem *const *subsystem = subsystems; *subsystem != NULL; subsystem++)
        if (strcmp((*subsystem)->name, name) == 0)
            return *subsystem;
    return NULL;
}

const struct migration *subsystem_migration(const struct subsystem *subsystem, const char *name)
{
    for (size_t i = 0; i < subsystem->migration_count; i++)
        if (strcmp(subsystem->migrations[i].name, name) == 0)
            return &subsystem->migrations[i];
    return NULL;
}
