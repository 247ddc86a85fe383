/* Watching real HTTP servers: Kong's stand-ins, and all kinds of what is not Kong. */
#include "tests/cluster/fixture.h"

#include "core/base/clock.h"
#include "core/base/mem.h"

#include <dlfcn.h>
#include <netdb.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define SLOW_NAME "slow-name.invalid"
#define SLOW_SECONDS 20

static const struct hostile {
    const char *mode, *sentence;   /* a part of what is said of it */
} hostile[] = {
    {"html", "HTML"},
    {"silent-accept", "no whole answer within 4 s"},
    {"drip", "no whole answer within 4 s"},
    {"huge", "more than 1024 kB"},
    {"heads", "check the address in fleet.ini"},   /* libcurl may have had enough before we have */
    {"redirect", "redirects to http://127.0.0.1:9/elsewhere"},
    {"garbage", "does not answer as Kong's Admin API does"},
    {"nul", "not JSON"},
    {"types", "'version' is missing or of the wrong kind"},
    {"close", "closes them without an answer"},
    {"500", "HTTP 500"},
    {"array", "with no object"},
    {"loop", "redirects to http://127.0.0.1:"},
    {"cut", "in the middle of its answer"},
};
#define HOSTILE (sizeof hostile / sizeof hostile[0])

/* Stands before the C library's: a name server that does not answer for long. */
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **result)
{
    static int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    if (name != NULL && strcmp(name, SLOW_NAME) == 0) {
        sleep(SLOW_SECONDS);
        return EAI_AGAIN;
    }
    *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    return real(name, service, hints, result);
}

static bool good_is_counted(struct watching *watching)
{
    return watching_node(watching, "good")->counted_at > 0;
}

static bool good_is_counted_twice(struct watching *watching)
{
    return traffic_node_rps(watching->traffic, watching_node(watching, "good")) >= 0;
}

static bool good_is_silent(struct watching *watching)
{
    return watching_node(watching, "good")->state == NODE_SILENT;
}

static bool good_has_restarted(struct watching *watching)
{
    return watching_node(watching, "good")->restarts > 0 && good_is_counted_twice(watching);
}

/* All at once, so that each would hold up the good one if it could. The deadline of the slow ones is 4 s. */
static void hostile_nodes_are_strange_and_delay_no_one(void **state)
{
    struct watching watching = {0};
    struct fake fakes[HOSTILE], good = fake_start(0, "--version", "1.3.0", "--no-database", NULL);
    (void)state;
    for (size_t i = 0; i < HOSTILE; i++) {
        fakes[i] = fake_start(0, "--mode", hostile[i].mode, NULL);
        watching_add(&watching, CLUSTER_NEW, hostile[i].mode, fakes[i].admin);
    }
    watching_add(&watching, CLUSTER_NEW, "good", good.admin);
    assert_true(fleet_add(&watching.fleet, CLUSTER_NEW, "slow-name", "http://" SLOW_NAME ":8001", NULL));
    int64_t began = clock_ms();
    watching_start(&watching);
    assert_true(watching_until(&watching, good_is_counted_twice, 3500));
    assert_int_equal(watching_node(&watching, "silent-accept")->state, NODE_UNASKED);
    assert_true(watching_until(&watching, watching_all_asked, 15000));
    for (size_t i = 0; i < HOSTILE; i++) {
        const struct node *node = watching_node(&watching, hostile[i].mode);
        if (node->state != NODE_STRANGE || strstr(node->problem, hostile[i].sentence) == NULL)
            fail_msg("%s: %s, %s", node->name, node_state_name(node->state), node->problem);
        assert_true(node_is_there(node));
        assert_false(node_is_ready(node));
        assert_false(node_is_gone(node, clock_ms() + 1000000, 0));
        assert_null(node->version);
        assert_int_equal(node->total_requests, -1);
    }
    assert_int_equal(watching_node(&watching, "slow-name")->state, NODE_UNKNOWN);
    assert_true(node_is_ready(watching_node(&watching, "good")));
    assert_true(watching.changes > (int)HOSTILE);
    watching_end(&watching);
    assert_true(clock_ms() - began < SLOW_SECONDS * 1000 - 3000);   /* the resolver was not waited for */
    for (size_t i = 0; i < HOSTILE; i++)
        child_kill(&fakes[i].child, SIGTERM);
    assert_int_equal(child_kill(&good.child, SIGTERM), 0);
}

static void unreachable_nodes_are_silent(void **state)
{
    struct watching watching = {0};
    struct error error = {0};
    struct fake gone = fake_start(0, "--no-database", NULL);
    (void)state;
    child_kill(&gone.child, SIGTERM);
    watching_add(&watching, CLUSTER_OLD, "refused", gone.admin);
    assert_true(fleet_add(&watching.fleet, CLUSTER_NEW, "nameless", "http://no-such-host.invalid:8001", &error));
    watching_start(&watching);
    assert_true(watching_until(&watching, watching_all_asked, 15000));
    const struct node *refused = watching_node(&watching, "refused");
    assert_int_equal(refused->state, NODE_SILENT);
    assert_string_equal(refused->problem, "can't be reached: Connection refused");
    assert_true(node_is_gone(refused, refused->silent_since + 100, 100));
    assert_false(node_is_gone(refused, refused->silent_since + 99, 100));
    assert_false(node_is_there(refused));
    const struct node *nameless = watching_node(&watching, "nameless");   /* which says nothing about the node */
    assert_int_equal(nameless->state, NODE_UNKNOWN);
    assert_non_null(strstr(nameless->problem, "its name can't be resolved"));
    assert_false(node_is_gone(nameless, clock_ms() + 1000000, 0));
    int64_t since = refused->silent_since;
    int changes = watching.changes;
    watching_until(&watching, NULL, 1500);
    assert_true(watching.changes > changes);
    assert_int_equal(refused->silent_since, since);
    assert_true(traffic_old_quiet_ms(watching.traffic, clock_ms()) >= 1500);
    watching_end(&watching);
}

/* A node that no one but we asks has served nothing. */
static void own_polls_are_subtracted(void **state)
{
    struct watching watching = {0};
    struct fake good = fake_start(0, "--version", "1.2.3", "--no-database", NULL);
    (void)state;
    watching_add(&watching, CLUSTER_OLD, "good", good.admin);
    watching_start(&watching);
    assert_true(watching_until(&watching, good_is_counted, 10000));
    assert_int_equal(traffic_old_quiet_ms(watching.traffic, clock_ms()), -1);
    watching_until(&watching, NULL, 5500);   /* `GET /` is asked again meanwhile */
    const struct node *node = watching_node(&watching, "good");
    assert_int_equal(node->state, NODE_ANSWERS);
    assert_null(node->problem);
    assert_string_equal(node->version, "1.2.3");
    assert_string_equal(node->node_id, good.node_id);
    assert_int_equal(node->database_reachable, 1);
    assert_int_equal(node->connections, 1);
    assert_int_equal(node->match, MATCH_SAME);
    assert_true(node->total_requests >= 6);
    assert_int_equal(node->own_requests, node->total_requests);
    assert_true(traffic_node_rps(watching.traffic, node) == 0);
    assert_true(traffic_old_quiet_ms(watching.traffic, clock_ms()) >= 4000);
    watching_end(&watching);
    child_kill(&good.child, SIGTERM);
}

static void traffic_is_counted(void **state)
{
    struct watching watching = {0};
    char *rate = fixture_path("rate");
    size_t count;
    (void)state;
    fixture_write(rate, "200\n");
    struct fake good = fake_start(0, "--no-database", "--traffic", rate, NULL), idle = fake_start(0, "--no-database", NULL);
    watching_add(&watching, CLUSTER_OLD, "good", good.admin);
    watching_add(&watching, CLUSTER_NEW, "idle", idle.admin);
    watching_start(&watching);
    assert_true(watching_until(&watching, good_is_counted_twice, 10000));
    watching_until(&watching, NULL, 3000);
    double rps = traffic_cluster_rps(watching.traffic, CLUSTER_OLD);
    assert_true(rps > 120 && rps < 280);
    assert_true(traffic_node_rps(watching.traffic, watching_node(&watching, "good")) == rps);
    assert_true(traffic_cluster_rps(watching.traffic, CLUSTER_NEW) == 0);
    assert_true(traffic_old_quiet_ms(watching.traffic, clock_ms()) < 3000);
    const double *history = traffic_history(watching.traffic, CLUSTER_OLD, TRAFFIC_SECONDS, &count);
    assert_true(count >= 3 && count < 20);
    assert_true(history[count - 1] > 120 && history[count - 1] < 280);
    watching_end(&watching);
    child_kill(&good.child, SIGTERM);
    child_kill(&idle.child, SIGTERM);
    free(rate);
}

/* The new process's counter begins at 0: its own polls are the only ones in it again. */
static void restart_is_seen(void **state, bool silence)
{
    struct watching watching = {0};
    char *rate = fixture_path("rate");
    (void)state;
    fixture_write(rate, "5000\n");
    struct fake good = fake_start(0, "--no-database", "--traffic", rate, NULL);
    watching_add(&watching, CLUSTER_OLD, "good", good.admin);
    watching_start(&watching);
    assert_true(watching_until(&watching, good_is_counted_twice, 10000));
    child_kill(&good.child, SIGKILL);
    const struct node *node = watching_node(&watching, "good");
    if (silence) {
        assert_true(watching_until(&watching, good_is_silent, 10000));
        assert_non_null(node->version);
        assert_int_equal(node->connections, -1);
    }
    fixture_write(rate, "0\n");
    good = fake_start(good.admin, "--no-database", "--traffic", rate, NULL);
    assert_true(watching_until(&watching, good_has_restarted, 15000));
    assert_int_equal(node->restarts, 1);
    assert_int_equal(node->state, NODE_ANSWERS);
    assert_int_equal(node->silent_since, 0);
    assert_string_equal(node->node_id, good.node_id);
    assert_int_equal(node->own_requests, node->total_requests);
    assert_true(traffic_node_rps(watching.traffic, node) == 0);
    watching_until(&watching, NULL, 1500);
    assert_int_equal(node->restarts, 1);
    assert_int_equal(node->own_requests, node->total_requests);
    watching_end(&watching);
    child_kill(&good.child, SIGTERM);
    free(rate);
}

static void silence_and_return(void **state)
{
    restart_is_seen(state, true);
}

static void restart_between_two_polls(void **state)
{
    restart_is_seen(state, false);
}

static void versions_are_judged(void **state)
{
    struct watching watching = {0};
    struct fake old = fake_start(0, "--version", "1.2.3", "--no-database", NULL);
    struct fake new = fake_start(0, "--version", "1.3.0", "--no-database", "--pg-database", "kong2", NULL);
    (void)state;
    watching_add(&watching, CLUSTER_NEW, "too-old", old.admin);
    watching_add(&watching, CLUSTER_OLD, "other", new.admin);
    watching_start(&watching);
    assert_true(watching_until(&watching, watching_all_asked, 10000));
    watching_until(&watching, NULL, 300);
    assert_non_null(strstr(watching_node(&watching, "too-old")->problem, "runs Kong 1.2.3, not 1.3"));
    assert_false(node_is_ready(watching_node(&watching, "too-old")));
    assert_int_equal(watching_node(&watching, "other")->match, MATCH_OTHER);
    assert_string_equal(watching_node(&watching, "other")->match_text, "pg_database is kong2, not kong");
    assert_non_null(strstr(watching_node(&watching, "other")->problem, "uses another database"));
    watching_end(&watching);
    child_kill(&old.child, SIGTERM);
    child_kill(&new.child, SIGTERM);
}

static bool has_changed(struct watching *watching)
{
    return watching->changes > 0;
}

static void stop_in_the_middle(void **state)
{
    struct fake hung = fake_start(0, "--mode", "silent-accept", NULL), good = fake_start(0, "--no-database", NULL);
    (void)state;
    for (int wait = 0; wait <= 200; wait += 50) {
        struct watching watching = {0};
        watching_add(&watching, CLUSTER_OLD, "hung", hung.admin);
        watching_add(&watching, CLUSTER_OLD, "good", good.admin);
        watching_start(&watching);
        watching_until(&watching, NULL, wait);
        watching_end(&watching);
    }
    struct watching untouched = {0};
    watching_add(&untouched, CLUSTER_OLD, "good", good.admin);
    watching_start(&untouched);
    watching_end(&untouched);
    struct watching empty = {0};
    watching_start(&empty);
    assert_false(watching_until(&empty, has_changed, 50));
    watching_end(&empty);
    nodes_stop(NULL);
    child_kill(&hung.child, SIGTERM);
    child_kill(&good.child, SIGTERM);
}

struct stopper {
    struct nodes *nodes;
    int calls;
};

static void stop_now(void *context)
{
    struct stopper *stopper = context;
    stopper->calls++;
    nodes_stop(stopper->nodes);
}

static void stop_from_changed(void **state)
{
    struct fake first = fake_start(0, "--no-database", NULL), second = fake_start(0, "--no-database", NULL);
    struct watching watching = {0};
    struct stopper stopper = {0};
    struct error error = {0};
    struct datastore datastore = {.host = (char[]){"127.0.0.1"}, .port = 5432, .database = (char[]){"kong"}};
    uv_loop_t loop;
    (void)state;
    watching_add(&watching, CLUSTER_OLD, "first", first.admin);
    watching_add(&watching, CLUSTER_OLD, "second", second.admin);
    uv_loop_init(&loop);
    stopper.nodes = nodes_start(&loop, &watching.fleet, &datastore, stop_now, &stopper, &error);
    assert_non_null(stopper.nodes);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    assert_int_equal(stopper.calls, 1);
    fleet_free(&watching.fleet);
    child_kill(&first.child, SIGTERM);
    child_kill(&second.child, SIGTERM);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hostile_nodes_are_strange_and_delay_no_one),
        cmocka_unit_test(unreachable_nodes_are_silent),
        cmocka_unit_test(own_polls_are_subtracted),
        cmocka_unit_test(traffic_is_counted),
        cmocka_unit_test(silence_and_return),
        cmocka_unit_test(restart_between_two_polls),
        cmocka_unit_test(versions_are_judged),
        cmocka_unit_test(stop_in_the_middle),
        cmocka_unit_test(stop_from_changed),
    };
    if (!fixture_arguments(argc, argv))
        return 64;
    /* Nothing of the environment may get between us and the nodes. */
    setenv("http_proxy", "http://127.0.0.1:9", 1);
    setenv("ALL_PROXY", "http://127.0.0.1:9", 1);
    return cmocka_run_group_tests(tests, NULL, fixture_tear_down);
}
