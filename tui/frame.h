/* The lines around a screen: header, status, and the word for screens that are too small to use. */
#ifndef TUI_FRAME_H
#define TUI_FRAME_H

#include "tui/canvas.h"
#include "tui/mark.h"

#include <stdbool.h>

/* The top line: `title` bold at the left, `detail` after it, `right` flush right; `right`, then `detail`, give way.
 * NULL: none. */
void frame_header(struct area area, const char *title, const char *detail, const char *right);

/* A line with a mark and a sentence. */
void frame_status(struct area area, int y, enum mark mark, const char *text);

/* How old a figure is: "" while fresher than `fresh` milliseconds, "3 s old", "2 min old"; "no data yet" if age is
 * negative. Tells its mark (MARK_OK, MARK_STALE, MARK_UNKNOWN). `text` holds FRAME_AGE_SIZE bytes and is returned. */
#define FRAME_AGE_SIZE 32
const char *frame_age(long long age_ms, long long fresh_ms, char text[FRAME_AGE_SIZE], enum mark *mark);

/* True if the area is smaller than that; then it has been filled with a sentence that says so. */
bool frame_too_small(struct area area, int width, int height);

#endif
