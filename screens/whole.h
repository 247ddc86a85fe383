/*
 * What a screen says in passing, beside the list or text that has the focus: drawn as far as there is room. All of it can be read on
 * its own (`e`), together with what it means: nothing is cut for good.
 */
#ifndef SCREENS_WHOLE_H
#define SCREENS_WHOLE_H

#include "screens/screen.h"

/* Draws a text. */
void whole_draw(struct wizard *wizard, struct area area, const struct prose_block *blocks, size_t count);

/* Draws a line with a mark, or, MARK_COUNT, without one. */
void whole_line(struct wizard *wizard, struct area area, int y, enum mark mark, const char *text);

/* What is never drawn where there is no room for it is gathered all the same. */
void whole_add(struct wizard *wizard, const struct prose_block *blocks, size_t count);

/* All that the screen says now, over it. */
void whole_open(struct wizard *wizard);

#endif
