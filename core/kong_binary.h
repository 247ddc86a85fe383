/*
 * Kong's own command, `kong`, of release 1.3: where it is, and that it is what it should be. It runs what this program does not know
 * (custom plugins' migrations), all migrations where fleet.ini says `engine = kong`, and starts a node after an installation.
 */
#ifndef CORE_KONG_BINARY_H
#define CORE_KONG_BINARY_H

#include "core/conf/fleet.h"

/* Zero-initialise; kong_binary_free frees. */
struct kong_binary {
    char *path;       /* NULL: none that can be used; then `problem` says why, as a sentence without its end */
    char *version;    /* "1.3.0" */
    char *problem;
};

/* The one that [kong] bin names, or else the first that is found on PATH, in /usr/local/bin, /usr/bin or /opt/kong/bin. It is run as
 * `kong version`, for at most KONG_VERSION_MS: not on the event loop. */
#define KONG_VERSION_MS 10000
void kong_binary_find(const struct fleet *fleet, struct kong_binary *binary);
void kong_binary_copy(struct kong_binary *to, const struct kong_binary *from);
void kong_binary_free(struct kong_binary *binary);

#endif
