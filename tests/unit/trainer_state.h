/* All that a trainer would store, to be compared with another one's. */
#ifndef TESTS_UNIT_TRAINER_STATE_H
#define TESTS_UNIT_TRAINER_STATE_H

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "engine/denoise.h"

struct state {
    unsigned char *bytes; /* [size], to be freed */
    size_t size;
};

static inline struct state state_of(const struct dn_trainer *trainer) {
    struct state state = {.size = dn_trainer_bytes(trainer)};
    state.bytes = malloc(state.size);
    dn_trainer_save(trainer, state.bytes);
    return state;
}

static inline void check_same(struct state expected, const struct dn_trainer *trainer,
                              const char *what) {
    struct state found = state_of(trainer);
    cr_assert_eq(found.size, expected.size);
    cr_assert_eq(memcmp(found.bytes, expected.bytes, found.size), 0, "%s", what);
    free(found.bytes);
}

#endif
