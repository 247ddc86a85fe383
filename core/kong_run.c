#include "core/kong_run.h"

#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/db/lock.h"
#include "core/db/pg.h"
#include "core/migrations/aside.h"
#include "core/migrations/order.h"
#include "core/migrations/run_internal.h"
#include "core/supervise.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RENEW_MS (LOCK_SECONDS * 1000 / 3)
#define RENEW_FIRST_MS 1000
#define SHORT_MS 5000            /* for each of our own statements */
#define NAMED 8                  /* migrations that a sentence names */
#define ABORTED "another node is performing database changes"   /* kong/cmd/utils/migrations.lua at 1.3.0, with exit code 0 */

/* In the worker. */

struct kong {
    const struct run_job *job;
    const struct kong_task *task;
    struct journal *journal;
    const volatile sig_atomic_t *stop;
    struct pg *pg;               /* holds the advisory lock; NULL for KONG_START */
    struct state before;
    size_t told, seen;           /* lines: in the journal; looked at */
    bool aborted;                /* it said ABORTED */
    int64_t renewed_at;
    struct supervised child;
};

static struct run_outcome failed(struct error *error)
{
    struct run_outcome outcome = {RUN_FAILED, 1, error->message};
    if (error->code == ERROR_HELD)
        outcome = (struct run_outcome){RUN_HELD, 9, error->message};
    *error = (struct error){0};
    return outcome;
}

static bool read_state(struct kong *kong, struct state *state, struct error *error)
{
    return state_read(kong->pg, (const char *const *)kong->job->plugins->list, kong->job->plugins->count, state, error);
}

static void add_note(struct kong *kong, char *text)
{
    journal_add(kong->journal, false, json_pack("{s:s, s:o}", "event", "note", "text", json_text(text)));
    free(text);
}

/* Kong masks its password, but a plugin's migration may say anything. */
static char *mask(const char *line, const char *password)
{
    struct buf masked = {0};
    const char *found;
    if (password == NULL || strlen(password) < 4)
        return mem_dup(line);
    for (; (found = strstr(line, password)) != NULL; line = found + strlen(password)) {
        buf_add_bytes(&masked, line, (size_t)(found - line));
        buf_add(&masked, "******");
    }
    buf_add(&masked, line);
    return buf_take(&masked);
}

static void add_output(struct kong *kong, const char *line)
{
    char *text = mask(line, kong->job->datastore->password);
    kong->aborted = kong->aborted || strstr(text, ABORTED) != NULL;
    journal_add(kong->journal, false, json_pack("{s:s, s:o}", "event", "output", "text", json_text(text)));
    kong->told++;
    free(text);
}

/* Lines that have come since, as long as there is room. `rest`: what is kept of those that had none, too. */
static void tell_lines(struct kong *kong, const struct hook_lines *lines, bool rest)
{
    size_t count = lines->dropped + lines->count, from = kong->seen > lines->dropped ? kong->seen : lines->dropped;
    if (kong->told < KONG_OUTPUT_LINES && kong->told + count - from >= KONG_OUTPUT_LINES && !rest)
        add_note(kong, mem_dup("it says more than is kept: its last lines follow when it has ended"));
    if (!rest && kong->told >= KONG_OUTPUT_LINES)
        return;
    if (from > kong->seen)
        add_note(kong, mem_printf("%zu lines are not kept", from - kong->seen));
    for (kong->seen = from; kong->seen < count && (rest || kong->told < KONG_OUTPUT_LINES); kong->seen++)
        add_output(kong, hook_lines_get(lines, kong->seen - lines->dropped));
}

/* Whose lock it is can't be known: while the command lives, it is its own, or the one that it gives up for. */
static void renew(struct kong *kong)
{
    struct lock_info info;
    if (kong->pg == NULL || pg_lost(kong->pg) || clock_ms() - kong->renewed_at < RENEW_MS)
        return;
    kong->renewed_at = clock_ms();
    if (!lock_read(kong->pg, &info, NULL))
        return;
    if (info.held)
        lock_renew(kong->pg, info.owner, NULL);
    lock_info_free(&info);
}

static void on_tick(void *context, const struct hook_lines *lines)
{
    struct kong *kong = context;
    tell_lines(kong, lines, false);
    renew(kong);
}

static bool run_command(struct kong *kong, struct error *error)
{
    const struct run_job *job = kong->job;
    const struct kong_task *task = kong->task;
    char *timeout = mem_printf("%d", job->kong_deadline), *output_path = mem_printf("%s.out", job->kong_conf);
    /* A client that gives up before the server does leaves changes without their record (C9). */
    const char *const migrations[] = {job->kong, task->words[0], task->words[1], "-c", job->kong_conf, "--db-timeout", timeout, NULL};
    const char *const start[] = {job->kong, task->words[0], "-c", job->kong_conf, NULL};
    const struct supervision supervision = {
        .arguments = (char *const *)(uintptr_t)(task->words[1] != NULL ? migrations : start), .output_path = output_path,
        .deadline_seconds = job->kong_deadline, .stop = kong->stop, .tick = on_tick, .context = kong,
    };
    kong->renewed_at = clock_ms() - RENEW_MS + RENEW_FIRST_MS;
    bool run = supervise(&supervision, &kong->child, error);
    if (run)
        tell_lines(kong, &kong->child.lines, true);
    free(output_path);
    free(timeout);
    return run;
}

/* Kong's lock, which must be free before the command, and under which pending migrations are set aside, or put back. A database that has no
 * Kong 1.x yet has none. */
static bool with_lock(struct kong *kong, bool (*change)(struct pg *pg, struct error *error), struct error *error)
{
    bool there = false;
    if (!pg_ask(kong->pg, error, "SELECT to_regclass('locks') IS NOT NULL", &there))
        return false;
    if (!there)
        return true;
    if (kong->job->clear_dead_lock && !lock_clear_dead(kong->pg, error))
        return false;
    char *owner = lock_new_owner();
    bool done = lock_acquire(kong->pg, owner, error);
    if (done) {
        done = change(kong->pg, error);
        if (!lock_release(kong->pg, owner, done ? error : NULL))
            done = false;
    }
    free(owner);
    return done;
}

static bool reconnect(struct kong *kong, struct error *error)
{
    if (!pg_lost(kong->pg))
        return true;
    struct pg *pg = run_connect(kong->job->datastore, "worker", SHORT_MS, error);
    if (pg == NULL)
        return false;
    pg_close(kong->pg);
    kong->pg = pg;
    return lock_take_session(pg, error);
}

/* What it came to. */

static void add_names(struct buf *text, const char *subsystem, const struct names *names, const struct names *known, const struct names *known_too,
                      const char *behind, size_t *count)
{
    for (size_t i = 0; i < names->count; i++) {
        if ((known != NULL && names_have(known, names->list[i])) || (known_too != NULL && names_have(known_too, names->list[i])))
            continue;
        if (++*count <= NAMED)
            buf_addf(text, "%s%s %s%s", *count > 1 ? ", " : "", subsystem, names->list[i], behind);
    }
}

static const struct custom_state *find_custom(const struct state *state, const char *name)
{
    for (size_t i = 0; i < state->custom_count; i++)
        if (strcmp(state->customs[i].name, name) == 0)
            return &state->customs[i];
    return NULL;
}

static char *end_list(struct buf *text, size_t count)
{
    if (count > NAMED)
        buf_addf(text, " and %zu more", count - NAMED);
    return text->data != NULL ? buf_take(text) : NULL;
}

/* What was recorded of custom plugins since `before`; NULL: nothing. */
static char *recorded(const struct state *before, const struct state *after)
{
    struct buf text = {0};
    size_t count = 0;
    for (size_t i = 0; i < after->custom_count; i++) {
        const struct custom_state *each = &after->customs[i], *was = find_custom(before, each->name);
        add_names(&text, each->name, &each->executed, was != NULL ? &was->executed : NULL, NULL, "", &count);
        add_names(&text, each->name, &each->pending, was != NULL ? &was->pending : NULL, was != NULL ? &was->executed : NULL, " (pending until finish)", &count);
    }
    return end_list(&text, count);
}

/* What is pending, or, `new`, still to be run: of ours, or of custom plugins. NULL: nothing. */
static char *remaining(const struct state *state, bool custom, bool new)
{
    struct buf text = {0};
    size_t count = 0;
    for (size_t i = 0; custom && i < state->custom_count; i++)
        add_names(&text, state->customs[i].name, &state->customs[i].pending, NULL, NULL, "", &count);
    for (size_t i = 0; !custom && i < state->subsystem_count; i++) {
        const struct subsystem_state *each = &state->subsystems[i];
        add_names(&text, each->subsystem->name, new ? &each->new : &each->pending, NULL, NULL, "", &count);
        if (new)
            add_names(&text, each->subsystem->name, &each->missing, NULL, NULL, "", &count);
    }
    return end_list(&text, count);
}

/* As our own runs tell what they record. */
static void add_records(struct kong *kong, const char *subsystem, const struct names *names, const struct names *known, const char *state)
{
    for (size_t i = 0; i < names->count; i++)
        if (known == NULL || !names_have(known, names->list[i]))
            journal_add(kong->journal, false, json_pack("{s:s, s:o, s:o, s:s}", "event", "record", "subsystem", json_text(subsystem), "migration",
                                                        json_text(names->list[i]), "state", state));
}

static void tell_records(struct kong *kong, const struct state *after)
{
    for (size_t i = 0; i < after->subsystem_count; i++) {
        const struct subsystem_state *each = &after->subsystems[i], *was = &kong->before.subsystems[i];
        add_records(kong, each->subsystem->name, &each->executed, &was->executed, "executed");
        add_records(kong, each->subsystem->name, &each->pending, &was->pending, "pending");
    }
    for (size_t i = 0; i < after->custom_count; i++) {
        const struct custom_state *each = &after->customs[i], *was = find_custom(&kong->before, each->name);
        add_records(kong, each->name, &each->executed, was != NULL ? &was->executed : NULL, "executed");
        add_records(kong, each->name, &each->pending, was != NULL ? &was->pending : NULL, "pending");
    }
}

static char *command_of(const struct kong *kong)
{
    const struct kong_task *task = kong->task;
    return mem_printf("kong %s%s%s", task->words[0], task->words[1] != NULL ? " " : "", task->words[1] != NULL ? task->words[1] : "");
}

/* An expired or released lock is nobody's worry. */
static char *left_lock(struct kong *kong)
{
    struct lock_info info;
    char *text = NULL;
    if (kong->pg != NULL && lock_read(kong->pg, &info, NULL)) {
        if (info.held)
            text = mem_printf("; Kong's migrations lock is still held (%s), for %d s", info.owner, info.seconds_left);
        lock_info_free(&info);
    }
    return text != NULL ? text : mem_dup("");
}

/* Ended before its time, or with an exit code. `open`: what is not done, or NULL. */
static struct run_outcome unwell(struct kong *kong, const char *open)
{
    const struct supervised *child = &kong->child;
    char *command = command_of(kong), *lock = left_lock(kong);
    char *rest = open != NULL ? mem_printf("; not done: %s", open) : mem_dup("");
    struct run_outcome outcome = {RUN_FAILED, 1, NULL};
    if (child->stopped)
        outcome = (struct run_outcome){RUN_PAUSED, 10, mem_printf("`%s` was stopped as asked%s%s; start the same again to go on", command, rest, lock)};
    else
        outcome.message = mem_printf("`%s` %s%s%s%s; the log has what it said. Mend that, then start the same again", command,
                                     child->late ? "took too long and was ended: " : "failed: ", child->problem, rest, lock);
    free(rest);
    free(lock);
    free(command);
    return outcome;
}

static char *held_message(struct kong *kong)
{
    char *lock = left_lock(kong), *text = mem_printf("Kong did nothing: another process performs database changes%s; wait until it has ended, then start the same"
                                                     " again", lock);
    free(lock);
    return text;
}

/* What is not done: of Kong's own, and, where the command has failed after these, of custom plugins. A command that is not the one that it
 * says it is may have left anything. NULL: nothing. */
static char *not_done(const struct kong *kong, const struct state *after)
{
    bool finishes = kong->job->kind == PLAN_FINISH;
    if (after->stage == STAGE_EMPTY)
        return mem_dup("the whole schema");
    if (after->stage == STAGE_AHEAD || after->stage == STAGE_FOREIGN)
        return mem_dup(after->reason);
    char *open = remaining(after, false, !finishes);
    if (open == NULL && kong->child.problem != NULL && state_has_custom(after))
        open = mem_dup("perhaps migrations of custom plugins");
    return open;
}

static struct run_outcome judge_all(struct kong *kong, const struct state *after)
{
    char *open = not_done(kong, after);
    char *command = command_of(kong);
    struct run_outcome outcome;
    if (open == NULL)
        outcome = (struct run_outcome){RUN_DONE, 0, mem_printf("`%s` is complete: schema_meta says so%s", command,
            kong->job->kind == PLAN_UP ? "; 1.3 nodes may be started beside the old ones" : "")};
    else if (kong->aborted)
        outcome = (struct run_outcome){RUN_HELD, 9, held_message(kong)};
    else if (kong->child.problem != NULL)
        outcome = unwell(kong, open);
    else
        outcome = (struct run_outcome){RUN_FAILED, 1, mem_printf("`%s` ended with exit code 0, but schema_meta says that it is not done: %s; the log has what it"
                                                                 " said", command, open)};
    free(command);
    free(open);
    return outcome;
}

static struct run_outcome judge_custom(struct kong *kong, const struct state *after)
{
    bool finishes = kong->job->kind == PLAN_FINISH;
    char *open = finishes ? remaining(after, true, false) : NULL, *made = recorded(&kong->before, after), *command = command_of(kong);
    struct run_outcome outcome;
    if (kong->aborted)
        outcome = (struct run_outcome){RUN_HELD, 9, held_message(kong)};
    else if (kong->child.problem != NULL)
        outcome = unwell(kong, open);
    else if (open != NULL)
        outcome = (struct run_outcome){RUN_FAILED, 1, mem_printf("`%s` ended with exit code 0, but these are still pending: %s; the log has what it said", command, open)};
    else if (finishes)
        outcome = (struct run_outcome){RUN_DONE, 0, mem_printf("`%s` is complete: no migration of a custom plugin is pending", command)};
    else
        outcome = (struct run_outcome){RUN_DONE, 0, mem_printf(made != NULL ? "`%s` has run: %s" : "`%s` has found nothing to run for custom plugins%s", command,
                                                               made != NULL ? made : "")};
    if (outcome.result != RUN_DONE && made != NULL) {
        char *message = mem_printf("%s. Recorded were: %s", outcome.message, made);
        free(outcome.message);
        outcome.message = message;
    }
    free(command);
    free(made);
    free(open);
    return outcome;
}

static struct run_outcome judge_start(struct kong *kong)
{
    if (kong->child.problem != NULL)
        return unwell(kong, NULL);
    return (struct run_outcome){RUN_DONE, 0, mem_dup("`kong start` has ended well: Kong runs on this machine")};
}

/* What speaks against it, as for our own runs; of custom plugins' migrations, that ours come first: Kong's command would run them, too. */
static struct verdict check_order(const struct kong *kong)
{
    const struct state *state = &kong->before;
    bool finishes = kong->job->kind == PLAN_FINISH, complete = state->stage == STAGE_CURRENT || (state->stage == STAGE_PENDING && state_count_new(state) == 0);
    if (!kong->task->custom)
        return order_check(state, kong->job->kind, kong->job->resume);
    if (finishes && state->stage != STAGE_CURRENT)
        return (struct verdict){ORDER_REFUSED, 7, mem_dup("Kong's own migrations come first: run `finish`, then those of custom plugins")};
    if (!complete)
        return (struct verdict){ORDER_REFUSED, 7, mem_dup("Kong's own migrations come first: run `up`, then those of custom plugins")};
    if (finishes && state_count_custom_pending(state) == 0)
        return (struct verdict){ORDER_NOTHING, 0, mem_dup("nothing to do: no migration of a custom plugin is pending")};
    return (struct verdict){ORDER_GO, 0, NULL};
}

/* Custom plugins' `up` between `aside_set` and `aside_put_back`, where there is anything pending; for the others, what a crash has left aside
 * is put back first: Kong would not see it. */
static struct run_outcome run_migrations(struct kong *kong)
{
    struct error error = {0};
    struct state after;
    bool aside = kong->task->custom && kong->job->kind == PLAN_UP;
    if (!with_lock(kong, aside ? aside_set : aside_put_back, &error))
        return failed(&error);
    bool run = run_command(kong, &error);
    if (!run && !aside)
        return failed(&error);
    bool back = reconnect(kong, run ? &error : NULL) && (!aside || aside_put_back(kong->pg, run ? &error : NULL));
    if (!run || !back || !read_state(kong, &after, &error))
        return failed(&error);
    tell_records(kong, &after);
    struct run_outcome outcome = kong->task->custom ? judge_custom(kong, &after) : judge_all(kong, &after);
    state_free(&after);
    return outcome;
}

static struct run_outcome run_on_database(struct kong *kong)
{
    struct error error = {0};
    kong->pg = run_connect(kong->job->datastore, "worker", SHORT_MS, &error);
    if (kong->pg == NULL || !lock_take_session(kong->pg, &error) || !read_state(kong, &kong->before, &error))
        return failed(&error);
    struct verdict verdict = check_order(kong);
    if (verdict.order != ORDER_GO)
        return (struct run_outcome){verdict.order == ORDER_NOTHING ? RUN_NOTHING : RUN_REFUSED, verdict.exit_code, verdict.sentence};
    journal_add(kong->journal, true, json_pack("{s:s, s:o, s:[]}", "event", "plan", "from", json_text(kong->before.version), "changes"));
    return run_migrations(kong);
}

struct run_outcome kong_run(const struct run_job *job, struct journal *journal, const volatile sig_atomic_t *stop)
{
    struct error error = {0};
    struct kong kong = {.job = job, .task = kong_task_find(job->command), .journal = journal, .stop = stop};
    struct run_outcome outcome;
    if (kong.task == NULL)
        outcome = (struct run_outcome){RUN_REFUSED, 7, mem_dup("Kong has no such command")};
    else if (strcmp(job->command, KONG_START) != 0)
        outcome = run_on_database(&kong);
    else
        outcome = run_command(&kong, &error) ? judge_start(&kong) : failed(&error);
    unlink(job->kong_conf);
    supervised_free(&kong.child);
    state_free(&kong.before);
    pg_close(kong.pg);
    return outcome;
}
