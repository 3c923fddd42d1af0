/* Maps of columns that follow from others, and the rows that they fill in. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "api/table/column_map.h"
#include "api/table/form.h"

static bool is_value(double a, double b) {
    return isnan(b) ? isnan(a) : a == b;
}

Test(column_map, finds_values_both_ways) {
    struct arena arena = {0};
    struct column_pair pairs[] = {{7, 2}, {-1, 5}, {NAN, 9}, {3, 2}, {0, NAN}};
    struct column_map map;
    double from = 0;
    cr_assert(column_map_make(pairs, 5, &arena, &map));
    cr_assert(map.count == 5 && isnan(map.from[0]) && map.from[1] == -1 && map.from[4] == 7);
    const double cases[][2] = {{NAN, 9}, {-1, 5},    {0, NAN}, {3, 2},  {7, 2},
                               {-9, 5},  {2.9, NAN}, {99, 2},  {3.5, 2}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        cr_assert(is_value(column_map_value(&map, cases[i][0]), cases[i][1]), "of %g", cases[i][0]);
    cr_assert(column_map_source(&map, 5, &from) && from == -1);
    cr_assert(column_map_source(&map, NAN, &from) && from == 0);
    cr_assert(column_map_source(&map, 9, &from) && isnan(from));
    cr_assert_not(column_map_source(&map, 2, &from)); /* there are two */
    cr_assert_not(column_map_source(&map, 4, &from));
    pairs[0] = (struct column_pair){4, 1}; /* a column that is never missing */
    cr_assert(column_map_make(pairs, 1, &arena, &map));
    cr_assert(isnan(column_map_value(&map, NAN)) && column_map_value(&map, -100) == 1);
    arena_clear(&arena);
}

Test(column_map, text_comes_back) {
    struct arena arena = {0};
    struct buffer out = {0};
    struct column_map map, read;
    struct column_pair pairs[] = {{0.1, 1e-300}, {NAN, NAN}, {1e17, -3}};
    cr_assert(column_map_make(pairs, 3, &arena, &map));
    column_map_write(&map, &(struct json_writer){.out = &out});
    buffer_append(&out, "", 1);
    cr_assert_str_eq(out.data, "[[null,null],[0.1,1e-300],[1e+17,-3]]");
    cJSON *json = cJSON_Parse(out.data);
    cr_assert(column_map_read(json, &arena, &read) && read.count == 3);
    for (int i = 0; i < 3; i++)
        cr_assert(is_value(read.from[i], map.from[i]) && is_value(read.to[i], map.to[i]));
    cJSON_Delete(json);
    buffer_clear(&out);
    arena_clear(&arena);
}

/* b follows from a, which is a coordinate; c from the labels. */
Test(column_map, forms_have_the_values_of_columns_that_follow) {
    static const char text[] =
        "{\"label\":\"k\",\"columns\":["
        "{\"name\":\"b\",\"type\":\"integer\",\"format\":\"0\",\"min\":0,\"max\":99,"
        "\"follows\":\"a\",\"map\":[[1,10],[2,20]]},"
        "{\"name\":\"k\",\"type\":\"categorical\",\"levels\":[\"x\",\"y\"]},"
        "{\"name\":\"c\",\"type\":\"integer\",\"format\":\"0\",\"min\":0,\"max\":99,"
        "\"follows\":\"k\",\"map\":[[0,5],[1,6]]},"
        "{\"name\":\"a\",\"type\":\"integer\",\"format\":\"0\",\"min\":1,\"max\":2,"
        "\"coordinate\":0}]}";
    struct arena arena = {0};
    const struct table_form *form = form_read(text, &arena);
    cr_assert(form && !form_wrong(form, 1, true, &arena));
    const double values[] = {2};
    cr_assert(form_value(form, 0, values, 1) == 20 && form_value(form, 3, values, 1) == 2);
    cr_assert(form_value(form, 2, values, 1) == 6 && isnan(form_value(form, 2, values, -1)));
    struct buffer out = {0};
    form_csv_row(form, &(struct form_row){values, 0, "x", 0}, &out);
    form_csv_row(form, &(struct form_row){(double[]){NAN}, -1, NULL, 1}, &out);
    buffer_append(&out, "", 1);
    cr_assert_str_eq(out.data, "20,x,5,2\r\n,,,\r\n");
    buffer_clear(&out);
    arena_clear(&arena);
}
