/*
 * blob.h - brings large bytes to the store, through the writer, piece by piece.
 *
 * Each piece is a task of the writer with a transaction of its own, posted when the one before is
 * durable, so that everybody else's tasks come between. A row that names the blob is written by
 * whoever asked, in one more task; until then the blob counts for nothing.
 */
#ifndef SERVER_THREADS_BLOB_H
#define SERVER_THREADS_BLOB_H

#include <stdatomic.h>

#include "server/threads/writer.h"

struct blob_write {
    struct task task;
    struct writer *writer;
    const char *boot;           /* store_boot */
    const unsigned char *bytes; /* [size]; the caller's, until done */
    size_t size, written;
    int64_t number; /* of the next piece */
    int64_t id;     /* of the blob; 0: there is none */
    const atomic_bool
        *hurry;          /* when true, nobody else waits: many pieces in one transaction; or NULL */
    atomic_bool give_up; /* not wanted any more: ends before the next piece */
    enum store_status status;
    void (*done)(struct blob_write *write);
};

/* Begins to write; done() is called on the writer's thread, with a status. STORE_LOST: it was given
 * up. After a failure there is no blob. writer, boot, bytes, size and done are the caller's to set,
 * the rest is zero. */
void blob_write_start(struct blob_write *write);

/* The same, and waits for the end. Not from the writer's thread. */
enum store_status blob_write_all(struct writer *writer, const char *boot, const void *bytes,
                                 size_t size, int64_t *id);

/* The caller has no use for a blob that was written: it goes with the next sweep. */
void blob_abandon(struct writer *writer, int64_t id);

#endif
