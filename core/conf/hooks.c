#include "core/conf/hooks.h"

#include "core/base/mem.h"
#include "core/base/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What an argument may hold, and for which hook. A hook needs one of its own: without it, it could not know what to do. */
static const struct {
    enum hook_kind kind;
    const char *name;
} placeholders[] = {{HOOK_DIVERT, "{percent}"}, {HOOK_DECOMMISSION, "{node}"}, {HOOK_DECOMMISSION, "{url}"}};

static const char *const names[HOOKS] = {"provision", "divert", "decommission"};

const char *hook_name(enum hook_kind kind)
{
    return names[kind];
}

int hooks_deadline(const struct hooks *hooks)
{
    return hooks->deadline_seconds > 0 ? hooks->deadline_seconds : HOOKS_DEADLINE_SECONDS;
}

int hooks_wait(const struct hooks *hooks)
{
    return hooks->wait_seconds > 0 ? hooks->wait_seconds : HOOKS_WAIT_SECONDS;
}

bool hooks_have_any(const struct hooks *hooks)
{
    bool any = false;
    for (int kind = 0; kind < HOOKS; kind++)
        any = any || hooks->list[kind].text != NULL;
    return any;
}

static void hook_free(struct hook *hook)
{
    free(hook->text);
    names_free(&hook->arguments);
    *hook = (struct hook){0};
}

void hooks_free(struct hooks *hooks)
{
    for (int kind = 0; kind < HOOKS; kind++)
        hook_free(&hooks->list[kind]);
}

void hooks_copy(struct hooks *to, const struct hooks *from)
{
    *to = (struct hooks){.deadline_seconds = from->deadline_seconds, .wait_seconds = from->wait_seconds};
    for (int kind = 0; kind < HOOKS; kind++) {
        to->list[kind].text = mem_dup(from->list[kind].text);
        for (size_t i = 0; i < from->list[kind].arguments.count; i++)
            names_add(&to->list[kind].arguments, from->list[kind].arguments.list[i]);
    }
}

/* Splitting. */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* One argument; *text is behind it then. False: a quote is open. */
static bool take_argument(const char **text, struct buf *argument)
{
    bool quoted = false;
    const char *c;
    for (c = *text; *c != '\0' && (quoted || !is_blank(*c)); c++) {
        if (*c == '"')
            quoted = !quoted;
        else
            buf_add_bytes(argument, c, 1);
    }
    *text = c;
    return !quoted;
}

static bool split(const char *text, struct names *arguments, struct error *error)
{
    for (;;) {
        while (is_blank(*text))
            text++;
        if (*text == '\0')
            return true;
        struct buf argument = {0};
        bool closed = take_argument(&text, &argument);
        names_add(arguments, buf_text(&argument));
        buf_free(&argument);
        if (!closed)
            return error_set(error, ERROR_CONFIG, "a quote (\") is not closed (' ;' begins a comment, also between quotes)");
    }
}

/* Placeholders. */

/* The length of `{word}` at the text's beginning; 0: there is none. */
static size_t placeholder_length(const char *text)
{
    size_t length = text[0] == '{' ? 1 + strspn(text + 1, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") : 0;
    return length > 0 && text[length] == '}' ? length + 1 : 0;
}

static bool is_allowed(enum hook_kind kind, const char *text, size_t length)
{
    for (size_t i = 0; i < sizeof placeholders / sizeof placeholders[0]; i++)
        if (placeholders[i].kind == kind && strlen(placeholders[i].name) == length && strncmp(placeholders[i].name, text, length) == 0)
            return true;
    return false;
}

static bool check_argument(enum hook_kind kind, const char *argument, size_t *found, struct error *error)
{
    for (const char *c = argument; *c != '\0'; c++) {
        size_t length = placeholder_length(c);
        if (length > 0 && !is_allowed(kind, c, length))
            return error_set(error, ERROR_CONFIG, "%s takes no placeholder %.*s; there is {percent} for divert, {node} and {url} for decommission",
                             hook_name(kind), (int)length, c);
        *found += length > 0 ? 1 : 0;
    }
    return true;
}

static bool check_command(enum hook_kind kind, const struct names *arguments, struct error *error)
{
    static const char *const needed[HOOKS] = {NULL, "{percent}, where the share of the new cluster is put",
                                              "{node} or {url}, where the node to be stopped is put"};
    size_t found = 0, in_command = 0;
    if (arguments->count == 0)
        return error_set(error, ERROR_CONFIG, "%s names no command", hook_name(kind));
    if (arguments->list[0][0] != '/')
        return error_set(error, ERROR_CONFIG, "%s begins with the full path of a command, such as /usr/local/bin/%s", hook_name(kind), hook_name(kind));
    for (size_t i = 0; i < arguments->count; i++)
        if (!check_argument(kind, arguments->list[i], i == 0 ? &in_command : &found, error))
            return false;
    if (in_command > 0)
        return error_set(error, ERROR_CONFIG, "%s has a placeholder in its command's path: only arguments may have one", hook_name(kind));
    if (needed[kind] != NULL && found == 0)
        return error_set(error, ERROR_CONFIG, "%s lacks the argument %s", hook_name(kind), needed[kind]);
    return true;
}

/* What is recorded and shown must be what is run. */
static bool is_text(const char *value)
{
    char *clean = utf8_clean(value);
    bool same = clean != NULL && strcmp(clean, value) == 0;
    for (const char *c = value; same && *c != '\0'; c++)
        same = *c == '\t' || ((unsigned char)*c >= ' ' && *c != 0x7F);
    free(clean);
    return same;
}

static bool set_command(struct hook *hook, enum hook_kind kind, const char *value, struct error *error)
{
    struct names arguments = {0};
    if (hook->text != NULL)
        return error_set(error, ERROR_CONFIG, "%s is there twice: a hook is one command", hook_name(kind));
    if (value[0] != '\0' && !is_text(value))
        return error_set(error, ERROR_CONFIG, "%s is not plain text (UTF-8 without control characters)", hook_name(kind));
    if (!split(value, &arguments, error) || !check_command(kind, &arguments, error)) {
        names_free(&arguments);
        return false;
    }
    *hook = (struct hook){mem_dup(value), arguments};
    return true;
}

static bool set_seconds(int *seconds, const char *key, const char *value, struct error *error)
{
    char *end = NULL;
    long number = strtol(value, &end, 10);
    if (end == value || *end != '\0' || number < 1 || number > 86400)
        return error_set(error, ERROR_CONFIG, "%s is a number of seconds from 1 to 86400", key);
    *seconds = (int)number;
    return true;
}

bool hooks_set(struct hooks *hooks, const char *key, const char *value, struct error *error)
{
    for (int kind = 0; kind < HOOKS; kind++)
        if (strcmp(key, names[kind]) == 0)
            return set_command(&hooks->list[kind], (enum hook_kind)kind, value, error);
    if (strcmp(key, "deadline") == 0)
        return set_seconds(&hooks->deadline_seconds, key, value, error);
    if (strcmp(key, "wait") == 0)
        return set_seconds(&hooks->wait_seconds, key, value, error);
    return error_set(error, ERROR_CONFIG, "[hooks] has no key '%s': known are provision, divert, decommission, deadline, wait", key);
}

void hooks_add_text(const struct hooks *hooks, struct buf *text)
{
    struct buf lines = {0};
    for (int kind = 0; kind < HOOKS; kind++)
        if (hooks->list[kind].text != NULL)
            buf_addf(&lines, "%s = %s\n", names[kind], hooks->list[kind].text);
    if (hooks->deadline_seconds > 0)
        buf_addf(&lines, "deadline = %d\n", hooks->deadline_seconds);
    if (hooks->wait_seconds > 0)
        buf_addf(&lines, "wait = %d\n", hooks->wait_seconds);
    if (lines.length > 0)
        buf_addf(text, "[hooks]\n%s", lines.data);
    buf_free(&lines);
}

/* Running. */

static void add_value(struct buf *argument, const char *placeholder, const struct hook_values *values)
{
    if (strncmp(placeholder, "{percent}", strlen("{percent}")) == 0)
        buf_addf(argument, "%d", values->percent);
    else
        buf_add(argument, strncmp(placeholder, "{node}", strlen("{node}")) == 0 ? values->node : values->url);
}

static void fill_argument(const char *text, const struct hook_values *values, struct buf *argument)
{
    while (*text != '\0') {
        size_t length = placeholder_length(text);
        if (length > 0)
            add_value(argument, text, values);
        else
            buf_add_bytes(argument, text, 1);
        text += length > 0 ? length : 1;
    }
}

void hook_fill(const struct hook *hook, const struct hook_values *values, struct names *arguments)
{
    for (size_t i = 0; i < hook->arguments.count; i++) {
        struct buf argument = {0};
        fill_argument(hook->arguments.list[i], values, &argument);
        names_add(arguments, buf_text(&argument));
        buf_free(&argument);
    }
}

/* Quoted where that is needed to see which words belong together. */
char *hook_join(const struct names *arguments)
{
    struct buf text = {0};
    for (size_t i = 0; i < arguments->count; i++) {
        const char *word = arguments->list[i];
        const char *quote = word[0] == '\0' || strpbrk(word, " \t") != NULL ? "\"" : "";
        buf_addf(&text, "%s%s%s%s", i > 0 ? " " : "", quote, word, quote);
    }
    return text.data != NULL ? buf_take(&text) : mem_dup("");
}
