/* A line of the log, as logfmt and as JSON. */
#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "server/base/log.h"
#include "server/base/log_out.h"

static char written[LOG_OUT_LONGEST + 1];

/* In place of the program's, which writes to standard error. */
void log_out(const char *line, size_t length) {
    cr_assert(length <= LOG_OUT_LONGEST);
    memcpy(written, line, length);
    written[length] = '\0';
}

/* What follows the time, which differs. */
#define EXPECT(format, expected, ...)                                                              \
    do {                                                                                           \
        log_set_format(format);                                                                    \
        log_line(__VA_ARGS__);                                                                     \
        cr_assert_str_eq(strstr(written, "level") - (format == LOG_JSON), expected);               \
    } while (0)
#define EXPECT_BOTH(logfmt, json, ...)                                                             \
    EXPECT(LOG_LOGFMT, logfmt "\n", __VA_ARGS__);                                                  \
    EXPECT(LOG_JSON, json "}\n", __VA_ARGS__)

Test(log, numbers_stay_numbers) {
    EXPECT_BOTH("level=warn msg=\"a b\" n=-3 size=77 large=1099511627776 ms=2.3",
                "\"level\":\"warn\",\"msg\":\"a b\",\"n\":-3,\"size\":77,\"large\":1099511627776,"
                "\"ms\":2.3",
                LOG_WARN, "a b", "n=%d size=%zu large=%lld ms=%.1f", -3, (size_t)77, 1LL << 40,
                2.34);
    EXPECT_BOTH("level=info msg=\"large\" x=1e+300",
                "\"level\":\"info\",\"msg\":\"large\",\"x\":1e+300", LOG_INFO, "large", "x=%.1f",
                1e300);
    EXPECT_BOTH("level=info msg=\"none\" x=nan",
                "\"level\":\"info\",\"msg\":\"none\",\"x\":\"nan\"", LOG_INFO, "none", "x=%.1f",
                (double)NAN);
}

Test(log, texts_are_quoted_where_they_must_be) {
    EXPECT_BOTH(
        "level=info msg=\"m\" a=b c=\"\" d=\"12\" e=\"1 2\" f=\"g\" h=ij",
        "\"level\":\"info\",\"msg\":\"m\",\"a\":\"b\",\"c\":\"\",\"d\":\"12\",\"e\":\"1 2\","
        "\"f\":\"g\",\"h\":\"ij\"",
        LOG_INFO, "m", "a=%s c=%s d=%s e=%s f=\"%s\" h=%.2s", "b", "", "12", "1 2", "g", "ijk");
    EXPECT_BOTH(
        "level=info msg=\"m\" a=\"\\\"\\\\\\x0a\\x7f\" b=\"\\u202e\" c=\xc3\xa9\xff",
        "\"level\":\"info\",\"msg\":\"m\",\"a\":\"\\\"\\\\\\u000a\\u007f\",\"b\":\"\\u202e\","
        "\"c\":\"\xc3\xa9\\ufffd\"",
        LOG_INFO, "m", "a=%s b=%s c=%s", "\"\\\n\x7f", "\xe2\x80\xae", "\xc3\xa9\xff");
}

Test(log, a_field_without_a_value_is_left_out) {
    const char *volatile none = NULL;
    EXPECT_BOTH("level=info msg=\"m\" b=5", "\"level\":\"info\",\"msg\":\"m\",\"b\":5", LOG_INFO,
                "m", "a=%s b=%d c=\"%s\"", none, 5, none);
}

/* Wherever the line is cut, what is left is a line, and an object in JSON. */
Test(log, a_long_line_ends_in_good_order) {
    static const char *const parts[] = {"x", "\x01", "\xe2\x80\xae"};
    for (size_t kind = 0; kind < 3; kind++)
        for (size_t length = 1; length < LOG_OUT_LONGEST + 100; length++) {
            static char text[3 * (LOG_OUT_LONGEST + 100) + 1];
            text[0] = '\0';
            for (char *at = text; (size_t)(at - text) < length;)
                at = stpcpy(at, parts[kind]);
            log_set_format(length % 2 ? LOG_JSON : LOG_LOGFMT);
            log_line(LOG_INFO, "m", "text=%s n=%d more=%s", text, 5, "end");
            cr_assert_eq(written[strlen(written) - 1], '\n');
            if (length % 2 == 0)
                continue;
            cJSON *object = cJSON_ParseWithOpts(written, NULL, true);
            cr_assert(object, "%s", written);
            cr_assert(cJSON_IsString(cJSON_GetObjectItem(object, "text")));
            cJSON_Delete(object);
        }
}
