/*
 * The demo program in a real pseudo-terminal, read by libvterm as a terminal would: what is drawn, what keys do in
 * whole and in pieces, and how it ends when its terminal goes away, stalls, or can't be used. The demo's path is the
 * first argument.
 */
#include "tests/tui/drawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include <utmp.h>
#include <vterm.h>

#define RAW_SIZE (1 << 20)

static const char *demo;

static struct {
    int master;
    pid_t child;
    VTerm *vterm;
    VTermScreen *screen;
    char raw[RAW_SIZE]; /* all that the program wrote */
    size_t raw_length;
    char log[64];
    struct termios before;
    int slave; /* kept open where a test reads the terminal's modes afterwards */
} session;

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Starts the demo; `environment` holds NAME=VALUE pairs (NAME alone: unset), ended by NULL. */
static void start(int width, int height, const char *const *environment)
{
    struct winsize size = {.ws_row = (unsigned short)height, .ws_col = (unsigned short)width};
    snprintf(session.log, sizeof(session.log), "/tmp/tui-test-%d.log", (int)getpid());
    unlink(session.log);
    session.raw_length = 0;
    assert_int_equal(openpty(&session.master, &session.slave, NULL, NULL, &size), 0);
    assert_int_equal(tcgetattr(session.slave, &session.before), 0);
    session.child = fork();
    assert_true(session.child >= 0);
    if (session.child == 0) {
        close(session.master);
        login_tty(session.slave);
        setenv("TERM", "xterm-256color", 1);
        setenv("LC_ALL", "C.UTF-8", 1);
        setenv("DEMO_LOG", session.log, 1);
        unsetenv("NO_COLOR");
        unsetenv("COLORFGBG");
        unsetenv("LINES");
        unsetenv("COLUMNS");
        for (; *environment != NULL; environment++)
            putenv((char *)(uintptr_t)*environment);
        execl(demo, demo, (char *)NULL);
        _exit(127);
    }
    session.vterm = vterm_new(height, width);
    vterm_set_utf8(session.vterm, 1);
    session.screen = vterm_obtain_screen(session.vterm);
    vterm_screen_enable_altscreen(session.screen, 1);
    vterm_screen_reset(session.screen, 1);
}

/* Reads what the program writes for that long. */
static void listen_for(int milliseconds)
{
    int64_t until = now_ms() + milliseconds;
    for (int64_t left; (left = until - now_ms()) > 0;) {
        struct pollfd fd = {session.master, POLLIN, 0};
        char bytes[4096];
        if (poll(&fd, 1, (int)left) <= 0)
            return;
        ssize_t count = read(session.master, bytes, sizeof(bytes));
        if (count <= 0)
            return;
        vterm_input_write(session.vterm, bytes, (size_t)count);
        size_t kept = session.raw_length + (size_t)count < RAW_SIZE - 1 ? (size_t)count : 0;
        memcpy(session.raw + session.raw_length, bytes, kept);
        session.raw_length += kept;
        session.raw[session.raw_length] = '\0';
    }
}

static const char *screen_text(void)
{
    static char text[200 * 200 * 4];
    char *end = text;
    int rows;
    int columns;
    vterm_get_size(session.vterm, &rows, &columns);
    for (int y = 0; y < rows; y++) {
        for (int x = 0; x < columns; x++) {
            VTermScreenCell cell;
            vterm_screen_get_cell(session.screen, (VTermPos){y, x}, &cell);
            if (cell.chars[0] == (uint32_t)-1)
                continue;
            end += text_encode(cell.chars[0] != 0 ? cell.chars[0] : ' ', end);
        }
        *end++ = '\n';
    }
    *end = '\0';
    return text;
}

/* Waits until `text` is on the screen. */
static void see(const char *text)
{
    for (int64_t until = now_ms() + 5000; now_ms() < until;) {
        if (strstr(screen_text(), text) != NULL)
            return;
        listen_for(50);
    }
    fprintf(stderr, "not seen: %s\n%s", text, screen_text());
    fail();
}

static void press(const char *bytes)
{
    assert_int_equal(write(session.master, bytes, strlen(bytes)), (ssize_t)strlen(bytes));
}

/* Waits for the program's end, reading what it writes if `reading`; returns its exit code (-1 if it has to be killed),
 * and how much processor time it took. */
static int ended(bool reading, double *seconds)
{
    int status = 0;
    struct rusage usage = {0};
    for (int64_t until = now_ms() + 8000; now_ms() < until;) {
        if (reading)
            listen_for(20);
        else
            poll(NULL, 0, 20);
        if (wait4(session.child, &status, WNOHANG, &usage) == session.child) {
            session.child = 0;
            if (seconds != NULL)
                *seconds = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
            if (reading)
                listen_for(50);
            return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
        }
    }
    return -1;
}

static const char *logged(void)
{
    static char text[64];
    FILE *log = fopen(session.log, "r");
    text[0] = '\0';
    if (log != NULL) {
        if (fgets(text, sizeof(text), log) == NULL)
            text[0] = '\0';
        fclose(log);
    }
    return text;
}

static int tear_down(void **state)
{
    (void)state;
    if (session.child > 0) {
        kill(session.child, SIGKILL);
        waitpid(session.child, NULL, 0);
    }
    if (session.master >= 0)
        close(session.master);
    if (session.slave >= 0)
        close(session.slave);
    if (session.vterm != NULL)
        vterm_free(session.vterm);
    unlink(session.log);
    memset(&session, 0, sizeof(session));
    session.master = session.slave = -1;
    return 0;
}

static void restored(void)
{
    struct termios after;
    assert_int_equal(tcgetattr(session.slave, &after), 0);
    assert_int_equal(after.c_lflag, session.before.c_lflag);
    assert_int_equal(after.c_iflag, session.before.c_iflag);
    assert_memory_equal(after.c_cc, session.before.c_cc, sizeof(after.c_cc));
    assert_non_null(strstr(session.raw, "\033[?1049l"));
    assert_non_null(strstr(session.raw, "\033[?2004l"));
}

static const char *const nothing[] = {NULL};

static void it_draws_and_leaves_everything_as_it_was(void **state)
{
    (void)state;
    start(80, 24, nothing);
    see("kong-upgrade");
    see("▸ 3 Divert");
    see("▸ kong-old-1");
    see("evil�[31m�� name");
    see("日本-node");
    assert_non_null(strstr(session.raw, "\033[?1049h"));
    assert_non_null(strstr(session.raw, "\033[?2004h"));
    assert_non_null(strstr(session.raw, "38;5;"));
    press("q");
    assert_int_equal(ended(true, NULL), 0);
    assert_string_equal(logged(), "left\n");
    restored();
    /* Nothing was asked of the terminal: no device attributes, no cursor report. */
    assert_null(strstr(session.raw, "\033[c"));
    assert_null(strstr(session.raw, "\033[6n"));
    assert_null(strstr(session.raw, "\033[>c"));
}

static void it_follows_the_size(void **state)
{
    (void)state;
    static const int sizes[][2] = {{120, 40}, {60, 20}, {1, 1}, {200, 60}, {39, 9}, {80, 24}};
    start(80, 24, nothing);
    see("1 of 50000");
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct winsize size = {.ws_row = (unsigned short)sizes[i][1], .ws_col = (unsigned short)sizes[i][0]};
        vterm_set_size(session.vterm, sizes[i][1], sizes[i][0]);
        assert_int_equal(ioctl(session.master, TIOCSWINSZ, &size), 0);
        if (sizes[i][0] >= 60)
            see("q quit");
        else
            listen_for(400);
        if (sizes[i][0] >= 120)
            see("5 Finish");
        if (sizes[i][0] == 39)
            see("This window is 39x9");
    }
    see("▸ 3 Divert");
    press("q");
    assert_int_equal(ended(true, NULL), 0);
}

static void keys_arrive_whole_and_in_pieces(void **state)
{
    (void)state;
    start(80, 24, nothing);
    see("1 of 50000");
    press("\033OB");
    see("2 of 50000");
    press("\033[B"); /* not what this terminal's description says */
    see("3 of 50000");
    press("\033");
    poll(NULL, 0, 8);
    press("OB");
    see("4 of 50000");
    press("\033");
    listen_for(120);
    press("[");
    listen_for(60);
    press("B");
    listen_for(200);
    press("\033[6~");
    see("8 of 50000"); /* the late tail was neither letters nor a key */
    press("\033[200~q\rq\033[201~");
    listen_for(300);
    press("/");
    press("\xe6\x97");
    listen_for(100);
    press("\xa5");
    see("/日");
    press("\r");
    see("n next");
    press("\033");
    listen_for(200);
    press("?");
    see("This text.");
    press("\033");
    listen_for(200);
    press("f");
    see("To confirm");
    press("kong_prod");
    see("the name matches");
    press("\r");
    see("finished");
    press("q");
    assert_int_equal(ended(true, NULL), 0);
    assert_string_equal(logged(), "finished\n");
}

static void typing_ahead_does_not_answer(void **state)
{
    (void)state;
    start(80, 24, nothing);
    see("1 of 50000");
    press("f\r\r\r");
    listen_for(400);
    see("To confirm, type kong_prod");
    assert_null(strstr(screen_text(), "finished"));
}

static void hangup_ends_it(void **state)
{
    (void)state;
    double seconds = 0;
    start(80, 24, nothing);
    see("1 of 50000");
    kill(session.child, SIGHUP);
    assert_int_equal(ended(false, &seconds), 75);
    assert_string_equal(logged(), "lost\n");
    assert_true(seconds < 1);
}

static void closed_terminal_ends_it(const char *const *environment)
{
    double seconds = 0;
    start(80, 24, environment);
    see("1 of 50000");
    close(session.slave);
    session.slave = -1;
    close(session.master);
    session.master = -1;
    int64_t begun = now_ms();
    assert_int_equal(ended(false, &seconds), 75);
    assert_true(now_ms() - begun < 2000);
    assert_string_equal(logged(), "lost\n");
    assert_true(seconds < 1);
}

static void a_closed_terminal_ends_it(void **state)
{
    (void)state;
    closed_terminal_ends_it(nothing);
}

static void a_closed_terminal_ends_it_without_sighup(void **state)
{
    (void)state;
    static const char *const deaf[] = {"DEMO_DEAF=1", NULL};
    closed_terminal_ends_it(deaf);
}

static void a_stalled_terminal_does_not_hold_it(void **state)
{
    (void)state;
    double seconds = 0;
    start(200, 60, nothing);
    see("1 of 50000");
    /* Nothing is read from now on; whole frames are asked for until the pseudo-terminal is full, and some more. */
    for (int i = 0; i < 60; i++) {
        press("t");
        poll(NULL, 0, 30);
    }
    press("q");
    assert_int_equal(ended(false, &seconds), 0);
    assert_string_equal(logged(), "left\n");
    assert_true(seconds < 2);
    struct termios after;
    assert_int_equal(tcgetattr(session.slave, &after), 0);
    assert_int_equal(after.c_lflag, session.before.c_lflag);
}

static void it_goes_on_when_the_stall_is_over(void **state)
{
    (void)state;
    start(200, 60, nothing);
    see("1 of 50000");
    for (int i = 0; i < 60; i++) {
        press("t");
        poll(NULL, 0, 30);
    }
    press("G");
    see("50000 of 50000");
    press("q");
    assert_int_equal(ended(true, NULL), 0);
    restored();
}

static void stopped_output_stops_only_the_picture(void **state)
{
    (void)state;
    start(80, 24, nothing);
    see("1 of 50000");
    press("\x13");
    listen_for(200);
    size_t before = session.raw_length;
    press("j");
    listen_for(400);
    assert_int_equal(session.raw_length, before);
    press("\x11");
    see("2 of 50000");
    press("\x13");
    listen_for(200);
    press("q");
    assert_int_equal(ended(true, NULL), 0);
    restored();
}

static void a_fatal_end_restores_it(void **state)
{
    (void)state;
    start(80, 24, nothing);
    see("1 of 50000");
    press("!");
    assert_int_equal(ended(true, NULL), 3);
    restored();
}

static void no_colour_is_respected(void **state)
{
    (void)state;
    static const char *const mono[] = {"NO_COLOR=1", NULL};
    start(80, 24, mono);
    see("1 of 50000");
    assert_null(strstr(session.raw, "38;5;"));
    assert_null(strstr(session.raw, "48;5;"));
    for (int colour = 30; colour < 50; colour++) {
        char sequence[16];
        snprintf(sequence, sizeof(sequence), "\033[%dm", colour);
        assert_true(colour == 39 || colour == 49 || strstr(session.raw, sequence) == NULL);
    }
    assert_non_null(strstr(session.raw, "7m"));
    press("q");
    assert_int_equal(ended(true, NULL), 0);
}

static void plain_terminals_and_locales_do(void **state)
{
    (void)state;
    static const char *const plain[] = {"TERM=vt100", "LC_ALL=C", NULL};
    start(80, 24, plain);
    see("1 of 50000");
    see("> 3 Divert");
    for (size_t i = 0; i < session.raw_length; i++)
        assert_true((unsigned char)session.raw[i] < 0x80);
    assert_null(strstr(session.raw, "\033[38"));
    assert_null(strstr(session.raw, "2004"));
    press("\xe6\x97\xa5j");
    see("2 of 50000");
    press("q");
    assert_int_equal(ended(true, NULL), 0);
    tear_down(NULL);

    static const char *const eight[] = {"TERM=xterm", NULL};
    start(80, 24, eight);
    see("1 of 50000");
    assert_null(strstr(session.raw, "38;5;"));
    press("q");
    assert_int_equal(ended(true, NULL), 0);
}

static void useless_terminals_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *environment[2];
        const char *message;
    } cases[] = {
        {{"TERM=dumb", NULL}, "the terminal TERM=dumb can't place its cursor"},
        {{"TERM=no-such-terminal", NULL}, "nothing is known of the terminal TERM=no-such-terminal"},
        {{"TERM", NULL}, "TERM is not set"},
        {{"TERM=", NULL}, "TERM is not set"},
        {{"TERM=\033[31mx", NULL}, "nothing is known of the terminal TERM=�[31mx"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        start(120, 10, cases[i].environment);
        assert_int_equal(ended(true, NULL), 64);
        see(cases[i].message);
        struct termios after;
        assert_int_equal(tcgetattr(session.slave, &after), 0);
        assert_int_equal(after.c_lflag, session.before.c_lflag);
        tear_down(NULL);
    }
    char command[512];
    snprintf(command, sizeof(command), "TERM=xterm '%s' </dev/null 2>&1", demo);
    FILE *pipe = popen(command, "r");
    char line[256] = "";
    assert_non_null(fgets(line, sizeof(line), pipe));
    assert_string_equal(line, "standard input is not a terminal\n");
    assert_int_equal(WEXITSTATUS(pclose(pipe)), 64);
}

int main(int count, char **arguments)
{
    if (count < 2) {
        fprintf(stderr, "usage: %s DEMO\n", arguments[0]);
        return 64;
    }
    demo = arguments[1];
    session.master = session.slave = -1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(it_draws_and_leaves_everything_as_it_was, tear_down),
        cmocka_unit_test_teardown(it_follows_the_size, tear_down),
        cmocka_unit_test_teardown(keys_arrive_whole_and_in_pieces, tear_down),
        cmocka_unit_test_teardown(typing_ahead_does_not_answer, tear_down),
        cmocka_unit_test_teardown(hangup_ends_it, tear_down),
        cmocka_unit_test_teardown(a_closed_terminal_ends_it, tear_down),
        cmocka_unit_test_teardown(a_closed_terminal_ends_it_without_sighup, tear_down),
        cmocka_unit_test_teardown(a_stalled_terminal_does_not_hold_it, tear_down),
        cmocka_unit_test_teardown(it_goes_on_when_the_stall_is_over, tear_down),
        cmocka_unit_test_teardown(stopped_output_stops_only_the_picture, tear_down),
        cmocka_unit_test_teardown(a_fatal_end_restores_it, tear_down),
        cmocka_unit_test_teardown(no_colour_is_respected, tear_down),
        cmocka_unit_test_teardown(plain_terminals_and_locales_do, tear_down),
        cmocka_unit_test_teardown(useless_terminals_are_refused, tear_down),
    };
    return cmocka_run_group_tests_name("terminal", tests, use_utf8, NULL);
}
