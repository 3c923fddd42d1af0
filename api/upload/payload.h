/*
 * payload.h - the file within the body of a request: taken out of a form, decompressed, and as
 * UTF-8.
 */
#ifndef API_UPLOAD_PAYLOAD_H
#define API_UPLOAD_PAYLOAD_H

#include "server/base/buffer.h"
#include "server/base/problem_codes.h"

enum { PAYLOAD_TYPE = 64, PAYLOAD_WRONG = 320 };

struct payload {
    /* the request */
    const char *body; /* [length], and NUL after it */
    size_t length;
    const char *content_type;     /* as the client wrote it */
    const char *content_encoding; /* likewise, or NULL */
    size_t most;                  /* bytes that the file may have */
    bool takes_schema;            /* a form may also have a part `schema` */
    bool takes_images;            /* the file may have images, and a form a part `labels` */
    /* the outcome, to be freed with payload_clear */
    const char *file; /* [file_length]: its bytes */
    size_t file_length;
    const char *text; /* [text_length]: as UTF-8, if it is text; NUL or a line break follows */
    size_t text_length;
    const char *schema; /* [schema_length]: that part, in UTF-8; NULL: there is none */
    size_t schema_length;
    bool is_images;     /* the file has images (images_are_in) */
    const char *labels; /* [labels_length]: that part of a form with images; NULL: there is none */
    size_t labels_length;
    char media_type[PAYLOAD_TYPE]; /* of the file, without parameters, in small letters */
    enum problem_code code; /* why there is no such file; PROBLEM_NONE: there is. If the file is not
                               what its type says, PROBLEM_INVALID_DATA */
    char wrong[PAYLOAD_WRONG];
    struct buffer whole, inner, decoded, unpacked; /* what was allocated */
};

/* The most memory that payload_open takes. */
size_t payload_memory(const struct payload *payload);

/* Finds the file: the part `file` of a form, or `images`, decompressed if it is gzip (by
 * Content-Encoding or by its first bytes), and text in another character set (by `charset=` or a
 * byte order mark) as UTF-8. What the file is, if its type does not say so, is decided by its
 * name and its first bytes. False: code and wrong say why there is none. */
bool payload_open(struct payload *payload);
void payload_clear(struct payload *payload);

#endif
