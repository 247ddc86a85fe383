/* What the files of the backup share. */
#ifndef CORE_BACKUP_BACKUP_INTERNAL_H
#define CORE_BACKUP_BACKUP_INTERNAL_H

#include "core/backup/backup.h"
#include "core/backup/copy_rows.h"
#include "core/backup/file.h"
#include "core/backup/tools.h"
#include "core/base/clock.h"

struct pg;

#define LINE_SIZE 512       /* of the archive's table of contents, as far as it matters */

enum part { PART_COUNT, PART_DUMP, PART_LIST, PART_ROWS, PARTS };

struct dumped_table {
    char *name;
    long long oid;
    int64_t rows;           /* in the snapshot */
    int64_t rows_read;      /* in the archive; -1: not in it */
    bool listed;            /* in the archive's table of contents */
};

struct backup {
    const struct run_job *job;
    struct journal *journal;
    const volatile sig_atomic_t *stop;
    struct pg *pg;
    int server_version;
    struct tools tools;
    struct backup_file file;
    struct dumped_table *tables;
    size_t count;
    int64_t bytes, rows, rows_guessed;   /* of all tables */
    char *snapshot, *owner;              /* of the schema */
    char as_of[CLOCK_TEXT_SIZE];

    enum part part;
    int64_t begun, told_at;
    bool stop_told;
    size_t dumping;                /* the table that pg_dump is at; count: none yet */
    int64_t rows_before, rows_dumped;   /* of the tables before it; of all, as far as was seen */
    char line[LINE_SIZE];          /* of the table of contents */
    size_t line_length;
    struct copy_rows copy;
};

/* Tells how far the part in hand is, once a second at most. */
void backup_tell_progress(struct backup *backup, int64_t rows, int64_t total);

/* Writes to the journal, once, that a stop was asked for. */
void backup_notice_stop(struct backup *backup);

/* NULL where the snapshot had none of that name. */
struct dumped_table *backup_find_table(struct backup *backup, const char *name);

/* verify.c: every table is in the archive's table of contents; each has as many rows in it as were counted. */
bool backup_list(struct backup *backup, struct error *error);
bool backup_read_rows(struct backup *backup, struct error *error);

#endif
