/* Reading an archive back: pg_restore says what is in it, and writes all of it out; every table must be there with all its rows. */
#include "core/backup/backup_internal.h"

#include <stdio.h>
#include <string.h>

static void on_read_tick(void *context)
{
    struct backup *backup = context;
    backup_notice_stop(backup);
    if (backup->part == PART_ROWS)
        backup_tell_progress(backup, backup->copy.total, backup->rows);
}

/* "3321; 0 16390 TABLE DATA public routes kong": the second number is the table's. */
static void take_entry(struct backup *backup)
{
    int entry, used = 0;
    long long catalog, oid;
    backup->line[backup->line_length] = '\0';
    if (sscanf(backup->line, "%d; %lld %lld TABLE DATA %n", &entry, &catalog, &oid, &used) < 3 || used == 0)
        return;
    for (size_t i = 0; i < backup->count; i++)
        backup->tables[i].listed = backup->tables[i].listed || backup->tables[i].oid == oid;
}

static void on_list_output(void *context, const char *bytes, size_t length)
{
    struct backup *backup = context;
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] != '\n') {
            if (backup->line_length < LINE_SIZE - 1)
                backup->line[backup->line_length++] = bytes[i];
            continue;
        }
        take_entry(backup);
        backup->line_length = 0;
    }
}

static bool restore(struct backup *backup, const char *const *arguments, tool_output *on_output, struct error *error)
{
    const struct tool_call call = {.arguments = arguments, .input = backup->file.fd, .output = -1, .on_output = on_output, .on_tick = on_read_tick,
                                   .context = backup, .stop = backup->stop};
    return backup_file_rewind(&backup->file, error) && tool_run(&backup->tools, &call, error);
}

bool backup_list(struct backup *backup, struct error *error)
{
    const char *const arguments[] = {backup->tools.restore, "--list", NULL};
    if (!restore(backup, arguments, on_list_output, error))
        return false;
    for (size_t i = 0; i < backup->count; i++)
        if (!backup->tables[i].listed)
            return error_set(error, ERROR_REFUSED, "the archive has no data of table %s: it is not whole", backup->tables[i].name);
    return true;
}

static void on_table_read(void *context, const char *name, int64_t rows)
{
    struct dumped_table *table = backup_find_table(context, name);
    if (table != NULL)
        table->rows_read = rows;
}

static void on_rows_output(void *context, const char *bytes, size_t length)
{
    struct backup *backup = context;
    copy_rows_feed(&backup->copy, bytes, length);
}

bool backup_read_rows(struct backup *backup, struct error *error)
{
    /* From 12 on it wants to be told where to; before, "-" would be a file. */
    bool modern = backup->tools.version >= 120000;
    const char *const arguments[] = {backup->tools.restore, "--data-only", modern ? "--file=-" : NULL, NULL};
    backup->copy = (struct copy_rows){.table = on_table_read, .context = backup};
    if (!restore(backup, arguments, on_rows_output, error))
        return false;
    if (!copy_rows_complete(&backup->copy))
        return error_set(error, ERROR_REFUSED, "the archive ends in the middle of a table: it is not whole");
    for (size_t i = 0; i < backup->count; i++) {
        const struct dumped_table *table = &backup->tables[i];
        if (table->rows_read != table->rows)
            return error_set(error, ERROR_REFUSED, "the archive has %lld rows of table %s, the database had %lld: it is not whole",
                             (long long)(table->rows_read < 0 ? 0 : table->rows_read), table->name, (long long)table->rows);
    }
    return true;
}
