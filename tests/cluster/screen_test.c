/* The wizard on fake nodes: Kong nodes that are not in fleet.ini are taken in by a key; what is no Kong's answer is shown as what it is. */
#include "tests/cluster/fixture.h"

#include "core/base/buf.h"
#include "core/base/mem.h"
#include "tests/tui/session.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define KONGS_PORT 8001

static char *conf, *fleet, *home, *state_home, *server;

static int begin(void **state)
{
    (void)state;
    conf = fixture_path("kong.conf");
    fleet = fixture_path("fleet.ini");
    home = fixture_path("state");
    server = fixture_path("server");
    state_home = mem_printf("XDG_STATE_HOME=%s", home);
    setenv("XDG_STATE_HOME", home, 1);
    setenv("KONG_PG_PASSWORD", "kong", 1);
    struct child child = child_start(fixture_postgres, "start", server, NULL);
    char *port = child_rest(&child);
    if (child_end(&child) != 0)
        return -1;
    fixture_write(conf, "pg_host = 127.0.0.1\npg_port = %d\n", atoi(port));
    fixture_write(fleet, "[gates]\nquiet = 60\n");
    child = child_start("/bin/sh", "-c", "exec psql -qX -h 127.0.0.1 -p \"$0\" -U postgres -c 'CREATE DATABASE kong OWNER kong' postgres", port, NULL);
    free(child_rest(&child));
    free(port);
    if (child_end(&child) != 0)
        return -1;
    child = child_start(fixture_kong_upgrade, "-c", conf, "-f", fleet, "bootstrap", "--to", "1.2", "-y", "-q", NULL);
    free(child_rest(&child));
    return child_end(&child);
}

static int end(void **state)
{
    (void)state;
    struct child child = child_start(fixture_postgres, "stop", server, NULL);
    child_end(&child);
    char *const texts[] = {conf, fleet, home, state_home, server};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        free(texts[i]);
    fixture_end();
    return 0;
}

static void start_wizard(int width, int height)
{
    const char *const arguments[] = {fixture_kong_upgrade, "--conf", conf, "--fleet", fleet, NULL};
    const char *const environment[] = {state_home, "KONG_PG_PASSWORD=kong", NULL};
    session_start(width, height, arguments, environment);
}

static void quit(void)
{
    session_press("q");
    assert_int_equal(session_ended(true, NULL), 0);
    session_tear_down(NULL);
}

static const char *read_saved(void)
{
    static char saved[4096];
    FILE *file = fopen(fleet, "re");
    assert_non_null(file);
    saved[fread(saved, 1, sizeof saved - 1, file)] = '\0';
    fclose(file);
    return saved;
}

/* An old node that polls the database from this machine. Kong's own port is asked: where it is free, it is this node's, and taken by a
 * key; where it is not, all that can be told is that the node is offered. */
static void a_stranger_is_taken_in(void **state)
{
    bool ours = fixture_port_is_free("127.0.0.1", KONGS_PORT);
    struct fake node = fake_start(ours ? KONGS_PORT : 0, "--version", "1.2.3", "--conf", conf, "--poll-ms", "200", NULL);
    (void)state;
    start_wizard(160, 50);
    session_see("seen     127.0.0.1");
    session_see("works on this database and is not in fleet.ini");
    if (ours) {
        session_see("http://127.0.0.1:8001 answers: Kong 1.2.3");
        session_press("o");
        session_see("Added; saved to");
        assert_non_null(strstr(read_saved(), " http://127.0.0.1:8001\n"));
        session_listen(1000);
        assert_null(strstr(session_text(), "works on this database and is not"));
        session_press("d");
        session_see("works on this database and is not in fleet.ini");
    }
    quit();
    child_kill(&node.child, SIGTERM);
}

/* Nothing answers at Kong's port: the way through ssh is offered, and can be changed before it is taken. */
static void ssh_is_offered(void **state)
{
    struct fake node = fake_start(0, "--version", "1.2.3", "--conf", conf, "--poll-ms", "200", NULL);
    (void)state;
    if (!fixture_port_is_free("127.0.0.1", KONGS_PORT)) {
        child_kill(&node.child, SIGTERM);
        skip();
    }
    fixture_write(fleet, "[gates]\nquiet = 60\n");
    start_wizard(160, 50);
    session_see("Nothing answers at http://127.0.0.1:8001");
    session_see("listens on loopback by default");
    session_press("n");
    session_see("new 127.0.0.1 ssh://127.0.0.1 http://127.0.0.1:8001");
    session_escape();
    quit();
    assert_null(strstr(read_saved(), "ssh://"));
    child_kill(&node.child, SIGTERM);
}

/* Each of them as what it is: in the list, and whole in its details. */
static void hostile_nodes_are_shown_as_what_they_are(void **state)
{
    static const struct { const char *mode, *sentence; } hostile[] = {
        {"500", "answers GET / with an error (HTTP 500)"}, {"silent-accept", "no whole answer within 4 s"}, {"close", "closes them without an answer"},
        {"huge", "more than 1024 kB"},                      {"html", "answers with HTML"},                   {"redirect", "redirects to http://127.0.0.1:9/elsewhere"},
        {"types", "not as Kong's Admin API does: 'version'"}, {"nul", "not JSON"},
        {"loop", "redirects to http://127.0.0.1:"},          {"cut", "in the middle of its answer"},
    };
    struct fake fakes[sizeof hostile / sizeof hostile[0]];
    struct buf text = {0};
    (void)state;
    buf_add(&text, "[old]\n");
    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
        fakes[i] = fake_start(0, "--mode", hostile[i].mode, NULL);
        buf_addf(&text, "node = bad-%s http://127.0.0.1:%d\n", hostile[i].mode, fakes[i].admin);
    }
    fixture_write(fleet, "%s", buf_text(&text));
    buf_free(&text);
    start_wizard(160, 50);
    session_see("Welcome");
    session_press("4");
    session_listen(5000);                                /* the slow one is given four seconds */
    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
        char name[40];
        snprintf(name, sizeof name, "bad-%s", hostile[i].mode);
        session_press("/");
        session_press(name);
        session_press("\r");
        session_see("strange");
        session_press("\r");
        session_see("Admin API");
        session_see(hostile[i].sentence);
        session_escape();
        session_escape();
    }
    quit();
    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++)
        child_kill(&fakes[i].child, SIGTERM);
}

/* By hand, or by another wizard. */
static void a_changed_fleet_is_read_anew(void **state)
{
    (void)state;
    fixture_write(fleet, "[old]\nnode = old-1 http://127.0.0.1:1\n");
    start_wizard(160, 50);
    session_see("old-1");
    fixture_write(fleet, "[old]\nnode = old-1 http://127.0.0.1:1\nnode = forgotten http://127.0.0.1:2\n");
    session_see("fleet.ini has been changed, by hand or by another kong-upgrade: it was read anew");
    session_see("forgotten");
    fixture_write(fleet, "[old]\nnode = forgotten http://127.0.0.1:2\nnode =\n");
    session_see("fleet.ini line 3: a node is NAME URL");   /* what is wrong, and the fleet stays as it was */
    session_see("old-1");
    fixture_write(fleet, "[old]\nnode = forgotten http://127.0.0.1:2\n");
    session_see("it was read anew");
    session_listen(500);
    assert_null(strstr(session_text(), "old-1"));
    quit();
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_stranger_is_taken_in, session_tear_down),
        cmocka_unit_test_teardown(ssh_is_offered, session_tear_down),
        cmocka_unit_test_teardown(a_changed_fleet_is_read_anew, session_tear_down),
        cmocka_unit_test_teardown(hostile_nodes_are_shown_as_what_they_are, session_tear_down),
    };
    if (!fixture_arguments(argc, argv))
        return 64;
    return cmocka_run_group_tests(tests, begin, end);
}
