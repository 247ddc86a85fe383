#include "core/migrations/aside.h"

#include "core/db/pg.h"

static bool run(struct pg *pg, const char *sql, struct error *error)
{
    bool done = pg_run(pg, error, sql);
    if (!done)
        pg_rollback(pg);
    return done;
}

bool aside_set(struct pg *pg, struct error *error)
{
    return aside_put_back(pg, error) && run(pg,
        "BEGIN;"
        " INSERT INTO schema_meta (key, subsystem, pending) SELECT '" ASIDE_KEY "', subsystem, pending FROM schema_meta"
        "  WHERE key = 'schema_meta' AND cardinality(pending) > 0;"
        " UPDATE schema_meta SET executed = coalesce(executed, '{}') || pending, pending = '{}' WHERE key = 'schema_meta' AND cardinality(pending) > 0;"
        " COMMIT", error);
}

/* What Kong has made pending meanwhile comes behind what was. */
bool aside_put_back(struct pg *pg, struct error *error)
{
    bool there = false;
    if (!pg_ask(pg, error, "SELECT to_regclass('schema_meta') IS NOT NULL", &there))
        return false;
    if (there && !pg_ask(pg, error, "SELECT EXISTS (SELECT 1 FROM schema_meta WHERE key = '" ASIDE_KEY "')", &there))
        return false;
    return !there || run(pg,
        "BEGIN;"
        " UPDATE schema_meta m SET pending = a.pending || coalesce(m.pending, '{}'), executed = ARRAY(SELECT e.name FROM unnest(m.executed)"
        "  WITH ORDINALITY AS e (name, n) WHERE e.name <> ALL (a.pending) ORDER BY e.n)"
        "  FROM schema_meta a WHERE m.key = 'schema_meta' AND a.key = '" ASIDE_KEY "' AND a.subsystem = m.subsystem;"
        " DELETE FROM schema_meta WHERE key = '" ASIDE_KEY "';"
        " COMMIT", error);
}
