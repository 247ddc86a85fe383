/*
 * Rows in need, in key order, in small batches, each a transaction of its own. Nothing is remembered but in the rows themselves:
 * run again, it goes on with those that are still in need.
 */
#include "core/migrations/run_internal.h"

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/db/pg.h"

#include <stdlib.h>
#include <string.h>

#define BATCH_TARGET_MS 50
#define BATCH_FIRST 200
#define BATCH_LEAST 10
#define BATCH_MOST 20000
#define SLOW_STALL_MS 100.0     /* a node that waits so long: go slower */
#define SLOW_LAG_BYTES (64LL << 20)   /* a standby so far behind: wait */
#define LAG_EVERY_MS 1000
#define LONGEST_REST_MS 2000
#define PASSES 10               /* nodes may add rows in need while it runs */
#define REPORT_MS 250

struct batches {
    const struct change *change;
    char last_id[64];           /* "" at first */
    int size;
    int64_t rows, total, reported_at;
    int64_t blocked_since;      /* 0: the last batch had its locks */
    int64_t rest_ms, lag_asked_at, lag_bytes;
    bool lag_told;
};

/* Locks the batch's rows first, so that a row lock held by a node fails the batch within lock_timeout, not the other way round. */
static char *batch_sql(const struct batches *batches)
{
    const struct change *change = batches->change;
    struct buf sql = {0};
    buf_addf(&sql, "WITH batch AS (SELECT id FROM \"%s\" WHERE %s", change->table, change->where);
    if (batches->last_id[0] != '\0')
        buf_addf(&sql, " AND id > '%s'", batches->last_id);
    buf_addf(&sql, " ORDER BY id LIMIT %d FOR UPDATE), ", batches->size);
    if (change->kind == CHANGE_DELETE_ROWS)
        buf_addf(&sql, "made AS (DELETE FROM \"%s\" t USING batch WHERE t.id = batch.id)", change->table);
    else
        buf_addf(&sql, "made AS (UPDATE \"%s\" t SET \"%s\" = %s FROM batch WHERE t.id = batch.id)", change->table, change->name, change->set);
    buf_add(&sql, " SELECT count(*), (SELECT id FROM batch ORDER BY id DESC LIMIT 1) FROM batch");
    return buf_take(&sql);
}

static bool count_rows(struct run *run, struct batches *batches, struct error *error)
{
    struct buf sql = {0};
    buf_addf(&sql, "SELECT count(*) FROM \"%s\" WHERE %s", batches->change->table, batches->change->where);
    PGresult *result = pg_query(run->main, error, buf_text(&sql));
    buf_free(&sql);
    if (result == NULL)
        return false;
    batches->total = batches->rows + atoll(PQgetvalue(result, 0, 0));
    PQclear(result);
    return true;
}

static void report(struct run *run, struct batches *batches, bool always)
{
    if (!always && clock_ms() - batches->reported_at < REPORT_MS)
        return;
    batches->reported_at = clock_ms();
    journal_add(run->journal, false, json_pack("{s:s, s:s, s:I, s:I}", "event", "progress", "id", run->current_id, "rows",
        (json_int_t)batches->rows, "total", (json_int_t)(batches->total > batches->rows ? batches->total : batches->rows)));
}

static void adapt(struct batches *batches, int64_t took_ms)
{
    if (took_ms > BATCH_TARGET_MS)
        batches->size = batches->size / 2 > BATCH_LEAST ? batches->size / 2 : BATCH_LEAST;
    else if (took_ms < BATCH_TARGET_MS / 2)
        batches->size = batches->size * 3 / 2 < BATCH_MOST ? batches->size * 3 / 2 : BATCH_MOST;
}

/* One batch; `*got` rows were in need. A batch that could not have its locks is tried again, smaller. */
static bool run_batch(struct run *run, struct batches *batches, int *got, struct error *error)
{
    char *sql = batch_sql(batches);
    int64_t begun = clock_ms();
    PGresult *result = NULL;
    if (pg_run(run->main, error, "BEGIN; SET LOCAL lock_timeout = 200"))
        result = pg_query(run->main, error, sql);
    free(sql);
    if (result == NULL || !pg_run(run->main, error, "COMMIT")) {
        PQclear(result);
        pg_rollback(run->main);
        batches->blocked_since = batches->blocked_since > 0 ? batches->blocked_since : begun;
        if (error->code != ERROR_LOCK || clock_ms() - batches->blocked_since > run->job->deadline_ms)
            return false;
        run_report_wait(run, batches->change->table, error->message);
        error_clear(error);
        batches->size = batches->size / 2 > BATCH_LEAST ? batches->size / 2 : BATCH_LEAST;
        *got = batches->size;
        return run_pause(run, 250, error);
    }
    batches->blocked_since = 0;
    *got = atoi(PQgetvalue(result, 0, 0));
    batches->rows += *got;
    if (*got > 0)
        strncpy(batches->last_id, PQgetvalue(result, 0, 1), sizeof batches->last_id - 1);
    PQclear(result);
    adapt(batches, clock_ms() - begun);
    return true;
}

/* How far the standby that is behind most has to go; 0 where there is none, or where our role may not see it. */
static int64_t read_lag(struct run *run)
{
    PGresult *result = pg_query(run->aux, NULL,
        "SELECT coalesce(max(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn)), 0)::bigint FROM pg_catalog.pg_stat_replication");
    int64_t lag = result != NULL ? atoll(PQgetvalue(result, 0, 0)) : 0;
    PQclear(result);
    return lag;
}

static bool standby_is_behind(struct run *run, struct batches *batches)
{
    if (pg_server_version(run->main) < 100000 || pg_lost(run->aux))
        return false;
    if (clock_ms() - batches->lag_asked_at >= LAG_EVERY_MS) {
        batches->lag_asked_at = clock_ms();
        batches->lag_bytes = read_lag(run);
    }
    bool behind = batches->lag_bytes > SLOW_LAG_BYTES;
    if (behind && !batches->lag_told)
        journal_add(run->journal, false, json_pack("{s:s, s:s}", "event", "note", "text", "a standby is behind: the backfill waits for it now and then"));
    batches->lag_told = batches->lag_told || behind;
    return behind;
}

/* Rests before the next batch, longer and longer while nodes or standbys feel it; shorter again when they don't. */
static bool rest(struct run *run, struct batches *batches, struct error *error)
{
    bool felt = probe_recent_ms(run->probe) > SLOW_STALL_MS || standby_is_behind(run, batches);
    if (felt) {
        batches->rest_ms = batches->rest_ms == 0 ? BATCH_TARGET_MS : batches->rest_ms * 2;
        batches->rest_ms = batches->rest_ms < LONGEST_REST_MS ? batches->rest_ms : LONGEST_REST_MS;
        batches->size = batches->size / 2 > BATCH_LEAST ? batches->size / 2 : BATCH_LEAST;
    } else {
        batches->rest_ms /= 2;
    }
    return batches->rest_ms == 0 || run_pause(run, batches->rest_ms, error);
}

bool backfill_run(struct run *run, const struct change *change, struct error *error)
{
    struct batches batches = {.change = change, .size = BATCH_FIRST};
    bool done = false;
    for (int pass = 0; pass < PASSES && !done; pass++) {
        batches.last_id[0] = '\0';
        if (!count_rows(run, &batches, error))
            return false;
        for (int got = 1; got > 0;) {
            if (!run_may_go_on(run, error) || !run_batch(run, &batches, &got, error) || !rest(run, &batches, error))
                return false;
            report(run, &batches, false);
        }
        if (!change_is_done(run->main, change, &done, error))
            return false;
    }
    report(run, &batches, true);
    if (!done)
        return error_set(error, ERROR_SQL, "%s: rows of %s keep coming that need %s to be set; see which client writes them, then run the same again",
                         pg_where(run->main), change->table, change->name);
    return true;
}
