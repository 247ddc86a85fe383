#include "core/cluster/metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define COUNT_LIMIT 9007199254740992.0   /* 2^53: what a Lua number, which the counters are, holds exactly */

/* Histograms. */

/* Cumulative: a bound that is not there has what is at most the next lower one. */
static double count_at(const struct metrics_histogram *histogram, double bound)
{
    double count = 0;
    for (size_t i = 0; i < histogram->count && histogram->bounds[i] <= bound; i++)
        count = histogram->counts[i] > count ? histogram->counts[i] : count;
    return count;
}

static size_t place_of(const struct metrics_histogram *histogram, double bound)
{
    size_t place = 0;
    while (place < histogram->count && histogram->bounds[place] < bound)
        place++;
    return place;
}

/* One place is kept for infinity, without which nothing is known. */
static double *find_or_add(struct metrics_histogram *histogram, double bound)
{
    size_t place = place_of(histogram, bound);
    if (place < histogram->count && histogram->bounds[place] == bound)
        return &histogram->counts[place];
    bool ends = histogram->count > 0 && isinf(histogram->bounds[histogram->count - 1]);
    if (histogram->count + (isinf(bound) || ends ? 0 : 1) >= METRICS_BOUNDS)
        return NULL;
    memmove(&histogram->bounds[place + 1], &histogram->bounds[place], (histogram->count - place) * sizeof histogram->bounds[0]);
    memmove(&histogram->counts[place + 1], &histogram->counts[place], (histogram->count - place) * sizeof histogram->counts[0]);
    histogram->count++;
    histogram->bounds[place] = bound;
    histogram->counts[place] = 0;
    return &histogram->counts[place];
}

/* `sign` times `from` is added: to sum nodes, and to take the increase. */
static void combine(struct metrics_histogram *into, const struct metrics_histogram *from, double sign)
{
    const struct metrics_histogram before = *into;
    for (size_t i = 0; i < from->count; i++)
        find_or_add(into, from->bounds[i]);
    for (size_t i = 0; i < into->count; i++) {
        double count = count_at(&before, into->bounds[i]) + sign * count_at(from, into->bounds[i]);
        into->counts[i] = count > 0 ? count : 0;
    }
}

double metrics_observed(const struct metrics_histogram *histogram)
{
    return count_at(histogram, INFINITY);
}

double metrics_quantile(const struct metrics_histogram *histogram, double part)
{
    double wanted = part * metrics_observed(histogram), lower = 0, below = 0;
    if (wanted <= 0)
        return -1;
    for (size_t i = 0; i < histogram->count; i++) {
        double bound = histogram->bounds[i], count = histogram->counts[i];
        if (isinf(bound))
            break;
        if (count >= wanted)
            return lower + (bound - lower) * (wanted - below) / (count - below);
        below = count > below ? count : below;
        lower = bound;
    }
    return lower;
}

double metrics_above(const struct metrics_histogram *histogram, double milliseconds)
{
    double lower = 0, below = 0, all = metrics_observed(histogram);
    for (size_t i = 0; i < histogram->count; i++) {
        double bound = histogram->bounds[i], count = count_at(histogram, bound);
        if (bound > milliseconds && isinf(bound))
            break;
        if (bound > milliseconds)
            return all - below - (count - below) * (milliseconds - lower) / (bound - lower);
        below = count;
        lower = bound;
    }
    return all - below;
}

double metrics_requests(const struct metrics_counts *counts)
{
    double sum = 0;
    for (size_t i = 0; i < STATUS_CLASSES; i++)
        sum += counts->classes[i];
    return sum;
}

void metrics_sum(struct metrics_counts *sum, const struct metrics_counts *more)
{
    for (size_t i = 0; i < STATUS_CLASSES; i++)
        sum->classes[i] += more->classes[i];
    for (size_t i = 0; i < LATENCIES; i++)
        combine(&sum->latency[i], &more->latency[i], 1);
}

/* Reading: byte by byte, so that a label may be as long as it likes. */

enum state { AT_NAME, AT_LABEL, AT_EQUALS, AT_TEXT, AT_ESCAPE, AFTER_TEXT, BEFORE_NUMBER, AT_NUMBER, AFTER_NUMBER, PASSING };
enum series { SERIES_STATUS, SERIES_LATENCY, SERIES };

static const char *const series_names[SERIES] = {[SERIES_STATUS] = "kong_http_status", [SERIES_LATENCY] = "kong_latency_bucket"};

static void add_byte(struct metrics_reader *reader, char byte)
{
    if (reader->length + 1 < sizeof reader->token)
        reader->token[reader->length] = byte;
    reader->length++;
}

/* What was too long is no name or number of the plugin's. */
static const char *end_token(struct metrics_reader *reader)
{
    bool fits = reader->length < sizeof reader->token;
    reader->token[fits ? reader->length : 0] = '\0';
    reader->length = 0;
    return reader->token;
}

static void begin_line(struct metrics_reader *reader)
{
    reader->state = AT_NAME;
    reader->length = 0;
    reader->code[0] = reader->type[0] = reader->bound[0] = '\0';
}

static int end_name(struct metrics_reader *reader, int next)
{
    const char *name = end_token(reader);
    reader->is_kong = reader->is_kong || strncmp(name, "kong_", 5) == 0;
    for (reader->series = 0; reader->series < SERIES; reader->series++)
        if (strcmp(name, series_names[reader->series]) == 0)
            return next;
    return PASSING;
}

static void end_text(struct metrics_reader *reader)
{
    const char *text = end_token(reader);
    char *into = strcmp(reader->label, "code") == 0 ? reader->code : strcmp(reader->label, "type") == 0 ? reader->type
               : strcmp(reader->label, "le") == 0   ? reader->bound : NULL;
    if (into != NULL)
        memcpy(into, text, sizeof reader->token);
}

/* false: no number, or not one of a counter or bound. */
static bool read_number(const char *text, double *number)
{
    char *end = NULL;
    *number = strtod(text, &end);
    return end != text && *end == '\0' && *number >= 0;
}

static void add_count(double *sum, double count)
{
    if (sum != NULL && *sum + count <= COUNT_LIMIT)
        *sum += count;
}

static void add_status(struct metrics_reader *reader, double count)
{
    double code;
    if (read_number(reader->code, &code) && code >= 100 && code < 600)
        add_count(&reader->counts.classes[(size_t)code / 100 - 1], count);
}

static void add_bucket(struct metrics_reader *reader, double count)
{
    static const char *const types[LATENCIES] = {[LATENCY_REQUEST] = "request", [LATENCY_UPSTREAM] = "upstream"};
    double bound;
    for (size_t i = 0; i < LATENCIES; i++)
        if (strcmp(reader->type, types[i]) == 0 && read_number(reader->bound, &bound) && bound > 0)
            add_count(find_or_add(&reader->counts.latency[i], bound), count);
}

static void end_line(struct metrics_reader *reader)
{
    double count;
    bool whole = reader->state == AT_NUMBER || reader->state == AFTER_NUMBER;
    if (reader->state == AT_NUMBER)
        end_token(reader);
    if (whole && read_number(reader->token, &count) && count <= COUNT_LIMIT) {
        if (reader->series == SERIES_STATUS)
            add_status(reader, count);
        else
            add_bucket(reader, count);
    }
    begin_line(reader);
}

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r';
}

static int read_name(struct metrics_reader *reader, char byte)
{
    if (byte == '{')
        return end_name(reader, AT_LABEL);
    if (is_blank(byte))
        return end_name(reader, BEFORE_NUMBER);
    add_byte(reader, byte);
    return byte == '#' ? PASSING : AT_NAME;
}

static int read_label(struct metrics_reader *reader, char byte)
{
    if (byte == '}')
        return BEFORE_NUMBER;
    if (byte == '=') {
        memcpy(reader->label, end_token(reader), sizeof reader->label);
        return AT_EQUALS;
    }
    if (byte != ',' && !is_blank(byte))
        add_byte(reader, byte);
    return AT_LABEL;
}

static int read_text(struct metrics_reader *reader, char byte)
{
    if (byte == '\\')
        return AT_ESCAPE;
    if (byte != '"') {
        add_byte(reader, byte);
        return AT_TEXT;
    }
    end_text(reader);
    return AFTER_TEXT;
}

static int read_count(struct metrics_reader *reader, char byte)
{
    if (is_blank(byte)) {
        if (reader->state == BEFORE_NUMBER)
            return BEFORE_NUMBER;
        end_token(reader);
        return AFTER_NUMBER;
    }
    add_byte(reader, byte);
    return AT_NUMBER;
}

static int next_state(struct metrics_reader *reader, char byte)
{
    switch (reader->state) {
    case AT_NAME:
        return read_name(reader, byte);
    case AT_LABEL:
        return read_label(reader, byte);
    case AT_EQUALS:
        return byte == '"' ? AT_TEXT : PASSING;
    case AT_TEXT:
        return read_text(reader, byte);
    case AT_ESCAPE:
        add_byte(reader, byte);
        return AT_TEXT;
    case AFTER_TEXT:
        return byte == ',' ? AT_LABEL : byte == '}' ? BEFORE_NUMBER : PASSING;
    case BEFORE_NUMBER:
    case AT_NUMBER:
        return read_count(reader, byte);
    default:
        return reader->state;
    }
}

void metrics_feed(struct metrics_reader *reader, const char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (bytes[i] == '\n')
            end_line(reader);
        else
            reader->state = next_state(reader, bytes[i]);
    }
}

void metrics_end(struct metrics_reader *reader)
{
    end_line(reader);
}

/* The window. */

static bool fell(const struct metrics_counts *before, const struct metrics_counts *now)
{
    for (size_t i = 0; i < STATUS_CLASSES; i++)
        if (now->classes[i] < before->classes[i])
            return true;
    for (size_t i = 0; i < LATENCIES; i++)
        if (metrics_observed(&now->latency[i]) < metrics_observed(&before->latency[i]))
            return true;
    return false;
}

static void drop(struct metrics_window *window, size_t count)
{
    memmove(&window->readings[0], &window->readings[count], (window->count - count) * sizeof window->readings[0]);
    window->count -= count;
}

void metrics_forget(struct metrics_window *window)
{
    window->count = 0;
}

/* The window begins with the last reading that is as old as it, so that it is whole; polls are late, never early. */
void metrics_note(struct metrics_window *window, const struct metrics_counts *counts, int64_t now, int64_t window_ms)
{
    if (window->count > 0 && fell(&window->readings[window->count - 1].counts, counts))
        metrics_forget(window);
    size_t old = 0;
    while (old < window->count && now - window->readings[old].at > window_ms + window_ms / 10)
        old++;
    drop(window, old);
    if (window->count == METRICS_READINGS)
        drop(window, 1);
    window->readings[window->count].at = now;
    window->readings[window->count++].counts = *counts;
}

void metrics_minute(const struct metrics_window *window, struct metrics_minute *minute)
{
    *minute = (struct metrics_minute){0};
    if (window->count == 0)
        return;
    const struct metrics_counts *first = &window->readings[0].counts;
    minute->at = window->readings[window->count - 1].at;
    minute->span_ms = minute->at - window->readings[0].at;
    minute->counts = window->readings[window->count - 1].counts;
    for (size_t i = 0; i < STATUS_CLASSES; i++)
        minute->counts.classes[i] -= first->classes[i];
    for (size_t i = 0; i < LATENCIES; i++)
        combine(&minute->counts.latency[i], &first->latency[i], -1);
}
