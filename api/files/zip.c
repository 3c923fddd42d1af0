#include "api/files/zip.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

/* Bytes of the records without what varies, and how far the last one can be from the end of the
 * file. */
enum { LOCAL = 30, CENTRAL = 46, END = 22, END_64 = 56, LOCATOR_64 = 20, MOST_COMMENT = 65535 };
enum { IS_ENCRYPTED = 1, STORED = 0, DEFLATED = 8 };

/* The archive while its directory is read. */
struct archive {
    const unsigned char *bytes;
    size_t length;
    size_t directory, end; /* where the directory begins and ends */
    uint64_t count;        /* of its entries */
};

static uint64_t number(const unsigned char *at, int bytes) {
    uint64_t value = 0;
    for (int i = bytes; i-- > 0;)
        value = value << 8 | at[i];
    return value;
}

static bool has_mark(const unsigned char *at, const char *mark) {
    return memcmp(at, mark, 4) == 0;
}

static bool fail(struct zip *zip, const char *wrong) {
    zip->wrong = zip->wrong ? zip->wrong : wrong;
    return false;
}

bool zip_is(const char *bytes, size_t length) {
    return length >= END && (memcmp(bytes, "PK\3\4", 4) == 0 || memcmp(bytes, "PK\5\6", 4) == 0);
}

/* ------------------------------------------------------------------ the end of the archive */

/* The record at the end, whose comment ends with the file; NULL: there is none. */
static const unsigned char *find_end(const struct archive *archive) {
    const size_t most = archive->length - END;
    for (size_t comment = 0; comment <= most && comment <= MOST_COMMENT; comment++) {
        const unsigned char *at = archive->bytes + most - comment;
        if (has_mark(at, "PK\5\6") && number(at + 20, 2) == comment)
            return at;
    }
    return NULL;
}

/* The record that an archive has before the other if numbers of two or four bytes are too small;
 * NULL: it has none. */
static const unsigned char *find_end_64(const struct archive *archive, const unsigned char *end) {
    if (end - archive->bytes < END_64 + LOCATOR_64)
        return NULL;
    const unsigned char *locator = end - LOCATOR_64, *record = locator - END_64;
    const bool is_there = has_mark(locator, "PK\6\7") && has_mark(record, "PK\6\6") &&
                          number(locator + 8, 8) == (uint64_t)(record - archive->bytes);
    return is_there ? record : NULL;
}

/* Finds the directory, which lies right before the records at the end. */
static bool find_directory(struct zip *zip, struct archive *archive) {
    const unsigned char *end = find_end(archive);
    if (!end)
        return fail(zip, "it has no directory at its end: it was cut off, or something follows");
    const unsigned char *end_64 = find_end_64(archive, end);
    const unsigned char *after = end_64 ? end_64 : end;
    if (number(end + 4, 2) != 0 || number(end + 6, 2) != 0)
        return fail(zip, "it is one part of several");
    archive->count = end_64 ? number(end_64 + 32, 8) : number(end + 10, 2);
    const uint64_t size = end_64 ? number(end_64 + 40, 8) : number(end + 12, 4);
    const uint64_t from = end_64 ? number(end_64 + 48, 8) : number(end + 16, 4);
    archive->end = (size_t)(after - archive->bytes);
    if (size > archive->end || from != archive->end - size || archive->count > size / CENTRAL)
        return fail(zip, "its directory is not where it should be");
    archive->directory = (size_t)from;
    return true;
}

/* ------------------------------------------------------------------ the directory */

/* Finds the bytes of an entry by the record before them, which has to agree. */
static bool find_bytes(struct zip *zip, const struct archive *archive, uint64_t from,
                       struct zip_entry *entry) {
    if (from > archive->directory || archive->directory - from < LOCAL)
        return fail(zip, "a file of it is not where it should be");
    const unsigned char *local = archive->bytes + from;
    const size_t skipped = LOCAL + number(local + 26, 2) + number(local + 28, 2);
    const size_t room = archive->directory - (size_t)from;
    if (!has_mark(local, "PK\3\4") || number(local + 26, 2) != entry->name_length ||
        skipped > room || memcmp(local + LOCAL, entry->name, entry->name_length) != 0)
        return fail(zip, "a file of it does not begin as its directory says");
    if (entry->packed_size > room - skipped)
        return fail(zip, "a file of it is longer than the archive");
    entry->record = local;
    entry->packed = local + skipped;
    return true;
}

/* Reads the record at *at, and moves past it. */
static bool read_record(struct zip *zip, const struct archive *archive, size_t *at,
                        struct zip_entry *entry) {
    const unsigned char *record = archive->bytes + *at;
    if (archive->end - *at < CENTRAL || !has_mark(record, "PK\1\2"))
        return fail(zip, "its directory has fewer files than it says");
    const size_t name = number(record + 28, 2),
                 after = number(record + 30, 2) + number(record + 32, 2);
    if (archive->end - *at - CENTRAL < name + after)
        return fail(zip, "its directory ends within an entry");
    *entry = (struct zip_entry){.name = (const char *)record + CENTRAL,
                                .name_length = name,
                                .packed_size = number(record + 20, 4),
                                .size = number(record + 24, 4),
                                .check = (uint32_t)number(record + 16, 4),
                                .is_deflated = number(record + 10, 2) == DEFLATED};
    *at += CENTRAL + name + after;
    if (number(record + 8, 2) & IS_ENCRYPTED)
        return fail(zip, "a file of it is encrypted");
    if (!entry->is_deflated && number(record + 10, 2) != STORED)
        return fail(zip, "a file of it is packed with another method than deflate");
    if (!entry->is_deflated && entry->packed_size != entry->size)
        return fail(zip, "a stored file of it has two sizes");
    return find_bytes(zip, archive, number(record + 42, 4), entry);
}

static int by_place(const void *a, const void *b) {
    const struct zip_entry *x = a, *y = b;
    return x->record < y->record ? -1 : x->record > y->record;
}

/* Bytes that several files share are how a small archive becomes a huge one. */
static bool check_overlaps(struct zip *zip) {
    qsort(zip->entries, zip->count, sizeof *zip->entries, by_place);
    for (size_t i = 1; i < zip->count; i++) {
        const struct zip_entry *before = &zip->entries[i - 1];
        if (zip->entries[i].record < before->packed + before->packed_size)
            return fail(zip, "files of it overlap");
    }
    return true;
}

bool zip_open(struct zip *zip, const char *bytes, size_t length) {
    struct archive archive = {.bytes = (const unsigned char *)bytes, .length = length};
    *zip = (struct zip){0};
    if (!zip_is(bytes, length))
        return fail(zip, "it does not begin as one");
    if (!find_directory(zip, &archive))
        return false;
    zip->entries = calloc(archive.count + 1, sizeof *zip->entries);
    size_t at = archive.directory;
    while (zip->entries && zip->count < archive.count)
        if (!read_record(zip, &archive, &at, &zip->entries[zip->count++]))
            return false;
    if (zip->entries && at != archive.end)
        return fail(zip, "its directory has more files than it says");
    return zip->entries && check_overlaps(zip);
}

void zip_close(struct zip *zip) {
    free(zip->entries);
    *zip = (struct zip){0};
}

/* ------------------------------------------------------------------ the files */

/* Inflates without a header (RFC 1951), to exactly the size of the entry. */
static enum zip_outcome inflate_entry(const struct zip_entry *entry, unsigned char *bytes) {
    unsigned char none;
    z_stream stream = {.next_in = (Bytef *)(uintptr_t)entry->packed,
                       .avail_in = (uInt)entry->packed_size,
                       .next_out = entry->size ? bytes : &none,
                       .avail_out = (uInt)entry->size};
    if (inflateInit2(&stream, -15) != Z_OK)
        return ZIP_NO_MEMORY;
    const int result = inflate(&stream, Z_FINISH);
    const bool is_whole =
        result == Z_STREAM_END && stream.avail_in == 0 && stream.total_out == entry->size;
    inflateEnd(&stream);
    return result == Z_MEM_ERROR ? ZIP_NO_MEMORY : is_whole ? ZIP_READ : ZIP_DAMAGED;
}

enum zip_outcome zip_read(const struct zip_entry *entry, unsigned char *bytes) {
    enum zip_outcome outcome = ZIP_READ;
    if (entry->is_deflated)
        outcome = inflate_entry(entry, bytes);
    else
        memcpy(bytes, entry->packed, entry->size);
    const bool is_right = outcome == ZIP_READ && crc32(0, bytes, (uInt)entry->size) == entry->check;
    return is_right || outcome != ZIP_READ ? outcome : ZIP_DAMAGED;
}
