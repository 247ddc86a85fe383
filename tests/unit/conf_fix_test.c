/* kong.conf mended: what becomes of each deprecated setting, however it is written, and that nothing else changes or is shown. */
#include "tests/unit/unit.h"

#include "core/conf/conf_fix.h"
#include "core/conf/kong_conf.h"

static const char *const none[] = {NULL};

struct sample {
    const char *before, *after;      /* NULL: there is nothing to mend */
    const char *environment[3];
    const char *note;                /* what is said of it, or NULL */
};

static const struct sample samples[] = {
    /* Nothing to do. */
    {"", NULL, {NULL}, NULL},
    {"# only\n\n; comments\n", NULL, {NULL}, NULL},
    {"plugins = bundled, mine\nnginx_http_upstream_keepalive = 30\nnginx_http_client_max_body_size = 8\n", NULL, {NULL}, NULL},
    {"# custom_plugins = a\n#upstream_keepalive = 60\n", NULL, {NULL}, NULL},
    {"custom_plugins =\nupstream_keepalive = many\n", NULL, {NULL}, NULL},          /* both unset for Kong */
    {"[kong]\ncustom_plugins = a\nupstream_keepalive = 5\n", NULL, {NULL}, NULL},   /* nothing after a section counts */
    {"\xEF\xBB\xBFupstream_keepalive = 5\n", NULL, {NULL}, NULL},                   /* nor a first line with a BOM */
    {"UPSTREAM_KEEPALIVE = 5\n", NULL, {NULL}, NULL},
    {"pg_host = a\\\nupstream_keepalive = 5\n", NULL, {NULL}, NULL},                /* a part of the host */
    {"upstream_keepalive = 5\\", NULL, {NULL}, NULL},                               /* lost, for it is never continued */

    /* upstream_keepalive. */
    {"upstream_keepalive = 60\n", "nginx_http_upstream_keepalive = 60\n", {NULL}, NULL},
    {"upstream_keepalive = 0\n", "nginx_http_upstream_keepalive = NONE\n", {NULL}, NULL},
    {"upstream_keepalive=0", "nginx_http_upstream_keepalive=NONE", {NULL}, NULL},
    {"\tupstream-keepalive\t=  1e2 \t\r\nx = y\r\n", "\tnginx_http_upstream_keepalive\t=  100 \t\r\nx = y\r\n", {NULL}, NULL},
    {"upstream_keepalive = 0 # off\n", "nginx_http_upstream_keepalive = NONE # off\n", {NULL}, NULL},
    {"upstream_keepalive = 0x#off\n", "nginx_http_upstream_keepalive = NONEx#off\n", {NULL}, NULL},
    {"upstream_keepalive = 5\nupstream_keepalive = 7\n", "# upstream_keepalive = 5\nnginx_http_upstream_keepalive = 7\n", {NULL}, NULL},
    {"upstream_keepalive = 5\nnginx_http_upstream_keepalive = 7\n", "# upstream_keepalive = 5\nnginx_http_upstream_keepalive = 7\n", {NULL}, NULL},
    {"nginx_http_upstream_keepalive =\n upstream_keepalive = 5\n", "nginx_http_upstream_keepalive =\n # upstream_keepalive = 5\n", {NULL}, NULL},
    {"upstream_keepalive = \\\r\n  # so many\r\n  90", "nginx_http_upstream_keepalive = 90\r\n# upstream_keepalive = \\\r\n  # so many\r\n  # 90", {NULL}, NULL},
    {"upstream_\\\nkeepalive = 9\n", "nginx_http_upstream_keepalive = 9\n# upstream_\\\n# keepalive = 9\n", {NULL}, NULL},
    {"upstream_keepalive = 9\n", "nginx_http_upstream_keepalive = 9\n", {"KONG_NGINX_HTTP_UPSTREAM_KEEPALIVE=5"}, NULL},
    {"upstream_keepalive = 9\n", NULL, {"KONG_UPSTREAM_KEEPALIVE=0"}, "set KONG_NGINX_HTTP_UPSTREAM_KEEPALIVE=NONE there"},

    /* custom_plugins. */
    {"custom_plugins = a, b\n", "plugins = bundled, a, b\n", {NULL}, NULL},
    {"custom_plugins = a,,a , off,key-auth,  # ours\n", "plugins = bundled, a  # ours\n", {NULL}, NULL},
    {"plugins = bundled\ncustom_plugins = a,b\n", "plugins = bundled, a, b\n# custom_plugins = a,b\n", {NULL}, NULL},
    {"custom_plugins = a\nplugins = acl , # few\n", "# custom_plugins = a\nplugins = acl , a # few\n", {NULL}, NULL},
    {"custom_plugins = a\nplugins = off\n", "# custom_plugins = a\nplugins = a\n", {NULL}, NULL},
    {"custom_plugins = a\nplugins =\n", "# custom_plugins = a\nplugins =a\n", {NULL}, NULL},
    {"plugins = bundled, a\ncustom_plugins = a\n", "plugins = bundled, a\n# custom_plugins = a\n", {NULL}, NULL},
    {"plugins = x\nplugins = bundled\ncustom_plugins = a\n", "plugins = x\nplugins = bundled, a\n# custom_plugins = a\n", {NULL}, NULL},
    {"custom_plugins = a\ncustom_plugins = b\n", "# custom_plugins = a\nplugins = bundled, b\n", {NULL}, NULL},
    {"plugins = bundled,\\\r\n\r\n   x  \r\ncustom_plugins = a\r\n", "plugins = bundled,\\\r\n\r\n   x, a  \r\n# custom_plugins = a\r\n", {NULL}, NULL},
    {"plugins = bundled # \\\n, x\ncustom_plugins = a", "plugins = bundled, a # , x\n# plugins = bundled # \\\n# , x\n# custom_plugins = a", {NULL}, NULL},
    {"custom_plugins = a,\\\n  b\n", "plugins = bundled, a, b\n# custom_plugins = a,\\\n  # b\n", {NULL}, NULL},
    {"custom_plugins = a\n[s]\nplugins = x\ncustom_plugins = z\n", "plugins = bundled, a\n[s]\nplugins = x\ncustom_plugins = z\n", {NULL}, NULL},
    {"custom_plugins = a\\#b\n", "plugins = bundled, a\\#b\n", {NULL}, NULL},
    {"custom_plugins = a\n", NULL, {"KONG_PLUGINS=bundled"}, "KONG_PLUGINS is set in the environment and goes before the file"},
    {"custom_plugins = a\n", NULL, {"KONG_CUSTOM_PLUGINS=b"}, "KONG_CUSTOM_PLUGINS is set in the environment"},
    {"custom_plugins = b\x1B[31m\xFF\nno key\n=\n= =\n", "plugins = bundled, b\x1B[31m\xFF\nno key\n=\n= =\n", {NULL}, NULL},
};

static bool make(void **state, const char *text, const char *const *environment, struct conf_fix *fix, struct error *error)
{
    char *path = path_in(*state, "kong.conf");
    write_text(path, text);
    bool made = conf_fix_make(fix, path, (char *const *)environment, error);
    free(path);
    return made;
}

static void each_is_mended_and_proven(void **state)
{
    for (EACH(samples)) {
        struct conf_fix fix;
        struct error error = {0};
        if (!make(state, samples[i].before, samples[i].environment, &fix, &error))
            fail_msg("'%s': %s", samples[i].before, error.message);
        const char *expected = samples[i].after != NULL ? samples[i].after : samples[i].before;
        if (strcmp(fix.after, expected) != 0)
            fail_msg("'%s' became '%s', not '%s'", samples[i].before, fix.after, expected);
        assert_int_equal(fix.diff != NULL, samples[i].after != NULL);
        assert_int_equal(fix.changes.count > 0, samples[i].after != NULL);
        assert_int_equal(fix.notes.count > 0, samples[i].note != NULL);
        if (samples[i].note != NULL)
            assert_has(fix.notes.list[0], samples[i].note);
        char *copy = path_in(*state, "copy"), *written = NULL;
        unlink(copy);
        if (!conf_fix_write(&fix, copy, &error))
            fail_msg("'%s': %s", samples[i].before, error.message);
        written = read_whole(copy);
        assert_string_equal(written, expected);
        free(written);
        conf_fix_free(&fix);

        /* There is nothing left to be mended. */
        if (samples[i].after != NULL) {
            assert_true(conf_fix_make(&fix, copy, (char *const *)samples[i].environment, &error));
            assert_string_equal(fix.after, expected);
            assert_null(fix.diff);
            conf_fix_free(&fix);
        }
        free(copy);
    }
}

static void what_kong_refuses_is_an_error(void **state)
{
    static const struct { const char *text, *part; } cases[] = {
        {"custom_plugins = 5\n", "is a number, where Kong wants a list"}, {"database = off\ncustom_plugins = a\n", "is off"},
        {"pg_user = 7\nupstream_keepalive = 0\n", "is not a string"},
    };
    for (EACH(cases)) {
        struct conf_fix fix;
        struct error error = {0};
        assert_false(make(state, cases[i].text, none, &fix, &error));
        assert_error(&error, ERROR_CONFIG, cases[i].part);
        assert_null(fix.after);
    }
}

static void a_line_of_a_megabyte_is_kept(void **state)
{
    struct conf_fix fix;
    struct error error = {0};
    size_t length = (1 << 20) - 200;
    char *text = mem_zero(length + 300, 1), *copy = path_in(*state, "copy");
    memset(text, 'x', length);
    memcpy(text, "nginx_http_thing = ", 19);
    memcpy(text + length, "\nupstream_keepalive = 0\n", 25);
    unlink(copy);
    assert_true(make(state, text, none, &fix, &error));
    assert_int_equal(strlen(fix.after), strlen(text) + strlen("nginx_http_NONE") - strlen("0"));
    assert_in_range(strlen(fix.diff), 10, 1000);
    assert_true(conf_fix_write(&fix, copy, &error));
    conf_fix_free(&fix);

    /* Mended, this one would be larger than what is read. */
    length = (1 << 20) - 24;
    unlink(copy);
    memset(text + 19, 'x', length - 19);
    memcpy(text + length, "\nupstream_keepalive = 0\n", 25);
    assert_true(make(state, text, none, &fix, &error));
    assert_false(conf_fix_write(&fix, copy, &error));
    assert_error(&error, ERROR_CONFIG, "larger than 1 MiB");
    assert_int_equal(access(copy, F_OK), -1);
    conf_fix_free(&fix);
    free(copy);
    free(text);
}

static void the_diff_is_unified(void **state)
{
    struct conf_fix fix;
    struct error error = {0};
    assert_true(make(state, "1\n2\n3\n4\nupstream_keepalive = 0\n6\n7\n8\n9\n10\n11\n12\n13\n14\r\ncustom_plugins = \\\r\n a\r\n17", none, &fix, &error));
    assert_string_equal(fix.diff, "@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-upstream_keepalive = 0\n+nginx_http_upstream_keepalive = NONE\n 6\n 7\n 8\n"
                                  "@@ -12,6 +12,7 @@\n 12\n 13\n 14\n+plugins = bundled, a\n-custom_plugins = \\\n+# custom_plugins = \\\n- a\n+ # a\n 17\n"
                                  "\\ No newline at end of file\n");
    conf_fix_free(&fix);
}

/* In settings, comments, continuations and what Kong does not read; and not the plugins that only sound like it. */
static void no_secret_is_shown(void **state)
{
    static const char *const texts[] = {
        "pg_password = hunter2\n%s", "# pg_password = hunter2\n%s", "# the password hunter2\n%s", "x = hunter2 is the password\n%s", "pg_password = \\\n  # why\n\n hunter2\n%s",
        "pg_pass\\\nword = hunter2\n%s", "#pg_password = \\\n#hunter2\n%s", "%s[x]\nPG_PASSWORD=hunter2", "%ssession_secret=hunter2\\",
        "%spg_pass\\\nword=hunter2\\", "%sredis_password hunter2", "upstream_keepalive = 7 # the password is hunter2\n%s", "\xEF\xBB\xBFpg_password=hunter2\n%s",
    };
    for (EACH(texts)) {
        struct conf_fix fix;
        struct error error = {0};
        char *text = mem_printf(texts[i], "custom_plugins = token-auth\n");
        assert_true(make(state, text, none, &fix, &error));
        assert_has(fix.diff, "+plugins = bundled, token-auth\n");
        assert_has_not(fix.diff, "hunter2");
        assert_has(fix.diff, " ******\n");
        for (size_t n = 0; n < fix.changes.count; n++)
            assert_has_not(fix.changes.list[n], "hunter2");
        conf_fix_free(&fix);
        free(text);
    }
}

static void files_are_written_with_care(void **state)
{
    struct conf_fix fix;
    struct error error = {0};
    char *original = path_in(*state, "kong.conf"), *copy = path_in(*state, "copy"), *link = path_in(*state, "link");
    unlink(original);
    unlink(copy);
    assert_true(make(state, "upstream_keepalive = 0\n", none, &fix, &error));
    assert_int_equal(chmod(original, 0640), 0);
    assert_true(conf_fix_write(&fix, copy, &error));
    assert_int_equal(mode_of(copy), 0640);

    /* Neither what is there already nor what a link leads to is written over. */
    assert_false(conf_fix_write(&fix, copy, &error));
    assert_error(&error, ERROR_FILE, "is there already");
    unlink(copy);
    assert_int_equal(symlink("elsewhere", copy), 0);
    assert_false(conf_fix_write(&fix, copy, &error));
    assert_error(&error, ERROR_FILE, "is there already");
    unlink(copy);
    assert_false(conf_fix_write(&fix, "/nonexistent/kong.conf", &error));
    assert_error(&error, ERROR_FILE, "can't create /nonexistent/kong.conf");

    /* The original, by a link: replaced, mode kept, and the link is one still. */
    assert_int_equal(symlink(original, link), 0);
    assert_true(conf_fix_is_original(&fix, link));
    assert_false(conf_fix_is_original(&fix, copy));
    assert_true(conf_fix_write(&fix, link, &error));
    struct stat status;
    assert_int_equal(lstat(link, &status), 0);
    assert_true(S_ISLNK(status.st_mode));
    char *text = read_whole(original);
    assert_string_equal(text, "nginx_http_upstream_keepalive = NONE\n");
    assert_int_equal(mode_of(original), 0640);
    free(text);
    conf_fix_free(&fix);

    /* A password is for its owner's eyes alone. */
    assert_true(make(state, "pg_password = x\nupstream_keepalive = 0\n", none, &fix, &error));
    assert_true(conf_fix_write(&fix, copy, &error));
    assert_int_equal(mode_of(copy), 0600);
    conf_fix_free(&fix);
    free(original);
    free(copy);
    free(link);
}

/* Whatever else is different is found, and the file does not stay. */
static void the_proof_can_fail(void **state)
{
    static const struct { const char *text, *part; } spoiled[] = {
        {"pg_host = b\nmine = 1\nplugins = bundled, a\n", "another pg_host"}, {"pg_host = a\nmine = 2\nplugins = bundled, a\n", "mine would not be"},
        {"pg_host = a\nplugins = bundled, a\n", "mine would not be"}, {"pg_host = a\nmine = 1\nmore = 1\nplugins = bundled, a\n", "more would not be"},
        {"pg_host = a\nmine = 1\nplugins = bundled\n", "another plugins"}, {"pg_host = a\nmine = 1\nplugins = bundled, a, b\n", "another plugins"},
        {"pg_host = a\nmine = 1\nplugins = a\n", "another plugins"},
        {"pg_host = a\nmine = 1\nplugins = bundled, a\nnginx_http_upstream_keepalive = 9\n", "another nginx_http_upstream_keepalive"},
        {"mine = 1\npg_host = a\nplugins = bundled, a\n", "would not be what it was"},
    };
    for (EACH(spoiled)) {
        struct conf_fix fix;
        struct error error = {0};
        char *copy = path_in(*state, "copy");
        unlink(copy);
        assert_true(make(state, "pg_host = a\nmine = 1\ncustom_plugins = a\n", none, &fix, &error));
        free(fix.after);
        fix.after = mem_dup(spoiled[i].text);
        assert_false(conf_fix_write(&fix, copy, &error));
        assert_error(&error, ERROR_CONFIG, spoiled[i].part);
        assert_int_equal(access(copy, F_OK), -1);
        conf_fix_free(&fix);
        free(copy);
    }
}

/* Whatever a file is put together from: where Kong takes it, it is mended, the proof holds, and nothing is left for a second time. */
static void random_files_are_mended(void **state)
{
    static const char *const tokens[] = {
        "plugins", "custom_plugins", "upstream_keepalive", "nginx_http_upstream_keepalive", "custom-plugins", "pg_host", " = ", "=", " = ", " = ", "\n", "\n", "\n",
        "\r\n", "\\\n", "\\ \r\n", "#", "\\#", " # ", "\n[s]\n", "a", "b, c", "off", "bundled", "bundled, x\n", "0\n", "60\n", "1e2", ",", ";", " ", "\t", "\\", "\xEF\xBB\xBF",
        "custom_plugins = a\n", "upstream_keepalive = 7\n", "plugins = bundled\n", "plugins =\\\n",
    };
    unsigned random = 7;
    size_t mended = 0;
    char *copy = path_in(*state, "copy");
    for (size_t round = 0; round < 1500; round++) {
        char text[2048] = "";
        struct conf_fix fix;
        struct error error = {0};
        for (size_t n = 0; n < 3 + round % 30; n++) {
            random = random * 1103515245u + 12345u;
            strcat(text, tokens[(random >> 16) % (sizeof tokens / sizeof tokens[0])]);
        }
        if (!make(state, text, none, &fix, &error)) {
            error_clear(&error);
            continue;
        }
        unlink(copy);
        if (!conf_fix_write(&fix, copy, &error))
            fail_msg("'%s' became '%s': %s", text, fix.after, error.message);
        mended += fix.diff != NULL;
        conf_fix_free(&fix);
        assert_true(conf_fix_make(&fix, copy, (char *const *)none, &error));
        if (fix.diff != NULL)
            fail_msg("'%s' is not mended at once: %s", text, fix.diff);
        conf_fix_free(&fix);
    }
    assert_true(mended > 200);
    free(copy);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_mended_and_proven), cmocka_unit_test(what_kong_refuses_is_an_error), cmocka_unit_test(a_line_of_a_megabyte_is_kept),
        cmocka_unit_test(the_diff_is_unified), cmocka_unit_test(no_secret_is_shown), cmocka_unit_test(files_are_written_with_care),
        cmocka_unit_test(the_proof_can_fail), cmocka_unit_test(random_files_are_mended),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
