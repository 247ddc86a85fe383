#include "core/base/folder.h"

#include "core/base/mem.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

/* Not alphasort, which follows the locale. */
static int compare_names(const struct dirent **left, const struct dirent **right)
{
    return strcmp((*left)->d_name, (*right)->d_name);
}

void folder_list(const char *folder, const char *suffix, struct names *paths)
{
    struct dirent **entries = NULL;
    size_t end = strlen(suffix);
    int count = scandir(folder, &entries, NULL, compare_names);
    for (int i = 0; i < count; i++) {
        size_t length = strlen(entries[i]->d_name);
        if (length > end && strcmp(entries[i]->d_name + length - end, suffix) == 0) {
            char *path = mem_printf("%s/%s", folder, entries[i]->d_name);
            names_add(paths, path);
            free(path);
        }
        free(entries[i]);
    }
    free(entries);
}
