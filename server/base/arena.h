/*
 * arena.h - memory that is freed all at once: everything that belongs to one request.
 */
#ifndef SERVER_BASE_ARENA_H
#define SERVER_BASE_ARENA_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct arena_block;

/* A zeroed struct arena is an empty one. */
struct arena {
    struct arena_block *blocks;
    size_t used;
    bool failed; /* an allocation failed: a response made with this arena is incomplete */
};

void *arena_alloc(struct arena *arena, size_t size); /* zeroed, aligned for anything; or NULL */
char *arena_format(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
char *arena_vformat(struct arena *arena, const char *format, va_list arguments);
char *arena_copy(struct arena *arena, const char *text, size_t length); /* NUL-terminated */
void arena_clear(struct arena *arena);

#endif
