/* The parts that uploads are read with: numbers, digests, statistics. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/format/number.h"
#include "api/upload/statistics.h"
#include "server/base/sha256.h"

static bool reads(const char *text, double *value) {
    return number_read(text, strlen(text), value);
}

Test(numbers, are_what_strtod_reads) {
    static const char *const texts[] = {
        "0",
        "-0",
        "+0",
        "1",
        "-1",
        "+1.5",
        ".5",
        "5.",
        "1e5",
        "1E5",
        "1e+05",
        "1e-05",
        "0.1",
        "123456",
        "1e22",
        "1e23",
        "1e-22",
        "1e-23",
        "1e308",
        "1.7976931348623157e308",
        "1e309",
        "-1e309",
        "5e-324",
        "2e-324",
        "1e-400",
        "0e999",
        "00012",
        "9007199254740993",
        "0.30000000000000004",
        "3.4028235677973366e38",
        "123456789012345678901234567890",
        "0.000000000000000000000000000001",
        "1.00000000000000000000000000000001",
        "179769313486231580793e289",
        "1e99999999999999999999",
        "1e-99999999999999999999",
        "9999999999999999999",
        "18446744073709551616",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        double value;
        cr_assert(reads(texts[i], &value), "%s", texts[i]);
        cr_assert_eq(value, strtod(texts[i], NULL), "%s: %.17g", texts[i], value);
        cr_assert_eq(signbit(value) != 0, texts[i][0] == '-', "%s", texts[i]);
    }
}

Test(numbers, random_ones_come_back) {
    unsigned state = 1;
    for (int i = 0; i < 200000; i++) {
        char text[64];
        double value, magnitude = 0;
        for (int k = 0; k < 3; k++)
            magnitude = magnitude * 1e5 + (double)((state = state * 1664525 + 1013904223) >> 12);
        state = state * 1664525 + 1013904223;
        int length = snprintf(text, sizeof text, "%.*g", 1 + (int)(state >> 28),
                              magnitude * pow(10, (double)(state >> 10 & 63) - 40));
        cr_assert(number_read(text, (size_t)length, &value));
        cr_assert_eq(value, strtod(text, NULL), "%s", text);
    }
}

Test(numbers, nothing_else_is_one) {
    static const char *const texts[] = {
        "",    "-",   "+",  ".",  "-.",  "e5", ".e5", "1e",  "1e+",  "1e5.0", "1.2.", "1..2", "0x1",
        "inf", "nan", "1 ", " 1", "1,0", "1f", "--1", "+-1", "1e5e", "1d5",   "1_0",  "1e--5"};
    double value;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        cr_assert(!reads(texts[i], &value), "%s", texts[i]);
}

/* FIPS 180-4's own examples, and lengths around the padding's edge against sha256sum. */
Test(sha256, known_digests) {
    char text[SHA256_TEXT], *million = malloc(1000000);
    sha256_text("abc", 3, text);
    cr_assert_str_eq(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    sha256_text(NULL, 0, text);
    cr_assert_str_eq(text, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    sha256_text("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56, text);
    cr_assert_str_eq(text, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    memset(million, 'a', 1000000);
    sha256_text(million, 1000000, text);
    cr_assert_str_eq(text, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    sha256_text(million, 55, text);
    cr_assert_str_eq(text, "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318");
    sha256_text(million, 64, text);
    cr_assert_str_eq(text, "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb");
    free(million);
}

static char *describe(const struct point_table *table) {
    static char text[4096];
    struct buffer out = {0};
    statistics_write(table, &(struct json_writer){.out = &out});
    snprintf(text, sizeof text, "%.*s", (int)out.length, out.data);
    buffer_clear(&out);
    return text;
}

Test(statistics, of_a_constant_are_exact) {
    static float points[3000];
    for (int i = 0; i < 3000; i++)
        points[i] = 0.1F;
    const char *text = describe(&(struct point_table){.points = points, .n = 1000, .dim = 3});
    cr_assert_str_eq(text, "{\"min\":[0.1,0.1,0.1],\"max\":[0.1,0.1,0.1],"
                           "\"mean\":[0.10000000149011612,0.10000000149011612,0.10000000149011612],"
                           "\"std\":[0,0,0],\"duplicates\":999,\"class_counts\":null}");
}

Test(statistics, keep_their_digits_far_from_zero) {
    const float points[] = {16777216, 16777218, 16777220, 16777216};
    const int32_t labels[] = {1, 0, 1, 1};
    const char *text = describe(&(struct point_table){points, 4, 1, labels, 3});
    cr_assert_str_eq(text,
                     "{\"min\":[16777216],\"max\":[16777220],\"mean\":[16777217.5],"
                     "\"std\":[1.6583123951777],\"duplicates\":1,\"class_counts\":[1,3,0]}",
                     "%s", text);
}

Test(statistics, one_point_stands_still) {
    const float points[] = {-1e18F, 1e-40F};
    const char *text = describe(&(struct point_table){.points = points, .n = 1, .dim = 2});
    cr_assert(strstr(text, "\"std\":[0,0],\"duplicates\":0"), "%s", text);
}
