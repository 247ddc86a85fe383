/* Checks: what the nodes themselves say, and whether the new ones' Admin API was used too early. */
#include "core/checks/look.h"

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/cluster/api_guard.h"
#include "core/cluster/ask.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define ASK_MS 4500
#define ASK_SSH_MS 6000  /* where some are behind ssh, which has to log in first */
#define SPARE_MS 500     /* before the check's own deadline */

/* Releases that are no good to begin from. */
static bool is_release(const struct node *node, const char *release)
{
    return node->version != NULL && strcmp(node->version, release) == 0;
}

static void copy_new_nodes(const struct fleet *fleet, struct fleet *new_nodes)
{
    fleet_copy(new_nodes, fleet);
    for (size_t i = new_nodes->count; i-- > 0;)
        if (new_nodes->nodes[i].cluster != CLUSTER_NEW)
            fleet_remove(new_nodes, new_nodes->nodes[i].name);
}

static bool ask(const struct check_subject *subject, struct check_result *result, const struct fleet *fleet, node_judge *judge, void *context)
{
    struct error error = {0};
    int64_t left = subject->deadline_ms - clock_ms() - SPARE_MS, patience = fleet_has_ssh(fleet) ? ASK_SSH_MS : ASK_MS;
    bool asked = nodes_ask(fleet, &subject->conf->pg, (int)(left < 0 ? 0 : left < patience ? left : patience), judge, context, &error);
    if (!asked)
        look_unable_for(result, &error);
    error_clear(&error);
    return asked;
}

struct round {
    const struct check_subject *subject;
    struct check_result *result;
    size_t found, old_there, new_there, silent, unasked;
};

static void __attribute__((format(printf, 2, 3))) tell_node(struct round *round, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *sentence = mem_vprintf(format, arguments);
    va_end(arguments);
    if (round->found++ < LOOK_ROWS)
        look_found(round->result, CHECK_WARNS, "%s", sentence);
    free(sentence);
}

static void judge_release(struct round *round, const struct node *node)
{
    if (node->cluster == CLUSTER_OLD && is_release(node, "1.0.1") && round->subject->conf->pg.ssl) {
        tell_node(round, "%s runs Kong 1.0.1, which does not start with pg_ssl on: once stopped, it does not come back", node->name);
        look_remedy(round->result, "# %s: Kong 1.0.2 or later before the upgrade, or don't restart it", node->name);
    } else if (node->cluster == CLUSTER_OLD && is_release(node, "0.14.0")) {
        tell_node(round, "%s runs Kong 0.14.0: the upgrade begins at 0.14.1", node->name);
        look_remedy(round->result, "# %s: Kong 0.14.1 before the upgrade (its migrations are those of 0.14.0)", node->name);
    }
}

static void see_node(const struct node *node, void *context)
{
    struct round *round = context;
    round->silent += node_is_there(node) ? 0 : 1;
    if (node->state == NODE_UNKNOWN && node->ssh != NULL && node->problem != NULL && round->unasked++ < LOOK_ROWS)
        look_note(round->result, "%s node %s %s", cluster_name(node->cluster), node->name, node->problem);
    if (!node_is_there(node))
        return;
    round->old_there += node->cluster == CLUSTER_OLD ? 1 : 0;
    round->new_there += node->cluster == CLUSTER_NEW ? 1 : 0;
    if (node->problem != NULL) {
        tell_node(round, "%s node %s %s", cluster_name(node->cluster), node->name, node->problem);
        look_remedy(round->result, "%s%s%scurl %s/  # what %s says of itself", node->ssh != NULL ? "ssh " : "", node->ssh != NULL ? node->ssh : "",
                    node->ssh != NULL ? " " : "", node->url, node->name);
    }
    judge_release(round, node);
}

static void look_nodes(const struct check_subject *subject, struct check_result *result)
{
    struct round round = {.subject = subject, .result = result};
    if (ask(subject, result, subject->fleet, see_node, &round))
        look_note(result, "%zu old and %zu new node%s answer, %zu %s not%s", round.old_there, round.new_there, look_s((long long)round.new_there), round.silent,
                  round.silent == 1 ? "does" : "do", round.silent > 0 ? ": those that are new need not, yet" : "");
    if (round.found > LOOK_ROWS)
        look_note(result, "and %zu more", round.found - LOOK_ROWS);
}

const struct check check_nodes = {
    .id = "nodes", .title = "What the nodes say", .severity = CHECK_WARNS, .reach = CHECK_HOST, .look = look_nodes,
    .why = "A node that stands in the wrong section of fleet.ini, or uses another database, opens a gate that should be shut, or shuts one that should be "
           "open. And some releases can't be started again, or are no beginning for the upgrade.",
    .source = "Kong's changelog, 1.0.2; the upgrade guide from 0.14; GET / of the Admin API",
};

/* The Admin API guard. */

static void see_new_node(const struct node *node, void *context)
{
    struct names *ids = context;
    if (node->node_id != NULL)
        names_add(ids, node->node_id);
}

static void tell_write(struct check_result *result, const struct api_guard_write *write)
{
    look_found(result, write->maybe_plugin ? CHECK_INFORMS : CHECK_WARNS, "node %s of the new cluster wrote %s at %s (%d s ago): %s%s", write->node_id, write->channel,
               write->at, write->seconds_ago, write->entity, write->maybe_plugin ? ", which plugins also write as they serve traffic" : "");
}

/* Old nodes do as before. (A `finish` that was cut short has set algorithms, too.) */
static bool is_harmless(const struct api_guard_kind *kind)
{
    return strcmp(kind->id, "upstreams.algorithm") == 0 || strcmp(kind->id, "ca_certificates") == 0;
}

static void tell_rows(const struct check_subject *subject, struct check_result *result, const struct api_guard_rows *rows)
{
    struct buf names = {0};
    for (size_t i = 0; i < rows->examples.count; i++)
        buf_addf(&names, "%s%.100s", i > 0 ? ", " : "", rows->examples.list[i]);
    if (is_harmless(rows->kind)) {
        look_note(result, "%lld: %s (%s). %s", (long long)rows->count, rows->kind->what, buf_text(&names), rows->kind->means);
    } else {
        look_found(result, CHECK_WARNS, "%lld: %s (%s). %s", (long long)rows->count, rows->kind->what, buf_text(&names), rows->kind->means);
        look_remedy_path(subject, result);
        look_remedy(result, "SELECT %s;", rows->kind->rows);
    }
    buf_free(&names);
}

static void look_at_guard(const struct check_subject *subject, struct check_result *result, const struct names *ids)
{
    struct error error = {0};
    struct api_guard guard;
    if (!api_guard_read(subject->pg, ids, &guard, &error)) {
        look_unable_for(result, &error);
        error_clear(&error);
        return;
    }
    for (size_t i = 0; i < guard.write_count && i < LOOK_ROWS; i++)
        tell_write(result, &guard.writes[i]);
    if (guard.write_count > 0)
        look_remedy(result, "admin_listen = off  # in the new nodes' kong.conf, until `finish` is done");
    for (size_t i = 0; i < guard.row_count; i++)
        tell_rows(subject, result, &guard.rows[i]);
    api_guard_free(&guard);
}

static void look_admin_api(const struct check_subject *subject, struct check_result *result)
{
    struct names ids = {0};
    struct fleet new_nodes;
    if (!look_has_state(subject, result))
        return;
    if (subject->state->stage != STAGE_PENDING) {
        look_note(result, "matters between `up` and `finish` only: use the old nodes' Admin API until then");
        return;
    }
    copy_new_nodes(subject->fleet, &new_nodes);
    if (ask(subject, result, &new_nodes, see_new_node, &ids))
        look_at_guard(subject, result, &ids);
    if (result->outcome == CHECK_OK)
        look_note(result, "nothing was written through the %zu new node%s that %s, and there is nothing that only 1.3 understands", ids.count, look_s((long long)ids.count),
                  ids.count == 1 ? "answers" : "answer");
    fleet_free(&new_nodes);
    names_free(&ids);
}

const struct check check_admin_api = {
    .id = "admin-api", .title = "Admin API of new nodes", .severity = CHECK_WARNS, .reach = CHECK_ROWS, .look = look_admin_api,
    .why = "Until the old nodes are gone, what is written through a new node may be more than an old one understands: 1.2 ignores a route's headers, and "
           "serves it for every request that fits the rest.",
    .source = "Kong issue #4450; the upgrade guide; seen with Kong 1.2.3 and 1.3.0",
};
