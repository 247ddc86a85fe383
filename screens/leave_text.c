/* What "Leave the upgrade" says: how things stand if one stops here, what a rollback costs, and what is in its way. */
#include "screens/leave.h"

#include "core/base/buf.h"
#include "screens/fleet_nodes.h"
#include "screens/hooks.h"

#include <stdio.h>
#include <string.h>

static bool has_begun(const struct model *model)
{
    return (model->state.stage == STAGE_PENDING && !model_finish_first(model)) || model->resume || model->run_alive || model_is_half_back(model);
}

static bool is_too_late(const struct model *model)
{
    return model_finish_begun(model) || model->way_back.rollback.too_late;
}

/* An old node that needs what would be undone; NULL: none. */
static const struct node *find_newer(const struct model *model)
{
    for (size_t i = 0; i < model->node_count; i++)
        if (model->nodes[i].node->cluster == CLUSTER_OLD && fleet_is_newer(model->nodes[i].node, model->way_back.to))
            return model->nodes[i].node;
    return NULL;
}

/* A hook may be just starting new nodes. */
const char *leave_refusal(const struct model *model, char *text, size_t size)
{
    if (model_refusal_to_roll_back(model, text, size)[0] != '\0')
        return text;
    const struct node *newer = find_newer(model);
    if (newer != NULL)
        snprintf(text, size, "Old node %.60s runs Kong %.20s and needs what a rollback to %s undoes: go back to its release, or stop it.", newer->name, newer->version,
                 kong_version_names[model->way_back.to]);
    else if (hooks_run(model))
        snprintf(text, size, "A hook of fleet.ini still runs: wait until it has ended.");
    return text;
}

/* The first way: to stop here. */

static void add_runs(struct prose *prose, const struct model *model)
{
    if (model->run_alive)
        prose_add_mark(prose, MARK_WAIT, "The worker goes on with `%s` when you leave; x on step 1 asks it to stop first.", model->run.command);
    else if (model_is_watching(model))
        prose_add_mark(prose, MARK_WAIT, "Someone else's run goes on.");
}

static void add_stop(struct prose *prose, const struct model *model)
{
    bool complete = model_is_up(model);
    prose_add(prose, PROSE_HEADING, "1. Stop here, and go on another day");
    if (is_too_late(model)) {
        prose_add_mark(prose, MARK_INFO, model->state.stage == STAGE_CURRENT ? "The upgrade is done: press q to quit."
                                                                             : "Press q to quit. Nothing breaks half-way, but only 1.3 nodes may run on the database: go on to the end of step 5 soon.");
        add_runs(prose, model);
        return;
    }
    if (!has_begun(model)) {
        prose_add_mark(prose, MARK_OK, "Nothing was changed yet. Press q to quit; the wizard opens here again.");
        return;
    }
    prose_add_mark(prose, MARK_OK, "It harms nothing. Press q to quit; the wizard opens here again, on this or another machine.");
    add_runs(prose, model);
    prose_add(prose, PROSE_BULLET, complete                    ? "The database stays migrated up, for as long as you like."
                                   : model_is_half_back(model) ? "The database stays half-way back: that does no harm. Roll back to its end, or migrate up again."
                                                               : "The database stays half-way: what was added does no harm, and step 1 goes on from there.");
    prose_add(prose, PROSE_BULLET, "%s nodes work on as before: they serve, write, and can be restarted.", model->state.from_014 ? "0.14" : "Old");
    prose_add(prose, PROSE_BULLET, complete ? "1.3 nodes may serve beside them, or be stopped; traffic may be moved either way. Leave the new nodes' Admin API alone."
                                            : "1.3 nodes can't start before step 1 is complete.");
    prose_add(prose, PROSE_BULLET, "See to it that no one runs `finish` meanwhile, or Kong's own `migrations finish`.");
}

/* The second: to roll back. */

static void add_restore(struct prose *prose, const struct model *model)
{
    const struct backup_made *newest = backups_newest(&model->backups);
    struct buf commands = {0};
    if (newest == NULL) {
        prose_add_mark(prose, MARK_DANGER, "Only a backup brings the old cluster back. None that was made from here is known.");
        return;
    }
    backup_add_commands(&commands, newest);
    prose_add_mark(prose, MARK_DANGER, "Only a backup brings the old cluster back. Stop all Kong nodes, then run this as a superuser of the database:");
    char *rest = NULL;
    for (char *line = strtok_r(commands.data, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
        prose_add(prose, PROSE_LITERAL, "%s", line);
    buf_free(&commands);
}

/* In numbers; what stays, but the old release can't deal with, is told apart. */
static void add_losses(struct prose *prose, const struct losses *losses)
{
    size_t lost = 0;
    for (size_t i = 0; i < losses->count; i++)
        lost += losses->list[i].destroys ? 1 : 0;
    if (lost == 0)
        prose_add_mark(prose, MARK_OK, "Nothing that was written since is lost.");
    for (size_t i = 0; i < losses->count; i++)
        if (losses->list[i].rows >= 0)
            prose_add_mark(prose, losses->list[i].destroys ? MARK_DANGER : MARK_WARN, "%s: %lld", losses->list[i].what, (long long)losses->list[i].rows);
        else
            prose_add_mark(prose, losses->list[i].destroys ? MARK_DANGER : MARK_WARN, "%s", losses->list[i].what);
}

/* What `up` changed and keeps no copy of (migrations.md: 003, and the types of 001). */
static void add_not_restored(struct prose *prose, enum kong_version to)
{
    if (to < KONG_1_0)
        prose_add_mark(prose, MARK_INFO, "Not restored: fractions of seconds in created_at, which `up` has cut off, and the spelling of json, which is jsonb's now.");
    else if (to < KONG_1_1)
        prose_add_mark(prose, MARK_INFO, "Not restored: fractions of seconds in created_at, which `up` has cut off.");
}

void leave_add_losses(struct prose *prose, const struct way_back *back)
{
    add_losses(prose, &back->losses);
    add_not_restored(prose, back->to);
}

static bool is_in_the_way(const struct model *model, const struct node *node)
{
    return node->cluster == CLUSTER_NEW && !node_is_gone(node, model->now, UPGRADE_GONE_MS);
}

static void add_nodes(struct prose *prose, const struct model *model)
{
    size_t count = 0;
    for (size_t i = 0; i < model->node_count; i++) {
        const struct node *node = model->nodes[i].node;
        if (!is_in_the_way(model, node))
            continue;
        count++;
        if (node_is_there(node))
            prose_add_mark(prose, MARK_DANGER, "New node %s still answers: stop it.", node->name);
        else
            prose_add_mark(prose, MARK_UNKNOWN, "New node %s: whether it is stopped is not known%s", node->name,
                           node->state == NODE_UNKNOWN ? "; see why on step 2." : " yet; a moment.");
    }
    if (count == 0 && fleet_count(&model->app.fleet, CLUSTER_NEW) > 0)
        prose_add_mark(prose, MARK_OK, "No new node of fleet.ini answers.");
    else if (count == 0)
        prose_add_mark(prose, MARK_UNKNOWN, "No new node is in fleet.ini: that none lives can't be seen from here.");
}

/* It is for the operator to say which release it was; once a rollback has begun, its records tell. */
bool leave_is_in_doubt(const struct model *model)
{
    size_t count = 0;
    for (int version = 0; version < KONG_VERSIONS; version++)
        count += (model->way_back.rollback.releases & 1u << version) != 0 ? 1 : 0;
    return count > 1 && !model_is_half_back(model);
}

static void add_open(struct prose *prose, const struct model *model)
{
    const struct way_back *back = &model->way_back;
    const char *name = kong_version_names[back->to];
    char reason[512];
    size_t changes = plan_remaining(&back->plan);
    prose_add(prose, PROSE_PARAGRAPH, "%zu change%s undone, each as carefully as it was made, beside live traffic of the old nodes. Then the database is Kong %s's as before step 1.",
              changes, changes == 1 ? " is" : "s are", name);
    if (leave_is_in_doubt(model))
        prose_add_mark(prose, MARK_WARN, "Was it Kong %s's before? The database does not tell for sure. Press c for another release.", name);
    leave_add_losses(prose, back);
    add_nodes(prose, model);
    leave_refusal(model, reason, sizeof reason);
    if (model->starting)
        prose_add_mark(prose, MARK_WAIT, "Asking the nodes once more, then starting the worker.");
    else if (reason[0] != '\0')
        prose_add_mark(prose, MARK_DANGER, "%s", reason);
    else
        prose_add_mark(prose, MARK_INFO, "Press r to roll back: the database's name must be typed first.");
}

static void add_back(struct prose *prose, const struct model *model)
{
    const struct way_back *back = &model->way_back;
    const char *sentence = back->verdict.sentence != NULL ? back->verdict.sentence : back->rollback.sentence;
    prose_add(prose, PROSE_HEADING, "2. Roll back to %s", way_back_name(back));
    if (model_finish_first(model)) {
        prose_add_mark(prose, MARK_OK, "There is nothing to roll back: this upgrade has not begun.");
    } else if (is_too_late(model)) {
        prose_add_mark(prose, MARK_DANGER, "Impossible: step 5 has begun.");
        add_restore(prose, model);
    } else if (model->looking_back || !back->looked) {
        prose_add_mark(prose, MARK_WAIT, "Looking at what would be undone, and what would be lost.");
    } else if (back->problem != NULL) {
        prose_add_mark(prose, MARK_DANGER, "%s", back->problem);
    } else if (back->rollback.nothing && !way_back_is_open(back)) {
        prose_add_mark(prose, MARK_OK, "There is nothing to roll back: nothing of this upgrade is in the database.");
    } else if (back->verdict.order != ORDER_GO || back->to == KONG_VERSIONS) {
        prose_add_mark(prose, MARK_DANGER, "It can't be: %s.", sentence != NULL ? sentence : "no release is known to go back to");
    } else {
        add_open(prose, model);
    }
}

void leave_fill(struct prose *prose, const struct model *model)
{
    add_stop(prose, model);
    add_back(prose, model);
}

