/* Check: what new nodes will do otherwise with the same rows. */
#include "core/checks/look.h"

#include <stdlib.h>
#include <string.h>

static const struct behaviour {
    const char *before;     /* comes from a release before that one; NULL: from any */
    const char *table, *where;
    const char *what;       /* after "3 rows of services: " */
} behaviours[] = {
    {NULL, "plugins", "name = 'cors' AND coalesce(config->>'methods', '') IN ('', '[]', '{}')",
     "cors without methods allows OPTIONS, TRACE and CONNECT, too, from 1.3 on"},
    {"1.1", "plugins", "name IN ('basic-auth', 'hmac-auth', 'jwt', 'key-auth', 'ldap-auth', 'oauth2')",
     "authentication answers 401 instead of 403 from 1.1 on"},
    {"1.1", "services", "0 IN (connect_timeout, write_timeout, read_timeout)", "a timeout of 0 is refused from 1.1 on, when the service is changed"},
    {"1.0", "routes", "strip_path AND service_id IN (SELECT id FROM services WHERE coalesce(path, '/') <> '/')",
     "where the path is stripped and the service has one of its own, an extra `/` between the two is gone from 1.0 on"},
};

static void look_at_one(const struct check_subject *subject, struct check_result *result, const struct behaviour *behaviour)
{
    struct buf sql = {0};
    buf_addf(&sql, "SELECT count(*), min(id::text) FROM %s WHERE %s", behaviour->table, behaviour->where);
    PGresult *rows = look_query(subject, result, buf_text(&sql));
    long long count = rows != NULL ? atoll(PQgetvalue(rows, 0, 0)) : 0;
    if (count > 0) {
        if (result->remedy == NULL)
            look_remedy_path(subject, result);
        look_found(result, CHECK_INFORMS, "%lld row%s of %s (%s\xE2\x80\xA6): %s", count, look_s(count), behaviour->table, PQgetvalue(rows, 0, 1),
                   behaviour->what);
        look_remedy(result, "SELECT * FROM %s WHERE %s;", behaviour->table, behaviour->where);
    }
    PQclear(rows);
    buf_free(&sql);
}

static void look_behaviour(const struct check_subject *subject, struct check_result *result)
{
    if (!look_has_state(subject, result))
        return;
    const char *version = subject->state->version;
    for (size_t i = 0; look_is_kong(subject) && version != NULL && i < COUNT_OF(behaviours); i++)
        if (behaviours[i].before == NULL || strcmp(version, behaviours[i].before) < 0)
            look_at_one(subject, result, &behaviours[i]);
    if (version != NULL && strcmp(version, "0.14") == 0)
        look_note(result, "not to be seen in rows: 1.0's Admin API writes foreign keys, arrays and pages otherwise, so that scripts which use it need a look");
    if (result->outcome == CHECK_OK)
        look_note(result, "no row that new nodes are known to take otherwise (which route is chosen: see the check `router`)");
}

const struct check check_behaviour = {
    .id = "behaviour", .title = "Changed behaviour", .severity = CHECK_INFORMS, .reach = CHECK_ROWS, .look = look_behaviour,
    .why = "The same configuration does not mean the same to every release. Where clients rely on the old, say it explicitly in those rows.",
    .source = "Kong's changelog, 1.0.0, 1.1.0 and 1.3.0",
};
