/* The body of an upload: a line with its Content-Type, and the bytes, which may be a form, gzip, or
 * text in another character set. */
#include "api/images/reading.h"
#include "api/upload/readers.h"
#include "server/base/utf8.h"
#include "tests/fuzz/upload.h"

enum { MOST = 1 << 20 };

static void check_text(const struct payload *payload) {
    if (payload->media_type[0] == 't') {
        fuzz_check(utf8_is_valid(payload->text, payload->text_length));
        fuzz_check(payload->text_length == 0 ||
                   strchr("\r", payload->text[payload->text_length]) != NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static struct reading reading;
    struct arena arena = {0};
    struct problem_fields wrong = {.arena = &arena};
    char *body = fuzz_text(bytes, size);
    const size_t line = strcspn(body, "\n");
    char *type = fuzz_text((const uint8_t *)body, line);
    const size_t from = line < size ? line + 1 : size;
    struct payload payload = {.body = body + from,
                              .length = size - from,
                              .content_type = type,
                              .most = MOST,
                              .takes_schema = size % 2,
                              .takes_images = size / 2 % 2};
    if (payload_open(&payload) && payload.is_images) {
        fuzz_check(images_are_in(payload.file, payload.file_length) && !payload.schema);
    } else if (payload.code == PROBLEM_NONE) {
        fuzz_check(payload.file_length <= MOST || payload.file_length <= size);
        check_text(&payload);
        fuzz_check(!payload.schema || utf8_is_valid(payload.schema, payload.schema_length));
        reading = (struct reading){.label = "", .wrong = &wrong};
        if (readers_read(&payload, &reading) != PROBLEM_UNSUPPORTED_MEDIA_TYPE)
            upload_finish(&reading);
    } else {
        fuzz_check(payload.code != PROBLEM_NONE && payload.wrong[0]);
    }
    payload_clear(&payload);
    arena_clear(&arena);
    free(body);
    free(type);
    return 0;
}
