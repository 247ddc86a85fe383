/*
 * What is recorded of a hook's run: a file of JSON lines beside the journals (TIME-divert.hook, 0600), held with a flock by the
 * process that runs the hook. Its events: "start" (hook, arguments, percent or node, user, host, pid) and "end" (result, exit, message,
 * dropped, lines: the last that the hook said). While it runs, what it says is in a file of its own beside it (TIME-divert.out).
 */
#ifndef CORE_HOOK_RECORD_H
#define CORE_HOOK_RECORD_H

#include "core/conf/hooks.h"
#include "core/hook_lines.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Done: exit code 0. Failed: another one, a signal, or it could not be started. Cut: the process that ran it did not live to tell. */
enum hook_result { HOOK_RUNS, HOOK_DONE, HOOK_FAILED, HOOK_LATE, HOOK_STOPPED, HOOK_CUT };

/* Zero-initialise. Owns everything. */
struct hook_record {
    enum hook_kind kind;
    char *command;                   /* the arguments as one would type them */
    int percent;                     /* divert */
    char *node;                      /* decommission; else NULL */
    char *user, *host;
    pid_t pid;                       /* of the process that runs the hook, on that host */
    int64_t started_ms, ended_ms;    /* wall time; the latter 0 until it has ended */
    enum hook_result result;
    int exit_code;                   /* -1: none */
    char *message;                   /* why it failed, a part of a sentence; "" */
    size_t dropped;                  /* lines that were said before `lines` */
    struct names lines;              /* once it has ended */
};

/* False: there is no such record, or it has no beginning. */
bool hook_record_read(const char *path, struct hook_record *record);
void hook_record_free(struct hook_record *record);

/* The records of a folder, oldest first. */
void hook_record_list(const char *folder, struct names *paths);

/* How it came out, as a sentence without its end: "divert to 25 % failed: exit code 3". The caller frees. */
char *hook_record_sentence(const struct hook_record *record);
const char *hook_result_name(enum hook_result result);   /* as in the file: "done", … */
json_t *hook_record_json(const struct hook_record *record);

/* What is to be moved where: "provision", "divert to 25 %", "decommission old-1". The caller frees. */
char *hook_record_title(const struct hook_record *record);

/* The share of the new cluster that the last divert hook that went well has set, and when it ended (wall time); false: none has. */
bool hook_record_diverted(const char *folder, int *percent, int64_t *at);

/* Where what it says is while it runs. The caller frees. */
char *hook_output_path(const char *record_path);

/* Following one. Zero-initialise. */
struct hook_follower {
    char *path;                      /* NULL: none is followed */
    struct hook_record record;
    struct hook_lines lines;         /* what it has said */
    int64_t offset;
};

void hook_follow(struct hook_follower *follower, const char *path);
void hook_follow_read(struct hook_follower *follower);   /* what has come since; never waits */
void hook_follow_end(struct hook_follower *follower);

/* Reads on in the file that a hook writes into. */
void hook_output_read(int fd, int64_t *offset, struct hook_lines *lines);

#endif
