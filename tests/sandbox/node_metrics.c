/* What the Prometheus plugin of a node counts, and how it tells: kong-plugin-prometheus 0.4.1. */
#include "tests/sandbox/fake_node.h"

#include "core/base/buf.h"

#include <string.h>

static const double bounds[FAKE_BUCKETS] = {1,  2,  5,   7,   10,  15,  20,  25,   30,   40,   50,    60,    70,
                                            80, 90, 100, 200, 300, 400, 500, 1000, 2000, 5000, 10000, 30000, 60000};
static const char *const types[FAKE_LATENCIES] = {"kong", "request", "upstream"};
static const char *const services[FAKE_SERVICES] = {"orders", "web"};

/* How many of the numbers from `first` on, `count` of them, are the last of every so many: 1 in 50, 7 in 100. */
static long long share(long long first, long long count, long long of, long long in)
{
    return (first + count) * of / in - first * of / in;
}

static void observe(struct fake_metrics *metrics, int type, size_t service, double milliseconds, long long count)
{
    for (size_t i = 0; i < FAKE_BUCKETS; i++)
        if (milliseconds <= bounds[i])
            atomic_fetch_add(&metrics->buckets[type][service][i], count);
    atomic_fetch_add(&metrics->observed[type][service], count);
}

/* Of the requests 1 in 50 takes three times as long, 4 in 50 twice, the others as long as was said. */
static void observe_all(struct fake_node *node, size_t service, long long first, long long count)
{
    struct fake_metrics *metrics = &node->metrics;
    double base = node->latency_ms;
    long long slowest = share(first, count, 1, 50), slow = share(first, count, 4, 50);
    const struct { double factor; long long count; } parts[] = {{3, slowest}, {2, slow}, {1, count - slowest - slow}};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        observe(metrics, 0, service, 1, parts[i].count);
        observe(metrics, 1, service, base * parts[i].factor + 1, parts[i].count);
        observe(metrics, 2, service, base * parts[i].factor, parts[i].count);
    }
}

void fake_metrics_count(struct fake_node *node, long long count)
{
    struct fake_metrics *metrics = &node->metrics;
    if (count <= 0)
        return;
    long long first = atomic_fetch_add(&metrics->all, count), failed = share(first, count, node->fail_percent, 100);
    size_t service = (size_t)(first / 100) % FAKE_SERVICES;
    atomic_fetch_add(&metrics->failed[service], failed);
    atomic_fetch_add(&metrics->well[service], count - failed);
    observe_all(node, service, first, count);
}

static void add_status(struct buf *text, const char *code, size_t service, long long count)
{
    if (count > 0)
        buf_addf(text, "kong_http_status{code=\"%s\",service=\"%s\"} %lld\n", code, services[service], count);
}

static void add_latency(struct buf *text, struct fake_metrics *metrics, int type, size_t service)
{
    long long all = atomic_load(&metrics->observed[type][service]);
    for (size_t i = 0; i < FAKE_BUCKETS; i++) {
        long long count = atomic_load(&metrics->buckets[type][service][i]);
        if (count > 0)
            buf_addf(text, "kong_latency_bucket{type=\"%s\",service=\"%s\",le=\"%07.1f\"} %lld\n", types[type], services[service], bounds[i], count);
    }
    if (all > 0)
        buf_addf(text, "kong_latency_bucket{type=\"%s\",service=\"%s\",le=\"+Inf\"} %lld\n", types[type], services[service], all);
}

char *fake_metrics_text(struct fake_node *node)
{
    struct buf text = {0};
    struct fake_metrics *metrics = &node->metrics;
    buf_add(&text, "# HELP kong_datastore_reachable Datastore reachable from Kong, 0 is unreachable\n# TYPE kong_datastore_reachable gauge\n"
                   "kong_datastore_reachable 1\n# HELP kong_http_status HTTP status codes per service in Kong\n# TYPE kong_http_status counter\n");
    for (size_t service = 0; service < FAKE_SERVICES; service++) {
        add_status(&text, "200", service, atomic_load(&metrics->well[service]));
        add_status(&text, "500", service, atomic_load(&metrics->failed[service]));
    }
    buf_add(&text, "# HELP kong_latency Latency added by Kong, total request time and upstream latency for each service in Kong\n"
                   "# TYPE kong_latency histogram\n");
    for (int type = 0; type < FAKE_LATENCIES; type++)
        for (size_t service = 0; service < FAKE_SERVICES; service++)
            add_latency(&text, metrics, type, service);
    buf_addf(&text, "# HELP kong_nginx_http_current_connections Number of HTTP connections\n# TYPE kong_nginx_http_current_connections gauge\n"
                    "kong_nginx_http_current_connections{state=\"active\"} 1\nkong_nginx_http_current_connections{state=\"total\"} %lld\n"
                    "# TYPE kong_nginx_metric_errors_total counter\nkong_nginx_metric_errors_total 0\n", (long long)atomic_load(&node->requests));
    return buf_take(&text);
}
