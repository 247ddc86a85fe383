#include "screens/model.h"

#include "core/backup/backup.h"
#include "core/base/mem.h"
#include "core/kong_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t model_count_nodes(const struct model *model, enum cluster cluster, bool (*which)(const struct node *node))
{
    size_t count = 0;
    for (size_t i = 0; i < model->node_count; i++) {
        const struct node *node = model->nodes[i].node;
        count += node->cluster == cluster && (which == NULL || which(node)) ? 1 : 0;
    }
    return count;
}

/* Nodes that are neither there nor certainly gone. */
static size_t count_uncertain(const struct model *model, enum cluster cluster)
{
    size_t count = 0;
    for (size_t i = 0; i < model->node_count; i++) {
        const struct node *node = model->nodes[i].node;
        bool certain = node_is_there(node) || node_is_gone(node, model->now, UPGRADE_GONE_MS);
        count += node->cluster == cluster && !certain ? 1 : 0;
    }
    return count;
}

static bool is_unknown(const struct node *node)
{
    return node->state == NODE_UNKNOWN;
}

/* A name of fleet.ini may stand for many. */
static size_t count_nodes(const struct model *model, enum cluster cluster)
{
    size_t named = fleet_count(&model->app.fleet, cluster), watched = model_count_nodes(model, cluster, NULL);
    return watched > named ? watched : named;
}

static bool is_legacy(const struct node *node)
{
    return node_is_there(node) && node->version != NULL && strncmp(node->version, "0.", 2) == 0;
}

/* Old nodes of which it can't be said that they are gone, nor that they are a 1.x. */
static size_t count_possibly_legacy(const struct model *model)
{
    size_t count = 0;
    for (size_t i = 0; i < model->node_count; i++) {
        const struct node *node = model->nodes[i].node;
        bool newer = node->state == NODE_ANSWERS && node->version != NULL, gone = node_is_gone(node, model->now, UPGRADE_GONE_MS);
        count += node->cluster == CLUSTER_OLD && !newer && !gone ? 1 : 0;
    }
    return count;
}

static bool is_fresh(int poll_age)
{
    return poll_age >= 0 && poll_age <= SESSIONS_FRESH_S;
}

static size_t count_polling(const struct sessions *sessions, bool legacy)
{
    size_t count = 0;
    for (size_t i = 0; i < sessions->count; i++) {
        const struct session *each = &sessions->list[i];
        count += each->legacy == legacy && is_fresh(each->poll_age) ? 1 : 0;
    }
    return count;
}

size_t model_count_legacy(const struct sessions *sessions)
{
    return count_polling(sessions, true);
}

size_t model_count_later(const struct sessions *sessions)
{
    return count_polling(sessions, false);
}

/* More addresses that no one named than there are new nodes which are not seen at their own. Several new ones on a host are seen as one,
 * and so would leave room for an old one among all. */
static bool sees_too_many_strangers(const struct model *model)
{
    size_t strangers = 0, unseen = 0;
    for (size_t i = 0; i < model->stranger_count; i++)
        strangers += is_fresh(model->strangers[i]->poll_age) ? 1 : 0;
    for (size_t i = 0; i < model->node_count; i++)
        unseen += model->nodes[i].node->cluster == CLUSTER_NEW && !is_fresh(model->nodes[i].poll_age) ? 1 : 0;
    return strangers > unseen;
}

bool model_sees_old_sessions(const struct model *model)
{
    size_t new_nodes = count_nodes(model, CLUSTER_NEW);
    return model_count_legacy(&model->sessions) > 0 || model->old_polls > 0 ||
           (new_nodes > 0 && (model->sessions.live > new_nodes || sees_too_many_strangers(model)));
}

/* What the database saw stays seen for so long that a gap between two looks hides nobody. */
void model_note_sessions(struct model *model, int64_t before, int64_t now)
{
    if (model_sees_old_sessions(model))
        model->old_session_at = now;
    else if (model->old_session_at > 0 && now - before > SESSIONS_FRESH_S * 1000)
        model->old_session_at += now - before;
}

/* In [new], of another release, and not certainly gone. */
static size_t count_misplaced(const struct model *model)
{
    size_t count = 0;
    for (size_t i = 0; i < model->node_count; i++) {
        const struct node *node = model->nodes[i].node;
        count += node_is_misplaced(node) && !node_is_gone(node, model->now, UPGRADE_GONE_MS) ? 1 : 0;
    }
    return count;
}

static void count_checks(const struct model *model, struct upgrade_facts *facts)
{
    facts->checks_run = model->checks_run;
    for (size_t i = 0; i < model->checks.count; i++) {
        const struct check_result *each = &model->checks.list[i];
        bool blocks = each->outcome == CHECK_FOUND && each->severity == CHECK_BLOCKS;
        bool waits = each->outcome == CHECK_WAITING;
        facts->checks_blocking += blocks ? 1 : 0;
        facts->checks_waiting += waits ? 1 : 0;
        facts->checks_open += !blocks && !waits && check_is_open(each, &model->acknowledged) ? 1 : 0;
    }
}

/* This upgrade's `up` is under way, or was cut short a moment ago. */
static bool has_begun(const struct model *model)
{
    bool shown = model->journal_path != NULL && model->run_is_news && model->run.command != NULL;
    return shown && strcmp(model->run.command, "up") == 0 && (model->run_alive || model->run.change_count > 0);
}

bool model_finish_first(const struct model *model)
{
    return model->has_state && order_finish_first(&model->state, model->resume) && !has_begun(model);
}

void model_facts(const struct model *model, struct upgrade_facts *facts)
{
    *facts = (struct upgrade_facts){
        .state = model->has_state ? &model->state : NULL,
        .worker_running = (model->run_alive && !model_backs_up(model)) || model_is_watching(model),
        .worker_finishing = model->run_alive ? !model_backs_up(model) && model_runs(model, STEP_FINISH) : model_is_watching(model) && model_is_up(model),
        .finish_first = model_finish_first(model),
        .old_nodes = count_nodes(model, CLUSTER_OLD),
        .old_answering = model_count_nodes(model, CLUSTER_OLD, node_is_there),
        .old_silent_too_short = count_uncertain(model, CLUSTER_OLD),
        .old_unknown = model_count_nodes(model, CLUSTER_OLD, is_unknown),
        .new_nodes = count_nodes(model, CLUSTER_NEW),
        .new_ready = model_count_nodes(model, CLUSTER_NEW, node_is_ready),
        .legacy_answering = model_count_nodes(model, CLUSTER_OLD, is_legacy) + model_count_nodes(model, CLUSTER_NEW, is_legacy),
        .legacy_possible = count_possibly_legacy(model),
        .new_answering = model_count_nodes(model, CLUSTER_NEW, node_is_there),
        .new_silent_too_short = count_uncertain(model, CLUSTER_NEW),
        .new_unknown = model_count_nodes(model, CLUSTER_NEW, is_unknown),
        .new_misplaced = count_misplaced(model),
        .later_sessions = model_count_later(&model->sessions),
        .live_sessions = model->sessions.live,
        .legacy_sessions = model_count_legacy(&model->sessions),
        .old_session_ms = model->old_session_at > 0 ? model->state_at - model->old_session_at : -1,
        .old_answered_ms = model->old_answered_at > 0 ? model->now - model->old_answered_at : -1,
        .old_rps = model->rps[CLUSTER_OLD],
        .new_rps = model->rps[CLUSTER_NEW],
        .old_quiet_ms = model->old_quiet_ms,
        .quiet_needed_ms = (int64_t)model->app.fleet.quiet_seconds * 1000,
        .quiet_rps = model->app.fleet.quiet_rps,
    };
    count_checks(model, facts);
    for (int step = 0; step < STEPS; step++)
        facts->overruled[step] = names_have(&model->overruled, step_texts[step].word);
}

void model_derive(struct model *model)
{
    struct upgrade_facts facts;
    model_facts(model, &facts);
    upgrade_derive(&facts, &model->upgrade);
}

bool model_backs_up(const struct model *model)
{
    return model->journal_path != NULL && model->run.command != NULL && strcmp(model->run.command, BACKUP_COMMAND) == 0;
}

/* One that finishes an earlier upgrade belongs to step 1, of which it is the beginning: when it has ended well, that step goes on. */
bool model_runs(const struct model *model, enum step step)
{
    if (model->journal_path == NULL || !model->run_is_news || model->run.command == NULL)
        return false;
    if (strcmp(model->run.command, KONG_CUSTOM_UP) == 0)
        return step == STEP_UP;
    if (strcmp(model->run.command, KONG_CUSTOM_FINISH) == 0)
        return step == STEP_FINISH;
    if (strcmp(model->run.command, KONG_START) == 0)
        return step == STEP_DONE;
    if (model_backs_up(model))
        return model->run_alive && step == (model_is_up(model) ? STEP_FINISH : STEP_UP);
    bool finishes = strcmp(model->run.command, "finish") == 0, first = finishes && model->has_state && !model_is_up(model);
    if (first && model->run.ended && model->run.exit_code == 0)
        return false;
    return step == (finishes && !first ? STEP_FINISH : STEP_UP);
}

bool model_is_up(const struct model *model)
{
    const struct state *state = &model->state;
    return model->has_state && (state->stage == STAGE_CURRENT || (state->stage == STAGE_PENDING && state_count_new(state) == 0));
}

bool model_rolls_back(const struct model *model)
{
    return model_runs(model, STEP_UP) && strcmp(model->run.command, ROLLBACK_COMMAND) == 0;
}

bool model_is_half_back(const struct model *model)
{
    return model_rolls_back(model) && !model->run_alive && !(model->run.ended && model->run.exit_code == 0);
}

bool model_finish_begun(const struct model *model)
{
    bool runs = !model_backs_up(model) && model_runs(model, STEP_FINISH) && (model->run.done_count > 0 || model->run.kong != NULL);
    return runs || (model->has_state && model->state.stage == STAGE_CURRENT);
}

/* Of a worker of ours that has just ended the last look at the database still tells. */
bool model_is_watching(const struct model *model)
{
    return model->has_state && model->state.lock.worker_alive && !model->state.lock.backs_up && !model->run_alive && !model->starting &&
           !lock_is_of(&model->state.lock, model->run.host, model->run.pid);
}

const char *model_watched(const struct model *model, char *text, size_t size)
{
    char *sentence = model_is_watching(model) ? lock_sentence(&model->state.lock) : NULL;
    snprintf(text, size, "%s%s", sentence != NULL ? sentence : "", sentence != NULL ? "; you can watch, not start." : "");
    free(sentence);
    return text;
}

const char *model_go_on(const struct model *model, enum step next)
{
    static char text[40];
    int number = step_texts[next].number;
    text[0] = '\0';
    if (model->upgrade.here != STEP_DONE)
        snprintf(text, sizeof text, " Go on to step %d: press %d.", number, number);
    return text;
}

/* What keeps anything from being started; false: nothing does. */
static bool is_busy(const struct model *model, char *text, size_t size)
{
    text[0] = '\0';
    if (model->starting || model->run_alive) {
        snprintf(text, size, "A worker runs already.");
    } else if (!model->has_state) {
        snprintf(text, size, "The database has not answered yet.");
    } else if (model_is_watching(model)) {
        model_watched(model, text, size);
    } else if (model->state.lock.worker_alive && model->state.lock.backs_up) {
        char *sentence = lock_sentence(&model->state.lock);
        snprintf(text, size, "Wait a moment: %s.", sentence);
        free(sentence);
    }
    return text[0] != '\0';
}

static const char *refuse(const struct model *model, enum plan_kind kind, const struct gate *gate, char *text, size_t size)
{
    if (is_busy(model, text, size))
        return text;
    struct verdict verdict = order_check(&model->state, kind, model->resume);
    if (verdict.order != ORDER_GO)
        snprintf(text, size, "%s", verdict.sentence);
    else if (!gate->open)
        snprintf(text, size, "%s", gate->reason);
    free(verdict.sentence);
    return text;
}

const char *model_refusal(const struct model *model, enum step step, char *text, size_t size)
{
    enum plan_kind kind = step == STEP_FINISH ? PLAN_FINISH : model->state.stage == STAGE_EMPTY ? PLAN_BOOTSTRAP : PLAN_UP;
    refuse(model, kind, &model->upgrade.gates[step], text, size);
    if (text[0] == '\0' && model->app.fleet.kong_engine && model->kong.problem != NULL)
        snprintf(text, size, "fleet.ini says engine = kong, but %s.", model->kong.problem);
    return text;
}

const char *model_refusal_to_finish_first(const struct model *model, char *text, size_t size)
{
    return refuse(model, PLAN_FINISH, &model->upgrade.finish_first, text, size);
}

const char *model_refusal_to_roll_back(const struct model *model, char *text, size_t size)
{
    const struct gate *gate = &model->upgrade.rollback;
    if (is_busy(model, text, size))
        return text;
    if (model->looking_back || !way_back_is_open(&model->way_back) || model_finish_first(model))
        snprintf(text, size, "The way back is not known to be open.");
    else if (!gate->open)
        snprintf(text, size, "%s", gate->reason);
    return text;
}

void model_free(struct model *model)
{
    if (model->configured)
        app_free(&model->app);
    if (model->has_state)
        state_free(&model->state);
    plan_free(&model->plan);
    losses_free(&model->losses);
    sessions_free(&model->sessions);
    free(model->strangers);
    free(model->fleet_polls);
    api_guard_free(&model->guard);
    check_results_free(&model->checks);
    names_free(&model->acknowledged);
    names_free(&model->overruled);
    backups_free(&model->backups);
    if (model->journal_path != NULL)
        journal_reader_close(&model->reader);
    run_view_free(&model->run);
    hook_follow_end(&model->hook);
    kong_binary_free(&model->kong);
    absence_free(&model->absence);
    way_back_free(&model->way_back);
    free(model->nodes);
    free(model->journal_path);
    free(model->conf_error);
    free(model->state_error);
    free(model->report);
    *model = (struct model){0};
}
