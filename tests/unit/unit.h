/* For tests without a database: a folder of the test's own, files in it, and errors that must say something. */
#ifndef TESTS_UNIT_UNIT_H
#define TESTS_UNIT_UNIT_H

#include "core/base/error.h"
#include "core/base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define EACH(array_) size_t i = 0; i < sizeof(array_) / sizeof((array_)[0]); i++

static inline int remove_one(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    (void)status;
    (void)kind;
    (void)walk;
    return remove(path);
}

/* cmocka's setup and teardown: *state is the path of an empty folder. */
static inline int make_folder(void **state)
{
    const char *tmp = getenv("TMPDIR");
    char *path = mem_printf("%s/kong-upgrade-unit-XXXXXX", tmp != NULL && tmp[0] == '/' ? tmp : "/tmp");
    *state = path;
    return mkdtemp(path) != NULL ? 0 : -1;
}

static inline int remove_folder(void **state)
{
    nftw(*state, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(*state);
    return 0;
}

/* The caller frees. */
static inline char *path_in(const char *folder, const char *name)
{
    return mem_printf("%s/%s", folder, name);
}

static inline void write_bytes(const char *path, const char *bytes, size_t length)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

static inline void write_text(const char *path, const char *text)
{
    write_bytes(path, text, strlen(text));
}

static inline void append_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "a");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* The caller frees. */
static inline char *read_whole(const char *path)
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    char *text = mem_zero(1 << 20, 1);
    assert_true(fread(text, 1, (1 << 20) - 1, file) < (1 << 20) - 1);
    fclose(file);
    return text;
}

static inline void assert_has(const char *text, const char *part)
{
    if (text == NULL || strstr(text, part) == NULL)
        fail_msg("no '%s' in '%s'", part, text != NULL ? text : "(null)");
}

static inline void assert_has_not(const char *text, const char *part)
{
    if (text != NULL && strstr(text, part) != NULL)
        fail_msg("'%s' in '%s'", part, text);
}

/* The error is one of that code whose sentence holds `part`; it is cleared. */
static inline void assert_error(struct error *error, enum error_code code, const char *part)
{
    assert_non_null(error->message);
    assert_has(error->message, part);
    assert_int_equal(error->code, code);
    error_clear(error);
}

static inline mode_t mode_of(const char *path)
{
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    return status.st_mode & 07777;
}

#endif
