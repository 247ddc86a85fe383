/*
 * A change: one indivisible alteration of the schema or of rows. Migrations are tables of changes; what a change is, whether it
 * is done, what it costs and the statements that make it are known here, once per kind.
 *
 * This is the only header of core that the migrations' own files include.
 */
#ifndef CORE_MIGRATIONS_CHANGE_H
#define CORE_MIGRATIONS_CHANGE_H

#include "core/base/buf.h"
#include "core/base/error.h"

#include <stdbool.h>
#include <stddef.h>

struct pg;

enum change_kind {
    CHANGE_CREATE_TABLE,      /* table, definition: what stands between the parentheses */
    CHANGE_CREATE_INDEX,      /* table, name, definition: "(column)" or "USING gin (column)"; unique; to: the name that a later
                                 migration gives it (there under that name it is done, too), or NULL */
    CHANGE_CREATE_FUNCTION,   /* name, arguments: types only, as PostgreSQL lists them; definition: all after the name */
    CHANGE_CREATE_TRIGGER,    /* table, name, definition: all after the name */
    CHANGE_ADD_COLUMN,        /* table, name, definition: the type as format_type() writes it; to: referenced table or NULL */
    CHANGE_SET_TYPE,          /* table, name, definition: the new type; set: the default to have then, or NULL */
    CHANGE_SET_PRIMARY_KEY,   /* table, name: the constraint; definition: "a, b"; where: a further constraint to drop, or NULL */
    CHANGE_ADD_UNIQUE,        /* table, name: the constraint; definition: the columns */
    CHANGE_RENAME_INDEX,      /* table, name, to; nothing to do where there is no index `name` */
    CHANGE_RENAME_CONSTRAINT, /* table, name, to; nothing to do where there is no constraint `name` */
    CHANGE_DROP_INDEX,        /* table, name */
    CHANGE_DROP_COLUMN,       /* table, name */
    CHANGE_DROP_TABLE,        /* table */
    CHANGE_DROP_FUNCTION,     /* name, arguments */
    CHANGE_DROP_TRIGGER,      /* table, name */
    CHANGE_DROP_UNIQUE,       /* table, name: the constraint, or the index that was built for it */
    CHANGE_BACKFILL,          /* table (with a key `id uuid`), name: the column; set: an expression; where: the rows in need */
    CHANGE_DELETE_ROWS,       /* table (with a key `id uuid`), name: what they are; where */
    CHANGE_KINDS
};

/* `up` destroys nothing; `finish` does what the old nodes could not live with (a migration's teardown, in Kong's words). */
enum change_phase { PHASE_UP, PHASE_FINISH };

/* Some corrections depend on where the database comes from. It comes from 0.14 as long as `schema_migrations` is there. */
enum change_origin {
    ORIGIN_ANY,
    ORIGIN_014,
    ORIGIN_SINCE_1_0,
    ORIGIN_ANY_KONG,          /* but not an empty database: of use between `up` and `finish` only */
};

struct change {
    enum change_kind kind;
    enum change_phase phase;
    enum change_origin origin;
    const char *table;
    const char *name;
    const char *to;
    const char *definition;
    const char *arguments;
    const char *set;
    const char *where;
    const char *correction;   /* "C1"…: where we do otherwise than Kong (corrections.h), or NULL */
    const char *before;       /* what an undo restores that the rest does not tell. SET_TYPE: the type; SET_PRIMARY_KEY: the columns;
                                 DROP_INDEX, DROP_FUNCTION of `up`: the definition, as in CREATE_…; CREATE_TRIGGER: a condition on the
                                 rows that it has written to `tags`, which outlive its table */
    const char *before_set;   /* SET_TYPE: the default then, where it was not `set` */
    const char *lost;         /* CREATE_TABLE, ADD_COLUMN: a condition on the rows that hold something which goes with it and is nowhere
                                 else; NULL: all rows, all values that are not null */
    bool unique;
    bool again;               /* a backfill that `up` has made before, of what old nodes wrote since; `where` also answers when the column
                                 that it is filled from is gone */
};

/* The releases of Kong whose schemas are known. */
enum kong_version { KONG_0_14, KONG_1_0, KONG_1_1, KONG_1_2, KONG_1_3, KONG_VERSIONS };
extern const char *const kong_version_names[KONG_VERSIONS];   /* "0.14"… */

/* One migration as Kong names it. `teardown`: `up` leaves it pending, `finish` executes it. */
struct migration {
    const char *name;
    enum kong_version since;   /* the first release that has it; KONG_0_14: 1.0, but 0.14's schema has all of its tables */
    bool teardown;
    const struct change *changes;
    size_t change_count;
};

struct subsystem {
    const char *name;          /* "core" or a plugin's */
    const struct migration *migrations;
    size_t migration_count;
};

/* Rows of the tables, short. */
#define TABLE(table_, ...)                 {.kind = CHANGE_CREATE_TABLE, .table = table_, .definition = __VA_ARGS__}
#define INDEX(table_, name_, on_)          {.kind = CHANGE_CREATE_INDEX, .table = table_, .name = name_, .definition = on_}
#define INDEX_RENAMED(table_, name_, on_, later_) \
    {.kind = CHANGE_CREATE_INDEX, .table = table_, .name = name_, .definition = on_, .to = later_}
#define COLUMN(table_, name_, type_)       {.kind = CHANGE_ADD_COLUMN, .table = table_, .name = name_, .definition = type_}
#define UNIQUE(table_, name_, columns_)    {.kind = CHANGE_ADD_UNIQUE, .table = table_, .name = name_, .definition = columns_}
#define RENAME_INDEX(table_, name_, to_)   {.kind = CHANGE_RENAME_INDEX, .table = table_, .name = name_, .to = to_}
#define DROP_INDEX(table_, name_, on_)     {.kind = CHANGE_DROP_INDEX, .table = table_, .name = name_, .before = on_}

/* created_at and its like: `timestamp` becomes `timestamp with time zone`, its default stays at the same precision. */
#define TIMESTAMP "timestamp without time zone"
#define TIMESTAMPTZ "timestamp with time zone"
#define NOW_UTC(precision_) "CURRENT_TIMESTAMP(" #precision_ ") AT TIME ZONE 'UTC'"
#define SET_TIMESTAMPTZ(table_, name_, precision_) \
    {.kind = CHANGE_SET_TYPE, .table = table_, .name = name_, .definition = TIMESTAMPTZ, .set = NOW_UTC(precision_), \
     .before = TIMESTAMP, .before_set = "CURRENT_TIMESTAMP(" #precision_ ") AT TIME ZONE 'utc'"}

#define COUNT_OF(array_) (sizeof(array_) / sizeof((array_)[0]))

/* What a change is, for the eye: "create table", "add column"… */
const char *change_kind_name(enum change_kind kind);

/* Its name within its migration: "routes.headers", "upstreams.algorithm.backfill". The caller frees. */
char *change_id(const struct change *change);

/* A sentence's worth: "add column routes.headers jsonb". The caller frees. */
char *change_text(const struct change *change);

/* What undoes a change: other changes, to be made in this order, of which each has all that a change has (is it done, what does it cost,
 * its statements). Returns how many, at most CHANGE_UNDOS; 0: nothing is left of it once its table is undone, or, of a backfill, it
 * can't be undone. Nothing is owned: texts are the change's. */
#define CHANGE_UNDOS 2
size_t change_undo(const struct change *change, struct change undo[CHANGE_UNDOS]);

/* Whether it looks at rows to know that it is done (a backfill, a deletion); the other kinds ask the catalogs only. */
bool change_asks_rows(const struct change *change);

/* Adds an SQL expression that is true when the change's effect is there. For the kinds that ask the catalogs it can be asked in
 * any state of the schema; the others need their table and columns to be there. */
void change_done_sql(const struct change *change, struct buf *sql);

/* Asks it. A question about rows whose table or columns don't exist yet is answered with "not done" (outside a transaction). */
bool change_is_done(struct pg *pg, const struct change *change, bool *done, struct error *error);

struct change_cost {
    const char *lock;   /* PostgreSQL's name of the strongest table lock taken, "" if none */
    bool rewrite;       /* the table is rewritten under that lock */
    bool scan;          /* the table is read through, without blocking anyone where the lock allows */
};

/* The cost on a server of that version (libpq's number), whatever the table's size. */
struct change_cost change_cost(const struct change *change, int server_version);

/* Whether it rewrites its table under its lock in this database: not where the table is large enough to go by a second column. */
bool change_rewrites(struct pg *pg, const struct change *change, bool *rewrites, struct error *error);

/* The statements that make it. */
struct statement {
    char *sql;
    bool alone;         /* must run outside a transaction (CONCURRENTLY), without lock_timeout */
    char *column, *set, *where;   /* where not NULL: `sql` sets many rows, and is run as a backfill of these */
};

struct statements {
    struct statement *list;
    size_t count;
};

void statements_free(struct statements *statements);

/* Builds them for the database's present state: an index that a failure left invalid is dropped first; a part that is there
 * already is left out. `atomic`: everything in one transaction of the caller's, nothing concurrently (an empty database). For
 * backfills and deletions the one statement is the plain form, for showing: run.c runs them in batches. */
bool change_statements(struct pg *pg, const struct change *change, bool atomic, struct statements *out, struct error *error);

#endif
