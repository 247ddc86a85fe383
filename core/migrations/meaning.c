#include "core/migrations/meaning.h"

#include "core/base/mem.h"
#include "core/migrations/subsystems.h"

#include <stdlib.h>
#include <string.h>

const char *change_meaning(enum change_kind kind)
{
    static const char *const meanings[CHANGE_KINDS] = {
        [CHANGE_CREATE_TABLE] = "A table that only 1.3 knows. Old nodes never look at it.",
        [CHANGE_CREATE_INDEX] = "An index makes a query of 1.3 quick. It is built beside live traffic (CONCURRENTLY): rows are read and written meanwhile. One that a"
                                " failure left half built is dropped, and built again.",
        [CHANGE_CREATE_FUNCTION] = "A function in the database that a trigger of 1.3 calls. Old nodes don't call it.",
        [CHANGE_CREATE_TRIGGER] = "A trigger keeps one of 1.3's tables up to date by itself when rows are written, by old nodes too.",
        [CHANGE_ADD_COLUMN] = "A new column, empty in the rows that are there, which takes PostgreSQL a moment whatever the table's size. Old nodes neither read nor"
                              " write it.",
        [CHANGE_SET_TYPE] = "A column gets another type with the same values. A large table that would be rewritten gets a second column instead, which a trigger keeps"
                            " equal, and which takes the first one's place in the end.",
        [CHANGE_SET_PRIMARY_KEY] = "Rows are told apart by other columns than before. The index for it is built beside live traffic; then the key is exchanged in a moment.",
        [CHANGE_ADD_UNIQUE] = "No two rows may have the same value there. The index for it is built beside live traffic, and attached in a moment.",
        [CHANGE_RENAME_INDEX] = "An index gets the name that 1.3 knows it by. Queries don't name indexes, so nobody notices.",
        [CHANGE_RENAME_CONSTRAINT] = "A rule of the table gets the name that 1.3 knows it by.",
        [CHANGE_DROP_INDEX] = "An index that nobody needs any more goes. No value is lost: it can be built again from the rows.",
        [CHANGE_DROP_COLUMN] = "A column goes with its values. Only old nodes used it.",
        [CHANGE_DROP_TABLE] = "A table goes with its rows. Only old nodes used it.",
        [CHANGE_DROP_FUNCTION] = "A function that only old nodes called goes.",
        [CHANGE_DROP_TRIGGER] = "A trigger that is no longer needed goes: rows are written without it from then on.",
        [CHANGE_DROP_UNIQUE] = "A rule that values are unique goes, with its index. No value is lost.",
        [CHANGE_BACKFILL] = "A column is filled in the rows that need it and no others: in batches of about 50 ms, in the order of the key, each a transaction of its own."
                            " It can be stopped and gone on with at any batch.",
        [CHANGE_DELETE_ROWS] = "Rows that 1.3 can't use go, in small batches.",
    };
    return meanings[kind];
}

const char *lock_meaning(const char *lock)
{
    static const struct {
        const char *lock, *means;
    } meanings[] = {
        {"", "Nobody waits for it: it takes no lock on a table that is in use."},
        {"ACCESS EXCLUSIVE", "While it is held nobody reads or writes the table. It is held for a moment, and asked for 100 ms at a time: nodes never queue behind us for"
                             " longer than that and the change itself."},
        {"SHARE ROW EXCLUSIVE", "While it is held rows of the table are read, but not written. It is held for a moment, and asked for 100 ms at a time."},
        {"SHARE UPDATE EXCLUSIVE", "Rows of the table are read and written as ever; only other changes of the schema, and vacuum, wait."},
        {"ROW EXCLUSIVE", "As any statement that writes takes it: only a row that is being written waits for its batch to end."},
        {"ACCESS SHARE", "As any statement that reads takes it: nobody reads or writes less."},
    };
    for (size_t i = 0; i < COUNT_OF(meanings); i++)
        if (strcmp(meanings[i].lock, lock) == 0)
            return meanings[i].means;
    return NULL;
}

/* The id's parts before the change's own. */
static const struct migration *find_migration(const char *id, const struct subsystem **subsystem, const char **rest)
{
    const char *first = strchr(id, '/'), *second = first != NULL ? strchr(first + 1, '/') : NULL;
    if (second == NULL)
        return NULL;
    char *name = mem_ndup(id, (size_t)(first - id)), *migration_name = mem_ndup(first + 1, (size_t)(second - first - 1));
    *subsystem = subsystem_find(name);
    *rest = second + 1;
    const struct migration *migration = *subsystem != NULL ? subsystem_migration(*subsystem, migration_name) : NULL;
    free(migration_name);
    free(name);
    return migration;
}

const struct change *change_find(const char *id)
{
    const struct subsystem *subsystem;
    const char *rest;
    const struct migration *migration = find_migration(id, &subsystem, &rest);
    for (size_t i = 0; migration != NULL && i < migration->change_count; i++) {
        char *each = change_id(&migration->changes[i]);
        bool found = strcmp(each, rest) == 0;
        free(each);
        if (found)
            return &migration->changes[i];
    }
    return NULL;
}

char *change_source(const char *id)
{
    const struct subsystem *subsystem;
    const char *rest;
    const struct migration *migration = find_migration(id, &subsystem, &rest);
    if (migration == NULL)
        return NULL;
    if (subsystem == &subsystem_core)
        return mem_printf("kong/db/migrations/core/%s.lua at 1.3.0", migration->name);
    return mem_printf("kong/plugins/%s/migrations/%s.lua at 1.3.0", subsystem->name, migration->name);
}
