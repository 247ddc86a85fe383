#include "core/cluster/api_guard.h"

#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/db/pg.h"

#include <stdlib.h>
#include <string.h>
#include <uuid/uuid.h>

static const struct api_guard_kind kinds[] = {
    {"routes.headers", "routes that match by headers",
     "1.0 to 1.2 ignore the headers: there such a route matches every request that fits the rest of it.",
     "routes", "headers", "coalesce(name, id::text) FROM routes WHERE headers IS NOT NULL AND headers <> 'null' AND headers <> '{}'"},
    {"upstreams.algorithm", "upstreams with an algorithm of their own",
     "Old nodes balance them by hash_on alone, as before.",
     "upstreams", "algorithm", "coalesce(name, id::text) FROM upstreams WHERE algorithm <> ''"},
    {"services.client_certificate_id", "services with a client certificate",
     "Old nodes show no certificate to these services, which may refuse them.",
     "services", "client_certificate_id", "coalesce(name, id::text) FROM services WHERE client_certificate_id IS NOT NULL"},
    {"ca_certificates", "CA certificates",
     "Old nodes know no such entity; nothing of theirs depends on it.",
     "ca_certificates", "id", "id::text FROM ca_certificates"},
    {"plugins.session", "session plugins",
     "Nodes that don't load the plugin refuse to start: an old node could not be restarted.",
     "plugins", "name", "coalesce(route_id::text, service_id::text, consumer_id::text, 'global') FROM plugins WHERE name = 'session'"},
};

#define KINDS (sizeof kinds / sizeof kinds[0])

void api_guard_free(struct api_guard *guard)
{
    for (size_t i = 0; i < guard->write_count; i++) {
        free(guard->writes[i].node_id);
        free(guard->writes[i].channel);
        free(guard->writes[i].entity);
        free(guard->writes[i].at);
    }
    for (size_t i = 0; i < guard->row_count; i++)
        names_free(&guard->rows[i].examples);
    free(guard->rows);
    *guard = (struct api_guard){0};
}

bool api_guard_is_quiet(const struct api_guard *guard)
{
    return guard->write_count == 0 && guard->row_count == 0;
}

/* What Kong puts there begins with the entity's name: "oauth2_tokens:…". */
static bool is_by_plugin(const char *entity)
{
    return strncmp(entity, "oauth2_", 7) == 0 || strncmp(entity, "sessions:", 9) == 0;
}

/* What follows the entity's name is mostly an id, but of credentials, tokens and sessions it is the secret itself ("keyauth_credentials:KEY"):
 * it is kept of those alone that are known to have none (and of "balancer:…", which says what was done). */
static char *without_secret(const char *entity)
{
    static const char *const open[] = {"services", "routes", "plugins", "consumers", "upstreams", "targets", "certificates", "snis", "ca_certificates",
                                       "acls", "create", "update", "delete"};
    size_t length = strcspn(entity, ":");
    for (size_t i = 0; i < sizeof open / sizeof open[0]; i++)
        if (strlen(open[i]) == length && strncmp(open[i], entity, length) == 0)
            return mem_dup(entity);
    return entity[length] == ':' ? mem_printf("%.*s:\xE2\x80\xA6", (int)length, entity) : mem_dup(entity);
}

/* "{uuid,uuid}": only what PostgreSQL will take for UUIDs, since a node may say anything. */
static char *uuid_array(const struct names *ids)
{
    struct buf array = {0};
    for (size_t i = 0; i < ids->count; i++) {
        const char *id = ids->list[i];
        uuid_t parsed;
        if (strlen(id) == UUID_STR_LEN - 1 && uuid_parse(id, parsed) == 0)
            buf_addf(&array, "%s%s", array.length > 0 ? "," : "{", id);
    }
    if (array.length == 0)
        return NULL;
    buf_add(&array, "}");
    return buf_take(&array);
}

static bool read_writes(struct pg *pg, const struct names *ids, struct api_guard *guard, struct error *error)
{
    char *array = uuid_array(ids);
    if (array == NULL)
        return true;
    const char *const values[] = {array};
    PGresult *result = pg_query_params(pg, error,
        "SELECT node_id, coalesce(channel, ''), coalesce(left(data, 200), ''), to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'),"
        " greatest(least(extract(epoch FROM now() - at), 2000000000), 0)::int FROM cluster_events WHERE node_id = ANY ($1::text[]::uuid[])"
        " ORDER BY at DESC LIMIT 20", 1, values);
    free(array);
    if (result == NULL)
        return false;
    for (int row = 0; row < PQntuples(result) && guard->write_count < API_GUARD_WRITES; row++)
        guard->writes[guard->write_count++] = (struct api_guard_write){
            .node_id = mem_dup(PQgetvalue(result, row, 0)),
            .channel = mem_dup(PQgetvalue(result, row, 1)),
            .entity = without_secret(PQgetvalue(result, row, 2)),
            .at = mem_dup(PQgetvalue(result, row, 3)),
            .seconds_ago = atoi(PQgetvalue(result, row, 4)),
            .maybe_plugin = is_by_plugin(PQgetvalue(result, row, 2)),
        };
    PQclear(result);
    return true;
}

/* Which of the kinds can be asked for: before `up` none of the columns is there. */
static bool find_columns(struct pg *pg, bool there[KINDS], struct error *error)
{
    struct buf sql = {0};
    buf_add(&sql, "SELECT ");
    for (size_t i = 0; i < KINDS; i++)
        buf_addf(&sql, "%sEXISTS (SELECT 1 FROM pg_catalog.pg_attribute WHERE attrelid = to_regclass('%s') AND attname = '%s' AND NOT attisdropped)",
                 i > 0 ? ", " : "", kinds[i].table, kinds[i].column);
    PGresult *result = pg_query(pg, error, buf_text(&sql));
    buf_free(&sql);
    if (result == NULL)
        return false;
    for (size_t i = 0; i < KINDS; i++)
        there[i] = PQgetvalue(result, 0, (int)i)[0] == 't';
    PQclear(result);
    return true;
}

static bool read_kind(struct pg *pg, const struct api_guard_kind *kind, struct api_guard *guard, struct error *error)
{
    struct buf sql = {0};
    buf_addf(&sql, "SELECT count(*) OVER (), left(r.name, 200) FROM (SELECT %s) r (name) LIMIT %d", kind->rows, API_GUARD_EXAMPLES);
    PGresult *result = pg_query(pg, error, buf_text(&sql));
    buf_free(&sql);
    if (result == NULL)
        return false;
    if (PQntuples(result) > 0) {
        struct api_guard_rows rows = {.kind = kind, .count = atoll(PQgetvalue(result, 0, 0))};
        for (int row = 0; row < PQntuples(result); row++)
            names_add(&rows.examples, PQgetvalue(result, row, 1));
        guard->rows = mem_grow(guard->rows, guard->row_count + 1, sizeof *guard->rows);
        guard->rows[guard->row_count++] = rows;
    }
    PQclear(result);
    return true;
}

bool api_guard_read(struct pg *pg, const struct names *new_node_ids, struct api_guard *guard, struct error *error)
{
    bool there[KINDS] = {false};
    *guard = (struct api_guard){0};
    bool read = read_writes(pg, new_node_ids, guard, error) && find_columns(pg, there, error);
    for (size_t i = 0; read && i < KINDS; i++)
        read = !there[i] || read_kind(pg, &kinds[i], guard, error);
    if (!read)
        api_guard_free(guard);
    return read;
}

json_t *api_guard_json(const struct api_guard *guard)
{
    json_t *writes = json_array(), *rows = json_array();
    for (size_t i = 0; i < guard->write_count; i++) {
        const struct api_guard_write *each = &guard->writes[i];
        json_array_append_new(writes, json_pack("{s:o, s:o, s:o, s:o, s:b}", "node_id", json_text(each->node_id), "channel", json_text(each->channel),
                                                "entity", json_text(each->entity), "at", json_text(each->at), "maybe_plugin", each->maybe_plugin));
    }
    for (size_t i = 0; i < guard->row_count; i++)
        json_array_append_new(rows, json_pack("{s:s, s:I, s:o}", "kind", guard->rows[i].kind->id, "count", (json_int_t)guard->rows[i].count, "examples",
                                              json_names(&guard->rows[i].examples)));
    return json_pack("{s:o, s:o}", "writes", writes, "rows", rows);
}
