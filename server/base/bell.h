/*
 * bell.h - wakes an idle thread: when someone rings, when a time limit passes, or when the thread
 * must end.
 */
#ifndef SERVER_BASE_BELL_H
#define SERVER_BASE_BELL_H

#include <pthread.h>
#include <stdbool.h>

struct bell {
    pthread_mutex_t mutex; /* may also guard what its owner shares with the thread */
    pthread_cond_t changed;
    pthread_t thread;
    bool rung, closed;
};

void bell_init(struct bell *bell);
void bell_clear(struct bell *bell);
/* Initializes the bell and starts a thread that waits for it. False: there is no thread, and
 * nothing to stop. */
bool bell_start(struct bell *bell, void *(*run)(void *argument), void *argument);
/* Closes the bell and waits until the thread has ended; others may still ring it until it is
 * cleared. */
void bell_join(struct bell *bell);
/* Joins and clears. */
void bell_stop(struct bell *bell);

/* Called from any thread that does not hold the mutex. Ringing while no thread waits ends the next
 * wait. */
void bell_ring(struct bell *bell);
void bell_close(struct bell *bell);
bool bell_is_closed(struct bell *bell);
/* Waits until the bell rings or is closed, for at most this number of seconds (INFINITY: no limit).
 * False: it is closed. */
bool bell_wait(struct bell *bell, double seconds);
/* The same, but a ring does not end it: it ends the next wait. */
bool bell_pause(struct bell *bell, double seconds);

#endif
