#include "tests/db/rollback_fixture.h"

#include <stdio.h>
#include <string.h>

bool rollback_all;

bool rollback_arguments(int argc, char **argv)
{
    rollback_all = argc == 5 && strcmp(argv[4], "--all") == 0;
    return harness_arguments(rollback_all ? argc - 1 : argc, argv);
}

static bool begins(const char *line, const char *word)
{
    return strncmp(line, word, strlen(word)) == 0;
}

/* A line that begins otherwise is a body's. */
char *rollback_schema(const char *database)
{
    static const char *const kinds[] = {"column ", "index ", "constraint ", "trigger ", "function "};
    char *catalog = db_catalog(database), *out = text_printf("%s\n", catalog), *end = out, *rest;
    for (char *line = strtok_r(catalog, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
        for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
            if (begins(line, kinds[i]))
                end += sprintf(end, "%.*s\n", (int)(begins(line, "function ") ? strcspn(line, ")") + 1 : strlen(line)), line);
    *end = '\0';
    return out;
}

void rollback_expect_same(const char *what, const char *before, const char *after)
{
    char *difference = text_difference(before, after);
    if (difference[0] != '\0')
        fail_msg("%s (- before, + after):\n%.6000s", what, difference);
}

const char rollback_documented[] =
    "UPDATE consumers SET created_at = date_trunc('second', created_at); UPDATE plugins SET created_at = date_trunc('second', created_at);"
    "UPDATE upstreams SET created_at = date_trunc('second', created_at); UPDATE targets SET created_at = date_trunc('milliseconds', created_at)";

const struct rollback_start rollback_starts[ROLLBACK_STARTS] = {
    {"0.14", "kong-0.14.1-data.sql"}, {"1.0", "kong-1.0.4-data.sql"}, {"1.1", NULL}, {"1.2", "kong-1.2.3-data.sql"}, {"1.2", NULL},
};

const char rollback_data[] =
    "INSERT INTO services (id, name, host, port, protocol) VALUES ('" ROLLBACK_ID "1', 'a', 'example.com', 80, 'http');"
    "INSERT INTO routes (id, name, service_id, paths, tags) VALUES ('" ROLLBACK_ID "2', 'r', '" ROLLBACK_ID "1', '{/a}', '{one,two}');"
    "INSERT INTO consumers (id, username, created_at) VALUES ('" ROLLBACK_ID "3', 'joe', '2019-01-01 00:00:00.5Z');"
    "INSERT INTO plugins (id, name, config, enabled, created_at) VALUES ('" ROLLBACK_ID "4', 'acl', '{\"whitelist\": [\"x\"]}', true, '2019-01-01 00:00:00Z');"
    "INSERT INTO acls (id, consumer_id, \"group\") VALUES ('" ROLLBACK_ID "5', '" ROLLBACK_ID "3', 'x');"
    "INSERT INTO upstreams (id, name, slots, healthchecks, hash_on) VALUES ('" ROLLBACK_ID "6', 'u', 10, '{\"active\": {\"concurrency\": 1}}', 'none');"
    "INSERT INTO targets (id, upstream_id, target, weight) VALUES ('" ROLLBACK_ID "7', '" ROLLBACK_ID "6', '10.0.0.1:80', 1)";

bool rollback_begin(const char *database, const struct rollback_start *start)
{
    if (start->dump != NULL && !harness_have(start->dump))
        return false;
    db_create(database, NULL);
    if (start->dump != NULL) {
        db_load(database, harness_reference(start->dump));
    } else {
        struct result result = kong(database, text_printf("bootstrap --to %s", start->version));
        expect_exit(&result, 0);
        db_run(database, rollback_data);
    }
    return true;
}

void rollback_run_well(const char *database, const char *line)
{
    struct result result = kong(database, line);
    expect_exit(&result, 0);
}

char *rollback_rows(const char *database, const char *version)
{
    if (strcmp(version, "1.0") > 0)
        return db_rows(database);
    char *copy = text_printf("%s-documented", database);
    db_create(copy, database);
    db_run(copy, rollback_documented);
    char *rows = db_rows(copy);
    db_drop(copy);
    return rows;
}
