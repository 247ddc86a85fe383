#include "core/decisions.h"

#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/journal.h"
#include "core/run_view.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const kind_names[] = {"acknowledged", "overruled", "declared", "over", "cancelled the query of", "ended"};

/* A full disk may have left a line without an end: the next one must not be glued to it. */
static bool is_torn(int fd)
{
    char last = '\n';
    off_t size = lseek(fd, 0, SEEK_END);
    return size > 0 && pread(fd, &last, 1, size - 1) == 1 && last != '\n';
}

bool decisions_add(const char *folder, enum decision_kind kind, const char *what, const char *why, struct error *error)
{
    char now[CLOCK_TEXT_SIZE];
    const struct passwd *user = getpwuid(getuid());
    json_t *json = json_pack("{s:s, s:o, s:s, s:o, s:o}", "t", clock_text(clock_wall_ms(), now), "user",
                             json_text(user != NULL ? user->pw_name : "?"), "decision", kind_names[kind], "what", json_text(what), "why", json_text(why));
    char *path = mem_printf("%s/decisions.log", folder), *text = json_dumps(json, JSON_COMPACT);
    int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    char *line = mem_printf("%s%s\n", is_torn(fd) ? "\n" : "", text);
    bool written = fd >= 0 && write(fd, line, strlen(line)) == (ssize_t)strlen(line) && fdatasync(fd) == 0;
    if (!written)
        error_set(error, ERROR_FILE, "can't write %s: %s; free disk space or make the folder writable", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    json_decref(json);
    free(line);
    free(text);
    free(path);
    return written;
}

bool decisions_close(const char *folder, struct error *error)
{
    return decisions_add(folder, DECISION_FORGOTTEN, "upgrade", "", error);
}

static void read_all(const char *folder, journal_event *each, void *context)
{
    struct journal_reader reader;
    char *path = mem_printf("%s/decisions.log", folder);
    if (journal_open(&reader, path, NULL)) {
        journal_read(&reader, each, context);
        journal_reader_close(&reader);
    }
    free(path);
}

struct selection {
    enum decision_kind kind;
    struct names *names;
};

static void select_one(void *context, const json_t *json)
{
    struct selection *selection = context;
    const char *decision = json_get_text(json, "decision"), *what = json_get_text(json, "what");
    if (strcmp(decision, kind_names[DECISION_FORGOTTEN]) == 0)
        names_free(selection->names);
    else if (strcmp(decision, kind_names[selection->kind]) == 0 && !names_have(selection->names, what))
        names_add(selection->names, what);
}

void decisions_read(const char *folder, enum decision_kind kind, struct names *names)
{
    struct selection selection = {kind, names};
    read_all(folder, select_one, &selection);
}

static void list_one(void *context, const json_t *json)
{
    const char *decision = json_get_text(json, "decision");
    if (strcmp(decision, kind_names[DECISION_FORGOTTEN]) == 0)
        return;
    char *sentence = mem_printf("%s: %s %s %s (%s)", json_get_text(json, "t"), json_get_text(json, "user"), decision, json_get_text(json, "what"),
                                json_get_text(json, "why"));
    names_add(context, sentence);
    free(sentence);
}

struct closing {
    int64_t before, at;
};

static void look_for_end(void *context, const json_t *json)
{
    struct closing *closing = context;
    int64_t at = run_view_time(json_get_text(json, "t"));
    if (strcmp(json_get_text(json, "decision"), kind_names[DECISION_FORGOTTEN]) == 0 && at < closing->before)
        closing->at = at;
}

int64_t decisions_closed_before(const char *folder, int64_t before)
{
    struct closing closing = {.before = before};
    read_all(folder, look_for_end, &closing);
    return closing.at;
}

void decisions_list(const char *folder, struct names *sentences)
{
    read_all(folder, list_one, sentences);
}
