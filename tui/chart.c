#include "tui/chart.h"

#include "tui/memory.h"
#include "tui/progress.h"
#include "tui/told.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SERIES 2
#define GAP    1

double chart_scale(double largest)
{
    if (!isfinite(largest) || largest <= 1)
        return 1;
    double power = pow(10, floor(log10(largest)));
    static const double steps[] = {1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10};
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
        if (largest <= steps[i] * power)
            return steps[i] * power;
    return 10 * power;
}

static size_t series_of(const struct chart_model *model)
{
    return model->count < SERIES ? model->count : SERIES;
}

/* The value `back` steps before the newest, NAN if there is none. */
static double value_at(const struct chart_series *series, int back)
{
    if (back < 0 || (size_t)back >= series->count)
        return NAN;
    double value = series->values[series->count - 1 - (size_t)back];
    return !isfinite(value) ? NAN : value < 0 ? 0 : value;
}

/* Of the values from `from` steps before the newest on, as many as stand for one dot; NAN: none is known. */
static double mean_of(const struct chart_series *series, int from, int to)
{
    double sum = 0;
    int known = 0;
    for (int back = from; back < to || back == from; back++) {
        double value = value_at(series, back);
        sum += isnan(value) ? 0 : value;
        known += isnan(value) ? 0 : 1;
    }
    return known > 0 ? sum / known : (double)NAN;
}

/* The newest `span` values as so many dots; the caller frees. */
static double *fit(const struct chart_series *series, size_t span, int dots)
{
    double *values = memory_grow(NULL, (size_t)dots, sizeof(*values));
    double each = (double)span / dots;
    for (int back = 0; back < dots; back++)
        values[dots - 1 - back] = mean_of(series, (int)(back * each), (int)((back + 1) * each));
    return values;
}

static double largest_of(const struct chart_model *model, int columns)
{
    double largest = -1;
    for (size_t i = 0; i < series_of(model); i++)
        for (int back = 0; back < columns; back++)
            largest = fmax(largest, value_at(&model->series[i], back)); /* fmax passes over NAN */
    return largest;
}

/* The plot is a grid of dots: `across` by `down` to a cell. Each holds which series have painted it. */
struct grid {
    int width, height;
    unsigned char *dots;
};

static void grid_set(struct grid *grid, int x, int y, size_t series)
{
    if (x >= 0 && x < grid->width && y >= 0 && y < grid->height)
        grid->dots[y * grid->width + x] |= (unsigned char)(1u << series);
}

static int dot_row(const struct grid *grid, double value, double scale)
{
    int row = (int)lround(value / scale * (grid->height - 1));
    return grid->height - 1 - (row >= grid->height ? grid->height - 1 : row);
}

static void plot(struct grid *grid, const struct chart_series *series, size_t index, double scale, bool broken)
{
    int before = -1;
    for (int x = 0; x < grid->width; x++) {
        int back = grid->width - 1 - x;
        double value = value_at(series, back);
        int y = isnan(value) ? -1 : dot_row(grid, value, scale);
        int from = y >= 0 && before >= 0 && before < y ? before + 1 : y;
        int to = y >= 0 && before > y ? before - 1 : y;
        bool gap = broken && back % 4 >= 2;
        for (int at = from; y >= 0 && at <= to && !gap; at++)
            grid_set(grid, x, at, index);
        before = y;
    }
}

static unsigned style_of_cell(const struct chart_model *model, const int *counts)
{
    size_t most = series_of(model) > 1 && counts[1] > counts[0] ? 1 : 0;
    return model->series[most].style;
}

static void paint_braille(struct area area, const struct chart_model *model, const struct grid *grid)
{
    static const unsigned char bits[4][2] = {{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
    for (int y = 0; y < area.height; y++)
        for (int x = 0; x < area.width; x++) {
            unsigned pattern = 0;
            int counts[SERIES] = {0};
            for (int i = 0; i < 8; i++) {
                unsigned dot = grid->dots[(y * 4 + i / 2) * grid->width + x * 2 + i % 2];
                pattern |= dot != 0 ? bits[i / 2][i % 2] : 0u;
                counts[0] += (dot & 1) != 0;
                counts[1] += (dot & 2) != 0;
            }
            if (pattern != 0)
                area_code(area, x, y, style_of_cell(model, counts), 0x2800 + pattern);
        }
}

static void paint_letters(struct area area, const struct chart_model *model, const struct grid *grid)
{
    for (int y = 0; y < area.height; y++)
        for (int x = 0; x < area.width; x++) {
            unsigned dot = grid->dots[y * grid->width + x];
            if (dot == 0)
                continue;
            size_t series = dot == 2 ? 1 : 0;
            char letter = dot == 3 ? '*' : model->series[series].letter;
            area_code(area, x, y, model->series[series].style,
                      (unsigned char)(letter > ' ' && letter < 0x7F ? letter : '*'));
        }
}

static void paint_plot(struct area area, const struct chart_model *model, double scale)
{
    bool braille = area.canvas->charset == CHARSET_UTF8;
    struct grid grid = {area.width * (braille ? 2 : 1), area.height * (braille ? 4 : 1), NULL};
    size_t size = (size_t)grid.width * (size_t)grid.height;
    grid.dots = memory_grow(NULL, size, 1);
    memset(grid.dots, 0, size);
    for (size_t i = 0; i < series_of(model); i++)
        plot(&grid, &model->series[i], i, scale, braille && i == 1);
    if (braille)
        paint_braille(area, model, &grid);
    else
        paint_letters(area, model, &grid);
    free(grid.dots);
}

static void label_of(const struct chart_series *series, char *label, size_t size)
{
    char figure[PROGRESS_FIGURE_SIZE];
    snprintf(label, size, "%.16s %s", series->name != NULL ? series->name : "",
             progress_figure(value_at(series, 0), figure));
}

/* Names and latest values where the lines end; one below the other where they end together. */
static void paint_labels(struct area area, const struct chart_model *model, double scale)
{
    int rows[SERIES] = {0};
    struct grid grid = {1, area.height, NULL};
    for (size_t i = 0; i < series_of(model); i++) {
        double value = value_at(&model->series[i], 0);
        rows[i] = isnan(value) ? area.height - 1 : dot_row(&grid, value, scale);
    }
    if (series_of(model) == 2 && rows[0] == rows[1]) {
        size_t upper = value_at(&model->series[1], 0) > value_at(&model->series[0], 0) ? 1 : 0;
        if (rows[0] + 1 < area.height)
            rows[1 - upper]++;
        else
            rows[upper]--;
    }
    for (size_t i = 0; i < series_of(model); i++) {
        char label[64];
        label_of(&model->series[i], label, sizeof(label));
        area_text(area, 0, rows[i], model->series[i].style, label);
    }
}

static void paint_compact(struct area area, const struct chart_model *model)
{
    for (size_t i = 0; i < series_of(model); i++) {
        char label[64];
        label_of(&model->series[i], label, sizeof(label));
        int x = area_text(area, 0, (int)i, model->series[i].style, label);
        if (model->unit != NULL)
            area_text(area, x + 1, (int)i, ROLE_DIM, model->unit);
    }
}

static void paint_time(struct area area, double seconds)
{
    int x = 0;
    if (seconds < 120)
        x = area_textf(area, 0, 0, ROLE_DIM, "%.0f s ago", seconds);
    else if (seconds >= 3600)
        x = area_textf(area, 0, 0, ROLE_DIM, "%.0f h ago", seconds / 3600);
    else
        x = area_textf(area, 0, 0, ROLE_DIM, "%.0f min ago", seconds / 60);
    if (x + 5 <= area.width)
        area_column(area, area.width - 3, 0, 3, true, ROLE_DIM, "now");
}

static int widest(const struct chart_model *model)
{
    int width = 0;
    for (size_t i = 0; i < series_of(model); i++) {
        char label[64];
        label_of(&model->series[i], label, sizeof(label));
        width = (int)fmax(width, text_width(label, CHARSET_UTF8));
    }
    return width;
}

static void paint_scale(struct area area, double scale, const char *unit)
{
    char figure[PROGRESS_FIGURE_SIZE];
    int bottom = area.height - 1;
    int width = area.width - 1;
    for (int y = 0; y < area.height; y++)
        area_glyph(area, width, y, ROLE_BORDER, GLYPH_VERTICAL);
    area_column(area, 0, 0, width, true, ROLE_DIM, progress_figure(scale, figure));
    area_column(area, 0, bottom, width, true, ROLE_DIM, "0");
    if (bottom >= 4 && bottom % 2 == 0)
        area_column(area, 0, bottom / 2, width, true, ROLE_DIM, progress_figure(scale / 2, figure));
    if (unit != NULL && bottom >= 3)
        area_column(area, 0, 1, width, true, ROLE_DIM, unit);
}

/* What the width stands for: the newest values themselves, or the span's means in their place. */
static bool fit_all(const struct chart_model *model, int dots, struct chart_model *fitted, struct chart_series *series)
{
    *fitted = *model;
    if (model->span == 0)
        return false;
    for (size_t i = 0; i < series_of(model); i++) {
        series[i] = model->series[i];
        series[i].values = fit(&model->series[i], model->span, dots);
        series[i].count = (size_t)dots;
    }
    fitted->series = series;
    return true;
}

static void free_fitted(const struct chart_model *fitted)
{
    for (size_t i = 0; i < series_of(fitted); i++)
        free((double *)(uintptr_t)fitted->series[i].values);
}

/* "old: at most 120 req/s, at least 80.5 req/s within 2 min, now 96 req/s". */
static void tell_series(struct told *told, const struct chart_series *series, const char *unit, double seconds)
{
    char least[PROGRESS_FIGURE_SIZE], most[PROGRESS_FIGURE_SIZE], now[PROGRESS_FIGURE_SIZE], time[PROGRESS_TIME_SIZE], text[200];
    double low = NAN, high = NAN;
    size_t values = 0;
    for (size_t i = 0; i < series->count; i++) {
        low = fmin(low, series->values[i]);
        high = fmax(high, series->values[i]);
        values += isnan(series->values[i]) ? 0 : 1;
    }
    if (values == 0)
        return;
    snprintf(text, sizeof(text), "%.32s: at least %s, at most %s, now %s %.24s, within %s", series->name, progress_figure(low, least),
             progress_figure(high, most), progress_figure(value_at(series, 0), now), unit, progress_time((double)series->count * seconds, time));
    told_add(told, TOLD_TEXT, MARK_INFO, text);
}

static void tell(struct told *told, const struct chart_model *model)
{
    size_t before = told->count;
    for (size_t i = 0; i < series_of(model); i++) {
        struct chart_series series = model->series[i];
        size_t most = model->span > 0 && model->span < series.count ? model->span : series.count;
        series.values += series.count - most;
        series.count = most;
        tell_series(told, &series, model->unit != NULL ? model->unit : "", model->seconds_per_value);
    }
    if (told->count == before)
        told_add(told, TOLD_TEXT, MARK_INFO, model->empty != NULL ? model->empty : "no data yet");
}

void chart_draw(struct area area, const struct chart_model *model)
{
    if (area.canvas->told != NULL) {
        tell(area.canvas->told, model);
        return;
    }
    if (area.height < 3 || area.width < 16 || series_of(model) == 0) {
        paint_compact(area, model);
        return;
    }
    bool time = model->seconds_per_value > 0 && area.height >= 4;
    int left = model->unit != NULL && text_width(model->unit, CHARSET_UTF8) > 6 ? 8 : 7;
    int right = widest(model) + GAP;
    if (area.width - left - right < 8)
        right = 0;
    int height = area.height - (time ? 1 : 0);
    struct area plot_area = area_part(area, (struct rect){left, 0, area.width - left - right, height});
    int dots = plot_area.width * (area.canvas->charset == CHARSET_UTF8 ? 2 : 1);
    struct chart_series series[SERIES];
    struct chart_model fitted;
    bool made = fit_all(model, dots, &fitted, series);
    double largest = largest_of(&fitted, dots);
    double scale = chart_scale(largest);
    paint_scale(area_part(area, (struct rect){0, 0, left, height}), scale, model->unit);
    if (time)
        paint_time(area_part(area, (struct rect){left, height, plot_area.width, 1}),
                   (made ? (double)model->span : dots) * model->seconds_per_value);
    if (largest < 0)
        area_text(plot_area, 1, height / 2, ROLE_DIM, model->empty != NULL ? model->empty : "no data yet");
    else
        paint_plot(plot_area, &fitted, scale);
    if (largest >= 0 && right > 0)
        paint_labels(area_part(area, (struct rect){area.width - right + GAP, 0, right - GAP, height}), model, scale);
    if (made)
        free_fitted(&fitted);
}
