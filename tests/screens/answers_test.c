/*
 * Answers from a file, on a whole cluster, where something is missing or goes wrong: each time the upgrade stops where it stands, with a
 * sentence and an exit code, and the next start goes on from there. Arguments: sandbox.sh.
 */
#include "tests/sandbox/shell.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const char *sandbox_sh;
static char folder[64], output[400000];

static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/answers-test-%d", (int)getpid());
    mkdir(folder, 0711);
    if (shell("sh '%s' start %s </dev/null >'%s/output' 2>&1", sandbox_sh, folder, folder) != 0)
        return shell("cat '%s/output' >&2; exit 1", folder);
    return shell("sed -i '/old-[23]/d; /new-[23]/d; s/^quiet = .*/quiet = 1/; s/^wait = .*/wait = 1/' %s/fleet.ini && sed -i '$s/$/ 1/' %s/hooks/provision &&"
                 " PGPASSWORD=kong psql -qX -h 127.0.0.1 -p $(cat %s/postgres/port) -U kong kong -c \"INSERT INTO schema_meta (key, subsystem,"
                 " last_executed, executed, pending) VALUES ('schema_meta', 'mystery', '000_base_mystery', '{000_base_mystery}', '{}')\"",
                 folder, folder, folder);
}

static int remove_all(void **state)
{
    (void)state;
    return shell("sh '%s' stop %s >/dev/null 2>&1; rm -rf %s", sandbox_sh, folder, folder);
}

/* Ends with that exit code, and says these words. */
static void expect(int code, const char *said, const char *answers)
{
    char path[128];
    snprintf(path, sizeof path, "%s/answers.ini", folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(answers, file);
    assert_int_equal(fclose(file), 0);
    int actual = shell("timeout 60 sh '%s' run %s --answers %s/answers.ini </dev/null >%s/said 2>&1", sandbox_sh, folder, folder, folder);
    snprintf(path, sizeof path, "%s/said", folder);
    file = fopen(path, "r");
    assert_non_null(file);
    output[fread(output, 1, sizeof output - 1, file)] = '\0';
    fclose(file);
    if (actual != code || strstr(output, said) == NULL)
        fail_msg("exit code %d, not %d with '%s'; said: %s", actual, code, said, output);
}

static int status(void)
{
    return shell("sh '%s' run %s status >/dev/null 2>&1", sandbox_sh, folder);
}

#define NOTED "[preflight]\nacknowledge = custom-migrations\n"
#define UP NOTED "[up]\nbackup = another\n"
#define PROVISIONED UP "[provision]\nhook = yes\nwait = 30\n"
#define DIVERTED "[divert]\npercent = 100\npause = 0\nworse = ignore\n[decommission]\nhook = yes\nwait = 20\n"

static void what_is_not_answered_stops_it(void **state)
{
    (void)state;
    expect(7, "stopped: the check custom-migrations warns: ", "");
    assert_null(strstr(output, "Noted"));
    expect(7, "no backup was made here: say in [up] where to", NOTED);
    assert_int_equal(status(), 5);
    expect(7, "stays shut: The new node is not ready yet.", UP "[provision]\nwait = 0\n");   /* nobody starts the new node */
    assert_int_equal(status(), 4);
}

static void traffic_goes_back_where_the_new_cluster_is_worse(void **state)
{
    (void)state;
    assert_int_equal(shell("sh '%s' run %s nodes >/dev/null 2>&1; sh '%s' fail %s 60", sandbox_sh, folder, sandbox_sh, folder), 0);
    expect(7, "Traffic was moved back: the old cluster serves all of it", PROVISIONED "[divert]\npercent = 25 100\npause = 40\n");
    assert_non_null(strstr(output, "> 25 %"));
    assert_non_null(strstr(output, "> 0 %"));
    assert_non_null(strstr(output, "divert to 0 % went well"));
    assert_null(strstr(output, "> 100 %"));
    assert_int_equal(status(), 4);
    assert_int_equal(shell("sh '%s' fail %s 0", sandbox_sh, folder), 0);
}

static void without_the_name_nothing_is_finished(void **state)
{
    (void)state;
    expect(7, "the answers do not confirm step 5, which can't be undone: say in [finish] confirm = kong", PROVISIONED DIVERTED);
    assert_int_equal(status(), 4);
    expect(0, "the upgrade is complete", UP "[finish]\nconfirm = kong\n");
    assert_int_equal(status(), 0);
}

int main(int count, char **arguments)
{
    if (count != 2) {
        fprintf(stderr, "usage: %s SANDBOX_SH\n", arguments[0]);
        return 64;
    }
    sandbox_sh = arguments[1];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_answered_stops_it),
        cmocka_unit_test(traffic_goes_back_where_the_new_cluster_is_worse),
        cmocka_unit_test(without_the_name_nothing_is_finished),
    };
    return cmocka_run_group_tests(tests, set_up, remove_all);
}
