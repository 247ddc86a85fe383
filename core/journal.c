#include "core/journal.h"

#include "core/base/ascii.h"
#include "core/base/clock.h"
#include "core/base/folder.h"
#include "core/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NAME_PART_LIMIT 60   /* a file system takes 255 bytes; a host name alone may have as many */

static uint64_t hash_of(const char *text)
{
    uint64_t hash = 0xCBF29CE484222325;   /* FNV-1a */
    for (; *text != '\0'; text++)
        hash = (hash ^ (unsigned char)*text) * 0x100000001B3;
    return hash;
}

void journal_add_file_name(struct buf *path, const char *name)
{
    struct buf part = {0};
    for (const char *c = name; *c != '\0'; c++) {
        bool leading_dot = *c == '.' && c == name;
        if ((ascii_is_alnum(*c) || *c == '-' || *c == '.') && !leading_dot)
            buf_add_bytes(&part, c, 1);
        else
            buf_addf(&part, "%%%02X", (unsigned char)*c);
    }
    if (part.length > NAME_PART_LIMIT)
        buf_addf(path, "%.*s~%016" PRIx64, NAME_PART_LIMIT - 17, part.data, hash_of(name));
    else
        buf_add(path, buf_text(&part));
    buf_free(&part);
}

static bool make_folders(const char *path, struct error *error)
{
    char *copy = mem_dup(path);
    bool made = true;
    for (char *slash = strchr(copy + 1, '/'); made && slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        made = mkdir(copy, 0700) == 0 || errno == EEXIST;
        *slash = '/';
    }
    made = made && (mkdir(copy, 0700) == 0 || errno == EEXIST);
    if (!made)
        error_set(error, ERROR_FILE, "can't create the state folder %s: %s; make it, or set XDG_STATE_HOME to a folder you may write to",
                  path, strerror(errno));
    free(copy);
    return made;
}

char *journal_folder(const struct datastore *datastore, bool create, struct error *error)
{
    struct buf path = {0};
    const char *state_home = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    if (state_home != NULL && state_home[0] == '/')
        buf_add(&path, state_home);
    else if (home != NULL && home[0] == '/')
        buf_addf(&path, "%s/.local/state", home);
    else {
        error_set(error, ERROR_FILE, "neither XDG_STATE_HOME nor HOME is set: there is no place for the journal; set XDG_STATE_HOME to a folder you may write to");
        return NULL;
    }
    buf_add(&path, "/kong-upgrade/");
    journal_add_file_name(&path, datastore->host);
    buf_addf(&path, "_%d_", datastore->port);
    journal_add_file_name(&path, datastore->database);
    buf_add(&path, "_");
    journal_add_file_name(&path, datastore->schema != NULL ? datastore->schema : "default");
    if (create && !make_folders(buf_text(&path), error))
        buf_free(&path);
    return path.data;
}

char *journal_new_path(const char *folder, const char *command)
{
    char now[CLOCK_TEXT_SIZE];
    clock_text(clock_wall_ms(), now);
    for (char *c = now; *c != '\0'; c++)
        if (*c == ':')
            *c = '-';
    return mem_printf("%s/%s-%s.jsonl", folder, now, command);
}

struct journal {
    char *path;
    int fd;
    int problem;   /* errno of the first write that failed: an event was lost; else 0 */
    bool torn;     /* the last line may stand there in part */
};

/* Whoever asks whether the worker lives holds a shared lock for a moment: a few tries get past it. */
static bool lock_own(int fd)
{
    for (int tries = 0; tries < 200; tries++) {
        const struct timespec pause = {.tv_nsec = 5 * 1000 * 1000};
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return true;
        if (errno != EWOULDBLOCK && errno != EINTR)
            return false;
        nanosleep(&pause, NULL);
    }
    return false;
}

struct journal *journal_create(const char *path, struct error *error)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0 || !lock_own(fd)) {
        error_set(error, ERROR_FILE, "can't create the journal %s: %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    struct journal *journal = mem_zero(1, sizeof *journal);
    journal->path = mem_dup(path);
    journal->fd = fd;
    return journal;
}

const char *journal_path(const struct journal *journal)
{
    return journal->path;
}

static bool write_all(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t written = write(fd, bytes, length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written == 0)
            errno = ENOSPC;
        if (written <= 0)
            return false;
        bytes += written;
        length -= (size_t)written;
    }
    return true;
}

void journal_add(struct journal *journal, bool durable, json_t *event)
{
    char now[CLOCK_TEXT_SIZE];
    json_object_set_new(event, "t", json_string(clock_text(clock_wall_ms(), now)));
    char *line = json_dumps(event, JSON_COMPACT);
    json_decref(event);
    if (line == NULL)
        return;
    /* After a failed write a newline first keeps this line whole. */
    char *text = mem_printf("%s%s\n", journal->torn ? "\n" : "", line);
    journal->torn = !write_all(journal->fd, text, strlen(text));
    if ((journal->torn || (durable && fdatasync(journal->fd) != 0)) && journal->problem == 0)
        journal->problem = errno;
    free(text);
    free(line);
}

bool journal_failed(const struct journal *journal, struct error *error)
{
    if (journal->problem != 0)
        error_set(error, ERROR_FILE, "can't write the journal %s: %s; free disk space, or set XDG_STATE_HOME to a folder with room",
                  journal->path, strerror(journal->problem));
    return journal->problem != 0;
}

void journal_close(struct journal *journal)
{
    if (journal == NULL)
        return;
    close(journal->fd);
    free(journal->path);
    free(journal);
}

bool journal_open(struct journal_reader *reader, const char *path, struct error *error)
{
    *reader = (struct journal_reader){.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    if (reader->fd < 0)
        return error_set(error, ERROR_FILE, "can't read the journal %s: %s", path, strerror(errno));
    reader->path = mem_dup(path);
    return true;
}

void journal_reader_close(struct journal_reader *reader)
{
    if (reader->path == NULL)
        return;
    close(reader->fd);
    free(reader->path);
    buf_free(&reader->partial);
    *reader = (struct journal_reader){0};
}

static void give_line(const char *line, size_t length, journal_event *each, void *context)
{
    json_t *event = json_loadb(line, length, 0, NULL);
    if (json_is_object(event))
        each(context, event);
    json_decref(event);
}

void journal_read(struct journal_reader *reader, journal_event *each, void *context)
{
    char bytes[65536];
    ssize_t got;
    while ((got = pread(reader->fd, bytes, sizeof bytes, reader->offset)) > 0) {
        reader->offset += got;
        buf_add_bytes(&reader->partial, bytes, (size_t)got);
        char *begin = reader->partial.data, *newline;
        while ((newline = memchr(begin, '\n', reader->partial.length - (size_t)(begin - reader->partial.data))) != NULL) {
            give_line(begin, (size_t)(newline - begin), each, context);
            begin = newline + 1;
        }
        size_t rest = reader->partial.length - (size_t)(begin - reader->partial.data);
        memmove(reader->partial.data, begin, rest);
        reader->partial.length = rest;
    }
}

bool journal_alive(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return false;
    bool locked = flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    close(fd);
    return locked;
}

void journal_list(const char *folder, struct names *paths)
{
    folder_list(folder, ".jsonl", paths);
}

char *journal_find_running(const char *folder)
{
    struct names paths = {0};
    char *running = NULL;
    journal_list(folder, &paths);
    for (size_t i = paths.count; i > 0 && running == NULL; i--)
        if (journal_alive(paths.list[i - 1]))
            running = mem_dup(paths.list[i - 1]);
    names_free(&paths);
    return running;
}
