/*
 * The preflight in a terminal, on a real database: what waits for a lock keeps neither the other checks nor a key waiting; one check is
 * looked at again from its details; kong.conf is mended into a copy.
 */
#include "tests/db/harness.h"
#include "tests/tui/session.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char original[] = "# ours\npg_host = 127.0.0.1\npg_port = %d\npg_user = kong\npg_password = %s\ncustom_plugins = acme-auth\n";

static int set_up(void **state)
{
    if (harness_setup(state) != 0)
        return -1;
    db_create("preflight", NULL);
    struct result result = kong("preflight", "bootstrap --to 1.2");
    expect_exit(&result, 0);
    db_run("preflight", "INSERT INTO plugins (id, name, config, enabled) VALUES (md5('p')::uuid, 'acme-auth', '{}', true)");
    return 0;
}

static char *conf_path(void)
{
    return text_printf("%s/own.conf", harness.folder);
}

static void start_wizard(void)
{
    const char *const arguments[] = {harness.binary, "-c", conf_path(), NULL};
    const char *const environment[] = {text_printf("HOME=%s", harness.folder), text_printf("XDG_STATE_HOME=%s/wizard", harness.folder),
                                       text_printf("XDG_CONFIG_HOME=%s/config", harness.folder), "KONG_PG_DATABASE=preflight", NULL};
    text_save(conf_path(), text_printf(original, harness.port, HARNESS_PASSWORD));
    session_start(80, 30, arguments, environment);
    session_see("Kong 1.2");
    session_press("\x1b[C");
    session_see("to acknowledge, of ");
}

static void leave(void)
{
    session_press("q");
    assert_int_equal(session_ended(true, NULL), 0);
}

static void a_lock_delays_no_other(void **state)
{
    (void)state;
    start_wizard();
    PGconn *holder = db_connect("kong", "preflight");
    PQclear(PQexec(holder, "BEGIN; LOCK TABLE routes, plugins, services"));
    session_press("r");
    session_see("looks   Requests that go elsewhere");
    session_see("Connection to the database");
    session_see("connected to database");
    session_see("unable  Requests that go elsewhere");
    session_press("/elsewhere\r\r");
    session_see("another session has locked");
    PQfinish(holder);
    session_press("r");
    session_see("Nothing was found.");
    session_see("no routes");
    session_press("\x1b");
    session_see("ok      Requests that go elsewhere");
    leave();
}

static void a_name_is_no_line_of_ours(void **state)
{
    (void)state;
    db_run("preflight", "CREATE TABLE \"x\n\nRemedy\n\" (a int)");
    start_wizard();
    session_press("/schema itself\r\r");
    session_see("table x  Remedy  is not Kong's");
    session_press("\x1b");
    session_listen(300);
    leave();
    db_run("preflight", "DROP TABLE \"x\n\nRemedy\n\"");
}

static void kong_conf_is_mended_into_a_copy(void **state)
{
    (void)state;
    struct stat status;
    char *copy = text_printf("%s.1.3", conf_path()), *third = text_printf("%s/third.conf", harness.folder);
    start_wizard();
    session_press("/custom_plugins\rm");
    session_see("custom_plugins is now plugins = bundled");
    session_press("\r");   /* the safe answer */
    session_listen(500);
    assert_int_equal(access(copy, F_OK), -1);
    session_press("\rm");   /* from its details */
    session_see("Write the copy");
    session_press("\t\r");
    session_see("Written: ");
    assert_int_equal(stat(copy, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    expect_part(text_file(copy), "\nplugins = bundled, acme-auth\n");
    assert_string_equal(text_file(conf_path()), text_printf(original, harness.port, HARNESS_PASSWORD));
    assert_null(strstr(session_text(), HARNESS_PASSWORD));
    session_press("\x1b");
    session_listen(300);
    session_press("m");
    session_see("Write the copy");
    session_press("\t\r");
    session_see("is there already: remove it");
    session_press("m");
    session_see("Another file");
    session_press("\t\t\r");
    session_see("Write the mended kong.conf");
    session_press(text_printf("\x15%s\r", conf_path()));
    session_see("That is the original");
    session_press(text_printf("\x15%s\r", third));
    session_see("Written: ");
    expect_part(text_file(third), "\nplugins = bundled, acme-auth\n");
    session_press("\x1b");
    session_listen(300);
    leave();
    unlink(copy);
}

/* What was mended by hand meanwhile counts; what was broken is said, and the rest goes on with what was read before. */
static void kong_conf_is_read_again(void **state)
{
    (void)state;
    start_wizard();
    text_save(conf_path(), "pg_port = many\ndatabase = off\n");
    session_press("r");
    session_press("/kong.conf\r");
    session_see("database is off: a Kong without");
    session_see("connected to database");
    session_see("2 to acknowledge, of ");   /* all are through */
    text_save(conf_path(), text_printf("pg_port = %d\npg_password = %s\nplugins = bundled, acme-auth\n", harness.port, HARNESS_PASSWORD));
    session_press("r");
    session_see("kong.conf has changed");
    session_see("Nothing of ");   /* neither of kong.conf nor of the plugin that it did not load */
    leave();
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_lock_delays_no_other, session_tear_down),
        cmocka_unit_test_teardown(a_name_is_no_line_of_ours, session_tear_down),
        cmocka_unit_test_teardown(kong_conf_is_mended_into_a_copy, session_tear_down),
        cmocka_unit_test_teardown(kong_conf_is_read_again, session_tear_down),
    };
    setlocale(LC_ALL, "C.UTF-8");
    return harness_arguments(argc, argv) ? cmocka_run_group_tests_name("preflight", tests, set_up, harness_teardown) : 64;
}
