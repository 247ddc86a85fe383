/* What the Prometheus plugin tells: read from bytes of every kind, over a minute, and from two clusters of which one begins to fail. */
#include "tests/cluster/fixture.h"

#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/mem.h"

#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* In pieces of so many bytes. */
static void read_in(const char *text, size_t length, size_t piece, struct metrics_reader *reader)
{
    *reader = (struct metrics_reader){0};
    for (size_t at = 0; at < length; at += piece)
        metrics_feed(reader, text + at, length - at < piece ? length - at : piece);
    metrics_end(reader);
}

static struct metrics_counts counts_of(const char *text)
{
    struct metrics_reader reader;
    read_in(text, strlen(text), 7, &reader);
    return reader.counts;
}

static const char kongs[] =
    "# HELP kong_http_status HTTP status codes per service in Kong\n# TYPE kong_http_status counter\n"
    "kong_http_status{code=\"200\",service=\"orders\"} 90\n"
    "kong_http_status{code=\"201\",service=\"web\"} 5\n"
    "kong_http_status{code=\"304\",service=\"web\"} 2\n"
    "kong_http_status{code=\"404\",service=\"web\"} 3\n"
    "kong_http_status{code=\"503\",service=\"a \\\"b\\\" } 7 \\\\\"} 1e+01 1395066363000\n"
    "kong_latency_bucket{type=\"kong\",service=\"web\",le=\"00001.0\"} 1000\n"
    "kong_latency_bucket{type=\"request\",service=\"orders\",le=\"00010.0\"} 50\n"
    "kong_latency_bucket{type=\"request\",service=\"orders\",le=\"00020.0\"} 90\n"
    "kong_latency_bucket{type=\"request\",service=\"orders\",le=\"+Inf\"} 100\n"
    "kong_latency_bucket{type=\"request\",service=\"web\",le=\"00020.0\"} 10\n"
    "kong_latency_bucket{type=\"request\",service=\"web\",le=\"+Inf\"} 10\n"
    "kong_latency_bucket{type=\"upstream\",service=\"web\",le=\"+Inf\"} 4\n"
    "kong_latency_count{type=\"request\",service=\"web\"} 10\n"
    "kong_nginx_metric_errors_total 0\n"
    "kong_http_status{service=\"web\",code=\"500\"} 1";   /* no newline */

static void the_plugin_is_read(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < sizeof kongs; piece += piece < 20 ? 1 : 97) {
        struct metrics_reader reader;
        read_in(kongs, sizeof kongs - 1, piece, &reader);
        const struct metrics_counts *counts = &reader.counts;
        assert_true(reader.is_kong);
        assert_true(counts->classes[1] == 95 && counts->classes[2] == 2 && counts->classes[3] == 3 && counts->classes[4] == 11);
        assert_true(metrics_requests(counts) == 111);
        assert_int_equal(counts->latency[LATENCY_REQUEST].count, 3);
        assert_true(metrics_observed(&counts->latency[LATENCY_REQUEST]) == 110);
        assert_true(metrics_observed(&counts->latency[LATENCY_UPSTREAM]) == 4);
    }
}

static void what_is_no_count_is_passed_over(void **state)
{
    static const char *const lines[] = {
        "", "\n\n\n", "# kong_http_status{code=\"200\"} 5", "kong_http_status", "kong_http_status{", "kong_http_status}", "kong_http_status 5",
        "kong_http_status{}", "kong_http_status{} 5", "kong_http_status{code=\"200\"}", "kong_http_status{code=\"200\"} ",
        "kong_http_status{code=\"200\"} x", "kong_http_status{code=\"200\"} NaN", "kong_http_status{code=\"200\"} nan",
        "kong_http_status{code=\"200\"} -1", "kong_http_status{code=\"200\"} +Inf", "kong_http_status{code=\"200\"} 1e300",
        "kong_http_status{code=\"200\"} 5x", "kong_http_status{code=\"200\" 5", "kong_http_status{code=\"200} 5", "kong_http_status{code=200} 5",
        "kong_http_status{code=\"\"} 5", "kong_http_status{code=\"abc\"} 5", "kong_http_status{code=\"0\"} 5", "kong_http_status{code=\"99\"} 5",
        "kong_http_status{code=\"600\"} 5", "kong_http_status{code=\"-200\"} 5", "kong_http_status{code=\"NaN\"} 5", "kong_http_status{code=\"1e9\"} 5",
        "kong_http_status{xcode=\"200\"} 5", "xkong_http_status{code=\"200\"} 5", "kong_http_status_total{code=\"200\"} 5",
        "kong_latency_bucket{type=\"request\",le=\"NaN\"} 5", "kong_latency_bucket{type=\"request\",le=\"-1\"} 5",
        "kong_latency_bucket{type=\"request\",le=\"0\"} 5", "kong_latency_bucket{type=\"request\"} 5", "kong_latency_bucket{le=\"1\"} 5",
        "kong_latency_bucket{type=\"other\",le=\"1\"} 5", "kong_latency_bucket{type=\"request\",le=\"1\"} NaN", "<html><body>It works!</body></html>",
        "{\"message\":\"Not found\"}", "\x1B[31mkong_http_status{code=\"200\"} 5",
    };
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct metrics_counts counts = counts_of(lines[i]), nothing = {0};
        if (memcmp(&counts, &nothing, sizeof counts) != 0)
            fail_msg("%s", lines[i]);
        char *between = mem_printf("%s\nkong_http_status{code=\"200\",service=\"web\"} 5\n", lines[i]);   /* and nothing after it is lost */
        assert_true(counts_of(between).classes[1] == 5);
        free(between);
    }
}

static void add_many(struct buf *text, const char *before, char byte, size_t count, const char *after)
{
    buf_add(text, before);
    for (size_t i = 0; i < count; i++)
        buf_add_bytes(text, &byte, 1);
    buf_add(text, after);
}

/* A label of 3 MB and one that never ends, a number of 1000 digits, buckets by the thousand, counters beyond what they hold, NULs. */
static void hostile_answers_are_survived(void **state)
{
    struct buf text = {0};
    struct metrics_reader reader;
    (void)state;
    add_many(&text, "kong_http_status{service=\"", 'x', 3 << 20, "\",code=\"200\"} 4\n");
    add_many(&text, "", 'x', 3 << 20, "{code=\"200\"} 4\n");
    add_many(&text, "kong_http_status{", 'x', 3 << 20, "=\"200\",code=\"500\"} 3\n");
    add_many(&text, "kong_http_status{code=\"", 'x', 3 << 20, "\"} 4\n");
    add_many(&text, "kong_http_status{code=\"200\"} ", '9', 1000, "\n");
    for (int i = 0; i < 5000; i++)
        buf_addf(&text, "kong_latency_bucket{type=\"request\",le=\"%d\"} %d\n", (i * 7919) % 5000 + 1, i);
    buf_add(&text, "kong_latency_bucket{type=\"request\",le=\"+Inf\"} 9000\n");
    for (int i = 0; i < 3; i++)
        buf_add(&text, "kong_http_status{code=\"302\"} 9007199254740992\n");
    buf_add_bytes(&text, "kong_http\0_status{code=\"200\"} 4\n\0\n", 34);
    buf_add(&text, "kong_http_status{service=\"");
    read_in(buf_text(&text), text.length, 16384, &reader);
    assert_true(reader.counts.classes[1] == 4 && reader.counts.classes[4] == 3);
    assert_true(reader.counts.classes[2] == 9007199254740992.0);
    const struct metrics_histogram *histogram = &reader.counts.latency[LATENCY_REQUEST];
    assert_true(histogram->count <= METRICS_BOUNDS);
    assert_true(metrics_observed(histogram) == 9000);
    for (size_t i = 1; i < histogram->count; i++)
        assert_true(histogram->bounds[i - 1] < histogram->bounds[i]);
    for (double part = 0; part <= 1; part += 0.05)
        assert_true(isfinite(metrics_quantile(histogram, part)) && isfinite(metrics_above(histogram, part * 5000)));
    buf_free(&text);
}

/* Pieces of the format in any order, of any number of bytes: nothing but finite, rising sums comes out. */
static void any_bytes_are_survived(void **state)
{
    static const char *const pieces[] = {"kong_http_status", "kong_latency_bucket", "{", "}", "code", "type", "le", "=", "\"", "\\", ",", " ", "\n",
                                         "200", "request", "+Inf", "NaN", "-1", "5", "1e300", "#", "\xFF", "\t", "0x10", "."};
    unsigned seed = 1;
    (void)state;
    for (int round = 0; round < 20000; round++) {
        char text[400] = "";
        struct metrics_reader reader;
        for (int i = 0; i < 24; i++) {
            seed = seed * 1103515245 + 12345;
            strcat(text, pieces[(seed >> 16) % (sizeof pieces / sizeof pieces[0])]);
        }
        read_in(text, strlen(text), 1 + (seed >> 20) % 30, &reader);
        for (size_t i = 0; i < STATUS_CLASSES; i++)
            assert_true(reader.counts.classes[i] >= 0 && isfinite(reader.counts.classes[i]));
        assert_true(metrics_observed(&reader.counts.latency[LATENCY_REQUEST]) >= 0);
    }
}

static void quantiles_are_estimated(void **state)
{
    struct metrics_histogram histogram = {{10, 20, 40, INFINITY}, {50, 90, 98, 100}, 4}, none = {0}, beyond = {{10, INFINITY}, {0, 5}, 2};
    (void)state;
    assert_true(fabs(metrics_quantile(&histogram, 0.50) - 10) < 0.001);
    assert_true(fabs(metrics_quantile(&histogram, 0.70) - 15) < 0.001);
    assert_true(fabs(metrics_quantile(&histogram, 0.95) - 32.5) < 0.001);
    assert_true(metrics_quantile(&histogram, 0.99) == 40);
    assert_true(fabs(metrics_above(&histogram, 15) - 30) < 0.001);
    assert_true(fabs(metrics_above(&histogram, 0) - 100) < 0.001);
    assert_true(metrics_above(&histogram, 1000) == 2);
    assert_true(metrics_quantile(&none, 0.95) < 0 && metrics_above(&none, 5) == 0);
    assert_true(metrics_quantile(&beyond, 0.95) == 10);
}

static void a_minute_is_an_increase(void **state)
{
    struct metrics_window window = {0};
    struct metrics_minute minute;
    (void)state;
    metrics_minute(&window, &minute);
    assert_int_equal(minute.span_ms, 0);
    for (int i = 0; i <= 30; i++) {
        struct metrics_counts counts = {.classes = {0, 1000 + i * 100, 0, 0, i < 20 ? 0 : (i - 20) * 10}};
        counts.latency[LATENCY_REQUEST] = (struct metrics_histogram){{10, INFINITY}, {100 + i * 10, 100 + i * 20}, 2};
        if (i > 25)   /* a bucket that nothing fell into before */
            counts.latency[LATENCY_REQUEST] = (struct metrics_histogram){{5, 10, INFINITY}, {1, 100 + i * 10, 100 + i * 20}, 3};
        metrics_note(&window, &counts, 5000 + i * 10000, METRICS_WINDOW_MS);
        metrics_minute(&window, &minute);
        assert_int_equal(minute.span_ms, i < 6 ? i * 10000 : 60000);
        assert_true(minute.counts.classes[1] == (i < 6 ? i : 6) * 100);
    }
    assert_true(minute.counts.classes[4] == 60);
    assert_int_equal(minute.counts.latency[LATENCY_REQUEST].count, 3);
    assert_true(minute.counts.latency[LATENCY_REQUEST].counts[0] == 1 && minute.counts.latency[LATENCY_REQUEST].counts[1] == 60);
    assert_true(metrics_observed(&minute.counts.latency[LATENCY_REQUEST]) == 120);
    struct metrics_counts fallen = {.classes = {0, 100000, 0, 0, 5}};   /* another process, though it served more */
    metrics_note(&window, &fallen, 400000, METRICS_WINDOW_MS);
    metrics_minute(&window, &minute);
    assert_int_equal(minute.span_ms, 0);
    fallen.classes[1] += 10;
    metrics_note(&window, &fallen, 410000, METRICS_WINDOW_MS);
    metrics_minute(&window, &minute);
    assert_true(minute.span_ms == 10000 && minute.counts.classes[1] == 10 && minute.counts.classes[4] == 0);
    for (int i = 0; i < 1000; i++)   /* far more often than a poll is due */
        metrics_note(&window, &fallen, 410001 + i, METRICS_WINDOW_MS);
    assert_true(window.count <= METRICS_READINGS);
}

/* The rule. */

static struct cluster_metrics made_up(double requests, double failed, double refused, double fast)
{
    struct cluster_metrics metrics = {.nodes = 1, .counted = 1, .counts = {.classes = {0, requests - failed - refused, 0, refused, failed}}};
    metrics.counts.latency[LATENCY_REQUEST] =
        (struct metrics_histogram){{20, 100, 1000, INFINITY}, {requests * fast, requests * 0.99, requests, requests}, 4};
    return metrics;
}

static void worse_is_worse_beyond_chance(void **state)
{
    static const struct {
        double requests[2], failed[2], refused[2], fast[2];   /* old, new */
        enum verdict_level level;
        const char *sentence;
    } cases[] = {
        {{1000, 1000}, {1, 1}, {20, 20}, {0.96, 0.96}, VERDICT_FINE, "no worse"},
        {{1000, 1000}, {1, 100}, {20, 20}, {0.96, 0.96}, VERDICT_WORSE, "10.0 % of its requests with 5xx, the old one 0.1 %."},
        {{1000, 1000}, {100, 1}, {20, 20}, {0.96, 0.96}, VERDICT_FINE, "no worse"},                    /* better */
        {{1000000, 1000000}, {0, 9000}, {0, 0}, {0.96, 0.96}, VERDICT_FINE, "no worse"},               /* certain, but no point */
        {{100, 100}, {0, 5}, {0, 0}, {0.96, 0.96}, VERDICT_FINE, "no worse"},                          /* five points, but chance */
        {{100, 100}, {0, 12}, {0, 0}, {0.96, 0.96}, VERDICT_WORSE, "12.0 % of its requests with 5xx"},
        {{99, 1000}, {0, 900}, {0, 0}, {0.96, 0.96}, VERDICT_FEW, "old 99, new 1000, needed 100 each"},
        {{100000, 99}, {0, 99}, {0, 0}, {0.96, 0.96}, VERDICT_FEW, "too few requests"},
        {{10000, 10000}, {0, 0}, {100, 500}, {0.96, 0.96}, VERDICT_FINE, "no worse"},                  /* four points of 4xx */
        {{10000, 10000}, {0, 0}, {100, 900}, {0.96, 0.96}, VERDICT_WORSE, "9.0 % of its requests with 4xx, the old one 1.0 %."},
        {{10000, 10000}, {0, 0}, {0, 0}, {0.96, 0.50}, VERDICT_WORSE, "slower: p95 is 93 ms, the old one's 20 ms."},
        {{100, 100}, {0, 0}, {0, 0}, {0.96, 0.90}, VERDICT_FINE, "no worse"},                          /* slower, but chance */
        {{10000, 10000}, {0, 1000}, {0, 2000}, {0.96, 0.50}, VERDICT_WORSE, "Don't move more traffic to it"},
        {{0, 0}, {0, 0}, {0, 0}, {0, 0}, VERDICT_FEW, "too few requests in the last minute to compare error rates: old 0, new 0, needed 100 each; the Prometheus"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct traffic_verdict verdict;
        struct cluster_metrics old = made_up(cases[i].requests[0], cases[i].failed[0], cases[i].refused[0], cases[i].fast[0]);
        struct cluster_metrics new = made_up(cases[i].requests[1], cases[i].failed[1], cases[i].refused[1], cases[i].fast[1]);
        verdict_judge(&old, &new, &verdict);
        if (verdict.level != cases[i].level || strstr(verdict.sentence, cases[i].sentence) == NULL)
            fail_msg("%zu: %s, %s", i, verdict_level_name(verdict.level), verdict.sentence);
        assert_true(strlen(verdict.sentence) < sizeof verdict.sentence - 1);
    }
}

static void without_the_plugin_nothing_is_judged(void **state)
{
    static const char *const sides[] = {"on old and new nodes", "on new nodes", "on old nodes"};
    struct cluster_metrics none = {.nodes = 2}, some = made_up(1000, 0, 0, 0.9);
    const struct cluster_metrics *const pairs[][2] = {{&none, &none}, {&some, &none}, {&none, &some}};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct traffic_verdict verdict;
        verdict_judge(pairs[i][0], pairs[i][1], &verdict);
        assert_int_equal(verdict.level, VERDICT_NONE);
        assert_non_null(strstr(verdict.sentence, "no error rates: the Prometheus plugin does not answer"));
        assert_non_null(strstr(verdict.sentence, sides[i]));
    }
}

static void z_is_the_textbooks(void **state)
{
    (void)state;
    assert_true(fabs(verdict_z(15, 100, 30, 100) - 2.5400) < 0.001);   /* p = 0.225 pooled */
    assert_true(verdict_z(30, 100, 15, 100) < -2.5);
    assert_true(verdict_z(0, 100, 0, 100) == 0 && verdict_z(100, 100, 100, 100) == 0 && verdict_z(1, 0, 5, 10) == 0);
}

/* Two clusters, each a node that is told to serve 400 requests a second. A minute is three seconds here. */

static const struct traffic_verdict *verdict_of(struct watching *watching)
{
    return traffic_verdict(watching->traffic);
}

static bool is_fine(struct watching *watching) { return verdict_of(watching)->level == VERDICT_FINE; }
static bool is_worse(struct watching *watching) { return verdict_of(watching)->level == VERDICT_WORSE; }
static bool is_few(struct watching *watching) { return verdict_of(watching)->level == VERDICT_FEW; }

static bool a_tenth_fails(struct watching *watching)
{
    const struct cluster_metrics *metrics = traffic_metrics(watching->traffic, CLUSTER_NEW);
    return is_worse(watching) && fabs(cluster_metrics_share(metrics, 5) - 0.1) < 0.01;
}

static bool old_has_emptied(struct watching *watching)
{
    return metrics_requests(&traffic_metrics(watching->traffic, CLUSTER_OLD)->counts) == 0;
}

static bool is_slower(struct watching *watching)
{
    return is_worse(watching) && strstr(verdict_of(watching)->sentence, "slower") != NULL;
}

static void new_nodes_that_fail_are_warned_about(void **state)
{
    struct watching watching = {0};
    char *old_rate = fixture_path("old-rate"), *new_rate = fixture_path("new-rate");
    (void)state;
    fixture_write(old_rate, "400\n");
    fixture_write(new_rate, "400 0 20\n");
    struct fake old = fake_start(0, "--version", "1.2.3", "--no-database", "--prometheus", "--traffic", old_rate, NULL);
    struct fake new = fake_start(0, "--no-database", "--prometheus", "--traffic", new_rate, NULL);
    watching_add(&watching, CLUSTER_OLD, "old", old.admin);
    watching_add(&watching, CLUSTER_NEW, "new", new.admin);
    watching_start(&watching);
    nodes_set_pace(watching.nodes, 400, 3000);
    assert_int_equal(verdict_of(&watching)->level, VERDICT_NONE);
    assert_true(watching_until(&watching, is_fine, 15000));
    const struct cluster_metrics *metrics = traffic_metrics(watching.traffic, CLUSTER_NEW);
    assert_true(cluster_metrics_share(metrics, 5) == 0);
    fixture_write(new_rate, "400 10 20\n");
    assert_true(watching_until(&watching, is_worse, 15000));
    assert_non_null(strstr(verdict_of(&watching)->sentence, "with 5xx, the old one 0.0 %"));
    assert_true(watching_until(&watching, a_tenth_fails, 15000));
    assert_true(cluster_metrics_rate(metrics, 5) > 0);
    assert_true(cluster_metrics_share(traffic_metrics(watching.traffic, CLUSTER_OLD), 5) == 0);
    fixture_write(new_rate, "400 0 20\n");
    assert_true(watching_until(&watching, is_fine, 15000));
    fixture_write(new_rate, "400 0 300\n");
    assert_true(watching_until(&watching, is_slower, 15000));
    assert_int_equal(watching_node(&watching, "new")->metrics, METRICS_ANSWERS);
    fixture_write(old_rate, "0\n");   /* all traffic has moved: compared with how the old one was */
    assert_true(watching_until(&watching, old_has_emptied, 15000));
    assert_true(is_worse(&watching));
    assert_non_null(strstr(verdict_of(&watching)->sentence, "when it last served"));
    fixture_write(new_rate, "0\n");
    assert_true(watching_until(&watching, is_few, 15000));
    watching_end(&watching);
    child_kill(&old.child, SIGTERM);
    child_kill(&new.child, SIGTERM);
    free(old_rate);
    free(new_rate);
}

static bool metrics_are_asked(struct watching *watching)
{
    for (size_t i = 0; i < nodes_count(watching->nodes); i++)
        if (nodes_get(watching->nodes, i)->metrics == METRICS_UNASKED)
            return false;
    return true;
}

/* Whatever answers at /metrics, the node is as it was, and its requests of ours are counted. */
static void a_bad_plugin_harms_no_node(void **state)
{
    enum { ABSENT, HTML, EMPTY, HUGE, HOSTILE, KINDS };
    static const enum metrics_state expected[KINDS] = {METRICS_ABSENT, METRICS_STRANGE, METRICS_STRANGE, METRICS_STRANGE, METRICS_ANSWERS};
    static const char *const names[KINDS] = {"absent", "html", "empty", "huge", "hostile"};
    struct watching watching = {0};
    struct fake fakes[KINDS];
    char *files[KINDS];
    (void)state;
    for (int i = 0; i < KINDS; i++) {
        files[i] = fixture_path(names[i]);
        fixture_write(files[i], i == EMPTY ? "" : "<!DOCTYPE html><html>\n");
        fakes[i] = i == ABSENT ? fake_start(0, "--no-database", NULL) : fake_start(0, "--no-database", "--metrics", files[i], NULL);
        watching_add(&watching, CLUSTER_NEW, names[i], fakes[i].admin);
    }
    struct buf line = {0};
    for (int i = 0; i < 1000; i++)
        buf_add(&line, "kong_bandwidth{type=\"egress\",service=\"web\"} 12345678\n");
    FILE *huge = fopen(files[HUGE], "we");
    for (int i = 0; i < 100; i++)
        fputs(buf_text(&line), huge);
    assert_int_equal(fclose(huge), 0);
    buf_free(&line);
    fixture_write(files[HOSTILE], "kong_http_status{code=\"200\"} NaN\n\x1B[31m\nkong_http_status{code=\"500\",service=\"%0*d\"} 7\n", 100000, 1);
    watching_start(&watching);
    assert_true(watching_until(&watching, metrics_are_asked, 20000));
    watching_until(&watching, NULL, 1500);
    for (int i = 0; i < KINDS; i++) {
        const struct node *node = watching_node(&watching, names[i]);
        if (node->metrics != expected[i])
            fail_msg("%s: %s", names[i], metrics_state_name(node->metrics));
        assert_true(node_is_ready(node));
        assert_null(node->problem);
        assert_int_equal(node->own_requests, node->total_requests);
    }
    assert_int_equal(verdict_of(&watching)->level, VERDICT_NONE);
    watching_end(&watching);
    for (int i = 0; i < KINDS; i++) {
        child_kill(&fakes[i].child, SIGTERM);
        free(files[i]);
    }
}

static bool is_counted(struct watching *watching)
{
    return nodes_get(watching->nodes, 0)->counted_at > 0;
}

/* Its polls stay a second apart, and our own requests are known to be ours: it is quiet throughout. */
static void a_plugin_that_hangs_delays_no_poll(void **state)
{
    struct watching watching = {0};
    struct fake hung = fake_start(0, "--no-database", "--metrics-hang", NULL);
    int64_t longest = 0;
    (void)state;
    watching_add(&watching, CLUSTER_OLD, "hung", hung.admin);
    watching_start(&watching);
    nodes_set_pace(watching.nodes, 500, METRICS_WINDOW_MS);
    assert_true(watching_until(&watching, is_counted, 5000));
    const struct node *node = watching_node(&watching, "hung");
    for (int64_t began = clock_ms(), now = began; now - began < 6000; now = clock_ms()) {
        watching_until(&watching, NULL, 50);
        longest = clock_ms() - node->counted_at > longest ? clock_ms() - node->counted_at : longest;
        assert_int_equal(node->state, NODE_ANSWERS);
        assert_true(traffic_node_rps(watching.traffic, node) <= 0);
    }
    assert_int_equal(node->metrics, METRICS_STRANGE);
    assert_true(longest < 2000);                  /* it was 3.5 s where the plugin's request took a poll's place */
    assert_true(traffic_old_quiet_ms(watching.traffic, clock_ms()) >= 5000);
    assert_int_equal(node->own_requests, node->total_requests);
    watching_end(&watching);
    child_kill(&hung.child, SIGTERM);
}

/* The command line: figures of both clusters and the verdict. No database is there: that is said on stderr, and is no matter. */
static void nodes_tells_the_figures(void **state)
{
    char *rate = fixture_path("rate"), *fleet = fixture_path("fleet.ini"), *conf = fixture_path("kong.conf");
    (void)state;
    fixture_write(rate, "500 10 40\n");
    struct fake old = fake_start(0, "--version", "1.2.3", "--no-database", "--prometheus", "--traffic", rate, "--fail-percent", "0", NULL);
    struct fake new = fake_start(0, "--no-database", "--traffic", rate, NULL);
    fixture_write(fleet, "[old]\nnode = old-1 http://127.0.0.1:%d\n[new]\nnode = new-1 http://127.0.0.1:%d\n", old.admin, new.admin);
    fixture_write(conf, "pg_host = 127.0.0.1\npg_port = 1\n");
    struct child child = child_start(fixture_kong_upgrade, "--conf", conf, "--fleet", fleet, "--json", "nodes", NULL);
    char *text = child_rest(&child);
    assert_int_equal(child_end(&child), 0);
    json_t *json = json_loads(text, 0, NULL), *metrics, *comparison = json_object_get(json, "comparison");
    assert_non_null(json);
    metrics = json_object_get(json_array_get(json_object_get(json, "old"), 0), "metrics");
    assert_true(fabs(json_number_value(json_object_get(metrics, "share_5xx")) - 0.1) < 0.03);
    assert_true(json_number_value(json_object_get(json_object_get(metrics, "per_second"), "2xx")) > 200);
    assert_true(json_number_value(json_object_get(json_object_get(metrics, "latency_ms"), "p95")) > 40);
    assert_true(json_number_value(json_object_get(json_object_get(metrics, "upstream_latency_ms"), "p50")) > 20);
    assert_true(json_integer_value(json_object_get(metrics, "span_ms")) >= 1000);
    assert_true(json_is_null(json_object_get(json_array_get(json_object_get(json, "new"), 0), "metrics")));
    assert_string_equal(json_string_value(json_object_get(json_array_get(json_object_get(json, "new"), 0), "prometheus")), "absent");
    assert_true(json_is_object(json_object_get(comparison, "old")) && json_is_null(json_object_get(comparison, "new")));
    assert_string_equal(json_string_value(json_object_get(comparison, "level")), "none");
    assert_string_equal(json_string_value(json_object_get(comparison, "sentence")), "no error rates: the Prometheus plugin does not answer on new nodes");
    json_decref(json);
    free(text);
    child = child_start(fixture_kong_upgrade, "--conf", conf, "--fleet", fleet, "nodes", NULL);
    text = child_rest(&child);
    assert_int_equal(child_end(&child), 0);
    assert_non_null(strstr(text, "\nold: 4xx 0.0/s (0.0 %), 5xx "));
    assert_null(strstr(text, "\nnew: "));
    assert_non_null(strstr(text, "\nno error rates: the Prometheus plugin does not answer on new nodes\n"));
    free(text);
    child_kill(&old.child, SIGTERM);
    child_kill(&new.child, SIGTERM);
    free(rate);
    free(fleet);
    free(conf);
}

static void watch_warns(void **state)
{
    char *well = fixture_path("well"), *badly = fixture_path("badly"), *fleet = fixture_path("fleet.ini"), *conf = fixture_path("kong.conf");
    (void)state;
    fixture_write(well, "400 0 20\n");
    fixture_write(badly, "400 20 20\n");
    struct fake old = fake_start(0, "--version", "1.2.3", "--no-database", "--prometheus", "--traffic", well, NULL);
    struct fake new = fake_start(0, "--no-database", "--prometheus", "--traffic", badly, NULL);
    fixture_write(fleet, "[old]\nnode = old-1 http://127.0.0.1:%d\n[new]\nnode = new-1 http://127.0.0.1:%d\n", old.admin, new.admin);
    fixture_write(conf, "pg_host = 127.0.0.1\npg_port = 1\n");
    struct child child = child_start(fixture_kong_upgrade, "--conf", conf, "--fleet", fleet, "watch", NULL);
    bool warned = false, figures = false;
    for (int lines = 0; lines < 40 && !(warned && figures); lines++) {
        char *line = child_line(&child);
        assert_non_null(line);
        warned = warned || (strstr(line, "warning: The new cluster answers ") == line && strstr(line, " % of its requests with 5xx, the old one 0.0 %.") != NULL);
        const char *new_figures = strstr(line, "new: 1 of 1 answer");
        figures = figures || (new_figures != NULL && strstr(new_figures, "req/s, 4xx 0.0 %, 5xx ") != NULL && strstr(new_figures, " %, p95 ") != NULL);
        free(line);
    }
    assert_true(warned && figures);
    child_kill(&child, SIGTERM);
    child_kill(&old.child, SIGTERM);
    child_kill(&new.child, SIGTERM);
    free(well);
    free(badly);
    free(fleet);
    free(conf);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_plugin_is_read),
        cmocka_unit_test(what_is_no_count_is_passed_over),
        cmocka_unit_test(hostile_answers_are_survived),
        cmocka_unit_test(any_bytes_are_survived),
        cmocka_unit_test(quantiles_are_estimated),
        cmocka_unit_test(a_minute_is_an_increase),
        cmocka_unit_test(worse_is_worse_beyond_chance),
        cmocka_unit_test(without_the_plugin_nothing_is_judged),
        cmocka_unit_test(z_is_the_textbooks),
        cmocka_unit_test(new_nodes_that_fail_are_warned_about),
        cmocka_unit_test(a_bad_plugin_harms_no_node),
        cmocka_unit_test(a_plugin_that_hangs_delays_no_poll),
        cmocka_unit_test(nodes_tells_the_figures),
        cmocka_unit_test(watch_warns),
    };
    if (!fixture_arguments(argc, argv))
        return 64;
    return cmocka_run_group_tests(tests, NULL, fixture_tear_down);
}
