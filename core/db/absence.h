/* A database that is not there: that this is why no connection was made, and what makes it. */
#ifndef CORE_DB_ABSENCE_H
#define CORE_DB_ABSENCE_H

#include "core/base/error.h"
#include "core/conf/kong_conf.h"

#include <stdbool.h>

/* Zero-initialise. `statement` is owned. */
struct absence {
    bool absent;       /* false also where that can't be told */
    bool may_create;   /* pg_user has CREATEDB */
    char *statement;   /* CREATE DATABASE kong OWNER kong; */
};

/* Asks the server through one of the databases that every server has. For after a connection that the server itself has refused. */
void absence_read(const struct datastore *datastore, struct absence *absence);

/* Creates it, as pg_user. */
bool absence_end(const struct datastore *datastore, struct error *error);
void absence_free(struct absence *absence);

#endif
