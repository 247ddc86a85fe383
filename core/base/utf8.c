#include "core/base/utf8.h"

#include "core/base/buf.h"

#include <stdbool.h>
#include <stdint.h>

/* The length of the valid sequence at `s`, or 0. Overlong forms, surrogates and code points past U+10FFFF are invalid. */
static size_t sequence_length(const unsigned char *s)
{
    size_t length = s[0] < 0x80 ? 1 : s[0] >= 0xC2 && s[0] < 0xE0 ? 2 : s[0] >= 0xE0 && s[0] < 0xF0 ? 3 : s[0] >= 0xF0 && s[0] < 0xF5 ? 4 : 0;
    for (size_t i = 1; i < length; i++)
        if ((s[i] & 0xC0) != 0x80)
            return 0;
    bool overlong = (s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xF0 && s[1] < 0x90);
    bool outside = (s[0] == 0xED && s[1] > 0x9F) || (s[0] == 0xF4 && s[1] > 0x8F);
    return overlong || outside ? 0 : length;
}

char *utf8_clean(const char *text)
{
    struct buf out = {0};
    const unsigned char *s = (const unsigned char *)(text != NULL ? text : "");
    while (*s != '\0') {
        size_t length = sequence_length(s);
        if (length == 0)
            buf_add(&out, "\xEF\xBF\xBD");
        else
            buf_add_bytes(&out, (const char *)s, length);
        s += length > 0 ? length : 1;
    }
    return buf_take(&out);
}
