/* The private kong.conf that Kong's own commands get: it says the same to Kong as a file with KONG_*, whatever their values look like. */
#include "tests/unit/unit.h"

#include "core/conf/conf_copy.h"
#include "core/conf/kong_conf.h"

#include <fcntl.h>

static const char *text_of(const struct kong_conf *conf, const char *name)
{
    const char *value = kong_conf_get(conf, name)->value;
    return value != NULL ? value : "(unset)";
}

/* All settings, read from the file with the environment, and from the copy without one. */
static void expect_same(const char *folder, const char *text, char *const *environment)
{
    struct kong_conf original, copy;
    struct error error = {0};
    char *file = path_in(folder, "kong.conf");
    write_text(file, text);
    assert_true(kong_conf_load(&original, file, NULL, environment, &error));
    char *path = conf_copy_make(file, environment, folder, &error);
    if (path == NULL)
        fail_msg("%s: %s", environment[0] != NULL ? environment[0] : text, error.message);
    assert_int_equal(mode_of(path), 0600);
    assert_true(kong_conf_load(&copy, path, NULL, NULL, &error));
    for (size_t i = 0; i < original.setting_count; i++)
        assert_string_equal(text_of(&original, original.settings[i].name), text_of(&copy, original.settings[i].name));
    kong_conf_free(&original);
    kong_conf_free(&copy);
    unlink(path);
    free(path);
    free(file);
}

static void values_of_the_environment_stay_what_they_are(void **state)
{
    static const char *const passwords[] = {
        "secret", "0123", "1e3", "0x10", "+5", "-5", " 12 ", "12 # 3", "a#b", "a\\#b", "#a", "# a", "1#", "\\", "a\\", "12\\", "a\\ ", "a\\#b\\",
        "\\#", "5\\#6", "[x]", "a = b", ";x", "=", "\"q\"", "'q'", "\xC3\xA4", "a\tb", "inf", "", " ", "off", "007",
    };
    static const char *const files[] = {"pg_password = other\n", "", "[section]\npg_password = no\n", "pg_password = a \\\n  b\npg_user = x\n"};
    for (EACH(passwords))
        for (size_t file = 0; file < sizeof files / sizeof files[0]; file++) {
            char *variable = mem_printf("KONG_PG_PASSWORD=%s", passwords[i]);
            char *const environment[] = {variable, "KONG_PG_USER=007", "PATH=/bin", "KONG_UPGRADE_PG_BIN=/x", "KONG_MY_OWN=1", NULL};
            expect_same(*state, files[file], environment);
            free(variable);
        }
}

static void values_of_the_file_stay_what_they_are(void **state)
{
    static const char *const files[] = {
        "pg_password = 0123\npg_port = 5433\n", "pg-host = h\npg_timeout = 1e3\n", "pg_password = a#b\n", "plugins = bundled, \\\n# between\n mine\n",
        "pg_host = one\npg_host = two\n", "pg_schema =\npg_ssl = on\n", "# nothing\n", "pg_password = \"quoted\"\n", "pg_password = a\\#b\r\n",
    };
    char *const none[] = {NULL};
    for (EACH(files))
        expect_same(*state, files[i], none);
}

static void what_no_line_can_hold_is_refused(void **state)
{
    struct error error = {0};
    char *file = path_in(*state, "kong.conf");
    write_text(file, "pg_user = kong\n");
    char *const environment[] = {"KONG_PG_PASSWORD=Open\nSesame", NULL};
    assert_null(conf_copy_make(file, environment, *state, &error));
    assert_has_not(error.message, "Sesame");
    assert_error(&error, ERROR_CONFIG, "KONG_PG_PASSWORD has a line's end in it");
    assert_null(conf_copy_make("/nowhere/kong.conf", environment, *state, &error));
    assert_error(&error, ERROR_CONFIG, "can't read /nowhere/kong.conf");
    char *const good[] = {NULL};
    assert_null(conf_copy_make(file, good, "/nowhere", &error));
    assert_error(&error, ERROR_FILE, "make the folder writable");
    free(file);
}

static void what_a_crash_left_is_swept(void **state)
{
    struct error error = {0};
    char *const environment[] = {"KONG_PG_PASSWORD=x", NULL};
    char *left = conf_copy_make(NULL, environment, *state, &error), *other = path_in(*state, "kong.config");
    assert_non_null(left);
    write_text(other, "");
    conf_copy_sweep(*state);
    assert_int_equal(access(left, F_OK), 0);   /* it may be about to be used */
    const struct timespec old[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
    assert_int_equal(utimensat(AT_FDCWD, left, old, 0), 0);
    conf_copy_sweep(*state);
    assert_int_equal(access(left, F_OK), -1);
    assert_int_equal(access(other, F_OK), 0);
    conf_copy_sweep("/nowhere");
    free(left);
    free(other);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_of_the_environment_stay_what_they_are), cmocka_unit_test(values_of_the_file_stay_what_they_are),
        cmocka_unit_test(what_no_line_can_hold_is_refused), cmocka_unit_test(what_a_crash_left_is_swept),
    };
    return cmocka_run_group_tests_name("conf_copy", tests, make_folder, remove_folder);
}
