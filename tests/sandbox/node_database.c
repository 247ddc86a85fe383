/* The node and its database: may it start there, and the poll by which the database knows it. */
#include "tests/sandbox/fake_node.h"

#include "core/migrations/legacy.h"
#include "core/migrations/subsystems.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool run(PGconn *connection, const char *sql, int count, const char *const *values, bool *answer)
{
    PGresult *result = PQexecParams(connection, sql, count, NULL, values, NULL, NULL, 0);
    ExecStatusType status = PQresultStatus(result);
    if (answer != NULL)
        *answer = status == PGRES_TUPLES_OK && PQntuples(result) > 0 && strcmp(PQgetvalue(result, 0, 0), "t") == 0;
    PQclear(result);
    return status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;
}

/* 0.14's driver gives no application_name, later ones give the driver's name. */
PGconn *fake_database_connect(const struct fake_node *node, bool loud)
{
    const struct datastore *pg = &node->conf.pg;
    char port[16];
    snprintf(port, sizeof port, "%d", pg->port);
    const char *const keywords[] = {"host", "port", "dbname", "user", "password", "application_name", "sslmode", "connect_timeout", NULL};
    const char *const values[] = {pg->host, port, pg->database, pg->user, pg->password, node->minor < 0 ? "" : "pgmoon",
                                  pg->ssl ? "require" : "disable", "5", NULL};
    PGconn *connection = PQconnectdbParams(keywords, values, 0);
    bool good = PQstatus(connection) == CONNECTION_OK && run(connection, "SET TIME ZONE 'UTC'", 0, NULL, NULL);
    if (good && pg->schema != NULL)
        good = run(connection, "SELECT set_config('search_path', quote_ident($1), false)", 1, (const char *const *)&pg->schema, NULL);
    if (good)
        return connection;
    if (loud)
        fprintf(stderr, "Error: [PostgreSQL error] failed to retrieve server_version_num: %s", PQerrorMessage(connection));
    PQfinish(connection);
    return NULL;
}

static bool refuse(const char *message)
{
    fprintf(stderr, "Error: %s\n", message);
    return false;
}

static bool has_table(PGconn *connection, const char *table)
{
    bool there = false;
    run(connection, "SELECT to_regclass($1) IS NOT NULL", 1, &table, &there);
    return there;
}

static bool check_legacy(PGconn *connection)
{
    static const char message[] = "the current database schema does not match this version of Kong. Please run `kong migrations up` to update it";
    if (!has_table(connection, "schema_migrations"))
        return refuse(message);
    for (size_t i = 0; i < legacy_migration_count; i++) {
        const char *values[] = {legacy_migrations[i].component, legacy_migrations[i].name};
        bool recorded = false;
        run(connection, "SELECT true FROM schema_migrations WHERE id = $1 AND $2 = ANY (migrations)", 2, values, &recorded);
        if (!recorded)
            return refuse(message);
    }
    return true;
}

static bool loads(const struct fake_node *node, const char *plugin)
{
    if (strcmp(plugin, "session") == 0 && node->minor < 3)
        return false;
    if (strcmp(plugin, "galileo") == 0 && node->minor < 0)
        return true;
    return names_have(&node->conf.plugins, plugin);
}

/* A binary looks for the migrations that it knows itself; what else is recorded does not bother it. */
static bool check_migrations(const struct fake_node *node, PGconn *connection)
{
    bool pending = false;
    if (!has_table(connection, "schema_meta"))
        return refuse("Database needs bootstrapping or is older than Kong 1.0; run 'kong migrations bootstrap'");
    for (size_t s = 0; subsystems[s] != NULL; s++) {
        const struct subsystem *subsystem = subsystems[s];
        for (size_t m = 0; m < subsystem->migration_count; m++) {
            const char *values[] = {subsystem->name, subsystem->migrations[m].name};
            bool recorded = false, waits = false, plugin = strcmp(subsystem->name, "core") != 0;
            if ((int)subsystem->migrations[m].since > KONG_1_0 + node->minor || (plugin && !loads(node, subsystem->name)))
                continue;
            run(connection, "SELECT $2 = ANY (coalesce(executed, '{}') || coalesce(pending, '{}')) FROM schema_meta"
                            " WHERE key = 'schema_meta' AND subsystem = $1", 2, values, &recorded);
            run(connection, "SELECT $2 = ANY (coalesce(pending, '{}')) FROM schema_meta WHERE key = 'schema_meta' AND subsystem = $1", 2,
                values, &waits);
            if (!recorded)
                return refuse("New migrations available; run 'kong migrations up' to proceed");
            pending = pending || waits;
        }
    }
    if (pending)
        fprintf(stderr, "Warning: database has pending migrations; run 'kong migrations finish' when the old nodes are gone\n");
    return true;
}

static bool check_plugins(const struct fake_node *node, PGconn *connection)
{
    PGresult *rows = PQexec(connection, "SELECT DISTINCT name FROM plugins ORDER BY 1");
    bool good = PQresultStatus(rows) == PGRES_TUPLES_OK;
    for (int row = 0; row < PQntuples(rows) && good; row++) {
        good = loads(node, PQgetvalue(rows, row, 0));
        if (!good)
            fprintf(stderr, "Error: %s plugin is in use but not enabled\n", PQgetvalue(rows, row, 0));
    }
    PQclear(rows);
    return good;
}

bool fake_database_check(const struct fake_node *node)
{
    PGconn *connection = fake_database_connect(node, true);
    if (connection == NULL)
        return false;
    bool good = node->minor < 0 ? check_legacy(connection) : check_migrations(node, connection);
    good = good && check_plugins(node, connection);
    PQfinish(connection);
    return good;
}

static void *poll_for_ever(void *context)
{
    static const char sql[] = "SELECT id, node_id, channel, data, EXTRACT(EPOCH FROM at) AS at, EXTRACT(EPOCH FROM nbf) AS nbf\n"
                              "  FROM cluster_events WHERE channel IN ('balancer:post_health', 'balancer:targets', 'balancer:upstreams',"
                              " 'invalidations') AND at > now() - interval '5 s' AND at <= now()";
    const struct fake_node *node = context;
    PGconn *connection = NULL;
    for (;;) {
        if (connection == NULL)
            connection = fake_database_connect(node, false);
        if (connection != NULL) {
            PQclear(PQexec(connection, sql));
            if (PQstatus(connection) != CONNECTION_OK) {
                PQfinish(connection);
                connection = NULL;
            }
        }
        usleep((useconds_t)node->poll_ms * 1000);
    }
    return NULL;
}

void fake_database_poll(struct fake_node *node)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, poll_for_ever, node) == 0)
        pthread_detach(thread);
}
