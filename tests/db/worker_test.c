/*
 * The process that does the work: it outlives whoever watches it, stops when asked, and leaves, wherever it is cut off, a database
 * on which running the same again comes to the same end as an undisturbed run.
 *
 * A test holds it in the middle of `up` by reading the table `routes` in an open transaction: `upstreams` and `ca_certificates` have
 * their changes then, `routes` and `services` have not.
 */
#include "tests/db/harness.h"

#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WAITING "\"event\":\"wait\""

/* Of an undisturbed run. */
static char *catalog_after_up, *meta_after_up, *catalog_after_finish, *rows_after_finish;

static const char data[] =
    "INSERT INTO services (id, name, host, protocol, port) SELECT md5('s' || n)::uuid, 's' || n, 'h', 'http', 80 FROM generate_series(1, 50) n;"
    "INSERT INTO routes (id, name, service_id) SELECT md5('r' || n)::uuid, 'r' || n, md5('s' || n)::uuid FROM generate_series(1, 50) n;"
    "INSERT INTO upstreams (id, name, hash_on, slots, created_at) SELECT md5('u' || n)::uuid, 'u' || n,"
    " CASE n % 3 WHEN 0 THEN 'none' WHEN 1 THEN 'ip' END, 10, '2020-01-01' FROM generate_series(1, 3000) n";

static void make_base(void)
{
    db_create("base", NULL);
    struct result result = kong("base", "bootstrap --to 1.2");
    expect_exit(&result, 0);
    db_run("base", data);
    db_create("undisturbed", "base");
    result = kong("undisturbed", "up");
    expect_exit(&result, 0);
    catalog_after_up = db_catalog("undisturbed");
    meta_after_up = db_meta("undisturbed");
    result = kong("undisturbed", "finish --confirm undisturbed");
    expect_exit(&result, 0);
    catalog_after_finish = db_catalog("undisturbed");
    rows_after_finish = db_rows("undisturbed");
}

static int setup(void **state)
{
    if (harness_setup(state) != 0)
        return -1;
    make_base();
    return 0;
}

/* `up` on a copy of the base, standing before `routes`. */
struct held {
    const char *database;
    PGconn *holder;
    struct process follower;
    char *journal;
    pid_t worker;
};

static PGconn *hold(const char *database, const char *sql)
{
    PGconn *holder = db_connect("kong", database);
    PGresult *result = PQexec(holder, sql);
    if (PQresultStatus(result) != PGRES_TUPLES_OK && PQresultStatus(result) != PGRES_COMMAND_OK)
        fail_msg("%s", PQerrorMessage(holder));
    PQclear(result);
    return holder;
}

static struct held start_held(const char *database, const char *line)
{
    struct held held = {.database = database};
    db_create(database, "base");
    held.holder = hold(database, "BEGIN; SELECT 1 FROM routes LIMIT 1");
    held.follower = kong_start(database, line);
    held.journal = await_journal(database, WAITING);
    held.worker = journal_pid(held.journal);
    return held;
}

static void release(struct held *held)
{
    PQfinish(held->holder);
    held->holder = NULL;
}

static void expect_as_undisturbed(const char *database)
{
    char *difference = text_difference(catalog_after_up, db_catalog(database));
    if (difference[0] != '\0')
        fail_msg("the schema is not that of an undisturbed run:\n%s", difference);
    assert_string_equal(meta_after_up, db_meta(database));
    assert_string_equal(db_ask(database, "SELECT count(*) FROM locks"), "0");
    struct result result = kong(database, text_printf("finish --confirm %s", database));
    expect_exit(&result, 0);
    assert_string_equal(catalog_after_finish, db_catalog(database));
    assert_string_equal(rows_after_finish, db_rows(database));
    db_drop(database);
}

static void run_again(const char *database, const char *line)
{
    struct result result = kong(database, line);
    expect_exit(&result, 0);
    expect_as_undisturbed(database);
}

static pid_t parent_of(pid_t pid)
{
    char *status = text_file(text_printf("/proc/%d/status", (int)pid));
    char *found = status != NULL ? strstr(status, "PPid:") : NULL;
    return found != NULL ? (pid_t)atoi(found + strlen("PPid:")) : -1;
}

static void test_it_outlives_its_follower(void **state)
{
    (void)state;
    struct held held = start_held("outlives", "up");
    assert_int_not_equal(getsid(held.worker), getsid(held.follower.pid));
    assert_int_not_equal(parent_of(held.worker), held.follower.pid);
    assert_int_not_equal(parent_of(held.worker), getpid());
    kill(held.follower.pid, SIGHUP);
    struct result result = kong_wait(&held.follower);
    expect_exit(&result, 75);
    kill(held.worker, SIGHUP);
    struct process attached = kong_start("outlives", "attach"), killed = kong_start("outlives", "attach");
    pause_ms(300);
    kill(killed.pid, SIGKILL);
    result = kong_wait(&killed);
    expect_exit(&result, 128 + SIGKILL);
    assert_int_equal(kill(held.worker, 0), 0);
    struct result status = kong("outlives", "status --json");
    expect_part(status.out, "\"command\": \"up\"");
    release(&held);
    result = kong_wait(&attached);
    expect_exit(&result, 0);
    expect_part(result.out, "up begins on database outlives");
    expect_part(result.out, "create table ca_certificates: done");
    expect_part(result.out, "`up` is complete");
    result = kong("outlives", "attach");
    expect_exit(&result, 3);
    result = kong("outlives", "stop");
    expect_exit(&result, 3);
    expect_as_undisturbed("outlives");
}

static void expect_without(const char *what, const char *text, const char *secret)
{
    if (text != NULL && strstr(text, secret) != NULL)
        fail_msg("%s holds \"%s\"", what, secret);
}

/* The parts of /proc are separated by NULs. */
static char *proc_text(pid_t pid, const char *name)
{
    char *text = calloc(1, 65536);
    assert_non_null(text);
    FILE *file = fopen(text_printf("/proc/%d/%s", (int)pid, name), "re");
    size_t length = file != NULL ? fread(text, 1, 65535, file) : 0;
    if (file != NULL)
        fclose(file);
    for (size_t i = 0; i < length; i++)
        text[i] = text[i] == '\0' ? ' ' : text[i];
    char *copy = text_printf("%s", text);
    free(text);
    return copy;
}

static void test_no_secret_leaves_it(void **state)
{
    (void)state;
    char *usual = text_file(harness.conf);
    text_save(harness.conf, text_printf("pg_host = 127.0.0.1\npg_port = %d\npg_user = kong\n", harness.port));
    struct held held = start_held("secrets", "KONG_PG_PASSWORD=" HARNESS_PASSWORD " up -v");
    expect_without("cmdline", proc_text(held.worker, "cmdline"), HARNESS_PASSWORD);
    expect_without("environ", proc_text(held.worker, "environ"), HARNESS_PASSWORD);
    expect_part(proc_text(held.worker, "cmdline"), "kong-upgrade worker");
    struct stat file, folder;
    assert_int_equal(stat(held.journal, &file), 0);
    assert_int_equal(file.st_mode & 0777, 0600);
    assert_int_equal(stat(text_printf("%.*s", (int)(strrchr(held.journal, '/') - held.journal), held.journal), &folder), 0);
    assert_int_equal(folder.st_mode & 0777, 0700);
    release(&held);
    struct result result = kong_wait(&held.follower);
    expect_exit(&result, 0);
    expect_without("the journal", text_file(held.journal), HARNESS_PASSWORD);
    expect_without("stdout", result.out, HARNESS_PASSWORD);
    expect_without("stderr", result.err, HARNESS_PASSWORD);
    result = kong("secrets", "KONG_PG_PASSWORD=" HARNESS_PASSWORD " report");
    expect_without("the report", result.out, HARNESS_PASSWORD);
    text_save(harness.conf, usual);
    expect_as_undisturbed("secrets");
}

static void blocked_by(const char *database, const char *user, const char *sql, const char *shown)
{
    db_create(database, "base");
    PGconn *holder = db_connect(user, database);
    PQclear(PQexec(holder, sql));
    assert_int_equal(PQtransactionStatus(holder), PQTRANS_INTRANS);
    struct process follower = kong_start(database, "up");
    char *journal = text_file(await_journal(database, WAITING));
    expect_part(journal, text_printf("\"pid\":%d", PQbackendPID(holder)));
    expect_part(journal, "\"application\":\"test\"");
    expect_part(journal, shown);
    expect_without("the journal", journal, "-secret");
    PQfinish(holder);
    struct result result = kong_wait(&follower);
    expect_exit(&result, 0);
    expect_part(result.out, strcmp(user, "kong") == 0 ? "(test, local, idle in transaction for" : "(test, of another role) is in the way");
    expect_as_undisturbed(database);
}

/* Other sessions' queries may hold credentials: their strings are not shown. */
static void test_it_says_who_is_in_the_way(void **state)
{
    (void)state;
    blocked_by("blocked", "kong", "BEGIN; SELECT 'key-one-secret', $$key-two-secret$$, $tag$ $$ key-three-secret $tag$, 7 AS \"it's\", 'key-four-secret'"
               " /* isn't key-five-secret */ FROM routes LIMIT 1", "FROM routes LIMIT 1");
    blocked_by("blocked2", "kong", "BEGIN; SELECT E'it\\'s key-one-secret' FROM routes WHERE name = 'key-two-secret'", "BEGIN; SELECT E'");
    blocked_by("blocked3", "postgres", "BEGIN; SELECT 'key-one-secret' FROM routes LIMIT 1", "of another role");
}

static void test_it_stops_when_asked(void **state)
{
    (void)state;
    struct held held = start_held("stopped", "up");
    struct result result = kong("stopped", "stop");
    expect_exit(&result, 0);
    result = kong_wait(&held.follower);
    expect_exit(&result, 10);
    expect_part(result.err, "stopped as asked");
    await_gone(held.worker);
    release(&held);
    run_again("stopped", "up");
}

/* A concurrent build has no lock_timeout: it is cancelled after the grace time, and what it leaves is built again. */
static void test_it_stops_in_a_concurrent_build(void **state)
{
    (void)state;
    db_create("building", "base");
    PGconn *reader = hold("building", "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM consumers");
    struct process follower = kong_start("building", "up");
    await_journal("building", "the statement in hand waits for other transactions");
    struct result result = kong("building", "stop");
    expect_exit(&result, 0);
    result = kong_wait(&follower);
    expect_exit(&result, 10);
    assert_string_equal(db_ask("building", "SELECT indisvalid FROM pg_index WHERE indexrelid = 'services_fkey_client_certificate'::regclass"), "f");
    PQfinish(reader);
    run_again("building", "up");
}

/* Ctrl-C asks it to stop, a second one leaves it to itself. */
static void test_interrupts(void **state)
{
    (void)state;
    struct held held = start_held("interrupted", "up");
    kill(held.follower.pid, SIGINT);
    struct result result = kong_wait(&held.follower);
    expect_exit(&result, 10);
    expect_part(result.err, "asked the worker to stop");
    PQclear(PQexec(held.holder, "COMMIT; BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM consumers"));
    struct process follower = kong_start("interrupted", "up");
    await_journal("interrupted", "the statement in hand waits for other transactions");
    kill(follower.pid, SIGINT);
    await_journal("interrupted", "\"event\":\"stop\"");
    kill(follower.pid, SIGINT);
    result = kong_wait(&follower);
    expect_exit(&result, 75);
    expect_part(result.err, "the worker goes on");
    release(&held);
    await_journal("interrupted", "\"event\":\"end\"");
    await_gone(journal_pid(journal_newest("interrupted")));
    run_again("interrupted", "up");
}

/* A state folder that several machines share: the pid is another machine's. */
static void test_it_is_not_stopped_from_elsewhere(void **state)
{
    (void)state;
    struct held held = start_held("elsewhere", "up");
    char *journal = text_printf("%s", held.journal), *text = text_file(journal), *host = strstr(text, "\"host\":\"");
    FILE *file = fopen(journal, "r+e");
    assert_non_null(host);
    assert_non_null(file);
    assert_int_equal(fseek(file, host - text + (long)strlen("\"host\":\""), SEEK_SET), 0);
    assert_int_equal(fputc('?', file), '?');
    fclose(file);
    struct result result = kong("elsewhere", "stop");
    expect_exit(&result, 1);
    expect_part(result.err, "stop it there");
    release(&held);
    result = kong_wait(&held.follower);
    expect_exit(&result, 0);
    expect_as_undisturbed("elsewhere");
}

static void test_it_is_killed(void **state)
{
    (void)state;
    struct held held = start_held("killed", "up");
    kill(held.worker, SIGKILL);
    struct result result = kong_wait(&held.follower);
    expect_exit(&result, 1);
    expect_part(result.err, "run the same again");
    release(&held);
    await_true("killed", "SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = 'killed' AND application_name LIKE 'kong-upgrade worker%'");
    char *catalog = db_catalog("killed");
    result = kong("killed", "up");
    expect_exit(&result, 9);
    expect_part(result.err, "no longer runs");
    expect_part(result.err, "--yes");
    assert_string_equal(catalog, db_catalog("killed"));
    result = kong("killed", "status");
    expect_part(result.out, "Lock");
    run_again("killed", "up -y");
}

static void test_the_server_crashes(void **state)
{
    (void)state;
    struct held held = start_held("crashed", "up");
    harness_server("crash");
    PQfinish(held.holder);
    struct result result = kong_wait(&held.follower);
    expect_exit(&result, 1);
    expect_part(result.err, "database crashed");
    expect_part(result.err, "run the same again");
    run_again("crashed", "up -y");
}

static void terminate(const char *database, const char *application)
{
    db_ask(database, text_printf("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '%s' AND application_name = '%s'",
                                 database, application));
}

static void test_its_connection_is_lost(void **state)
{
    (void)state;
    struct held held = start_held("lost", "up");
    terminate("lost", "kong-upgrade worker");
    struct result result = kong_wait(&held.follower);
    expect_exit(&result, 1);
    expect_part(result.err, "the connection to database lost");
    release(&held);
    run_again("lost", "up");
}

/* The session that renews the lock is of use to the run, not vital. */
static void test_its_second_connection_is_lost(void **state)
{
    (void)state;
    struct held held = start_held("lost2", "up");
    terminate("lost2", "kong-upgrade worker locks");
    pause_ms(300);
    release(&held);
    struct result result = kong_wait(&held.follower);
    expect_exit(&result, 0);
    expect_as_undisturbed("lost2");
}

static void test_kongs_lock_is_held(void **state)
{
    (void)state;
    db_create("held", "base");
    db_run("held", "INSERT INTO locks (key, owner, ttl) VALUES ('migrations', '8f1a3c5e-0000-4000-8000-000000000000', now() + interval '40 s')");
    char *catalog = db_catalog("held"), *meta = db_meta("held");
    struct result result = kong("held", "up");
    expect_exit(&result, 9);
    expect_part(result.err, "8f1a3c5e-0000-4000-8000-000000000000");
    result = kong("held", "up -y");
    expect_exit(&result, 9);
    assert_string_equal(catalog, db_catalog("held"));
    assert_string_equal(meta, db_meta("held"));
    result = kong("held", "status --json");
    expect_part(result.out, "\"owner\": \"8f1a3c5e-0000-4000-8000-000000000000\"");
    db_run("held", "UPDATE locks SET ttl = now() - interval '1 s'");
    run_again("held", "up");
}

static void test_a_second_up_follows_the_first(void **state)
{
    (void)state;
    struct held held = start_held("twice", "up");
    struct process second = kong_start("twice", "up");
    pause_ms(300);
    struct result finish = kong("twice", "finish --confirm twice");
    expect_exit(&finish, 9);
    expect_part(finish.err, "`up`");
    struct result dry = kong("twice", "up --dry-run");
    expect_exit(&dry, 0);
    expect_part(dry.out, "nothing was changed");
    release(&held);
    struct result first = kong_wait(&held.follower), other = kong_wait(&second);
    expect_exit(&first, 0);
    expect_exit(&other, 0);
    expect_part(other.err, "following it");
    expect_part(other.out, "`up` is complete");
    assert_string_equal(journal_newest("twice"), held.journal);
    expect_as_undisturbed("twice");
}

static void test_a_run_held_at_its_start_is_no_interrupted_one(void **state)
{
    (void)state;
    db_create("unbegun", "base");
    db_run("unbegun", "INSERT INTO locks (key, owner, ttl) VALUES ('migrations', 'another', now() + interval '60 s')");
    struct result result = kong("unbegun", "up");
    expect_exit(&result, 9);
    db_run("unbegun", "DELETE FROM locks; UPDATE schema_meta SET pending = '{001_14_to_15}', executed = '{000_base_acl}' WHERE subsystem = 'acl'");
    result = kong("unbegun", "up");
    expect_exit(&result, 4);
    db_drop("unbegun");
}

static void test_the_state_folder_can_not_be_made(void **state)
{
    (void)state;
    db_create("nofolder", "base");
    char *catalog = db_catalog("nofolder"), *rows = db_rows("nofolder");
    struct result result = kong("nofolder", text_printf("XDG_STATE_HOME=%s up", harness.conf));
    expect_exit(&result, 1);
    expect_part(result.err, "can't create the state folder");
    expect_part(result.err, "XDG_STATE_HOME");
    assert_string_equal(catalog, db_catalog("nofolder"));
    assert_string_equal(rows, db_rows("nofolder"));
    db_drop("nofolder");
}

/* The worker inherits the limit on the size of files: to it the disk is full. What is printed goes through a pipe, which it does
 * not bind. */
static struct result kong_limited(const char *database, int blocks, const char *command)
{
    char *script = text_printf("(ulimit -f %d; KONG_PG_DATABASE=%s exec %s -c %s %s) 2>&1 | cat", blocks, database, harness.binary,
                               harness.conf, command);
    const char *const arguments[] = {"sh", "-c", script, NULL};
    struct process process = program_start(arguments, NULL, NULL);
    return kong_wait(&process);
}

static void test_no_room_for_the_journal(void **state)
{
    (void)state;
    db_create("full", "base");
    char *catalog = db_catalog("full"), *rows = db_rows("full");
    struct result result = kong_limited("full", 0, "up");
    expect_part(result.out, "can't write the journal");
    assert_string_equal(catalog, db_catalog("full"));
    assert_string_equal(rows, db_rows("full"));
    db_drop("full");
}

/* The run goes on: the database knows where it stands. */
static void test_the_disk_fills_up_meanwhile(void **state)
{
    (void)state;
    db_create("filling", "base");
    struct result result = kong_limited("filling", 4, "up");
    expect_part(result.out, "kong-upgrade: ");
    expect_part(result.out, "no room");
    assert_string_equal(catalog_after_up, db_catalog("filling"));
    assert_string_equal(meta_after_up, db_meta("filling"));
    result = kong("filling", "up");
    expect_exit(&result, 0);
    expect_part(result.out, "nothing to do");
    expect_as_undisturbed("filling");
}

static void test_report(void **state)
{
    (void)state;
    struct result result = kong("undisturbed", "report");
    expect_exit(&result, 0);
    expect_part(result.out, "### up, ");
    expect_part(result.out, ": done");
    expect_part(result.out, "### finish, ");
    expect_part(result.out, "| add column routes.headers jsonb | made |");
    expect_part(result.out, "C3: The trigger on ca_certificates");
    result = kong("undisturbed", "report --json");
    expect_exit(&result, 0);
    json_t *json = json_loads(result.out, 0, NULL), *runs = json_object_get(json, "runs"), *up = json_array_get(runs, 0), *change;
    assert_int_equal(json_array_size(runs), 2);
    assert_string_equal(json_string_value(json_object_get(up, "command")), "up");
    assert_string_equal(json_string_value(json_object_get(up, "outcome")), "done");
    size_t i, corrected = 0;
    json_array_foreach(json_object_get(up, "changes"), i, change) {
        const char *correction = json_string_value(json_object_get(change, "correction"));
        corrected += correction != NULL && strcmp(correction, "C3") == 0 ? 1 : 0;
        assert_string_equal(json_string_value(json_object_get(change, "outcome")), "done");
    }
    assert_int_equal(corrected, 1);
    assert_true(json_array_size(json_object_get(up, "changes")) > 5);
    assert_string_equal(json_string_value(json_object_get(json_object_get(json, "state"), "stage")), "current");
    json_decref(json);
}

static void test_not_by_hand(void **state)
{
    (void)state;
    const char *const arguments[] = {harness.binary, "worker", NULL};
    struct process process = program_start(arguments, NULL, NULL);
    struct result result = kong_wait(&process);
    expect_exit(&result, 64);
    expect_part(result.out, "not meant to be started by hand");
    process = program_start(arguments, NULL, "{\"command\":7,\"plugins\":[null,{}],\"datastore\":[]}");
    result = kong_wait(&process);
    expect_exit(&result, 64);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_outlives_its_follower),
        cmocka_unit_test(test_no_secret_leaves_it),
        cmocka_unit_test(test_it_says_who_is_in_the_way),
        cmocka_unit_test(test_it_stops_when_asked),
        cmocka_unit_test(test_it_stops_in_a_concurrent_build),
        cmocka_unit_test(test_interrupts),
        cmocka_unit_test(test_it_is_not_stopped_from_elsewhere),
        cmocka_unit_test(test_it_is_killed),
        cmocka_unit_test(test_the_server_crashes),
        cmocka_unit_test(test_its_connection_is_lost),
        cmocka_unit_test(test_its_second_connection_is_lost),
        cmocka_unit_test(test_kongs_lock_is_held),
        cmocka_unit_test(test_a_second_up_follows_the_first),
        cmocka_unit_test(test_a_run_held_at_its_start_is_no_interrupted_one),
        cmocka_unit_test(test_the_state_folder_can_not_be_made),
        cmocka_unit_test(test_no_room_for_the_journal),
        cmocka_unit_test(test_the_disk_fills_up_meanwhile),
        cmocka_unit_test(test_report),
        cmocka_unit_test(test_not_by_hand),
    };
    return harness_arguments(argc, argv) ? cmocka_run_group_tests(tests, setup, harness_teardown) : 64;
}
