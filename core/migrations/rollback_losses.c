/* What a rollback would lose, and what stays that the old release can't deal with. */
#include "core/migrations/rollback.h"

#include "core/base/mem.h"
#include "core/db/pg.h"

#include <stdlib.h>

static void add_loss(struct losses *losses, char *what, int64_t rows)
{
    losses->list = mem_grow(losses->list, losses->count + 1, sizeof *losses->list);
    losses->list[losses->count++] = (struct loss){what, rows, false};
}

static bool count_rows(struct pg *pg, const char *sql, int64_t *count, struct error *error)
{
    PGresult *result = pg_query(pg, error, sql);
    if (result == NULL)
        return false;
    *count = atoll(PQgetvalue(result, 0, 0));
    PQclear(result);
    return true;
}

/* Of grpc are routes since 1.3; older nodes pass them over (kong/router.lua at 1.2.3). */
static bool add_grpc(struct pg *pg, enum kong_version to, struct losses *losses, struct error *error)
{
    int64_t count = 0;
    if (!count_rows(pg, "SELECT count(*) FROM routes WHERE protocols && ARRAY['grpc', 'grpcs']", &count, error))
        return false;
    if (count > 0)
        add_loss(losses, mem_printf("routes of grpc stay, and Kong %s passes them over", kong_version_names[to]), count);
    return true;
}

/* A node does not start while `plugins` names one that it does not have (kong/runloop/plugins_iterator.lua, kong/init.lua). */
static bool add_plugins(struct pg *pg, const struct rollback *rollback, enum kong_version to, struct losses *losses, struct error *error)
{
    for (const struct subsystem *const *each = subsystems; *each != NULL; each++) {
        int64_t count = 0;
        if ((*each)->migrations[0].since <= KONG_1_0)
            continue;
        char *sql = mem_printf("SELECT count(*) FROM plugins WHERE name = '%s'", (*each)->name);
        bool counted = count_rows(pg, sql, &count, error);
        free(sql);
        if (!counted)
            return false;
        if (names_have(&rollback->used, (*each)->name) && !rollback_brought(rollback, *each, to))
            add_loss(losses, mem_printf("the tables of %s stay: they are in use, and no journal here says that `up` has made them", (*each)->name), -1);
        else if (count > 0)
            add_loss(losses, mem_printf("plugins named %s stay, and Kong %s does not start while they are there: delete them first", (*each)->name,
                                        kong_version_names[to]), count);
    }
    return true;
}

static bool add_dependents(struct pg *pg, const struct plan *plan, struct losses *losses, struct error *error)
{
    struct names dependents = {0};
    bool found = rollback_dependents(pg, plan, &dependents, error);
    for (size_t i = 0; i < dependents.count; i++)
        add_loss(losses, mem_printf("%s: drop that first, it is not Kong's, and a rollback is refused until then", dependents.list[i]), -1);
    names_free(&dependents);
    return found;
}

bool rollback_losses(struct pg *pg, const struct rollback *rollback, const struct plan *plan, struct losses *losses, struct error *error)
{
    if (!losses_count(pg, plan, losses, error))
        return false;
    if (!add_plugins(pg, rollback, plan->to, losses, error) || !add_grpc(pg, plan->to, losses, error) || !add_dependents(pg, plan, losses, error)) {
        losses_free(losses);
        return false;
    }
    for (size_t i = 0; i < rollback->state.custom_count && plan->to == KONG_0_14; i++)
        add_loss(losses, mem_printf("what is recorded of the custom plugin %s is dropped, its tables stay", rollback->state.customs[i].name), -1);
    return true;
}
