#include "server/threads/blob.h"

#include <math.h>
#include <stdlib.h>

#include "server/base/bell.h"
#include "server/base/fault.h"

enum { PIECES_IN_A_HURRY = 128 };

/* Adds the next piece, on the writer. */
static enum store_status add_piece(struct blob_write *write, struct store_session *session) {
    struct blob_progress *next = &write->next;
    const size_t left = write->size - next->written;
    const size_t size = left < STORE_PIECE_BYTES ? left : STORE_PIECE_BYTES;
    enum store_status status =
        store_blob_add(session, next->id, next->number, write->bytes + next->written, size);
    if (status == STORE_OK) {
        next->written += size;
        next->number++;
    }
    return status;
}

/* Begins the blob. If an earlier run may have begun it, too, that one is abandoned. */
static enum store_status begin(struct blob_write *write, struct store_session *session) {
    const int64_t doubtful = write->task.is_in_doubt ? write->next.id : 0;
    write->next = write->so_far;
    if (write->so_far.id != 0)
        return STORE_OK;
    enum store_status status = doubtful != 0 ? store_blob_abandon(session, doubtful) : STORE_OK;
    return status == STORE_OK ? store_blob_begin(session, write->boot, write->size, &write->next.id)
                              : status;
}

static bool run_pieces(struct task *task, struct store_session *session) {
    struct blob_write *write = (struct blob_write *)task;
    const int most = write->hurry && atomic_load(write->hurry) ? PIECES_IN_A_HURRY : 1;
    if (atomic_load(&write->give_up)) {
        write->status = STORE_LOST;
        return false;
    }
    write->status = begin(write, session);
    for (int i = 0; i < most && write->status == STORE_OK && write->next.written < write->size; i++)
        write->status = add_piece(write, session);
    return write->status == STORE_OK;
}

static void pieces_done(struct task *task, enum task_outcome outcome) {
    struct blob_write *write = (struct blob_write *)task;
    FAULT_POINT("blob.piece_written");
    if (outcome != TASK_DONE)
        write->status = writer_status(outcome);
    if (write->status == STORE_OK) {
        write->so_far = write->next;
        task->is_in_doubt = false; /* the next piece has no earlier run */
    }
    if (write->status == STORE_OK && write->so_far.written < write->size) {
        writer_post_next(write->writer, &write->task);
        return;
    }
    const int64_t begun = task->is_in_doubt ? write->next.id : write->so_far.id;
    if (write->status != STORE_OK && begun != 0) {
        blob_abandon(write->writer, begun);
        write->so_far.id = 0;
    }
    write->done(write);
}

void blob_write_start(struct blob_write *write) {
    write->task = (struct task){.run = run_pieces,
                                .done = pieces_done,
                                .waits_for_database = write->waits_for_database,
                                .makes_no_events = true};
    writer_post_next(write->writer, &write->task);
}

/* ------------------------------------------------------------------ waiting for it */

struct waiting {
    struct blob_write write;
    struct bell over;
};

static void waiting_done(struct blob_write *write) {
    bell_ring(&((struct waiting *)write)->over);
}

enum store_status blob_write_all(struct writer *writer, const char *boot, const void *bytes,
                                 size_t size, int64_t *id) {
    struct waiting waiting = {
        .write = {
            .writer = writer, .boot = boot, .bytes = bytes, .size = size, .done = waiting_done}};
    bell_init(&waiting.over);
    blob_write_start(&waiting.write);
    bell_wait(&waiting.over, INFINITY);
    bell_clear(&waiting.over);
    *id = waiting.write.so_far.id;
    return waiting.write.status;
}

/* ------------------------------------------------------------------ abandoning it */

struct abandoning {
    struct task task;
    int64_t id;
};

static bool run_abandon(struct task *task, struct store_session *session) {
    return store_blob_abandon(session, ((struct abandoning *)task)->id) == STORE_OK;
}

static void abandon_done(struct task *task, enum task_outcome outcome) {
    (void)outcome; /* if this failed, the next start removes the blob */
    free(task);
}

void blob_abandon(struct writer *writer, int64_t id) {
    struct abandoning *abandoning = calloc(1, sizeof *abandoning);
    if (!abandoning)
        return; /* the next start removes the blob */
    abandoning->task =
        (struct task){.run = run_abandon, .done = abandon_done, .makes_no_events = true};
    abandoning->id = id;
    writer_post_next(writer, &abandoning->task);
}
