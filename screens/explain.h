/*
 * What a thing on the screens means, in plain words, and where that is known from: gates and warnings, changes, nodes; and the
 * vocabulary.
 */
#ifndef SCREENS_EXPLAIN_H
#define SCREENS_EXPLAIN_H

#include "screens/screen.h"

/* The gate of the screen shown, and the warnings on it. */
void explain_screen(const struct wizard *wizard, struct prose *prose);

/* The vocabulary, as a text over the screen. */
void explain_words(struct wizard *wizard);

#endif
