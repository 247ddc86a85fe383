#include "core/hook_record.h"

#include "core/base/clock.h"
#include "core/base/folder.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/journal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SUFFIX ".hook"
#define READ_AT_ONCE (1 << 20)   /* what is before that, of a hook that says more than anyone can read, is passed over */

static const char *const result_names[] = {"running", "done", "failed", "late", "stopped", "cut short"};

const char *hook_result_name(enum hook_result result)
{
    return result_names[result];
}

/* Reading. */

/* As the journal writes it. */
static int64_t wall_ms(const char *text)
{
    struct tm tm = {0};
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
    return rest == NULL ? 0 : (int64_t)timegm(&tm) * 1000 + (rest[0] == '.' ? atoi(rest + 1) : 0);
}

static char *copy_text(const json_t *event, const char *key)
{
    return mem_dup(json_get_text(event, key));
}

static void read_names(const json_t *array, struct names *names)
{
    const json_t *each;
    size_t i;
    json_array_foreach(array, i, each)
        names_add(names, json_string_value(each) != NULL ? json_string_value(each) : "");
}

static void read_start(struct hook_record *record, const json_t *event)
{
    const char *name = json_get_text(event, "hook");
    struct names arguments = {0};
    hook_record_free(record);
    for (int kind = 0; kind < HOOKS; kind++)
        if (strcmp(hook_name((enum hook_kind)kind), name) == 0)
            record->kind = (enum hook_kind)kind;
    read_names(json_object_get(event, "arguments"), &arguments);
    record->command = hook_join(&arguments);
    names_free(&arguments);
    record->percent = (int)json_integer_value(json_object_get(event, "percent"));
    record->node = json_is_string(json_object_get(event, "node")) ? copy_text(event, "node") : NULL;
    record->user = copy_text(event, "user");
    record->host = copy_text(event, "host");
    record->pid = (pid_t)json_integer_value(json_object_get(event, "pid"));
    record->started_ms = wall_ms(json_get_text(event, "t"));
    record->exit_code = -1;
    record->message = mem_dup("");
}

static void read_end(struct hook_record *record, const json_t *event)
{
    record->result = HOOK_FAILED;
    for (size_t j = 0; j < sizeof result_names / sizeof result_names[0]; j++)
        if (strcmp(result_names[j], json_get_text(event, "result")) == 0)
            record->result = (enum hook_result)j;
    record->exit_code = (int)json_integer_value(json_object_get(event, "exit"));
    record->ended_ms = wall_ms(json_get_text(event, "t"));
    record->dropped = (size_t)json_integer_value(json_object_get(event, "dropped"));
    free(record->message);
    record->message = copy_text(event, "message");
    read_names(json_object_get(event, "lines"), &record->lines);
}

static void read_event(void *context, const json_t *event)
{
    struct hook_record *record = context;
    if (strcmp(json_get_text(event, "event"), "start") == 0)
        read_start(record, event);
    else if (strcmp(json_get_text(event, "event"), "end") == 0 && record->command != NULL && record->ended_ms == 0)
        read_end(record, event);
}

/* Whether it lives is asked before: one that ends meanwhile is then not taken for one that was cut short. */
bool hook_record_read(const char *path, struct hook_record *record)
{
    struct journal_reader reader;
    bool alive = journal_alive(path);
    *record = (struct hook_record){0};
    if (!journal_open(&reader, path, NULL))
        return false;
    journal_read(&reader, read_event, record);
    journal_reader_close(&reader);
    if (record->result == HOOK_RUNS && !alive) {
        record->result = HOOK_CUT;
        free(record->message);
        record->message = mem_dup("the process that ran it was killed; whether it went on is not known");
    }
    return record->command != NULL;
}

void hook_record_free(struct hook_record *record)
{
    free(record->command);
    free(record->node);
    free(record->user);
    free(record->host);
    free(record->message);
    names_free(&record->lines);
    *record = (struct hook_record){0};
}

void hook_record_list(const char *folder, struct names *paths)
{
    folder_list(folder, SUFFIX, paths);
}

bool hook_record_diverted(const char *folder, int *percent, int64_t *at)
{
    struct names paths = {0};
    bool found = false;
    hook_record_list(folder, &paths);
    for (size_t i = paths.count; i > 0 && !found; i--) {
        struct hook_record record;
        found = hook_record_read(paths.list[i - 1], &record) && record.kind == HOOK_DIVERT && record.result == HOOK_DONE;
        if (found) {
            *percent = record.percent;
            *at = record.ended_ms;
        }
        hook_record_free(&record);
    }
    names_free(&paths);
    return found;
}

/* Telling. */

char *hook_record_title(const struct hook_record *record)
{
    if (record->kind == HOOK_DIVERT)
        return mem_printf("divert to %d %%", record->percent);
    return mem_printf("%s%s%s", hook_name(record->kind), record->node != NULL ? " " : "", record->node != NULL ? record->node : "");
}

char *hook_record_sentence(const struct hook_record *record)
{
    static const char *const words[] = {"runs", "went well", "failed", "took too long and was ended", "was stopped", "was cut short"};
    char *title = hook_record_title(record);
    char *sentence = mem_printf("%s %s%s%s", title, words[record->result], record->message[0] != '\0' ? ": " : "", record->message);
    free(title);
    return sentence;
}

json_t *hook_record_json(const struct hook_record *record)
{
    char began[CLOCK_TEXT_SIZE];
    json_t *json = json_pack("{s:s, s:o, s:s, s:o, s:o, s:s, s:o, s:o, s:o}", "hook", hook_name(record->kind), "command", json_text(record->command),
                             "began", clock_text(record->started_ms, began), "user", json_text(record->user), "host", json_text(record->host),
                             "outcome", hook_result_name(record->result), "exit", record->exit_code >= 0 ? json_integer(record->exit_code) : json_null(),
                             "message", json_text(record->message), "lines", json_names(&record->lines));
    if (record->ended_ms > 0)
        json_object_set_new(json, "ms", json_integer(record->ended_ms - record->started_ms));
    if (record->kind == HOOK_DIVERT)
        json_object_set_new(json, "percent", json_integer(record->percent));
    if (record->node != NULL)
        json_object_set_new(json, "node", json_text(record->node));
    return json;
}

/* Following. */

char *hook_output_path(const char *record_path)
{
    return mem_printf("%.*s.out", (int)(strlen(record_path) - strlen(SUFFIX)), record_path);
}

void hook_output_read(int fd, int64_t *offset, struct hook_lines *lines)
{
    char bytes[16384];
    ssize_t got;
    struct stat status;
    if (fstat(fd, &status) != 0)
        return;
    if (status.st_size - *offset > READ_AT_ONCE)
        *offset = status.st_size - READ_AT_ONCE;
    while (*offset < status.st_size && (got = pread(fd, bytes, sizeof bytes, *offset)) > 0) {
        *offset += got;
        hook_lines_add(lines, bytes, (size_t)got);
    }
}

static void read_output(struct hook_follower *follower)
{
    char *path = hook_output_path(follower->path);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0) {
        hook_output_read(fd, &follower->offset, &follower->lines);
        close(fd);
    }
    free(path);
}

/* The record has all that counts, also of what was said between two looks. */
static void take_lines(struct hook_follower *follower)
{
    hook_lines_free(&follower->lines);
    for (size_t i = 0; i < follower->record.lines.count; i++) {
        hook_lines_add(&follower->lines, follower->record.lines.list[i], strlen(follower->record.lines.list[i]));
        hook_lines_end(&follower->lines);
    }
    follower->lines.dropped = follower->record.dropped;
}

void hook_follow_read(struct hook_follower *follower)
{
    struct hook_record record;
    if (follower->path == NULL || follower->record.ended_ms > 0)
        return;
    read_output(follower);
    if (!hook_record_read(follower->path, &record)) {
        hook_record_free(&record);
        return;
    }
    hook_record_free(&follower->record);
    follower->record = record;
    if (record.ended_ms > 0)
        take_lines(follower);
}

void hook_follow(struct hook_follower *follower, const char *path)
{
    hook_follow_end(follower);
    follower->path = mem_dup(path);
    hook_follow_read(follower);
}

void hook_follow_end(struct hook_follower *follower)
{
    free(follower->path);
    hook_record_free(&follower->record);
    hook_lines_free(&follower->lines);
    *follower = (struct hook_follower){0};
}
