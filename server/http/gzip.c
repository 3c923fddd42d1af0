#include "server/http/gzip.h"

#include <stdlib.h>
#include <zlib.h>

enum {
    LEVEL = 1, /* halves numbers as text; higher levels cost more than they save */
    GZIP = 16, /* added to the window's bits: asks for gzip instead of zlib */
    WINDOW_BITS = 15,
    MEMORY_LEVEL = 8,
    /* 130 kB instead of 260, and no more output: numbers rarely repeat anything from far back. */
    STREAM_WINDOW_BITS = 14,
    STREAM_MEMORY_LEVEL = 7,
    ROOM_BYTES = 16 << 10,
};

struct gzip {
    z_stream stream;
};

struct gzip *gzip_start(bool is_stream) {
    struct gzip *gzip = calloc(1, sizeof *gzip);
    if (gzip &&
        deflateInit2(&gzip->stream, LEVEL, Z_DEFLATED,
                     GZIP + (is_stream ? STREAM_WINDOW_BITS : WINDOW_BITS),
                     is_stream ? STREAM_MEMORY_LEVEL : MEMORY_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK) {
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

const char *gzip_library(void) {
    return zlibVersion();
}
