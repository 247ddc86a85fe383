#include "core/conf/fleet.h"

#include "core/base/ascii.h"
#include "core/base/buf.h"
#include "core/base/mem.h"
#include "core/conf/ini_file.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *cluster_name(enum cluster cluster)
{
    return cluster == CLUSTER_OLD ? "old" : "new";
}

/* The grammar: what each key of each section does with its value. */

static bool set_old_node(struct fleet *fleet, const char *value, struct error *error);
static bool set_new_node(struct fleet *fleet, const char *value, struct error *error);

static bool set_kong_conf(struct fleet *fleet, const char *value, struct error *error)
{
    if (value[0] != '/')
        return error_set(error, ERROR_CONFIG, "kong_conf is a full path, beginning with /");
    free(fleet->kong_conf);
    fleet->kong_conf = mem_dup(value);
    return true;
}

static bool set_seconds(const char *key, const char *value, int *field, struct error *error)
{
    char *end = NULL;
    long seconds = strtol(value, &end, 10);
    if (end == value || *end != '\0' || seconds < 1 || seconds > 86400)
        return error_set(error, ERROR_CONFIG, "%s is a number of seconds from 1 to 86400", key);
    *field = (int)seconds;
    return true;
}

static bool set_quiet(struct fleet *fleet, const char *value, struct error *error)
{
    return set_seconds("quiet", value, &fleet->quiet_seconds, error);
}

static bool set_lock_deadline(struct fleet *fleet, const char *value, struct error *error)
{
    return set_seconds("lock_deadline", value, &fleet->lock_deadline_seconds, error);
}

/* Digits, and perhaps a point and digits: no sign, exponent or hexadecimal. */
static bool set_quiet_rps(struct fleet *fleet, const char *value, struct error *error)
{
    char *end = NULL;
    double rps = strtod(value, &end);
    bool is_plain_number = strspn(value, "0123456789.") == strlen(value) && end != value && *end == '\0';
    if (!is_plain_number || rps > 1000)
        return error_set(error, ERROR_CONFIG, "quiet_rps is a number of requests a second from 0 to 1000, such as 0.5");
    fleet->quiet_rps = round(rps * 1000) / 1000;   /* as it is saved */
    return true;
}

static bool set_kong_bin(struct fleet *fleet, const char *value, struct error *error)
{
    bool plain = value[0] == '/';
    for (const char *c = value; *c != '\0'; c++)
        plain = plain && (unsigned char)*c >= ' ' && *c != 0x7F;
    if (!plain)
        return error_set(error, ERROR_CONFIG, "bin is the full path of Kong 1.3's own command, such as /usr/local/bin/kong");
    free(fleet->kong_bin);
    fleet->kong_bin = mem_dup(value);
    return true;
}

static bool set_kong_engine(struct fleet *fleet, const char *value, struct error *error)
{
    fleet->kong_engine = strcmp(value, "kong") == 0;
    if (!fleet->kong_engine && strcmp(value, "kong-upgrade") != 0)
        return error_set(error, ERROR_CONFIG, "engine is kong-upgrade (the default) or kong (Kong's own `kong migrations`)");
    return true;
}

static bool set_kong_deadline(struct fleet *fleet, const char *value, struct error *error)
{
    return set_seconds("deadline", value, &fleet->kong_deadline_seconds, error);
}

static const struct grammar {
    const char *section, *key;
    bool (*set)(struct fleet *fleet, const char *value, struct error *error);
} grammar[] = {
    {"datastore", "kong_conf", set_kong_conf},
    {"old", "node", set_old_node},
    {"new", "node", set_new_node},
    {"gates", "quiet", set_quiet},
    {"gates", "quiet_rps", set_quiet_rps},
    {"gates", "lock_deadline", set_lock_deadline},
    {"kong", "bin", set_kong_bin},
    {"kong", "engine", set_kong_engine},
    {"kong", "deadline", set_kong_deadline},
};

static bool set_node(struct fleet *fleet, enum cluster cluster, const char *value, struct error *error)
{
    size_t length = strcspn(value, " \t");
    const char *url = value + length + strspn(value + length, " \t");
    if (url[0] == '\0')
        return error_set(error, ERROR_CONFIG, "a node is NAME URL, such as: node = old-1 http://10.0.0.11:8001");
    char *name = mem_ndup(value, length);
    bool added = fleet_add(fleet, cluster, name, url, error);
    free(name);
    return added;
}

static bool set_old_node(struct fleet *fleet, const char *value, struct error *error)
{
    return set_node(fleet, CLUSTER_OLD, value, error);
}

static bool set_new_node(struct fleet *fleet, const char *value, struct error *error)
{
    return set_node(fleet, CLUSTER_NEW, value, error);
}

/* The settings that both clusters have, by their own table. NULL: the section is no cluster's, or has no such key. */
static struct fleet_access *find_access(struct fleet *fleet, const char *section, const char *key)
{
    for (size_t i = 0; fleet_access_keys[i] != NULL; i++)
        for (enum cluster cluster = CLUSTER_OLD; cluster <= CLUSTER_NEW; cluster++)
            if (strcmp(cluster_name(cluster), section) == 0 && strcmp(fleet_access_keys[i], key) == 0)
                return &fleet->access[cluster];
    return NULL;
}

static bool is_known_section(const char *section)
{
    for (size_t i = 0; i < sizeof grammar / sizeof grammar[0]; i++)
        if (strcmp(grammar[i].section, section) == 0)
            return true;
    return false;
}

static bool take_value(void *context, const char *section, const char *key, const char *value, struct error *error)
{
    struct fleet *fleet = context;
    if (strcmp(section, "hooks") == 0)
        return hooks_set(&fleet->hooks, key, value, error);
    for (size_t i = 0; i < sizeof grammar / sizeof grammar[0]; i++)
        if (strcmp(grammar[i].section, section) == 0 && strcmp(grammar[i].key, key) == 0)
            return grammar[i].set(fleet, value, error);
    struct fleet_access *access = find_access(fleet, section, key);
    if (access != NULL)
        return fleet_access_set(access, key, value, error);
    if (!is_known_section(section))
        return error_set(error, ERROR_CONFIG, "there is no section [%s]: known are [datastore], [old], [new], [gates], [kong], [hooks]", section);
    return error_set(error, ERROR_CONFIG, "[%s] has no key '%s'", section, key);
}

/* NULL for a user without a home. */
static char *user_file(void)
{
    const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    if (config != NULL && config[0] == '/')
        return mem_printf("%s/kong-upgrade/fleet.ini", config);
    return home != NULL && home[0] == '/' ? mem_printf("%s/.config/kong-upgrade/fleet.ini", home) : NULL;
}

static char *choose_file(const char *file)
{
    static const char for_all[] = "/etc/kong-upgrade/fleet.ini";
    if (file != NULL)
        return mem_dup(file);
    char *own = user_file();
    if (own != NULL && (access(own, F_OK) == 0 || access(for_all, F_OK) != 0))
        return own;
    free(own);
    return mem_dup(for_all);
}

static struct fleet_stamp stamp_of(const struct stat *status)
{
    return (struct fleet_stamp){true, status->st_dev, status->st_ino, status->st_size, status->st_mtim};
}

bool fleet_stamp_equal(const struct fleet_stamp *one, const struct fleet_stamp *other)
{
    return one->known == other->known && one->device == other->device && one->inode == other->inode && one->size == other->size &&
           one->changed.tv_sec == other->changed.tv_sec && one->changed.tv_nsec == other->changed.tv_nsec;
}

bool fleet_has_changed(const struct fleet *fleet, struct fleet_stamp *stamp)
{
    struct stat status;
    *stamp = stat(fleet->file, &status) == 0 ? stamp_of(&status) : (struct fleet_stamp){.known = true};
    return fleet->stamp.known && !fleet_stamp_equal(stamp, &fleet->stamp);
}

static bool read_file(struct fleet *fleet, FILE *file, struct error *error)
{
    struct stat status;
    if (fstat(fileno(file), &status) == 0)
        fleet->stamp = stamp_of(&status);
    if (!ini_file_read(file, fleet->file, take_value, fleet, error))
        return false;
    if (fstat(fileno(file), &status) == 0 && (status.st_mode & S_IWOTH) != 0 && (hooks_have_any(&fleet->hooks) || fleet->kong_bin != NULL))
        return error_set(error, ERROR_CONFIG, "%s names commands in [hooks] or [kong], and everyone may write it: chmod o-w first", fleet->file);
    for (enum cluster cluster = CLUSTER_OLD; cluster <= CLUSTER_NEW; cluster++)
        if (fleet->access[cluster].key != NULL && fleet->access[cluster].certificate == NULL)
            return error_set(error, ERROR_CONFIG, "%s has a key in [%s], but no certificate: give both", fleet->file, cluster_name(cluster));
    return true;
}

bool fleet_load(struct fleet *fleet, const char *file, struct error *error)
{
    *fleet = (struct fleet){.file = choose_file(file), .quiet_seconds = FLEET_QUIET_SECONDS,
                            .lock_deadline_seconds = FLEET_LOCK_DEADLINE_SECONDS, .stamp = {.known = true}};
    FILE *stream = ini_file_open(fleet->file);
    bool no_file = stream == NULL && errno == EINVAL;
    if (stream == NULL && (errno == ENOENT || errno == ENOTDIR) && file == NULL)
        return true;
    bool read = no_file ? error_set(error, ERROR_CONFIG, "%s is not a file; give fleet.ini with --fleet", fleet->file)
                : stream != NULL ? read_file(fleet, stream, error)
                               : error_set(error, ERROR_CONFIG, "can't read %s: %s; give the right file with --fleet", fleet->file,
                                           strerror(errno));
    if (stream != NULL)
        fclose(stream);
    if (!read)
        fleet_free(fleet);
    return read;
}

static void add_access(struct buf *text, const struct fleet_access *access)
{
    const struct { const char *key, *file; } files[] = {{"ca", access->ca}, {"certificate", access->certificate}, {"key", access->key}};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        if (files[i].file != NULL)
            buf_addf(text, "%s = %s\n", files[i].key, files[i].file);
    if (access->insecure)
        buf_add(text, "insecure = on\n");
    for (size_t i = 0; i < access->header_count; i++)
        buf_addf(text, "header = %s: ${%s}\n", access->headers[i].name, access->headers[i].variable);
}

int fleet_kong_deadline(const struct fleet *fleet)
{
    return fleet->kong_deadline_seconds > 0 ? fleet->kong_deadline_seconds : FLEET_KONG_DEADLINE_SECONDS;
}

static void add_kong(struct buf *text, const struct fleet *fleet)
{
    bool deadline = fleet->kong_deadline_seconds > 0;
    if (fleet->kong_bin != NULL || fleet->kong_engine || deadline)
        buf_add(text, "[kong]\n");
    if (fleet->kong_bin != NULL)
        buf_addf(text, "bin = %s\n", fleet->kong_bin);
    if (fleet->kong_engine)
        buf_add(text, "engine = kong\n");
    if (deadline)
        buf_addf(text, "deadline = %d\n", fleet->kong_deadline_seconds);
}

static char *fleet_text(const struct fleet *fleet)
{
    struct buf text = {0};
    buf_add(&text, "; The nodes of both clusters, for kong-upgrade.\n");
    if (fleet->kong_conf != NULL)
        buf_addf(&text, "[datastore]\nkong_conf = %s\n", fleet->kong_conf);
    for (enum cluster cluster = CLUSTER_OLD; cluster <= CLUSTER_NEW; cluster++) {
        buf_addf(&text, "[%s]\n", cluster_name(cluster));
        for (size_t i = 0; i < fleet->count; i++)
            if (fleet->nodes[i].cluster == cluster)
                buf_addf(&text, "node = %s %s%s%s\n", fleet->nodes[i].name, fleet->nodes[i].ssh != NULL ? fleet->nodes[i].ssh : "",
                         fleet->nodes[i].ssh != NULL ? " " : "", fleet->nodes[i].url);
        add_access(&text, &fleet->access[cluster]);
    }
    bool quiet = fleet->quiet_seconds != FLEET_QUIET_SECONDS, deadline = fleet->lock_deadline_seconds != FLEET_LOCK_DEADLINE_SECONDS;
    if (quiet || deadline || fleet->quiet_rps > 0)
        buf_add(&text, "[gates]\n");
    if (quiet)
        buf_addf(&text, "quiet = %d\n", fleet->quiet_seconds);
    if (fleet->quiet_rps > 0)
        buf_addf(&text, "quiet_rps = %g\n", fleet->quiet_rps);
    if (deadline)
        buf_addf(&text, "lock_deadline = %d\n", fleet->lock_deadline_seconds);
    add_kong(&text, fleet);
    hooks_add_text(&fleet->hooks, &text);
    return buf_take(&text);
}

static void make_folders(const char *path)
{
    char *copy = mem_dup(path);
    for (char *slash = strchr(copy, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        if (slash == copy)
            continue;
        *slash = '\0';
        mkdir(copy, 0700);
        *slash = '/';
    }
    free(copy);
}

/* The text in a new file beside it, which then takes its place: a reader sees the old one or the new one, whole. */
static bool replace_file(const char *file, const char *text)
{
    char *temporary = mem_printf("%s.XXXXXX", file);
    int fd = mkostemp(temporary, O_CLOEXEC);
    bool written = fd >= 0;
    for (size_t left = strlen(text); written && left > 0;) {
        ssize_t count = write(fd, text + strlen(text) - left, left);
        written = count >= 0;
        left -= written ? (size_t)count : 0;
    }
    bool saved = written && fsync(fd) == 0 && rename(temporary, file) == 0;
    int failure = errno;
    if (fd >= 0)
        close(fd);
    if (fd >= 0 && !saved)
        unlink(temporary);
    free(temporary);
    errno = failure;
    return saved;
}

/* inih takes ` ;` for a comment's beginning, and cuts what is too long. */
static bool can_be_saved(const char *path)
{
    size_t length = strlen(path);
    bool ends_well = length > 0 && !ascii_is_space(path[length - 1]);
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)path[i] < ' ' || (path[i] == ';' && i > 0 && path[i - 1] == ' '))
            return false;
    return ends_well && path[0] == '/' && length + sizeof "kong_conf = " <= FLEET_LINE_LIMIT;
}

bool fleet_save(struct fleet *fleet, struct error *error)
{
    struct fleet_stamp stamp;
    if (fleet_has_changed(fleet, &stamp))
        return error_set(error, ERROR_FILE, "can't save %s: it has been changed since it was read, by hand or by another kong-upgrade; try again in a"
                         " moment", fleet->file);
    if (fleet->kong_conf != NULL && !can_be_saved(fleet->kong_conf))
        return error_set(error, ERROR_FILE, "can't save %s: the path of kong.conf must be a full one, in one line of fleet.ini, without ' ;'",
                         fleet->file);
    make_folders(fleet->file);
    char *text = fleet_text(fleet);
    bool saved = replace_file(fleet->file, text);
    if (!saved)
        error_set(error, ERROR_FILE, "can't save %s: %s; choose another place with --fleet", fleet->file, strerror(errno));
    else
        fleet_has_changed(fleet, &fleet->stamp);
    free(text);
    return saved;
}
