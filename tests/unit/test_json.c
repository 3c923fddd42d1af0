/* JSON in and out: what is refused, and that numbers come back as they went. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/contract/json.h"
#include "api/contract/json_scan.h"
#include "api/format/number.h"

static bool accepts(const char *text) {
    char error[200];
    cJSON *tree = json_read(text, strlen(text), JSON_MAX_VALUES, NULL, error, sizeof error);
    cJSON_Delete(tree);
    return tree != NULL;
}

Test(json, accepts_what_rfc_8259_allows) {
    static const char *const good[] = {
        "{}",
        "[]",
        "null",
        " true ",
        "-0",
        "0.5e-3",
        "1E+10",
        "\"\"",
        "\"\\u00e9\\n\\\"\\/\"",
        "[1,[2,{\"a\":[]}],\"x\"]",
        "\t{\r\n\"a\" : 1 }\n",
        "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"",
        "\"\\ud83d\\ude00\"",
        "\xef\xbb\xbf{}",
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        cr_assert(accepts(good[i]), "%s", good[i]);
}

Test(json, refuses_everything_else) {
    static const char *const bad[] = {
        "",
        " ",
        "{",
        "}",
        "[1,]",
        "[,1]",
        "{\"a\":1,}",
        "{\"a\"}",
        "{a:1}",
        "{'a':1}",
        "01",
        "-",
        "+1",
        "1.",
        ".5",
        "1e",
        "1e+",
        "0x1",
        "NaN",
        "nul",
        "truee",
        "1 2",
        "\"a",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u0000\"",
        "\"\t\"",
        "[1}",
        "\"\xff\"",
        "\"\xc0\x80\"",
        "\"\xed\xa0\x80\"",
        "\xef\xbb\xbf",
        "\xef\xbb\xbf\xef\xbb\xbf{}",
        "{\xef\xbb\xbf}",
        "/**/1",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_assert(!accepts(bad[i]), "%s", bad[i]);
}

Test(json, limits_depth_and_count) {
    char text[64] = "";
    for (int i = 0; i < JSON_MAX_DEPTH; i++)
        strcat(text, "[");
    for (int i = 0; i < JSON_MAX_DEPTH; i++)
        strcat(text, "]");
    cr_assert(accepts(text));
    memmove(text + 1, text, strlen(text) + 1);
    strcat(text, "]");
    cr_assert(!accepts(text));
    char error[200];
    cJSON *tree = json_read("[1,2,3]", 7, 4, NULL, error, sizeof error);
    cr_assert(tree);
    cJSON_Delete(tree);
    cr_assert_null(json_read("[1,2,3,4]", 9, 4, NULL, error, sizeof error));
    cr_assert_str_eq(error, "line 1, column 8: too many values");
}

Test(json, writer_replaces_what_is_no_utf8) {
    struct buffer out = {0};
    json_string(&(struct json_writer){.out = &out}, "a\xff\xe2\x82\"\xe2\x82\xac\xc3");
    buffer_append(&out, "", 1);
    cr_assert_str_eq(out.data,
                     "\"a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\\\"\xe2\x82\xac\xef\xbf\xbd\"");
    buffer_clear(&out);
}

Test(json, writer_puts_commas_and_escapes) {
    struct buffer out = {0};
    struct json_writer json = {.out = &out};
    json_open(&json, '{');
    json_key(&json, "a");
    json_open(&json, '[');
    json_integer(&json, -5);
    json_double(&json, 0.1);
    json_double(&json, NAN);
    json_string(&json, "\"\\\n\x01\xc3\xa9");
    json_string(&json, NULL);
    json_open(&json, '{');
    json_close(&json, '}');
    json_close(&json, ']');
    json_key(&json, "b");
    json_bool(&json, true);
    json_key(&json, "c");
    json_open(&json, '[');
    json_rows(json.out, (const float[]){1, 2.5f, -3, INFINITY}, 2, 2, true);
    json_close(&json, ']');
    json_key(&json, "t");
    json_time(&json, 1700000000123);
    json_close(&json, '}');
    buffer_append(&out, "", 1);
    cr_assert_str_eq(out.data, "{\"a\":[-5,0.1,null,\"\\\"\\\\\\u000a\\u0001\xc3\xa9\",null,{}],"
                               "\"b\":true,\"c\":[[1,2.5],[-3,null]],"
                               "\"t\":\"2023-11-14T22:13:20.123Z\"}");
    buffer_clear(&out);
}

/* Every float is read back as itself, and never with more than 9 digits. */
Test(number, floats_round_trip) {
    uint32_t state = 1;
    for (int i = 0; i < 2000000; i++) {
        state = state * 1664525u + 1013904223u;
        uint32_t bits = state;
        if (i % 2) /* half of them of the usual size */
            bits = (bits & 0x807fffff) | ((110u + (bits >> 24) % 24) << 23);
        float x;
        memcpy(&x, &bits, sizeof x);
        if (!isfinite(x))
            continue;
        char text[FLOAT_TEXT + 1];
        size_t length = float_text(text, x);
        cr_assert(length <= FLOAT_TEXT);
        text[length] = '\0';
        float back = strtof(text, NULL);
        cr_assert(memcmp(&back, &x, sizeof x) == 0, "%s is not %.9g", text, (double)x);
        cr_assert(text[0] == '-' ? accepts(text + 1) : accepts(text), "%s", text);
    }
}

Test(number, floats_are_short) {
    static const struct {
        float x;
        const char *text;
    } cases[] = {
        {0, "0"},
        {-0.0f, "-0"},
        {1, "1"},
        {-1, "-1"},
        {0.1f, "0.1"},
        {0.5f, "0.5"},
        {1.0f / 3, "0.33333334"},
        {100, "100"},
        {123456, "123456"},
        {1e6f, "1000000"},
        {0.0001f, "0.0001"},
        {-0.25f, "-0.25"},
        {0.1f + 0.2f, "0.3"},
        {999999.94f, "999999.94"},
        {16777216, "16777216"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[FLOAT_TEXT + 1];
        text[float_text(text, cases[i].x)] = '\0';
        cr_assert(strcmp(text, cases[i].text) == 0 || strlen(text) < strlen(cases[i].text),
                  "%s instead of %s", text, cases[i].text);
    }
}

Test(number, doubles_round_trip) {
    static const double values[] = {0, 0.1, 1.0 / 3, 1e300, -2.5e-308, 5e-324, 123456789.125, 8e-6};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        char text[DOUBLE_TEXT + 1];
        text[double_text(text, values[i])] = '\0';
        cr_assert_eq(strtod(text, NULL), values[i]);
    }
}
