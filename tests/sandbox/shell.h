/* A shell's command, for the tests that work with the sandbox: its scripts, psql, sed on fleet.ini. */
#ifndef TESTS_SANDBOX_SHELL_H
#define TESTS_SANDBOX_SHELL_H

/* Runs it to its end. Its exit code; 128 where a signal ended it. The command is cut at 2,047 bytes. */
int shell(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
