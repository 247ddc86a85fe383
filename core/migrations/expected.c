#include "core/migrations/expected.h"

#include "core/base/mem.h"
#include "core/migrations/plan.h"

#include <stdlib.h>
#include <string.h>

/* The definitions' own short names. */
static char *full_type(const char *type, size_t length)
{
    static const char *const shorts[][2] = {{"timestamp", "timestamp without time zone"}, {"timestamptz", TIMESTAMPTZ}};
    char *copy = mem_ndup(type, length);
    for (size_t i = 0; i < COUNT_OF(shorts); i++)
        if (strcmp(copy, shorts[i][0]) == 0) {
            free(copy);
            return mem_dup(shorts[i][1]);
        }
    return copy;
}

/* Where the next item of a definition begins, or the text ends: a comma in parentheses or quotes parts nothing. */
static const char *item_end(const char *text)
{
    int depth = 0;
    bool quoted = false;
    for (; *text != '\0' && (depth > 0 || quoted || *text != ','); text++) {
        quoted = quoted != (*text == '\'');
        depth += quoted ? 0 : *text == '(' ? 1 : *text == ')' ? -1 : 0;
    }
    return text;
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

/* "name type REST": in the migrations' tables all that is no name or type is in capitals. false for a constraint. */
static bool read_column(const char *item, const char *end, const char **name, size_t *name_length, const char **type, size_t *type_length)
{
    while (item < end && *item == ' ')
        item++;
    if (item == end || is_upper(*item))
        return false;
    bool quoted = *item == '"';
    *name = item += quoted;
    while (item < end && *item != (quoted ? '"' : ' '))
        item++;
    *name_length = (size_t)(item - *name);
    item += quoted;
    while (item < end && *item == ' ')
        item++;
    *type = item;
    while (item < end && !(is_upper(*item) && item[-1] == ' '))
        item++;
    while (item > *type && item[-1] == ' ')
        item--;
    *type_length = (size_t)(item - *type);
    return *type_length > 0;
}

static size_t find_column(const struct expected *expected, const char *table, const char *name)
{
    size_t i = 0;
    while (i < expected->column_count && (strcmp(expected->columns[i].table, table) != 0 || strcmp(expected->columns[i].name, name) != 0))
        i++;
    return i;
}

static void remove_column(struct expected *expected, size_t number)
{
    if (number == expected->column_count)
        return;
    free(expected->columns[number].name);
    free(expected->columns[number].type);
    expected->columns[number] = expected->columns[--expected->column_count];
}

/* Takes `name` and `type`. */
static void set_column(struct expected *expected, const char *table, char *name, char *type)
{
    remove_column(expected, find_column(expected, table, name));
    expected->columns = mem_grow(expected->columns, expected->column_count + 1, sizeof *expected->columns);
    expected->columns[expected->column_count++] = (struct expected_column){table, name, type};
}

/* Keys. */

static bool has_column(const char *columns, const char *name, size_t length)
{
    for (const char *at = columns; *at != '\0';) {
        size_t each = strcspn(at, ",");
        if (each == length && strncmp(at, name, length) == 0)
            return true;
        at += each;
        at += strspn(at, ", ");
    }
    return false;
}

bool expected_same_columns(const char *a, const char *b)
{
    for (const char *at = a; *at != '\0';) {
        size_t length = strcspn(at, ",");
        if (!has_column(b, at, length))
            return false;
        at += length;
        at += strspn(at, ", ");
    }
    return strlen(a) == strlen(b);
}

static void remove_key(struct expected *expected, size_t number)
{
    free(expected->keys[number].columns);
    expected->keys[number] = expected->keys[--expected->key_count];
}

/* Those of that table with these columns; where `column`, those that it is in; NULL: all. */
static void remove_keys(struct expected *expected, const char *table, const char *columns, const char *column)
{
    for (size_t i = expected->key_count; i-- > 0;) {
        const struct expected_key *key = &expected->keys[i];
        if (strcmp(key->table, table) == 0 && (columns == NULL || expected_same_columns(key->columns, columns)) &&
            (column == NULL || has_column(key->columns, column, strlen(column))))
            remove_key(expected, i);
    }
}

/* Takes `columns`. */
static void add_key(struct expected *expected, const char *table, char *columns, bool primary)
{
    expected->keys = mem_grow(expected->keys, expected->key_count + 1, sizeof *expected->keys);
    expected->keys[expected->key_count++] = (struct expected_key){table, columns, primary};
}

/* "name type … UNIQUE …", "name type PRIMARY KEY …", or, of several columns, "PRIMARY KEY (a, b)", "UNIQUE (a, b)". */
static void read_key(struct expected *expected, const char *table, const char *item, const char *end)
{
    static const char *const words[] = {"UNIQUE", "PRIMARY KEY"};
    const char *name, *type;
    size_t name_length, type_length;
    char *text = mem_ndup(item, (size_t)(end - item));
    bool of_column = read_column(item, end, &name, &name_length, &type, &type_length);
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        const char *word = strstr(text, words[i]), *open = word != NULL ? strchr(word, '(') : NULL;
        if (word != NULL && of_column)
            add_key(expected, table, mem_ndup(name, name_length), i == 1);
        else if (open != NULL)
            add_key(expected, table, mem_ndup(open + 1, strcspn(open + 1, ")")), i == 1);
    }
    free(text);
}

static void add_keys(struct expected *expected, const struct change *change)
{
    for (const char *item = change->definition, *end; *item != '\0'; item = *end != '\0' ? end + 1 : end) {
        end = item_end(item);
        read_key(expected, change->table, item, end);
    }
}

/* Columns. */

static void add_columns(struct expected *expected, const struct change *change)
{
    const char *name, *type;
    size_t name_length, type_length;
    for (const char *item = change->definition, *end; *item != '\0'; item = *end != '\0' ? end + 1 : end) {
        end = item_end(item);
        if (read_column(item, end, &name, &name_length, &type, &type_length))
            set_column(expected, change->table, mem_ndup(name, name_length), full_type(type, type_length));
    }
}

static bool is_text(const char *a, const char *b)
{
    return a != NULL && b != NULL && strcmp(a, b) == 0;
}

/* Whether `later` leaves nothing of what `earlier` made, or another thing in its place. */
static bool takes_away(const struct change *later, const struct change *earlier)
{
    bool same_table = is_text(later->table, earlier->table), same_name = is_text(later->name, earlier->name);
    switch (later->kind) {
    case CHANGE_DROP_TABLE: return same_table;
    case CHANGE_DROP_INDEX: return earlier->kind == CHANGE_CREATE_INDEX && (same_name || is_text(later->name, earlier->to));
    case CHANGE_DROP_COLUMN: return earlier->kind == CHANGE_ADD_COLUMN && same_table && same_name;
    case CHANGE_DROP_FUNCTION: return earlier->kind == CHANGE_CREATE_FUNCTION && same_name && is_text(later->arguments, earlier->arguments);
    case CHANGE_RENAME_CONSTRAINT: return (earlier->kind == CHANGE_ADD_UNIQUE || earlier->kind == CHANGE_SET_PRIMARY_KEY) && same_table && same_name;
    case CHANGE_SET_PRIMARY_KEY: return earlier->kind == CHANGE_SET_PRIMARY_KEY && same_table;
    default: return false;
    }
}

static void take_away(struct expected *expected, const struct change *change)
{
    size_t kept = 0;
    for (size_t i = 0; i < expected->object_count; i++)
        if (!takes_away(change, expected->objects[i]))
            expected->objects[kept++] = expected->objects[i];
    expected->object_count = kept;
    for (size_t i = expected->column_count; i-- > 0 && change->kind == CHANGE_DROP_TABLE;)
        if (strcmp(expected->columns[i].table, change->table) == 0)
            remove_column(expected, i);
    if (change->kind == CHANGE_DROP_TABLE)
        remove_keys(expected, change->table, NULL, NULL);
}

static void add_object(struct expected *expected, const struct change *change)
{
    expected->objects = mem_grow(expected->objects, expected->object_count + 1, sizeof *expected->objects);
    expected->objects[expected->object_count++] = change;
}

static void play(struct expected *expected, const struct change *change)
{
    take_away(expected, change);
    switch (change->kind) {
    case CHANGE_CREATE_TABLE:
        add_columns(expected, change);
        add_keys(expected, change);
        add_object(expected, change);
        break;
    case CHANGE_ADD_COLUMN:
        set_column(expected, change->table, mem_dup(change->name), mem_dup(change->definition));
        if (change->to != NULL)
            add_object(expected, change);
        break;
    case CHANGE_SET_TYPE:
        set_column(expected, change->table, mem_dup(change->name), mem_dup(change->definition));
        break;
    case CHANGE_DROP_COLUMN:
        remove_column(expected, find_column(expected, change->table, change->name));
        remove_keys(expected, change->table, NULL, change->name);
        break;
    case CHANGE_SET_PRIMARY_KEY:
        remove_keys(expected, change->table, change->before, NULL);
        add_object(expected, change);
        break;
    case CHANGE_CREATE_INDEX:
    case CHANGE_CREATE_FUNCTION:
    case CHANGE_CREATE_TRIGGER:
    case CHANGE_ADD_UNIQUE:
        add_object(expected, change);
        break;
    default:
        break;
    }
}

/* As a bootstrap, which is Kong's own order, and has none of what is of use between `up` and `finish` only. What we drop later than Kong (C1) may
 * be gone already, where Kong's own `up` has run. */
static void play_phase(struct expected *expected, const struct state *state, const struct migration *migration, enum change_phase phase)
{
    const struct plan plan = {.kind = PLAN_BOOTSTRAP, .from_014 = state->from_014};
    for (size_t i = 0; i < migration->change_count; i++) {
        const struct change *change = &migration->changes[i];
        if (plan_takes(&plan, change, phase))
            play(expected, change);
        else if (change->phase == phase && change->kind == CHANGE_DROP_FUNCTION)
            take_away(expected, change);
    }
}

static bool is_dropped_some_day(const struct subsystem *subsystem, const struct expected_column *column)
{
    for (size_t m = 0; m < subsystem->migration_count; m++)
        for (size_t i = 0; i < subsystem->migrations[m].change_count; i++) {
            const struct change *change = &subsystem->migrations[m].changes[i];
            if (change->kind == CHANGE_DROP_COLUMN && is_text(change->table, column->table) && is_text(change->name, column->name))
                return true;
        }
    return false;
}

static void play_legacy(struct expected *expected, const struct state *state, const struct subsystem *subsystem)
{
    size_t first = expected->column_count;
    play_phase(expected, state, &subsystem->migrations[0], PHASE_UP);
    for (size_t i = expected->column_count; i-- > first;)
        if (is_dropped_some_day(subsystem, &expected->columns[i]))
            remove_column(expected, i);
    expected->object_count = 0;
    while (expected->key_count > 0)
        remove_key(expected, expected->key_count - 1);
}

void expected_play(struct expected *expected, const struct state *state)
{
    for (size_t s = 0; s < state->subsystem_count; s++) {
        const struct subsystem_state *each = &state->subsystems[s];
        if (state->stage == STAGE_LEGACY_014) {
            play_legacy(expected, state, each->subsystem);
            continue;
        }
        for (size_t i = 0; i < each->subsystem->migration_count; i++) {
            const struct migration *migration = &each->subsystem->migrations[i];
            bool executed = names_have(&each->executed, migration->name);
            if (executed || names_have(&each->pending, migration->name))
                play_phase(expected, state, migration, PHASE_UP);
            if (executed)
                play_phase(expected, state, migration, PHASE_FINISH);
        }
    }
    for (size_t i = 0; i < bookkeeping_count && state->stage != STAGE_LEGACY_014; i++)
        play(expected, &bookkeeping[i]);
}

void expected_free(struct expected *expected)
{
    while (expected->column_count > 0)
        remove_column(expected, expected->column_count - 1);
    while (expected->key_count > 0)
        remove_key(expected, expected->key_count - 1);
    free(expected->columns);
    free(expected->keys);
    free(expected->objects);
    *expected = (struct expected){0};
}

static bool defines_column(const struct change *change, const char *column)
{
    struct expected made = {0};
    add_columns(&made, change);
    bool defined = find_column(&made, change->table, column) < made.column_count;
    expected_free(&made);
    return defined;
}

static bool names_it(const struct change *change, enum change_kind kind, const char *table, const char *name)
{
    bool same_table = is_text(change->table, table), same_name = is_text(change->name, name) || is_text(change->to, name);
    switch (kind) {
    case CHANGE_CREATE_TABLE:
    case CHANGE_DROP_TABLE: return change->kind == kind && same_table;
    case CHANGE_ADD_COLUMN:
        return same_table && ((change->kind == CHANGE_CREATE_TABLE && defines_column(change, name)) || is_text(change->name, name));
    case CHANGE_CREATE_TRIGGER: return change->kind == CHANGE_CREATE_TRIGGER && same_table && same_name;
    default: return same_table && same_name;
    }
}

bool expected_knows(enum change_kind kind, const char *table, const char *name)
{
    for (size_t i = 0; i < bookkeeping_count; i++)
        if (names_it(&bookkeeping[i], kind, table, name))
            return true;
    for (const struct subsystem *const *each = subsystems; *each != NULL; each++)
        for (size_t m = 0; m < (*each)->migration_count; m++)
            for (size_t i = 0; i < (*each)->migrations[m].change_count; i++)
                if (names_it(&(*each)->migrations[m].changes[i], kind, table, name))
                    return true;
    return false;
}
