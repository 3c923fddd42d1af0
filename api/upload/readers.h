/*
 * readers.h - which reader reads files of which media type.
 */
#ifndef API_UPLOAD_READERS_H
#define API_UPLOAD_READERS_H

#include "api/upload/payload.h"
#include "api/upload/reading.h"

/* Reads the file into reading, whose request is set but for the text. The code of the problem if it is
 * unreadable; PROBLEM_UNSUPPORTED_MEDIA_TYPE: nothing reads files of this type. */
enum problem_code readers_read(const struct payload *payload, struct reading *reading);

/* The code for a file of this type that cannot be read. */
enum problem_code readers_code(const char *media_type);

#endif
