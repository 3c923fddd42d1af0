/* How a column writes its numbers: never a factor of a thousand in silence. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "api/table/notation.h"

/* A column of these texts, separated by | */
static void add(struct cells *cells, const char *texts) {
    const int column = cells_add_column(cells, "x", 1);
    while (*texts) {
        const size_t length = strcspn(texts, "|");
        cr_assert(cells_put(cells, column, texts, length));
        texts += length + (texts[length] == '|');
    }
}

static struct notation of(const char *texts, const char *others, enum decimal_mode mode) {
    struct cells cells = {0};
    struct notation found[2];
    add(&cells, texts);
    if (others)
        add(&cells, others);
    notation_find(&cells, mode, found);
    cells_clear(&cells);
    return found[0];
}

/* texts of a column; of another column; what the client says; decimal and thousands: "?" unknown */
static const struct {
    const char *texts, *others;
    enum decimal_mode mode;
    const char *expected;
} columns[] = {
    {"1|2|3", NULL, DECIMAL_AUTO, "."},
    {"1.5|2", NULL, DECIMAL_AUTO, "."},
    {"1.234|2.345", NULL, DECIMAL_AUTO, "."},
    {"1.234|2.345", "5,1", DECIMAL_AUTO, "?"},
    {"1.234|2.345", NULL, DECIMAL_COMMA, ",."},
    {"1.234|2.34", NULL, DECIMAL_COMMA, "."},
    {"5,1|3,25", NULL, DECIMAL_AUTO, ","},
    {"5,1|3,25", NULL, DECIMAL_POINT, "?"},
    {"5,1|3,256", NULL, DECIMAL_AUTO, ","},
    {"0,123|1,234", NULL, DECIMAL_AUTO, ","},
    {"-0,123|-1,234", NULL, DECIMAL_AUTO, ","},
    {"1,234e3|1,2", NULL, DECIMAL_AUTO, ","},
    {"5,1|1.234", NULL, DECIMAL_AUTO, ",."},
    {"5,1|1.5", NULL, DECIMAL_AUTO, "?"},
    {"1,234", NULL, DECIMAL_AUTO, "?"},
    {"1,234", NULL, DECIMAL_COMMA, ",."},
    {"1,234", NULL, DECIMAL_POINT, ".,"},
    {"1,234", "5,1", DECIMAL_AUTO, ",."},
    {"1,234", "5.1", DECIMAL_AUTO, ".,"},
    {"1,234", "5.1|5,1", DECIMAL_AUTO, "?"},
    {"1,234|5.25", NULL, DECIMAL_AUTO, ".,"},
    {"1,234|5.256", NULL, DECIMAL_AUTO, "?"},
    {"1,234,567|1,234", NULL, DECIMAL_AUTO, ".,"},
    {"1,234,567|1,23", NULL, DECIMAL_AUTO, "?"},
    {"1,234.5|1,234", NULL, DECIMAL_AUTO, ".,"},
    {"1.234,5|1.234", NULL, DECIMAL_AUTO, ",."},
    {"1.234,5|1,234.5", NULL, DECIMAL_AUTO, "?"},
    {"1.234.567|1.5", NULL, DECIMAL_AUTO, "?"},
    {"1 234|5", NULL, DECIMAL_AUTO, ". "},
    {"1 234|5,5", NULL, DECIMAL_AUTO, ", "},
    {"1 234,5|5", NULL, DECIMAL_AUTO, ", "},
    {"1 234|5,5|5.5", NULL, DECIMAL_AUTO, "?"},
    {"1'234.5", NULL, DECIMAL_AUTO, ".'"},
    {"red|1, 2, 3|a,b", NULL, DECIMAL_AUTO, "."},
    {"12,34,567|1,2,3|1 2|,5,|0,123,456|1234,567,890", NULL, DECIMAL_AUTO, "."},
};

Test(notation, is_that_of_the_column) {
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
        const struct notation found = of(columns[i].texts, columns[i].others, columns[i].mode);
        const char *expected = columns[i].expected;
        const char decimal = expected[0] == '?' ? 0 : expected[0];
        cr_assert_eq(found.decimal, decimal, "%s: %c", columns[i].texts, found.decimal);
        cr_assert(!decimal || found.thousands == expected[1], "%s: %c", columns[i].texts,
                  found.thousands);
    }
}

Test(notation, only_whole_groups_are_thousands) {
    static const char *const none[] = {
        "12,34,567", "1,2,3", "1 2", "1 23",  ",5,", "0,123,456", "1234 567",  "1 234 5", "1,,234",
        "1'234,5'6", ",",     ".",   "1.5.6", "e5",  "-",         "1 234'567", "12 345e"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        cr_assert_eq(notation_kind(none[i], strlen(none[i])), NOTATION_NONE, "%s", none[i]);
    static const struct {
        const char *text;
        enum notation_kind kind;
    } some[] = {{"12", NOTATION_PLAIN},       {" -1e5 ", NOTATION_PLAIN},
                {"1.5", NOTATION_POINT},      {"+.5", NOTATION_POINT},
                {"1,5", NOTATION_COMMA},      {",5", NOTATION_COMMA},
                {"1234,567", NOTATION_COMMA}, {"0,567", NOTATION_COMMA},
                {"1,234", NOTATION_EITHER},   {"-12,345", NOTATION_EITHER},
                {"1 234", NOTATION_GROUPED},  {"1,234,567.8", NOTATION_GROUPED}};
    for (size_t i = 0; i < sizeof some / sizeof *some; i++)
        cr_assert_eq(notation_kind(some[i].text, strlen(some[i].text)), some[i].kind, "%s",
                     some[i].text);
}

/* Every number, written with every pair of marks, is read as it was. */
Test(notation, numbers_are_read_as_they_were_written) {
    static const struct notation pairs[] = {{'.', 0},   {',', 0},   {'.', ','}, {',', '.'},
                                            {'.', ' '}, {',', ' '}, {'.', '\''}};
    for (size_t k = 0; k < sizeof pairs / sizeof *pairs; k++)
        for (int i = -3000000; i < 3000000; i += 997) {
            char plain[32], text[64], *out = text;
            snprintf(plain, sizeof plain, "%.3f", i / 8.0);
            const char *digits = plain + (plain[0] == '-');
            const size_t whole = strcspn(digits, ".");
            if (plain[0] == '-')
                *out++ = '-';
            for (size_t d = 0; d < whole; d++) {
                if (d > 0 && (whole - d) % 3 == 0 && pairs[k].thousands)
                    *out++ = pairs[k].thousands;
                *out++ = digits[d];
            }
            *out++ = pairs[k].decimal;
            strcpy(out, digits + whole + 1);
            double value;
            cr_assert(notation_read(pairs[k], text, strlen(text), &value), "%s", text);
            cr_assert_eq(value, i / 8.0, "%s: %g", text, value);
        }
}

Test(notation, a_number_in_another_notation_is_none) {
    static const struct {
        struct notation notation;
        const char *text;
    } wrong[] = {{{'.', 0}, "1,5"},   {{'.', 0}, "1 234"},   {{',', 0}, "1.5"},
                 {{',', 0}, "1 234"}, {{',', ' '}, "1.5"},   {{',', '.'}, "1.5"},
                 {{'.', ','}, "1,5"}, {{'.', '\''}, "1 234"}};
    double value;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        cr_assert_not(
            notation_read(wrong[i].notation, wrong[i].text, strlen(wrong[i].text), &value), "%s",
            wrong[i].text);
}
