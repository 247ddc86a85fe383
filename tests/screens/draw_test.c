/*
 * What the screens look like, in files that a person can read, a file for each scene (golden/SCENE.txt). In it, for each size: the
 * picture; where the cursor stands; the lines that differ in ASCII; and how each line looks, by roles, with what they are without colour
 * (b bold, r reverse, u underlined). What roles are in colour is in golden/themes.txt.
 *
 * At its end stands what the dialogue line by line tells of the scene.
 *
 * UPDATE_GOLDEN=1 in the environment writes them anew, and removes those of scenes that are gone: look at the difference before you
 * commit it.
 */
#include "fixture.h"

#include "core/base/buf.h"
#include "core/base/mem.h"
#include "screens/dialogue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *folder;

static const struct size {
    int width, height;
    bool chief_only;
} sizes[] = {{80, 24, false}, {60, 20, false}, {120, 40, false}, {30, 8, false}, {160, 50, true}};

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

static const char *const role_names[ROLE_COUNT] = {
    [ROLE_TEXT] = "text", [ROLE_DIM] = "dim", [ROLE_TITLE] = "title", [ROLE_STRONG] = "strong", [ROLE_KEY] = "key", [ROLE_OK] = "ok",
    [ROLE_INFO] = "info", [ROLE_WARN] = "warn", [ROLE_DANGER] = "danger", [ROLE_WAIT] = "wait", [ROLE_HERE] = "here", [ROLE_PASSIVE] = "passive",
    [ROLE_MATCH] = "match", [ROLE_INPUT] = "input", [ROLE_BORDER] = "border", [ROLE_BAR] = "bar", [ROLE_BAR_KEY] = "bar-key",
    [ROLE_FILLED] = "filled", [ROLE_EMPTY] = "empty", [ROLE_OLD] = "old", [ROLE_NEW] = "new",
};

static void add_flags(struct buf *text, unsigned flags)
{
    static const struct {
        unsigned flag;
        const char *letter;
    } letters[] = {{STYLE_BOLD, "b"}, {STYLE_REVERSE, "r"}, {STYLE_UNDERLINE, "u"}, {STYLE_DIM, "d"}};
    const char *before = "/";
    for (size_t i = 0; i < COUNT_OF(letters); i++)
        if ((flags & letters[i].flag) != 0) {
            buf_addf(text, "%s%s", before, letters[i].letter);
            before = "";
        }
}

/* The role, and what of its style can be seen without colour. Borders are seen as they are. */
static unsigned look_at(const struct canvas *canvas, int x, int y)
{
    unsigned style = canvas->cells[(size_t)y * (size_t)canvas->width + (size_t)x].style;
    enum role role = STYLE_ROLE(style) == ROLE_BORDER ? ROLE_TEXT : STYLE_ROLE(style);
    return role | theme_look(theme_find("mono"), role, 0).flags | (style & ~0xFFu);
}

/* "  4: 1-2 warn/b, 5-9 key/b": what is not plain text. */
static void add_looks(struct buf *text, const struct canvas *canvas)
{
    for (int y = 0; y < canvas->height; y++) {
        bool any = false;
        for (int x = 0, end; x < canvas->width; x = end) {
            unsigned style = look_at(canvas, x, y);
            for (end = x + 1; end < canvas->width && look_at(canvas, end, y) == style; end++)
                ;
            if (style == ROLE_TEXT)
                continue;
            if (any)
                buf_add(text, ", ");
            else
                buf_addf(text, "%3d: ", y + 1);
            buf_addf(text, "%d-%d %s", x + 1, end, role_names[STYLE_ROLE(style)]);
            add_flags(text, style & ~0xFFu);
            any = true;
        }
        buf_add(text, any ? "\n" : "");
    }
}

/* The lines of `ascii` that are not those of `utf8`, numbered. */
static void add_differences(struct buf *text, const char *utf8, const char *ascii)
{
    for (int line = 1; *ascii != '\0'; line++) {
        size_t length = strcspn(ascii, "\n"), before = strcspn(utf8, "\n");
        if (length != before || strncmp(utf8, ascii, length) != 0)
            buf_addf(text, "%3d: %.*s\n", line, (int)length, ascii);
        ascii += length + (ascii[length] == '\n' ? 1 : 0);
        utf8 += before + (utf8[before] == '\n' ? 1 : 0);
    }
}

static char *draw_ascii(const struct scene *scene, const struct size *size)
{
    struct fixture fixture;
    fixture_begin(&fixture, scene, size->width, size->height, CHARSET_ASCII, NULL);
    fixture_draw(&fixture);
    char *text = canvas_text(&fixture.canvas);
    fixture_free(&fixture);
    return text;
}

static void add_picture(struct buf *text, const struct scene *scene, const struct size *size)
{
    struct fixture fixture;
    fixture_begin(&fixture, scene, size->width, size->height, CHARSET_UTF8, NULL);
    fixture_draw(&fixture);
    const struct canvas *canvas = &fixture.canvas;
    char *utf8 = canvas_text(canvas), *ascii = draw_ascii(scene, size);
    buf_addf(text, "=== %dx%d\n%s", size->width, size->height, utf8);
    if (canvas->cursor_shown)
        buf_addf(text, "--- cursor at column %d, line %d\n", canvas->cursor_x + 1, canvas->cursor_y + 1);
    else
        buf_add(text, "--- no cursor\n");
    buf_add(text, "--- in ASCII, where it differs\n");
    add_differences(text, utf8, ascii);
    buf_add(text, "--- looks\n");
    add_looks(text, canvas);
    free(ascii);
    free(utf8);
    fixture_free(&fixture);
}

/* Whether it is as the file says; shows the first line that is not. */
static bool compare(const char *name, const char *actual)
{
    char *path = mem_printf("%s/%s.txt", folder, name);
    const char *update = getenv("UPDATE_GOLDEN");
    if (update != NULL && strcmp(update, "1") == 0)
        write_text(path, actual);
    char *expected = read_text(path);
    bool same = strcmp(actual, expected) == 0;
    if (!same) {
        size_t at = 0, line = 1, begin = 0;
        for (; actual[at] == expected[at]; at++)
            if (actual[at] == '\n') {
                line++;
                begin = at + 1;
            }
        fprintf(stderr, "%s: line %zu is\n%.*s\nexpected:\n%.*s\n", path, line, (int)strcspn(actual + begin, "\n"), actual + begin,
                (int)strcspn(expected + begin, "\n"), expected + begin);
    }
    free(expected);
    free(path);
    return same;
}

/* What the dialogue line by line tells of it. */
static void add_told(struct buf *text, const struct scene *scene)
{
    struct fixture fixture;
    struct dialogue dialogue = {.read = true};
    fixture_begin(&fixture, scene, 80, 24, CHARSET_UTF8, NULL);
    fixture_draw(&fixture);   /* derives */
    dialogue_show(&fixture.wizard, &dialogue);
    buf_addf(text, "=== told\n%s\n", buf_text(&dialogue.out));
    dialogue_free(&dialogue);
    fixture_free(&fixture);
}

static void test_screens_look_as_the_files_say(void **state)
{
    bool same = true;
    (void)state;
    for (size_t i = 0; scene_at(i) != NULL; i++) {
        struct buf text = {0};
        for (size_t j = 0; j < COUNT_OF(sizes); j++)
            if (!sizes[j].chief_only || scene_at(i)->chief)
                add_picture(&text, scene_at(i), &sizes[j]);
        add_told(&text, scene_at(i));
        same = compare(scene_at(i)->name, buf_text(&text)) && same;
        buf_free(&text);
    }
    assert_true(same);
}

static void add_colour(struct buf *text, int colour)
{
    if (colour < 0)
        buf_add(text, "   -");
    else
        buf_addf(text, " %3d", colour);
}

/* Each role in each theme: foreground, background (numbers of the palette, - is the terminal's own), attributes. */
static void test_themes_are_as_the_file_says(void **state)
{
    static const int depths[] = {256, 8};
    struct buf text = {0};
    (void)state;
    for (int i = 0; theme_name(i) != NULL; i++)
        for (size_t j = 0; j < COUNT_OF(depths); j++) {
            buf_addf(&text, "=== %s, %d colours\n", theme_name(i), depths[j]);
            for (int role = 0; role < ROLE_COUNT; role++) {
                const struct look look = theme_look(theme_find(theme_name(i)), (enum role)role, depths[j]);
                buf_addf(&text, "%-8s", role_names[role]);
                add_colour(&text, look.foreground);
                add_colour(&text, look.background);
                buf_add(&text, look.flags != 0 ? " " : "");
                add_flags(&text, look.flags);
                buf_add(&text, "\n");
            }
        }
    bool same = compare("themes", buf_text(&text));
    buf_free(&text);
    assert_true(same);
}

static bool is_golden(const char *file)
{
    bool found = strcmp(file, "themes.txt") == 0;
    for (size_t i = 0; scene_at(i) != NULL && !found; i++) {
        char *name = mem_printf("%s.txt", scene_at(i)->name);
        found = strcmp(file, name) == 0;
        free(name);
    }
    return found;
}

static void test_every_file_has_its_scene(void **state)
{
    const char *update = getenv("UPDATE_GOLDEN");
    DIR *files = opendir(folder);
    bool left_over = false;
    (void)state;
    assert_non_null(files);
    for (const struct dirent *each; (each = readdir(files)) != NULL;) {
        if (each->d_name[0] == '.' || is_golden(each->d_name))
            continue;
        fprintf(stderr, "%s is of no scene%s\n", each->d_name, update != NULL ? ", and was removed" : "");
        if (update == NULL || unlinkat(dirfd(files), each->d_name, 0) != 0)
            left_over = true;
    }
    closedir(files);
    assert_false(left_over);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_screens_look_as_the_files_say),
        cmocka_unit_test(test_themes_are_as_the_file_says),
        cmocka_unit_test(test_every_file_has_its_scene),
    };
    if (argc != 2 || setlocale(LC_ALL, "C.UTF-8") == NULL) {
        fprintf(stderr, "usage: draw_test GOLDEN-FOLDER (in a system with the locale C.UTF-8)\n");
        return 2;
    }
    folder = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
