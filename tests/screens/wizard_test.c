/*
 * The wizard in a real terminal on a real cluster: PostgreSQL, fake nodes, an upgrade walked by keys; and what happens when the
 * terminal, the database or the configuration is not as it should be. Arguments: the binary, sandbox.sh.
 */
#include "tests/sandbox/shell.h"
#include "tests/tui/drawn.h"
#include "tests/tui/session.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *binary, *sandbox_sh;
static char folder[64], home[96], state_folder[96], config_folder[96];

#define LEFT "\033[D"
#define RIGHT "\033[C"
#define TAB "\t"
#define ENTER "\r"
#define ESC "\033"

static void sandbox(const char *what)
{
    char name[32];
    int length = (int)strcspn(what, " ");
    snprintf(name, sizeof name, "%.*s", length, what);
    if (shell("sh '%s' %s %s%s </dev/null >'%s/output' 2>&1", sandbox_sh, name, folder, what + length, folder) != 0) {
        shell("cat '%s/output' >&2", folder);
        fail_msg("sandbox %s", what);
    }
}

/* A database anew; nodes run already. */
static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/wizard-test-%d", (int)getpid());
    snprintf(home, sizeof home, "HOME=%s", folder);
    snprintf(state_folder, sizeof state_folder, "XDG_STATE_HOME=%s/state", folder);
    snprintf(config_folder, sizeof config_folder, "XDG_CONFIG_HOME=%s/config", folder);
    mkdir(folder, 0711);
    sandbox("start");
    return 0;
}

static int remove_all(void **state)
{
    session_tear_down(state);
    shell("sh '%s' stop %s >/dev/null 2>&1; rm -rf %s", sandbox_sh, folder, folder);
    return 0;
}

static const char *copy_way = "auto";

static void start_with(int width, int height, const char *conf, const char *variable)
{
    char conf_path[128], fleet_path[128];
    snprintf(conf_path, sizeof conf_path, conf[0] == '/' ? "%s%s" : "%s/%s", conf[0] == '/' ? "" : folder, conf);
    snprintf(fleet_path, sizeof fleet_path, "%s/fleet.ini", folder);
    const char *const arguments[] = {binary, "--conf", conf_path, "--fleet", fleet_path, "--copy", copy_way, NULL};
    const char *const environment[] = {home, state_folder, config_folder, variable, NULL};
    session_start(width, height, arguments, environment);
}

static void start(int width, int height)
{
    start_with(width, height, "kong.conf", NULL);
}

static int status(void)
{
    return shell("%s %s '%s' --conf %s/kong.conf status >/dev/null 2>&1", home, state_folder, binary, folder);
}

/* A session that has read `routes` and does not end its transaction. Its number is in `blocker`. */
static char blocker[16];

static void stand_in_the_way(void)
{
    char path[128];
    shell("(echo 'BEGIN; SELECT 1 FROM routes LIMIT 1;'; sleep 60) | PGPASSWORD=kong PGAPPNAME=forgotten psql -qXAt -h 127.0.0.1"
          " -p $(cat %s/postgres/port) -U kong kong >/dev/null 2>&1 &", folder);
    snprintf(path, sizeof path, "%s/blocker", folder);
    for (int i = 0; i < 100 && blocker[0] == '\0'; i++) {
        shell("PGPASSWORD=kong psql -qXAt -h 127.0.0.1 -p $(cat %s/postgres/port) -U kong kong >%s"
              " -c \"SELECT pid FROM pg_stat_activity WHERE application_name = 'forgotten' AND state = 'idle in transaction'\"", folder, path);
        FILE *file = fopen(path, "r");
        assert_non_null(file);
        if (fscanf(file, "%15[0-9]", blocker) != 1)
            blocker[0] = '\0';
        fclose(file);
        session_listen(50);
    }
    assert_true(blocker[0] != '\0');
}

static void end_who_is_in_the_way(void)
{
    session_see("Waits for backend");
    session_see("forgotten");
    session_press("k");
    session_see("In the way of the run");
    session_see("It runs no query");
    session_press("1" ENTER);
    session_see("not the same yet");
    session_press(ESC);              /* the safe answer: nothing is done */
    session_listen(500);
    session_see("Waits for backend");
    session_press("k");
    session_see("In the way of the run");
    session_press(blocker);
    session_press(ENTER);
    session_see("Ended backend");
}

static void an_upgrade_is_walked_by_keys(void **state)
{
    (void)state;
    const char *installed = binary;
    char copy[128];
    snprintf(copy, sizeof copy, "%s/kong-upgrade", folder);
    assert_int_equal(shell("cp '%s' %s", installed, copy), 0);
    binary = copy;
    start(80, 24);
    binary = installed;
    session_see("Kong 1.2's. Five steps lead to 1.3");
    session_see("old-1");
    session_press(RIGHT);
    session_see("checks");
    session_see("Nothing of");
    session_press(ENTER);
    session_see("Why it matters");
    session_escape();
    session_press(RIGHT);
    session_see("Press s to start");
    unlink(copy);                    /* the package is upgraded meanwhile: the worker is started all the same */
    session_press("s");
    session_see("Migrate up?");
    session_press(ENTER);            /* the safe answer has the focus */
    session_listen(500);
    assert_int_equal(status(), 5);
    session_see("Backup: none yet");
    session_press("s");
    session_see("No backup was made here");
    session_press(TAB ENTER);
    session_see("Folder");
    session_press("\025");
    session_press(folder);
    session_press("/backups" ENTER);
    session_see("The backup is made and verified");
    session_see("Backup: just now");
    session_see("Press s to start");
    assert_int_equal(shell("test -s %s/backups/kong-*.dump", folder), 0);
    stand_in_the_way();
    session_press("s");
    session_see("Migrate up?");
    session_press(TAB ENTER);
    end_who_is_in_the_way();
    session_see("`up` is complete");
    assert_int_equal(status(), 4);

    session_press(RIGHT);
    session_see("0 of 3 new nodes are ready");
    sandbox("new");
    session_see("All 3 new nodes are ready");
    session_press(ENTER);
    session_see("Node id");
    session_escape();

    session_press(RIGHT);
    session_see("old cluster   2");  /* a line each: the nodes have the Prometheus plugin */
    sandbox("divert 50");
    session_see("50 %");
    session_press("5f");
    session_listen(500);
    session_see("still answer");     /* f is dead while old nodes live, and this gate can't be overruled */
    session_press("o");
    session_listen(300);
    assert_null(strstr(session_text(), "Overrule"));
    session_press("3");
    sandbox("divert 100");
    session_see("100 %");
    session_press("4");
    session_see("3 of 3 old nodes still answer");
    sandbox("stop-old");
    session_see("No old node answers any more");

    session_press("5");
    session_see("Press f to finish");
    session_press("f" ENTER ENTER);
    session_see("this can't be undone");
    session_listen(5000);            /* the state is read anew meanwhile: the name that is asked for outlives it */
    session_press("KONG" ENTER);
    session_see("not the same yet");
    session_press("\025kong"); /* ^U */
    session_see("the name matches");
    session_press(ENTER ENTER);      /* a key too many, in the last seconds */
    session_see("Nothing was changed");
    session_press("f");
    session_see("this can't be undone");
    session_press("kong");
    session_see("the name matches");
    session_press(ENTER);
    session_see("Press any key to stop");
    assert_int_equal(status(), 4);
    session_see("the upgrade is complete");
    assert_int_equal(status(), 0);
    session_press(RIGHT);
    session_see("is Kong 1.3's");
    session_see("Kong upgrade to 1.3");
    session_press("s");
    session_see("Save the report");
    session_press(ENTER);
    session_see("The report is in");
    assert_int_equal(shell("grep -q 'upgrade is complete' %s/kong-upgrade-report-*.md", folder), 0);
    assert_int_equal(shell("grep -q 'ended backend %s (forgotten' %s/kong-upgrade-report-*.md", blocker, folder), 0);
    session_quit();
}

/* From here on the database is Kong 1.3's. */

static void it_opens_where_the_upgrade_stands(void **state)
{
    (void)state;
    start(80, 24);
    session_see("Kong upgrade to 1.3");
    session_press("y");
    session_see("Copied into");
    assert_int_equal(shell("test \"$(stat -c %%a %s/state/kong-upgrade/*/copied.txt)\" = 600 && grep -q 'Database kong is Kong 1.3' %s/state/kong-upgrade/*/copied.txt", folder, folder), 0);
    session_press("e");
    session_see("All that this screen says");
    session_press("\033");
    session_listen(300);
    session_quit();
}

static void what_is_copied_goes_where_it_is_told_to(void **state)
{
    (void)state;
    for (int terminal = 0; terminal <= 1; terminal++) {
        copy_way = terminal == 1 ? "terminal" : "off";
        start(80, 24);
        session_see("Kong upgrade to 1.3");
        session_press("4");
        session_see("old-1");
        session_press("y");
        session_see(terminal == 1 ? "Copied to the terminal's clipboard" : "--copy is off");
        assert_true((strstr(session.raw, "\033]52;c;") != NULL) == (terminal == 1));
        session_quit();
    }
    copy_way = "auto";
}

static void a_closed_terminal_ends_it_at_once(void **state)
{
    (void)state;
    double seconds = 0;
    start(80, 24);
    session_see("Kong upgrade to 1.3");
    close(session.slave);
    session.slave = -1;
    close(session.master);
    session.master = -1;
    int64_t begun = session_now_ms();
    assert_int_equal(session_ended(false, &seconds), 75);
    assert_true(session_now_ms() - begun < 3000);
    assert_true(seconds < 5);
}

static void another_conf_can_be_chosen(void **state)
{
    (void)state;
    start_with(80, 24, "/nowhere/kong.conf", NULL);
    session_see("can't read /nowhere/kong.conf");
    session_press("c");
    session_see("Which kong.conf?");
    session_press("\025");
    session_press(folder);
    session_press("/kong.c");
    session_press("\t");
    char completed[300];
    snprintf(completed, sizeof completed, "%s/kong.conf", folder);
    session_see(completed);
    session_press(ENTER);
    session_see("There is nothing to do");
    session_quit();
}

static void write_conf(const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    fputs(text, file);
    fclose(file);
}

static void garbage_and_other_databases_are_said(void **state)
{
    (void)state;
    static const struct {
        const char *text, *seen;
    } cases[] = {
        {"database = cassandra\n", "upgrades PostgreSQL only"},
        {"pg_port = 99999\n", "is not a port"},
        {"pg_host = 127.0.0.1\npg_port = 1\n", "can't connect to database kong at 127.0.0.1:1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        write_conf("other.conf", cases[i].text);
        start_with(80, 24, "other.conf", NULL);
        session_see(cases[i].seen);
        session_quit();
    }
}

/* A server that takes connections and never says a word. */
static int mute_server(int *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 16), 0);
    getsockname(fd, (struct sockaddr *)&address, &length);
    *port = ntohs(address.sin_port);
    return fd;
}

static void a_mute_database_freezes_no_key(void **state)
{
    (void)state;
    char text[64];
    int port, fd = mute_server(&port);
    snprintf(text, sizeof text, "pg_host = 127.0.0.1\npg_port = %d\n", port);
    write_conf("mute.conf", text);
    start_with(80, 24, "mute.conf", NULL);
    session_see("Asking the database");
    session_press("?");
    session_see("Help");
    session_escape();
    session_press("5");
    session_see("This step comes last");
    int64_t begun = session_now_ms();
    session_quit();
    assert_true(session_now_ms() - begun < 3000);
    close(fd);
}

static void nodes_are_added_and_saved(void **state)
{
    (void)state;
    char path[128];
    snprintf(path, sizeof path, "%s/fleet.ini", folder);
    start(80, 24);
    session_see("Kong upgrade to 1.3");
    for (int i = 0; i < 7; i++)
        session_press(LEFT);
    session_see("old-3");
    session_press("a");
    session_see("Add a node");
    session_press("new extra" ENTER);
    session_see("Write: old NAME URL");
    session_press(" http://127.0.0.1:1" ENTER);
    session_see("saved to");
    assert_int_equal(shell("grep -q 'node = extra http://127.0.0.1:1' %s", path), 0);
    session_press("G");
    session_press("d");
    session_see("Took extra out");
    assert_int_equal(shell("grep -q extra %s", path), 1);
    session_quit();
}

int main(int count, char **arguments)
{
    if (count < 3) {
        fprintf(stderr, "usage: %s KONG_UPGRADE SANDBOX_SH\n", arguments[0]);
        return 64;
    }
    binary = arguments[1];
    sandbox_sh = arguments[2];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(an_upgrade_is_walked_by_keys, session_tear_down),
        cmocka_unit_test_teardown(it_opens_where_the_upgrade_stands, session_tear_down),
        cmocka_unit_test_teardown(what_is_copied_goes_where_it_is_told_to, session_tear_down),
        cmocka_unit_test_teardown(a_closed_terminal_ends_it_at_once, session_tear_down),
        cmocka_unit_test_teardown(another_conf_can_be_chosen, session_tear_down),
        cmocka_unit_test_teardown(garbage_and_other_databases_are_said, session_tear_down),
        cmocka_unit_test_teardown(a_mute_database_freezes_no_key, session_tear_down),
        cmocka_unit_test_teardown(nodes_are_added_and_saved, session_tear_down),
    };
    setlocale(LC_ALL, "C.UTF-8");
    return cmocka_run_group_tests_name("wizard", tests, set_up, remove_all);
}
