/*
 * Running a hook of fleet.ini. This same program, started once more as the worker is, runs it and records how it came out
 * (hook_record.h): so a lost terminal costs the view, and neither the hook nor its deadline.
 *
 * How it is kept in hand is supervise.h's. Its environment is the operator's, without KONG_* and PG*, where passwords are, and without
 * the variables that fleet.ini takes headers from. One runs at a time.
 */
#ifndef CORE_HOOK_H
#define CORE_HOOK_H

#include "core/conf/fleet.h"

#include <stdbool.h>

/* The argument that makes the program run a hook: `kong-upgrade hook`, with a job on its standard input. */
#define HOOK_COMMAND "hook"

struct hook_job {
    const struct fleet *fleet;
    enum hook_kind kind;
    struct hook_values values;
    const char *folder;         /* of the journals; it is there */
};

/* Starts it (a moment; call it off the event loop) and returns the path of its record, which the caller frees. NULL and an error where
 * nothing was begun: there is no such hook, another one runs, the folder can't be written. That the command can't be started is said
 * by the record. */
char *hook_start(const struct hook_job *job, struct error *error);

/* The operator's environment as a hook gets it, ended by NULL. child_free_environment frees. */
char **hook_environment(const struct fleet *fleet);

/* Ends it as its deadline would. */
bool hook_stop(const char *record_path, struct error *error);

/* The record of the one that runs, or NULL. The caller frees. */
char *hook_find_running(const char *folder);

/* main() of the process that runs it. Returns its exit code. */
int hook_main(void);

#endif
