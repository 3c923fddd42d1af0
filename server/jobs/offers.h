/*
 * offers.h - the kinds of arithmetic that this process offers to jobs.
 *
 * A job that has a checkpoint goes on to the same bytes only with the arithmetic that it began with
 * (dn_arithmetic). A process offers one kind for each variant of the kernels that it may use; jobs
 * without a checkpoint get the first.
 */
#ifndef SERVER_JOBS_OFFERS_H
#define SERVER_JOBS_OFFERS_H

#include "engine/denoise.h"
#include "server/store/store.h"

struct offers {
    int count;
    struct offer {
        const char *kernels; /* the name of the variant */
        char arithmetic[DN_ARITHMETIC_TEXT];
    } each[STORE_MAX_OFFERS];
};

/* The variant of this name, which the CPU must have; NULL: all that the CPU has, best first. */
void offers_make(struct offers *offers, const char *only);
/* The offer for a job with this arithmetic; NULL, or one that is not offered: the first. */
const struct offer *offers_choose(const struct offers *offers, const char *arithmetic);

#endif
