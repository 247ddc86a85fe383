/*
 * No crash hurts: wherever the worker is killed (SIGKILL), running the same again comes to exactly the schema, the rows and the
 * schema_meta of an undisturbed run, order in its arrays included.
 *
 * Every path from a release to 1.3, and back, is run once undisturbed to see its points (crash_points.h): before each statement of DDL, within it,
 * after it (before the transaction ends, and before the record); before, within and after batches of backfills; before, after and in
 * the commit of a record; at Kong's lock; in the waits of concurrent builds. After a kill what the server still does for the dead
 * worker is ended in every second case, and goes on in the others, while the next worker begins already.
 *
 *     db-crash BINARY POSTGRES.SH REFERENCE           from 1.2, every point; from elsewhere a point of each statement, backfill and
 *                                                     record, whose place in it takes turns; of `bootstrap`, which is a single
 *                                                     transaction, a few
 *     db-crash BINARY POSTGRES.SH REFERENCE --all     every point of every path; then each once more, in a database of its own, the
 *                                                     end compared each time (many minutes)
 *
 * Otherwise the kills of a path come one after another in a few databases: the worker is killed, and the next one at a later point.
 */
#include "tests/db/crash_points.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define LANES 4
#define LONGEST_MS 60000
#define CRASH_EVERY 61      /* of the points, where the server crashes too */

static bool all;

/* A command on a database, and what it comes to undisturbed. */
struct path {
    const char *name, *base, *command;
    const char *only;           /* the subjects that matter, a condition; NULL: all */
    bool thorough;              /* by default every point, too */
    int sparse;                 /* by default one in so many */
    char *points;
    int count, chains;
    char *catalog, *rows, *meta;
};

static struct path paths[12];
static size_t path_count;

/* Small, but with rows in need for every backfill, and enough of them for several batches in `consumers` and `upstreams`. */
static const char rows_of_1_0[] =
    "INSERT INTO services (id, name, host, protocol, port) SELECT md5('s' || n)::uuid, 's' || n, 'h', 'http', 80 FROM generate_series(1, 3) n;"
    "INSERT INTO routes (id, name, service_id) SELECT md5('r' || n)::uuid, 'r' || n, md5('s' || n)::uuid FROM generate_series(1, 3) n;"
    "INSERT INTO consumers (id, username, created_at) SELECT md5('c' || n)::uuid, 'c' || n, '2020-01-01 00:00:00.123456Z' FROM generate_series(1, 410) n;"
    "INSERT INTO upstreams (id, name, hash_on, slots, created_at) SELECT md5('u' || n)::uuid, 'u' || n,"
    " CASE n % 3 WHEN 0 THEN 'none' WHEN 1 THEN 'ip' END, 10, '2020-01-01 00:00:00.5Z' FROM generate_series(1, 410) n;"
    "INSERT INTO targets (id, target, weight, upstream_id, created_at) SELECT md5('t' || n)::uuid, 't' || n, 1, md5('u' || n)::uuid,"
    " '2020-01-01 00:00:00.123456Z' FROM generate_series(1, 3) n;"
    "INSERT INTO plugins (id, name, config, enabled, created_at) SELECT md5('p' || n)::uuid, 'key-auth', '{}', true, '2020-01-01 00:00:00.5Z'"
    " FROM generate_series(1, 3) n";

static void run_well(const char *database, const char *line)
{
    struct result result = kong(database, line);
    expect_exit(&result, 0);
}

static const char *line_of(const struct path *path, const char *database)
{
    bool is_named = strcmp(path->command, "finish") == 0 || strncmp(path->command, "rollback", strlen("rollback")) == 0;
    return is_named ? text_printf("%s -y --confirm %s", path->command, database) : text_printf("%s -y", path->command);
}

/* 0.14 has no schema_meta. */
static char *meta_of(const char *database)
{
    return db_ask(database, "SELECT to_regclass('schema_meta') IS NULL")[0] == 't' ? text_printf("%s", "") : db_meta(database);
}

/* Undisturbed and without instruments: what the end must be. With them: the points. */
static void look_at(struct path *path)
{
    db_create("plain", path->base);
    run_well("plain", line_of(path, "plain"));
    path->catalog = db_catalog("plain");
    path->rows = db_rows("plain");
    path->meta = meta_of("plain");
    db_drop("plain");
    db_create("seen", path->base);
    points_add("seen");
    points_forget("seen");
    run_well("seen", line_of(path, "seen"));
    if (path->only != NULL)
        db_ask("seen", text_printf("DELETE FROM crash.seen WHERE NOT (%s)", path->only));
    path->points = points_seen("seen");
    path->count = atoi(db_ask("seen", text_printf("SELECT count(*) FROM (VALUES %s) p", path->points)));
    path->chains = atoi(db_ask("seen", text_printf("SELECT max(place) + 1 FROM (VALUES %s) p (id, subject, point, hold, place, turn)", path->points)));
    print_message("[  NOTE    ] %s: %d points in %s statements, backfills and records\n", path->name, path->count,
                  db_ask("seen", "SELECT count(DISTINCT subject) FROM crash.seen"));
    db_drop("seen");
}

static void add_path(const char *name, const char *base, const char *command, bool thorough, int sparse)
{
    paths[path_count] = (struct path){.name = name, .base = base, .command = command, .thorough = thorough, .sparse = sparse};
    look_at(&paths[path_count++]);
}

/* All records go in one transaction, which no worker comes to twice once it is committed: the points of one of them stand for it. */
static void add_rollback(const char *name, const char *base, const char *command, int sparse)
{
    paths[path_count] = (struct path){.name = name, .base = base, .command = command, .sparse = sparse,
                                      .only = "subject NOT LIKE 'record%' OR subject LIKE 'record session%'"};
    look_at(&paths[path_count++]);
}

/* From 0.14 `up` makes schema_meta itself: what watches its rows is put on it once it is there. */
static void begin_014(void)
{
    char *fleet = text_printf("%s/impatient.ini", harness.folder);
    text_save(fleet, "[gates]\nlock_deadline = 1\n");
    db_create("k014b", "k014");
    PGconn *holder = db_connect("kong", "k014b");
    PQclear(PQexec(holder, "BEGIN; SELECT 1 FROM routes LIMIT 1"));
    struct result result = kong("k014b", text_printf("-f %s up", fleet));
    expect_exit(&result, 10);
    PQfinish(holder);
}

static void make_paths_of_014(void)
{
    db_create("k014", NULL);
    db_load("k014", harness_reference("kong-0.14.1-data.sql"));
    add_path("0.14 up", "k014", "up", false, 1);
    begin_014();
    paths[path_count] = (struct path){.name = "0.14 up, begun", .base = "k014b", .command = "up", .only = "subject LIKE 'record%'", .sparse = 3};
    look_at(&paths[path_count++]);
    db_create("k014f", "k014");
    run_well("k014f", "up");
    add_path("0.14 finish", "k014f", "finish", false, 1);
    add_rollback("0.14 rollback", "k014f", "rollback --to 0.14", 6);
}

static void make_paths(void)
{
    db_create("empty", NULL);
    db_create("k10", NULL);
    run_well("k10", "bootstrap --to 1.0");
    db_run("k10", rows_of_1_0);
    db_create("k12", NULL);
    run_well("k12", "bootstrap --to 1.2");
    db_run("k12", rows_of_1_0);
    /* What changes from 1.0 changes from 0.14, too. */
    bool have_014 = harness_have("kong-0.14.1-data.sql");
    add_path("1.0 up", "k10", "up", false, have_014 ? 3 : 1);
    add_path("1.2 up", "k12", "up", true, 1);
    db_create("k10f", "k10");
    run_well("k10f", "up");
    db_create("k12f", "k12");
    run_well("k12f", "up");
    add_path("1.0 finish", "k10f", "finish", false, 1);
    add_path("1.2 finish", "k12f", "finish", true, 1);
    add_rollback("1.0 rollback", "k10f", "rollback --to 1.0", 5);
    add_rollback("1.2 rollback", "k12f", "rollback --to 1.2", 2);
    if (have_014)
        make_paths_of_014();
    add_path("bootstrap", "empty", "bootstrap", false, 16);
}

static int setup(void **state)
{
    if (harness_setup(state) != 0)
        return -1;
    make_paths();
    return 0;
}

/* A database on which the path's command is run, killed at each of some points, until none is left. */
struct lane {
    const struct path *path;        /* NULL: idle */
    char *database;
    bool server_crashes, killed;
    struct stopper stopper;
    struct process follower;
    int left, kills;
    long waited_ms;
};

static void begin_run(struct lane *lane)
{
    lane->follower = kong_start(lane->database, line_of(lane->path, lane->database));
    lane->waited_ms = 0;
    lane->killed = false;
}

static void begin_lane(struct lane *lane, const struct path *path, const char *where)
{
    static int number;
    *lane = (struct lane){.path = path, .database = text_printf("lane%d", ++number)};
    db_create(lane->database, path->base);
    points_add(lane->database);
    points_forget(lane->database);
    lane->left = points_set(lane->database, path->points, where);
    stopper_open(&lane->stopper, lane->database);
    begin_run(lane);
}

static void expect_same(const struct lane *lane, const char *what, const char *undisturbed, const char *ours)
{
    char *difference = text_difference(undisturbed, ours);
    if (difference[0] != '\0')
        fail_msg("%s, last killed at %s of %.300s: %s (- undisturbed, + ours)\n%.3000s", lane->path->name, lane->stopper.point,
                 lane->stopper.subject, what, difference);
    assert_string_equal(undisturbed, ours);
}

static void end_lane(struct lane *lane)
{
    struct result result = kong_wait(&lane->follower);
    if (result.exit_code != 0)
        fail_msg("%s, last killed at %s of %.300s: exit %d\n%s%s", lane->path->name, lane->stopper.point, lane->stopper.subject,
                 result.exit_code, result.out, result.err);
    if (lane->left != 0)
        fail_msg("%s: not come to:\n%s", lane->path->name, db_ask(lane->database, "SELECT point || ' of ' || subject FROM crash.stops"));
    stopper_close(&lane->stopper);
    points_remove(lane->database);
    expect_same(lane, "schema", lane->path->catalog, db_catalog(lane->database));
    expect_same(lane, "rows", lane->path->rows, db_rows(lane->database));
    expect_same(lane, "schema_meta", lane->path->meta, meta_of(lane->database));
    db_drop(lane->database);
    lane->path = NULL;
}

static bool has_ended(const struct process *process)
{
    siginfo_t info = {0};
    return waitid(P_PID, (id_t)process->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == process->pid;
}

/* All sessions are gone with the server; the next worker finds it up again. */
static void crash_server(struct stopper *stopper, const char *database)
{
    struct stopper before = *stopper;
    if (before.holder != NULL)
        PQfinish(before.holder);
    PQfinish(before.connection);
    harness_server("crash");
    stopper_open(stopper, database);
    stopper->subject = before.subject;
    stopper->point = before.point;
}

static void kill_worker(struct lane *lane)
{
    struct stopper *stopper = &lane->stopper;
    if (stopper->hold[0] != '\0')
        stopper_hold(stopper);
    assert_int_equal(kill(journal_pid(journal_newest(lane->database)), SIGKILL), 0);
    lane->killed = true;
    lane->kills++;
    lane->left--;
    if (lane->server_crashes)
        crash_server(stopper, lane->database);
    else
        stopper_release(stopper, stopper->id % 2 == 0);
}

static void run_again(struct lane *lane)
{
    struct result result = kong_wait(&lane->follower);
    expect_exit(&result, 1);
    expect_part(result.err, "run the same again");
    begin_run(lane);
}

static void step_lane(struct lane *lane)
{
    bool ended = has_ended(&lane->follower);
    if (ended && lane->killed)
        run_again(lane);
    else if (ended)
        end_lane(lane);
    else if (!lane->killed && stopper_caught(&lane->stopper))
        kill_worker(lane);
    else if ((lane->waited_ms += 5) > LONGEST_MS)
        fail_msg("%s: neither ended nor stopped for a long time: %s", lane->path->name, text_file(lane->follower.out_path));
}

struct jobs {
    size_t path;
    int next;
};

/* Which points the path's job of that number takes; NULL where there is none. */
static char *job_points(const struct path *path, int number)
{
    if (!all && !path->thorough)
        return number > 0 ? NULL : text_printf("turn AND id %% %d = 0", path->sparse);
    if (number < path->chains)
        return text_printf("place = %d", number);
    return all && number < path->chains + path->count ? text_printf("id = %d", number - path->chains + 1) : NULL;
}

static bool begin_next(struct lane *lane, struct jobs *jobs)
{
    for (; jobs->path < path_count; jobs->path++, jobs->next = 0) {
        const struct path *path = &paths[jobs->path];
        char *where = job_points(path, jobs->next++);
        if (where != NULL) {
            begin_lane(lane, path, where);
            return true;
        }
    }
    return false;
}

static void test_the_worker_is_killed_anywhere(void **state)
{
    (void)state;
    struct lane lanes[LANES] = {0};
    struct jobs jobs = {0};
    int kills = 0;
    for (bool busy = true; busy;) {
        busy = false;
        for (size_t i = 0; i < LANES; i++) {
            if (lanes[i].path == NULL && !begin_next(&lanes[i], &jobs))
                continue;
            busy = true;
            int before = lanes[i].kills;
            step_lane(&lanes[i]);
            kills += lanes[i].kills - before;
        }
        pause_ms(5);
    }
    print_message("[  NOTE    ] killed %d times\n", kills);
    assert_true(kills > 0);
}

static void test_the_server_crashes_too(void **state)
{
    (void)state;
    int kills = 0;
    for (size_t i = 0; i < path_count; i++) {
        struct lane lane;
        begin_lane(&lane, &paths[i], text_printf("id %% %d = %d", CRASH_EVERY, CRASH_EVERY / 2));
        lane.server_crashes = true;
        while (lane.path != NULL) {
            step_lane(&lane);
            pause_ms(5);
        }
        kills += lane.kills;
    }
    print_message("[  NOTE    ] the server crashed %d times\n", kills);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_worker_is_killed_anywhere),
        cmocka_unit_test(test_the_server_crashes_too),
    };
    all = argc == 5 && strcmp(argv[4], "--all") == 0;
    return harness_arguments(all ? 4 : argc, argv) ? cmocka_run_group_tests(tests, setup, harness_teardown) : 64;
}
