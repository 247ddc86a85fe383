/* How far something is: a bar, the percentage, the pace and the time left, as much of it as there is room for. */
#ifndef TUI_PROGRESS_H
#define TUI_PROGRESS_H

#include "tui/canvas.h"

#include <stddef.h>

struct progress_model {
    double done, total;  /* in units; total <= 0 or not finite: not known, no percentage is shown */
    double per_second;   /* units per second; <= 0: not known */
    double seconds_left; /* < 0: not known */
    const char *unit;    /* "rows"; NULL: none, then done and total are not shown in figures */
    unsigned tick;       /* moves the bar where the total is not known: counts up with time */
};

/* One line: "█████░░░  63 %  630 k of 1 M rows  12.3 k/s  about 2 min left". 100 % is shown only when done >=
 * total. */
void progress_draw(struct area area, int y, const struct progress_model *model);

/* Time for people, coarse: "less than 5 s", "about 20 s", "about 3 min", "about 2 h", "more than a day"; "" if it is
 * not known (negative, not finite). Fills `text` and returns it. */
#define PROGRESS_TIME_SIZE 32
const char *progress_time(double seconds, char text[PROGRESS_TIME_SIZE]);

/* Figures for people: "987", "12.3 k", "4.56 M". Fills `text` and returns it. NAN and infinities give "-". */
#define PROGRESS_FIGURE_SIZE 24
const char *progress_figure(double value, char text[PROGRESS_FIGURE_SIZE]);

#endif
