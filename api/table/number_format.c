#include "api/table/number_format.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/format/number.h"

/* ------------------------------------------------------------------ what a text shows */

/* How many digits a number has from the first that is not 0 on, up to its exponent. */
static int count_digits(const char *at, const char *end) {
    int count = 0;
    for (; at < end && *at != 'e' && *at != 'E'; at++)
        count += *at >= '0' && *at <= '9' && (count > 0 || *at != '0');
    return count;
}

/* Would a number with these decimals and digits, written with the most decimals, lose what matters? */
static bool is_lost(int decimals, int digits) {
    enum { ENOUGH = 6 };
    const int kept = NUMBER_MAX_DECIMALS - (decimals - digits);
    return kept < digits && kept < ENOUGH;
}

void number_format_see(struct number_format *format, const char *text, size_t length) {
    const char *end = text + length;
    const char *digits = text;
    while (digits < end && strchr(" \t+-", *digits) && *digits)
        digits++;
    const char *mark = memchr(digits, format->notation.decimal, (size_t)(end - digits));
    const char *at = mark ? mark + 1 : end;
    while (at < end && *at >= '0' && *at <= '9')
        at++;
    int decimals = mark ? (int)(at - mark - 1) : 0;
    const char *exponent = memchr(digits, 'e', (size_t)(end - digits));
    exponent = exponent ? exponent : memchr(digits, 'E', (size_t)(end - digits));
    if (exponent) {             /* 1.5e-5 is 0.000015 */
        enum { LEAST = -1000 }; /* far below the smallest double */
        const long shift = strtol(exponent + 1, NULL, 10);
        decimals = shift < LEAST ? decimals - LEAST : shift > decimals ? 0 : decimals - (int)shift;
        format->least = 0;
    }
    const int count = count_digits(digits, end);
    const int most = NUMBER_MAX_DECIMALS < count ? NUMBER_MAX_DECIMALS : count;
    format->digits = most > format->digits ? most : format->digits;
    format->has_exponent |= is_lost(decimals, count);
    decimals = decimals < NUMBER_MAX_DECIMALS ? decimals : NUMBER_MAX_DECIMALS;
    format->is_bare |= mark == digits;
    format->least = decimals < format->least ? decimals : format->least;
    format->most = decimals > format->most ? decimals : format->most;
}

/* ------------------------------------------------------------------ patterns */

void number_format_write(const struct number_format *format, char out[NUMBER_FORMAT_BYTES]) {
    size_t used = 0;
    if (format->notation.thousands) {
        out[used++] = '#';
        out[used++] = format->notation.thousands;
        memcpy(out + used, "##0", 3);
        used += 3;
    } else {
        out[used++] = format->is_bare ? '#' : '0';
    }
    const int least = format->has_exponent ? 0 : format->least;
    const int most = format->has_exponent ? format->digits - 1 : format->most;
    /* 1,5e3 is whole, but its comma has to be known */
    if (most == 0 && format->notation.decimal != '.' && !format->notation.thousands)
        out[used++] = format->notation.decimal;
    for (int i = 0; i < most; i++) {
        if (i == 0)
            out[used++] = format->notation.decimal;
        out[used++] = i < least ? '0' : '#';
    }
    memcpy(out + used, format->has_exponent ? "e0" : "", format->has_exponent ? 3 : 1);
}

bool number_format_read(struct number_format *format, const char *pattern) {
    *format = (struct number_format){.notation = {'.', 0}};
    if (pattern[0] == '#' && pattern[1] && strncmp(pattern + 2, "##0", 3) == 0) {
        format->notation.thousands = pattern[1];
        format->notation.decimal = pattern[1] == '.' ? ',' : '.';
        pattern += 5;
    } else if (pattern[0] == '0' || pattern[0] == '#') {
        format->is_bare = *pattern++ == '#';
    } else {
        return false;
    }
    if (*pattern == '.' || *pattern == ',') {
        format->notation.decimal = *pattern++;
        format->least = (int)strspn(pattern, "0");
        format->most = format->least + (int)strspn(pattern + format->least, "#");
        pattern += format->most;
    }
    format->digits = format->most + 1;
    format->has_exponent = strcmp(pattern, "e0") == 0;
    return (*pattern == '\0' || format->has_exponent) && format->most <= NUMBER_MAX_DECIMALS;
}

/* ------------------------------------------------------------------ writing */

enum { DIGITS = 24 };

/* The digits of a number without its sign and point: 0.d1d2d3.. times 10^point. */
struct digits {
    char digits[DIGITS];
    int count, point;
};

/* The shortest digits that read back as the number, which is not 0. */
static struct digits shortest(double size) {
    char text[DOUBLE_TEXT + 1];
    struct digits out = {.count = 0};
    bool seen_point = false;
    text[double_text(text, size)] = '\0';
    const char *at = text;
    for (; (*at >= '0' && *at <= '9') || *at == '.'; at++) {
        if (*at == '.') {
            seen_point = true;
            continue;
        }
        if (out.count == 0 && *at == '0') { /* leading zeros */
            out.point -= seen_point;
            continue;
        }
        if (out.count < DIGITS)
            out.digits[out.count++] = *at;
        out.point += !seen_point;
    }
    if (*at == 'e')
        out.point += (int)strtol(at + 1, NULL, 10);
    while (out.count > 0 && out.digits[out.count - 1] == '0')
        out.count--;
    return out;
}

/* Writes the number with a decimal point, and up to `most` decimals. */
static void write_plain(double size, int most, char out[NUMBER_TEXT]) {
    if (size > 0) {
        const struct digits digits = shortest(size);
        const int decimals = digits.count - digits.point;
        if (decimals > 0 && decimals <= most) {
            const int zeros = digits.point < 0 ? -digits.point : 0;
            const int whole = digits.point > 0 ? digits.point : 0;
            snprintf(out, NUMBER_TEXT, "%s%.*s.%.*s%.*s", whole ? "" : "0", whole, digits.digits,
                     zeros, "00000000000000000", digits.count - whole, digits.digits + whole);
            return;
        }
    }
    snprintf(out, NUMBER_TEXT, "%.*f", most, size);
}

/* 1.23e-20 */
static size_t write_exponent(const struct number_format *format, double value,
                             char out[NUMBER_TEXT]) {
    char plain[NUMBER_TEXT];
    snprintf(plain, sizeof plain, "%.*e", format->digits - 1, value);
    char *exponent = strchr(plain, 'e'), *end = exponent;
    char *point = strchr(plain, '.');
    while (point && end[-1] == '0')
        end--;
    end -= point && end[-1] == '.';
    if (point)
        *point = format->notation.decimal;
    return (size_t)snprintf(out, NUMBER_TEXT, "%.*s%s", (int)(end - plain), plain,
                            value != 0 ? exponent : "");
}

size_t number_format_text(const struct number_format *format, double value, char out[NUMBER_TEXT]) {
    char plain[NUMBER_TEXT];
    size_t used = 0;
    if (format->has_exponent)
        return write_exponent(format, value, out);
    write_plain(fabs(value), format->most, plain);
    char *point = strchr(plain, '.');
    const int whole = point ? (int)(point - plain) : (int)strlen(plain);
    int decimals = point ? (int)strlen(point + 1) : 0;
    while (point && decimals > format->least && point[decimals] == '0')
        decimals--;
    if (value < 0 && strspn(plain, "0.") < strlen(plain))
        out[used++] = '-';
    for (int i = 0; i < whole; i++) {
        if (format->is_bare && decimals > 0 && whole == 1 && plain[0] == '0')
            continue;
        out[used++] = plain[i];
        if (format->notation.thousands && i + 1 < whole && (whole - i - 1) % 3 == 0)
            out[used++] = format->notation.thousands;
    }
    if (decimals > 0 || format->least > 0)
        out[used++] = format->notation.decimal;
    for (int i = 0; i < decimals || i < format->least; i++)
        out[used++] = i < decimals ? point[1 + i] : '0';
    out[used] = '\0';
    return used;
}
