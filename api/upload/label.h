/*
 * label.h - the names of classes: one value is one class, in CSV, JSON, npy and requests alike.
 */
#ifndef API_UPLOAD_LABEL_H
#define API_UPLOAD_LABEL_H

#include <stdbool.h>
#include <stddef.h>

enum { LABEL_NAME_BYTES = 64 }; /* of a class or a column */

/* Writes the name of the class of a label [length], and NUL. A number, however it is written, is
 * called by its shortest decimal form: 01, 1.0, +1 and 1e0 are the class "1", 0.50 is "0.5", -0 is
 * "0". Digits are compared, not doubles, so that long numbers stay different. Other text is its own
 * name. False: the name would be longer than LABEL_NAME_BYTES. */
bool label_name(const char *label, size_t length, char name[LABEL_NAME_BYTES + 1]);

/* Does it consist of digits only and begin with a redundant 0, as codes such as 007 do? */
bool label_is_code(const char *label, size_t length);

/* The name of the class of all labels that are missing: how the table writes them, or "missing" if
 * that is blank. */
const char *label_missing_name(const char *missing_text);

/* The index of the class of a label among names that end with a NULL; or -1. A name is found as it
 * is written, and otherwise by its value. */
int label_find(const char *const *names, const char *label);

#endif
