#include "core/backup/made.h"

#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/journal.h"
#include "core/run_view.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define JOURNAL_END "-backup.jsonl"

static void clear_failure(struct backups *backups)
{
    free(backups->failure);
    backups->failure = NULL;
}

void backups_free(struct backups *backups)
{
    for (size_t i = 0; i < backups->count; i++) {
        free(backups->list[i].path);
        json_decref(backups->list[i].event);
    }
    free(backups->list);
    clear_failure(backups);
    *backups = (struct backups){0};
}

static int64_t number(const json_t *event, const char *key)
{
    return json_integer_value(json_object_get(event, key));
}

static void add(struct backups *backups, const json_t *event)
{
    struct stat status;
    if (json_get_text(event, "path")[0] != '/')
        return;
    struct backup_made made = {
        .path = mem_dup(json_get_text(event, "path")),
        .as_of_ms = run_view_time(json_get_text(event, "as_of")),
        .bytes = number(event, "bytes"),
        .rows = number(event, "rows"),
        .tables = number(event, "tables"),
        .event = json_deep_copy(event),
    };
    made.there = stat(made.path, &status) == 0 && S_ISREG(status.st_mode) && status.st_size == made.bytes;
    backups->list = mem_grow(backups->list, backups->count + 1, sizeof *backups->list);
    backups->list[backups->count++] = made;
    clear_failure(backups);
}

static void take(void *context, const json_t *event)
{
    struct backups *backups = context;
    const char *name = json_get_text(event, "event");
    if (strcmp(name, "backup") == 0) {
        add(backups, event);
    } else if (strcmp(name, "end") == 0 && number(event, "exit") != 0) {
        clear_failure(backups);
        backups->failure = mem_dup(json_get_text(event, "message"));
    }
}

static bool is_of_backup(const char *path)
{
    size_t length = strlen(path), end = strlen(JOURNAL_END);
    return length > end && strcmp(path + length - end, JOURNAL_END) == 0;
}

void backups_read(struct backups *backups, const char *folder)
{
    struct names paths = {0};
    backups_free(backups);
    journal_list(folder, &paths);
    for (size_t i = 0; i < paths.count; i++) {
        struct journal_reader reader;
        if (!is_of_backup(paths.list[i]) || !journal_open(&reader, paths.list[i], NULL))
            continue;
        journal_read(&reader, take, backups);
        journal_reader_close(&reader);
    }
    names_free(&paths);
}

const struct backup_made *backups_newest(const struct backups *backups)
{
    for (size_t i = backups->count; i > 0; i--)
        if (backups->list[i - 1].there)
            return &backups->list[i - 1];
    return NULL;
}

/* How to restore. */

/* A word for a shell. Control characters, which no name of use has, are shown as '?'. */
static void add_word(struct buf *out, const char *text)
{
    buf_add(out, "'");
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '\'')
            buf_add(out, "'\\''");
        else
            buf_add_bytes(out, (unsigned char)*c < ' ' || *c == 0x7F ? "?" : c, 1);
    }
    buf_add(out, "'");
}

static void add_option(struct buf *out, const char *option, const char *value)
{
    buf_addf(out, " %s ", option);
    add_word(out, value);
}

static void add_server(struct buf *out, const json_t *event)
{
    add_option(out, "-h", json_get_text(event, "host"));
    buf_addf(out, " -p %lld -U postgres", (long long)number(event, "port"));
}

static void add_statement(struct buf *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add_statement(struct buf *out, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *sql = mem_vprintf(format, arguments);
    va_end(arguments);
    add_option(out, "-c", sql);
    free(sql);
}

static char *identifier(const char *name, const char *more)
{
    struct buf quoted = {0};
    char *whole = mem_printf("%s%s", name, more);
    buf_add_identifier(&quoted, whole);
    free(whole);
    return buf_take(&quoted);
}

void backup_add_commands(struct buf *out, const struct backup_made *backup)
{
    const json_t *event = backup->event;
    const char *program = json_get_text(event, "restore");
    char *schema = identifier(json_get_text(event, "schema"), ""), *aside = identifier(json_get_text(event, "schema"), "_before_restore"),
         *owner = identifier(json_get_text(event, "owner"), "");
    bool is_public = strcmp(schema, "\"public\"") == 0;
    buf_add(out, "psql");
    add_server(out, event);
    add_option(out, "-d", json_get_text(event, "database"));
    buf_add(out, " -X -1 -v ON_ERROR_STOP=1");
    add_statement(out, "ALTER SCHEMA %s RENAME TO %s", schema, aside);
    if (is_public) {
        add_statement(out, "CREATE SCHEMA public AUTHORIZATION %s", owner);
        add_statement(out, "GRANT %s ON SCHEMA public TO PUBLIC", number(event, "server") >= 150000 ? "USAGE" : "ALL");
    }
    buf_add(out, "\n");
    if (is_public) {
        add_word(out, program);
        buf_add(out, " -l ");
        add_word(out, backup->path);
        buf_add(out, " | grep -v '^[0-9]*; 2615 [0-9]* SCHEMA - public ' | ");
    }
    add_word(out, program);
    add_server(out, event);
    add_option(out, "-d", json_get_text(event, "database"));
    buf_addf(out, " --single-transaction%s ", is_public ? " -L /dev/stdin" : "");
    add_word(out, backup->path);
    buf_add(out, "\n");
    free(schema);
    free(aside);
    free(owner);
}
