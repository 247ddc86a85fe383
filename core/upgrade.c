#include "core/upgrade.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const struct step_text step_texts[STEPS] = {
    [STEP_WELCOME] = {0, "Welcome", NULL, "welcome", false,
        "Finds kong.conf, the database and where it stands. Enter the nodes of both clusters here: with them the later steps can watch the upgrade for you.",
        "Nothing is changed. The database is only read.",
        "Press q at any time."},
    [STEP_PREFLIGHT] = {0, "Preflight", NULL, "preflight", false,
        "Looks for everything that could go wrong later, before anything is changed.",
        "Nothing is changed. A finding that blocks must be mended; a warning must be acknowledged.",
        "Press q; nothing has happened."},
    [STEP_UP] = {1, "Migrate up", "Up", "up", false,
        "Adds to the database what Kong 1.3 needs: columns, indexes, tables, triggers. Old nodes go on working on it, and serve traffic meanwhile.",
        "Safe beside live traffic: it waits for locks briefly and tries again. It destroys nothing. It runs in a process of its own: a lost connection does not stop it.",
        "Stop at any time and go on another day. Until step 5 the old cluster works as before."},
    [STEP_PROVISION] = {2, "Provision", NULL, "provision", false,
        "Start the 1.3 nodes on the same database, with the same configuration. They are watched here once they are in the fleet.",
        "The old cluster serves on, and new nodes get no traffic before step 3. Keep using the old nodes' Admin API.",
        "Stop the new nodes again: the old cluster has not noticed them."},
    [STEP_DIVERT] = {3, "Divert", NULL, "divert", false,
        "Move traffic from the old cluster to the new one, gradually, at your load balancer: 1 %, 5 %, 25 %, 50 %, 100 %. Watch errors and latency at each stage.",
        "Both clusters serve side by side. Move traffic back at any time.",
        "Move the traffic back to the old cluster; nothing is lost."},
    [STEP_DECOMMISSION] = {4, "Decommission", "Decom.", "decommission", false,
        "Stop the old nodes once they serve no traffic, and see to it that nothing starts them again (service managers, autoscaling, cron).",
        "An old node that is stopped can be started again until step 5.",
        "Start the old nodes again and move the traffic back."},
    [STEP_FINISH] = {5, "Finish", NULL, "finish", true,
        "Removes from the database what only the old nodes needed.",
        "This can't be undone. After it old nodes must never run on this database again. Kong 1.0 to 1.2 would start and nothing in Kong stops them, so keep them off; 0.14 refuses.",
        "After it only a backup brings the old cluster back."},
    [STEP_DONE] = {0, "Done", NULL, "done", false,
        "Shows the report: what was done, when and by whom. Save it.",
        "Old nodes must never run on this database again.",
        "Press q."},
};

static void shut(struct gate *gate, bool can_overrule, const char *format, ...) __attribute__((format(printf, 3, 4)));

static void shut(struct gate *gate, bool can_overrule, const char *format, ...)
{
    va_list arguments;
    gate->open = false;
    gate->can_overrule = can_overrule;
    va_start(arguments, format);
    vsnprintf(gate->reason, sizeof gate->reason, format, arguments);
    va_end(arguments);
}

static bool is_up_complete(const struct state *state)
{
    return state->stage == STAGE_CURRENT || (state->stage == STAGE_PENDING && state_count_new(state) == 0);
}

/* Each gate begins open and is shut by what speaks against it. */

static void gate_preflight(const struct upgrade_facts *facts, struct gate *gate)
{
    const struct state *state = facts->state;
    bool wrong = state->stage == STAGE_TOO_OLD || state->stage == STAGE_AHEAD || state->stage == STAGE_FOREIGN;
    if (wrong)
        shut(gate, false, "%s", state->reason != NULL ? state->reason : "This database can't be upgraded.");
}

/* An empty database is bootstrapped here, unless Kong's tables are in another schema. */
static void gate_up(const struct upgrade_facts *facts, struct gate *gate)
{
    const struct state *state = facts->state;
    if (state->stage == STAGE_EMPTY && state->reason != NULL)
        shut(gate, false, "%s", state->reason);
    else if (facts->finish_first && state->stage == STAGE_PENDING && state_count_new(state) > 0)
        shut(gate, false, "An earlier upgrade of this database was never finished: that comes first.");
    else if (!facts->checks_run)
        shut(gate, false, "The preflight has not been run yet.");
    else if (facts->checks_blocking > 0)
        shut(gate, false, "The preflight found %zu problem%s that must be mended first.", facts->checks_blocking, facts->checks_blocking == 1 ? "" : "s");
    else if (facts->checks_waiting > 0)
        shut(gate, false, "The preflight is under way: %zu check%s still to be looked at.", facts->checks_waiting, facts->checks_waiting == 1 ? " is" : "s are");
    else if (facts->checks_open > 0)
        shut(gate, false, "The preflight has %zu warning%s that must be acknowledged first.", facts->checks_open, facts->checks_open == 1 ? "" : "s");
}

static void gate_provision(const struct upgrade_facts *facts, struct gate *gate)
{
    if (!is_up_complete(facts->state))
        shut(gate, false, "The database must be migrated up first (step 1): a 1.3 node refuses to start before.");
}

static void gate_divert(const struct upgrade_facts *facts, struct gate *gate)
{
    if (facts->new_nodes == 0)
        shut(gate, true, "No new node is in fleet.ini, so none can be seen to be ready. Add them on the Welcome screen.");
    else if (facts->new_ready == 0)
        shut(gate, true, "%s ready yet.", facts->new_nodes == 1 ? "The new node is not" : "None of the new nodes is");
}

/* Scrapers and health checkers ask the Admin API, whose requests the node counts with the clients'. */
static void shut_for_traffic(const struct upgrade_facts *facts, struct gate *gate)
{
    double rps = facts->old_rps > 0 ? facts->old_rps : 0.0;
    bool may_be_polls = rps <= UPGRADE_POLLS_RPS * (double)facts->old_answering;
    char allowed[48] = "traffic";
    if (facts->quiet_rps > 0)
        snprintf(allowed, sizeof allowed, "more than %g requests/s each", facts->quiet_rps);
    shut(gate, true, "Old nodes served %s within the last %lld s (%.1f requests/s now).%s", allowed, (long long)(facts->quiet_needed_ms / 1000), rps,
         may_be_polls ? " Others' polls of the Admin API count too (Prometheus, health checks, a second kong-upgrade): allow them by"
                        " quiet_rps in fleet.ini." : "");
}

static void gate_decommission(const struct upgrade_facts *facts, struct gate *gate)
{
    if (facts->old_nodes == 0)
        shut(gate, true, "No old node is in fleet.ini, so their traffic can't be seen.");
    else if (facts->old_answering > 0 && facts->old_quiet_ms < 0)
        shut(gate, true, "How much traffic the old nodes serve is not known yet.");
    else if (facts->old_answering == 0 && facts->old_unknown > 0)
        shut(gate, true, "Whether the old nodes still serve traffic is not known, since %zu of them can't be asked.", facts->old_unknown);
    else if (facts->old_answering == 0 && facts->old_silent_too_short > 0)
        shut(gate, true, "Whether the old nodes still serve traffic is not known yet; a moment.");
    else if (facts->old_answering > 0 && facts->old_quiet_ms < facts->quiet_needed_ms)
        shut_for_traffic(facts, gate);
}

static void gate_finish(const struct upgrade_facts *facts, struct gate *gate)
{
    if (facts->old_answering > 0)
        shut(gate, false, "%zu node%s of the old cluster still answer%s: stop %s, or take %s out of fleet.ini.", facts->old_answering,
             facts->old_answering == 1 ? "" : "s", facts->old_answering == 1 ? "s" : "", facts->old_answering == 1 ? "it" : "them",
             facts->old_answering == 1 ? "it" : "them");
    else if (facts->old_unknown > 0)
        shut(gate, false, "%zu node%s of the old cluster can't be asked, so whether %s stopped is not known: see why on step 4, or take %s out of"
                          " fleet.ini.", facts->old_unknown, facts->old_unknown == 1 ? "" : "s", facts->old_unknown == 1 ? "it is" : "they are",
             facts->old_unknown == 1 ? "it" : "them");
    else if (facts->old_silent_too_short > 0)
        shut(gate, false, "Whether %zu old node%s still answer%s is not known yet; a moment.", facts->old_silent_too_short,
             facts->old_silent_too_short == 1 ? "" : "s", facts->old_silent_too_short == 1 ? "s" : "");
    else if (facts->new_misplaced > 0)
        shut(gate, false, "%zu node%s in [new] of fleet.ini run%s another Kong than 1.3: stop %s, or start Kong 1.3 there.", facts->new_misplaced,
             facts->new_misplaced == 1 ? "" : "s", facts->new_misplaced == 1 ? "s" : "", facts->new_misplaced == 1 ? "it" : "them");
    else if (facts->legacy_sessions > 0)
        shut(gate, false, "At least %zu Kong 0.14 node%s still work%s on this database (Kong seen in the database, step 4): stop %s.", facts->legacy_sessions,
             facts->legacy_sessions == 1 ? "" : "s", facts->legacy_sessions == 1 ? "s" : "", facts->legacy_sessions == 1 ? "it" : "them");
    else if (facts->old_nodes == 0)
        shut(gate, true, "No old node is in fleet.ini, so it can't be seen that all are stopped.");
    else if (facts->new_nodes > 0 && facts->live_sessions > facts->new_nodes)
        shut(gate, true, "At least %zu Kong nodes work on this database, more than the %zu new one%s in fleet.ini: is an old one still running?", facts->live_sessions,
             facts->new_nodes, facts->new_nodes == 1 ? "" : "s");
    else if (facts->old_answered_ms >= 0 && facts->old_answered_ms < facts->quiet_needed_ms)
        shut(gate, true, "An old node answered %lld s ago: wait until none has for %lld s, since one that something starts again comes back"
                         " by then.", (long long)(facts->old_answered_ms / 1000), (long long)(facts->quiet_needed_ms / 1000));
    else if (facts->old_session_ms >= 0 && facts->old_session_ms < facts->quiet_needed_ms)
        shut(gate, true, "A node that may be an old one worked on this database %lld s ago: wait until none has been seen for %lld s.",
             (long long)(facts->old_session_ms / 1000), (long long)(facts->quiet_needed_ms / 1000));
    else if (facts->new_ready == 0)
        shut(gate, true, "No new node is seen to be ready: after this step only 1.3 nodes may run on this database.");
}

/* Nodes of 1.0 to 1.2 work on through it; those of 0.14 can't. Where it does not come from 0.14, no node is in its way. */
static void gate_finish_first(const struct upgrade_facts *facts, struct gate *gate)
{
    *gate = (struct gate){.open = true};
    if (!facts->finish_first || facts->state == NULL || !facts->state->from_014)
        return;
    if (facts->legacy_answering > 0)
        shut(gate, false, "%zu node%s of Kong 0.14 still answer%s: stop %s, since 0.14 does not work after this.", facts->legacy_answering,
             facts->legacy_answering == 1 ? "" : "s", facts->legacy_answering == 1 ? "s" : "", facts->legacy_answering == 1 ? "it" : "them");
    else if (facts->legacy_sessions > 0)
        shut(gate, false, "At least %zu node%s of Kong 0.14 still work%s on this database (Kong seen in the database, step 4): stop %s.",
             facts->legacy_sessions, facts->legacy_sessions == 1 ? "" : "s", facts->legacy_sessions == 1 ? "s" : "",
             facts->legacy_sessions == 1 ? "it" : "them");
    else if (facts->legacy_possible > 0)
        shut(gate, false, "Whether %zu old node%s Kong 0.14 is not known: wait a moment, or mend that (step 4), or take %s out of fleet.ini.",
             facts->legacy_possible, facts->legacy_possible == 1 ? " runs" : "s run", facts->legacy_possible == 1 ? "it" : "them");
}

/* No node of 1.3 may live on what a rollback leaves. Among sessions it can't be told from one of 1.0 to 1.2, only counted. */
static void gate_rollback(const struct upgrade_facts *facts, struct gate *gate)
{
    const struct state *state = facts->state;
    *gate = (struct gate){.open = true};
    if (facts->new_answering > 0)
        shut(gate, false, "%zu new node%s still answer%s: stop %s first, since 1.3 does not work after a rollback.", facts->new_answering,
             facts->new_answering == 1 ? "" : "s", facts->new_answering == 1 ? "s" : "", facts->new_answering == 1 ? "it" : "them");
    else if (facts->new_unknown > 0)
        shut(gate, false, "%zu new node%s can't be asked, so whether %s stopped is not known: see why on step 2, or take %s out of fleet.ini.",
             facts->new_unknown, facts->new_unknown == 1 ? "" : "s", facts->new_unknown == 1 ? "it is" : "they are", facts->new_unknown == 1 ? "it" : "them");
    else if (facts->new_silent_too_short > 0)
        shut(gate, false, "Whether %zu new node%s still answer%s is not known yet; a moment.", facts->new_silent_too_short,
             facts->new_silent_too_short == 1 ? "" : "s", facts->new_silent_too_short == 1 ? "s" : "");
    else if (state != NULL && state->from_014 && facts->later_sessions > 0)
        shut(gate, false, "At least %zu Kong node%s work%s on this database and %s no 0.14: stop %s first.", facts->later_sessions,
             facts->later_sessions == 1 ? "" : "s", facts->later_sessions == 1 ? "s" : "", facts->later_sessions == 1 ? "is" : "are",
             facts->later_sessions == 1 ? "it" : "them");
    else if (state != NULL && !state->from_014 && facts->old_nodes > 0 && facts->live_sessions > facts->old_nodes)
        shut(gate, false, "At least %zu Kong nodes work on this database, more than the %zu old one%s in fleet.ini: stop the new ones, or add the old"
             " ones to fleet.ini.", facts->live_sessions, facts->old_nodes, facts->old_nodes == 1 ? "" : "s");
}

static void gate_done(const struct upgrade_facts *facts, struct gate *gate)
{
    if (facts->state->stage == STAGE_PENDING)
        shut(gate, false, "Migrations are pending: step 5 has not been done.");
    else if (facts->state->stage != STAGE_CURRENT)
        shut(gate, false, "The database is not Kong 1.3's yet.");
}

/* A later step never opens before an earlier one's work is done where that work is in the database. */
static void derive_gates(const struct upgrade_facts *facts, struct upgrade *upgrade)
{
    static void (*const gates[STEPS])(const struct upgrade_facts *, struct gate *) = {
        [STEP_PREFLIGHT] = gate_preflight, [STEP_UP] = gate_up,
        [STEP_PROVISION] = gate_provision, [STEP_DIVERT] = gate_divert,
        [STEP_DECOMMISSION] = gate_decommission, [STEP_FINISH] = gate_finish,
        [STEP_DONE] = gate_done,
    };
    for (int step = 0; step < STEPS; step++) {
        struct gate *gate = &upgrade->gates[step];
        *gate = (struct gate){.open = true};
        if (step == STEP_WELCOME)
            continue;
        if (facts->state == NULL) {
            shut(gate, false, "The database has not answered yet.");
            continue;
        }
        gates[step](facts, gate);
        bool needs_up = step > STEP_PROVISION && step < STEP_DONE;
        if (needs_up && !is_up_complete(facts->state))
            shut(gate, false, "The database must be migrated up first (step 1).");
        if (!gate->open && gate->can_overrule && facts->state->stage == STAGE_CURRENT)
            *gate = (struct gate){.open = true};   /* what it would keep from is done */
        else if (!gate->open && gate->can_overrule && facts->overruled[step])
            gate->open = gate->overruled = true;
    }
}

static bool is_diverted(const struct upgrade_facts *facts, const struct upgrade *upgrade)
{
    return upgrade->gates[STEP_DECOMMISSION].open && (facts->new_rps > 0 || upgrade->gates[STEP_DECOMMISSION].overruled || facts->old_answering == 0);
}

/* The first step whose work is not done. */
static enum step find_here(const struct upgrade_facts *facts, const struct upgrade *upgrade)
{
    if (facts->state == NULL || !upgrade->gates[STEP_PREFLIGHT].open)
        return STEP_WELCOME;
    if (facts->state->stage == STAGE_CURRENT)
        return STEP_DONE;
    if (facts->worker_running && facts->state->stage != STAGE_PENDING)
        return STEP_UP;
    if (facts->worker_running && facts->worker_finishing)
        return STEP_FINISH;
    if (!is_up_complete(facts->state)) {
        bool begun = facts->state->stage == STAGE_PENDING;
        return begun || upgrade->gates[STEP_UP].open ? STEP_UP : facts->checks_run ? STEP_PREFLIGHT : STEP_WELCOME;
    }
    if (!upgrade->gates[STEP_DIVERT].open)
        return STEP_PROVISION;
    if (!is_diverted(facts, upgrade))
        return STEP_DIVERT;
    return upgrade->gates[STEP_FINISH].open ? STEP_FINISH : STEP_DECOMMISSION;
}

void upgrade_derive(const struct upgrade_facts *facts, struct upgrade *upgrade)
{
    memset(upgrade, 0, sizeof *upgrade);
    derive_gates(facts, upgrade);
    gate_finish_first(facts, &upgrade->finish_first);
    gate_rollback(facts, &upgrade->rollback);
    upgrade->here = find_here(facts, upgrade);
    for (int step = 0; step < STEPS; step++) {
        if (step < (int)upgrade->here)
            upgrade->states[step] = STEP_STATE_DONE;
        else if (step == (int)upgrade->here)
            upgrade->states[step] = STEP_STATE_HERE;
        else
            upgrade->states[step] = upgrade->gates[step].open ? STEP_STATE_OPEN : STEP_STATE_LOCKED;
    }
}
