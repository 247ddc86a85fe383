/* The full-screen face. */
#ifndef SCREENS_WIZARD_H
#define SCREENS_WIZARD_H

#include "screens/options.h"

/* Opens it; needs a terminal, and says which commands do without where there is none (exit code 64). */
int wizard_main(const struct options *options);

#endif
