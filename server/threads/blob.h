/*
 * blob.h - writes large data to the store, through the writer, piece by piece.
 *
 * Each piece is a task of the writer with its own transaction, posted when the previous one is
 * durable, so that other tasks run in between. The caller writes a row that names the blob in one
 * more task; until then the blob has no effect.
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
    size_t size;
    struct blob_progress {
        size_t written;
        int64_t number;      /* number of the next piece */
        int64_t id;          /* id of the blob; 0: there is none */
    } so_far, next;          /* what is committed; what is once the task is */
    bool waits_for_database; /* see struct task */
    const atomic_bool
        *hurry;          /* when true, many pieces form one task, for no other waits; or NULL */
    atomic_bool give_up; /* set when the blob is no longer needed: no other piece is written */
    enum store_status status;
    void (*done)(struct blob_write *write);
};

/* Begins to write; done() is called on the writer's thread, with a status, and so_far.id names the
 * blob. STORE_LOST: it was cancelled. After a failure there is no blob. The caller sets writer, boot,
 * bytes, size, waits_for_database and done; the rest is zero. */
void blob_write_start(struct blob_write *write);

/* The same, and waits for the end. Not from the writer's thread. */
enum store_status blob_write_all(struct writer *writer, const char *boot, const void *bytes,
                                 size_t size, int64_t *id);

/* The caller does not need a written blob: the next cleanup deletes it. */
void blob_abandon(struct writer *writer, int64_t id);

#endif
