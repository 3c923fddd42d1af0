#include "api/upload/label.h"

#include <stdio.h>
#include <string.h>

/* A decimal number: 0.d1d2d3.. times 10^point, where d1 is not 0. */
struct decimal {
    bool negative;
    char digits[LABEL_NAME_BYTES]; /* the first ones */
    long count; /* of digits up to the last that is not 0; none: the number is 0 */
    long point;
};

enum {
    LARGEST_EXPONENT = 1000000,
    PLAIN_ZEROS = 5,  /* 0.00000123 is written out.. */
    PLAIN_DIGITS = 40 /* ..and so is a number of as many digits before the point */
};

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static const char *take_digits(const char *at, const char *end, struct decimal *number) {
    long seen = 0; /* from the first that is not 0 on */
    bool is_fraction = false;
    for (; at < end && (is_digit(*at) || (*at == '.' && !is_fraction)); at++) {
        if (*at == '.') {
            is_fraction = true;
            continue;
        }
        if (seen > 0 || *at != '0') {
            if (seen < LABEL_NAME_BYTES)
                number->digits[seen] = *at;
            seen++;
            number->count = *at != '0' ? seen : number->count;
        }
        if (!is_fraction)
            number->point += seen > 0;
        else if (seen == 0)
            number->point--;
    }
    return at;
}

/* "e-12"; NULL: it is not an exponent. */
static const char *take_exponent(const char *at, const char *end, struct decimal *number) {
    long exponent = 0;
    bool negative = false;
    at++;
    if (at < end && (*at == '+' || *at == '-'))
        negative = *at++ == '-';
    if (at == end || !is_digit(*at))
        return NULL;
    for (; at < end && is_digit(*at); at++)
        exponent = exponent < LARGEST_EXPONENT ? 10 * exponent + (*at - '0') : exponent;
    number->point += negative ? -exponent : exponent;
    return at;
}

/* Is the whole text one number? Blanks around it are ignored. */
static bool read_decimal(const char *at, size_t length, struct decimal *number) {
    const char *end = at + length;
    *number = (struct decimal){0};
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    while (end > at && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    if (at < end && (*at == '+' || *at == '-'))
        number->negative = *at++ == '-';
    const char *digits = at;
    at = take_digits(at, end, number);
    if (at == digits || (at == digits + 1 && *digits == '.'))
        return false;
    if (at < end && (*at == 'e' || *at == 'E'))
        at = take_exponent(at, end, number);
    return at == end;
}

/* Its shortest form, as JavaScript writes numbers. False: it is too long. */
static bool write_decimal(const struct decimal *number, char name[LABEL_NAME_BYTES + 1]) {
    static const char zeros[] = "0000000000000000000000000000000000000000"; /* PLAIN_DIGITS */
    char text[3 * LABEL_NAME_BYTES];
    const int count = (int)number->count;
    const char *sign = number->negative ? "-" : "", *digits = number->digits;
    int length;
    if (number->count > LABEL_NAME_BYTES)
        return false;
    if (number->count == 0)
        length = snprintf(text, sizeof text, "0");
    else if (number->point <= -PLAIN_ZEROS - 1 || number->point > PLAIN_DIGITS)
        length = snprintf(text, sizeof text, "%s%c%s%.*se%+ld", sign, digits[0],
                          count > 1 ? "." : "", count - 1, digits + 1, number->point - 1);
    else if (number->point <= 0)
        length = snprintf(text, sizeof text, "%s0.%.*s%.*s", sign, -(int)number->point, zeros,
                          count, digits);
    else if (number->point >= number->count)
        length = snprintf(text, sizeof text, "%s%.*s%.*s", sign, count, digits,
                          (int)number->point - count, zeros);
    else
        length = snprintf(text, sizeof text, "%s%.*s.%.*s", sign, (int)number->point, digits,
                          count - (int)number->point, digits + number->point);
    if (length > LABEL_NAME_BYTES)
        return false;
    memcpy(name, text, (size_t)length + 1);
    return true;
}

bool label_name(const char *label, size_t length, char name[LABEL_NAME_BYTES + 1]) {
    struct decimal number;
    if (read_decimal(label, length, &number))
        return write_decimal(&number, name);
    if (length > LABEL_NAME_BYTES)
        return false;
    memcpy(name, label, length);
    name[length] = '\0';
    return true;
}

bool label_is_code(const char *label, size_t length) {
    if (length < 2 || label[0] != '0')
        return false;
    for (size_t i = 0; i < length; i++)
        if (!is_digit(label[i]))
            return false;
    return true;
}

const char *label_missing_name(const char *missing_text) {
    return missing_text[strspn(missing_text, " \t")] ? missing_text : "missing";
}

int label_find(const char *const *names, const char *label) {
    char wanted[LABEL_NAME_BYTES + 1], name[LABEL_NAME_BYTES + 1];
    for (int i = 0; names[i]; i++)
        if (strcmp(names[i], label) == 0)
            return i;
    if (!label_name(label, strlen(label), wanted))
        return -1;
    for (int i = 0; names[i]; i++)
        if (label_name(names[i], strlen(names[i]), name) && strcmp(name, wanted) == 0)
            return i;
    return -1;
}
