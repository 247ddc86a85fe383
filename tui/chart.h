/*
 * The history of one or two figures: the newest value at the right, a scale that begins at 0 at the left, each series'
 * name and latest value at its end. Lines of Braille dots; in ASCII, letters. The first series is a solid line, the
 * second a broken one, and both are named where they end, so that they can be told apart without colour.
 */
#ifndef TUI_CHART_H
#define TUI_CHART_H

#include "tui/canvas.h"

#include <stddef.h>

struct chart_series {
    const char *name;     /* short: "old" */
    const double *values; /* oldest first; NAN: no data at that time (a gap). Negative is drawn as 0 */
    size_t count;
    unsigned style; /* ROLE_OLD, ROLE_NEW */
    char letter;    /* its mark in ASCII: 'o', 'n' */
};

struct chart_model {
    const struct chart_series *series;
    size_t count;             /* 1 or 2; more are not drawn */
    double seconds_per_value; /* for the time scale below; <= 0: none is shown */
    const char *unit;         /* "req/s"; NULL: none */
    const char *empty;        /* said where no series has a value; NULL: "no data yet" */
    size_t span;              /* so many of the newest values fill the width, each dot their mean; 0: one a dot */
};

/* As many of the newest values as fit (two a column with Braille), or `span` of them. A time without a value stays a
 * gap. Fewer than 3 lines or 16 columns: only names and
 * latest values. */
void chart_draw(struct area area, const struct chart_model *model);

/* The end of the scale for a largest value: a round number just above it, at least 1. */
double chart_scale(double largest);

#endif
