#include "api/upload/form.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { MOST_BOUNDARY = 70 /* RFC 2046 */ };

/* Takes the value of a parameter, which may be in quotes; returns what follows it. */
static const char *take_value(const char *at, char *out, size_t size) {
    size_t used = 0;
    const bool quoted = *at == '"';
    for (at += quoted; *at && (quoted ? *at != '"' : !strchr("; \t", *at)); at++) {
        if (quoted && *at == '\\' && at[1])
            at++;
        if (used + 1 < size)
            out[used++] = *at;
    }
    out[used] = '\0';
    return at + (quoted && *at == '"');
}

void form_parameter(const char *header, const char *name, char *out, size_t size) {
    out[0] = '\0';
    for (const char *at = strchr(header, ';'); at; at = strchr(at, ';')) {
        char value[FORM_TEXT];
        at++;
        at += strspn(at, " \t");
        const size_t length = strcspn(at, "=; \t");
        const bool found = strlen(name) == length && strncasecmp(at, name, length) == 0;
        at += length;
        at += strspn(at, " \t");
        if (*at != '=')
            continue;
        at++;
        at = take_value(at + strspn(at, " \t"), value, sizeof value);
        if (found) {
            snprintf(out, size, "%s", value);
            return;
        }
    }
}

static bool fail(struct form *form, const char *what) {
    form->wrong = form->wrong ? form->wrong : what;
    return false;
}

bool form_begin(struct form *form, const char *content_type, const char *body, size_t length) {
    char boundary[FORM_TEXT];
    *form = (struct form){.at = body, .end = body + length};
    form_parameter(content_type, "boundary", boundary, sizeof boundary);
    const int used = snprintf(form->boundary, sizeof form->boundary, "\r\n--%s", boundary);
    if (!boundary[0] || strlen(boundary) > MOST_BOUNDARY)
        return fail(form,
                    "the Content-Type of a form must have a boundary of at most 70 characters");
    /* nothing precedes the first boundary but, perhaps, text for people */
    const size_t mark = (size_t)used - 2;
    if (length >= mark && memcmp(body, form->boundary + 2, mark) == 0) {
        form->at += mark;
        return true;
    }
    const char *first = memmem(body, length, form->boundary, (size_t)used);
    form->at = first ? first + used : form->end;
    return first || fail(form, "the form does not have the boundary of its Content-Type");
}

/* Takes a header line of a part. False: it is the empty line after them, or something is wrong. */
static bool take_header(struct form *form, struct form_part *part) {
    char line[4 * FORM_TEXT];
    const char *end = memmem(form->at, (size_t)(form->end - form->at), "\r\n", 2);
    if (!end)
        return fail(form, "the form ends within the headers of a part");
    const size_t length = (size_t)(end - form->at);
    if (length >= sizeof line)
        return fail(form, "a header of a part of the form is too long");
    memcpy(line, form->at, length);
    line[length] = '\0';
    form->at = end + 2;
    const size_t name = strcspn(line, ":");
    const char *value = line + name + (line[name] == ':');
    value += strspn(value, " \t");
    if (name == strlen("content-disposition") &&
        strncasecmp(line, "content-disposition", name) == 0) {
        form_parameter(value, "name", part->name, sizeof part->name);
        form_parameter(value, "filename", part->filename, sizeof part->filename);
    } else if (name == strlen("content-type") && strncasecmp(line, "content-type", name) == 0) {
        snprintf(part->type, sizeof part->type, "%s", value);
    }
    return length > 0;
}

bool form_next(struct form *form, struct form_part *part) {
    const size_t mark = strlen(form->boundary);
    *part = (struct form_part){0};
    if (form->wrong || (form->end - form->at >= 2 && memcmp(form->at, "--", 2) == 0))
        return false;
    while (form->at < form->end && (*form->at == ' ' || *form->at == '\t'))
        form->at++;
    if (form->end - form->at < 2 || memcmp(form->at, "\r\n", 2) != 0)
        return fail(form, "the form ends before its last boundary");
    form->at += 2;
    while (take_header(form, part))
        continue;
    if (form->wrong)
        return false;
    /* a part without data may be followed by its boundary at once */
    const char *from = form->at - 2;
    const char *end = memmem(from, (size_t)(form->end - from), form->boundary, mark);
    if (!end)
        return fail(form, "the form ends before its last boundary");
    part->data = form->at;
    part->length = end < form->at ? 0 : (size_t)(end - form->at);
    form->at = end + mark;
    return true;
}
