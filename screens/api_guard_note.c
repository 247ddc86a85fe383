/* What the Admin API guard found, on the screens of steps 2 to 4: a line each; all of it in a text of its own. */
#include "core/base/mem.h"
#include "screens/screen.h"

#include <stdlib.h>
#include <string.h>

static const char *name_of(const struct model *model, const char *node_id)
{
    for (size_t i = 0; i < model->node_count; i++) {
        const struct node *node = model->nodes[i].node;
        if (node->node_id != NULL && strcmp(node->node_id, node_id) == 0)
            return node->name;
    }
    return node_id;
}

static const char *age_text(int seconds, char *text, size_t size)
{
    if (seconds < 120)
        snprintf(text, size, "%d s ago", seconds);
    else
        snprintf(text, size, "%d min ago", seconds / 60);
    return text;
}

/* The newest write that no plugin explains. */
static const struct api_guard_write *first_write(const struct api_guard *guard)
{
    for (size_t i = 0; i < guard->write_count; i++)
        if (!guard->writes[i].maybe_plugin)
            return &guard->writes[i];
    return NULL;
}

bool api_guard_is_there(const struct model *model)
{
    return !api_guard_is_quiet(&model->guard);
}

void api_guard_add(struct prose *prose, const struct model *model)
{
    const struct api_guard *guard = &model->guard;
    const struct api_guard_write *write = first_write(guard);
    char age[32];
    if (write != NULL)
        prose_add_mark(prose, MARK_DANGER, "The Admin API of %s was used %s (%s). Press v for what that means.", name_of(model, write->node_id),
                       age_text(write->seconds_ago, age, sizeof age), write->entity);
    else if (guard->row_count > 0)
        prose_add_mark(prose, MARK_WARN, "There are %s, which old nodes don't understand. Press v for what that means.", guard->rows[0].kind->what);
}

static void add_writes(struct prose *prose, const struct model *model)
{
    const struct api_guard *guard = &model->guard;
    char age[32];
    prose_add(prose, PROSE_HEADING, "Written through new nodes");
    for (size_t i = 0; i < guard->write_count; i++) {
        const struct api_guard_write *each = &guard->writes[i];
        prose_add(prose, PROSE_BULLET, "%s, %s (%s), by %s: %s%s", each->channel, each->at, age_text(each->seconds_ago, age, sizeof age),
                  name_of(model, each->node_id), each->entity, each->maybe_plugin ? " (a plugin may have written it, serving traffic)" : "");
    }
    prose_add(prose, PROSE_PARAGRAPH, "Old nodes learn of such a change as of any other. It harms them only where it holds what they don't understand (below). See who uses"
                                      " that Admin API; admin_listen = off in the new nodes' kong.conf, or a firewall, keeps everyone off it until step 5 is done.");
}

static void add_rows(struct prose *prose, const struct api_guard_rows *rows)
{
    struct buf names = {0};
    for (size_t i = 0; i < rows->examples.count; i++)
        buf_addf(&names, "%s%s", i > 0 ? ", " : "", rows->examples.list[i]);
    prose_add(prose, PROSE_BULLET, "%lld: %s (%s%s). %s", (long long)rows->count, rows->kind->what, buf_text(&names),
              rows->count > (int64_t)rows->examples.count ? ", …" : "", rows->kind->means);
    buf_free(&names);
}

void api_guard_open(struct wizard *wizard)
{
    const struct api_guard *guard = &wizard->model.guard;
    wizard_open_text(wizard, "Admin API guard");
    if (guard->write_count > 0)
        add_writes(&wizard->view.text, &wizard->model);
    if (guard->row_count > 0)
        prose_add(&wizard->view.text, PROSE_HEADING, "Only Kong 1.3 understands");
    for (size_t i = 0; i < guard->row_count; i++)
        add_rows(&wizard->view.text, &guard->rows[i]);
}
