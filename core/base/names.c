#include "core/base/names.h"

#include "core/base/mem.h"

#include <stdlib.h>
#include <string.h>

bool names_have(const struct names *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++)
        if (strcmp(names->list[i], name) == 0)
            return true;
    return false;
}

void names_add(struct names *names, const char *name)
{
    names->list = mem_grow(names->list, names->count + 1, sizeof *names->list);
    names->list[names->count++] = mem_dup(name);
}

void names_free(struct names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->list[i]);
    free(names->list);
    *names = (struct names){0};
}
