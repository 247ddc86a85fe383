/* What the files of the dialogue share. */
#ifndef SCREENS_DIALOGUE_INTERNAL_H
#define SCREENS_DIALOGUE_INTERNAL_H

#include "screens/dialogue.h"

/* What a word chooses: a row of the tables of keys, and its action; NULL where it is a word of the dialogue's own (`*action` then tells
 * which), or none (0). Whether it is enabled is another question. */
const struct keys_row *dialogue_find(struct wizard *wizard, const char *word, int *action);
bool dialogue_needs_row(const struct keys_row *row);
bool dialogue_enabled(struct wizard *wizard, int action);

/* Selects the row of that number for what is done by `row`, in the first list or, to be opened, in any. False: there is none. */
bool dialogue_select(struct wizard *wizard, size_t number, const struct keys_row *row);

/* A sentence with its mark's word; a line of what was told; a text. */
void dialogue_say_marked(struct dialogue *dialogue, enum mark mark, const char *text);
void dialogue_say_line(struct dialogue *dialogue, const struct told_line *line);
void dialogue_say_prose(struct dialogue *dialogue, const struct prose *prose);

/* What the step does, what is safe, how to get out. */
void dialogue_say_why(struct wizard *wizard, struct dialogue *dialogue);

#endif
