/*
 * Running a child to its end, whatever it does: a session and a process group of its own, nothing on its standard input, and a file as
 * its output, so that nothing that it leaves running can ever fail to write. After its deadline, or when it is asked to stop, its group
 * gets SIGTERM, and SUPERVISE_GRACE_MS later SIGKILL. Hooks (hook.h) and Kong's own commands (kong_run.h) are run so.
 */
#ifndef CORE_SUPERVISE_H
#define CORE_SUPERVISE_H

#include "core/base/error.h"
#include "core/hook_lines.h"

#include <signal.h>
#include <stdbool.h>

#define SUPERVISE_GRACE_MS 5000

struct supervision {
    char *const *arguments;      /* ended by NULL, the first a full path */
    char *const *environment;    /* NULL: ours */
    const char *output_path;     /* a file that is not there yet; removed in the end */
    int deadline_seconds;
    const volatile sig_atomic_t *stop;   /* set by a signal handler */
    void (*started)(void *context);      /* once it runs; NULL: no one wants to know */
    void (*tick)(void *context, const struct hook_lines *lines);   /* some ten times a second, with what it has said; or NULL */
    void *context;
};

/* Zero-initialise; supervised_free frees. */
struct supervised {
    bool late, stopped;          /* it was ended for that */
    int exit_code;               /* -1: it has none */
    char *problem;               /* why that is no success, a part of a sentence; NULL where it ended with 0 */
    struct hook_lines lines;     /* what it said */
};

/* False where its output has no file: then nothing was begun. That the command can't be started is told by `problem`. */
bool supervise(const struct supervision *supervision, struct supervised *outcome, struct error *error);
void supervised_free(struct supervised *outcome);

#endif
