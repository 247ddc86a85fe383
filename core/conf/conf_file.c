#include "core/conf/conf_file.h"

#include "core/base/ascii.h"
#include "core/base/buf.h"
#include "core/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void conf_entries_free(struct conf_entries *entries)
{
    for (size_t i = 0; i < entries->count; i++) {
        free(entries->list[i].key);
        mem_wipe(entries->list[i].value);
    }
    free(entries->list);
    *entries = (struct conf_entries){0};
}

const struct conf_entry *conf_entries_find(const struct conf_entries *entries, const char *key)
{
    for (size_t i = entries->count; i > 0; i--)
        if (strcmp(entries->list[i - 1].key, key) == 0)
            return &entries->list[i - 1];
    return NULL;
}

static void wipe(struct buf *buf)
{
    if (buf->data != NULL)
        explicit_bzero(buf->data, buf->capacity);
    buf_free(buf);
}

static bool read_text(const char *path, struct buf *text, struct error *error)
{
    char bytes[16384];
    ssize_t got;
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return error_set(error, ERROR_CONFIG, "can't read %s: %s; give the right file with --conf", path, strerror(errno));
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        close(fd);
        return error_set(error, ERROR_CONFIG, "%s is not a file; give kong.conf with --conf", path);
    }
    while ((got = read(fd, bytes, sizeof bytes)) > 0 && text->length <= CONF_FILE_LIMIT)
        buf_add_bytes(text, bytes, (size_t)got);
    explicit_bzero(bytes, sizeof bytes);
    int failure = got < 0 ? errno : 0;
    close(fd);
    if (failure != 0)
        return error_set(error, ERROR_CONFIG, "can't read %s: %s", path, strerror(failure));
    if (text->length > CONF_FILE_LIMIT)
        return error_set(error, ERROR_CONFIG, "%s is larger than 1 MiB: that is no kong.conf; give the right file with --conf", path);
    if (text->data != NULL && memchr(text->data, '\0', text->length) != NULL)
        return error_set(error, ERROR_CONFIG, "%s is not a text file (it has NUL bytes); give the right file with --conf", path);
    return true;
}

static const char *skip_blank(const char *text)
{
    return text + strspn(text, " \t\r\v\f");
}

static void trim_end(char *text)
{
    size_t length = strlen(text);
    while (length > 0 && ascii_is_space(text[length - 1]))
        text[--length] = '\0';
}

static bool is_comment_or_blank(const char *line)
{
    const char *text = skip_blank(line);
    return *text == '\0' || *text == '#' || *text == ';';
}

/* Cuts a backslash at the end (spaces may follow it) off; tells whether there was one. */
static bool cut_continuation(char *line)
{
    size_t length = strlen(line);
    while (length > 0 && ascii_is_space(line[length - 1]))
        length--;
    if (length == 0 || line[length - 1] != '\\')
        return false;
    line[length - 1] = '\0';
    return true;
}

/* The first `=` splits. Letters, digits and `_` make a key; everything else in it becomes `_`. */
static void add_entry(struct conf_entries *entries, const char *line, int number)
{
    const char *equals = strchr(line, '=');
    if (equals == NULL)
        return;
    char *key = mem_ndup(skip_blank(line), equals > skip_blank(line) ? (size_t)(equals - skip_blank(line)) : 0);
    trim_end(key);
    for (char *c = key; *c != '\0'; c++)
        if (!ascii_is_alnum(*c))
            *c = '_';
    char *value = mem_dup(skip_blank(equals + 1));
    trim_end(value);
    entries->list = mem_grow(entries->list, entries->count + 1, sizeof *entries->list);
    entries->list[entries->count++] = (struct conf_entry){key, value, number};
}

/* A last line that is to be continued is lost, as in Penlight (pl/config.lua, config.lines). */
static void parse(char *text, struct conf_entries *entries)
{
    struct buf logical = {0};
    bool in_section = false, continued = false;
    int number = 0, first = 0;
    for (char *line = text, *next; line != NULL; line = next) {
        next = strchr(line, '\n');
        if (next != NULL)
            *next++ = '\0';
        number++;
        if (is_comment_or_blank(line))
            continue;
        if (!continued)
            first = number;
        continued = cut_continuation(line);
        buf_add(&logical, line);
        if (continued)
            continue;
        if (buf_text(&logical)[0] == '[')
            in_section = true;
        else if (!in_section)
            add_entry(entries, buf_text(&logical), first);
        buf_clear(&logical);
    }
    wipe(&logical);
}

bool conf_file_read(const char *path, struct conf_entries *entries, struct error *error)
{
    struct buf text = {0};
    *entries = (struct conf_entries){0};
    bool read = read_text(path, &text, error);
    if (read && text.data != NULL)
        parse(text.data, entries);
    wipe(&text);
    return read;
}
