/* The mended kong.conf on disk, and the proof that it is the same but for what was meant. */
#include "core/conf/conf_fix.h"

#include "core/base/mem.h"
#include "core/conf/conf_file.h"
#include "core/conf/kong_conf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Those that may change their raw values, or come and go. What they amount to is compared by their effect. */
static bool is_meant(const char *key)
{
    static const char *const meant[] = {"plugins", "custom_plugins", "upstream_keepalive", "nginx_http_upstream_keepalive"};
    for (size_t i = 0; i < sizeof meant / sizeof meant[0]; i++)
        if (strcmp(key, meant[i]) == 0)
            return true;
    return false;
}

static const struct conf_entry *next_other(const struct conf_entries *entries, size_t *index)
{
    while (*index < entries->count && is_meant(entries->list[*index].key))
        (*index)++;
    return *index < entries->count ? &entries->list[(*index)++] : NULL;
}

static bool is_same_entry(const struct conf_entry *a, const struct conf_entry *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    return strcmp(a->key, b->key) == 0 && strcmp(a->value, b->value) == 0;
}

/* All other keys, those that Kong does not know too, in their order. */
static bool verify_entries(const struct conf_fix *fix, const char *path, struct error *error)
{
    struct conf_entries before, after;
    if (!conf_file_read(path, &after, error))
        return false;
    conf_text_parse(fix->before, &before);
    const struct conf_entry *a, *b;
    size_t i = 0, n = 0;
    bool same = true;
    do {
        a = next_other(&before, &i);
        b = next_other(&after, &n);
        same = is_same_entry(a, b);
    } while (same && a != NULL);
    if (!same)
        error_set(error, ERROR_CONFIG, "%s: %s would not be what it was; nothing was mended, please do it by hand", fix->file, (a != NULL ? a : b)->key);
    conf_entries_free(&before);
    conf_entries_free(&after);
    return same;
}

static bool is_same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool is_same_setting(const struct conf_fix *fix, const struct setting *before, const struct setting *after)
{
    if (strcmp(before->name, "plugins") == 0)
        return true;   /* by verify_plugins */
    bool is_gone = strcmp(before->name, "custom_plugins") == 0 || strcmp(before->name, "upstream_keepalive") == 0;
    if (is_gone && before->origin == SETTING_FILE && after->value == NULL && fix->changes.count > 0)
        return true;
    return is_same_text(before->value, after->value);
}

/* What was loaded, and what custom_plugins adds. */
static bool verify_plugins(const struct conf_fix *fix, const struct kong_conf *before, const struct kong_conf *after)
{
    size_t added = 0;
    for (size_t i = 0; i < before->plugins.count; i++)
        if (!names_have(&after->plugins, before->plugins.list[i]))
            return false;
    for (size_t i = 0; i < fix->merged.count; i++) {
        /* Written with `\#`, read with `#`. */
        bool escaped = strchr(fix->merged.list[i], '#') != NULL;
        if (!escaped && strcmp(fix->merged.list[i], "bundled") != 0 && !names_have(&after->plugins, fix->merged.list[i]))
            return false;
        added += strcmp(fix->merged.list[i], "bundled") == 0 ? after->plugins.count : 1;
    }
    return after->plugins.count <= before->plugins.count + added;
}

static bool verify_settings(const struct conf_fix *fix, const char *path, struct error *error)
{
    struct kong_conf before, after;
    if (!kong_conf_load(&before, fix->file, NULL, fix->environment, error))
        return false;
    if (!kong_conf_load(&after, path, NULL, fix->environment, error)) {
        kong_conf_free(&before);
        return false;
    }
    const char *different = verify_plugins(fix, &before, &after) ? NULL : "plugins";
    for (size_t i = 0; i < before.setting_count && different == NULL; i++)
        if (!is_same_setting(fix, &before.settings[i], &after.settings[i]))
            different = before.settings[i].name;
    if (different != NULL)
        error_set(error, ERROR_CONFIG, "%s: Kong would see another %s than before; nothing was mended, please do it by hand", fix->file, different);
    kong_conf_free(&before);
    kong_conf_free(&after);
    return different == NULL;
}

bool conf_fix_verify(const struct conf_fix *fix, const char *path, struct error *error)
{
    return verify_settings(fix, path, error) && verify_entries(fix, path, error);
}

bool conf_fix_is_original(const struct conf_fix *fix, const char *path)
{
    struct stat original, other;
    return strcmp(fix->file, path) == 0 || (stat(fix->file, &original) == 0 && stat(path, &other) == 0 && original.st_dev == other.st_dev &&
                                           original.st_ino == other.st_ino);
}

static bool write_all(int fd, const char *text, const char *path, struct error *error)
{
    size_t length = strlen(text);
    while (length > 0) {
        ssize_t written = write(fd, text, length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return error_set(error, ERROR_FILE, "can't write %s: %s", path, strerror(errno));
        text += written;
        length -= (size_t)written;
    }
    if (fsync(fd) != 0)
        return error_set(error, ERROR_FILE, "can't write %s: %s", path, strerror(errno));
    return true;
}

/* Closes `fd` in any case; a file that is not as it should be is taken away. */
static bool fill(const struct conf_fix *fix, int fd, const char *path, struct error *error)
{
    bool written = write_all(fd, fix->after, path, error);
    if (close(fd) != 0 && written)
        written = error_set(error, ERROR_FILE, "can't write %s: %s", path, strerror(errno));
    if (written && conf_fix_verify(fix, path, error))
        return true;
    unlink(path);
    return false;
}

static bool write_new(const struct conf_fix *fix, const char *path, mode_t mode, struct error *error)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 && errno == EEXIST)
        return error_set(error, ERROR_FILE, "%s is there already: remove it, or name another file", path);
    if (fd < 0)
        return error_set(error, ERROR_FILE, "can't create %s: %s; name another file", path, strerror(errno));
    if (!fix->holds_secret && fchmod(fd, mode) != 0) {
        error_set(error, ERROR_FILE, "can't set the permissions of %s: %s", path, strerror(errno));
        close(fd);
        unlink(path);
        return false;
    }
    return fill(fix, fd, path, error);
}

/* Beside the original, with its owner and permissions, then put in its place: there is no moment without a whole file. */
static bool replace(const struct conf_fix *fix, const char *path, const struct stat *status, struct error *error)
{
    char *beside = mem_printf("%s.XXXXXX", path);
    int fd = mkostemp(beside, O_CLOEXEC);
    bool done = false;
    if (fd < 0) {
        error_set(error, ERROR_FILE, "can't write beside %s: %s; name another file to write a copy", path, strerror(errno));
    } else if (((status->st_uid != geteuid() || status->st_gid != getegid()) && fchown(fd, status->st_uid, status->st_gid) != 0) ||
               fchmod(fd, status->st_mode & 07777) != 0) {
        error_set(error, ERROR_FILE, "can't keep the owner and permissions of %s: %s; name another file to write a copy", path, strerror(errno));
        close(fd);
        unlink(beside);
    } else if (fill(fix, fd, beside, error)) {
        done = rename(beside, path) == 0 || error_set(error, ERROR_FILE, "can't replace %s: %s", path, strerror(errno));
        if (!done)
            unlink(beside);
    }
    free(beside);
    return done;
}

bool conf_fix_write(const struct conf_fix *fix, const char *path, struct error *error)
{
    struct stat status;
    if (stat(fix->file, &status) != 0)
        return error_set(error, ERROR_FILE, "can't read %s: %s", fix->file, strerror(errno));
    if (!conf_fix_is_original(fix, path))
        return write_new(fix, path, status.st_mode & 0777, error);
    char *real = realpath(path, NULL);   /* where it is a link, what it leads to is replaced */
    if (real == NULL)
        return error_set(error, ERROR_FILE, "can't find %s: %s", path, strerror(errno));
    bool done = replace(fix, real, &status, error);
    free(real);
    return done;
}
