/* Decimal numbers against the C library's. */
#include <math.h>
#include <string.h>

#include "api/format/number.h"
#include "tests/fuzz/fuzz.h"

/* Our grammar: strtod knows hexadecimal numbers, infinities and leading space as well. */
static bool is_decimal(const char *text, size_t size) {
    return size > 0 && strspn(text, "+-.0123456789eE") == size;
}

static void check_written(double value) {
    char text[DOUBLE_TEXT + 1];
    text[double_text(text, value)] = '\0';
    fuzz_check(strtod(text, NULL) == value);
    if (fabs(value) < 3e38) {
        text[float_text(text, (float)value)] = '\0';
        fuzz_check(strtof(text, NULL) == (float)value);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    char *text = fuzz_text(bytes, size), *end;
    double value, wanted = strtod(text, &end);
    const bool is_number = is_decimal(text, size) && (size_t)(end - text) == size;
    fuzz_check(number_read(text, size, &value) == is_number);
    if (is_number) {
        fuzz_check(memcmp(&value, &wanted, sizeof value) == 0);
        if (isfinite(value))
            check_written(value);
    }
    free(text);
    return 0;
}
