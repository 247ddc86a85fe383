/*
 * The upgrade: five steps, as the upgrade guide numbers them, between a welcome and a report, and the gates between them. Where it
 * stands is derived from facts read a moment ago, so it is right after a restart, on another machine, or when someone ran
 * `kong migrations` by hand.
 *
 * Every gate has a sentence. Some may be overruled by the operator, who types the step's word for it: that is recorded and
 * reported. `finish` can't be overruled while a node of the old cluster still answers.
 */
#ifndef CORE_UPGRADE_H
#define CORE_UPGRADE_H

#include "core/migrations/state.h"

#include <stdbool.h>
#include <stdint.h>

enum step {
    STEP_WELCOME,
    STEP_PREFLIGHT,
    STEP_UP,            /* 1: the database migrated up; destroys nothing */
    STEP_PROVISION,     /* 2: 1.3 nodes started beside the old ones */
    STEP_DIVERT,        /* 3: traffic moved to them */
    STEP_DECOMMISSION,  /* 4: old nodes stopped */
    STEP_FINISH,        /* 5: what old nodes needed is removed; irreversible */
    STEP_DONE,
    STEPS
};

/* What is known now. Counts are of fleet.ini's nodes. Nothing is owned. */
struct upgrade_facts {
    const struct state *state;       /* NULL: the database has not answered yet */
    bool worker_running;
    bool worker_finishing;           /* and what it runs is `finish` */
    bool finish_first;               /* an earlier upgrade is to be finished before `up` (order_finish_first) */
    size_t legacy_answering;         /* nodes that answer as 0.14, of both clusters */
    size_t legacy_possible;          /* old nodes that may be 0.14's: there, of no known release, or can't be asked, or silent for a moment only */
    bool checks_run;                 /* the preflight has been through once */
    size_t checks_waiting;           /* of a run that is under way: not looked at yet */
    size_t checks_blocking;          /* findings that block */
    size_t checks_open;              /* warnings not acknowledged */
    size_t old_nodes, old_answering, old_silent_too_short;   /* the last: down, but not for UPGRADE_GONE_MS yet, or never asked yet */
    size_t old_unknown;              /* of those: can't be asked, for reasons that are not theirs */
    size_t new_nodes, new_ready;     /* ready: answers, is 1.3, not known to use another database */
    size_t new_answering, new_silent_too_short, new_unknown;   /* as of the old ones */
    size_t new_misplaced;            /* of [new], but of another release than 1.3, and not certainly gone (node_is_misplaced) */
    size_t later_sessions;           /* Kong nodes that poll the database and are no 0.14 */
    size_t live_sessions;            /* at least so many Kong nodes poll the database; 0 also where that can't be seen */
    size_t legacy_sessions;          /* of them, 0.14's: certainly old ones */
    int64_t old_session_ms;          /* how long ago more nodes were seen in the database than new ones are known, or a 0.14; < 0: never */
    int64_t old_answered_ms;         /* how long ago an old node was last there, as far as was watched; < 0: never */
    double old_rps, new_rps;         /* < 0: no figure yet */
    int64_t old_quiet_ms;            /* since when old nodes have served nothing but our own polls; < 0: not known */
    int64_t quiet_needed_ms;         /* how long that must hold (fleet.ini, default UPGRADE_QUIET_MS) */
    double quiet_rps;                /* what each old node may serve meanwhile (fleet.ini, default 0) */
    bool overruled[STEPS];           /* the operator typed that this gate be opened */
};

#define UPGRADE_QUIET_MS 120000
#define UPGRADE_POLLS_RPS 2.0    /* so few requests a second of an old node may be no clients' but somebody's polls: then the gate says so */

/* A node that has not answered for so long is gone. One that is restarted, or misses a poll, is back before (nodes are asked once a
 * second, see NODE_POLL_MS). */
#define UPGRADE_GONE_MS 5000

enum step_state {
    STEP_STATE_LOCKED,
    STEP_STATE_OPEN,     /* its gate is open: it may be worked on */
    STEP_STATE_HERE,     /* the upgrade stands here */
    STEP_STATE_DONE,
};

struct gate {
    bool open;
    bool can_overrule;   /* where it is shut */
    bool overruled;      /* it is open only because the operator said so */
    char reason[320];    /* why it is shut, or was until it was overruled, and what to do; "" where nothing speaks against it */
};

struct upgrade {
    enum step here;
    enum step_state states[STEPS];
    struct gate gates[STEPS];
    struct gate rollback;       /* to the way back: shut while a node of 1.3 may live */
    struct gate finish_first;   /* to the finish of an earlier upgrade: open where there is none to be finished, too */
};

/* Derives it. */
void upgrade_derive(const struct upgrade_facts *facts, struct upgrade *upgrade);

/* What is fixed about a step, for all faces. */
struct step_text {
    int number;          /* 1 to 5; 0 for the others */
    const char *title;   /* "Migrate up" */
    const char *brief;   /* where there is little room; NULL: the title */
    const char *word;    /* "up": the short name, and what is typed to overrule its gate */
    bool irreversible;
    const char *does;    /* what this step does */
    const char *safe;    /* what is safe, and what is not */
    const char *out;     /* how to get out */
};

extern const struct step_text step_texts[STEPS];

#endif
