/* What undoes a change of each kind: said once per kind, in terms of the changes that there are. */
#include "core/migrations/change.h"

static struct change as(enum change_kind kind, const struct change *change)
{
    return (struct change){.kind = kind, .table = change->table, .name = change->name, .lost = change->lost};
}

static size_t undo_create_table(const struct change *change, struct change *undo)
{
    undo[0] = (struct change){.kind = CHANGE_DROP_TABLE, .table = change->table, .lost = change->lost};
    return 1;
}

static size_t undo_create_index(const struct change *change, struct change *undo)
{
    undo[0] = as(CHANGE_DROP_INDEX, change);
    return 1;
}

static size_t undo_create_function(const struct change *change, struct change *undo)
{
    undo[0] = as(CHANGE_DROP_FUNCTION, change);
    undo[0].arguments = change->arguments;
    return 1;
}

static size_t undo_create_trigger(const struct change *change, struct change *undo)
{
    undo[0] = as(CHANGE_DROP_TRIGGER, change);
    if (change->before == NULL)
        return 1;
    undo[1] = (struct change){.kind = CHANGE_DELETE_ROWS, .table = "tags", .name = change->table, .where = change->before};
    return 2;
}

static size_t undo_add_column(const struct change *change, struct change *undo)
{
    undo[0] = as(CHANGE_DROP_COLUMN, change);
    return 1;
}

static size_t undo_set_type(const struct change *change, struct change *undo)
{
    undo[0] = as(CHANGE_SET_TYPE, change);
    undo[0].definition = change->before;
    undo[0].set = change->before_set != NULL ? change->before_set : change->set;
    return change->before != NULL ? 1 : 0;
}

/* The further constraint was that the new key's columns are unique: it comes back first, so that they always are. */
static size_t undo_set_primary_key(const struct change *change, struct change *undo)
{
    size_t count = 0;
    if (change->before == NULL)
        return 0;
    if (change->where != NULL)
        undo[count++] = (struct change){.kind = CHANGE_ADD_UNIQUE, .table = change->table, .name = change->where, .definition = change->definition};
    undo[count] = as(CHANGE_SET_PRIMARY_KEY, change);
    undo[count++].definition = change->before;
    return count;
}

static size_t undo_add_unique(const struct change *change, struct change *undo)
{
    undo[0] = as(CHANGE_DROP_UNIQUE, change);
    return 1;
}

static size_t undo_rename(const struct change *change, struct change *undo)
{
    undo[0] = as(change->kind, change);
    undo[0].name = change->to;
    undo[0].to = change->name;
    return 1;
}

static size_t undo_drop_index(const struct change *change, struct change *undo)
{
    undo[0] = as(CHANGE_CREATE_INDEX, change);
    undo[0].definition = change->before;
    return change->before != NULL ? 1 : 0;
}

static size_t undo_drop_function(const struct change *change, struct change *undo)
{
    undo[0] = as(CHANGE_CREATE_FUNCTION, change);
    undo[0].arguments = change->arguments;
    undo[0].definition = change->before;
    return change->before != NULL ? 1 : 0;
}

/* The others have none: rows that were changed or deleted, what `finish` destroys. */
static size_t (*const undos[CHANGE_KINDS])(const struct change *change, struct change *undo) = {
    [CHANGE_CREATE_TABLE] = undo_create_table,
    [CHANGE_CREATE_INDEX] = undo_create_index,
    [CHANGE_CREATE_FUNCTION] = undo_create_function,
    [CHANGE_CREATE_TRIGGER] = undo_create_trigger,
    [CHANGE_ADD_COLUMN] = undo_add_column,
    [CHANGE_SET_TYPE] = undo_set_type,
    [CHANGE_SET_PRIMARY_KEY] = undo_set_primary_key,
    [CHANGE_ADD_UNIQUE] = undo_add_unique,
    [CHANGE_RENAME_INDEX] = undo_rename,
    [CHANGE_RENAME_CONSTRAINT] = undo_rename,
    [CHANGE_DROP_INDEX] = undo_drop_index,
    [CHANGE_DROP_FUNCTION] = undo_drop_function,
};

size_t change_undo(const struct change *change, struct change undo[CHANGE_UNDOS])
{
    return undos[change->kind] != NULL ? undos[change->kind](change, undo) : 0;
}
