/* Bytes and codes as a terminal sends them, whole and in pieces, and the keys they mean. */
#include "tests/tui/drawn.h"

#include "tui/decode.h"

#include <curses.h>

/* Feeds `bytes` at `at`, then says that nothing more is there; adds the keys' names to `out`. */
static void feed(struct decode *decode, int64_t at, const char *bytes, char *out)
{
    struct input input;
    for (const char *c = bytes; *c != '\0'; c++) {
        decode_put(decode, at, (unsigned char)*c);
        while (decode_take(decode, at, &input))
            sprintf(out + strlen(out), "%s%s%X ", input.pasted ? "p" : "", input.alt ? "alt-" : "",
                    (unsigned)input.key);
    }
    while (decode_idle(decode, at, &input))
        sprintf(out + strlen(out), "%s%s%X ", input.pasted ? "p" : "", input.alt ? "alt-" : "", (unsigned)input.key);
}

static void bytes_become_keys(void **state)
{
    static const struct {
        const char *bytes, *keys;
    } cases[] = {
        {"a", "61 "},
        {"\r", "110000 "},
        {"\n", "110000 "},
        {"\x7f", "110001 "},
        {"\b", "110001 "},
        {"\x03", "3 "},
        {"\t", "9 "},
        {"é日", "E9 65E5 "},
        {"\xff"
         "a",
         "61 "},
        {"\xc3"
         "a",
         "61 "},
        {"\033", "1B "},
        {"\033\033", "1B 1B "},
        {"\033b", "alt-62 "},
        {"\033é", "alt-E9 "},
        {"\033[A", "110004 "},
        {"\033OA", "110004 "},
        {"\033[1;5C", "110007 "},
        {"\033[5~", "11000A "},
        {"\033[24~", "110018 "},
        {"\033[99;99;99;99;99;99;99;99;99u"
         "a",
         "61 "},
        {"\033[200~a\rb\033[201~c", "p61 p110000 p62 63 "},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct decode decode = {.utf8 = true};
        char keys[256] = "";
        feed(&decode, 1000, cases[i].bytes, keys);
        assert_string_equal(keys, cases[i].keys);
    }
}

static void sequences_in_pieces(void **state)
{
    (void)state;
    char keys[256] = "";
    struct decode decode = {.utf8 = true};
    feed(&decode, 1000, "\033", keys);
    feed(&decode, 1100, "[", keys);
    feed(&decode, 1200, "A", keys);
    feed(&decode, 1200, "x", keys);
    assert_string_equal(keys, "1B 78 ");

    keys[0] = '\0';
    decode = (struct decode){.utf8 = true};
    feed(&decode, 1000, "\033[", keys);
    feed(&decode, 1100, "A", keys);
    assert_string_equal(keys, "110004 ");

    keys[0] = '\0';
    decode = (struct decode){.utf8 = true};
    feed(&decode, 1000, "\033", keys);
    feed(&decode, 2000, "[", keys);
    assert_string_equal(keys, "1B 5B ");

    keys[0] = '\0';
    decode = (struct decode){.utf8 = true};
    feed(&decode, 1000, "\xe6\x97", keys);
    feed(&decode, 1400, "\xa5", keys);
    assert_string_equal(keys, "65E5 ");

    keys[0] = '\0';
    decode = (struct decode){.utf8 = true};
    feed(&decode, 1000, "\033", keys);
    feed(&decode, 1050, "[200~rm\r", keys);
    assert_string_equal(keys, "1B p72 p6D p110000 ");
    feed(&decode, 1050 + DECODE_PASTE_MS + 1, "q", keys);
    assert_string_equal(keys, "1B p72 p6D p110000 71 ");
}

static void codes_of_curses(void **state)
{
    (void)state;
    struct decode decode = {.utf8 = true};
    struct input input;
    decode_put(&decode, 0, KEY_F(12));
    assert_true(decode_take(&decode, 0, &input) && input.key == K_F12);
    decode_put(&decode, 0, 27);
    decode_put(&decode, 0, KEY_LEFT);
    assert_true(decode_take(&decode, 0, &input) && input.key == K_LEFT && input.alt);
    decode_put(&decode, 0, DECODE_KEY_PASTE_BEGIN);
    decode_put(&decode, 0, 'x');
    assert_true(decode_take(&decode, 0, &input) && input.pasted);
    decode_put(&decode, 0, DECODE_KEY_PASTE_END);
    decode_put(&decode, 0, KEY_MOUSE);
    assert_false(decode_take(&decode, 0, &input));
    decode = (struct decode){.utf8 = false};
    decode_put(&decode, 0, 0xE9);
    assert_false(decode_idle(&decode, 0, &input));
}

static void random_codes_never_confuse_it(void **state)
{
    (void)state;
    struct decode decode = {.utf8 = true};
    struct input input;
    unsigned seed = 99;
    for (int64_t i = 0; i < 300000; i++) {
        seed = seed * 1103515245u + 12345u;
        static const int likely[] = {27, '[', 'O', '~', '2', '0', ';', 0xE6, 0x97, DECODE_KEY_PASTE_BEGIN};
        decode_put(&decode, i * 7, (seed >> 16) % 2 ? likely[(seed >> 20) % 10] : (int)((seed >> 18) % 600));
        while (decode_take(&decode, i * 7, &input))
            assert_true(input.kind == INPUT_KEY && input.key != K_NONE && input.key <= K_F12);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_become_keys),
        cmocka_unit_test(sequences_in_pieces),
        cmocka_unit_test(codes_of_curses),
        cmocka_unit_test(random_codes_never_confuse_it),
    };
    return cmocka_run_group_tests_name("decode", tests, use_utf8, NULL);
}
