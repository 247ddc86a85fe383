/*
 * The backups of a database that were made from this machine, as the journals tell, and how one is restored.
 */
#ifndef CORE_BACKUP_MADE_H
#define CORE_BACKUP_MADE_H

#include "core/base/buf.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All texts may be hostile. */
struct backup_made {
    char *path;
    int64_t as_of_ms;         /* wall clock: it holds what there was then */
    int64_t bytes, rows, tables;
    bool there;               /* a file of that size is there now */
    json_t *event;            /* the journal's */
};

/* Zero-initialise. */
struct backups {
    struct backup_made *list; /* oldest first; all verified */
    size_t count;
    char *failure;            /* why the last try, later than all of them, made none; or NULL */
};

/* Reads the journals of a folder; what is in it already is freed. */
void backups_read(struct backups *backups, const char *folder);
void backups_free(struct backups *backups);

/* The newest whose file is there, or NULL. */
const struct backup_made *backups_newest(const struct backups *backups);

/* Adds the commands that restore it, for a shell, a line each, to be run by a superuser with all Kong nodes stopped. They destroy
 * nothing: the schema that is there now is put aside under another name, and the archive is read into a new one, in one transaction.
 * The schema `public` must have what initdb gives it first: pg_dump writes only where its grants differ from that. */
void backup_add_commands(struct buf *out, const struct backup_made *backup);

#endif
