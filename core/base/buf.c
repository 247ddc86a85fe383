#include "core/base/buf.h"

#include "core/base/mem.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void buf_add_bytes(struct buf *buf, const char *bytes, size_t length)
{
    if (buf->length + length + 1 > buf->capacity) {
        buf->capacity = (buf->length + length + 1) * 2;
        buf->data = mem_grow(buf->data, buf->capacity, 1);
    }
    if (length > 0)
        memcpy(buf->data + buf->length, bytes, length);
    buf->length += length;
    buf->data[buf->length] = '\0';
}

void buf_add(struct buf *buf, const char *text)
{
    buf_add_bytes(buf, text, strlen(text));
}

void buf_addf(struct buf *buf, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = mem_vprintf(format, arguments);
    va_end(arguments);
    buf_add(buf, text);
    free(text);
}

static void add_quoted(struct buf *buf, const char *text, char quote)
{
    buf_add_bytes(buf, &quote, 1);
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == quote)
            buf_add_bytes(buf, &quote, 1);
        buf_add_bytes(buf, c, 1);
    }
    buf_add_bytes(buf, &quote, 1);
}

void buf_add_identifier(struct buf *buf, const char *name)
{
    add_quoted(buf, name, '"');
}

void buf_add_literal(struct buf *buf, const char *text)
{
    add_quoted(buf, text, '\'');
}

const char *buf_text(const struct buf *buf)
{
    return buf->data != NULL ? buf->data : "";
}

char *buf_take(struct buf *buf)
{
    char *text = buf->data != NULL ? buf->data : mem_dup("");
    *buf = (struct buf){0};
    return text;
}

void buf_clear(struct buf *buf)
{
    buf->length = 0;
    if (buf->data != NULL)
        buf->data[0] = '\0';
}

void buf_free(struct buf *buf)
{
    free(buf->data);
    *buf = (struct buf){0};
}
