/* Checks: rows that new nodes or `finish` could not live with. */
#include "core/checks/look.h"

#include "core/base/mem.h"

#include <stdlib.h>
#include <string.h>

/* Asks a table of Kong's only where there is a Kong. */
static bool has_table(const struct check_subject *subject, struct check_result *result, const char *table)
{
    bool there = false;
    char *sql = mem_printf("SELECT to_regclass('%s') IS NOT NULL", table);
    bool asked = look_ask(subject, result, sql, &there);
    free(sql);
    if (asked && !there)
        look_note(result, "there is no table %s", table);
    return asked && there;
}

static void add_known(struct buf *sql, const struct names *plugins)
{
    buf_add(sql, "ARRAY[");
    for (size_t i = 0; i < plugins->count; i++) {
        buf_add(sql, i > 0 ? ", " : "");
        buf_add_literal(sql, plugins->list[i]);
    }
    buf_add(sql, "]::text[]");
}

/* Fit to stand in kong.conf's comma-separated list. */
static bool is_plain_name(const char *name)
{
    return name[0] != '\0' && name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")] == '\0';
}

static bool is_gone(const char *name)
{
    return strcmp(name, "galileo") == 0;
}

/* To load the plugin on the new nodes, or else to remove its rows. */
static void add_plugin_remedies(const struct check_subject *subject, struct check_result *result, PGresult *rows)
{
    struct buf list = {0};
    const struct setting *setting = kong_conf_get(subject->conf, "plugins");
    for (int row = 0; row < PQntuples(rows); row++) {
        const char *name = PQgetvalue(rows, row, 0);
        if (!is_gone(name) && is_plain_name(name))
            buf_addf(&list, ",%s", name);
    }
    if (list.length > 0)
        look_remedy(result, "plugins = %s%s  # in the new nodes' kong.conf, where these are installed there",
                    setting != NULL && setting->value != NULL && strcmp(setting->value, "off") != 0 ? setting->value : "bundled", buf_text(&list));
    for (int row = 0; row < PQntuples(rows) && row < LOOK_ROWS; row++)
        look_remedy_delete(subject, result, "plugins", PQgetvalue(rows, row, 2));
    buf_free(&list);
}

static void look_unknown_plugins(const struct check_subject *subject, struct check_result *result)
{
    struct buf sql = {0};
    if (!look_has_state(subject, result) || !has_table(subject, result, "plugins"))
        return;
    buf_add(&sql, "SELECT left(name, 200), count(*), min(id::text), count(*) OVER () FROM plugins WHERE name <> ALL (");
    add_known(&sql, &subject->conf->plugins);
    buf_add(&sql, ") GROUP BY name ORDER BY name LIMIT 21");
    PGresult *rows = look_query(subject, result, buf_text(&sql));
    buf_free(&sql);
    if (rows == NULL)
        return;
    for (int row = 0; row < PQntuples(rows); row++) {
        const char *count = PQgetvalue(rows, row, 1);
        look_found_row(result, CHECK_WARNS, (size_t)row, (size_t)atoll(PQgetvalue(rows, 0, 3)), "%s plugin is in use (%s row%s, %s…) but not enabled%s",
                       PQgetvalue(rows, row, 0), count, look_s(atoll(count)), PQgetvalue(rows, row, 2),
                       is_gone(PQgetvalue(rows, row, 0)) ? ": Kong 1.0 and later don't have it" : "");
    }
    if (PQntuples(rows) > 0)
        add_plugin_remedies(subject, result, rows);
    else
        look_note(result, "every plugin in use is among the %zu that a new node loads", subject->conf->plugins.count);
    PQclear(rows);
}

const struct check check_unknown_plugins = {
    .id = "unknown-plugins", .title = "Plugins that new nodes don't load", .severity = CHECK_WARNS, .reach = CHECK_ROWS, .look = look_unknown_plugins,
    .why = "A node refuses to start while the plugins table holds a plugin that its `plugins` does not name. Load it on the new nodes, or remove its "
           "rows through the old cluster's Admin API (one command a row: run this check again for the next).",
    .source = "Kong issue #2896; kong/runloop/plugins, at 1.3.0 \"plugin is in use but not enabled\"",
};

static bool is_bundled(const char *name)
{
    for (const char *const *each = kong_bundled_plugins; *each != NULL; each++)
        if (strcmp(*each, name) == 0)
            return true;
    return is_gone(name);
}

/* Those that the new nodes are to load, and those that are in use. */
static bool collect_custom(const struct check_subject *subject, struct check_result *result, struct names *custom)
{
    for (size_t i = 0; i < subject->conf->plugins.count; i++)
        if (!is_bundled(subject->conf->plugins.list[i]))
            names_add(custom, subject->conf->plugins.list[i]);
    if (!has_table(subject, result, "plugins"))
        return false;
    PGresult *rows = look_query(subject, result, "SELECT DISTINCT left(name, 200) FROM plugins ORDER BY 1 LIMIT 200");
    for (int row = 0; row < PQntuples(rows); row++)
        if (!is_bundled(PQgetvalue(rows, row, 0)) && !names_have(custom, PQgetvalue(rows, row, 0)))
            names_add(custom, PQgetvalue(rows, row, 0));
    PQclear(rows);
    return rows != NULL;
}

static void look_custom_plugins(const struct check_subject *subject, struct check_result *result)
{
    struct names custom = {0};
    if (!look_has_state(subject, result))
        return;
    if (subject->state->stage != STAGE_LEGACY_014 && !subject->state->from_014) {
        look_note(result, "not from Kong 0.14: what custom plugins there are work with 1.0's interfaces already");
        return;
    }
    bool looked = collect_custom(subject, result, &custom);
    for (size_t i = 0; i < custom.count; i++)
        look_found_row(result, CHECK_WARNS, i, custom.count, "%s does not come with Kong: as it was written for 0.14, it does not work with 1.3", custom.list[i]);
    if (custom.count > 0)
        look_remedy(result, "kong start -c NEW-NODES-KONG.CONF  # on one new node, on a copy of the database that `up` has run on: with each plugin's release for Kong 1.0 or later");
    else if (looked)
        look_note(result, "no plugins but those that come with Kong");
    names_free(&custom);
}

const struct check check_custom_plugins = {
    .id = "custom-plugins", .title = "Custom plugins of 0.14", .severity = CHECK_WARNS, .reach = CHECK_ROWS, .look = look_custom_plugins,
    .why = "Kong 1.0 took the interfaces away that plugins were written to before: the DAO, the form of schemas and of migrations. A plugin that still uses "
           "them keeps a new node from starting. Make sure that each has a release for 1.0 or later, and that the new nodes have that.",
    .source = "Kong's changelog, 1.0.0; the upgrade guide from 0.14",
};

/* Only `finish` after an upgrade from 0.14 fills cache_key, by core's 001_14_to_15. */
static bool cache_key_is_to_be_filled(const struct state *state)
{
    const struct subsystem_state *core = &state->subsystems[0];
    return !names_have(&core->executed, "001_14_to_15");
}

static void look_at_plugins(const struct check_subject *subject, struct check_result *result)
{
    if (!cache_key_is_to_be_filled(subject->state) || !has_table(subject, result, "plugins"))
        return;
    PGresult *rows = look_query(subject, result,
        "SELECT left(name, 200), array_length(ids, 1), array_to_string(ids[1:5], ', '), array_to_string(ids[2:40], ''', '''), count(*) OVER () FROM"
        " (SELECT name, array_agg(id::text ORDER BY created_at, id) AS ids FROM plugins"
        "  GROUP BY name, route_id, service_id, consumer_id, api_id HAVING count(*) > 1) d ORDER BY 1, 3 LIMIT 21");
    char *schema = look_identifier(pg_schema(subject->pg));
    for (int row = 0; row < PQntuples(rows); row++) {
        look_found_row(result, CHECK_BLOCKS, (size_t)row, (size_t)atoll(PQgetvalue(rows, 0, 4)), "%s: %s plugins of the same route, service, consumer and API: %s",
                       PQgetvalue(rows, row, 0), PQgetvalue(rows, row, 1), PQgetvalue(rows, row, 2));
        if (row < LOOK_ROWS)
            look_remedy(result, "DELETE FROM %s.plugins WHERE id IN ('%s');", schema, PQgetvalue(rows, row, 3));
    }
    free(schema);
    PQclear(rows);
}

static void look_at_metrics(const struct check_subject *subject, struct check_result *result, const char *table)
{
    bool six = false;
    char *has_api = mem_printf("SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_attribute WHERE attrelid = to_regclass('%s') AND attname = 'api_id'"
                               " AND NOT attisdropped)", table);
    bool asked = look_ask(subject, result, has_api, &six);
    free(has_api);
    if (!asked || !six)
        return;
    char *sql = mem_printf("SELECT count(*), coalesce(sum(rows), 0) FROM (SELECT count(*) AS rows FROM %s"
                           " GROUP BY identifier, period, period_date, service_id, route_id HAVING count(*) > 1) d", table);
    PGresult *rows = look_query(subject, result, sql);
    free(sql);
    if (rows != NULL && atoll(PQgetvalue(rows, 0, 0)) > 0) {
        char *schema = look_identifier(pg_schema(subject->pg));
        look_found(result, CHECK_BLOCKS, "%s: %s rows differ in api_id only, %s keys among them", table, PQgetvalue(rows, 0, 1), PQgetvalue(rows, 0, 0));
        look_remedy(result, "DELETE FROM %s.%s WHERE api_id <> '00000000-0000-0000-0000-000000000000';", schema, table);
        free(schema);
    }
    PQclear(rows);
}

static void look_duplicates(const struct check_subject *subject, struct check_result *result)
{
    if (!look_has_state(subject, result))
        return;
    if (look_is_kong(subject)) {
        look_at_plugins(subject, result);
        look_at_metrics(subject, result, "ratelimiting_metrics");
        look_at_metrics(subject, result, "response_ratelimiting_metrics");
    }
    if (result->outcome == CHECK_OK)
        look_note(result, "no rows that a new unique key would refuse");
}

const struct check check_duplicates = {
    .id = "duplicates", .title = "Duplicate rows", .severity = CHECK_BLOCKS, .reach = CHECK_ROWS, .look = look_duplicates,
    .why = "Coming from 0.14, `finish` gives each plugin a unique cache_key, and `up` builds a unique key of five columns for rate limiting's counters: "
           "duplicates make them fail. The remedy keeps the oldest plugin of each kind (delete through the old Admin API instead where nodes must notice "
           "at once), and removes counters of APIs, which are gone.",
    .source = "kong/db/migrations/core/001_14_to_15.lua; 1.3.0 kong/plugins/rate-limiting/policies/cluster.lua",
};

#define WORTH_PRUNING 10000
#define COUNTED 1000000

/* Counting ends at COUNTED, so that a large table is not read through for a sentence. */
static void look_at_old_counters(const struct check_subject *subject, struct check_result *result, const char *table)
{
    static const char expired[] = "period IN ('second', 'minute', 'hour', 'day') AND period_date < now() - interval '2 days'";
    if (!has_table(subject, result, table))
        return;
    char *sql = mem_printf("SELECT count(*) FROM (SELECT 1 FROM %s WHERE %s LIMIT %d) old", table, expired, COUNTED);
    PGresult *rows = look_query(subject, result, sql);
    long long count = rows != NULL ? atoll(PQgetvalue(rows, 0, 0)) : 0;
    if (count >= WORTH_PRUNING) {
        char *schema = look_identifier(pg_schema(subject->pg));
        look_found(result, CHECK_INFORMS, "%s: %s%lld counters of days and less that have passed", table, count == COUNTED ? "more than " : "", count);
        look_remedy(result, "DELETE FROM %s.%s WHERE %s;", schema, table, expired);
        free(schema);
    }
    PQclear(rows);
    free(sql);
}

static void look_old_counters(const struct check_subject *subject, struct check_result *result)
{
    if (!look_has_state(subject, result))
        return;
    if (look_is_kong(subject) && subject->state->stage != STAGE_CURRENT) {
        look_at_old_counters(subject, result, "ratelimiting_metrics");
        look_at_old_counters(subject, result, "response_ratelimiting_metrics");
    }
    if (result->outcome == CHECK_OK)
        look_note(result, "fewer than %d counters of rate limits that are of no use any more", WORTH_PRUNING);
}

const struct check check_old_counters = {
    .id = "old-counters", .title = "Rate limits' old counters", .severity = CHECK_INFORMS, .reach = CHECK_ROWS, .look = look_old_counters,
    .why = "Counters of policy `cluster` are never removed, though nothing reads them once their second, minute, hour or day has passed. Keys and indexes are "
           "built over all of them: deleting them first makes that short.",
    .source = "Kong issue #4374; kong/plugins/rate-limiting/policies at 0.14.1 and 1.2.3",
};
