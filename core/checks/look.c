#include "core/checks/look.h"

#include "core/base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *look_cut(char *text, size_t limit)
{
    size_t length = strlen(text);
    if (length <= limit)
        return text;
    while (limit > 0 && ((unsigned char)text[limit] & 0xC0) == 0x80)
        limit--;
    char *cut = mem_printf("%.*s\xE2\x80\xA6", (int)limit, text);
    free(text);
    return cut;
}

static void add_evidence(struct check_result *result, const char *format, va_list arguments)
{
    char *text = look_cut(mem_vprintf(format, arguments), LOOK_SENTENCE);
    names_add(&result->evidence, text);
    free(text);
}

static void find(struct check_result *result, enum check_severity severity)
{
    if (result->outcome != CHECK_FOUND || severity > result->severity)
        result->severity = severity;
    result->outcome = CHECK_FOUND;
}

void look_note(struct check_result *result, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    add_evidence(result, format, arguments);
    va_end(arguments);
}

void look_found(struct check_result *result, enum check_severity severity, const char *format, ...)
{
    va_list arguments;
    find(result, severity);
    va_start(arguments, format);
    add_evidence(result, format, arguments);
    va_end(arguments);
}

void look_found_row(struct check_result *result, enum check_severity severity, size_t index, size_t count, const char *format, ...)
{
    va_list arguments;
    find(result, severity);
    if (index == LOOK_ROWS)
        look_note(result, "and %zu more", count - index);
    if (index >= LOOK_ROWS)
        return;
    va_start(arguments, format);
    add_evidence(result, format, arguments);
    va_end(arguments);
}

void look_unable(struct check_result *result, const char *format, ...)
{
    va_list arguments;
    if (result->outcome != CHECK_FOUND) {
        result->outcome = CHECK_UNABLE;
        result->severity = CHECK_WARNS;
    }
    va_start(arguments, format);
    add_evidence(result, format, arguments);
    va_end(arguments);
}

void look_unable_for(struct check_result *result, const struct error *error)
{
    if (error->code == ERROR_STOPPED)
        look_unable(result, "looking took longer than %d s and was given up", CHECK_STATEMENT_MS / 1000);
    else if (error->code == ERROR_LOCK)
        look_unable(result, "another session has locked what is to be looked at for longer than %d s (see running-maintenance and long-transactions):"
                    " look again when it has ended", CHECK_LOCK_MS / 1000);
    else
        look_unable(result, "%s", error->message);
}

void look_remedy(struct check_result *result, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *line = mem_vprintf(format, arguments), *before = result->remedy;
    va_end(arguments);
    result->remedy = before == NULL ? mem_dup(line) : mem_printf("%s\n%s", before, line);
    free(before);
    free(line);
}

void look_remedy_path(const struct check_subject *subject, struct check_result *result)
{
    if (strcmp(pg_schema(subject->pg), "public") == 0)
        return;
    char *schema = look_identifier(pg_schema(subject->pg));
    look_remedy(result, "SET search_path TO %s;", schema);
    free(schema);
}

bool look_is_unruly(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < ' ' || *text == 127)
            return true;
    return false;
}

PGresult *look_query(const struct check_subject *subject, struct check_result *result, const char *sql)
{
    struct error error = {0};
    if (subject->pg == NULL) {
        look_unable(result, "not looked at: there is no connection to the database");
        return NULL;
    }
    PGresult *rows = pg_query(subject->pg, &error, sql);
    if (rows == NULL)
        look_unable_for(result, &error);
    error_clear(&error);
    return rows;
}

bool look_ask(const struct check_subject *subject, struct check_result *result, const char *sql, bool *answer)
{
    PGresult *rows = look_query(subject, result, sql);
    *answer = rows != NULL && PQntuples(rows) > 0 && PQgetvalue(rows, 0, 0)[0] == 't';
    PQclear(rows);
    return rows != NULL;
}

bool look_has_state(const struct check_subject *subject, struct check_result *result)
{
    if (subject->pg == NULL)
        look_unable(result, "not looked at: there is no connection to the database");
    else if (subject->state == NULL)
        look_unable(result, "where the database stands can't be read: %s", subject->connect_error);
    return subject->state != NULL;
}

bool look_is_kong(const struct check_subject *subject)
{
    enum stage stage = subject->state->stage;
    return stage == STAGE_LEGACY_014 || stage == STAGE_UPGRADABLE || stage == STAGE_PENDING || stage == STAGE_CURRENT;
}

const char *look_s(long long count)
{
    return count == 1 ? "" : "s";
}

void look_add_shell(struct buf *buf, const char *text)
{
    buf_add(buf, "'");
    for (; *text != '\0'; text++)
        if (*text == '\'')
            buf_add(buf, "'\\''");
        else
            buf_add_bytes(buf, text, 1);
    buf_add(buf, "'");
}

char *look_identifier(const char *name)
{
    struct buf buf = {0};
    buf_add_identifier(&buf, name);
    return buf_take(&buf);
}

char *look_literal(const char *text)
{
    struct buf buf = {0};
    buf_add_literal(&buf, text);
    return buf_take(&buf);
}

void look_remedy_delete(const struct check_subject *subject, struct check_result *result, const char *collection, const char *id)
{
    const struct fleet_node *node = NULL;
    for (size_t i = 0; node == NULL && i < subject->fleet->count; i++)
        if (subject->fleet->nodes[i].cluster == CLUSTER_OLD)
            node = &subject->fleet->nodes[i];
    bool far = node != NULL && node->ssh != NULL;
    look_remedy(result, "%s%s%scurl -X DELETE %s/%s/%s", far ? "ssh " : "", far ? node->ssh : "", far ? " " : "",
                node != NULL ? node->url : "http://127.0.0.1:8001", collection, id);
}
