/* Rows of fields as answers: every type, what is null, tables in JSON and CSV, and the schema. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "api/contract/openapi.h"
#include "api/format/table.h"

enum color { RED, BLUE };
static const char *const color_names[] = {"red", "blue", NULL};

struct part {
    double value, floor;
};
struct thing {
    char id[5];
    const char *name;
    int count;
    int64_t bytes;
    uint64_t seed;
    double loss;
    bool is_new;
    enum color color;
    const char *json;
    int64_t at;
    struct part part;
    struct field_list parts;
};

static void write_twice(const void *value, struct json_writer *json) {
    json_integer(json, 2 * *(const int *)value);
}

#define PART(member) offsetof(struct part, member)
static const struct field part_rows[] = {
    {"", "value", FIELD_NUMBER, PART(value)},
    {"", "floor", FIELD_NUMBER, PART(floor), .flags = FIELD_OR_NULL},
};
static const struct field_set part_set = ANSWER(part_rows, .may_be_null = true);

#define AT(member) offsetof(struct thing, member)
static const struct field shared_rows[] = {
    {"", "id", FIELD_ID, AT(id)},
    {"", "name", FIELD_STRING, AT(name), .flags = FIELD_OR_NULL},
};
static const struct field_set shared = ANSWER(shared_rows);
static const struct field rows[] = {
    {"", "", FIELD_MEMBERS, .set = &shared},
    {"", "count", FIELD_INTEGER, AT(count), 1, 9, FIELD_OR_NULL},
    {"", "bytes", FIELD_INT64, AT(bytes), 0, INFINITY, FIELD_OR_NULL},
    {"", "seed", FIELD_UINT53, AT(seed)},
    {"", "inner", FIELD_GROUP, .doc = "Both."},
    {"inner", "loss", FIELD_NUMBER, AT(loss), .flags = FIELD_OR_NULL},
    {"inner", "is_new", FIELD_BOOLEAN, AT(is_new)},
    {"", "color", FIELD_CHOICE, AT(color), .choices = color_names},
    {"", "json", FIELD_JSON, AT(json), .schema = "Names"},
    {"", "at", FIELD_TIME, AT(at), .flags = FIELD_OR_NULL},
    {"", "part", FIELD_OBJECT, AT(part), .set = &part_set},
    {"", "parts", FIELD_LIST, AT(parts), 1, 3, FIELD_OR_NULL, .set = &part_set},
    {"", "twice", FIELD_INTEGER, AT(count), .write = write_twice},
    {"", "extra", FIELD_INTEGER, AT(count), .flags = FIELD_OPTIONAL},
};
static const struct field_set set = ANSWER(rows, .doc = "A thing.");

static void assert_written(const struct thing *thing, const char *expected) {
    struct buffer out = {0};
    fields_write(&set, thing, &(struct json_writer){.out = &out});
    buffer_append(&out, "", 1);
    cr_assert_str_eq(out.data, expected);
    buffer_clear(&out);
}

Test(answers, every_type_is_written) {
    const struct part parts[] = {{1.5, NAN}, {NAN, 2}};
    assert_written(&(struct thing){.id = "abcd",
                                   .name = "a \"b\"",
                                   .count = 3,
                                   .bytes = INT64_C(1) << 40,
                                   .seed = 7,
                                   .loss = 0.1,
                                   .is_new = true,
                                   .color = BLUE,
                                   .json = "[\"x\"]",
                                   .at = 1000,
                                   .part = {0.25, 4},
                                   .parts = {parts, sizeof *parts, 2}},
                   "{\"id\":\"abcd\",\"name\":\"a \\\"b\\\"\",\"count\":3,\"bytes\":1099511627776,"
                   "\"seed\":7,\"inner\":{\"loss\":0.1,\"is_new\":true},\"color\":\"blue\","
                   "\"json\":[\"x\"],\"at\":\"1970-01-01T00:00:01.000Z\","
                   "\"part\":{\"value\":0.25,\"floor\":4},"
                   "\"parts\":[{\"value\":1.5,\"floor\":null},null],\"twice\":6}");
}

Test(answers, what_is_not_known_is_null) {
    assert_written(&(struct thing){.bytes = -1, .loss = NAN, .part = {NAN, 4}},
                   "{\"id\":\"\",\"name\":null,\"count\":null,\"bytes\":null,\"seed\":0,"
                   "\"inner\":{\"loss\":null,\"is_new\":false},\"color\":\"red\",\"json\":null,"
                   "\"at\":null,\"part\":null,\"parts\":null,\"twice\":0}");
}

Test(answers, a_table_has_empty_cells_for_null) {
    static const struct field columns[] = {
        {"", "count", FIELD_INTEGER, AT(count)},
        {"", "loss", FIELD_NUMBER, AT(loss), .flags = FIELD_OR_NULL},
        {"", "bytes", FIELD_INT64, AT(bytes)},
    };
    static const struct field_set column_set = ANSWER(columns);
    const struct thing things[] = {{.count = 1, .loss = 0.5, .bytes = 10},
                                   {.count = 2, .loss = NAN}};
    const struct table table = {&column_set, things, sizeof *things, 2};
    const struct table empty = {&column_set, NULL, sizeof *things, 0};
    struct buffer out = {0};
    table_write_csv(&table, &out);
    table_write_csv(&empty, &out);
    table_write_names(&table, &(struct json_writer){.out = &out});
    table_write_columns(&table, &(struct json_writer){.out = &out});
    buffer_append(&out, "", 1);
    cr_assert_str_eq(out.data, "count,loss,bytes\r\n1,0.5,10\r\n2,,0\r\n"
                               "count,loss,bytes\r\n"
                               "[\"count\",\"loss\",\"bytes\"]"
                               "{\"count\":[1,2],\"loss\":[0.5,null],\"bytes\":[10,0]}");
    buffer_clear(&out);
}

Test(answers, the_schema_says_what_is_written) {
    struct buffer out = {0};
    struct json_writer json = {.out = &out};
    json_open(&json, '{');
    openapi_group(&set, "", &json);
    json_close(&json, '}');
    buffer_append(&out, "", 1);
    cr_assert_str_eq(
        out.data,
        "{\"type\":\"object\",\"description\":\"A thing.\",\"additionalProperties\":false,"
        "\"required\":[\"id\",\"name\",\"count\",\"bytes\",\"seed\",\"inner\",\"color\",\"json\","
        "\"at\",\"part\",\"parts\",\"twice\"],\"properties\":{"
        "\"id\":{\"$ref\":\"#/components/schemas/Id\"},"
        "\"name\":{\"type\":[\"string\",\"null\"]},"
        "\"count\":{\"type\":[\"integer\",\"null\"],\"minimum\":1,\"maximum\":9},"
        "\"bytes\":{\"type\":[\"integer\",\"null\"],\"minimum\":0},"
        "\"seed\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":9007199254740991},"
        "\"inner\":{\"description\":\"Both.\",\"type\":\"object\",\"additionalProperties\":false,"
        "\"required\":[\"loss\",\"is_new\"],\"properties\":{"
        "\"loss\":{\"type\":[\"number\",\"null\"]},\"is_new\":{\"type\":\"boolean\"}}},"
        "\"color\":{\"type\":\"string\",\"enum\":[\"red\",\"blue\"]},"
        "\"json\":{\"$ref\":\"#/components/schemas/Names\"},"
        "\"at\":{\"type\":[\"string\",\"null\"],\"format\":\"date-time\"},"
        "\"part\":{\"type\":[\"object\",\"null\"],\"additionalProperties\":false,"
        "\"required\":[\"value\",\"floor\"],\"properties\":{\"value\":{\"type\":\"number\"},"
        "\"floor\":{\"type\":[\"number\",\"null\"]}}},"
        "\"parts\":{\"type\":[\"array\",\"null\"],\"minItems\":1,\"maxItems\":3,"
        "\"items\":{\"type\":[\"object\",\"null\"],\"additionalProperties\":false,"
        "\"required\":[\"value\",\"floor\"],\"properties\":{\"value\":{\"type\":\"number\"},"
        "\"floor\":{\"type\":[\"number\",\"null\"]}}}},"
        "\"twice\":{\"type\":\"integer\"},\"extra\":{\"type\":\"integer\"}}}");
    buffer_clear(&out);
}
