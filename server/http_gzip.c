#include "server/http_gzip.h"

#include <stdlib.h>
#include <zlib.h>

enum {
    LEVEL =
        1, /* numbers as text shrink to half even so; the higher levels cost more than they save */
    WINDOW_BITS = 15 + 16, /* the 16 asks for gzip instead of zlib */
    MEMORY_LEVEL = 8,
    ROOM_BYTES = 16 << 10,
};

struct gzip {
    z_stream stream;
};

struct gzip *gzip_start(void) {
    struct gzip *gzip = calloc(1, sizeof *gzip);
    if (gzip && deflateInit2(&gzip->stream, LEVEL, Z_DEFLATED, WINDOW_BITS, MEMORY_LEVEL,
                             Z_DEFAULT_STRATEGY) != Z_OK) {
        free(gzip);
        return NULL;
    }
    return gzip;
}

void gzip_stop(struct gzip *gzip) {
    if (gzip)
        deflateEnd(&gzip->stream);
    free(gzip);
}

void gzip_put(struct gzip *gzip, const void *bytes, size_t length, bool is_last,
              struct buffer *out) {
    z_stream *stream = &gzip->stream;
    stream->next_in = (Bytef *)bytes; /* zlib does not write there */
    stream->avail_in = (uInt)length;
    do {
        char *room = buffer_reserve(out, ROOM_BYTES);
        if (!room)
            return;
        stream->next_out = (Bytef *)room;
        stream->avail_out = ROOM_BYTES;
        deflate(stream, is_last ? Z_FINISH : Z_NO_FLUSH); /* cannot fail with room to write */
        out->length += ROOM_BYTES - stream->avail_out;
    } while (stream->avail_out == 0);
}
