/*
 * Errors are values that carry one sentence for the operator: what failed, on what, and what to do next.
 *
 * A function that can fail takes a `struct error *` as its last argument and returns false (or NULL) after filling it.
 * The error is filled where the failure happens, passed up unchanged, and shown once, by screens/.
 */
#ifndef CORE_BASE_ERROR_H
#define CORE_BASE_ERROR_H

#include <stdbool.h>

enum error_code {
    ERROR_NONE,
    ERROR_USAGE,       /* the caller's arguments are wrong */
    ERROR_CONFIG,      /* kong.conf or fleet.ini can't be used */
    ERROR_CONNECT,     /* no connection to the database, or it was lost */
    ERROR_SQL,         /* the server refused a statement */
    ERROR_LOCK,        /* a lock was not granted in time (SQLSTATE 55P03), or a deadlock was broken (40P01) */
    ERROR_HELD,        /* Kong's lock, or ours, is held by another process */
    ERROR_STOPPED,     /* the operator, or a signal, asked to stop */
    ERROR_REFUSED,     /* a rule forbids it: wrong order, a gate */
    ERROR_FILE,        /* a file can't be read or written */
    ERROR_SYSTEM,      /* the operating system refused */
};

/* Zero-initialised means "no error". Owns its message. */
struct error {
    enum error_code code;
    char *message;     /* one sentence, UTF-8 where its sources were; may hold hostile text: clean it before showing */
    char sqlstate[6];  /* the server's SQLSTATE for ERROR_SQL and ERROR_LOCK, else "" */
};

/* Fills `error` (NULL is allowed and ignored); a message already there is replaced. Always returns false, so that
 * `return error_set(...)` reads well. */
bool error_set(struct error *error, enum error_code code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Puts `what` and ": " before the message that is there already. Returns false. */
bool error_prefix(struct error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Frees the message and makes it "no error" again. */
void error_clear(struct error *error);

#endif
