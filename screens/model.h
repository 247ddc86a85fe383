/*
 * What the wizard knows at this moment. Screens draw from it and change nothing in it; the loop and its watchers fill it in.
 */
#ifndef SCREENS_MODEL_H
#define SCREENS_MODEL_H

#include "core/backup/made.h"
#include "core/checks/check.h"
#include "core/cluster/api_guard.h"
#include "core/cluster/census.h"
#include "core/cluster/node.h"
#include "core/cluster/sessions.h"
#include "core/cluster/traffic.h"
#include "core/db/absence.h"
#include "core/hook_record.h"
#include "core/journal.h"
#include "core/kong_binary.h"
#include "core/migrations/losses.h"
#include "core/migrations/order.h"
#include "core/run_view.h"
#include "core/upgrade.h"
#include "screens/app.h"
#include "screens/way_back.h"

#define POLLS_UNKNOWN (-2)        /* the database has not been looked at, or hides others' sessions */

struct node_view {
    const struct node *node;      /* belongs to whoever watches the nodes */
    double rps;                   /* < 0: not known */
    int poll_age;                 /* seconds since the database was polled from its address; -1: none seen; POLLS_UNKNOWN */
};

struct model {
    struct app app;
    bool configured;              /* app is loaded */
    char *conf_error;             /* why not */

    bool has_state;               /* the database has answered at least once */
    struct state state;
    char *state_error;            /* what the last look failed with; NULL: it worked */
    int64_t state_at;             /* monotonic ms of the last good look; 0: none */
    bool has_plan;
    struct plan plan;             /* of `up` (or bootstrap), or of `finish` once `up` is complete */
    struct losses losses;         /* of `finish` */
    struct sessions sessions;
    const struct stranger **strangers;   /* of the sessions; belong to the census */
    size_t stranger_count;
    size_t old_polls;             /* addresses of old nodes alone from which the database is polled */
    int *fleet_polls;             /* by the fleet's nodes: seconds since the database was polled from there; -1: none seen */
    size_t fleet_poll_count;      /* 0: not known */
    int64_t old_session_at;       /* monotonic ms: a session that may be an old node's was seen; 0: never. Time in which the database was not
                                     looked at does not count: then it is later */
    int64_t old_answered_at;      /* monotonic ms: an old node was there; 0: never */
    struct api_guard guard;           /* between `up` and `finish` */
    int64_t began_ms, ended_ms;   /* of the upgrade, wall time; 0: it has not */
    bool resume;                  /* an `up` of ours was cut short: another one goes on with it */

    bool checks_running, checks_run;
    struct check_results checks;
    struct names acknowledged;    /* ids of checks */
    struct names overruled;       /* words of steps */
    struct backups backups;       /* made from here */
    bool other_backup;            /* the operator said that there is another */

    struct node_view *nodes;      /* in the fleet's order */
    size_t node_count;
    const double *history[TRAFFIC_STEPS][2];   /* requests/s by step and enum cluster, oldest first; NAN: not known */
    size_t history_count[TRAFFIC_STEPS][2];
    double rps[2];                /* by enum cluster; < 0: not known */
    struct cluster_metrics metrics[2];   /* of the last minute, likewise */
    struct traffic_verdict verdict;
    int64_t old_quiet_ms;         /* < 0: not known */

    char *journal_path;           /* of the run shown; NULL: none */
    struct journal_reader reader;
    struct run_view run;
    bool run_alive;               /* its worker lives */
    bool run_is_news;             /* it was seen alive from here, or did not end well: worth showing */
    bool starting;                /* a worker is being started */

    struct hook_follower hook;    /* the last hook's run; path NULL: none has run */
    bool hook_starting;
    int64_t hook_at;              /* monotonic ms of its beginning */
    int diverted;                 /* percent that the last divert hook that went well gave the new cluster */
    int64_t diverted_at;          /* monotonic ms; 0: none has gone well */
    bool kong_known;              /* it has been looked for */
    struct kong_binary kong;
    struct absence absence;       /* of the database, as the last look found it */
    bool creating;                /* it is being created */
    bool looking_back;            /* the way back is being looked at */
    struct way_back way_back;     /* as it was when it was asked for */
    bool ends_at_logout;          /* a worker that is started here ends with the login session, see linger.h */
    size_t watched_total;         /* changes of the run of someone else that is watched; 0: none is */
    char *report;                 /* Markdown, once the upgrade is done */

    struct upgrade upgrade;       /* derived from all that */
    int64_t now;                  /* monotonic ms of this frame */
};

/* What the upgrade is derived from, as it is known now. Points into the model. */
void model_facts(const struct model *model, struct upgrade_facts *facts);

/* The 0.14 nodes among sessions: those that poll the database. */
size_t model_count_legacy(const struct sessions *sessions);
size_t model_count_later(const struct sessions *sessions);   /* and those of 1.0 and later */

/* Derives the upgrade from the rest. */
void model_derive(struct model *model);
void model_free(struct model *model);

/* The run shown is one of that step: `up`, `bootstrap` or the `finish` of an earlier upgrade for STEP_UP, `finish` for STEP_FINISH; a
 * backup, while it goes on, is of the step that comes next. */
bool model_runs(const struct model *model, enum step step);

/* The run shown is a backup. */
bool model_backs_up(const struct model *model);

/* An earlier upgrade was never finished, and is to be; this one has not begun. Why that can't be started now; "" where it can, see
 * model_refusal. */
bool model_finish_first(const struct model *model);
const char *model_refusal_to_finish_first(const struct model *model, char *text, size_t size);

/* Why the rollback that was looked at can't be started now; "" where it can. */
const char *model_refusal_to_roll_back(const struct model *model, char *text, size_t size);

/* A 0.14 node polls the database, or someone at an old node's address, or more nodes than new ones are known, or more at addresses that no
 * one named than there are new ones not seen at their own. */
bool model_sees_old_sessions(const struct model *model);

/* The sessions are those of a look at `now`, the last good one before it was at `before` (0: there was none): notes old_session_at. */
void model_note_sessions(struct model *model, int64_t before, int64_t now);

/* `up` has nothing left to do. */
bool model_is_up(const struct model *model);

/* The run shown is a rollback; one that was cut short. */
bool model_rolls_back(const struct model *model);
bool model_is_half_back(const struct model *model);

/* Step 5 has begun, as far as is seen from here: nothing leads back but a backup. */
bool model_finish_begun(const struct model *model);

/* A worker that was not started from this state folder (by another account, on another machine) changes the database: it can be
 * watched through the plan, not followed. */
bool model_is_watching(const struct model *model);

/* "alice@bastion (10.0.0.7) has been running `up` since 12:03 UTC; you can watch, not start."; "" where nobody else works. `text` holds
 * `size` bytes and is returned. */
const char *model_watched(const struct model *model, char *text, size_t size);

/* " Go on to step 3: press 3."; "" once the upgrade is done. Static, until the next call. */
const char *model_go_on(const struct model *model, enum step next);

/* Why "up" or "finish" can't be started now, in a sentence; "" where it can. `text` holds `size` bytes and is returned. */
const char *model_refusal(const struct model *model, enum step step, char *text, size_t size);

size_t model_count_nodes(const struct model *model, enum cluster cluster, bool (*which)(const struct node *node));

#endif
