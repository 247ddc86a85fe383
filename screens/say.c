#include "screens/say.h"

#include "core/base/buf.h"
#include "core/base/mem.h"
#include "screens/options.h"
#include "tui/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

static void print(FILE *file, const char *prefix, const char *format, va_list arguments, const char *suffix)
{
    char *text = mem_vprintf(format, arguments);
    char *plain = text_plain(text);   /* one line, whatever it quotes */
    fprintf(file, "%s%s%s", prefix, plain, suffix);
    fflush(file);
    free(plain);
    free(text);
}

/* What stands for the format's own newlines until the data is in: nothing that data could hold by design. */
static const char *newline_mark(void)
{
    static char mark[24];
    unsigned long long random = 0;
    if (mark[0] == '\0') {
        (void)!getrandom(&random, sizeof random, 0);
        snprintf(mark, sizeof mark, "<%016llx>", random);
    }
    return mark;
}

static char *replace(const char *text, const char *what, const char *with)
{
    struct buf out = {0};
    for (const char *found; (found = strstr(text, what)) != NULL; text = found + strlen(what)) {
        buf_add_bytes(&out, text, (size_t)(found - text));
        buf_add(&out, with);
    }
    buf_add(&out, text);
    return buf_take(&out);
}

void say(const char *format, ...)
{
    va_list arguments;
    char *marked = replace(format, "\n", newline_mark());
    va_start(arguments, format);
    char *text = mem_vprintf(marked, arguments);
    va_end(arguments);
    char *plain = text_plain(text), *lines = replace(plain, newline_mark(), "\n");
    fputs(lines, stdout);
    fflush(stdout);
    free(lines);
    free(plain);
    free(text);
    free(marked);
}

void say_text(const char *text)
{
    char *plain = text_plain_lines(text);
    fputs(plain, stdout);
    fflush(stdout);
    free(plain);
}

void complain_text(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    print(stderr, "kong-upgrade: ", format, arguments, "\n");
    va_end(arguments);
}

int complain(struct error *error)
{
    complain_text("%s", error->message != NULL ? error->message : "unknown error");
    error_clear(error);
    return EXIT_ERROR;
}

void say_json(json_t *json, bool indent)
{
    /* ASCII alone: the control characters beyond it are harmful to terminals, too, and so is DEL, which
     * jansson leaves as it is. */
    char *text = json_dumps(json, JSON_ENSURE_ASCII | (indent ? JSON_INDENT(2) : JSON_COMPACT));
    for (const char *c = text; c != NULL && *c != '\0'; c++)
        *c == 0x7F ? fputs("\\u007f", stdout) : putchar(*c);
    putchar('\n');
    fflush(stdout);
    free(text);
    json_decref(json);
}

bool ask(const char *format, ...)
{
    char answer[16] = "";
    va_list arguments;
    if (!isatty(STDIN_FILENO))
        return false;
    va_start(arguments, format);
    print(stderr, "", format, arguments, " [y/N] ");
    va_end(arguments);
    return fgets(answer, sizeof answer, stdin) != NULL && (strcmp(answer, "y\n") == 0 || strcmp(answer, "yes\n") == 0);
}

bool say_failed(void)
{
    return ferror(stdout) != 0;
}

const char *say_bytes(long long bytes, char text[SAY_SIZE])
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    double value = (double)bytes;
    size_t unit = 0;
    for (; value >= 1023.5 && unit + 1 < sizeof units / sizeof units[0]; unit++)
        value /= 1024;
    if (bytes < 0)
        snprintf(text, SAY_SIZE, "-");
    else
        snprintf(text, SAY_SIZE, value < 9.95 && unit > 0 ? "%.1f %s" : "%.0f %s", value, units[unit]);
    return text;
}

const char *say_about(long long ms, char text[SAY_SIZE])
{
    if (ms < 1000)
        snprintf(text, SAY_SIZE, "under 1 s");
    else if (ms < 100 * 1000)
        snprintf(text, SAY_SIZE, "about %lld s", (ms + 500) / 1000);
    else if (ms < 100 * 60 * 1000)
        snprintf(text, SAY_SIZE, "about %lld min", (ms + 30 * 1000) / (60 * 1000));
    else
        snprintf(text, SAY_SIZE, "about %lld h", ms / (60 * 60 * 1000) < 9999 ? (ms + 30 * 60 * 1000) / (60 * 60 * 1000) : 9999);
    return text;
}
