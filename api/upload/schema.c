#include "api/upload/schema.h"

#include <string.h>

#include "api/contract/fields.h"
#include "api/contract/json.h"
#include "api/table/column.h"

void schema_init(struct schema *schema) {
    for (int j = 0; j < CELLS_MAX_COLUMNS; j++)
        schema->types[j] = schema->follows[j] = SCHEMA_DETECT;
    schema->label = SCHEMA_LABEL_OPEN;
}

static void no_column(const struct cells *cells, const char *name, const char *pointer,
                      struct problem_fields *wrong) {
    const char *names[CELLS_MAX_COLUMNS + 1] = {NULL};
    for (int j = 0; j < cells->count; j++)
        names[j] = cells->columns[j].name;
    const char *nearest = fields_nearest(names, name);
    if (nearest)
        problem_add(wrong, pointer, "there is no column \"%.64s\"; did you mean \"%s\"?", name,
                    nearest);
    else
        problem_add(wrong, pointer, "there is no column \"%.64s\"", name);
}

/* null asks for the type that fits. */
static void read_type(const cJSON *json, const char *pointer, int *type,
                      struct problem_fields *wrong) {
    const char *text = cJSON_GetStringValue(json);
    const int found = text ? fields_index(column_type_names, text) : -1;
    if (found < 0 && !cJSON_IsNull(json))
        problem_add(wrong, pointer, "\"type\" must be null or one of %s",
                    fields_list(column_type_names, wrong->arena));
    else
        *type = found < 0 ? SCHEMA_DETECT : found;
}

/* null: from none; or the name of the column that it follows from. */
static void read_follows(const cJSON *json, const struct cells *cells, const char *pointer,
                         int *follows, struct problem_fields *wrong) {
    const char *name = cJSON_GetStringValue(json);
    const int found = name ? cells_find_column(cells, name) : -1;
    if (cJSON_IsNull(json))
        *follows = SCHEMA_INDEPENDENT;
    else if (!name)
        problem_add(wrong, pointer, "\"follows\" must be null or the name of a column");
    else if (found < 0)
        no_column(cells, name, pointer, wrong);
    else
        *follows = found;
}

/* {"type": .., "follows": ..} */
static void read_column(const cJSON *json, const struct cells *cells, int column,
                        struct schema *schema, struct problem_fields *wrong) {
    const char *allocated = problem_pointer(wrong, "columns", json->string);
    const char *pointer = allocated ? allocated : "";
    if (!cJSON_IsObject(json)) {
        problem_add(wrong, pointer, "must be an object such as {\"type\": \"categorical\"}");
        return;
    }
    for (const cJSON *member = json->child; member; member = member->next) {
        if (json_is_repeated(json, member))
            problem_add(wrong, pointer, "\"%.64s\" is given twice", member->string);
        else if (strcmp(member->string, "type") == 0)
            read_type(member, pointer, &schema->types[column], wrong);
        else if (strcmp(member->string, "follows") == 0)
            read_follows(member, cells, pointer, &schema->follows[column], wrong);
        else
            problem_add(wrong, pointer, "\"%.64s\" is unknown: there are \"type\" and \"follows\"",
                        member->string);
    }
}

static void read_columns(const cJSON *json, const struct cells *cells, struct schema *schema,
                         struct problem_fields *wrong) {
    if (!cJSON_IsObject(json)) {
        problem_add(wrong, "/columns",
                    "must be an object such as {\"zip\": {\"type\": \"categorical\"}}");
        return;
    }
    for (const cJSON *member = json->child; member; member = member->next) {
        const int column = cells_find_column(cells, member->string);
        const char *pointer = problem_pointer(wrong, "columns", member->string);
        if (column < 0)
            no_column(cells, member->string, pointer ? pointer : "", wrong);
        else if (json_is_repeated(json, member))
            problem_add(wrong, pointer ? pointer : "", "is given twice");
        else
            read_column(member, cells, column, schema, wrong);
    }
}

static void read_label(const cJSON *json, const struct cells *cells, struct schema *schema,
                       struct problem_fields *wrong) {
    const char *name = cJSON_GetStringValue(json);
    if (cJSON_IsNull(json))
        schema->label = SCHEMA_NO_LABEL;
    else if (!name)
        problem_add(wrong, "/label", "must be the name of a column, or null");
    else if ((schema->label = cells_find_column(cells, name)) < 0)
        no_column(cells, name, "/label", wrong);
}

void schema_read(const cJSON *json, const struct cells *cells, struct schema *schema,
                 struct problem_fields *wrong) {
    if (!cJSON_IsObject(json)) {
        problem_add(wrong, "", "must be an object with \"columns\" or \"label\"");
        return;
    }
    for (const cJSON *member = json->child; member; member = member->next) {
        if (json_is_repeated(json, member))
            problem_add(wrong, "", "\"%.64s\" is given twice", member->string);
        else if (strcmp(member->string, "columns") == 0)
            read_columns(member, cells, schema, wrong);
        else if (strcmp(member->string, "label") == 0)
            read_label(member, cells, schema, wrong);
        else
            problem_add(wrong, "", "\"%.64s\" is unknown: there are \"columns\" and \"label\"",
                        member->string);
    }
}
