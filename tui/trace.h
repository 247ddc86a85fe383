/*
 * A trace for bug reports: the keys that came and the frames that were drawn, as text that a person can read, with times.
 *
 * No secret gets into it. What is typed into a field, or pasted, is written as "*", among the keys and in the frames (all that is
 * painted in ROLE_INPUT); apart from that a frame is what anyone sees who looks at the screen. Of a frame only the lines are written
 * that differ from the one before, and after TRACE_LIMIT bytes nothing more.
 */
#ifndef TUI_TRACE_H
#define TUI_TRACE_H

#include "tui/canvas.h"
#include "tui/input.h"

#include <stdbool.h>
#include <stddef.h>

#define TRACE_LIMIT (8 << 20)

struct trace; /* NULL everywhere below: there is none, and nothing is done */

/* Makes the file, for its owner alone. There must be nothing of that name yet, not even a link. `about` is its first line. NULL on
 * failure, and one sentence in `message`. Free with trace_close. */
struct trace *trace_open(const char *path, const char *about, char *message, size_t size);

void trace_key(struct trace *trace, const struct input *input, bool typing); /* `typing`: it goes into a field */
void trace_frame(struct trace *trace, const struct canvas *canvas);

/* Returns 0, or the errno for which it is not complete. */
int trace_close(struct trace *trace);

#endif
