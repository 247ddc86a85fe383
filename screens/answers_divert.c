/* Answers from a file: the traffic, stage by stage, and back where the new cluster answers worse. */
#include "screens/answers_internal.h"

#include "core/base/mem.h"
#include "screens/hooks.h"

#include <stdio.h>
#include <stdlib.h>

/* The new cluster answers worse. Back is where all old nodes are. */
static void retreat(struct answers *answers, struct wizard *wizard)
{
    const struct model *model = &wizard->model;
    size_t old = model_count_nodes(model, CLUSTER_OLD, NULL), there = model_count_nodes(model, CLUSTER_OLD, node_is_there);
    bool can_go_back = hooks_enabled(model, HOOK_DIVERT) && model->diverted_at != 0 && model->diverted > 0 && there == old && old > 0;
    if (answers->worse == WORSE_STOP || !can_go_back)
        answers_stop(wizard, 7, "%s", model->verdict.sentence);
    if (wizard->leaving || !answers_is_at(answers, wizard, STEP_DIVERT))
        return;
    free(answers->retreat);
    answers->retreat = mem_dup(model->verdict.sentence);
    answers_will_say(answers, "divert", "0 %", NULL);
}

static const char *label_of_percent(int percent)
{
    static char label[16];
    snprintf(label, sizeof label, "%d %%", percent);
    return label;
}

/* The next stage, once the one before has lasted. */
static void divert_on(struct answers *answers, struct wizard *wizard, int now)
{
    const struct model *model = &wizard->model;
    char advice[512];
    size_t next = 0;
    int pause_s = answers->pause_s >= 0 ? answers->pause_s : hooks_wait(&model->app.fleet.hooks);
    while (next < answers->percent_count && answers->percents[next] <= now)
        next++;
    if (next == answers->percent_count || (now > 0 && model->now - model->diverted_at < (int64_t)pause_s * 1000))
        return;
    divert_advice(model, answers->percents[next], advice, sizeof advice);
    bool pauses_less = divert_wait_left(model) > 0 && answers->pause_s >= 0;   /* the file says for how long, and that is over */
    if (advice[0] != '\0' && !pauses_less && answers_may_wait(answers, STEP_DIVERT))
        return;
    if (advice[0] != '\0' && !pauses_less && answers->worse != WORSE_IGNORE)
        answers_stop(wizard, 7, "%s", advice);
    else if (!answers_is_at(answers, wizard, STEP_DIVERT))
        return;
    else if (advice[0] != '\0')
        answers_will_say(answers, "divert", label_of_percent(answers->percents[next]), "Move it now", NULL);
    else
        answers_will_say(answers, "divert", label_of_percent(answers->percents[next]), NULL);
    answers->waits_since = 0;
}

bool answers_are_diverted(struct answers *answers, struct wizard *wizard)
{
    const struct model *model = &wizard->model;
    int now = model->diverted_at != 0 ? model->diverted : 0;
    if (answers->retreat != NULL && now == 0)
        answers_stop(wizard, 7, "%s Traffic was moved back: the old cluster serves all of it", answers->retreat);
    if (wizard->leaving)
        return false;
    if (model->verdict.level == VERDICT_WORSE && answers->worse != WORSE_IGNORE) {
        retreat(answers, wizard);
        return false;
    }
    if (answers->percent_count > 0 && now < 100 && !model->upgrade.gates[STEP_DECOMMISSION].open) {
        if (!hooks_has(model, HOOK_DIVERT))
            answers_stop(wizard, 7, "[divert] wants traffic moved, and fleet.ini has no divert hook");
        else
            divert_on(answers, wizard, now);
        return false;
    }
    if (wizard->view.shown < STEP_DIVERT && !answers_is_at(answers, wizard, STEP_DIVERT))
        return false;
    return answers_pass(answers, wizard, STEP_DECOMMISSION);
}
