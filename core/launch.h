/*
 * Starting this same program once more as a process of its own: a session of its own, a child of init, standard streams on files. What
 * it has to know it is told through a pipe; when it is up it says so, or why not. Both ends are here.
 */
#ifndef CORE_LAUNCH_H
#define CORE_LAUNCH_H

#include "core/base/error.h"

#include <jansson.h>
#include <stdbool.h>

struct launch_request {
    const char *command;        /* the program's only argument */
    const char *job;            /* JSON */
    char *const *environment;
    const char *log_path;       /* for what it says on standard error; removed where it could not be started and the log is empty */
};

/* Starts it and waits until it is up (a moment; call it off the event loop). */
bool launch_start(const struct launch_request *request, struct error *error);

/* The process that was started: its job, from standard input, which is wiped behind it; NULL where it is none. */
json_t *launch_read_job(void);

/* NULL: it is up; else why not. From then on standard output is the log, as standard error is. */
void launch_answer(const char *problem);

#endif
