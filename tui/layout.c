#include "tui/layout.h"

#include <stdbool.h>

static int least(const struct layout_request *request)
{
    int size = request->minimum > 0 ? request->minimum : 0;
    return request->maximum > 0 && size > request->maximum ? request->maximum : size;
}

static int wish(const struct layout_request *request)
{
    int size = request->wanted > least(request) ? request->wanted : least(request);
    return request->maximum > 0 && size > request->maximum ? request->maximum : size;
}

/* Leaves out the least important boxes, later ones first, until minimums and gaps fit. Returns what they leave over. */
static int keep_what_fits(int space, int gap, const struct layout_request *requests, size_t count, bool *kept)
{
    size_t left = count;
    for (size_t i = 0; i < count; i++)
        kept[i] = true;
    for (;;) {
        int used = 0;
        size_t victim = count;
        for (size_t i = 0; i < count; i++) {
            if (!kept[i])
                continue;
            used += least(&requests[i]) + gap;
            if (victim == count || requests[i].importance <= requests[victim].importance)
                victim = i;
        }
        used -= left > 0 ? gap : 0;
        if (used <= space || left <= 1)
            return space - used;
        kept[victim] = false;
        left--;
    }
}

static void grant_wishes(int *rest, const struct layout_request *requests, size_t count, const bool *kept, int *sizes)
{
    bool served[LAYOUT_BOXES] = {false};
    for (size_t round = 0; round < count; round++) {
        size_t best = count;
        for (size_t i = 0; i < count; i++)
            if (kept[i] && !served[i] && (best == count || requests[i].importance > requests[best].importance))
                best = i;
        if (best == count)
            return;
        served[best] = true;
        int more = wish(&requests[best]) - sizes[best];
        more = more > *rest ? *rest : more;
        sizes[best] += more;
        *rest -= more;
    }
}

static int room_to_grow(const struct layout_request *request, int size)
{
    if (request->weight <= 0)
        return 0;
    return request->maximum > 0 ? request->maximum - size : 1 << 20;
}

/* What is left goes to those with a weight, cell by cell to the one that is furthest behind its part: exact, and fair
 * with any maximum. */
static void share_rest(int rest, const struct layout_request *requests, size_t count, const bool *kept, int *sizes)
{
    int given[LAYOUT_BOXES] = {0};
    for (; rest > 0; rest--) {
        size_t best = count;
        for (size_t i = 0; i < count; i++) {
            if (!kept[i] || room_to_grow(&requests[i], sizes[i]) <= 0)
                continue;
            if (best == count ||
                (long)(given[i] + 1) * requests[best].weight < (long)(given[best] + 1) * requests[i].weight)
                best = i;
        }
        if (best == count)
            return;
        given[best]++;
        sizes[best]++;
    }
}

void layout_share(int space, int gap, const struct layout_request *requests, size_t count, int *sizes)
{
    bool kept[LAYOUT_BOXES];
    for (size_t i = 0; i < count; i++)
        sizes[i] = 0;
    count = count < LAYOUT_BOXES ? count : LAYOUT_BOXES;
    space = space > 0 ? space : 0;
    int rest = keep_what_fits(space, gap, requests, count, kept);
    for (size_t i = 0; i < count; i++)
        sizes[i] = kept[i] ? least(&requests[i]) : 0;
    for (size_t i = 0; rest < 0 && i < count; i++)
        if (kept[i])
            sizes[i] = space;
    if (rest <= 0)
        return;
    grant_wishes(&rest, requests, count, kept, sizes);
    share_rest(rest, requests, count, kept, sizes);
}

static void split(struct area area, bool rows, int gap, const struct layout_request *requests, size_t count,
                  struct area *parts)
{
    int sizes[LAYOUT_BOXES];
    size_t boxes = count < LAYOUT_BOXES ? count : LAYOUT_BOXES;
    layout_share(rows ? area.height : area.width, gap, requests, boxes, sizes);
    int at = 0;
    for (size_t i = 0; i < count; i++) {
        int size = i < boxes ? sizes[i] : 0;
        struct rect rect = rows ? (struct rect){0, at, area.width, size} : (struct rect){at, 0, size, area.height};
        parts[i] = area_part(area, rect);
        at += size > 0 ? size + gap : 0;
    }
}

void layout_rows(struct area area, int gap, const struct layout_request *requests, size_t count, struct area *parts)
{
    split(area, true, gap, requests, count, parts);
}

void layout_columns(struct area area, int gap, const struct layout_request *requests, size_t count, struct area *parts)
{
    split(area, false, gap, requests, count, parts);
}

struct area layout_centre(struct area area, int width, int height)
{
    width = width < area.width ? width : area.width;
    height = height < area.height ? height : area.height;
    return area_part(area, (struct rect){(area.width - width) / 2, (area.height - height) / 2, width, height});
}
