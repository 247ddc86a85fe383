/*
 * What the wizard does on libuv's thread pool: looks at the database, the preflight, the start of a worker. Each job is a struct whose
 * first member is the uv_work_t; while it runs, its thread alone touches it, and `app` is only read.
 */
#ifndef SCREENS_JOBS_H
#define SCREENS_JOBS_H

#include "core/backup/made.h"
#include "core/checks/check.h"
#include "core/cluster/api_guard.h"
#include "core/cluster/sessions.h"
#include "core/conf/conf_fix.h"
#include "core/db/absence.h"
#include "core/hook.h"
#include "core/kong_binary.h"
#include "core/linger.h"
#include "core/migrations/losses.h"
#include "core/upgrade.h"
#include "core/worker.h"
#include "screens/app.h"
#include "screens/way_back.h"

#include <uv.h>

/* A look at the database. It keeps its connection from one to the next. */
struct database_look {
    uv_work_t work;
    void *context;
    const struct app *app;
    bool busy;                    /* the loop's */
    bool want_plan, want_report;
    struct names new_node_ids;    /* for the guard */
    volatile bool abandoned;      /* set by the loop when the wizard is left: the statement under way is cancelled */
    struct pg *pg;

    bool good;                    /* the answer: what follows is filled, and the taker's to free */
    struct error error;
    struct state state;
    struct sessions sessions;
    struct api_guard guard;           /* empty unless `up` has run and `finish` has not */
    bool has_plan;
    struct plan plan;
    struct losses losses;
    bool resume;
    struct backups backups;
    struct absence absence;       /* where it could not connect */
    size_t journals;              /* how many there were when the times that follow were read */
    bool journal_grew;            /* the last one was not at its end then */
    int64_t began_ms, ended_ms;   /* of the upgrade: worker_upgrade_times */
    bool lingers_known;           /* asked once, with the first look */
    enum lingers linger;
    char *report;
};

void look_work(uv_work_t *work);
void look_disconnect(struct database_look *look);
void look_free(struct database_look *look);

/* A run of the preflight. Results come one by one: `arrived` is sent for those in `results`, both under the mutex. */
struct check_job {
    uv_work_t work;
    void *context;
    const struct app *app;
    struct names ids;             /* which; empty: all */
    volatile bool stop;           /* set by the loop when the wizard is left */
    bool conf_changed;            /* kong.conf is another one than `app` was made of */
    uv_async_t arrived;
    uv_mutex_t mutex;
    struct check_results results;
};

void check_work(uv_work_t *work);

/* kong.conf mended for 1.3: in memory, or, once that is done, into the file `target`. */
struct conf_job {
    uv_work_t work;
    void *context;
    const struct app *app;
    bool busy;                    /* the loop's */
    char *target;                 /* owned; NULL: in memory alone */
    struct conf_fix fix;
    bool done;
    struct error error;
};

void conf_work(uv_work_t *work);

/* The way back, see way_back.h. */
struct back_job {
    uv_work_t work;
    void *context;
    const struct app *app;
    bool busy;                    /* the loop's */
    enum kong_version wanted;
    volatile bool abandoned;      /* set by the loop when the wizard is left */
    struct way_back back;
};

void back_work(uv_work_t *work);

enum nodes_against { AGAINST_NONE, AGAINST_OLD, AGAINST_014, AGAINST_NEW };

struct start_job {
    uv_work_t work;
    void *context;
    const struct app *app;
    const char *command;          /* "up", "bootstrap", "finish", "rollback", "backup" */
    enum kong_version to;         /* of `rollback` */
    char *folder;                 /* of `backup`; owned */
    bool clear_dead_lock;
    enum nodes_against against;   /* the nodes that may not live meanwhile: asked once more, off the screen */
    struct upgrade_facts facts;   /* of `finish` and `rollback`: what their gate was opened by; what can be asked at once is asked again */
    char *path;                   /* of the journal; NULL and an error: not started */
    struct error error;
};

void start_work(uv_work_t *work);

struct hook_start {
    uv_work_t work;
    void *context;
    const struct app *app;
    enum hook_kind kind;
    int percent;
    char *node, *url;             /* owned; NULL where the hook is of no node */
    char *path;                   /* of its record; NULL and an error: not started */
    struct error error;
};

void hook_start_work(uv_work_t *work);

/* Looks for Kong's own command. */
struct kong_job {
    uv_work_t work;
    void *context;
    const struct app *app;
    bool busy;                    /* the loop's */
    struct kong_binary binary;
};

void kong_find_work(uv_work_t *work);

/* Creates the database. */
struct create_job {
    uv_work_t work;
    void *context;
    const struct app *app;
    bool created;
    struct error error;
};

void create_work(uv_work_t *work);

/* The operator's hand on a session that is in the way. */
struct blocker_job {
    uv_work_t work;
    void *context;
    const struct app *app;
    bool busy;                    /* the loop's */
    int pid;
    bool terminate;
    char *what, *query;           /* for the record; the loop's to free */
    bool done;
    struct error error;           /* why not; or, though it was done, why it is not on record */
};

void blocker_work(uv_work_t *work);

/* What was copied, into a file. */
struct copy_job {
    uv_work_t work;
    void *context;
    const struct app *app;
    bool busy;                    /* the loop's */
    char *text;                   /* owned */
    const char *cut;
    char *path;                   /* where it is; NULL and an error: nowhere */
    struct error error;
};

void copy_work(uv_work_t *work);

#endif
