/*
 * What a screen says, in words, for those who can't look at cells: screen readers, dumb terminals, logs. A canvas that belongs to a
 * `struct told` is not painted: what widgets would paint comes as lines, in order. Texts come block by block, rows of lists as a
 * sentence with the columns' titles, bars and charts as their figures; what is painted directly, as one line for each line of cells.
 *
 * Nothing is cut, and nothing is made printable: whoever prints the lines does that.
 */
#ifndef TUI_TOLD_H
#define TUI_TOLD_H

#include "tui/canvas.h"
#include "tui/mark.h"

#include <stddef.h>

enum told_kind {
    TOLD_HEADING,
    TOLD_TEXT,       /* a paragraph, or a line that was painted directly */
    TOLD_ITEM,       /* a bullet, or a name and what it stands for */
    TOLD_MARK,
    TOLD_LITERAL,
    TOLD_ROW,        /* of a list in which a row can be chosen */
    TOLD_LISTED,     /* of one that is only looked at */
};

struct told_line {
    enum told_kind kind;
    enum mark mark;      /* TOLD_MARK */
    size_t number;       /* TOLD_ROW: numbered through all lists, from 1 */
    char *text;          /* owned */
    char *gist;          /* owned: what makes the line another one for the reader; without figures, which change all the time */
};

/* Zero-initialise; told_free frees. */
struct told {
    struct told_line *lines;
    size_t count, capacity;
    size_t rows;         /* TOLD_ROWs among them */
    int y;               /* of the line painted last; -1: none, or something else came after it */
};

/* A canvas that tells: as wide and high as any screen needs, without cells. What was told before is forgotten. */
void told_begin(struct told *told, struct canvas *canvas);
void told_free(struct told *told);

/* For widgets: a line of that kind. Empty ones are left out. `gist`: what of the text makes it news. */
void told_add(struct told *told, enum told_kind kind, enum mark mark, const char *text);
void told_add_row(struct told *told, enum told_kind kind, const char *text, const char *gist);

/* A text without figures, and the points in them: what makes it news. The caller frees. */
char *told_gist(const char *text);

/* For the canvas: text painted on line `y`; pieces of one line are put together. */
void told_paint(struct told *told, int y, const char *text);

#endif
