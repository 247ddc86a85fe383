/*
 * The file that a backup is written into: under a hidden name until it is whole, 0600, never over or through one that is there.
 */
#ifndef CORE_BACKUP_FILE_H
#define CORE_BACKUP_FILE_H

#include "core/base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct backup_file {
    char *path;               /* absolute; what it is called in the end */
    char *name, *part_name;   /* within the folder */
    int folder_fd, fd;        /* fd: for reading and writing */
    bool kept;
};

/* Makes the folder (0700) where only its last part is missing, removes what a killed backup of the same database left there, and
 * looks for `needed` bytes of free space. backup_file_close in any case. */
bool backup_file_open(struct backup_file *file, const char *folder, const char *database, int64_t needed, struct error *error);

int64_t backup_file_size(const struct backup_file *file);
bool backup_file_sync(const struct backup_file *file, struct error *error);
bool backup_file_rewind(const struct backup_file *file, struct error *error);

/* Gives it its name. */
bool backup_file_keep(struct backup_file *file, struct error *error);

/* Removes it unless it was kept. */
void backup_file_close(struct backup_file *file);

#endif
