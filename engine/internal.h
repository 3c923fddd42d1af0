/*
 * internal.h - small things that the engine's files share and its users do not see.
 */
#ifndef ENGINE_INTERNAL_H
#define ENGINE_INTERNAL_H

#include <stddef.h>
#include <string.h>

#include "engine/denoise.h"

/* Writes the message, if error is not NULL. */
void error_write(struct dn_error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The same, with status as its value, so that a function can `return error_set(…)`. A macro, so that
 * compilers and clang-tidy see the status. */
#define error_set(error, status, ...) (error_write(error, __VA_ARGS__), (enum dn_status)(status))

/* dn_spec_check without the rules that are younger than some stored models. Sampling finds out
 * whether such a model satisfies them. */
enum dn_status spec_check_stored(const struct dn_spec *spec, struct dn_error *error);

/* The rows of spec_fields.h: an enum is an int here, and its limits are those of its names. */
enum spec_kind { SPEC_INT, SPEC_DOUBLE, SPEC_BOOL };
struct spec_row {
    const char *name; /* with its group: "training.epochs" */
    enum spec_kind kind;
    size_t offset;   /* in struct dn_spec */
    int saved;       /* its place in a saved model, from 1; 0: it has none */
    bool for_images; /* means nothing to other networks, and is not saved with them */
    double minimum, maximum;
    int step; /* it is a multiple of this; 0: of none */
};
extern const struct spec_row spec_rows[];
extern const size_t spec_row_count;

/* The kind of a member of a spec. */
// clang-format off
#define SPEC_KIND(value) \
    _Generic((value), int: SPEC_INT, unsigned: SPEC_INT, double: SPEC_DOUBLE, bool: SPEC_BOOL)
// clang-format on

/* Is each of the values a finite number? */
static inline bool all_finite(const float *values, size_t count) {
    uint32_t wrong = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        wrong |= (bits & 0x7f800000) == 0x7f800000; /* the exponent of infinities and NaNs */
    }
    return wrong == 0;
}

/* DN_STOPPED if the caller's flag is set, which another thread may write. */
static inline enum dn_status stop_check(dn_stop_flag *stop, struct dn_error *error) {
    const bool asked = stop && __atomic_load_n(stop, __ATOMIC_RELAXED);
    return asked ? error_set(error, DN_STOPPED, "stopped") : DN_OK;
}

/* The pause, then the flag. */
static inline enum dn_status break_check(const struct dn_breaks *breaks, struct dn_error *error) {
    if (breaks && breaks->pause)
        breaks->pause(breaks->context);
    return breaks ? stop_check(breaks->stop, error) : DN_OK;
}

#endif
