#include "core/conf/conf_diff.h"

#include "core/base/mem.h"
#include "core/conf/conf_file.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define CONTEXT 3
#define SHOWN 400

void conf_lines_split(struct conf_lines *lines, const char *text)
{
    *lines = (struct conf_lines){0};
    while (*text != '\0') {
        size_t length = strcspn(text, "\n");
        bool ended = text[length] == '\n', crlf = ended && length > 0 && text[length - 1] == '\r';
        lines->list = mem_grow(lines->list, lines->count + 1, sizeof *lines->list);
        lines->list[lines->count++] = (struct conf_line){.text = mem_ndup(text, length - crlf), .end = crlf ? "\r\n" : ended ? "\n" : ""};
        text += length + ended;
    }
}

void conf_lines_free(struct conf_lines *lines)
{
    for (size_t i = 0; i < lines->count; i++) {
        mem_wipe(lines->list[i].text);
        free(lines->list[i].inserted);
        mem_wipe(lines->list[i].replaced);
    }
    free(lines->list);
    *lines = (struct conf_lines){0};
}

/* What is inserted ends as the lines around it do: where the file's last line has no end, as the first one has. */
static const char *inserted_end(const struct conf_lines *lines, size_t index)
{
    const char *end = lines->list[index].end;
    return end[0] != '\0' ? end : index > 0 ? lines->list[0].end : "\n";
}

void conf_lines_join(const struct conf_lines *lines, struct buf *text)
{
    for (size_t i = 0; i < lines->count; i++) {
        const struct conf_line *line = &lines->list[i];
        if (line->inserted != NULL) {
            buf_add(text, line->inserted);
            buf_add(text, inserted_end(lines, i));
        }
        buf_add(text, line->replaced != NULL ? line->replaced : line->text);
        buf_add(text, line->end);
    }
}

/* The end of the first word that announces a secret, or NULL. */
static const char *find_secret(const char *text)
{
    static const char *const words[] = {"password", "passwd", "passphrase", "secret", "token", "credential", "api_key", "api-key", "apikey"};
    const char *first = NULL;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        const char *found = strcasestr(text, words[i]);
        if (found != NULL && (first == NULL || found + strlen(words[i]) < first))
            first = found + strlen(words[i]);
    }
    return first;
}

/* Lines that continue one another, be it in a comment, from `first` on. Returns their number; `text`: what they say together. */
static size_t collect_group(const struct conf_lines *lines, size_t first, struct buf *text)
{
    size_t last = first;
    bool goes_on = true;
    for (; goes_on && last < lines->count; last++) {
        const char *line = lines->list[last].text;
        goes_on = conf_line_continues(line) || (last > first && conf_line_is_skipped(line));
        size_t length = strlen(line);
        while (goes_on && length > 0 && strchr(" \t\r\v\f\\", line[length - 1]) != NULL)
            length--;
        buf_add_bytes(text, line, length);
    }
    return last - first;
}

static void mark_secrets(const struct conf_lines *lines, bool *is_secret)
{
    struct buf text = {0};
    for (size_t i = 0, length; i < lines->count; i += length) {
        length = collect_group(lines, i, &text);
        bool secret = find_secret(buf_text(&text)) != NULL;
        for (size_t n = i; n < i + length; n++)
            is_secret[n] = secret;
        if (text.data != NULL)
            explicit_bzero(text.data, text.length);
        buf_clear(&text);
    }
    conf_text_wipe(&text);
}

static size_t cut_length(const char *text, size_t limit)
{
    size_t length = strnlen(text, limit + 1);
    if (length <= limit)
        return length;
    while (limit > 0 && ((unsigned char)text[limit] & 0xC0) == 0x80)
        limit--;
    return limit;
}

static void add_line(struct buf *diff, char sign, const char *text, size_t shown, const char *end)
{
    size_t length = cut_length(text, shown < SHOWN ? shown : SHOWN);
    buf_add_bytes(diff, &sign, 1);
    buf_add_bytes(diff, text, length);
    buf_add(diff, shown < strlen(text) ? " ******" : text[length] != '\0' ? "\xE2\x80\xA6" : "");
    buf_add(diff, end[0] == '\0' ? "\n\\ No newline at end of file\n" : "\n");
}

/* Up to the value, or the word that announces it. A line that only goes on with it is all value. */
static size_t shown_of_secret(const char *text)
{
    const char *word = find_secret(text), *equals = strchr(text, '=');
    if (word == NULL)
        return 0;
    if (equals != NULL && equals > word && strspn(word, " \t") == (size_t)(equals - word))
        return (size_t)(equals + 1 - text);
    return (size_t)((equals != NULL && equals < word ? equals + 1 : word) - text);
}

/* Of a line that is changed the settings are known to be harmless; what is beside them in a comment is not. */
static size_t shown_of_changed(const char *text)
{
    const char *equals = strchr(text, '='), *comment = strchr(equals != NULL ? equals : text, '#');
    const char *word = comment != NULL ? find_secret(comment) : NULL;
    return word != NULL ? (size_t)(word - text) : strlen(text);
}

static bool is_changed(const struct conf_line *line)
{
    return line->inserted != NULL || line->replaced != NULL;
}

static void add_one(struct buf *diff, const struct conf_lines *lines, size_t index, bool is_secret)
{
    const struct conf_line *line = &lines->list[index];
    if (line->inserted != NULL)
        add_line(diff, '+', line->inserted, shown_of_changed(line->inserted), "\n");
    if (line->replaced == NULL) {
        add_line(diff, ' ', line->text, is_secret ? shown_of_secret(line->text) : strlen(line->text), line->end);
        return;
    }
    add_line(diff, '-', line->text, shown_of_changed(line->text), line->end);
    add_line(diff, '+', line->replaced, shown_of_changed(line->replaced), line->end);
}

/* One past the hunk's last line: hunks that would touch are one. */
static size_t hunk_end(const struct conf_lines *lines, size_t changed)
{
    size_t end = changed + 1;
    for (size_t i = changed + 1; i < lines->count && i <= end + 2 * CONTEXT; i++)
        if (is_changed(&lines->list[i]))
            end = i + 1;
    return end + CONTEXT < lines->count ? end + CONTEXT : lines->count;
}

char *conf_lines_diff(const struct conf_lines *lines)
{
    struct buf diff = {0};
    bool *is_secret = mem_zero(lines->count + 1, sizeof *is_secret);
    size_t shift = 0;   /* lines inserted so far */
    mark_secrets(lines, is_secret);
    for (size_t i = 0; i < lines->count; i++) {
        if (!is_changed(&lines->list[i]))
            continue;
        size_t begin = i > CONTEXT ? i - CONTEXT : 0, end = hunk_end(lines, i), inserted = 0;
        for (size_t n = begin; n < end; n++)
            inserted += lines->list[n].inserted != NULL;
        buf_addf(&diff, "@@ -%zu,%zu +%zu,%zu @@\n", begin + 1, end - begin, begin + 1 + shift, end - begin + inserted);
        for (size_t n = begin; n < end; n++)
            add_one(&diff, lines, n, is_secret[n]);
        shift += inserted;
        i = end - 1;
    }
    free(is_secret);
    return diff.data != NULL ? buf_take(&diff) : mem_dup("");
}
