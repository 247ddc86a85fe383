/*
 * A string that grows. Zero-initialise it; free it with buf_free, or take the string out with buf_take.
 */
#ifndef CORE_BASE_BUF_H
#define CORE_BASE_BUF_H

#include <stddef.h>

struct buf {
    char *data;      /* NUL-terminated once anything was added, else NULL: use buf_text */
    size_t length;   /* without the NUL */
    size_t capacity;
};

void buf_add(struct buf *buf, const char *text);
void buf_add_bytes(struct buf *buf, const char *bytes, size_t length);
void buf_addf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* SQL quoting, for names and texts that are our own or come from the catalogs ("a""b", 'a''b'). Backslashes are literal:
 * every connection of ours has standard_conforming_strings on. */
void buf_add_identifier(struct buf *buf, const char *name);
void buf_add_literal(struct buf *buf, const char *text);

const char *buf_text(const struct buf *buf);   /* never NULL */
char *buf_take(struct buf *buf);               /* the caller frees; the buf is empty again */
void buf_clear(struct buf *buf);               /* empty, capacity kept */
void buf_free(struct buf *buf);

#endif
