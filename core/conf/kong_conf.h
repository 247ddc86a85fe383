/*
 * kong.conf and KONG_* as Kong 1.3 reads them (kong/conf_loader.lua, kong/templates/kong_defaults.lua at 1.3.0;
 * pl/config.lua of Penlight 1.5.4). Its format is not INI: this is a reader of its own that follows Kong's rules.
 */
#ifndef CORE_CONF_KONG_CONF_H
#define CORE_CONF_KONG_CONF_H

#include "core/base/error.h"

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

void datastore_free(struct datastore *datastore);

#endif
