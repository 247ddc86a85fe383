/*
 * Text to be read: headings, paragraphs, bullets, names of keys, marks; wrapped to the width and scrolled. It knows
 * whether its end has been seen, which an irreversible action waits for.
 *
 * A text is an array of blocks: a static table, or a struct prose that is built at run time. All texts are made
 * printable.
 */
#ifndef TUI_PROSE_H
#define TUI_PROSE_H

#include "tui/canvas.h"
#include "tui/input.h"
#include "tui/mark.h"
#include "tui/search.h"

#include <stdbool.h>
#include <stddef.h>

enum prose_kind {
    PROSE_PARAGRAPH,
    PROSE_HEADING, /* an empty line before it, but for the first */
    PROSE_BULLET,
    PROSE_KEY,     /* `term` is a key's or other name in a column of its own, `text` explains it */
    PROSE_MARK,    /* begins with the block's mark */
    PROSE_LITERAL, /* SQL, logs: spaces kept, wrapped lines indented */
    PROSE_BLANK,   /* an empty line */
    PROSE_RULE,    /* a line across */
};

struct prose_block {
    enum prose_kind kind;
    const char *text; /* NULL is "" */
    const char *term; /* PROSE_KEY */
    enum mark mark;   /* PROSE_MARK */
    unsigned style;   /* on top of what the kind looks like; 0 (ROLE_TEXT): as the kind */
};

/* A text built at run time; owns its strings. Zero-initialise it. */
struct prose {
    struct prose_block *blocks;
    size_t count, capacity;
};
void prose_add(struct prose *prose, enum prose_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void prose_add_key(struct prose *prose, const char *term, const char *text);
void prose_add_mark(struct prose *prose, enum mark mark, const char *format, ...) __attribute__((format(printf, 3, 4)));
void prose_style(struct prose *prose, unsigned style); /* of the block added last */
void prose_clear(struct prose *prose);
void prose_free(struct prose *prose);

/* Zero-initialised: at the top. */
struct prose_state {
    int top;     /* the first line shown */
    bool follow; /* stay at the end as text is added: for logs. End sets it, scrolling up clears it */
    struct search search;
    int origin, match; /* the top when the search began; the line found last */
    /* What the last prose_draw found; drawing changes nothing else. */
    int lines, page; /* lines there are, lines shown */
    int width;       /* of its lines */
    enum charset charset;
    int seen;        /* all lines before this one have been on screen: a jump to the end skips none */
    bool end_seen;   /* every line has been on screen once (of this text: see prose_rewind) */
};

/* Lines the text takes at that width. */
int prose_height(const struct prose_block *blocks, size_t count, int width, enum charset charset);

/* Draws it. If there is more than fits, a scroll bar in the last column, and "12 more lines" in the last
 * line, say so. */
void prose_draw(struct area area, const struct prose_block *blocks, size_t count, struct prose_state *state);

/* Scrolls and searches: as prose_key, and "/" (without regard to case), n and N, Esc to end it. A match is brought to the top. */
enum reaction prose_read(const struct prose_block *blocks, size_t count, struct prose_state *state,
                         const struct input *input);

/* The text as printable lines without its looks. The caller frees. */
char *prose_text(const struct prose_block *blocks, size_t count);

/* Scrolls: arrows, j/k, page keys, space, Home/End, g/G. */
enum reaction prose_key(struct prose_state *state, const struct input *input);

/* To the top of another text: its end has not been seen. */
void prose_rewind(struct prose_state *state);

#endif
