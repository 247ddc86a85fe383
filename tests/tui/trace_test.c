/* What a trace for bug reports holds, and what it never does. */
#include "tests/tui/drawn.h"

#include "tui/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64], path[96];

static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/trace-test-%d", (int)getpid());
    snprintf(path, sizeof(path), "%s/trace", folder);
    return mkdir(folder, 0700);
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static struct trace *begin(void)
{
    char message[256];
    struct trace *trace = trace_open(path, "about \033[31mthis", message, sizeof(message));
    assert_non_null(trace);
    return trace;
}

/* The whole file, its times replaced by a letter. The caller frees. */
static char *traced(void)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_true(getdelim(&text, &size, '\0', file) > 0);
    fclose(file);
    char *to = text;
    for (const char *from = text; *from != '\0';) {
        size_t digits = strspn(from, " 0123456789.");
        bool time = (from == text || from[-1] == '\n') && digits > 6 && from[digits] != '|';
        if (time) {
            *to++ = 'T';
            *to++ = ' ';
            from += digits;
        }
        while (*from != '\0' && (*to++ = *from++) != '\n')
            continue;
    }
    *to = '\0';
    return text;
}

static void keys_and_frames_are_written_with_times(void **state)
{
    (void)state;
    struct canvas canvas;
    struct trace *trace = begin();
    canvas_init(&canvas, 12, 3, CHARSET_UTF8);
    area_text(canvas_area(&canvas), 0, 0, ROLE_TITLE, "Kong – 日本");
    area_text(canvas_area(&canvas), 0, 2, ROLE_TEXT, "below");
    trace_frame(trace, &canvas);
    trace_frame(trace, &canvas);
    struct input input = key('q');
    trace_key(trace, &input, false);
    input = key(K_DOWN);
    trace_key(trace, &input, true);
    trace_key(trace, &(struct input){.kind = INPUT_RESIZE}, false);
    area_text(canvas_area(&canvas), 0, 2, ROLE_TEXT, "     ");
    area_cursor(canvas_area(&canvas), 1, 2);
    trace_frame(trace, &canvas);
    canvas_resize(&canvas, 5, 1, CHARSET_UTF8);
    area_text(canvas_area(&canvas), 0, 0, ROLE_TEXT, "Kong");
    trace_frame(trace, &canvas);
    canvas_free(&canvas);
    assert_int_equal(trace_close(trace), 0);
    char *text = traced();
    assert_string_equal(strchr(strchr(text, '\n') + 1, '\n') + 1,
                        "T frame 12x3, no cursor\n"
                        "         1|Kong – 日本\n"
                        "         3|below\n"
                        "T key q\n"
                        "T key Down\n"
                        "T frame 12x3, cursor at column 2, line 3\n"
                        "         3|\n"
                        "T frame 5x1, no cursor\n"
                        "         1|Kong\n"
                        "T end\n");
    assert_null(strchr(text, '\033'));
    free(text);
}

static void what_is_typed_is_not_in_it(void **state)
{
    (void)state;
    struct canvas canvas;
    struct trace *trace = begin();
    canvas_init(&canvas, 40, 1, CHARSET_UTF8);
    for (const char *letter = "zebra"; *letter != '\0'; letter++) {
        struct input input = key((uint32_t)*letter);
        trace_key(trace, &input, true);
        input.pasted = true;
        trace_key(trace, &input, false);
    }
    area_text(canvas_area(&canvas), area_text(canvas_area(&canvas), 0, 0, ROLE_TEXT, "Name "), 0, ROLE_INPUT | STYLE_DIM, "zebra 本");
    trace_frame(trace, &canvas);
    canvas_free(&canvas);
    assert_int_equal(trace_close(trace), 0);
    char *text = traced();
    assert_non_null(strstr(text, "1|Name ***** **\n"));
    assert_non_null(strstr(text, "key *\n"));
    assert_non_null(strstr(text, "key pasted *\n"));
    for (const char *letter = "zebra"; *letter != '\0'; letter++) {
        char named[16];
        snprintf(named, sizeof(named), "key %c\n", *letter);
        assert_null(strstr(text, named));
    }
    assert_null(strstr(text, "zebra"));
    free(text);
}

static void only_a_new_file_of_ones_own_is_written(void **state)
{
    (void)state;
    char message[256], other[96];
    struct stat file;
    umask(0);
    assert_int_equal(trace_close(begin()), 0);
    assert_int_equal(stat(path, &file), 0);
    assert_int_equal(file.st_mode & 07777, 0600);
    assert_null(trace_open(path, "", message, sizeof(message)));
    assert_non_null(strstr(message, "File exists; name a file that is not there yet"));
    unlink(path);
    snprintf(other, sizeof(other), "%s/other", folder);
    assert_int_equal(symlink(other, path), 0);
    assert_null(trace_open(path, "", message, sizeof(message)));
    assert_int_equal(access(other, F_OK), -1);
    unlink(path);
    assert_null(trace_open("/nowhere/trace", "", message, sizeof(message)));
    assert_non_null(strstr(message, "can't write a trace to /nowhere/trace: No such file"));
}

static void it_has_an_end(void **state)
{
    (void)state;
    struct canvas canvas;
    struct stat file;
    struct trace *trace = begin();
    canvas_init(&canvas, 700, 500, CHARSET_ASCII);
    for (int i = 0; i < 3; i++) {
        for (int cell = 0; cell < 700 * 500; cell++)
            memset(canvas.cells[cell].text, 'a' + i, TEXT_GRAPHEME_SIZE - 1);
        trace_frame(trace, &canvas);
    }
    canvas_free(&canvas);
    assert_int_equal(trace_close(trace), 0);
    assert_int_equal(stat(path, &file), 0);
    assert_true(file.st_size > TRACE_LIMIT && file.st_size < TRACE_LIMIT + 700 * TEXT_GRAPHEME_SIZE);
}

static void a_full_disk_is_told_in_the_end(void **state)
{
    (void)state;
    struct canvas canvas;
    /* Not through trace_open, which makes files: the descriptor is changed below it. */
    struct trace *trace = begin();
    int full = open("/dev/full", O_WRONLY), fd = -1;
    char link[64], target[128];
    for (int each = 3; each < 64; each++) {
        snprintf(link, sizeof(link), "/proc/self/fd/%d", each);
        ssize_t length = readlink(link, target, sizeof(target) - 1);
        target[length > 0 ? length : 0] = '\0';
        if (strcmp(target, path) == 0)
            fd = each;
    }
    assert_true(full >= 0 && fd >= 0);
    assert_int_equal(dup2(full, fd), fd);
    close(full);
    canvas_init(&canvas, 10, 1, CHARSET_ASCII);
    trace_frame(trace, &canvas);
    canvas_free(&canvas);
    assert_int_equal(trace_close(trace), ENOSPC);
}

static void none_is_no_work(void **state)
{
    (void)state;
    struct input input = key('q');
    trace_key(NULL, &input, false);
    trace_frame(NULL, NULL);
    assert_int_equal(trace_close(NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(keys_and_frames_are_written_with_times, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_typed_is_not_in_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_a_new_file_of_ones_own_is_written, set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_has_an_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_disk_is_told_in_the_end, set_up, tear_down),
        cmocka_unit_test(none_is_no_work),
    };
    return cmocka_run_group_tests_name("trace", tests, use_utf8, NULL);
}
