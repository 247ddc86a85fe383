/*
 * Text from outside may be invalid UTF-8; JSON must not be. What is shown on a terminal goes through screens' own
 * function, which also takes care of control characters and width.
 */
#ifndef CORE_BASE_UTF8_H
#define CORE_BASE_UTF8_H

#include <stddef.h>

/* A copy in which every byte that is not part of valid UTF-8 is replaced by U+FFFD. NULL gives "". The caller frees. */
char *utf8_clean(const char *text);

#endif
