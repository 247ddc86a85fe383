#include "core/report.h"

#include "core/backup/backup.h"
#include "core/backup/made.h"
#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/decisions.h"
#include "core/hook_record.h"
#include "core/journal.h"
#include "core/migrations/corrections.h"
#include "core/report_internal.h"
#include "core/run_view.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void apply(void *context, const json_t *event)
{
    run_view_apply(context, event);
}

bool report_read_run(const char *path, struct run_view *view)
{
    struct journal_reader reader;
    *view = (struct run_view){0};
    if (!journal_open(&reader, path, NULL))
        return false;
    journal_read(&reader, apply, view);
    journal_reader_close(&reader);
    return view->command != NULL;
}

void report_add_text(struct buf *out, const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        bool wide = (unsigned char)c[0] == 0xC2 && (unsigned char)c[1] >= 0x80 && (unsigned char)c[1] <= 0x9F;   /* a control character of two bytes */
        c += wide ? 1 : 0;
        if (strchr("|<[\\", *c) != NULL)
            buf_add(out, "\\");
        buf_add_bytes(out, wide || (unsigned char)*c < ' ' || *c == 0x7F ? " " : c, 1);
    }
}

void report_add_cell(struct buf *out, const char *text)
{
    buf_add(out, "| ");
    report_add_text(out, text);
    buf_add(out, " ");
}

static const char *outcome(const struct run_view *view, const char *path)
{
    if (view->ended)
        return view->result;
    return journal_alive(path) ? "running" : "cut short";
}

static void add_figure(struct buf *out, double ms)
{
    buf_addf(out, ms >= 0 ? "| %.1f " : "| ", ms);
}

static void add_changes(struct buf *out, const struct run_view *view)
{
    static const char *const words[] = {"not made", "begun", "made", "was there already", "not made"};
    if (view->change_count == 0)
        return;
    buf_add(out, "\n| change | outcome | ms | lock | worst stall, ms | 99 % under, ms | correction |\n| --- | --- | ---: | --- | ---: | ---: | --- |\n");
    for (size_t i = 0; i < view->change_count; i++) {
        const struct run_change *each = &view->changes[i];
        report_add_cell(out, each->what);
        report_add_cell(out, words[each->progress]);
        buf_addf(out, each->ms >= 0 ? "| %lld " : "| ", (long long)each->ms);
        report_add_cell(out, each->lock);
        add_figure(out, each->worst_ms);
        add_figure(out, each->p99_ms);
        report_add_cell(out, each->correction);
        buf_add(out, "|\n");
    }
}

static void add_proof(struct buf *out, const struct run_view *view)
{
    if (view->proven > 0)
        buf_addf(out, "\nProven: %lld statements that Kong's nodes issue were run and rolled back, and worked.\n", (long long)view->proven);
    if (view->unproven != NULL) {
        buf_add(out, "\nNot proven: this one failed, and the run stopped:\n\n    ");
        for (const char *c = view->unproven; *c != '\0'; c++)
            buf_add_bytes(out, (unsigned char)*c < ' ' ? " " : c, 1);
        buf_add(out, "\n");
    }
}

static void add_corrections(struct buf *out, const struct run_view *view)
{
    for (const struct correction *each = corrections; each->id != NULL; each++) {
        bool used = false;
        for (size_t i = 0; i < view->change_count && !used; i++)
            used = strcmp(view->changes[i].correction, each->id) == 0;
        if (used)
            buf_addf(out, "\n%s: %s %s (%s)\n", each->id, each->fact, each->ours, each->source);
    }
}

#define KONG_LINES_TOLD 20

/* The last that Kong's own command said. */
static void add_kong(struct buf *out, const struct run_view *view)
{
    static const char prefix[] = RUN_VIEW_KONG;
    size_t first = view->log.count;
    if (view->kong == NULL)
        return;
    buf_add(out, "\nRun by Kong's own command, ");
    report_add_text(out, view->kong);
    buf_add(out, ", which said in the end:\n\n");
    for (size_t told = 0; first > 0 && told < KONG_LINES_TOLD; first--)
        told += strncmp(view->log.list[first - 1], prefix, strlen(prefix)) == 0 ? 1 : 0;
    for (size_t i = first; i < view->log.count; i++)
        if (strncmp(view->log.list[i], prefix, strlen(prefix)) == 0) {
            buf_add(out, "- ");
            report_add_text(out, view->log.list[i] + strlen(prefix));
            buf_add(out, "\n");
        }
}

/* What a rollback has lost is nowhere else. */
static void add_lost(struct buf *out, const struct run_view *view)
{
    bool told = false;
    for (size_t i = 0; i < view->log.count; i++) {
        if (strncmp(view->log.list[i], JOURNAL_LOST, strlen(JOURNAL_LOST)) != 0)
            continue;
        buf_add(out, told ? "- " : "\nLost by it:\n\n- ");
        report_add_text(out, view->log.list[i] + strlen(JOURNAL_LOST));
        buf_add(out, "\n");
        told = true;
    }
}

static void add_run(struct buf *out, const char *path)
{
    struct run_view view;
    char began[CLOCK_TEXT_SIZE];
    if (report_read_run(path, &view)) {
        buf_add(out, "\n### ");
        report_add_text(out, view.command);
        buf_addf(out, ", %s: ", clock_text(view.started_ms, began));
        report_add_text(out, outcome(&view, path));
        buf_add(out, "\n\nBy ");
        report_add_text(out, view.user);
        buf_add(out, " on ");
        report_add_text(out, view.host);
        buf_addf(out, ", %.1f s, %zu wait%s for a lock.\n", (double)(view.last_ms - view.started_ms) / 1000.0, view.wait_count,
                 view.wait_count == 1 ? "" : "s");
        if (view.message != NULL && view.message[0] != '\0') {
            buf_add(out, "\n");
            report_add_text(out, view.message);
            buf_add(out, ".\n");
        }
        add_kong(out, &view);
        add_lost(out, &view);
        add_changes(out, &view);
        add_proof(out, &view);
        add_corrections(out, &view);
    }
    run_view_free(&view);
}

static void add_backup(struct buf *out, const struct backup_made *backup)
{
    char as_of[CLOCK_TEXT_SIZE];
    buf_addf(out, "\n### Backup as of %s%s\n\n", clock_text(backup->as_of_ms, as_of), backup->there ? "" : ": the file is gone");
    report_add_text(out, backup->path);
    buf_addf(out, ", %.1f MB, %lld rows of %lld tables, counted in the database and again in the archive.\n", (double)backup->bytes / 1e6,
             (long long)backup->rows, (long long)backup->tables);
    if (!backup->there)
        return;
    buf_addf(out, "\nTo restore it, stop all Kong nodes, old and new, and run as a superuser of the database (the role postgres here):\n\n");
    struct buf commands = {0};
    backup_add_commands(&commands, backup);
    for (const char *line = buf_text(&commands); *line != '\0';) {
        size_t length = strcspn(line, "\n") + 1;
        buf_add(out, "    ");
        buf_add_bytes(out, line, length);
        line += length;
    }
    buf_free(&commands);
    buf_add(out, "\nThen start the old nodes. Everything written to Kong since that time is lost to it: entities, credentials, tokens. What is in the"
                 " database now stays in it, in a schema whose name ends in \\_before\\_restore; drop that once you don't need it.\n");
}

static void add_backups(struct buf *out, const char *folder)
{
    struct backups backups = {0};
    backups_read(&backups, folder);
    buf_add(out, "\n## Backups\n");
    for (size_t i = 0; i < backups.count; i++)
        add_backup(out, &backups.list[i]);
    if (backups.count == 0)
        buf_add(out, "\nNone was made from this machine.\n");
    backups_free(&backups);
}

/* What a hook said last, in few lines: all of it is in its record. */
#define HOOK_LINES_TOLD 5

static void add_hook(struct buf *out, const struct hook_record *record)
{
    char began[CLOCK_TEXT_SIZE], *sentence = hook_record_sentence(record);
    buf_addf(out, "- %s: ", clock_text(record->started_ms, began));
    report_add_text(out, record->user);
    buf_add(out, " on ");
    report_add_text(out, record->host);
    buf_add(out, ": ");
    report_add_text(out, sentence);
    if (record->ended_ms > 0)
        buf_addf(out, ", after %.1f s", (double)(record->ended_ms - record->started_ms) / 1000.0);
    buf_add(out, ". Command: ");
    report_add_text(out, record->command);
    buf_add(out, "\n");
    size_t count = record->lines.count, first = count > HOOK_LINES_TOLD ? count - HOOK_LINES_TOLD : 0;
    for (size_t i = first; i < count; i++) {
        buf_add(out, "  - ");
        report_add_text(out, record->lines.list[i]);
        buf_add(out, "\n");
    }
    free(sentence);
}

static void add_hooks(struct buf *out, const char *folder)
{
    struct names paths = {0};
    hook_record_list(folder, &paths);
    if (paths.count > 0)
        buf_add(out, "\n## Hooks\n\n");
    for (size_t i = 0; i < paths.count; i++) {
        struct hook_record record;
        if (hook_record_read(paths.list[i], &record))
            add_hook(out, &record);
        hook_record_free(&record);
    }
    names_free(&paths);
}

static json_t *hooks_json(const char *folder)
{
    struct names paths = {0};
    json_t *hooks = json_array();
    hook_record_list(folder, &paths);
    for (size_t i = 0; i < paths.count; i++) {
        struct hook_record record;
        if (hook_record_read(paths.list[i], &record))
            json_array_append_new(hooks, hook_record_json(&record));
        hook_record_free(&record);
    }
    names_free(&paths);
    return hooks;
}

static void add_database(struct buf *out, const struct state *state)
{
    if (state == NULL) {
        buf_add(out, "\nThe database does not answer.\n");
        return;
    }
    char *database = mem_printf("%s at %s:%d, schema %s", state->database, state->host, state->port, state->schema);
    const char *const rows[][2] = {{"database", database}, {"PostgreSQL", state->server_version}, {"stage", stage_name(state->stage)},
                                   {"version", state->version != NULL ? state->version : "-"}};
    buf_add(out, "\n| | |\n| --- | --- |\n");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        report_add_cell(out, rows[i][0]);
        report_add_cell(out, rows[i][1]);
        buf_add(out, "|\n");
    }
    free(database);
}

char *report_markdown(const char *folder, const struct state *state)
{
    struct buf out = {0};
    struct names paths = {0}, sentences = {0};
    char now[CLOCK_TEXT_SIZE];
    buf_addf(&out, "# Kong upgrade to 1.3\n\nWritten %s by kong-upgrade %s.\n", clock_text(clock_wall_ms(), now), KONG_UPGRADE_VERSION);
    add_database(&out, state);
    report_add_summary(&out, folder);
    buf_add(&out, "\n## Runs\n");
    journal_list(folder, &paths);
    for (size_t i = 0; i < paths.count; i++)
        add_run(&out, paths.list[i]);
    if (paths.count == 0)
        buf_add(&out, "\nNone from this machine.\n");
    add_backups(&out, folder);
    add_hooks(&out, folder);
    decisions_list(folder, &sentences);
    buf_add(&out, "\n## Decisions\n\n");
    for (size_t i = 0; i < sentences.count; i++) {
        buf_add(&out, "- ");
        report_add_text(&out, sentences.list[i]);
        buf_add(&out, "\n");
    }
    if (sentences.count == 0)
        buf_add(&out, "None.\n");
    names_free(&sentences);
    names_free(&paths);
    return buf_take(&out);
}

static json_t *figure_json(double ms)
{
    return ms >= 0 ? json_real(ms) : json_null();
}

static json_t *change_json(const struct run_change *each)
{
    static const char *const words[] = {"to_do", "begun", "done", "already", "failed"};
    return json_pack("{s:o, s:o, s:s, s:I, s:o, s:o, s:o}", "id", json_text(each->id), "what", json_text(each->what), "outcome",
                     words[each->progress], "ms", (json_int_t)each->ms, "worst_stall_ms", figure_json(each->worst_ms), "p99_stall_ms",
                     figure_json(each->p99_ms), "correction", each->correction[0] != '\0' ? json_text(each->correction) : json_null());
}

static json_t *run_json(const char *path)
{
    struct run_view view;
    char began[CLOCK_TEXT_SIZE];
    json_t *json = NULL;
    if (report_read_run(path, &view)) {
        json_t *changes = json_array();
        for (size_t i = 0; i < view.change_count; i++)
            json_array_append_new(changes, change_json(&view.changes[i]));
        json = json_pack("{s:o, s:s, s:I, s:o, s:o, s:s, s:o, s:i, s:o, s:I, s:o, s:o}", "command", json_text(view.command), "began", clock_text(view.started_ms, began),
                         "ms", (json_int_t)(view.last_ms - view.started_ms), "user", json_text(view.user), "host", json_text(view.host),
                         "outcome", outcome(&view, path), "message", json_text(view.message), "waits", (int)view.wait_count, "changes", changes,
                         "proven", (json_int_t)view.proven, "unproven", json_text(view.unproven), "kong", json_text(view.kong));
    }
    run_view_free(&view);
    return json;
}

static json_t *backups_json(const char *folder)
{
    struct backups backups = {0};
    json_t *json = json_array();
    backups_read(&backups, folder);
    for (size_t i = 0; i < backups.count; i++) {
        const struct backup_made *each = &backups.list[i];
        struct buf commands = {0};
        backup_add_commands(&commands, each);
        json_array_append_new(json, json_pack("{s:O, s:I, s:I, s:I, s:O, s:b, s:o}", "path", json_object_get(each->event, "path"), "bytes", (json_int_t)each->bytes, "rows",
            (json_int_t)each->rows, "tables", (json_int_t)each->tables, "as_of", json_object_get(each->event, "as_of"), "there", each->there, "restore",
            json_text(buf_text(&commands))));
        buf_free(&commands);
    }
    backups_free(&backups);
    return json;
}

json_t *report_json(const char *folder, const struct state *state)
{
    struct names paths = {0}, sentences = {0};
    json_t *runs = json_array();
    journal_list(folder, &paths);
    for (size_t i = 0; i < paths.count; i++) {
        json_t *run = run_json(paths.list[i]);
        if (run != NULL)
            json_array_append_new(runs, run);
    }
    decisions_list(folder, &sentences);
    json_t *json = json_pack("{s:o, s:o, s:o, s:o, s:o}", "state", state != NULL ? state_json(state) : json_null(), "runs", runs, "backups",
                             backups_json(folder), "hooks", hooks_json(folder),
                             "decisions", json_names(&sentences));
    report_set_summary(json, folder);
    names_free(&sentences);
    names_free(&paths);
    return json;
}

bool report_save(const char *path, const char *markdown, struct error *error)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool written = fd >= 0 && write(fd, markdown, strlen(markdown)) == (ssize_t)strlen(markdown) && fsync(fd) == 0;
    if (!written)
        error_set(error, ERROR_FILE, "can't write the report to %s: %s; choose another place", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return written;
}
