#include "api/format/number.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Powers of ten are exact in double up to 10^22. */
static const double powers[] = {1,   1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};

static const double inverse_powers[] = {1, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8};

size_t double_text(char out[DOUBLE_TEXT], double x) {
    int length = 0;
    for (int digits = 15; digits <= 17; digits++) {
        length = snprintf(out, DOUBLE_TEXT, "%.*g", digits, x);
        if (strtod(out, NULL) == x)
            break;
    }
    return (size_t)length;
}

static size_t float_text_slow(char out[FLOAT_TEXT], float x) {
    int length = 0;
    for (int digits = 6; digits <= 9; digits++) {
        length = snprintf(out, FLOAT_TEXT, "%.*g", digits, (double)x);
        if (strtof(out, NULL) == x)
            break;
    }
    return (size_t)length;
}

/* Two digits at a time. */
static const char pairs[] =
    "00010203040506070809101112131415161718192021222324252627282930313233343536"
    "37383940414243444546474849505152535455565758596061626364656667686970717273"
    "7475767778798081828384858687888990919293949596979899";

/* Writes mantissa (1..10^9) / 10^decimals; decimals may be negative. */
static size_t put_fixed(char *out, uint32_t mantissa, int decimals) {
    char digits[10];
    int first = 10;
    for (; mantissa >= 10; mantissa /= 100)
        memcpy(digits + (first -= 2), pairs + 2 * (mantissa % 100), 2);
    if (mantissa > 0)
        digits[--first] = (char)('0' + mantissa);
    const int count = 10 - first, whole = count - decimals;
    char *at = out;
    if (whole <= 0) {
        *at++ = '0';
        *at++ = '.';
        for (int i = whole; i < 0; i++)
            *at++ = '0';
        memcpy(at, digits + first, (size_t)count);
        return (size_t)(at + count - out);
    }
    for (int i = 0; i < whole; i++)
        *at++ = i < count ? digits[first + i] : '0';
    if (decimals > 0) {
        *at++ = '.';
        memcpy(at, digits + first + whole, (size_t)decimals);
        at += decimals;
    }
    return (size_t)(at - out);
}

/* Common magnitudes are scaled to an integer of nine digits in double, whose error (1e-16) is far
 * below half the distance to the next float (3e-8). Then digits are dropped as long as what is left
 * is nearer than that. */
size_t float_text(char out[FLOAT_TEXT], float x) {
    const double size = fabs((double)x);
    if (x == 0) {
        const char *zero = signbit(x) ? "-0" : "0";
        memcpy(out, zero, strlen(zero));
        return strlen(zero);
    }
    if (size < 1e-4 || size >= 1e6)
        return float_text_slow(out, x);
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    const int exponent = (int)(bits >> 23 & 0xff) - 127; /* 2^exponent <= size */
    int whole = (exponent * 1233 >> 12) + 1;             /* digits before the point, or one less */
    int decimals = 9 - whole;
    double scaled = size * powers[decimals];
    if (scaled >= 1e9)
        scaled = size * powers[--decimals];
    /* half a unit in the last place; a quarter below a power of two */
    const int unit = exponent - 24 - ((bits & 0x7fffff) == 0);
    const uint64_t unit_bits = (uint64_t)(1023 + unit) << 52;
    double reach;
    memcpy(&reach, &unit_bits, sizeof reach); /* 2^unit */
    reach *= 0.999 * powers[decimals];
    uint32_t mantissa = (uint32_t)(scaled + 0.5);
    for (int drop = 1; drop <= 8; drop++) {
        uint32_t shorter = (uint32_t)(scaled * inverse_powers[drop] + 0.5);
        if (fabs(shorter * powers[drop] - scaled) >= reach)
            break;
        mantissa = shorter;
        decimals--;
    }
    const size_t sign = x < 0;
    out[0] = '-';
    return sign + put_fixed(out + sign, mantissa, decimals);
}
