/*
 * guess.h - which existing name a user probably meant by an unknown one.
 */
#ifndef SERVER_BASE_GUESS_H
#define SERVER_BASE_GUESS_H

#include <stdbool.h>

/* Start with {.typed = ...}, offer each existing name, and read `meant`. */
struct guess {
    const char *typed;
    const char *meant; /* NULL: no name is similar enough */
    int distance;      /* distance of `meant` */
};

/* The nearest name within two edits is meant, or within one for at most four letters. `extra` adds
 * to the distance of this name. True: this name is the best so far. */
bool guess_offer(struct guess *guess, const char *name, int extra);

#endif
