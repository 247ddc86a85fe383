/* Routes from `routes`, whichever of its columns are there. */
#include "core/base/ascii.h"
#include "core/base/buf.h"
#include "core/base/mem.h"
#include "core/db/pg.h"
#include "core/router/route.h"

#include <stdlib.h>
#include <string.h>

enum column { ID, NAME, SERVICE, PROTOCOLS, METHODS, HOSTS, PATHS, SNIS, SOURCES, DESTINATIONS, HEADERS, PRIORITY, CREATED_AT, COLUMNS };

static const struct {
    const char *name;         /* in the table: where it is missing the value is NULL */
    const char *expression;
} columns[COLUMNS] = {
    [ID] = {"id", "r.id"},
    [NAME] = {"name", "r.name"},
    [SERVICE] = {"service_id", "coalesce(s.name, r.service_id::text)"},
    [PROTOCOLS] = {"protocols", "r.protocols"},
    [METHODS] = {"methods", "r.methods"},
    [HOSTS] = {"hosts", "r.hosts"},
    [PATHS] = {"paths", "r.paths"},
    [SNIS] = {"snis", "r.snis"},
    [SOURCES] = {"sources", "to_json(r.sources)"},
    [DESTINATIONS] = {"destinations", "to_json(r.destinations)"},
    [HEADERS] = {"headers", "r.headers"},
    [PRIORITY] = {"regex_priority", "r.regex_priority"},
    [CREATED_AT] = {"created_at", "(extract(epoch FROM r.created_at) * 1000000)::bigint"},
};

/* An array as PostgreSQL writes it: {a,"b c",NULL}. */
static void read_array(const char *text, struct names *names, bool upper)
{
    struct buf value = {0};
    for (const char *c = text[0] == '{' ? text + 1 : text; *c != '\0' && *c != '}';) {
        bool quoted = *c == '"';
        buf_clear(&value);
        for (c += quoted ? 1 : 0; *c != '\0' && (quoted ? *c != '"' : *c != ',' && *c != '}'); c++) {
            c += *c == '\\' && c[1] != '\0' ? 1 : 0;
            char letter = upper ? ascii_upper(*c) : *c;
            buf_add_bytes(&value, &letter, 1);
        }
        c += quoted && *c == '"' ? 1 : 0;
        c += *c == ',' ? 1 : 0;
        if (quoted || strcmp(buf_text(&value), "NULL") != 0)
            names_add(names, buf_text(&value));
    }
    buf_free(&value);
}

static const char *cell(const PGresult *result, int row, enum column column)
{
    return PQgetisnull(result, row, (int)column) ? NULL : PQgetvalue(result, row, (int)column);
}

static void read_texts(const PGresult *result, int row, enum column column, struct names *names)
{
    const char *text = cell(result, row, column);
    if (text != NULL)
        read_array(text, names, column == METHODS);
}

static json_t *read_json(const PGresult *result, int row, enum column column)
{
    const char *text = cell(result, row, column);
    return text != NULL ? json_loads(text, JSON_DECODE_ANY, NULL) : json_null();
}

static bool read_documents(const PGresult *result, int row, struct route *route)
{
    json_t *sources = read_json(result, row, SOURCES), *destinations = read_json(result, row, DESTINATIONS);
    json_t *headers = read_json(result, row, HEADERS);
    bool read = sources != NULL && destinations != NULL && headers != NULL && route_set_ends(&route->sources, sources) &&
        route_set_ends(&route->destinations, destinations) && route_set_headers(route, headers);
    json_decref(sources);
    json_decref(destinations);
    json_decref(headers);
    return read;
}

static bool read_row(const PGresult *result, int row, struct route *route, struct error *error)
{
    const char *priority = cell(result, row, PRIORITY), *created_at = cell(result, row, CREATED_AT), *id = cell(result, row, ID);
    route->id = mem_dup(id != NULL ? id : "");
    route->name = mem_dup(cell(result, row, NAME));
    route->service = mem_dup(cell(result, row, SERVICE));
    read_texts(result, row, PROTOCOLS, &route->protocols);
    read_texts(result, row, METHODS, &route->methods);
    read_texts(result, row, HOSTS, &route->hosts);
    read_texts(result, row, PATHS, &route->paths);
    read_texts(result, row, SNIS, &route->snis);
    route->hosts_null = cell(result, row, HOSTS) == NULL;
    route->bare = route->hosts_null && cell(result, row, PATHS) == NULL && cell(result, row, METHODS) == NULL &&
        cell(result, row, SNIS) == NULL && cell(result, row, SOURCES) == NULL && cell(result, row, DESTINATIONS) == NULL;
    route->regex_priority = priority != NULL ? strtod(priority, NULL) : 0;
    route->created_at = created_at != NULL ? strtoll(created_at, NULL, 10) : 0;
    if (!read_documents(result, row, route))
        return error_set(error, ERROR_SQL, "route %s has headers, sources or destinations that Kong can't read; mend or delete it", route->id);
    return true;
}

static bool have_column(const PGresult *names, const char *name)
{
    for (int i = 0; i < PQntuples(names); i++)
        if (strcmp(PQgetvalue(names, i, 0), name) == 0)
            return true;
    return false;
}

static char *select_sql(const PGresult *names)
{
    struct buf sql = {0};
    for (size_t i = 0; i < COLUMNS; i++)
        buf_addf(&sql, "%s%s", i == 0 ? "SELECT " : ", ", have_column(names, columns[i].name) ? columns[i].expression : "NULL");
    buf_addf(&sql, " FROM routes r%s ORDER BY r.id", have_column(names, "service_id") ? " LEFT JOIN services s ON s.id = r.service_id" : "");
    return buf_take(&sql);
}

/* In the connection's transaction. */
static PGresult *select_rows(struct pg *pg, struct error *error)
{
    /* Bytes as they are stored: what Kong, which asks for no encoding, compares with a request's. */
    if (!pg_run(pg, error, "BEGIN TRANSACTION READ ONLY; SET LOCAL client_encoding TO 'SQL_ASCII'"))
        return NULL;
    PGresult *names = pg_query(pg, error, "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass('routes') AND attnum > 0"
                                          " AND NOT attisdropped");
    if (names == NULL)
        return NULL;
    PGresult *rows = NULL;
    char *sql = select_sql(names);
    if (PQntuples(names) == 0)
        error_set(error, ERROR_REFUSED, "%s has no table routes in schema %s; check pg_database and pg_schema in kong.conf", pg_where(pg),
                  pg_schema(pg));
    else
        rows = pg_query(pg, error, sql);
    free(sql);
    PQclear(names);
    return rows;
}

bool routes_load(struct pg *pg, struct routes *routes, struct error *error)
{
    *routes = (struct routes){0};
    PGresult *rows = select_rows(pg, error);
    pg_rollback(pg);
    if (rows == NULL)
        return false;
    bool read = true;
    routes->list = mem_zero((size_t)PQntuples(rows) + 1, sizeof *routes->list);
    for (int i = 0; read && i < PQntuples(rows); i++) {
        routes->count++;
        read = read_row(rows, i, &routes->list[i], error);
    }
    PQclear(rows);
    return read;
}
