#include "tui/progress.h"

#include "tui/layout.h"

#include <math.h>
#include <stdio.h>

#define BAR_WIDTH_MIN 8
#define BAR_WIDTH_MAX 60

const char *progress_time(double seconds, char text[PROGRESS_TIME_SIZE])
{
    static const struct {
        double below, unit, grain;
        const char *name;
    } grains[] = {
        {60, 1, 5, "s"},
        {600, 60, 1, "min"},
        {5400, 60, 5, "min"},
        {86400, 3600, 1, "h"},
    };
    text[0] = '\0';
    if (!isfinite(seconds) || seconds < 0)
        return text;
    if (seconds < 5) {
        snprintf(text, PROGRESS_TIME_SIZE, "less than 5 s");
        return text;
    }
    for (size_t i = 0; i < sizeof(grains) / sizeof(grains[0]); i++) {
        double grain = grains[i].unit * grains[i].grain;
        double rounded = round(seconds / grain) * grain;
        if (rounded < grains[i].below) {
            snprintf(text, PROGRESS_TIME_SIZE, "about %.0f %s", rounded / grains[i].unit, grains[i].name);
            return text;
        }
    }
    snprintf(text, PROGRESS_TIME_SIZE, "more than a day");
    return text;
}

const char *progress_figure(double value, char text[PROGRESS_FIGURE_SIZE])
{
    static const char *const suffixes[] = {"", " k", " M", " G", " T"};
    size_t suffix = 0;
    if (!isfinite(value)) {
        snprintf(text, PROGRESS_FIGURE_SIZE, "-");
        return text;
    }
    bool whole = value == floor(value);
    /* Not 1000 but 999.5: what would be rounded up to four digits takes the next suffix. */
    for (double limit = whole ? 10000 : 999.5; fabs(value) >= limit && suffix < 4; limit = 999.5, suffix++)
        value /= 1000;
    int decimals = suffix == 0 && whole ? 0 : fabs(value) < 9.995 ? 2 : fabs(value) < 99.95 ? 1 : 0;
    if (suffix == 0 && decimals == 2)
        decimals = 1;
    static const double powers[] = {1, 10, 100};
    while (decimals > 0 && fmod(round(fabs(value) * powers[decimals]), 10) == 0)
        decimals--;
    if (fabs(value) < 1e6)
        snprintf(text, PROGRESS_FIGURE_SIZE, "%.*f%s", decimals, value, suffixes[suffix]);
    else
        snprintf(text, PROGRESS_FIGURE_SIZE, "%.1e", value);
    return text;
}

static bool known_total(const struct progress_model *model)
{
    return isfinite(model->total) && model->total > 0 && isfinite(model->done);
}

static double part_done(const struct progress_model *model)
{
    double part = model->done / model->total;
    return part < 0 ? 0 : part > 1 ? 1 : part;
}

static void draw_bar(struct area area, const struct progress_model *model)
{
    int width = area.width;
    int from = 0;
    int to;
    if (known_total(model)) {
        to = (int)(part_done(model) * width);
    } else {
        int block = width / 4 > 0 ? width / 4 : 1;
        int way = width - block > 0 ? 2 * (width - block) : 1;
        int at = (int)(model->tick % (unsigned)way);
        from = at <= width - block ? at : way - at;
        to = from + block;
    }
    for (int x = 0; x < width; x++) {
        bool filled = x >= from && x < to;
        area_glyph(area, x, 0, filled ? ROLE_FILLED : ROLE_EMPTY, filled ? GLYPH_FULL : GLYPH_LIGHT);
    }
}

void progress_draw(struct area area, int y, const struct progress_model *model)
{
    enum { BAR, PERCENT, FIGURES, PACE, LEFT, PARTS };
    char texts[PARTS][96] = {{0}};
    char first[PROGRESS_FIGURE_SIZE];
    char second[PROGRESS_FIGURE_SIZE];
    char time[PROGRESS_TIME_SIZE];
    if (known_total(model))
        snprintf(texts[PERCENT], sizeof(texts[0]), "%3d %%",
                 model->done >= model->total ? 100 : (int)fmin(part_done(model) * 100, 99));
    if (model->unit != NULL && known_total(model))
        snprintf(texts[FIGURES], sizeof(texts[0]), "%s of %s %.24s", progress_figure(model->done, first),
                 progress_figure(model->total, second), model->unit);
    else if (model->unit != NULL)
        snprintf(texts[FIGURES], sizeof(texts[0]), "%s %.24s", progress_figure(model->done, first), model->unit);
    if (isfinite(model->per_second) && model->per_second > 0)
        snprintf(texts[PACE], sizeof(texts[0]), "%s/s", progress_figure(model->per_second, first));
    if (progress_time(model->seconds_left, time)[0] != '\0' && !(known_total(model) && model->done >= model->total))
        snprintf(texts[LEFT], sizeof(texts[0]), "%s left", time);

    static const int importance[PARTS] = {[BAR] = 4, [PERCENT] = 5, [FIGURES] = 2, [PACE] = 1, [LEFT] = 3};
    struct layout_request requests[PARTS];
    struct area parts[PARTS];
    for (int i = 0; i < PARTS; i++)
        requests[i] = (struct layout_request)LAYOUT_FIXED(text_width(texts[i], area.canvas->charset), importance[i]);
    requests[BAR] = (struct layout_request){BAR_WIDTH_MIN, BAR_WIDTH_MIN, BAR_WIDTH_MAX, 1, importance[BAR]};
    /* Empty parts would leave their gap: they are taken out of the row. */
    int order[PARTS];
    size_t count = 0;
    for (int i = 0; i < PARTS; i++)
        if (i == BAR || texts[i][0] != '\0') {
            requests[count] = requests[i];
            order[count++] = i;
        }
    layout_columns(area_part(area, (struct rect){0, y, area.width, 1}), 2, requests, count, parts);
    for (size_t i = 0; i < count; i++) {
        if (order[i] == BAR)
            draw_bar(parts[i], model);
        else
            area_text(parts[i], 0, 0, order[i] == PERCENT ? ROLE_STRONG : ROLE_TEXT, texts[order[i]]);
    }
}
