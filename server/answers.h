/*
 * answers.h - answers that were made from the database, kept for as long as it does not change.
 *
 * Pollers ask for the same thing over and over, mostly while there is nothing new to say. An answer
 * is kept with the version of the database (store_version) that was taken before it was read, and
 * given again only while that is still the version. So nobody sees an answer that is older than a
 * commit which was acknowledged, or which another answer has shown.
 */
#ifndef SERVER_ANSWERS_H
#define SERVER_ANSWERS_H

#include <stdbool.h>
#include <stdint.h>

#include "server/base/buffer.h"

struct answers;

struct answers *answers_new(void); /* NULL when out of memory */
void answers_free(struct answers *answers); /* NULL is fine */

/* Appends the answer that is kept for the id; false if there is none of this version. */
bool answers_find(struct answers *answers, const char *id, uint64_t version, struct buffer *out);
/* Keeps a copy, in place of another one perhaps. */
void answers_keep(struct answers *answers, const char *id, uint64_t version,
                  const struct buffer *body);

#endif
