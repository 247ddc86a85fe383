/*
 * The gate of step 5 when the operator has said the last word: asked anew, of the database as it is at that moment, whatever the screen
 * knew. Where it is open a worker would be started: this program is none, so that fails, and nothing is changed.
 */
#include "core/base/mem.h"
#include "screens/jobs.h"
#include "tests/db/harness.h"

#include <stdlib.h>
#include <string.h>

#define GATE "Nothing was changed: "

static int setup(void **state)
{
    if (harness_setup(state) != 0)
        return -1;
    setenv("XDG_STATE_HOME", harness.state, 1);
    db_create("before", NULL);
    struct result result = kong("before", "bootstrap --to 1.2");
    expect_exit(&result, 0);
    db_create("up", "before");
    result = kong("up", "up --yes");
    expect_exit(&result, 0);
    return 0;
}

/* What the screen knew: an old node that is stopped, a new one that is ready. Returns what was said. */
static char *finish(const char *database)
{
    char *const plugins[] = {"key-auth", "oauth2"};
    struct app app = {
        .conf = {.pg = {.host = "127.0.0.1", .port = harness.port, .database = (char *)(uintptr_t)database, .user = "kong", .password = HARNESS_PASSWORD,
                        .timeout_ms = 5000},
                 .plugins = {(char **)(uintptr_t)plugins, 2}},
        .fleet = {.file = text_printf("%s/fleet.ini", harness.folder), .lock_deadline_seconds = 1},
    };
    struct start_job job = {
        .app = &app, .command = "finish", .against = AGAINST_OLD,
        .facts = {.checks_run = true, .old_nodes = 1, .new_nodes = 1, .new_ready = 1, .old_session_ms = -1, .old_answered_ms = -1, .old_rps = 0, .new_rps = 10, .old_quiet_ms = 600000,
                  .quiet_needed_ms = 120000},
    };
    start_work(&job.work);
    assert_null(job.path);
    char *said = mem_dup(job.error.message);
    error_clear(&job.error);
    return said;
}

static void test_an_old_node_that_came_back_is_seen(void **state)
{
    (void)state;
    char *meta = db_meta("up"), *said = finish("up");
    if (strncmp(said, GATE, strlen(GATE)) == 0)
        fail_msg("the gate is shut: %s", said);
    free(said);

    /* 0.14 gives no application_name. */
    PGconn *legacy = db_connect("kong", "up");
    PQclear(PQexec(legacy, "SET application_name = ''"));
    PQclear(PQexec(legacy, "SELECT id, node_id FROM cluster_events WHERE channel IN ('invalidations')"));
    said = finish("up");
    expect_part(said, GATE "At least 1 Kong 0.14 node still works");
    free(said);
    PQfinish(legacy);
    await_true("up", "SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = 'up' AND pid <> pg_backend_pid() AND query LIKE '%cluster_events%'");
    assert_string_equal(db_meta("up"), meta);
}

static void test_a_database_that_was_put_back_is_seen(void **state)
{
    (void)state;
    char *meta = db_meta("before"), *said = finish("before");
    expect_part(said, GATE "The database must be migrated up first");
    free(said);
    said = finish("gone");
    expect_part(said, "gone");
    free(said);
    assert_string_equal(db_meta("before"), meta);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_old_node_that_came_back_is_seen),
        cmocka_unit_test(test_a_database_that_was_put_back_is_seen),
    };
    return harness_arguments(argc, argv) ? cmocka_run_group_tests(tests, setup, harness_teardown) : 64;
}
