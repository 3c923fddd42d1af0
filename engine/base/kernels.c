/*
 * kernels.c - which variants of the kernels there are, and which one is the default.
 */
#include "engine/base/kernels.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "engine/internal.h"

#if defined(__x86_64__)
extern const struct kernels kernels_avx512, kernels_avx2, kernels_baseline;
const struct kernels *const kernels_built[] = {&kernels_avx512, &kernels_avx2, &kernels_baseline,
                                               NULL};
#elif defined(__aarch64__)
extern const struct kernels kernels_neon;
const struct kernels *const kernels_built[] = {&kernels_neon, NULL};
#else
extern const struct kernels kernels_baseline;
const struct kernels *const kernels_built[] = {&kernels_baseline, NULL};
#endif

bool kernels_supported(const struct kernels *kernels) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (strcmp(kernels->name, "avx512") == 0)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
               __builtin_cpu_supports("fma");
    if (strcmp(kernels->name, "avx2") == 0)
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
    return kernels != NULL;
}

static _Atomic(const struct kernels *) chosen;

const struct kernels *kernels_get(void) {
    const struct kernels *kernels = atomic_load_explicit(&chosen, memory_order_acquire);
    if (kernels)
        return kernels;
    /* Two threads may both get here at first use; they choose the same variant. The last one runs
     * on every CPU. */
    size_t i = 0;
    while (kernels_built[i + 1] && !kernels_supported(kernels_built[i]))
        i++;
    atomic_store_explicit(&chosen, kernels_built[i], memory_order_release);
    return kernels_built[i];
}

const char *dn_kernels_name(void) {
    return kernels_get()->name;
}

const char *dn_kernels_offered(int i) {
    for (size_t k = 0; kernels_built[k]; k++)
        if (kernels_supported(kernels_built[k]) && i-- == 0)
            return kernels_built[k]->name;
    return NULL;
}

enum dn_status kernels_find(const char *name, const struct kernels **out, struct dn_error *error) {
    for (size_t i = 0; kernels_built[i]; i++) {
        if (strcmp(kernels_built[i]->name, name) != 0)
            continue;
        if (!kernels_supported(kernels_built[i]))
            return error_set(error, DN_INVALID, "this CPU cannot run the %s kernels", name);
        *out = kernels_built[i];
        return DN_OK;
    }
    return error_set(error, DN_INVALID, "no kernels named \"%s\" were built", name);
}

enum dn_status dn_kernels_use(const char *name, struct dn_error *error) {
    const struct kernels *kernels;
    const enum dn_status status = kernels_find(name, &kernels, error);
    if (status == DN_OK)
        atomic_store_explicit(&chosen, kernels, memory_order_release);
    return status;
}

size_t floats_bytes(size_t count) {
    size_t bytes;
    if (__builtin_mul_overflow(count, sizeof(float), &bytes) || bytes > SIZE_MAX - 64)
        return SIZE_MAX;
    return bytes ? (bytes + 63) / 64 * 64 : 64;
}

float *floats_new(size_t count) {
    const size_t bytes = floats_bytes(count);
    float *floats = bytes < SIZE_MAX ? aligned_alloc(64, bytes) : NULL;
    if (floats)
        memset(floats, 0, bytes);
    return floats;
}
