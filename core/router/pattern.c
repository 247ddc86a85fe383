#include "core/router/pattern.h"

#include "core/base/ascii.h"
#include "core/base/buf.h"
#include "core/base/mem.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

/* OpenResty's lua_regex_match_limit is PCRE's 10 million by default: no path that real clients send needs more than a trace of that. A
 * regex that has reached the limit several times is not worth milliseconds again and again. */
#define STEPS 50000
#define STEPS_OF_A_SUSPECT 1000
#define PATIENCE 4
#define PATIENCE_WITH_ALL 40
#define HEAP_KIB 20000
#define WORK 16              /* of one comparison, beside a glance at a route */

struct pattern {
    const char *text;
    pcre2_code *hit, *full;
    char *part;              /* every match holds it: what lacks it is no match, which is told faster than PCRE does; or NULL */
    bool postfix_matters;
    bool full_compiled;
    unsigned gave_up;
};

struct matcher {
    pcre2_match_context *limits;
    pcre2_match_data *data;
    unsigned gave_up;
    uint64_t work;
};

bool path_is_plain(const char *path)
{
    for (const char *c = path; *c != '\0'; c++)
        if (!ascii_is_alnum(*c) && strchr(".-_~/%", *c) == NULL)
            return false;
    return true;
}

static bool is_quantifier(char c)
{
    return c == '*' || c == '?' || c == '{' || c == '+';
}

static bool is_special(char c)
{
    return strchr("\\^$.[|()?*+{", c) != NULL;
}

/* The end of a class that begins at `c` ("[…]"), or NULL. */
static const char *class_end(const char *c)
{
    c += c[1] == '^' ? 2 : 1;
    for (bool first = true; *c != '\0'; c++, first = false) {
        if (*c == ']' && !first)
            return c;
        if (*c == '\\' && c[1] != '\0')
            c++;
        else if (*c == '[' && (c[1] == ':' || c[1] == '.' || c[1] == '='))
            return NULL;
    }
    return NULL;
}

/* Whether an alternative may stand at the top level, or what the text says is not plain to see. */
static bool may_branch(const char *regex)
{
    int depth = 0;
    if (strchr(regex, '|') == NULL)
        return false;
    if (strstr(regex, "\\Q") != NULL || strchr(regex, '#') != NULL)
        return true;
    for (const char *c = regex; *c != '\0'; c++) {
        if (*c == '\\' && c[1] != '\0')
            c++;
        else if (*c == '[' && (c = class_end(c)) == NULL)
            return true;
        else if (*c == '|' && depth <= 0)
            return true;
        else
            depth += *c == '(' ? 1 : *c == ')' ? -1 : 0;
    }
    return false;
}

/* Something that PCRE skips, so that a quantifier behind it belongs to what stands before. */
static bool has_skipped(const char *regex)
{
    return strstr(regex, "\\E") != NULL || strstr(regex, "(?#") != NULL;
}

char *regex_stem(const char *regex)
{
    struct buf stem = {0};
    const char *c = regex;
    if (may_branch(regex) || has_skipped(regex))
        return mem_dup("");
    for (; *c != '\0'; c++) {
        bool escaped = *c == '\\' && c[1] != '\0' && (unsigned char)c[1] < 128 && !ascii_is_alnum(c[1]);
        if (!escaped && is_special(*c))
            break;
        c += escaped ? 1 : 0;
        if (is_quantifier(c[1]))   /* it may be there once, or not at all */
            break;
        buf_add_bytes(&stem, c, 1);
    }
    char *text = mem_dup(buf_text(&stem));
    buf_free(&stem);
    return text;
}

/* Whether what is plain to see may be changed by something else in the text: options, quotes, verbs, comments, codes of characters. */
static bool has_tricks(const char *regex)
{
    for (const char *c = strstr(regex, "(?"); c != NULL; c = strstr(c + 2, "(?"))
        if (c[2] == '\0' || strchr(":=!<", c[2]) == NULL)
            return true;
    for (const char *c = strchr(regex, '\\'); c != NULL && c[1] != '\0'; c = strchr(c + 2, '\\'))
        if (ascii_is_alnum(c[1]) && strchr("dDwWsSbBAzZ", c[1]) == NULL)   /* others may have more characters to them */
            return true;
    return strstr(regex, "(*") != NULL || may_branch(regex);
}

/* Past the group or class that begins at `c`: to its last character, or to the end. */
static const char *skip_nested(const char *c)
{
    int depth = 0;
    for (; *c != '\0'; c++) {
        if (*c == '\\' && c[1] != '\0')
            c++;
        else if (*c == '[' && (c = class_end(c)) == NULL)
            return NULL;
        else
            depth += *c == '(' ? 1 : *c == ')' ? -1 : 0;
        if (depth == 0)
            return c;
    }
    return NULL;
}

/* The longest run of literal characters outside of groups. */
static char *find_part(const char *regex)
{
    struct buf run = {0};
    char *longest = NULL;
    for (const char *c = has_tricks(regex) ? "" : regex; c != NULL; c = *c != '\0' ? c + 1 : NULL) {
        bool escaped = *c == '\\' && c[1] != '\0' && (unsigned char)c[1] < 128 && !ascii_is_alnum(c[1]);
        bool literal = *c != '\0' && (escaped || !is_special(*c));
        const char *at = c + (escaped ? 1 : 0);
        if (literal && !is_quantifier(at[1])) {
            buf_add_bytes(&run, at, 1);
            c = at;
            continue;
        }
        if (run.length > (longest != NULL ? strlen(longest) : 0)) {
            free(longest);
            longest = mem_dup(buf_text(&run));
        }
        buf_clear(&run);
        if (*c == '{')   /* its inside is no literal */
            while (*c != '\0' && *c != '}')
                c++;
        else if (*c == '(' || *c == '[')
            c = skip_nested(c);
        else if (literal || *c == '\\')
            c = literal ? at : c + (c[1] != '\0' ? 1 : 0);
        if (c == NULL || *c == '\0')
            break;
    }
    buf_free(&run);
    return longest;
}

/* Where a group follows a complete regex, only something that reaches beyond its end can make a difference: an open quote, a comment or
 * extended syntax, a verb, a reference to a group or to the whole. */
static bool postfix_matters(const char *text)
{
    for (const char *c = strchr(text, '\\'); c != NULL; c = strchr(c + (c[1] != '\0' ? 2 : 1), '\\'))
        if (c[1] == '\0' || strchr("Qgk", c[1]) != NULL || ascii_is_digit(c[1]))
            return true;
    for (const char *c = strstr(text, "(?"); c != NULL; c = strstr(c + 2, "(?"))
        if (c[2] != ':' && c[2] != '=' && c[2] != '!')
            return true;
    return strstr(text, "(*") != NULL;
}

static pcre2_code *compile(const char *text)
{
    int code;
    PCRE2_SIZE at;
    return pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED, PCRE2_ANCHORED, &code, &at, NULL);
}

struct pattern *pattern_new(const char *text)
{
    struct pattern *pattern = mem_zero(1, sizeof *pattern);
    pattern->text = text;
    pattern->hit = compile(text);
    pattern->part = pattern->hit != NULL ? find_part(text) : NULL;
    pattern->postfix_matters = postfix_matters(text);
    return pattern;
}

struct pattern *pattern_new_host(const char *wildcard)
{
    struct buf text = {0};
    for (const char *c = wildcard; *c != '\0'; c++) {
        if (*c == '.')
            buf_add(&text, "\\.");
        else if (*c == '*')
            buf_add(&text, ".+");
        else
            buf_add_bytes(&text, c, 1);
    }
    buf_add(&text, "$");
    struct pattern *pattern = pattern_new(buf_text(&text));
    pattern->text = wildcard;
    buf_free(&text);
    return pattern;
}

void pattern_free(struct pattern *pattern)
{
    if (pattern == NULL)
        return;
    pcre2_code_free(pattern->hit);
    pcre2_code_free(pattern->full);
    free(pattern->part);
    free(pattern);
}

bool pattern_is_broken(const struct pattern *pattern)
{
    return pattern->hit == NULL;
}

bool pattern_postfix_matters(const struct pattern *pattern)
{
    return pattern->postfix_matters;
}

bool pattern_gave_up(const struct pattern *pattern)
{
    return pattern->gave_up > 0;
}

struct matcher *matcher_new(void)
{
    struct matcher *matcher = mem_zero(1, sizeof *matcher);
    matcher->limits = pcre2_match_context_create(NULL);
    matcher->data = pcre2_match_data_create(1, NULL);
    if (matcher->limits != NULL)
        pcre2_set_heap_limit(matcher->limits, HEAP_KIB);
    return matcher;
}

void matcher_free(struct matcher *matcher)
{
    pcre2_match_context_free(matcher->limits);
    pcre2_match_data_free(matcher->data);
    free(matcher);
}

uint64_t matcher_work(const struct matcher *matcher)
{
    return matcher->work;
}

static enum verdict judge(struct matcher *matcher, struct pattern *pattern, const pcre2_code *code, const char *subject, size_t length)
{
    if (code == NULL || matcher->limits == NULL || matcher->data == NULL)
        return VERDICT_ERROR;
    uint32_t steps = pattern->gave_up < PATIENCE && matcher->gave_up < PATIENCE_WITH_ALL ? STEPS : STEPS_OF_A_SUSPECT;
    pcre2_set_match_limit(matcher->limits, steps);
    matcher->work += WORK;
    int result = pcre2_match(code, (PCRE2_SPTR)subject, length, 0, 0, matcher->data, matcher->limits);
    if (result >= 0)
        return VERDICT_YES;
    if (result == PCRE2_ERROR_NOMATCH)
        return VERDICT_NO;
    pattern->gave_up++;
    matcher->gave_up++;
    matcher->work += steps;
    return VERDICT_ERROR;
}

enum verdict pattern_hits(struct matcher *matcher, struct pattern *pattern, const char *subject, size_t length)
{
    matcher->work++;
    if (pattern->part != NULL && memmem(subject, length, pattern->part, strlen(pattern->part)) == NULL)
        return VERDICT_NO;
    return judge(matcher, pattern, pattern->hit, subject, length);
}

enum verdict pattern_matches(struct matcher *matcher, struct pattern *pattern, const char *subject, size_t length)
{
    if (!pattern->full_compiled) {
        char *text = mem_printf("%s(?<uri_postfix>.*)", pattern->text);
        pattern->full = compile(text);
        pattern->full_compiled = true;
        free(text);
    }
    return judge(matcher, pattern, pattern->full, subject, length);
}
