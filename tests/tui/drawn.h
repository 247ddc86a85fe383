/* For tests of what is drawn: compares a canvas with lines of text, and shows both where they differ. */
#ifndef TESTS_TUI_DRAWN_H
#define TESTS_TUI_DRAWN_H

#include "tui/canvas.h"
#include "tui/input.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline void same_text(char *actual, const char *expected, int line)
{
    if (strcmp(actual, expected) != 0) {
        fprintf(stderr, "line %d: expected:\n%sgot:\n%s", line, expected, actual);
        fail();
    }
    free(actual);
}

#define assert_drawn(canvas, expected) same_text(canvas_text(canvas), expected, __LINE__)
#define assert_roles(canvas, expected) same_text(canvas_roles(canvas), expected, __LINE__)

static inline struct input key(uint32_t code)
{
    return (struct input){.kind = INPUT_KEY, .key = code};
}

static inline int use_utf8(void **state)
{
    (void)state;
    return setlocale(LC_ALL, "C.UTF-8") != NULL ? 0 : -1;
}

#endif
