#include "api/contract/fields.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/format/number.h"
#include "server/base/guess.h"

_Static_assert(sizeof(size_t) == sizeof(int64_t), "a FIELD_INT64 may be a size_t");

static const double MAX_SEED = 9007199254740991; /* 2^53 - 1 */

int fields_index(const char *const *names, const char *text) {
    for (int i = 0; names[i]; i++)
        if (strcmp(names[i], text) == 0)
            return i;
    return -1;
}

const char *fields_list(const char *const *names, struct arena *arena) {
    enum { MAX_NAMES = 30, MAX_BYTES = PROBLEM_DETAIL / 2 }; /* the message has other words, too */
    const char *list = "";
    int count = 0, listed = 0;
    while (names[count])
        count++;
    while (list && listed < count && listed < MAX_NAMES &&
           strlen(list) + strlen(names[listed]) < MAX_BYTES) {
        list = arena_format(arena, "%s%s\"%s\"", list, listed ? ", " : "", names[listed]);
        listed++;
    }
    return listed == count || !list ? list
                                    : arena_format(arena, "%s and %d more", list, count - listed);
}

/* ------------------------------------------------------------------ unknown names */

const char *fields_nearest(const char *const *names, const char *text) {
    struct guess guess = {.typed = text};
    for (int i = 0; names[i]; i++)
        guess_offer(&guess, names[i], 0);
    return guess.meant;
}

/* The field that was probably meant: a similar name here, or the same name in another group. */
static const struct field *field_meant(const struct field_set *set, const char *group,
                                       const char *name) {
    const struct field *best = NULL;
    struct guess guess = {.typed = name};
    for (size_t i = 0; i < set->count; i++) {
        const struct field *row = &set->rows[i];
        int extra = 0;
        if (strcmp(row->group, group) != 0)
            extra = strcmp(row->name, name) == 0 ? 1 : 99;
        if (guess_offer(&guess, row->name, extra))
            best = row;
    }
    return best;
}

static void add_unknown(const struct field_set *set, const char *group, const char *name,
                        struct problem_fields *wrong) {
    const struct field *meant = field_meant(set, group, name);
    if (meant)
        problem_add(wrong, problem_pointer(wrong, group, name),
                    "unknown field; did you mean \"%s%s%s\"?", meant->group,
                    meant->group[0] ? "." : "", meant->name);
    else
        problem_add(wrong, problem_pointer(wrong, group, name), "unknown field");
}

/* ------------------------------------------------------------------ values */

static void *value_at(const struct field *field, void *target) {
    return (char *)target + field->offset;
}

/* What an integer must be a multiple of. */
static int step_of(const struct field *field) {
    return field->flags & FIELD_EVEN ? 2 : field->flags & FIELD_SIXTEENS ? 16 : 1;
}

static void wrong_range(const struct field *field, const char *pointer,
                        struct problem_fields *wrong) {
    const char *kind = field->type == FIELD_NUMBER ? "a number"
                       : step_of(field) == 2       ? "an even integer"
                       : step_of(field) == 16      ? "a multiple of 16"
                                                   : "an integer";
    if (field->type == FIELD_UINT53)
        problem_add(wrong, pointer, "must be an integer from 0 to 9007199254740991 (2^53 - 1)");
    else if (field->flags & FIELD_OPEN_MIN)
        problem_add(wrong, pointer, "must be %s above %.10g and at most %.10g", kind, field->min,
                    field->max);
    else
        problem_add(wrong, pointer, "must be %s from %.10g to %.10g", kind, field->min, field->max);
}

static bool in_range(const struct field *field, double value) {
    double max = field->type == FIELD_UINT53 ? MAX_SEED : field->max;
    if (!(value >= field->min && value <= max))
        return false;
    if ((field->flags & FIELD_OPEN_MIN) && value == field->min)
        return false;
    return field->type == FIELD_NUMBER || fmod(value, step_of(field)) == 0;
}

static void set_number(const struct field *field, double value, void *target, const char *pointer,
                       struct problem_fields *wrong) {
    if (!in_range(field, value)) {
        wrong_range(field, pointer, wrong);
        return;
    }
    void *at = value_at(field, target);
    if (field->type == FIELD_INTEGER)
        *(int *)at = (int)value;
    else if (field->type == FIELD_UINT53)
        *(uint64_t *)at = (uint64_t)value;
    else
        *(double *)at = value;
}

static void read_pair(const struct field *field, const cJSON *value, int pair[2],
                      const char *pointer, struct problem_fields *wrong) {
    if (!cJSON_IsArray(value) || cJSON_GetArraySize(value) != 2) {
        problem_add(wrong, pointer, "must be a list of two numbers");
        return;
    }
    for (int i = 0; i < 2; i++) {
        const cJSON *number = cJSON_GetArrayItem(value, i);
        if (number && cJSON_IsNumber(number) && in_range(field, number->valuedouble))
            pair[i] = (int)number->valuedouble;
        else
            wrong_range(field, arena_format(wrong->arena, "%s/%d", pointer, i), wrong);
    }
}

static void wrong_choice(const struct field *field, const char *pointer,
                         struct problem_fields *wrong) {
    problem_add(wrong, pointer, "must be %s%s", field->choices[1] ? "one of " : "",
                fields_list(field->choices, wrong->arena));
}

static void add_choices(const struct field *field, const char *text, unsigned *chosen,
                        const char *pointer, struct problem_fields *wrong) {
    char name[40];
    for (bool is_last = false; !is_last; text += strcspn(text, ",") + 1) {
        const size_t length = strcspn(text, ",");
        is_last = text[length] == '\0';
        snprintf(name, sizeof name, "%.*s", (int)(length < sizeof name ? length : 0), text);
        const int index = fields_index(field->choices, name);
        if (index < 0) {
            wrong_choice(field, pointer, wrong);
            return;
        }
        *chosen |= 1U << index;
    }
}

static void set_text(const struct field *field, const char *text, void *target, const char *pointer,
                     struct problem_fields *wrong) {
    void *at = value_at(field, target);
    const int index = field->type == FIELD_CHOICE ? fields_index(field->choices, text) : -1;
    const size_t least = (size_t)field->min, most = (size_t)field->max;
    struct field_texts *texts = at;
    if (index >= 0)
        *(int *)at = index;
    else if (field->type == FIELD_CHOICE)
        wrong_choice(field, pointer, wrong);
    else if (strlen(text) < least)
        problem_add(wrong, pointer, "must not be empty");
    else if (strlen(text) > most)
        problem_add(wrong, pointer, "must be at most %zu bytes of text", most);
    else if (field->type == FIELD_TEXTS) /* a request has no more parameters than that */
        texts->items[texts->count++] = text;
    else
        memcpy(at, text, strlen(text) + 1);
}

static void read_value(const struct field *field, const cJSON *value, void *target,
                       const char *pointer, struct problem_fields *wrong) {
    const char *text = cJSON_GetStringValue(value);
    char digits[DOUBLE_TEXT];
    switch (field->type) {
    case FIELD_INTEGER:
    case FIELD_UINT53:
    case FIELD_NUMBER:
        if (cJSON_IsNumber(value))
            set_number(field, value->valuedouble, target, pointer, wrong);
        else
            wrong_range(field, pointer, wrong);
        break;
    case FIELD_PAIR: read_pair(field, value, value_at(field, target), pointer, wrong); break;
    case FIELD_BOOLEAN:
        if (cJSON_IsBool(value))
            *(bool *)value_at(field, target) = cJSON_IsTrue(value);
        else
            problem_add(wrong, pointer, "must be true or false");
        break;
    case FIELD_CHOICE:
    case FIELD_CHOICES:
    case FIELD_TEXT:
    case FIELD_TEXTS:
        if (!text && (field->flags & FIELD_OR_NUMBER) && cJSON_IsNumber(value)) {
            digits[double_text(digits, value->valuedouble)] = '\0';
            text = digits;
        }
        if (!text)
            problem_add(wrong, pointer, "must be a string%s",
                        field->flags & FIELD_OR_NUMBER ? " or a number" : "");
        else if (field->type == FIELD_CHOICES)
            add_choices(field, text, value_at(field, target), pointer, wrong);
        else
            set_text(field, text, target, pointer, wrong);
        break;
    default: break; /* the request's own code reads it */
    }
}

/* ------------------------------------------------------------------ JSON */

static const struct field *find(const struct field_set *set, const char *group, const char *name) {
    for (size_t i = 0; i < set->count; i++)
        if (strcmp(set->rows[i].group, group) == 0 && strcmp(set->rows[i].name, name) == 0)
            return &set->rows[i];
    return NULL;
}

void fields_read(const struct field_set *set, const char *group, const cJSON *object, void *target,
                 struct problem_fields *wrong) {
    enum { MAX_MEMBERS = 200 }; /* finding repeated members is quadratic */
    if (cJSON_GetArraySize(object) > MAX_MEMBERS) {
        problem_add(wrong, group[0] ? arena_format(wrong->arena, "/%s", group) : "",
                    "has more than %d members", MAX_MEMBERS);
        return;
    }
    for (const cJSON *member = object->child; member; member = member->next) {
        const struct field *field = find(set, group, member->string);
        const char *pointer = problem_pointer(wrong, group, member->string);
        if (json_is_repeated(object, member))
            problem_add(wrong, pointer, "is given more than once");
        else if (!field)
            add_unknown(set, group, member->string, wrong);
        else if ((field->flags & FIELD_OR_NULL) && cJSON_IsNull(member))
            continue;
        else if (field->type != FIELD_GROUP)
            read_value(field, member, target, pointer, wrong);
        else if (cJSON_IsObject(member))
            fields_read(set, field->name, member, target, wrong);
        else
            problem_add(wrong, pointer, "must be an object");
    }
}

/* ------------------------------------------------------------------ query strings */

static bool parse_number(const char *text, double *value) {
    /* strtod alone also takes "inf", "0x10" and leading space. */
    if (text[0] == '\0' || strspn(text, "0123456789+-.eE") != strlen(text))
        return false;
    char *end;
    *value = strtod(text, &end);
    return *end == '\0';
}

/* The text of a parameter as the JSON value that its field takes; a string if it is none. */
static cJSON query_value(const struct field *field, const char *text) {
    cJSON value = {.type = cJSON_String, .valuestring = (char *)text};
    if (field->type == FIELD_INTEGER || field->type == FIELD_UINT53 || field->type == FIELD_NUMBER)
        value.type = parse_number(text, &value.valuedouble) ? cJSON_Number : cJSON_String;
    else if (field->type == FIELD_BOOLEAN && strcmp(text, "true") == 0)
        value.type = cJSON_True;
    else if (field->type == FIELD_BOOLEAN && strcmp(text, "false") == 0)
        value.type = cJSON_False;
    return value;
}

void fields_read_query(const struct field_set *set, const struct http_request *request,
                       void *target, struct problem_fields *wrong) {
    for (size_t i = 0; i < request->query_count; i++) {
        const struct http_param *param = &request->query[i];
        const struct field *field = find(set, "", param->name);
        const char *pointer = problem_pointer(wrong, "", param->name);
        const cJSON value = field ? query_value(field, param->value) : (cJSON){0};
        bool repeated = false;
        for (size_t j = 0; j < i; j++)
            repeated |= strcmp(request->query[j].name, param->name) == 0;
        if (repeated && !(field && (field->type == FIELD_TEXTS || field->type == FIELD_CHOICES)))
            problem_add(wrong, pointer, "is given more than once");
        else if (!field)
            add_unknown(set, "", param->name, wrong);
        else if (field->type == FIELD_GROUP || field->type == FIELD_OTHER)
            problem_add(wrong, pointer, "is accepted in a JSON body only");
        else
            read_value(field, &value, target, pointer, wrong);
    }
}

/* ------------------------------------------------------------------ writing */

bool fields_has_no_value(const struct field *field) {
    return field->type == FIELD_TEXTS || field->type == FIELD_CHOICES ||
           field->type == FIELD_GROUP || field->type == FIELD_OTHER;
}

/* Is the value written as null? */
static bool is_null(const struct field *field, const void *source) {
    const void *at = (const char *)source + field->offset;
    switch (field->type) {
    case FIELD_INTEGER: return *(const int *)at < field->min;
    case FIELD_INT64: return (double)*(const int64_t *)at < field->min;
    case FIELD_NUMBER: return !isfinite(*(const double *)at);
    case FIELD_TIME: return *(const int64_t *)at == 0;
    case FIELD_STRING:
    case FIELD_JSON: return *(const char *const *)at == NULL;
    case FIELD_LIST: return ((const struct field_list *)at)->items == NULL;
    default: return false;
    }
}

static void write_pair(const int pair[2], struct json_writer *json) {
    json_open(json, '[');
    json_integer(json, pair[0]);
    json_integer(json, pair[1]);
    json_close(json, ']');
}

static void write_list(const struct field_set *set, const struct field_list *list,
                       struct json_writer *json) {
    json_open(json, '[');
    for (size_t i = 0; i < list->count; i++)
        fields_write(set, (const char *)list->items + i * list->size, json);
    json_close(json, ']');
}

void fields_write_value(const struct field *field, const void *source, struct json_writer *json) {
    const void *at = (const char *)source + field->offset;
    if (field->write) {
        field->write(at, json);
        return;
    }
    if ((field->flags & FIELD_OR_NULL) && is_null(field, source)) {
        json_null(json);
        return;
    }
    switch (field->type) {
    case FIELD_INTEGER: json_integer(json, *(const int *)at); break;
    case FIELD_PAIR: write_pair(at, json); break;
    case FIELD_INT64: json_integer(json, *(const int64_t *)at); break;
    case FIELD_UINT53: json_integer(json, (int64_t) * (const uint64_t *)at); break;
    case FIELD_NUMBER: json_double(json, *(const double *)at); break;
    case FIELD_BOOLEAN: json_bool(json, *(const bool *)at); break;
    case FIELD_CHOICE: json_string(json, field->choices[*(const int *)at]); break;
    case FIELD_ID:
    case FIELD_TEXT: json_string(json, at); break;
    case FIELD_STRING: json_string(json, *(const char *const *)at); break;
    case FIELD_JSON: json_raw(json, *(const char *const *)at); break;
    case FIELD_LIST: write_list(field->set, at, json); break;
    case FIELD_TIME: json_time(json, *(const int64_t *)at); break;
    case FIELD_OBJECT: fields_write(field->set, at, json); break;
    default: json_null(json); break;
    }
}

/* Most rows and groups are of the top level, and lists write many. */
static bool is_in(const struct field *row, const char *group) {
    return row->group[0] == group[0] && (group[0] == '\0' || strcmp(row->group, group) == 0);
}

void fields_write_members(const struct field_set *set, const char *group, const void *source,
                          struct json_writer *json) {
    for (size_t i = 0; i < set->count; i++) {
        const struct field *row = &set->rows[i];
        if (!is_in(row, group) || (row->flags & FIELD_OPTIONAL))
            continue;
        if (row->type == FIELD_MEMBERS) {
            fields_write_members(row->set, "", (const char *)source + row->offset, json);
        } else if (row->type == FIELD_GROUP) {
            fields_write_group(set, row->name, source, json);
        } else {
            json_key(json, row->name);
            fields_write_value(row, source, json);
        }
    }
}

void fields_write_group(const struct field_set *set, const char *group, const void *source,
                        struct json_writer *json) {
    json_member_open(json, group, '{');
    fields_write_members(set, group, source, json);
    json_close(json, '}');
}

void fields_write(const struct field_set *set, const void *source, struct json_writer *json) {
    if (set->may_be_null && is_null(&set->rows[0], source)) {
        json_null(json);
        return;
    }
    json_open(json, '{');
    fields_write_members(set, "", source, json);
    json_close(json, '}');
}
