/*
 * internal.h - small things that the engine's files share and its users do not see.
 */
#ifndef ENGINE_INTERNAL_H
#define ENGINE_INTERNAL_H

#include "engine/denoise.h"

/* Writes the message (if error is not NULL) and returns status, so that a function can `return
 * error_set(…)`. */
enum dn_status error_set(struct dn_error *error, enum dn_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The caller's flag is written by another thread. */
static inline bool stop_asked(dn_stop_flag *stop) {
    return stop && __atomic_load_n(stop, __ATOMIC_RELAXED);
}

#endif
