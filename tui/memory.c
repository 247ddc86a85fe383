#include "tui/memory.h"

#include "tui/terminal.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void *memory_grow(void *old, size_t count, size_t size)
{
    void *grown = reallocarray(old, count > 0 ? count : 1, size > 0 ? size : 1);
    if (grown != NULL)
        return grown;
    static const char message[] = "out of memory for the screen\n";
    terminal_restore();
    if (write(STDERR_FILENO, message, sizeof(message) - 1) < 0)
        _exit(1);
    exit(1);
}

char *memory_copy(const char *text, size_t length)
{
    char *copy = memory_grow(NULL, length + 1, 1);
    if (length > 0)
        memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}
