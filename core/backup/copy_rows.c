#include "core/backup/copy_rows.h"

#include "core/base/ascii.h"

#include <string.h>

static void begin_statement(struct copy_rows *rows)
{
    rows->place = COPY_ROWS_STATEMENT;
    rows->word_length = rows->name_length = 0;
    rows->word_ended = rows->name_ended = false;
    rows->last = '\0';
}

static bool is_copy(const struct copy_rows *rows)
{
    return rows->word_ended && rows->word_length == 4 && memcmp(rows->word, "COPY", 4) == 0;
}

static void add_to_name(struct copy_rows *rows, char c)
{
    if (is_copy(rows) && !rows->name_ended && rows->name_length < sizeof rows->name - 1)
        rows->name[rows->name_length++] = c;
}

static void end_statement(struct copy_rows *rows)
{
    if (!is_copy(rows)) {
        begin_statement(rows);
        return;
    }
    rows->name[rows->name_length] = '\0';
    rows->place = COPY_ROWS_LINE_END;
    rows->rows = 0;
    rows->line_length = 0;
}

/* The first word, then, of COPY, the name: a point begins its next part, a space or a bracket ends it. */
static void feed_plain(struct copy_rows *rows, char c)
{
    bool blank = ascii_is_space(c);
    if (!rows->word_ended && blank) {
        rows->word_ended = rows->word_length > 0;
        return;
    }
    if (!rows->word_ended) {
        if (rows->word_length < sizeof rows->word)
            rows->word[rows->word_length++] = c;
        return;
    }
    if (c == '.' && !rows->name_ended)
        rows->name_length = 0;
    else if (blank || c == '(')
        rows->name_ended = rows->name_ended || rows->name_length > 0;
    else
        add_to_name(rows, c);
}

static void feed_statement(struct copy_rows *rows, char c)
{
    bool fresh = rows->word_length == 0, doubled = c == '"' && rows->last == '"';
    char before = rows->last;
    rows->last = c;
    if (c == '-' && before == '-') {
        rows->place = COPY_ROWS_COMMENT;
        rows->word_length = rows->word_length > 0 && !rows->word_ended ? rows->word_length - 1 : rows->word_length;
    } else if (c == '\\' && fresh) {
        rows->place = COPY_ROWS_COMMENT;   /* \restrict, a line of psql's */
    } else if (c == '\'') {
        rows->place = COPY_ROWS_TEXT;
    } else if (c == '"') {
        rows->place = COPY_ROWS_IDENTIFIER;
        if (doubled)
            add_to_name(rows, '"');
    } else if (c == ';') {
        end_statement(rows);
    } else {
        feed_plain(rows, c);
    }
}

static void feed_one(struct copy_rows *rows, char c)
{
    switch (rows->place) {
    case COPY_ROWS_COMMENT:
        if (c == '\n')
            rows->place = COPY_ROWS_STATEMENT;
        rows->last = c;
        break;
    case COPY_ROWS_TEXT:
    case COPY_ROWS_IDENTIFIER:
        if (c == (rows->place == COPY_ROWS_TEXT ? '\'' : '"')) {
            rows->last = rows->place == COPY_ROWS_TEXT ? '\0' : c;
            rows->place = COPY_ROWS_STATEMENT;
        } else if (rows->place == COPY_ROWS_IDENTIFIER) {
            add_to_name(rows, c);
        }
        break;
    case COPY_ROWS_LINE_END:
        if (c == '\n')
            rows->place = COPY_ROWS_DATA;
        break;
    default:
        feed_statement(rows, c);
    }
}

static void end_line(struct copy_rows *rows)
{
    bool end = rows->line_length == 2 && memcmp(rows->line, "\\.", 2) == 0;
    rows->line_length = 0;
    if (!end) {
        rows->rows++;
        rows->total++;
        return;
    }
    rows->table(rows->context, rows->name, rows->rows);
    begin_statement(rows);
}

/* Data by lines: it is nearly all there is. Returns what is used of the bytes. */
static size_t feed_data(struct copy_rows *rows, const char *bytes, size_t length)
{
    const char *newline = memchr(bytes, '\n', length);
    size_t part = newline != NULL ? (size_t)(newline - bytes) : length;
    for (size_t i = 0; i < part && rows->line_length + i < sizeof rows->line; i++)
        rows->line[rows->line_length + i] = bytes[i];
    rows->line_length += part;
    if (newline == NULL)
        return part;
    end_line(rows);
    return part + 1;
}

void copy_rows_feed(struct copy_rows *rows, const char *bytes, size_t length)
{
    size_t at = 0;
    while (at < length)
        if (rows->place == COPY_ROWS_DATA)
            at += feed_data(rows, bytes + at, length - at);
        else
            feed_one(rows, bytes[at++]);
}

bool copy_rows_complete(const struct copy_rows *rows)
{
    return rows->place != COPY_ROWS_DATA && rows->place != COPY_ROWS_LINE_END;
}
