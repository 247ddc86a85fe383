/* What the tests of `rollback` share: databases of every release, with data, and how they are compared. */
#ifndef TESTS_DB_ROLLBACK_FIXTURE_H
#define TESTS_DB_ROLLBACK_FIXTURE_H

#include "tests/db/harness.h"

struct rollback_start {
    const char *version, *dump;     /* dump NULL: a fresh database of that release, with rollback_data */
};

/* 0.14 and 1.0, real Kong's; 1.1, ours; 1.2, real Kong's and ours. */
#define ROLLBACK_STARTS 5
extern const struct rollback_start rollback_starts[ROLLBACK_STARTS];

/* Given --all behind the arguments of every test of the database's: all points. Otherwise some, for the everyday run. */
extern bool rollback_all;
bool rollback_arguments(int argc, char **argv);

#define ROLLBACK_ID "00000000-0000-4000-8000-00000000000"
extern const char rollback_data[];

/* What `up` says that it changes, and a rollback does not restore. */
extern const char rollback_documented[];

/* Makes the database; false, and that is said, where the reference is not there. */
bool rollback_begin(const char *database, const struct rollback_start *start);

/* The catalog without the bodies of functions: they are Kong's before, and may be ours after. */
char *rollback_schema(const char *database);

/* The rows that an `up` from that release and a rollback to it end with. */
char *rollback_rows(const char *database, const char *version);

void rollback_expect_same(const char *what, const char *before, const char *after);
void rollback_run_well(const char *database, const char *line);

#endif
