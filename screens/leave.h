/*
 * "Leave the upgrade", over steps 1 to 4: the two ways out. To stop here and go on another day, which harms nothing; or to roll back, with
 * what that loses and who is in its way.
 */
#ifndef SCREENS_LEAVE_H
#define SCREENS_LEAVE_H

#include "screens/screen.h"

/* On the screen shown. */
bool leave_enabled(const struct wizard *wizard);

/* Opens it, and looks at the way back. */
void leave_open(struct wizard *wizard);
void leave_draw(struct wizard *wizard, struct area area);
void leave_key(struct wizard *wizard, const struct input *input);

/* Its keys, for the footer. */
struct keys_map leave_keys(const struct wizard *wizard);

/* What its files share: leave_text.c, leave.c (the pane, its questions and keys). */
void leave_fill(struct prose *prose, const struct model *model);
void leave_add_losses(struct prose *prose, const struct way_back *back);   /* and what is not restored */

/* Why the rollback can't be started now; "" where it can. */
const char *leave_refusal(const struct model *model, char *text, size_t size);

/* It is for the operator to say to which release. */
bool leave_is_in_doubt(const struct model *model);

#endif
