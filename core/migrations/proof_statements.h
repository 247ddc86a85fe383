/*
 * The SQL that Kong's nodes issue, as data: for the proof (proof.h). Written from the facts of Kong's sources at the tags 0.14.1,
 * 1.0.4, 1.1.3, 1.2.3 and 1.3.0; each row names the file.
 *
 * Rows come in the order in which they run. All that they write carries ids and texts of our own that no Kong generates (the UUIDs
 * are of no version that it makes), so they lock no row of the operator's; reads are by key or of the first row. A row that can't be
 * told so to keep to our own is planned by the server (EXPLAIN), which finds every wrong name and type, but not executed.
 */
#ifndef CORE_MIGRATIONS_PROOF_STATEMENTS_H
#define CORE_MIGRATIONS_PROOF_STATEMENTS_H

#include <stddef.h>

/* As enum kong_version. */
enum proof_version { PROOF_0_14, PROOF_1_0, PROOF_1_1, PROOF_1_2, PROOF_1_3, PROOF_VERSIONS };
extern const char *const proof_version_names[PROOF_VERSIONS];   /* "0.14"… */

struct proof_statement {
    enum proof_version from, to;   /* the releases that issue it */
    const char *subsystem;         /* "core" or a plugin's */
    const char *table;             /* the one that it is about */
    const char *sql;
    const char *source;            /* file of Kong's that it is read from */
    const char *planned;           /* an SQL condition under which it is only planned ("true": always), or NULL */
    const char *parent;            /* not Kong's, but a row of this table that the next ones refer to; NULL else */
};

struct proof_table {
    const struct proof_statement *list;
    size_t count;
};

extern const struct proof_table proof_core, proof_plugins, proof_legacy;

/* The rows' own ids: of the row in hand, of the parents that it refers to, and behind all others (for pages). */
#define PROOF_ID "'b2f6c7de-41a9-0e35-c4d8-5a7e91f03b01'"
#define PROOF_PARENT "'b2f6c7de-41a9-0e35-c4d8-5a7e91f03b02'"
#define PROOF_LAST "'ffffffff-ffff-0fff-ffff-ffffffffffff'"
#define PROOF_TEXT "'kong-upgrade-proof-b2f6c7de'"

/* Rows of the tables. */
#define STATEMENT(from_, to_, subsystem_, table_, source_, sql_) {PROOF_##from_, PROOF_##to_, subsystem_, table_, sql_, source_, NULL, NULL}
#define PLANNED(from_, to_, subsystem_, table_, source_, when_, sql_) {PROOF_##from_, PROOF_##to_, subsystem_, table_, sql_, source_, when_, NULL}
#define PARENT(subsystem_, table_, parent_, columns_, values_) \
    {PROOF_0_14, PROOF_1_3, subsystem_, table_, \
     "INSERT INTO " parent_ " (id" columns_ ") VALUES (" PROOF_PARENT values_ ") ON CONFLICT (id) DO NOTHING", NULL, NULL, parent_}

/*
 * An entity of Kong's since 1.0 (five core ones already in 0.14). Its columns are a macro of two, C(name, value) and T(name) for a
 * time, behind `id` and `created_at`, which all have. HIDDEN: columns that are written and never read. ALIVE: the condition that
 * entities with a TTL are read with.
 */
#define ENTITY_SOURCE "kong/db/strategies/postgres/init.lua"
#define AS_READ_C(name_, value_) ", \"" #name_ "\""
#define AS_READ_T(name_) ", EXTRACT(EPOCH FROM \"" #name_ "\" AT TIME ZONE 'UTC') AS \"" #name_ "\""
#define AS_NAME_C(name_, value_) ", \"" #name_ "\""
#define AS_NAME_T(name_) ", \"" #name_ "\""
#define PROOF_TIME "TO_TIMESTAMP(1546300800.123) AT TIME ZONE 'UTC'"
#define AS_VALUE_C(name_, value_) ", " value_
#define AS_VALUE_T(name_) ", " PROOF_TIME
#define AS_SET_C(name_, value_) ", \"" #name_ "\" = " value_
#define AS_SET_T(name_) ", \"" #name_ "\" = " PROOF_TIME
#define AS_EXCLUDED_C(name_, value_) ", \"" #name_ "\" = EXCLUDED.\"" #name_ "\""
#define AS_EXCLUDED_T(name_) ", \"" #name_ "\" = EXCLUDED.\"" #name_ "\""

#define READ(columns_) "\"id\"" AS_READ_T(created_at) columns_(AS_READ_C, AS_READ_T)
#define NOTHING_HIDDEN(C, T)
#define ALWAYS_ALIVE ""
#define ALIVE " AND (\"ttl\" IS NULL OR \"ttl\" >= CURRENT_TIMESTAMP AT TIME ZONE 'UTC')"

#define INSERT_SQL(table_, columns_, hidden_) \
    "INSERT INTO \"" table_ "\" (\"id\"" AS_NAME_T(created_at) columns_(AS_NAME_C, AS_NAME_T) hidden_(AS_NAME_C, AS_NAME_T) ")" \
    " VALUES (" PROOF_ID AS_VALUE_T(created_at) columns_(AS_VALUE_C, AS_VALUE_T) hidden_(AS_VALUE_C, AS_VALUE_T) ")"
#define UPSERT_SQL(table_, columns_, hidden_, key_) \
    INSERT_SQL(table_, columns_, hidden_) " ON CONFLICT (\"" key_ "\") DO UPDATE SET \"created_at\" = EXCLUDED.\"created_at\"" \
    columns_(AS_EXCLUDED_C, AS_EXCLUDED_T) hidden_(AS_EXCLUDED_C, AS_EXCLUDED_T) " RETURNING " READ(columns_)
#define UPDATE_SQL(table_, columns_, hidden_) \
    "UPDATE \"" table_ "\" SET \"created_at\" = " PROOF_TIME columns_(AS_SET_C, AS_SET_T) hidden_(AS_SET_C, AS_SET_T)

/* Inserted, read, paged through, changed and put by id. Ends with ENTITY_END, which deletes it. */
#define ENTITY(from_, to_, subsystem_, table_, columns_, hidden_, alive_) \
    STATEMENT(from_, to_, subsystem_, table_, ENTITY_SOURCE, INSERT_SQL(table_, columns_, hidden_) " RETURNING " READ(columns_)), \
    STATEMENT(from_, to_, subsystem_, table_, ENTITY_SOURCE, \
              "SELECT " READ(columns_) " FROM \"" table_ "\" WHERE (\"id\") = (" PROOF_ID ")" alive_ " LIMIT 1"), \
    STATEMENT(from_, to_, subsystem_, table_, ENTITY_SOURCE, \
              "SELECT " READ(columns_) " FROM \"" table_ "\" WHERE true" alive_ " ORDER BY \"id\" LIMIT 1"), \
    STATEMENT(from_, to_, subsystem_, table_, ENTITY_SOURCE, \
              "SELECT " READ(columns_) " FROM \"" table_ "\" WHERE (\"id\") > (" PROOF_LAST ")" alive_ " ORDER BY \"id\" LIMIT 1"), \
    STATEMENT(from_, to_, subsystem_, table_, ENTITY_SOURCE, \
              UPDATE_SQL(table_, columns_, hidden_) " WHERE (\"id\") = (" PROOF_ID ")" alive_ " RETURNING " READ(columns_)), \
    STATEMENT(from_, to_, subsystem_, table_, ENTITY_SOURCE, UPSERT_SQL(table_, columns_, hidden_, "id"))
#define ENTITY_END(from_, to_, subsystem_, table_, alive_) \
    STATEMENT(from_, to_, subsystem_, table_, ENTITY_SOURCE, "DELETE FROM \"" table_ "\" WHERE (\"id\") = (" PROOF_ID ")" alive_)

/* By the entities that it refers to. */
#define OF_PARENT(from_, to_, subsystem_, table_, columns_, foreign_, alive_) \
    STATEMENT(from_, to_, subsystem_, table_, ENTITY_SOURCE, "SELECT " READ(columns_) " FROM \"" table_ "\" WHERE (\"" foreign_ "\") = (" \
              PROOF_PARENT ")" alive_ " ORDER BY \"id\" LIMIT 101"), \
    STATEMENT(from_, to_, subsystem_, table_, ENTITY_SOURCE, "SELECT " READ(columns_) " FROM \"" table_ "\" WHERE (\"" foreign_ "\") = (" \
              PROOF_PARENT ") AND (\"id\") > (" PROOF_ID ")" alive_ " ORDER BY \"id\" LIMIT 101")

/* By an endpoint's key. KEY_OF: read alone; BY_KEY: also changed, put and deleted by it. `conflict_`: what it is put by. */
#define KEY_OF(from_, to_, subsystem_, table_, columns_, name_, value_, alive_) \
    STATEMENT(from_, to_, subsystem_, table_, ENTITY_SOURCE, \
              "SELECT " READ(columns_) " FROM \"" table_ "\" WHERE \"" name_ "\" = " value_ alive_ " LIMIT 1")
#define BY_KEY(from_, to_, subsystem_, table_, columns_, hidden_, name_, value_, conflict_, alive_) \
    KEY_OF(from_, to_, subsystem_, table_, columns_, name_, value_, alive_), \
    STATEMENT(from_, to_, subsystem_, table_, ENTITY_SOURCE, \
              UPDATE_SQL(table_, columns_, hidden_) " WHERE \"" name_ "\" = " value_ alive_ " RETURNING " READ(columns_)), \
    STATEMENT(from_, to_, subsystem_, table_, ENTITY_SOURCE, UPSERT_SQL(table_, columns_, hidden_, conflict_)), \
    STATEMENT(from_, to_, subsystem_, table_, ENTITY_SOURCE, "DELETE FROM \"" table_ "\" WHERE \"" name_ "\" = " value_ alive_)

/* By tags, since 1.1: all of them, any of them. */
#define BY_TAGS(from_, to_, subsystem_, table_, columns_) \
    STATEMENT(from_, to_, subsystem_, table_, ENTITY_SOURCE, \
              "SELECT " READ(columns_) " FROM \"" table_ "\" WHERE tags @> ARRAY[" PROOF_TEXT "] ORDER BY \"id\" LIMIT 101"), \
    STATEMENT(from_, to_, subsystem_, table_, ENTITY_SOURCE, "SELECT " READ(columns_) " FROM \"" table_ "\" WHERE tags && ARRAY[" PROOF_TEXT \
              "] AND (\"id\") > (" PROOF_ID ") ORDER BY \"id\" LIMIT 101")

#define PROOF_COUNT(array_) (sizeof(array_) / sizeof((array_)[0]))

#endif
