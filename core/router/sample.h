/* Paths that match a regex, for trying requests with. */
#ifndef CORE_ROUTER_SAMPLE_H
#define CORE_ROUTER_SAMPLE_H

#include "core/base/names.h"
#include "core/router/pattern.h"

#define SAMPLES 3

/* Adds up to SAMPLES different texts that PCRE says the regex hits; none where it is broken or nothing was found (a lookbehind, a
 * backreference). Made from the regex' own syntax: alternatives, classes, counts. */
void regex_samples(struct matcher *matcher, struct pattern *pattern, const char *regex, struct names *samples);

#endif
