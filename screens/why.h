/* The box beside or below every screen: what the step does, what is safe, how to get out. */
#ifndef SCREENS_WHY_H
#define SCREENS_WHY_H

#include "screens/screen.h"

/* What is said of the step shown, as it holds now. */
struct step_text why_text(const struct wizard *wizard);

void why_draw(struct wizard *wizard, struct area area);

/* There is no room for it, or the operator has hidden it. */
void why_leave_out(struct wizard *wizard);

/* Lines that the box needs. */
int why_height(const struct wizard *wizard, int width, enum charset charset);

#endif
