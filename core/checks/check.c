#include "core/checks/check.h"

#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/checks/look.h"

#include <stdlib.h>
#include <string.h>

const struct check *const checks[] = {
    &check_connection, &check_pgbouncer, &check_standby, &check_server_version, &check_privileges, &check_ownership,
    &check_connections, &check_stage, &check_drift, &check_apis, &check_lock, &check_custom_migrations, &check_custom_plugins, &check_unknown_plugins,
    &check_duplicates, &check_long_transactions, &check_prepared_transactions, &check_running_maintenance,
    &check_authentication, &check_behaviour, &check_router, &check_old_counters, &check_configuration, &check_host, &check_cost, &check_fleet, &check_nodes, &check_admin_api, NULL,
};

const struct check *check_find(const char *id)
{
    for (const struct check *const *each = checks; *each != NULL; each++)
        if (strcmp((*each)->id, id) == 0)
            return *each;
    return NULL;
}

const char *check_severity_name(enum check_severity severity)
{
    static const char *const names[] = {[CHECK_INFORMS] = "inform", [CHECK_WARNS] = "warn", [CHECK_BLOCKS] = "block"};
    return names[severity];
}

const char *check_outcome_name(enum check_outcome outcome)
{
    static const char *const names[] = {[CHECK_OK] = "ok", [CHECK_FOUND] = "found", [CHECK_UNABLE] = "unable", [CHECK_WAITING] = "waiting"};
    return names[outcome];
}

/* The place in the order of results: the worst first. */
static int rank(const struct check_result *result)
{
    static const int found[] = {[CHECK_BLOCKS] = 0, [CHECK_WARNS] = 1, [CHECK_INFORMS] = 4};
    static const int others[] = {[CHECK_UNABLE] = 2, [CHECK_WAITING] = 3, [CHECK_OK] = 5};
    return result->outcome == CHECK_FOUND ? found[result->severity] : others[result->outcome];
}

static size_t number_of(const struct check *check)
{
    size_t number = 0;
    while (checks[number] != NULL && checks[number] != check)
        number++;
    return number;
}

static bool goes_before(const struct check_result *a, const struct check_result *b)
{
    return rank(a) != rank(b) ? rank(a) < rank(b) : number_of(a->check) < number_of(b->check);
}

void check_result_free(struct check_result *result)
{
    names_free(&result->evidence);
    free(result->remedy);
    *result = (struct check_result){0};
}

static void take_out(struct check_results *results, const struct check *check)
{
    for (size_t i = 0; i < results->count; i++) {
        if (results->list[i].check != check)
            continue;
        check_result_free(&results->list[i]);
        memmove(&results->list[i], &results->list[i + 1], (results->count - i - 1) * sizeof *results->list);
        results->count--;
        return;
    }
}

void check_results_put(struct check_results *results, struct check_result *result)
{
    take_out(results, result->check);
    results->list = mem_grow(results->list, results->count + 1, sizeof *results->list);
    size_t to = results->count++;
    for (; to > 0 && goes_before(result, &results->list[to - 1]); to--)
        results->list[to] = results->list[to - 1];
    results->list[to] = *result;
    *result = (struct check_result){0};
}

void check_results_take(void *context, struct check_result *result)
{
    check_results_put(context, result);
}

void check_results_wait(struct check_results *results, const struct names *ids)
{
    for (const struct check *const *each = checks; *each != NULL; each++) {
        struct check_result result = {.check = *each, .outcome = CHECK_WAITING, .severity = (*each)->severity};
        if (ids == NULL || ids->count == 0 || names_have(ids, (*each)->id))
            check_results_put(results, &result);
    }
}

void check_results_free(struct check_results *results)
{
    for (size_t i = 0; i < results->count; i++)
        check_result_free(&results->list[i]);
    free(results->list);
    *results = (struct check_results){0};
}

bool check_is_open(const struct check_result *result, const struct names *acknowledged)
{
    if (result->outcome == CHECK_WAITING || (result->outcome == CHECK_FOUND && result->severity == CHECK_BLOCKS))
        return true;
    bool warns = result->outcome == CHECK_UNABLE || (result->outcome == CHECK_FOUND && result->severity == CHECK_WARNS);
    return warns && (acknowledged == NULL || !names_have(acknowledged, result->check->id));
}

json_t *check_results_json(const struct check_results *results)
{
    json_t *list = json_array();
    for (size_t i = 0; i < results->count; i++) {
        const struct check_result *each = &results->list[i];
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:o, s:s, s:o, s:s}", "id", each->check->id, "title", each->check->title,
                                              "severity", check_severity_name(each->severity), "result", check_outcome_name(each->outcome),
                                              "evidence", json_names(&each->evidence), "why", each->check->why, "remedy", json_text(each->remedy),
                                              "source", each->check->source));
    }
    return json_pack("{s:o}", "checks", list);
}
