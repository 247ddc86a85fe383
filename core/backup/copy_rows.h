/*
 * Counts the rows of each table in a script of SQL as pg_restore writes it (`COPY table (columns) FROM stdin;`, a line a row, `\.`),
 * as it streams by: what is kept is the name of one table.
 */
#ifndef CORE_BACKUP_COPY_ROWS_H
#define CORE_BACKUP_COPY_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COPY_ROWS_NAME_SIZE 512   /* a server allows 63 bytes unless it was built otherwise */

enum copy_rows_place { COPY_ROWS_STATEMENT, COPY_ROWS_COMMENT, COPY_ROWS_TEXT, COPY_ROWS_IDENTIFIER, COPY_ROWS_LINE_END, COPY_ROWS_DATA };

/* Called once all rows of a table have been seen; the name is without its schema and quotes, cut where it is longer than any. */
typedef void copy_rows_table(void *context, const char *table, int64_t rows);

/* Zero-initialise and set `table`. Owns nothing. */
struct copy_rows {
    copy_rows_table *table;
    void *context;
    int64_t total;                    /* rows of all tables up to now */

    enum copy_rows_place place;
    char word[8];                     /* the statement's first word */
    size_t word_length;
    bool word_ended, name_ended;
    char name[COPY_ROWS_NAME_SIZE];   /* the last part of the table's name */
    size_t name_length;
    char last;                        /* the character before, within the statement */
    int64_t rows;                     /* of the table in hand */
    char line[2];                     /* the beginning of the line in hand */
    size_t line_length;
};

void copy_rows_feed(struct copy_rows *rows, const char *bytes, size_t length);

/* Whether the script could end here: not within a table's data. */
bool copy_rows_complete(const struct copy_rows *rows);

#endif
