/* A list of names. Zero-initialise it. */
#ifndef CORE_BASE_NAMES_H
#define CORE_BASE_NAMES_H

#include <stdbool.h>
#include <stddef.h>

struct names {
    char **list;
    size_t count;
};

bool names_have(const struct names *names, const char *name);
void names_add(struct names *names, const char *name);   /* copies it */
void names_free(struct names *names);

#endif
