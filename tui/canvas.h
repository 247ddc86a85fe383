/*
 * A buffer of cells that everything is painted on; terminal.h shows it, tests read it as text. Painting never fails:
 * what lies outside is cut off. A canvas may be 0x0.
 *
 * Widgets paint into an area: a rectangle of a canvas with coordinates of its own, from (0,0). An area is a value; it
 * never reaches beyond the one it was taken from.
 */
#ifndef TUI_CANVAS_H
#define TUI_CANVAS_H

#include "tui/text.h"
#include "tui/theme.h"

#include <stdbool.h>
#include <stdint.h>

struct cell {
    char text[TEXT_GRAPHEME_SIZE]; /* a printable grapheme; "" in the right half of a wide one */
    uint8_t width;                 /* 1 or 2; 0 in the right half of a wide one */
    uint16_t style;                /* a role and enum style_flag */
};

struct told;

struct canvas {
    int width, height;
    enum charset charset; /* of glyphs and text */
    struct cell *cells;   /* owned, width * height, by lines */
    bool cursor_shown;
    int cursor_x, cursor_y; /* where the hardware cursor stands: on what has the focus */
    struct told *told;      /* it is not painted but told: see told.h; then it has no cells */
};

/* A rectangle in cells, relative to something. Never negative where this library gives one. */
struct rect {
    int x, y, width, height;
};

struct area {
    struct canvas *canvas;
    int x, y, width, height; /* in the canvas */
};

/* An empty canvas of that size (negative is 0). Free with canvas_free. Zero-initialised is a valid canvas of 0x0. */
void canvas_init(struct canvas *canvas, int width, int height, enum charset charset);
void canvas_free(struct canvas *canvas);

/* Another size or charset. What was painted is gone, the cursor hidden. Call it, or canvas_erase, before each frame. */
void canvas_resize(struct canvas *canvas, int width, int height, enum charset charset);
void canvas_erase(struct canvas *canvas);

struct area canvas_area(struct canvas *canvas);                  /* the whole of it */
struct area area_part(struct area area, struct rect part);       /* cut to the area */
struct area area_inset(struct area area, int columns, int rows); /* without a margin on each side */
struct rect area_rect(struct area area);                         /* {0, 0, width, height}, for layout.h */

/* Paints `text` (any text: it is made printable) on line `y` from column `x`, at most to the area's right edge, where
 * it is cut with an ellipsis. NULL is "". Returns the column after it. x may be negative or outside. */
int area_text(struct area area, int x, int y, unsigned style, const char *text);
int area_textf(struct area area, int x, int y, unsigned style, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* The same in a column of `width` cells: cut to it; flush right if `right`. The rest of the column is left as it is.
 * Returns x + width. */
int area_column(struct area area, int x, int y, int width, bool right, unsigned style, const char *text);

/* `length` bytes without an ellipsis: for lines that text_wrap made. Returns the column after it. */
int area_bytes(struct area area, int x, int y, unsigned style, const char *text, size_t length);

int area_glyph(struct area area, int x, int y, unsigned style, enum glyph glyph);    /* returns x + 1 */
void area_code(struct area area, int x, int y, unsigned style, uint32_t code_point); /* one printable cell */

void area_fill(struct area area, unsigned style);    /* blanks */
void area_restyle(struct area area, unsigned style); /* another style for what is there */
void area_horizontal(struct area area, int y, unsigned style);
void area_vertical(struct area area, int x, unsigned style);

/* A border with `title` (NULL: none) in its upper line; returns what is inside. An area smaller than 3x3 gets no
 * border, and is returned whole. */
struct area area_box(struct area area, unsigned style, const char *title);

/* Puts the hardware cursor there, if it is inside the area. The last call wins. */
void area_cursor(struct area area, int x, int y);

/* For tests: the canvas as lines of UTF-8, each ended by a newline, blanks at their ends removed. The caller frees. */
char *canvas_text(const struct canvas *canvas);
/* The same with each cell's role as a letter (ROLE_TEXT is '.'; the others are 'a', 'b', ... in the order of enum
 * role); upper case, or ':' for ROLE_TEXT, where a flag was added. */
char *canvas_roles(const struct canvas *canvas);

#endif
