/* Checks: what is in Kong's schema, and who else is at work on it. */
#include "core/checks/look.h"

#include "core/base/mem.h"
#include "core/migrations/legacy.h"
#include "core/migrations/order.h"
#include "core/worker.h"

#include <stdlib.h>
#include <string.h>

/* An `up` that was cut short is no "earlier upgrade that was never finished". */
static void look_at_order(const struct check_subject *subject, struct check_result *result)
{
    const struct state *state = subject->state;
    struct verdict verdict = order_check(state, PLAN_UP, worker_resumes(&subject->conf->pg, worker_up_interrupted));
    bool is_told_apart = state->stage == STAGE_LEGACY_014 && state->has_apis;   /* by the check "apis" */
    if (verdict.order != ORDER_REFUSED || is_told_apart) {
        look_note(result, "Kong %s, %zu new and %zu pending migrations", state->version != NULL ? state->version : "(none)", state_count_new(state),
                  state_count_pending(state));
    } else {
        look_found(result, CHECK_BLOCKS, "%s", verdict.sentence);
        if (state->stage == STAGE_PENDING) {
            struct buf remedy = {0};
            buf_add(&remedy, "kong-upgrade finish --confirm ");
            look_add_shell(&remedy, state->database);
            look_remedy(result, "%s", buf_text(&remedy));
            buf_free(&remedy);
        }
    }
    free(verdict.sentence);
}

static void look_stage(const struct check_subject *subject, struct check_result *result)
{
    if (!look_has_state(subject, result))
        return;
    const struct state *state = subject->state;
    if (state->stage == STAGE_EMPTY && state->reason == NULL) {
        look_found(result, CHECK_INFORMS, "schema %s is empty: there is nothing to upgrade, Kong 1.3 can be installed", state->schema);
        look_remedy(result, "kong-upgrade bootstrap");
    } else if (state->stage == STAGE_TOO_OLD) {
        look_at_order(subject, result);
        look_remedy(result, "kong migrations up  # of Kong 0.14.1, with plugins = bundled");
    } else {
        look_at_order(subject, result);
    }
}

const struct check check_stage = {
    .id = "stage", .title = "Where the database stands", .severity = CHECK_BLOCKS, .reach = CHECK_SCHEMA, .look = look_stage,
    .why = "The upgrade begins at Kong 0.14 to 1.2, with no earlier upgrade left unfinished. Kong's own commands exit with 0 where they do nothing "
           "for being in the wrong order.",
    .source = "kong/db/migrations/state.lua, kong/cmd/utils/migrations.lua; Kong issues #3924, #4145, #4184, #6211",
};

static void look_apis(const struct check_subject *subject, struct check_result *result)
{
    bool there = false;
    if (!look_has_state(subject, result))
        return;
    bool legacy = subject->state->stage == STAGE_LEGACY_014 || subject->state->from_014;
    if (legacy && !look_ask(subject, result, "SELECT to_regclass('apis') IS NOT NULL", &there))
        return;
    if (!there) {
        look_note(result, "not a database of Kong 0.14: there are no APIs to convert");
        return;
    }
    PGresult *rows = look_query(subject, result, "SELECT id, coalesce(left(name, 200), id::text), count(*) OVER () FROM apis ORDER BY 2 LIMIT 21");
    if (rows == NULL)
        return;
    size_t count = PQntuples(rows) > 0 ? (size_t)atoll(PQgetvalue(rows, 0, 2)) : 0;
    for (int row = 0; row < PQntuples(rows); row++) {
        look_found_row(result, CHECK_BLOCKS, (size_t)row, count, "API %s", PQgetvalue(rows, row, 1));
        if (row < LOOK_ROWS)
            look_remedy_delete(subject, result, "apis", PQgetvalue(rows, row, 0));
    }
    if (count == 0)
        look_note(result, "no row in apis");
    PQclear(rows);
}

const struct check check_apis = {
    .id = "apis", .title = "API entities", .severity = CHECK_BLOCKS, .reach = CHECK_ROWS, .look = look_apis,
    .why = "Kong 1.0 has no APIs any more, and its migrations refuse while one is there. On the old cluster, make a service and a route that do the "
           "same for each (upstream_url is the service's url; hosts, uris as paths, methods, strip_uri as strip_path are the route's), move its "
           "plugins there, then delete the API by the remedy.",
    .source = "Kong issue #5176; the upgrade guide from 0.14",
};

static bool is_ours(const char *owner)
{
    return strncmp(owner, LOCK_OWNER_PREFIX, strlen(LOCK_OWNER_PREFIX)) == 0;
}

static void look_lock(const struct check_subject *subject, struct check_result *result)
{
    if (!look_has_state(subject, result))
        return;
    const struct lock_info *lock = &subject->state->lock;
    if (lock->held && is_ours(lock->owner) && !lock->worker_alive) {
        look_found(result, CHECK_WARNS, "a worker of kong-upgrade that no longer runs left the lock behind (%s); it expires in %d s, at %s", lock->owner,
                   lock->seconds_left, lock->expires);
        look_remedy(result, "kong-upgrade up  # asks before it removes that lock; or wait until it has expired");
    } else if (lock->held && is_ours(lock->owner)) {
        look_found(result, CHECK_BLOCKS, "a worker of kong-upgrade holds the lock (%s) until %s, and renews it", lock->owner, lock->expires);
        look_remedy(result, "kong-upgrade attach");
    } else if (lock->held) {
        look_found(result, CHECK_BLOCKS, "`kong migrations` holds the lock (owner %s) for another %d s, until %s", lock->owner, lock->seconds_left,
                   lock->expires);
        look_remedy_path(subject, result);
        look_remedy(result, "SELECT owner, ttl, ttl - now() AS time_left FROM locks WHERE key = 'migrations';  -- wait until it is gone or has expired");
    } else if (lock->worker_alive) {
        look_found(result, CHECK_BLOCKS, "a worker of kong-upgrade runs on this database");
        look_remedy(result, "kong-upgrade attach");
    } else {
        look_note(result, "nobody holds Kong's migrations lock");
    }
}

const struct check check_lock = {
    .id = "lock", .title = "Kong's migrations lock", .severity = CHECK_BLOCKS, .reach = CHECK_SCHEMA, .look = look_lock,
    .why = "Two at work on the schema at once can spoil it. The lock is never removed without being asked for: it expires 60 s after its holder "
           "took it or renewed it last.",
    .source = "kong/db/init.lua, cluster_mutex; Kong issue #4849",
};

/* Components of 0.14 that a bundled plugin has recorded, or core. */
static bool is_legacy_component(const char *name)
{
    for (size_t i = 0; i < legacy_migration_count; i++)
        if (strcmp(legacy_migrations[i].component, name) == 0)
            return true;
    for (const char *const *each = kong_bundled_plugins; *each != NULL; each++)
        if (strcmp(*each, name) == 0)
            return true;
    return strcmp(name, "galileo") == 0;
}

static bool collect_legacy(const struct check_subject *subject, struct check_result *result, struct names *found)
{
    PGresult *rows = look_query(subject, result, "SELECT id FROM schema_migrations ORDER BY 1");
    for (int row = 0; row < PQntuples(rows); row++)
        if (!is_legacy_component(PQgetvalue(rows, row, 0)))
            names_add(found, PQgetvalue(rows, row, 0));
    PQclear(rows);
    return rows != NULL;
}

static void look_custom_migrations(const struct check_subject *subject, struct check_result *result)
{
    struct names found = {0};
    if (!look_has_state(subject, result))
        return;
    const struct state *state = subject->state;
    bool looked = !(state->stage == STAGE_LEGACY_014 || state->from_014) || collect_legacy(subject, result, &found);
    for (size_t i = 0; i < found.count; i++)
        look_found_row(result, CHECK_WARNS, i, found.count, "%s has migrations of 0.14's form, which Kong 1.3 skips", found.list[i]);
    for (size_t i = 0; i < state->custom_count; i++)
        look_found_row(result, CHECK_WARNS, i, state->custom_count, "%s has migrations of its own in schema_meta (%zu executed, %zu pending)",
                       state->customs[i].name, state->customs[i].executed.count, state->customs[i].pending.count);
    if (result->outcome == CHECK_FOUND)
        look_remedy(result, "kong-upgrade up  # on a machine with a kong 1.3 that has these plugins: afterwards it offers to run `kong migrations up` for them");
    else if (looked)
        look_note(result, "only Kong's own subsystems have migrations here");
    names_free(&found);
}

const struct check check_custom_migrations = {
    .id = "custom-migrations", .title = "Custom plugins' migrations", .severity = CHECK_WARNS, .reach = CHECK_ROWS, .look = look_custom_migrations,
    .why = "This program knows the migrations of Kong and its bundled plugins. A custom plugin's own are code of its authors: Kong's own command, "
           "where the plugin is installed, must run them, and does so at the hand of kong-upgrade: alone it refuses while migrations are pending, as they "
           "are from `up` until `finish`. Those of 0.14's form must be rewritten first.",
    .source = "Kong issue #4281",
};
