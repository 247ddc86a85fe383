#include "core/run_view.h"

#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/base/mem.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int64_t run_view_time(const char *text)
{
    struct tm utc = {0};
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &utc);
    if (rest == NULL)
        return 0;
    int milliseconds = 0, unit = 100;
    for (const char *c = rest + 1; rest[0] == '.' && unit > 0 && *c >= '0' && *c <= '9'; c++, unit /= 10)
        milliseconds += unit * (*c - '0');
    return (int64_t)timegm(&utc) * 1000 + milliseconds;
}

static void set_text(char **field, const char *text)
{
    free(*field);
    *field = mem_dup(text);
}

static char *get_copy(const json_t *object, const char *key)
{
    return mem_dup(json_get_text(object, key));
}

/* `otherwise`: what it is where it is not there, or no number. */
static int64_t get_number(const json_t *object, const char *key, int64_t otherwise)
{
    const json_t *number = json_object_get(object, key);
    return json_is_integer(number) ? json_integer_value(number) : otherwise;
}

static int get_int(const json_t *object, const char *key, int otherwise)
{
    int64_t number = get_number(object, key, otherwise);
    return number >= INT_MIN && number <= INT_MAX ? (int)number : otherwise;
}

static void free_changes(struct run_view *view)
{
    for (size_t i = 0; i < view->change_count; i++) {
        struct run_change *each = &view->changes[i];
        free(each->id);
        free(each->what);
        free(each->table);
        free(each->lock);
        free(each->correction);
    }
    free(view->changes);
    view->changes = NULL;
    view->change_count = view->done_count = view->current = 0;
}

static void free_blockers(struct run_view *view)
{
    for (size_t i = 0; i < view->blocker_count; i++) {
        free(view->blockers[i].application);
        free(view->blockers[i].address);
        free(view->blockers[i].state);
        free(view->blockers[i].query);
    }
    free(view->blockers);
    view->blockers = NULL;
    view->blocker_count = 0;
}

void run_view_free(struct run_view *view)
{
    free_changes(view);
    free_blockers(view);
    names_free(&view->log);
    char *const texts[] = {view->command, view->host, view->user, view->wait_what, view->result, view->message, view->unproven, view->kong, view->from, view->to};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        free(texts[i]);
    *view = (struct run_view){0};
}

static void add_line(struct run_view *view, char *line)
{
    names_add(&view->log, line);
    free(line);
}

static void on_start(struct run_view *view, const json_t *event)
{
    set_text(&view->command, json_get_text(event, "command"));
    set_text(&view->host, json_get_text(event, "host"));
    set_text(&view->user, json_get_text(event, "user"));
    set_text(&view->kong, json_string_value(json_object_get(event, "kong")));
    set_text(&view->to, json_string_value(json_object_get(event, "to")));
    view->pid = get_int(event, "pid", 0);
    view->started_ms = view->last_ms;
    const json_t *database = json_object_get(event, "database");
    add_line(view, mem_printf("%s begins on database %s at %s:%d (worker %d of %s@%s)", view->command, json_get_text(database, "name"),
                              json_get_text(database, "host"), get_int(database, "port", 0), view->pid, view->user, view->host));
}

static void on_output(struct run_view *view, const json_t *event)
{
    add_line(view, mem_printf(RUN_VIEW_KONG "%s", json_get_text(event, "text")));
}

static void on_plan(struct run_view *view, const json_t *event)
{
    const json_t *changes = json_object_get(event, "changes"), *each;
    size_t i;
    free_changes(view);
    set_text(&view->from, json_string_value(json_object_get(event, "from")));
    view->changes = mem_zero(json_array_size(changes), sizeof *view->changes);
    json_array_foreach(changes, i, each)
        view->changes[view->change_count++] = (struct run_change){
            .id = get_copy(each, "id"),
            .what = get_copy(each, "what"),
            .table = get_copy(each, "table"),
            .lock = get_copy(each, "lock"),
            .correction = get_copy(each, "correction"),
            .rewrite = json_is_true(json_object_get(each, "rewrite")),
            .scan = json_is_true(json_object_get(each, "scan")),
            .rows = get_number(each, "rows", -1),
            .bytes = get_number(each, "bytes", -1),
            .ms = -1,
            .worst_ms = -1,
            .p99_ms = -1,
        };
    view->worst_ms = -1;
    view->current = view->change_count;
    if (view->kong == NULL)
        add_line(view, mem_printf("plan: %zu changes", view->change_count));
}

/* Changes come in the order of the plan, so the search begins where the last one was. */
static struct run_change *find_change(struct run_view *view, const char *id)
{
    size_t from = view->current < view->change_count ? view->current : 0;
    for (size_t n = 0; n < view->change_count; n++) {
        struct run_change *each = &view->changes[(from + n) % view->change_count];
        if (strcmp(each->id, id) == 0)
            return each;
    }
    return NULL;
}

static void on_change(struct run_view *view, const json_t *event)
{
    static const struct {
        const char *name;
        enum change_progress progress;
        const char *word;
    } states[] = {
        {"begin", CHANGE_BEGUN, NULL}, {"done", CHANGE_DONE, "done"}, {"already", CHANGE_ALREADY, "is there already"}, {"failed", CHANGE_FAILED, "not made"},
    };
    struct run_change *change = find_change(view, json_get_text(event, "id"));
    const char *name = json_get_text(event, "state");
    if (change == NULL)
        return;
    view->current = (size_t)(change - view->changes);
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        if (strcmp(states[i].name, name) != 0)
            continue;
        bool was_done = change->progress == CHANGE_DONE || change->progress == CHANGE_ALREADY;
        change->progress = states[i].progress;
        bool is_done = change->progress == CHANGE_DONE || change->progress == CHANGE_ALREADY;
        view->done_count += is_done && !was_done ? 1 : 0;
        view->done_count -= was_done && !is_done ? 1 : 0;
        change->ms = get_number(event, "ms", change->ms);
        if (states[i].word != NULL && change->ms >= 0)
            add_line(view, mem_printf("[%zu/%zu] %s: %s (%lld ms)", view->current + 1, view->change_count, change->what, states[i].word, (long long)change->ms));
        else if (states[i].word != NULL)
            add_line(view, mem_printf("[%zu/%zu] %s: %s", view->current + 1, view->change_count, change->what, states[i].word));
    }
    view->progress_since_ms = view->last_ms;
    view->progress_since_rows = 0;
}

static void on_progress(struct run_view *view, const json_t *event)
{
    struct run_change *change = find_change(view, json_get_text(event, "id"));
    if (change == NULL)
        return;
    change->rows_done = get_number(event, "rows", 0);
    change->rows_total = get_number(event, "total", 0);
}

static void on_stall(struct run_view *view, const json_t *event)
{
    struct run_change *change = find_change(view, json_get_text(event, "id"));
    if (change == NULL)
        return;
    change->worst_ms = json_number_value(json_object_get(event, "worst_ms"));
    change->p99_ms = json_number_value(json_object_get(event, "p99_ms"));
    if (change->worst_ms > view->worst_ms) {
        view->worst_ms = change->worst_ms;
        view->worst_change = (size_t)(change - view->changes);
    }
}

/* The state is not known of sessions that the role may not look at. */
static void add_blocker_line(struct run_view *view, const struct run_blocker *blocker)
{
    const char *application = blocker->application[0] != '\0' ? blocker->application : "no application name";
    if (blocker->state[0] != '\0')
        add_line(view, mem_printf("waiting: backend %d (%s, %s, %s for %d s) is in the way", blocker->pid, application, blocker->address,
                                  blocker->state, blocker->seconds));
    else
        add_line(view, mem_printf("waiting: backend %d (%s, %s) is in the way", blocker->pid, application, blocker->address));
}

static void on_wait(struct run_view *view, const json_t *event)
{
    const json_t *blockers = json_object_get(event, "blockers"), *each;
    size_t i;
    free_blockers(view);
    view->waiting = true;
    view->wait_count++;
    set_text(&view->wait_what, json_get_text(event, "what"));
    view->blockers = mem_zero(json_array_size(blockers), sizeof *view->blockers);
    json_array_foreach(blockers, i, each)
        view->blockers[view->blocker_count++] = (struct run_blocker){
            .pid = get_int(each, "pid", 0),
            .seconds = get_int(each, "seconds", 0),
            .application = get_copy(each, "application"),
            .address = get_copy(each, "address"),
            .state = get_copy(each, "state"),
            .query = get_copy(each, "query"),
        };
    if (view->blocker_count > 0)
        add_blocker_line(view, &view->blockers[0]);
    else
        add_line(view, mem_printf("waiting: %s", view->wait_what));
}

static void on_record(struct run_view *view, const json_t *event)
{
    const char *subsystem = json_get_text(event, "subsystem"), *migration = json_get_text(event, "migration"), *state = json_get_text(event, "state");
    if (strcmp(state, "removed") == 0)
        add_line(view, mem_printf("%s %s is not recorded any more", subsystem, migration));
    else
        add_line(view, mem_printf("%s %s is recorded as %s", subsystem, migration, state));
}

static void on_proof(struct run_view *view, const json_t *event)
{
    const char *migration = json_get_text(event, "migration");
    const json_t *versions = json_object_get(event, "versions"), *each;
    int64_t given = get_number(event, "statements", 0);
    int count = given > 0 && given < INT_MAX ? (int)given : 0;
    bool passed = strcmp(json_get_text(event, "state"), "passed") == 0;
    struct buf line = {0};
    size_t i;
    if (migration[0] != '\0')
        buf_addf(&line, "proof after %s %s: ", json_get_text(event, "subsystem"), migration);
    else
        buf_add(&line, "proof: ");
    buf_addf(&line, passed ? "%d statements of Kong" : "of %d statements of Kong", count);
    json_array_foreach(versions, i, each)
        buf_addf(&line, "%s %s", i > 0 ? "," : "", json_is_string(each) ? json_string_value(each) : "");
    if (passed)
        buf_addf(&line, " work (%lld ms)", (long long)get_number(event, "ms", 0));
    else
        buf_addf(&line, " one fails: %s", json_get_text(event, "statement"));
    add_line(view, buf_take(&line));
    view->proven = passed && view->proven < INT_MAX ? view->proven + count : view->proven;
    if (!passed)
        set_text(&view->unproven, json_get_text(event, "statement"));
}

static void on_lock(struct run_view *view, const json_t *event)
{
    add_line(view, mem_printf("Kong's migrations lock is %s", json_get_text(event, "state")));
}

static void on_backup(struct run_view *view, const json_t *event)
{
    add_line(view, mem_printf("backup: %s, %lld bytes, %lld rows of %lld tables as of %s", json_get_text(event, "path"), (long long)get_number(event, "bytes", 0),
                              (long long)get_number(event, "rows", 0), (long long)get_number(event, "tables", 0), json_get_text(event, "as_of")));
}

static void on_stop(struct run_view *view, const json_t *event)
{
    (void)event;
    view->stop_asked = true;
    add_line(view, mem_dup("asked to stop: ending at the next safe point"));
}

static void on_note(struct run_view *view, const json_t *event)
{
    names_add(&view->log, json_get_text(event, "text"));
}

static void on_end(struct run_view *view, const json_t *event)
{
    view->ended = true;
    view->exit_code = get_int(event, "exit", 1);
    if (view->exit_code < 0 || view->exit_code > 255)
        view->exit_code = 1;
    if (view->change_count > 0 && view->worst_ms >= 0)
        add_line(view, mem_printf("the longest that a node would have waited: %.0f ms, during: %s", view->worst_ms, view->changes[view->worst_change].what));
    set_text(&view->result, json_get_text(event, "result"));
    set_text(&view->message, json_get_text(event, "message"));
    add_line(view, mem_printf("%s: %s", view->result, view->message));
}

void run_view_apply(struct run_view *view, const json_t *event)
{
    static const struct {
        const char *event;
        void (*apply)(struct run_view *view, const json_t *event);
        bool still_waiting;
    } table[] = {
        {"start", on_start, false}, {"plan", on_plan, false},     {"lock", on_lock, false}, {"change", on_change, false},
        {"wait", on_wait, true},    {"progress", on_progress, false}, {"stall", on_stall, true}, {"record", on_record, false}, {"stop", on_stop, true},
        {"note", on_note, true},    {"output", on_output, false},    {"proof", on_proof, false}, {"backup", on_backup, false}, {"end", on_end, false},
    };
    const char *name = json_get_text(event, "event");
    int64_t time = run_view_time(json_get_text(event, "t"));
    view->last_ms = time != 0 ? time : view->last_ms;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (strcmp(table[i].event, name) != 0)
            continue;
        view->waiting = view->waiting && table[i].still_waiting;
        table[i].apply(view, event);
    }
}

double run_view_rate(const struct run_view *view)
{
    if (view->current >= view->change_count || view->last_ms <= view->progress_since_ms)
        return 0;
    int64_t rows = view->changes[view->current].rows_done - view->progress_since_rows;
    return rows < 0 ? 0 : (double)rows * 1000.0 / (double)(view->last_ms - view->progress_since_ms);
}
