/*
 * page.h - how a test tells a running server what shall go wrong, and sees that it did: a page of
 * shared memory, a file that the environment variable DENOISED_FAULT_PAGE names.
 *
 * tests/fault/harness.py knows the order of the fields. Without the variable nothing goes wrong.
 */
#ifndef FAULT_PAGE_H
#define FAULT_PAGE_H

#include <stdatomic.h>
#include <stdbool.h>

/* A run of failures: the calls number `first` to `first + length - 1` after arming fail. */
struct run {
    atomic_llong first; /* 0: none do */
    atomic_llong length;
    atomic_llong seen;  /* calls since the arming */
    atomic_llong fired; /* of these, have failed */
};

enum io_failure {
    IO_ERROR,
    IO_NO_SPACE,
    IO_SHORT_WRITE,
    IO_SYNC,  /* of a sync alone */
    IO_QUOTA, /* no space either, but SQLite does not know that */
};

struct page {
    atomic_llong pid; /* of the server that looks at the page */
    struct run memory;
    struct run io;
    atomic_llong io_failure; /* enum io_failure */
    atomic_llong live;       /* allocations that have not been freed */
    atomic_llong recorded;   /* bytes of the record of the disk's life (vfs.c) */
    atomic_llong sync_delay; /* microseconds that a sync takes longer */
};

extern struct page *fault_page; /* never NULL once main() runs; maybe private to the process */

/* Counts a call; does it fail? */
bool fault_fires(struct run *run);

#endif
