#include "core/cluster/verdict.h"

#include "core/base/json.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void cluster_metrics_add(struct cluster_metrics *metrics, const struct node *node, int64_t now)
{
    const struct metrics_minute *minute = &node->minute;
    metrics->nodes++;
    if (minute->span_ms <= 0 || now - minute->at > METRICS_FRESH_MS)
        return;
    metrics->counted++;
    for (size_t i = 0; i < STATUS_CLASSES; i++)
        metrics->per_second[i] += minute->counts.classes[i] * 1000 / (double)minute->span_ms;
    metrics_sum(&metrics->counts, &minute->counts);
}

double cluster_metrics_share(const struct cluster_metrics *metrics, int hundreds)
{
    double all = metrics_requests(&metrics->counts);
    return all > 0 ? metrics->counts.classes[hundreds - 1] / all : -1;
}

double cluster_metrics_rate(const struct cluster_metrics *metrics, int hundreds)
{
    return metrics->counted > 0 ? metrics->per_second[hundreds - 1] : -1;
}

double cluster_metrics_ms(const struct cluster_metrics *metrics, double part)
{
    return metrics_quantile(&metrics->counts.latency[LATENCY_REQUEST], part);
}

double verdict_z(double hits_1, double all_1, double hits_2, double all_2)
{
    if (all_1 <= 0 || all_2 <= 0)
        return 0;
    double pooled = (hits_1 + hits_2) / (all_1 + all_2);
    double deviation = sqrt(pooled * (1 - pooled) * (1 / all_1 + 1 / all_2));
    return deviation > 0 ? (hits_2 / all_2 - hits_1 / all_1) / deviation : 0;
}

const char *verdict_level_name(enum verdict_level level)
{
    static const char *const names[] = {[VERDICT_NONE] = "none", [VERDICT_FEW] = "few", [VERDICT_FINE] = "fine", [VERDICT_WORSE] = "worse"};
    return names[level];
}

static void add(struct traffic_verdict *verdict, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct traffic_verdict *verdict, const char *format, ...)
{
    size_t length = strlen(verdict->sentence);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(verdict->sentence + length, sizeof verdict->sentence - length, format, arguments);
    va_end(arguments);
}

static const char *when(const struct cluster_metrics *old)
{
    return old->remembered ? " when it last served" : "";
}

static void judge_errors(const struct cluster_metrics *old, const struct cluster_metrics *new, int hundreds, double points,
                         struct traffic_verdict *verdict)
{
    double old_share = cluster_metrics_share(old, hundreds), new_share = cluster_metrics_share(new, hundreds);
    double z = verdict_z(old->counts.classes[hundreds - 1], metrics_requests(&old->counts), new->counts.classes[hundreds - 1],
                         metrics_requests(&new->counts));
    if (new_share <= old_share + points || z <= VERDICT_Z)
        return;
    verdict->level = VERDICT_WORSE;
    add(verdict, "The new cluster answers %.1f %% of its requests with %dxx, the old one %.1f %%%s. ", new_share * 100, hundreds,
        old_share * 100, when(old));
}

static void judge_latency(const struct cluster_metrics *old, const struct cluster_metrics *new, struct traffic_verdict *verdict)
{
    const struct metrics_histogram *olds = &old->counts.latency[LATENCY_REQUEST], *news = &new->counts.latency[LATENCY_REQUEST];
    double old_ms = cluster_metrics_ms(old, 0.95), new_ms = cluster_metrics_ms(new, 0.95);
    double limit = old_ms * VERDICT_LATENCY_FACTOR + VERDICT_LATENCY_MS;
    if (metrics_observed(olds) < VERDICT_REQUESTS || metrics_observed(news) < VERDICT_REQUESTS || new_ms <= limit)
        return;
    if (verdict_z(metrics_above(olds, limit), metrics_observed(olds), metrics_above(news, limit), metrics_observed(news)) <= VERDICT_Z)
        return;
    verdict->level = VERDICT_WORSE;
    add(verdict, "The new cluster is slower: p95 is %.0f ms, the old one's %.0f ms%s. ", new_ms, old_ms, when(old));
}

/* Which side's figures are missing. */
static const char *missing(const struct cluster_metrics *old, const struct cluster_metrics *new)
{
    bool old_missing = old->counted == 0, new_missing = new->counted == 0;
    return old_missing && new_missing ? "old and new" : old_missing ? "old" : "new";
}

void verdict_judge(const struct cluster_metrics *old, const struct cluster_metrics *new, struct traffic_verdict *verdict)
{
    double old_requests = metrics_requests(&old->counts), new_requests = metrics_requests(&new->counts);
    *verdict = (struct traffic_verdict){.level = VERDICT_FINE};
    if (old->counted == 0 || new->counted == 0) {
        verdict->level = VERDICT_NONE;
        add(verdict, "no error rates: the Prometheus plugin does not answer on %s nodes", missing(old, new));
        return;
    }
    if (old_requests < VERDICT_REQUESTS || new_requests < VERDICT_REQUESTS) {
        verdict->level = VERDICT_FEW;
        add(verdict, "too few requests in the last minute to compare error rates: old %.0f, new %.0f, needed %d each%s", old_requests,
            new_requests, VERDICT_REQUESTS, old_requests > 0 && new_requests > 0 ? "" : "; the Prometheus plugin counts where it is enabled");
        return;
    }
    judge_errors(old, new, 5, VERDICT_5XX_POINTS, verdict);
    judge_errors(old, new, 4, VERDICT_4XX_POINTS, verdict);
    judge_latency(old, new, verdict);
    if (verdict->level == VERDICT_WORSE)
        add(verdict, "Don't move more traffic to it; find out why first.");
    else
        add(verdict, "the new cluster is no worse than the old one: 5xx %.1f %% and %.1f %%, p95 %.0f and %.0f ms", cluster_metrics_share(new, 5) * 100,
            cluster_metrics_share(old, 5) * 100, cluster_metrics_ms(new, 0.95), cluster_metrics_ms(old, 0.95));
}

/* JSON. */

static json_t *known(double value)
{
    return value >= 0 && isfinite(value) ? json_real(value) : json_null();
}

static json_t *latency_json(const struct metrics_histogram *histogram)
{
    json_t *json = json_object();
    json_object_set_new(json, "p50", known(metrics_quantile(histogram, 0.50)));
    json_object_set_new(json, "p95", known(metrics_quantile(histogram, 0.95)));
    json_object_set_new(json, "p99", known(metrics_quantile(histogram, 0.99)));
    return json;
}

json_t *cluster_metrics_json(const struct cluster_metrics *metrics)
{
    static const char *const classes[STATUS_CLASSES] = {"1xx", "2xx", "3xx", "4xx", "5xx"};
    if (metrics->counted == 0)
        return json_null();
    json_t *json = json_object(), *rates = json_object();
    for (int i = 0; i < STATUS_CLASSES; i++)
        json_object_set_new(rates, classes[i], known(metrics->per_second[i]));
    json_object_set_new(json, "nodes", json_integer((json_int_t)metrics->counted));
    json_object_set_new(json, "requests", known(metrics_requests(&metrics->counts)));
    json_object_set_new(json, "per_second", rates);
    json_object_set_new(json, "share_4xx", known(cluster_metrics_share(metrics, 4)));
    json_object_set_new(json, "share_5xx", known(cluster_metrics_share(metrics, 5)));
    json_object_set_new(json, "latency_ms", latency_json(&metrics->counts.latency[LATENCY_REQUEST]));
    json_object_set_new(json, "upstream_latency_ms", latency_json(&metrics->counts.latency[LATENCY_UPSTREAM]));
    return json;
}

json_t *verdict_json(const struct traffic_verdict *verdict)
{
    json_t *json = json_object();
    json_object_set_new(json, "level", json_string(verdict_level_name(verdict->level)));
    json_object_set_new(json, "sentence", json_text(verdict->sentence));
    return json;
}
