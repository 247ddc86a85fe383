/*
 * What a thing on the screens means, in plain words, and where that is known from: gates and warnings, changes, nodes; and the
 * vocabulary.
 */
#ifndef SCREENS_EXPLAIN_H
#define SCREENS_EXPLAIN_H

#include "screens/screen.h"

/* The gate of the screen shown, and the warnings on it. */
void explain_screen(const struct wizard *wizard, struct prose *prose);

/* A change: what it does, its lock, in plain words, and the file of Kong's that it is from. `change` may be NULL. */
void explain_change(struct prose *prose, const char *id, const struct change *change, const char *lock);

/* A node in the state it is in. */
void explain_node(struct prose *prose, const struct node *node);

/* A Kong that the database sees, and fleet.ini does not name. */
void explain_stranger(struct prose *prose);

/* The vocabulary, as a text over the screen. */
void explain_words(struct wizard *wizard);

#endif
