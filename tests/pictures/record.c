/*
 * record KONG-UPGRADE SANDBOX.SH FILE: a whole upgrade by keys in a terminal of 80x24, on a throwaway cluster, as a recording of
 * asciinema's format, version 2: `ninja -C build recording`. What someone would only wait for passes quickly.
 *
 * FILE is replaced once all of it has gone well.
 */
#include "tests/tui/drawn.h"
#include "tests/tui/session.h"

#include <jansson.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER "/tmp/kong-cluster"
#define LONGEST_GAP_MS 1200.0
#define HASTE 0.12             /* of the time that is only waited for */

#define RIGHT "\033[C"
#define TAB "\t"
#define ENTER "\r"
#define ESC "\033"

static const char *binary, *sandbox_sh, *file;

static struct {
    FILE *out;
    double at_ms, pace;        /* of the recording; its time for one of ours */
    int64_t heard_ms;
    char tail[4];              /* of a character whose rest is to come */
    size_t tail_length;
} recording = {.pace = 1};

/* How much of it is whole UTF-8. */
static size_t whole(const char *bytes, size_t length)
{
    for (size_t back = 1; back <= 3 && back <= length; back++) {
        unsigned char byte = (unsigned char)bytes[length - back];
        size_t wanted = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1;
        if (wanted > 1)
            return wanted > back ? length - back : length;
        if (byte < 0x80)
            break;
    }
    return length;
}

static void record(const char *bytes, size_t length)
{
    char text[8192];
    int64_t now = session_now_ms();
    double gap = (double)(now - recording.heard_ms) * recording.pace;
    recording.at_ms += gap < LONGEST_GAP_MS ? gap : LONGEST_GAP_MS;
    recording.heard_ms = now;
    memcpy(text, recording.tail, recording.tail_length);
    memcpy(text + recording.tail_length, bytes, length);
    length += recording.tail_length;
    size_t taken = whole(text, length);
    recording.tail_length = length - taken;
    memcpy(recording.tail, text + taken, recording.tail_length);
    json_t *data = json_stringn(text, taken);
    assert_non_null(data);
    char *quoted = json_dumps(data, JSON_ENCODE_ANY);
    fprintf(recording.out, "[%.3f, \"o\", %s]\n", recording.at_ms / 1000, quoted);
    free(quoted);
    json_decref(data);
}

static void begin_recording(const char *path)
{
    recording.out = fopen(path, "w");
    assert_non_null(recording.out);
    fprintf(recording.out, "{\"version\": 2, \"width\": 80, \"height\": 24, \"title\": \"Kong 1.2 to 1.3 with kong-upgrade\", "
                           "\"env\": {\"TERM\": \"xterm-256color\", \"SHELL\": \"/bin/sh\"}}\n");
    recording.heard_ms = session_now_ms();
    session_heard = record;
}

/* What an operator does. */

static void look(int milliseconds)
{
    recording.pace = 1;
    int64_t until = session_now_ms() + milliseconds;
    session_listen(milliseconds);
    /* A pause counts, though nothing was written in it. */
    recording.at_ms += (double)(until - recording.heard_ms);
    recording.heard_ms = until;
}

static void await(const char *text)
{
    recording.pace = HASTE;
    if (!session_shows(text, 60000)) {
        fprintf(stderr, "record: not seen: %s\n%s", text, session_text());
        fail();
    }
    session_listen(300);
    recording.pace = 1;
}

static void press(const char *keys)
{
    session_press(keys);
    look(400);
}

static void type(const char *text)
{
    for (; *text != '\0'; text++) {
        session_press((const char[]){*text, '\0'});
        look(120);
    }
}

static void sandbox(const char *what, const char *arguments)
{
    char command[512];
    snprintf(command, sizeof command, "sh '%s' %s " FOLDER " %s </dev/null >" FOLDER "/output 2>&1", sandbox_sh, what, arguments);
    if (system(command) != 0)
        fail_msg("sandbox.sh %s: see " FOLDER "/output", what);
}

static void hook(const char *question, int tabs, const char *outcome)
{
    await(question);
    look(1500);
    while (tabs-- > 0)
        press(TAB);
    press(ENTER);
    await(outcome);
    look(1500);
    press(ESC);
}

static void look_before(void)
{
    await("Five steps lead to 1.3");
    look(3000);
    press(RIGHT);
    await("Nothing of");
    look(2500);
    press(ENTER);
    look(2500);
    press(ENTER);
}

static void migrate_up(void)
{
    press("1");
    await("Press s to start");
    look(2000);
    press("s");
    await("No backup was made here");
    look(2500);
    press(TAB);
    press(ENTER);
    await("Folder");
    look(1200);
    press(ENTER);
    await("The backup is made and verified");
    look(1500);
    press("s");
    await("Migrate up?");
    look(2000);
    press(TAB);
    press(ENTER);
    await("`up` is complete");
    look(3000);
}

static void move_the_cluster(void)
{
    press("2");
    press("p");
    hook("Start the new nodes?", 1, "provision went well");
    await("All 3 new nodes are ready");
    look(2500);
    press("3");
    look(1500);
    press("d");
    hook("How much of the traffic", 4, "divert to 25 % went well");
    await("25 %");
    look(5000);
    recording.pace = HASTE;
    session_listen(12000);         /* fleet.ini's `wait` */
    look(500);
    press("d");
    hook("How much of the traffic", 6, "divert to 100 % went well");
    await("The new cluster serves everything");
    look(2500);
    press("4");
    await("Press d");
    look(2500);
    sandbox("stop-old", "");
    await("No old node answers any more");
    look(2500);
}

static void finish(void)
{
    press("5");
    await("Press f to finish");
    look(2500);
    press("f");
    await("this can't be undone");
    look(3000);
    type("kong");
    look(1200);
    press(ENTER);
    look(5000);
    await("the upgrade is complete");
    look(2500);
    press(RIGHT);
    await("is Kong 1.3's");
    look(4000);
    press("q");
}

static void record_all(void **state)
{
    (void)state;
    char path[4096];
    const char *const arguments[] = {binary, "--conf", FOLDER "/kong.conf", "--fleet", FOLDER "/fleet.ini", NULL};
    const char *const environment[] = {"HOME=" FOLDER, "XDG_STATE_HOME=" FOLDER "/state", "XDG_CONFIG_HOME=" FOLDER "/config", NULL};
    snprintf(path, sizeof path, "%s.new", file);
    begin_recording(path);
    session_start(80, 24, arguments, environment);
    look_before();
    migrate_up();
    move_the_cluster();
    finish();
    assert_int_equal(session_ended(true, NULL), 0);
    assert_int_equal(fclose(recording.out), 0);
    assert_int_equal(rename(path, file), 0);
    print_message("%s: %.0f s\n", file, recording.at_ms / 1000);
}

static int set_up(void **state)
{
    (void)state;
    if (mkdir(FOLDER, 0711) != 0) {
        perror(FOLDER);
        return -1;
    }
    sandbox("start", "");
    return 0;
}

static int tear_down(void **state)
{
    session_heard = NULL;
    session_tear_down(state);
    char command[512];
    snprintf(command, sizeof command, "sh '%s' stop " FOLDER " >/dev/null 2>&1; rm -rf " FOLDER, sandbox_sh);
    return system(command);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(record_all)};
    if (argc != 4) {
        fprintf(stderr, "usage: %s KONG-UPGRADE SANDBOX.SH FILE\n", argv[0]);
        return 64;
    }
    binary = argv[1];
    sandbox_sh = argv[2];
    file = argv[3];
    setlocale(LC_ALL, "C.UTF-8");
    return cmocka_run_group_tests_name("record", tests, set_up, tear_down);
}
