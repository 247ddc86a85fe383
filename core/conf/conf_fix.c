#include "core/conf/conf_fix.h"

#include "core/base/ascii.h"
#include "core/base/mem.h"
#include "core/conf/conf_diff.h"
#include "core/conf/conf_file.h"
#include "core/conf/kong_conf.h"

#include <stdlib.h>
#include <string.h>

#define KEEPALIVE "upstream_keepalive"
#define NEW_KEEPALIVE "nginx_http_upstream_keepalive"

/* The work in hand. */
struct bench {
    struct conf_fix *fix;
    struct kong_conf conf;
    struct conf_entries entries;
    struct conf_lines lines;
};

/* How much of a raw value Kong looks at: the rest is a comment (see strip_comment in kong_conf.c). */
static size_t head_length(const char *value)
{
    size_t length = strlen(value);
    for (size_t i = 0; value[i] != '\0'; i++)
        if (value[i] != '\\' && value[i + 1] == '#') {
            length = i;
            break;
        }
    while (length > 0 && ascii_is_space(value[length - 1]))
        length--;
    return length;
}

static struct conf_line *line_of(const struct bench *bench, int number)
{
    return &bench->lines.list[number - 1];
}

static size_t indent_of(const char *line)
{
    return strspn(line, " \t\r\v\f");
}

/* Where the lines of an entry go on in one another, each becomes a comment of its own. */
static void comment_out(struct bench *bench, const struct conf_entry *entry)
{
    for (int number = entry->line; number <= entry->last_line; number++) {
        struct conf_line *line = line_of(bench, number);
        size_t indent = indent_of(line->text);
        if (!conf_line_is_skipped(line->text) && line->replaced == NULL)
            line->replaced = mem_printf("%.*s# %s", (int)indent, line->text, line->text + indent);
    }
}

/* All duplicates but that one: without the last, the one before it would count. */
static void comment_out_others(struct bench *bench, const struct conf_entry *kept)
{
    for (size_t i = 0; i < bench->entries.count; i++)
        if (&bench->entries.list[i] != kept && strcmp(bench->entries.list[i].key, kept->key) == 0)
            comment_out(bench, &bench->entries.list[i]);
}

/* `value`: with what follows it as a comment. An entry of several lines becomes one line before them, and they comments. */
static void set_entry(struct bench *bench, const struct conf_entry *entry, const char *key, const char *value)
{
    struct conf_line *line = line_of(bench, entry->line);
    const char *text = line->text, *equals = strchr(text, '=');
    size_t indent = indent_of(text);
    if (entry->line != entry->last_line) {
        line->inserted = mem_printf("%.*s%s = %s", (int)indent, text, key, value);
        comment_out(bench, entry);
        return;
    }
    const char *key_end = equals;
    while (key_end > text + indent && ascii_is_space(key_end[-1]))
        key_end--;
    size_t gap = strspn(equals + 1, " \t\r\v\f");
    size_t old_length = strlen(entry->value);
    line->replaced = mem_printf("%.*s%s%.*s%s%s", (int)indent, text, key, (int)((size_t)(equals + 1 - key_end) + gap), key_end, value,
                                equals + 1 + gap + old_length);
}

/* What is set in the environment is out of the file's reach. */
static bool is_elsewhere(const struct bench *bench, const char *name)
{
    return kong_conf_get(&bench->conf, name)->origin == SETTING_ENVIRONMENT;
}

static void add_sentence(struct names *to, char *sentence)
{
    names_add(to, sentence);
    free(sentence);
}

static void fix_keepalive(struct bench *bench)
{
    struct conf_fix *fix = bench->fix;
    const char *value = kong_conf_get(&bench->conf, KEEPALIVE)->value;
    if (value == NULL)
        return;
    const char *wanted = strcmp(value, "0") == 0 ? "NONE" : value;
    if (is_elsewhere(bench, KEEPALIVE)) {
        add_sentence(&fix->notes, mem_printf("KONG_UPSTREAM_KEEPALIVE is set in the environment, where it can't be mended from here: set"
                                             " KONG_NGINX_HTTP_UPSTREAM_KEEPALIVE=%s there instead", wanted));
        return;
    }
    const struct conf_entry *entry = conf_entries_find(&bench->entries, KEEPALIVE);
    if (conf_entries_find(&bench->entries, NEW_KEEPALIVE) != NULL) {
        comment_out(bench, entry);
        add_sentence(&fix->changes, mem_printf("line %d: " KEEPALIVE " has no effect, since " NEW_KEEPALIVE " is set: now a comment", entry->line));
    } else {
        char *text = mem_printf("%s%s", wanted, entry->value + head_length(entry->value));
        set_entry(bench, entry, NEW_KEEPALIVE, text);
        add_sentence(&fix->changes, mem_printf("line %d: " KEEPALIVE " is now " NEW_KEEPALIVE " = %s", entry->line, wanted));
        free(text);
    }
    comment_out_others(bench, entry);
}

/* The plugins of custom_plugins that are not loaded anyway, as they are written there. */
static char *list_missing(struct bench *bench, const struct conf_entry *custom)
{
    struct buf list = {0};
    char *head = mem_ndup(custom->value, head_length(custom->value));
    char *rest = head, *item;
    while ((item = strsep(&rest, ",")) != NULL) {
        item += indent_of(item);
        for (size_t length = strlen(item); length > 0 && ascii_is_space(item[length - 1]);)
            item[--length] = '\0';
        if (item[0] == '\0' || strcmp(item, "off") == 0 || names_have(&bench->conf.plugins, item) || names_have(&bench->fix->merged, item))
            continue;
        names_add(&bench->fix->merged, item);
        buf_addf(&list, "%s%s", list.length > 0 ? ", " : "", item);
    }
    free(head);
    return list.data != NULL ? buf_take(&list) : mem_dup("");
}

/* In place: before the comment of a line, or at the end of the last of several. */
static void append_plugins(struct bench *bench, const struct conf_entry *plugins, const char *list)
{
    size_t head = head_length(plugins->value);
    const char *comma = head > 0 && plugins->value[head - 1] == ',' ? " " : ", ";
    if (plugins->line != plugins->last_line && plugins->value[head] == '\0') {
        struct conf_line *line = line_of(bench, plugins->last_line);
        size_t length = strlen(line->text);
        while (length > 0 && ascii_is_space(line->text[length - 1]))
            length--;
        line->replaced = mem_printf("%.*s%s%s%s", (int)length, line->text, comma, list, line->text + length);
        return;
    }
    char *value = mem_printf("%.*s%s%s%s", (int)head, plugins->value, comma, list, plugins->value + head);
    set_entry(bench, plugins, "plugins", value);
    free(value);
}

/* The list of `plugins` where Kong has none: instead of `off`, or of nothing. */
static void begin_plugins(struct bench *bench, const struct conf_entry *entry, const char *first, const char *list)
{
    char *value = mem_printf("%s%s%s", first, list, entry->value + head_length(entry->value));
    set_entry(bench, entry, "plugins", value);
    free(value);
}

static void merge_plugins(struct bench *bench, const struct conf_entry *custom, const char *list)
{
    const struct conf_entry *plugins = conf_entries_find(&bench->entries, "plugins");
    struct names *changes = &bench->fix->changes;
    if (list[0] == '\0') {
        comment_out(bench, custom);
        add_sentence(changes, mem_printf("line %d: custom_plugins names nothing that plugins does not: now a comment", custom->line));
    } else if (plugins == NULL) {
        begin_plugins(bench, custom, "bundled, ", list);
        add_sentence(changes, mem_printf("line %d: custom_plugins is now plugins = bundled, %s", custom->line, list));
    } else {
        if (bench->conf.plugins.count == 0)
            begin_plugins(bench, plugins, "", list);
        else
            append_plugins(bench, plugins, list);
        comment_out(bench, custom);
        add_sentence(changes, mem_printf("line %d: plugins has %s too; custom_plugins, line %d, is now a comment", plugins->line, list, custom->line));
    }
}

static void fix_plugins(struct bench *bench)
{
    const struct setting *setting = kong_conf_get(&bench->conf, "custom_plugins");
    if (setting->value == NULL)
        return;
    if (is_elsewhere(bench, "custom_plugins")) {
        add_sentence(&bench->fix->notes, mem_printf("KONG_CUSTOM_PLUGINS is set in the environment, where it can't be mended from here: name its plugins"
                                                    " in KONG_PLUGINS there, beside bundled, instead"));
        return;
    }
    const struct conf_entry *custom = conf_entries_find(&bench->entries, "custom_plugins");
    if (is_elsewhere(bench, "plugins")) {
        add_sentence(&bench->fix->notes, mem_printf("KONG_PLUGINS is set in the environment and goes before the file: name the plugins of"
                                                    " custom_plugins (line %d) there, which is left as it is", custom->line));
        return;
    }
    char *list = list_missing(bench, custom);
    merge_plugins(bench, custom, list);
    comment_out_others(bench, custom);
    free(list);
}

static bool holds_secret(const struct conf_entries *entries)
{
    for (size_t i = 0; i < entries->count; i++)
        if (strstr(entries->list[i].key, "password") != NULL || strstr(entries->list[i].key, "secret") != NULL)
            return true;
    return false;
}

static void mend(struct bench *bench)
{
    struct conf_fix *fix = bench->fix;
    struct buf after = {0};
    conf_text_parse(fix->before, &bench->entries);
    conf_lines_split(&bench->lines, fix->before);
    fix->holds_secret = holds_secret(&bench->entries);
    fix_plugins(bench);
    fix_keepalive(bench);
    conf_lines_join(&bench->lines, &after);
    fix->after = after.data != NULL ? mem_dup(after.data) : mem_dup("");
    conf_text_wipe(&after);
    if (fix->changes.count > 0)
        fix->diff = conf_lines_diff(&bench->lines);
    conf_lines_free(&bench->lines);
    conf_entries_free(&bench->entries);
}

bool conf_fix_make(struct conf_fix *fix, const char *file, char *const *environment, struct error *error)
{
    struct buf text = {0};
    struct bench bench = {.fix = fix};
    *fix = (struct conf_fix){.environment = environment};
    bool loaded = kong_conf_load(&bench.conf, file, NULL, environment, error) && conf_file_read_text(file, &text, error);
    if (loaded) {
        fix->file = mem_dup(file);
        fix->before = mem_dup(buf_text(&text));
        mend(&bench);
    }
    kong_conf_free(&bench.conf);
    conf_text_wipe(&text);
    return loaded;
}

void conf_fix_free(struct conf_fix *fix)
{
    free(fix->file);
    mem_wipe(fix->before);
    mem_wipe(fix->after);
    free(fix->diff);
    names_free(&fix->changes);
    names_free(&fix->notes);
    names_free(&fix->merged);
    *fix = (struct conf_fix){0};
}
