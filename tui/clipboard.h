/*
 * The clipboard of the terminal, which may be on another machine: OSC 52, a sequence that some terminals take, some ignore, and some
 * old ones print. None answers. So it is sent by itself only to those that are known to take it.
 */
#ifndef TUI_CLIPBOARD_H
#define TUI_CLIPBOARD_H

#include <stdbool.h>
#include <stddef.h>

#define CLIPBOARD_LIMIT 48000 /* bytes of text; xterm and its like take sequences of 64 KB and some */

/* Whether a terminal of that TERM (NULL: not set) is known to take it without being set up for it. Names that many claim (xterm), and
 * multiplexers, which pass it on only where they are told to, are not. */
bool clipboard_is_known(const char *term);

/* The sequence for the first `length` bytes of `text`. The caller frees. */
char *clipboard_sequence(const char *text, size_t length);

#endif
