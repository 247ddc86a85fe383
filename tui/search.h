/*
 * A search in a list or a text: "/" begins it, what is typed is shown, Enter keeps it, n and N go on, Esc ends it. Where it looks, and
 * what it selects, is the widget's own.
 */
#ifndef TUI_SEARCH_H
#define TUI_SEARCH_H

#include "tui/canvas.h"
#include "tui/input.h"

#include <stdbool.h>
#include <stddef.h>

#define SEARCH_PATTERN_SIZE 128

/* Zero-initialised: none. */
struct search {
    char pattern[SEARCH_PATTERN_SIZE]; /* "" for nothing; UTF-8 */
    bool typing;                       /* the pattern is being typed: all keys go to the search */
    bool not_found;                    /* set by the widget */
};

enum search_step {
    SEARCH_NONE,      /* not its key */
    SEARCH_BEGUN,     /* from where one is */
    SEARCH_TYPED,     /* another pattern, or a key that changes nothing: look again from where it began */
    SEARCH_KEPT,      /* the pattern is complete */
    SEARCH_CANCELLED, /* given up while typing: back to where it began */
    SEARCH_ENDED,     /* what was found stays selected */
    SEARCH_NEXT,
    SEARCH_PREVIOUS,
};
enum search_step search_key(struct search *search, const struct input *input);

/* It is typed, or shown. */
bool search_active(const struct search *search);

/* How many bytes at the beginning of `text` match, without regard to case; 0: none. */
size_t search_match(const char *text, const char *pattern);

/* Whether the pattern is anywhere in `text` (NULL is ""). */
bool search_contains(const char *text, const char *pattern);

/* On the area's first line: the pattern, that nothing was found, or the keys that go on. The cursor, while it is typed. */
void search_draw(struct area line, const struct search *search);

#endif
