/*
 * names.h - names that clients give: of jobs, data sets, classes and columns. They are shown to
 * other people, in tables, drawings, terminals and logs.
 */
#ifndef API_CONTRACT_NAMES_H
#define API_CONTRACT_NAMES_H

#include <stddef.h>

/* NULL, or what is wrong with a name [length] in UTF-8: "must ..". Control characters (except tabs
 * and line breaks) move the cursor of a terminal; those that embed or override the direction of
 * text (U+202A to U+202E, U+2066 to U+2069) show a name other than the real one. */
const char *name_wrong(const char *name, size_t length);

#endif
