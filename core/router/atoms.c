#include "core/router/atoms.h"

#include "core/base/mem.h"

#include <stdlib.h>
#include <string.h>

uint64_t atom_hash(const char *text, size_t length)
{
    uint64_t hash = ATOM_HASH_START;
    for (size_t i = 0; i < length; i++)
        hash = atom_hash_add(hash, text[i]);
    return hash;
}

/* The low bits alone of this kind of hash are poor. */
static size_t slot_of(const struct atoms *atoms, uint64_t hash)
{
    return (size_t)((hash * 0x9e3779b97f4a7c15u) >> 32) & (atoms->slot_count - 1);
}

static void put(struct atoms *atoms, uint32_t number)
{
    size_t slot = slot_of(atoms, atoms->list[number].hash);
    while (atoms->slots[slot] != 0)
        slot = (slot + 1) & (atoms->slot_count - 1);
    atoms->slots[slot] = number + 1;
}

static void grow(struct atoms *atoms)
{
    atoms->capacity = atoms->capacity > 0 ? atoms->capacity * 2 : 16;
    atoms->list = mem_grow(atoms->list, atoms->capacity, sizeof *atoms->list);
    free(atoms->slots);
    atoms->slot_count = atoms->capacity * 2;
    atoms->slots = mem_zero(atoms->slot_count, sizeof *atoms->slots);
    for (size_t i = 0; i < atoms->count; i++)
        put(atoms, (uint32_t)i);
}

uint32_t atoms_find(const struct atoms *atoms, const char *text, size_t length, uint64_t hash)
{
    if (atoms->slot_count == 0)
        return ATOM_NONE;
    for (size_t slot = slot_of(atoms, hash); atoms->slots[slot] != 0; slot = (slot + 1) & (atoms->slot_count - 1)) {
        const struct atom *atom = &atoms->list[atoms->slots[slot] - 1];
        if (atom->hash == hash && atom->length == length && memcmp(atom->text, text, length) == 0)
            return atoms->slots[slot] - 1;
    }
    return ATOM_NONE;
}

uint32_t atoms_find_text(const struct atoms *atoms, const char *text)
{
    size_t length = strlen(text);
    return atoms_find(atoms, text, length, atom_hash(text, length));
}

uint32_t atoms_add(struct atoms *atoms, const char *text, size_t length)
{
    uint64_t hash = atom_hash(text, length);
    uint32_t number = atoms_find(atoms, text, length, hash);
    if (number != ATOM_NONE)
        return number;
    if (atoms->count == atoms->capacity)
        grow(atoms);
    number = (uint32_t)atoms->count++;
    atoms->list[number] = (struct atom){text, length, hash};
    put(atoms, number);
    return number;
}

void atoms_free(struct atoms *atoms)
{
    free(atoms->list);
    free(atoms->slots);
    *atoms = (struct atoms){0};
}
