/* Counting, on nodes made up here: nodes_count and nodes_get are this file's own. */
#include "core/cluster/traffic.h"

#include <malloc.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

struct nodes {
    struct node list[4];
    size_t count;
};

size_t nodes_count(const struct nodes *nodes)
{
    return nodes != NULL ? nodes->count : 0;
}

const struct node *nodes_get(const struct nodes *nodes, size_t index)
{
    return &nodes->list[index];
}

static struct node made_up(enum cluster cluster, const char *name)
{
    static char url[] = "http://x";
    return (struct node){.cluster = cluster, .name = (char *)(uintptr_t)name, .url = url, .state = NODE_ANSWERS, .total_requests = -1};
}

static void count(struct node *node, int64_t at, int64_t total, int64_t own)
{
    node->counted_at = at;
    node->total_requests = total;
    node->own_requests = own;
}

static void own_requests_are_no_traffic(void **state)
{
    struct traffic *traffic = traffic_new();
    struct nodes nodes = {.list = {made_up(CLUSTER_OLD, "a")}, .count = 1};
    struct node *node = &nodes.list[0];
    (void)state;
    traffic_note(traffic, &nodes, 500);
    assert_true(traffic_node_rps(traffic, node) < 0);
    assert_true(traffic_cluster_rps(traffic, CLUSTER_OLD) < 0);
    for (int i = 1; i <= 10; i++) {
        count(node, i * 1000, 1000 + i, i);
        traffic_note(traffic, &nodes, i * 1000 + 10);
        assert_true(i == 1 ? traffic_node_rps(traffic, node) < 0 : traffic_node_rps(traffic, node) == 0);
        assert_int_equal(traffic_old_quiet_ms(traffic, i * 1000 + 10), i == 1 ? -1 : i * 1000 + 10 - 1000);
    }
    count(node, 11000, 1000 + 11 + 1, 11);   /* one request of someone else's */
    traffic_note(traffic, &nodes, 11010);
    assert_true(traffic_node_rps(traffic, node) > 0);
    assert_int_equal(traffic_old_quiet_ms(traffic, 11010), 10);
    traffic_free(traffic);
}

static void rates_are_sums(void **state)
{
    struct traffic *traffic = traffic_new();
    struct nodes nodes = {.list = {made_up(CLUSTER_OLD, "a"), made_up(CLUSTER_OLD, "b"), made_up(CLUSTER_NEW, "c")}, .count = 3};
    size_t values;
    (void)state;
    for (int i = 1; i <= 8; i++) {
        count(&nodes.list[0], i * 1000, i * 101, i);
        count(&nodes.list[1], i * 1000 + 5, i * 51, i);
        traffic_note(traffic, &nodes, i * 1000 + 10);
    }
    assert_true(fabs(traffic_node_rps(traffic, &nodes.list[0]) - 100) < 0.001);
    assert_true(fabs(traffic_cluster_rps(traffic, CLUSTER_OLD) - 150) < 0.001);
    assert_true(traffic_cluster_rps(traffic, CLUSTER_NEW) < 0);
    const double *history = traffic_history(traffic, CLUSTER_OLD, TRAFFIC_SECONDS, &values);
    assert_int_equal(values, 8);
    assert_true(isnan(history[0]));
    assert_true(fabs(history[7] - 150) < 0.001);
    nodes.count = 1;   /* the others are no longer looked at */
    traffic_note(traffic, &nodes, 8900);
    assert_true(fabs(traffic_cluster_rps(traffic, CLUSTER_OLD) - 100) < 0.001);
    traffic_note(traffic, &nodes, 13001);   /* the last count is old */
    assert_true(traffic_cluster_rps(traffic, CLUSTER_OLD) < 0);
    assert_int_equal(traffic_old_quiet_ms(traffic, 13001), -1);
    traffic_note(traffic, NULL, 14000);
    assert_true(traffic_cluster_rps(traffic, CLUSTER_OLD) < 0);
    assert_int_equal(traffic_old_quiet_ms(traffic, 14000), -1);
    traffic_free(traffic);
}

/* Neither a spike nor a negative rate, however the counter jumps. */
static void restarts_begin_anew(void **state)
{
    struct traffic *traffic = traffic_new();
    struct nodes nodes = {.list = {made_up(CLUSTER_OLD, "a")}, .count = 1};
    struct node *node = &nodes.list[0];
    (void)state;
    count(node, 1000, 1000000, 1);
    traffic_note(traffic, &nodes, 1000);
    count(node, 2000, 1000101, 2);
    traffic_note(traffic, &nodes, 2000);
    assert_true(traffic_node_rps(traffic, node) == 100);
    count(node, 3000, 50, 1);   /* fell */
    traffic_note(traffic, &nodes, 3000);
    assert_true(traffic_node_rps(traffic, node) < 0);
    count(node, 4000, 61, 2);
    traffic_note(traffic, &nodes, 4000);
    assert_true(traffic_node_rps(traffic, node) == 10);
    node->restarts++;
    count(node, 5000, 5000000, 1);   /* another process, which has served more */
    traffic_note(traffic, &nodes, 5000);
    assert_true(traffic_node_rps(traffic, node) < 0);
    count(node, 6000, 5000001, 3);   /* more of ours than it counted */
    traffic_note(traffic, &nodes, 6000);
    assert_true(traffic_node_rps(traffic, node) == 0);
    traffic_free(traffic);
}

static void silence_is_quiet_and_strangeness_unknown(void **state)
{
    struct traffic *traffic = traffic_new();
    struct nodes nodes = {.list = {made_up(CLUSTER_OLD, "a"), made_up(CLUSTER_OLD, "b")}, .count = 2};
    (void)state;
    for (int i = 1; i <= 5; i++) {
        count(&nodes.list[0], i * 1000, i, i);
        count(&nodes.list[1], i * 1000, i * 100, i);
        traffic_note(traffic, &nodes, i * 1000);
    }
    assert_int_equal(traffic_old_quiet_ms(traffic, 5000), 0);
    nodes.list[1].state = NODE_SILENT;
    nodes.list[1].silent_since = 5500;
    count(&nodes.list[0], 8000, 8, 8);
    traffic_note(traffic, &nodes, 8000);
    assert_int_equal(traffic_old_quiet_ms(traffic, 8000), 2500);
    assert_true(traffic_node_rps(traffic, &nodes.list[1]) < 0);
    assert_true(traffic_cluster_rps(traffic, CLUSTER_OLD) == 0);
    nodes.list[1].state = NODE_UNASKED;
    traffic_note(traffic, &nodes, 9000);
    assert_int_equal(traffic_old_quiet_ms(traffic, 9000), -1);
    nodes.list[1].state = NODE_SILENT;
    nodes.list[0].state = NODE_STRANGE;   /* known for as long as its count is fresh */
    traffic_note(traffic, &nodes, 10000);
    assert_int_equal(traffic_old_quiet_ms(traffic, 10000), 4500);
    traffic_note(traffic, &nodes, 14000);
    assert_int_equal(traffic_old_quiet_ms(traffic, 14000), -1);
    traffic_free(traffic);
}

/* An old node that is quiet and is stopped must not shut the gate behind which the others are to be stopped. */
static void stopping_a_quiet_node_begins_no_new_wait(void **state)
{
    struct traffic *traffic = traffic_new();
    struct nodes nodes = {.list = {made_up(CLUSTER_OLD, "a"), made_up(CLUSTER_OLD, "b")}, .count = 2};
    (void)state;
    for (int i = 1; i <= 5; i++) {
        count(&nodes.list[0], i * 1000, i, i);
        count(&nodes.list[1], i * 1000, i < 3 ? i * 100 : 200 + i, i);   /* its last request was served before 2 s */
        traffic_note(traffic, &nodes, i * 1000);
    }
    int64_t before = traffic_old_quiet_ms(traffic, 5000);
    assert_true(before >= 2000);
    nodes.list[1].state = NODE_SILENT;
    nodes.list[1].silent_since = 5500;
    count(&nodes.list[0], 6000, 6, 6);
    traffic_note(traffic, &nodes, 6000);
    assert_int_equal(traffic_old_quiet_ms(traffic, 6000), before + 1000);
    traffic_free(traffic);
}

static void history_is_by_the_second(void **state)
{
    struct traffic *traffic = traffic_new();
    struct nodes nodes = {.list = {made_up(CLUSTER_NEW, "a")}, .count = 1};
    size_t values;
    int64_t now = 1000;
    (void)state;
    for (int i = 1; i <= TRAFFIC_HISTORY + 100; i++, now += 1000 + i % 7) {   /* a timer that is late */
        count(&nodes.list[0], now, i * 11, i);
        traffic_note(traffic, &nodes, now);
        traffic_note(traffic, &nodes, now + 100);   /* the same second */
    }
    const double *history = traffic_history(traffic, CLUSTER_NEW, TRAFFIC_SECONDS, &values);
    assert_int_equal(values, TRAFFIC_HISTORY);
    assert_true(history[values - 1] > 9 && history[values - 1] < 10.1);
    traffic_note(traffic, &nodes, now + 60000);   /* a minute without a look is a gap */
    history = traffic_history(traffic, CLUSTER_NEW, TRAFFIC_SECONDS, &values);
    assert_int_equal(values, TRAFFIC_HISTORY);
    assert_true(isnan(history[values - 1]) && isnan(history[values - 59]) && !isnan(history[values - 63]));
    traffic_note(traffic, &nodes, now + 100000000);
    history = traffic_history(traffic, CLUSTER_NEW, TRAFFIC_SECONDS, &values);
    for (size_t i = 0; i < values; i++)
        assert_true(isnan(history[i]));
    traffic_free(traffic);
    traffic_free(NULL);
}

/* Polls are a second apart, and come at any moment of it; looks, and frames, four times a second. */
#define MOVED_AT 20000
#define LOOK_EACH 250

/* Requests served by `at`: a hundred a second, all by the old node until they are moved, then all by the new one. With `jitter` some
 * more or fewer within each second. */
static int64_t served(enum cluster cluster, int64_t at, bool jitter)
{
    int64_t since = cluster == CLUSTER_OLD ? 0 : MOVED_AT, until = cluster == CLUSTER_OLD ? MOVED_AT : at;
    int64_t last = at < until ? at : until;
    return last <= since ? 0 : (last - since) / 10 + (jitter ? last * 7919 / 1000 % 13 : 0);
}

static void look_at(struct traffic *traffic, struct nodes *nodes, int64_t now, int64_t phase, bool jitter)
{
    int64_t polled = now < phase ? 0 : now - (now - phase) % 1000;
    for (size_t i = 0; polled > 0 && i < nodes->count; i++)
        count(&nodes->list[i], polled, served(nodes->list[i].cluster, polled, jitter), 0);
    traffic_note(traffic, nodes, now);
}

/* Figures, and the chart's newest, three seconds after the move. */
static void a_move_is_seen_within_three_seconds(void **state)
{
    (void)state;
    for (int64_t phase = 0; phase < 1000; phase += 50) {
        struct traffic *traffic = traffic_new();
        struct nodes nodes = {.list = {made_up(CLUSTER_OLD, "a"), made_up(CLUSTER_NEW, "b")}, .count = 2};
        size_t values;
        int64_t now = LOOK_EACH;
        for (; now <= MOVED_AT + 3000; now += LOOK_EACH) {
            look_at(traffic, &nodes, now, phase, false);
            traffic_moved(traffic, now > MOVED_AT ? MOVED_AT : 0);
            if (now > 5000 && now < MOVED_AT)
                assert_true(traffic_cluster_rps(traffic, CLUSTER_OLD) == 100);
        }
        assert_true(traffic_cluster_rps(traffic, CLUSTER_OLD) == 0);
        assert_true(traffic_cluster_rps(traffic, CLUSTER_NEW) == 100);
        const double *old = traffic_history(traffic, CLUSTER_OLD, TRAFFIC_SECONDS, &values);
        assert_true(old[values - 1] == 0);
        const double *new = traffic_history(traffic, CLUSTER_NEW, TRAFFIC_SECONDS, &values);
        assert_true(new[values - 1] == 100 && values == 24);
        traffic_free(traffic);
    }
}

/* Once its window has passed, and before, the same rates as without it. */
static void a_move_makes_no_rate_jumpy(void **state)
{
    struct traffic *told = traffic_new(), *untold = traffic_new();
    struct nodes nodes = {.list = {made_up(CLUSTER_OLD, "a"), made_up(CLUSTER_NEW, "b")}, .count = 2};
    double least = INFINITY, most = 0;
    (void)state;
    for (int64_t now = LOOK_EACH; now <= MOVED_AT + 60000; now += LOOK_EACH) {
        look_at(told, &nodes, now, 130, true);
        look_at(untold, &nodes, now, 130, true);
        traffic_moved(told, now > MOVED_AT ? MOVED_AT : 0);
        double rps = traffic_cluster_rps(told, CLUSTER_NEW);
        if (now < MOVED_AT || now > MOVED_AT + 5500) {
            assert_true(rps == traffic_cluster_rps(untold, CLUSTER_NEW));
            assert_true(traffic_cluster_rps(told, CLUSTER_OLD) == traffic_cluster_rps(untold, CLUSTER_OLD));
        }
        if (now > MOVED_AT + 5500) {
            least = rps < least ? rps : least;
            most = rps > most ? rps : most;
        }
    }
    assert_true(least > 95 && most < 105);   /* the counts of a second differ by up to a quarter */
    traffic_free(told);
    traffic_free(untold);
}

/* A scraper that comes every 15 s, beside our own polls, and then clients. */
static void what_is_allowed_is_quiet(void **state)
{
    static const double allowed[] = {0, 0.1, 0.5, 5};
    (void)state;
    for (size_t i = 0; i < sizeof allowed / sizeof allowed[0]; i++) {
        struct traffic *traffic = traffic_new();
        struct nodes nodes = {.list = {made_up(CLUSTER_OLD, "a")}, .count = 1};
        int64_t others = 0, second;
        traffic_allow(traffic, allowed[i]);
        for (second = 1; second <= 600; second++) {
            others += second % 15 == 0 ? 1 : 0;
            count(&nodes.list[0], second * 1000, second + others, second);
            traffic_note(traffic, &nodes, second * 1000);
        }
        int64_t quiet = traffic_old_quiet_ms(traffic, 600000);
        assert_int_equal(quiet, allowed[i] > 0 ? 599000 : 0);
        for (; second <= 660; second++) {   /* two a second */
            others += 2;
            count(&nodes.list[0], second * 1000, second + others, second);
            traffic_note(traffic, &nodes, second * 1000);
        }
        assert_int_equal(traffic_old_quiet_ms(traffic, 660000), allowed[i] > 2 ? 659000 : 0);
        for (; second <= 700; second++) {
            count(&nodes.list[0], second * 1000, second + others, second);
            traffic_note(traffic, &nodes, second * 1000);
        }
        assert_int_equal(traffic_old_quiet_ms(traffic, 700000), allowed[i] > 2 ? 699000 : 40000);
        traffic_free(traffic);
    }
}

/* Coarse steps are means of what was known; a gap stays one; the step under way counts. */
static void older_is_coarser(void **state)
{
    struct traffic *traffic = traffic_new();
    struct nodes nodes = {.list = {made_up(CLUSTER_NEW, "a")}, .count = 1};
    int64_t total = 0;
    size_t values;
    (void)state;
    for (int second = 1; second <= 7200; second++) {
        bool gap = second > 3600 && second <= 3900;
        total += 1 + (second % 2 == 0 ? 20 : 0);
        if (!gap)
            count(&nodes.list[0], second * 1000, total, second);
        traffic_note(traffic, &nodes, second * 1000);
    }
    const double *history = traffic_history(traffic, CLUSTER_NEW, TRAFFIC_TENS, &values);
    assert_int_equal(values, TRAFFIC_HISTORY);
    assert_true(fabs(history[values - 1] - 10) < 0.5);
    assert_true(isnan(history[values - 1 - (7200 - 3800) / 10]));
    history = traffic_history(traffic, CLUSTER_NEW, TRAFFIC_MINUTES, &values);
    assert_int_equal(values, 120);
    int gaps = 0;
    for (size_t i = 0; i < values; i++) {
        assert_true(isnan(history[i]) || fabs(history[i] - 10) < 3.5);
        gaps += isnan(history[i]) ? 1 : 0;
    }
    assert_int_equal(gaps, 4);   /* in the first of five minutes the last count was still fresh */
    traffic_free(traffic);
}

static size_t allocated(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

/* A wizard that is left open over a night: ten hours of looks, with nodes that come and go, restart, and are counted by the plugin. */
static void ten_hours_take_no_more_memory(void **state)
{
    struct traffic *traffic = traffic_new();
    struct nodes nodes = {.list = {made_up(CLUSTER_OLD, "a"), made_up(CLUSTER_OLD, "b"), made_up(CLUSTER_NEW, "c"), made_up(CLUSTER_NEW, "d")}};
    struct metrics_window window = {0};
    size_t before = 0, most = 0;
    (void)state;
    for (int64_t second = 1; second <= 36000; second++) {
        nodes.count = second % 977 < 900 ? 4 : (size_t)second % 3;
        for (size_t i = 0; i < 4; i++)
            count(&nodes.list[i], second * 1000, second * (int64_t)(i + 2) % 100000, second % 90000);
        nodes.list[3].restarts = (unsigned)(second / 1000);
        if (second % 10 == 0) {
            struct metrics_counts counts = {.classes = {0, (double)(second % 7000) * 50, 0, 0, (double)(second % 7000)}};
            counts.latency[LATENCY_REQUEST] = (struct metrics_histogram){{10, INFINITY}, {(double)second, (double)second * 2}, 2};
            metrics_note(&window, &counts, second * 1000, METRICS_WINDOW_MS);
            metrics_minute(&window, &nodes.list[0].minute);
            metrics_minute(&window, &nodes.list[2].minute);
        }
        traffic_note(traffic, &nodes, second * 1000);
        if (second == 3600)
            before = allocated();
        most = second > 3600 && allocated() > most ? allocated() : most;
    }
    assert_true(most <= before + (32 << 10));   /* one byte a look would be more; malloc keeps some freed ones at hand */
    traffic_free(traffic);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(own_requests_are_no_traffic),
        cmocka_unit_test(rates_are_sums),
        cmocka_unit_test(restarts_begin_anew),
        cmocka_unit_test(silence_is_quiet_and_strangeness_unknown),
        cmocka_unit_test(stopping_a_quiet_node_begins_no_new_wait),
        cmocka_unit_test(history_is_by_the_second),
        cmocka_unit_test(a_move_is_seen_within_three_seconds),
        cmocka_unit_test(a_move_makes_no_rate_jumpy),
        cmocka_unit_test(what_is_allowed_is_quiet),
        cmocka_unit_test(older_is_coarser),
        cmocka_unit_test(ten_hours_take_no_more_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
