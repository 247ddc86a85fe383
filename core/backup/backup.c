#include "core/backup/backup_internal.h"

#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/db/lock.h"
#include "core/db/pg.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TELL_MS 1000

static const char *const part_ids[PARTS] = {"backup/count", "backup/dump", "backup/list", "backup/rows"};

/* What is told meanwhile. */

static void tell_part(struct backup *backup, const char *state, bool timed)
{
    json_t *event = json_pack("{s:s, s:s, s:s}", "event", "change", "id", part_ids[backup->part], "state", state);
    if (timed)
        json_object_set_new(event, "ms", json_integer(clock_ms() - backup->begun));
    journal_add(backup->journal, true, event);
}

void backup_tell_progress(struct backup *backup, int64_t rows, int64_t total)
{
    if (clock_ms() - backup->told_at < TELL_MS)
        return;
    backup->told_at = clock_ms();
    json_t *event = json_pack("{s:s, s:s, s:I, s:I}", "event", "progress", "id", part_ids[backup->part], "rows", (json_int_t)rows, "total",
                              (json_int_t)(total > rows ? total : rows));
    if (backup->part == PART_DUMP)
        json_object_set_new(event, "bytes", json_integer(backup_file_size(&backup->file)));
    journal_add(backup->journal, false, event);
}

void backup_notice_stop(struct backup *backup)
{
    if (*backup->stop && !backup->stop_told)
        journal_add(backup->journal, true, json_pack("{s:s}", "event", "stop"));
    backup->stop_told = *backup->stop;
}

static bool on_wait(void *context)
{
    struct backup *backup = context;
    backup_notice_stop(backup);
    return !*backup->stop;
}

static bool run_part(struct backup *backup, enum part part, bool (*run)(struct backup *backup, struct error *error), struct error *error)
{
    if (*backup->stop) {
        backup_notice_stop(backup);
        return error_set(error, ERROR_STOPPED, "stopped as asked");
    }
    backup->part = part;
    backup->begun = backup->told_at = clock_ms();
    tell_part(backup, "begin", false);
    bool done = run(backup, error);
    tell_part(backup, done ? "done" : "failed", true);
    return done;
}

static json_t *part_json(const struct backup *backup, enum part part, char *what)
{
    bool server = part == PART_COUNT || part == PART_DUMP;
    json_t *json = json_pack("{s:s, s:o, s:s, s:s, s:b, s:b, s:I, s:I, s:n}", "id", part_ids[part], "what", json_text(what), "table", "", "lock",
                             server ? "ACCESS SHARE" : "", "rewrite", false, "scan", true, "rows", (json_int_t)backup->rows_guessed, "bytes",
                             (json_int_t)backup->bytes, "correction");
    free(what);
    return json;
}

static void tell_plan(struct backup *backup)
{
    json_t *parts = json_array();
    json_array_append_new(parts, part_json(backup, PART_COUNT, mem_printf("count the rows of %zu tables", backup->count)));
    json_array_append_new(parts, part_json(backup, PART_DUMP, mem_printf("dump schema %s to %s", pg_schema(backup->pg), backup->file.path)));
    json_array_append_new(parts, part_json(backup, PART_LIST, mem_dup("look for every table in the archive")));
    json_array_append_new(parts, part_json(backup, PART_ROWS, mem_dup("read the archive and count its rows")));
    journal_add(backup->journal, true, json_pack("{s:s, s:o}", "event", "plan", "changes", parts));
}

/* The database: what there is, as of one snapshot. */

/* Those that pg_dump writes data of: not an extension's. */
static const char tables_sql[] =
    "SELECT c.oid, c.relname, greatest(c.reltuples, 0)::bigint, pg_catalog.pg_table_size(c.oid) FROM pg_catalog.pg_class c"
    " WHERE c.relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = $1) AND c.relkind = 'r'"
    " AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')"
    " ORDER BY c.relname::text COLLATE \"C\"";

static bool read_tables(struct backup *backup, struct error *error)
{
    const char *const values[] = {pg_schema(backup->pg)};
    PGresult *result = pg_query_params(backup->pg, error, tables_sql, 1, values);
    if (result == NULL)
        return false;
    int rows = PQntuples(result);
    backup->tables = mem_zero((size_t)rows + 1, sizeof *backup->tables);
    for (int row = 0; row < rows; row++) {
        backup->tables[backup->count++] = (struct dumped_table){.oid = atoll(PQgetvalue(result, row, 0)), .name = mem_dup(PQgetvalue(result, row, 1)), .rows_read = -1};
        backup->rows_guessed += atoll(PQgetvalue(result, row, 2));
        backup->bytes += atoll(PQgetvalue(result, row, 3));
    }
    PQclear(result);
    return rows > 0 || error_set(error, ERROR_REFUSED, "schema %s of %s has no table: there is nothing to back up", pg_schema(backup->pg), pg_where(backup->pg));
}

static bool take_snapshot(struct backup *backup, struct error *error)
{
    if (!pg_runf(backup->pg, error, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL row_security = off; SET LOCAL lock_timeout = %d", BACKUP_LOCK_WAIT_MS))
        return false;
    const char *const values[] = {pg_schema(backup->pg)};
    PGresult *result = pg_query_params(backup->pg, error, "SELECT pg_catalog.pg_export_snapshot(), coalesce((SELECT pg_catalog.pg_get_userbyid(nspowner)"
                                       " FROM pg_catalog.pg_namespace WHERE nspname = $1), current_user)", 1, values);
    if (result == NULL)
        return false;
    clock_text(clock_wall_ms(), backup->as_of);
    backup->snapshot = mem_dup(PQgetvalue(result, 0, 0));
    backup->owner = mem_dup(PQgetvalue(result, 0, 1));
    PQclear(result);
    return true;
}

static bool count_table(struct backup *backup, struct dumped_table *table, struct error *error)
{
    struct buf sql = {0};
    buf_add(&sql, "SELECT count(*) FROM ONLY ");
    buf_add_identifier(&sql, pg_schema(backup->pg));
    buf_add(&sql, ".");
    buf_add_identifier(&sql, table->name);
    PGresult *result = pg_query(backup->pg, error, buf_text(&sql));
    buf_free(&sql);
    if (result == NULL && error->code == ERROR_LOCK)
        return error_set(error, ERROR_LOCK, "another session has locked table %s for longer than %d s: end it, or try again later", table->name,
                         BACKUP_LOCK_WAIT_MS / 1000);
    if (result == NULL)
        return false;
    table->rows = atoll(PQgetvalue(result, 0, 0));
    backup->rows += table->rows;
    PQclear(result);
    return true;
}

static bool count_tables(struct backup *backup, struct error *error)
{
    json_t *counts = json_array();
    bool counted = true;
    for (size_t i = 0; counted && i < backup->count; i++) {
        counted = count_table(backup, &backup->tables[i], error);
        json_array_append_new(counts, json_pack("{s:o, s:I}", "name", json_text(backup->tables[i].name), "rows", (json_int_t)backup->tables[i].rows));
        backup_tell_progress(backup, backup->rows, backup->rows_guessed);
    }
    if (counted)
        journal_add(backup->journal, false, json_pack("{s:s, s:o}", "event", "rows", "tables", counts));
    else
        json_decref(counts);
    return counted;
}

/* pg_dump. */

struct dumped_table *backup_find_table(struct backup *backup, const char *name)
{
    for (size_t i = 0; i < backup->count; i++)
        if (strcmp(backup->tables[i].name, name) == 0)
            return &backup->tables[i];
    return NULL;
}

/* With --verbose it says: pg_dump: dumping contents of table "public.routes" */
static void on_dump_line(void *context, const char *line, size_t length)
{
    static const char words[] = "dumping contents of table \"";
    struct backup *backup = context;
    const char *found = strstr(line, words);
    size_t schema = strlen(pg_schema(backup->pg));
    if (found == NULL || line[length - 1] != '"' || strlen(found) < sizeof words + schema)
        return;
    char *name = mem_dup(found + strlen(words) + schema + 1);
    name[strlen(name) - 1] = '\0';
    struct dumped_table *table = backup_find_table(backup, name);
    free(name);
    if (table == NULL)
        return;
    if (backup->dumping < backup->count)
        backup->rows_before += backup->tables[backup->dumping].rows;
    backup->dumping = (size_t)(table - backup->tables);
}

/* How far it is within the table, where the server tells (PostgreSQL 14). */
static int64_t rows_of_current(struct backup *backup)
{
    static const char sql[] =
        "SELECT coalesce(sum(p.tuples_processed), 0)::bigint FROM (SELECT pg_catalog.pg_stat_clear_snapshot()) fresh, pg_catalog.pg_stat_progress_copy p"
        " WHERE p.datname = current_database() AND p.relid = $1::oid AND p.command = 'COPY TO'";
    char oid[24];
    const char *const values[] = {oid};
    if (pg_server_version(backup->pg) < 140000 || pg_lost(backup->pg) || backup->dumping >= backup->count)
        return 0;
    snprintf(oid, sizeof oid, "%lld", backup->tables[backup->dumping].oid);
    PGresult *result = pg_query_params(backup->pg, NULL, sql, 1, values);
    int64_t rows = result != NULL && PQntuples(result) == 1 ? atoll(PQgetvalue(result, 0, 0)) : 0;
    PQclear(result);
    return rows < backup->tables[backup->dumping].rows ? rows : backup->tables[backup->dumping].rows;
}

static void on_dump_tick(void *context)
{
    struct backup *backup = context;
    backup_notice_stop(backup);
    if (clock_ms() - backup->told_at < TELL_MS || *backup->stop)
        return;
    int64_t rows = backup->rows_before + rows_of_current(backup);
    backup->rows_dumped = rows > backup->rows_dumped ? rows : backup->rows_dumped;   /* between two tables the server tells nothing */
    backup_tell_progress(backup, backup->rows_dumped, backup->rows);
}

/* A pattern of pg_dump's in which nothing is special but the quotes. */
static char *schema_pattern(const struct backup *backup)
{
    struct buf pattern = {0};
    buf_add(&pattern, "--schema=");
    buf_add_identifier(&pattern, pg_schema(backup->pg));
    return buf_take(&pattern);
}

static bool dump(struct backup *backup, struct error *error)
{
    char *schema = schema_pattern(backup), *snapshot = mem_printf("--snapshot=%s", backup->snapshot), *wait = mem_printf("--lock-wait-timeout=%d", BACKUP_LOCK_WAIT_MS);
    const char *const arguments[] = {backup->tools.dump, "--format=custom", "--no-password", "--verbose", wait, snapshot, schema, NULL};
    const struct tool_call call = {.arguments = arguments, .input = -1, .output = backup->file.fd, .on_line = on_dump_line, .on_tick = on_dump_tick,
                                   .context = backup, .stop = backup->stop};
    backup->dumping = backup->count;
    bool done = tool_run(&backup->tools, &call, error) && backup_file_sync(&backup->file, error);
    free(schema);
    free(snapshot);
    free(wait);
    return done;
}

/* The whole. */

static void tell_backup(struct backup *backup)
{
    const struct datastore *store = backup->job->datastore;
    journal_add(backup->journal, true,
        json_pack("{s:s, s:o, s:I, s:I, s:I, s:s, s:o, s:i, s:o, s:o, s:o, s:i, s:o}", "event", "backup", "path", json_text(backup->file.path),
        "bytes", (json_int_t)backup_file_size(&backup->file), "tables", (json_int_t)backup->count, "rows", (json_int_t)backup->rows, "as_of", backup->as_of,
        "host", json_text(store->host), "port", store->port, "database", json_text(store->database), "schema", json_text(pg_schema(backup->pg)), "owner",
        json_text(backup->owner), "server", backup->server_version, "restore", json_text(backup->tools.restore)));
}

/* `kong migrations` may be at work; what a dead worker of ours left is in nobody's way. */
static bool nobody_migrates(struct backup *backup, struct error *error)
{
    struct lock_info lock;
    if (!lock_take_session(backup->pg, error) || !lock_read(backup->pg, &lock, error))
        return false;
    bool ours = lock.held && strncmp(lock.owner, LOCK_OWNER_PREFIX, strlen(LOCK_OWNER_PREFIX)) == 0;
    bool busy = lock.held && !ours;
    if (busy)
        error_set(error, ERROR_HELD, "Kong's migrations lock is held by %s until %s: wait until it has ended, then try again", lock.owner, lock.expires);
    lock_info_free(&lock);
    return !busy;
}

static bool make(struct backup *backup, struct error *error)
{
    backup->pg = pg_connect(backup->job->datastore, LOCK_BACKUP_ROLE, 0, error);
    if (backup->pg == NULL)
        return false;
    backup->server_version = pg_server_version(backup->pg);
    pg_set_tick(backup->pg, on_wait, backup);
    if (!nobody_migrates(backup, error) || !tools_find(&backup->tools, backup->job->datastore, backup->server_version, backup->stop, error) ||
        !take_snapshot(backup, error) || !read_tables(backup, error) ||
        !backup_file_open(&backup->file, backup->job->folder, backup->job->datastore->database, backup->bytes + BACKUP_MARGIN_BYTES, error))
        return false;
    tell_plan(backup);
    return run_part(backup, PART_COUNT, count_tables, error) && run_part(backup, PART_DUMP, dump, error) && run_part(backup, PART_LIST, backup_list, error) &&
           run_part(backup, PART_ROWS, backup_read_rows, error) && backup_file_keep(&backup->file, error);
}

static struct run_outcome outcome_of(const struct backup *backup, bool made, const struct error *error)
{
    if (made)
        return (struct run_outcome){RUN_DONE, 0, mem_printf("the backup is made and verified: %s, %.1f MB, %zu tables, %lld rows", backup->file.path,
            (double)backup_file_size(&backup->file) / 1e6, backup->count, (long long)backup->rows)};
    if (error->code == ERROR_STOPPED || *backup->stop)
        return (struct run_outcome){RUN_PAUSED, 10, mem_dup("stopped as asked; no backup was made, and nothing of it is left")};
    bool held = error->code == ERROR_HELD;
    return (struct run_outcome){held ? RUN_HELD : RUN_FAILED, held ? 9 : 1, mem_printf("no backup was made: %s", error->message)};
}

struct run_outcome backup_run(const struct run_job *job, struct journal *journal, const volatile sig_atomic_t *stop)
{
    struct backup backup = {.job = job, .journal = journal, .stop = stop, .tools = {.passfile = -1}, .file = {.folder_fd = -1, .fd = -1}};
    struct error error = {0};
    bool made = make(&backup, &error);
    if (made)
        tell_backup(&backup);
    struct run_outcome outcome = outcome_of(&backup, made, &error);
    backup_file_close(&backup.file);
    tools_free(&backup.tools);
    pg_close(backup.pg);
    for (size_t i = 0; i < backup.count; i++)
        free(backup.tables[i].name);
    free(backup.tables);
    free(backup.snapshot);
    free(backup.owner);
    error_clear(&error);
    return outcome;
}

char *backup_default_folder(const struct datastore *datastore, struct error *error)
{
    char *state = journal_folder(datastore, false, error);
    char *folder = state != NULL ? mem_printf("%s/backups", state) : NULL;
    free(state);
    return folder;
}

char *backup_absolute_folder(const char *folder)
{
    const char *home = getenv("HOME");
    if (folder[0] == '~' && (folder[1] == '/' || folder[1] == '\0') && home != NULL)
        return mem_printf("%s%s", home, folder + 1);
    if (folder[0] == '/')
        return mem_dup(folder);
    char *here = getcwd(NULL, 0);
    char *path = here != NULL ? mem_printf("%s/%s", here, folder) : mem_dup(folder);
    free(here);
    return path;
}
