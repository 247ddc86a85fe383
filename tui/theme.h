/*
 * How things look: roles instead of colours, glyphs instead of characters. Screens and widgets name a role; a theme
 * says what it looks like on this terminal. The terminal's own background and foreground are respected: where nothing
 * must stand out, nothing is coloured. Every role also has mono attributes, and no state is told by colour alone (see
 * mark.h).
 */
#ifndef TUI_THEME_H
#define TUI_THEME_H

#include "tui/text.h"

#include <stdbool.h>
#include <stdint.h>

enum role {
    ROLE_TEXT,
    ROLE_DIM,    /* less important: hints, units, what can't be used now */
    ROLE_TITLE,  /* headings, titles of boxes */
    ROLE_STRONG, /* what matters in a text: names, figures */
    ROLE_KEY,    /* names of keys */
    ROLE_OK,
    ROLE_INFO,
    ROLE_WARN,
    ROLE_DANGER,
    ROLE_WAIT,    /* under way */
    ROLE_HERE,    /* where one is: the selected row, the focused button */
    ROLE_PASSIVE, /* the selected row of a list that has no focus */
    ROLE_MATCH,   /* found by a search */
    ROLE_INPUT,   /* text that can be edited */
    ROLE_BORDER,
    ROLE_BAR,     /* header and footer line */
    ROLE_BAR_KEY, /* the name of a key in the footer line */
    ROLE_FILLED,  /* the done part of a progress bar */
    ROLE_EMPTY,   /* the rest of it */
    ROLE_OLD,     /* the old cluster's series */
    ROLE_NEW,     /* the new cluster's series */
    ROLE_COUNT
};

/* A style is a role, and any of these flags on top of what the theme gives the role. */
enum style_flag {
    STYLE_BOLD = 0x100,
    STYLE_UNDERLINE = 0x200,
    STYLE_REVERSE = 0x400,
    STYLE_DIM = 0x800,
};
#define STYLE_ROLE(style) ((enum role)((style)&0xFF))

/* One role on a terminal. Colours are numbers of the terminal's palette, -1 its default. */
struct look {
    int16_t foreground;
    int16_t background;
    uint16_t flags; /* enum style_flag */
};

struct theme;

/* The themes there are: "dark" (default), "light", "contrast", "mono"; NULL past the last. */
const char *theme_name(int index);

/* The theme of that name, NULL if there is none. NULL means: choose. Then it is "mono" if NO_COLOR is set and not
 * empty, else what COLORFGBG says of the background, else dark. */
const struct theme *theme_find(const char *name);

/* How `role` looks on a terminal with that many colours (fewer than 8: mono attributes; 8 or 16: the basic palette;
 * 256: the fine one). */
struct look theme_look(const struct theme *theme, enum role role, int colours);
bool theme_has_colour(const struct theme *theme);

/* Glyphs exist in UTF-8 and in ASCII; both forms are one cell wide. */
enum glyph {
    GLYPH_HORIZONTAL,
    GLYPH_VERTICAL,
    GLYPH_TOP_LEFT,
    GLYPH_TOP_RIGHT,
    GLYPH_BOTTOM_LEFT,
    GLYPH_BOTTOM_RIGHT,
    GLYPH_TEE_LEFT, /* a vertical line that goes on to the right */
    GLYPH_TEE_RIGHT,
    GLYPH_TEE_TOP,
    GLYPH_TEE_BOTTOM,
    GLYPH_DONE, /* check mark */
    GLYPH_HERE, /* pointing right */
    GLYPH_NEXT, /* to come */
    GLYPH_LOCKED,
    GLYPH_INFO,
    GLYPH_WARN,
    GLYPH_DANGER,
    GLYPH_WAIT,
    GLYPH_UNKNOWN,
    GLYPH_STALE,
    GLYPH_BULLET,
    GLYPH_DOT, /* separates words on one line */
    GLYPH_MORE_UP,
    GLYPH_MORE_DOWN,
    GLYPH_MORE_LEFT,
    GLYPH_MORE_RIGHT,
    GLYPH_FULL,  /* filled cell of a bar */
    GLYPH_LIGHT, /* empty cell of a bar */
    GLYPH_THUMB, /* of a scroll bar */
    GLYPH_TRACK,
    GLYPH_COUNT
};

/* NUL-terminated UTF-8, static. */
const char *theme_glyph(enum charset charset, enum glyph glyph);

#endif
