/* Numbers as text: they read back as the same bits, and are short. All floats: make test-floats. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/format/number.h"

static uint64_t random_state = 88172645463325252u;
static uint64_t next_random(void) { /* xorshift (Marsaglia 2003) */
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    return random_state ^= random_state << 17;
}

static float float_of(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* Is the number nearer to x than half way to its neighbor? Just half way is a matter of luck. */
static bool is_well_inside(const char *text, float x) {
    const long double unit = (long double)nextafterf(x, INFINITY) - (long double)x;
    return fabsl(strtold(text, NULL) - (long double)x) < unit / 2;
}

/* Does a text with a digit less read back as well? */
static bool could_be_shorter(float x, int digits) {
    char text[32];
    if (digits <= 1 || fabsf(x) > 3.4e38f)
        return false;
    snprintf(text, sizeof text, "%.*e", digits - 2, (double)x);
    return is_well_inside(text, x);
}

static int digits_of(const char *text) {
    int digits = 0, zeros = 0;
    for (; *text && *text != 'e'; text++) {
        if (*text < '0' || *text > '9' || (digits == 0 && *text == '0'))
            continue;
        digits++;
        zeros = *text == '0' ? zeros + 1 : 0;
    }
    return digits - zeros;
}

static void check(uint32_t bits) {
    char text[FLOAT_TEXT + 1], nine[32], *end;
    const float x = float_of(bits);
    const size_t length = float_text(text, x);
    text[length] = '\0';
    const float again = strtof(text, &end);
    cr_assert(memcmp(&again, &x, sizeof x) == 0 && !*end, "0x%08x: %.9g as %s", bits, (double)x,
              text);
    snprintf(nine, sizeof nine, "%.9g", (double)x);
    cr_assert_leq(length, strlen(nine), "0x%08x: %s is longer than %s", bits, text, nine);
    /* a power of two has a nearer neighbor below, and may have a digit more than it needs */
    if (x != 0 && (bits & 0x7fffff) != 0)
        cr_assert(!could_be_shorter(x, digits_of(text)), "0x%08x: %s has too many digits", bits,
                  text);
}

Test(number, floats_of_every_exponent_read_back_and_are_short) {
    for (uint32_t exponent = 0; exponent < 255; exponent++) {
        static const uint32_t edges[] = {0,        1,        2,        3,       0x3fffff,
                                         0x400000, 0x7ffffd, 0x7ffffe, 0x7fffff};
        for (size_t i = 0; i < sizeof edges / sizeof *edges; i++) {
            check(exponent << 23 | edges[i]);
            check(0x80000000u | exponent << 23 | edges[i]);
        }
        for (int i = 0; i < 2000; i++)
            check(((uint32_t)next_random() & 0x807fffff) | exponent << 23);
        for (uint32_t bit = 0; bit < 23; bit++) /* subnormals of every size among them */
            check(exponent << 23 | 1u << bit);
    }
}

Test(number, short_decimals_stay_short) {
    for (int power = -45; power <= 38; power++)
        for (int digits = 1; digits <= 9999; digits += 7) {
            char decimal[32], text[FLOAT_TEXT + 1];
            snprintf(decimal, sizeof decimal, "%de%d", digits, power);
            const float x = strtof(decimal, NULL);
            if (!isfinite(x) || fabsf(x) < 1.2e-38f || !is_well_inside(decimal, x))
                continue;
            text[float_text(text, x)] = '\0';
            cr_assert_leq(digits_of(text), 4, "%s as %s", decimal, text);
        }
}

Test(number, as_people_write_them) {
    static const struct {
        float x;
        const char *text;
    } cases[] = {
        {0, "0"},
        {-0.0f, "-0"},
        {1, "1"},
        {-1.5f, "-1.5"},
        {0.1f, "0.1"},
        {1e-4f, "0.0001"},
        {1e-5f, "1e-5"},
        {123456792, "123456790"},
        {1e8f, "100000000"},
        {1e9f, "1e9"},
        {16777216, "16777216"},
        {3.4028235e38f, "3.4028235e38"},
        {1.4e-45f, "1e-45"},
        {1.17549435e-38f, "1.1754944e-38"},
        {3.14159274f, "3.1415927"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[FLOAT_TEXT + 1];
        text[float_text(text, cases[i].x)] = '\0';
        cr_assert_str_eq(text, cases[i].text);
    }
}

Test(number, doubles_read_back) {
    for (int i = 0; i < 100000; i++) {
        uint64_t bits = next_random();
        double x;
        char text[DOUBLE_TEXT + 1];
        memcpy(&x, &bits, sizeof x);
        if (!isfinite(x))
            continue;
        text[double_text(text, x)] = '\0';
        cr_assert_eq(strtod(text, NULL), x, "%s", text);
    }
}
