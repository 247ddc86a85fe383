#include "tui/terminal.h"

#include "tui/decode.h"
#include "tui/guard.h"
#include "tui/memory.h"

#include <curses.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <term.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define ESCAPE_DELAY_MS  25
#define LARGEST_SIDE     1000
#define BARREN_READS     8
#define BACKGROUND_STOPS 100
#define PASTES_BRACKETED "\033[?2004h"
#define PASTES_PLAIN     "\033[?2004l"

static struct {
    bool open;
    bool utf8;  /* the locale's encoding */
    bool ascii; /* wanted by the operator */
    bool coloured;
    bool brackets; /* pastes come between brackets */
    bool suspends; /* ^Z stops the process */
    struct sigaction suspend_before;
    bool repaint;
    int barren;        /* times that stdin was readable, but nothing could be read */
    int width, height; /* as last told by INPUT_RESIZE */
    const struct theme *theme;
    SCREEN *screen;
    WINDOW *keyboard; /* a pad: reading from it never paints */
    struct termios before;
    struct canvas shown; /* the last frame */
    pid_t owner;
    struct decode decode;
} terminal;

static volatile sig_atomic_t lost;
static volatile sig_atomic_t restorable;
static volatile sig_atomic_t suspending;
static char restoring[256];
static size_t restoring_length;

static bool hung_up(void)
{
    struct pollfd fds[] = {{STDIN_FILENO, POLLIN, 0}, {STDOUT_FILENO, 0, 0}};
    if (!lost && poll(fds, 2, 0) > 0 && ((fds[0].revents | fds[1].revents) & (POLLHUP | POLLERR | POLLNVAL)) != 0)
        lost = 1;
    return lost;
}

static bool takes_output(void)
{
    struct pollfd fd = {STDOUT_FILENO, POLLOUT, 0};
    return poll(&fd, 1, 0) > 0 && (fd.revents & POLLOUT) != 0;
}

static bool has_input(void)
{
    struct pollfd fd = {STDIN_FILENO, POLLIN, 0};
    return poll(&fd, 1, 0) > 0 && (fd.revents & POLLIN) != 0;
}

bool terminal_lost(void)
{
    return lost != 0;
}

void terminal_hangup(void)
{
    lost = 1;
}

int terminal_fd(void)
{
    return terminal.open && !lost ? STDIN_FILENO : -1;
}

/* Adds a terminfo string without its padding ("$<5>"), which only real old hardware needs. */
static void add_restoring(const char *string)
{
    if (string == NULL || string == (const char *)-1)
        return;
    for (const char *c = string; *c != '\0' && restoring_length + 1 < sizeof(restoring); c++) {
        const char *end = c[0] == '$' && c[1] == '<' ? strchr(c, '>') : NULL;
        if (end != NULL)
            c = end;
        else
            restoring[restoring_length++] = *c;
    }
}

void terminal_restore(void)
{
    if (!restorable || lost || getpid() != terminal.owner)
        return;
    restorable = 0;
    int saved = errno;
    /* Output stopped by ^S goes on, and what a stalled terminal has not taken gives way to what restores it. */
    if (!takes_output()) {
        tcflow(STDOUT_FILENO, TCOOFF); /* without it, TCOON does not undo ^S */
        tcflow(STDOUT_FILENO, TCOON);
    }
    if (!takes_output())
        tcflush(STDOUT_FILENO, TCOFLUSH);
    if (takes_output() && write(STDOUT_FILENO, restoring, restoring_length) < 0)
        lost = 1;
    tcsetattr(STDIN_FILENO, TCSANOW, &terminal.before);
    errno = saved;
}

static bool refuse(char *message, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));

static bool refuse(char *message, size_t size, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, size, format, arguments);
    va_end(arguments);
    return false;
}

static bool check_terminal(char *message, size_t size)
{
    const char *name = getenv("TERM");
    int status = 0;
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
        return refuse(message, size, "%s is not a terminal",
                      isatty(STDIN_FILENO) ? "standard output" : "standard input");
    if (name == NULL || name[0] == '\0')
        return refuse(message, size, "TERM is not set, so nothing is known of this terminal; set it, e.g. TERM=xterm");
    char *clean = text_plain(name);
    bool known = setupterm(NULL, STDOUT_FILENO, &status) == OK;
    bool able = known && cursor_address != NULL && clear_screen != NULL;
    if (!known && status < 0)
        refuse(message, size, "the terminal database (terminfo) was not found, so nothing is known of TERM=%.64s",
               clean);
    else if (!known)
        refuse(message, size,
               "nothing is known of the terminal TERM=%.64s; set TERM to one like it, e.g. xterm or vt100", clean);
    else if (!able)
        refuse(message, size, "the terminal TERM=%.64s can't place its cursor, so it shows no screens", clean);
    free(clean);
    if (cur_term != NULL)
        del_curterm(cur_term);
    return able;
}

/* Bracketed paste is not in every terminfo. Terminals of these families understand it, or ignore it. */
static bool may_bracket(void)
{
    static const char *const families[] = {"xterm", "screen", "tmux",  "rxvt",  "vte",   "gnome", "konsole",
                                           "putty", "foot",   "kitty", "alacr", "iTerm", "st",    "wezterm"};
    const char *name = getenv("TERM");
    for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
        if (strncmp(name, families[i], strlen(families[i])) == 0)
            return true;
    return false;
}

static void say(const char *bytes)
{
    /* A terminal that takes no output must not hold us; what is left out is only a comfort. */
    if (takes_output() && write(STDOUT_FILENO, bytes, strlen(bytes)) < 0)
        return;
}

/* ncurses' own handler would be there only between two frames, and a ^Z that comes while one is painted would do nothing; and it paints
 * in the background, too, where the terminal is the shell's. */
static void on_suspend(int number)
{
    (void)number;
    suspending = 1;
}

/* Not where ^Z is switched off, by a shell without job control. */
static void take_suspend(void)
{
    struct sigaction action = {.sa_handler = on_suspend, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    terminal.suspends = sigaction(SIGTSTP, NULL, &terminal.suspend_before) == 0 && terminal.suspend_before.sa_handler == SIG_DFL &&
                        sigaction(SIGTSTP, &action, NULL) == 0;
}

static void give_suspend_back(void)
{
    if (terminal.suspends)
        sigaction(SIGTSTP, &terminal.suspend_before, NULL);
    terminal.suspends = false;
}

/* As any program that ^Z stops; returns when it is in the foreground again. */
static void stop(void)
{
    struct sigaction ours;
    sigaction(SIGTSTP, &terminal.suspend_before, &ours);
    raise(SIGTSTP);
    for (int i = 0; i < BACKGROUND_STOPS && tcgetpgrp(STDIN_FILENO) > 0 && tcgetpgrp(STDIN_FILENO) != getpgrp(); i++)
        raise(SIGTTOU);
    sigaction(SIGTSTP, &ours, NULL);
}

static void suspend(void)
{
    suspending = 0;
    if (terminal.brackets)
        say(PASTES_PLAIN);
    guard_begin();
    endwin();
    if (!guard_end())
        tcsetattr(STDIN_FILENO, TCSANOW, &terminal.before);
    stop();
    if (hung_up())
        return;
    reset_prog_mode();
    if (terminal.brackets)
        say(PASTES_BRACKETED);
    terminal.decode = (struct decode){.utf8 = terminal.utf8};
    terminal.repaint = true;
}

static void bracket_pastes(void)
{
    terminal.brackets = may_bracket();
    if (!terminal.brackets)
        return;
    define_key(DECODE_PASTE_BEGIN, DECODE_KEY_PASTE_BEGIN);
    define_key(DECODE_PASTE_END, DECODE_KEY_PASTE_END);
    say(PASTES_BRACKETED);
}

static void make_pairs(void)
{
    if (!terminal.coloured)
        return;
    for (int role = 0; role < ROLE_COUNT; role++) {
        struct look look = theme_look(terminal.theme, (enum role)role, COLORS);
        init_pair((short)(role + 1), look.foreground, look.background);
    }
}

static void choose_modes(void)
{
    set_escdelay(ESCAPE_DELAY_MS);
    cbreak();
    noecho();
    nonl();
    curs_set(0);
    /* ^C and ^\ are keys here, ^V and ^O have no meaning; ^Z, ^S and ^Q keep theirs. */
    struct termios modes;
    if (tcgetattr(STDIN_FILENO, &modes) == 0) {
        modes.c_cc[VINTR] = modes.c_cc[VQUIT] = modes.c_cc[VLNEXT] = modes.c_cc[VDISCARD] = _POSIX_VDISABLE;
        tcsetattr(STDIN_FILENO, TCSANOW, &modes);
        def_prog_mode();
    }
    terminal.keyboard = newpad(1, 1);
    keypad(terminal.keyboard, TRUE);
    nodelay(terminal.keyboard, TRUE);
    terminal.coloured = has_colors() && start_color() == OK;
    if (terminal.coloured)
        use_default_colors();
}

bool terminal_open(const struct theme *theme, bool ascii, char *message, size_t size)
{
    static bool registered;
    if (terminal.open)
        return true;
    if (!check_terminal(message, size))
        return false;
    if (tcgetattr(STDIN_FILENO, &terminal.before) != 0)
        return refuse(message, size, "standard input can't be set up as a terminal: %s", strerror(errno));
    take_suspend();
    terminal.screen = guard_open() ? newterm(NULL, stdout, stdin) : NULL;
    if (terminal.screen == NULL) {
        guard_close();
        give_suspend_back();
        return refuse(message, size, "the terminal can't be opened: %s", strerror(errno));
    }
    terminal.open = true;
    terminal.owner = getpid();
    terminal.theme = theme != NULL ? theme : theme_find(NULL);
    terminal.utf8 = text_locale_charset() == CHARSET_UTF8;
    terminal.ascii = ascii;
    terminal.barren = 0;
    terminal.decode = (struct decode){.utf8 = terminal.utf8};
    lost = 0;
    choose_modes();
    bracket_pastes();
    make_pairs();
    restoring_length = 0;
    add_restoring(terminal.brackets ? PASTES_PLAIN : NULL);
    add_restoring(exit_attribute_mode);
    add_restoring(orig_pair);
    add_restoring(cursor_normal);
    add_restoring(keypad_local);
    add_restoring(exit_ca_mode);
    restorable = 1;
    terminal_size(&terminal.width, &terminal.height);
    if (!registered)
        registered = atexit(terminal_restore) == 0;
    return true;
}

void terminal_close(void)
{
    if (!terminal.open)
        return;
    terminal.open = false;
    if (hung_up() || !restorable)
        guard_silence();
    else if (terminal.brackets)
        say(PASTES_PLAIN);
    guard_begin();
    endwin();
    bool in_time = guard_end();
    if (!in_time)
        terminal_restore();
    restorable = 0;
    delwin(terminal.keyboard);
    delscreen(terminal.screen);
    canvas_free(&terminal.shown);
    guard_close();
    give_suspend_back();
}

void terminal_size(int *width, int *height)
{
    *width = terminal.open && COLS > 0 ? COLS : 1;
    *height = terminal.open && LINES > 0 ? LINES : 1;
}

/* Does not rely on SIGWINCH having come: the size is asked for. */
static bool size_changed(void)
{
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0) {
        int height = size.ws_row < LARGEST_SIDE ? size.ws_row : LARGEST_SIDE;
        int width = size.ws_col < LARGEST_SIDE ? size.ws_col : LARGEST_SIDE;
        if (is_term_resized(height, width))
            resize_term(height, width);
    }
    if (COLS == terminal.width && LINES == terminal.height)
        return false;
    terminal_size(&terminal.width, &terminal.height);
    terminal.repaint = true;
    return true;
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Reads one code of ncurses; false if there is none. A terminal that is readable but yields nothing, again and again,
 * is one that was taken from us: a background process without a shell gets EIO, a revoked terminal end of file. */
static bool read_code(int *code)
{
    if (hung_up())
        return false;
    bool waiting = has_input();
    errno = 0;
    *code = wgetch(terminal.keyboard);
    if (*code != ERR) {
        terminal.barren = 0;
        return true;
    }
    if (errno == EIO || (waiting && ++terminal.barren >= BARREN_READS))
        lost = 1;
    return false;
}

bool terminal_next(struct input *input)
{
    *input = (struct input){0};
    if (!terminal.open || lost)
        return false;
    bool resumed = suspending;
    if (resumed)
        suspend();
    if (size_changed() || resumed) {
        input->kind = INPUT_RESIZE;
        return !lost;
    }
    for (;;) {
        if (decode_take(&terminal.decode, now_ms(), input))
            return true;
        int code;
        if (!read_code(&code))
            return decode_idle(&terminal.decode, now_ms(), input);
        if (code == KEY_RESIZE) {
            if (size_changed()) {
                input->kind = INPUT_RESIZE;
                return true;
            }
            continue;
        }
        decode_put(&terminal.decode, now_ms(), code);
    }
}

void terminal_flush_input(void)
{
    if (!terminal.open || hung_up())
        return;
    flushinp();
    tcflush(STDIN_FILENO, TCIFLUSH);
    terminal.decode = (struct decode){.utf8 = terminal.utf8};
}

static void show_cell(int x, int y, const struct cell *cell)
{
    wchar_t text[CCHARW_MAX] = {0};
    size_t count = 0;
    size_t length = strlen(cell->text);
    for (size_t at = 0; at < length && count + 1 < CCHARW_MAX; count++) {
        uint32_t code_point = '?';
        size_t size = text_decode(cell->text + at, length - at, &code_point);
        text[count] = (wchar_t)(code_point < 0x80 || terminal.utf8 ? code_point : '?');
        at += size > 0 ? size : 1;
    }
    struct look look = theme_look(terminal.theme, STYLE_ROLE(cell->style), terminal.coloured ? COLORS : 0);
    unsigned flags = look.flags | (cell->style & ~0xFFu);
    attr_t attributes = (flags & STYLE_BOLD ? A_BOLD : 0) | (flags & STYLE_UNDERLINE ? A_UNDERLINE : 0) |
                        (flags & STYLE_REVERSE ? A_REVERSE : 0) | (flags & STYLE_DIM ? A_DIM : 0);
    bool pair = terminal.coloured && theme_has_colour(terminal.theme);
    cchar_t out;
    if (setcchar(&out, text, attributes, (short)(pair ? STYLE_ROLE(cell->style) + 1 : 0), NULL) == OK)
        mvadd_wch(y, x, &out);
}

static size_t cells_size(const struct canvas *canvas)
{
    return (size_t)canvas->width * (size_t)canvas->height * sizeof(*canvas->cells);
}

static const struct cell *line_of(const struct canvas *canvas, int y)
{
    return &canvas->cells[(size_t)y * (size_t)canvas->width];
}

static void show_line(const struct canvas *canvas, int y)
{
    const struct cell *line = line_of(canvas, y);
    for (int x = 0; x < canvas->width && x < COLS; x++)
        if (line[x].width > 0)
            show_cell(x, y, &line[x]);
}

/* Most frames of a program that waits are. */
static bool is_shown_already(const struct canvas *canvas)
{
    const struct canvas *shown = &terminal.shown;
    return !terminal.repaint && shown->cells != NULL && canvas->width == shown->width && canvas->height == shown->height &&
           canvas->cursor_shown == shown->cursor_shown && canvas->cursor_x == shown->cursor_x &&
           canvas->cursor_y == shown->cursor_y && memcmp(canvas->cells, shown->cells, cells_size(canvas)) == 0;
}

static void keep_shown(const struct canvas *canvas)
{
    struct cell *cells = memory_grow(terminal.shown.cells, cells_size(canvas), 1);
    if (cells_size(canvas) > 0)
        memcpy(cells, canvas->cells, cells_size(canvas));
    terminal.shown = *canvas;
    terminal.shown.cells = cells;
}

enum terminal_shown terminal_show(const struct canvas *canvas)
{
    if (!terminal.open || hung_up())
        return TERMINAL_GONE;
    if (!takes_output())
        return TERMINAL_SKIPPED;
    if (is_shown_already(canvas))
        return TERMINAL_SHOWN;
    bool whole = terminal.repaint || terminal.shown.width != canvas->width || terminal.shown.height != canvas->height;
    if (whole)
        erase();
    for (int y = 0; y < canvas->height && y < LINES; y++)
        if (whole || memcmp(line_of(canvas, y), line_of(&terminal.shown, y), cells_size(canvas) / (size_t)canvas->height) != 0)
            show_line(canvas, y);
    if (terminal.repaint)
        clearok(curscr, TRUE);
    terminal.repaint = false;
    curs_set(canvas->cursor_shown ? 1 : 0);
    move(canvas->cursor_y < LINES ? canvas->cursor_y : 0, canvas->cursor_x < COLS ? canvas->cursor_x : 0);
    wnoutrefresh(stdscr);
    guard_begin();
    doupdate();
    keep_shown(canvas);
    if (guard_end())
        return TERMINAL_SHOWN;
    terminal.repaint = true;
    return hung_up() ? TERMINAL_GONE : TERMINAL_SKIPPED;
}

bool terminal_send(const char *bytes)
{
    size_t length = strlen(bytes), sent = 0;
    if (!terminal.open || hung_up() || !takes_output())
        return false;
    guard_begin();
    while (sent < length) {
        ssize_t count = write(STDOUT_FILENO, bytes + sent, length - sent);
        if (count < 0 && errno != EINTR)
            break;
        sent += count > 0 ? (size_t)count : 0;
    }
    return guard_end() && sent == length;
}

void terminal_repaint(void)
{
    terminal.repaint = true;
}

const char *terminal_library(void)
{
    return curses_version();
}

enum charset terminal_charset(void)
{
    return terminal.utf8 && !terminal.ascii ? CHARSET_UTF8 : CHARSET_ASCII;
}

void terminal_set_ascii(bool ascii)
{
    terminal.ascii = ascii;
}

const struct theme *terminal_theme(void)
{
    return terminal.theme;
}

void terminal_set_theme(const struct theme *theme)
{
    terminal.theme = theme != NULL ? theme : theme_find(NULL);
    if (terminal.open)
        make_pairs();
    terminal.repaint = true;
}
