/*
 * Where a database stands, read from `schema_meta` and the catalogs each time, never remembered.
 *
 * In Kong's terms (kong/db/migrations/state.lua at 1.3.0): a migration in `executed` is executed; in `pending`, pending; in neither
 * it is missing if it is listed before `last_executed`, else new.
 */
#ifndef CORE_MIGRATIONS_STATE_H
#define CORE_MIGRATIONS_STATE_H

#include "core/base/error.h"
#include "core/base/names.h"
#include "core/db/lock.h"
#include "core/migrations/subsystems.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct pg;

enum stage {
    STAGE_EMPTY,        /* nothing of Kong there: needs bootstrap */
    STAGE_TOO_OLD,      /* older than 0.14 */
    STAGE_LEGACY_014,   /* 0.14: all is new */
    STAGE_UPGRADABLE,   /* 1.0 to 1.2 (or 1.3 with a plugin just loaded): there are new migrations, none is pending */
    STAGE_PENDING,      /* `up` has run, `finish` has not; there may be new ones, too */
    STAGE_CURRENT,      /* 1.3, nothing to do */
    STAGE_AHEAD,        /* has migrations that we don't know: newer than 1.3 */
    STAGE_FOREIGN,      /* has tables, but not Kong's */
};

/* What schema_meta records of a subsystem that is not ours: a custom plugin. Which migrations it has, only Kong knows that loads it. */
struct custom_state {
    char *name;
    struct names executed, pending;
};

/* "empty", "too_old"… as in the JSON. */
const char *stage_name(enum stage stage);

struct subsystem_state {
    const struct subsystem *subsystem;
    struct names executed, pending, new, missing;
    char *last_executed;   /* or NULL */
};

struct state {
    char *host, *database, *schema, *server_version;
    int port, server_version_number;
    enum stage stage;
    const char *version;               /* the Kong whose schema it is: "0.14", "1.0"… "1.3"; NULL where there is none */
    char *reason;                      /* a sentence for too_old, ahead, foreign and empty; or NULL */
    bool schema_missing;               /* there is no such schema yet */
    bool from_014;                     /* `schema_migrations` is still there: the old cluster is 0.14 */
    bool has_apis;                     /* legacy_014: the table `apis` has rows, which no later Kong reads: `up` is refused */
    struct subsystem_state *subsystems;   /* those of the loaded plugins and core, in Kong's order */
    size_t subsystem_count;
    struct custom_state *customs;      /* subsystems in `schema_meta` that are not ours */
    size_t custom_count;
    struct names unrecorded;           /* plugins of kong.conf that don't come with Kong and have no row: they may have migrations, too */
    struct lock_info lock;
};

/* Reads it. `plugins`: the loaded ones (kong.conf); core is always looked at. On failure `state` is empty. state_free frees. */
bool state_read(struct pg *pg, const char *const *plugins, size_t plugin_count, struct state *state, struct error *error);
void state_free(struct state *state);

/* How many there are in all subsystems. */
size_t state_count_new(const struct state *state);       /* new and missing */
size_t state_count_pending(const struct state *state);

/* Of custom plugins, in all. */
size_t state_count_custom_pending(const struct state *state);

/* There are plugins that may have migrations of their own. */
bool state_has_custom(const struct state *state);

/* "my-plugin (3 executed, 1 pending), other (no record)". The caller frees. */
char *state_custom_text(const struct state *state);

/* The pending ones stem from an upgrade to 1.0, 1.1 or 1.2 that was never finished: some have come before 1.3. */
bool state_pending_from_before(const struct state *state);

/* An `up` to 1.3 has come past core's own migrations, on whatever machine: migrations that are still new are the rest of it. */
bool state_up_begun(const struct state *state);

/* The release that core's recorded migrations make, pending ones too: of an upgrade from 0.14 that was never finished, where it went.
 * NULL where none is recorded. */
const char *state_reached(const struct state *state);

/* Core is Kong 1.3's: what is new or pending is of plugins that were loaded since. */
bool state_plugins_only(const struct state *state);

/* The exit code of `status` (kong migrations list's, and 8). */
int state_exit_code(const struct state *state);

/* As CLI `status --json` says; new reference. `worker` is left null. */
json_t *state_json(const struct state *state);

#endif
