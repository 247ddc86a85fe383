/*
 * A question over the screen: a text and answers. The safe answer has the focus when it opens. Where a name must be
 * typed, the answer that does it is disabled until the name matches exactly and the whole text has been on screen.
 * There is no loop in here: the caller draws it over its screen and gives it the keys.
 *
 * Before opening one that matters, call terminal_flush_input.
 */
#ifndef TUI_DIALOG_H
#define TUI_DIALOG_H

#include "tui/canvas.h"
#include "tui/field.h"
#include "tui/input.h"
#include "tui/prose.h"

#include <stdbool.h>
#include <stddef.h>

#define DIALOG_ANSWERS 8

struct dialog_answer {
    const char *label; /* "Stay here" */
    bool needs_typing; /* only with the typed name, and once the end of the text has been seen */
};

struct dialog_model {
    const char *title;
    enum mark mark; /* colours the border and title, which begins with the mark */
    const struct prose_block *blocks;
    size_t block_count;
    struct dialog_answer answers[DIALOG_ANSWERS];
    size_t answer_count;    /* 0: one answer, "Close" */
    size_t safe;            /* has the focus when it opens; Esc means it too */
    const char *must_type;  /* NULL or "": nothing */
    const char *type_label; /* "Type the database's name"; NULL: "Type NAME to confirm" */
};

/* Zero it by dialog_open. */
struct dialog_state {
    size_t answer; /* focused; after REACTION_ACTIVATE: the choice */
    bool in_field; /* the focus is in the field */
    struct field_state field;
    struct prose_state prose;
};

void dialog_open(const struct dialog_model *model, struct dialog_state *state);

/* Draws it in the middle of the area, as large as its text needs. */
void dialog_draw(struct area area, const struct dialog_model *model, struct dialog_state *state);

/* Tab and arrows move the focus, Enter answers (REACTION_ACTIVATE, state->answer), Esc is REACTION_CANCEL with the safe
 * answer; up, down and page keys scroll the text. Enter on a disabled answer does nothing. Never REACTION_NONE: a
 * dialog keeps all keys to itself. Pasted text goes into the field only. */
enum reaction dialog_key(const struct dialog_model *model, struct dialog_state *state, const struct input *input);

/* Whether that answer could be chosen now. */
bool dialog_enabled(const struct dialog_model *model, const struct dialog_state *state, size_t answer);

#endif
