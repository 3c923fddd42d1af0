/*
 * fold.h - texts in small letters, so that a search does not distinguish case.
 */
#ifndef SERVER_BASE_FOLD_H
#define SERVER_BASE_FOLD_H

#include <stddef.h>

/* Looks for what there is to know of the scripts: before the sandbox keeps files away. */
void fold_begin(void);
/* The text in small letters, of any script; bytes that are not UTF-8 stay. folded: room for
 * FOLD_BYTES(length) bytes; the number of them is returned. Any thread. */
#define FOLD_BYTES(length) (2 * (length) + 4)
size_t fold_text(const char *text, size_t length, char *folded);

#endif
