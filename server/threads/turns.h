/*
 * turns.h - decides whose turn it is: the policy of the pool, without its threads and clocks.
 *
 * Work waits in one of three classes: small, large, or background, for which no user is waiting. An
 * earlier class goes first. But while work of a later class waits, it is owed a share of the time
 * that earlier classes take (a quarter for large work, a twentieth for background work), and gets a
 * turn as soon as that makes up a slice. Within a class, the client that has used the least time is
 * next. A client that comes back starts level with the others, or a little behind them if it has
 * used more: nobody can save up turns, and nobody waits long because of old ones. The work of one
 * client is done in order; work that has used up a slice goes back to the end of the line.
 *
 * Work that has begun keeps a thread and memory. So, except for small work, the number of tasks
 * that may have begun is limited for each client and for all together; the others wait until one of
 * these has ended.
 */
#ifndef SERVER_THREADS_TURNS_H
#define SERVER_THREADS_TURNS_H

#include <stdbool.h>
#include <stdint.h>

enum turn_class { TURN_SMALL, TURN_LARGE, TURN_BACKGROUND, TURN_CLASSES };

/* Limits for each class except small work. */
enum { TURN_BEGUN = 192, TURN_BEGUN_OF_CLIENT = 16, TURN_CLIENTS = 1024 };

/* Seconds of a slice, and of all the time that small work may take before it counts as large;
 * shares of the time of earlier classes that are owed to large and to background work. */
#define TURN_SLICE_SECONDS    0.02
#define TURN_SMALL_SECONDS    0.1
#define TURN_LARGE_SHARE      0.25
#define TURN_BACKGROUND_SHARE 0.05

/* Part of a task. Its poster sets the client and the class; the rest is zero. */
struct turn {
    uint64_t client; /* any number that tells clients apart */
    enum turn_class class;
    double used; /* seconds so far */
    struct turn *next;
    bool has_begun;
    bool is_owed; /* it has a turn that was owed to its class */
    void *holder; /* for the pool: the thread that has begun it */
};

/* Clients whose numbers are equal modulo TURN_CLIENTS share their turns. */
struct turn_line {
    struct turn *first, **end;
    int waiting; /* tasks in the line, */
    int fresh;   /* and those of them that have not begun */
    double now;  /* seconds that the client of the last turn had used */
    double used[TURN_CLIENTS];
    int present[TURN_CLIENTS];         /* tasks that wait or have a turn */
    double owed;                       /* seconds, because earlier classes took time meanwhile */
    int begun, begun_of[TURN_CLIENTS]; /* not counted for small work */
};

struct turns {
    struct turn_line lines[TURN_CLASSES];
};

void turns_init(struct turns *turns);

/* Adds new work at the end of its line. */
void turns_join(struct turns *turns, struct turn *turn);
/* Removes and returns the work whose turn it is, and notes that it has begun; NULL: no waiting work
 * can continue. may_begin: includes work that has not begun. */
struct turn *turns_take(struct turns *turns, bool may_begin);
/* Adds working time. Small work that has taken too much becomes large. */
void turns_charge(struct turns *turns, struct turn *turn, double seconds);
/* Puts work back at the end of its line. */
void turns_back(struct turns *turns, struct turn *turn);
/* The work is over. */
void turns_end(struct turns *turns, struct turn *turn);
/* Should work whose turn has lasted this time give it to other work? */
bool turns_is_over(const struct turns *turns, const struct turn *turn, double seconds);
/* Removes and returns work that has not begun, in any order; NULL: there is none. */
struct turn *turns_drop(struct turns *turns);

#endif
