/*
 * The last lines of what a hook says. Bounded, whatever it says: lines are cut at HOOK_LINE_SIZE bytes (between letters of UTF-8), and
 * the last HOOK_LINES are kept. An empty line is none; a carriage return ends a line too (progress bars). Control characters become
 * spaces: what is kept can be shown anywhere. Bytes that are no UTF-8 are replaced.
 */
#ifndef CORE_HOOK_LINES_H
#define CORE_HOOK_LINES_H

#include <stdbool.h>
#include <stddef.h>

#define HOOK_LINES 200
#define HOOK_LINE_SIZE 500

/* Zero-initialise. */
struct hook_lines {
    char *list[HOOK_LINES];          /* a ring */
    size_t first, count;
    size_t dropped;                  /* lines that came before those kept */
    char partial[HOOK_LINE_SIZE + 4];   /* the line that has not ended; room for one letter beyond */
    size_t length;
};

void hook_lines_add(struct hook_lines *lines, const char *bytes, size_t length);
void hook_lines_end(struct hook_lines *lines);   /* nothing more comes: what has not ended is a line too */
const char *hook_lines_get(const struct hook_lines *lines, size_t index);   /* the oldest is 0 */
void hook_lines_free(struct hook_lines *lines);

#endif
