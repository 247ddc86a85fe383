/* Files of a folder. */
#ifndef CORE_BASE_FOLDER_H
#define CORE_BASE_FOLDER_H

#include "core/base/names.h"

/* Adds the paths of the files whose names end in `suffix`, and hold more than that, in the order of their bytes: names that begin with
 * a time are in its order. Nothing where the folder can't be read. */
void folder_list(const char *folder, const char *suffix, struct names *paths);

#endif
