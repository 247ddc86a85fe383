/*
 * Allocation that does not fail: a process without memory for a few hundred bytes can't tell anyone either. It says so in
 * one line on stderr and ends with exit code 1. The journal and the database survive that as they survive any crash.
 * Everything returned here is freed with free().
 */
#ifndef CORE_BASE_MEM_H
#define CORE_BASE_MEM_H

#include <stdarg.h>
#include <stddef.h>

void *mem_zero(size_t count, size_t size);                       /* calloc */
void *mem_grow(void *old, size_t count, size_t size);            /* reallocarray; count 0 is taken as 1 */
char *mem_dup(const char *text);                                 /* strdup; NULL stays NULL */
char *mem_ndup(const char *text, size_t length);                 /* strndup */
char *mem_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
char *mem_vprintf(const char *format, va_list arguments) __attribute__((format(printf, 1, 0)));

/* Overwrites and frees a secret (NULL is fine). The writes are not optimised away. */
void mem_wipe(char *secret);

#endif
