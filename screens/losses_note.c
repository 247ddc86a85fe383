#include "screens/losses_note.h"

#define FEW 3   /* changes that are listed rather than counted */

static bool loses_values(const struct loss *loss)
{
    return loss->destroys && loss->rows > 0;
}

static void add_loss(struct prose *prose, const struct loss *loss)
{
    enum mark mark = loses_values(loss) ? MARK_DANGER : MARK_INFO;
    if (loss->rows >= 0)
        prose_add_mark(prose, mark, "%s: %lld", loss->what, (long long)loss->rows);
    else
        prose_add_mark(prose, mark, "%s", loss->what);
}

static size_t count_rest(const struct losses *losses)
{
    size_t rest = 0;
    for (size_t i = 0; i < losses->count; i++)
        rest += loses_values(&losses->list[i]) ? 0 : 1;
    return rest;
}

static void add_rest(struct prose *prose, const struct losses *losses)
{
    for (size_t i = 0; i < losses->count; i++)
        if (!loses_values(&losses->list[i]))
            add_loss(prose, &losses->list[i]);
}

void losses_add(struct prose *prose, const struct losses *losses)
{
    size_t rest = count_rest(losses);
    for (size_t i = 0; i < losses->count; i++)
        if (loses_values(&losses->list[i]))
            add_loss(prose, &losses->list[i]);
    if (rest == losses->count)
        prose_add_mark(prose, MARK_OK, "No value of yours is deleted.");
    if (rest <= FEW)
        add_rest(prose, losses);
    else
        prose_add_mark(prose, MARK_INFO, "%zu changes that delete no value.", rest);
}

void losses_add_rest(struct prose *prose, const struct losses *losses, const char *heading)
{
    if (count_rest(losses) <= FEW)
        return;
    prose_add(prose, PROSE_HEADING, "%s", heading);
    add_rest(prose, losses);
}
