/*
 * Boxes by requests instead of coordinates. A request says what a box must have, what it would like, and whether it
 * takes what is left; layout_share turns requests into sizes. If there is too little, the least important boxes are
 * left out (size 0) until the others' minimums fit.
 */
#ifndef TUI_LAYOUT_H
#define TUI_LAYOUT_H

#include "tui/canvas.h"

#include <stddef.h>

struct layout_request {
    int minimum;    /* with less it is left out; 0: it may be empty */
    int wanted;     /* taken next, in order of importance; less than minimum is minimum */
    int maximum;    /* never more; 0: no limit */
    int weight;     /* its part of what is then left */
    int importance; /* higher is kept longer, and gets its wish sooner; equal: the earlier one */
};

#define LAYOUT_FIXED(size, importance)                                                                                 \
    {                                                                                                                  \
        (size), (size), (size), 0, (importance)                                                                        \
    }
#define LAYOUT_BETWEEN(minimum, maximum, importance)                                                                   \
    {                                                                                                                  \
        (minimum), (maximum), (maximum), 0, (importance)                                                               \
    }
#define LAYOUT_FILL(minimum, importance)                                                                               \
    {                                                                                                                  \
        (minimum), (minimum), 0, 1, (importance)                                                                       \
    }

#define LAYOUT_BOXES 32 /* more are left out */

/* Sizes for `count` boxes in `space` cells with `gap` cells between those that are shown. Their sum with the gaps is
 * never more than `space`. If not even the most important minimum fits, that box gets all there is. */
void layout_share(int space, int gap, const struct layout_request *requests, size_t count, int *sizes);

/* The areas of boxes from top to bottom, or from left to right. */
void layout_rows(struct area area, int gap, const struct layout_request *requests, size_t count, struct area *parts);
void layout_columns(struct area area, int gap, const struct layout_request *requests, size_t count, struct area *parts);

/* A rectangle of at most that size in the middle of the area: for dialogs. */
struct area layout_centre(struct area area, int width, int height);

#endif
