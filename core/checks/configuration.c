/* Checks: kong.conf, what the upgrade will cost, and whether its later steps can be watched. */
#include "core/checks/look.h"

#include "core/base/mem.h"
#include "core/migrations/corrections.h"
#include "core/migrations/plan.h"

#include <stdlib.h>
#include <string.h>

static const char *value_of(const struct kong_conf *conf, const char *name)
{
    const struct setting *setting = kong_conf_get(conf, name);
    return setting != NULL && setting->value != NULL ? setting->value : "";
}

/* Kong 1.3 still understands it: worth knowing, and no more. */
static bool is_harmless(const char *warning)
{
    return strncmp(warning, "upstream_keepalive", strlen("upstream_keepalive")) == 0;
}

static void look_configuration(const struct check_subject *subject, struct check_result *result)
{
    const struct kong_conf *conf = subject->conf;
    const char *keepalive = value_of(conf, "upstream_keepalive"), *custom = value_of(conf, "custom_plugins");
    for (size_t i = 0; i < conf->warnings.count; i++)
        look_found(result, is_harmless(conf->warnings.list[i]) ? CHECK_INFORMS : CHECK_WARNS, "%s", conf->warnings.list[i]);
    look_note(result, "kong.conf: %s", conf->file != NULL ? conf->file : "none found, Kong's defaults and KONG_* alone");
    look_note(result, "new nodes close a connection to an upstream after %s requests, or %s idle (nginx_http_upstream_keepalive_requests, _timeout)",
              value_of(conf, "nginx_http_upstream_keepalive_requests"), value_of(conf, "nginx_http_upstream_keepalive_timeout"));
    if (result->outcome == CHECK_OK)
        return;
    if (custom[0] != '\0')
        look_remedy(result, "plugins = %s,%s  # instead of custom_plugins", value_of(conf, "plugins"), custom);
    if (keepalive[0] != '\0')
        look_remedy(result, "nginx_http_upstream_keepalive = %s  # instead of upstream_keepalive", strcmp(keepalive, "0") == 0 ? "NONE" : keepalive);
    if (result->remedy != NULL && conf->file != NULL)
        look_remedy(result, "kong-upgrade conf --fix  # writes that into a copy of the file");
    if (result->remedy == NULL)
        look_remedy(result, "kong-upgrade conf  # shows the settings in effect and where each comes from");
}

const struct check check_configuration = {
    .id = "configuration", .title = "kong.conf", .severity = CHECK_WARNS, .reach = CHECK_HOST, .look = look_configuration,
    .why = "New nodes read the same settings, but not all of them as the old ones do; Kong says so on start only, or never.",
    .source = "kong/conf_loader.lua at 1.3.0; the upgrade guide",
};

#define WORTH_SAYING_BYTES (100LL << 20)

static void note_corrections(struct check_result *result, const struct plan *plan)
{
    struct names said = {0};
    for (size_t i = 0; i < plan->change_count; i++) {
        const struct correction *correction = correction_find(plan->changes[i].change->correction);
        if (plan->changes[i].done || correction == NULL || names_have(&said, correction->id))
            continue;
        names_add(&said, correction->id);
        look_note(result, "%s: %s %s", correction->id, correction->fact, correction->ours);
    }
    names_free(&said);
}

/* 0.14's counters are never pruned, and two more keys are built over them. */
static void add_pruning(const struct check_subject *subject, struct check_result *result, const char *table)
{
    char *schema = look_identifier(pg_schema(subject->pg));
    if (strstr(table, "ratelimiting_metrics") != NULL)
        look_remedy(result, "DELETE FROM %s.%s WHERE period IN ('second', 'minute', 'hour', 'day') AND period_date < now() - interval '2 days';", schema, table);
    free(schema);
}

static void note_plan(const struct check_subject *subject, struct check_result *result, const struct plan *plan)
{
    const struct plan_change *heaviest = plan_heaviest(plan);
    size_t remaining = plan_remaining(plan);
    look_note(result, "%zu change%s to make (%zu are there already), %zu migration%s to record", remaining, look_s((long long)remaining),
              plan->change_count - remaining, plan->step_count, look_s((long long)plan->step_count));
    if (heaviest != NULL && heaviest->rows >= 0) {
        const char *does = heaviest->cost.rewrite ? "rewritten under a lock" : "read through, without holding anyone up";
        if (heaviest->bytes >= WORTH_SAYING_BYTES)
            look_found(result, CHECK_INFORMS, "the heaviest table is %s: about %lld rows, %lld MB are %s", heaviest->change->table, (long long)heaviest->rows,
                       (long long)heaviest->bytes >> 20, does);
        else
            look_note(result, "the heaviest table is %s: about %lld rows, %lld kB are %s", heaviest->change->table, (long long)heaviest->rows,
                      (long long)heaviest->bytes >> 10, does);
    }
    note_corrections(result, plan);
    if (result->outcome == CHECK_FOUND) {
        add_pruning(subject, result, heaviest->change->table);
        look_remedy(result, "kong-upgrade plan");
    }
}

static void look_cost(const struct check_subject *subject, struct check_result *result)
{
    struct error error = {0};
    struct plan plan;
    if (!look_has_state(subject, result))
        return;
    const struct state *state = subject->state;
    if (!look_is_kong(subject) || state->stage == STAGE_CURRENT) {
        look_note(result, "nothing to migrate");
        return;
    }
    bool finish = state->stage == STAGE_PENDING && state_count_new(state) == 0;
    if (plan_build(subject->pg, state, finish ? PLAN_FINISH : PLAN_UP, KONG_1_3, &plan, &error)) {
        note_plan(subject, result, &plan);
        plan_free(&plan);
    } else if (error.code == ERROR_STOPPED) {
        look_found(result, CHECK_INFORMS, "the tables are so large that finding the rows to be filled takes longer than %d s", CHECK_STATEMENT_MS / 1000);
        look_remedy(result, "kong-upgrade plan");
    } else {
        look_unable_for(result, &error);
    }
    error_clear(&error);
}

const struct check check_cost = {
    .id = "cost", .title = "What it costs", .severity = CHECK_INFORMS, .reach = CHECK_ROWS, .look = look_cost,
    .why = "Large tables take time, though nodes are not held up: indexes are built concurrently, rows are filled in small batches, and every lock is "
           "given up after a moment.",
    .source = "Kong issues #4335, #5934, #14542; measured on PostgreSQL 15",
};

static void look_fleet(const struct check_subject *subject, struct check_result *result)
{
    size_t old_nodes = fleet_count(subject->fleet, CLUSTER_OLD), new_nodes = fleet_count(subject->fleet, CLUSTER_NEW);
    if (old_nodes == 0) {
        look_found(result, CHECK_INFORMS, "no old node is known: it can't be seen when they serve nothing any more, nor that they are stopped");
        look_remedy(result, "[old]\nnode = old-1 http://10.0.0.11:8001");
    }
    if (new_nodes == 0) {
        look_found(result, CHECK_INFORMS, "no new node is known: it can't be seen whether they are ready");
        look_remedy(result, "[new]\nnode = new-1 http://10.0.0.21:8001");
    }
    look_note(result, "%s names %zu old and %zu new node%s", subject->fleet->file != NULL ? subject->fleet->file : "fleet.ini", old_nodes, new_nodes,
              look_s((long long)new_nodes));
}

const struct check check_fleet = {
    .id = "fleet", .title = "Nodes to watch", .severity = CHECK_INFORMS, .reach = CHECK_HOST, .look = look_fleet,
    .why = "Steps 2 to 5 look at the nodes' Admin APIs. Put your nodes' names and addresses into fleet.ini as the remedy shows; the database steps "
           "work without.",
    .source = "fleet.ini of this program",
};
