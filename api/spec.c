#include "api/spec.h"

#include <string.h>

static const char *const preset_names[] = {"default", "sinai2022", NULL};

#define AT(member) offsetof(struct job_request, member)
#define INTEGER(group, name, member, min, max, doc)                                                \
    { group, name, FIELD_INTEGER, AT(spec.member), min, max, 0, NULL, doc }
#define NUMBER(group, name, member, min, max, flags, doc)                                          \
    { group, name, FIELD_NUMBER, AT(spec.member), min, max, flags, NULL, doc }
#define CHOICE(group, name, member, choices, doc)                                                  \
    { group, name, FIELD_CHOICE, AT(spec.member), 0, 0, 0, choices, doc }
#define GROUP(name, doc)                                                                           \
    { "", name, FIELD_GROUP, 0, 0, 0, 0, NULL, doc }

static const struct field rows[] = {
    {"", "name", FIELD_TEXT, AT(name), 0, JOB_NAME_BYTES, 0, NULL, "For people; any text."},
    {"", "preset", FIELD_CHOICE, AT(preset), 0, 0, 0, preset_names,
     "The complete recipe that every field not given comes from."},
    {"", "dataset", FIELD_OTHER, 0, 0, 0, 0, NULL,
     "What to learn: the name of a built-in data set, or an object that says more; or a list of "
     "these, each of which becomes a class (its place in the list)."},
    CHOICE("dataset", "name", dataset.sources[0].pattern, dn_pattern_names, "A built-in data set."),
    INTEGER("dataset", "n", dataset.sources[0].n, 1, DN_MAX_POINTS,
            "Training points to draw; of each, in a list. At most 1000000 in all."),
    {"dataset", "seed", FIELD_SEED, AT(spec.dataset.sources[0].seed), 0, 0, 0, NULL,
     "Of the draw; the job's seed if not given."},

    GROUP("diffusion", "The forward process."),
    INTEGER("diffusion", "timesteps", diffusion.timesteps, 1, DN_MAX_TIMESTEPS,
            "Number of diffusion steps T."),
    CHOICE(
        "diffusion", "beta_schedule", diffusion.beta_schedule, dn_beta_schedule_names,
        "How the noise per step grows. log_linear: noise/signal from 0.002 to 80, geometrically; "
        "flow: straight from the data to the noise."),
    NUMBER("diffusion", "beta_start", diffusion.beta_start, 1e-9, 0.5, 0,
           "First beta of a linear or quadratic schedule, as for T = 1000; multiplied by 1000/T."),
    NUMBER("diffusion", "beta_end", diffusion.beta_end, 1e-9, 0.999, 0,
           "Last beta of a linear or quadratic schedule, as for T = 1000; multiplied by 1000/T."),
    CHOICE("diffusion", "prediction_type", diffusion.prediction_type, dn_prediction_names,
           "What the network predicts: the noise, the data, v = signal noise - noise data, or "
           "the flow noise - data."),
    {"diffusion", "zero_terminal_snr", FIELD_BOOLEAN, AT(spec.diffusion.zero_terminal_snr), 0, 0, 0,
     NULL, "Rescale the schedule so that no signal is left at T; not with epsilon."},

    GROUP("network", "The denoising network."),
    {"network", "hidden_size", FIELD_INTEGER, AT(spec.network.hidden_size), DN_MIN_HIDDEN_SIZE,
     DN_MAX_HIDDEN_SIZE, FIELD_EVEN, NULL, "Width of each hidden layer H."},
    INTEGER("network", "hidden_layers", network.hidden_layers, 1, DN_MAX_HIDDEN_LAYERS,
            "Number of hidden layers L."),
    CHOICE("network", "time_embedding", network.time_embedding, dn_time_embedding_names,
           "How the timestep is presented to each layer."),
    CHOICE("network", "conditioning", network.conditioning, dn_conditioning_names,
           "How the time embedding meets a layer."),

    GROUP("training", "The optimisation (AdamW)."),
    INTEGER("training", "epochs", training.epochs, 1, DN_MAX_EPOCHS, "Passes over the data."),
    INTEGER("training", "batch_size", training.batch_size, 1, DN_MAX_BATCH_SIZE,
            "Points per step; the last, partial batch is kept."),
    NUMBER("training", "learning_rate", training.learning_rate, 1e-9, 10, 0, "Adam's step size."),
    CHOICE("training", "loss", training.loss, dn_loss_names,
           "Of the error d: mse d^2, mae |d|, huber d^2/2 up to |d| = 1 and |d| - 1/2 beyond."),
    NUMBER("training", "min_snr_gamma", training.min_snr_gamma, 0, 1e6, 0,
           "Weights the losses, those reported too, by min(SNR, gamma) of an error in the data; 0 "
           "for no weights."),
    NUMBER("training", "validation_fraction", training.validation_fraction, 0, 0.9, 0,
           "Fresh points for the validation loss, as a share of n."),
    CHOICE("training", "normalization", training.normalization, dn_normalization_names,
           "From data units to the network's: all axes jointly to [-1, 1], or each axis to mean 0 "
           "and variance 1."),
    NUMBER("training", "ema_decay", training.ema_decay, 0, 0.999999, 0,
           "Of the averaged weights that are sampled from; 0 for none."),
    CHOICE("training", "lr_schedule", training.lr_schedule, dn_lr_schedule_names,
           "How the learning rate changes over the training: constant, or down to 0 along half a "
           "cosine or a straight line."),
    INTEGER("training", "lr_warmup_steps", training.lr_warmup_steps, 0, 1000000,
            "Steps in which the learning rate first rises from 0; the schedule follows."),
    NUMBER("training", "weight_decay", training.weight_decay, 0, 10, 0,
           "Per step, the weights shrink by this times the learning rate."),
    NUMBER("training", "gradient_clip", training.gradient_clip, 0, 1e9, 0,
           "Largest norm of the gradient; 0 for no limit."),
    NUMBER("training", "p_uncond", training.p_uncond, 0, 1, 0,
           "Share of points whose label is hidden, which guidance needs; without classes it does "
           "nothing."),
    {"training", "keep_best", FIELD_BOOLEAN, AT(spec.training.keep_best), 0, 0, 0, NULL,
     "The model is that of the epoch with the lowest validation loss so far, not of the last."},
    INTEGER("training", "checkpoint_every", training.checkpoint_every, 1, DN_MAX_EPOCHS,
            "Epochs between checkpoints; the first and the last epoch always make one."),
    INTEGER("training", "threads", training.threads, 1, DN_MAX_THREADS,
            "Threads that a training step is split over; the results are the same for any number."),

    {"", "seed", FIELD_SEED, AT(spec.seed), 0, 0, 0, NULL,
     "Decides weights, shuffles, timesteps and noise."},
};
const struct field_set spec_fields = {rows, sizeof rows / sizeof rows[0]};

/* One data set over `source`, which holds the defaults. A field's pointer begins with `pointer`. */
static void read_source(const cJSON *json, const char *pointer, struct dn_source *source,
                        struct problem_fields *wrong) {
    if (cJSON_IsObject(json)) {
        struct job_request one = {.spec.dataset.sources = {*source}};
        struct problem_fields inner = {.arena = wrong->arena};
        fields_read(&spec_fields, "dataset", json, &one, &inner);
        *source = one.spec.dataset.sources[0];
        for (int i = 0; i < inner.count && i < PROBLEM_MAX_FIELDS; i++)
            problem_add(wrong,
                        arena_format(wrong->arena, "%s%s", pointer,
                                     inner.items[i].pointer + strlen("/dataset")),
                        "%s", inner.items[i].detail);
    } else if (cJSON_IsString(json)) {
        int pattern = fields_index(dn_pattern_names, json->valuestring);
        if (pattern >= 0)
            source->pattern = pattern;
        else
            problem_add(wrong, pointer, "there is no data set \"%.80s\"; the built-in ones are %s",
                        json->valuestring, fields_list(dn_pattern_names, wrong->arena));
    } else {
        problem_add(wrong, pointer,
                    "must be the name of a data set, an object with name, n and seed, or a list "
                    "of these");
    }
}

/* A list of one is the same as its one member. */
static void read_dataset(const cJSON *json, struct job_request *job, struct problem_fields *wrong) {
    struct dn_dataset_spec *dataset = &job->spec.dataset;
    const struct dn_source defaults = dataset->sources[0];
    if (!json)
        return;
    if (!cJSON_IsArray(json)) {
        read_source(json, "/dataset", &dataset->sources[0], wrong);
        return;
    }
    const int count = cJSON_GetArraySize(json);
    if (count < 1 || count > DN_MAX_CLASSES) {
        problem_add(wrong, "/dataset", "must be a list of 1 to %d data sets", DN_MAX_CLASSES);
        return;
    }
    dataset->source_count = count;
    dataset->classes = count > 1 ? count : 0;
    int k = 0;
    for (const cJSON *member = json->child; member; member = member->next, k++) {
        dataset->sources[k] = defaults;
        if (cJSON_IsArray(member))
            problem_add(wrong, arena_format(wrong->arena, "/dataset/%d", k),
                        "must be one data set, not a list");
        else
            read_source(member, arena_format(wrong->arena, "/dataset/%d", k), &dataset->sources[k],
                        wrong);
    }
}

void spec_read(const cJSON *json, struct job_request *job, struct problem_fields *wrong) {
    *job = (struct job_request){0};
    if (!cJSON_IsObject(json)) {
        problem_add(wrong, "", "must be a JSON object");
        return;
    }
    const cJSON *preset = cJSON_GetObjectItemCaseSensitive(json, "preset");
    int index = cJSON_IsString(preset) ? fields_index(preset_names, preset->valuestring) : 0;
    job->spec = dn_presets[index > 0 ? index : 0].spec;
    int before = wrong->count;
    fields_read(&spec_fields, "", json, job, wrong);
    job->spec.dataset.sources[0].seed = job->spec.seed;
    read_dataset(cJSON_GetObjectItemCaseSensitive(json, "dataset"), job, wrong);
    struct dn_error error;
    if (wrong->count == before && dn_spec_check(&job->spec, &error) != DN_OK)
        problem_add(wrong, "", "%s", error.text);
}

static void write_source(const struct dn_source *source, struct json_writer *json) {
    const struct job_request one = {.spec.dataset.sources = {*source}};
    json_open(json, '{');
    fields_write_members(&spec_fields, "dataset", &one, json);
    json_close(json, '}');
}

static void write_dataset(const struct dn_dataset_spec *dataset, struct json_writer *json) {
    json_key(json, "dataset");
    if (dataset->source_count > 1)
        json_open(json, '[');
    for (int k = 0; k < dataset->source_count; k++)
        write_source(&dataset->sources[k], json);
    if (dataset->source_count > 1)
        json_close(json, ']');
}

void spec_write(const struct job_request *job, struct json_writer *json) {
    json_open(json, '{');
    for (size_t i = 0; i < spec_fields.count; i++) {
        const struct field *row = &rows[i];
        if (row->group[0] || (strcmp(row->name, "name") == 0 && !job->name[0]))
            continue;
        if (row->type == FIELD_OTHER) {
            write_dataset(&job->spec.dataset, json);
        } else if (row->type == FIELD_GROUP) {
            fields_write_group(&spec_fields, row->name, job, json);
        } else {
            json_key(json, row->name);
            fields_write_value(row, job, json);
        }
    }
    json_close(json, '}');
}

void spec_dataset_name(const struct dn_spec *spec, struct buffer *out) {
    for (int k = 0; k < spec->dataset.source_count; k++)
        buffer_format(out, "%s%s", k ? "+" : "",
                      dn_pattern_names[spec->dataset.sources[k].pattern]);
}
