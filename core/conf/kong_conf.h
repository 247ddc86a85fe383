/*
 * kong.conf and KONG_* as Kong 1.3 reads them (kong/conf_loader.lua, kong/templates/kong_defaults.lua at 1.3.0;
 * pl/config.lua of Penlight 1.5.4). Its format is not INI: this is a reader of its own that follows Kong's rules.
 */
#ifndef CORE_CONF_KONG_CONF_H
#define CORE_CONF_KONG_CONF_H

#include "core/base/error.h"
#include "core/base/names.h"

#include <stdbool.h>
#include <stddef.h>

/* Where Kong keeps its data, as the settings pg_* say. Owns its strings; `password` is wiped on free. */
struct datastore {
    char *host;
    int port;
    char *database;
    char *user;
    char *password;              /* NULL: none */
    char *schema;                /* NULL: the connection's current schema (pg_schema unset) */
    int timeout_ms;              /* pg_timeout: how long a node waits for an answer before it gives up */
    bool ssl;                    /* pg_ssl */
    bool ssl_verify;             /* pg_ssl_verify */
    char *trusted_certificate;   /* lua_ssl_trusted_certificate, or NULL */
};

void datastore_copy(struct datastore *to, const struct datastore *from);
void datastore_free(struct datastore *datastore);

/*
 * What libpq has to be told to mean the same. pg_ssl off: `disable`. On: `require`, which checks nothing, as Kong does without
 * pg_ssl_verify. With it: `verify-ca`, not verify-full, since Kong's driver (pgmoon, in its TLS handshake) names no server, so
 * that the certificate's chain is checked, but not its name. Without a trusted certificate nothing can be verified: then, as in
 * Kong, no connection is made.
 */
struct datastore_tls {
    const char *sslmode;
    const char *sslrootcert;     /* a file that does not exist where none is to be used: libpq would look in the home folder */
};

struct datastore_tls datastore_tls(const struct datastore *datastore);

enum setting_origin { SETTING_DEFAULT, SETTING_FILE, SETTING_ENVIRONMENT };

struct setting {
    const char *name;
    char *value;                 /* as Kong has it in the end (numbers normalised); NULL: unset */
    enum setting_origin origin;
    int line;                    /* in the file, where the origin is that */
    bool secret;                 /* never to be shown */
};

/* Zero-initialise. Owns everything. */
struct kong_conf {
    char *file;                  /* the one that was read; NULL: none was found, defaults alone */
    struct setting *settings;    /* those that matter to an upgrade, in the order of Kong's documentation */
    size_t setting_count;
    struct datastore pg;
    struct names plugins;        /* loaded by a 1.3 node: `bundled` is spelled out */
    struct names warnings;       /* a sentence each */
};

/* Reads `file`, or, where that is NULL, the first of `search` (NULL-ended; NULL: Kong's own /etc/kong/kong.conf, /etc/kong.conf)
 * that exists, or none; and KONG_* of `environment`, which go before it. Errors: the file asked for is missing or not readable,
 * is no text file, holds what Kong refuses, or asks for another database than PostgreSQL. On failure `conf` is empty. */
bool kong_conf_load(struct kong_conf *conf, const char *file, const char *const *search, char *const *environment, struct error *error);
void kong_conf_copy(struct kong_conf *to, const struct kong_conf *from);   /* `to` is empty before */
bool kong_conf_equal(const struct kong_conf *a, const struct kong_conf *b);   /* every setting has the same value in both */
void kong_conf_free(struct kong_conf *conf);

/* NULL where it is no setting that we look at. */
const struct setting *kong_conf_get(const struct kong_conf *conf, const char *name);

/* The plugins that come with Kong 1.3 (kong/constants.lua at 1.3.0); NULL ends them. */
extern const char *const kong_bundled_plugins[];

#endif
