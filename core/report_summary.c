/*
 * The report's first part: the upgrade as a whole. From where to where, by whom, when each of the five steps began and ended, which nodes
 * were seen, and the traffic at each stage of its diversion. Of an upgrade that was over before this one began, nothing is told here.
 */
#include "core/report_internal.h"

#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/names.h"
#include "core/cluster/seen.h"
#include "core/decisions.h"
#include "core/hook_record.h"
#include "core/journal.h"
#include "core/upgrade.h"

#include <stdlib.h>
#include <string.h>

/* Wall times; 0: not known. */
struct span {
    int64_t began, ended;
};

struct summary {
    int64_t since;              /* the upgrade before it was over */
    char *from, *to;
    struct names people;
    struct span steps[STEPS];
    json_t *nodes, *traffic;    /* arrays: a node each, as seen first and last; the events of traffic */
};

static void begin_at(struct span *span, int64_t at)
{
    if (at > 0 && (span->began == 0 || at < span->began))
        span->began = at;
}

static void end_at(struct span *span, int64_t at)
{
    if (at > span->ended)
        span->ended = at;
}

static void add_person(struct summary *summary, const char *user, const char *host)
{
    char *person = mem_printf("%s on %s", user != NULL ? user : "?", host != NULL ? host : "?");
    if (!names_have(&summary->people, person))
        names_add(&summary->people, person);
    free(person);
}

/* Runs. */

static bool is_up(const struct run_view *view)
{
    return strcmp(view->command, "up") == 0 || strcmp(view->command, "bootstrap") == 0;
}

static void add_run(struct summary *summary, const struct run_view *view)
{
    bool finishes = strcmp(view->command, "finish") == 0;
    if (view->started_ms < summary->since)
        return;
    add_person(summary, view->user, view->host);
    if (!is_up(view) && !finishes)
        return;
    struct span *span = &summary->steps[finishes ? STEP_FINISH : STEP_UP];
    begin_at(span, view->started_ms);
    if (view->ended && view->exit_code == 0)
        end_at(span, view->last_ms);
    if (summary->from == NULL && view->from != NULL && is_up(view))
        summary->from = mem_dup(view->from);
    if (view->to != NULL && is_up(view)) {
        free(summary->to);
        summary->to = mem_dup(view->to);
    }
}

static void add_runs(struct summary *summary, const char *folder)
{
    struct names paths = {0};
    int64_t last_up = 0;
    journal_list(folder, &paths);
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < paths.count; i++) {
            struct run_view view;
            bool read = report_read_run(paths.list[i], &view);
            if (read && round == 0 && is_up(&view))
                last_up = view.started_ms;
            else if (read && round == 1)
                add_run(summary, &view);
            run_view_free(&view);
        }
        if (round == 0)
            summary->since = decisions_closed_before(folder, last_up);
    }
    names_free(&paths);
}

/* Hooks. */

static void add_hook(struct summary *summary, const struct hook_record *record)
{
    static const enum step steps[] = {[HOOK_PROVISION] = STEP_PROVISION, [HOOK_DIVERT] = STEP_DIVERT, [HOOK_DECOMMISSION] = STEP_DECOMMISSION};
    if (record->started_ms < summary->since)
        return;
    add_person(summary, record->user, record->host);
    struct span *span = &summary->steps[steps[record->kind]];
    if (record->kind == HOOK_DIVERT && record->percent == 0)
        return;
    begin_at(span, record->started_ms);
    bool ends = record->kind != HOOK_DIVERT || record->percent == 100;
    if (ends && record->result == HOOK_DONE)
        end_at(span, record->ended_ms);
}

static void add_hooks(struct summary *summary, const char *folder)
{
    struct names paths = {0};
    hook_record_list(folder, &paths);
    for (size_t i = 0; i < paths.count; i++) {
        struct hook_record record;
        if (hook_record_read(paths.list[i], &record))
            add_hook(summary, &record);
        hook_record_free(&record);
    }
    names_free(&paths);
}

/* What was seen. */

/* As it is told: seen so first, and last. */
static json_t *find_node(struct summary *summary, const json_t *event)
{
    json_t *each;
    size_t i;
    json_array_foreach(summary->nodes, i, each)
        if (json_equal(json_object_get(each, "name"), json_object_get(event, "name")) && json_equal(json_object_get(each, "cluster"), json_object_get(event, "cluster")))
            return each;
    each = json_pack("{s:O?, s:O?, s:O?, s:O?}", "cluster", json_object_get(event, "cluster"), "name", json_object_get(event, "name"), "url",
                     json_object_get(event, "url"), "first_seen", json_object_get(event, "t"));
    json_array_append_new(summary->nodes, each);
    return each;
}

static void add_node(struct summary *summary, const json_t *event, int64_t at)
{
    bool is_new = strcmp(json_get_text(event, "cluster"), cluster_name(CLUSTER_NEW)) == 0, answers = strcmp(json_get_text(event, "state"), node_state_name(NODE_ANSWERS)) == 0;
    size_t before = json_array_size(summary->nodes);
    json_t *node = find_node(summary, event);
    bool first = json_array_size(summary->nodes) > before;
    if (json_is_string(json_object_get(event, "version")))
        json_object_set(node, "version", json_object_get(event, "version"));
    json_object_set(node, "last_state", json_object_get(event, "state"));
    json_object_set(node, "last_change", json_object_get(event, "t"));
    struct span *span = &summary->steps[is_new ? STEP_PROVISION : STEP_DECOMMISSION];
    if (is_new && first && answers) {
        begin_at(span, at);
        end_at(span, at);
    } else if (!is_new && !answers && summary->steps[STEP_DIVERT].began != 0) {
        begin_at(span, at);
        end_at(span, at);
    }
}

static void add_traffic(struct summary *summary, const json_t *event, int64_t at)
{
    const char *stage = json_get_text(event, "stage");
    bool begins = strcmp(json_get_text(event, "at"), "begin") == 0;
    json_array_append_new(summary->traffic, json_deep_copy(event));
    if (begins && strcmp(stage, "0") != 0)
        begin_at(&summary->steps[STEP_DIVERT], at);
    if (begins && strcmp(stage, "100") == 0 && summary->steps[STEP_DIVERT].ended == 0)
        end_at(&summary->steps[STEP_DIVERT], at);
}

static void add_seen(struct summary *summary, const char *folder)
{
    json_t *all = seen_read(folder), *event;
    size_t i;
    json_array_foreach(all, i, event) {
        int64_t at = run_view_time(json_get_text(event, "t"));
        if (at < summary->since)
            continue;
        if (strcmp(json_get_text(event, "event"), "node") == 0)
            add_node(summary, event, at);
        else if (strcmp(json_get_text(event, "event"), "traffic") == 0)
            add_traffic(summary, event, at);
    }
    json_decref(all);
}

static void summary_read(struct summary *summary, const char *folder)
{
    *summary = (struct summary){.nodes = json_array(), .traffic = json_array()};
    add_runs(summary, folder);
    add_hooks(summary, folder);
    add_seen(summary, folder);
}

static void summary_free(struct summary *summary)
{
    free(summary->from);
    free(summary->to);
    names_free(&summary->people);
    json_decref(summary->nodes);
    json_decref(summary->traffic);
}

/* As Markdown. */

static void add_row(struct buf *out, const char *name, const char *text)
{
    report_add_cell(out, name);
    report_add_cell(out, text);
    buf_add(out, "|\n");
}

static void add_whole(struct buf *out, const struct summary *summary)
{
    struct buf people = {0};
    for (size_t i = 0; i < summary->people.count; i++)
        buf_addf(&people, "%s%s", i > 0 ? ", " : "", summary->people.list[i]);
    buf_add(out, "\n## Upgrade\n\n| | |\n| --- | --- |\n");
    add_row(out, "from", summary->from != NULL ? summary->from : "not known here");
    add_row(out, "to", summary->to != NULL ? summary->to : "1.3");
    add_row(out, "by", people.length > 0 ? buf_text(&people) : "nobody on this machine yet");
    buf_free(&people);
}

static void add_steps(struct buf *out, const struct summary *summary)
{
    char began[CLOCK_TEXT_SIZE], ended[CLOCK_TEXT_SIZE];
    buf_add(out, "\n| step | began | ended | took |\n| --- | --- | --- | ---: |\n");
    for (int step = STEP_UP; step <= STEP_FINISH; step++) {
        const struct span *span = &summary->steps[step];
        bool whole = span->began > 0 && span->ended >= span->began;
        buf_addf(out, "| %d %s | %s | %s ", step_texts[step].number, step_texts[step].title, span->began > 0 ? clock_text(span->began, began) : "",
                 whole ? clock_text(span->ended, ended) : "");
        if (whole)
            buf_addf(out, "| %.1f s |\n", (double)(span->ended - span->began) / 1000.0);
        else
            buf_add(out, "| |\n");
    }
    buf_add(out, "\nSteps 2 to 4 as the wizard has seen them, if it was open.\n");
}

static void add_nodes(struct buf *out, const struct summary *summary)
{
    static const char *const keys[] = {"cluster", "name", "url", "version", "first_seen", "last_state", "last_change"};
    json_t *node;
    size_t i;
    if (json_array_size(summary->nodes) == 0)
        return;
    buf_add(out, "\n## Nodes\n\n| cluster | node | Admin API | version | first seen | last seen as | since |\n| --- | --- | --- | --- | --- | --- | --- |\n");
    json_array_foreach(summary->nodes, i, node) {
        for (size_t key = 0; key < sizeof keys / sizeof keys[0]; key++)
            report_add_cell(out, json_get_text(node, keys[key]));
        buf_add(out, "|\n");
    }
}

static void add_figure(struct buf *out, const json_t *json)
{
    if (json_is_number(json))
        buf_addf(out, "| %.1f ", json_number_value(json));
    else
        buf_add(out, "| ");
}

static void add_diversions(struct buf *out, const struct summary *summary)
{
    static const char *const figures[] = {"rps", "errors_5xx", "p95_ms"}, *const clusters[] = {"old", "new"};
    json_t *event;
    size_t i;
    if (json_array_size(summary->traffic) == 0)
        return;
    buf_add(out, "\n## Traffic\n\nAt the beginning and the end of each stage.\n\n| time | stage | share of new, % | old req/s | new req/s | old 5xx, % | new 5xx, % |"
                 " old p95, ms | new p95, ms | comparison |\n| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |\n");
    json_array_foreach(summary->traffic, i, event) {
        report_add_cell(out, json_get_text(event, "t"));
        char *stage = mem_printf("%s %%, %s", json_get_text(event, "stage"), json_get_text(event, "at"));
        report_add_cell(out, stage);
        free(stage);
        add_figure(out, json_object_get(event, "share"));
        for (size_t figure = 0; figure < 3; figure++)
            for (size_t cluster = 0; cluster < 2; cluster++)
                add_figure(out, json_object_get(json_object_get(event, clusters[cluster]), figures[figure]));
        report_add_cell(out, json_get_text(event, "verdict"));
        buf_add(out, "|\n");
    }
}

void report_add_summary(struct buf *out, const char *folder)
{
    struct summary summary;
    summary_read(&summary, folder);
    add_whole(out, &summary);
    add_steps(out, &summary);
    add_nodes(out, &summary);
    add_diversions(out, &summary);
    summary_free(&summary);
}

/* As JSON. */

static json_t *time_json(int64_t at)
{
    char text[CLOCK_TEXT_SIZE];
    return at > 0 ? json_string(clock_text(at, text)) : json_null();
}

void report_set_summary(json_t *report, const char *folder)
{
    struct summary summary;
    summary_read(&summary, folder);
    json_t *steps = json_array();
    for (int step = STEP_UP; step <= STEP_FINISH; step++)
        json_array_append_new(steps, json_pack("{s:i, s:s, s:o, s:o}", "step", step_texts[step].number, "name", step_texts[step].word, "began",
                                               time_json(summary.steps[step].began), "ended", time_json(summary.steps[step].ended)));
    json_object_set_new(report, "upgrade", json_pack("{s:o, s:o, s:o, s:o}", "from", json_text(summary.from), "to", json_text(summary.to), "by",
                                                     json_names(&summary.people), "steps", steps));
    json_object_set(report, "nodes", summary.nodes);
    json_object_set(report, "traffic", summary.traffic);
    summary_free(&summary);
}
