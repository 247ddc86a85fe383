/*
 * Memory for the toolkit, which knows nothing of core. It does not fail: without memory for a few cells nothing can be
 * shown any more, so the terminal is restored, one line goes to stderr, and the process ends with exit code 1.
 */
#ifndef TUI_MEMORY_H
#define TUI_MEMORY_H

#include <stddef.h>

void *memory_grow(void *old, size_t count, size_t size); /* reallocarray; count 0 is taken as 1. free() it */
char *memory_copy(const char *text, size_t length);      /* a NUL-terminated copy. free() it */

#endif
