#include "core/base/error.h"

#include "core/base/mem.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

bool error_set(struct error *error, enum error_code code, const char *format, ...)
{
    if (error == NULL)
        return false;
    va_list arguments;
    va_start(arguments, format);
    char *message = mem_vprintf(format, arguments);
    va_end(arguments);
    free(error->message);
    error->code = code;
    error->message = message;
    error->sqlstate[0] = '\0';
    return false;
}

bool error_prefix(struct error *error, const char *format, ...)
{
    if (error == NULL)
        return false;
    va_list arguments;
    va_start(arguments, format);
    char *prefix = mem_vprintf(format, arguments);
    va_end(arguments);
    char *message = mem_printf("%s: %s", prefix, error->message != NULL ? error->message : "");
    free(prefix);
    free(error->message);
    error->message = message;
    return false;
}

void error_clear(struct error *error)
{
    free(error->message);
    *error = (struct error){0};
}
