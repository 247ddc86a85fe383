/* Check: requests that new nodes send to another route than the old ones do. */
#include "core/checks/look.h"

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/router/compare.h"
#include "core/router/request.h"

#include <stdlib.h>
#include <string.h>

#define PATIENCE_MS 4000
#define PAIRS 20
#define PROBLEMS 5
#define LABEL_SHOWN 80
#define URL_SHOWN 160

static char *short_label(const struct route *route)
{
    return look_cut(mem_dup(route_label(route)), LABEL_SHOWN);
}

/* "a", "a or b", "a or no route"; of many, the first. */
static char *winners_text(const struct routes *routes, const struct router_result *result)
{
    struct buf text = {0};
    for (size_t i = 0; i < result->count && i < 2; i++) {
        char *label = short_label(&routes->list[result->winners[i]]);
        buf_addf(&text, "%s%s", i > 0 ? " or " : "", label);
        free(label);
    }
    if (result->count > 2 || result->more)
        buf_add(&text, " or others");
    if (result->none && result->count > 0)
        buf_add(&text, " or none");
    return text.length > 0 ? buf_take(&text) : mem_dup("no route");
}

/* In a shell, too: no newline of a route's may end it. Takes `comment`. */
static void add_comment(struct check_result *result, char *comment)
{
    for (char *c = comment; *c != '\0'; c++)
        if ((unsigned char)*c < ' ' || *c == 127)
            *c = '?';
    look_remedy(result, "%s", comment);
    free(comment);
}

static void add_pair(struct check_result *result, const struct routes *routes, const struct difference *difference)
{
    struct request request = difference_request(difference, 0);
    char *old = winners_text(routes, &difference->old), *new = winners_text(routes, &difference->new);
    char *method = look_cut(mem_dup(request.method), LABEL_SHOWN), *url = look_cut(request_url(&request), URL_SHOWN);
    look_found(result, CHECK_WARNS, "%s %s goes to %s in 1.2, to %s in 1.3%s: %s", method, url, old, new,
               difference->count > 1 ? " (and others like it)" : "", reason_text(difference->reason));
    if (difference->remedy != NULL)
        add_comment(result, mem_printf("# %s %s: %s", method, url, difference->remedy));
    free(method);
    free(url);
    free(old);
    free(new);
}

static void tell(struct check_result *result, const struct routes *routes, const struct comparison *comparison)
{
    if (routes->count == 0)
        look_note(result, "no routes");
    else if (comparison->differing > 0)
        look_found(result, CHECK_WARNS, "%zu of %zu requests that were derived from %zu routes go elsewhere in 1.3, by %zu pair%s of routes",
                   comparison->differing, comparison->tried, routes->count, comparison->count, look_s((long long)comparison->count));
    else if (!comparison->timed_out)
        look_note(result, "%zu route%s, %zu request%s tried: none goes elsewhere in 1.3", routes->count, look_s((long long)routes->count),
                  comparison->tried, look_s((long long)comparison->tried));
    for (size_t i = 0; i < comparison->count && i < PAIRS; i++)
        add_pair(result, routes, &comparison->list[i]);
    if (comparison->count > PAIRS)
        look_note(result, "and %zu more pairs: `kong-upgrade routes` lists all of them", comparison->count - PAIRS);
    if (comparison->timed_out)
        look_unable(result, "not all requests could be tried within %d s: run `kong-upgrade routes`, which takes its time", PATIENCE_MS / 1000);
    for (size_t i = 0; i < comparison->problems.count && i < PROBLEMS; i++)
        look_note(result, "%s", comparison->problems.list[i]);
    if (result->outcome == CHECK_FOUND)
        look_remedy(result, "kong-upgrade routes  # shows them all, and what to change for each");
}

static void look_router(const struct check_subject *subject, struct check_result *result)
{
    struct error error = {0};
    struct routes routes;
    if (!look_has_state(subject, result))
        return;
    if (!look_is_kong(subject) || subject->state->stage == STAGE_CURRENT) {
        look_note(result, "no routes that an older Kong serves");
        return;
    }
    if (routes_load(subject->pg, &routes, &error)) {
        struct comparison comparison;
        int64_t patient_until = clock_ms() + PATIENCE_MS, deadline_ms = patient_until < subject->deadline_ms ? patient_until : subject->deadline_ms;
        struct compare *compare = compare_new(&routes);
        compare_set_deadline(compare, deadline_ms);
        compare_all(compare, &comparison);
        tell(result, &routes, &comparison);
        comparison_free(&comparison);
        compare_free(compare);
    } else {
        look_unable_for(result, &error);
    }
    routes_free(&routes);
    error_clear(&error);
}

const struct check check_router = {
    .id = "router", .title = "Requests that go elsewhere", .severity = CHECK_WARNS, .reach = CHECK_ROWS, .look = look_router,
    .why = "1.3 sorts routes otherwise than the releases before it, tries every wildcard host, and prefers a regex to an equal plain path. "
           "While both clusters serve, the same request can go to different routes. What is proposed keeps the old choice in both.",
    .source = "kong/router.lua at 1.2.3 and 1.3.0; Kong issues #5371, #5418, #5438, #4775",
};
