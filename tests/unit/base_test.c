/* What everything stands on: strings, lists, time, JSON, errors; and the masking of other sessions' queries. */
#include "tests/unit/unit.h"

#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/names.h"
#include "core/base/utf8.h"
#include "core/db/pg.h"

static void a_buf_grows_and_is_never_null(void **state)
{
    struct buf buf = {0};
    (void)state;
    assert_string_equal(buf_text(&buf), "");
    char *empty = buf_take(&buf);
    assert_string_equal(empty, "");
    free(empty);
    buf_clear(&buf);
    buf_add(&buf, "");
    assert_string_equal(buf_text(&buf), "");
    for (int n = 0; n < 5000; n++)
        buf_addf(&buf, "%d,", n);
    assert_int_equal(buf.length, strlen(buf.data));
    assert_true(buf.length < buf.capacity);
    assert_has(buf_text(&buf), "4998,4999,");
    buf_clear(&buf);
    assert_string_equal(buf_text(&buf), "");
    buf_add_bytes(&buf, "a\0b", 3);
    assert_int_equal(buf.length, 3);
    assert_memory_equal(buf.data, "a\0b", 4);
    char *taken = buf_take(&buf);
    assert_string_equal(taken, "a");
    assert_null(buf.data);
    free(taken);
    buf_free(&buf);
}

static void quoting_doubles_the_quotes(void **state)
{
    static const struct {
        const char *text, *identifier, *literal;
    } cases[] = {
        {"", "\"\"", "''"},
        {"group", "\"group\"", "'group'"},
        {"a\"b", "\"a\"\"b\"", "'a\"b'"},
        {"it's", "\"it's\"", "'it''s'"},
        {"\"; DROP TABLE x; --", "\"\"\"; DROP TABLE x; --\"", "'\"; DROP TABLE x; --'"},
        {"back\\slash'", "\"back\\slash'\"", "'back\\slash'''"},
    };
    (void)state;
    for (EACH(cases)) {
        struct buf buf = {0};
        buf_add_identifier(&buf, cases[i].text);
        assert_string_equal(buf_text(&buf), cases[i].identifier);
        buf_clear(&buf);
        buf_add_literal(&buf, cases[i].text);
        assert_string_equal(buf_text(&buf), cases[i].literal);
        buf_free(&buf);
    }
}

static void names_are_copied_and_compared_whole(void **state)
{
    struct names names = {0};
    char name[] = "acl";
    (void)state;
    assert_false(names_have(&names, "acl"));
    names_add(&names, name);
    name[0] = 'x';
    names_add(&names, "");
    assert_true(names_have(&names, "acl"));
    assert_true(names_have(&names, ""));
    assert_false(names_have(&names, "ac"));
    assert_false(names_have(&names, "ACL"));
    names_free(&names);
    assert_int_equal(names.count, 0);
    names_free(&names);
}

#define BAD "\xEF\xBF\xBD"

static void invalid_utf8_is_replaced(void **state)
{
    static const struct {
        const char *text, *clean;
    } cases[] = {
        {NULL, ""},
        {"", ""},
        {"caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80", "caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80"},
        {"\x80", BAD},
        {"\xC0\xAF", BAD BAD},                     /* overlong */
        {"\xE0\x80\xAF", BAD BAD BAD},
        {"\xF0\x80\x80\xAF", BAD BAD BAD BAD},
        {"\xED\xA0\x80", BAD BAD BAD},             /* a surrogate */
        {"\xED\x9F\xBF", "\xED\x9F\xBF"},
        {"\xF4\x8F\xBF\xBF", "\xF4\x8F\xBF\xBF"},
        {"\xF4\x90\x80\x80", BAD BAD BAD BAD},     /* past U+10FFFF */
        {"\xF5\x80\x80\x80", BAD BAD BAD BAD},
        {"a\xC3", "a" BAD},                        /* cut short, at the end */
        {"\xE2\x82", BAD BAD},
        {"\xF0\x9F\x98", BAD BAD BAD},
        {"\xE2\x82x", BAD BAD "x"},
        {"\xFF\xFE\x1B[31m", BAD BAD "\x1B[31m"},
    };
    (void)state;
    for (EACH(cases)) {
        char *clean = utf8_clean(cases[i].text);
        assert_string_equal(clean, cases[i].clean);
        json_t *json = json_string(clean);
        assert_non_null(json);
        json_decref(json);
        free(clean);
    }
}

static void every_text_becomes_json(void **state)
{
    struct names names = {0};
    (void)state;
    json_t *nothing = json_text(NULL), *text = json_text("a\xFF");
    assert_true(json_is_null(nothing));
    assert_string_equal(json_string_value(text), "a" BAD);
    json_decref(nothing);
    json_decref(text);
    names_add(&names, "x");
    names_add(&names, "\xC3(");
    json_t *array = json_names(&names);
    assert_int_equal(json_array_size(array), 2);
    assert_string_equal(json_string_value(json_array_get(array, 1)), BAD "(");
    json_decref(array);
    names_free(&names);

    json_t *object = json_pack("{s:s, s:i, s:n}", "a", "b", "n", 1, "z");
    assert_string_equal(json_get_text(object, "a"), "b");
    assert_string_equal(json_get_text(object, "n"), "");
    assert_string_equal(json_get_text(object, "z"), "");
    assert_string_equal(json_get_text(object, "missing"), "");
    assert_string_equal(json_get_text(NULL, "a"), "");
    json_decref(object);
}

static void time_is_written_in_utc(void **state)
{
    static const struct {
        int64_t ms;
        const char *text;
    } cases[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {1700000000123, "2023-11-14T22:13:20.123Z"},
        {951827696007, "2000-02-29T12:34:56.007Z"},
        {-1, "1969-12-31T23:59:59.999Z"},
        {-62000, "1969-12-31T23:58:58.000Z"},
        {INT64_MAX, "292278994-08-17T07:12:55.807Z"},
        {INT64_MIN, "-292275055-05-16T16:47:04.192Z"},
    };
    char text[CLOCK_TEXT_SIZE];
    (void)state;
    setenv("TZ", "America/New_York", 1);
    for (EACH(cases))
        assert_string_equal(clock_text(cases[i].ms, text), cases[i].text);
    unsetenv("TZ");
    int64_t before = clock_ms();
    assert_true(clock_ms() >= before);
    assert_true(clock_of_wall(clock_wall_ms() + 3600000) <= clock_ms());
    assert_true(clock_of_wall(clock_wall_ms() - 3600000) <= clock_ms() - 3599000);
    assert_true(clock_of_wall(clock_wall_ms() - 3600000) >= before - 3601000);
    assert_true(clock_wall_ms() > 1700000000000);
}

static void an_error_is_set_prefixed_and_cleared(void **state)
{
    struct error error = {0};
    (void)state;
    assert_false(error_set(NULL, ERROR_FILE, "x"));
    assert_false(error_prefix(NULL, "x"));
    assert_false(error_set(&error, ERROR_SQL, "%s %d", "table", 7));
    assert_string_equal(error.message, "table 7");
    memcpy(error.sqlstate, "42P01", 6);
    assert_false(error_prefix(&error, "line %d", 3));
    assert_string_equal(error.message, "line 3: table 7");
    assert_string_equal(error.sqlstate, "42P01");
    assert_int_equal(error.code, ERROR_SQL);
    assert_false(error_set(&error, ERROR_FILE, "again: %s", error.message));
    assert_string_equal(error.message, "again: line 3: table 7");
    assert_string_equal(error.sqlstate, "");
    error_clear(&error);
    assert_null(error.message);
    assert_int_equal(error.code, ERROR_NONE);
    assert_false(error_prefix(&error, "first"));
    assert_string_equal(error.message, "first: ");
    error_clear(&error);
    error_clear(&error);
}

#define M "'\xE2\x80\xA6'"
#define C "/*\xE2\x80\xA6*/"

static void queries_lose_what_is_quoted(void **state)
{
    static const struct {
        const char *query, *masked;
    } cases[] = {
        {NULL, ""},
        {"", ""},
        {"SELECT 1, 2.5e3, $1 FROM routes WHERE n > 42", "SELECT 1, 2.5e3, $1 FROM routes WHERE n > 42"},
        {"SELECT 'secret'", "SELECT " M},
        {"SELECT '', 'secret'", "SELECT " M ", " M},
        {"SELECT 'it''s secret', 1", "SELECT " M ", 1"},
        {"SELECT 'a'''", "SELECT " M},
        {"SELECT 'secret", "SELECT " M},
        {"SELECT 'secret''", "SELECT " M},
        {"SELECT '", "SELECT " M},
        {"SELECT E'a\\'secret', 3", "SELECT E" M ", 3"},
        {"SELECT e'a\\\\', 'secret'", "SELECT e" M ", " M},
        {"SELECT E'a\\'secret", "SELECT E" M},
        {"SELECT E'a\\", "SELECT E" M},
        {"SELECT (E'\\'secret')", "SELECT (E" M ")"},
        /* Depends on the other session's standard_conforming_strings: rather too much than too little. */
        {"SELECT 'a\\'secret', 3", "SELECT " M},
        {"SELECT 'a\\', secret", "SELECT " M},
        {"SELECT nameE'a\\' secret'", "SELECT nameE" M},
        {"SELECT 'a\\b', 3", "SELECT " M ", 3"},
        {"SELECT B'101', x'ff', N'secret', U&'secret\\0041'", "SELECT B" M ", x" M ", N" M ", U&" M},
        {"SELECT $$it's secret$$, 3", "SELECT " M ", 3"},
        {"SELECT $tag$it's $$ $other$ secret$tag$, 3", "SELECT " M ", 3"},
        {"SELECT $t$secret$T$ more$t$ x", "SELECT " M " x"},
        {"SELECT $$secret", "SELECT " M},
        {"SELECT $tag$secret$tag", "SELECT " M},
        {"SELECT $$$$", "SELECT " M},
        {"SELECT 1$$secret$$", "SELECT 1" M},
        {"SELECT $1$$secret$$", "SELECT $1" M},
        {"SELECT \xC3\xA4$$ 'secret'", "SELECT \xC3\xA4$$ " M},
        {"SELECT $\xC3\xA4$secret$\xC3\xA4$", "SELECT " M},
        {"SELECT a$b$c, 'secret'", "SELECT a$b$c, " M},
        {"SELECT cost$, $ 'secret'", "SELECT cost$, $ " M},
        {"SELECT 1 -- it's fine\n, 'secret'", "SELECT 1 " C "\n, " M},
        {"SELECT 1 -- 'secret'", "SELECT 1 " C},
        {"SELECT 1 -- x\rFROM 'secret'", "SELECT 1 " C "\rFROM " M},
        {"SELECT /* it's */ 'secret'", "SELECT " C " " M},
        {"SELECT /* a /* b's */ ' 'secret */ 'secret'", "SELECT " C " " M},
        {"SELECT /* 'secret'", "SELECT " C},
        {"SELECT /*/ 'secret' */ 1", "SELECT " C " 1"},
        {"SELECT '/*', 'secret', '*/'", "SELECT " M ", " M ", " M},
        {"SELECT '--', 'secret'", "SELECT " M ", " M},
        {"SELECT \"it's\" FROM t WHERE a = 'secret'", "SELECT \"it's\" FROM t WHERE a = " M},
        {"SELECT \"a\"\"'b\", 'secret'", "SELECT \"a\"\"'b\", " M},
        {"SELECT \"$$\", 'secret', \"--\"", "SELECT \"$$\", " M ", \"--\""},
        {"SELECT \"open", "SELECT \"open"},
        {"SELECT 'a'\n'secret'", "SELECT " M "\n" M},
        {"SELECT 3 - - 4 / 5 * 6", "SELECT 3 - - 4 / 5 * 6"},
        {"ALTER ROLE kong PASSWORD 'secret'", "ALTER ROLE kong PASSWORD " M},
    };
    (void)state;
    for (EACH(cases)) {
        char *masked = pg_mask_query(cases[i].query);
        assert_string_equal(masked, cases[i].masked);
        free(masked);
    }
}

/* Whatever stands around it, what is quoted does not come through. */
static void no_mix_of_quotes_lets_a_secret_through(void **state)
{
    static const char *const pieces[] = {"'", "\"", "$$", "$a$", "E", "\\", "--", "/*", "*/", "\n", "x", " ", "1", "\xC3"};
    static const struct {
        const char *open, *close;
    } quotes[] = {{" E'", "'"}, {" '", "'"}, {" $q$", "$q$"}};
    (void)state;
    srand(7);
    for (int round = 0; round < 20000; round++) {
        struct buf inside = {0}, query = {0};
        const char *open = quotes[round % 3].open, *close = quotes[round % 3].close;
        for (int n = rand() % 6; n > 0; n--) {
            const char *piece = pieces[(size_t)rand() % (sizeof pieces / sizeof pieces[0])];
            bool is_backslash = strcmp(piece, "\\") == 0;
            buf_add(&inside, round % 3 == 2 ? piece : strcmp(piece, "'") == 0 ? "''" : is_backslash ? "\\\\" : piece);
        }
        buf_addf(&query, "SELECT%s%sSECRET%s", open, buf_text(&inside), rand() % 2 == 0 ? close : "");
        char *masked = pg_mask_query(buf_text(&query));
        if (strstr(masked, "SECRET") != NULL)
            fail_msg("'%s' became '%s'", buf_text(&query), masked);
        free(masked);
        buf_free(&inside);
        buf_free(&query);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_buf_grows_and_is_never_null),
        cmocka_unit_test(quoting_doubles_the_quotes),
        cmocka_unit_test(names_are_copied_and_compared_whole),
        cmocka_unit_test(invalid_utf8_is_replaced),
        cmocka_unit_test(every_text_becomes_json),
        cmocka_unit_test(time_is_written_in_utc),
        cmocka_unit_test(an_error_is_set_prefixed_and_cleared),
        cmocka_unit_test(queries_lose_what_is_quoted),
        cmocka_unit_test(no_mix_of_quotes_lets_a_secret_through),
    };
    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
