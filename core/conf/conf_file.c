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

void conf_text_wipe(struct buf *buf)
{
    if (buf->data != NULL)
        explicit_bzero(buf->data, buf->capacity);
    buf_free(buf);
}

bool conf_file_read_text(const char *path, struct buf *text, struct error *error)
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

bool conf_line_is_skipped(const char *line)
{
    const char *text = skip_blank(line);
    return *text == '\0' || *text == '#' || *text == ';';
}

/* Where the backslash at the end is (spaces may follow it), or NULL. */
static const char *find_continuation(const char *line)
{
    size_t length = strlen(line);
    while (length > 0 && ascii_is_space(line[length - 1]))
        length--;
    return length > 0 && line[length - 1] == '\\' ? &line[length - 1] : NULL;
}

bool conf_line_continues(const char *line)
{
    return find_continuation(line) != NULL;
}

/* The first `=` splits. Letters, digits and `_` make a key; everything else in it becomes `_`. */
static void add_entry(struct conf_entries *entries, const char *line, int first, int last)
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
    entries->list[entries->count++] = (struct conf_entry){key, value, first, last};
}

/* A last line that is to be continued is lost, as in Penlight (pl/config.lua, config.lines). */
void conf_text_parse(const char *text, struct conf_entries *entries)
{
    char *copy = mem_dup(text);
    *entries = (struct conf_entries){0};
    struct buf logical = {0};
    bool in_section = false, continued = false;
    int number = 0, first = 0;
    for (char *line = copy, *next; line != NULL; line = next) {
        next = strchr(line, '\n');
        if (next != NULL)
            *next++ = '\0';
        number++;
        if (conf_line_is_skipped(line))
            continue;
        if (!continued)
            first = number;
        const char *backslash = find_continuation(line);
        continued = backslash != NULL;
        buf_add_bytes(&logical, line, continued ? (size_t)(backslash - line) : strlen(line));
        if (continued)
            continue;
        if (buf_text(&logical)[0] == '[')
            in_section = true;
        else if (!in_section)
            add_entry(entries, buf_text(&logical), first, number);
        buf_clear(&logical);
    }
    conf_text_wipe(&logical);
    explicit_bzero(copy, strlen(text));
    free(copy);
}

bool conf_file_read(const char *path, struct conf_entries *entries, struct error *error)
{
    struct buf text = {0};
    *entries = (struct conf_entries){0};
    bool read = conf_file_read_text(path, &text, error);
    if (read && text.data != NULL)
        conf_text_parse(text.data, entries);
    conf_text_wipe(&text);
    return read;
}
