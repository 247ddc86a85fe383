/*
 * The way from 0.14: what a database must have to be taken for one, each migration of its components missing in turn; and an upgrade from
 * there to 1.2 that was never finished, as Kong 1.2's own `migrations up` leaves it. Arguments: as every test of the database's, and the
 * stand-in for a node.
 */
#include "tests/db/harness.h"

#include "core/migrations/legacy.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DUMP "kong-0.14.1-data.sql"

static const char *fake_node;

static int setup(void **state)
{
    if (harness_setup(state) != 0)
        return -1;
    db_create("base", NULL);
    if (harness_have(DUMP))
        db_load("base", harness_reference(DUMP));
    return 0;
}

static void run_well(const char *database, const char *line)
{
    struct result result = kong(database, line);
    expect_exit(&result, 0);
}

static void refused(const char *database, const char *line, int exit_code, const char *part)
{
    char *catalog = db_catalog(database), *rows = db_rows(database);
    struct result result = kong(database, line);
    expect_exit(&result, exit_code);
    expect_part(result.err, part);
    assert_string_equal(catalog, db_catalog(database));
    assert_string_equal(rows, db_rows(database));
}

/* The trap: a cluster with a short list of plugins never recorded the others' migrations. */
static void expect_older(const char *component, const char *name)
{
    const char *missing = text_printf("migration %s of %s is missing", name, component);
    refused("missing", "up", 2, missing);
    struct result status = kong("missing", "status");
    expect_exit(&status, 2);
    expect_part(status.out, missing);
    expect_part(status.out, "run `kong migrations up` of Kong 0.14.1 with the bundled plugins first");
}

static void test_each_component_missing(void **state)
{
    (void)state;
    if (!harness_have(DUMP))
        skip();
    db_create("missing", "base");
    size_t components = 0;
    for (size_t i = 0; i < legacy_migration_count; i++) {
        const struct legacy_migration *each = &legacy_migrations[i];
        if (i > 0 && strcmp(each->component, legacy_migrations[i - 1].component) == 0)
            continue;
        db_run("missing", text_printf("UPDATE schema_migrations SET id = 'kept' WHERE id = '%s'", each->component));
        expect_older(each->component, each->name);
        db_run("missing", text_printf("UPDATE schema_migrations SET id = '%s' WHERE id = 'kept'", each->component));
        components++;
    }
    assert_int_equal(components, 17);   /* core and 16 plugins */
    struct result status = kong("missing", "status");
    expect_exit(&status, 5);
    db_drop("missing");
}

/* Every single one is asked for; that one is named. */
static void test_each_migration_missing(void **state)
{
    (void)state;
    if (!harness_have(DUMP))
        skip();
    db_create("single", "base");
    char *whole = db_ask("single", "SELECT md5(string_agg(s::text, ',' ORDER BY id)) FROM schema_migrations s");
    for (size_t i = 0; i < legacy_migration_count; i++) {
        const struct legacy_migration *each = &legacy_migrations[i];
        db_run("single", text_printf("UPDATE schema_migrations SET migrations = array_replace(migrations, '%s', 'x') WHERE id = '%s'", each->name, each->component));
        struct result status = kong("single", "status");
        expect_exit(&status, 2);
        expect_part(status.out, text_printf("migration %s of %s is missing", each->name, each->component));
        db_run("single", text_printf("UPDATE schema_migrations SET migrations = array_replace(migrations, 'x', '%s') WHERE id = '%s'", each->name, each->component));
    }
    assert_string_equal(whole, db_ask("single", "SELECT md5(string_agg(s::text, ',' ORDER BY id)) FROM schema_migrations s"));
    db_drop("single");
}

/* An earlier upgrade. */

static struct process start_node(const char *version, int *port)
{
    const char *const arguments[] = {fake_node, "--version", version, "--no-database", NULL};
    struct process node = program_start(arguments, NULL, NULL);
    const char *ready = NULL;
    for (int i = 0; i < 200 && ready == NULL; i++) {
        char *out = text_file(node.out_path);
        ready = out != NULL ? strstr(out, "ready admin=") : NULL;
        if (ready == NULL)
            pause_ms(50);
    }
    assert_non_null(ready);
    *port = atoi(ready + strlen("ready admin="));
    return node;
}

static void stop_node(const struct process *node)
{
    kill(node->pid, SIGTERM);
    kong_wait(node);
}

static const char *fleet_of(int port)
{
    const char *file = text_printf("%s/fleet.ini", harness.folder);
    text_save(file, text_printf("[old]\nnode = old-1 http://127.0.0.1:%d\n", port));
    return file;
}

/* Without 1.3's own: as Kong 1.2 would have done. */
static void make_unfinished(const char *database)
{
    static const char *const of_1_3[] = {"core/005_120_to_130", "session/000_base_session", NULL};
    db_create(database, "base");
    db_kongs_own(database, "up", of_1_3);
}

static void test_an_upgrade_from_014_never_finished(void **state)
{
    (void)state;
    int port;
    if (!harness_have(DUMP))
        skip();
    make_unfinished("unfinished");
    refused("unfinished", "up", 4, "no 0.14 node can start after it");
    struct process node = start_node("0.14.1", &port);
    const char *finish = text_printf("-f %s finish --confirm unfinished", fleet_of(port));
    refused("unfinished", finish, 7, "old node old-1 of Kong 0.14.1 still answers");
    stop_node(&node);
    node = start_node("1.2.3", &port);   /* the cluster that serves it */
    finish = text_printf("-f %s finish --confirm unfinished", fleet_of(port));
    struct result result = kong("unfinished", finish);
    expect_exit(&result, 0);
    expect_part(result.out, "the earlier upgrade is finished; go on with `up`");
    struct result status = kong("unfinished", "status --json");
    expect_exit(&status, 5);
    expect_part(status.out, "\"version\": \"1.2\"");
    run_well("unfinished", "up");
    refused("unfinished", finish, 7, "old node old-1 still answers");   /* from now on it is the old cluster */
    stop_node(&node);
    run_well("unfinished", finish);
    db_create("straight", "base");
    run_well("straight", "up");
    run_well("straight", "finish --confirm straight");
    const char *listing = harness_reference("catalog.sql");   /* without functions' bodies: Kong's are as good as ours */
    char *difference = text_difference(db_psql("straight", listing), db_psql("unfinished", listing));
    if (difference[0] != '\0')
        fail_msg("- straight, + finished twice:\n%s", difference);
    db_drop("straight");
    db_drop("unfinished");
}

/* A plugin that was loaded on 1.2 and whose `kong migrations up` alone was run: no node is in the way of finishing that. */
static void test_plugins_never_finished(void **state)
{
    (void)state;
    int port;
    db_create("plugins", NULL);
    run_well("plugins", "KONG_PLUGINS=acl,jwt bootstrap --to 1.2");
    run_well("plugins", "KONG_PLUGINS=acl,jwt,oauth2 up");
    db_run("plugins", "UPDATE schema_meta SET pending = '{}' WHERE subsystem = 'core'");   /* but for 1.3's own */
    db_run("plugins", "ALTER TABLE upstreams DROP algorithm; ALTER TABLE routes DROP headers; ALTER TABLE services DROP client_certificate_id; DROP TABLE ca_certificates");
    refused("plugins", "KONG_PLUGINS=acl,jwt,oauth2 up", 4, "1.0 to 1.2 nodes work on");
    struct process node = start_node("1.2.3", &port);
    struct result result = kong("plugins", text_printf("KONG_PLUGINS=acl,jwt,oauth2 -f %s finish --confirm plugins", fleet_of(port)));
    expect_exit(&result, 0);
    stop_node(&node);
    run_well("plugins", "up");
    run_well("plugins", "finish --confirm plugins");
    db_drop("plugins");
}

/* A 0.14 node as the database sees it, with no Admin API that anyone named. */
static PGconn *poll_as_014(const char *database)
{
    PGconn *kong_node = db_connect("kong", database);
    PQclear(PQexec(kong_node, "SET application_name = ''"));
    PQclear(PQexec(kong_node, "SELECT id, node_id FROM cluster_events WHERE channel IN ('invalidations')"));
    return kong_node;
}

static void stop_polling(const char *database, PGconn *kong_node)
{
    PQfinish(kong_node);
    await_true(database, "SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
                         " AND query LIKE '%cluster_events%'");
}

/* Without a screen the gate of step 5 is the same: what is not in [old] may be an old node, too. */
static void test_old_nodes_that_are_not_in_old(void **state)
{
    (void)state;
    int port;
    db_create("kong", NULL);
    run_well("kong", "bootstrap --to 1.2");
    run_well("kong", "up");
    const char *file = text_printf("%s/fleet.ini", harness.folder);
    struct process node = start_node("1.2.3", &port);
    text_save(file, text_printf("[new]\nnode = new-1 http://127.0.0.1:%d\n", port));
    const char *finish = text_printf("-f %s finish --confirm kong", file);
    refused("kong", finish, 7, "new node new-1 runs Kong 1.2.3, not 1.3: stop it");
    stop_node(&node);

    PGconn *silent = poll_as_014("kong");
    refused("kong", finish, 7, "At least 1 Kong 0.14 node still works on this database");
    stop_polling("kong", silent);

    text_save(file, "[new]\nnode = new-1 http://127.0.0.1:1\n");   /* which need not answer */
    run_well("kong", finish);
    db_drop("kong");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_component_missing),
        cmocka_unit_test(test_each_migration_missing),
        cmocka_unit_test(test_an_upgrade_from_014_never_finished),
        cmocka_unit_test(test_plugins_never_finished),
        cmocka_unit_test(test_old_nodes_that_are_not_in_old),
    };
    fake_node = argc == 5 ? argv[4] : "";
    return harness_arguments(argc - 1, argv) ? cmocka_run_group_tests(tests, setup, harness_teardown) : 64;
}
