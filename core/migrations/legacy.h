/* The migrations that a 0.14 database has recorded in `schema_migrations`. */
#ifndef CORE_MIGRATIONS_LEGACY_H
#define CORE_MIGRATIONS_LEGACY_H

#include <stddef.h>

struct legacy_migration {
    const char *component, *name;
};

extern const struct legacy_migration legacy_migrations[];
extern const size_t legacy_migration_count;

#endif
