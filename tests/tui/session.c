#include "tests/tui/session.h"

#include "tests/tui/drawn.h"

#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <utmp.h>

struct session session = {.master = -1, .slave = -1};
void (*session_heard)(const char *bytes, size_t count);

int64_t session_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void session_start(int width, int height, const char *const *arguments, const char *const *environment)
{
    struct winsize size = {.ws_row = (unsigned short)height, .ws_col = (unsigned short)width};
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
        unsetenv("NO_COLOR");
        unsetenv("COLORFGBG");
        unsetenv("LINES");
        unsetenv("COLUMNS");
        for (; *environment != NULL; environment++)
            putenv((char *)(uintptr_t)*environment);
        execv(arguments[0], (char *const *)(uintptr_t)arguments);
        _exit(127);
    }
    session.vterm = vterm_new(height, width);
    vterm_set_utf8(session.vterm, 1);
    session.screen = vterm_obtain_screen(session.vterm);
    vterm_screen_enable_altscreen(session.screen, 1);
    vterm_screen_reset(session.screen, 1);
}

void session_resize(int width, int height)
{
    struct winsize size = {.ws_row = (unsigned short)height, .ws_col = (unsigned short)width};
    int rows, columns;
    vterm_get_size(session.vterm, &rows, &columns);
    /* What is drawn for the old size before the program has heard of the new one: libvterm 0.1.4 may crash where it doesn't fit. */
    vterm_set_size(session.vterm, rows > height ? rows : height, columns > width ? columns : width);
    assert_int_equal(ioctl(session.master, TIOCSWINSZ, &size), 0);
    session_listen(400);
    vterm_set_size(session.vterm, height, width);
}

void session_listen(int milliseconds)
{
    int64_t until = session_now_ms() + milliseconds;
    for (int64_t left; (left = until - session_now_ms()) > 0;) {
        struct pollfd fd = {session.master, POLLIN, 0};
        char bytes[4096];
        if (poll(&fd, 1, (int)left) <= 0)
            return;
        ssize_t count = read(session.master, bytes, sizeof(bytes));
        if (count <= 0)
            return;
        vterm_input_write(session.vterm, bytes, (size_t)count);
        if (session_heard != NULL)
            session_heard(bytes, (size_t)count);
        size_t kept = session.raw_length + (size_t)count < SESSION_RAW_SIZE - 1 ? (size_t)count : 0;
        memcpy(session.raw + session.raw_length, bytes, kept);
        session.raw_length += kept;
        session.raw[session.raw_length] = '\0';
    }
}

const char *session_text(void)
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

bool session_shows(const char *text, int milliseconds)
{
    for (int64_t until = session_now_ms() + milliseconds; session_now_ms() < until;) {
        if (strstr(session_text(), text) != NULL)
            return true;
        session_listen(50);
    }
    return strstr(session_text(), text) != NULL;
}

void session_see(const char *text)
{
    if (session_shows(text, 20000))
        return;
    fprintf(stderr, "not seen: %s\n%s", text, session_text());
    fail();
}

void session_press(const char *bytes)
{
    assert_int_equal(write(session.master, bytes, strlen(bytes)), (ssize_t)strlen(bytes));
}

int session_ended(bool reading, double *seconds)
{
    int status = 0;
    struct rusage usage = {0};
    for (int64_t until = session_now_ms() + 15000; session_now_ms() < until;) {
        if (reading)
            session_listen(20);
        else
            poll(NULL, 0, 20);
        if (wait4(session.child, &status, WNOHANG, &usage) == session.child) {
            session.child = 0;
            if (seconds != NULL)
                *seconds = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
            if (reading)
                session_listen(50);
            return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
        }
    }
    return -1;
}

int session_tear_down(void **state)
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
    memset(&session, 0, sizeof(session));
    session.master = session.slave = -1;
    return 0;
}

void session_restored(void)
{
    struct termios after;
    assert_int_equal(tcgetattr(session.slave, &after), 0);
    assert_int_equal(after.c_lflag, session.before.c_lflag);
    assert_int_equal(after.c_iflag, session.before.c_iflag);
    assert_memory_equal(after.c_cc, session.before.c_cc, sizeof(after.c_cc));
    assert_non_null(strstr(session.raw, "\033[?1049l"));
    assert_non_null(strstr(session.raw, "\033[?2004l"));
}

void session_quit(void)
{
    session_press("q");
    assert_int_equal(session_ended(true, NULL), 0);
    session_restored();
    session_tear_down(NULL);
}

void session_escape(void)
{
    session_press("\033");
    session_listen(200);
}
