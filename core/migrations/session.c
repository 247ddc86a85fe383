/*
 * session. Effects from kong/plugins/session/migrations/000_base_session.lua, first bundled with Kong 1.3.
 */
#include "core/migrations/change.h"
#include "core/migrations/subsystems.h"

static const struct change base[] = {
    TABLE("sessions", "id uuid PRIMARY KEY, session_id text UNIQUE, expires integer, data text, created_at timestamptz, ttl timestamptz"),
    INDEX("sessions", "session_sessions_expires_idx", "(expires)"),
};

static const struct migration migrations[] = {
    {"000_base_session", KONG_1_3, false, base, COUNT_OF(base)},
};

const struct subsystem subsystem_session = {"session", migrations, COUNT_OF(migrations)};
