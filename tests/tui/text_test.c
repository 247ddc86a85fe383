/* What may come from outside, and what of it may reach a terminal. */
#include "tests/tui/drawn.h"

#include "tui/text.h"

static char *clean(const char *text, enum charset charset)
{
    return text_cut(text, 1 << 20, charset);
}

static void hostile_text_is_made_printable(void **state)
{
    static const struct {
        const char *text, *utf8, *ascii;
    } cases[] = {
        {"plain", "plain", "plain"},
        {"", "", ""},
        {"a\tb\nc\rd", "a b c d", "a b c d"},
        {"\033[31mred\033[0m", "�[31mred�[0m", "?[31mred?[0m"},
        {"\033]0;title\a", "�]0;title�", "?]0;title?"},
        {"\302\233"
         "31m",
         "�31m", "?31m"}, /* CSI as one C1 character */
        {"x\x7Fy\x01z", "x�y�z", "x?y?z"},
        {"\xff\xfe", "��", "??"},
        {"\xc0\xaf", "��", "??"},                              /* overlong */
        {"\xed\xa0\x80", "���", "???"},                        /* a surrogate */
        {"\xf4\x90\x80\x80", "����", "????"},                  /* past U+10FFFF */
        {"\xe2\x82", "��", "??"},                              /* cut short */
        {"user\u202Egpj.exe", "user�gpj.exe", "user?gpj.exe"}, /* right-to-left override */
        {"a\u2066b\u2069", "a�b�", "a?b?"},
        {"a\u200Bb\uFEFFc", "a�b�c", "a?b?c"},
        {"a\u200Db\uFE0Fc", "abc", "abc"},
        {"\u0301x", "\u25CC\u0301x", "?x"},
        {"e\u0301", "e\u0301", "e"},
        {"e\u0301\u0302\u0303\u0304\u0305", "e\u0301\u0302\u0303", "e"},
        {"שלום", "שלום", "????"},
        {"日本", "日本", "??"},
        {"caf\u00E9 \u2026 \u2192 \u201Cq\u201D", "caf\u00E9 \u2026 \u2192 \u201Cq\u201D", "caf? ... -> \"q\""},
        {"a\u00A0b\u2003c", "a b c", "a b c"},
        {"\U0001F468\u200D\U0001F469", "\U0001F468\U0001F469", "??"},
        {"\uE000", "�", "?"},
        {"a\u2028b", "a�b", "a?b"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *utf8 = clean(cases[i].text, CHARSET_UTF8);
        char *ascii = clean(cases[i].text, CHARSET_ASCII);
        assert_string_equal(utf8, cases[i].utf8);
        assert_string_equal(ascii, cases[i].ascii);
        for (const char *c = ascii; *c != '\0'; c++)
            assert_in_range((unsigned char)*c, 0x20, 0x7E);
        free(utf8);
        free(ascii);
    }
}

static void every_byte_sequence_ends_and_is_printable(void **state)
{
    (void)state;
    unsigned seed = 12345;
    char text[64];
    for (int round = 0; round < 20000; round++) {
        for (size_t i = 0; i < sizeof(text); i++)
            text[i] = (char)((seed = seed * 1103515245u + 12345u) >> 16);
        size_t at = 0;
        struct grapheme grapheme;
        for (size_t size; (size = text_next(text + at, sizeof(text) - at, CHARSET_UTF8, &grapheme)) > 0; at += size) {
            uint32_t code_point = 0;
            size_t length = strlen(grapheme.text);
            assert_true(length < TEXT_GRAPHEME_SIZE);
            assert_true(length == 0 || text_decode(grapheme.text, length, &code_point) > 0);
            assert_true(length == 0 ? grapheme.width == 0 : grapheme.width == 1 || grapheme.width == 2);
            assert_true(length == 0 || (code_point >= ' ' && (code_point < 0x7F || code_point >= 0xA0)));
        }
        assert_int_equal(at, sizeof(text));
    }
}

static void code_points_survive_encoding(void **state)
{
    (void)state;
    for (uint32_t i = 1; i <= 0x10FFFF; i += i < 0x3000 ? 1 : 97) {
        char bytes[4];
        uint32_t back = 0;
        size_t size = text_encode(i, bytes);
        bool surrogate = i >= 0xD800 && i <= 0xDFFF;
        assert_int_equal(text_decode(bytes, size, &back), surrogate ? 0 : size);
        assert_true(surrogate || back == i);
    }
}

static void text_is_cut_in_cells(void **state)
{
    static const struct {
        const char *text;
        int width;
        enum charset charset;
        const char *cut;
    } cases[] = {
        {"migrations", 10, CHARSET_UTF8, "migrations"},
        {"migrations", 9, CHARSET_UTF8, "migratio…"},
        {"migrations", 9, CHARSET_ASCII, "migrat..."},
        {"migrations", 5, CHARSET_ASCII, "migr~"},
        {"migrations", 1, CHARSET_UTF8, "…"},
        {"migrations", 0, CHARSET_UTF8, ""},
        {"migrations", -3, CHARSET_UTF8, ""},
        {"日本語", 6, CHARSET_UTF8, "日本語"},
        {"日本語", 5, CHARSET_UTF8, "日本…"},
        {"日本語", 4, CHARSET_UTF8, "日…"},
        {"日本語", 2, CHARSET_UTF8, "…"},
        {"…", 3, CHARSET_ASCII, "..."},
        {NULL, 5, CHARSET_UTF8, ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *cut = text_cut(cases[i].text, cases[i].width, cases[i].charset);
        assert_string_equal(cut, cases[i].cut);
        free(cut);
    }
    char *long_text = malloc(10001);
    memset(long_text, 'x', 10000);
    long_text[10000] = '\0';
    char *cut = text_cut(long_text, 20, CHARSET_UTF8);
    assert_int_equal(text_width(cut, CHARSET_UTF8), 20);
    assert_int_equal(text_width(long_text, CHARSET_UTF8), 10000);
    free(cut);
    free(long_text);
}

static void wrapped(const char *text, int width, const char *expected)
{
    size_t count;
    struct text_line *lines = text_wrap(text, width, CHARSET_UTF8, &count);
    char joined[2048] = "";
    for (size_t i = 0; i < count; i++) {
        strncat(joined, lines[i].start, lines[i].length);
        strcat(joined, "|");
    }
    free(lines);
    assert_string_equal(joined, expected);
}

static void text_is_wrapped_at_words(void **state)
{
    (void)state;
    wrapped("", 10, "|");
    wrapped(NULL, 10, "|");
    wrapped("one two three", 7, "one two|three|");
    wrapped("one two three", 8, "one two|three|");
    wrapped("one two three", 100, "one two three|");
    wrapped("one   two", 3, "one|two|");
    wrapped("onetwothree", 4, "onet|woth|ree|");
    wrapped("a onetwothree b", 5, "a|onetw|othre|e b|");
    wrapped("a\nb\n\nc\n", 9, "a|b||c||");
    wrapped("  indented text", 10, "  indented|text|");
    wrapped("trailing   ", 8, "trailing|");
    wrapped("日本語 語", 4, "日本|語|語|");
    wrapped("日本", 1, "日|本|");
    wrapped("ab", 0, "a|b|");
    wrapped("     ", 2, "  |  | |");
}

static void wrapping_loses_no_word(void **state)
{
    (void)state;
    const char *text =
        "Every node of the old cluster must have been stopped, or taken out of fleet.ini, before finish.";
    for (int width = 1; width < 120; width++) {
        size_t count;
        struct text_line *lines = text_wrap(text, width, CHARSET_UTF8, &count);
        const char *at = text;
        for (size_t i = 0; i < count; i++) {
            assert_true(lines[i].length <= (size_t)width);
            for (; at < lines[i].start; at++)
                assert_int_equal(*at, ' ');
            at = lines[i].start + lines[i].length;
        }
        assert_int_equal(*at, '\0');
        free(lines);
    }
}

static void plain_output_follows_the_locale(void **state)
{
    (void)state;
    char *text = text_plain("node \"b\u00E4r\"\033[2J\n\u2192 ok");
    assert_string_equal(text, "node \"b\u00E4r\"�[2J → ok");
    free(text);
    text = text_plain_lines("a\tb\n\u202Ec\n");
    assert_string_equal(text, "a    b\n�c\n");
    free(text);
    setlocale(LC_ALL, "C");
    assert_int_equal(text_locale_charset(), CHARSET_ASCII);
    text = text_plain("node \"b\u00E4r\"\033[2J\n\u2192 ok");
    assert_string_equal(text, "node \"b?r\"?[2J -> ok");
    free(text);
    setlocale(LC_ALL, "C.UTF-8");
    assert_int_equal(text_locale_charset(), CHARSET_UTF8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hostile_text_is_made_printable),  cmocka_unit_test(every_byte_sequence_ends_and_is_printable),
        cmocka_unit_test(code_points_survive_encoding),    cmocka_unit_test(text_is_cut_in_cells),
        cmocka_unit_test(text_is_wrapped_at_words),        cmocka_unit_test(wrapping_loses_no_word),
        cmocka_unit_test(plain_output_follows_the_locale),
    };
    return cmocka_run_group_tests_name("text", tests, use_utf8, NULL);
}
