#include "tests/db/crash_points.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOCK_SPACE "4711"
#define DEAD_SPACE "4712"       /* by backend: its worker was killed, and no point stops it any more */

/* The start of a statement is not written down where it is reached: DROP INDEX CONCURRENTLY must be the first to write in its transaction;
 * every end that was seen had a start. lock_timeout and search_path are set for the function alone: the worker's own lock_timeout must not end the wait. */
static const char instruments[] =
    "SET client_min_messages = error; CREATE SCHEMA IF NOT EXISTS crash;"
    "CREATE TABLE IF NOT EXISTS crash.seen (n serial PRIMARY KEY, subject text, point text);"
    "CREATE TABLE IF NOT EXISTS crash.stops (id int PRIMARY KEY, subject text, point text, hold text, place int, turn boolean);"
    "CREATE OR REPLACE FUNCTION crash.reach(the_subject text, the_point text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER"
    " SET lock_timeout = 0 SET search_path = crash, pg_catalog AS $$ DECLARE stop int; BEGIN"
    " IF current_setting('application_name') NOT IN ('kong-upgrade worker', 'kong-upgrade worker locks') THEN RETURN; END IF;"
    " SELECT id INTO stop FROM stops s WHERE NOT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted"
    " AND classid = " DEAD_SPACE " AND objid = pg_backend_pid()) AND s.subject = the_subject AND s.point = the_point LIMIT 1;"
    " IF FOUND THEN PERFORM pg_advisory_xact_lock(" LOCK_SPACE ", stop);"
    " ELSIF the_point <> 'ddl_command_start' AND NOT EXISTS (SELECT FROM stops) THEN INSERT INTO seen (subject, point) VALUES (the_subject, the_point); END IF; END $$;"
    /* One function for all event triggers: they differ in TG_EVENT. */
    "CREATE OR REPLACE FUNCTION crash.on_ddl() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER AS"
    " $$ BEGIN PERFORM crash.reach(current_query(), TG_EVENT); END $$;"
    /* Of the rows of a backfill the second, the last and the first of a batch of 200, and one in the second batch. */
    "CREATE OR REPLACE FUNCTION crash.on_rows() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ DECLARE"
    " what text := format('rows of %s %s', TG_TABLE_NAME, coalesce(substring(current_query() from 'SET \"([^\"]*)\"'), lower(TG_OP)));"
    " n int; BEGIN"
    " IF TG_LEVEL = 'STATEMENT' THEN PERFORM crash.reach(what, lower(TG_WHEN)); RETURN NULL; END IF;"
    " n := coalesce(nullif(current_setting('crash.rows', true), ''), '0')::int + 1;"
    " PERFORM set_config('crash.rows', n::text, false);"
    " IF n IN (2, 200, 201, 300) THEN PERFORM crash.reach(what, 'row ' || n); END IF;"
    " RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END; END $$;"
    "CREATE OR REPLACE FUNCTION crash.on_record() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS"
    " $$ BEGIN PERFORM crash.reach(format('record %s %s %s', NEW.subsystem, NEW.executed, NEW.pending), TG_ARGV[0]); RETURN NEW; END $$;"
    "CREATE OR REPLACE FUNCTION crash.on_lock() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS"
    " $$ BEGIN PERFORM crash.reach('lock ' || lower(TG_OP), TG_ARGV[0]); RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END; END $$;"
    "DROP EVENT TRIGGER IF EXISTS zz_crash_start; DROP EVENT TRIGGER IF EXISTS zz_crash_rewrite; DROP EVENT TRIGGER IF EXISTS zz_crash_end;"
    "CREATE EVENT TRIGGER zz_crash_start ON ddl_command_start EXECUTE FUNCTION crash.on_ddl();"
    "CREATE EVENT TRIGGER zz_crash_rewrite ON table_rewrite EXECUTE FUNCTION crash.on_ddl();"
    "CREATE EVENT TRIGGER zz_crash_end ON ddl_command_end EXECUTE FUNCTION crash.on_ddl();"
    "DO $$ DECLARE t name; BEGIN FOR t IN SELECT c.relname FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace"
    " AND NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = c.oid AND tgname LIKE 'zz_crash%') LOOP"
    " IF t IN ('schema_meta', 'locks') THEN"
    "  EXECUTE format('CREATE TRIGGER zz_crash_1 BEFORE INSERT OR UPDATE %s ON %I FOR EACH ROW EXECUTE FUNCTION crash.%s(%L)',"
    "   CASE t WHEN 'locks' THEN 'OR DELETE' END, t, CASE t WHEN 'locks' THEN 'on_lock' ELSE 'on_record' END, 'before');"
    "  EXECUTE format('CREATE TRIGGER zz_crash_2 AFTER INSERT OR UPDATE %s ON %I FOR EACH ROW EXECUTE FUNCTION crash.%s(%L)',"
    "   CASE t WHEN 'locks' THEN 'OR DELETE' END, t, CASE t WHEN 'locks' THEN 'on_lock' ELSE 'on_record' END, 'after');"
    "  EXECUTE format('CREATE CONSTRAINT TRIGGER zz_crash_3 AFTER INSERT OR UPDATE %s ON %I INITIALLY DEFERRED FOR EACH ROW"
    "   EXECUTE FUNCTION crash.%s(%L)', CASE t WHEN 'locks' THEN 'OR DELETE' END, t, CASE t WHEN 'locks' THEN 'on_lock' ELSE 'on_record' END,"
    "   'commit');"
    " ELSIF t <> 'cluster_events' THEN"
    "  EXECUTE format('CREATE TRIGGER zz_crash_1 BEFORE UPDATE OR DELETE ON %I EXECUTE FUNCTION crash.on_rows()', t);"
    "  EXECUTE format('CREATE TRIGGER zz_crash_2 BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION crash.on_rows()', t);"
    "  EXECUTE format('CREATE TRIGGER zz_crash_3 AFTER UPDATE OR DELETE ON %I EXECUTE FUNCTION crash.on_rows()', t);"
    " END IF; END LOOP; END $$";

void points_add(const char *database)
{
    db_ask(database, instruments);
}

void points_remove(const char *database)
{
    db_ask(database, "SET client_min_messages = error; DROP SCHEMA IF EXISTS crash CASCADE");
}

/* The points of a statement that occurs again (a backfill's further batches) are those of its first occurrence. */
char *points_seen(const char *database)
{
    return db_ask(database,
        "WITH first AS (SELECT subject, point, '' AS hold, min(n) AS n FROM crash.seen GROUP BY 1, 2),"
        " starts AS (SELECT subject, 'ddl_command_start', h, n - 1 FROM first, unnest(ARRAY['', 'writers', 'snapshot']) h"
        " WHERE point = 'ddl_command_end' AND (h = '' OR subject LIKE 'CREATE % CONCURRENTLY %')),"
        " points AS (SELECT * FROM first UNION ALL SELECT * FROM starts)"
        " SELECT string_agg(format('(%s, %L, %L, %L, %s, %s)', id, subject, point, hold, place, (number % size = place)::text), ',' ORDER BY id) FROM"
        " (SELECT row_number() OVER (ORDER BY n, hold, point) AS id, subject, point, hold,"
        " row_number() OVER (PARTITION BY subject ORDER BY hold, n, point) - 1 AS place, count(*) OVER (PARTITION BY subject) AS size,"
        " dense_rank() OVER (ORDER BY subject) AS number FROM points) numbered");
}

void points_forget(const char *database)
{
    db_ask(database, "TRUNCATE crash.seen, crash.stops");
}

int points_set(const char *database, const char *values, const char *where)
{
    return atoi(db_ask(database, text_printf("WITH set AS (INSERT INTO crash.stops SELECT * FROM (VALUES %s) p (id, subject, point, hold, place, turn)"
                                             " WHERE %s RETURNING 1) SELECT count(*) FROM set", values, where)));
}

static PGresult *ask(PGconn *connection, const char *sql)
{
    PGresult *result = PQexec(connection, sql);
    if (PQresultStatus(result) != PGRES_TUPLES_OK && PQresultStatus(result) != PGRES_COMMAND_OK)
        fail_msg("%s\n%s", PQerrorMessage(connection), sql);
    return result;
}

static bool is_true(PGconn *connection, const char *sql)
{
    PGresult *result = ask(connection, sql);
    bool answer = PQntuples(result) > 0 && PQgetvalue(result, 0, 0)[0] == 't';
    PQclear(result);
    return answer;
}

void stopper_open(struct stopper *stopper, const char *database)
{
    *stopper = (struct stopper){.connection = db_connect("postgres", database)};
    PQclear(ask(stopper->connection, "SELECT pg_advisory_lock(" LOCK_SPACE ", id) FROM crash.stops"));
}

void stopper_close(struct stopper *stopper)
{
    PQfinish(stopper->connection);
    stopper->connection = NULL;
}

bool stopper_caught(struct stopper *stopper)
{
    PGresult *result = ask(stopper->connection,
        "WITH caught AS (DELETE FROM crash.stops s USING pg_locks l WHERE l.locktype = 'advisory' AND l.classid = " LOCK_SPACE " AND NOT l.granted"
        " AND l.objid = s.id AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) RETURNING s.*, l.pid)"
        " SELECT id, pid, subject, point, hold FROM caught");
    bool caught = PQntuples(result) > 0;
    if (caught) {
        stopper->id = atoi(PQgetvalue(result, 0, 0));
        stopper->backend = atoi(PQgetvalue(result, 0, 1));
        stopper->subject = text_printf("%s", PQgetvalue(result, 0, 2));
        stopper->point = text_printf("%s", PQgetvalue(result, 0, 3));
        stopper->hold = text_printf("%s", PQgetvalue(result, 0, 4));
    }
    PQclear(result);
    return caught;
}

static void unlock(struct stopper *stopper)
{
    PQclear(ask(stopper->connection, text_printf("SELECT pg_advisory_unlock(" LOCK_SPACE ", %d)", stopper->id)));
}

/* The table stands in the statement behind ON. */
void stopper_hold(struct stopper *stopper)
{
    char table[64] = "";
    const char *on = strstr(stopper->subject, " ON \"");
    if (on == NULL || sscanf(on, " ON \"%63[^\"]", table) != 1)
        fail_msg("no table in %s", stopper->subject);
    stopper->holder = db_connect("kong", PQdb(stopper->connection));
    if (strcmp(stopper->hold, "writers") == 0)
        PQclear(ask(stopper->holder, text_printf("BEGIN; LOCK TABLE \"%s\" IN ROW EXCLUSIVE MODE", table)));
    else
        PQclear(ask(stopper->holder, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM pg_class LIMIT 1"));
    unlock(stopper);
    for (int i = 0; !is_true(stopper->connection, text_printf("SELECT EXISTS (SELECT FROM pg_locks WHERE pid = %d AND locktype = 'virtualxid'"
                                                              " AND NOT granted)", stopper->backend)); i++) {
        if (i > 2000)
            fail_msg("the session did not come to wait in %s", stopper->subject);
        pause_ms(5);
    }
}

void stopper_release(struct stopper *stopper, bool terminate)
{
    PQclear(ask(stopper->connection, text_printf("SELECT pg_advisory_lock(" DEAD_SPACE ", %d)", stopper->backend)));
    if (terminate)
        PQclear(ask(stopper->connection, text_printf("SELECT pg_terminate_backend(%d)", stopper->backend)));
    if (stopper->holder != NULL)
        PQfinish(stopper->holder);
    else
        unlock(stopper);
    stopper->holder = NULL;
}
