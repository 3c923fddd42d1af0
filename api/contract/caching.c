#include "api/contract/caching.h"

#include <gnu/libc-version.h>
#include <string.h>

#include "engine/denoise.h"
#include "server/http/gzip.h"
#include "server/version.h"

const char *tag_of(struct http_exchange *exchange, const void *bytes, size_t length) {
    const unsigned char *at = bytes;
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ at[i]) * 1099511628211u;
    return http_format(exchange, "%016llx", (unsigned long long)hash);
}

const char *program_of(struct http_exchange *exchange) {
    return http_format(exchange, "%s %s %s", version_build(), dn_kernels_name(),
                       gnu_get_libc_version());
}

/* Writes the values as they were read: "n=3" and "n=3&seed=0" are the same choice. */
static void write_choice(const struct choice *choice, const struct http_request *request,
                         struct buffer *out) {
    struct json_writer json = {.out = out};
    json_open(&json, '{');
    json_member(&json, "format", choice->format->suffix);
    for (size_t i = 0; i < choice->fields->count; i++) {
        const struct field *field = &choice->fields->rows[i];
        if (format_ignores(choice->format, field->name))
            continue;
        json_key(&json, field->name);
        fields_write_value(field, choice->values, &json);
        /* a value that only the request's own code reads is written as it was sent */
        for (size_t k = 0; fields_has_no_value(field) && k < request->query_count; k++)
            if (strcmp(request->query[k].name, field->name) == 0)
                buffer_format(out, "=%s\n", request->query[k].value);
    }
    json_close(&json, '}');
}

void tag_answer(struct http_exchange *exchange, const struct choice *choice, bool is_weak,
                const char *format, ...) {
    struct buffer text = {0};
    va_list arguments;
    va_start(arguments, format);
    const char *program = program_of(exchange);
    const char *what = arena_vformat(http_arena(exchange), format, arguments);
    va_end(arguments);
    buffer_format(&text, "%s %s\n", program ? program : "", gzip_library());
    if (choice)
        write_choice(choice, &exchange->request, &text);
    buffer_text(&text, what ? what : "");
    exchange->response.etag =
        program && what && !text.failed ? tag_of(exchange, text.data, text.length) : NULL;
    exchange->response.is_weak = is_weak;
    buffer_clear(&text);
}

/* The time distinguishes a model from one that was trained to the same epoch after a new start; its
 * spec names the classes. The job of a model can be resumed at any time, so the response may be
 * kept but must be asked for. */
void tag_model_answer(struct http_exchange *exchange, const struct choice *choice, bool is_weak,
                      const char *what, const struct model *model) {
    tag_answer(exchange, choice, is_weak, "%s %s %d %lld %s %s", what, model->id, model->epoch,
               (long long)model->updated_at, model->variant, model->spec);
}
