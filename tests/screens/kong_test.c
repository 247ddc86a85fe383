/*
 * Kong's own command in the wizard, by keys: a database created, Kong installed on it and started; custom plugins migrated after ours;
 * everything left to Kong. It is played by tests/sandbox/fake-kong.sh.
 */
#include "tests/db/harness.h"
#include "tests/tui/session.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LEFT "\033[D"
#define RIGHT "\033[C"
#define TAB "\t"
#define ENTER "\r"

static const char *fake_kong_sh;
static char *binary;

static char *path_of(const char *name)
{
    return text_printf("%s/%s", harness.folder, name);
}

static void settings(const char *more)
{
    text_save(path_of("fake-kong.settings"), text_printf("UPGRADE='%s' TEMPLATE=ready %s\n", binary, more));
}

static int set_up(void **state)
{
    if (harness_setup(state) != 0)
        return -1;
    text_save(path_of("fake-kong"), text_file(fake_kong_sh));
    chmod(path_of("fake-kong"), 0755);
    settings("");
    text_save(path_of("fleet.ini"), text_printf("[kong]\nbin = %s\n", path_of("fake-kong")));
    text_save(path_of("engine.ini"), text_printf("[kong]\nbin = %s\nengine = kong\n", path_of("fake-kong")));
    db_create("base", NULL);
    struct result result = kong("base", "bootstrap --to 1.2");
    expect_exit(&result, 0);
    return 0;
}

static void start_command(const char *database, const char *fleet, const char *variable, const char *command)
{
    const char *const arguments[] = {harness.binary, "-c", harness.conf, "-f", path_of(fleet), command, NULL};
    const char *const environment[] = {text_printf("HOME=%s", harness.folder), text_printf("XDG_STATE_HOME=%s", harness.state),
                                       text_printf("XDG_CONFIG_HOME=%s/config", harness.folder), text_printf("KONG_PG_DATABASE=%s", database), variable, NULL};
    session_start(80, 24, arguments, environment);
}

static void start(const char *database, const char *fleet, const char *variable)
{
    start_command(database, fleet, variable, NULL);
}

/* The preflight's warnings are acknowledged, so that step 1 opens. */
static void go_to_up(void)
{
    session_press(RIGHT);
    session_see("checks");
    for (int i = 0; i < 8 && !session_shows("Nothing of", 400); i++)
        session_press("a");
    session_press(RIGHT);
    session_see("Press s to start");
}

static void it_is_installed_by_keys(void **state)
{
    (void)state;
    settings("");
    start("brand-new", "fleet.ini", "KONG_PG_SCHEMA=kong_13");
    session_see("has no database brand-new");
    session_press("i");
    session_see("CREATE DATABASE \"brand-new\" OWNER kong;");
    session_press(ENTER);            /* the safe answer has the focus */
    session_listen(300);
    assert_string_equal(db_ask("postgres", "SELECT count(*) FROM pg_database WHERE datname = 'brand-new'"), "0");
    session_press("i");
    session_see("Create the database?");
    session_press(TAB ENTER);
    session_see("has been created");
    session_see("empty. Kong 1.3 can be installed");
    go_to_up();
    session_press("s");
    session_see("Install Kong 1.3 on it?");
    session_see("Schema kong_13 does not exist");
    session_press(TAB ENTER);
    session_see("is ready for Kong 1.3");
    session_press(RIGHT);
    session_see("Press K to start Kong on this machine");
    session_press("K");
    session_see("Start Kong here?");
    session_press(ENTER);
    session_listen(300);
    assert_int_equal(access(path_of("fake-kong.arguments"), F_OK), -1);
    settings("MODE=crash");
    session_press("K");
    session_see("Start Kong here?");
    session_press(TAB ENTER);
    session_see("could not prepare Kong prefix");
    session_see("Press K to start it again");
    settings("");
    session_press("K");
    session_see("Start Kong here?");
    session_press(TAB ENTER);
    session_see("Kong runs on this machine");
    session_see("is Kong 1.3's");
    expect_part(text_file(path_of("fake-kong.arguments")), "start -c ");
    expect_part(text_file(path_of("fake-kong.conf")), "pg_");
    expect_part(text_file(path_of("fake-kong.conf")), "pg_schema = kong_13\n");
    session_quit();
    struct result result = kong("brand-new", "KONG_PG_SCHEMA=kong_13 status");
    expect_exit(&result, 0);
}

static void what_may_not_be_created_is_said(void **state)
{
    (void)state;
    db_ask("postgres", "ALTER ROLE kong NOCREATEDB");
    start("forbidden", "fleet.ini", NULL);
    session_see("Role kong may not create it");
    session_see("CREATE DATABASE forbidden OWNER kong;");
    session_press("i");
    session_listen(300);
    assert_null(strstr(session_text(), "Create the database?"));
    db_ask("postgres", "CREATE DATABASE forbidden");   /* by someone else; it belongs to them */
    session_see("empty. Kong 1.3 can be installed");
    session_press(RIGHT);
    session_see("lacks CREATE on schema public");
    session_press(ENTER);
    session_see("GRANT USAGE, CREATE ON SCHEMA");
    session_press("q");
    session_quit();
    db_ask("postgres", "ALTER ROLE kong CREATEDB");
}

static void custom_plugins_follow_by_keys(void **state)
{
    (void)state;
    settings("");
    db_create("custom", "base");
    db_run("custom", "INSERT INTO schema_meta (key, subsystem, executed) VALUES ('schema_meta', 'other-plugin', '{000_a,001_b}')");
    start("custom", "fleet.ini", NULL);
    session_see("other-plugin (2 executed)");
    go_to_up();
    session_press("s");
    session_see("No backup was made here");
    session_press(TAB TAB ENTER);
    session_see("`up` is complete");
    session_see("Press m for the migrations of custom plugins");
    session_press("m");
    session_see("Migrate custom plugins?");
    session_press(TAB ENTER);
    session_see("has run: my-plugin 000_base, my-plugin 001_next (pending");
    session_see("kong: migrating my-plugin on database 'custom'");
    expect_part(db_ask("custom", "SELECT pending::text FROM schema_meta WHERE subsystem = 'core'"), "{005_120_to_130}");
    session_quit();
    struct result result = kong("custom", "finish --confirm custom");
    expect_exit(&result, 0);
    start("custom", "fleet.ini", NULL);
    session_see("Custom plugins have pending migrations: press 5, then m");
    session_press("5");
    session_see("Press m to run");
    session_press("m");
    session_see("Finish custom plugins?");
    session_press("custom" ENTER);
    session_see("`kong migrations finish` is complete: no migration of a custom");
    session_quit();
}

static void everything_is_left_to_kong(void **state)
{
    (void)state;
    db_create("engine", "base");
    start("engine", "engine.ini", NULL);
    session_see("Kong 1.2's");
    go_to_up();
    session_see("Kong's own `kong migrations` makes them");
    settings("MODE=wait");
    session_press("s");
    session_see("Migrate up?");
    session_see("none");
    session_press(TAB TAB ENTER);
    session_see("kong: waiting");
    session_quit();                          /* it goes on */
    start("engine", "engine.ini", NULL);
    session_see("kong: waiting");
    session_see("is at work, under worker");
    session_press("x");
    session_see("was stopped as asked");
    settings("");
    session_listen(1500);            /* the preflight, which came upon the run, has looked again */
    session_press("s");
    session_see("Migrate up?");
    session_press(TAB ENTER);        /* the other backup is on record */
    session_see("`kong migrations up` is complete: schema_meta");
    session_quit();
    struct result result = kong("engine", "status");
    expect_exit(&result, 4);
}

/* The plain commands, on a terminal. */
static void the_commands_ask(void **state)
{
    (void)state;
    settings("");
    start_command("asked", "fleet.ini", NULL, "bootstrap");
    session_see("There is no database asked");
    session_press("y" ENTER);
    session_see("Start now?");
    session_press("y" ENTER);
    session_see("Start Kong on this machine now");
    session_press("y" ENTER);
    session_see("kong: Kong started");
    session_see("Kong runs on this machine");
    assert_int_equal(session_ended(true, NULL), 0);
    session_tear_down(NULL);

    db_create("asked-up", "base");
    db_run("asked-up", "INSERT INTO schema_meta (key, subsystem, executed) VALUES ('schema_meta', 'my-plugin', '{}')");
    start_command("asked-up", "fleet.ini", NULL, "up");
    session_see("Start now?");
    session_press("y" ENTER);
    session_see("Run `");
    session_press("n" ENTER);
    session_see("Not run: `");
    session_see("by itself refuses until");
    assert_int_equal(session_ended(true, NULL), 0);
    session_tear_down(NULL);
    assert_string_equal(db_ask("asked-up", "SELECT executed::text FROM schema_meta WHERE subsystem = 'my-plugin'"), "{}");
    start_command("asked-up", "fleet.ini", NULL, "up");   /* nothing to do but that */
    session_see("Run `");
    session_press("y" ENTER);
    session_see("has run: my-plugin 000_base");
    assert_int_equal(session_ended(true, NULL), 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(it_is_installed_by_keys, session_tear_down),
        cmocka_unit_test_teardown(what_may_not_be_created_is_said, session_tear_down),
        cmocka_unit_test_teardown(custom_plugins_follow_by_keys, session_tear_down),
        cmocka_unit_test_teardown(everything_is_left_to_kong, session_tear_down),
        cmocka_unit_test_teardown(the_commands_ask, session_tear_down),
    };
    setlocale(LC_ALL, "C.UTF-8");
    fake_kong_sh = argc > 4 ? argv[4] : "";
    binary = argc > 1 ? realpath(argv[1], NULL) : NULL;
    int failures = harness_arguments(argc - 1, argv) ? cmocka_run_group_tests_name("kong-keys", tests, set_up, harness_teardown) : 64;
    free(binary);
    return failures;
}
