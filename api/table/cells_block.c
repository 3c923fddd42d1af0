/*
 * A table as one block of bytes, in little-endian order whatever the machine:
 *
 *     "DNCELLS1"  checksum u32 (CRC-32 of all that follows)  rows u64  columns u32  has_names u8
 *     per column: name length u8, name, is_unnamed u8, distinct u32, bytes of texts u32, the texts
 *     with a NUL after each, and the codes: nothing if each row has its own text (they are then 0,
 *     1, 2, ..), else one, two or four bytes each, the fewest that hold distinct - 1.
 */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "api/table/cells.h"
#include "server/threads/pool.h"

static const char magic[] = {'D', 'N', 'C', 'E', 'L', 'L', 'S', '1'};

enum { CHECKSUM_AT = sizeof magic, BODY_AT = CHECKSUM_AT + 4 };

/* Bytes per code. */
static size_t code_width(size_t n, uint32_t distinct) {
    return distinct == n ? 0 : distinct <= 1u << 8 ? 1 : distinct <= 1u << 16 ? 2 : 4;
}

/* ------------------------------------------------------------------ writing */

static void put_number(struct buffer *out, uint64_t value, size_t bytes) {
    unsigned char text[8];
    for (size_t i = 0; i < bytes; i++)
        text[i] = (unsigned char)(value >> (8 * i));
    buffer_append(out, text, bytes);
}

static void put_codes(struct buffer *out, const int32_t *codes, size_t n, size_t width) {
    unsigned char *at = width > 0 ? (unsigned char *)buffer_reserve(out, n * width) : NULL;
    if (!at)
        return;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < width; k++)
            *at++ = (unsigned char)((uint32_t)codes[i] >> (8 * k));
    out->length += n * width;
}

/* The bytes of the block, so that it is allocated once. */
static size_t block_bytes(const struct cells *cells) {
    size_t bytes = BODY_AT + 8 + 4 + 1;
    for (int j = 0; j < cells->count; j++) {
        const struct cells_column *column = &cells->columns[j];
        bytes += 1 + strlen(column->name) + 1 + 4 + 4 + column->bytes +
                 cells->n * code_width(cells->n, column->distinct);
    }
    return bytes;
}

static void put_column(struct buffer *out, const struct cells_column *column, size_t n) {
    const size_t name = strlen(column->name);
    put_number(out, name, 1);
    buffer_append(out, column->name, name);
    put_number(out, column->is_unnamed, 1);
    put_number(out, column->distinct, 4);
    put_number(out, column->bytes, 4);
    buffer_append(out, column->texts, column->bytes);
    put_codes(out, column->codes, n, code_width(n, column->distinct));
}

static void put_block(struct buffer *out, struct cells *cells) {
    const size_t from = out->length;
    if (!buffer_reserve(out, block_bytes(cells)))
        return;
    buffer_append(out, magic, sizeof magic);
    put_number(out, 0, 4);
    put_number(out, cells->n, 8);
    put_number(out, (uint64_t)cells->count, 4);
    put_number(out, cells->has_names, 1);
    for (int j = 0; j < cells->count; j++) {
        put_column(out, &cells->columns[j], cells->n);
        cells_clear_column(&cells->columns[j]);
        pool_pause();
    }
    if (out->failed)
        return;
    const unsigned char *body = (unsigned char *)out->data + from + BODY_AT;
    const uint64_t sum = crc32_z(0, body, out->length - from - BODY_AT);
    for (size_t i = 0; i < 4; i++)
        out->data[from + CHECKSUM_AT + i] = (char)(sum >> (8 * i));
}

void cells_write(struct cells *cells, struct buffer *out) {
    put_block(out, cells);
    cells_clear(cells);
}

/* ------------------------------------------------------------------ reading */

struct block {
    const unsigned char *at, *end;
};

static bool get_number(struct block *block, size_t bytes, uint64_t *value) {
    *value = 0;
    if ((size_t)(block->end - block->at) < bytes)
        return false;
    for (size_t i = 0; i < bytes; i++)
        *value |= (uint64_t)*block->at++ << (8 * i);
    return true;
}

/* Finds where each text begins. False: there are not as many as there should be. */
static bool index_texts(struct cells_column *column) {
    const char *at = column->texts, *end = at + column->bytes;
    for (uint32_t code = 0; code < column->distinct; code++) {
        const char *nul = at < end ? memchr(at, 0, (size_t)(end - at)) : NULL;
        if (!nul)
            return false;
        column->starts[code] = (uint32_t)(at - column->texts);
        at = nul + 1;
    }
    return at == end;
}

static bool get_codes(struct block *block, struct cells_column *column, size_t n) {
    const size_t width = code_width(n, column->distinct);
    if (width > 0 && (size_t)(block->end - block->at) / width < n)
        return false;
    for (size_t i = 0; i < n; i++) {
        uint64_t code = i;
        if (width > 0)
            get_number(block, width, &code);
        if (code >= column->distinct)
            return false;
        column->codes[i] = (int32_t)code;
    }
    return true;
}

static bool get_column(struct block *block, struct cells *cells) {
    uint64_t length, is_unnamed, distinct, bytes;
    if (!get_number(block, 1, &length) || length > CELLS_NAME_BYTES ||
        (size_t)(block->end - block->at) < length)
        return false;
    const char *name = (const char *)block->at;
    block->at += length;
    if (!get_number(block, 1, &is_unnamed) || is_unnamed > 1 || !get_number(block, 4, &distinct) ||
        distinct > cells->n || !get_number(block, 4, &bytes) ||
        (size_t)(block->end - block->at) < bytes)
        return false;
    struct cells_column *column = &cells->columns[cells->count++];
    memcpy(column->name, name, length);
    column->is_unnamed = is_unnamed;
    column->distinct = (uint32_t)distinct;
    column->bytes = (uint32_t)bytes;
    column->texts = malloc(bytes + 1);
    column->starts = malloc((distinct + 1) * sizeof *column->starts);
    column->codes = malloc((cells->n + 1) * sizeof *column->codes);
    if (!column->texts || !column->starts || !column->codes) {
        cells->no_memory = true;
        return false;
    }
    memcpy(column->texts, block->at, bytes);
    block->at += bytes;
    return index_texts(column) && get_codes(block, column, cells->n);
}

bool cells_read(struct cells *cells, const void *bytes, size_t length) {
    struct block block = {bytes, (const unsigned char *)bytes + length};
    uint64_t sum, n, count, has_names;
    *cells = (struct cells){0};
    if (length < BODY_AT || memcmp(bytes, magic, sizeof magic) != 0)
        return false;
    block.at += sizeof magic;
    if (!get_number(&block, 4, &sum) || sum != crc32_z(0, block.at, length - BODY_AT))
        return false;
    if (!get_number(&block, 8, &n) || n > CELLS_MAX_VALUES || !get_number(&block, 4, &count) ||
        count > CELLS_MAX_COLUMNS || !get_number(&block, 1, &has_names) || has_names > 1)
        return false;
    cells->n = n;
    cells->has_names = has_names;
    cells->columns = calloc(count + 1, sizeof *cells->columns);
    if (!cells->columns) {
        cells->no_memory = true;
        return false;
    }
    for (uint64_t j = 0; j < count; j++)
        if (!get_column(&block, cells))
            return false;
    return block.at == block.end;
}
