/* Where Kong's own 1.3 migrations are wrong, and what we do instead: shown beside every change they touch, and in the report. */
#ifndef CORE_MIGRATIONS_CORRECTIONS_H
#define CORE_MIGRATIONS_CORRECTIONS_H

struct correction {
    const char *id;       /* "C1" */
    const char *fact;     /* what Kong's own migration does */
    const char *ours;     /* what is done here */
    const char *source;   /* where to read about it */
};

/* All of them; a row whose id is NULL ends the table. */
extern const struct correction corrections[];

/* NULL where there is none of that name. */
const struct correction *correction_find(const char *id);

#endif
