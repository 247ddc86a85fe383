/*
 * What the screens look like, as text: each scene is compared with a file of the folder that is the first argument, which a person can
 * read (golden/NAME-WIDTHxHEIGHT.txt, -ascii without line drawing). Their last line says where the cursor stands.
 *
 * UPDATE_GOLDEN=1 in the environment writes them anew: look at the difference before you commit it.
 */
#include "fixture.h"

#include "core/base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *folder;

static const struct size {
    int width, height;
    enum charset charset;
    bool of[SCENE_WIDE + 1];    /* by enum scene_sizes */
} sizes[] = {
    {80, 24, CHARSET_UTF8, {true, true, true}},     {80, 24, CHARSET_ASCII, {false, true, false}}, {60, 20, CHARSET_UTF8, {false, true, false}},
    {120, 40, CHARSET_UTF8, {false, true, false}}, {160, 50, CHARSET_UTF8, {false, true, true}},
};

static char *read_text(const char *path)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return mem_dup("");
    if (getdelim(&text, &size, '\0', file) < 0) {
        free(text);
        text = mem_dup("");
    }
    fclose(file);
    return text;
}

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

/* The canvas with its cursor. The caller frees. */
static char *picture(const struct canvas *canvas)
{
    char *text = canvas_text(canvas);
    char *all = canvas->cursor_shown ? mem_printf("%s--- cursor at column %d, line %d\n", text, canvas->cursor_x + 1, canvas->cursor_y + 1)
                                     : mem_printf("%s--- no cursor\n", text);
    free(text);
    return all;
}

/* Whether it is as the file says; shows both where it is not. */
static bool compare(const struct fixture *fixture, const char *name, const struct size *size)
{
    char *path = mem_printf("%s/%s-%dx%d%s.txt", folder, name, size->width, size->height, size->charset == CHARSET_ASCII ? "-ascii" : "");
    char *actual = picture(&fixture->canvas);
    const char *update = getenv("UPDATE_GOLDEN");
    if (update != NULL && strcmp(update, "1") == 0)
        write_text(path, actual);
    char *expected = read_text(path);
    bool same = strcmp(actual, expected) == 0;
    if (!same)
        fprintf(stderr, "%s: expected:\n%sgot:\n%s", path, expected, actual);
    free(expected);
    free(actual);
    free(path);
    return same;
}

static void test_screens_look_as_the_files_say(void **state)
{
    bool same = true;
    (void)state;
    for (size_t i = 0; scene_at(i) != NULL; i++)
        for (size_t j = 0; j < COUNT_OF(sizes); j++) {
            struct fixture fixture;
            if (!sizes[j].of[scene_at(i)->sizes])
                continue;
            fixture_begin(&fixture, scene_at(i), sizes[j].width, sizes[j].height, sizes[j].charset, NULL);
            fixture_draw(&fixture);
            same = compare(&fixture, scene_at(i)->name, &sizes[j]) && same;
            fixture_free(&fixture);
        }
    assert_true(same);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_screens_look_as_the_files_say),
    };
    if (argc != 2 || setlocale(LC_ALL, "C.UTF-8") == NULL) {
        fprintf(stderr, "usage: draw_test GOLDEN-FOLDER (in a system with the locale C.UTF-8)\n");
        return 2;
    }
    folder = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
