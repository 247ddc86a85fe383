#include "core/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *checked(void *pointer)
{
    if (pointer == NULL) {
        static const char message[] = "kong-upgrade: out of memory\n";
        (void)!write(STDERR_FILENO, message, sizeof message - 1);
        _exit(1);
    }
    return pointer;
}

void *mem_zero(size_t count, size_t size)
{
    return checked(calloc(count > 0 ? count : 1, size));
}

void *mem_grow(void *old, size_t count, size_t size)
{
    return checked(reallocarray(old, count > 0 ? count : 1, size));
}

char *mem_dup(const char *text)
{
    return text != NULL ? checked(strdup(text)) : NULL;
}

char *mem_ndup(const char *text, size_t length)
{
    return checked(strndup(text, length));
}

char *mem_vprintf(const char *format, va_list arguments)
{
    char *text = NULL;
    if (vasprintf(&text, format, arguments) < 0)
        checked(NULL);
    return text;
}

char *mem_printf(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = mem_vprintf(format, arguments);
    va_end(arguments);
    return text;
}

void mem_wipe(char *secret)
{
    if (secret == NULL)
        return;
    explicit_bzero(secret, strlen(secret));
    free(secret);
}
