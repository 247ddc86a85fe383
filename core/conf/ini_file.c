#include "core/conf/ini_file.h"

#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct reading {
    FILE *file;
    const char *path;
    int line;                 /* inih does not tell; its reader is ours, so we count */
    ini_taker *take;
    void *context;
    struct error *error;
    bool failed;
};

static int fail(struct reading *reading)
{
    if (!reading->failed)
        error_prefix(reading->error, "%s line %d", reading->path, reading->line);
    reading->failed = true;
    return 0;
}

static int on_value(void *context, const char *section, const char *key, const char *value)
{
    struct reading *reading = context;
    if (reading->failed)
        return 0;
    return reading->take(reading->context, section, key, value, reading->error) ? 1 : fail(reading);
}

/* As fgets, but tells where the line was too long for `size` or had a NUL in it. */
static char *read_line(char *line, int size, FILE *file, bool *whole)
{
    int length = 0, c = 0;
    *whole = true;
    while (c != '\n' && (c = getc(file)) != EOF) {
        *whole = *whole && c != '\0' && length < size - 1;
        if (!*whole)
            return line;
        line[length++] = (char)c;
    }
    line[length] = '\0';
    return length > 0 ? line : NULL;
}

static char *next_line(char *line, int size, void *context)
{
    struct reading *reading = context;
    bool whole;
    if (reading->failed || read_line(line, size, reading->file, &whole) == NULL)
        return NULL;
    reading->line++;
    if (!whole) {
        error_set(reading->error, ERROR_CONFIG, "the line is longer than %d bytes, or no text", INI_LINE_LIMIT);
        fail(reading);
        return NULL;
    }
    const char *text = line + strspn(line, " \t\r\n\v\f");
    if (text != line && *text != '\0' && *text != ';' && *text != '#') {
        error_set(reading->error, ERROR_CONFIG, "the line begins with white space: one setting a line, from its beginning");
        fail(reading);
        return NULL;
    }
    return line;
}

bool ini_file_read(FILE *file, const char *path, ini_taker *take, void *context, struct error *error)
{
    struct reading reading = {.file = file, .path = path, .take = take, .context = context, .error = error};
    int line = ini_parse_stream(next_line, &reading, on_value, &reading);
    if (!reading.failed && ferror(file) != 0)
        return error_set(error, ERROR_CONFIG, "can't read %s: %s", path, strerror(errno));
    if (!reading.failed && line != 0)
        return error_set(error, ERROR_CONFIG, "%s line %d: not understood; a line is KEY = VALUE or [SECTION]", path, line);
    return !reading.failed;
}

FILE *ini_file_open(const char *path)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);   /* a pipe must not make us wait */
    if (fd < 0)
        return NULL;
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode))
        return fdopen(fd, "r");
    close(fd);
    errno = EINVAL;
    return NULL;
}
