/* Rows of a table for the terminal. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "api/format/text_table.h"

static void check(const char *csv, size_t rows, const char *wanted) {
    struct buffer out = {0};
    text_table(&out, csv, strlen(csv), rows);
    cr_assert(!out.failed);
    cr_assert_eq(out.length, strlen(wanted), "%.*s", (int)out.length, out.data);
    cr_assert_eq(memcmp(out.data, wanted, out.length), 0, "%.*s", (int)out.length, out.data);
    buffer_clear(&out);
}

Test(text_table, numbers_are_on_the_right) {
    check("name,x\r\nb,-1.5\r\nlonger,10\r\nc,NaN\r\n", 3,
          "name       x\n"
          "b       -1.5\n"
          "longer    10\n"
          "c        NaN\n");
}

Test(text_table, quotes_belong_to_csv) {
    check("\"a,b\",c\r\n\"say \"\"hi\"\"\",\r\n\"\",z\r\n", 2,
          "a,b       c\n"
          "say \"hi\"  \n"
          "          z\n");
}

Test(text_table, characters_count_and_not_bytes) {
    check("city,n\r\nM\xc3\xbcnchen,1\r\nRom,22\r\n", 2,
          "city      n\n"
          "M\xc3\xbcnchen   1\n"
          "Rom      22\n");
}

Test(text_table, long_cells_are_cut) {
    check("t,n\r\n123456789012345678901234,1\r\n1234567890123456789012345,2\r\n", 2,
          "                       t  n\n"
          "123456789012345678901234  1\n"
          "12345678901234567890123\xe2\x80\xa6  2\n");
}

Test(text_table, nothing_controls_the_terminal) {
    check("t\r\n\x1b[2J\r\n\"a\nb\"\r\n\xc2\x9b"
          "1m\r\n\x7f\r\n",
          4,
          "t\n"
          "?[2J\n"
          "a?b\n"
          "?1m\n"
          "?\n");
}

Test(text_table, says_how_many_rows_there_are) {
    check("n\r\n1\r\n", TEXT_TABLE_ROWS, "n\n1\n");
    check("n\r\n1\r\n", 344, "n\n1\n20 of 344 rows\n");
}

/* What is not CSV at all neither hangs nor reads beyond the end. */
Test(text_table, any_bytes) {
    static const char *const texts[] = {"",    "\"", "\"\"", "\"a",      ",",
                                        "a,b", "\r", "a\r",  "\r\n\r\n", "a\"b,\"c\"d\r\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct buffer out = {0};
        char *copy = strdup(texts[i]); /* for the sanitizer */
        text_table(&out, copy, strlen(copy), 1);
        cr_assert(!out.failed);
        free(copy);
        buffer_clear(&out);
    }
}
