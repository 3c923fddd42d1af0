#include "api/format/png_file.h"

#include <stdio.h>
#include <string.h>

static void put_32(uint8_t *at, size_t value) {
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* Length, type, data, and the checksum of type and data (5.3). */
static void put_chunk(struct buffer *out, const char *type, const void *data, size_t length) {
    uint8_t head[8], check[4];
    put_32(head, length);
    memcpy(head + 4, type, 4);
    uLong crc = crc32(0, head + 4, 4);
    if (length > 0) /* zlib takes NULL for "restart" */
        crc = crc32(crc, data, (uInt)length);
    put_32(check, crc);
    buffer_append(out, head, sizeof head);
    buffer_append(out, data, length);
    buffer_append(out, check, sizeof check);
}

static void put_text(struct buffer *out, const char *key, const char *text) {
    char chunk[256];
    const int length = snprintf(chunk, sizeof chunk, "%s%c%s", key, 0, text);
    put_chunk(out, "tEXt", chunk,
              (size_t)length < sizeof chunk ? (size_t)length : sizeof chunk - 1);
}

static void put_header(struct buffer *out, const struct png_header *header) {
    uint8_t bytes[13] = {[8] = 8 /* bits */, [9] = (uint8_t)header->color};
    put_32(bytes, (size_t)header->width);
    put_32(bytes + 4, (size_t)header->height);
    buffer_append(out, "\x89PNG\r\n\x1a\n", 8);
    put_chunk(out, "IHDR", bytes, sizeof bytes);
    if (header->color == PNG_PALETTE)
        put_chunk(out, "PLTE", header->rgb, 3 * (size_t)header->colors);
    if (header->title)
        put_text(out, "Title", header->title);
    put_text(out, "Software", "denoised");
}

void png_file_begin(struct png_file *file, struct buffer *out, const struct png_header *header) {
    *file = (struct png_file){
        .out = out,
        .row_bytes = (size_t)header->width * (header->color == PNG_RGB ? 3 : 1),
    };
    put_header(out, header);
    if (deflateInit(&file->deflate, 6) != Z_OK)
        buffer_fail(out);
    file->deflate.next_out = file->chunk;
    file->deflate.avail_out = sizeof file->chunk;
}

/* Compresses what is in next_in, and writes each chunk that becomes full, and at the end the last. */
static void compress_rows(struct png_file *file, int flush) {
    z_stream *deflating = &file->deflate;
    int state = Z_OK;
    while (!file->out->failed && (deflating->avail_in > 0 || (flush && state != Z_STREAM_END))) {
        state = deflate(deflating, flush);
        if (deflating->avail_out > 0 && state != Z_STREAM_END)
            continue;
        put_chunk(file->out, "IDAT", file->chunk, sizeof file->chunk - deflating->avail_out);
        deflating->next_out = file->chunk;
        deflating->avail_out = sizeof file->chunk;
    }
}

void png_file_row(struct png_file *file, const uint8_t *row) {
    static const uint8_t no_filter = 0; /* it suits palettes, and pixels drawn large */
    file->deflate.next_in = (Bytef *)&no_filter;
    file->deflate.avail_in = 1;
    compress_rows(file, Z_NO_FLUSH);
    file->deflate.next_in = (Bytef *)row;
    file->deflate.avail_in = (uInt)file->row_bytes;
    compress_rows(file, Z_NO_FLUSH);
}

void png_file_end(struct png_file *file) {
    compress_rows(file, Z_FINISH);
    deflateEnd(&file->deflate);
    put_chunk(file->out, "IEND", NULL, 0);
}
