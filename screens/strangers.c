#include "screens/strangers.h"

#include "core/base/buf.h"
#include "core/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ADDRESSES 8            /* that are named in a line */

/* Addresses that say none. */
static const char *place_name(const char *address)
{
    return strcmp(address, "local") == 0 ? "the database's own host (a Unix socket)" : address;
}

static bool is_live(const struct session *session)
{
    return session->poll_age >= 0 && session->poll_age <= SESSIONS_FRESH_S;
}

static void add_live(struct prose *prose, const struct model *model)
{
    struct buf text = {0};
    size_t named = 0, all = model->sessions.live;
    buf_addf(&text, "at least %zu Kong node%s", all, all == 1 ? "" : "s");
    for (size_t i = 0; model->stranger_count == 0 && i < model->sessions.count && named < ADDRESSES; i++)
        if (is_live(&model->sessions.list[i]))
            buf_addf(&text, "%s%s", named++ > 0 ? ", " : " at work, from ", place_name(model->sessions.list[i].address));
    if (model->stranger_count > 0)
        buf_addf(&text, "; %zu address%s not in fleet.ini", model->stranger_count, model->stranger_count == 1 ? " is" : "es are");
    else if (all > named)
        buf_addf(&text, " and %zu more", all - named);
    prose_add_key(prose, "Seen", buf_text(&text));
    buf_free(&text);
}

void strangers_add_seen(struct prose *prose, const struct model *model)
{
    const char *user = model->app.conf.pg.user != NULL ? model->app.conf.pg.user : "kong";
    if (model->sessions.live > 0 || model->stranger_count > 0)
        add_live(prose, model);
    if (model->sessions.restricted)
        prose_add_mark(prose, MARK_UNKNOWN, "Role %s may not see other roles' sessions, and so not all Kong nodes: GRANT pg_read_all_stats TO %s;", user, user);
}

void strangers_add(struct prose *prose, const struct model *model)
{
    size_t count = model->stranger_count;
    const char *first = count > 0 ? place_name(model->strangers[0]->address) : "";
    if (count == 1)
        prose_add_mark(prose, MARK_WARN, "Kong at %s is not in fleet.ini: old or new? See Welcome.", first);
    else if (count > 1)
        prose_add_mark(prose, MARK_WARN, "Kong at %s and %zu more are not in fleet.ini: old or new? See Welcome.", first, count - 1);
}

bool strangers_have(const struct model *model, const char *address)
{
    for (size_t i = 0; i < model->stranger_count; i++)
        if (strcmp(model->strangers[i]->address, address) == 0)
            return true;
    return false;
}

enum mark strangers_mark(const struct stranger *stranger)
{
    static const enum mark marks[] = {
        [NODE_UNASKED] = MARK_WAIT, [NODE_ANSWERS] = MARK_INFO, [NODE_STRANGE] = MARK_WARN, [NODE_SILENT] = MARK_WARN, [NODE_UNKNOWN] = MARK_UNKNOWN,
    };
    return marks[stranger->state];
}

const char *strangers_row(const struct stranger *stranger, char *text, size_t size)
{
    switch (stranger->state) {
    case NODE_UNASKED:
        snprintf(text, size, "port %d is being asked", CENSUS_PORT);
        break;
    case NODE_ANSWERS:
        snprintf(text, size, "Kong %s, node %s", stranger->version, stranger->node_id);
        break;
    case NODE_SILENT:
        snprintf(text, size, "nothing answers at port %d", CENSUS_PORT);
        break;
    default:
        snprintf(text, size, "port %d %s", CENSUS_PORT, stranger->problem);
    }
    return text;
}

/* " (last poll 3 s ago)" */
static void add_poll(struct buf *text, const struct stranger *stranger)
{
    if (stranger->poll_age >= 0)
        buf_addf(text, " (last poll %d s ago)", stranger->poll_age);
}

char *strangers_note(const struct stranger *stranger)
{
    struct buf text = {0};
    buf_addf(&text, "A Kong %s at %s", stranger->legacy ? "0.14" : "1.x", place_name(stranger->address));
    add_poll(&text, stranger);
    buf_add(&text, " works on this database and is not in fleet.ini: old or new? ");
    switch (stranger->state) {
    case NODE_UNASKED:
        buf_addf(&text, "%s is being asked.", stranger->url);
        break;
    case NODE_ANSWERS:
        buf_addf(&text, "%s answers: Kong %s, host %s, node %s%s%s. Press o to take it into [old], n into [new].", stranger->url, stranger->version,
                 stranger->hostname, stranger->node_id, stranger->problem != NULL ? ", but it " : "", stranger->problem != NULL ? stranger->problem : "");
        break;
    case NODE_SILENT:
        buf_addf(&text, "Nothing answers at %s (%s): Kong's Admin API listens on loopback by default. Press o or n to reach it through ssh.",
                 stranger->url, stranger->problem);
        break;
    default:
        buf_addf(&text, "%s %s. Press o or n to give its address.", stranger->url, stranger->problem);
    }
    return buf_take(&text);
}

/* The name that its host has, where fleet.ini can have it, too; else its address. */
static char *name_for(const struct stranger *stranger, const char *address, const struct fleet *fleet)
{
    struct fleet trial;
    struct error error = {0};
    fleet_copy(&trial, fleet);
    bool usable = stranger->hostname != NULL && strchr(stranger->hostname, '*') == NULL &&
                  fleet_add(&trial, CLUSTER_OLD, stranger->hostname, address, &error);
    error_clear(&error);
    fleet_free(&trial);
    char *name = mem_dup(usable ? stranger->hostname : stranger->host);
    for (char *c = name; (c = strchr(c, ':')) != NULL;)
        *c = '-';
    return name;
}

char *strangers_entry(const struct stranger *stranger, const struct fleet *fleet)
{
    bool v6 = strchr(stranger->host, ':') != NULL;
    char *address = stranger->state == NODE_ANSWERS ? mem_dup(stranger->url)
                                                    : mem_printf("ssh://%s%s%s http://127.0.0.1:%d", v6 ? "[" : "", stranger->host, v6 ? "]" : "",
                                                                 CENSUS_PORT);
    char *name = name_for(stranger, address, fleet), *entry = mem_printf("%s %s", name, address);
    free(name);
    free(address);
    return entry;
}
