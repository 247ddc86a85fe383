#include "core/checks/check.h"

#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/checks/look.h"

#include <stdlib.h>
#include <string.h>

const struct check *const checks[] = {
    &check_connection, &check_pgbouncer, &check_standby, &check_server_version, &check_privileges, &check_ownership,
    &check_connections, &check_stage, &check_apis, &check_lock, &check_custom_migrations, &check_unknown_plugins,
    &check_duplicates, &check_long_transactions, &check_prepared_transactions, &check_running_maintenance,
    &check_authentication, &check_behaviour, &check_configuration, &check_cost, &check_fleet, NULL,
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
    static const char *const names[] = {[CHECK_OK] = "ok", [CHECK_FOUND] = "found", [CHECK_UNABLE] = "unable"};
    return names[outcome];
}

/* The place in the order of results: the worst first. */
static int rank(const struct check_result *result)
{
    static const int found[] = {[CHECK_BLOCKS] = 0, [CHECK_WARNS] = 1, [CHECK_INFORMS] = 3};
    if (result->outcome == CHECK_FOUND)
        return found[result->severity];
    return result->outcome == CHECK_UNABLE ? 2 : 4;
}

/* Keeps the table's order among equals. */
static void sort(struct check_results *results)
{
    for (size_t i = 1; i < results->count; i++) {
        struct check_result moved = results->list[i];
        size_t to = i;
        for (; to > 0 && rank(&results->list[to - 1]) > rank(&moved); to--)
            results->list[to] = results->list[to - 1];
        results->list[to] = moved;
    }
}

static void look_at_all(const struct check_subject *subject, const struct names *ids, struct check_results *results)
{
    for (const struct check *const *each = checks; *each != NULL; each++) {
        if (ids != NULL && ids->count > 0 && !names_have(ids, (*each)->id))
            continue;
        results->list = mem_grow(results->list, results->count + 1, sizeof *results->list);
        struct check_result *result = &results->list[results->count++];
        *result = (struct check_result){.check = *each, .outcome = CHECK_OK, .severity = (*each)->severity};
        (*each)->look(subject, result);
    }
}

void checks_run(const struct kong_conf *conf, const struct fleet *fleet, const struct names *ids, struct check_results *results)
{
    struct error error = {0};
    struct state state;
    struct check_subject subject = {.conf = conf, .fleet = fleet};
    *results = (struct check_results){0};
    subject.pg = pg_connect(&conf->pg, "check", LOOK_TIMEOUT_MS, &error);
    if (subject.pg != NULL && state_read(subject.pg, (const char *const *)conf->plugins.list, conf->plugins.count, &state, &error))
        subject.state = &state;
    subject.connect_error = error.message;
    look_at_all(&subject, ids, results);
    sort(results);
    if (subject.state != NULL)
        state_free(&state);
    pg_close(subject.pg);
    error_clear(&error);
}

void check_results_free(struct check_results *results)
{
    for (size_t i = 0; i < results->count; i++) {
        names_free(&results->list[i].evidence);
        free(results->list[i].remedy);
    }
    free(results->list);
    *results = (struct check_results){0};
}

bool check_is_open(const struct check_result *result, const struct names *acknowledged)
{
    if (result->outcome == CHECK_FOUND && result->severity == CHECK_BLOCKS)
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
