/*
 * `rollback`: from every release, with data, the database ends as it was before `up`, schema and rows, but for the values that `up` is
 * said to change; and then goes up again as if nothing had been. Where real Kong's data is not there, ours of a fresh release is used.
 */
#include "tests/db/harness.h"

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Bodies of functions are Kong's before, and may be ours after: they are left out, as in the reference's catalog.sql. */
static char *schema(const char *database)
{
    char *catalog = db_catalog(database), *rest, *out = text_printf("%s", "");
    for (char *line = strtok_r(catalog, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
        bool kept = strncmp(line, "function ", strlen("function ")) == 0 || strncmp(line, "column ", strlen("column ")) == 0 ||
                    strncmp(line, "index ", strlen("index ")) == 0 || strncmp(line, "constraint ", strlen("constraint ")) == 0 ||
                    strncmp(line, "trigger ", strlen("trigger ")) == 0;
        if (!kept)   /* a body's further lines */
            continue;
        size_t length = strncmp(line, "function ", strlen("function ")) == 0 ? strcspn(line, ")") + 1 : strlen(line);
        out = text_printf("%s%.*s\n", out, (int)length, line);
    }
    return out;
}

static void expect_same(const char *what, const char *before, const char *after)
{
    char *difference = text_difference(before, after);
    if (difference[0] != '\0')
        fail_msg("%s (- before, + after):\n%.6000s", what, difference);
}

/* What `up` says that it changes, and a rollback does not restore. */
static const char documented[] =
    "UPDATE consumers SET created_at = date_trunc('second', created_at); UPDATE plugins SET created_at = date_trunc('second', created_at);"
    "UPDATE upstreams SET created_at = date_trunc('second', created_at); UPDATE targets SET created_at = date_trunc('milliseconds', created_at)";

struct start {
    const char *version, *dump;     /* dump NULL: a fresh database of that release, with `data` */
};

static const struct start starts[] = {
    {"0.14", "kong-0.14.1-data.sql"}, {"1.0", "kong-1.0.4-data.sql"}, {"1.1", NULL}, {"1.2", "kong-1.2.3-data.sql"}, {"1.2", NULL},
};

#define ID "00000000-0000-4000-8000-00000000000"
static const char data[] =
    "INSERT INTO services (id, name, host, port, protocol) VALUES ('" ID "1', 'a', 'example.com', 80, 'http');"
    "INSERT INTO routes (id, name, service_id, paths, tags) VALUES ('" ID "2', 'r', '" ID "1', '{/a}', '{one,two}');"
    "INSERT INTO consumers (id, username, created_at) VALUES ('" ID "3', 'joe', '2019-01-01 00:00:00.5Z');"
    "INSERT INTO plugins (id, name, config, enabled, created_at) VALUES ('" ID "4', 'acl', '{\"whitelist\": [\"x\"]}', true, '2019-01-01 00:00:00Z');"
    "INSERT INTO acls (id, consumer_id, \"group\") VALUES ('" ID "5', '" ID "3', 'x');"
    "INSERT INTO upstreams (id, name, slots, healthchecks, hash_on) VALUES ('" ID "6', 'u', 10, '{\"active\": {\"concurrency\": 1}}', 'none');"
    "INSERT INTO targets (id, upstream_id, target, weight) VALUES ('" ID "7', '" ID "6', '10.0.0.1:80', 1)";

/* What 1.3 nodes write that an older database has no place for. */
static const char new_data[] =
    "INSERT INTO ca_certificates (id, cert, tags) VALUES ('" ID "a', 'ca', '{t}');"
    "INSERT INTO sessions (id, session_id, expires, data) VALUES ('" ID "b', 'sid-secret', 1, 'data-secret');"
    "UPDATE routes SET headers = '{\"x-a\": [\"b\"]}' WHERE id = (SELECT min(id::text)::uuid FROM routes);"
    "UPDATE upstreams SET algorithm = CASE WHEN hash_on = 'none' THEN 'round-robin' ELSE 'consistent-hashing' END;"
    "UPDATE upstreams SET algorithm = 'least-connections' WHERE id = (SELECT min(id::text)::uuid FROM upstreams)";

static bool begin_at(const char *database, const struct start *start)
{
    if (start->dump != NULL && !harness_have(start->dump))
        return false;
    db_create(database, NULL);
    if (start->dump != NULL) {
        db_load(database, harness_reference(start->dump));
    } else {
        struct result result = kong(database, text_printf("bootstrap --to %s", start->version));
        expect_exit(&result, 0);
        db_run(database, data);
    }
    return true;
}

static void run_well(const char *database, const char *line)
{
    struct result result = kong(database, line);
    expect_exit(&result, 0);
}

/* The rows that a rollback ends with. */
static char *documented_rows(const char *database, const char *version)
{
    if (strcmp(version, "1.0") > 0)
        return db_rows(database);
    char *copy = text_printf("%s-documented", database);
    db_create(copy, database);
    db_run(copy, documented);
    char *rows = db_rows(copy);
    db_drop(copy);
    return rows;
}

static void go_there_and_back(const struct start *start, bool with_journal)
{
    static int number;
    char *database = text_printf("back%d", number++);
    if (!begin_at(database, start))
        return;
    char *schema_before = schema(database), *rows_before = documented_rows(database, start->version), *straight = text_printf("%s-straight", database);
    db_create(straight, database);
    run_well(database, "up");
    db_run(database, new_data);
    if (!with_journal)
        db_run(database, "DELETE FROM sessions");
    char *back = text_printf("XDG_STATE_HOME=%s%s rollback --to %s", harness.state, with_journal ? "" : "-elsewhere", start->version);
    struct result result = kong(database, text_printf("%s --dry-run", back));
    expect_exit(&result, 0);
    expect_part(result.out, "nothing was changed");
    expect_part(result.out, "column routes.headers is dropped with its values: 1\n");
    expect_part(result.out, "column upstreams.algorithm is dropped with its values: 1\n");
    expect_part(result.out, "table ca_certificates is dropped with its rows: 1\n");
    if (with_journal)
        expect_part(result.out, "table sessions is dropped with its rows: 1\n");
    result = kong(database, text_printf("%s --confirm %s", back, database));
    expect_exit(&result, 0);
    expect_part(result.out, text_printf("database %s is Kong %s's again", database, start->version));
    expect_same(text_printf("schema of %s", start->version), schema_before, schema(database));
    expect_same(text_printf("rows of %s", start->version), rows_before, db_rows(database));
    result = kong(database, text_printf("%s --confirm %s", back, database));
    expect_exit(&result, 0);
    expect_part(result.out, "nothing to roll back");
    run_well(database, "up");
    run_well(database, text_printf("finish --confirm %s", database));
    run_well(straight, "up");
    run_well(straight, text_printf("finish --confirm %s", straight));
    expect_same("schema after all", schema(straight), schema(database));
    expect_same("rows after all", db_rows(straight), db_rows(database));
    db_drop(straight);
    result = kong(database, text_printf("rollback --to %s --confirm %s", start->version, database));
    expect_exit(&result, 7);
    expect_part(result.err, "is finished: nothing undoes that");
    db_drop(database);
}

static void test_from_every_release(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++)
        go_there_and_back(&starts[i], true);
}

static void test_without_a_journal(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++)
        go_there_and_back(&starts[i], false);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_from_every_release),
        cmocka_unit_test(test_without_a_journal),
    };
    return harness_arguments(argc, argv) ? cmocka_run_group_tests(tests, harness_setup, harness_teardown) : 64;
}
