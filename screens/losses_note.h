/* What a run destroys, in numbers, as the screens before it tell. */
#ifndef SCREENS_LOSSES_NOTE_H
#define SCREENS_LOSSES_NOTE_H

#include "core/migrations/losses.h"
#include "tui/prose.h"

/* What deletes values one by one; the rest too where it is short, else its number. */
void losses_add(struct prose *prose, const struct losses *losses);

/* The rest, where losses_add gave its number only; `heading` before it. */
void losses_add_rest(struct prose *prose, const struct losses *losses, const char *heading);

#endif
