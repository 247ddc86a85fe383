/*
 * Regexes are told apart by what is plain to see in them before PCRE is asked, and PCRE is asked once where Kong asks twice. On generated
 * regexes, tricks included, the answers are PCRE's own.
 */
#include "core/router/pattern.h"
#include "core/router/sample.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *const pieces[] = {"/", "a", "b", "ab", "x", "/", "A", "1", "|", "/a", "(", ")", "[", "]", "^", "-", "\\", "d", "{1,2}", "{", "}", ",",
                                     "+", "?", ":", "*", ".", "$", "\\Q", "\\E", "(?:", "(?i)", "(?x)", "(?=", "(?!", "(?<n>", "#", " ", "(*ACCEPT)",
                                     "\\x61", "\\b", "a|b", "(a|b)", "[ab]", "a?", "b*", "\\.", "\\/", "(?#a)", "\\K", "(?|", "(?>", "\\R", "\\61",
                                     "{0}", "a{0}"};
#define PLAIN_PIECES 8

static uint64_t state_of_chance = 88172645463325252u;

static unsigned chance(unsigned below)
{
    state_of_chance ^= state_of_chance << 13;
    state_of_chance ^= state_of_chance >> 7;
    state_of_chance ^= state_of_chance << 17;
    return (unsigned)(state_of_chance >> 33) % below;
}

static void make(char text[128], unsigned from)
{
    strcpy(text, "/");
    for (unsigned i = chance(9); i > 0; i--)
        strcat(text, pieces[chance(from)]);
}

static pcre2_code *compile(const char *regex, const char *suffix)
{
    char text[256];
    int error;
    PCRE2_SIZE at;
    snprintf(text, sizeof text, "%s%s", regex, suffix);
    return pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED, PCRE2_ANCHORED, &error, &at, NULL);
}

static enum verdict ask(const pcre2_code *code, pcre2_match_data *data, const char *subject)
{
    if (code == NULL)
        return VERDICT_ERROR;
    return pcre2_match(code, (PCRE2_SPTR)subject, strlen(subject), 0, 0, data, NULL) >= 0 ? VERDICT_YES : VERDICT_NO;
}

/* As a router asks: the appended group only where it can matter. */
static enum verdict matches(struct matcher *matcher, struct pattern *pattern, const char *subject)
{
    size_t length = strlen(subject);
    return pattern_postfix_matters(pattern) ? pattern_matches(matcher, pattern, subject, length) : pattern_hits(matcher, pattern, subject, length);
}

static void test_regexes(void **state)
{
    (void)state;
    size_t hits = 0, samples_hit = 0;
    struct matcher *matcher = matcher_new();
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    for (unsigned i = 0; i < 20000; i++) {
        char regex[128], subject[128];
        struct names samples = {0};
        make(regex, sizeof pieces / sizeof pieces[0]);
        struct pattern *pattern = pattern_new(regex);
        char *stem = regex_stem(regex);
        pcre2_code *hit = compile(regex, ""), *full = compile(regex, "(?<uri_postfix>.*)");
        regex_samples(matcher, pattern, regex, &samples);
        samples_hit += samples.count;
        assert_int_equal(pattern_is_broken(pattern), hit == NULL);
        for (unsigned j = 0; j < 12; j++) {
            make(subject, PLAIN_PIECES);
            const char *text = j < samples.count ? samples.list[j] : subject;
            enum verdict expected = ask(hit, data, text);
            hits += expected == VERDICT_YES ? 1 : 0;
            if (pattern_hits(matcher, pattern, text, strlen(text)) != expected)
                fail_msg("%s on %s: PCRE says %d", regex, text, expected);
            if (matches(matcher, pattern, text) != ask(full, data, text))
                fail_msg("%s with uri_postfix on %s: PCRE says %d", regex, text, ask(full, data, text));
            if (expected == VERDICT_YES && strncmp(text, stem, strlen(stem)) != 0)
                fail_msg("%s matches %s, which does not begin with %s", regex, text, stem);
        }
        pcre2_code_free(hit);
        pcre2_code_free(full);
        names_free(&samples);
        free(stem);
        pattern_free(pattern);
    }
    pcre2_match_data_free(data);
    matcher_free(matcher);
    print_message("%zu of 240,000 texts matched\n", hits);
    assert_true(hits > 20000 && samples_hit > 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_regexes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
