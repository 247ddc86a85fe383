/*
 * One upgrade, three faces: by keys on the full screen, by lines in the dialogue (--plain), and by a file of answers. A warning is
 * acknowledged, a gate overruled, another backup declared, nodes and traffic moved by hooks: each time on a cluster of its own, side by
 * side. What is written down of it, the journals, the decisions and the records of hooks, is the same but for times, processes and
 * places.
 *
 * Arguments: the binary, sandbox.sh; and, where the test calls itself, which face, and the folder.
 */
#include "tests/sandbox/shell.h"
#include "tests/tui/drawn.h"
#include "tests/tui/session.h"

#include "core/base/buf.h"
#include "core/base/mem.h"
#include "core/journal.h"

#include <ctype.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *binary, *sandbox_sh, *self;
static char folder[80];

#define TAB "\t"
#define ENTER "\r"
#define TABS(count_) (&(TAB TAB TAB TAB TAB TAB TAB)[7 - (count_)])
#define LINE "\n"

static void write_file(const char *name, const char *text)
{
    char path[160];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

/* A cluster with a custom plugin's migrations, which the preflight warns of, and one node of each side in the fleet. */
static int set_up(void **state)
{
    (void)state;
    mkdir(folder, 0711);
    if (shell("sh '%s' start %s </dev/null >'%s/output' 2>&1", sandbox_sh, folder, folder) != 0)
        return shell("cat '%s/output' >&2; exit 1", folder);
    return shell("sed -i '/old-[23]/d; /new-[23]/d; s/^quiet = .*/quiet = 5/; s/^wait = .*/wait = 1/' %s/fleet.ini && sed -i '$s/$/ 1/' %s/hooks/provision &&"
                 " PGPASSWORD=kong psql -qX -h 127.0.0.1 -p $(cat %s/postgres/port) -U kong kong -c \"INSERT INTO schema_meta (key, subsystem,"
                 " last_executed, executed, pending) VALUES ('schema_meta', 'mystery', '000_base_mystery', '{000_base_mystery}', '{}')\"",
                 folder, folder, folder);
}

static int tear_down(void **state)
{
    session_tear_down(state);
    return shell("sh '%s' stop %s >/dev/null 2>&1", sandbox_sh, folder) == 0 ? 0 : 0;
}

static void start(int width, int height, const char *option, const char *terminal)
{
    char conf[128], fleet[128], state[128], config[128], home[96];
    snprintf(conf, sizeof conf, "%s/kong.conf", folder);
    snprintf(fleet, sizeof fleet, "%s/fleet.ini", folder);
    snprintf(state, sizeof state, "XDG_STATE_HOME=%s/state", folder);
    snprintf(config, sizeof config, "XDG_CONFIG_HOME=%s/config", folder);
    snprintf(home, sizeof home, "HOME=%s", folder);
    const char *const arguments[] = {binary, "--conf", conf, "--fleet", fleet, option, NULL};
    const char *const environment[] = {home, state, config, terminal, NULL};
    session_start(width, height, arguments, environment);
}

/* By keys. */

static void run_hook(const char *keys, const char *well)
{
    session_press(keys);
    session_see(well);
    session_press(ENTER);   /* closes what it says */
    session_listen(300);
}

static void see_and_press(const char *text, const char *keys)
{
    session_see(text);
    session_press(keys);
}

static void through_the_screens(void **state)
{
    (void)state;
    start(100, 40, NULL, "TERM=xterm-256color");
    see_and_press("Five steps lead to 1.3", "\033[C");
    see_and_press("1 to acknowledge", "a");
    see_and_press("Noted:", "1");
    see_and_press("Press s to start", "s");
    see_and_press("Migrate up?", TABS(2));
    session_press(ENTER);
    see_and_press("`up` is complete", "2");
    see_and_press("Press p to start them", "p");
    session_see("Start the new nodes?");
    run_hook(TAB ENTER, "provision went well");
    see_and_press("The new node is ready", "3");
    see_and_press("press d", "d");
    session_see("How much of the traffic");
    session_press(TABS(4));
    run_hook(ENTER, "divert to 25 % went well");
    session_listen(1500);                /* fleet.ini wants a second at each stage */
    session_press("d");
    session_see("How much of the traffic");
    session_press(TABS(6));
    run_hook(ENTER, "divert to 100 % went well");
    session_press("4");
    see_and_press("Old nodes served", "o");
    see_and_press("Overrule this gate", "decommission");
    see_and_press("the name matches", ENTER);
    see_and_press("Press d to stop the selected one", "d");
    see_and_press("Stop this old node?", "old-1");
    session_see("the name matches");
    run_hook(ENTER, "decommission old-1 went well");
    see_and_press("No old node answers any more", "5");
    see_and_press("Press f to finish", "f");
    see_and_press("this can't be undone", "kong");
    see_and_press("the name matches", ENTER);
    see_and_press("the upgrade is complete", "q");
    assert_int_equal(session_ended(true, NULL), 0);
    session_restored();
}

/* By lines. */

static size_t heard;   /* how far of the output has been looked at */

/* Waits for a text that comes after all that was waited for before. */
static void hear(const char *text)
{
    int64_t until = session_now_ms() + 30000;
    char *found = NULL;
    while ((found = memmem(session.raw + heard, session.raw_length - heard, text, strlen(text))) == NULL && session_now_ms() < until)
        session_listen(50);
    if (found == NULL)
        fail_msg("not heard: %s, after: %.*s", text, (int)(session.raw_length - heard), session.raw + heard);
    else
        heard = (size_t)(found - session.raw) + strlen(text);
}

/* And once what follows it at once is told, writes the line. */
static void hear_and_write(const char *text, const char *line)
{
    hear(text);
    hear("\n> ");
    session_press(line);
    session_press(LINE);
}

/* Nothing of a terminal is used but that it takes lines. */
static void assert_plain_output(void)
{
    for (size_t i = 0; i < session.raw_length; i++) {
        unsigned char c = (unsigned char)session.raw[i];
        bool ends_line = c == '\r' && i + 1 < session.raw_length && session.raw[i + 1] == '\n';
        if ((c < ' ' && c != '\n' && !ends_line) || c == 0x7F)
            fail_msg("byte %zu of the output is 0x%02x", i, c);
    }
}

static void through_the_dialogue(void **state)
{
    (void)state;
    start(500, 60, NULL, "TERM=dumb");   /* chooses it by itself; wide enough for every line */
    hear_and_write("Five steps lead to 1.3", "next");
    hear_and_write("1 to acknowledge", "details 1");
    hear_and_write("Why it matters", "a 1");
    hear_and_write("Noted:", "1");
    hear_and_write("Choices: s (start)", "start");
    hear_and_write("c. I have another: start", "a");          /* not now */
    hear_and_write("Choices: s (start)", "s");
    hear_and_write("c. I have another: start", "c");
    hear_and_write("ok: `up` is complete", "2");
    hear_and_write("Press p to start them", "p");
    hear_and_write("b. Run the hook", "b");
    hear_and_write("provision went well", "read");
    hear_and_write("The new node is ready", "3");
    hear_and_write("Move 1 % to the new one: press d", "d");
    hear_and_write("e. 25 %", "25%");
    hear("divert to 25 % went well");
    session_listen(1500);                /* fleet.ini wants a second at each stage */
    session_press("d" LINE);
    hear_and_write("gave the new cluster 25 %", "g");
    hear_and_write("divert to 100 % went well", "4");
    hear_and_write("Old nodes served", "o");
    hear_and_write("b. Overrule", "Overrule");
    hear_and_write("To confirm, type decommission", "decommissio");
    hear_and_write("That is not the same: nothing was done", "b");
    hear_and_write("To confirm, type decommission", "decommission");
    hear_and_write("Choices: d N (stop node)", "d 1");
    hear_and_write("b. Run the hook", "b");
    hear_and_write("Type the node's name", "old-1");
    hear_and_write("No old node answers any more", "5");
    hear_and_write("Choices: f (finish)", "f");
    hear_and_write("Enter alone: Stay", "");                   /* the safe answer */
    hear_and_write("Choices: f (finish)", "finish");
    hear_and_write("b. Finish", "b");
    hear_and_write("Type the database's name", "KONG");
    hear_and_write("That is not the same: nothing was done", "b");
    hear_and_write("Type the database's name", "kong");
    hear_and_write("Enter stops it", "");
    hear_and_write("Stopped: a line was written. Nothing was changed.", "finish");
    hear_and_write("b. Finish", "b");
    hear_and_write("Type the database's name", "kong");
    hear_and_write("the upgrade is complete", "q");
    assert_int_equal(session_ended(true, NULL), 0);
    assert_plain_output();
}

/* By a file. */

static void through_answers(void **state)
{
    (void)state;
    write_file("answers.ini", "[preflight]\nacknowledge = custom-migrations\n[up]\nbackup = another\n[provision]\nhook = yes\nwait = 60\n"
                              "[divert]\npercent = 25, 100\npause = 4\nworse = ignore\n[decommission]\nhook = yes\nwait = 0\noverrule = yes\n"
                              "[finish]\nconfirm = kong\nwait = 60\n[done]\n");
    assert_int_equal(shell("echo report = %s/report.md >>%s/answers.ini", folder, folder), 0);
    assert_int_equal(shell("sh '%s' run %s --answers %s/answers.ini </dev/null >%s/output 2>&1 || { cat %s/output >&2; exit 1; }", sandbox_sh, folder, folder,
                           folder, folder), 0);
    static const char *const told[] = {"from | 1.2", "1 Migrate up | 20", "2 Provision | 20", "3 Divert | 20", "4 Decommission | 20", "5 Finish | 20", "25 %, begin",
                                       "acknowledged custom-migrations", "overruled decommission", "new | new-1"};
    for (size_t i = 0; i < sizeof told / sizeof told[0]; i++)
        if (shell("grep -qF '%s' %s/report.md", told[i], folder) != 0)
            fail_msg("not in the report: %s", told[i]);
}

static const struct face_case {
    const char *name;
    void (*walk)(void **state);
} faces[] = {{"screens", through_the_screens}, {"dialogue", through_the_dialogue}, {"answers", through_answers}};

/* What was written down. */

/* Times, processes, places and measurements. */
static bool is_volatile(const char *key)
{
    static const char *const keys[] = {"t", "pid", "ms", "port", "bytes", "rows", "worst_ms", "p99_ms", "at"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (strcmp(keys[i], key) == 0)
            return true;
    return false;
}

static json_t *normal(const json_t *json);

/* Without the folder's name and figures: of a rate, an age; and without what is said beside a rate that is low at that moment. */
static json_t *normal_text(const char *text)
{
    struct buf out = {0};
    const char *beside = strstr(text, " Others' polls"), *end = beside != NULL ? beside : text + strlen(text);
    for (const char *c = text; c < end; c++)
        if (strncmp(c, folder, strlen(folder)) == 0)
            c += strlen(folder) - 1;
        else if (!isdigit((unsigned char)*c) && *c != '.')
            buf_add_bytes(&out, c, 1);
    json_t *json = json_string(buf_text(&out));
    buf_free(&out);
    return json;
}

static json_t *normal(const json_t *json)
{
    const char *key;
    json_t *value, *result;
    size_t index;
    if (json_is_string(json))
        return normal_text(json_string_value(json));
    if (json_is_array(json)) {
        result = json_array();
        json_array_foreach((json_t *)(uintptr_t)json, index, value) json_array_append_new(result, normal(value));
        return result;
    }
    if (!json_is_object(json))
        return json_deep_copy(json);
    result = json_object();
    json_object_foreach((json_t *)(uintptr_t)json, key, value) if (!is_volatile(key)) json_object_set_new(result, key, normal(value));
    return result;
}

static void add_event(void *context, const json_t *event)
{
    const char *kind = json_string_value(json_object_get(event, "event"));
    if (kind != NULL && (strcmp(kind, "wait") == 0 || strcmp(kind, "stall") == 0))
        return;   /* who was in the way for a moment is chance */
    json_t *json = normal(event);
    char *text = json_dumps(json, JSON_SORT_KEYS | JSON_COMPACT);
    buf_addf(context, "%s\n", text);
    free(text);
    json_decref(json);
}

/* Its name without the time. */
static void add_file(struct buf *out, const char *path)
{
    struct journal_reader reader;
    const char *name = strrchr(path, '/') + 1, *time = strstr(name, "Z-");
    buf_addf(out, "== %s\n", time != NULL ? time + 2 : name);
    assert_true(journal_open(&reader, path, NULL));
    journal_read(&reader, add_event, out);
    journal_reader_close(&reader);
}

/* All of the state folder, by the time of its files' names. */
static char *record_of(const char *place)
{
    struct buf out = {0};
    struct names files = {0};
    char *command = mem_printf("cd %s-kept/state/kong-upgrade/* && ls $PWD/*.jsonl $PWD/*.hook $PWD/decisions.log", place), found[400];
    FILE *list = popen(command, "r");
    free(command);
    assert_non_null(list);
    while (fgets(found, sizeof found, list) != NULL) {
        found[strcspn(found, "\n")] = '\0';
        names_add(&files, found);
    }
    assert_int_equal(pclose(list), 0);
    assert_true(files.count >= 7);
    assert_true(snprintf(folder, sizeof folder, "%s", place) < (int)sizeof folder);
    for (size_t i = 0; i < files.count; i++)
        add_file(&out, files.list[i]);
    names_free(&files);
    return buf_take(&out);
}

static pid_t walk(const char *name, const char *place)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        execl(self, self, binary, sandbox_sh, name, place, NULL);
        _exit(127);
    }
    return child;
}

static void all_faces_write_the_same(void **state)
{
    char places[3][80], *records[3];
    pid_t children[3];
    bool well = true;
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        snprintf(places[i], sizeof places[i], "/tmp/faces-test-%d-%s", (int)getpid(), faces[i].name);
        children[i] = walk(faces[i].name, places[i]);
    }
    for (size_t i = 0; i < 3; i++) {
        int status = 0;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        well = well && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    }
    assert_true(well);
    for (size_t i = 0; i < 3; i++) {
        records[i] = record_of(places[i]);
    }
    assert_non_null(strstr(records[0], "custom-migrations"));
    assert_non_null(strstr(records[0], "overruled"));
    assert_non_null(strstr(records[0], "another backup"));
    for (size_t i = 1; i < 3; i++) {
        if (strcmp(records[0], records[i]) != 0)
            fprintf(stderr, "%s:\n%s\n%s:\n%s", faces[0].name, records[0], faces[i].name, records[i]);
        assert_string_equal(records[0], records[i]);
        free(records[i]);
    }
    free(records[0]);
}

static int remove_records(void **state)
{
    (void)state;
    return shell("rm -rf /tmp/faces-test-%d-*", (int)getpid());
}

/* The cluster goes, its state folder is kept for the test that called. */
static void keep_records(void)
{
    assert_int_equal(shell("mkdir -m 700 %s-kept && cp -r %s/state %s-kept/", folder, folder, folder), 0);
}

static void one_face(void **state)
{
    const struct face_case *face = *state;
    face->walk(NULL);
    keep_records();
}

int main(int count, char **arguments)
{
    if (count != 3 && count != 5) {
        fprintf(stderr, "usage: %s KONG_UPGRADE SANDBOX_SH\n", arguments[0]);
        return 64;
    }
    self = arguments[0];
    binary = arguments[1];
    sandbox_sh = arguments[2];
    const struct CMUnitTest all[] = {cmocka_unit_test(all_faces_write_the_same)};
    if (count == 3)
        return cmocka_run_group_tests(all, NULL, remove_records);
    snprintf(folder, sizeof folder, "%s", arguments[4]);
    for (size_t i = 0; i < sizeof faces / sizeof faces[0]; i++) {
        const struct CMUnitTest one[] = {cmocka_unit_test_prestate(one_face, (void *)(uintptr_t)&faces[i])};
        if (strcmp(faces[i].name, arguments[3]) == 0)
            return cmocka_run_group_tests(one, set_up, tear_down);
    }
    return 64;
}
