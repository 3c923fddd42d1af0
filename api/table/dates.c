#include "api/table/dates.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { DAY = 86400 };

static const char *const months[] = {"January",   "February", "March",    "April",
                                     "May",       "June",     "July",     "August",
                                     "September", "October",  "November", "December"};

struct moment {
    int year, month, day, hour, minute, second;
    double fraction;
};

/* ------------------------------------------------------------------ the calendar */

/* Days since 1970-01-01 in the Gregorian calendar (Howard Hinnant, "chrono-Compatible Low-Level Date
 * Algorithms"). */
static int64_t days_of(int year, int month, int day) {
    const int64_t y = year - (month <= 2), era = (y >= 0 ? y : y - 399) / 400;
    const int64_t of_era = y - era * 400;
    const int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void date_of(int64_t days, struct moment *moment) {
    days += 719468;
    const int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    const int64_t of_era = days - era * 146097;
    const int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    const int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    const int64_t month = (5 * of_year + 2) / 153;
    moment->day = (int)(of_year - (153 * month + 2) / 5 + 1);
    moment->month = (int)(month < 10 ? month + 3 : month - 9);
    moment->year = (int)(year + era * 400 + (moment->month <= 2));
}

static bool is_valid(const struct moment *moment) {
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const int year = moment->year;
    const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if (moment->month < 1 || moment->month > 12 || moment->hour > 23 || moment->minute > 59 ||
        moment->second > 59)
        return false;
    return moment->day >= 1 &&
           moment->day <= lengths[moment->month - 1] + (leap && moment->month == 2);
}

/* ------------------------------------------------------------------ reading */

/* How the digits of %m, %d and %H or %I are written. */
struct padding {
    bool zero[3], bare[3]; /* 05 and 5 were seen */
};

static int padded_place(char token) {
    return token == 'm' ? 0 : token == 'd' ? 1 : token == 'H' || token == 'I' ? 2 : -1;
}

/* Reads `least` to `most` digits. */
static bool take_digits(const char **at, const char *end, int least, int most, int *value) {
    int count = 0;
    for (*value = 0; *at < end && count < most && **at >= '0' && **at <= '9'; count++)
        *value = 10 * *value + (*(*at)++ - '0');
    return count >= least;
}

static bool take_month(const char **at, const char *end, bool whole, int *month) {
    for (int i = 0; i < 12; i++) {
        const size_t length = whole ? strlen(months[i]) : 3;
        if ((size_t)(end - *at) >= length && strncasecmp(*at, months[i], length) == 0) {
            *at += length;
            *month = i + 1;
            return true;
        }
    }
    return false;
}

static bool take_fraction(const char **at, const char *end, double *fraction) {
    const char *from = *at;
    double scale = 0.1;
    for (*fraction = 0; *at < end && **at >= '0' && **at <= '9'; scale /= 10)
        *fraction += scale * (*(*at)++ - '0');
    return *at > from && *at - from <= 9;
}

/* Reads one of m, d, H; `fixed`: the next token begins with a digit too. */
static bool take_padded(const char **at, const char *end, int place, bool fixed, int *value,
                        struct padding *padding) {
    const char *from = *at;
    if (!take_digits(at, end, fixed ? 2 : 1, 2, value))
        return false;
    if (padding && *at - from == 1)
        padding->bare[place] = true;
    else if (padding && *from == '0')
        padding->zero[place] = true;
    return true;
}

/* The hour, from 1 to 12, has been read. */
static bool take_half(const char **at, const char *end, char token, int *hour) {
    const char *const halves[] = {token == 'p' ? "AM" : "am", token == 'p' ? "PM" : "pm"};
    for (int i = 0; i < 2; i++)
        if (end - *at >= 2 && memcmp(*at, halves[i], 2) == 0 && *hour >= 1 && *hour <= 12) {
            *at += 2;
            *hour = *hour % 12 + 12 * i;
            return true;
        }
    return false;
}

static bool take_token(char token, bool fixed, const char **at, const char *end,
                       struct moment *moment, struct padding *padding) {
    switch (token) {
    case 'Y': return take_digits(at, end, 4, 4, &moment->year);
    case 'y':
        if (!take_digits(at, end, 2, 2, &moment->year))
            return false;
        moment->year += moment->year < 70 ? 2000 : 1900; /* as POSIX has it, almost */
        return true;
    case 'm': return take_padded(at, end, 0, fixed, &moment->month, padding);
    case 'd': return take_padded(at, end, 1, fixed, &moment->day, padding);
    case 'H':
    case 'I': return take_padded(at, end, 2, fixed, &moment->hour, padding);
    case 'p':
    case 'P': return take_half(at, end, token, &moment->hour);
    case 'M': return take_digits(at, end, 2, 2, &moment->minute);
    case 'S': return take_digits(at, end, 2, 2, &moment->second);
    case 'b':
    case 'B': return take_month(at, end, token == 'B', &moment->month);
    case 'f': return take_fraction(at, end, &moment->fraction);
    default: return false;
    }
}

static bool read_moment(const char *format, const char *text, size_t length, struct moment *moment,
                        struct padding *padding) {
    const char *at = text, *end = text + length;
    *moment = (struct moment){.year = 1970, .month = 1, .day = 1};
    for (; *format; format++) {
        if (*format != '%') {
            if (at == end || *at++ != *format)
                return false;
            continue;
        }
        format += strspn(format + 1, "-0123456789") + 1;
        if (!take_token(*format, format[1] == '%', &at, end, moment, padding))
            return false;
    }
    return at == end && is_valid(moment);
}

static double seconds_of(const struct moment *moment) {
    const int64_t days = days_of(moment->year, moment->month, moment->day);
    return (double)(days * DAY + moment->hour * 3600 + moment->minute * 60 + moment->second) +
           moment->fraction;
}

bool date_read(const char *format, const char *text, size_t length, double *seconds) {
    struct moment moment;
    while (length > 0 && *text == ' ') {
        text++;
        length--;
    }
    while (length > 0 && text[length - 1] == ' ')
        length--;
    if (!read_moment(format, text, length, &moment, NULL))
        return false;
    *seconds = seconds_of(&moment);
    return true;
}

double date_step(double step, double seconds) {
    double rest = fabs(seconds);
    if (rest != floor(rest))
        return 0;
    while (step > 0 && rest > 0) { /* Euclid */
        const double next = fmod(step, rest);
        step = rest;
        rest = next;
    }
    return step;
}

/* ------------------------------------------------------------------ finding the format */

/* Where day and month could change places, the format that the months decide comes with its twin. */
static const struct {
    const char *date;
    bool is_twin; /* of the one above */
} dates[] = {
    {"%Y-%m-%d", false}, {"%Y/%m/%d", false},  {"%Y.%m.%d", false},  {"%d.%m.%Y", false},
    {"%d.%m.%y", false}, {"%d/%m/%Y", false},  {"%m/%d/%Y", true},   {"%d/%m/%y", false},
    {"%m/%d/%y", true},  {"%d-%m-%Y", false},  {"%m-%d-%Y", true},   {"%B %d %Y", false},
    {"%b %d %Y", false}, {"%B %d, %Y", false}, {"%b %d, %Y", false}, {"%d %B %Y", false},
    {"%d %b %Y", false}, {"%d-%b-%Y", false},  {"%d-%b-%y", false},  {"%b %Y", false},
    {"%B %Y", false},    {"%Y-%m", false},     {"%Y%m%d", false},    {"", false},
};
static const char *const times[] = {"",         "%H:%M",       "%H:%M:%S", "%H:%M:%S.%f",
                                    "%I:%M %p", "%I:%M:%S %p", "%I:%M %P", "%I:%M:%S %P"};
static const char *const marks[] = {" ", "T"};

/* The end of a text that says which zone its time is in: Z, +01:00, -0500; "" if there is none. */
static const char *zone_of(const char *text, size_t length, char zone[8]) {
    size_t at = length;
    zone[0] = '\0';
    if (length > 0 && text[length - 1] == 'Z')
        at = length - 1;
    else if (length > 6 && (text[length - 6] == '+' || text[length - 6] == '-') &&
             text[length - 3] == ':')
        at = length - 6;
    else if (length > 13 && (text[length - 5] == '+' || text[length - 5] == '-') &&
             memchr(text, ':', length))
        at = length - 5;
    snprintf(zone, 8, "%.*s", (int)(length - at), text + at);
    return zone;
}

static const char *text_at(const struct date_texts *texts, size_t i, size_t *length) {
    const char *text = texts->text(texts->context, i, length);
    for (; *length > 0 && *text == ' '; text++)
        --*length;
    while (*length > 0 && text[*length - 1] == ' ')
        --*length;
    return text;
}

/* Digits of the fractions of the seconds, at most. */
static int fraction_digits(const struct date_texts *texts) {
    int most = 1;
    for (size_t i = 0; i < texts->count; i++) {
        size_t length;
        const char *text = text_at(texts, i, &length);
        const char *point = memrchr(text, '.', length);
        const int digits = point ? (int)strspn(point + 1, "0123456789") : 0;
        most = digits > most ? digits : most;
    }
    return most;
}

/* Are all texts in this format? And how are they padded? */
static bool fits_all(const struct date_texts *texts, const char *format, struct padding *padding) {
    struct moment moment;
    *padding = (struct padding){0};
    for (size_t i = 0; i < texts->count; i++) {
        size_t length;
        const char *text = text_at(texts, i, &length);
        if (!read_moment(format, text, length, &moment, padding))
            return false;
        if (strcmp(format, "%Y%m%d") == 0 && (moment.year < 1900 || moment.year > 2100))
            return false; /* probably not a date */
    }
    return true;
}

/* The format with what is known about its digits. */
static void finish(const struct date_texts *texts, const char *format,
                   const struct padding *padding, char out[DATE_FORMAT_BYTES]) {
    size_t used = 0;
    for (const char *at = format; *at && used + 4 < DATE_FORMAT_BYTES; at++) {
        const int place = *at == '%' ? padded_place(at[1]) : -1;
        out[used++] = *at;
        if (place >= 0 && padding->bare[place])
            out[used++] = '-';
        if (*at == '%' && at[1] == 'f')
            out[used++] = (char)('0' + fraction_digits(texts));
    }
    out[used] = '\0';
}

/* Tries a date with every time after it; or "", with times alone. */
static bool find_with(const struct date_texts *texts, const char *date, const char *zone,
                      char found[DATE_FORMAT_BYTES]) {
    struct padding padding;
    char format[DATE_FORMAT_BYTES];
    for (size_t t = date[0] ? 0 : 1; t < sizeof times / sizeof *times; t++)
        for (size_t m = 0; m < (t == 0 || !date[0] ? 1 : 2); m++) {
            snprintf(format, sizeof format, "%s%s%s%s", date, t == 0 || !date[0] ? "" : marks[m],
                     times[t], t == 0 ? "" : zone);
            if (fits_all(texts, format, &padding)) {
                finish(texts, format, &padding, found);
                return true;
            }
        }
    return false;
}

bool date_find_format(const struct date_texts *texts, char format[DATE_FORMAT_BYTES],
                      bool *ambiguous) {
    size_t length;
    char zone[8], twin[DATE_FORMAT_BYTES];
    *ambiguous = false;
    if (texts->count == 0)
        return false;
    const char *first = text_at(texts, 0, &length);
    zone_of(first, length, zone);
    const size_t count = sizeof dates / sizeof *dates;
    for (size_t i = 0; i < count; i++) {
        if (!find_with(texts, dates[i].date, zone, format))
            continue;
        *ambiguous = i + 1 < count && dates[i + 1].is_twin &&
                     find_with(texts, dates[i + 1].date, zone, twin);
        return !*ambiguous;
    }
    return false;
}

/* ------------------------------------------------------------------ writing */

static int write_token(char token, int width, bool bare, const struct moment *moment, char *out,
                       size_t room) {
    const int hour = token == 'I' ? (moment->hour + 11) % 12 + 1 : moment->hour;
    const int two[] = {moment->month, moment->day, hour};
    const int place = padded_place(token);
    if (place >= 0)
        return snprintf(out, room, bare ? "%d" : "%02d", two[place]);
    switch (token) {
    case 'Y': return snprintf(out, room, "%04d", moment->year);
    case 'y': return snprintf(out, room, "%02d", moment->year % 100);
    case 'M': return snprintf(out, room, "%02d", moment->minute);
    case 'S': return snprintf(out, room, "%02d", moment->second);
    case 'p': return snprintf(out, room, moment->hour < 12 ? "AM" : "PM");
    case 'P': return snprintf(out, room, moment->hour < 12 ? "am" : "pm");
    case 'b': return snprintf(out, room, "%.3s", months[moment->month - 1]);
    case 'B': return snprintf(out, room, "%s", months[moment->month - 1]);
    default: { /* f */
        const double scale = pow(10, width);
        return snprintf(out, room, "%0*.0f", width, fmin(moment->fraction * scale, scale - 1));
    }
    }
}

/* The digits of the fraction that a format shows. */
static int width_of(const char *format) {
    for (const char *at = strchr(format, '%'); at; at = strchr(at + 1, '%'))
        if (at[1] >= '0' && at[1] <= '9' && at[2] == 'f')
            return at[1] - '0';
    return 0;
}

size_t date_text(const char *format, double seconds, char out[DATE_TEXT]) {
    const double scale = pow(10, width_of(format));
    const double shown = floor(seconds * scale + 1e-4) / scale, whole = floor(shown);
    const double day = floor(whole / DAY);
    struct moment moment = {.fraction = floor((seconds - whole) * scale + 1e-4) / scale};
    const int rest = (int)(whole - day * DAY);
    date_of((int64_t)day, &moment);
    moment.hour = rest / 3600;
    moment.minute = rest / 60 % 60;
    moment.second = rest % 60;
    size_t used = 0;
    for (; *format && used + 12 < DATE_TEXT; format++) {
        if (*format != '%') {
            out[used++] = *format;
            continue;
        }
        const bool bare = format[1] == '-';
        const int width = format[1] >= '0' && format[1] <= '9' ? format[1] - '0' : 0;
        format += 1 + (bare || width);
        used += (size_t)write_token(*format, width, bare, &moment, out + used, DATE_TEXT - used);
    }
    out[used] = '\0';
    return used;
}
