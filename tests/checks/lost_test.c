/* The checks on a server that says nothing, or nothing any more: they end, and each says why. */
#include "tests/checks/place.h"

#include "core/base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* All of them, with something said by each; what needs no server is looked at. */
static void expect_all_said(const struct check_results *results)
{
    size_t count = 0;
    while (checks[count] != NULL)
        count++;
    assert_int_equal(results->count, count);
    for (size_t i = 0; i < results->count; i++) {
        assert_true(results->list[i].evidence.count > 0);
        if (results->list[i].check->reach == CHECK_HOST)
            assert_int_not_equal(results->list[i].outcome, CHECK_UNABLE);
    }
}

/* Whoever listens there takes the connection, and never says a word. */
static void test_silent_server(void **state)
{
    (void)state;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    struct check_results results;
    char port[32];
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(listener, 8), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    snprintf(port, sizeof port, "KONG_PG_PORT=%d", ntohs(address.sin_port));
    const char *const environment[] = {port, NULL};
    place_check("k12", environment, &results);
    close(listener);
    expect_all_said(&results);
    assert_string_equal(results.list[0].check->id, "connection");
    assert_non_null(strstr(results.list[0].evidence.list[0], "no answer within 10 s"));
    assert_non_null(strstr(place_find(&results, "router")->evidence.list[0], "there is no connection to the database"));
    check_results_free(&results);
}

/* The network goes away under connections that stood: even cancelling goes nowhere. */
static void test_swallowed(void **state)
{
    (void)state;
    struct check_results results;
    char port[32];
    snprintf(port, sizeof port, "KONG_PG_PORT=%d", place_relay(1600));
    const char *const environment[] = {port, NULL};
    int64_t begun = clock_ms();
    place_check("k12", environment, &results);
    place_relay_end();
    assert_true(clock_ms() - begun < 4 * (CHECK_DEADLINE_MS + CHECK_GRACE_MS));   /* not one after another */
    expect_all_said(&results);
    size_t given_up = 0, unable = 0;
    for (size_t i = 0; i < results.count; i++) {
        const struct check_result *each = &results.list[i];
        unable += each->outcome == CHECK_UNABLE ? 1 : 0;
        given_up += each->outcome == CHECK_UNABLE && strstr(each->evidence.list[0], "no answer within") != NULL ? 1 : 0;
    }
    assert_true(given_up > 0);
    assert_true(unable > 10);
    check_results_free(&results);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_silent_server), cmocka_unit_test(test_swallowed)};
    if (argc != 3) {
        fprintf(stderr, "usage: lost_test KONG-UPGRADE POSTGRES.SH\n");
        return 64;
    }
    place_arguments(argv[1], argv[2]);
    return cmocka_run_group_tests(tests, place_open, place_close);
}
