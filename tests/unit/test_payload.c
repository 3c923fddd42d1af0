/* The parts of a form beside the file. */
#include <criterion/criterion.h>
#include <string.h>

#include "api/upload/payload.h"

#define PART(name, text)                                                                           \
    "--b\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n" text "\r\n"

static struct payload opened(const char *body, bool takes_schema) {
    struct payload payload = {.body = body,
                              .length = strlen(body),
                              .content_type = "multipart/form-data; boundary=b",
                              .most = 1000,
                              .takes_schema = takes_schema};
    payload_open(&payload);
    return payload;
}

Test(payload, may_have_a_schema) {
    static const char *const bodies[] = {
        PART("file", "x,y\n1,2") PART("schema", "{\"x\": 1}") "--b--\r\n",
        PART("schema", "{\"x\": 1}") PART("file", "x,y\n1,2") "--b--\r\n"};
    for (int i = 0; i < 2; i++) {
        struct payload payload = opened(bodies[i], true);
        cr_assert_eq(payload.code, PROBLEM_NONE, "%s", payload.wrong);
        cr_assert_eq(payload.schema_length, 8);
        cr_assert_eq(memcmp(payload.schema, "{\"x\": 1}", 8), 0);
        cr_assert_eq(payload.text_length, 7);
        cr_assert_eq(memcmp(payload.text, "x,y\n1,2", 7), 0);
        cr_assert_str_eq(payload.media_type, "text/csv");
        payload_clear(&payload);
    }
}

Test(payload, may_have_no_other_schema) {
    static const struct {
        const char *body, *wrong;
        bool takes_schema;
    } bad[] = {
        {PART("file", "1") PART("schema", "{}") PART("schema", "{}") "--b--", "more than one part",
         true},
        {PART("file", "1") PART("schema", "\xff") "--b--", "not UTF-8", true},
        {PART("schema", "{}") "--b--", "no part called file", true},
        {PART("file", "1") PART("schema", "{}") "--b--", "there is also \"schema\"", false},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct payload payload = opened(bad[i].body, bad[i].takes_schema);
        cr_assert_eq(payload.code, PROBLEM_INVALID_UPLOAD);
        cr_assert(strstr(payload.wrong, bad[i].wrong), "%s", payload.wrong);
        payload_clear(&payload);
    }
}
