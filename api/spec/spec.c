#include "api/spec/spec.h"

#include <stdio.h>
#include <string.h>

#include "api/images/images.h"
#include "server/base/id.h"

#define AT(member)       offsetof(struct job_request, member)
#define RANGE(low, high) low, high, 0, NULL
#define EVEN(low, high)  low, high, FIELD_EVEN, NULL
/* Only where there are images: spec_write writes it. */
#define ONLY(value)   value, value, FIELD_OPTIONAL, NULL
#define ONE_OF(names) 0, 0, 0, names
#define SWITCH        0, 0, 0, NULL
// clang-format off
#define TYPE(member) _Generic(((struct job_request *)NULL)->member, int: FIELD_INTEGER, \
                              double: FIELD_NUMBER, bool: FIELD_BOOLEAN, unsigned: FIELD_CHOICE)
// clang-format on
#define FIELD(group, name, limits, default_, sinai2022, table, images, large, saved, doc)          \
    {#group, #name, TYPE(spec.group.name), AT(spec.group.name), limits, doc},
#define PAIR(group, name, low, high, step, default_, sinai2022, table, images, large, saved, doc)  \
    {#group,                                                                                       \
     #name,                                                                                        \
     FIELD_PAIR,                                                                                   \
     AT(spec.group.name),                                                                          \
     low,                                                                                          \
     high,                                                                                         \
     FIELD_OPTIONAL | ((step) == 16 ? FIELD_SIXTEENS : 0),                                         \
     NULL,                                                                                         \
     doc},
#define GROUP(name, doc) {"", #name, FIELD_GROUP, 0, 0, 0, 0, NULL, doc},

static const struct field rows[] = {
    {"", "name", FIELD_TEXT, AT(name), 0, JOB_NAME_BYTES, FIELD_OR_NULL, NULL,
     "Optional display name, without control characters."},
    {"", "preset", FIELD_CHOICE, AT(preset), 0, 0, 0, dn_preset_names,
     "Defaults for every other field. Without it, the default is images for images, table for an "
     "upload with more "
     "than two columns or with missing cells, or whose columns are not all numbers, and default "
     "for all other data. Numbers called x and y are points even if they are integers, or if there "
     "are labels or numbers of rows; others are a table then."},
    {"", "dataset", FIELD_OTHER, 0, 0, 0, 0, NULL,
     "The data to learn: the name of a built-in data set, the id of an upload, or an object with "
     "one of them and more settings; or a list of these, each of which becomes a class (its index "
     "in the list)."},
    {"dataset", "name", FIELD_CHOICE, AT(spec.dataset.sources[0].pattern), 0, 0, 0,
     dn_pattern_names, "A built-in data set."},
    {"dataset", "n", FIELD_INTEGER, AT(spec.dataset.sources[0].n), 1, DN_MAX_POINTS, 0, NULL,
     "Number of training points to draw; in a list, from each data set. At most 1,000,000 in "
     "total. Without it, there are 60,000 digits."},
    {"dataset", "seed", FIELD_UINT53, AT(spec.dataset.sources[0].seed), 0, 0, 0, NULL,
     "Seed of the draw; by default, the job's seed."},
#include "engine/spec_fields.h"
    {"", "seed", FIELD_UINT53, AT(spec.seed), 0, 0, 0, NULL,
     "Seed of the initial weights, shuffles, timesteps and noise."},
};
const struct field_set spec_fields = {rows, sizeof rows / sizeof rows[0]};

#define UPLOAD(member) offsetof(struct upload_request, member)
static const struct field upload_rows[] = {
    {"", "id", FIELD_TEXT, UPLOAD(id), 0, ID_LENGTH, 0, NULL,
     "Id of an uploaded data set. Without preset, it is trained with the preset table unless it "
     "has only points in the plane or on a line."},
    {"", "seed", FIELD_UINT53, UPLOAD(seed), 0, 0, 0, NULL,
     "Seed that selects the points held out for validation; by default, the job's seed."},
    {"", "name", FIELD_TEXT, UPLOAD(name), 0, SET_NAME_BYTES, FIELD_OR_NULL, NULL,
     "Its name; only in responses."},
    {"", "n", FIELD_INTEGER, UPLOAD(n), 1, DN_MAX_POINTS, 0, NULL,
     "Its number of points; only in responses."},
    {"", "dim", FIELD_INTEGER, UPLOAD(dim), 1, DN_MAX_VALUES, 0, NULL,
     "Number of coordinates of a point, or of values of an image; only in responses."},
    {"", "shape", FIELD_OTHER, 0, 0, 0, FIELD_OPTIONAL, NULL,
     "Height, width and channels of its images; only in responses, and only for images."},
    {"", "columns", FIELD_OTHER, UPLOAD(columns), 0, 0, 0, NULL,
     "Names of its coordinates; only in responses."},
    {"", "classes", FIELD_OTHER, UPLOAD(classes), 0, 0, 0, NULL,
     "Names of its classes, or null; only in responses."},
};
const struct field_set upload_source_fields = {upload_rows,
                                               sizeof upload_rows / sizeof upload_rows[0]};

/* ------------------------------------------------------------------ data sets */

const char spec_digit_classes[] = "[\"0\",\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\"]";

/* What reading the data sets of a job needs. */
struct sources {
    struct job_request *job;
    spec_lookup lookup;
    void *context;
    struct problem_fields *wrong;
};

/* Reads the fields of a data set, which is at `pointer` in the request and is the group `prefix` in
 * the table. */
static void read_fields(const struct field_set *set, const char *prefix, const char *pointer,
                        const cJSON *json, void *target, struct problem_fields *wrong) {
    struct problem_fields inner = {.arena = wrong->arena};
    fields_read(set, prefix, json, target, &inner);
    const size_t known = prefix[0] ? strlen(prefix) + 1 : 0; /* "/dataset" */
    for (int i = 0; i < inner.count && i < PROBLEM_MAX_FIELDS; i++)
        problem_add(wrong,
                    arena_format(wrong->arena, "%s%s", pointer, inner.items[i].pointer + known),
                    "%s", inner.items[i].detail);
}

/* Reads a list of names from a stored job, as JSON; NULL: there is none. */
static const char *read_names(const cJSON *json, int most, struct arena *arena) {
    struct buffer text = {0};
    struct json_writer writer = {.out = &text};
    if (!cJSON_IsArray(json) || cJSON_GetArraySize(json) > most)
        return NULL;
    json_open(&writer, '[');
    for (const cJSON *name = json->child; name; name = name->next)
        json_string(&writer, cJSON_IsString(name) ? name->valuestring : "");
    json_close(&writer, ']');
    const char *names = text.failed ? NULL : arena_copy(arena, text.data, text.length);
    buffer_clear(&text);
    return names;
}

/* [height, width, channels] of a stored job; dn_spec_check finds out whether images can have it. */
static void read_shape(const cJSON *json, struct upload_request *upload) {
    int *const sides[] = {&upload->height, &upload->width, &upload->channels};
    const cJSON *side = cJSON_IsArray(json) ? json->child : NULL;
    for (int i = 0; i < 3 && side; i++, side = side->next)
        if (cJSON_IsNumber(side))
            *sides[i] = side->valueint;
}

static void read_all_names(const cJSON *json, struct upload_request *upload, struct arena *arena) {
    const cJSON *classes = cJSON_GetObjectItemCaseSensitive(json, "classes");
    const cJSON *columns = cJSON_GetObjectItemCaseSensitive(json, "columns");
    upload->classes = read_names(classes, DN_MAX_CLASSES, arena);
    upload->class_count = upload->classes ? cJSON_GetArraySize(classes) : 0;
    if (cJSON_GetArraySize(columns) == upload->dim)
        upload->columns = read_names(columns, DN_MAX_DIM, arena);
}

/* A data set may be in a list many times, and reading its columns takes a moment. */
static enum store_status find_upload(const struct sources *sources,
                                     const struct upload_request *upload,
                                     struct upload_request *found) {
    *found = *upload;
    for (const struct upload_request *other = sources->job->uploads; other < upload; other++)
        if (other->low && strcmp(other->id, upload->id) == 0) {
            *found = *other;
            found->seed = upload->seed;
            return STORE_OK;
        }
    return sources->lookup(sources->context, sources->wrong->arena, found);
}

/* `id` is where the request has the id: in an object at `pointer`, or there itself. */
static void look_up(const struct sources *sources, const char *pointer, const char *id,
                    struct upload_request *upload) {
    struct arena *arena = sources->wrong->arena;
    struct upload_request found;
    enum store_status status = find_upload(sources, upload, &found);
    if (status == STORE_NOT_FOUND)
        problem_add(sources->wrong, id, "there is no data set with this id");
    else if (status != STORE_OK)
        problem_add(sources->wrong, id, "the data set could not be read");
    else if (upload->n && upload->n != found.n)
        problem_add(sources->wrong, arena_format(arena, "%s/n", pointer),
                    "is %d, but this data set has %d points, all of which are used", upload->n,
                    found.n);
    else if (upload->dim && upload->dim != found.dim)
        problem_add(sources->wrong, arena_format(arena, "%s/dim", pointer),
                    "is %d, but this data set has %d", upload->dim, found.dim);
    *upload = found;
}

/* `json` is an object with an id, or an id alone. */
static void read_upload(const struct sources *sources, int k, const cJSON *json,
                        const char *pointer) {
    struct problem_fields *wrong = sources->wrong;
    struct upload_request *upload = &sources->job->uploads[k];
    struct dn_source *source = &sources->job->spec.dataset.sources[k];
    const int before = wrong->count;
    *upload = (struct upload_request){.seed = source->seed};
    if (cJSON_IsString(json))
        memcpy(upload->id, json->valuestring, ID_LENGTH);
    else
        read_fields(&upload_source_fields, "", pointer, json, upload, wrong);
    if (wrong->count > before)
        return;
    if (sources->lookup)
        look_up(sources, pointer,
                cJSON_IsString(json) ? pointer : arena_format(wrong->arena, "%s/id", pointer),
                upload);
    else {
        read_shape(cJSON_GetObjectItemCaseSensitive(json, "shape"), upload);
        read_all_names(json, upload, wrong->arena);
    }
    *source = (struct dn_source){DN_UPLOADED, upload->n, upload->seed};
}

/* As many as MNIST has to train on. */
enum { USUAL_DIGITS = 60000 };

/* Reads data set k, which has its default values already. */
static void read_source(const struct sources *sources, int k, const cJSON *json,
                        const char *pointer) {
    struct problem_fields *wrong = sources->wrong;
    struct dn_source *source = &sources->job->spec.dataset.sources[k];
    if (cJSON_GetObjectItemCaseSensitive(json, "id")) {
        read_upload(sources, k, json, pointer);
    } else if (cJSON_IsObject(json)) {
        struct job_request one = {.spec.dataset.sources = {*source}};
        read_fields(&spec_fields, "dataset", pointer, json, &one, wrong);
        *source = one.spec.dataset.sources[0];
        if (source->pattern == DN_DIGITS && !cJSON_GetObjectItemCaseSensitive(json, "n"))
            source->n = USUAL_DIGITS;
    } else if (cJSON_IsString(json)) {
        int pattern = fields_index(dn_pattern_names, json->valuestring);
        if (pattern >= 0) {
            source->pattern = pattern;
            source->n = pattern == DN_DIGITS ? USUAL_DIGITS : source->n;
        } else if (id_valid(json->valuestring)) {
            read_upload(sources, k, json, pointer);
        } else {
            problem_add(wrong, pointer,
                        "there is no data set \"%.80s\"; the built-in ones are %s, and an upload "
                        "has an id",
                        json->valuestring, fields_list(dn_pattern_names, wrong->arena));
        }
    } else {
        problem_add(wrong, pointer,
                    "must be the name of a data set, the id of an upload, an object with name, n "
                    "and seed, or with the id of an upload, or a list of these");
    }
}

/* A list of one data set is the same as that data set. */
static void read_dataset(const struct sources *sources, const cJSON *json) {
    struct problem_fields *wrong = sources->wrong;
    struct dn_dataset_spec *dataset = &sources->job->spec.dataset;
    const struct dn_source defaults = dataset->sources[0];
    if (!json)
        return;
    if (!cJSON_IsArray(json)) {
        read_source(sources, 0, json, "/dataset");
        return;
    }
    const int count = cJSON_GetArraySize(json);
    if (count < 1 || count > DN_MAX_CLASSES) {
        problem_add(wrong, "/dataset", "must be a list of 1 to %d data sets", DN_MAX_CLASSES);
        return;
    }
    dataset->source_count = count;
    int k = 0;
    for (const cJSON *member = json->child; member; member = member->next, k++) {
        dataset->sources[k] = defaults;
        if (cJSON_IsArray(member))
            problem_add(wrong, arena_format(wrong->arena, "/dataset/%d", k),
                        "must be one data set, not a list");
        else
            read_source(sources, k, member, arena_format(wrong->arena, "/dataset/%d", k));
    }
}

static int dimension(const struct job_request *job, int k) {
    return job->uploads[k].dim ? job->uploads[k].dim : 2;
}

/* They are like an upload, but for the id. */
static void describe_digits(struct upload_request *digits) {
    *digits = (struct upload_request){
        .dim = DN_DIGITS_SIDE * DN_DIGITS_SIDE,
        .height = DN_DIGITS_SIDE,
        .width = DN_DIGITS_SIDE,
        .channels = 1,
        .class_count = DN_DIGITS_CLASSES,
        .classes = spec_digit_classes,
    };
}

/* Sets the dimension and the classes of the data sets together. */
static void join_sources(const struct sources *sources) {
    struct job_request *job = sources->job;
    struct dn_dataset_spec *dataset = &job->spec.dataset;
    for (int k = 0; k < dataset->source_count; k++)
        if (dataset->sources[k].pattern == DN_DIGITS)
            describe_digits(&job->uploads[k]);
    dataset->dim = dimension(job, 0);
    dataset->height = job->uploads[0].height;
    dataset->width = job->uploads[0].width;
    dataset->channels = job->uploads[0].channels;
    dataset->classes =
        dataset->source_count > 1 ? dataset->source_count : job->uploads[0].class_count;
    for (int k = 1; k < dataset->source_count; k++)
        if (dimension(job, k) != dataset->dim)
            problem_add(sources->wrong, arena_format(sources->wrong->arena, "/dataset/%d", k),
                        "has points with %d coordinates, but the first data set has %d",
                        dimension(job, k), dataset->dim);
    for (int k = 1; k < dataset->source_count; k++)
        if (job->uploads[k].height != dataset->height || job->uploads[k].width != dataset->width ||
            job->uploads[k].channels != dataset->channels)
            problem_add(sources->wrong, arena_format(sources->wrong->arena, "/dataset/%d", k),
                        "has not the shape of the first data set: lists have images of one shape, "
                        "or none");
}

/* The rows of several data sets may differ in their form. */
bool spec_is_table(const struct job_request *job) {
    return job->spec.dataset.source_count == 1 && job->uploads[0].id[0] &&
           job->spec.training.normalization == DN_QUANTILE;
}

/* More than points on a line or in the plane. */
static bool is_table(const struct job_request *job) {
    return job->spec.dataset.source_count == 1 && job->uploads[0].is_table;
}

const char *spec_form(const struct job_request *job) {
    return is_table(job) || spec_is_table(job) ? job->uploads[0].form : NULL;
}

/* Without a preset, images have their own, and an upload that is more than points of the plane is
 * trained as a table: the fields are read again, over that preset. */
static void choose_preset(const struct sources *sources, const cJSON *json) {
    struct job_request *job = sources->job;
    const bool are_images = job->spec.dataset.height > 0;
    if (cJSON_GetObjectItemCaseSensitive(json, "preset") || !sources->lookup ||
        !(are_images || is_table(job)))
        return;
    const struct dn_dataset_spec dataset = job->spec.dataset;
    job->preset = are_images ? DN_PRESET_IMAGES : DN_PRESET_TABLE;
    job->spec = dn_presets[job->preset].spec;
    fields_read(&spec_fields, "", json, job, sources->wrong);
    job->spec.dataset = dataset;
}

/* The kind of network follows from the data, unless it is given. */
static void choose_kind(const cJSON *json, struct job_request *job) {
    const cJSON *network = cJSON_GetObjectItemCaseSensitive(json, "network");
    if (!cJSON_GetObjectItemCaseSensitive(network, "kind"))
        job->spec.network.kind = job->spec.dataset.height > 0 ? DN_UNET : DN_MLP;
}

/* What follows from the data in some presets, unless it is given. */
static void plan_epochs(const cJSON *json, struct job_request *job) {
    const cJSON *training = cJSON_GetObjectItemCaseSensitive(json, "training");
    if (!dn_presets[job->preset].has_budget)
        return;
    if (!cJSON_GetObjectItemCaseSensitive(training, "epochs"))
        dn_spec_budget(&job->spec);
    if (!cJSON_GetObjectItemCaseSensitive(training, "checkpoint_every"))
        dn_spec_checkpoints(&job->spec);
}

static void check_usable(const struct sources *sources) {
    const struct job_request *job = sources->job;
    struct arena *arena = sources->wrong->arena;
    const int count = job->spec.dataset.source_count;
    for (int k = 0; k < count && !spec_is_table(job); k++)
        if (job->uploads[k].unusable && count > 1)
            problem_add(sources->wrong, arena_format(arena, "/dataset/%d/id", k),
                        "in a list of data sets, %s", job->uploads[k].unusable);
        else if (job->uploads[k].unusable)
            problem_add(sources->wrong, "/training/normalization",
                        "must be \"quantile\" for this table, as in the preset \"table\"; with the "
                        "others, %s",
                        job->uploads[k].unusable);
}

/* ------------------------------------------------------------------ jobs */

/* An error of the engine that concerns one field begins with its name: "training.epochs ..". */
static const char *pointer_of(const char *text, struct arena *arena) {
    for (size_t i = 0; i < spec_fields.count; i++) {
        const size_t group = strlen(rows[i].group), name = strlen(rows[i].name);
        if (group > 0 && strcmp(rows[i].group, "dataset") != 0 &&
            strncmp(text, rows[i].group, group) == 0 && text[group] == '.' &&
            strncmp(text + group + 1, rows[i].name, name) == 0 && text[group + 1 + name] == ' ')
            return arena_format(arena, "/%s/%s", rows[i].group, rows[i].name);
    }
    return "";
}

void spec_read(const cJSON *json, struct job_request *job, spec_lookup lookup, void *context,
               struct problem_fields *wrong) {
    const struct sources sources = {job, lookup, context, wrong};
    *job = (struct job_request){0};
    if (!cJSON_IsObject(json)) {
        problem_add(wrong, "", "must be a JSON object");
        return;
    }
    const cJSON *preset = cJSON_GetObjectItemCaseSensitive(json, "preset");
    int index = cJSON_IsString(preset) ? fields_index(dn_preset_names, preset->valuestring) : 0;
    job->spec = dn_presets[index > 0 ? index : 0].spec;
    int before = wrong->count;
    fields_read(&spec_fields, "", json, job, wrong);
    job->spec.dataset.sources[0].seed = job->spec.seed;
    read_dataset(&sources, cJSON_GetObjectItemCaseSensitive(json, "dataset"));
    if (wrong->count == before) {
        join_sources(&sources);
        choose_preset(&sources, json);
        choose_kind(json, job);
        plan_epochs(json, job);
        check_usable(&sources);
    }
    struct dn_error error;
    if (wrong->count == before && dn_spec_check(&job->spec, &error) != DN_OK)
        problem_add(wrong, pointer_of(error.text, wrong->arena), "%s", error.text);
}

bool spec_read_stored(const char *text, struct job_request *job, struct arena *arena,
                      struct dn_error *error) {
    struct problem_fields wrong = {.arena = arena};
    cJSON *json =
        json_read(text, strlen(text), JSON_MAX_VALUES, arena, error->text, sizeof error->text);
    if (!json)
        return false;
    spec_read(json, job, NULL, NULL, &wrong);
    cJSON_Delete(json);
    if (wrong.count > 0)
        snprintf(error->text, sizeof error->text, "%s: %s", wrong.items[0].pointer,
                 wrong.items[0].detail);
    return wrong.count == 0;
}

bool spec_has_uploads(const struct dn_spec *spec) {
    for (int k = 0; k < spec->dataset.source_count; k++)
        if (spec->dataset.sources[k].pattern == DN_UPLOADED)
            return true;
    return false;
}

static void write_source(const struct job_request *job, int k, struct json_writer *json) {
    const struct upload_request *upload = &job->uploads[k];
    json_open(json, '{');
    if (upload->id[0]) {
        for (size_t i = 0; i < upload_source_fields.count; i++) {
            const struct field *row = &upload_rows[i];
            if (strcmp(row->name, "name") == 0 && !upload->name[0])
                continue;
            if (strcmp(row->name, "columns") == 0 && !upload->columns)
                continue;
            const bool is_shape = row->flags & FIELD_OPTIONAL;
            if (is_shape && upload->height == 0)
                continue;
            json_key(json, row->name);
            if (is_shape)
                images_write_shape(upload->height, upload->width, upload->channels, json);
            else if (row->type == FIELD_OTHER)
                json_raw(json, *(const char *const *)((const char *)upload + row->offset));
            else
                fields_write_value(row, upload, json);
        }
    } else {
        const struct job_request one = {.spec.dataset.sources = {job->spec.dataset.sources[k]}};
        fields_write_members(&spec_fields, "dataset", &one, json);
    }
    json_close(json, '}');
}

static void write_dataset(const struct job_request *job, struct json_writer *json) {
    const int count = job->spec.dataset.source_count;
    json_key(json, "dataset");
    if (count > 1)
        json_open(json, '[');
    for (int k = 0; k < count; k++)
        write_source(job, k, json);
    if (count > 1)
        json_close(json, ']');
}

/* The fields of the kind of network that the job has. */
static void write_network(const struct job_request *job, struct json_writer *json) {
    const bool has_images = job->spec.network.kind == DN_UNET;
    json_member_open(json, "network", '{');
    for (size_t i = 0; i < spec_fields.count; i++) {
        const struct field *row = &rows[i];
        const bool of_images = row->flags & FIELD_OPTIONAL;
        const bool is_kind = row->offset == AT(spec.network.kind);
        if (strcmp(row->group, "network") != 0 || (of_images != has_images && !is_kind))
            continue;
        json_key(json, row->name);
        fields_write_value(row, job, json);
    }
    json_close(json, '}');
}

void spec_write(const struct job_request *job, struct json_writer *json) {
    json_open(json, '{');
    for (size_t i = 0; i < spec_fields.count; i++) {
        const struct field *row = &rows[i];
        if (row->group[0] || (strcmp(row->name, "name") == 0 && !job->name[0]))
            continue;
        if (row->type == FIELD_OTHER) {
            write_dataset(job, json);
        } else if (row->type == FIELD_GROUP && strcmp(row->name, "network") == 0) {
            write_network(job, json);
        } else if (row->type == FIELD_GROUP) {
            fields_write_group(&spec_fields, row->name, job, json);
        } else {
            json_key(json, row->name);
            fields_write_value(row, job, json);
        }
    }
    json_close(json, '}');
}

static const char *source_name(const struct job_request *job, int k) {
    return job->uploads[k].id[0] ? job->uploads[k].id
                                 : dn_pattern_names[job->spec.dataset.sources[k].pattern];
}

void spec_dataset_name(const struct job_request *job, struct buffer *out) {
    for (int k = 0; k < job->spec.dataset.source_count; k++)
        buffer_format(out, "%s%s", k ? "+" : "", source_name(job, k));
}

void spec_words(const struct job_request *job, const char *name, struct buffer *out) {
    if (name && name[0])
        buffer_format(out, "%s\n", name);
    for (int k = 0; k < job->spec.dataset.source_count; k++) {
        const struct upload_request *upload = &job->uploads[k];
        buffer_format(out, "%s%s", k ? " + " : "",
                      !upload->id[0]    ? source_name(job, k)
                      : upload->name[0] ? upload->name
                                        : "upload");
    }
    buffer_format(out, "\n%s", dn_preset_names[job->preset]);
}

enum { CLASS_NAME = SET_NAME_BYTES + 16 };

static bool is_taken(char (*names)[CLASS_NAME], int count, const char *name) {
    for (int i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

/* Names the classes of a list of data sets; the second spiral is "spiral (2)". */
static void name_classes(const struct job_request *job, char (*names)[CLASS_NAME]) {
    for (int k = 0; k < job->spec.dataset.source_count; k++) {
        const char *own = job->uploads[k].name[0] ? job->uploads[k].name : source_name(job, k);
        snprintf(names[k], CLASS_NAME, "%s", own);
        for (int number = 2; is_taken(names, k, names[k]); number++)
            snprintf(names[k], CLASS_NAME, "%s (%d)", own, number);
    }
}

void spec_write_columns(const struct job_request *job, struct json_writer *json) {
    static const char *const axes[] = {"x", "y", "z"};
    const int dim = job->spec.dataset.dim;
    char name[16];
    if (job->spec.dataset.height > 0) { /* pixels have no names */
        json_raw(json, "[]");
        return;
    }
    if (job->uploads[0].columns) {
        json_raw(json, job->uploads[0].columns);
        return;
    }
    json_open(json, '[');
    for (int j = 0; j < dim; j++) {
        snprintf(name, sizeof name, "x%d", j);
        json_string(json, dim <= 3 ? axes[j] : name);
    }
    json_close(json, ']');
}

void spec_write_classes(const struct job_request *job, struct json_writer *json) {
    const int count = job->spec.dataset.source_count;
    char names[DN_MAX_CLASSES][CLASS_NAME];
    if (count == 1) {
        json_raw(json, job->uploads[0].classes);
        return;
    }
    name_classes(job, names);
    json_open(json, '[');
    for (int k = 0; k < count; k++)
        json_string(json, names[k]);
    json_close(json, ']');
}
