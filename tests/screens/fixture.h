/*
 * Models for tests of the screens, made up without a database: states, plans, checks, nodes, traffic, runs as a journal's events tell
 * them. Every name that comes from outside can be replaced by a hostile one.
 */
#ifndef TESTS_SCREENS_FIXTURE_H
#define TESTS_SCREENS_FIXTURE_H

#include "screens/screen.h"

#define FIXTURE_NODES 200
#define FIXTURE_STRANGERS 4
#define FIXTURE_SECONDS 240
#define FIXTURE_NOW 100000000   /* model.now of every scene */

struct fixture {
    struct wizard wizard;
    struct canvas canvas;
    const char *hostile;          /* instead of every name; NULL: the usual ones */
    struct node nodes[FIXTURE_NODES];
    double rps[FIXTURE_NODES];
    size_t node_count;
    struct stranger strangers[FIXTURE_STRANGERS];
    double history[2][FIXTURE_SECONDS];
    int second;                   /* of the journal's next event */
};

/* One scene of the upgrade. `set` fills a fixture that was begun; keys may be pressed in it. */
struct scene {
    const char *name;
    void (*set)(struct fixture *fixture);
    bool chief;                   /* drawn at 160x50 too */
};

const struct scene *scene_at(size_t index);   /* NULL past the last */

/* Begins a fixture of that size and sets the scene. fixture_free frees. */
void fixture_begin(struct fixture *fixture, const struct scene *scene, int width, int height, enum charset charset, const char *hostile);
void fixture_free(struct fixture *fixture);

/* Derives, and paints a frame. */
void fixture_draw(struct fixture *fixture);

void fixture_key(struct fixture *fixture, uint32_t key);
void fixture_type(struct fixture *fixture, const char *text);

/* The parts of a model. */

const char *fixture_name(const struct fixture *fixture, const char *usual);
void fixture_configure(struct fixture *fixture);

/* `version`: of the schema before the upgrade. STAGE_PENDING: `up` is complete. */
void fixture_state(struct fixture *fixture, enum stage stage, const char *version);
void fixture_custom(struct fixture *fixture, const char *plugin, size_t executed, size_t pending);   /* what schema_meta records of it */
void fixture_plan(struct fixture *fixture, enum plan_kind kind);
void fixture_losses(struct fixture *fixture);
void fixture_session(struct fixture *fixture, const char *address, bool legacy, int poll_age);

/* `ago`: milliseconds since the last answer, -1: none. */
void fixture_node(struct fixture *fixture, enum cluster cluster, const char *name, enum node_state state, const char *version, double rps,
                  int64_t ago);
/* A Kong that the database sees and the fleet does not name; `problem` where the knock at its port found something else than Kong. */
void fixture_stranger(struct fixture *fixture, const char *address, enum node_state state, const char *version, const char *problem);
void fixture_polls(struct fixture *fixture, const int *ages, size_t count);   /* of the fleet's nodes; -1: not seen */
void fixture_trouble(struct fixture *fixture, enum node_match match, const char *problem);   /* of the node added last */
void fixture_traffic(struct fixture *fixture, double old, double new, int64_t quiet_ms);     /* < 0: not known */

/* What the Prometheus plugin tells of all nodes of a cluster that were added: so many requests a minute on each, of which so many parts
 * failed (5xx); most took so long. Judges both clusters. */
void fixture_metrics(struct fixture *fixture, enum cluster cluster, double requests, double failed, double milliseconds);

struct finding {
    const char *id;
    enum check_outcome outcome;
    enum check_severity severity;
    const char *evidence, *remedy;
};

/* Results of all checks: those findings first, the others ok. */
void fixture_checks(struct fixture *fixture, const struct finding *findings, size_t count);

/* Events of a run's journal. `format` as json_pack's; a second passes with each. */
void fixture_event(struct fixture *fixture, const char *format, ...);
void fixture_start(struct fixture *fixture, const char *command);   /* and the plan, as the model has it; the worker lives */
void fixture_change(struct fixture *fixture, size_t index, const char *state, int ms);
void fixture_end(struct fixture *fixture, const char *result, int exit_code, const char *message);

#endif
