#include "core/migrations/corrections.h"

#include <stddef.h>
#include <string.h>

const struct correction corrections[] = {
    {"C1", "Coming from 0.14, Kong's `up` drops the function upsert_ttl, which 0.14 nodes call on every insert with a TTL: OAuth2 on the old cluster breaks at once.",
     "The function stays until `finish`.", "0.14.1 kong/dao/db/postgres.lua, kong/plugins/oauth2/access.lua"},
    {"C2", "On a database born before 1.0, and where the plugin is new, 1.3's rate limiting with policy `cluster` inserts by a key of five columns while the table still has six until `finish`: limits silently don't count on the new cluster.",
     "`up` builds the unique index on the five columns concurrently; `finish` makes it the primary key.", "1.3.0 kong/plugins/rate-limiting/policies/cluster.lua"},
    {"C3", "The trigger on ca_certificates is created without looking: running `up` again after a crash fails because it is there.",
     "Every change first asks whether it is done.", "fixed in Kong 1.4.0"},
    {"C4", "OAuth2 tokens whose expires_in is 0 never expire, but get a TTL of now and are deleted within minutes.",
     "Their TTL stays empty.", "Kong issues #4572 and #5242, fixed in 1.4.1"},
    {"C5", "acl's teardown never runs its loop on PostgreSQL: acls.cache_key stays NULL.", "It is filled.", "right since Kong 1.5.0"},
    {"C6", "A client that dies between a migration and its record makes the migration run again.",
     "The record is written in the same transaction as the last change where PostgreSQL allows it, and the schema itself is asked.", "Kong issue #12978"},
    {"C7", "Kong's migrations lock is taken for 60 s and never renewed: a longer run lets a second runner in.",
     "The lock is renewed every 20 s, and a run that can't have it ends with exit code 9.", "kong/db/init.lua, kong/cmd/utils/migrations.lua"},
    {"C8", "One-shot statements on big tables stall the old cluster for seconds.",
     "Short transactions with a lock timeout, concurrent indexes, backfills in small batches.", "measured"},
    {"C9", "A lock wait longer than Kong's --db-timeout wedges the database: the change is committed, but nothing is recorded, and every later `up` fails.",
     "A change that is there already is seen and not made again; our waits end on the server.", "seen with Kong 1.3.0"},
    {"C10", "`finish` before `up` exits with 0 and does nothing; `up -f` records names twice.",
     "Refused, with an exit code of its own; a name is never recorded twice.", "seen with Kong 1.3.0"},
    {NULL, NULL, NULL, NULL},
};

const struct correction *correction_find(const char *id)
{
    for (const struct correction *each = corrections; each->id != NULL; each++)
        if (id != NULL && strcmp(each->id, id) == 0)
            return each;
    return NULL;
}
