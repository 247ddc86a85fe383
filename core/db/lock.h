/*
 * Who may change the schema. Kong's own cluster mutex is the row `migrations` of its table `locks` (kong/db/init.lua,
 * cluster_mutex, at 1.3.0): taken for 60 s by `kong migrations` and never renewed there; ours is renewed every third of that time
 * (correction C7). An advisory lock beside it lives exactly as long as the session that took it, by which the row of a dead worker
 * of ours is known.
 */
#ifndef CORE_DB_LOCK_H
#define CORE_DB_LOCK_H

#include "core/base/error.h"

#include <stdbool.h>

struct pg;

#define LOCK_SECONDS 60
#define LOCK_OWNER_PREFIX "kong-upgrade "
#define LOCK_BACKUP_ROLE "worker backup"   /* pg_connect's role by which a backup's session is known */

/* What the row says. Owns its strings; lock_info_free frees them. */
struct lock_info {
    bool held;           /* there is a row that has not expired */
    char *owner;         /* a random UUID for `kong migrations`; for ours "kong-upgrade USER@HOST pid PID UUID COMMAND" */
    char *expires;       /* ISO time, UTC */
    int seconds_left;
    bool worker_alive;   /* another session holds the advisory lock: a worker of ours is connected somewhere */
    bool backs_up;       /* and it makes a backup, which changes nothing */
    char *address, *since;   /* that session's: where it comes from ("local": the server's machine), and when it began (ISO time, UTC);
                                NULL where our role may not see that */
};

void lock_info_free(struct lock_info *info);

/* Reads it; a database without the table (0.14, empty) has no lock held. */
bool lock_read(struct pg *pg, struct lock_info *info, struct error *error);

/* "alice@bastion (10.0.0.7) has been running `up` since 12:03 UTC": who changes the database through a worker that is alive. The caller
 * frees. */
char *lock_sentence(const struct lock_info *info);

/* The row is that of the worker with this pid on this host. */
bool lock_is_of(const struct lock_info *info, const char *host, int pid);

/* "USER@HOST pid PID" of a row of ours; NULL where it is none. The caller frees. */
char *lock_who(const struct lock_info *info);

/* The session's advisory lock; false with ERROR_HELD where another session has it. Released by pg_close. */
bool lock_take_session(struct pg *pg, struct error *error);

/* A worker's session that changes the schema says so, by a shared advisory lock, until it ends: what outlives its worker is known by it. */
bool lock_mark_session(struct pg *pg, struct error *error);

/* Whether none but ours (the backend `own`) is marked. false with ERROR_HELD and *there where one is: the server still runs a statement
 * of a worker that is gone. */
bool lock_leftover(struct pg *pg, int own, bool *there, struct error *error);

/* Kong's row. Expired rows are deleted first, as Kong does. false with ERROR_HELD where it is held. The table must exist. */
bool lock_acquire(struct pg *pg, const char *owner, struct error *error);

/* Extends it by LOCK_SECONDS. false with ERROR_HELD where the row is no longer ours: someone removed it. */
bool lock_renew(struct pg *pg, const char *owner, struct error *error);

/* Removes a row of ours. Without another worker's session (lock_take_session is held) it is a dead one's. */
bool lock_clear_dead(struct pg *pg, struct error *error);

bool lock_release(struct pg *pg, const char *owner, struct error *error);

/* A new owner's name for this process; what it runs may be put behind it, after a space. The caller frees. */
char *lock_new_owner(void);

#endif
