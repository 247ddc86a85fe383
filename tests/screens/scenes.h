/* What the files of scenes have in common; tests include fixture.h alone. */
#ifndef TESTS_SCREENS_SCENES_H
#define TESTS_SCREENS_SCENES_H

#include "fixture.h"

#include "core/base/json.h"
#include "core/base/mem.h"

#include <stdlib.h>
#include <string.h>

/* The scenes of one file. */
struct scene_group {
    const struct scene *list;
    size_t count;
};

extern const struct scene_group scenes_welcome, scenes_up, scenes_cluster, scenes_leave, scenes_kong, scenes_end;

void scenes_add_fleet(struct fixture *fixture);
void scenes_add_backup(struct fixture *fixture, int hours);   /* made so long ago */
void scenes_start_backup(struct fixture *fixture);
void scenes_add_sessions(struct fixture *fixture);
void scenes_show(struct fixture *fixture, enum step step);
void scenes_begin_upgrade(struct fixture *fixture, enum step step);
void scenes_begin_unfinished(struct fixture *fixture, enum step step, const char *plugin);
void scenes_begin_migrated(struct fixture *fixture, enum step step, const char *version);
void scenes_add_new_ready(struct fixture *fixture, double rps);
void scenes_add_old_stopped(struct fixture *fixture);
void scenes_begin_last_step(struct fixture *fixture, const char *version);
void scenes_lock_by_another(struct fixture *fixture, const char *command);   /* whose worker is at work, the first changes made */
void scenes_decommission_some(struct fixture *fixture);

#endif
