#include "core/backup/file.h"

#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/journal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define PART_END ".dump.part"

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), end_length = strlen(end);
    return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

/* Who writes it holds its flock. */
static void remove_if_dead(int folder_fd, const char *name)
{
    int fd = openat(folder_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        unlinkat(folder_fd, name, 0);
    close(fd);
}

static void remove_dead_parts(int folder_fd, const char *prefix)
{
    int fd = openat(folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
    if (folder == NULL)
        return;
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;)
        if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0 && ends_with(entry->d_name, PART_END))
            remove_if_dead(folder_fd, entry->d_name);
    closedir(folder);
}

static bool check_space(int folder_fd, const char *folder, int64_t needed, struct error *error)
{
    struct statvfs system;
    if (fstatvfs(folder_fd, &system) != 0)
        return error_set(error, ERROR_FILE, "can't see how much room there is in %s: %s; choose another folder", folder, strerror(errno));
    int64_t there = (int64_t)system.f_bavail * (int64_t)system.f_frsize;
    if (there >= needed)
        return true;
    return error_set(error, ERROR_FILE, "%s has %.1f MB of room, and the backup may need %.1f MB: free disk space or choose another folder", folder,
                     (double)there / 1e6, (double)needed / 1e6);
}

bool backup_file_open(struct backup_file *file, const char *folder, const char *database, int64_t needed, struct error *error)
{
    char now[CLOCK_TEXT_SIZE];
    struct buf name = {0};
    *file = (struct backup_file){.folder_fd = -1, .fd = -1};
    if (mkdir(folder, 0700) != 0 && errno != EEXIST)
        return error_set(error, ERROR_FILE, "can't make the folder %s: %s; make it, or choose another one", folder, strerror(errno));
    file->folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file->folder_fd < 0)
        return error_set(error, ERROR_FILE, "can't open the folder %s: %s; choose another one", folder, strerror(errno));
    buf_add(&name, "kong-");
    journal_add_file_name(&name, database);
    char *prefix = mem_printf(".%s-", buf_text(&name));
    remove_dead_parts(file->folder_fd, prefix);
    free(prefix);
    clock_text(clock_wall_ms(), now);
    for (char *c = now; *c != '\0'; c++)
        *c = *c == ':' ? '-' : *c;
    file->name = mem_printf("%s-%s.dump", buf_text(&name), now);
    file->part_name = mem_printf(".%s.part", file->name);
    file->path = mem_printf("%s%s%s", folder, folder[0] == '/' && folder[1] == '\0' ? "" : "/", file->name);
    buf_free(&name);
    if (!check_space(file->folder_fd, folder, needed, error))
        return false;
    file->fd = openat(file->folder_fd, file->part_name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (file->fd < 0)
        return error_set(error, ERROR_FILE, "can't write into the folder %s: %s; make it writable, or choose another one", folder, strerror(errno));
    flock(file->fd, LOCK_EX | LOCK_NB);
    return true;
}

int64_t backup_file_size(const struct backup_file *file)
{
    struct stat status;
    return fstat(file->fd, &status) == 0 ? (int64_t)status.st_size : 0;
}

static bool failed(const struct backup_file *file, struct error *error)
{
    return error_set(error, ERROR_FILE, "can't write %s: %s; free disk space or choose another folder", file->path, strerror(errno));
}

bool backup_file_sync(const struct backup_file *file, struct error *error)
{
    return fsync(file->fd) == 0 || failed(file, error);
}

bool backup_file_rewind(const struct backup_file *file, struct error *error)
{
    return lseek(file->fd, 0, SEEK_SET) == 0 || failed(file, error);
}

/* Not every file system can rename without replacing; a second name that must be new does the same. */
static bool rename_new(const struct backup_file *file)
{
    if (renameat2(file->folder_fd, file->part_name, file->folder_fd, file->name, RENAME_NOREPLACE) == 0)
        return true;
    if (errno != EINVAL && errno != ENOSYS)
        return false;
    return linkat(file->folder_fd, file->part_name, file->folder_fd, file->name, 0) == 0 && unlinkat(file->folder_fd, file->part_name, 0) == 0;
}

bool backup_file_keep(struct backup_file *file, struct error *error)
{
    file->kept = rename_new(file);
    return file->kept ? fsync(file->folder_fd) == 0 || failed(file, error) : failed(file, error);
}

void backup_file_close(struct backup_file *file)
{
    if (file->fd >= 0 && !file->kept)
        unlinkat(file->folder_fd, file->part_name, 0);
    if (file->fd >= 0)
        close(file->fd);
    if (file->folder_fd >= 0)
        close(file->folder_fd);
    free(file->path);
    free(file->name);
    free(file->part_name);
    *file = (struct backup_file){.folder_fd = -1, .fd = -1};
}
