/*
 * What the database sees beside the fleet: which addresses are strangers, and what a knock at Kong's port finds there.
 */
#include "tests/cluster/fixture.h"

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/cluster/census.h"
#include "core/cluster/resolve.h"

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

#define PODS "pods.invalid"
#define DATABASE "db.invalid"

static const char *pods_at = "10.0.0.21";   /* the address that the name has now */

/* Stands before the C library's: two names of our own. */
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **result)
{
    static int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    if (name != NULL && strcmp(name, PODS) == 0)
        name = pods_at;
    else if (name != NULL && strcmp(name, DATABASE) == 0)
        name = "10.0.0.99";
    return name != NULL ? real(name, service, hints, result) : EAI_NONAME;
}

/* A census on a loop of the test's own. */
struct place {
    uv_loop_t loop;
    struct fleet fleet;
    struct datastore datastore;
    struct census *census;
};

static void place_begin(struct place *place, const char *database)
{
    *place = (struct place){.datastore = {.host = mem_dup(database), .port = 5432, .database = mem_dup("kong"), .user = mem_dup("kong")}};
    assert_int_equal(uv_loop_init(&place->loop), 0);
    place->census = census_start(&place->loop, &place->datastore);
}

static void place_add(struct place *place, enum cluster cluster, const char *name, const char *address)
{
    struct error error = {0};
    if (!fleet_add(&place->fleet, cluster, name, address, &error))
        fail_msg("%s", error.message);
}

static void place_end(struct place *place)
{
    census_stop(place->census);
    uv_run(&place->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&place->loop), 0);
    fleet_free(&place->fleet);
    datastore_free(&place->datastore);
}

static void on_tick(uv_timer_t *timer)
{
    uv_stop(timer->loop);
}

/* Runs the loop for some milliseconds. */
static void run_for(struct place *place, int milliseconds)
{
    uv_timer_t timer;
    uv_timer_init(&place->loop, &timer);
    uv_timer_start(&timer, on_tick, (uint64_t)milliseconds, 0);
    uv_run(&place->loop, UV_RUN_DEFAULT);
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(&place->loop, UV_RUN_NOWAIT);
}

static void await_ready(struct place *place)
{
    for (int tries = 0; tries < 500 && !census_is_ready(place->census); tries++)
        run_for(place, 10);
    assert_true(census_is_ready(place->census));
}

static struct session seen(const char *address, bool legacy, int poll_age)
{
    return (struct session){.address = (char *)(uintptr_t)address, .legacy = legacy, .connections = 2, .poll_age = poll_age};
}

static void look(struct place *place, struct session *list, size_t count)
{
    const struct sessions sessions = {.list = list, .count = count};
    census_see(place->census, &sessions);
}

static const struct stranger *stranger_at(const struct place *place, const char *address)
{
    for (size_t i = 0; i < census_count(place->census); i++)
        if (strcmp(census_get(place->census, i)->address, address) == 0)
            return census_get(place->census, i);
    fail_msg("%s is no stranger", address);
    return NULL;
}

static void the_fleet_is_known_by_its_addresses(void **state)
{
    struct place place;
    struct session list[] = {
        seen("10.0.0.11", false, 3), seen("10.0.0.12", true, 2), seen("10.0.0.13", false, 9), seen("10.0.0.13", true, 4), seen("10.0.0.14", true, -1),
        seen("10.0.0.21", false, 1), seen("2001:db8::7", false, 2), seen("hidden", false, -1), seen("local", false, 5),
    };
    (void)state;
    place_begin(&place, DATABASE);
    place_add(&place, CLUSTER_OLD, "one", "http://10.0.0.11:8001");
    place_add(&place, CLUSTER_OLD, "far", "ssh://ops@10.0.0.12:2222 http://127.0.0.1:8001");
    place_add(&place, CLUSTER_NEW, "pod-*", "http://" PODS ":8001");
    place_add(&place, CLUSTER_NEW, "six", "http://[2001:DB8::7]:8001");
    census_know(place.census, &place.fleet);
    await_ready(&place);
    look(&place, list, sizeof list / sizeof list[0]);
    assert_int_equal(census_count(place.census), 2);
    const struct stranger *stranger = stranger_at(&place, "10.0.0.13");   /* of two kinds the one that polled last */
    assert_true(stranger->legacy && stranger->poll_age == 4);
    assert_string_equal(stranger->url, "http://10.0.0.13:8001");
    assert_int_equal(stranger->state, NODE_UNASKED);
    assert_string_equal(stranger_at(&place, "local")->url, "http://" DATABASE ":8001");
    assert_int_equal(census_count_old(place.census), 2);   /* one and far: not the new nodes, nor who is unknown */
    assert_int_equal(census_poll_age(place.census, &place.fleet.nodes[0], NULL), 3);
    assert_int_equal(census_poll_age(place.census, &place.fleet.nodes[1], NULL), 2);
    assert_int_equal(census_poll_age(place.census, &place.fleet.nodes[2], NULL), 1);
    assert_int_equal(census_poll_age(place.census, &place.fleet.nodes[2], "10.0.0.21"), 1);
    assert_int_equal(census_poll_age(place.census, &place.fleet.nodes[2], "10.0.0.22"), -1);   /* another node of that name */
    assert_int_equal(census_poll_age(place.census, &place.fleet.nodes[3], NULL), 2);

    place_add(&place, CLUSTER_NEW, "one-new", "http://10.0.0.11:8101");   /* on the same host: whose poll it is can't be told */
    place_add(&place, CLUSTER_OLD, "database", "http://10.0.0.99:8001");   /* the server's own host, under its address */
    census_know(place.census, &place.fleet);
    assert_false(census_is_ready(place.census));   /* no one is taken for a stranger meanwhile */
    assert_int_equal(census_count(place.census), 0);
    await_ready(&place);
    look(&place, list, sizeof list / sizeof list[0]);
    assert_int_equal(census_count(place.census), 1);
    assert_int_equal(census_count_old(place.census), 2);   /* far, and the one on the database's host */
    list[1].poll_age = list[8].poll_age = SESSIONS_FRESH_S + 1;
    look(&place, list, sizeof list / sizeof list[0]);
    assert_int_equal(census_count_old(place.census), 0);
    place_end(&place);
}

static void on_this_machine_loopback_is_loopback(void **state)
{
    struct place place;
    struct session list[] = {seen("::1", false, 3), seen("127.0.0.1", false, 3), seen("local", false, 2)};
    (void)state;
    place_begin(&place, "/var/run/postgresql");
    look(&place, list, 3);
    assert_int_equal(census_count(place.census), 2);   /* a Unix socket's client is at 127.0.0.1, too */
    assert_string_equal(stranger_at(&place, "::1")->url, "http://[::1]:8001");
    place_add(&place, CLUSTER_OLD, "here", "http://localhost:8001");
    census_know(place.census, &place.fleet);
    await_ready(&place);
    look(&place, list, 3);
    assert_int_equal(census_count(place.census), 0);
    place_end(&place);
}

static void names_are_looked_up_again(void **state)
{
    struct place place;
    struct session list[] = {seen("10.0.0.21", false, 3), seen("10.0.0.22", false, 3)};
    (void)state;
    resolve_ms = 50;
    place_begin(&place, "127.0.0.1");
    place_add(&place, CLUSTER_NEW, "pod-*", "http://" PODS ":8001");
    census_know(place.census, &place.fleet);
    await_ready(&place);
    look(&place, list, 2);
    assert_int_equal(census_count(place.census), 1);
    assert_string_equal(census_get(place.census, 0)->address, "10.0.0.22");
    pods_at = "10.0.0.22";
    for (int tries = 0; tries < 300 && !census_is_stranger(place.census, &list[0]); tries++)
        run_for(&place, 10);
    look(&place, list, 2);
    assert_int_equal(census_count(place.census), 1);
    assert_string_equal(census_get(place.census, 0)->address, "10.0.0.21");
    pods_at = "no.such.name.invalid";                  /* the name server's trouble: what is known is kept */
    run_for(&place, 300);
    look(&place, list, 2);
    assert_int_equal(census_count(place.census), 1);
    pods_at = "10.0.0.21";
    resolve_ms = 30000;
    place_end(&place);
}

/* Knocking. */

static bool all_knocked(const struct place *place)
{
    for (size_t i = 0; i < census_count(place->census); i++)
        if (census_get(place->census, i)->state == NODE_UNASKED)
            return false;
    return true;
}

/* All at one port, as Kong nodes are, each at an address of its own. */
static void whatever_answers_is_told(void **state)
{
    struct place place;
    struct session list[] = {seen("127.0.0.2", false, 1), seen("127.0.0.3", false, 1), seen("127.0.0.4", false, 1), seen("127.0.0.5", false, 1)};
    struct fake kong = fake_start(0, "--version", "1.2.3", "--no-database", "--address", "127.0.0.2", NULL);
    struct fake hung = {0}, page = {0};
    (void)state;
    census_port = kong.admin;
    if (!fixture_port_is_free("127.0.0.3", kong.admin) || !fixture_port_is_free("127.0.0.4", kong.admin)) {
        child_kill(&kong.child, SIGTERM);
        print_message("a port is taken at another address\n");
        skip();
    }
    hung = fake_start(kong.admin, "--mode", "silent-accept", "--address", "127.0.0.3", NULL);
    page = fake_start(kong.admin, "--mode", "html", "--address", "127.0.0.4", NULL);
    place_begin(&place, "127.0.0.1");
    look(&place, list, 4);
    int64_t began = clock_ms(), longest = 0;
    for (int64_t before = began; !all_knocked(&place) && before - began < 15000;) {
        census_knock(place.census);
        run_for(&place, 20);
        int64_t now = clock_ms();
        longest = now - before > longest ? now - before : longest;
        before = now;
    }
    assert_true(longest < 1000);           /* none of them is waited for */
    const struct stranger *stranger = stranger_at(&place, "127.0.0.2");
    assert_int_equal(stranger->state, NODE_ANSWERS);
    assert_string_equal(stranger->version, "1.2.3");
    assert_string_equal(stranger->node_id, kong.node_id);
    assert_null(stranger->problem);
    assert_int_equal(stranger_at(&place, "127.0.0.3")->state, NODE_STRANGE);
    assert_non_null(strstr(stranger_at(&place, "127.0.0.3")->problem, "no whole answer within 4 s"));
    assert_int_equal(stranger_at(&place, "127.0.0.4")->state, NODE_STRANGE);
    assert_non_null(strstr(stranger_at(&place, "127.0.0.4")->problem, "HTML"));
    assert_int_equal(stranger_at(&place, "127.0.0.5")->state, NODE_SILENT);
    assert_non_null(strstr(stranger_at(&place, "127.0.0.5")->problem, "Connection refused"));
    look(&place, list, 2);                 /* what was found is kept of those that are still seen */
    assert_int_equal(census_count(place.census), 2);
    assert_string_equal(stranger_at(&place, "127.0.0.2")->version, "1.2.3");
    census_knock(place.census);            /* not due yet */
    run_for(&place, 50);
    assert_int_equal(stranger_at(&place, "127.0.0.2")->state, NODE_ANSWERS);
    place_end(&place);
    census_port = CENSUS_PORT;
    child_kill(&kong.child, SIGTERM);
    child_kill(&hung.child, SIGTERM);
    child_kill(&page.child, SIGTERM);
}

static void a_knock_under_way_is_no_hindrance(void **state)
{
    struct place place;
    struct session list[] = {seen("127.0.0.2", false, 1)};
    struct fake hung = fake_start(0, "--mode", "silent-accept", "--address", "127.0.0.2", NULL);
    (void)state;
    census_port = hung.admin;
    place_begin(&place, "127.0.0.1");
    look(&place, list, 1);
    census_knock(place.census);
    run_for(&place, 200);
    look(&place, list, 0);                 /* it is gone meanwhile */
    assert_int_equal(census_count(place.census), 0);
    int64_t began = clock_ms();
    place_end(&place);
    assert_true(clock_ms() - began < 1000);
    census_port = CENSUS_PORT;
    child_kill(&hung.child, SIGTERM);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_fleet_is_known_by_its_addresses),
        cmocka_unit_test(on_this_machine_loopback_is_loopback),
        cmocka_unit_test(names_are_looked_up_again),
        cmocka_unit_test(whatever_answers_is_told),
        cmocka_unit_test(a_knock_under_way_is_no_hindrance),
    };
    if (!fixture_arguments(argc, argv))
        return 64;
    return cmocka_run_group_tests(tests, NULL, fixture_tear_down);
}
