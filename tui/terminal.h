/*
 * The one terminal: ncurses on stdin and stdout. Only terminal.c and decode.c include ncurses.
 *
 * It fits an event loop that is not its own. Watch terminal_fd() for reading; when it is readable, when it reports an
 * error or hangup, and on every tick (at least four times a second: a changed size wakes no one), call terminal_next
 * until it returns false; then paint and terminal_show if there is something new, at most ten times a second. No
 * function here waits longer than TERMINAL_PATIENCE_MS.
 *
 * Losing the terminal. A closed SSH session, a closed window or a revoked terminal shows as POLLHUP, POLLERR or EIO,
 * seen by terminal_next and terminal_show, or as SIGHUP, which the caller catches and tells by terminal_hangup. From
 * then on terminal_lost() is true for good: nothing is read, nothing written, no function waits. The caller stops
 * watching the fd (it stays readable for ever) and leaves with exit code 75.
 *
 * A terminal that does not read (^S, a stalled connection) is not lost: terminal_show leaves frames out while the
 * terminal takes no output. A frame on which it gets stuck half-way is given up after TERMINAL_PATIENCE_MS, and the
 * first frame afterwards repaints everything. Keys are read meanwhile. (An interval timer with SIGALRM is armed only
 * inside terminal_show and terminal_close; the caller leaves SIGALRM alone.)
 *
 * Signals. SIGWINCH is left to ncurses, and SIGTSTP to this: the caller installs nothing for them. ^C and ^\ are keys
 * (K_CTRL('c')), not signals; ^Z stops the process as usual, from within terminal_next, which returns INPUT_RESIZE once
 * it is in the foreground again: all is to be painted anew. For SIGINT and SIGTERM from elsewhere the caller has its own handlers
 * installed before terminal_open, else ncurses' end the process.
 */
#ifndef TUI_TERMINAL_H
#define TUI_TERMINAL_H

#include "tui/canvas.h"
#include "tui/input.h"
#include "tui/theme.h"

#include <stdbool.h>
#include <stddef.h>

#define TERMINAL_PATIENCE_MS 500

/* Opens it: alternate screen, no echo, cursor hidden. `theme` as in theme_find (NULL chooses); ASCII is used if `ascii`
 * or if the locale is not UTF-8. On failure false, and one sentence in `message` (no newline): stdin or stdout is no
 * terminal, TERM is not set, unknown, or names a terminal that can't place its cursor. Nothing was changed then. */
bool terminal_open(const struct theme *theme, bool ascii, char *message, size_t size);

/* Restores the terminal and frees. Safe when not open, and when lost (then it writes nothing). */
void terminal_close(void);

/* Restores the terminal without ncurses: async-signal-safe, for fatal paths and handlers of fatal signals. It is also
 * registered with atexit. Does nothing when not open or when lost. Nothing can be shown afterwards. */
void terminal_restore(void);

int terminal_fd(void);                       /* to watch; -1 when not open or lost */
void terminal_size(int *width, int *height); /* in cells; never less than 1 */
bool terminal_lost(void);
void terminal_hangup(void); /* SIGHUP came: the terminal is lost. Async-signal-safe */

enum terminal_shown {
    TERMINAL_SHOWN,
    TERMINAL_SKIPPED, /* takes no output now: call again with a later frame */
    TERMINAL_GONE,    /* lost, or not open */
};
/* Shows the canvas; only what differs from the last frame is sent. */
enum terminal_shown terminal_show(const struct canvas *canvas);
void terminal_repaint(void); /* the next frame is sent whole (^L) */

/* The next key or resize. False if there is none now, or if the terminal is lost. Waits at most 25 ms, for the rest of
 * an escape sequence. The tail of one that comes later than that is swallowed, not taken for keys. */
bool terminal_next(struct input *input);

/* Sends bytes that are no part of a frame (clipboard.h). False if the terminal takes no output now, or took them in part. */
bool terminal_send(const char *bytes);

/* Throws away what was typed ahead: before a question whose answer matters is shown. */
void terminal_flush_input(void);

const char *terminal_library(void); /* "ncurses 6.4.20221231" */

/* How it looks; both can be changed while it is open. terminal_charset is what canvas_resize wants. */
enum charset terminal_charset(void);
void terminal_set_ascii(bool ascii); /* false has no effect where the locale is not UTF-8 */
const struct theme *terminal_theme(void);
void terminal_set_theme(const struct theme *theme);

#endif
