/* The rows of a field table as JSON Schema. */
#include <string.h>

#include "api/contract/openapi.h"
#include "api/spec.h"
#include "engine/denoise.h"

static void member(struct json_writer *json, const char *key, const char *text) {
    json_key(json, key);
    json_string(json, text);
}

static void write_choices(const struct field *field, struct json_writer *json) {
    json_key(json, "enum");
    json_open(json, '[');
    for (int i = 0; field->choices[i]; i++)
        json_string(json, field->choices[i]);
    json_close(json, ']');
}

static void write_number_limits(const struct field *field, struct json_writer *json) {
    json_key(json, field->flags & FIELD_OPEN_MIN ? "exclusiveMinimum" : "minimum");
    json_double(json, field->min);
    json_key(json, "maximum");
    json_double(json, field->type == FIELD_SEED ? 9007199254740991 : field->max);
    if (field->flags & FIELD_EVEN) {
        json_key(json, "multipleOf");
        json_integer(json, 2);
    }
}

/* The forms of one data set: its name, an object with the rows of the group "dataset", or one
 * with the id of an upload. */
static void write_source_schemas(const struct field_set *set, struct json_writer *json) {
    for (size_t i = 0; i < set->count; i++) {
        const struct field *row = &set->rows[i];
        if (strcmp(row->group, "dataset") != 0 || row->type != FIELD_CHOICE)
            continue;
        json_open(json, '{');
        write_choices(row, json);
        json_close(json, '}');
    }
    json_open(json, '{');
    openapi_group(set, "dataset", json);
    json_close(json, '}');
    json_open(json, '{');
    openapi_group(&upload_source_fields, "", json);
    json_key(json, "required");
    json_raw(json, "[\"id\"]");
    json_close(json, '}');
}

/* What the owner of a FIELD_OTHER reads, by name. */
static void write_other(const struct field_set *set, const struct field *field,
                        struct json_writer *json) {
    if (strcmp(field->name, "dataset") == 0) {
        json_key(json, "anyOf");
        json_open(json, '[');
        write_source_schemas(set, json);
        json_open(json, '{');
        member(json, "type", "array");
        json_key(json, "minItems");
        json_integer(json, 1);
        json_key(json, "maxItems");
        json_integer(json, DN_MAX_CLASSES);
        json_key(json, "items");
        json_open(json, '{');
        json_key(json, "anyOf");
        json_open(json, '[');
        write_source_schemas(set, json);
        json_close(json, ']');
        json_close(json, '}');
        json_close(json, '}');
        json_close(json, ']');
    } else if (strcmp(field->name, "classes") == 0) {
        json_key(json, "type");
        json_raw(json, "[\"array\",\"null\"],\"items\":{\"type\":\"string\"}");
    } else { /* noise */
        json_key(json, "type");
        json_string(json, "array");
        json_key(json, "items");
        json_raw(json, "{\"type\":\"array\",\"items\":{\"type\":\"number\"}}");
    }
}

void openapi_field(const struct field_set *set, const struct field *field,
                   struct json_writer *json) {
    static const char *const types[] = {
        [FIELD_INTEGER] = "integer", [FIELD_SEED] = "integer",  [FIELD_NUMBER] = "number",
        [FIELD_BOOLEAN] = "boolean", [FIELD_CHOICE] = "string", [FIELD_TEXT] = "string",
        [FIELD_TEXTS] = "array",     [FIELD_CHOICES] = "array", [FIELD_GROUP] = "object",
        [FIELD_OTHER] = NULL,
    };
    member(json, "description", field->doc);
    if (field->type == FIELD_GROUP) {
        openapi_group(set, field->name, json);
        return;
    }
    if (field->flags & FIELD_OR_NUMBER)
        json_raw(json, "\"type\":[\"string\",\"number\"]");
    else if (field->flags & FIELD_OR_NULL)
        json_raw(json, "\"type\":[\"string\",\"null\"]");
    else if (types[field->type])
        member(json, "type", types[field->type]);
    if (field->type == FIELD_INTEGER || field->type == FIELD_SEED || field->type == FIELD_NUMBER)
        write_number_limits(field, json);
    if (field->type == FIELD_TEXTS)
        json_raw(json, "\"items\":{\"type\":\"string\"}");
    if (field->type == FIELD_CHOICES) {
        json_key(json, "items");
        json_open(json, '{');
        member(json, "type", "string");
        write_choices(field, json);
        json_close(json, '}');
    }
    if (field->type == FIELD_TEXT && field->min > 0) {
        json_key(json, "minLength");
        json_integer(json, (int64_t)field->min);
    }
    if (field->type == FIELD_TEXT) {
        json_key(json, "maxLength");
        json_integer(json, (int64_t)field->max);
    }
    if (field->type == FIELD_CHOICE)
        write_choices(field, json);
    if (field->type == FIELD_OTHER)
        write_other(set, field, json);
}

void openapi_group(const struct field_set *set, const char *group, struct json_writer *json) {
    member(json, "type", "object");
    json_key(json, "additionalProperties");
    json_bool(json, false);
    json_key(json, "properties");
    json_open(json, '{');
    for (size_t i = 0; i < set->count; i++) {
        if (strcmp(set->rows[i].group, group) != 0)
            continue;
        json_key(json, set->rows[i].name);
        json_open(json, '{');
        openapi_field(set, &set->rows[i], json);
        json_close(json, '}');
    }
    json_close(json, '}');
}
