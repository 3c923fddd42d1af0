/*
 * turns.h - whose turn it is: the policy of the pool, without its threads and clocks.
 *
 * A piece of work waits in one of three classes: small, large, or background, for which no user is
 * waiting. Those of an earlier class go first; but while one of a later class waits, a share of the
 * time that earlier ones take is owed to it, a quarter to large work and a twentieth to background
 * work, and given as soon as it makes up a slice. Within a class the turn is that of the client who
 * has used the least time of it; a client that comes back starts level with the others, or a little
 * behind them if it has used more, so nobody saves up turns, or waits long for old ones. Work of
 * one client goes in order; what has used up a slice goes back to the end.
 *
 * Work that has begun keeps a thread and memory, so of each class but the small ones only so many
 * begin, of one client and of all; the others wait until one of these has ended.
 */
#ifndef SERVER_THREADS_TURNS_H
#define SERVER_THREADS_TURNS_H

#include <stdbool.h>
#include <stdint.h>

enum turn_class { TURN_SMALL, TURN_LARGE, TURN_BACKGROUND, TURN_CLASSES };

/* Limits for each class except small work. */
enum { TURN_BEGUN = 192, TURN_BEGUN_OF_CLIENT = 16, TURN_CLIENTS = 1024 };

/* Seconds of a slice, and of the total that small work may take before it counts as large. */
#define TURN_SLICE_SECONDS    0.02
#define TURN_SMALL_SECONDS    0.1
#define TURN_LARGE_SHARE      0.25
#define TURN_BACKGROUND_SHARE 0.05

/* Part of a piece of work. Zeroed, but for the client and the class. */
struct turn {
    uint64_t client; /* any number that tells clients apart */
    enum turn_class class;
    double used; /* seconds, so far */
    /* the rest belongs to turns.c, and `holder` to the pool */
    struct turn *next;
    bool has_begun;
    bool is_owed; /* the turn that it has is one of those that its class is owed */
    void *holder;
};

/* Clients whose numbers are equal modulo TURN_CLIENTS share their turns. */
struct turn_line {
    struct turn *first, **end;
    int waiting; /* all in the line.. */
    int fresh;   /* ..and those that have not begun */
    double now;  /* what the client had used that went last */
    double used[TURN_CLIENTS];
    int present[TURN_CLIENTS];         /* waiting or at work */
    double owed;                       /* seconds, for what earlier classes took meanwhile */
    int begun, begun_of[TURN_CLIENTS]; /* not of small ones */
};

struct turns {
    struct turn_line lines[TURN_CLASSES];
};

void turns_init(struct turns *turns);

/* New work joins the end of its line. */
void turns_join(struct turns *turns, struct turn *turn);
/* Removes and returns the work whose turn it is, and notes that it has begun; NULL: no waiting work
 * can continue. may_begin: also work that has not begun. */
struct turn *turns_take(struct turns *turns, bool may_begin);
/* Adds working time. Small work that has taken too much becomes large. */
void turns_charge(struct turns *turns, struct turn *turn, double seconds);
/* Back to the end of its line. */
void turns_back(struct turns *turns, struct turn *turn);
/* It is over. */
void turns_end(struct turns *turns, struct turn *turn);
/* Should work that has had its turn for this time give it to other work? */
bool turns_is_over(const struct turns *turns, const struct turn *turn, double seconds);
/* Removes and returns work that has not begun, in any order; NULL: there is none. */
struct turn *turns_drop(struct turns *turns);

#endif
