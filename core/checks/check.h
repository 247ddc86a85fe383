/*
 * The preflight: things looked at before anything is changed, each with evidence and a remedy. A check is a row of a table; it asks
 * the database, kong.conf, the fleet or this host, and changes nothing. They look side by side (run.c), each with its own deadline.
 */
#ifndef CORE_CHECKS_CHECK_H
#define CORE_CHECKS_CHECK_H

#include "core/base/names.h"
#include "core/conf/fleet.h"
#include "core/conf/kong_conf.h"
#include "core/migrations/state.h"

#include <jansson.h>
#include <stdint.h>

enum check_severity { CHECK_INFORMS, CHECK_WARNS, CHECK_BLOCKS };

enum check_outcome {
    CHECK_OK,        /* nothing found */
    CHECK_FOUND,
    CHECK_UNABLE,    /* it could not be looked at: the evidence says why. Speaks against going on as a warning does */
    CHECK_WAITING,   /* it is still to be looked at: of a run that is under way */
};

/* What a check must have to look. Those that need less go first, so that what may take long keeps nobody waiting. */
enum check_reach {
    CHECK_HOST,      /* nothing of the database: files, nodes, kong.conf */
    CHECK_SERVER,    /* a connection: catalogs and statistics */
    CHECK_SCHEMA,    /* and the state */
    CHECK_ROWS,      /* and reads Kong's tables, which may be large or locked */
};

struct check;

/* What one check found. Owned by its check_results. Evidence and remedy may hold hostile text. */
struct check_result {
    const struct check *check;
    enum check_outcome outcome;
    enum check_severity severity;   /* the check's own, or milder where what was found is */
    struct names evidence;          /* what was looked at and found, a sentence each, with names and numbers */
    char *remedy;                   /* the exact command or SQL, ready to copy; NULL where nothing was found */
};

/* What checks look at. `pg` and `state` are NULL where there is no connection: then only "connection" can say something. */
struct check_subject {
    const struct kong_conf *conf;
    const struct fleet *fleet;
    struct pg *pg;
    const struct state *state;
    const char *connect_error;      /* why there is no connection, or no state */
    int64_t deadline_ms;            /* clock_ms() by which it must have looked; statements are cancelled then */
};

struct check {
    const char *id;                 /* "long-transactions" */
    const char *title;              /* "Long transactions" */
    enum check_severity severity;
    enum check_reach reach;
    void (*look)(const struct check_subject *subject, struct check_result *result);
    const char *why;                /* why it matters, in a sentence or two */
    const char *source;             /* where the fact is from: an issue's number, a file of Kong's */
};

/* All of them, in the order in which they are shown; NULL ends the table. */
extern const struct check *const checks[];

const struct check *check_find(const char *id);   /* NULL: there is none */
const char *check_severity_name(enum check_severity severity);   /* "inform", "warn", "block" */
const char *check_outcome_name(enum check_outcome outcome);      /* "ok", "found", "unable" */

void check_result_free(struct check_result *result);

/* Zero-initialise; check_results_free frees. */
struct check_results {
    struct check_result *list;      /* the worst first: blocks, warns, unable, waiting, informs, ok; otherwise in the table's order */
    size_t count;
};

/* Puts it in its place, instead of one of the same check; what it owns is then the list's, and `result` is empty. */
void check_results_put(struct check_results *results, struct check_result *result);

/* All checks, or, where `ids` is not empty, those, are to be looked at (again): CHECK_WAITING. */
void check_results_wait(struct check_results *results, const struct names *ids);
void check_results_free(struct check_results *results);

#define CHECK_LANES 4               /* so many look side by side, with a connection each where the server has enough of them free */
#define CHECK_STATEMENT_MS 5000     /* each statement; CHECK_LOCK_MS for a lock */
#define CHECK_LOCK_MS 2000
#define CHECK_DEADLINE_MS 8000      /* each check */
#define CHECK_GRACE_MS 2000         /* one that does not even notice its deadline is given up after these */

/* Called as each check has been through, on the thread of checks_run's caller. It may take what the result owns (and must empty it). */
typedef void check_taker(void *context, struct check_result *result);

/* Connects (within 10 s) and looks at everything, or, where `ids` is not empty, at those; each goes to `take`. Ends early, without the
 * rest, once *stop is set (NULL: never). Waits for the server: call it off the event loop. Never fails: a database that can't be reached
 * is a finding. */
void checks_run(const struct kong_conf *conf, const struct fleet *fleet, const struct names *ids, const volatile bool *stop, check_taker *take,
                void *context);

/* A check_taker: `context` are check_results. */
void check_results_take(void *context, struct check_result *result);

/* A finding speaks against going on: it blocks, or it warns (or is unable) and is not among `acknowledged`; or it is not known yet. */
bool check_is_open(const struct check_result *result, const struct names *acknowledged);

/* As CLI `check --json` says; new reference. */
json_t *check_results_json(const struct check_results *results);

#endif
