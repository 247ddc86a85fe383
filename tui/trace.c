#include "tui/trace.h"

#include "tui/keys.h"
#include "tui/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct trace {
    FILE *file;
    int64_t begun_ms;
    size_t written;
    int failed;    /* errno */
    char *before;  /* the last frame's text, owned; NULL: none yet */
    int width, height, cursor_x, cursor_y; /* of it; no cursor: -1 */
};

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void put(struct trace *trace, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(struct trace *trace, const char *format, ...)
{
    va_list arguments;
    if (trace->failed != 0 || trace->written >= TRACE_LIMIT)
        return;
    va_start(arguments, format);
    int length = vfprintf(trace->file, format, arguments);
    va_end(arguments);
    if (length < 0)
        trace->failed = errno;
    else
        trace->written += (size_t)length;
    if (trace->failed == 0 && trace->written >= TRACE_LIMIT && fputs("full: nothing more is written\n", trace->file) < 0)
        trace->failed = errno;
}

/* What is traced is in the file even if the program does not live to close it. */
static void flush(struct trace *trace)
{
    if (fflush(trace->file) != 0 && trace->failed == 0)
        trace->failed = errno;
}

static void put_time(struct trace *trace)
{
    int64_t ms = now_ms() - trace->begun_ms;
    put(trace, "%6lld.%03d ", (long long)(ms / 1000), (int)(ms % 1000));
}

struct trace *trace_open(const char *path, const char *about, char *message, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        snprintf(message, size, "can't write a trace to %.200s: %s%s", path, strerror(errno),
                 errno == EEXIST ? "; name a file that is not there yet" : "");
        return NULL;
    }
    struct trace *trace = memory_grow(NULL, 1, sizeof(*trace));
    *trace = (struct trace){.file = fdopen(fd, "w"), .begun_ms = now_ms()};
    if (trace->file == NULL) {
        snprintf(message, size, "can't write a trace to %.200s: %s", path, strerror(errno));
        close(fd);
        free(trace);
        return NULL;
    }
    char *clean = text_plain(about);
    put(trace, "%s\n", clean);
    put(trace, "Seconds since then, and a key or a frame. Of a frame, the lines that differ from the one before. * stands for what is typed.\n");
    free(clean);
    flush(trace);
    return trace;
}

void trace_key(struct trace *trace, const struct input *input, bool typing)
{
    char name[KEYS_NAME_SIZE];
    if (trace == NULL || input->kind != INPUT_KEY)
        return;
    bool text = input->key >= ' ' && input->key < K_ENTER && input->key != 127;
    put_time(trace);
    if (input->pasted || (typing && text))
        put(trace, "key %s*\n", input->pasted ? "pasted " : "");
    else
        put(trace, "key %s%s\n", input->alt ? "Alt " : "", keys_name(input->key, CHARSET_ASCII, name));
    flush(trace);
}

/* The frame as lines, without what is typed. The caller frees. */
static char *frame_text(const struct canvas *canvas)
{
    size_t count = (size_t)canvas->width * (size_t)canvas->height;
    struct canvas masked = *canvas;
    masked.cells = memory_grow(NULL, count, sizeof(*masked.cells));
    for (size_t i = 0; i < count; i++) {
        struct cell *cell = &masked.cells[i];
        *cell = canvas->cells[i];
        bool blank = cell->text[0] == ' ' && cell->text[1] == '\0';
        if (STYLE_ROLE(cell->style) == ROLE_INPUT && !blank)
            *cell = (struct cell){.text = "*", .width = 1};
    }
    char *text = canvas_text(&masked);
    free(masked.cells);
    return text;
}

/* Takes the next line, without its newline; "" past the last. */
static const char *next_line(const char **text, size_t *length)
{
    const char *line = *text;
    *length = strcspn(line, "\n");
    *text += *length + (line[*length] == '\n');
    return line;
}

static void put_differences(struct trace *trace, const char *text)
{
    const char *before = trace->before != NULL ? trace->before : "";
    for (int number = 1; *text != '\0'; number++) {
        size_t length, length_before;
        const char *line = next_line(&text, &length), *line_before = next_line(&before, &length_before);
        if (length != length_before || memcmp(line, line_before, length) != 0)
            put(trace, "%10d|%.*s\n", number, (int)length, line);
    }
}

void trace_frame(struct trace *trace, const struct canvas *canvas)
{
    if (trace == NULL || trace->failed != 0 || trace->written >= TRACE_LIMIT)
        return;
    int cursor_x = canvas->cursor_shown ? canvas->cursor_x : -1, cursor_y = canvas->cursor_shown ? canvas->cursor_y : -1;
    char *text = frame_text(canvas);
    bool same_size = canvas->width == trace->width && canvas->height == trace->height;
    bool same = same_size && cursor_x == trace->cursor_x && cursor_y == trace->cursor_y && trace->before != NULL && strcmp(text, trace->before) == 0;
    if (same) {
        free(text);
        return;
    }
    put_time(trace);
    put(trace, "frame %dx%d, %s", canvas->width, canvas->height, cursor_x < 0 ? "no cursor\n" : "");
    if (cursor_x >= 0)
        put(trace, "cursor at column %d, line %d\n", cursor_x + 1, cursor_y + 1);
    if (!same_size) {
        free(trace->before);
        trace->before = NULL;
    }
    put_differences(trace, text);
    free(trace->before);
    trace->before = text;
    trace->width = canvas->width;
    trace->height = canvas->height;
    trace->cursor_x = cursor_x;
    trace->cursor_y = cursor_y;
    flush(trace);
}

int trace_close(struct trace *trace)
{
    if (trace == NULL)
        return 0;
    put_time(trace);
    put(trace, "end\n");
    flush(trace);
    int failed = trace->failed;
    if (fclose(trace->file) != 0 && failed == 0)
        failed = errno;
    free(trace->before);
    free(trace);
    return failed;
}
