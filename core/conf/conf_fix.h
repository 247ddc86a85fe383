/*
 * kong.conf for 1.3: a copy with what is deprecated replaced, and nothing else changed. What is mended (kong/conf_loader.lua at 1.3.0, and at
 * 0.14.1 for custom_plugins):
 *
 *   upstream_keepalive   becomes nginx_http_upstream_keepalive, 0 as NONE; where that is set already, it has no effect and becomes a comment
 *   custom_plugins       ignored since 1.0: its plugins go into `plugins`, beside `bundled` where that was the default
 *
 * Numeric nginx_* values need nothing: nginx takes `"8"`, as 1.2 wrote them, and `8`, as 1.3 does, for the same.
 */
#ifndef CORE_CONF_CONF_FIX_H
#define CORE_CONF_CONF_FIX_H

#include "core/base/error.h"
#include "core/base/names.h"

#include <stdbool.h>

/* Zero-initialise. Owns everything but `environment`. */
struct conf_fix {
    char *file;                  /* the original */
    char *const *environment;
    char *before, *after;        /* the texts; they may hold secrets, and are wiped */
    char *diff;                  /* unified, from `@@` on, secrets masked; NULL: there is nothing to mend in the file */
    struct names changes;        /* what was mended, a sentence each */
    struct names notes;          /* what is deprecated, but can't be mended in the file, a sentence each */
    struct names merged;         /* the plugins that custom_plugins adds to `plugins` */
    bool holds_secret;           /* it sets pg_password or the like */
};

/* Reads `file` as Kong does with KONG_* of `environment`, and mends it in memory. `environment` must outlive `fix`. Errors: those of
 * kong_conf_load. On failure `fix` is empty. */
bool conf_fix_make(struct conf_fix *fix, const char *file, char *const *environment, struct error *error);
void conf_fix_free(struct conf_fix *fix);

/* Whether `path` is the original, by whatever name. */
bool conf_fix_is_original(const struct conf_fix *fix, const char *path);

/* Writes the mended text to `path`: a new file with the original's permissions, or 0600 where it holds a secret; one that is there already is
 * an error, unless it is the original, which is replaced in one piece, owner and permissions kept. What was written is read back, and
 * taken away again (a replacement: not put in place), where anything but what was meant to change would be different for Kong. */
bool conf_fix_write(const struct conf_fix *fix, const char *path, struct error *error);

/* The proof: whether `path` says the same to Kong as the original, but for what was mended. */
bool conf_fix_verify(const struct conf_fix *fix, const char *path, struct error *error);

#endif
