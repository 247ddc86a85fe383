/* States: one visual language for all screens, a glyph, a word and a role together, so that colour is never alone. */
#ifndef TUI_MARK_H
#define TUI_MARK_H

#include "tui/canvas.h"

enum mark {
    MARK_OK,
    MARK_INFO,
    MARK_WARN,
    MARK_DANGER,
    MARK_WAIT,    /* under way, or waiting for something */
    MARK_UNKNOWN, /* no data yet */
    MARK_STALE,   /* data too old to be relied on */
    MARK_COUNT
};

#define MARK_WIDTH 9 /* cells that mark_draw needs with the longest word */

enum role mark_role(enum mark mark);
enum glyph mark_glyph(enum mark mark);
const char *mark_word(enum mark mark); /* "ok", "info", "warn", "stop", "wait", "no data", "stale" */

/* "✓ ok" in its role; only the glyph if the word does not fit. Returns the column after it. */
int mark_draw(struct area area, int x, int y, enum mark mark);

/* "✓ ok" as text, for cells of a table. Static. */
const char *mark_text(enum charset charset, enum mark mark);

#endif
