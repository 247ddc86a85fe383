/*
 * Kong's own command, here a stand-in (tests/sandbox/fake-kong.sh) that behaves as Kong 1.3's does: for everything, and for custom plugins
 * after ours. That what it says of itself counts for nothing, that it is ended, that no secret reaches it but through a private file,
 * and that what was pending is pending again, whatever happens.
 */
#include "tests/db/harness.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *fake_kong_sh;
static char *binary;   /* kong-upgrade's full path: the stand-in is run elsewhere */

static struct process mute;   /* of one whose kong never says its version: that takes its time */

static int make_mute(void);

static int setup(void **state)
{
    if (harness_setup(state) != 0)
        return -1;
    db_create("base", NULL);
    struct result result = kong("base", "bootstrap --to 1.2");
    expect_exit(&result, 0);
    db_run("base", "INSERT INTO upstreams (id, name, hash_on, slots) VALUES (md5('u')::uuid, 'u', 'none', 10)");
    db_create("ready", NULL);
    result = kong("ready", "bootstrap");
    expect_exit(&result, 0);
    db_create("ours", "base");
    result = kong("ours", "up");
    expect_exit(&result, 0);
    return make_mute();
}

/* A kong of its own for the database, with those settings, and a fleet.ini that names it. */
static char *path_of(const char *database, const char *ending)
{
    return text_printf("%s/%s-kong%s", harness.folder, database, ending);
}

static void settings(const char *database, const char *more)
{
    text_save(path_of(database, ".settings"), text_printf("UPGRADE='%s' TEMPLATE=ready %s\n", binary, more));
}

static void make_kong(const char *database, const char *like, const char *fleet, const char *more)
{
    if (like != NULL)
        db_create(database, like);
    text_save(path_of(database, ""), text_file(fake_kong_sh));
    chmod(path_of(database, ""), 0755);
    text_save(path_of(database, ".ini"), text_printf("[kong]\nbin = %s\n%s", path_of(database, ""), fleet));
    settings(database, more);
}

static char *line_of(const char *database, const char *line)
{
    return text_printf("%s-f %s %s", line[0] == 'K' ? text_printf("%.*s ", (int)strcspn(line, " "), line) : "", path_of(database, ".ini"),
                       line[0] == 'K' ? line + strcspn(line, " ") + 1 : line);
}

static int make_mute(void)
{
    make_kong("mute", "base", "engine = kong\n", "MODE=mute");
    mute = kong_start("mute", line_of("mute", "up --yes"));
    return 0;
}

static struct result run(const char *database, const char *line, int exit_code)
{
    struct result result = kong(database, line_of(database, line));
    expect_exit(&result, exit_code);
    return result;
}

static void expect_without(const char *what, const char *text, const char *part)
{
    if (text != NULL && strstr(text, part) != NULL)
        fail_msg("%s has \"%s\":\n%s", what, part, text);
}

/* No private kong.conf is left. */
static void expect_no_copy(const char *database)
{
    char *path = journal_newest(database), *folder = text_printf("%.*s", (int)(strrchr(path, '/') - path), path);
    assert_int_not_equal(system(text_printf("ls %s | grep -q '^kong.conf'", folder)), 0);
    assert_int_not_equal(system(text_printf("ls %s | grep -q 'out$'", folder)), 0);
}

static char *meta_of(const char *database, const char *subsystem)
{
    return db_ask(database, text_printf("SELECT key || ' ' || executed::text || ' ' || coalesce(pending::text, '-') FROM schema_meta WHERE subsystem = '%s'", subsystem));
}

static void test_kong_is_the_engine(void **state)
{
    (void)state;
    make_kong("engine", "base", "engine = kong\n", "");
    struct result result = run("engine", "plan", 0);
    expect_part(result.out, "`kong migrations up` makes them");
    result = run("engine", "plan --json", 0);
    expect_part(result.out, "\"engine\": \"kong\"");
    result = run("engine", "up --yes", 0);
    expect_part(result.out, "kong: migrating core on database 'engine'...");
    expect_part(result.out, "`kong migrations up` is complete: schema_meta says so");
    expect_part(result.out, "core 005_120_to_130 is recorded as pending");
    expect_no_copy("engine");
    char *difference = text_difference(text_printf("%s\n", db_catalog("ours")), db_catalog("engine"));
    expect_part(difference, "my_plugin");
    expect_without("the difference", difference, "- ");
    run("engine", "status", 4);
    result = run("engine", "finish --confirm engine", 0);
    expect_part(result.out, "`kong migrations finish` is complete");
    run("engine", "status", 0);
    result = run("engine", "report", 0);
    expect_part(result.out, "migrating core on database 'engine'");
    result = run("engine", "up --yes", 0);
    expect_part(result.out, "nothing to do");
    make_kong("fresh", NULL, "engine = kong\n", "");
    db_create("fresh", NULL);
    result = run("fresh", "bootstrap --yes", 0);
    expect_part(result.out, "kong: bootstrapping database...");
    run("fresh", "status", 0);
    db_drop("fresh");
    db_drop("engine");
}

/* A custom plugin's migration fails behind Kong's own, which are complete then; and a crash has left something aside. */
static void test_the_engine_goes_on(void **state)
{
    (void)state;
    make_kong("broken", "base", "engine = kong\n", "MODE=broken");
    db_run("broken", "INSERT INTO schema_meta (key, subsystem, executed) VALUES ('schema_meta', 'my-plugin', '{}')");
    struct result result = run("broken", "up --yes", 1);
    expect_part(result.err, "failed: exit code 1; not done: perhaps migrations of custom plugins");
    settings("broken", "");
    result = run("broken", "up --yes", 0);
    expect_part(result.out, "`kong migrations up` has run: my-plugin 000_base");
    db_run("broken", "INSERT INTO schema_meta (key, subsystem, pending) SELECT 'kong-upgrade pending', subsystem, pending FROM schema_meta WHERE cardinality(pending) > 0;"
                     "UPDATE schema_meta SET executed = executed || pending, pending = '{}' WHERE key = 'schema_meta' AND cardinality(pending) > 0");
    run("broken", "status", 4);
    result = run("broken", "finish --confirm broken", 0);
    expect_part(result.out, "`kong migrations finish` is complete");
    assert_string_equal(db_ask("broken", "SELECT count(*) FROM schema_meta WHERE key <> 'schema_meta' OR cardinality(pending) > 0"), "0");
    run("broken", "status", 0);
    db_drop("broken");
}

/* What the operator's environment holds goes into a private file alone. */
static void test_no_secret_reaches_it_but_by_a_file(void **state)
{
    (void)state;
    char *usual = text_file(harness.conf);
    text_save(harness.conf, text_printf("pg_host = nowhere\npg_port = %d\npg_user = kong\n", harness.port));
    make_kong("secret", "base", "engine = kong\n", "MODE=hostile");
    struct result result = kong("secret", text_printf("KONG_PG_PASSWORD=" HARNESS_PASSWORD " KONG_PG_HOST=127.0.0.1 PATH=%s GREETING=hello -f %s up --yes",
                                                      getenv("PATH"), path_of("secret", ".ini")));
    text_save(harness.conf, usual);
    expect_exit(&result, 0);
    expect_without("the environment", text_file(path_of("secret", ".environment")), HARNESS_PASSWORD);
    expect_without("the environment", text_file(path_of("secret", ".environment")), "KONG_");
    expect_part(text_file(path_of("secret", ".environment")), "GREETING=hello");
    expect_without("the arguments", text_file(path_of("secret", ".arguments")), HARNESS_PASSWORD);
    expect_part(text_file(path_of("secret", ".conf")), "pg_password = " HARNESS_PASSWORD "\n");
    expect_part(text_file(path_of("secret", ".conf")), "pg_host = 127.0.0.1 #\n");
    expect_without("the copy", text_file(path_of("secret", ".conf")), "nowhere");
    expect_no_copy("secret");

    /* And what it says is bounded, printable, and without the password. */
    char *journal = text_file(journal_newest("secret"));
    expect_without("the journal", journal, HARNESS_PASSWORD);
    expect_part(journal, "password is ******");
    expect_without("the journal", journal, "\\u001b");
    expect_part(journal, "lines are not kept");
    expect_part(journal, "\"line 2999\"");
    assert_true(strlen(journal) < 400000);
    expect_without("the output", result.out, "\033");
    expect_without("the output", result.out, HARNESS_PASSWORD);
    db_drop("secret");
}

static void test_what_it_says_of_itself_counts_for_nothing(void **state)
{
    (void)state;
    make_kong("doubt", "base", "engine = kong\n", "MODE=lie");
    struct result result = run("doubt", "up --yes", 1);
    expect_part(result.err, "ended with exit code 0, but schema_meta says that it is not done: core 005_120_to_130");
    db_run("doubt", "INSERT INTO locks (key, owner, ttl) VALUES ('migrations', 'a-node', now() + interval '50 s')");
    settings("doubt", "");
    result = run("doubt", "up --yes", 9);
    expect_part(result.err, "held by a-node");
    db_run("doubt", "DELETE FROM locks");
    settings("doubt", "MODE=hang");
    char *usual = text_file(path_of("doubt", ".ini"));
    text_save(path_of("doubt", ".ini"), text_printf("%sdeadline = 1\n", usual));
    result = run("doubt", "up --yes", 1);
    text_save(path_of("doubt", ".ini"), usual);
    expect_part(result.err, "took too long and was ended: it was not done after 1 s");
    expect_no_copy("doubt");
    run("doubt", "status", 5);
    settings("doubt", "MODE=crash");
    result = run("doubt", "up --yes", 1);
    expect_part(result.err, "failed: signal 9");
    expect_part(result.err, "Kong's migrations lock is still held");
    expect_part(result.err, "not done: core 005_120_to_130");
    db_run("doubt", "DELETE FROM locks");
    text_save(path_of("doubt", ".ini"), "");
    settings("doubt", "");
    run("doubt", "up", 0);   /* our own engine goes on from there */
    run("doubt", "status", 4);
    db_drop("doubt");
}

/* Its lock is taken between our look and its own. */
static void test_another_node_is_told(void **state)
{
    (void)state;
    make_kong("other", "base", "engine = kong\n", "MODE=wait");
    struct process process = kong_start("other", line_of("other", "up --yes"));
    await_journal("other", "waiting");
    db_run("other", "INSERT INTO locks (key, owner, ttl) VALUES ('migrations', 'a-node', now() + interval '50 s')");
    text_save(path_of("other", ".go"), "");
    struct result result = kong_wait(&process);
    expect_exit(&result, 9);
    expect_part(result.err, "another process performs database changes; Kong's migrations lock is still held (a-node)");
    db_drop("other");
}

/* C7: Kong takes it for a time, and does not renew it. */
static void test_its_lock_is_renewed(void **state)
{
    (void)state;
    make_kong("renewed", "base", "engine = kong\n", "MODE=slow LOCK=20");
    struct process process = kong_start("renewed", line_of("renewed", "up --yes"));
    await_true("renewed", "SELECT count(*) > 0 FROM locks WHERE ttl > now() + interval '30 s'");
    text_save(path_of("renewed", ".go"), "");
    struct result result = kong_wait(&process);
    expect_exit(&result, 0);
    assert_string_equal(db_ask("renewed", "SELECT count(*) FROM locks"), "0");
    db_drop("renewed");
}

static void test_it_is_stopped(void **state)
{
    (void)state;
    make_kong("stopped", "base", "engine = kong\n", "MODE=wait");
    struct process process = kong_start("stopped", line_of("stopped", "up --yes"));
    await_journal("stopped", "waiting");
    run("stopped", "stop", 0);
    struct result result = kong_wait(&process);
    expect_exit(&result, 10);
    expect_part(result.err, "was stopped as asked");
    expect_no_copy("stopped");
    db_drop("stopped");
}

static void test_only_a_1_3_is_run(void **state)
{
    (void)state;
    make_kong("version", "base", "engine = kong\n", "");
    static const struct {
        const char *settings, *said;
    } cases[] = {
        {"VERSION=1.2.3", "is Kong 1.2.3, and a 1.3 is needed"}, {"VERSION=1.30.0", "is Kong 1.30.0"}, {"VERSION=1.4.0", "is Kong 1.4.0"},
        {"VERSION=\"'$(printf '\\033[2J')'\"", "did not say a version"}, {"MODE=flood", "did not say a version"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        settings("version", cases[i].settings);
        struct result result = run("version", "up --yes", 1);
        expect_part(result.err, cases[i].said);
        expect_without("stderr", result.err, "\033");
    }
    settings("version", "");
    chmod(path_of("version", ""), 0644);
    struct result result = run("version", "up --yes", 1);
    expect_part(result.err, "is not there, or not executable");
    run("version", "status", 5);
    result = kong_wait(&mute);
    expect_exit(&result, 1);
    expect_part(result.err, "did not say a version within 10 s");
    db_drop("version");
}

/* Ours first, then Kong's for the plugin; what was pending is pending again. */
static void test_custom_plugins_follow(void **state)
{
    (void)state;
    make_kong("custom", "base", "", "");
    db_run("custom", "INSERT INTO schema_meta (key, subsystem, executed) VALUES ('schema_meta', 'other-plugin', '{000_a,001_b}')");
    struct result result = run("custom", "status", 5);
    expect_part(result.out, "other-plugin (2 executed)");
    result = run("custom", "up", 0);
    expect_part(result.err, "Not run: `");
    expect_part(result.err, "migrations up -c ");
    result = run("custom", "up --yes", 0);
    expect_part(result.out, "`kong migrations up` has run: my-plugin 000_base, my-plugin 001_next (pending until finish)");
    assert_string_equal(meta_of("custom", "my-plugin"), "schema_meta {000_base} {001_next}");
    expect_part(meta_of("custom", "core"), "004_110_to_120} {005_120_to_130}");
    assert_string_equal(db_ask("custom", "SELECT count(*) FROM schema_meta WHERE key <> 'schema_meta'"), "0");
    result = run("custom", "status", 4);
    expect_part(result.out, "my-plugin (1 executed, 1 pending)");
    result = run("custom", "up --yes", 0);
    expect_part(result.out, "found nothing to run for custom plugins");
    result = run("custom", "finish --confirm custom", 0);
    expect_part(result.err, "have pending migrations");
    assert_string_equal(meta_of("custom", "my-plugin"), "schema_meta {000_base} {001_next}");
    settings("custom", "MODE=lie");
    result = run("custom", "finish --confirm custom --yes", 1);
    expect_part(result.err, "these are still pending: my-plugin 001_next");
    settings("custom", "");
    result = run("custom", "finish --confirm custom --yes", 0);
    expect_part(result.out, "`kong migrations finish` is complete");
    assert_string_equal(meta_of("custom", "my-plugin"), "schema_meta {000_base,001_next} {}");
    result = run("custom", "report", 0);
    expect_part(result.out, "### custom-up");
    db_drop("custom");
}

/* An installation from nothing: database, schema, tables; or what is to be granted. */
static void test_it_is_installed_from_nothing(void **state)
{
    (void)state;
    struct result result = kong("nothing", "bootstrap");
    expect_exit(&result, 1);
    expect_part(result.err, "there is no database nothing at 127.0.0.1:");
    expect_part(result.err, "CREATE DATABASE nothing OWNER kong;");
    db_ask("postgres", "ALTER ROLE kong NOCREATEDB");
    result = kong("nothing", "bootstrap --yes");
    expect_exit(&result, 1);
    expect_part(result.err, "have a superuser run: CREATE DATABASE nothing OWNER kong;");
    db_ask("postgres", "ALTER ROLE kong CREATEDB; ");
    result = kong("nothing", "KONG_PG_SCHEMA=kong_13 bootstrap --yes");
    expect_exit(&result, 0);
    expect_part(result.out, "is ready for Kong 1.3");
    expect_part(result.out, "Start Kong on its nodes: kong start -c ");
    result = kong("nothing", "KONG_PG_SCHEMA=kong_13 status");
    expect_exit(&result, 0);
    db_drop("nothing");
    db_ask("postgres", "CREATE DATABASE others");
    result = kong("others", "bootstrap --yes");
    expect_exit(&result, 1);
    expect_part(result.err, "run GRANT USAGE, CREATE ON SCHEMA \"public\" TO \"kong\";");
    result = kong("others", "KONG_PG_SCHEMA=kong_13 bootstrap --yes");
    expect_exit(&result, 1);
    expect_part(result.err, "run GRANT CREATE ON DATABASE \"others\" TO \"kong\";");
    db_ask("postgres", "DROP DATABASE others");
}

/* The worker is killed while what is pending is set aside: it is read as pending, and the next run puts it back. */
static void test_a_killed_worker_leaves_nothing_aside(void **state)
{
    (void)state;
    make_kong("killed", "base", "", "MODE=wait");
    db_run("killed", "INSERT INTO schema_meta (key, subsystem, executed) VALUES ('schema_meta', 'my-plugin', '{}')");
    struct process process = kong_start("killed", line_of("killed", "up --yes"));
    char *journal = await_journal("killed", "\"waiting\"");
    expect_part(meta_of("killed", "core"), "005_120_to_130} {}");   /* so Kong sees it */
    run("killed", "status", 4);
    kill(journal_pid(journal), SIGKILL);
    struct result result = kong_wait(&process);
    expect_exit(&result, 1);
    result = run("killed", "status", 4);
    expect_part(result.out, "pending   005_120_to_130");
    text_save(path_of("killed", ".go"), "");
    await_true("killed", "SELECT count(*) > 0 FROM schema_meta WHERE subsystem = 'my-plugin' AND '001_next' = ANY (pending)");   /* it outlived the worker */
    await_true("killed", "SELECT count(*) = 0 FROM locks");
    result = run("killed", "status", 4);
    expect_part(result.out, "my-plugin (1 executed, 1 pending)");
    journal = journal_newest("killed");
    assert_int_equal(system(text_printf("touch -d 2001-01-01 %.*s/kong.conf.*", (int)(strrchr(journal, '/') - journal), journal)), 0);   /* left for long */
    result = run("killed", "finish --confirm killed", 0);   /* any other worker sweeps it away: passwords are in it */
    expect_no_copy("killed");
    result = run("killed", "finish --confirm killed --yes", 0);
    assert_string_equal(db_ask("killed", "SELECT count(*) FROM schema_meta WHERE key <> 'schema_meta' OR cardinality(pending) > 0"), "0");
    assert_string_equal(db_ask("killed", "SELECT executed::text FROM schema_meta WHERE subsystem = 'core'"),
                        db_ask("ready", "SELECT executed::text FROM schema_meta WHERE subsystem = 'core'"));
    expect_no_copy("killed");
    db_drop("killed");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kong_is_the_engine),
        cmocka_unit_test(test_the_engine_goes_on),
        cmocka_unit_test(test_no_secret_reaches_it_but_by_a_file),
        cmocka_unit_test(test_what_it_says_of_itself_counts_for_nothing),
        cmocka_unit_test(test_another_node_is_told),
        cmocka_unit_test(test_its_lock_is_renewed),
        cmocka_unit_test(test_it_is_stopped),
        cmocka_unit_test(test_custom_plugins_follow),
        cmocka_unit_test(test_it_is_installed_from_nothing),
        cmocka_unit_test(test_a_killed_worker_leaves_nothing_aside),
        cmocka_unit_test(test_only_a_1_3_is_run),
    };
    fake_kong_sh = argc > 4 ? argv[4] : "";
    binary = argc > 1 ? realpath(argv[1], NULL) : NULL;
    int failures = harness_arguments(argc - 1, argv) ? cmocka_run_group_tests_name("kong", tests, setup, harness_teardown) : 64;
    free(binary);
    return failures;
}
