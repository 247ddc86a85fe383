#include "screens/explain.h"

#include "core/migrations/meaning.h"
#include "screens/backup_note.h"

#include <stdlib.h>

/* Why there is a gate before a step. */
static const struct {
    const char *why, *source;
} gates[STEPS] = {
    [STEP_PREFLIGHT] = {"The preflight asks the database: it needs a connection, and a database of a Kong that it knows.", "kong/db/migrations/state.lua at 1.3.0"},
    [STEP_UP] = {"What blocks must be mended, and what warns be acknowledged, before anything is changed: half-way it would be found out at a worse time.",
                 "the preflight's checks name the source of each"},
    [STEP_PROVISION] = {"A 1.3 node refuses to start on a database that is not migrated up.", "kong/cmd/utils/migrations.lua at 1.3.0"},
    [STEP_DIVERT] = {"Traffic is moved to nodes that answer, run 1.3 and use this database; to others it would be lost.", "GET / and GET /status of the nodes' Admin API"},
    [STEP_DECOMMISSION] = {"An old node that still serves is not stopped: its requests would fail. Each node counts its requests (total_requests); when the old"
                           " ones' stand still for the time of [gates] quiet, their traffic has moved.", "GET /status of the nodes' Admin API"},
    [STEP_FINISH] = {"Step 5 removes what old nodes read and write. One that still runs would fail on it, or write what 1.3 nodes don't see. So no old node may"
                     " answer, and while one does nothing overrules that.", "the teardown functions of kong/db/migrations at 1.3.0"},
    [STEP_DONE] = {"The upgrade is done when nothing is pending in schema_meta.", "kong/db/migrations/state.lua at 1.3.0"},
};

static void add_source(struct prose *prose, const char *source)
{
    prose_add_key(prose, "Source", source);
}

static void explain_gate(const struct wizard *wizard, struct prose *prose)
{
    enum step step = wizard->view.shown;
    const struct gate *gate = &wizard->model.upgrade.gates[step];
    if (gates[step].why == NULL)
        return;
    prose_add(prose, PROSE_HEADING, "The gate before this step");
    if (gate->open && !gate->overruled)
        prose_add_mark(prose, MARK_OK, "It is open.");
    else
        prose_add_mark(prose, gate->overruled || gate->can_overrule ? MARK_WARN : MARK_DANGER, "%s%s", gate->overruled ? "It was overruled, though: " : "It is shut: ",
                       gate->reason);
    prose_add(prose, PROSE_PARAGRAPH, "%s", gates[step].why);
    if (!gate->open)
        prose_add(prose, PROSE_PARAGRAPH, gate->can_overrule ? "o overrules it, once the step's word is typed; the report says so." : "Nothing overrules it.");
    add_source(prose, gates[step].source);
}

static void explain_verdict(const struct model *model, struct prose *prose)
{
    if (model->verdict.level != VERDICT_WORSE)
        return;
    prose_add(prose, PROSE_HEADING, "The new cluster answers worse");
    prose_add(prose, PROSE_PARAGRAPH, "The last minute of both clusters is compared, once each served %d requests in it. It is called worse where the new one's share of"
              " 5xx is more than %.0f percentage point above the old one's, of 4xx more than %.0f, or its p95 latency more than %.1f times the old one's and %.0f ms,"
              " and where that is beyond chance (z > %.0f).",
              VERDICT_REQUESTS, VERDICT_5XX_POINTS * 100, VERDICT_4XX_POINTS * 100, VERDICT_LATENCY_FACTOR, VERDICT_LATENCY_MS, VERDICT_Z);
    add_source(prose, "GET /metrics of the nodes, which Kong's Prometheus plugin answers");
}

/* The other warnings, where they hold. */

static bool lacks_backup(const struct wizard *wizard)
{
    enum step step = wizard->view.shown;
    return (step == STEP_UP || step == STEP_FINISH) && backup_can_start(&wizard->model) && !backup_is_there(&wizard->model);
}

static bool has_dead_lock(const struct wizard *wizard)
{
    return dead_lock_is_there(&wizard->model);
}

static bool has_guard(const struct wizard *wizard)
{
    return api_guard_is_there(&wizard->model);
}

static bool ends_at_logout(const struct wizard *wizard)
{
    return wizard->model.ends_at_logout;
}

static bool is_felt(const struct wizard *wizard)
{
    return model_runs(&wizard->model, wizard->view.shown) && wizard->model.run.worst_ms > RUN_STALL_FELT_MS;
}

static bool is_blocked(const struct wizard *wizard)
{
    return model_runs(&wizard->model, wizard->view.shown) && blockers_are_there(&wizard->model);
}

static const struct {
    bool (*holds)(const struct wizard *wizard);
    const char *title, *means, *source;
} warnings[] = {
    {lacks_backup, "No backup", "Step 1 destroys nothing, and can be rolled back; step 5 can't. Against what no program foresees only a backup helps. B dumps Kong's schema"
     " beside live traffic, reads the archive back, and compares the rows of each table.", "PostgreSQL, pg_dump and pg_restore"},
    {has_dead_lock, "A lock that was left behind", "A worker of this program took Kong's migrations lock, and no longer runs: PostgreSQL has freed the advisory lock that it"
     " held beside it. So the row can be removed without taking anything from anyone.", "kong/db/strategies/postgres/connector.lua at 1.3.0; PostgreSQL, advisory locks"},
    {has_guard, "The Admin API was used", "What is written through a new node before step 5 may be more than an old one understands. v shows what was written, and which rows"
     " only 1.3 understands.", "kong/cluster_events and kong/runloop/handler.lua at 1.3.0"},
    {ends_at_logout, "The work would end at logout", "systemd-logind is set to end what a user runs when the last session ends. loginctl enable-linger for this user, or staying"
     " logged in, prevents that. A run that was ended so is gone on with by starting it again.", "logind.conf(5), KillUserProcesses; loginctl(1)"},
    {is_felt, "A node would have waited", "Beside the run, a statement such as nodes send is tried again and again, and timed: what it waited, a request to Kong that needs the"
     " database would have waited. Most requests don't, as nodes keep what they have read.", "measured, on the table that is changed"},
    {is_blocked, "A session is in the way", "PostgreSQL grants the lock once that session ends its transaction. The change gives up after 100 ms and tries again, so nodes don't queue"
     " up behind it. k offers to cancel the session's query, or to end it.", "PostgreSQL, explicit locking; pg_blocking_pids"},
};

static void explain_warnings(const struct wizard *wizard, struct prose *prose)
{
    for (size_t i = 0; i < COUNT_OF(warnings); i++) {
        if (!warnings[i].holds(wizard))
            continue;
        prose_add(prose, PROSE_HEADING, "%s", warnings[i].title);
        prose_add(prose, PROSE_PARAGRAPH, "%s", warnings[i].means);
        add_source(prose, warnings[i].source);
    }
}

static void explain_steps(const struct model *model, struct prose *prose)
{
    static const struct {
        enum mark mark;
        const char *word;
    } states[] = {
        [STEP_STATE_LOCKED] = {MARK_UNKNOWN, "locked"}, [STEP_STATE_OPEN] = {MARK_INFO, "open"}, [STEP_STATE_HERE] = {MARK_WAIT, "here"}, [STEP_STATE_DONE] = {MARK_OK, "done"},
    };
    prose_add(prose, PROSE_HEADING, "The five steps");
    for (int i = STEP_UP; i <= STEP_FINISH; i++)
        prose_add_mark(prose, states[model->upgrade.states[i]].mark, "%d %s: %s%s", step_texts[i].number, step_texts[i].title, states[model->upgrade.states[i]].word,
                       step_texts[i].irreversible ? "; can't be undone" : "");
}

void explain_screen(const struct wizard *wizard, struct prose *prose)
{
    explain_gate(wizard, prose);
    explain_verdict(&wizard->model, prose);
    explain_warnings(wizard, prose);
    explain_steps(&wizard->model, prose);
}

void explain_change(struct prose *prose, const char *id, const struct change *change, const char *lock)
{
    char *source = change_source(id);
    if (change != NULL || lock_meaning(lock) != NULL)
        prose_add(prose, PROSE_HEADING, "What that means");
    if (change != NULL)
        prose_add(prose, PROSE_PARAGRAPH, "%s", change_meaning(change->kind));
    if (lock_meaning(lock) != NULL)
        prose_add(prose, PROSE_PARAGRAPH, "%s%s%s", lock, lock[0] != '\0' ? ": " : "", lock_meaning(lock));
    if (change != NULL && change->phase == PHASE_FINISH)
        prose_add(prose, PROSE_PARAGRAPH, "It belongs to step 5, since old nodes could not live with it.");
    if (source != NULL)
        add_source(prose, source);
    free(source);
}

void explain_node(struct prose *prose, const struct node *node)
{
    static const char *const states[] = {
        [NODE_UNASKED] = "It has not been asked yet, or has not answered yet.",
        [NODE_ANSWERS] = "Its Admin API answers as Kong's does.",
        [NODE_STRANGE] = "Something answers at that address, but not as Kong's Admin API does. See what runs there, and whether the address in fleet.ini is right.",
        [NODE_SILENT] = "The connection is refused, or no one takes it: no Kong runs there now. Of an old node that is the aim of step 4; a new one is still to be"
                        " started, or was stopped.",
        [NODE_UNKNOWN] = "It can't be asked from here (a name, a certificate, ssh, a firewall that answers nothing). That is not silence: it may well run, so the gates"
                         " count it as running.",
    };
    prose_add(prose, PROSE_HEADING, "What that means");
    prose_add(prose, PROSE_PARAGRAPH, "%s", states[node->state]);
    if (node->match == MATCH_OTHER)
        prose_add(prose, PROSE_PARAGRAPH, "It uses another database than this one: it is no part of this upgrade, or its kong.conf is wrong.");
    prose_add(prose, PROSE_PARAGRAPH, "A node is asked once a second; requests/s is how fast its count of all requests grows, without those that are asked from here.");
    add_source(prose, "GET / and GET /status of its Admin API (kong/api/routes/kong.lua, health.lua at 1.3.0)");
}

void explain_stranger(struct prose *prose)
{
    prose_add(prose, PROSE_HEADING, "What that means");
    prose_add(prose, PROSE_PARAGRAPH, "Every Kong node polls the table cluster_events, every 5 s by default; the database tells from which address. One node or several may be"
                                      " there: NAT and PgBouncer hide others. What the fleet does not name, no gate waits for: an old node among them would still"
                                      " run after step 5.");
    prose_add(prose, PROSE_PARAGRAPH, "Port %d, Kong's default for the Admin API, was asked there by plain HTTP. Kong listens on loopback by default; then ssh leads"
                                      " to it: ssh://USER@HOST before its address.", CENSUS_PORT);
    add_source(prose, "pg_stat_activity; kong/cluster_events and admin_listen in kong.conf.default at 1.3.0");
}

/* Kong's own words first. */
static const struct {
    const char *word, *means;
} words[] = {
    {"old cluster", "The Kong nodes of 0.14, 1.0, 1.1 or 1.2 that serve now. They are listed in [old] of fleet.ini."},
    {"new cluster", "The nodes of 1.3 that are started beside them, on the same database: [new] in fleet.ini."},
    {"node", "One Kong installation: a group of nginx processes with an Admin API, by which it is watched."},
    {"Admin API", "The port of a node (8001 by default) by which it tells its version and its traffic, and by which Kong is configured."},
    {"datastore", "The PostgreSQL database that all nodes of both clusters share."},
    {"subsystem", "A part of Kong with tables of its own: the core, or a plugin."},
    {"migration", "What a subsystem's tables need for a new release, under a name such as 005_120_to_130. Kong keeps the names of those that were executed in"
                  " the table schema_meta."},
    {"pending", "Of a migration: its `up` was run, its `finish` was not."},
    {"change", "One alteration that a migration is made of, which happens whole or not at all: a column, an index, a table, rows that are filled."},
    {"backfill", "A change that fills a column in rows that are there; in small batches, so that nobody waits."},
    {"correction", "Where Kong's own migration makes a mistake that is not made here; C1 to C10."},
    {"preflight", "All checks together, before anything is changed."},
    {"acknowledge", "To take note of a warning, so that it no longer holds you up; the report names it."},
    {"overrule", "To open a step though its gate is shut, by typing the step's word; the report says so."},
    {"plan", "The changes that are still to be made, in order, each with its lock and the size of its table."},
    {"up", "Step 1: what 1.3 needs is added. Nothing is taken away, so both clusters work."},
    {"finish", "Step 5: what only old nodes needed is removed. This can't be undone."},
    {"roll back", "To take away what `up` added, so that the database is as before; possible until `finish` has begun."},
    {"step", "One of the five of Kong's upgrade guide, numbered as there."},
    {"gate", "What must hold before the next step opens. Where it is shut it says why; some can be overruled."},
    {"check", "One thing looked at before the upgrade, with what was found, why it matters, and a remedy."},
    {"worker", "The process that makes the changes. It lives on when this screen is closed or the connection is lost."},
    {"journal", "What the worker writes down of its run, line by line; the report is made of it."},
    {"lock", "What PostgreSQL makes others wait for. ACCESS EXCLUSIVE keeps everyone off a table; it is held for a moment, and never waited for longer than 100 ms."},
    {"blocker", "A session of the database that holds a lock which a change needs."},
    {"seen", "Of a Kong node: it polls the database from an address that fleet.ini does not name."},
    {"stall", "How long a request of a node to the database waited while a change was made."},
    {"hook", "A command of yours, named in fleet.ini, that starts nodes, moves traffic or stops nodes."},
    {"quiet", "Of old nodes: they have served nothing for a while (two minutes, if fleet.ini says nothing else)."},
    {"report", "What was done, when, by whom, in how long; written when all is done, or by `kong-upgrade report` at any time."},
    {"migrations lock", "A row by which Kong sees to it that only one runs migrations at a time; the worker holds it, too."},
    {"rewrite", "PostgreSQL writes a whole table anew, and keeps everyone off it meanwhile."},
    {"schema", "The part of the database in which Kong's tables are; public by default."},
    {"fresh, stale, no data", "Live figures tell their age: \"now\" is at most two seconds old; with an age they are stale, not to be relied on; a dash, or ?, is not known yet."},
};

void explain_words(struct wizard *wizard)
{
    wizard_open_text(wizard, "Words");
    for (size_t i = 0; i < COUNT_OF(words); i++)
        prose_add_key(&wizard->view.text, words[i].word, words[i].means);
}
