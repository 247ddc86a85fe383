/* Where the upgrade stands, and which gates are open, for facts of every kind. */
#include "tests/unit/unit.h"

#include "core/upgrade.h"

#include <ctype.h>

/* A state of one subsystem, of which only counts are asked. */
static const struct state *state_of(enum stage stage, size_t new, size_t pending)
{
    static struct subsystem_state core;
    static struct state state;
    core = (struct subsystem_state){.subsystem = &subsystem_core, .new.count = new, .pending.count = pending};
    state = (struct state){.stage = stage, .subsystems = &core, .subsystem_count = 1};
    if (stage == STAGE_TOO_OLD || stage == STAGE_AHEAD || stage == STAGE_FOREIGN)
        state.reason = "This is why not.";
    return &state;
}

/* Both clusters as they are when traffic has moved and the old nodes are gone: nothing but the database stands in the way. */
static struct upgrade_facts all_is_well(const struct state *state)
{
    return (struct upgrade_facts){.state = state, .checks_run = true, .old_nodes = 3, .new_nodes = 2, .new_ready = 2, .old_rps = 0,
                                  .new_rps = 100, .old_session_ms = -1, .old_answered_ms = -1, .old_quiet_ms = 500000, .quiet_needed_ms = UPGRADE_QUIET_MS};
}

static struct upgrade derive(const struct upgrade_facts *facts)
{
    struct upgrade upgrade;
    upgrade_derive(facts, &upgrade);
    for (int step = 0; step < STEPS; step++) {
        const struct gate *gate = &upgrade.gates[step];
        if (!gate->open && gate->reason[0] == '\0')
            fail_msg("gate %d is shut without a reason", step);
        if (gate->open && !gate->overruled && gate->reason[0] != '\0')
            fail_msg("gate %d is open: %s", step, gate->reason);
        enum step_state state = upgrade.states[step];
        assert_true(step < (int)upgrade.here ? state == STEP_STATE_DONE : step == (int)upgrade.here ? state == STEP_STATE_HERE
                    : state == (gate->open ? STEP_STATE_OPEN : STEP_STATE_LOCKED));
        assert_false(gate->overruled && !gate->open);
    }
    assert_true(upgrade.gates[STEP_WELCOME].open);
    return upgrade;
}

static void assert_shut(const struct upgrade *upgrade, enum step step, bool can_overrule, const char *part)
{
    const struct gate *gate = &upgrade->gates[step];
    if (gate->open)
        fail_msg("gate %d is open", step);
    assert_has(gate->reason, part);
    assert_int_equal(gate->can_overrule, can_overrule);
}

static void without_an_answer_all_is_shut(void **state)
{
    (void)state;
    struct upgrade_facts facts = all_is_well(NULL);
    for (int step = 0; step < STEPS; step++)
        facts.overruled[step] = true;
    struct upgrade upgrade = derive(&facts);
    assert_int_equal(upgrade.here, STEP_WELCOME);
    for (int step = STEP_PREFLIGHT; step < STEPS; step++)
        assert_shut(&upgrade, (enum step)step, false, "The database has not answered yet.");
}

/* While checks are looked at again nothing is begun; what blocks is said before that. */
static void a_preflight_under_way_shuts_up(void **state)
{
    (void)state;
    struct upgrade_facts facts = all_is_well(state_of(STAGE_UPGRADABLE, 2, 0));
    facts.checks_waiting = 1;
    struct upgrade upgrade = derive(&facts);
    assert_int_equal(upgrade.here, STEP_PREFLIGHT);
    assert_false(upgrade.gates[STEP_UP].open);
    assert_false(upgrade.gates[STEP_UP].can_overrule);
    assert_has(upgrade.gates[STEP_UP].reason, "under way: 1 check is still to be looked at");
    facts.checks_blocking = 2;
    upgrade = derive(&facts);
    assert_has(upgrade.gates[STEP_UP].reason, "2 problems that must be mended");
}

/* The database alone, with all else well. */
static void every_stage_has_its_step(void **state)
{
    static const struct {
        enum stage stage;
        size_t new, pending;
        bool checks_run;
        size_t blocking, warnings;
        enum step here;
    } cases[] = {
        {STAGE_EMPTY, 16, 0, false, 0, 0, STEP_WELCOME},
        {STAGE_EMPTY, 16, 0, true, 0, 0, STEP_UP},
        {STAGE_EMPTY, 16, 0, true, 1, 0, STEP_PREFLIGHT},
        {STAGE_TOO_OLD, 16, 0, true, 0, 0, STEP_WELCOME},
        {STAGE_AHEAD, 0, 0, true, 0, 0, STEP_WELCOME},
        {STAGE_FOREIGN, 16, 0, true, 0, 0, STEP_WELCOME},
        {STAGE_LEGACY_014, 16, 0, false, 0, 0, STEP_WELCOME},
        {STAGE_LEGACY_014, 16, 0, true, 0, 2, STEP_PREFLIGHT},
        {STAGE_LEGACY_014, 16, 0, true, 0, 0, STEP_UP},
        {STAGE_UPGRADABLE, 2, 0, false, 0, 0, STEP_WELCOME},
        {STAGE_UPGRADABLE, 2, 0, true, 3, 1, STEP_PREFLIGHT},
        {STAGE_UPGRADABLE, 2, 0, true, 0, 1, STEP_PREFLIGHT},
        {STAGE_UPGRADABLE, 2, 0, true, 0, 0, STEP_UP},
        {STAGE_PENDING, 1, 1, true, 0, 0, STEP_UP},       /* `up` was interrupted */
        {STAGE_PENDING, 1, 1, false, 0, 0, STEP_UP},      /* seen by another terminal, which has checked nothing */
        {STAGE_PENDING, 0, 1, true, 0, 0, STEP_FINISH},
        {STAGE_PENDING, 0, 1, false, 0, 0, STEP_FINISH},  /* what comes after `up` asks nothing of the preflight */
        {STAGE_CURRENT, 0, 0, true, 0, 0, STEP_DONE},
        {STAGE_CURRENT, 0, 0, false, 0, 0, STEP_DONE},    /* after `bootstrap`, too */
    };
    (void)state;
    for (EACH(cases)) {
        struct upgrade_facts facts = all_is_well(state_of(cases[i].stage, cases[i].new, cases[i].pending));
        facts.checks_run = cases[i].checks_run;
        facts.checks_blocking = cases[i].blocking;
        facts.checks_open = cases[i].warnings;
        struct upgrade upgrade = derive(&facts);
        if (upgrade.here != cases[i].here)
            fail_msg("case %zu: step %d, not %d", i, (int)upgrade.here, (int)cases[i].here);
        bool complete = cases[i].stage == STAGE_CURRENT || (cases[i].stage == STAGE_PENDING && cases[i].new == 0);
        for (int step = STEP_PROVISION; step < STEP_DONE; step++)
            assert_int_equal(upgrade.gates[step].open, complete);
        assert_int_equal(upgrade.gates[STEP_DONE].open, cases[i].stage == STAGE_CURRENT);
    }
}

/* After `up`: how far the clusters are. */
static void the_clusters_tell_the_step_after_up(void **state)
{
    static const struct {
        const char *what;
        size_t old_nodes, old_answering, too_short, new_nodes, new_ready;
        double old_rps, new_rps;
        int64_t quiet_ms;
        enum step here;
    } cases[] = {
        {"no fleet", 0, 0, 0, 0, 0, -1, -1, -1, STEP_PROVISION},
        {"no new node", 3, 3, 0, 0, 0, 100, -1, 0, STEP_PROVISION},
        {"new nodes not ready", 3, 3, 0, 2, 0, 100, -1, 0, STEP_PROVISION},
        {"one new node ready", 3, 3, 0, 2, 1, 100, 0, 0, STEP_DIVERT},
        {"traffic on both", 3, 3, 0, 2, 2, 50, 50, 0, STEP_DIVERT},
        {"traffic of the old not known", 3, 3, 0, 2, 2, -1, 50, -1, STEP_DIVERT},
        {"old ones quiet, not for long", 3, 3, 0, 2, 2, 0, 100, 119999, STEP_DIVERT},
        {"old ones quiet, new ones too", 3, 3, 0, 2, 2, 0, 0, 500000, STEP_DIVERT},
        {"moved", 3, 3, 0, 2, 2, 0, 100, 120000, STEP_DECOMMISSION},
        {"one old left", 3, 1, 0, 2, 2, 0, 100, 500000, STEP_DECOMMISSION},
        {"the last one went a moment ago", 3, 0, 1, 2, 2, -1, 100, -1, STEP_DIVERT},
        {"the last one went, quiet before", 3, 1, 1, 2, 2, 0, 100, 500000, STEP_DECOMMISSION},
        {"old ones never asked yet", 3, 0, 3, 2, 2, -1, -1, -1, STEP_DIVERT},
        {"old ones gone", 3, 0, 0, 2, 2, -1, 100, -1, STEP_FINISH},
        {"old ones gone, nothing served", 3, 0, 0, 2, 2, -1, 0, -1, STEP_FINISH},
        {"old ones gone, new ones too", 3, 0, 0, 2, 0, -1, -1, -1, STEP_PROVISION},
        {"no old node in the fleet", 0, 0, 0, 2, 2, -1, 100, -1, STEP_DIVERT},
    };
    (void)state;
    for (EACH(cases)) {
        struct upgrade_facts facts = all_is_well(state_of(STAGE_PENDING, 0, 1));
        facts.old_nodes = cases[i].old_nodes;
        facts.old_answering = cases[i].old_answering;
        facts.old_silent_too_short = cases[i].too_short;
        facts.new_nodes = cases[i].new_nodes;
        facts.new_ready = cases[i].new_ready;
        facts.old_rps = cases[i].old_rps;
        facts.new_rps = cases[i].new_rps;
        facts.old_quiet_ms = cases[i].quiet_ms;
        struct upgrade upgrade = derive(&facts);
        if (upgrade.here != cases[i].here)
            fail_msg("%s: step %d, not %d", cases[i].what, (int)upgrade.here, (int)cases[i].here);
    }
}

static void the_gate_of_up_wants_the_preflight(void **state)
{
    static const enum stage stages[] = {STAGE_EMPTY, STAGE_LEGACY_014, STAGE_UPGRADABLE, STAGE_PENDING};
    (void)state;
    for (EACH(stages)) {
        struct upgrade_facts facts = all_is_well(state_of(stages[i], 1, stages[i] == STAGE_PENDING ? 1 : 0));
        facts.overruled[STEP_UP] = true;   /* which it can't be */
        struct upgrade upgrade = derive(&facts);
        assert_true(upgrade.gates[STEP_UP].open);
        facts.checks_run = false;
        upgrade = derive(&facts);
        assert_shut(&upgrade, STEP_UP, false, "The preflight has not been run yet.");
        facts.checks_run = true;
        facts.checks_blocking = 1;
        facts.checks_open = 4;
        upgrade = derive(&facts);
        assert_shut(&upgrade, STEP_UP, false, "found 1 problem that must be mended");
        facts.checks_blocking = 2;
        upgrade = derive(&facts);
        assert_shut(&upgrade, STEP_UP, false, "found 2 problems that must be mended");
        facts.checks_blocking = 0;
        upgrade = derive(&facts);
        assert_shut(&upgrade, STEP_UP, false, "has 4 warnings that must be acknowledged");
        facts.checks_open = 1;
        upgrade = derive(&facts);
        assert_shut(&upgrade, STEP_UP, false, "has 1 warning that must be acknowledged");
    }
}

static void a_database_that_can_not_be_upgraded_says_why(void **state)
{
    static const enum stage stages[] = {STAGE_TOO_OLD, STAGE_AHEAD, STAGE_FOREIGN};
    (void)state;
    for (EACH(stages)) {
        struct upgrade_facts facts = all_is_well(state_of(stages[i], 1, 0));
        facts.overruled[STEP_PREFLIGHT] = true;
        struct upgrade upgrade = derive(&facts);
        assert_shut(&upgrade, STEP_PREFLIGHT, false, "This is why not.");
        struct state unexplained = *facts.state;
        unexplained.reason = NULL;
        facts.state = &unexplained;
        upgrade = derive(&facts);
        assert_shut(&upgrade, STEP_PREFLIGHT, false, "can't be upgraded");
    }
}

/* Kong's tables are in another schema: `bootstrap` would be refused (order.c), so its gate is shut. */
static void an_empty_schema_beside_kongs_is_not_bootstrapped(void **state)
{
    (void)state;
    struct state empty = *state_of(STAGE_EMPTY, 16, 0);
    empty.reason = "schema public has no Kong tables, but schema kong has";
    struct upgrade_facts facts = all_is_well(&empty);
    struct upgrade upgrade = derive(&facts);
    assert_shut(&upgrade, STEP_UP, false, "but schema kong has");
    assert_int_equal(upgrade.here, STEP_PREFLIGHT);
}

static void an_upgrade_left_unfinished_is_finished_first(void **state)
{
    (void)state;
    struct upgrade_facts facts = all_is_well(state_of(STAGE_PENDING, 1, 2));
    facts.finish_first = true;
    struct upgrade upgrade = derive(&facts);
    assert_int_equal(upgrade.here, STEP_UP);
    assert_shut(&upgrade, STEP_UP, false, "never finished: that comes first");
    facts.state = state_of(STAGE_PENDING, 0, 2);   /* nothing new: `finish` is what comes anyway */
    upgrade = derive(&facts);
    assert_int_equal(upgrade.here, STEP_FINISH);
}

/* No node of 0.14 may live on it; where it does not come from there, no node is in its way. */
static void an_earlier_upgrade_waits_for_nodes_of_014(void **state)
{
    static const struct {
        bool from_014;
        size_t answering, sessions, possible;
        const char *part;   /* NULL: open */
    } cases[] = {
        {true, 0, 0, 0, NULL},  {true, 1, 0, 0, "1 node of Kong 0.14 still answers: stop it"}, {true, 2, 1, 1, "2 nodes of Kong 0.14 still answer: stop them"},
        {true, 0, 1, 0, "At least 1 node of Kong 0.14 still works"}, {true, 0, 0, 2, "Whether 2 old nodes run Kong 0.14 is not known"},
        {false, 1, 1, 1, NULL},
    };
    (void)state;
    for (EACH(cases)) {
        struct state unfinished = *state_of(STAGE_PENDING, 1, 2);
        unfinished.from_014 = cases[i].from_014;
        struct upgrade_facts facts = all_is_well(&unfinished);
        facts.finish_first = true;
        facts.old_answering = 3;   /* the 1.2 nodes that serve */
        facts.legacy_answering = cases[i].answering;
        facts.legacy_sessions = cases[i].sessions;
        facts.legacy_possible = cases[i].possible;
        struct upgrade upgrade = derive(&facts);
        assert_int_equal(upgrade.finish_first.open, cases[i].part == NULL);
        assert_false(upgrade.finish_first.can_overrule);
        assert_false(upgrade.gates[STEP_FINISH].open);
        if (cases[i].part != NULL)
            assert_has(upgrade.finish_first.reason, cases[i].part);
    }
}

/* What may be a node of 1.3 keeps it shut, and nothing overrules that. */
static void a_rollback_waits_for_nodes_of_1_3(void **state)
{
    static const struct {
        bool from_014;
        size_t answering, unknown, too_short, later, live, old_nodes;
        const char *part;   /* NULL: open */
    } cases[] = {
        {false, 0, 0, 0, 0, 0, 3, NULL},
        {false, 1, 0, 0, 0, 0, 3, "1 new node still answers: stop it first"},
        {false, 2, 1, 1, 0, 0, 3, "2 new nodes still answer: stop them first"},
        {false, 0, 1, 0, 0, 0, 3, "1 new node can't be asked, so whether it is stopped"},
        {false, 0, 0, 2, 0, 0, 3, "Whether 2 new nodes still answer is not known yet"},
        {false, 0, 0, 0, 3, 3, 3, NULL},                                                  /* they are the old ones */
        {false, 0, 0, 0, 4, 4, 3, "At least 4 Kong nodes work on this database, more than the 3 old ones"},
        {false, 0, 0, 0, 4, 4, 0, NULL},                                                  /* how many there should be is not known */
        {true, 0, 0, 0, 0, 3, 3, NULL},
        {true, 0, 0, 0, 1, 4, 0, "At least 1 Kong node works on this database and is no 0.14"},
        {true, 0, 0, 0, 2, 2, 3, "At least 2 Kong nodes work on this database and are no 0.14"},
    };
    (void)state;
    for (EACH(cases)) {
        struct state pending = *state_of(STAGE_PENDING, 0, 1);
        pending.from_014 = cases[i].from_014;
        struct upgrade_facts facts = all_is_well(&pending);
        facts.old_nodes = cases[i].old_nodes;
        facts.new_answering = cases[i].answering;
        facts.new_unknown = cases[i].unknown;
        facts.new_silent_too_short = cases[i].too_short;
        facts.later_sessions = cases[i].later;
        facts.live_sessions = cases[i].live;
        struct upgrade upgrade = derive(&facts);
        if (upgrade.rollback.open != (cases[i].part == NULL))
            fail_msg("case %zu: %s", i, upgrade.rollback.reason);
        assert_false(upgrade.rollback.can_overrule);
        if (cases[i].part != NULL)
            assert_has(upgrade.rollback.reason, cases[i].part);
    }
}

static void each_later_gate_can_be_shut(void **state)
{
    (void)state;
    struct upgrade_facts facts = all_is_well(state_of(STAGE_PENDING, 1, 1));
    struct upgrade upgrade = derive(&facts);
    for (int step = STEP_PROVISION; step <= STEP_FINISH; step++)
        assert_shut(&upgrade, (enum step)step, false, "must be migrated up first (step 1)");
    assert_shut(&upgrade, STEP_DONE, false, "Migrations are pending");
    facts.state = state_of(STAGE_EMPTY, 16, 0);
    upgrade = derive(&facts);
    assert_shut(&upgrade, STEP_DONE, false, "is not Kong 1.3's yet");

    const struct upgrade_facts well = all_is_well(state_of(STAGE_PENDING, 0, 1));
    facts = well;
    facts.new_nodes = facts.new_ready = 0;
    upgrade = derive(&facts);
    assert_shut(&upgrade, STEP_DIVERT, true, "No new node is in fleet.ini");
    assert_shut(&upgrade, STEP_FINISH, true, "No new node is seen to be ready");
    facts.new_nodes = 1;
    upgrade = derive(&facts);
    assert_shut(&upgrade, STEP_DIVERT, true, "The new node is not ready yet.");
    facts.new_nodes = 2;
    upgrade = derive(&facts);
    assert_shut(&upgrade, STEP_DIVERT, true, "None of the new nodes is ready yet.");

    facts = well;
    facts.live_sessions = 3;
    upgrade = derive(&facts);
    assert_shut(&upgrade, STEP_FINISH, true, "At least 3 Kong nodes work on this database, more than the 2 new ones");
    facts.live_sessions = 2;
    upgrade = derive(&facts);
    assert_true(upgrade.gates[STEP_FINISH].open);

    facts.old_session_ms = 4000;
    upgrade = derive(&facts);
    assert_shut(&upgrade, STEP_FINISH, true, "A node that may be an old one worked on this database 4 s ago: wait until none has been seen for 120 s.");
    facts.old_session_ms = 120000;
    upgrade = derive(&facts);
    assert_true(upgrade.gates[STEP_FINISH].open);
    facts.old_answered_ms = 7000;   /* one that crashes and is started again is silent for seconds, too */
    upgrade = derive(&facts);
    assert_shut(&upgrade, STEP_FINISH, true, "An old node answered 7 s ago: wait until none has for 120 s");
    facts.old_answered_ms = 120000;
    upgrade = derive(&facts);
    assert_true(upgrade.gates[STEP_FINISH].open);
    facts.new_misplaced = 1;
    facts.overruled[STEP_FINISH] = true;
    upgrade = derive(&facts);
    assert_shut(&upgrade, STEP_FINISH, false, "1 node in [new] of fleet.ini runs another Kong than 1.3: stop it");
    facts.new_misplaced = 0;
    facts.legacy_sessions = 1;
    facts.overruled[STEP_FINISH] = true;
    upgrade = derive(&facts);
    assert_shut(&upgrade, STEP_FINISH, false, "At least 1 Kong 0.14 node still works on this database");

    facts = well;
    facts.old_nodes = 0;
    upgrade = derive(&facts);
    assert_shut(&upgrade, STEP_DECOMMISSION, true, "No old node is in fleet.ini");
    assert_shut(&upgrade, STEP_FINISH, true, "No old node is in fleet.ini");
    facts = well;
    facts.old_answering = 1;
    facts.old_quiet_ms = -1;
    upgrade = derive(&facts);
    assert_shut(&upgrade, STEP_DECOMMISSION, true, "is not known yet");
    facts.old_quiet_ms = 1000;
    facts.old_rps = 12.34;
    facts.quiet_needed_ms = 60000;
    upgrade = derive(&facts);
    assert_shut(&upgrade, STEP_DECOMMISSION, true, "within the last 60 s (12.3 requests/s now)");
    facts.old_rps = -1;
    upgrade = derive(&facts);
    assert_shut(&upgrade, STEP_DECOMMISSION, true, "(0.0 requests/s now)");
    assert_shut(&upgrade, STEP_DECOMMISSION, true, "Others' polls of the Admin API count too (Prometheus, health checks, a second kong-upgrade)");
    assert_shut(&upgrade, STEP_DECOMMISSION, true, "allow them by quiet_rps in fleet.ini.");
    facts.old_rps = UPGRADE_POLLS_RPS * 3 + 1;   /* clients, beyond doubt */
    facts.quiet_rps = 0.5;
    upgrade = derive(&facts);
    assert_shut(&upgrade, STEP_DECOMMISSION, true, "Old nodes served more than 0.5 requests/s each within the last 60 s (7.0 requests/s now).");
    assert_null(strstr(upgrade.gates[STEP_DECOMMISSION].reason, "polls"));
    facts.old_rps = 0;
    assert_shut(&upgrade, STEP_FINISH, false, "1 node of the old cluster still answers: stop it");
    facts.old_answering = 2;
    upgrade = derive(&facts);
    assert_shut(&upgrade, STEP_FINISH, false, "2 nodes of the old cluster still answer: stop them");
    facts.old_answering = 0;
    facts.old_silent_too_short = 1;
    upgrade = derive(&facts);
    assert_shut(&upgrade, STEP_DECOMMISSION, true, "is not known yet; a moment");
    assert_shut(&upgrade, STEP_FINISH, false, "Whether 1 old node still answers is not known yet");
    facts.old_silent_too_short = 2;
    upgrade = derive(&facts);
    assert_shut(&upgrade, STEP_FINISH, false, "Whether 2 old nodes still answer is not known yet");
    facts.old_unknown = 1;
    upgrade = derive(&facts);
    assert_shut(&upgrade, STEP_DECOMMISSION, true, "since 1 of them can't be asked");
    assert_shut(&upgrade, STEP_FINISH, false, "1 node of the old cluster can't be asked, so whether it is stopped is not known");
    facts.old_unknown = 2;
    upgrade = derive(&facts);
    assert_shut(&upgrade, STEP_FINISH, false, "2 nodes of the old cluster can't be asked, so whether they are stopped is not known");
}

/* What the operator may say against the gates, and what not. */
static void overruling_opens_what_may_be_overruled(void **state)
{
    (void)state;
    struct upgrade_facts facts = {.state = state_of(STAGE_PENDING, 0, 1), .old_rps = -1, .new_rps = -1, .old_quiet_ms = -1, .old_session_ms = -1, .old_answered_ms = -1,
                                  .quiet_needed_ms = UPGRADE_QUIET_MS};
    static const enum step way[] = {STEP_PROVISION, STEP_DIVERT, STEP_DECOMMISSION, STEP_FINISH};
    static const enum step said[] = {STEP_DIVERT, STEP_DECOMMISSION, STEP_FINISH};
    for (EACH(way)) {   /* no fleet at all: each gate is passed by a word of its own */
        struct upgrade upgrade = derive(&facts);
        assert_int_equal(upgrade.here, way[i]);
        if (i < 3)
            facts.overruled[said[i]] = true;
    }
    struct upgrade upgrade = derive(&facts);
    for (EACH(said)) {
        assert_true(upgrade.gates[said[i]].open && upgrade.gates[said[i]].overruled);
        assert_true(upgrade.gates[said[i]].reason[0] != '\0');   /* the report tells what was overruled */
    }
    assert_false(upgrade.gates[STEP_PROVISION].overruled);

    /* What needs no overruling is not called overruled. */
    struct upgrade_facts well = all_is_well(state_of(STAGE_PENDING, 0, 1));
    memcpy(well.overruled, facts.overruled, sizeof well.overruled);
    upgrade = derive(&well);
    for (int step = 0; step < STEPS; step++)
        assert_false(upgrade.gates[step].overruled);
}

/* But a node that must not run any more is told of even then. */
static void nothing_is_left_to_overrule_in_the_end(void **state)
{
    (void)state;
    struct upgrade_facts facts = all_is_well(state_of(STAGE_CURRENT, 0, 0));
    facts.old_nodes = facts.new_nodes = facts.new_ready = 0;
    struct upgrade upgrade = derive(&facts);
    for (int step = STEP_UP; step <= STEP_DONE; step++)
        assert_true(upgrade.gates[step].open);
    facts.old_nodes = facts.old_answering = 1;
    upgrade = derive(&facts);
    assert_shut(&upgrade, STEP_FINISH, false, "still answers");
}

static void finish_is_not_overruled_while_an_old_node_answers(void **state)
{
    (void)state;
    struct upgrade_facts facts = all_is_well(state_of(STAGE_PENDING, 0, 1));
    for (int step = 0; step < STEPS; step++)
        facts.overruled[step] = true;
    for (size_t answering = 0; answering < 3; answering++) {
        for (size_t unknown = 0; unknown < 3; unknown++) {
            facts.old_answering = answering;
            facts.old_silent_too_short = unknown;
            struct upgrade upgrade = derive(&facts);
            assert_int_equal(upgrade.gates[STEP_FINISH].open, answering + unknown == 0);
            assert_int_equal(upgrade.here, answering + unknown == 0 ? STEP_FINISH : STEP_DECOMMISSION);
        }
    }
    facts.old_nodes = facts.old_answering = facts.old_silent_too_short = 0;
    facts.state = state_of(STAGE_PENDING, 1, 1);   /* nor before `up` */
    struct upgrade upgrade = derive(&facts);
    assert_false(upgrade.gates[STEP_FINISH].open);
}

static void a_running_worker_keeps_its_step(void **state)
{
    static const struct {
        enum stage stage;
        size_t new;
        bool checks_run, finishing;
        size_t answering;
        enum step here;
    } cases[] = {
        {STAGE_EMPTY, 16, false, false, 0, STEP_UP},
        {STAGE_LEGACY_014, 16, false, false, 3, STEP_UP},
        {STAGE_UPGRADABLE, 2, false, false, 3, STEP_UP},     /* seen by a terminal that has just attached */
        {STAGE_PENDING, 1, false, false, 3, STEP_UP},
        {STAGE_PENDING, 0, false, false, 3, STEP_DECOMMISSION},   /* `up` is about to end: no step is skipped for it */
        {STAGE_PENDING, 0, true, true, 0, STEP_FINISH},
        {STAGE_PENDING, 0, true, true, 1, STEP_FINISH},      /* an old node came back meanwhile: the run is what is seen */
        {STAGE_CURRENT, 0, true, true, 0, STEP_DONE},
    };
    (void)state;
    for (EACH(cases)) {
        struct upgrade_facts facts = all_is_well(state_of(cases[i].stage, cases[i].new, cases[i].stage == STAGE_PENDING ? 1 : 0));
        facts.worker_running = true;
        facts.worker_finishing = cases[i].finishing;
        facts.checks_run = cases[i].checks_run;
        facts.old_answering = cases[i].answering;
        struct upgrade upgrade = derive(&facts);
        if (upgrade.here != cases[i].here)
            fail_msg("case %zu: step %d, not %d", i, (int)upgrade.here, (int)cases[i].here);
        assert_int_equal(upgrade.gates[STEP_FINISH].open, cases[i].answering == 0 && cases[i].new == 0);
    }
}

/* No mix of facts leaves a gate without a reason, or opens `finish` beside an old node (derive looks, too). */
static void random_facts_break_no_rule(void **state)
{
    (void)state;
    srand(17);
    for (int round = 0; round < 20000; round++) {
        enum stage stage = (enum stage)(rand() % (STAGE_FOREIGN + 1));
        struct upgrade_facts facts = {
            .state = rand() % 20 == 0 ? NULL : state_of(stage, (size_t)rand() % 3, (size_t)rand() % 3),
            .worker_running = rand() % 2 == 0, .worker_finishing = rand() % 2 == 0, .finish_first = rand() % 2 == 0, .checks_run = rand() % 2 == 0,
            .checks_blocking = (size_t)rand() % 2, .checks_open = (size_t)rand() % 2, .old_nodes = (size_t)rand() % 3,
            .old_answering = (size_t)rand() % 3, .old_silent_too_short = (size_t)rand() % 2, .new_nodes = (size_t)rand() % 3,
            .new_ready = (size_t)rand() % 3, .old_rps = rand() % 3 - 1, .new_rps = rand() % 3 - 1, .old_quiet_ms = rand() % 200000 - 1,
            .quiet_needed_ms = UPGRADE_QUIET_MS,
        };
        for (int step = 0; step < STEPS; step++)
            facts.overruled[step] = rand() % 2 == 0;
        struct upgrade upgrade = derive(&facts);
        assert_true(!upgrade.gates[STEP_FINISH].open || facts.old_answering == 0);
        assert_int_equal(upgrade.here == STEP_DONE, facts.state != NULL && facts.state->stage == STAGE_CURRENT);
    }
}

static void steps_are_numbered_and_told(void **state)
{
    (void)state;
    int number = 0;
    for (int step = 0; step < STEPS; step++) {
        const struct step_text *text = &step_texts[step];
        assert_true(strlen(text->title) > 0 && strlen(text->word) > 0 && strlen(text->does) > 0 && strlen(text->safe) > 0 && strlen(text->out) > 0);
        assert_int_equal(text->irreversible, step == STEP_FINISH);
        for (const char *c = text->word; *c != '\0'; c++)
            assert_true(islower((unsigned char)*c));   /* it is typed */
        if (text->number != 0)
            assert_int_equal(text->number, ++number);
    }
    assert_int_equal(number, 5);
    assert_true(UPGRADE_GONE_MS < UPGRADE_QUIET_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_an_answer_all_is_shut),
        cmocka_unit_test(a_preflight_under_way_shuts_up), cmocka_unit_test(every_stage_has_its_step),
        cmocka_unit_test(the_clusters_tell_the_step_after_up),
        cmocka_unit_test(the_gate_of_up_wants_the_preflight),
        cmocka_unit_test(a_database_that_can_not_be_upgraded_says_why),
        cmocka_unit_test(an_empty_schema_beside_kongs_is_not_bootstrapped),
        cmocka_unit_test(an_upgrade_left_unfinished_is_finished_first),
        cmocka_unit_test(an_earlier_upgrade_waits_for_nodes_of_014),
        cmocka_unit_test(a_rollback_waits_for_nodes_of_1_3),
        cmocka_unit_test(each_later_gate_can_be_shut),
        cmocka_unit_test(overruling_opens_what_may_be_overruled),
        cmocka_unit_test(nothing_is_left_to_overrule_in_the_end),
        cmocka_unit_test(finish_is_not_overruled_while_an_old_node_answers),
        cmocka_unit_test(a_running_worker_keeps_its_step),
        cmocka_unit_test(random_facts_break_no_rule),
        cmocka_unit_test(steps_are_numbered_and_told),
    };
    return cmocka_run_group_tests_name("upgrade", tests, NULL, NULL);
}
