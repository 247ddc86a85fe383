/* `routes`: where the routers of 1.2 and 1.3 differ, for requests derived from the routes, or for given ones. */
#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/base/utf8.h"
#include "core/router/compare.h"
#include "core/router/request.h"
#include "screens/plain.h"
#include "screens/say.h"
#include "tui/text.h"

#include <stdlib.h>
#include <string.h>

#define EXIT_DIFFERENCES 6
#define SHOWN_REQUESTS 3

static void say_line(const char *label, const char *text)
{
    char *line = text_plain(text);
    say("      %-8s %s\n", label, line);
    free(line);
}

/* "either A or B or no route", for people. */
static void add_winners(struct buf *text, const struct routes *routes, const struct router_result *result)
{
    size_t all = result->count + (result->none && result->count > 0 ? 1 : 0);
    if (result->count == 0)
        buf_add(text, "no route");
    for (size_t i = 0; i < result->count; i++) {
        const struct route *route = &routes->list[result->winners[i]];
        const char *service = route->service != NULL ? route->service : "none";
        buf_add(text, i > 0 ? " or " : all > 1 || result->more ? "either " : "");
        if (route->name != NULL && route->name[0] != '\0')
            buf_addf(text, "%s (%s, service %s)", route->name, route->id, service);
        else
            buf_addf(text, "%s (service %s)", route->id, service);
    }
    if (result->count > 0 && result->none)
        buf_add(text, " or no route");
    if (result->more)
        buf_add(text, " or others");
}

static void say_winners(const char *label, const struct routes *routes, const struct router_result *result)
{
    struct buf text = {0};
    add_winners(&text, routes, result);
    say_line(label, buf_text(&text));
    buf_free(&text);
}

static bool is_host(const char *sni, const char *host)
{
    size_t length = strlen(sni);
    return host != NULL && strncmp(sni, host, length) == 0 && (host[length] == '\0' || host[length] == ':');
}

static char *request_line(const struct request *request)
{
    struct buf text = {0};
    char *url = request_url(request);
    buf_addf(&text, "%s %s", request->method, url);
    if (request->sni != NULL && !is_host(request->sni, request->host))
        buf_addf(&text, "  (SNI %s)", request->sni);
    for (size_t i = 0; i < request->header_count; i++)
        buf_addf(&text, "  (%s: %s)", request->headers[i].name, request->headers[i].values.count > 0 ? request->headers[i].values.list[0] : "");
    free(url);
    return buf_take(&text);
}

/* JSON. */

static json_t *winner_ids(const struct routes *routes, const struct router_result *result)
{
    json_t *ids = json_array();
    for (size_t i = 0; i < result->count; i++)
        json_array_append_new(ids, json_text(routes->list[result->winners[i]].id));
    return ids;
}

static json_t *winners_json(const struct routes *routes, const struct router_result *result)
{
    json_t *list = json_array();
    for (size_t i = 0; i < result->count; i++) {
        const struct route *route = &routes->list[result->winners[i]];
        json_array_append_new(list, json_pack("{s:o, s:o, s:o}", "id", json_text(route->id), "name", json_text(route->name), "service",
                                              json_text(route->service)));
    }
    if (result->none && result->count > 0)
        json_array_append_new(list, json_null());
    return list;
}

static json_t *request_json(const struct request *request)
{
    char *url = request_url(request);
    json_t *json = json_pack("{s:o, s:o}", "method", json_text(request->method), "url", json_text(url));
    if (request->sni != NULL)
        json_object_set_new(json, "sni", json_text(request->sni));
    for (size_t i = 0; i < request->header_count; i++) {
        json_t *headers = json_object_get(json, "headers");
        if (headers == NULL)
            json_object_set_new(json, "headers", headers = json_object());
        char *name = utf8_clean(request->headers[i].name);
        json_object_set_new(headers, name, json_names(&request->headers[i].values));
        free(name);
    }
    free(url);
    return json;
}

static const char *remedy_text(const struct difference *difference)
{
    if (difference->remedy != NULL)
        return difference->remedy;
    return difference->remedy_sought ? "nothing that was tried keeps it: change the routes, or the clients"
                                     : "not worked out for so many at once: ask for one with --request";
}

/* Given requests. */

static void say_request_json(const struct routes *routes, const struct request *request, const struct difference *difference, bool first)
{
    json_t *json = request_json(request);
    json_object_set_new(json, "old", winner_ids(routes, &difference->old));
    json_object_set_new(json, "new", winner_ids(routes, &difference->new));
    json_object_set_new(json, "differs", json_boolean(difference->reason > REASON_OPEN));
    json_object_set_new(json, "reason", difference->reason != REASON_NONE ? json_text(reason_text(difference->reason)) : json_null());
    json_object_set_new(json, "remedy", json_text(difference->remedy));
    say("%s", first ? "" : ",");
    say_json(json, false);
}

static void say_request(const struct app *app, const struct routes *routes, const struct request *request, const struct difference *difference)
{
    bool differs = difference->reason > REASON_OPEN;
    if (app->options->quiet && !differs)
        return;
    char *text = request_line(request), *line = text_plain(text);
    say("%s  %s\n", differs ? "differs" : difference->reason == REASON_OPEN ? "open   " : "same   ", line);
    if (differs) {
        say_winners("1.2", routes, &difference->old);
        say_winners("1.3", routes, &difference->new);
    } else {
        say_winners("both", routes, &difference->old);
    }
    if (difference->reason != REASON_NONE)
        say_line("why", reason_text(difference->reason));
    if (differs)
        say_line("to keep", remedy_text(difference));
    free(line);
    free(text);
}

static int show_requests(const struct app *app, const struct routes *routes, const struct written_requests *requests)
{
    int exit_code = 0;
    struct compare *compare = compare_new(routes);
    if (app->options->json)
        say("{\"requests\":[\n");
    for (size_t i = 0; i < requests->count && !say_failed(); i++) {
        struct request request = request_of(&requests->list[i]);
        struct difference difference;
        compare_request(compare, &request, &difference);
        if (difference.reason > REASON_OPEN)
            exit_code = EXIT_DIFFERENCES;
        if (app->options->json)
            say_request_json(routes, &request, &difference, i == 0);
        else
            say_request(app, routes, &request, &difference);
        difference_free(&difference);
    }
    if (app->options->json)
        say("]}\n");
    compare_free(compare);
    return exit_code;
}

/* All requests worth trying. */

static void say_difference_json(const struct routes *routes, const struct difference *difference, bool first)
{
    json_t *json = json_pack("{s:o, s:o, s:o, s:o}", "old", winners_json(routes, &difference->old), "new", winners_json(routes, &difference->new),
                             "reason", json_text(reason_text(difference->reason)), "remedy", json_text(difference->remedy));
    json_t *requests = json_array();
    for (size_t i = 0; i < difference->count; i++) {
        struct request request = difference_request(difference, i);
        json_array_append_new(requests, request_json(&request));
    }
    json_object_set_new(json, "requests", requests);
    say("%s", first ? "" : ",");
    say_json(json, false);
}

static void say_comparison_json(const struct routes *routes, const struct comparison *comparison)
{
    say("{\"routes\":%zu,\"tried\":%zu,\"differing\":%zu,\"open\":%zu,\"differences\":[\n", routes->count, comparison->tried, comparison->differing,
        comparison->open);
    for (size_t i = 0; i < comparison->count && !say_failed(); i++)
        say_difference_json(routes, &comparison->list[i], i == 0);
    say("],\"problems\":\n");
    say_json(json_names(&comparison->problems), false);
    say("}\n");
}

static void say_difference(const struct app *app, const struct routes *routes, const struct difference *difference, size_t number)
{
    size_t shown = app->options->verbose || difference->count <= SHOWN_REQUESTS ? difference->count : SHOWN_REQUESTS;
    say("%3zu   %zu request%s\n", number, difference->count, difference->count == 1 ? "" : "s");
    say_winners("1.2", routes, &difference->old);
    say_winners("1.3", routes, &difference->new);
    say_line("why", reason_text(difference->reason));
    for (size_t i = 0; i < shown && !say_failed(); i++) {
        struct request request = difference_request(difference, i);
        char *text = request_line(&request);
        say_line(i == 0 ? "such as" : "", text);
        free(text);
    }
    if (shown < difference->count)
        say("      %-8s and %zu more: -v shows all\n", "", difference->count - shown);
    say_line("to keep", remedy_text(difference));
}

static void say_comparison(const struct app *app, const struct routes *routes, const struct comparison *comparison)
{
    if (!app->options->quiet || comparison->differing > 0)
        say("%zu route%s, %zu requests tried: %zu go elsewhere in 1.3, from %zu pair%s of routes; %zu are left open by both alike\n", routes->count,
            routes->count == 1 ? "" : "s", comparison->tried, comparison->differing, comparison->count, comparison->count == 1 ? "" : "s",
            comparison->open);
    for (size_t i = 0; i < comparison->count && !say_failed(); i++)
        say_difference(app, routes, &comparison->list[i], i + 1);
    for (size_t i = 0; i < comparison->problems.count; i++)
        complain_text("%s", comparison->problems.list[i]);
}

static int show_all(const struct app *app, const struct routes *routes)
{
    struct comparison comparison;
    struct compare *compare = compare_new(routes);
    compare_all(compare, &comparison);
    if (app->options->json)
        say_comparison_json(routes, &comparison);
    else
        say_comparison(app, routes, &comparison);
    int exit_code = comparison.differing > 0 ? EXIT_DIFFERENCES : 0;
    comparison_free(&comparison);
    compare_free(compare);
    return exit_code;
}

/* What is wrong on the command line is wrong usage; what is wrong in a file is an error. Returns -1 where all is well. */
static int read_requests(const struct options *options, struct written_requests *requests)
{
    struct error error = {0};
    for (size_t i = 0; i < options->requests.count; i++) {
        if (requests_add(requests, options->requests.list[i], &error))
            continue;
        int exit_code = options_wrong("--request %s", error.message);
        error_clear(&error);
        return exit_code;
    }
    if (options->requests_file != NULL && !requests_add_file(requests, options->requests_file, &error))
        return complain(&error);
    return -1;
}

static int show(struct app *app, const struct written_requests *requests, bool given)
{
    struct error error = {0};
    struct state state;
    struct routes routes;
    struct pg *pg = app_connect(app, "routes", &state, &error);
    if (pg == NULL)
        return complain(&error);
    bool loaded = routes_load(pg, &routes, &error);
    state_free(&state);
    pg_close(pg);
    int exit_code = !loaded ? complain(&error) : given ? show_requests(app, &routes, requests) : show_all(app, &routes);
    routes_free(&routes);
    return say_failed() ? EXIT_TERMINAL_LOST : exit_code;
}

int plain_routes(struct app *app)
{
    struct written_requests requests = {0};
    bool given = app->options->requests.count > 0 || app->options->requests_file != NULL;
    int exit_code = read_requests(app->options, &requests);
    if (exit_code < 0)
        exit_code = show(app, &requests, given);
    requests_free(&requests);
    return exit_code;
}
