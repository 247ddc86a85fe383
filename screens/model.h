/*
 * What the wizard knows at this moment. Screens draw from it and change nothing in it; wizard.c and its watchers fill it in.
 */
#ifndef SCREENS_MODEL_H
#define SCREENS_MODEL_H

#include "core/checks/check.h"
#include "core/cluster/node.h"
#include "core/cluster/sessions.h"
#include "core/cluster/traffic.h"
#include "core/journal.h"
#include "core/migrations/losses.h"
#include "core/run_view.h"
#include "core/upgrade.h"
#include "screens/app.h"

struct model {
    struct app app;
    bool configured;              /* app is loaded */
    char *conf_error;             /* why not */

    bool has_state;               /* the database has answered at least once */
    struct state state;
    char *state_error;            /* what the last look failed with; NULL: it worked */
    int64_t state_at;             /* monotonic ms of the last good look */
    bool has_plan;
    struct plan plan;             /* of `up` (or bootstrap), or of `finish` once `up` is complete */
    struct losses losses;         /* of `finish` */
    struct sessions sessions;

    bool checks_running, checks_run;
    struct check_results checks;
    struct names acknowledged;    /* ids of checks */
    struct names overruled;       /* words of steps */

    struct nodes *nodes;          /* NULL: none to watch */
    struct traffic *traffic;

    char *journal_path;           /* of the run shown; NULL: none */
    struct journal_reader reader;
    struct run_view run;
    bool run_alive;               /* its worker lives */
    bool starting;                /* a worker is being started */

    struct upgrade upgrade;       /* derived from all that */
    int64_t now;                  /* monotonic ms of this frame */
};

/* Derives the upgrade from the rest. */
void model_derive(struct model *model);
void model_free(struct model *model);

/* The run shown is one of this command ("up", "bootstrap", "finish"). */
bool model_runs(const struct model *model, const char *command);

/* A check that speaks against going on: it blocks, or warns and is not acknowledged. */
bool model_check_open(const struct model *model, const struct check_result *result);

size_t model_count_nodes(const struct model *model, enum cluster cluster, bool (*which)(const struct node *node));

#endif
