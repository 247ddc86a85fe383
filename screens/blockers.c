/* Who is in the way of the run, and what the operator can do about it: cancel the query, or end the session, after its number was typed. */
#include "core/base/mem.h"
#include "screens/loop.h"
#include "screens/screen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char leave[] = "Leave it", cancel[] = "Cancel its query", end[] = "End its session", next[] = "Next";

bool blockers_are_there(const struct model *model)
{
    return model->run_alive && model->run.waiting && model->run.blocker_count > 0;
}

static const struct run_blocker *find(const struct model *model, int pid)
{
    for (size_t i = 0; blockers_are_there(model) && i < model->run.blocker_count; i++)
        if (model->run.blockers[i].pid == pid)
            return &model->run.blockers[i];
    return NULL;
}

/* Of another role's session not even its state may be seen: then it may well run a query. */
static bool is_idle(const struct run_blocker *blocker)
{
    return strncmp(blocker->state, "idle", strlen("idle")) == 0;
}

static void add_blocker(struct prose *prose, const struct run_blocker *each, bool chosen)
{
    const char *application = each->application[0] != '\0' ? each->application : "no application name";
    const char *state = each->state[0] != '\0' ? each->state : "state not shown";
    prose_add_mark(prose, chosen ? MARK_WARN : MARK_INFO, "Backend %d: %s, %s, %s for %d s", each->pid, application, each->address, state, each->seconds);
    if (chosen && each->query[0] != '\0')
        prose_add(prose, PROSE_LITERAL, "%s", each->query);
}

static void blocker_answered(struct wizard *wizard, size_t answer);

static void open_at(struct wizard *wizard, size_t at)
{
    const struct run_view *run = &wizard->model.run;
    const struct run_blocker *chosen = &run->blockers[at];
    struct prose *prose = &wizard->view.text;
    struct dialog_model dialog = {.title = "In the way of the run", .mark = MARK_WARN, .type_label = "Type the number of the backend"};
    char pid[16];
    prose_clear(prose);
    for (size_t i = 0; i < run->blocker_count; i++)
        add_blocker(prose, &run->blockers[i], i == at);
    prose_add(prose, PROSE_PARAGRAPH, is_idle(chosen) ? "It runs no query: only the end of its session helps. What it has not committed is rolled back."
                                                      : "A cancelled query fails, its session lives on. With the session's end, what it has not committed is rolled back.");
    prose_add(prose, PROSE_PARAGRAPH, "The run tries again by itself until its deadline: to wait is always safe.");
    dialog.answers[dialog.answer_count++] = (struct dialog_answer){leave, false};
    if (!is_idle(chosen))
        dialog.answers[dialog.answer_count++] = (struct dialog_answer){cancel, true};
    dialog.answers[dialog.answer_count++] = (struct dialog_answer){end, true};
    if (run->blocker_count > 1)
        dialog.answers[dialog.answer_count++] = (struct dialog_answer){next, false};
    snprintf(pid, sizeof pid, "%d", chosen->pid);
    dialog.must_type = pid;
    wizard->view.blocker_pid = chosen->pid;
    wizard_open_dialog(wizard, &dialog, blocker_answered);
}

/* Others may be in the way by now than those that were shown. */
static void blocker_answered(struct wizard *wizard, size_t answer)
{
    const struct run_view *run = &wizard->model.run;
    const char *label = wizard->view.dialog.answers[answer].label;
    const struct run_blocker *blocker = find(&wizard->model, wizard->view.blocker_pid);
    if (label == leave)
        return;
    if (label == next && blockers_are_there(&wizard->model)) {
        open_at(wizard, blocker != NULL ? ((size_t)(blocker - run->blockers) + 1) % run->blocker_count : 0);
        return;
    }
    if (blocker == NULL)
        wizard_say(wizard, MARK_INFO, "Backend %d is no longer in the way: nothing was done.", wizard->view.blocker_pid);
    else
        loop_end_blocker(wizard, blocker, label == end);
}

void blockers_open(struct wizard *wizard)
{
    if (blockers_are_there(&wizard->model))
        open_at(wizard, 0);
}
