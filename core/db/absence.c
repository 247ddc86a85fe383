#include "core/db/absence.h"

#include "core/base/buf.h"
#include "core/base/mem.h"
#include "core/db/pg.h"

#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MS 10000

static struct pg *connect_elsewhere(const struct datastore *datastore, struct error *error)
{
    static const char *const databases[] = {"postgres", "template1"};
    struct pg *pg = NULL;
    for (size_t i = 0; i < sizeof databases / sizeof databases[0] && pg == NULL; i++) {
        struct datastore other = *datastore;   /* borrows */
        other.database = (char *)databases[i];
        other.schema = NULL;
        error_clear(error);
        pg = pg_connect(&other, "wizard", TIMEOUT_MS, error);
    }
    return pg;
}

static void add_name(struct buf *sql, const char *name)
{
    bool plain = name[0] >= 'a' && name[0] <= 'z' && name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_")] == '\0';
    if (plain)
        buf_add(sql, name);
    else
        buf_add_identifier(sql, name);
}

static char *statement_of(const struct datastore *datastore)
{
    struct buf sql = {0};
    buf_add(&sql, "CREATE DATABASE ");
    add_name(&sql, datastore->database);
    buf_add(&sql, " OWNER ");
    add_name(&sql, datastore->user);
    buf_add(&sql, ";");
    return buf_take(&sql);
}

void absence_read(const struct datastore *datastore, struct absence *absence)
{
    struct error error = {0};
    struct pg *pg = connect_elsewhere(datastore, &error);
    const char *const values[] = {datastore->database};
    *absence = (struct absence){0};
    PGresult *result = pg == NULL ? NULL : pg_query_params(pg, &error,
        "SELECT NOT EXISTS (SELECT 1 FROM pg_catalog.pg_database WHERE datname = $1), rolcreatedb OR rolsuper FROM pg_catalog.pg_roles"
        " WHERE rolname = current_user", 1, values);
    if (PQntuples(result) == 1) {
        absence->absent = PQgetvalue(result, 0, 0)[0] == 't';
        absence->may_create = PQgetvalue(result, 0, 1)[0] == 't';
        absence->statement = statement_of(datastore);
    }
    PQclear(result);
    pg_close(pg);
    error_clear(&error);
}

bool absence_end(const struct datastore *datastore, struct error *error)
{
    struct pg *pg = connect_elsewhere(datastore, error);
    char *statement = statement_of(datastore);
    bool created = pg != NULL && pg_run(pg, error, statement);
    free(statement);
    pg_close(pg);
    return created;
}

void absence_free(struct absence *absence)
{
    free(absence->statement);
    *absence = (struct absence){0};
}
