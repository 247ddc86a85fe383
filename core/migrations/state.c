#include "core/migrations/state.h"

#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/conf/kong_conf.h"
#include "core/db/pg.h"
#include "core/migrations/aside.h"
#include "core/migrations/legacy.h"

#include <stdlib.h>
#include <string.h>

const char *stage_name(enum stage stage)
{
    static const char *const names[] = {"empty", "too_old", "legacy_014", "upgradable", "pending", "current", "ahead", "foreign"};
    return names[stage];
}

void state_free(struct state *state)
{
    for (size_t i = 0; i < state->subsystem_count; i++) {
        struct subsystem_state *each = &state->subsystems[i];
        names_free(&each->executed);
        names_free(&each->pending);
        names_free(&each->new);
        names_free(&each->missing);
        free(each->last_executed);
    }
    free(state->subsystems);
    for (size_t i = 0; i < state->custom_count; i++) {
        free(state->customs[i].name);
        names_free(&state->customs[i].executed);
        names_free(&state->customs[i].pending);
    }
    free(state->customs);
    names_free(&state->unrecorded);
    lock_info_free(&state->lock);
    free(state->host);
    free(state->database);
    free(state->schema);
    free(state->server_version);
    free(state->reason);
    *state = (struct state){0};
}

/* What kind of database it is, in one question: tables of the schema, Kong's bookkeeping, Kong's tables elsewhere. */
struct survey {
    bool has_meta, has_legacy, has_tables, schema_missing;
    char *elsewhere;
};

/* Of the catalogs, not of information_schema, which hides what the role may not read: that must become an error, not "no Kong here". */
#define HAS_COLUMN(table_, column_) \
    "EXISTS (SELECT 1 FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid" \
    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p')" \
    " AND c.relname = '" table_ "' AND a.attname = '" column_ "' AND NOT a.attisdropped)"

static bool survey_read(struct pg *pg, struct survey *survey, struct error *error)
{
    const char *const values[] = {pg_schema(pg)};
    PGresult *result = pg_query_params(pg, error,
        "SELECT " HAS_COLUMN("schema_meta", "subsystem") ", " HAS_COLUMN("schema_migrations", "migrations") ","
        " EXISTS (SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        "         WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p') AND NOT EXISTS"
        "         (SELECT 1 FROM pg_catalog.pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')),"
        " (SELECT n.nspname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        "  WHERE c.relname IN ('schema_meta', 'schema_migrations') AND c.relkind = 'r' AND n.nspname IS DISTINCT FROM current_schema()"
        "  AND EXISTS (SELECT 1 FROM pg_catalog.pg_class p WHERE p.relnamespace = n.oid AND p.relname = 'plugins') LIMIT 1),"
        " current_schema() IS NULL AND EXISTS (SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1), current_user,"
        " current_schema() IS NULL", 1, values);
    if (result == NULL)
        return false;
    survey->has_meta = PQgetvalue(result, 0, 0)[0] == 't';
    survey->has_legacy = PQgetvalue(result, 0, 1)[0] == 't';
    survey->has_tables = PQgetvalue(result, 0, 2)[0] == 't';
    survey->elsewhere = PQgetisnull(result, 0, 3) ? NULL : mem_dup(PQgetvalue(result, 0, 3));
    survey->schema_missing = PQgetvalue(result, 0, 6)[0] == 't';
    bool hidden = PQgetvalue(result, 0, 4)[0] == 't';
    if (hidden)
        error_set(error, ERROR_SQL, "%s: the role %s may not use the schema %s; run GRANT USAGE ON SCHEMA %s TO %s, or set pg_user and pg_schema in kong.conf",
                  pg_where(pg), PQgetvalue(result, 0, 5), pg_schema(pg), pg_schema(pg), PQgetvalue(result, 0, 5));
    PQclear(result);
    return !hidden;
}

static bool is_loaded(const struct subsystem *subsystem, const char *const *plugins, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(subsystem->name, plugins[i]) == 0)
            return true;
    return subsystem == &subsystem_core;
}

static void add_loaded_subsystems(struct state *state, const char *const *plugins, size_t plugin_count)
{
    for (const struct subsystem *const *each = subsystems; *each != NULL; each++) {
        if (!is_loaded(*each, plugins, plugin_count))
            continue;
        state->subsystems = mem_grow(state->subsystems, state->subsystem_count + 1, sizeof *state->subsystems);
        state->subsystems[state->subsystem_count++] = (struct subsystem_state){.subsystem = *each};
    }
}

static struct subsystem_state *find_state(struct state *state, const char *name)
{
    for (size_t i = 0; i < state->subsystem_count; i++)
        if (strcmp(state->subsystems[i].subsystem->name, name) == 0)
            return &state->subsystems[i];
    return NULL;
}

static void add_name_of(struct custom_state *custom, PGresult *result, int row)
{
    if (!PQgetisnull(result, row, 3))
        names_add(PQgetvalue(result, row, 2)[0] == 'e' ? &custom->executed : &custom->pending, PQgetvalue(result, row, 3));
}

static struct custom_state *find_custom(struct state *state, const char *name)
{
    for (size_t i = 0; i < state->custom_count; i++)
        if (strcmp(state->customs[i].name, name) == 0)
            return &state->customs[i];
    state->customs = mem_grow(state->customs, state->custom_count + 1, sizeof *state->customs);
    state->customs[state->custom_count] = (struct custom_state){.name = mem_dup(name)};
    return &state->customs[state->custom_count++];
}

/* One row per name: subsystem, last_executed, 'executed' | 'pending' | NULL, name. Unnested by the server, whose arrays may hold anything.
 * What was set aside (aside.h) is pending, whatever Kong is shown meanwhile. */
static bool read_meta(struct pg *pg, struct state *state, struct error *error)
{
    PGresult *result = pg_query(pg, error,
        "SELECT m.subsystem, m.last_executed, l.list, l.name FROM schema_meta m LEFT JOIN schema_meta a"
        " ON a.key = '" ASIDE_KEY "' AND a.subsystem = m.subsystem LEFT JOIN LATERAL"
        " (SELECT 'executed' AS list, e.name, e.n FROM unnest(m.executed) WITH ORDINALITY AS e (name, n)"
        "  WHERE a.pending IS NULL OR e.name <> ALL (a.pending) UNION ALL"
        "  SELECT 'pending', p.name, p.n FROM unnest(a.pending || m.pending) WITH ORDINALITY AS p (name, n)) l ON true"
        " WHERE m.key = 'schema_meta' ORDER BY m.subsystem, l.list, l.n");
    if (result == NULL)
        return false;
    for (int row = 0; row < PQntuples(result); row++) {
        const char *name = PQgetvalue(result, row, 0);
        struct subsystem_state *known = find_state(state, name);
        if (known == NULL) {
            if (subsystem_find(name) == NULL)
                add_name_of(find_custom(state, name), result, row);
            continue;
        }
        if (known->last_executed == NULL && !PQgetisnull(result, row, 1))
            known->last_executed = mem_dup(PQgetvalue(result, row, 1));
        if (!PQgetisnull(result, row, 3))
            names_add(PQgetvalue(result, row, 2)[0] == 'e' ? &known->executed : &known->pending, PQgetvalue(result, row, 3));
    }
    PQclear(result);
    return true;
}

static void find_new(struct subsystem_state *each)
{
    bool before_last = each->last_executed != NULL && subsystem_migration(each->subsystem, each->last_executed) != NULL;
    for (size_t i = 0; i < each->subsystem->migration_count; i++) {
        const char *name = each->subsystem->migrations[i].name;
        if (each->last_executed != NULL && strcmp(name, each->last_executed) == 0)
            before_last = false;
        if (!names_have(&each->executed, name) && !names_have(&each->pending, name))
            names_add(before_last ? &each->missing : &each->new, name);
    }
}

/* The first recorded name that our table does not have, or NULL. */
static const char *name_from_the_future(const struct subsystem_state *each)
{
    const struct names *const lists[] = {&each->executed, &each->pending};
    for (size_t list = 0; list < 2; list++)
        for (size_t i = 0; i < lists[list]->count; i++)
            if (subsystem_migration(each->subsystem, lists[list]->list[i]) == NULL)
                return lists[list]->list[i];
    return NULL;
}

size_t state_count_custom_pending(const struct state *state)
{
    size_t count = 0;
    for (size_t i = 0; i < state->custom_count; i++)
        count += state->customs[i].pending.count;
    return count;
}

bool state_has_custom(const struct state *state)
{
    return state->custom_count > 0 || state->unrecorded.count > 0;
}

char *state_custom_text(const struct state *state)
{
    struct buf text = {0};
    for (size_t i = 0; i < state->custom_count; i++) {
        const struct custom_state *each = &state->customs[i];
        buf_addf(&text, "%s%s (%zu executed", text.length > 0 ? ", " : "", each->name, each->executed.count);
        if (each->pending.count > 0)
            buf_addf(&text, ", %zu pending", each->pending.count);
        buf_add(&text, ")");
    }
    for (size_t i = 0; i < state->unrecorded.count; i++)
        buf_addf(&text, "%s%s (no record)", text.length > 0 ? ", " : "", state->unrecorded.list[i]);
    return text.data != NULL ? buf_take(&text) : mem_dup("");
}

/* A plugin that comes with Kong has its migrations here, or none. */
static bool is_bundled(const char *plugin)
{
    for (const char *const *each = kong_bundled_plugins; *each != NULL; each++)
        if (strcmp(*each, plugin) == 0)
            return true;
    return false;
}

static void find_unrecorded(struct state *state, const char *const *plugins, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bool known = is_bundled(plugins[i]) || subsystem_find(plugins[i]) != NULL || names_have(&state->unrecorded, plugins[i]);
        for (size_t j = 0; j < state->custom_count && !known; j++)
            known = strcmp(state->customs[j].name, plugins[i]) == 0;
        if (!known)
            names_add(&state->unrecorded, plugins[i]);
    }
}

size_t state_count_new(const struct state *state)
{
    size_t count = 0;
    for (size_t i = 0; i < state->subsystem_count; i++)
        count += state->subsystems[i].new.count + state->subsystems[i].missing.count;
    return count;
}

size_t state_count_pending(const struct state *state)
{
    size_t count = 0;
    for (size_t i = 0; i < state->subsystem_count; i++)
        count += state->subsystems[i].pending.count;
    return count;
}

bool state_pending_from_before(const struct state *state)
{
    for (size_t i = 0; i < state->subsystem_count; i++) {
        const struct subsystem_state *each = &state->subsystems[i];
        for (size_t j = 0; j < each->pending.count; j++) {
            const struct migration *migration = subsystem_migration(each->subsystem, each->pending.list[j]);
            if (migration != NULL && migration->since < KONG_1_3)
                return true;
        }
    }
    return false;
}

bool state_up_begun(const struct state *state)
{
    const struct subsystem_state *core = &state->subsystems[0];
    for (size_t i = 0; i < core->subsystem->migration_count; i++) {
        const struct migration *migration = &core->subsystem->migrations[i];
        if (migration->since == KONG_1_3 && (names_have(&core->executed, migration->name) || names_have(&core->pending, migration->name)))
            return true;
    }
    return false;
}

const char *state_reached(const struct state *state)
{
    const struct subsystem_state *core = &state->subsystems[0];
    const char *version = NULL;
    for (size_t i = 0; i < core->subsystem->migration_count; i++) {
        const struct migration *migration = &core->subsystem->migrations[i];
        if (names_have(&core->executed, migration->name) || names_have(&core->pending, migration->name))
            version = kong_version_names[migration->since > KONG_1_0 ? migration->since : KONG_1_0];
    }
    return version;
}

bool state_plugins_only(const struct state *state)
{
    const struct subsystem_state *core = &state->subsystems[0];
    bool there = state->stage == STAGE_UPGRADABLE || state->stage == STAGE_PENDING;
    return there && core->pending.count == 0 && core->new.count == 0 && core->missing.count == 0;
}

/* Core's migrations tell the release. From 0.14 on the way up, 001 and 002 are pending until `finish`. */
static const char *version_of(const struct state *state)
{
    const struct subsystem_state *core = &state->subsystems[0];
    const char *version = NULL;
    if (state->from_014)
        return "0.14";
    for (size_t i = 0; i < core->subsystem->migration_count; i++) {
        const struct migration *migration = &core->subsystem->migrations[i];
        if (names_have(&core->executed, migration->name))
            version = kong_version_names[migration->since > KONG_1_0 ? migration->since : KONG_1_0];
    }
    return version;
}

static void decide_from_meta(struct state *state)
{
    for (size_t i = 0; i < state->subsystem_count; i++) {
        struct subsystem_state *each = &state->subsystems[i];
        find_new(each);
        const char *future = name_from_the_future(each);
        if (future != NULL && state->reason == NULL)
            state->reason = mem_printf("migration %s of %s is unknown to this program: the database is newer than Kong 1.3; use a newer kong-upgrade",
                                       future, each->subsystem->name);
    }
    state->version = version_of(state);
    if (state->reason != NULL) {
        state->stage = STAGE_AHEAD;
        state->version = NULL;
    } else if (state_count_pending(state) > 0) {
        state->stage = STAGE_PENDING;
    } else {
        state->stage = state_count_new(state) > 0 ? STAGE_UPGRADABLE : STAGE_CURRENT;
    }
}

static bool find_apis(struct pg *pg, struct state *state, struct error *error)
{
    bool exists = false;
    return pg_ask(pg, error, "SELECT to_regclass('apis') IS NOT NULL", &exists) &&
           (!exists || pg_ask(pg, error, "SELECT EXISTS (SELECT 1 FROM apis)", &state->has_apis));
}

/* 0.14 is a database that has every migration of the list; the first missing one is named. */
static bool decide_legacy(struct pg *pg, struct state *state, struct error *error)
{
    PGresult *result = pg_query(pg, error, "SELECT id, unnest(migrations)::text FROM schema_migrations");
    if (result == NULL)
        return false;
    state->stage = STAGE_LEGACY_014;
    state->version = "0.14";
    for (size_t i = 0; i < legacy_migration_count && state->stage == STAGE_LEGACY_014; i++) {
        const struct legacy_migration *wanted = &legacy_migrations[i];
        bool found = false;
        for (int row = 0; row < PQntuples(result) && !found; row++)
            found = strcmp(PQgetvalue(result, row, 0), wanted->component) == 0 && strcmp(PQgetvalue(result, row, 1), wanted->name) == 0;
        if (found)
            continue;
        state->stage = STAGE_TOO_OLD;
        state->version = NULL;
        state->reason = mem_printf("the database is older than Kong 0.14: migration %s of %s is missing; run `kong migrations up` of Kong 0.14.1 with the bundled plugins first",
                                   wanted->name, wanted->component);
    }
    PQclear(result);
    for (size_t i = 0; i < state->subsystem_count; i++)
        find_new(&state->subsystems[i]);
    return find_apis(pg, state, error);
}

static void decide_without_kong(struct pg *pg, const struct survey *survey, struct state *state)
{
    state->stage = survey->has_tables ? STAGE_FOREIGN : STAGE_EMPTY;
    if (survey->elsewhere != NULL)
        state->reason = mem_printf("schema %s has no Kong tables, but schema %s has: set pg_schema = %s in kong.conf",
                                   pg_schema(pg), survey->elsewhere, survey->elsewhere);
    else if (survey->has_tables)
        state->reason = mem_printf("schema %s has tables, but none of Kong's bookkeeping: this is not a Kong database; check pg_database and pg_schema in kong.conf",
                                   pg_schema(pg));
    for (size_t i = 0; i < state->subsystem_count; i++)
        find_new(&state->subsystems[i]);
}

static bool decide(struct pg *pg, const struct survey *survey, struct state *state, struct error *error)
{
    state->from_014 = survey->has_legacy;
    state->schema_missing = survey->schema_missing;
    if (survey->has_meta && !read_meta(pg, state, error))
        return false;
    /* Core's first record marks the end of the beginning: until then an interrupted run has left the bookkeeping at most. */
    bool begun = survey->has_meta && (state->subsystems[0].executed.count > 0 || state->subsystems[0].pending.count > 0);
    if (begun)
        decide_from_meta(state);
    else if (survey->has_legacy)
        return decide_legacy(pg, state, error);
    else if (survey->has_meta) {
        state->stage = STAGE_EMPTY;
        for (size_t i = 0; i < state->subsystem_count; i++)
            find_new(&state->subsystems[i]);
    } else
        decide_without_kong(pg, survey, state);
    return true;
}

bool state_read(struct pg *pg, const char *const *plugins, size_t plugin_count, struct state *state, struct error *error)
{
    struct survey survey = {0};
    *state = (struct state){0};
    state->host = mem_dup(pg_host(pg));
    state->port = pg_port(pg);
    state->database = mem_dup(pg_database(pg));
    state->schema = mem_dup(pg_schema(pg));
    state->server_version = mem_dup(pg_server_version_text(pg));
    state->server_version_number = pg_server_version(pg);
    add_loaded_subsystems(state, plugins, plugin_count);
    bool read = survey_read(pg, &survey, error) && decide(pg, &survey, state, error) && lock_read(pg, &state->lock, error);
    free(survey.elsewhere);
    if (read)
        find_unrecorded(state, plugins, plugin_count);
    if (!read)
        state_free(state);
    return read;
}

int state_exit_code(const struct state *state)
{
    static const int codes[] = {
        [STAGE_EMPTY] = 3, [STAGE_TOO_OLD] = 2, [STAGE_LEGACY_014] = 5, [STAGE_UPGRADABLE] = 5,
        [STAGE_PENDING] = 4, [STAGE_CURRENT] = 0, [STAGE_AHEAD] = 8, [STAGE_FOREIGN] = 8,
    };
    return codes[state->stage];
}

json_t *state_json(const struct state *state)
{
    json_t *subsystems_json = json_array();
    for (size_t i = 0; i < state->subsystem_count; i++) {
        const struct subsystem_state *each = &state->subsystems[i];
        json_array_append_new(subsystems_json, json_pack("{s:s, s:o, s:o, s:o, s:o}", "name", each->subsystem->name,
            "executed", json_names(&each->executed), "pending", json_names(&each->pending),
            "new", json_names(&each->new), "missing", json_names(&each->missing)));
    }
    json_t *customs = json_array(), *unknown = json_array();
    for (size_t i = 0; i < state->custom_count; i++) {
        const struct custom_state *each = &state->customs[i];
        json_array_append_new(unknown, json_text(each->name));
        json_array_append_new(customs, json_pack("{s:o, s:o, s:o}", "name", json_text(each->name), "executed", json_names(&each->executed),
            "pending", json_names(&each->pending)));
    }
    json_t *lock = json_null();
    if (state->lock.held)
        lock = json_pack("{s:o, s:o, s:b, s:o, s:o}", "owner", json_text(state->lock.owner), "expires", json_text(state->lock.expires),
            "worker_alive", state->lock.worker_alive, "address", json_text(state->lock.address), "since", json_text(state->lock.since));
    return json_pack("{s:{s:o, s:i, s:o, s:o, s:o}, s:s, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:n}",
        "database", "host", json_text(state->host), "port", state->port, "name", json_text(state->database),
        "schema", json_text(state->schema), "server_version", json_text(state->server_version),
        "stage", stage_name(state->stage), "version", json_text(state->version), "target", "1.3",
        "reason", json_text(state->reason), "subsystems", subsystems_json, "unknown_subsystems", unknown, "custom", customs,
        "lock", lock, "worker");
}
