/*
 * writer.h - the one thread that writes to the store.
 *
 * Tasks arrive through a bounded queue. The thread takes all waiting tasks (at most 128), runs each
 * in its savepoint inside one transaction, commits, and only then reports each as done: one fsync
 * serves many requests, and nothing is acknowledged before it is durable. On a database that others
 * write to as well, each task is a transaction of its own; it runs again if others were in its way,
 * or if the connection was lost during its commit, to find out whether that took place. The writer
 * also moves the write-ahead log into the database.
 */
#ifndef SERVER_THREADS_WRITER_H
#define SERVER_THREADS_WRITER_H

#include "server/store/store.h"
#include "server/threads/task.h"

struct writer;

/* Calls committed(listener), if it is not NULL, on the writer's thread after each commit that has
 * changed something. NULL when no thread can be started. */
struct writer *writer_start(struct store *store, void (*committed)(void *listener), void *listener);
/* The server is stopping and has little time: the write-ahead log is left for the next start. */
void writer_hurry(struct writer *writer);
void writer_stop(struct writer *writer); /* finishes what is queued, refuses the rest, joins */

/* The outcome of the last transaction that wrote something or failed to: does writing work? Any
 * thread. */
enum task_outcome writer_state(struct writer *writer);

/* Hands over a task. If the queue is full or stopping, done(TASK_REFUSED) is called at once, on
 * this thread. */
void writer_post(void *self, struct task *task);

/* The same for a task that follows from an accepted one: refused only when the writer stops. */
void writer_post_next(struct writer *writer, struct task *task);

/* What a task's outcome means for the store: STORE_OK if it was committed. */
enum store_status writer_status(enum task_outcome outcome);

/* Runs a function on the writer, and waits until what it wrote is committed, or rolled back if it
 * did not return STORE_OK. Returns its status, or why the transaction failed: STORE_FULL,
 * STORE_DISK, STORE_GONE, STORE_AWAY or STORE_ERROR. */
enum store_status writer_do(struct writer *writer,
                            enum store_status (*run)(void *argument, struct store_session *session),
                            void *argument);
/* The same for what makes no events. */
enum store_status writer_do_quietly(struct writer *writer,
                                    enum store_status (*run)(void *argument,
                                                             struct store_session *session),
                                    void *argument);
/* The same as writer_do, but waits for a database that is away, until the server stops. */
enum store_status writer_do_at_last(struct writer *writer,
                                    enum store_status (*run)(void *argument,
                                                             struct store_session *session),
                                    void *argument);

#endif
