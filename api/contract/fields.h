/*
 * fields.h - tables of the fields of requests and responses.
 *
 * A field_set gives for every field its name, its type and limits, and the place of its value in a
 * struct. Reading JSON and query strings, the messages about wrong values, writing JSON and CSV,
 * and the description of all that (openapi_fields.c) come from the same rows.
 */
#ifndef API_CONTRACT_FIELDS_H
#define API_CONTRACT_FIELDS_H

#include <math.h> /* INFINITY, for rows */
#include <stddef.h>

#include "api/contract/json.h"
#include "api/contract/problem.h"

enum field_type {
    FIELD_INTEGER, /* int; a number without fraction, min..max */
    FIELD_UINT53,  /* uint64_t; 0..2^53-1, what JSON numbers carry exactly */
    FIELD_NUMBER,  /* double, min..max */
    FIELD_PAIR,    /* int [2]; a list of two numbers, each as FIELD_INTEGER */
    FIELD_BOOLEAN, /* bool */
    FIELD_CHOICE,  /* an enum (int); one of `choices` */
    FIELD_CHOICES, /* unsigned, with the bits of some of `choices`; a query parameter that may be
                    * repeated, or hold several with commas between them */
    FIELD_TEXT,    /* char [max + 1]; UTF-8 of min to max bytes */
    FIELD_TEXTS,   /* struct field_texts; a query parameter that may be repeated, each as FIELD_TEXT
                    */
    FIELD_GROUP,   /* an object whose members are the rows with this group */
    FIELD_OTHER,   /* read by the code of the request itself */

    /* only in responses */
    FIELD_ID,      /* char [], a UUID */
    FIELD_INT64,   /* int64_t or size_t */
    FIELD_TIME,    /* int64_t, milliseconds since 1970 */
    FIELD_STRING,  /* char *; NULL: null */
    FIELD_JSON,    /* char * of a value that is JSON already; NULL: null */
    FIELD_WRITTEN, /* `write` writes it, `schema` describes it */
    FIELD_OBJECT,  /* a struct: an object with the rows of `set` */
    FIELD_LIST,    /* struct field_list of such structs; null without items */
    FIELD_MEMBERS, /* a struct: the rows of `set` take the place of this one */
};

enum {
    FIELD_OPEN_MIN = 1,
    FIELD_EVEN = 2,
    FIELD_OR_NUMBER = 4,
    FIELD_OR_NULL = 8,
    FIELD_OPTIONAL = 16, /* not always in the response: its owner writes it */
    FIELD_SIXTEENS = 32,
};

/* The values of a FIELD_TEXTS. They live as long as the request. */
struct field_texts {
    const char *items[HTTP_MAX_PARAMS];
    int count;
};

/* The value of a FIELD_LIST. */
struct field_list {
    const void *items; /* [count], structs of `size` bytes */
    size_t size, count;
};

struct field {
    const char *group; /* "" at the top level */
    const char *name;
    enum field_type type;
    size_t offset; /* offset of the value in the target struct */
    double min, max;
    int flags; /* FIELD_OPEN_MIN: min itself is excluded; FIELD_EVEN: even integers only;
                * FIELD_SIXTEENS: multiples of 16; FIELD_OR_NUMBER: JSON may have a number instead of
                * its text; FIELD_OR_NULL: null is as good as absent in a request; in a response
                * NAN, a time of 0 and an integer below min are null */
    const char *const *choices; /* NULL-terminated */
    const char *doc;            /* NULL: the name says it */

    /* only in responses */
    const char *schema; /* component that describes the value; NULL: the rest of the row does */
    void (*write)(const void *value, struct json_writer *json); /* NULL: as the type says */
    const struct field_set *set;
};

struct field_set {
    const struct field *rows;
    size_t count;
    bool is_answer;   /* all fields are present, except FIELD_OPTIONAL ones */
    bool may_be_null; /* the object is null when its first field is */
    const char *doc;
};
/* The set of a response: its array of rows, and more members by name. */
#define ANSWER(table, ...)                                                                         \
    { table, sizeof(table) / sizeof *(table), .is_answer = true, __VA_ARGS__ }

/* Reads the members of `object` that belong to `group`, and the groups within it, into target.
 * Fields that are absent keep the value that target has. Adds to `wrong` for each wrong, unknown or
 * repeated member. */
void fields_read(const struct field_set *set, const char *group, const cJSON *object, void *target,
                 struct problem_fields *wrong);

/* The same for the query parameters. */
void fields_read_query(const struct field_set *set, const struct http_request *request,
                       void *target, struct problem_fields *wrong);

/* Is the field read and written by the code of its request? */
bool fields_has_no_value(const struct field *field);
/* Writes the value of one row; or all rows of a group, as members of the open object; or the group
 * as one member. */
void fields_write_value(const struct field *field, const void *source, struct json_writer *json);
void fields_write_members(const struct field_set *set, const char *group, const void *source,
                          struct json_writer *json);
void fields_write_group(const struct field_set *set, const char *group, const void *source,
                        struct json_writer *json);
/* The whole set, as an object. */
void fields_write(const struct field_set *set, const void *source, struct json_writer *json);

/* The names, quoted, with commas between them, for a message. If there are very many, only the
 * first ones. */
const char *fields_list(const char *const *names, struct arena *arena);

/* The name that was probably meant, because it is almost the same; or NULL. */
const char *fields_nearest(const char *const *names, const char *text);

/* Index of text in a NULL-terminated list, or -1. */
int fields_index(const char *const *names, const char *text);

#endif
