/*
 * What Kong's Prometheus plugin counts on one node, read from `/metrics` of its Admin API as the bytes come, and its increase over the
 * last minute. No network here. Facts: kong-plugin-prometheus 0.3.0 to 0.4.1, exporter.lua and prometheus.lua; 0.1 of Kong 0.14 has
 * the same two series.
 *
 *     kong_http_status{code="200",service="orders"} 1234
 *     kong_latency_bucket{type="request",service="orders",le="00010.0"} 1200     (milliseconds; cumulative; the last is le="+Inf")
 *
 * A bucket is written once something fell into it. Requests that match no route have no service and are not counted: the 404s of a
 * route that is missing are not in it. Nor is anything where the plugin is loaded but not enabled.
 */
#ifndef CORE_CLUSTER_METRICS_H
#define CORE_CLUSTER_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define METRICS_POLL_MS 10000
#define METRICS_FIRST_MS 2000         /* from the first reading to the second: two make a rate */
#define METRICS_DEADLINE_MS 2500      /* of one request */
#define METRICS_FAILED_MS 60000       /* a node whose plugin fails is left alone for so long */
#define METRICS_ABSENT_MS 300000      /* and for so long one that has none (404) */
#define METRICS_WINDOW_MS 60000
#define METRICS_FRESH_MS 35000        /* an older reading says nothing of now */
#define METRICS_ANSWER_LIMIT (4 << 20)   /* bytes; a longer answer is cut off and not read */
#define METRICS_BOUNDS 40             /* of a histogram; the plugin has 27. More are left out */
#define METRICS_READINGS 10           /* that a window holds */

#define STATUS_CLASSES 5              /* 1xx to 5xx, by code / 100 - 1 */
enum latency { LATENCY_REQUEST, LATENCY_UPSTREAM, LATENCIES };   /* all of it; the upstream's part */

/* Cumulative: counts[i] were at most bounds[i] milliseconds. Bounds rise; the last is INFINITY where anything was counted. */
struct metrics_histogram {
    double bounds[METRICS_BOUNDS], counts[METRICS_BOUNDS];
    size_t count;
};

/* Sums over services. Zero-initialised: nothing. */
struct metrics_counts {
    double classes[STATUS_CLASSES];
    struct metrics_histogram latency[LATENCIES];
};

double metrics_requests(const struct metrics_counts *counts);                  /* of all classes */
void metrics_sum(struct metrics_counts *sum, const struct metrics_counts *more);

/* Milliseconds that `part` (0.95) of the requests took at most, taken as spread evenly within their bucket; the largest finite bound
 * where they took longer than that; < 0: nothing was counted. */
double metrics_quantile(const struct metrics_histogram *histogram, double part);
double metrics_observed(const struct metrics_histogram *histogram);            /* how many it counted */
double metrics_above(const struct metrics_histogram *histogram, double milliseconds);   /* how many took longer, estimated likewise */

/* Reads an answer. Zero-initialise; its size is the same however large the answer. Lines that are no sample of the two series, or
 * whose number is none, negative, or beyond what a counter holds, are passed over. */
struct metrics_reader {
    struct metrics_counts counts;
    bool is_kong;                 /* some series of Kong's was there: it is the plugin's answer */
    int state, series;            /* of the line at hand */
    char token[64], code[64], type[64], bound[64], label[64];
    size_t length;                /* of the token */
};

void metrics_feed(struct metrics_reader *reader, const char *bytes, size_t count);
void metrics_end(struct metrics_reader *reader);                               /* the last line may have no newline */

/* The readings of the last minute. Zero-initialise. Counters that fell are another process's: what was read before is forgotten. */
struct metrics_window {
    struct { int64_t at; struct metrics_counts counts; } readings[METRICS_READINGS];   /* oldest first */
    size_t count;
};

/* What was counted between its first reading and its last. */
struct metrics_minute {
    int64_t at;                   /* of the last reading */
    int64_t span_ms;              /* 0: not known, fewer than two readings */
    struct metrics_counts counts;
};

void metrics_note(struct metrics_window *window, const struct metrics_counts *counts, int64_t now, int64_t window_ms);
void metrics_forget(struct metrics_window *window);
void metrics_minute(const struct metrics_window *window, struct metrics_minute *minute);

#endif
