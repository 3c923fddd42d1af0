#include "api/contract/kept.h"

#include <stdio.h>

#include "api/contract/caching.h"
#include "server/http/gzip.h"

bool kept_find(struct kept *kept, struct http_exchange *exchange) {
    struct http_response *response = &exchange->response;
    if (!atomic_load(&kept->is_made)) /* from then on, nothing in it changes */
        return false;
    buffer_append(&response->body, kept->body.data, kept->body.length);
    response->gzip = kept->gzip.data;
    response->gzip_length = kept->gzip.length;
    response->etag = kept->etag;
    return true;
}

void kept_make(struct kept *kept, struct http_exchange *exchange, const char *bytes,
               size_t length) {
    const char *etag = tag_of(exchange, bytes, length);
    struct buffer body = {0}, packed = {0};
    struct gzip *gzip = gzip_start(false);
    buffer_append(&body, bytes, length);
    if (gzip)
        gzip_put(gzip, bytes, length, true, &packed);
    gzip_stop(gzip);
    pthread_mutex_lock(&kept->mutex);
    if (gzip && etag && !body.failed && !packed.failed && !atomic_load(&kept->is_made)) {
        kept->body = body;
        kept->gzip = packed;
        snprintf(kept->etag, sizeof kept->etag, "%s", etag);
        body = packed = (struct buffer){0};
        atomic_store(&kept->is_made, true);
    }
    pthread_mutex_unlock(&kept->mutex);
    buffer_clear(&body);
    buffer_clear(&packed);
}
