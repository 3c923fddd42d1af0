/*
 * fold.h - texts in small letters, so that a search does not distinguish case.
 */
#ifndef SERVER_BASE_FOLD_H
#define SERVER_BASE_FOLD_H

#include <stddef.h>

/* Loads the locale that knows all scripts, before the sandbox blocks its files. */
void fold_begin(void);
/* Writes the text in small letters, of any script; bytes that are not UTF-8 stay. folded: room for
 * FOLD_BYTES(length) bytes. Returns the number of bytes written. Any thread. */
#define FOLD_BYTES(length) (2 * (length) + 4)
size_t fold_text(const char *text, size_t length, char *folded);

#endif
