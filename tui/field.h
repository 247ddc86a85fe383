/*
 * One line that can be edited, with the keys that shells have: arrows, Home/End, ^A ^E ^B ^F, Alt-b/f by words,
 * Backspace, Delete, ^H ^D, ^W, Alt-d, ^U, ^K, ^Y (what was deleted last). Longer text than the field scrolls. A paste
 * is text: its newlines and control characters are left out and never submit.
 */
#ifndef TUI_FIELD_H
#define TUI_FIELD_H

#include "tui/canvas.h"
#include "tui/input.h"

#include <stdbool.h>
#include <stddef.h>

#define FIELD_SIZE         1024
#define FIELD_MESSAGE_SIZE 160

struct field_model {
    const char *label;       /* before the field; NULL: none */
    const char *placeholder; /* dimmed while it is empty; NULL: none */
    /* Says whether `text` may be submitted; if not, fills `message` with a sentence. NULL: anything may. */
    bool (*validate)(const void *context, const char *text, char *message, size_t size);
    const void *context;
    bool path; /* the text is a file's name: whoever has the field completes it on Tab */
};

/* Zero-initialised: empty. */
struct field_state {
    char text[FIELD_SIZE];            /* valid UTF-8 */
    size_t cursor;                    /* a byte offset, always between graphemes */
    char deleted[FIELD_SIZE];         /* for ^Y */
    char message[FIELD_MESSAGE_SIZE]; /* why it can't be taken: kept up while one types; "" where it can */
    bool refused;                     /* Enter was pressed on it: then the message is a warning */
    bool full;                        /* something did not fit: shown as a message */
};

void field_set(struct field_state *state,
               const char *text); /* cut to FIELD_SIZE - 1 bytes at a grapheme; cursor at its end */

/* Puts text in at the cursor as if it were pasted, up to the first character that a field can't hold. */
void field_insert(struct field_state *state, const char *text);

/* One line, and its message on those below it, as many as the area has. The cursor is put into it if focused. */
void field_draw(struct area area, const struct field_model *model, const struct field_state *state, bool focused);

/* Enter: REACTION_ACTIVATE if valid, else REACTION_REDRAW. Each edit is checked, and the message says why it would not be taken. Esc: REACTION_CANCEL. Edits:
 * REACTION_CHANGED. Tab, up, down and function keys are not its own: REACTION_NONE. */
enum reaction field_key(const struct field_model *model, struct field_state *state, const struct input *input);

#endif
