/*
 * form.h - the parts of a form (multipart/form-data, RFC 7578), as `curl -F file=@table.csv` sends it.
 */
#ifndef API_UPLOAD_FORM_H
#define API_UPLOAD_FORM_H

#include <stdbool.h>
#include <stddef.h>

enum { FORM_TEXT = 256 };

struct form_part {
    char name[FORM_TEXT], filename[FORM_TEXT]; /* "" if there is none; a longer one is cut */
    char type[FORM_TEXT];                      /* Content-Type, with its parameters; or "" */
    const char *data;
    size_t length;
};

struct form {
    const char *at, *end;
    char boundary[80]; /* with CR LF and two hyphens before it */
    const char *wrong; /* why the rest is not a form; NULL: nothing */
};

/* A form of body [length]. False: wrong says why it is none. */
bool form_begin(struct form *form, const char *content_type, const char *body, size_t length);
/* The next part. False after the last one, or when something is wrong. */
bool form_next(struct form *form, struct form_part *part);

/* The value of a parameter of a header, `text/csv; charset="utf-8"`, in out [size], "" if there is
 * none. */
void form_parameter(const char *header, const char *name, char *out, size_t size);

#endif
