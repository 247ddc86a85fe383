/* What the files of the loop share: loop.c (terminal, tick, configuration, beginning and end), loop_looks.c (the database, the preflight),
 * loop_nodes.c (nodes and their traffic), loop_runs.c (workers, backups, hooks, blockers). */
#ifndef SCREENS_LOOP_INTERNAL_H
#define SCREENS_LOOP_INTERNAL_H

#include "core/cluster/seen.h"
#include "core/cluster/traffic.h"
#include "screens/hooks.h"
#include "screens/jobs.h"
#include "screens/loop.h"

#include <uv.h>

struct loop {
    struct wizard *wizard;
    uv_loop_t uv;
    uv_timer_t tick;
    uv_signal_t terminate;

    struct database_look look;            /* one at a time */
    bool look_at_once, want_plan;
    int64_t looked_at, planned_at;
    struct check_job check;
    struct conf_job conf;
    struct start_job start;
    struct back_job back;
    struct hook_start hook;
    struct blocker_job blocker;
    struct kong_job kong;
    struct create_job create;
    struct copy_job copy;
    uv_fs_t scan;                /* of a folder, for a path that is typed */
    bool scans;
    char *scanned;               /* what was typed then */
    size_t jobs;                 /* under way */

    struct nodes *nodes;
    struct seen *seen;           /* NULL: there is no state folder yet */
    int64_t seen_at;
    struct census *census;
    struct traffic *traffic;
    int64_t sought_at, drawn_at, settles_at;

    struct fleet_stamp bad_fleet;   /* fleet.ini as it was when it could not be read anew */
    char *wanted_conf;           /* another kong.conf is to be read; "" the one by default */
    bool loads;
};

/* Reads fleet.ini anew where someone else has changed it. */
void loop_renew_fleet(struct loop *loop);

/* Paints the frame. */
void loop_draw(struct loop *loop);

/* Derives the upgrade from what is known now. */
void loop_derive(struct loop *loop);

/* What the operator acknowledged and overruled, from the state folder. */
void loop_read_decisions(struct model *model, const char *folder);

/* The channel by which results of checks arrive. */
void loop_begin_checks(struct loop *loop);
void loop_end_checks(struct loop *loop);

/* Looks at the database where that is due and no look is under way. */
void loop_start_look(struct loop *loop);

/* The nodes of the fleet, watched from now on; their figures into the model; their traffic. */
void loop_restart_nodes(struct loop *loop);
void loop_take_nodes(struct loop *loop);
void loop_note_traffic(struct loop *loop);

/* What of that the report will tell. */
void loop_note_seen(struct loop *loop);

/* Looks for Kong's own command, once, as soon as it is of use. */
void loop_find_kong(struct loop *loop);

/* What the database sees beside the fleet, into the model; knocks at strangers while they are shown. */
void loop_take_census(struct loop *loop);
void loop_knock(struct loop *loop);

/* The worker that runs, or the last run; what its journal has to tell. The same for hooks. */
void loop_find_run(struct loop *loop);
void loop_read_run(struct loop *loop);
void loop_find_hook(struct loop *loop);
void loop_read_hook(struct loop *loop);

#endif
