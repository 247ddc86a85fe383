/*
 * Rows in need, page by page as they lie in the table, in small batches, each a transaction of its own. Nothing is remembered but in
 * the rows themselves: run again, it goes on with those that are still in need.
 *
 * By place, not by key: keys are random, so a batch in key order would touch, and log whole, a page for each of its rows. What nodes
 * write meanwhile may lie behind: another pass finds it.
 */
#include "core/migrations/run_internal.h"

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/db/pg.h"

#include <stdlib.h>

#define BATCH_TARGET_MS 50
#define PAGES_FIRST 4
#define PAGES_MOST 4096
#define SLOW_STALL_MS 100.0     /* a node that waits so long: go slower */
#define SLOW_LAG_BYTES (64LL << 20)   /* a standby so far behind: wait */
#define LAG_EVERY_MS 1000
#define LONGEST_REST_MS 2000
#define PASSES 10               /* nodes may add rows in need while it runs */
#define PASSES_UP 2             /* old nodes go on to write such rows all the time (0.14 sets no ttl): who was there first is filled */
#define REPORT_MS 250

struct batches {
    const struct change *change;
    int64_t page, end;          /* the next batch begins there; the pass ends before that */
    int64_t size;               /* of a batch, in pages */
    int page_rows;              /* no page holds more */
    int64_t rows, total, reported_at;
    int64_t blocked_since;      /* 0: the last batch had its locks */
    int64_t rest_ms, lag_asked_at, lag_bytes;
    bool lag_told;
};

/* The rows on the batch's pages. Before 14 PostgreSQL reads a range of places only by reading the whole table, but single places at once. */
static void add_place(struct run *run, const struct batches *batches, struct buf *sql)
{
    long long first = batches->page, end = batches->page + batches->size;
    if (pg_server_version(run->main) >= 140000)
        buf_addf(sql, "ctid >= '(%lld,0)' AND ctid < '(%lld,0)'", first, end);
    else
        buf_addf(sql, "ctid = ANY (ARRAY(SELECT format('(%%s,%%s)', page, line)::tid FROM generate_series(%lld, %lld) AS page,"
                      " generate_series(1, %d) AS line))", first, end - 1, batches->page_rows);
}

static char *batch_sql(struct run *run, const struct batches *batches)
{
    const struct change *change = batches->change;
    struct buf sql = {0};
    if (change->kind == CHANGE_DELETE_ROWS)
        buf_addf(&sql, "DELETE FROM \"%s\"", change->table);
    else
        buf_addf(&sql, "UPDATE \"%s\" SET \"%s\" = %s", change->table, change->name, change->set);
    buf_addf(&sql, " WHERE (%s) AND ", change->where);
    add_place(run, batches, &sql);
    return buf_take(&sql);
}

/* A pass goes over the pages that are there now. Of a table in partitions it goes over all at once: a place is one in each. */
static bool begin_pass(struct run *run, struct batches *batches, struct error *error)
{
    struct buf quoted = {0};
    buf_add_identifier(&quoted, batches->change->table);
    const char *const values[] = {buf_text(&quoted)};
    PGresult *result = pg_query_params(run->main, error,
        "SELECT greatest(pg_catalog.pg_relation_size($1::regclass), (SELECT max(pg_catalog.pg_relation_size(inhrelid)) FROM pg_catalog.pg_inherits"
        " WHERE inhparent = $1::regclass)) / current_setting('block_size')::int + 1, current_setting('block_size')::int / 28", 1, values);
    buf_free(&quoted);
    if (result == NULL)
        return false;
    batches->page = 0;
    batches->end = atoll(PQgetvalue(result, 0, 0));
    batches->page_rows = atoi(PQgetvalue(result, 0, 1));
    PQclear(result);
    return true;
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

static void halve(struct batches *batches)
{
    batches->size = batches->size > 1 ? batches->size / 2 : 1;
}

static void adapt(struct batches *batches, int64_t took_ms)
{
    if (took_ms > BATCH_TARGET_MS)
        halve(batches);
    else if (took_ms < BATCH_TARGET_MS / 2)
        batches->size = batches->size * 3 / 2 + 1 < PAGES_MOST ? batches->size * 3 / 2 + 1 : PAGES_MOST;
}

/* One batch. One that could not have its locks is tried again, smaller. */
static bool run_batch(struct run *run, struct batches *batches, struct error *error)
{
    char *sql = batch_sql(run, batches);
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
        halve(batches);
        return run_pause(run, 250, error);
    }
    batches->blocked_since = 0;
    batches->rows += atoll(PQcmdTuples(result));
    batches->page += batches->size;
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
        halve(batches);
    } else {
        batches->rest_ms /= 2;
    }
    return batches->rest_ms == 0 || run_pause(run, batches->rest_ms, error);
}

bool backfill_run(struct run *run, const struct change *change, struct error *error)
{
    struct batches batches = {.change = change, .size = PAGES_FIRST};
    bool done = false;
    int passes = change->phase == PHASE_UP ? PASSES_UP : PASSES;
    for (int pass = 0; pass < passes && !done; pass++) {
        if (!begin_pass(run, &batches, error) || !count_rows(run, &batches, error))
            return false;
        while (batches.page < batches.end) {
            if (!run_may_go_on(run, error) || !run_batch(run, &batches, error) || !rest(run, &batches, error))
                return false;
            report(run, &batches, false);
        }
        if (!change_is_done(run->main, change, &done, error))
            return false;
    }
    report(run, &batches, true);
    if (!done && change->phase == PHASE_FINISH)
        return error_set(error, ERROR_SQL, "%s: rows of %s keep coming that need %s to be set; see which client writes them, then run the same again",
                         pg_where(run->main), change->table, change->name);
    return true;
}
