#include "api/caching.h"

#include <string.h>

#include "engine/denoise.h"
#include "server/version.h"

const char *tag_of(struct http_exchange *exchange, const void *bytes, size_t length) {
    const unsigned char *at = bytes;
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ at[i]) * 1099511628211u;
    return http_format(exchange, "%016llx", (unsigned long long)hash);
}

void tag_answer(struct http_exchange *exchange, bool is_weak, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    const char *what = arena_vformat(http_arena(exchange), format, arguments);
    va_end(arguments);
    const char *text = what ? http_format(exchange, "%s %s %s %s", denoised_version,
                                          denoised_commit, dn_kernels_name(), what)
                            : NULL;
    exchange->response.etag = text ? tag_of(exchange, text, strlen(text)) : NULL;
    exchange->response.is_weak = is_weak;
}

/* The time tells a model from one that was trained to the same epoch after a new start. The job of
 * a model can be resumed at any time, so the answer may be kept but must be asked for. */
void tag_model_answer(struct http_exchange *exchange, bool is_weak, const struct model *model) {
    tag_answer(exchange, is_weak, "%s %d %lld %s", model->id, model->epoch,
               (long long)model->updated_at, model->variant);
}
