#include "screens/way_back.h"

#include "core/base/mem.h"
#include "core/journal.h"
#include "core/worker.h"

#include <stdio.h>
#include <stdlib.h>

void way_back_free(struct way_back *back)
{
    rollback_free(&back->rollback);
    plan_free(&back->plan);
    losses_free(&back->losses);
    free(back->verdict.sentence);
    free(back->problem);
    *back = (struct way_back){.to = KONG_VERSIONS};
}

bool way_back_is_open(const struct way_back *back)
{
    return back->looked && back->problem == NULL && back->to < KONG_VERSIONS && back->verdict.order == ORDER_GO;
}

const char *way_back_name(const struct way_back *back)
{
    static char name[16];
    if (!back->looked || back->problem != NULL || back->to == KONG_VERSIONS)
        return "an older Kong";
    snprintf(name, sizeof name, "Kong %s", kong_version_names[back->to]);
    return name;
}

/* Where nothing is left to be undone, a rollback that was cut short is still to be ended. */
static enum kong_version choose(const struct rollback *rollback, enum kong_version wanted)
{
    if (rollback->nothing)
        return rollback->recorded < KONG_1_3 ? rollback->recorded : KONG_1_2;
    bool offered = wanted < KONG_VERSIONS && (rollback->releases & 1u << wanted) != 0;
    return offered ? wanted : rollback_newest(rollback);
}

static bool look(struct pg *pg, const char *folder, enum kong_version wanted, struct way_back *back, struct error *error)
{
    if (!rollback_look(pg, folder, &back->rollback, error))
        return false;
    back->to = choose(&back->rollback, wanted);
    if (back->to == KONG_VERSIONS)
        return true;
    back->verdict = rollback_check(&back->rollback, back->to, folder != NULL && worker_rollback_interrupted(folder));
    return back->verdict.order != ORDER_GO || (rollback_plan(pg, &back->rollback, back->to, &back->plan, error) &&
                                               rollback_losses(pg, &back->rollback, &back->plan, &back->losses, error));
}

void way_back_look(struct pg *pg, const struct datastore *datastore, enum kong_version wanted, struct way_back *back)
{
    struct error error = {0};
    char *folder = journal_folder(datastore, false, NULL);
    way_back_free(back);
    if (!look(pg, folder, wanted, back, &error))
        back->problem = mem_dup(error.message);
    back->looked = true;
    error_clear(&error);
    free(folder);
}
