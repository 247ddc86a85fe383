/*
 * What ncurses reads, made into keys: bytes into code points, escape sequences that this TERM does not list, pastes,
 * Alt. Pure: time is given. terminal.c feeds it; nothing else uses it.
 *
 * ncurses waits 25 ms for the rest of an escape sequence. What comes later must not be taken for typed letters: the
 * tail of a sequence is known by "[" or "O" soon after ESC, and swallowed to its end.
 */
#ifndef TUI_DECODE_H
#define TUI_DECODE_H

#include "tui/input.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DECODE_PASTE_BEGIN     "\033[200~"
#define DECODE_PASTE_END       "\033[201~"
#define DECODE_KEY_PASTE_BEGIN 2000 /* codes of ours in define_key, above those of ncurses */
#define DECODE_KEY_PASTE_END   2001

#define DECODE_TAIL_MS  500  /* how long after ESC a tail is known as such */
#define DECODE_PASTE_MS 1000 /* a paste that pauses longer has lost its end */

enum decode_state {
    DECODE_PLAIN,
    DECODE_ESCAPE,      /* ESC came; what follows at once belongs to it */
    DECODE_ESCAPE_SENT, /* it was handed out as the key Esc; a tail may come yet */
    DECODE_CSI,         /* inside ESC [ ... */
    DECODE_SS3,         /* after ESC O */
};

struct decode {
    bool utf8; /* the caller sets it: bytes above 127 are UTF-8; else they are ignored */
    enum decode_state state;
    bool swallow; /* the sequence's ESC was handed out already */
    bool pasting;
    int64_t last_ms; /* when the last code came */
    char parameters[16];
    size_t parameters_length;
    char bytes[4]; /* of an unfinished code point */
    size_t bytes_length;
    bool bytes_alt;
    struct input ready[4];
    size_t ready_count;
};

/* Takes one code: a byte 0 to 255, or a KEY_ code of ncurses, or one of ours. */
void decode_put(struct decode *decode, int64_t now_ms, int code);

/* Hands out the next finished key. */
bool decode_take(struct decode *decode, int64_t now_ms, struct input *input);

/* Nothing more can be read now: a lone ESC is the key Esc. Returns true if that gave a key. */
bool decode_idle(struct decode *decode, int64_t now_ms, struct input *input);

#endif
