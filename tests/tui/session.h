/*
 * A program in a real pseudo-terminal, read by libvterm as a terminal would. One at a time; every function fails the cmocka test
 * that calls it where something is wrong.
 */
#ifndef TESTS_TUI_SESSION_H
#define TESTS_TUI_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <termios.h>
#include <vterm.h>

#define SESSION_RAW_SIZE (4 << 20)

extern struct session {
    int master;
    pid_t child;
    VTerm *vterm;
    VTermScreen *screen;
    char raw[SESSION_RAW_SIZE]; /* all that the program wrote */
    size_t raw_length;
    struct termios before;
    int slave; /* kept open, so that a test can read the terminal's modes afterwards */
} session;

/* Is told what session_listen has read; NULL: nobody is. */
extern void (*session_heard)(const char *bytes, size_t count);

int64_t session_now_ms(void);

/* Starts the program (arguments[0]); `environment` holds NAME=VALUE pairs (NAME alone: unset), ended by NULL. TERM is xterm-256color
 * and the locale C.UTF-8 unless it says otherwise. */
void session_start(int width, int height, const char *const *arguments, const char *const *environment);
void session_resize(int width, int height);

void session_listen(int milliseconds);     /* reads what the program writes for that long */
const char *session_text(void);            /* the screen, a line each; valid until the next call */
bool session_shows(const char *text, int milliseconds);   /* waits until `text` is on the screen */
void session_see(const char *text);        /* the same, for a while that is long enough anywhere; fails the test */
void session_press(const char *bytes);

/* Waits for the program's end, reading what it writes if `reading`; returns its exit code (1000 + a signal's number; -1 if it does
 * not end), and how much processor time it took. */
int session_ended(bool reading, double *seconds);

/* The terminal has the modes it had before, and the alternate screen was left. */
void session_restored(void);

/* Leaves by `q`: the exit code is 0, and the terminal as it was. */
void session_quit(void);

/* The key. It is told from an escape sequence by what follows at once. */
void session_escape(void);

/* Kills what still runs, frees. For cmocka's teardown. */
int session_tear_down(void **state);

#endif
