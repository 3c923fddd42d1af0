/*
 * zip.h - zip archives (PKWARE APPNOTE 6.3): the files of one, stored or deflated. Whatever could
 * be read in two ways is refused: files that overlap, names that differ, what is encrypted, or on
 * several disks.
 */
#ifndef API_FILES_ZIP_H
#define API_FILES_ZIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct zip_entry {
    const char *name; /* [name_length], within the archive; "/" at the end: a folder */
    size_t name_length;
    const unsigned char *record; /* what precedes the bytes */
    const unsigned char *packed; /* [packed_size], within the archive */
    size_t packed_size, size;
    uint32_t check; /* CRC-32 of the bytes */
    bool is_deflated;
};

struct zip {
    struct zip_entry *entries; /* [count], in the order of their bytes; of malloc */
    size_t count;
    const char *wrong; /* why it cannot be read; NULL with !entries: no memory */
};

/* Does a file begin as an archive does? */
bool zip_is(const char *bytes, size_t length);
/* Reads the directory of an archive; the entries stay where they are. False: zip->wrong says
 * why. The caller calls zip_close in any case. */
bool zip_open(struct zip *zip, const char *bytes, size_t length);
void zip_close(struct zip *zip);
/* Unpacks an entry into bytes [entry->size], and checks it. */
enum zip_outcome { ZIP_READ, ZIP_DAMAGED, ZIP_NO_MEMORY };
enum zip_outcome zip_read(const struct zip_entry *entry, unsigned char *bytes);

#endif
