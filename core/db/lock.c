#include "core/db/lock.h"

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/db/pg.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uuid/uuid.h>

/* One advisory lock per database and schema, by the schema's name: `bootstrap` takes it before the schema is there. */
#define ADVISORY_KEY "hashtext('kong-upgrade'), hashtext($1)"
#define ADVISORY_LOCKS_OF(space_) \
    "l.locktype = 'advisory' AND l.granted AND l.objsubid = 2 AND l.pid <> pg_backend_pid()" \
    " AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())" \
    " AND l.classid::bigint = hashtext('" space_ "')::bigint & 4294967295 AND l.objid::bigint = hashtext($1)::bigint & 4294967295"
#define ADVISORY_LOCKS ADVISORY_LOCKS_OF("kong-upgrade")

void lock_info_free(struct lock_info *info)
{
    free(info->owner);
    free(info->expires);
    free(info->address);
    free(info->since);
    *info = (struct lock_info){0};
}

/* Another session's: the worker asks, too, while it holds it. */
static bool read_worker(struct pg *pg, struct lock_info *info, struct error *error)
{
    const char *const values[] = {pg_schema(pg)};
    PGresult *result = pg_query_params(pg, error,
        "SELECT CASE WHEN a.client_port = -1 THEN 'local' ELSE host(a.client_addr) END,"
        " to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'),"
        " coalesce(a.application_name = 'kong-upgrade " LOCK_BACKUP_ROLE "', false) FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid WHERE " ADVISORY_LOCKS " LIMIT 1", 1, values);
    info->worker_alive = PQntuples(result) > 0;
    if (info->worker_alive) {
        info->backs_up = strcmp(PQgetvalue(result, 0, 2), "t") == 0;
        info->address = PQgetisnull(result, 0, 0) ? NULL : mem_dup(PQgetvalue(result, 0, 0));
        info->since = PQgetisnull(result, 0, 1) ? NULL : mem_dup(PQgetvalue(result, 0, 1));
    }
    PQclear(result);
    return result != NULL;
}

bool lock_read(struct pg *pg, struct lock_info *info, struct error *error)
{
    *info = (struct lock_info){0};
    bool exists = false;
    if (!read_worker(pg, info, error) || !pg_ask(pg, error, "SELECT to_regclass('locks') IS NOT NULL", &exists)) {
        lock_info_free(info);
        return false;
    }
    if (!exists)
        return true;
    PGresult *result = pg_query(pg, error,
        "SELECT owner, to_char(ttl AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), ceil(extract(epoch FROM ttl - now()))::int"
        " FROM locks WHERE key = 'migrations' AND ttl >= now()");
    if (result == NULL) {
        lock_info_free(info);
        return false;
    }
    if (PQntuples(result) > 0) {
        info->held = true;
        info->owner = mem_dup(PQgetvalue(result, 0, 0));
        info->expires = mem_dup(PQgetvalue(result, 0, 1));
        info->seconds_left = atoi(PQgetvalue(result, 0, 2));
    }
    PQclear(result);
    return true;
}

/* Who it is. */

char *lock_who(const struct lock_info *info)
{
    bool ours = info->held && strncmp(info->owner, LOCK_OWNER_PREFIX, strlen(LOCK_OWNER_PREFIX)) == 0;
    const char *name = ours ? info->owner + strlen(LOCK_OWNER_PREFIX) : "", *pid = strstr(name, " pid ");
    return pid != NULL ? mem_printf("%.*s", (int)(pid - name + 5) + (int)strcspn(pid + 5, " "), name) : NULL;
}

/* What stands behind the UUID, if it is a command of ours. */
static const char *command_of(const char *owner)
{
    static const char *const commands[] = {"up", "bootstrap", "finish", "rollback"};
    const char *last = strrchr(owner, ' ');
    for (size_t i = 0; last != NULL && i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(last + 1, commands[i]) == 0)
            return commands[i];
    return NULL;
}

/* The hour, and the day where it is another one. */
static char *since_text(const char *since)
{
    char now[CLOCK_TEXT_SIZE];
    clock_text(clock_wall_ms(), now);
    if (since == NULL || strlen(since) < 16)
        return mem_dup("");
    return strncmp(since, now, 10) == 0 ? mem_printf(" since %.5s UTC", since + 11) : mem_printf(" since %.10s %.5s UTC", since, since + 11);
}

char *lock_sentence(const struct lock_info *info)
{
    char *who = info->backs_up ? NULL : lock_who(info), *since = since_text(info->since);
    const char *command = who != NULL ? command_of(info->owner) : NULL;
    const char *address = info->address != NULL ? info->address : "an address that this role may not see";
    if (who != NULL)
        *strstr(who, " pid ") = '\0';
    char *what = command != NULL ? mem_printf("running `%s`", command) : mem_dup(info->backs_up ? "backing it up" : "changing the database");
    char *sentence = who != NULL ? mem_printf("%s (%s) has been %s%s", who, address, what, since)
                                 : mem_printf("someone (%s) has been %s%s", address, what, since);
    free(what);
    free(since);
    free(who);
    return sentence;
}

bool lock_is_of(const struct lock_info *info, const char *host, int pid)
{
    char *who = lock_who(info), *end = mem_printf("@%s pid %d", host != NULL ? host : "", pid);
    size_t length = who != NULL ? strlen(who) : 0;
    bool is = length > strlen(end) && strcmp(who + length - strlen(end), end) == 0;
    free(end);
    free(who);
    return is;
}

/* Who holds it, for the sentence. */
static bool held_by_other(struct pg *pg, struct error *error)
{
    struct lock_info info;
    if (!lock_read(pg, &info, error))
        return false;
    if (info.held && strncmp(info.owner, LOCK_OWNER_PREFIX, strlen(LOCK_OWNER_PREFIX)) == 0 && !info.worker_alive)
        error_set(error, ERROR_HELD, "%s: a worker that no longer runs (%s) left Kong's migrations lock behind; it expires in %d s: wait, or run the same again with --yes to remove it",
                  pg_where(pg), info.owner, info.seconds_left);
    else if (info.held)
        error_set(error, ERROR_HELD, "%s: Kong's migrations lock is held by %s for another %d s; wait until that run has ended, then try again",
                  pg_where(pg), info.owner, info.seconds_left);
    else
        error_set(error, ERROR_HELD, "%s: another process holds the migrations lock; try again", pg_where(pg));
    lock_info_free(&info);
    return false;
}

/* The application_name of the session that holds the advisory lock says which machine it is on. */
static bool session_held_by_other(struct pg *pg, struct error *error)
{
    const char *const values[] = {pg_schema(pg)};
    PGresult *result = pg_query_params(pg, error,
        "SELECT a.pid, coalesce(a.client_addr::text, 'local'), coalesce(to_char(a.backend_start AT TIME ZONE 'UTC', 'HH24:MI:SS'), '?')"
        " FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid WHERE " ADVISORY_LOCKS " LIMIT 1", 1, values);
    if (result == NULL)
        return false;
    if (PQntuples(result) > 0)
        error_set(error, ERROR_HELD, "%s: a kong-upgrade worker runs already (backend %s from %s, since %s UTC); follow it with `kong-upgrade attach` there",
                  pg_where(pg), PQgetvalue(result, 0, 0), PQgetvalue(result, 0, 1), PQgetvalue(result, 0, 2));
    else
        error_set(error, ERROR_HELD, "%s: another kong-upgrade worker was there a moment ago; try again", pg_where(pg));
    PQclear(result);
    return false;
}

bool lock_take_session(struct pg *pg, struct error *error)
{
    const char *const values[] = {pg_schema(pg)};
    PGresult *result = pg_query_params(pg, error, "SELECT pg_try_advisory_lock(" ADVISORY_KEY ")", 1, values);
    if (result == NULL)
        return false;
    bool taken = PQgetvalue(result, 0, 0)[0] == 't';
    PQclear(result);
    return taken || session_held_by_other(pg, error);
}

bool lock_mark_session(struct pg *pg, struct error *error)
{
    const char *const values[] = {pg_schema(pg)};
    return pg_run_params(pg, error, "SELECT pg_advisory_lock_shared(hashtext('kong-upgrade session'), hashtext($1))", 1, values);
}

bool lock_leftover(struct pg *pg, int own, bool *there, struct error *error)
{
    char *pid = mem_printf("%d", own);
    const char *const values[] = {pg_schema(pg), pid};
    PGresult *result = pg_query_params(pg, error,
        "SELECT a.pid, coalesce(a.client_addr::text, 'local'), coalesce(to_char(a.query_start AT TIME ZONE 'UTC', 'HH24:MI:SS'), '?')"
        " FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid WHERE " ADVISORY_LOCKS_OF("kong-upgrade session")
        " AND l.pid <> $2::int LIMIT 1", 2, values);
    free(pid);
    *there = PQntuples(result) > 0;
    if (*there)
        error_set(error, ERROR_HELD, "%s: a statement of a worker that no longer runs is not over yet (backend %s from %s, since %s UTC); nothing was begun: wait for its end, or end it with SELECT pg_terminate_backend(%s), then run the same again",
                  pg_where(pg), PQgetvalue(result, 0, 0), PQgetvalue(result, 0, 1), PQgetvalue(result, 0, 2), PQgetvalue(result, 0, 0));
    bool none = result != NULL && !*there;
    PQclear(result);
    return none;
}

bool lock_acquire(struct pg *pg, const char *owner, struct error *error)
{
    const char *const values[] = {owner};
    if (!pg_run(pg, error, "DELETE FROM locks WHERE ttl < now()"))
        return false;
    PGresult *result = pg_query_params(pg, error,
        "INSERT INTO locks (key, owner, ttl) VALUES ('migrations', $1, now() + interval '60 seconds') ON CONFLICT DO NOTHING RETURNING 1",
        1, values);
    if (result == NULL)
        return false;
    bool acquired = PQntuples(result) == 1;
    PQclear(result);
    return acquired || held_by_other(pg, error);
}

bool lock_renew(struct pg *pg, const char *owner, struct error *error)
{
    const char *const values[] = {owner};
    PGresult *result = pg_query_params(pg, error,
        "UPDATE locks SET ttl = now() + interval '60 seconds' WHERE key = 'migrations' AND owner = $1 RETURNING 1", 1, values);
    if (result == NULL)
        return false;
    bool renewed = PQntuples(result) == 1;
    PQclear(result);
    if (!renewed)
        error_set(error, ERROR_HELD, "%s: Kong's migrations lock is no longer ours: someone removed or took it; nothing half done is left, run the same again when the other has ended",
                  pg_where(pg));
    return renewed;
}

bool lock_clear_dead(struct pg *pg, struct error *error)
{
    return pg_run(pg, error, "DELETE FROM locks WHERE key = 'migrations' AND owner LIKE '" LOCK_OWNER_PREFIX "%'");
}

bool lock_release(struct pg *pg, const char *owner, struct error *error)
{
    const char *const values[] = {owner};
    return pg_run_params(pg, error, "DELETE FROM locks WHERE key = 'migrations' AND owner = $1", 1, values);
}

char *lock_new_owner(void)
{
    uuid_t random;
    char uuid[UUID_STR_LEN], host[256] = "unknown";
    uuid_generate_random(random);
    uuid_unparse_lower(random, uuid);
    gethostname(host, sizeof host - 1);
    const struct passwd *user = getpwuid(getuid());
    return mem_printf(LOCK_OWNER_PREFIX "%s@%s pid %ld %s", user != NULL ? user->pw_name : "?", host, (long)getpid(), uuid);
}
