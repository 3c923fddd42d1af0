#include "engine/table/ranks.h"

#include <stdlib.h>

#include "engine/base/kernels.h"
#include "engine/base/random.h"
#include "engine/internal.h"

size_t ranks_values(size_t n, int dim) {
    return (n * (size_t)dim + NORMALS_GROUP - 1) / NORMALS_GROUP * NORMALS_GROUP;
}

size_t ranks_bytes(size_t n, int dim) {
    return 2 * floats_bytes(ranks_values(n, dim));
}

enum dn_status ranks_init(struct ranks *ranks, size_t n, int dim, const struct kernels *kernels,
                          struct dn_error *error) {
    const size_t cells = ranks_values(n, dim);
    *ranks = (struct ranks){.kernels = kernels, .n = (int32_t)n, .dim = dim};
    ranks->below = (int32_t *)(void *)floats_new(cells); /* aligned for the kernel */
    ranks->count = (int32_t *)(void *)floats_new(cells);
    if (!ranks->below || !ranks->count) {
        ranks_clear(ranks);
        return error_set(error, DN_NO_MEMORY, "out of memory");
    }
    for (size_t cell = n * (size_t)dim; cell < cells; cell++) /* drawn with the last group */
        ranks->count[cell] = (int32_t)n;
    return DN_OK;
}

void ranks_clear(struct ranks *ranks) {
    free(ranks->below);
    free(ranks->count);
    *ranks = (struct ranks){0};
}

void ranks_draw(const struct ranks *ranks, uint64_t seed, uint32_t epoch, float scale, int part,
                int parts, float *scores) {
    const size_t groups = ranks_values((size_t)ranks->n, ranks->dim) / NORMALS_GROUP;
    const size_t first = groups * (size_t)part / (size_t)parts;
    const size_t last = groups * (size_t)(part + 1) / (size_t)parts;
    for (size_t group = first; group < last; group++) {
        const size_t at = group * NORMALS_GROUP;
        ranks->kernels->scores(seed, RANDOM_RANK, epoch, group, ranks->below + at,
                               ranks->count + at, (float)ranks->n, scale, scores + at);
    }
}
