/*
 * Texts numbered from 0 in the order they came, each once: two texts are equal where their numbers are. The texts belong to the caller.
 */
#ifndef CORE_ROUTER_ATOMS_H
#define CORE_ROUTER_ATOMS_H

#include <stddef.h>
#include <stdint.h>

#define ATOM_NONE UINT32_MAX

struct atom {
    const char *text;
    size_t length;
    uint64_t hash;
};

/* Zero-initialise it. */
struct atoms {
    struct atom *list;
    size_t count, capacity;
    uint32_t *slots;         /* a number + 1, or 0 */
    size_t slot_count;
};

/* Hashes byte by byte, so that all prefixes of a text are hashed in one pass. */
#define ATOM_HASH_START 0xcbf29ce484222325u
static inline uint64_t atom_hash_add(uint64_t hash, char byte)
{
    return (hash ^ (unsigned char)byte) * 0x100000001b3u;
}

uint64_t atom_hash(const char *text, size_t length);

uint32_t atoms_add(struct atoms *atoms, const char *text, size_t length);
uint32_t atoms_find(const struct atoms *atoms, const char *text, size_t length, uint64_t hash);   /* ATOM_NONE where it is not there */
uint32_t atoms_find_text(const struct atoms *atoms, const char *text);
void atoms_free(struct atoms *atoms);

#endif
