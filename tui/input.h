/* What comes from the keyboard, and what a widget says it made of it. */
#ifndef TUI_INPUT_H
#define TUI_INPUT_H

#include <stdbool.h>
#include <stdint.h>

/* A key is a Unicode code point, or one of these. Enter is K_ENTER however the terminal spells it; Backspace is
 * K_BACKSPACE. */
enum key {
    K_NONE = 0,
    K_TAB = '\t',
    K_ESC = 27,
    K_ENTER = 0x110000,
    K_BACKSPACE,
    K_DELETE,
    K_INSERT,
    K_UP,
    K_DOWN,
    K_LEFT,
    K_RIGHT,
    K_HOME,
    K_END,
    K_PAGE_UP,
    K_PAGE_DOWN,
    K_BACKTAB,
    K_F1,
    K_F12 = K_F1 + 11,
};
#define K_CTRL(letter) ((uint32_t)((letter)&31)) /* K_CTRL('a'); ^I is K_TAB, ^M is K_ENTER, ^H is K_BACKSPACE */

enum input_kind {
    INPUT_NONE,
    INPUT_KEY,
    INPUT_RESIZE, /* the terminal has another size: ask terminal_size */
};

struct input {
    enum input_kind kind;
    uint32_t key; /* enum key or a code point */
    bool alt;     /* Alt was held, or ESC came at once before it */
    bool pasted;  /* part of a paste (bracketed paste): text, never a command. Only fields take it */
};

/* What a widget's key handler did. */
enum reaction {
    REACTION_NONE,     /* not its key: ask the next one */
    REACTION_REDRAW,   /* its own state changed */
    REACTION_CHANGED,  /* the same, and what is selected or typed changed */
    REACTION_ACTIVATE, /* Enter on what is selected; the chosen answer; a valid line */
    REACTION_CANCEL,   /* Esc */
};

#endif
