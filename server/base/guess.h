/*
 * guess.h - the name that was probably meant by one that does not exist.
 */
#ifndef SERVER_BASE_GUESS_H
#define SERVER_BASE_GUESS_H

#include <stdbool.h>

/* Begin with {.typed = ...}, offer each name that exists, and look at `meant`. */
struct guess {
    const char *typed;
    const char *meant; /* NULL: nothing is near enough */
    int distance;      /* distance of `meant` */
};

/* The nearest name within two edits is meant, or within one for at most four letters. `extra` is
 * added to the distance of this name. True: it is the best so far. */
bool guess_offer(struct guess *guess, const char *name, int extra);

#endif
