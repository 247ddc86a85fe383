#include "core/migrations/probe.h"

#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/db/pg.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <uv.h>

#define TABLES 2
#define KEPT 100000              /* the newest samples, for the percentile */
#define RECENT (1000 / PROBE_EVERY_MS)

struct probe {
    uv_thread_t thread;
    uv_mutex_t mutex;            /* guards what follows */
    bool ends;
    char *tables[TABLES];
    unsigned generation;         /* of the tables */
    float *samples;              /* ring of KEPT */
    size_t count;                /* since probe_watch */
    double worst_ms;
    float recent[RECENT];
    size_t recent_next;
    int64_t begun_us;            /* of the statement under way; 0: none */

    struct pg *pg;               /* the thread's own, as all that follows */
    char *sql[TABLES];           /* NULL: that table is not there */
    unsigned sql_generation;
};

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static bool goes_on(void *context)
{
    struct probe *probe = context;
    uv_mutex_lock(&probe->mutex);
    bool ends = probe->ends;
    uv_mutex_unlock(&probe->mutex);
    return !ends;
}

/* What a node does to that table; NULL where it is not there. */
static char *statements_for(struct pg *pg, const char *table)
{
    struct buf quoted = {0}, sql = {0};
    buf_add_identifier(&quoted, table);
    const char *const values[] = {buf_text(&quoted)};
    PGresult *result = pg_query_params(pg, NULL,
        "SELECT attname, attname = 'id' AND atttypid = 'uuid'::regtype FROM pg_catalog.pg_attribute WHERE attrelid = to_regclass($1)"
        " AND attnum > 0 AND NOT attisdropped ORDER BY attname = 'id' DESC, attnum LIMIT 1", 1, values);
    if (result != NULL && PQntuples(result) > 0) {
        buf_addf(&sql, "BEGIN; UPDATE %s SET ", buf_text(&quoted));
        buf_add_identifier(&sql, PQgetvalue(result, 0, 0));
        buf_add(&sql, " = ");
        buf_add_identifier(&sql, PQgetvalue(result, 0, 0));
        buf_addf(&sql, " WHERE false; SELECT 1 FROM %s LIMIT 1; ", buf_text(&quoted));
        if (PQgetvalue(result, 0, 1)[0] == 't')
            buf_addf(&sql, "SELECT id FROM %s WHERE id >= md5(random()::text)::uuid ORDER BY id LIMIT 1 FOR UPDATE; ", buf_text(&quoted));
        buf_add(&sql, "ROLLBACK");
    }
    PQclear(result);
    buf_free(&quoted);
    return sql.length > 0 ? buf_take(&sql) : NULL;
}

static void forget_sql(struct probe *probe)
{
    for (size_t i = 0; i < TABLES; i++) {
        free(probe->sql[i]);
        probe->sql[i] = NULL;
    }
}

/* The tables that are watched now, as statements. A table that was not there is looked for again each time. */
static void prepare(struct probe *probe)
{
    char *tables[TABLES];
    uv_mutex_lock(&probe->mutex);
    bool is_new = probe->generation != probe->sql_generation;
    probe->sql_generation = probe->generation;
    for (size_t i = 0; i < TABLES; i++)
        tables[i] = mem_dup(probe->tables[i]);
    uv_mutex_unlock(&probe->mutex);
    if (is_new)
        forget_sql(probe);
    for (size_t i = 0; i < TABLES; i++) {
        if (tables[i] != NULL && probe->sql[i] == NULL)
            probe->sql[i] = statements_for(probe->pg, tables[i]);
        free(tables[i]);
    }
}

static void add_sample(struct probe *probe, int64_t took_us)
{
    double ms = (double)took_us / 1000.0;
    if (probe->sql_generation != probe->generation)
        return;
    probe->samples[probe->count++ % KEPT] = (float)ms;
    probe->recent[probe->recent_next++ % RECENT] = (float)ms;
    probe->worst_ms = ms > probe->worst_ms ? ms : probe->worst_ms;
}

static void set_begun(struct probe *probe, int64_t begun_us)
{
    uv_mutex_lock(&probe->mutex);
    probe->begun_us = begun_us;
    uv_mutex_unlock(&probe->mutex);
}

/* One measurement of each table. An error other than the time-out is no measurement: the table has changed its columns, or is gone. */
static void measure(struct probe *probe)
{
    static const char query_canceled[] = "57014";
    for (size_t i = 0; i < TABLES; i++) {
        struct error error = {0};
        if (probe->sql[i] == NULL)
            continue;
        int64_t begun = now_us();
        set_begun(probe, begun);
        bool done = pg_run(probe->pg, &error, probe->sql[i]);
        int64_t took = now_us() - begun;
        bool timed_out = !done && strcmp(error.sqlstate, query_canceled) == 0;
        uv_mutex_lock(&probe->mutex);
        probe->begun_us = 0;
        if (done || timed_out)
            add_sample(probe, took);
        uv_mutex_unlock(&probe->mutex);
        if (!done)
            pg_rollback(probe->pg);
        if (!done && !timed_out) {
            free(probe->sql[i]);
            probe->sql[i] = NULL;
        }
        error_clear(&error);
    }
}

static void sleep_us(int64_t us)
{
    struct timespec pause = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
    if (us > 0)
        nanosleep(&pause, NULL);
}

static void work(void *context)
{
    struct probe *probe = context;
    while (goes_on(probe)) {
        int64_t due = now_us() + PROBE_EVERY_MS * 1000;
        if (pg_lost(probe->pg))
            break;
        prepare(probe);
        measure(probe);
        sleep_us(due - now_us());
    }
}

struct probe *probe_start(const struct datastore *datastore, struct error *error)
{
    struct pg *pg = pg_connect(datastore, "worker probe", PROBE_TIMEOUT_MS, error);
    if (pg == NULL)
        return NULL;
    struct probe *probe = mem_zero(1, sizeof *probe);
    probe->pg = pg;
    probe->samples = mem_zero(KEPT, sizeof *probe->samples);
    uv_mutex_init(&probe->mutex);
    pg_set_tick(pg, goes_on, probe);
    if (uv_thread_create(&probe->thread, work, probe) == 0)
        return probe;
    error_set(error, ERROR_SYSTEM, "no thread could be started for the stall meter");
    uv_mutex_destroy(&probe->mutex);
    pg_close(pg);
    free(probe->samples);
    free(probe);
    return NULL;
}

void probe_stop(struct probe *probe)
{
    if (probe == NULL)
        return;
    uv_mutex_lock(&probe->mutex);
    probe->ends = true;
    uv_mutex_unlock(&probe->mutex);
    uv_thread_join(&probe->thread);
    uv_mutex_destroy(&probe->mutex);
    forget_sql(probe);
    for (size_t i = 0; i < TABLES; i++)
        free(probe->tables[i]);
    pg_close(probe->pg);
    free(probe->samples);
    free(probe);
}

void probe_watch(struct probe *probe, const char *table, const char *other)
{
    const char *const tables[TABLES] = {table, other};
    if (probe == NULL)
        return;
    uv_mutex_lock(&probe->mutex);
    for (size_t i = 0; i < TABLES; i++) {
        free(probe->tables[i]);
        probe->tables[i] = mem_dup(tables[i]);
    }
    probe->generation++;
    probe->count = 0;
    probe->worst_ms = 0;
    memset(probe->recent, 0, sizeof probe->recent);
    uv_mutex_unlock(&probe->mutex);
}

static int by_size(const void *a, const void *b)
{
    float left = *(const float *)a, right = *(const float *)b;
    return left < right ? -1 : left > right;
}

static double under_way_ms(const struct probe *probe)
{
    return probe->begun_us > 0 ? (double)(now_us() - probe->begun_us) / 1000.0 : 0;
}

struct probe_figures probe_read(struct probe *probe)
{
    struct probe_figures figures = {0};
    if (probe == NULL)
        return figures;
    uv_mutex_lock(&probe->mutex);
    size_t kept = probe->count < KEPT ? probe->count : KEPT;
    float *sorted = mem_grow(NULL, kept, sizeof *sorted);
    memcpy(sorted, probe->samples, kept * sizeof *sorted);
    figures.samples = probe->count;
    figures.worst_ms = probe->worst_ms;
    double waiting = under_way_ms(probe);
    uv_mutex_unlock(&probe->mutex);
    qsort(sorted, kept, sizeof *sorted, by_size);
    figures.p99_ms = kept > 0 ? (double)sorted[(kept * 99 + 99) / 100 - 1] : 0;
    figures.worst_ms = waiting > figures.worst_ms ? waiting : figures.worst_ms;
    free(sorted);
    return figures;
}

double probe_recent_ms(struct probe *probe)
{
    double worst = 0;
    if (probe == NULL)
        return 0;
    uv_mutex_lock(&probe->mutex);
    for (size_t i = 0; i < RECENT; i++)
        worst = (double)probe->recent[i] > worst ? (double)probe->recent[i] : worst;
    double waiting = under_way_ms(probe);
    uv_mutex_unlock(&probe->mutex);
    return waiting > worst ? waiting : worst;
}
