/*
 * The demo program in a real pseudo-terminal, read by libvterm as a terminal would: what is drawn, what keys do in
 * whole and in pieces, and how it ends when its terminal goes away, stalls, or can't be used. The demo's path is the
 * first argument.
 */
#include "tests/tui/drawn.h"
#include "tests/tui/session.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *demo;
static char log_path[64];
static char log_variable[96];

/* Starts the demo in a terminal of that size. */
static void start(int width, int height, const char *const *environment)
{
    const char *const arguments[] = {demo, NULL};
    const char *variables[8] = {log_variable};
    snprintf(log_path, sizeof(log_path), "/tmp/tui-test-%d.log", (int)getpid());
    snprintf(log_variable, sizeof(log_variable), "DEMO_LOG=%s", log_path);
    unlink(log_path);
    for (size_t i = 0; environment[i] != NULL; i++)
        variables[i + 1] = environment[i];
    session_start(width, height, arguments, variables);
}

static const char *logged(void)
{
    static char text[64];
    FILE *log = fopen(log_path, "r");
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
    unlink(log_path);
    return session_tear_down(state);
}

static const char *const nothing[] = {NULL};

static void it_draws_and_leaves_everything_as_it_was(void **state)
{
    (void)state;
    start(80, 24, nothing);
    session_see("kong-upgrade");
    session_see("▸ 3 Divert");
    session_see("▸ kong-old-1");
    session_see("evil�[31m�� name");
    session_see("日本-node");
    assert_non_null(strstr(session.raw, "\033[?1049h"));
    assert_non_null(strstr(session.raw, "\033[?2004h"));
    assert_non_null(strstr(session.raw, "38;5;"));
    session_press("q");
    assert_int_equal(session_ended(true, NULL), 0);
    assert_string_equal(logged(), "left\n");
    session_restored();
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
    session_see("1 of 50000");
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        session_resize(sizes[i][0], sizes[i][1]);
        if (sizes[i][0] >= 60)
            session_see("q quit");
        else
            session_listen(400);
        if (sizes[i][0] >= 120)
            session_see("5 Finish");
        if (sizes[i][0] == 39)
            session_see("This window is 39x9");
    }
    session_see("▸ 3 Divert");
    session_press("q");
    assert_int_equal(session_ended(true, NULL), 0);
}

static void keys_arrive_whole_and_in_pieces(void **state)
{
    (void)state;
    start(80, 24, nothing);
    session_see("1 of 50000");
    session_press("\033OB");
    session_see("2 of 50000");
    session_press("\033[B"); /* not what this terminal's description says */
    session_see("3 of 50000");
    session_press("\033");
    poll(NULL, 0, 8);
    session_press("OB");
    session_see("4 of 50000");
    session_press("\033");
    session_listen(120);
    session_press("[");
    session_listen(60);
    session_press("B");
    session_listen(200);
    session_press("\033[6~");
    session_see("8 of 50000"); /* the late tail was neither letters nor a key */
    session_press("\033[200~q\rq\033[201~");
    session_listen(300);
    session_press("/");
    session_press("\xe6\x97");
    session_listen(100);
    session_press("\xa5");
    session_see("/日");
    session_press("\r");
    session_see("n next");
    session_press("\033");
    session_listen(200);
    session_press("?");
    session_see("This text.");
    session_press("\033");
    session_listen(200);
    session_press("f");
    session_see("To confirm");
    session_press("kong_prod");
    session_see("the name matches");
    session_press("\r");
    session_see("finished");
    session_press("q");
    assert_int_equal(session_ended(true, NULL), 0);
    assert_string_equal(logged(), "finished\n");
}

static void typing_ahead_does_not_answer(void **state)
{
    (void)state;
    start(80, 24, nothing);
    session_see("1 of 50000");
    session_press("f\r\r\r");
    session_listen(400);
    session_see("To confirm, type kong_prod");
    assert_null(strstr(session_text(), "finished"));
}

static void hangup_ends_it(void **state)
{
    (void)state;
    double seconds = 0;
    start(80, 24, nothing);
    session_see("1 of 50000");
    kill(session.child, SIGHUP);
    assert_int_equal(session_ended(false, &seconds), 75);
    assert_string_equal(logged(), "lost\n");
    assert_true(seconds < 1);
}

static void closed_terminal_ends_it(const char *const *environment)
{
    double seconds = 0;
    start(80, 24, environment);
    session_see("1 of 50000");
    close(session.slave);
    session.slave = -1;
    close(session.master);
    session.master = -1;
    int64_t begun = session_now_ms();
    assert_int_equal(session_ended(false, &seconds), 75);
    assert_true(session_now_ms() - begun < 2000);
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
    session_see("1 of 50000");
    /* Nothing is read from now on; whole frames are asked for until the pseudo-terminal is full, and some more. */
    for (int i = 0; i < 60; i++) {
        session_press("t");
        poll(NULL, 0, 30);
    }
    session_press("q");
    assert_int_equal(session_ended(false, &seconds), 0);
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
    session_see("1 of 50000");
    for (int i = 0; i < 60; i++) {
        session_press("t");
        poll(NULL, 0, 30);
    }
    session_press("G");
    session_see("50000 of 50000");
    session_press("q");
    assert_int_equal(session_ended(true, NULL), 0);
    session_restored();
}

static void stopped_output_stops_only_the_picture(void **state)
{
    (void)state;
    start(80, 24, nothing);
    session_see("1 of 50000");
    session_press("\x13");
    session_listen(200);
    size_t before = session.raw_length;
    session_press("j");
    session_listen(400);
    assert_int_equal(session.raw_length, before);
    session_press("\x11");
    session_see("2 of 50000");
    session_press("\x13");
    session_listen(200);
    session_press("q");
    assert_int_equal(session_ended(true, NULL), 0);
    session_restored();
}

static void a_fatal_end_restores_it(void **state)
{
    (void)state;
    start(80, 24, nothing);
    session_see("1 of 50000");
    session_press("!");
    assert_int_equal(session_ended(true, NULL), 3);
    session_restored();
}

static void no_colour_is_respected(void **state)
{
    (void)state;
    static const char *const mono[] = {"NO_COLOR=1", NULL};
    start(80, 24, mono);
    session_see("1 of 50000");
    assert_null(strstr(session.raw, "38;5;"));
    assert_null(strstr(session.raw, "48;5;"));
    for (int colour = 30; colour < 50; colour++) {
        char sequence[16];
        snprintf(sequence, sizeof(sequence), "\033[%dm", colour);
        assert_true(colour == 39 || colour == 49 || strstr(session.raw, sequence) == NULL);
    }
    assert_non_null(strstr(session.raw, "7m"));
    session_press("q");
    assert_int_equal(session_ended(true, NULL), 0);
}

static void plain_terminals_and_locales_do(void **state)
{
    (void)state;
    static const char *const plain[] = {"TERM=vt100", "LC_ALL=C", NULL};
    start(80, 24, plain);
    session_see("1 of 50000");
    session_see("> 3 Divert");
    for (size_t i = 0; i < session.raw_length; i++)
        assert_true((unsigned char)session.raw[i] < 0x80);
    assert_null(strstr(session.raw, "\033[38"));
    assert_null(strstr(session.raw, "2004"));
    session_press("\xe6\x97\xa5j");
    session_see("2 of 50000");
    session_press("q");
    assert_int_equal(session_ended(true, NULL), 0);
    tear_down(NULL);

    static const char *const eight[] = {"TERM=xterm", NULL};
    start(80, 24, eight);
    session_see("1 of 50000");
    assert_null(strstr(session.raw, "38;5;"));
    session_press("q");
    assert_int_equal(session_ended(true, NULL), 0);
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
        assert_int_equal(session_ended(true, NULL), 64);
        session_see(cases[i].message);
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
