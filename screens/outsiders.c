#include "screens/outsiders.h"

#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/cluster/census.h"
#include "screens/say.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define STATEMENT_MS 5000

struct outsiders {
    uv_async_t looked;           /* tells the loop that a look has ended */
    pthread_mutex_t mutex;       /* guards the two that follow */
    int holders;                 /* the loop, and the thread while there is one: the last frees */
    bool stopped;                /* the loop may be gone: it is not to be told any more */
    bool looking;                /* the loop's word; meanwhile the thread alone touches what follows */
    struct datastore datastore;
    struct pg *pg;
    struct sessions found;
    struct error error;
    /* The loop's: */
    struct census *census;       /* knows the fleet's addresses; NULL once it was stopped */
    struct sessions sessions;    /* of the last look */
    char *complained;            /* what was said last; NULL: nothing is wrong */
};

static void release(struct outsiders *outsiders)
{
    pthread_mutex_lock(&outsiders->mutex);
    bool last = --outsiders->holders == 0;
    pthread_mutex_unlock(&outsiders->mutex);
    if (!last)
        return;
    pthread_mutex_destroy(&outsiders->mutex);
    pg_close(outsiders->pg);
    datastore_free(&outsiders->datastore);
    sessions_free(&outsiders->found);
    sessions_free(&outsiders->sessions);
    error_clear(&outsiders->error);
    free(outsiders->complained);
    free(outsiders);
}

static void on_closed(uv_handle_t *handle)
{
    release(handle->data);
}

void outsiders_stop(struct outsiders *outsiders)
{
    pthread_mutex_lock(&outsiders->mutex);
    outsiders->stopped = true;
    pthread_mutex_unlock(&outsiders->mutex);
    census_stop(outsiders->census);
    outsiders->census = NULL;
    uv_close((uv_handle_t *)&outsiders->looked, on_closed);
}

static void *look(void *context)
{
    struct outsiders *outsiders = context;
    if (outsiders->pg != NULL && pg_lost(outsiders->pg)) {
        pg_close(outsiders->pg);
        outsiders->pg = NULL;
    }
    if (outsiders->pg == NULL)
        outsiders->pg = pg_connect(&outsiders->datastore, "nodes", STATEMENT_MS, &outsiders->error);
    if (outsiders->pg != NULL)
        sessions_read(outsiders->pg, &outsiders->found, &outsiders->error);
    pthread_mutex_lock(&outsiders->mutex);
    if (!outsiders->stopped)
        uv_async_send(&outsiders->looked);
    pthread_mutex_unlock(&outsiders->mutex);
    release(outsiders);
    return NULL;
}

/* The same sentence every few seconds would hide everything else. */
static void complain_once(struct outsiders *outsiders, const char *sentence)
{
    if (sentence != NULL && (outsiders->complained == NULL || strcmp(outsiders->complained, sentence) != 0))
        complain_text("%s", sentence);
    char *now = mem_dup(sentence);
    free(outsiders->complained);
    outsiders->complained = now;
}

static void on_looked(uv_async_t *looked)
{
    struct outsiders *outsiders = looked->data;
    outsiders->looking = false;
    sessions_free(&outsiders->sessions);
    outsiders->sessions = outsiders->found;
    outsiders->found = (struct sessions){0};
    const char *restricted = outsiders->sessions.restricted
        ? "the database's role may not see other roles' sessions, so nodes that fleet.ini does not name can't be seen: grant it pg_read_all_stats"
        : NULL;
    complain_once(outsiders, outsiders->error.code != ERROR_NONE ? outsiders->error.message : restricted);
    error_clear(&outsiders->error);
}

struct outsiders *outsiders_start(uv_loop_t *loop, const struct app *app)
{
    struct outsiders *outsiders = mem_zero(1, sizeof *outsiders);
    uv_async_init(loop, &outsiders->looked, on_looked);
    outsiders->looked.data = outsiders;
    pthread_mutex_init(&outsiders->mutex, NULL);
    outsiders->holders = 1;
    datastore_copy(&outsiders->datastore, &app->conf.pg);
    outsiders->census = census_start(loop, &app->conf.pg);
    census_know(outsiders->census, &app->fleet);
    return outsiders;
}

/* Signals are the loop's thread's. */
void outsiders_look(struct outsiders *outsiders)
{
    sigset_t all, before;
    pthread_t thread;
    if (outsiders->looking)
        return;
    sigfillset(&all);
    pthread_mutex_lock(&outsiders->mutex);
    outsiders->holders++;
    pthread_mutex_unlock(&outsiders->mutex);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    outsiders->looking = pthread_create(&thread, NULL, look, outsiders) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (outsiders->looking)
        pthread_detach(thread);
    else
        release(outsiders);
}

const char *outsiders_waiting(const struct outsiders *outsiders)
{
    return outsiders->looking ? "the database" : census_is_ready(outsiders->census) ? NULL : "the name server";
}

const struct sessions *outsiders_sessions(const struct outsiders *outsiders)
{
    return &outsiders->sessions;
}

bool outsiders_is_one(const struct outsiders *outsiders, const struct session *session)
{
    return census_is_stranger(outsiders->census, session);
}

json_t *outsiders_json(const struct outsiders *outsiders)
{
    json_t *array = json_array();
    for (size_t i = 0; i < outsiders->sessions.count; i++) {
        const struct session *session = &outsiders->sessions.list[i];
        if (!outsiders_is_one(outsiders, session))
            continue;
        json_t *json = json_object();
        json_object_set_new(json, "name", json_text(session->address));
        json_object_set_new(json, "url", json_null());
        json_object_set_new(json, "state", json_string("unknown"));
        json_object_set_new(json, "version", json_null());
        json_object_set_new(json, "node_id", json_null());
        json_object_set_new(json, "datastore", json_string(node_match_name(MATCH_SAME)));
        json_object_set_new(json, "requests_per_second", json_null());
        json_object_set_new(json, "age_ms", session->poll_age >= 0 ? json_integer(session->poll_age * 1000LL) : json_null());
        json_object_set_new(json, "problem", json_string("uses this database from an address that is not in fleet.ini"));
        json_object_set_new(json, "legacy", json_boolean(session->legacy));
        json_object_set_new(json, "connections", json_integer(session->connections));
        json_array_append_new(array, json);
    }
    return array;
}
