/*
 * The other paths through the wizard, walked by keys on a whole cluster: from 0.14.1 to Done; from 1.2 through step 3 and back to 1.2;
 * and from an upgrade that was never finished, which comes first. One a run: the fourth argument says which. Arguments: the binary,
 * sandbox.sh, the folder of the reference data (what needs it is skipped where it is not there), the path's name.
 */
#include "tests/sandbox/shell.h"
#include "tests/tui/drawn.h"
#include "tests/tui/session.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *binary, *sandbox_sh, *reference, *path;
static char folder[64], home[96], state_folder[96], config_folder[96];

#define LEFT "\033[D"
#define RIGHT "\033[C"
#define TAB "\t"
#define ENTER "\r"
#define ESC "\033"
#define PAGE_DOWN "\033[6~"
#define CLEAR "\025"   /* ^U */

/* sandbox.sh's exit code; `environment` is put before it, what it says is in the file "output". */
static int try_sandbox(const char *environment, const char *command, const char *arguments)
{
    return shell("%s sh '%s' %s %s %s </dev/null >'%s/output' 2>&1", environment, sandbox_sh, command, folder, arguments, folder);
}

static void sandbox(const char *command, const char *arguments)
{
    if (try_sandbox("", command, arguments) != 0) {
        shell("cat '%s/output' >&2", folder);
        fail_msg("sandbox %s %s", command, arguments);
    }
}

static void set_up_sandbox(const char *environment)
{
    snprintf(folder, sizeof folder, "/tmp/paths-%s-%d", path, (int)getpid());
    snprintf(home, sizeof home, "HOME=%s", folder);
    snprintf(state_folder, sizeof state_folder, "XDG_STATE_HOME=%s/state", folder);
    snprintf(config_folder, sizeof config_folder, "XDG_CONFIG_HOME=%s/config", folder);
    mkdir(folder, 0711);
    if (try_sandbox(environment, "start", "") != 0) {
        shell("cat '%s/output' >&2", folder);
        fail_msg("the sandbox was not set up");
    }
}

static int remove_all(void **state)
{
    session_tear_down(state);
    if (folder[0] != '\0')
        shell("sh '%s' stop %s >/dev/null 2>&1; rm -rf %s", sandbox_sh, folder, folder);
    return 0;
}

static void start(int width, int height)
{
    char conf_path[128], fleet_path[128];
    snprintf(conf_path, sizeof conf_path, "%s/kong.conf", folder);
    snprintf(fleet_path, sizeof fleet_path, "%s/fleet.ini", folder);
    const char *const arguments[] = {binary, "--conf", conf_path, "--fleet", fleet_path, NULL};
    const char *const environment[] = {home, state_folder, config_folder, NULL};
    session_start(width, height, arguments, environment);
}

static int status(void)
{
    return shell("%s %s '%s' --conf %s/kong.conf status >/dev/null 2>&1", home, state_folder, binary, folder);
}

/* What SQL says is in the file `name`, or nowhere. */
static void sql(const char *text, const char *name)
{
    int exit_code = shell("PGPASSWORD=kong psql -qXAt -v ON_ERROR_STOP=1 -h 127.0.0.1 -p $(cat %s/postgres/port) -U kong kong -c \"%s\" >%s/%s", folder, text, folder,
                          name != NULL ? name : "output");
    assert_int_equal(exit_code, 0);
}

/* Without the tokens that pg_dump puts into each. */
static void dump_schema(const char *name)
{
    assert_int_equal(shell("PGPASSWORD=kong pg_dump -s -h 127.0.0.1 -p $(cat %s/postgres/port) -U kong kong | grep -v '^.restrict\\|^.unrestrict' >%s/%s", folder,
                           folder, name), 0);
}

/* A session that has read `routes` and does not end its transaction, until a file is gone. */
static void stand_in_the_way(void)
{
    shell("touch %s/in-the-way; (echo 'BEGIN; SELECT 1 FROM routes LIMIT 1;'; while [ -e %s/in-the-way ]; do sleep 0.1; done) | PGPASSWORD=kong psql -qXAt -h 127.0.0.1"
          " -p $(cat %s/postgres/port) -U kong kong >%s/holds 2>&1 &", folder, folder, folder, folder);
    for (int i = 0; i < 200 && shell("grep -q 1 %s/holds 2>/dev/null", folder) != 0; i++)
        session_listen(50);
}

static void get_out_of_the_way(void)
{
    shell("rm %s/in-the-way", folder);
}

static bool is_here(const char *file)
{
    char name[1024];
    snprintf(name, sizeof name, "%s/%s", reference, file);
    bool there = access(name, R_OK) == 0;
    if (!there)
        print_message("[  SKIPPED ] %s is not there\n", name);
    return there;
}

/* The database's name in a dialog that wants it, from the wrong one to the right one; then the last seconds. */
static void confirm(const char *before)
{
    session_see("Type the database's name");
    for (int i = 0; i < 6; i++)
        session_press(PAGE_DOWN);
    session_press("KONG" ENTER);
    session_see("not the same yet");
    session_press(CLEAR "kong");
    session_see("the name matches");
    session_press(ENTER);
    session_see(before);
}

/* What would be lost has been counted, and read. */
static void ask_for_the_way_back(void)
{
    session_press("L");
    session_see("2. Roll back to Kong 1.2");
    session_see("each as carefully");
    session_press(PAGE_DOWN);
    session_see("Press r to roll back");
    session_press("r");
}

/* Step 1, from its screen on. */
static void migrate_up(void)
{
    session_see("Press s to start");
    session_press("s");
    session_see("Migrate up?");
    session_press(TAB TAB ENTER);    /* there is another backup */
    session_see("`up` is complete");
    assert_int_equal(status(), 4);
}

/* From 0.14.1 to Done. */
static void from_014(void **state)
{
    char environment[1200];
    (void)state;
    if (!is_here("kong-0.14.1-data.sql"))
        skip();
    snprintf(environment, sizeof environment, "DUMP='%s/kong-0.14.1-data.sql' OLD=0.14.1", reference);
    set_up_sandbox(environment);
    sql("INSERT INTO apis (id, name, preserve_host) VALUES (md5('x')::uuid, 'forgotten', true)", NULL);
    start(80, 24);
    session_see("Kong 0.14's. Five steps lead straight to 1.3");
    session_see("Coming from 0.14");
    session_press(RIGHT);
    session_see("API forgotten");    /* 1.0 has no APIs */
    session_press("1");
    session_see("must be mended first");
    session_press("s");
    session_listen(300);
    assert_null(strstr(session_text(), "Migrate up?"));
    sql("DELETE FROM apis", NULL);
    session_press(LEFT);
    session_press("r");
    session_see("Nothing of");
    session_press(RIGHT);
    migrate_up();
    session_press(RIGHT);
    session_see("It has another syntax than 0.14's");
    session_see("0 of 3 new nodes are ready");
    sandbox("new", "");
    session_see("All 3 new nodes are ready");
    sandbox("stop-old", "3");
    sandbox("start-old", "3");       /* a 0.14 node starts on what `up` leaves */
    session_press("3");
    sandbox("divert", "100");
    session_see("100 %");
    session_press("4");
    session_see("3 of 3 old nodes still answer");
    session_see("0.14 node can be started again until step 5");
    sandbox("stop-old", "");
    session_see("No old node answers any more");
    session_press("5");
    session_see("After it a 0.14 node refuses to start");
    session_see("Press f to finish");
    session_press("f");
    session_see("this can't be undone");
    confirm("Step 5 begins in");
    session_see("the upgrade is complete");
    assert_int_equal(status(), 0);
    session_press(RIGHT);
    session_see("is Kong 1.3's");
    assert_true(try_sandbox("", "start-old", "1") != 0);
    assert_int_equal(shell("grep -q 'old-1 did not start' %s/output", folder), 0);
    session_press("4" "L");          /* no way back any more */
    session_see("Impossible: step 5 has begun");
    session_escape();
    session_quit();
}

/* From 1.2 through step 3, and back. */
static void and_back(void **state)
{
    (void)state;
    set_up_sandbox("");
    dump_schema("before");
    sql("SELECT * FROM schema_meta ORDER BY subsystem", "meta-before");
    start(80, 24);
    session_see("Kong 1.2's. Five steps lead to 1.3");
    session_press("1");
    session_see("Press s to start");
    session_press("L");
    session_see("Nothing was changed yet");
    session_see("There is nothing to roll back");
    session_escape();
    migrate_up();
    session_press("2");
    sandbox("new", "");
    session_see("All 3 new nodes are ready");
    session_press("3");
    sandbox("divert", "50");
    session_see("50 %");
    sql("UPDATE routes SET headers = '{\\\"x\\\": [\\\"y\\\"]}' WHERE id IN (SELECT id FROM routes ORDER BY id LIMIT 2)", NULL);

    session_press("L");
    session_see("Stop here, and go on another day");
    session_see("It harms nothing");
    session_see("each as carefully");
    session_press(PAGE_DOWN);
    session_see("New node new-1 still answers");
    session_press("r");              /* shut: nothing is asked */
    session_listen(500);
    session_see("Leave the upgrade");
    session_escape();
    sandbox("divert", "0");
    sandbox("stop-new", "");
    session_press("L");
    session_see("each as carefully");
    session_press(PAGE_DOWN);
    session_see("headers");
    session_see(": 2");
    session_see("No new node of fleet.ini answers");
    session_see("Press r to roll back");
    session_press("r");
    session_see("goes back to Kong 1.2");
    session_press(ESC);              /* the safe answer: nothing is done */
    session_listen(500);
    assert_int_equal(status(), 4);
    ask_for_the_way_back();
    confirm("The rollback begins in");
    session_press("x");              /* any key stops it */
    session_see("Nothing was changed");
    assert_int_equal(status(), 4);
    ask_for_the_way_back();
    stand_in_the_way();
    confirm("The rollback begins in");
    session_see("Step 1: Migrate up");
    session_see("Waits for backend");
    session_press("x");
    session_see("Stopped as asked");
    session_see("Press L to go");
    get_out_of_the_way();
    ask_for_the_way_back();
    confirm("The rollback begins in");
    session_see("is Kong 1.2's again");
    assert_int_equal(status(), 5);
    dump_schema("after");
    sql("SELECT * FROM schema_meta ORDER BY subsystem", "meta-after");
    assert_int_equal(shell("cd %s && diff before after >&2 && diff meta-before meta-after >&2", folder), 0);
    sandbox("stop-old", "1");
    sandbox("start-old", "1");       /* an old node starts on it */
    assert_true(try_sandbox("", "new", "1") != 0);
    session_see("s migrates up once more");
    session_quit();
    start(80, 24);
    session_see("Kong 1.2's. Five steps lead to 1.3");
    session_quit();
}

/* Kong 1.2's own `migrations up` from 0.14, without `finish`: what Kong 1.3's does but for its own migrations. */
static void make_unfinished(const char *script)
{
    assert_int_equal(shell("{ cat '%s/kong-0.14.1-data.sql'; echo '\\set from_014 1'; echo 'SET search_path = public;'; awk '/^-- ---/ { part = $3 } part != \"core/005_120_to_130\""
                           " && part != \"session/000_base_session\"' \"$(dirname '%s')/../bench/kong_up.sql\"; } >%s", reference, sandbox_sh, script), 0);
}

static void unfinished(void **state)
{
    char script[128], environment[256];
    (void)state;
    if (!is_here("kong-0.14.1-data.sql"))
        skip();
    snprintf(script, sizeof script, "/tmp/paths-unfinished-%d.sql", (int)getpid());
    make_unfinished(script);
    snprintf(environment, sizeof environment, "DUMP='%s' OLD=1.2.3", script);
    set_up_sandbox(environment);
    unlink(script);
    start(80, 24);
    session_see("from Kong 0.14 to 1.2 was never finished");   /* it opens on step 1 */
    session_press("L");
    session_see("this upgrade has not begun");
    session_escape();
    session_see("Nodes of Kong 0.14 can't start any more");
    session_see("Press f to finish it");
    session_press("s");              /* `up` is shut meanwhile */
    session_listen(300);
    assert_null(strstr(session_text(), "Migrate up?"));
    session_press("f");
    session_see("Finish the earlier upgrade");
    session_press(ESC);
    session_listen(300);
    assert_int_equal(status(), 4);
    assert_int_equal(shell("%s run %s backup %s/backup >/dev/null", sandbox_sh, folder, folder), 0);
    session_press(PAGE_DOWN);
    session_see("verified");
    session_press("f");
    confirm("The earlier upgrade is finished in");
    session_see("Go on with this one");
    assert_int_equal(status(), 5);
    session_see("changes to make");
    session_see("Kong 1.2 to 1.3");
    sandbox("stop-old", "2");
    sandbox("start-old", "2");       /* the nodes of 1.2 live on */
    session_see("Press s to start");
    session_press("s");
    session_see("Migrate up?");
    session_press(TAB ENTER);
    session_see("`up` is complete");
    assert_int_equal(status(), 4);
    session_quit();
}

int main(int count, char **arguments)
{
    static const struct {
        const char *name;
        struct CMUnitTest test;
    } paths[] = {
        {"014", cmocka_unit_test(from_014)}, {"back", cmocka_unit_test(and_back)}, {"unfinished", cmocka_unit_test(unfinished)},
    };
    for (size_t i = 0; count == 5 && i < sizeof paths / sizeof paths[0]; i++) {
        const struct CMUnitTest tests[] = {paths[i].test};
        if (strcmp(arguments[4], paths[i].name) != 0)
            continue;
        binary = arguments[1];
        sandbox_sh = arguments[2];
        reference = arguments[3];
        path = arguments[4];
        setlocale(LC_ALL, "C.UTF-8");
        return cmocka_run_group_tests_name("paths", tests, NULL, remove_all);
    }
    fprintf(stderr, "usage: %s KONG_UPGRADE SANDBOX_SH REFERENCE 014|back|unfinished\n", arguments[0]);
    return 64;
}
