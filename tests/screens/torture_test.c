/*
 * The wizard, where its terminal does what terminals do to programs: changes its size all the time, is stopped and brought back, takes
 * nothing, sends keys in pieces, is of another kind, goes away, whatever is on the screen. Arguments: as db/harness.h has them.
 *
 * The databases: `fresh` is Kong 1.2's; `up` is migrated up, and the last step's gate was overruled; `held` is being migrated up, by a worker
 * that waits. None of the nodes runs.
 */
#include "tests/db/harness.h"
#include "tests/tui/session.h"

#include <ctype.h>
#include <fcntl.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define LEFT "\033[D"
#define RIGHT "\033[C"
#define DOWN "\033[B"
#define ENTER "\r"
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static const char *fleet;
static PGconn *in_the_way;
static struct process held;

static PGconn *hold(const char *database)
{
    PGconn *holder = db_connect("kong", database);
    PQclear(PQexec(holder, "SET application_name = 'forgotten'; BEGIN; SELECT 1 FROM routes LIMIT 1"));
    assert_int_equal(PQtransactionStatus(holder), PQTRANS_INTRANS);
    return holder;
}

static int set_up(void **state)
{
    if (harness_setup(state) != 0)
        return -1;
    fleet = text_printf("%s/fleet.ini", harness.folder);
    text_save(fleet, "[old]\nnode = old-1 http://127.0.0.1:1\nnode = old-2 http://127.0.0.1:2\n[new]\nnode = new-1 http://127.0.0.1:3\n"
                     "[gates]\nquiet = 1\n"
                     "[hooks]\nprovision = /bin/true\ndivert = /bin/true {percent}\ndecommission = /bin/true {node}\n");
    db_create("fresh", NULL);
    struct result result = kong("fresh", "bootstrap --to 1.2");
    expect_exit(&result, 0);
    db_create("up", "fresh");
    result = kong("up", "up --yes");
    expect_exit(&result, 0);
    text_save(text_printf("%s/kong-upgrade/127.0.0.1_%d_up_default/decisions.log", harness.state, harness.port),
              "{\"t\":\"2026-03-02T02:14:00.000Z\",\"user\":\"ops\",\"decision\":\"overruled\",\"what\":\"finish\",\"why\":\"a test\"}\n");
    db_create("held", "fresh");
    in_the_way = hold("held");
    held = kong_start("held", "up --yes");
    return 0;
}

static int tear_down(void **state)
{
    PQfinish(in_the_way);
    struct result result = kong_wait(&held);
    int torn_down = harness_teardown(state);
    return result.exit_code == 0 ? torn_down : -1;
}

/* The wizard's arguments, and an environment; ended by NULL. */
static const char *const *arguments(void)
{
    static const char *list[6];
    const char *const all[] = {harness.binary, "-c", harness.conf, "-f", fleet, NULL};
    memcpy(list, all, sizeof all);
    return list;
}

static const char *const *environment(const char *database, const char *term, const char *locale)
{
    static const char *list[7];
    const char *const all[] = {text_printf("HOME=%s", harness.folder), text_printf("XDG_STATE_HOME=%s", harness.state),
                               text_printf("XDG_CONFIG_HOME=%s/config", harness.folder), text_printf("KONG_PG_DATABASE=%s", database),
                               text_printf("TERM=%s", term), text_printf("LC_ALL=%s", locale), NULL};
    memcpy(list, all, sizeof all);
    return list;
}

static void start_in(const char *database, int width, int height, const char *term, const char *locale)
{
    session_start(width, height, arguments(), environment(database, term, locale));
}

static void start(const char *database)
{
    start_in(database, 80, 24, "xterm-256color", "C.UTF-8");
    session_see("Kong 1.2 to 1.3");
}

/* Reads and forgets, until nothing has come for that long. */
static void drain(int milliseconds)
{
    char bytes[65536];
    struct pollfd fd = {session.master, POLLIN, 0};
    while (poll(&fd, 1, milliseconds) > 0 && read(session.master, bytes, sizeof bytes) > 0)
        continue;
}

/* Every screen, and what can be over it. `keys` are pressed one after the other, from step 1 on; "?text" waits for a text instead. */
struct place {
    const char *name, *database, *keys[6], *seen;
    int sizes;                    /* how many it is given */
};

static const struct place places[] = {
    {"Welcome", "up", {LEFT, LEFT}, "kong.conf  ", 500},
    {"Welcome, which kong.conf", "up", {LEFT, LEFT, "c", "x"}, "accept", 25},
    {"Welcome, a node", "up", {LEFT, LEFT, "a", "x"}, "accept", 25},
    {"Preflight", "up", {LEFT, "?Nothing of"}, "checks", 500},
    {"Preflight, search", "up", {LEFT, "?Nothing of", "/", "zzz"}, "/zzz", 25},
    {"Preflight, details", "up", {LEFT, "?Nothing of", ENTER}, "Esc close", 25},
    {"Up", "up", {"1"}, "Old nodes and 1.3 nodes", 500},
    {"Up, asked", "fresh", {"1", "?Press s to start", "s"}, "Esc cancel", 25},
    {"Up, the plan's details", "fresh", {"1", ENTER}, "Esc close", 25},
    {"Up, under way", "held", {"1", "?forgotten"}, "Waits for", 25},
    {"Up, who is in the way", "held", {"1", "?forgotten", "k", "4"}, "Esc cancel", 25},
    {"Provision", "up", {"2"}, "new-1", 500},
    {"Provision, asked", "up", {"2", "p"}, "Run the hook", 25},
    {"Divert", "up", {"3"}, "new-1", 500},
    {"Divert, asked", "up", {"3", "d"}, "100 %", 25},
    {"Divert, overruling", "up", {"3", "o", "x"}, "Esc cancel", 25},
    {"Decommission", "up", {"4"}, "old-2", 500},
    {"Decommission, details", "up", {"4", ENTER}, "Esc close", 25},
    {"Finish", "up", {"5"}, "can't be undone", 500},
    {"Finish, asked", "up", {"5", "?overruled", "f", "u"}, "Esc cancel", 25},
    {"Done", "up", {"5", RIGHT}, "save report", 500},
    {"Help", "up", {"5", "?"}, "Esc close", 25},
};

static void see(const char *name, const char *text)
{
    if (session_shows(text, 20000))
        return;
    fprintf(stderr, "%s: not seen: %s\n%s", name, text, session_text());
    fail();
}

static void go(const struct place *place)
{
    start(place->database);
    session_press("1");
    for (size_t i = 0; i < COUNT_OF(place->keys) && place->keys[i] != NULL; i++) {
        const char *key = place->keys[i];
        session_listen(40);
        if (key[0] == '?' && key[1] != '\0')
            see(place->name, key + 1);
        else
            session_press(key);
    }
    see(place->name, place->seen);
}

static void a_terminal_may_close_anywhere(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        double seconds = 0;
        go(&places[i]);
        close(session.slave);
        close(session.master);
        session.slave = session.master = -1;
        int64_t begun = session_now_ms();
        int exit_code = session_ended(false, &seconds);
        if (exit_code != 75 || session_now_ms() - begun > 5000 || seconds > 10)
            fail_msg("%s: exit code %d after %lld ms, %.1f s of processor time", places[i].name, exit_code, (long long)(session_now_ms() - begun), seconds);
        session_tear_down(NULL);
    }
}

static const char *last_of(const char *text, const char *part)
{
    const char *last = NULL;
    for (const char *at = strstr(text, part); at != NULL; at = strstr(at + 1, part))
        last = at;
    return last;
}

/* Once it has ended, or was stopped: the terminal has the modes it had, the operator's own screen and cursor are back, what is written
 * there is a sentence at most, and it looks as it should. */
static void left_clean(const char *name)
{
    assert_int_equal(fcntl(session.slave, F_GETFL) & O_NONBLOCK, 0);
    static const char *const pairs[][2] = {{"\033[?1049h", "\033[?1049l"}, {"\033[?25l", "\033[?25h"}, {"\033[?2004h", "\033[?2004l"}};
    struct termios after;
    assert_int_equal(tcgetattr(session.slave, &after), 0);
    assert_true(after.c_lflag == session.before.c_lflag && after.c_iflag == session.before.c_iflag);
    assert_true(after.c_oflag == session.before.c_oflag && after.c_cflag == session.before.c_cflag);
    assert_memory_equal(after.c_cc, session.before.c_cc, sizeof after.c_cc);
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        const char *set = last_of(session.raw, pairs[i][0]), *unset = last_of(session.raw, pairs[i][1]);
        if (set != NULL && (unset == NULL || unset < set))
            fail_msg("%s: %s is what came last", name, pairs[i][0] + 1);
    }
    VTermPos at;
    VTermScreenCell cell;
    static const char mark[] = "\r\n\033[KX";
    vterm_input_write(session.vterm, mark, strlen(mark));
    vterm_state_get_cursorpos(vterm_obtain_state(session.vterm), &at);
    vterm_screen_get_cell(session.screen, (VTermPos){at.row, 0}, &cell);
    assert_int_equal(cell.chars[0], 'X');
    assert_false(cell.attrs.bold || cell.attrs.reverse || cell.attrs.underline || cell.attrs.blink);
    assert_true(VTERM_COLOR_IS_DEFAULT_FG(&cell.fg) && VTERM_COLOR_IS_DEFAULT_BG(&cell.bg));
}

/* The bytes after the alternate screen was left. */
static void no_stray_bytes(const char *name)
{
    static const char *const allowed[] = {"\033[?1l", "\033>", "\033[23;0;0t", "\033[39;49m", "\033[m", "\033(B"};
    const char *rest = last_of(session.raw, "\033[?1049l");
    assert_non_null(rest);
    rest += strlen("\033[?1049l");
    for (const char *at = strchr(rest, '\033'); at != NULL; at = strchr(at + 1, '\033')) {
        bool good = false;
        for (size_t i = 0; i < COUNT_OF(allowed); i++)
            good = good || strncmp(at, allowed[i], strlen(allowed[i])) == 0;
        if (!good)
            fail_msg("%s: after the end: %s", name, rest);
    }
}

static void it_may_be_ended_anywhere(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        go(&places[i]);
        kill(session.child, SIGTERM);
        int exit_code = session_ended(true, NULL);
        if (exit_code != 0)
            fail_msg("%s: exit code %d", places[i].name, exit_code);
        no_stray_bytes(places[i].name);
        left_clean(places[i].name);
        session_tear_down(NULL);
    }
}

/* Sizes. */

static void resize(int width, int height)
{
    struct winsize size = {.ws_row = (unsigned short)height, .ws_col = (unsigned short)width};
    assert_int_equal(ioctl(session.master, TIOCSWINSZ, &size), 0);
}

/* What counts and ages is made a "#"; which steps are open, and since when the upgrade goes on, is left out. */
static char *timeless(const char *screen)
{
    static const char open[] = "○", shut[] = "·", to[] = "Kong 1.2 to 1.3";
    char *text = text_printf("%s", screen), *end = text;
    for (const char *at = text; *at != '\0';) {
        if (strncmp(at, to, strlen(to)) == 0) {
            at = strchr(at, '\n');
        } else if (strncmp(at, open, strlen(open)) == 0) {
            end = stpcpy(end, shut);
            at += strlen(open);
        } else {
            *end++ = isdigit((unsigned char)*at) ? '#' : *at;
            at++;
        }
    }
    *end = '\0';
    return text;
}

/* The screen as it is painted anew, on a terminal that knows nothing of what was before. */
static char *painted(void)
{
    drain(50);
    vterm_free(session.vterm);
    session.vterm = vterm_new(24, 80);
    vterm_set_utf8(session.vterm, 1);
    session.screen = vterm_obtain_screen(session.vterm);
    vterm_screen_enable_altscreen(session.screen, 1);
    vterm_screen_reset(session.screen, 1);
    session_press("\f");
    session_listen(150);
    return timeless(session_text());
}

static unsigned next_random(void)
{
    static unsigned seed = 20260302;
    seed = seed * 1103515245 + 12345;
    return seed >> 16;
}

/* A changed size alone wakes no one: a key does. What is painted for it is waited for, a moment. */
static void shake(int times)
{
    static const char *const keys[] = {"\033OA", "\033OB", "\033[5~", "\033[6~"};
    for (int i = 0; i < times; i++) {
        unsigned kind = next_random() % 4;
        if (kind == 0)
            resize(1, 1);
        else if (kind == 1)
            resize(1 + (int)(next_random() % 12), 1 + (int)(next_random() % 200));
        else
            resize(1 + (int)(next_random() % 160), 1 + (int)(next_random() % 50));
        session_press(keys[next_random() % COUNT_OF(keys)]);
        struct pollfd fd = {session.master, POLLIN, 0};
        poll(&fd, 1, 50);
        drain(1);
    }
}

static void sizes_change_all_the_time(void **state)
{
    for (size_t i = *state != NULL ? 1 : 0; i < COUNT_OF(places); i += 2) {
        go(&places[i]);
        session_press("\033[1~");
        char *before = painted();
        shake(places[i].sizes);
        resize(80, 24);
        session_press("\033[1~");
        char *after = painted();
        for (int tries = 0; tries < 20 && strcmp(before, after) != 0; tries++)
            after = painted();
        if (strcmp(before, after) != 0) {
            fprintf(stderr, "%s: before\n%safter\n%s", places[i].name, before, after);
            fail();
        }
        kill(session.child, SIGTERM);
        assert_int_equal(session_ended(true, NULL), 0);
        session_tear_down(NULL);
    }
}

/* ^Z and fg, as a shell does it; and another size meanwhile. */

static void it_is_stopped_and_brought_back(void **state)
{
    (void)state;
    static const char script[] = "\"$@\"; echo \"stopped $?\"; read go; bg >/dev/null; sleep 1; echo behind; read go; fg >/dev/null; echo \"ended $?\"";
    const char *list[12] = {"/bin/sh", "-mc", script, "sh"};
    const char *const *wizard = arguments();
    for (size_t i = 0; wizard[i] != NULL; i++)
        list[i + 4] = wizard[i];
    session_start(80, 24, list, environment("up", "xterm-256color", "C.UTF-8"));
    session_see("Kong 1.2 to 1.3");
    session_press("3");
    session_see("Step 3");
    session_press("\032");
    session_see("stopped ");
    left_clean("stopped");
    assert_null(strstr(session_text(), "Step 3"));
    session_press(ENTER);
    session_see("behind");            /* in the background the terminal is not touched */
    assert_null(strstr(session_text(), "Step 3"));
    left_clean("behind");
    session_resize(100, 30);
    session_press(ENTER);
    session_see("Step 3");
    session_press("5");
    session_see("Step 5");
    session_press("q");
    session_see("ended 0");
    assert_int_equal(session_ended(true, NULL), 0);
    left_clean("ended");
}

/* Kinds of terminals. */

static void every_terminal_will_do(void **state)
{
    (void)state;
    static const char *const terms[] = {"vt100", "linux", "xterm-256color", "screen", "tmux"}, *const locales[] = {"C", "C.UTF-8"};
    for (size_t i = 0; i < COUNT_OF(terms) * COUNT_OF(locales); i++) {
        const char *term = terms[i / 2], *locale = locales[i % 2], *name = text_printf("%s in %s", term, locale);
        start_in("up", 80, 24, term, locale);
        see(name, "Kong 1.2 to 1.3");
        session_press("1" LEFT LEFT);
        for (int screen = 0; screen < 8; screen++) {
            session_listen(30);
            session_press(RIGHT);
        }
        session_press("?");
        see(name, "Help");
        session_press(ENTER);
        session_press("5");
        see(name, "Step 5: Finish");
        size_t drawn = session.raw_length;
        for (size_t at = 0; i % 2 == 0 && at < drawn; at++)
            if ((unsigned char)session.raw[at] >= 0x80)
                fail_msg("%s: a byte %#x", name, (unsigned char)session.raw[at]);
        session_press("q");
        assert_int_equal(session_ended(true, NULL), 0);
        left_clean(name);
        session_tear_down(NULL);
    }
    start_in("up", 80, 24, "dumb", "C");
    session_see("Step 2 of 5");        /* line by line, then */
    session_press("q" ENTER);
    assert_int_equal(session_ended(true, NULL), 0);
    assert_null(strchr(session.raw, '\033'));
    left_clean("dumb");
}

/* A slow link delivers a cursor key in three parts. It must not be taken for Esc, "[" and "B", which would begin a backup here. */
static void keys_may_come_in_pieces(void **state)
{
    (void)state;
    start("fresh");
    session_press("1");
    session_see("Step 1");
    for (const char *key = DOWN; *key != '\0'; key++) {
        session_press((const char[]){*key, '\0'});
        session_listen(300);
    }
    session_listen(200);
    assert_null(strstr(session_text(), "Esc cancel"));
    assert_null(strstr(session_text(), "accept"));
    session_press("B");
    session_see("accept");
}

/* A terminal that does not read. */

struct use {
    long ticks, pages;
};

static struct use use_of(pid_t pid)
{
    struct use use = {0, 0};
    char *stat = text_file(text_printf("/proc/%d/stat", (int)pid)), *after = strrchr(stat, ')');
    long user = 0, kernel = 0;
    assert_int_equal(sscanf(after, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %ld %ld %*d %*d %*d %*d %*d %*d %*u %*u %ld", &user, &kernel, &use.pages), 3);
    use.ticks = user + kernel;
    return use;
}

static void nothing_is_read_from_it(void **state)
{
    (void)state;
    db_create("stalled", "fresh");
    PGconn *holder = hold("stalled");
    struct process up = kong_start("stalled", "up --yes");
    await_journal("stalled", "\"event\":\"wait\"");
    start_in("stalled", 150, 50, "xterm-256color", "C.UTF-8");
    session_see("Waits for");
    for (int i = 0; i < 40; i++) {
        session_press("t");          /* a whole frame, until the pseudo-terminal is full */
        poll(NULL, 0, 30);
    }
    struct use before = use_of(session.child);
    for (int i = 0; i < 30; i++) {
        session_press("t");
        poll(NULL, 0, 100);
        if (i == 10)
            PQfinish(holder);        /* what the worker waits for */
    }
    struct use after = use_of(session.child);
    struct result result = kong_wait(&up);
    expect_exit(&result, 0);
    assert_in_range(after.ticks - before.ticks, 0, 2 * sysconf(_SC_CLK_TCK));
    assert_in_range(after.pages > before.pages ? after.pages - before.pages : 0, 0, (16 << 20) / sysconf(_SC_PAGESIZE));
    session_see("`up` is complete");
    session_press("q");
    assert_int_equal(session_ended(true, NULL), 0);
    left_clean("stalled");
}

/* A trace for bug reports. */

static void what_is_typed_is_not_traced(void **state)
{
    (void)state;
    const char *path = text_printf("%s/trace", harness.folder);
    const char *list[9] = {NULL};
    for (size_t i = 0; arguments()[i] != NULL; i++)
        list[i] = arguments()[i];
    list[5] = "--trace";
    list[6] = path;
    session_start(80, 24, list, environment("up", "xterm-256color", "C.UTF-8"));
    session_see("Kong 1.2 to 1.3");
    session_press("1" LEFT LEFT "c");
    session_see("accept");
    session_press("\025" HARNESS_PASSWORD "\033[200~" HARNESS_PASSWORD "\033[201~");
    session_listen(400);
    session_press("\033");
    session_listen(200);
    session_press("a");
    session_see("accept");
    session_press("old " HARNESS_PASSWORD);
    session_listen(400);
    session_press("\033");
    session_listen(200);
    session_press(RIGHT "/" HARNESS_PASSWORD);
    session_listen(400);
    session_press("\033");
    session_listen(200);
    session_press("3o" HARNESS_PASSWORD);
    session_listen(400);
    session_press("\033");
    session_listen(200);
    session_press("q");
    assert_int_equal(session_ended(true, NULL), 0);
    const char *text = text_file(path);
    expect_part(text, " frame 80x24, ");
    expect_part(text, "Which kong.conf?");
    expect_part(text, " key c\n");
    expect_part(text, " key Right\n");
    expect_part(text, " key *\n");
    expect_part(text, " key pasted *\n");
    expect_part(text, "***");
    assert_null(strstr(text, HARNESS_PASSWORD));
    assert_null(strstr(text, "Sesame"));
    for (const char *letter = "OpenSsm47"; *letter != '\0'; letter++)   /* none of these is a key of the test's own */
        assert_null(strstr(text, text_printf(" key %c\n", *letter)));
    const char *end = strstr(text, " end\n");
    assert_true(end != NULL && end[5] == '\0');
    session_tear_down(NULL);
    session_start(80, 24, list, environment("up", "xterm-256color", "C.UTF-8"));   /* the file is there now */
    assert_int_equal(session_ended(true, NULL), 1);
    session_see("name a file that is not there yet");
    assert_string_equal(text_file(path), text);
}

/* In four parts, which may run side by side. */
int main(int argc, char **argv)
{
    static const struct CMUnitTest ends[] = {
        cmocka_unit_test_teardown(a_terminal_may_close_anywhere, session_tear_down),
        cmocka_unit_test_teardown(it_may_be_ended_anywhere, session_tear_down),
    };
    static const struct CMUnitTest sizes[] = {
        {"sizes_change_all_the_time", sizes_change_all_the_time, NULL, session_tear_down, NULL},
    };
    static const struct CMUnitTest other_sizes[] = {   /* of every second place */
        {"sizes_change_all_the_time", sizes_change_all_the_time, NULL, session_tear_down, (void *)(uintptr_t)"other"},
    };
    static const struct CMUnitTest kinds[] = {
        cmocka_unit_test_teardown(it_is_stopped_and_brought_back, session_tear_down),
        cmocka_unit_test_teardown(every_terminal_will_do, session_tear_down),
        cmocka_unit_test_teardown(keys_may_come_in_pieces, session_tear_down),
        cmocka_unit_test_teardown(nothing_is_read_from_it, session_tear_down),
        cmocka_unit_test_teardown(what_is_typed_is_not_traced, session_tear_down),
    };
    const char *part = argc > 4 ? argv[4] : "";
    setlocale(LC_ALL, "C.UTF-8");
    if (!harness_arguments(argc - 1, argv))
        return 64;
    if (strcmp(part, "ends") == 0)
        return cmocka_run_group_tests_name("torture-ends", ends, set_up, tear_down);
    if (strcmp(part, "sizes") == 0)
        return cmocka_run_group_tests_name("torture-sizes", sizes, set_up, tear_down);
    if (strcmp(part, "other-sizes") == 0)
        return cmocka_run_group_tests_name("torture-other-sizes", other_sizes, set_up, tear_down);
    return cmocka_run_group_tests_name("torture-kinds", kinds, set_up, tear_down);
}
