#include "core/router/ties.h"

static bool is_about(const struct router *router, const struct claim *claim, uint32_t entry)
{
    if (claim->found != NULL)
        return keys_have(claim->found->list, (uint32_t)claim->found->count, entry);
    if (claim->question == NULL) {
        uint32_t first = router->categories[claim->category].first;
        return router->entries[entry].category == claim->category && router->entries[entry].group == router->entries[first].group;
    }
    for (size_t i = 0; i < claim->question->count; i++)
        if (keys_have(claim->question->options[i].leaders, claim->question->options[i].leader_count, entry))
            return true;
    return false;
}

static bool is_consistent(const struct router *router, const struct claims *claims)
{
    bool before[CLAIMS][CLAIMS], path[CLAIMS][CLAIMS];
    size_t count = claims->count;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            bool same = claims->list[i].leader == claims->list[j].leader;
            before[i][j] = !same && is_about(router, &claims->list[i], claims->list[j].leader);
            path[i][j] = same || before[i][j];
        }
    }
    for (size_t k = 0; k < count; k++)
        for (size_t i = 0; i < count; i++)
            for (size_t j = 0; j < count; j++)
                path[i][j] |= path[i][k] && path[k][j];
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < count; j++)
            if (before[i][j] && path[j][i])
                return false;
    return true;
}

#define TRIES 4096

static bool try_leaders(const struct router *router, struct claims *claims, size_t at)
{
    if (at == claims->count)
        return is_consistent(router, claims);
    struct claim *claim = &claims->list[at];
    for (uint32_t i = 0; i < claim->leader_count; i++) {
        claim->leader = claim->leaders[i];
        if (++claims->tries > TRIES || try_leaders(router, claims, at + 1))
            return true;
    }
    return false;
}

void claim_question(struct claims *claims, const struct question *question, size_t option)
{
    if (question->count > 1 && claims->count + 1 < CLAIMS)
        claims->list[claims->count++] = (struct claim){.question = question, .category = -1, .leaders = question->options[option].leaders,
                                                       .leader_count = question->options[option].leader_count};
}

void claim_categories(const struct router *router, struct claims *claims, const struct arrangement *arrangement)
{
    for (size_t i = 0; i < router->category_count; i++) {
        uint32_t first = router->categories[i].first, count = 0;
        if (!router->open_categories[i] || claims->count + 1 >= CLAIMS)
            continue;
        uint32_t *leaders = claims->firsts[claims->count];
        for (uint32_t j = first; j < router->entry_count && router->entries[j].group == router->entries[first].group && count < LEADERS; j++)
            if (router->entries[j].category == i && router->entries[j].weight == arrangement->weights[i])
                leaders[count++] = j;
        claims->list[claims->count++] = (struct claim){.category = (int)i, .leaders = leaders, .leader_count = count};
    }
}

bool is_possible(const struct router *router, struct claims *claims, const struct numbers *found, uint32_t entry)
{
    size_t count = claims->count;
    if (count == 0)
        return true;
    if (found != NULL)
        claims->list[claims->count++] = (struct claim){.found = found, .category = -1, .leaders = &entry, .leader_count = 1};
    claims->tries = 0;
    bool possible = try_leaders(router, claims, 0);
    claims->count = count;
    return possible;
}
