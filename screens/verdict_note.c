/* How well the clusters answer, as the Prometheus plugin tells: a line where the new one is worse, and what is known of one node. */
#include "core/base/mem.h"
#include "screens/screen.h"

#include <stdlib.h>

void verdict_add(struct prose *prose, const struct model *model)
{
    if (model->verdict.level == VERDICT_WORSE)
        prose_add_mark(prose, MARK_WARN, "%s", model->verdict.sentence);
}

/* Why there are no figures; a node without the plugin is as good as any other. */
static char *want_of(const struct node *node)
{
    static const char *const wants[] = {
        [METRICS_UNASKED] = "not known yet",
        [METRICS_ABSENT] = "no error rates: the Prometheus plugin is not loaded on this node",
        [METRICS_STRANGE] = "no error rates: the Prometheus plugin of this node does not answer as it should",
        [METRICS_ANSWERS] = "not known yet: the Prometheus plugin has been asked once",
    };
    return mem_dup(wants[node->metrics]);
}

static char *errors_text(const struct cluster_metrics *metrics, const struct node *node)
{
    if (metrics->counted == 0)
        return want_of(node);
    if (metrics_requests(&metrics->counts) <= 0)
        return mem_printf("the Prometheus plugin counted no request in %.0f s; it counts where it is enabled", (double)node->minute.span_ms / 1000);
    return mem_printf("4xx %.1f/s (%.1f %%), 5xx %.1f/s (%.1f %%), over %.0f s", cluster_metrics_rate(metrics, 4),
                      cluster_metrics_share(metrics, 4) * 100, cluster_metrics_rate(metrics, 5), cluster_metrics_share(metrics, 5) * 100,
                      (double)node->minute.span_ms / 1000);
}

static char *latency_text(const struct cluster_metrics *metrics)
{
    const struct metrics_histogram *upstream = &metrics->counts.latency[LATENCY_UPSTREAM];
    if (cluster_metrics_ms(metrics, 0.5) < 0)
        return mem_dup("not known");
    char *of_upstream = metrics_observed(upstream) > 0 ? mem_printf("; of the upstream p95 %.0f ms", metrics_quantile(upstream, 0.95)) : mem_dup("");
    char *text = mem_printf("p50 %.0f, p95 %.0f, p99 %.0f ms%s", cluster_metrics_ms(metrics, 0.5), cluster_metrics_ms(metrics, 0.95),
                            cluster_metrics_ms(metrics, 0.99), of_upstream);
    free(of_upstream);
    return text;
}

void verdict_add_facts(struct prose *prose, const struct model *model, const struct node *node)
{
    struct cluster_metrics metrics = {0};
    cluster_metrics_add(&metrics, node, model->now);
    char *errors = errors_text(&metrics, node), *latency = latency_text(&metrics);
    prose_add_key(prose, "Errors", errors);
    prose_add_key(prose, "Latency", latency);
    prose_add_key(prose, "Comparison", model->verdict.sentence);
    free(latency);
    free(errors);
}
