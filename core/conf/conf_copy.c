#include "core/conf/conf_copy.h"

#include "core/base/ascii.h"
#include "core/base/buf.h"
#include "core/base/mem.h"
#include "core/conf/conf_file.h"
#include "core/conf/kong_conf.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NAME "kong.conf."   /* the file's, and six letters */
#define LEFT_SECONDS 60     /* a younger one may be that of a worker which is being started */
#define PREFIX "KONG_"
#define OURS "KONG_UPGRADE_"

static bool is_kongs(const char *variable)
{
    return strncmp(variable, PREFIX, strlen(PREFIX)) == 0 && strncmp(variable, OURS, strlen(OURS)) != 0 && strchr(variable, '=') != NULL;
}

/* "pg_host" of "KONG_PG_HOST=…". The caller frees. */
static char *key_of(const char *variable)
{
    char *key = mem_ndup(variable + strlen(PREFIX), strcspn(variable, "=") - strlen(PREFIX));
    for (char *c = key; *c != '\0'; c++)
        *c = ascii_is_alnum(*c) ? ascii_lower(*c) : '_';
    return key;
}

static bool has_variable(char *const *environment, const char *key)
{
    bool found = false;
    for (; *environment != NULL && !found; environment++) {
        char *own = is_kongs(*environment) ? key_of(*environment) : NULL;
        found = own != NULL && strcmp(own, key) == 0;
        free(own);
    }
    return found;
}

/* In the file, a number would be made one (0123: 123), and a backslash at the end would go on in the next line. ` #` keeps a value from
 * both, and is taken away by Kong after that. */
static bool needs_guard(const char *value)
{
    size_t length = strlen(value);
    while (length > 0 && ascii_is_space(value[length - 1]))
        length--;
    size_t first = strspn(value, " \t\r\n\v\f");
    bool number = ascii_is_digit(value[first]) || value[first] == '+' || value[first] == '-';
    return length > first && (number || value[length - 1] == '\\');
}

static bool add_variable(struct buf *text, const char *variable, struct error *error)
{
    const char *value = strchr(variable, '=') + 1;
    if (strpbrk(value, "\r\n") != NULL)
        return error_set(error, ERROR_CONFIG, "%.*s has a line's end in it, which no kong.conf can hold: Kong's own command can't be given it",
                         (int)strcspn(variable, "="), variable);
    char *key = key_of(variable);
    buf_addf(text, "%s = %s%s\n", key, value, needs_guard(value) ? " #" : "");
    free(key);
    return true;
}

static bool add_file(struct buf *text, const char *file, char *const *environment, struct error *error)
{
    struct conf_entries entries;
    if (!conf_file_read(file, &entries, error))
        return false;
    for (size_t i = 0; i < entries.count; i++)
        if (!has_variable(environment, entries.list[i].key))
            buf_addf(text, "%s = %s\n", entries.list[i].key, entries.list[i].value);
    conf_entries_free(&entries);
    return true;
}

static bool make_text(const char *file, char *const *environment, struct buf *text, struct error *error)
{
    bool made = file == NULL || add_file(text, file, environment, error);
    for (; made && *environment != NULL; environment++)
        made = !is_kongs(*environment) || add_variable(text, *environment, error);
    return made;
}

/* Closes the file. */
static bool save(const struct buf *text, int fd, const char *path, struct error *error)
{
    size_t done = 0;
    while (done < text->length) {
        ssize_t written = write(fd, text->data + done, text->length - done);
        if (written < 0 && errno != EINTR)
            break;
        done += written > 0 ? (size_t)written : 0;
    }
    bool saved = done == text->length;
    if (!saved)
        error_set(error, ERROR_FILE, "can't write %s: %s; free disk space", path, strerror(errno));
    close(fd);
    return saved;
}

static bool is_same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool verify(const char *path, const char *file, char *const *environment, struct error *error)
{
    static const char *const nowhere[] = {NULL};
    struct kong_conf original, copy;
    const char *different = NULL;
    if (!kong_conf_load(&original, file, nowhere, environment, error))
        return false;
    if (!kong_conf_load(&copy, path, NULL, NULL, error)) {
        kong_conf_free(&original);
        return false;
    }
    for (size_t i = 0; i < original.setting_count && different == NULL; i++)
        if (!is_same_text(original.settings[i].value, copy.settings[i].value))
            different = original.settings[i].name;
    kong_conf_free(&original);
    kong_conf_free(&copy);
    if (different != NULL)
        error_set(error, ERROR_CONFIG, "Kong's own command would read another %s from a copy of kong.conf than with KONG_*: set it in kong.conf, not in the"
                                       " environment", different);
    return different == NULL;
}

char *conf_copy_make(const char *file, char *const *environment, const char *folder, struct error *error)
{
    struct buf text = {0};
    char *path = NULL;
    if (make_text(file, environment, &text, error)) {
        path = mem_printf("%s/" NAME "XXXXXX", folder);
        int fd = mkostemp(path, O_CLOEXEC);
        if (fd < 0)
            error_set(error, ERROR_FILE, "can't write %s: %s; make the folder writable", path, strerror(errno));
        if (fd < 0 || !save(&text, fd, path, error) || !verify(path, file, environment, error)) {
            if (fd >= 0)
                unlink(path);
            free(path);
            path = NULL;
        }
    }
    conf_text_wipe(&text);
    return path;
}

void conf_copy_sweep(const char *folder)
{
    DIR *directory = opendir(folder);
    struct dirent *entry;
    struct stat status;
    while (directory != NULL && (entry = readdir(directory)) != NULL)
        if (strncmp(entry->d_name, NAME, strlen(NAME)) == 0 && fstatat(dirfd(directory), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
            status.st_mtime < time(NULL) - LEFT_SECONDS)
            unlinkat(dirfd(directory), entry->d_name, 0);
    if (directory != NULL)
        closedir(directory);
}
