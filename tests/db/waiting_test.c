/*
 * No lock hurts: whoever is in the way of a run is waited for politely, named, and, at the deadline, left alone; whoever comes to a
 * table meanwhile is served. Two runs never meet. What can't be had (a connection, a lock) is said in a sentence.
 */
#include "tests/db/harness.h"

#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_CONNECTIONS 30
#define SERVED_WITHIN "1500"        /* ms: the longest lock_timeout of a change is 200; far more than that is a queue behind us */

/* Of an undisturbed `up`. */
static char *catalog_after_up, *rows_after_up, *meta_after_up;

static const char data[] =
    "INSERT INTO services (id, name, host, protocol, port) SELECT md5('s' || n)::uuid, 's' || n, 'h', 'http', 80 FROM generate_series(1, 3) n;"
    "INSERT INTO certificates (id, cert, key) VALUES (md5('c')::uuid, 'c', 'k');"
    "INSERT INTO consumers (id, username, created_at) SELECT md5('c' || n)::uuid, 'c' || n, '2020-01-01 00:00:00.5Z' FROM generate_series(1, 30) n;"
    "INSERT INTO upstreams (id, name, hash_on, slots, created_at) SELECT md5('u' || n)::uuid, 'u' || n, 'none', 10, '2020-01-01 00:00:00.5Z'"
    " FROM generate_series(1, 30) n";

static int setup(void **state)
{
    if (harness_setup(state) != 0)
        return -1;
    db_create("base", NULL);
    struct result result = kong("base", "bootstrap --to 1.0");
    expect_exit(&result, 0);
    db_run("base", data);
    db_create("undisturbed", "base");
    result = kong("undisturbed", "up");
    expect_exit(&result, 0);
    catalog_after_up = db_catalog("undisturbed");
    rows_after_up = db_rows("undisturbed");
    meta_after_up = db_meta("undisturbed");
    return 0;
}

static void expect_as_undisturbed(const char *database)
{
    assert_string_equal(text_difference(catalog_after_up, db_catalog(database)), "");
    assert_string_equal(text_difference(rows_after_up, db_rows(database)), "");
    assert_string_equal(meta_after_up, db_meta(database));
    assert_string_equal(db_ask(database, "SELECT count(*) FROM locks"), "0");
    db_drop(database);
}

static void run(PGconn *connection, const char *sql)
{
    PGresult *result = PQexec(connection, sql);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
        fail_msg("%s\n%s", PQerrorMessage(connection), sql);
    PQclear(result);
}

static PGconn *hold(const char *user, const char *database, const char *sql)
{
    PGconn *holder = db_connect(user, database);
    run(holder, sql);
    return holder;
}

/* Every table of `up` is held by a session of its own; in the order in which the run meets them they are let go. */

static struct holder {
    const char *sql, *shown;        /* shown: of its query, in the journal */
    bool in_the_way;                /* expected: nothing that is done to the table would have to wait for that */
    bool met;
    PGconn *connection;
} holders[] = {
    {"BEGIN; SELECT 'key-secret' FROM services LIMIT 1", "FROM services LIMIT 1", true, false, NULL},
    {"BEGIN; UPDATE routes SET name = 'key-secret' WHERE false", "UPDATE routes SET name =", true, false, NULL},
    {"BEGIN; SELECT 'key-secret' FROM certificates LIMIT 1", "FROM certificates", true, false, NULL},
    {"BEGIN; UPDATE snis SET name = 'key-secret' WHERE false", "UPDATE snis", true, false, NULL},
    {"BEGIN; SELECT 'key-secret' FROM consumers WHERE username = 'c7' FOR UPDATE", "FOR UPDATE", true, false, NULL},
    {"BEGIN; SELECT 'key-secret' FROM plugins LIMIT 1", "FROM plugins", true, false, NULL},
    {"BEGIN; UPDATE upstreams SET slots = 10 WHERE name = 'u7'", "UPDATE upstreams", true, false, NULL},
    {"BEGIN; UPDATE targets SET target = 'key-secret' WHERE false", "UPDATE targets", true, false, NULL},
    {"BEGIN; UPDATE cluster_events SET channel = 'key-secret' WHERE false", "UPDATE cluster_events", true, false, NULL},
    {"BEGIN; SELECT 'key-secret' FROM apis LIMIT 1", "FROM apis", false, false, NULL},
};

#define HOLDERS (sizeof holders / sizeof holders[0])

/* Readers and writers of all tables, while the run waits for one of them. */
static void expect_served(PGconn *visitor)
{
    static const char *const tables[] = {"services", "routes", "certificates", "snis", "consumers", "plugins", "upstreams", "targets"};
    run(visitor, "SET statement_timeout = " SERVED_WITHIN);
    for (int round = 0; round < 8; round++) {
        for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
            run(visitor, text_printf("SELECT * FROM %s LIMIT 1", tables[i]));
            run(visitor, text_printf("UPDATE %s SET id = id WHERE false", tables[i]));
        }
        pause_ms(40);
    }
}

static void expect_named(const json_t *blocker, const struct holder *holder)
{
    const char *query = json_string_value(json_object_get(blocker, "query"));
    assert_string_equal(json_string_value(json_object_get(blocker, "application")), "test");
    assert_string_equal(json_string_value(json_object_get(blocker, "address")), "local");
    assert_string_equal(json_string_value(json_object_get(blocker, "state")), "idle in transaction");
    assert_true(json_integer_value(json_object_get(blocker, "seconds")) >= 0);
    expect_part(query, holder->shown);
    assert_null(strstr(query, "secret"));
}

/* Lets go of those that the event names. The stall meter's and the worker's own sessions are never named. */
static void release_named(const json_t *event, PGconn *visitor)
{
    size_t i;
    const json_t *blocker;
    json_array_foreach(json_object_get(event, "blockers"), i, blocker) {
        assert_null(strstr(json_string_value(json_object_get(blocker, "application")), "kong-upgrade worker"));
        for (size_t j = 0; j < HOLDERS; j++) {
            if (holders[j].connection == NULL || json_integer_value(json_object_get(blocker, "pid")) != PQbackendPID(holders[j].connection))
                continue;
            expect_named(blocker, &holders[j]);
            expect_served(visitor);
            holders[j].met = true;
            PQfinish(holders[j].connection);
            holders[j].connection = NULL;
        }
    }
}

static bool has_ended(const char *journal)
{
    return strstr(journal, "\"event\":\"end\"") != NULL;
}

/* The lines from `*offset` on. */
static bool read_waits(const char *journal, size_t *offset, PGconn *visitor)
{
    const char *end;
    for (const char *line = journal + *offset; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        json_t *event = json_loadb(line, (size_t)(end - line), 0, NULL);
        assert_non_null(event);
        if (strcmp(json_string_value(json_object_get(event, "event")), "wait") == 0)
            release_named(event, visitor);
        json_decref(event);
        *offset = (size_t)(end + 1 - journal);
    }
    return has_ended(journal);
}

static void test_every_table_is_held(void **state)
{
    (void)state;
    db_create("each", "base");
    PGconn *visitor = db_connect("kong", "each");
    for (size_t i = 0; i < HOLDERS; i++)
        holders[i].connection = hold("kong", "each", holders[i].sql);
    struct process follower = kong_start("each", "up");
    char *journal = await_journal("each", "\"event\":\"start\"");
    size_t offset = 0;
    for (int i = 0; !read_waits(text_file(journal), &offset, visitor); i++) {
        if (i > 1000)
            fail_msg("the run does not end:\n%s", text_file(journal));
        pause_ms(30);
    }
    struct result result = kong_wait(&follower);
    expect_exit(&result, 0);
    for (size_t i = 0; i < HOLDERS; i++) {
        if (holders[i].met != holders[i].in_the_way)
            fail_msg("%s: %s", holders[i].sql, holders[i].met ? "was in the way" : "was not met");
        PQfinish(holders[i].connection);
    }
    PQfinish(visitor);
    expect_as_undisturbed("each");
}

/* The deadline. */

static const char *fleet_with_deadline(int seconds)
{
    char *path = text_printf("%s/deadline-%d.ini", harness.folder, seconds);
    text_save(path, text_printf("[gates]\nlock_deadline = %d\n", seconds));
    return path;
}

static void expect_paused(const char *database, const char *holding, const char *table)
{
    db_create(database, "base");
    PGconn *holder = hold("kong", database, holding);
    struct result result = kong(database, text_printf("-f %s up", fleet_with_deadline(1)));
    expect_exit(&result, 10);
    expect_part(result.err, text_printf("%s did not get its lock within 1 s", table));
    expect_part(result.err, "nothing half done");
    expect_part(result.err, "run the same again");
    char *journal = text_file(journal_newest(database));
    expect_part(journal, text_printf("\"pid\":%d", PQbackendPID(holder)));
    expect_part(journal, "\"result\":\"paused\"");
    expect_part(result.out, text_printf("%d", PQbackendPID(holder)));
    assert_string_equal(db_ask(database, "SELECT count(*) FROM locks"), "0");
    await_true(database, "SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'kong-upgrade worker%'");
    PQfinish(holder);
    result = kong(database, "up");
    expect_exit(&result, 0);
    expect_as_undisturbed(database);
}

static void test_the_deadline_is_reached(void **state)
{
    (void)state;
    expect_paused("late", "BEGIN; SELECT 1 FROM routes LIMIT 1", "routes");
    expect_paused("late2", "BEGIN; SELECT 1 FROM consumers WHERE username = 'c7' FOR UPDATE", "consumers");
    /* Already to ask whether a backfill is done, the table must be read. */
    expect_paused("late3", "BEGIN; LOCK TABLE upstreams", "a table");
}

/* A table that is of no concern may be locked by anyone. */
static void test_the_size_of_a_locked_table(void **state)
{
    (void)state;
    db_create("locked", "base");
    PGconn *holder = hold("kong", "locked", "BEGIN; LOCK TABLE ttls");
    struct result result = kong("locked", "plan");
    expect_exit(&result, 0);
    result = kong("locked", "up");
    expect_exit(&result, 0);
    PQfinish(holder);
    expect_as_undisturbed("locked");
}

/* Types that rewrite the table on this server, too: those of 0.14's json. */
static void test_the_time_of_a_rewrite_is_told(void **state)
{
    (void)state;
    if (!harness_have("kong-0.14.1-data.sql"))
        skip();
    db_create("rewritten", NULL);
    db_load("rewritten", harness_reference("kong-0.14.1-data.sql"));
    struct result result = kong("rewritten", "plan --json");
    json_t *json = json_loads(result.out, 0, NULL), *change;
    size_t i, told = 0;
    json_array_foreach(json_object_get(json, "changes"), i, change) {
        bool rewritten = json_is_true(json_object_get(change, "rewrite")) && json_integer_value(json_object_get(change, "bytes")) > 0;
        assert_int_equal(json_integer_value(json_object_get(change, "lock_ms")) > 0, rewritten);
        told += rewritten ? 1 : 0;
    }
    assert_true(told >= 2);
    json_decref(json);
    result = kong("rewritten", "plan");
    expect_part(result.out, "ACCESS EXCLUSIVE lock, rewrites the table and locks everyone out for under 1 s");
    result = kong("rewritten", "up --dry-run");
    expect_part(result.out, "rewrites the table: it is locked under 1 s");
    db_drop("rewritten");
}

/* Two runs. */

static void test_another_operator(void **state)
{
    (void)state;
    db_create("two", "base");
    PGconn *holder = hold("kong", "two", "BEGIN; SELECT 1 FROM routes LIMIT 1");
    struct process first = kong_start("two", "up");
    await_journal("two", "\"event\":\"wait\"");
    char *meta = db_meta("two");
    char *elsewhere = text_printf("XDG_STATE_HOME=%s/elsewhere up -y", harness.folder);
    struct result second = kong("two", elsewhere);
    expect_exit(&second, 9);
    expect_part(second.err, "a kong-upgrade worker runs already: ");
    expect_part(second.err, "(127.0.0.1)");
    expect_part(second.err, "since ");
    assert_string_equal(meta, db_meta("two"));
    PQfinish(holder);
    struct result result = kong_wait(&first);
    expect_exit(&result, 0);
    second = kong("two", elsewhere);
    expect_exit(&second, 0);
    expect_as_undisturbed("two");
}

/* The worker is dead, but the server still builds its index, and would for hours. */
static void test_a_statement_outlives_its_worker(void **state)
{
    (void)state;
    db_create("outlived", "base");
    PGconn *holder = hold("kong", "outlived", "BEGIN; UPDATE cluster_events SET channel = 'x' WHERE false");
    struct process follower = kong_start("outlived", "up");
    char *journal = await_journal("outlived", "waits for other transactions");
    kill(journal_pid(journal), SIGKILL);
    struct result result = kong_wait(&follower);
    expect_exit(&result, 1);
    char *backend = db_ask("outlived", "SELECT pid FROM pg_stat_activity WHERE application_name = 'kong-upgrade worker' AND datname = current_database()");
    result = kong("outlived", "up -y");
    expect_exit(&result, 9);
    expect_part(result.err, "a statement of a worker that no longer runs is not over yet");
    expect_part(result.err, text_printf("SELECT pg_terminate_backend(%s)", backend));
    /* Its end is waited for, where it comes soon. */
    follower = kong_start("outlived", "up -y");
    pause_ms(500);
    PQfinish(holder);
    result = kong_wait(&follower);
    expect_exit(&result, 0);
    expect_as_undisturbed("outlived");
}

/*
 * A deadlock. The new column of `services` refers to `certificates`: its transaction locks the one, then the other. A session that
 * holds the other asks for the one as soon as the worker stands there. The server breaks the deadlock by the worker's failure, since
 * the session's deadlock_timeout is longer. It takes an attempt whose lock_timeout (200 ms) is longer than the worker's deadlock_timeout,
 * and where the session comes late, another one.
 */
static void await_between(PGconn *watcher)
{
    bool stands = false;
    for (int i = 0; i < 20000 && !stands; i++) {
        PGresult *result = PQexec(watcher,
            "SELECT EXISTS (SELECT FROM pg_locks a JOIN pg_locks b USING (pid) JOIN pg_stat_activity s USING (pid) WHERE a.granted AND a.relation ="
            " 'services'::regclass AND a.mode = 'AccessExclusiveLock' AND NOT b.granted AND b.relation = 'certificates'::regclass"
            " AND s.application_name = 'kong-upgrade worker')");
        stands = PQgetvalue(result, 0, 0)[0] == 't';
        PQclear(result);
    }
    assert_true(stands);
}

static int count_parts(const char *text, const char *part)
{
    int count = 0;
    for (const char *found = strstr(text, part); found != NULL; found = strstr(found + 1, part))
        count++;
    return count;
}

static void test_a_deadlock_is_broken(void **state)
{
    (void)state;
    db_create("deadlock", "undisturbed");
    db_run("deadlock", "UPDATE schema_meta SET pending = NULL WHERE subsystem = 'core'; DROP INDEX services_fkey_client_certificate;"
                       "ALTER TABLE services DROP COLUMN client_certificate_id");
    db_ask("postgres", "ALTER DATABASE deadlock SET deadlock_timeout = '120ms'");
    PGconn *holder = hold("postgres", "deadlock", "SET deadlock_timeout = '60s'"), *watcher = db_connect("postgres", "deadlock");
    run(holder, "BEGIN; LOCK TABLE certificates IN ROW EXCLUSIVE MODE; SAVEPOINT before");
    struct process follower = kong_start("deadlock", "up");
    char *journal = await_journal("deadlock", "\"event\":\"wait\"");
    while (count_parts(text_file(journal), "\"event\":\"wait\"") < 2)
        pause_ms(20);
    for (int i = 0; i < 10 && strstr(text_file(journal), "deadlock detected") == NULL; i++) {
        int waits = count_parts(text_file(journal), "\"event\":\"wait\"");
        await_between(watcher);
        run(holder, "LOCK TABLE services IN ACCESS SHARE MODE");
        while (count_parts(text_file(journal), "\"event\":\"wait\"") == waits)
            pause_ms(20);
        run(holder, "ROLLBACK TO SAVEPOINT before");
    }
    expect_part(text_file(journal), "deadlock detected");
    PQfinish(holder);
    PQfinish(watcher);
    struct result result = kong_wait(&follower);
    expect_exit(&result, 0);
    assert_true(has_ended(text_file(journal)));
    expect_as_undisturbed("deadlock");
}

/* Connections. */

static void limit(int connections)
{
    await_true("postgres", "SELECT count(*) = 0 FROM pg_stat_activity WHERE usename = 'kong'");
    db_ask("postgres", text_printf("ALTER ROLE kong CONNECTION LIMIT %d", connections));
}

static void test_connections_are_limited(void **state)
{
    (void)state;
    db_create("few", "base");
    char *meta = db_meta("few");
    limit(0);
    struct result result = kong("few", "up");
    expect_exit(&result, 1);
    expect_part(result.err, "too many connections for role");
    expect_part(result.err, "raise the CONNECTION LIMIT");
    limit(1);
    result = kong("few", "up");
    expect_exit(&result, 1);
    expect_part(result.err, "raise the CONNECTION LIMIT");
    assert_string_equal(meta, db_meta("few"));
    limit(2);
    result = kong("few", "up");
    expect_exit(&result, 0);
    expect_part(text_file(journal_newest("few")), "the stall meter could not be started");
    limit(-1);
    expect_as_undisturbed("few");
}

static void test_the_server_is_full(void **state)
{
    (void)state;
    static PGconn *all[MAX_CONNECTIONS];
    db_create("full", "base");
    for (int i = 0; i < MAX_CONNECTIONS - 3; i++)
        all[i] = db_connect("kong", "postgres");
    struct result result = kong("full", "up");
    expect_exit(&result, 1);
    expect_part(result.err, "raise max_connections");
    /* One is enough to look, and too little to begin. */
    PQfinish(all[0]);
    all[0] = NULL;
    result = kong("full", "up");
    expect_exit(&result, 1);
    expect_part(result.err, "raise max_connections");
    for (int i = 0; i < MAX_CONNECTIONS - 3; i++)
        PQfinish(all[i]);
    result = kong("full", "up");
    expect_exit(&result, 0);
    expect_as_undisturbed("full");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_table_is_held),
        cmocka_unit_test(test_the_deadline_is_reached),
        cmocka_unit_test(test_the_size_of_a_locked_table),
        cmocka_unit_test(test_the_time_of_a_rewrite_is_told),
        cmocka_unit_test(test_another_operator),
        cmocka_unit_test(test_a_statement_outlives_its_worker),
        cmocka_unit_test(test_a_deadlock_is_broken),
        cmocka_unit_test(test_connections_are_limited),
        cmocka_unit_test(test_the_server_is_full),
    };
    setenv("PG_OPTIONS", text_printf("-c max_connections=%d", MAX_CONNECTIONS), 1);
    return harness_arguments(argc, argv) ? cmocka_run_group_tests(tests, setup, harness_teardown) : 64;
}
