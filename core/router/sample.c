#include "core/router/sample.h"

#include "core/base/ascii.h"
#include "core/base/buf.h"
#include "core/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LONGEST 2048
#define DEEPEST 40
#define MOST_REPEATS 300
#define MOST_STEPS 4000

struct maker {
    const char *at;
    struct buf out;
    unsigned variant;      /* which alternative, and whether what may be left out is there */
    int depth;
    int steps;             /* left */
};

/* What a class is tried with, the likeliest in a path first. */
static const char candidates[] = "a1x0zA/-_.~%Z9:@+=,! ";

static bool in_escape(char escape, char c)
{
    bool digit = ascii_is_digit(c), word = ascii_is_alnum(c) || c == '_', space = ascii_is_space(c);
    switch (escape) {
    case 'd': return digit;
    case 'D': return !digit;
    case 'w': return word;
    case 'W': return !word;
    case 's': return space;
    case 'S': return !space;
    default: return escape == c;
    }
}

static bool in_named(const char *name, char c)
{
    static const struct {
        const char *name;
        char escape;
    } names[] = {{"digit:]", 'd'}, {"xdigit:]", 'd'}, {"alnum:]", 'w'}, {"word:]", 'w'}, {"alpha:]", 'D'}, {"space:]", 's'}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strncmp(name, names[i].name, strlen(names[i].name)) == 0)
            return in_escape(names[i].escape, c) && (names[i].escape != 'D' || ascii_is_alnum(c));
    return false;
}

/* Whether the class whose inside begins at `from` and ends before `to` holds the character. */
static bool in_class(const char *from, const char *to, char c)
{
    bool negated = *from == '^', found = false;
    for (const char *at = negated ? from + 1 : from; at < to; at++) {
        if (*at == '[' && at + 1 < to && at[1] == ':') {
            found |= in_named(at + 2, c);
            while (at < to && *at != ']')
                at++;
        } else if (*at == '\\' && at + 1 < to) {
            found |= in_escape(*++at, c);
        } else if (at + 2 < to && at[1] == '-') {
            found |= (unsigned char)c >= (unsigned char)*at && (unsigned char)c <= (unsigned char)at[2];
            at += 2;
        } else {
            found |= *at == c;
        }
    }
    return found != negated;
}

static const char *class_end(const char *at)
{
    const char *c = at + (*at == '^' ? 1 : 0);
    for (bool first = true; *c != '\0' && (*c != ']' || first); c++, first = false) {
        if (*c == '\\' && c[1] != '\0')
            c++;
        else if (*c == '[' && c[1] == ':' && strstr(c, ":]") != NULL)
            c = strstr(c, ":]") + 1;
    }
    return c;
}

static void add(struct maker *maker, char c)
{
    if (maker->out.length < LONGEST)
        buf_add_bytes(&maker->out, &c, 1);
}

static void make_class(struct maker *maker)
{
    const char *from = ++maker->at, *to = class_end(from);
    unsigned skip = maker->variant;
    char chosen = *from != '^' ? *from : '\0';
    for (const char *c = candidates; *c != '\0'; c++) {
        if (!in_class(from, to, *c))
            continue;
        chosen = *c;
        if (skip-- == 0)
            break;
    }
    if (chosen != '\0')
        add(maker, chosen);
    maker->at = *to == ']' ? to + 1 : to;
}

/* \x41 and \x{41}. */
static void make_hex(struct maker *maker)
{
    bool braces = *maker->at == '{';
    unsigned code = 0;
    int length = 0;
    sscanf(maker->at + (braces ? 1 : 0), braces ? "%8x%n" : "%2x%n", &code, &length);
    maker->at += length + (braces ? 1 : 0);
    maker->at += braces && *maker->at == '}' ? 1 : 0;
    if (code > 0 && code < 128)
        add(maker, (char)code);
}

static void make_escape(struct maker *maker)
{
    char escape = maker->at[1];
    maker->at += escape != '\0' ? 2 : 1;
    switch (escape) {
    case 'Q':
        while (*maker->at != '\0' && strncmp(maker->at, "\\E", 2) != 0)
            add(maker, *maker->at++);
        break;
    case 'x': make_hex(maker); break;
    case 'd': add(maker, maker->variant == 1 ? '7' : '1'); break;
    case 'D': case 'w': case 'S': case 'N': add(maker, maker->variant == 1 ? 'b' : 'a'); break;
    case 's': case 'h': add(maker, ' '); break;
    case 'W': add(maker, '-'); break;
    case 'b': case 'B': case 'A': case 'z': case 'Z': case 'G': case 'K': case 'E': case '\0': break;
    default:
        if (!ascii_is_alnum(escape))
            add(maker, escape);
    }
}

static void make_branch(struct maker *maker);

/* Past the end of an alternative, or of a group. Returns the number of alternatives begun. */
static void skip_branch(struct maker *maker)
{
    int depth = 0;
    for (; *maker->at != '\0' && (depth > 0 || (*maker->at != '|' && *maker->at != ')')); maker->at++) {
        if (*maker->at == '\\' && maker->at[1] != '\0')
            maker->at++;
        else if (*maker->at == '[')
            maker->at = class_end(maker->at + 1);
        else
            depth += *maker->at == '(' ? 1 : *maker->at == ')' ? -1 : 0;
        if (*maker->at == '\0')
            return;
    }
}

/* One of the alternatives, by the variant; the first where there are fewer. */
static void make_alternatives(struct maker *maker)
{
    const char *start = maker->at;
    unsigned count = 1;
    for (skip_branch(maker); *maker->at == '|'; skip_branch(maker), count++)
        maker->at++;
    const char *end = maker->at;
    maker->at = start;
    for (unsigned i = maker->variant % count; i > 0; i--) {
        skip_branch(maker);
        maker->at++;
    }
    make_branch(maker);
    maker->at = end;
}

/* Behind "(": what kind of group it is. Returns whether it takes part in what is matched. */
static bool skip_group_kind(struct maker *maker)
{
    if (*maker->at != '?')
        return *maker->at != '*';
    bool look = maker->at[1] == '!' || maker->at[1] == '=' || maker->at[1] == '#' ||
        (maker->at[1] == '<' && (maker->at[2] == '!' || maker->at[2] == '='));
    maker->at++;
    if (*maker->at == '<' || *maker->at == 'P' || *maker->at == '\'')
        while (*maker->at != '\0' && *maker->at != '>' && !(*maker->at == '\'' && maker->at[-1] != '?') && *maker->at != ')')
            maker->at++;
    else
        while (ascii_is_alnum(*maker->at) || *maker->at == '-')
            maker->at++;
    if (*maker->at != '\0' && *maker->at != ')')
        maker->at++;
    return !look;
}

static void make_group(struct maker *maker)
{
    maker->at++;
    bool part = skip_group_kind(maker);
    size_t length = maker->out.length;
    if (maker->depth++ < DEEPEST)
        make_alternatives(maker);
    else
        while (*maker->at != '\0' && *maker->at != ')')
            maker->at++;
    maker->depth--;
    if (!part && maker->out.length > length) {
        maker->out.length = length;
        maker->out.data[length] = '\0';
    }
    maker->at += *maker->at == ')' ? 1 : 0;
}

static void make_atom(struct maker *maker)
{
    switch (*maker->at) {
    case '(': make_group(maker); break;
    case '[': make_class(maker); break;
    case '\\': make_escape(maker); break;
    case '.': add(maker, 'x'); maker->at++; break;
    case '^': case '$': maker->at++; break;
    default: add(maker, *maker->at++);
    }
}

/* How often, by the quantifier that follows; it is passed by. */
static long read_quantifier(struct maker *maker)
{
    long least = 1;
    char *end;
    switch (*maker->at) {
    case '*': case '?': least = maker->variant == 1 ? 0 : 1; break;
    case '+': least = maker->variant == 2 ? 2 : 1; break;
    case '{':
        if (!ascii_is_digit(maker->at[1]))
            return 1;
        least = strtol(maker->at + 1, &end, 10);
        while (*end != '\0' && *end != '}')
            end++;
        maker->at = *end == '}' ? end : end - 1;
        break;
    default: return 1;
    }
    maker->at++;
    maker->at += *maker->at == '?' || *maker->at == '+' ? 1 : 0;
    return least < MOST_REPEATS ? least : MOST_REPEATS;
}

static void make_branch(struct maker *maker)
{
    while (*maker->at != '\0' && *maker->at != '|' && *maker->at != ')' && maker->steps-- > 0) {
        const char *atom = maker->at;
        size_t length = maker->out.length;
        make_atom(maker);
        long times = read_quantifier(maker);
        const char *end = maker->at;
        if (times == 0 && maker->out.length > length) {
            maker->out.length = length;
            maker->out.data[length] = '\0';
        }
        for (; times > 1 && maker->steps-- > 0 && maker->out.length < LONGEST; times--) {
            maker->at = atom;
            make_atom(maker);
        }
        maker->at = end;
    }
}

/* As a request line can have it. */
static bool is_path(const char *text)
{
    for (const char *c = text; *c != '\0'; c++)
        if ((unsigned char)*c <= ' ' || *c == 127)
            return false;
    return text[0] != '\0';
}

static void keep(struct matcher *matcher, struct pattern *pattern, const char *text, struct names *samples)
{
    if (is_path(text) && !names_have(samples, text) && pattern_hits(matcher, pattern, text, strlen(text)) == VERDICT_YES)
        names_add(samples, text);
}

void regex_samples(struct matcher *matcher, struct pattern *pattern, const char *regex, struct names *samples)
{
    if (pattern_is_broken(pattern))
        return;
    for (unsigned variant = 0; variant < SAMPLES; variant++) {
        struct maker maker = {.at = regex, .variant = variant, .steps = MOST_STEPS};
        make_alternatives(&maker);
        keep(matcher, pattern, buf_text(&maker.out), samples);
        buf_free(&maker.out);
    }
    if (samples->count > 0)
        return;
    char *stem = regex_stem(regex);
    static const char *const ends[] = {"", "x", "1", "/", "/x", "/1"};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0] && samples->count == 0; i++) {
        char *text = mem_printf("%s%s", stem, ends[i]);
        keep(matcher, pattern, text, samples);
        free(text);
    }
    free(stem);
}
