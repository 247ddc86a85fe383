/* The cluster on a real database: sessions as PostgreSQL shows them, `nodes`, `watch`, and the gate of `finish`. */
#include "tests/cluster/fixture.h"

#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/cluster/sessions.h"
#include "core/db/pg.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char *conf, *fleet, *server;   /* files, the server's folder */
static int port;
static struct fake old_node;

static PGconn *connect_as(const char *user, const char *database, const char *application)
{
    char number[16];
    snprintf(number, sizeof number, "%d", port);
    const char *const keywords[] = {"host", "port", "user", "password", "dbname", "application_name", NULL};
    const char *const values[] = {"127.0.0.1", number, user, user, database, application, NULL};
    PGconn *connection = PQconnectdbParams(keywords, values, 0);
    if (PQstatus(connection) != CONNECTION_OK)
        fail_msg("%s", PQerrorMessage(connection));
    return connection;
}

static void run_sql(PGconn *connection, const char *sql)
{
    PGresult *result = PQexec(connection, sql);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        fail_msg("%s: %s", sql, PQerrorMessage(connection));
    PQclear(result);
}

static void run_as_postgres(const char *sql)
{
    PGconn *connection = connect_as("postgres", "postgres", "psql");
    run_sql(connection, sql);
    PQfinish(connection);
}

/* stderr goes where stdout goes. NULL is no argument. */
#define START(...) child_start("/bin/sh", "-c", "exec \"$0\" \"$@\" 2>&1", fixture_kong_upgrade, "-c", conf, "-f", fleet, __VA_ARGS__, NULL)

static char *run_text(struct child child, int exit_code)
{
    char *text = child_rest(&child);
    int code = child_end(&child);
    if (code != exit_code)
        fail_msg("exit code %d: %s", code, text);
    return text;
}

static void write_fleet(const char *host, int old_port, int new_port)
{
    fixture_write(fleet, "[old]\nnode = old-1 http://%s:%d\n[new]\nnode = new-1 http://%s:%d\n", host, old_port, host, new_port);
}

static int begin(void **state)
{
    (void)state;
    char *state_home = fixture_path("state");
    setenv("XDG_STATE_HOME", state_home, 1);
    setenv("KONG_PG_PASSWORD", "kong", 1);
    free(state_home);
    conf = fixture_path("kong.conf");
    fleet = fixture_path("fleet.ini");
    server = fixture_path("server");
    struct child child = child_start(fixture_postgres, "start", server, NULL);
    char *text = child_rest(&child);
    port = atoi(text);
    free(text);
    if (child_end(&child) != 0)
        return -1;
    fixture_write(conf, "pg_host = 127.0.0.1\npg_port = %d\n", port);
    fixture_write(fleet, "[gates]\nquiet = 5\n");
    run_as_postgres("CREATE DATABASE kong OWNER kong");
    free(run_text(START("bootstrap", "--to", "1.2", "-y", "-q"), 0));
    old_node = fake_start(0, "--version", "1.2.3", "--conf", conf, "--poll-ms", "200", NULL);
    return 0;
}

static int end(void **state)
{
    (void)state;
    child_kill(&old_node.child, SIGTERM);
    struct child child = child_start(fixture_postgres, "stop", server, NULL);
    child_end(&child);
    free(conf);
    free(fleet);
    free(server);
    fixture_end();
    return 0;
}

static const struct session *find_session(const struct sessions *sessions, const char *address, bool legacy)
{
    for (size_t i = 0; i < sessions->count; i++)
        if (strcmp(sessions->list[i].address, address) == 0 && sessions->list[i].legacy == legacy)
            return &sessions->list[i];
    return NULL;
}

static void read_sessions(const char *user, struct sessions *sessions)
{
    struct error error = {0};
    struct datastore datastore = {.host = (char[]){"127.0.0.1"}, .port = port, .database = (char[]){"kong"}, .user = (char *)(uintptr_t)user,
                                  .password = (char *)(uintptr_t)user, .timeout_ms = 5000};
    struct pg *pg = pg_connect(&datastore, "test", 0, &error);
    if (pg == NULL || !sessions_read(pg, sessions, &error))
        fail_msg("%s", error.message);
    pg_close(pg);
}

static void sessions_are_told_apart(void **state)
{
    struct sessions sessions;
    PGconn *legacy = connect_as("kong", "kong", ""), *idle = connect_as("kong", "kong", ""), *other = connect_as("kong", "kong", "psql");
    PGconn *elsewhere = connect_as("kong", "postgres", "pgmoon");
    (void)state;
    run_sql(other, "SELECT id FROM cluster_events");
    run_sql(elsewhere, "SELECT 1");
    run_sql(idle, "SELECT 1");
    usleep(300000);
    read_sessions("kong", &sessions);
    assert_int_equal(sessions.count, 2);
    assert_non_null(find_session(&sessions, "127.0.0.1", true));
    assert_int_equal(find_session(&sessions, "127.0.0.1", true)->connections, 2);
    assert_int_equal(find_session(&sessions, "127.0.0.1", true)->poll_age, -1);
    const struct session *node = find_session(&sessions, "127.0.0.1", false);
    assert_non_null(node);
    assert_true(node->connections >= 1 && node->connections <= 2);
    assert_in_range(node->poll_age, 0, SESSIONS_FRESH_S);
    assert_int_equal(sessions.live, 1);
    assert_false(sessions.restricted);
    sessions_free(&sessions);
    run_sql(legacy, "\n  SELECT id, node_id FROM\n cluster_events WHERE channel IN ('invalidations')");
    read_sessions("kong", &sessions);
    assert_in_range(find_session(&sessions, "127.0.0.1", true)->poll_age, 0, SESSIONS_FRESH_S);
    assert_int_equal(sessions.live, 2);
    sessions_free(&sessions);
    PQfinish(legacy);
    PQfinish(idle);
    PQfinish(other);
    PQfinish(elsewhere);
}

/* Who may not see other roles' sessions is not told that there are none. */
static void hidden_sessions_are_said_to_be(void **state)
{
    struct sessions sessions;
    (void)state;
    run_as_postgres("CREATE ROLE watcher LOGIN PASSWORD 'watcher'");
    read_sessions("watcher", &sessions);
    assert_true(sessions.restricted);
    assert_int_equal(sessions.count, 1);
    assert_string_equal(sessions.list[0].address, "hidden");
    assert_int_equal(sessions.list[0].poll_age, -1);
    assert_int_equal(sessions.live, 0);
    sessions_free(&sessions);
}

static json_t *parse(const char *text)
{
    json_error_t error;
    json_t *json = json_loads(text, 0, &error);
    if (json == NULL)
        fail_msg("%s: %s", error.text, text);
    return json;
}

static void nodes_are_shown_once(void **state)
{
    (void)state;
    write_fleet("127.0.0.1", old_node.admin, 1);
    char *text = run_text(START("nodes", "--json"), 0);
    json_t *json = parse(text), *node = json_array_get(json_object_get(json, "old"), 0);
    assert_string_equal(json_get_text(node, "name"), "old-1");
    assert_string_equal(json_get_text(node, "state"), "answers");
    assert_string_equal(json_get_text(node, "version"), "1.2.3");
    assert_string_equal(json_get_text(node, "node_id"), old_node.node_id);
    assert_string_equal(json_get_text(node, "datastore"), "same");
    assert_true(json_is_null(json_object_get(node, "problem")));
    assert_true(json_real_value(json_object_get(node, "requests_per_second")) == 0);
    assert_in_range(json_integer_value(json_object_get(node, "age_ms")), 0, 5000);
    node = json_array_get(json_object_get(json, "new"), 0);
    assert_string_equal(json_get_text(node, "state"), "silent");
    assert_true(json_is_null(json_object_get(node, "requests_per_second")));
    assert_int_equal(json_array_size(json_object_get(json, "unknown")), 0);
    json_decref(json);
    free(text);
    text = run_text(START("nodes"), 0);
    assert_non_null(strstr(text, "old-1            old     answers 1.2.3"));
    assert_non_null(strstr(text, "can't be reached: Connection refused"));
    assert_null(strstr(text, "not in fleet.ini"));
    free(text);
}

static void strangers_are_unknown(void **state)
{
    (void)state;
    write_fleet("127.0.0.2", 1, 2);
    char *text = run_text(START("nodes", "--json"), 0);
    json_t *json = parse(text), *node = json_array_get(json_object_get(json, "unknown"), 0);
    assert_string_equal(json_get_text(node, "name"), "127.0.0.1");
    assert_non_null(strstr(json_get_text(node, "problem"), "not in fleet.ini"));
    json_decref(json);
    free(text);
}

static void without_a_database(void **state)
{
    (void)state;
    write_fleet("127.0.0.1", old_node.admin, 1);
    fixture_write(conf, "pg_host = 127.0.0.1\npg_port = 1\n");
    char *text = run_text(START("nodes"), 0);
    fixture_write(conf, "pg_host = 127.0.0.1\npg_port = %d\n", port);
    assert_non_null(strstr(text, "kong-upgrade: can't connect to database kong at 127.0.0.1:1"));
    assert_non_null(strstr(text, ", not 1, which may lead to the same server"));
    free(text);
}

/* Versions are whatever a node says. */
static void hostile_versions_are_shown_harmlessly(void **state)
{
    static const char version[] = "1.3.0\033[2J\a\n\xff" "9";
    struct fake hostile = fake_start(0, "--version", version, "--conf", conf, "--no-database", NULL);
    struct fake other = fake_start(0, "--version", version, "--conf", conf, "--no-database", NULL);
    (void)state;
    write_fleet("127.0.0.1", hostile.admin, other.admin);
    char *text = run_text(START("nodes"), 0);
    assert_null(strchr(text, '\033'));
    assert_null(strchr(text, '\a'));
    int lines = 0;
    for (const char *c = text; *c != '\0'; c++)
        lines += *c == '\n' ? 1 : 0;
    assert_int_equal(lines, 3);   /* the head and a row for each */
    free(text);
    text = run_text(START("nodes", "--json"), 0);
    json_decref(parse(text));
    free(text);
    child_kill(&hostile.child, SIGTERM);
    child_kill(&other.child, SIGTERM);
}

static void watch_goes_on_until_told(void **state)
{
    static const int signals[] = {SIGINT, SIGTERM};
    (void)state;
    write_fleet("127.0.0.1", old_node.admin, 1);
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        struct child child = START("watch", "--json");
        for (int lines = 0; lines < 2; lines++) {
            char *line = child_line(&child);
            assert_non_null(line);
            json_t *json = parse(line);
            assert_int_equal(json_array_size(json_object_get(json, "old")), 1);
            json_decref(json);
            free(line);
        }
        assert_int_equal(child_kill(&child, signals[i]), 0);
    }
    struct child child = START("watch");
    for (int lines = 0; lines < 4; lines++)
        free(child_line(&child));
    char *line = child_line(&child);
    assert_non_null(strstr(line, "old: 1 of 1 answer"));
    assert_non_null(strstr(line, "new: 0 of 1 answer"));
    free(line);
    assert_int_equal(child_end(&child), 75);   /* which closes the pipe first */
}

static void watch_goes_on_under_nohup(void **state)
{
    (void)state;
    write_fleet("127.0.0.1", old_node.admin, 1);
    signal(SIGHUP, SIG_IGN);
    struct child child = START("watch", "--json");
    signal(SIGHUP, SIG_DFL);
    free(child_line(&child));
    assert_int_equal(kill(child.pid, SIGHUP), 0);
    for (int lines = 0; lines < 2; lines++) {
        char *line = child_line(&child);
        assert_non_null(line);
        free(line);
    }
    assert_int_equal(child_kill(&child, SIGTERM), 0);
}

/* `GET /` reads the database: without it a node answers with an error, which does not make it a stopped one. */
static void nodes_without_their_database_are_strange(void **state)
{
    (void)state;
    write_fleet("127.0.0.1", old_node.admin, 1);
    run_as_postgres("ALTER ROLE kong NOLOGIN");
    run_as_postgres("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'kong'");
    char *text = run_text(START("nodes", "--json"), 0);
    run_as_postgres("ALTER ROLE kong LOGIN");
    const char *object = strchr(text, '{');   /* after what stderr has to say */
    assert_non_null(object);
    json_t *json = parse(object), *node = json_array_get(json_object_get(json, "old"), 0);
    assert_string_equal(json_get_text(node, "state"), "strange");
    assert_non_null(strstr(json_get_text(node, "problem"), "HTTP 500"));
    assert_true(object != text);
    json_decref(json);
    free(text);
}

static void nodes_come_back_after_the_server_does(void **state)
{
    struct sessions sessions;
    (void)state;
    struct child child = child_start(fixture_postgres, "crash", server, NULL);
    assert_int_equal(child_end(&child), 0);
    for (int tries = 0; tries < 50; tries++) {
        read_sessions("kong", &sessions);
        size_t live = sessions.live;
        sessions_free(&sessions);
        if (live == 1)
            return;
        usleep(100000);
    }
    fail_msg("the node does not poll again");
}

/* Another machine, with no journal of the `up`. */
static char *roll_back_elsewhere(const char *to, int exit_code)
{
    char *here = fixture_path("state"), *elsewhere = fixture_path("elsewhere");
    setenv("XDG_STATE_HOME", elsewhere, 1);
    char *text = run_text(START("rollback", "--to", to, "--confirm", "kong", "-q"), exit_code);
    setenv("XDG_STATE_HOME", here, 1);
    free(elsewhere);
    free(here);
    return text;
}

/* The old node goes on all the while, and could be started again. */
static void rollback_waits_for_new_nodes(void **state)
{
    (void)state;
    free(run_text(START("up", "-y", "-q"), 0));
    struct fake new_node = fake_start(0, "--version", "1.3.0", "--conf", conf, NULL);
    write_fleet("127.0.0.1", old_node.admin, new_node.admin);
    char *text = run_text(START("rollback", "--to", "1.2", "--confirm", "kong", "-q"), 7);
    assert_non_null(strstr(text, "new node new-1 still answers: stop it"));
    assert_null(strstr(text, "old node"));
    free(text);
    child_kill(&new_node.child, SIGTERM);
    struct fake hung = fake_start(0, "--mode", "silent-accept", NULL);
    write_fleet("127.0.0.1", old_node.admin, hung.admin);
    text = run_text(START("rollback", "--to", "1.2", "--confirm", "kong", "-q"), 7);
    assert_non_null(strstr(text, "new node new-1 still answers"));
    free(text);
    child_kill(&hung.child, SIGTERM);
    text = roll_back_elsewhere("1.0", 7);
    assert_non_null(strstr(text, "old node old-1 runs Kong 1.2"));
    assert_non_null(strstr(text, "needs what a rollback to 1.0 undoes"));
    free(text);
    free(run_text(START("status"), 4));
    free(run_text(START("rollback", "--to", "1.2", "--confirm", "kong", "-q"), 0));
    free(run_text(START("status"), 5));
    struct fake again = fake_start(0, "--version", "1.2.3", "--conf", conf, NULL);
    child_kill(&again.child, SIGTERM);
}

static void finish_waits_for_old_nodes(void **state)
{
    (void)state;
    write_fleet("127.0.0.1", old_node.admin, 1);
    struct child refused = child_start(fixture_fake_node, "--version", "1.3.0", "--conf", conf, NULL);
    assert_int_equal(child_end(&refused), 1);
    free(run_text(START("up", "-y", "-q"), 0));
    struct fake new_node = fake_start(0, "--version", "1.3.0", "--conf", conf, NULL);
    refused = child_start(fixture_fake_node, "--version", "0.14.1", "--conf", conf, NULL);
    assert_int_equal(child_end(&refused), 1);

    char *text = run_text(START("finish", "--confirm", "kong", "-q"), 7);
    assert_non_null(strstr(text, "old node old-1 still answers"));
    free(text);
    struct fake hung = fake_start(0, "--mode", "silent-accept", NULL);
    write_fleet("127.0.0.1", hung.admin, new_node.admin);
    text = run_text(START("finish", "--confirm", "kong", "-q"), 7);
    assert_non_null(strstr(text, "old node old-1 still answers"));
    free(text);
    child_kill(&hung.child, SIGTERM);
    free(run_text(START("status"), 4));
    free(run_text(START("finish", "--confirm", "kong", "-q"), 0));
    free(run_text(START("status"), 0));
    child_kill(&new_node.child, SIGTERM);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sessions_are_told_apart),
        cmocka_unit_test(hidden_sessions_are_said_to_be),
        cmocka_unit_test(nodes_are_shown_once),
        cmocka_unit_test(strangers_are_unknown),
        cmocka_unit_test(without_a_database),
        cmocka_unit_test(hostile_versions_are_shown_harmlessly),
        cmocka_unit_test(watch_goes_on_until_told),
        cmocka_unit_test(watch_goes_on_under_nohup),
        cmocka_unit_test(nodes_without_their_database_are_strange),
        cmocka_unit_test(nodes_come_back_after_the_server_does),
        cmocka_unit_test(rollback_waits_for_new_nodes),
        cmocka_unit_test(finish_waits_for_old_nodes),
    };
    if (!fixture_arguments(argc, argv))
        return 64;
    setenv("LC_ALL", "C.UTF-8", 1);
    return cmocka_run_group_tests(tests, begin, end);
}
