/*
 * The regexes of paths, as Kong compares them, within limits: a regex that backtracks without end, or does not compile, is an error as
 * it is for Kong, and never a program that hangs.
 *
 * Kong passes PCRE a regex with the flags `ajo` (anchored at the start; bytes, not characters), once as it stands, to see whether a
 * path hits anything at all, and once followed by `(?<uri_postfix>.*)`, to see whether a route matches (kong/router.lua).
 */
#ifndef CORE_ROUTER_PATTERN_H
#define CORE_ROUTER_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether a path is a plain one: ^[a-zA-Z0-9\.\-_~/%]*$ */
bool path_is_plain(const char *path);

/* The text that every match of the regex begins with, as far as that is plain to see; the caller frees. "" where it is not. */
char *regex_stem(const char *regex);

enum verdict { VERDICT_UNKNOWN, VERDICT_NO, VERDICT_YES, VERDICT_ERROR };

struct pattern;

/* Compiles; a regex that PCRE refuses gives a pattern whose every verdict is VERDICT_ERROR. `text` belongs to the caller. */
struct pattern *pattern_new(const char *text);
void pattern_free(struct pattern *pattern);

bool pattern_is_broken(const struct pattern *pattern);
bool pattern_gave_up(const struct pattern *pattern);   /* a limit of steps was reached at least once */

/* What all patterns of one thread need to be compared with anything: memory, and the limits. */
struct matcher;
struct matcher *matcher_new(void);
void matcher_free(struct matcher *matcher);
uint64_t matcher_work(const struct matcher *matcher);   /* what was done so far, in glances at a route */

/* Whether what Kong appends can make a difference between the two: where not, pattern_hits answers both. */
bool pattern_postfix_matters(const struct pattern *pattern);

enum verdict pattern_hits(struct matcher *matcher, struct pattern *pattern, const char *subject, size_t length);
enum verdict pattern_matches(struct matcher *matcher, struct pattern *pattern, const char *subject, size_t length);   /* with uri_postfix */

/* A wildcard host in another shape than *.example.com and example.*: as Kong makes a regex of it. */
struct pattern *pattern_new_host(const char *wildcard);

#endif
