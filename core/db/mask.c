/*
 * Other sessions' queries are shown beside a wait, and may hold credentials. So a query is read as PostgreSQL's own scanner reads
 * it (src/backend/parser/scan.l), and what stands in quotes, or in a comment, where it may be a literal put aside, is not shown.
 */
#include "core/db/pg.h"

#include "core/base/buf.h"

#include <stdbool.h>
#include <string.h>

#define MASKED "'\xE2\x80\xA6'"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool begins_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80;
}

static bool continues_name(char c)
{
    return begins_name(c) || is_digit(c) || c == '$';
}

/*
 * Each skips what begins at `c` and returns what follows it. Whether a backslash hides the quote after it in a plain string is a
 * setting of the other session, standard_conforming_strings, which can't be seen: then all that follows counts as the string.
 */
static const char *skip_string(const char *c, bool escapes)
{
    for (c++; *c != '\0'; c++) {
        if (*c == '\\' && escapes && c[1] != '\0')
            c++;
        else if (*c == '\\' && c[1] == '\'')
            return c + strlen(c);
        else if (*c == '\'' && c[1] == '\'')
            c++;
        else if (*c == '\'')
            return c + 1;
    }
    return c;
}

static const char *skip_comment(const char *c)
{
    if (*c == '-')
        return c + strcspn(c, "\r\n");
    int depth = 0;
    do {
        bool opens = c[0] == '/' && c[1] == '*', closes = c[0] == '*' && c[1] == '/';
        depth += opens ? 1 : closes ? -1 : 0;
        c += opens || closes ? 2 : 1;
    } while (depth > 0 && *c != '\0');
    return c;
}

/* `$$` or `$tag$`, up to the same again; NULL where it is neither. */
static const char *skip_dollars(const char *c)
{
    size_t length = 1;
    if (begins_name(c[length]))
        while (continues_name(c[length]) && c[length] != '$')
            length++;
    if (c[length] != '$')
        return NULL;
    length++;
    for (const char *end = strchr(c + length, '$'); end != NULL; end = strchr(end + 1, '$'))
        if (strncmp(end, c, length) == 0)
            return end + length;
    return c + strlen(c);
}

static const char *skip_quoted_name(const char *c)
{
    for (c++; *c != '\0'; c++) {
        if (*c == '"' && c[1] != '"')
            return c + 1;
        if (*c == '"')
            c++;
    }
    return c;
}

static const char *skip_name(const char *c)
{
    while (continues_name(*c))
        c++;
    return c;
}

char *pg_mask_query(const char *query)
{
    struct buf out = {0};
    bool escapes = false;   /* an E stands directly before */
    for (const char *c = query != NULL ? query : "", *next; *c != '\0'; c = next) {
        bool is_comment = strncmp(c, "--", 2) == 0 || strncmp(c, "/*", 2) == 0;
        const char *dollars = *c == '$' ? skip_dollars(c) : NULL;
        next = *c == '\'' ? skip_string(c, escapes) : is_comment ? skip_comment(c) : dollars;
        escapes = false;
        if (next != NULL) {
            buf_add(&out, is_comment ? "/*\xE2\x80\xA6*/" : MASKED);
            continue;
        }
        next = *c == '"' ? skip_quoted_name(c) : begins_name(*c) ? skip_name(c) : c + 1;
        escapes = next == c + 1 && (*c == 'e' || *c == 'E');
        buf_add_bytes(&out, c, (size_t)(next - c));
    }
    return buf_take(&out);
}
