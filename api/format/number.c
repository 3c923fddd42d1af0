#include "api/format/number.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Powers of ten are exact in double up to 10^22. */
static const double powers[] = {1,    1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
enum { EXACT_POWER = 22 };

static const double inverse_powers[] = {1, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9};

size_t double_text(char out[DOUBLE_TEXT], double x) {
    int length = 0;
    for (int digits = 15; digits <= 17; digits++) {
        length = snprintf(out, DOUBLE_TEXT, "%.*g", digits, x);
        if (strtod(out, NULL) == x)
            break;
    }
    return (size_t)length;
}

/* Two digits at a time. */
static const char pairs[] =
    "00010203040506070809101112131415161718192021222324252627282930313233343536"
    "37383940414243444546474849505152535455565758596061626364656667686970717273"
    "7475767778798081828384858687888990919293949596979899";

/* The digits of a mantissa (1..10^9), right-aligned; returns where they begin. */
static int put_digits(char digits[10], uint32_t mantissa) {
    int first = 10;
    for (; mantissa >= 10; mantissa /= 100)
        memcpy(digits + (first -= 2), pairs + 2 * (mantissa % 100), 2);
    if (mantissa > 0)
        digits[--first] = (char)('0' + mantissa);
    return first;
}

/* Writes `count` digits with the point after the first `whole` of them, which may be none. */
static size_t put_fixed(char *out, const char *digits, int count, int whole) {
    char *at = out;
    if (whole <= 0) {
        *at++ = '0';
        *at++ = '.';
        for (int i = whole; i < 0; i++)
            *at++ = '0';
        memcpy(at, digits, (size_t)count);
        return (size_t)(at + count - out);
    }
    for (int i = 0; i < whole; i++)
        *at++ = i < count ? digits[i] : '0';
    if (whole < count) {
        *at++ = '.';
        memcpy(at, digits + whole, (size_t)(count - whole));
        at += count - whole;
    }
    return (size_t)(at - out);
}

/* Writes d.ddd e exponent. */
static size_t put_scientific(char *out, const char *digits, int count, int exponent) {
    char *at = out + put_fixed(out, digits, count, 1);
    *at++ = 'e';
    if (exponent < 0)
        *at++ = '-';
    const int size = exponent < 0 ? -exponent : exponent;
    if (size >= 10)
        *at++ = (char)('0' + size / 10);
    *at++ = (char)('0' + size % 10);
    return (size_t)(at - out);
}

/* x 10^power, correct to a few units in the last place of a double. */
static double scale(double x, int power) {
    for (; power > EXACT_POWER; power -= EXACT_POWER)
        x *= powers[EXACT_POWER];
    for (; power < -EXACT_POWER; power += EXACT_POWER)
        x /= powers[EXACT_POWER];
    return power < 0 ? x / powers[-power] : x * powers[power];
}

enum { DOUBLE_BIAS = 1023, DOUBLE_FRACTION = 52, MIN_UNIT = -150 };

static double power_of_two(int exponent) {
    const uint64_t bits = (uint64_t)(DOUBLE_BIAS + exponent) << DOUBLE_FRACTION;
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* The number is scaled to an integer of nine digits in double, whose error (some 1e-16 of it) is
 * far below half the distance to the next float (3e-8 of it). Then digits are dropped as long as
 * what is left is nearer than that. */
size_t float_text(char out[FLOAT_TEXT], float x) {
    const double size = fabs((double)x);
    const size_t sign = signbit(x) ? 1 : 0;
    out[0] = '-';
    if (x == 0) {
        out[sign] = '0';
        return sign + 1;
    }
    uint64_t bits;
    memcpy(&bits, &size, sizeof bits);
    const int exponent = (int)(bits >> DOUBLE_FRACTION) - DOUBLE_BIAS; /* 2^exponent <= size */
    const int whole = (exponent * 1233 >> 12) + 1; /* digits before the point, or one less */
    int decimals = 9 - whole;
    double scaled = scale(size, decimals);
    if (scaled >= 1e9)
        scaled = scale(size, --decimals);
    /* half a unit in the last place; a quarter below a power of two; subnormal units are all the
     * same */
    const bool is_power = bits << (64 - DOUBLE_FRACTION) == 0;
    const int unit = exponent - 24 - is_power;
    const double half = power_of_two(unit < MIN_UNIT ? MIN_UNIT : unit);
    const double reach = 0.9999999 * scale(half, decimals);
    uint32_t mantissa = (uint32_t)(scaled + 0.5);
    for (int drop = 1; drop <= 9; drop++) {
        uint32_t shorter = (uint32_t)(scaled * inverse_powers[drop] + 0.5);
        if (fabs(shorter * powers[drop] - scaled) >= reach)
            break;
        mantissa = shorter;
        decimals--;
    }
    char digits[10];
    const int first = put_digits(digits, mantissa), count = 10 - first;
    const int leading = count - decimals; /* digits before the point; negative: zeros after it */
    if (leading > -4 && leading <= 9)
        return sign + put_fixed(out + sign, digits + first, count, leading);
    return sign + put_scientific(out + sign, digits + first, count, leading - 1);
}

char *floats_text(char *at, const float *values, size_t count, const char *missing) {
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            *at++ = ',';
        if (isfinite(values[i]))
            at += float_text(at, values[i]);
        else
            at = stpcpy(at, missing);
    }
    return at;
}

/* ------------------------------------------------------------------ reading */

/* A decimal number, digits * 10^exponent. */
struct decimal {
    uint64_t digits;
    int count;    /* of the significant digits; beyond 19 they do not fit */
    int exponent; /* saturates far outside of any double */
    bool any;     /* a digit was there at all */
};

static const char *read_digits(const char *at, const char *end, bool is_fraction,
                               struct decimal *decimal) {
    for (; at < end && *at >= '0' && *at <= '9'; at++) {
        decimal->any = true;
        if (decimal->count < 19)
            decimal->digits = 10 * decimal->digits + (uint64_t)(*at - '0');
        decimal->count += decimal->digits > 0;
        decimal->exponent -= is_fraction;
    }
    return at;
}

/* "e-12"; NULL if it is not an exponent. */
static const char *read_exponent(const char *at, const char *end, struct decimal *decimal) {
    enum { SATURATED = 100000 };
    int exponent = 0, sign = 1;
    at++;
    if (at < end && (*at == '+' || *at == '-'))
        sign = *at++ == '-' ? -1 : 1;
    if (at == end)
        return NULL;
    for (; at < end; at++) {
        if (*at < '0' || *at > '9')
            return NULL;
        exponent = exponent < SATURATED ? 10 * exponent + (*at - '0') : exponent;
    }
    decimal->exponent += sign * exponent;
    return at;
}

/* Up to 2^53 the digits are exact in double, and so are the powers of ten up to 10^22: one rounding
 * then gives the nearest double (Clinger 1990). Everything else is strtod's; the process never sets
 * a locale, so its decimal point is a point. */
bool number_read(const char *text, size_t length, double *value) {
    const char *at = text, *const end = text + length;
    struct decimal decimal = {0};
    bool negative = false;
    if (at < end && (*at == '-' || *at == '+'))
        negative = *at++ == '-';
    at = read_digits(at, end, false, &decimal);
    if (at < end && *at == '.')
        at = read_digits(at + 1, end, true, &decimal);
    if (decimal.any && at < end && (*at == 'e' || *at == 'E'))
        at = read_exponent(at, end, &decimal);
    if (!decimal.any || at != end)
        return false;
    if (decimal.count <= 19 && decimal.digits <= (uint64_t)1 << 53 &&
        decimal.exponent >= -EXACT_POWER && decimal.exponent <= EXACT_POWER) {
        double x = (double)decimal.digits;
        x = decimal.exponent < 0 ? x / powers[-decimal.exponent] : x * powers[decimal.exponent];
        *value = negative ? -x : x;
    } else {
        *value = strtod(text, NULL);
    }
    return true;
}
