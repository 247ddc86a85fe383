/* The checks side by side: what is slow, locked or swallowed keeps none of the others waiting, and says why it could not be looked at. */
#include "tests/checks/place.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct seen {
    struct check_results results;
    const struct check *order[64];    /* as they came */
    size_t count;
    PGconn *session;                  /* that counts the checks' connections */
    int most;
    volatile bool stop;
    size_t stop_after;
};

static void take(void *context, struct check_result *result)
{
    struct seen *seen = context;
    seen->order[seen->count++] = result->check;
    check_results_put(&seen->results, result);
    if (seen->session != NULL) {
        PGresult *rows = PQexec(seen->session, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'kong-upgrade check' AND datname = current_database()");
        int count = atoi(PQgetvalue(rows, 0, 0));
        seen->most = count > seen->most ? count : seen->most;
        PQclear(rows);
    }
    seen->stop = seen->stop_after > 0 && seen->count >= seen->stop_after;
}

static size_t count_checks(void)
{
    size_t count = 0;
    while (checks[count] != NULL)
        count++;
    return count;
}

static void expect_unable(const struct check_results *results, const char *id, const char *part)
{
    const struct check_result *result = place_find(results, id);
    if (result->outcome != CHECK_UNABLE || strstr(result->evidence.list[result->evidence.count - 1], part) == NULL)
        fail_msg("%s is %s: %s", id, check_outcome_name(result->outcome), result->evidence.count > 0 ? result->evidence.list[0] : "");
}

/* Someone has Kong's tables to himself: the catalogs can be asked, and are, before anything waits for a lock. */
static void test_locked(void **state)
{
    (void)state;
    static const char *const locked[] = {"unknown-plugins", "behaviour", "router"};
    struct seen seen = {0};
    const char *database = place_database("k10", "kong");
    PGconn *holder = place_session(database, "kong");
    PQclear(PQexec(holder, "BEGIN; LOCK TABLE plugins, routes, services, upstreams, consumers, ratelimiting_metrics IN ACCESS EXCLUSIVE MODE"));
    place_check_each(database, NULL, NULL, NULL, take, &seen);
    PQfinish(holder);
    assert_int_equal(seen.count, count_checks());
    for (size_t i = 0; i < sizeof locked / sizeof locked[0]; i++)
        expect_unable(&seen.results, locked[i], "another session has locked what is to be looked at");
    bool rows = false;
    for (size_t i = 0; i < seen.count; i++) {
        const struct check_result *result = place_find(&seen.results, seen.order[i]->id);
        rows = rows || result->outcome == CHECK_UNABLE;
        if (rows && seen.order[i]->reach != CHECK_ROWS)
            fail_msg("%s came after what had to wait for a lock", seen.order[i]->id);
        if (seen.order[i]->reach != CHECK_ROWS && result->outcome == CHECK_UNABLE)
            fail_msg("%s is unable: %s", seen.order[i]->id, result->evidence.list[0]);
    }
    assert_true(rows);
    check_results_free(&seen.results);
}

/* The state itself can't be read: what does not need it is looked at all the same. */
static void test_state_locked(void **state)
{
    (void)state;
    struct seen seen = {0};
    const char *database = place_database("k12", "kong");
    PGconn *holder = place_session(database, "kong");
    PQclear(PQexec(holder, "BEGIN; LOCK TABLE schema_meta"));
    place_check_each(database, NULL, NULL, NULL, take, &seen);
    PQfinish(holder);
    assert_int_equal(seen.count, count_checks());
    expect_unable(&seen.results, "stage", "where the database stands can't be read: ");
    expect_unable(&seen.results, "router", "lock timeout");
    assert_int_equal(place_find(&seen.results, "standby")->outcome, CHECK_OK);
    assert_int_equal(place_find(&seen.results, "prepared-transactions")->outcome, CHECK_OK);
    assert_int_equal(place_find(&seen.results, "configuration")->outcome, CHECK_OK);
    check_results_free(&seen.results);
}

/* A table of which even a count takes longer than anyone waits. */
static void test_slow(void **state)
{
    (void)state;
    struct seen seen = {0};
    const char *database = place_database("k12", "kong");
    place_sql(database, "CREATE FUNCTION slow() RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(60); RETURN 'x'; END $$;"
                        "ALTER TABLE plugins RENAME TO plugins_; SET ROLE kong; CREATE VIEW plugins AS SELECT slow() AS name, id, NULL::jsonb AS config FROM plugins_;"
                        "RESET ROLE; INSERT INTO plugins_ (id, name, config, enabled) VALUES (md5('p')::uuid, 'acl', '{}', true)");
    place_check_each(database, NULL, NULL, NULL, take, &seen);
    assert_int_equal(seen.count, count_checks());
    expect_unable(&seen.results, "unknown-plugins", "looking took longer than 5 s and was given up");
    assert_int_equal(place_find(&seen.results, "router")->outcome, CHECK_OK);
    for (size_t i = 0; i < seen.count; i++)
        if (strcmp(seen.order[i]->id, "unknown-plugins") == 0)
            assert_true(i >= seen.count - CHECK_LANES);
    check_results_free(&seen.results);
}

static void test_connections_are_few(void **state)
{
    (void)state;
    const char *database = place_database("k12", "kong");
    struct seen seen = {.session = place_session(database, "postgres")};
    char sql[128];
    place_check_each(database, NULL, NULL, NULL, take, &seen);
    assert_in_range(seen.most, 2, CHECK_LANES);
    check_results_free(&seen.results);
    PQfinish(seen.session);
    database = place_database("k12", "kong");
    seen = (struct seen){.session = place_session(database, "postgres")};
    snprintf(sql, sizeof sql, "ALTER DATABASE %s CONNECTION LIMIT 7", database);
    place_sql("postgres", sql);
    place_check_each(database, NULL, NULL, NULL, take, &seen);
    assert_int_equal(seen.most, 1);   /* what is left is for others */
    assert_int_equal(place_find(&seen.results, "connections")->outcome, CHECK_OK);
    assert_int_equal(seen.count, count_checks());
    PQfinish(seen.session);
    check_results_free(&seen.results);
}

/* Further connections are refused, though the server has some free: one does all. */
static void test_connections_are_refused(void **state)
{
    (void)state;
    char port[32];
    struct seen seen = {0};
    snprintf(port, sizeof port, "KONG_PG_PORT=%d", place_relay(PLACE_SINGLE));
    const char *const environment[] = {port, NULL};
    place_check_each("k12", environment, NULL, NULL, take, &seen);
    place_relay_end();
    assert_int_equal(seen.count, count_checks());
    for (size_t i = 0; i < seen.results.count; i++)
        if (seen.results.list[i].outcome == CHECK_UNABLE)
            fail_msg("%s is unable: %s", seen.results.list[i].check->id, seen.results.list[i].evidence.list[0]);
    check_results_free(&seen.results);
}

static void test_stopped(void **state)
{
    (void)state;
    struct seen seen = {.stop_after = 3};
    place_check_each("k12", NULL, NULL, &seen.stop, take, &seen);
    assert_in_range(seen.count, 3, count_checks() - 1);
    check_results_free(&seen.results);
}

/* The worst first, among equals as in the table; one of the same check takes its place. */
static void test_order(void **state)
{
    (void)state;
    static const struct { const char *id; enum check_outcome outcome; enum check_severity severity; } cases[] = {
        {"router", CHECK_OK, CHECK_WARNS}, {"cost", CHECK_FOUND, CHECK_INFORMS}, {"fleet", CHECK_OK, CHECK_INFORMS}, {"lock", CHECK_FOUND, CHECK_WARNS},
        {"stage", CHECK_FOUND, CHECK_BLOCKS}, {"apis", CHECK_UNABLE, CHECK_WARNS}, {"ownership", CHECK_FOUND, CHECK_BLOCKS}, {"cost", CHECK_FOUND, CHECK_WARNS},
        {"stage", CHECK_WAITING, CHECK_BLOCKS}, {"connection", CHECK_OK, CHECK_BLOCKS},
    };
    static const char *const order[] = {"ownership", "lock", "cost", "apis", "stage", "connection", "router", "fleet"};
    struct check_results results = {0};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct check_result result = {.check = check_find(cases[i].id), .outcome = cases[i].outcome, .severity = cases[i].severity};
        names_add(&result.evidence, "x");
        check_results_put(&results, &result);
        assert_null(result.check);
    }
    assert_int_equal(results.count, sizeof order / sizeof order[0]);
    for (size_t i = 0; i < results.count; i++)
        assert_string_equal(results.list[i].check->id, order[i]);
    assert_true(check_is_open(&results.list[4], NULL));   /* not known yet */
    struct names ids = {0};
    names_add(&ids, "router");
    check_results_wait(&results, &ids);
    assert_string_equal(results.list[5].check->id, "router");
    check_results_wait(&results, NULL);
    assert_int_equal(results.count, count_checks());
    names_free(&ids);
    check_results_free(&results);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order), cmocka_unit_test(test_locked), cmocka_unit_test(test_state_locked), cmocka_unit_test(test_slow),
        cmocka_unit_test(test_connections_are_few), cmocka_unit_test(test_connections_are_refused), cmocka_unit_test(test_stopped),
    };
    if (argc != 3) {
        fprintf(stderr, "usage: lanes_test KONG-UPGRADE POSTGRES.SH\n");
        return 64;
    }
    place_arguments(argv[1], argv[2]);
    return cmocka_run_group_tests(tests, place_open, place_close);
}
