/* The rows of a field table as JSON Schema. */
#include <math.h>
#include <string.h>

#include "api/contract/openapi.h"
#include "api/spec/spec.h"
#include "engine/denoise.h"

static void write_choices(const struct field *field, struct json_writer *json) {
    json_key(json, "enum");
    json_strings(json, field->choices);
}

/* For samplers, with what each one does. A field of a response may have no description. */
void openapi_description(const struct field *field, struct json_writer *json) {
    struct buffer doc = {0};
    if (!field->doc)
        return;
    buffer_format(&doc, "%s", field->doc);
    for (int i = 0; i < DN_SAMPLER_COUNT && field->choices == dn_sampler_names; i++)
        buffer_format(&doc, " %s %s.", dn_sampler_names[i], dn_samplers[i].doc);
    buffer_append(&doc, "", 1);
    json_member(json, "description", doc.failed ? field->doc : doc.data);
    buffer_clear(&doc);
}

/* The samplers that by default turn a start point into the same sample for every seed. */
static void write_deterministic(struct json_writer *json) {
    json_member_open(json, "x-deterministic", '[');
    for (int i = 0; i < DN_SAMPLER_COUNT; i++)
        if (!(dn_samplers[i].eta > 0))
            json_string(json, dn_sampler_names[i]);
    json_close(json, ']');
}

/* A field of a response has no limits if min equals max or max is infinite. */
static void write_number_limits(const struct field *field, struct json_writer *json) {
    const double max = field->type == FIELD_UINT53 ? 9007199254740991 : field->max;
    if (field->min < max) {
        json_key(json, field->flags & FIELD_OPEN_MIN ? "exclusiveMinimum" : "minimum");
        json_double(json, field->min);
    }
    if (field->min < max && isfinite(max)) {
        json_key(json, "maximum");
        json_double(json, max);
    }
    if (field->flags & FIELD_EVEN)
        json_member_integer(json, "multipleOf", 2);
    if (field->flags & FIELD_SIXTEENS)
        json_member_integer(json, "multipleOf", 16);
}

/* "type" of a value that may be null. */
static void write_type(const struct field *field, const char *type, struct json_writer *json) {
    const char *other = field->flags & FIELD_OR_NUMBER ? "number"
                        : field->flags & FIELD_OR_NULL ? "null"
                                                       : NULL;
    if (!other) {
        json_member(json, "type", type);
        return;
    }
    json_member_open(json, "type", '[');
    json_string(json, type);
    json_string(json, other);
    json_close(json, ']');
}

/* The forms of one data set: its name, the id of an upload, an object with the rows of the group
 * "dataset", or one with the id of an upload. */
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
    json_member(json, "type", "string");
    json_member(json, "format", "uuid");
    json_close(json, '}');
    json_open(json, '{');
    openapi_group(set, "dataset", json);
    json_close(json, '}');
    json_open(json, '{');
    openapi_group(&upload_source_fields, "", json);
    json_member_raw(json, "required", "[\"id\"]");
    json_close(json, '}');
}

/* The schema of a FIELD_OTHER, by its name. */
static void write_other(const struct field_set *set, const struct field *field,
                        struct json_writer *json) {
    if (strcmp(field->name, "dataset") == 0) {
        json_member_open(json, "anyOf", '[');
        write_source_schemas(set, json);
        json_open(json, '{');
        json_member(json, "type", "array");
        json_member_integer(json, "minItems", 1);
        json_member_integer(json, "maxItems", DN_MAX_CLASSES);
        json_member_open(json, "items", '{');
        json_member_open(json, "anyOf", '[');
        write_source_schemas(set, json);
        json_close(json, ']');
        json_close(json, '}');
        json_close(json, '}');
        json_close(json, ']');
    } else if (strcmp(field->name, "columns") == 0) {
        json_member(json, "type", "array");
        json_member_raw(json, "items", "{\"type\":\"string\"}");
    } else if (strcmp(field->name, "shape") == 0) {
        json_member(json, "type", "array");
        json_member_raw(json, "items", "{\"type\":\"integer\"}");
        json_member_integer(json, "minItems", 3);
        json_member_integer(json, "maxItems", 3);
    } else if (strcmp(field->name, "given") == 0) {
        json_member(json, "type", "object");
        json_member_raw(json, "additionalProperties", "{\"type\":[\"number\",\"null\"]}");
    } else if (strcmp(field->name, "rows") == 0) {
        json_member(json, "type", "array");
        json_member_integer(json, "minItems", 1);
        json_member_integer(json, "maxItems", DN_MAX_SAMPLES);
        json_member_raw(json, "items",
                        "{\"type\":\"object\",\"additionalProperties\":"
                        "{\"type\":[\"number\",\"null\"]}}");
    } else if (strcmp(field->name, "draws") == 0) {
        json_member(json, "type", "integer");
        json_member_integer(json, "minimum", 1);
        json_member_integer(json, "maximum", DN_MAX_SAMPLES);
    } else if (strcmp(field->name, "classes") == 0) {
        json_member_raw(json, "type", "[\"array\",\"null\"]");
        json_member_raw(json, "items", "{\"type\":\"string\"}");
    } else { /* noise */
        json_member(json, "type", "array");
        json_member_raw(json, "items", "{\"type\":\"array\",\"items\":{\"type\":\"number\"}}");
    }
}

static void write_details(const struct field_set *set, const struct field *field,
                          struct json_writer *json) {
    switch (field->type) {
    case FIELD_INTEGER:
    case FIELD_INT64:
    case FIELD_UINT53:
    case FIELD_NUMBER: write_number_limits(field, json); break;
    case FIELD_PAIR:
        json_member_integer(json, "minItems", 2);
        json_member_integer(json, "maxItems", 2);
        json_member_open(json, "items", '{');
        json_member(json, "type", "integer");
        write_number_limits(field, json);
        json_close(json, '}');
        break;
    case FIELD_TEXTS:
    case FIELD_CHOICES:
        json_member_open(json, "items", '{');
        json_member(json, "type", "string");
        if (field->choices)
            write_choices(field, json);
        json_close(json, '}');
        break;
    case FIELD_TEXT:
        if (field->min > 0)
            json_member_integer(json, "minLength", (int64_t)field->min);
        if (field->max > 0)
            json_member_integer(json, "maxLength", (int64_t)field->max);
        break;
    case FIELD_TIME: json_member(json, "format", "date-time"); break;
    case FIELD_LIST:
        if (field->max > 0) {
            json_member_integer(json, "minItems", (int64_t)field->min);
            json_member_integer(json, "maxItems", (int64_t)field->max);
        }
        json_member_open(json, "items", '{');
        openapi_group(field->set, "", json);
        json_close(json, '}');
        break;
    case FIELD_ID: json_member(json, "format", "uuid"); break;
    case FIELD_CHOICE:
        write_choices(field, json);
        if (field->choices == dn_sampler_names)
            write_deterministic(json);
        break;
    case FIELD_OTHER: write_other(set, field, json); break;
    default: break;
    }
}

void openapi_field(const struct field_set *set, const struct field *field,
                   struct json_writer *json) {
    static const char *const types[] = {
        [FIELD_INTEGER] = "integer", [FIELD_UINT53] = "integer", [FIELD_NUMBER] = "number",
        [FIELD_BOOLEAN] = "boolean", [FIELD_CHOICE] = "string",  [FIELD_TEXT] = "string",
        [FIELD_TEXTS] = "array",     [FIELD_CHOICES] = "array",  [FIELD_INT64] = "integer",
        [FIELD_TIME] = "string",     [FIELD_STRING] = "string",  [FIELD_ID] = "string",
        [FIELD_LIST] = "array",      [FIELD_PAIR] = "array",     [FIELD_MEMBERS] = NULL,
    };
    const bool is_id = field->type == FIELD_ID && !(field->flags & FIELD_OR_NULL);
    openapi_description(field, json);
    if (field->type == FIELD_GROUP) {
        openapi_group(set, field->name, json);
    } else if (is_id || field->schema) {
        openapi_reference("schemas", is_id ? "Id" : field->schema, json);
    } else if (field->type == FIELD_OBJECT) {
        openapi_group(field->set, "", json);
    } else {
        if (types[field->type])
            write_type(field, types[field->type], json);
        write_details(set, field, json);
    }
}

static void write_properties(const struct field_set *set, const char *group,
                             struct json_writer *json) {
    for (size_t i = 0; i < set->count; i++) {
        const struct field *row = &set->rows[i];
        if (strcmp(row->group, group) != 0)
            continue;
        if (row->type == FIELD_MEMBERS) {
            write_properties(row->set, "", json);
            continue;
        }
        json_member_open(json, row->name, '{');
        openapi_field(set, row, json);
        json_close(json, '}');
    }
}

static void write_names(const struct field_set *set, const char *group, struct json_writer *json) {
    for (size_t i = 0; i < set->count; i++)
        if (strcmp(set->rows[i].group, group) != 0 || (set->rows[i].flags & FIELD_OPTIONAL))
            continue;
        else if (set->rows[i].type == FIELD_MEMBERS)
            write_names(set->rows[i].set, "", json);
        else
            json_string(json, set->rows[i].name);
}

/* The members that all object schemas have. */
static void write_object(const struct field_set *set, const char *group, struct json_writer *json) {
    const struct field object = {.flags = set->may_be_null && !group[0] ? FIELD_OR_NULL : 0};
    write_type(&object, "object", json);
    if (set->doc && !group[0])
        json_member(json, "description", set->doc);
    json_key(json, "additionalProperties");
    json_bool(json, false);
    if (!set->is_answer)
        return;
    json_member_open(json, "required", '[');
    write_names(set, group, json);
    json_close(json, ']');
}

void openapi_group(const struct field_set *set, const char *group, struct json_writer *json) {
    write_object(set, group, json);
    json_member_open(json, "properties", '{');
    write_properties(set, group, json);
    json_close(json, '}');
}

void openapi_columns(const struct field_set *set, struct json_writer *json) {
    write_object(set, "", json);
    json_member_open(json, "properties", '{');
    for (size_t i = 0; i < set->count; i++) {
        struct field item = set->rows[i];
        json_member_open(json, item.name, '{');
        if (item.doc)
            json_member(json, "description", item.doc);
        json_member(json, "type", "array");
        json_member_open(json, "items", '{');
        item.doc = NULL;
        openapi_field(set, &item, json);
        json_close(json, '}');
        json_close(json, '}');
    }
    json_close(json, '}');
}
