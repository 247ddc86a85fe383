/*
 * What the operator decided and nothing else could tell: warnings acknowledged, gates overruled, another backup declared,
 * sessions ended. One JSON object a line, in the state folder beside the journals ("decisions.log", 0600); the report lists them.
 */
#ifndef CORE_DECISIONS_H
#define CORE_DECISIONS_H

#include "core/base/error.h"
#include "core/base/names.h"

#include <stdbool.h>
#include <stdint.h>

enum decision_kind {
    DECISION_ACKNOWLEDGED, DECISION_OVERRULED, DECISION_DECLARED, DECISION_FORGOTTEN, DECISION_CANCELLED, DECISION_ENDED
};

/* What is declared where the operator says that there is a backup which was not made here. */
#define DECISION_OTHER_BACKUP "another backup"

/* Adds one: a check's id, a step's word, or what is declared; `why` is the finding or the gate's reason at that time. Of a session that
 * was in the way, whose query was cancelled or which was ended: what it was, and its query, masked. */
bool decisions_add(const char *folder, enum decision_kind kind, const char *what, const char *why, struct error *error);

/* The names of that kind that stand: decided since the last end of an upgrade (see decisions_close). */
void decisions_read(const char *folder, enum decision_kind kind, struct names *names);

/* For the report: a sentence each, oldest first. */
void decisions_list(const char *folder, struct names *sentences);

/* The upgrade is over: what was decided for it does not stand for another one. */
bool decisions_close(const char *folder, struct error *error);

/* When the last upgrade before that time was over (wall ms); 0: none was. */
int64_t decisions_closed_before(const char *folder, int64_t before);

#endif
