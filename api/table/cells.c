#include "api/table/cells.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "server/threads/pool.h"

void cells_clear_column(struct cells_column *column) {
    free(column->codes);
    free(column->starts);
    free(column->texts);
    free(column->slots);
    *column = (struct cells_column){0};
}

void cells_clear(struct cells *cells) {
    for (int j = 0; j < cells->count; j++)
        cells_clear_column(&cells->columns[j]);
    free(cells->columns);
    *cells = (struct cells){0};
}

/* The array with room for `needed` elements, and for twice as many as before: memory costs nothing
 * until it is used. If there is none, the array as it was, and cells->no_memory is set. */
static void *grow(struct cells *cells, void *array, size_t size, size_t needed, size_t *capacity) {
    if (needed <= *capacity)
        return array;
    const size_t room = 2 * *capacity > needed ? 2 * *capacity : needed < 16 ? 16 : needed;
    void *grown = room > SIZE_MAX / size ? NULL : realloc(array, room * size);
    if (grown)
        *capacity = room;
    else
        cells->no_memory = true;
    return grown ? grown : array;
}

/* Appends a code. False: no memory. */
static bool add_code(struct cells *cells, struct cells_column *column, int32_t code) {
    column->codes = grow(cells, column->codes, sizeof *column->codes, column->count + 1,
                         &column->code_capacity);
    if (cells->no_memory)
        return false;
    column->codes[column->count++] = code;
    return true;
}

/* ------------------------------------------------------------------ the texts of a column */

static uint64_t mix(uint64_t a, uint64_t b) {
    const unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Folded multiplications, as in wyhash: one for each eight bytes, with a secret key. */
static uint64_t hash(uint64_t key, const char *text, size_t length) {
    uint64_t h = key ^ length, word = 0;
    for (; length >= 8; text += 8, length -= 8) {
        memcpy(&word, text, 8);
        h = mix(h ^ word, 0x9e3779b97f4a7c15 ^ key);
    }
    word = 0;
    if (length >= 4) {
        uint32_t first, last;
        memcpy(&first, text, 4);
        memcpy(&last, text + length - 4, 4);
        word = (uint64_t)first << 32 | last;
    } else if (length > 0) {
        word = (uint64_t)(unsigned char)text[0] << 16 |
               (uint64_t)(unsigned char)text[length / 2] << 8 | (unsigned char)text[length - 1];
    }
    return mix(h ^ word, 0xd6e8feb86659fd93);
}

const char *cells_text(const struct cells_column *column, uint32_t code) {
    return column->texts + column->starts[code];
}

size_t cells_length(const struct cells_column *column, uint32_t code) {
    const uint32_t end = code + 1 < column->distinct ? column->starts[code + 1] : column->bytes;
    return end - column->starts[code] - 1;
}

/* A column of which most texts are new does not look each of them up in a table that is too large for
 * the caches, one of many: cells_finish does it, one column at a time. */
static bool gets_loose(struct cells_column *column) {
    enum { LEAST = 1 << 14 };
    if (column->distinct < LEAST || column->distinct < column->count / 2)
        return false;
    column->is_loose = true;
    free(column->slots);
    column->slots = NULL;
    return true;
}

/* Twice as many slots. False: no memory. */
static bool spread(struct cells *cells, struct cells_column *column) {
    const size_t count = column->slot_count ? 2 * column->slot_count : 16;
    uint32_t *slots = calloc(count, sizeof *slots);
    if (!slots) {
        cells->no_memory = true;
        return false;
    }
    for (uint32_t code = 0; code < column->distinct; code++) {
        size_t at = hash(cells->key, cells_text(column, code), cells_length(column, code));
        for (at &= count - 1; slots[at]; at = (at + 1) & (count - 1))
            continue;
        slots[at] = code + 1;
    }
    free(column->slots);
    column->slots = slots;
    column->slot_count = count;
    return true;
}

/* Adds a text that is not there yet. Its code; -1: no memory. */
static int32_t add_text(struct cells *cells, struct cells_column *column, const char *text,
                        size_t length) {
    if (length >= UINT32_MAX - column->bytes || column->distinct == INT32_MAX) {
        cells->no_memory = true;
        return -1;
    }
    column->starts = grow(cells, column->starts, sizeof *column->starts, column->distinct + 1ul,
                          &column->start_capacity);
    column->texts =
        grow(cells, column->texts, 1, column->bytes + length + 1, &column->byte_capacity);
    if (cells->no_memory)
        return -1;
    column->starts[column->distinct] = column->bytes;
    memcpy(column->texts + column->bytes, text, length);
    column->texts[column->bytes + length] = '\0';
    column->bytes += (uint32_t)length + 1;
    return (int32_t)column->distinct++;
}

/* The code of a text, which is added if it is new; -1: no memory. */
static int32_t code_of(struct cells *cells, struct cells_column *column, const char *text,
                       size_t length) {
    if (column->is_loose)
        return add_text(cells, column, text, length);
    if (column->distinct >= column->slot_count / 4 * 3) {
        if (gets_loose(column))
            return add_text(cells, column, text, length);
        if (!spread(cells, column))
            return -1;
    }
    const size_t mask = column->slot_count - 1;
    size_t at = hash(cells->key, text, length) & mask;
    for (; column->slots[at]; at = (at + 1) & mask) {
        const uint32_t code = column->slots[at] - 1;
        if (cells_length(column, code) == length &&
            memcmp(cells_text(column, code), text, length) == 0)
            return (int32_t)code;
    }
    const int32_t code = add_text(cells, column, text, length);
    if (code >= 0)
        column->slots[at] = (uint32_t)code + 1;
    return code;
}

/* ------------------------------------------------------------------ building */

/* Makes the first `rows` cells of a column, of which the last ones are not set, empty. */
static bool pad(struct cells *cells, struct cells_column *column, size_t rows) {
    if (column->count >= rows)
        return true;
    const int32_t code = code_of(cells, column, "", 0);
    while (code >= 0 && column->count < rows && add_code(cells, column, code))
        continue;
    return !cells->no_memory;
}

int cells_add_column(struct cells *cells, const char *name, size_t length) {
    if (cells->no_memory || cells->count == CELLS_MAX_COLUMNS || length > CELLS_NAME_BYTES)
        return -1;
    if (cells->count == 0 && getrandom(&cells->key, sizeof cells->key, 0) < 0)
        cells->key = 0x243f6a8885a308d3; /* without randomness it is still a hash */
    struct cells_column *columns =
        realloc(cells->columns, (size_t)(cells->count + 1) * sizeof *columns);
    if (!columns) {
        cells->no_memory = true;
        return -1;
    }
    cells->columns = columns;
    struct cells_column *column = &columns[cells->count++];
    *column = (struct cells_column){0};
    memcpy(column->name, name, length);
    return pad(cells, column, cells->n) ? cells->count - 1 : -1;
}

void cells_drop_column(struct cells *cells, int column) {
    struct cells_column *dropped = &cells->columns[column];
    cells_clear_column(dropped);
    cells->count--;
    memmove(dropped, dropped + 1, (size_t)(cells->count - column) * sizeof *dropped);
}

int cells_find_column(const struct cells *cells, const char *name) {
    for (int j = 0; j < cells->count; j++)
        if (strcmp(cells->columns[j].name, name) == 0)
            return j;
    return -1;
}

bool cells_put(struct cells *cells, int column, const char *text, size_t length) {
    struct cells_column *to = &cells->columns[column];
    if (cells->no_memory)
        return false;
    const int32_t code = code_of(cells, to, text, length);
    return code >= 0 && add_code(cells, to, code);
}

bool cells_end_row(struct cells *cells) {
    if (cells->no_memory)
        return false;
    for (int j = 0; j < cells->count; j++)
        if (!pad(cells, &cells->columns[j], cells->n + 1))
            return false;
    cells->n++;
    return true;
}

/* The array without what it does not use. */
static void *trim(void *array, size_t bytes) {
    void *less = bytes > 0 ? realloc(array, bytes) : NULL;
    return less ? less : array;
}

/* Texts whose slots are fetched from memory at the same time. */
enum { AHEAD = 16 };

struct seen {
    uint64_t *slots; /* [mask + 1]: 0, or the upper half of a hash above 1 + a code */
    size_t mask;
};

/* The place of the text that begins at column->starts[code] among those before it: its slot has its
 * code, or is free. */
static uint64_t *find_seen(const struct seen *seen, const struct cells_column *column, uint64_t h,
                           const char *text, size_t length) {
    size_t at = h & seen->mask;
    for (; seen->slots[at]; at = (at + 1) & seen->mask) {
        const uint32_t code = (uint32_t)seen->slots[at] - 1;
        if (seen->slots[at] >> 32 == h >> 32 &&
            memcmp(cells_text(column, code), text, length + 1) == 0) /* with the NUL */
            break;
    }
    return &seen->slots[at];
}

/* Moves the texts together, each once. codes [column->distinct]: what becomes of each code. */
static void merge_texts(const struct cells *cells, struct cells_column *column,
                        const struct seen *seen, int32_t *codes) {
    const uint32_t count = column->distinct;
    const char *text = column->texts;
    uint32_t used = 0, kept = 0;
    for (uint32_t first = 0; first < count; first += AHEAD) {
        const uint32_t block = count - first < AHEAD ? count - first : AHEAD;
        uint64_t hashes[AHEAD];
        size_t lengths[AHEAD];
        for (uint32_t i = 0; i < block; i++) {
            lengths[i] = cells_length(column, first + i);
            hashes[i] = hash(cells->key, cells_text(column, first + i), lengths[i]);
            __builtin_prefetch(&seen->slots[hashes[i] & seen->mask], 1);
        }
        for (uint32_t i = 0; i < block; text += lengths[i++] + 1) {
            uint64_t *slot = find_seen(seen, column, hashes[i], text, lengths[i]);
            if (*slot == 0) {
                *slot = (hashes[i] >> 32 << 32) | (kept + 1);
                memmove(column->texts + used, text, lengths[i] + 1);
                column->starts[kept++] = used;
                used += (uint32_t)lengths[i] + 1;
            }
            codes[first + i] = (int32_t)(uint32_t)*slot - 1;
        }
    }
    column->distinct = kept;
    column->bytes = used;
}

/* Finds the texts of a loose column that are there twice. */
static void tighten(struct cells *cells, struct cells_column *column) {
    const uint32_t count = column->distinct;
    struct seen seen = {.mask = 16 - 1};
    while (seen.mask < count + count / 2ul)
        seen.mask = 2 * seen.mask + 1;
    seen.slots = calloc(seen.mask + 1, sizeof *seen.slots);
    int32_t *codes = malloc(count * sizeof *codes);
    cells->no_memory |= !seen.slots || !codes;
    if (!cells->no_memory) {
        merge_texts(cells, column, &seen, codes);
        for (size_t i = 0; i < column->count && column->distinct < count; i++)
            column->codes[i] = codes[column->codes[i]];
        column->is_loose = false;
    }
    free(seen.slots);
    free(codes);
}

bool cells_finish(struct cells *cells) {
    for (int j = 0; j < cells->count; j++) {
        struct cells_column *column = &cells->columns[j];
        if (column->is_loose && !cells->no_memory)
            tighten(cells, column);
        free(column->slots);
        column->slots = NULL;
        column->slot_count = 0;
        column->codes = trim(column->codes, cells->n * sizeof *column->codes);
        column->starts = trim(column->starts, column->distinct * sizeof *column->starts);
        column->texts = trim(column->texts, column->bytes);
        column->code_capacity = cells->n;
        column->start_capacity = column->distinct;
        column->byte_capacity = column->bytes;
        pool_pause();
    }
    return !cells->no_memory;
}

/* ------------------------------------------------------------------ reading */

void cells_count(const struct cells *cells, int column, uint32_t *counts) {
    const struct cells_column *of = &cells->columns[column];
    memset(counts, 0, of->distinct * sizeof *counts);
    for (size_t i = 0; i < cells->n; i++)
        counts[of->codes[i]]++;
}

size_t cells_first_row(const struct cells *cells, int column, uint32_t code) {
    const int32_t *codes = cells->columns[column].codes;
    size_t i = 0;
    while (i < cells->n && codes[i] != (int32_t)code)
        i++;
    return i;
}
