/*
 * memory.c - an allocator that fails when the page says so.
 *
 * These are the process's malloc and friends, for the libraries too: the C library lets a program
 * bring its own. They are its own functions, with a count before each.
 */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fault/shim/page.h"

#ifdef WRAPPED
/* A sanitizer wants its own allocator: the linker puts these before it, for our code alone (ld's
 * --wrap). What is leaked, it tells itself. */
#define OURS(name)   __wrap_##name
#define THEIRS(name) __real_##name
void *OURS(malloc)(size_t size);
void *OURS(calloc)(size_t count, size_t size);
void *OURS(realloc)(void *old, size_t size);
void *OURS(aligned_alloc)(size_t alignment, size_t size);
void *OURS(memalign)(size_t alignment, size_t size);
int OURS(posix_memalign)(void **memory, size_t alignment, size_t size);
#else
#define OURS(name)   name
#define THEIRS(name) __libc_##name
extern void THEIRS(free)(void *memory);
#endif
extern void *THEIRS(malloc)(size_t size);
extern void *THEIRS(calloc)(size_t count, size_t size);
extern void *THEIRS(realloc)(void *old, size_t size);
extern void *THEIRS(memalign)(size_t alignment, size_t size);

static bool fails(void) {
    if (!fault_fires(&fault_page->memory))
        return false;
    errno = ENOMEM;
    return true;
}

static void *counted(void *memory) {
#ifndef WRAPPED
    if (memory)
        atomic_fetch_add(&fault_page->live, 1);
#endif
    return memory;
}

void *OURS(malloc)(size_t size) {
    return fails() ? NULL : counted(THEIRS(malloc)(size));
}

void *OURS(calloc)(size_t count, size_t size) {
    return fails() ? NULL : counted(THEIRS(calloc)(count, size));
}

void *OURS(realloc)(void *old, size_t size) {
    if (fails())
        return NULL;
    void *memory = THEIRS(realloc)(old, size);
    return old ? memory : counted(memory);
}

void *OURS(aligned_alloc)(size_t alignment, size_t size) {
    return fails() ? NULL : counted(THEIRS(memalign)(alignment, size));
}

void *OURS(memalign)(size_t alignment, size_t size) {
    return fails() ? NULL : counted(THEIRS(memalign)(alignment, size));
}

int OURS(posix_memalign)(void **memory, size_t alignment, size_t size) {
    *memory = fails() ? NULL : counted(THEIRS(memalign)(alignment, size));
    return *memory ? 0 : ENOMEM;
}

#ifndef WRAPPED
void free(void *memory) {
    if (memory)
        atomic_fetch_sub(&fault_page->live, 1);
    THEIRS(free)(memory);
}
#endif
