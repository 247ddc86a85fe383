/* The command line: what was asked for. */
#ifndef SCREENS_OPTIONS_H
#define SCREENS_OPTIONS_H

#include "core/base/names.h"

#include <stdbool.h>

#define EXIT_ERROR 1
#define EXIT_HELD 9
#define EXIT_USAGE 64
#define EXIT_TERMINAL_LOST 75

struct options {
    const char *conf, *fleet, *theme, *copy, *trace;
    const char *answers;       /* a file; NULL: none */
    bool json, yes, quiet, verbose, plain, ascii;
    bool dry_run, sql, finish, fix;
    const char *confirm, *to, *requests_file, *fix_file;
    struct names ignore, requests;
    const char *command;       /* NULL: the wizard */
    char **arguments;          /* what follows it */
    int argument_count;
};

/* Reads argv. Returns -1 to go on, else an exit code: --help and --version have printed, or the usage was wrong and was said. */
int options_read(struct options *options, int argc, char **argv);
void options_free(struct options *options);

/* Whether the option may stand with this command: "json" in "json,dry-run". Used by main's table of commands. */
int options_check(const struct options *options, const char *allowed, int most_arguments);

/* Wrong usage, as one sentence on stderr. Returns EXIT_USAGE. */
int options_wrong(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
