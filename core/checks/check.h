/*
 * The preflight: things looked at before anything is changed, each with evidence and a remedy. A check is a row of a table; it asks
 * the database, kong.conf or the fleet, and changes nothing.
 */
#ifndef CORE_CHECKS_CHECK_H
#define CORE_CHECKS_CHECK_H

#include "core/base/names.h"
#include "core/conf/fleet.h"
#include "core/conf/kong_conf.h"
#include "core/migrations/state.h"

#include <jansson.h>

enum check_severity { CHECK_INFORMS, CHECK_WARNS, CHECK_BLOCKS };

enum check_outcome {
    CHECK_OK,        /* nothing found */
    CHECK_FOUND,
    CHECK_UNABLE,    /* it could not be looked at: the evidence says why. Speaks against going on as a warning does */
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
    const char *connect_error;      /* why there is no connection */
};

struct check {
    const char *id;                 /* "long-transactions" */
    const char *title;              /* "Long transactions" */
    enum check_severity severity;
    void (*look)(const struct check_subject *subject, struct check_result *result);
    const char *why;                /* why it matters, in a sentence or two */
    const char *source;             /* where the fact is from: an issue's number, a file of Kong's */
};

/* All of them, in the order in which they are shown; NULL ends the table. */
extern const struct check *const checks[];

const struct check *check_find(const char *id);   /* NULL: there is none */
const char *check_severity_name(enum check_severity severity);   /* "inform", "warn", "block" */
const char *check_outcome_name(enum check_outcome outcome);      /* "ok", "found", "unable" */

/* Zero-initialise; check_results_free frees. */
struct check_results {
    struct check_result *list;      /* the worst first: blocks, warns, unable, informs, ok; otherwise in the table's order */
    size_t count;
};

/* Connects (within 10 s; 5 s for each statement) and looks at everything, or, where `ids` is not empty, at those. Waits for the server: call it off the
 * event loop. Never fails: a database that can't be reached is a finding. */
void checks_run(const struct kong_conf *conf, const struct fleet *fleet, const struct names *ids, struct check_results *results);
void check_results_free(struct check_results *results);

/* A finding speaks against going on: it blocks, or it warns (or is unable) and is not among `acknowledged`. */
bool check_is_open(const struct check_result *result, const struct names *acknowledged);

/* As CLI `check --json` says; new reference. */
json_t *check_results_json(const struct check_results *results);

#endif
