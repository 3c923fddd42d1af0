#include "api/format/number.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Powers of ten are exact in double up to 10^22. */
static const double powers[] = {1,   1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};

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

/* Writes mantissa / 10^decimals, without trailing zeros. */
static size_t put_fixed(char *out, uint64_t mantissa, int decimals) {
    while (decimals > 0 && mantissa % 10 == 0) {
        mantissa /= 10;
        decimals--;
    }
    char reversed[24];
    int count = 0;
    for (int written = 0; mantissa > 0 || written <= decimals; mantissa /= 10) {
        reversed[count++] = (char)('0' + mantissa % 10);
        if (++written == decimals)
            reversed[count++] = '.';
    }
    for (int i = 0; i < count; i++)
        out[i] = reversed[count - 1 - i];
    return (size_t)count;
}

/* Common magnitudes are scaled to an integer of 6..9 digits in double, whose error (1e-16) is far
 * below the distance of neighbouring floats (6e-8); the reading back is checked all the same. */
size_t float_text(char out[FLOAT_TEXT], float x) {
    double size = fabs((double)x);
    if (x == 0) {
        const char *zero = signbit(x) ? "-0" : "0";
        memcpy(out, zero, strlen(zero));
        return strlen(zero);
    }
    if (size < 1e-4 || size >= 1e6)
        return float_text_slow(out, x);
    int whole = -3; /* digits before the decimal point; negative: zeros after it */
    static const double limits[] = {1e-3, 1e-2, 1e-1, 1, 1e1, 1e2, 1e3, 1e4, 1e5};
    for (size_t i = 0; i < sizeof limits / sizeof *limits && size >= limits[i]; i++)
        whole++;
    for (int digits = 6; digits <= 9; digits++) {
        int decimals = digits - whole;
        double scaled = nearbyint(size * powers[decimals]);
        if ((float)(scaled / powers[decimals]) != (float)size)
            continue;
        size_t sign = x < 0;
        out[0] = '-';
        return sign + put_fixed(out + sign, (uint64_t)scaled, decimals);
    }
    return float_text_slow(out, x);
}
