/*
 * json_scan.h - walks over JSON text without building a tree.
 *
 * json_read uses it to check the bytes before cJSON sees them; the reader of uploaded points, which
 * are far too many for a tree, takes the pieces that it knows and skips the rest.
 */
#ifndef API_CONTRACT_JSON_SCAN_H
#define API_CONTRACT_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>

enum { JSON_MAX_DEPTH = 16 };

struct json_scan {
    const char *start, *at, *end;
    size_t values, max_values;
    const char *wrong; /* stays at the first problem, and `at` with it; NULL: none */
};

/* Each of these moves past what it is named after; json_scan_begin past a byte order mark. False:
 * `wrong` says why. */
bool json_scan_begin(struct json_scan *scan, const char *text, size_t length, size_t max_values);
bool json_scan_value(struct json_scan *scan, int depth); /* any value; depth of this one: 1.. */
bool json_scan_string(struct json_scan *scan);           /* at its opening quote */
bool json_scan_end(struct json_scan *scan);              /* the end of the text */

/* For the elements of an array or object, one after another: at its opening bracket, and after an
 * element. True: an element follows. False after the closing bracket, or if the text is wrong. */
bool json_scan_enter(struct json_scan *scan);
bool json_scan_another(struct json_scan *scan, char closing);
/* The name of a member and its colon; *end is where the name ended, after the closing quote. */
bool json_scan_name(struct json_scan *scan, const char **end);

void json_scan_space(struct json_scan *scan);
bool json_scan_next_is(const struct json_scan *scan, char c);

/* "line 3, column 11: what is wrong" */
void json_scan_explain(const struct json_scan *scan, char *error, size_t error_size);

#endif
