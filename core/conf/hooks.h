/*
 * The hooks of fleet.ini: commands of the operator's own that start the new nodes, move the traffic and stop an old node.
 *
 *     [hooks]
 *     provision = /usr/local/bin/start-new-nodes
 *     divert = /usr/local/bin/move-traffic "to new" {percent}
 *     decommission = /usr/local/bin/stop-node {node} {url}
 *     deadline = 120
 *     wait = 30
 *
 * A command is split at spaces when the file is read; "…" holds spaces together, and nothing else has a meaning: no shell sees it.
 * In an argument {percent} stands for the share of the traffic that is to go to the new cluster, 0 to 100; {node} and {url} for the
 * name and the Admin API's address of the node that is to be stopped. `deadline`: after so many seconds a hook is ended (default
 * 120). `wait`: so many seconds are proposed between two steps up (default 30).
 */
#ifndef CORE_CONF_HOOKS_H
#define CORE_CONF_HOOKS_H

#include "core/base/buf.h"
#include "core/base/error.h"
#include "core/base/names.h"

#include <stdbool.h>

#define HOOKS_DEADLINE_SECONDS 120
#define HOOKS_WAIT_SECONDS 30

enum hook_kind { HOOK_PROVISION, HOOK_DIVERT, HOOK_DECOMMISSION, HOOKS };

struct hook {
    char *text;                /* as fleet.ini has it; NULL: none */
    struct names arguments;    /* of which the first is the command's full path */
};

/* Owns everything. Zero-initialise. */
struct hooks {
    struct hook list[HOOKS];
    int deadline_seconds, wait_seconds;   /* 0: not said; see hooks_deadline, hooks_wait */
};

/* What stands for the placeholders. */
struct hook_values {
    int percent;
    const char *node, *url;
};

void hooks_free(struct hooks *hooks);
void hooks_copy(struct hooks *to, const struct hooks *from);   /* `to` is empty before */

/* In effect. */
int hooks_deadline(const struct hooks *hooks);
int hooks_wait(const struct hooks *hooks);

/* One setting of the section. Errors: an unknown key; a command that is not a full path, has an open quote, a placeholder that is
 * unknown or not this hook's, or none where the hook could not know what to do; a number out of its range. */
bool hooks_set(struct hooks *hooks, const char *key, const char *value, struct error *error);

/* Adds the section as it is in fleet.ini; nothing where nothing was said. */
void hooks_add_text(const struct hooks *hooks, struct buf *text);

/* The arguments with the values in them; `arguments` is empty before. */
void hook_fill(const struct hook *hook, const struct hook_values *values, struct names *arguments);

/* Arguments as one would type them; the caller frees. */
char *hook_join(const struct names *arguments);

bool hooks_have_any(const struct hooks *hooks);
const char *hook_name(enum hook_kind kind);   /* "provision", "divert", "decommission" */

#endif
