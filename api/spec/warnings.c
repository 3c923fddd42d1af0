#include "api/spec/warnings.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "api/contract/openapi.h"

/* ------------------------------------------------------------------ at submission */

bool warn_of_schedule(const struct job_request *job, char text[WARNING_TEXT]) {
    const struct dn_diffusion_spec *spec = &job->spec.diffusion;
    struct dn_schedule_step *steps = malloc((size_t)spec->timesteps * sizeof *steps);
    bool warn = false;
    if (steps && dn_schedule_steps(spec, steps, NULL) == DN_OK) {
        const double snr = steps[spec->timesteps - 1].snr;
        warn = !dn_snr_is_noise(snr);
        snprintf(
            text, WARNING_TEXT,
            "the schedule ends with a signal-to-noise ratio of %.3g, far from the pure noise that "
            "sampling starts from: samples will lie where the data is, but with the wrong density; "
            "to reach pure noise, use %s",
            snr,
            spec->beta_schedule == DN_BETA_LOG_LINEAR
                ? "a ratio_max of 10 or more"
                : "larger betas, more timesteps, or beta_schedule \"cosine\"");
    }
    free(steps);
    return warn;
}

/* Counts the points for training and for validation. */
static void count_points(const struct dn_spec *spec, size_t *n, size_t *n_val) {
    *n = *n_val = 0;
    for (int k = 0; k < spec->dataset.source_count; k++) {
        size_t of_source, of_source_val;
        dn_source_split(spec, k, &of_source, &of_source_val);
        *n += of_source;
        *n_val += of_source_val;
    }
}

static int64_t all_steps(const struct dn_spec *spec) {
    return (int64_t)spec->training.epochs * dn_spec_steps_per_epoch(spec);
}

static bool find_few_points(const struct job_request *job, char text[WARNING_TEXT]) {
    enum { ENOUGH_PER_DIMENSION = 20, ENOUGH_IMAGES = 1000 };
    const int dim = job->spec.dataset.dim;
    size_t n, n_val;
    count_points(&job->spec, &n, &n_val);
    if (job->spec.dataset.height > 0) {
        snprintf(text, WARNING_TEXT,
                 "%zu training image%s: the model will mostly memorize so few; use at least %d so "
                 "that it can generalize",
                 n, n == 1 ? "" : "s", ENOUGH_IMAGES);
        return n < ENOUGH_IMAGES;
    }
    snprintf(text, WARNING_TEXT,
             "%zu training point%s in %d dimension%s: the model will mostly memorize so few "
             "points; use at least %d so that it can generalize",
             n, n == 1 ? "" : "s", dim, dim == 1 ? "" : "s", ENOUGH_PER_DIMENSION * dim);
    return !spec_is_table(job) && n < (size_t)ENOUGH_PER_DIMENSION * (size_t)dim;
}

/* The answer to a question about so few people may be the record of one of them. */
static bool find_small_table(const struct job_request *job, char text[WARNING_TEXT]) {
    enum { ENOUGH = 50, ENOUGH_PER_COLUMN = 10 };
    const int columns = job->spec.dataset.dim + (job->spec.dataset.classes > 0);
    const int per_column = ENOUGH_PER_COLUMN * columns, rows = job->uploads[0].n;
    const int enough = per_column > ENOUGH ? per_column : ENOUGH;
    snprintf(
        text, WARNING_TEXT,
        "the table has %d rows and %d column%s to learn: samples will resemble single records, "
        "so they are no protection of the people or things in it; use at least %d rows, or "
        "fewer columns",
        rows, columns, columns == 1 ? "" : "s", enough);
    return spec_is_table(job) && rows < enough;
}

static bool find_ema_slow(const struct job_request *job, char text[WARNING_TEXT]) {
    const double decay = job->spec.training.ema_decay, memory = 1 / (1 - decay);
    const int64_t steps = all_steps(&job->spec);
    snprintf(text, WARNING_TEXT,
             "ema_decay %.9g averages the weights of about %.0f steps, but training has only "
             "%lld, so the samples will come from an average that has not settled; use a smaller "
             "ema_decay or more epochs",
             decay, memory, (long long)steps);
    return decay > 0 && (double)steps < memory;
}

static bool find_warmup_too_long(const struct job_request *job, char text[WARNING_TEXT]) {
    const struct dn_training_spec *training = &job->spec.training;
    const int64_t steps = all_steps(&job->spec);
    snprintf(text, WARNING_TEXT,
             "lr_warmup_steps is %d and training has %lld steps: the learning rate will only "
             "rise, and reach %.3g instead of %.3g",
             training->lr_warmup_steps, (long long)steps,
             training->learning_rate * (double)steps / fmax(training->lr_warmup_steps, 1),
             training->learning_rate);
    return training->lr_warmup_steps > 0 && training->lr_warmup_steps >= steps;
}

static bool find_labels_hidden(const struct job_request *job, char text[WARNING_TEXT]) {
    const int classes = job->spec.dataset.classes;
    snprintf(text, WARNING_TEXT,
             "p_uncond 1 hides every label: the model cannot tell its %d classes apart; 0.1 to 0.2 "
             "is usual",
             classes);
    return classes > 0 && job->spec.training.p_uncond == 1;
}

/* Finds the range of each axis over the uploads of a job. False: not known. */
static bool axis_ranges(const struct job_request *job, double *low, double *high) {
    bool known = false;
    for (int k = 0; k < job->spec.dataset.source_count; k++) {
        const struct upload_request *upload = &job->uploads[k];
        for (int j = 0; upload->low && j < job->spec.dataset.dim; j++) {
            low[j] = known ? fmin(low[j], upload->low[j]) : upload->low[j];
            high[j] = known ? fmax(high[j], upload->high[j]) : upload->high[j];
        }
        known |= upload->low != NULL;
    }
    return known;
}

static bool find_axes_differ(const struct job_request *job, char text[WARNING_TEXT]) {
    static const double VERY = 20;
    double low[DN_MAX_DIM], high[DN_MAX_DIM], least = INFINITY, bottom = INFINITY, top = -INFINITY;
    int narrow = 0;
    if (job->spec.training.normalization != DN_MINMAX || !axis_ranges(job, low, high))
        return false;
    for (int j = 0; j < job->spec.dataset.dim; j++) {
        const double size = high[j] - low[j];
        bottom = fmin(bottom, low[j]);
        top = fmax(top, high[j]);
        if (size > 0 && size < least) { /* a constant axis has nothing to learn */
            least = size;
            narrow = j;
        }
    }
    snprintf(text, WARNING_TEXT,
             "normalization \"minmax\" scales all axes together, by their total range of %.3g, and "
             "axis %d spans only %.3g of it, so the network will see almost a constant; "
             "\"standardize\" scales each axis separately",
             top - bottom, narrow, least);
    return isfinite(least) && least * VERY < top - bottom;
}

/* ------------------------------------------------------------------ at the end */

/* Compares the loss with that of a constant output. On the built-in patterns, well-trained models
 * reach at worst 0.9 of it, on patterns that fill areas; random weights reach about 1 or more. */
static bool find_not_learned(const struct dn_spec *spec, const struct training_outcome *outcome,
                             char text[WARNING_TEXT]) {
    const struct dn_verdict *verdict = &outcome->verdict;
    (void)spec;
    snprintf(text, WARNING_TEXT,
             "the model's loss is %.3g, and a network with a constant output would have %.3g: the "
             "model has learned almost nothing; more epochs, another learning_rate, or a larger "
             "network may help",
             verdict->loss, verdict->nothing);
    return verdict->nothing > 1e-9 /* otherwise a constant output is right */ &&
           verdict->loss >= 0.97 * verdict->nothing;
}

/* Without validation points, each epoch's loss comes from different noise, and is only steady for
 * many points. */
static bool find_diverging(const struct dn_spec *spec, const struct training_outcome *outcome,
                           char text[WARNING_TEXT]) {
    enum { STEADY = 100 };
    size_t n, n_val;
    count_points(spec, &n, &n_val);
    snprintf(text, WARNING_TEXT,
             "the %s loss fell to %.3g in epoch %d and has since risen to %.3g; a smaller "
             "learning_rate, gradient_clip, or fewer epochs may help, and keep_best keeps the "
             "model of the best epoch",
             n_val > 0 ? "validation" : "training", outcome->lowest.loss, outcome->lowest.epoch,
             outcome->last);
    return !spec->training.keep_best && (n_val > 0 || n >= STEADY) &&
           outcome->last > (n_val > 0 ? 1.5 : 2) * outcome->lowest.loss;
}

/* ------------------------------------------------------------------ all warnings */

static const char waits_for_kernels[] = "waits_for_kernels"; /* of a job as it is now: not stored */

static const struct warning {
    const char *code;
    /* One of the two, at submission or at the end. They always write the detail, and return whether
     * the warning applies. */
    bool (*of_job)(const struct job_request *job, char text[WARNING_TEXT]);
    bool (*of_outcome)(const struct dn_spec *spec, const struct training_outcome *outcome,
                       char text[WARNING_TEXT]);
    bool stays; /* cannot be checked again when the job is resumed */
    const char *doc;
} table[] = {
    {"schedule_keeps_signal", warn_of_schedule, NULL, false,
     "The schedule ends far from the pure noise that sampling starts from."},
    {"few_points", find_few_points, NULL, false,
     "There are fewer than 20 training points per dimension (not of tables), or 1,000 images."},
    {"small_table", find_small_table, NULL, false,
     "A table has fewer than 50 rows, or fewer than 10 per column to learn."},
    {"ema_slow", find_ema_slow, NULL, false,
     "Training has fewer steps than ema_decay averages over."},
    {"warmup_too_long", find_warmup_too_long, NULL, false,
     "Training ends before the learning rate has risen to its value."},
    {"labels_hidden", find_labels_hidden, NULL, false,
     "p_uncond is 1: the model never sees a label."},
    {"axes_differ", find_axes_differ, NULL, true,
     "An axis of an upload spans less than a twentieth of what minmax scales all axes by."},
    {"not_learned", NULL, find_not_learned, false,
     "At the end: the loss is no better than that of a network with a constant output."},
    {"diverging", NULL, find_diverging, false,
     "At the end: the loss has clearly risen since its best epoch."},
    {waits_for_kernels, NULL, NULL, false,
     "Queued, but no running server offers the `arithmetic` that its checkpoint continues with."},
};
enum { WARNINGS = sizeof table / sizeof table[0] };

static void write_warning(const char *code, const char *detail, struct json_writer *json) {
    json_open(json, '{');
    json_member(json, "code", code);
    json_member(json, "detail", detail);
    json_close(json, '}');
}

static bool stays(const char *code) {
    bool found = false;
    for (int i = 0; i < WARNINGS; i++)
        found |= table[i].stays && strcmp(table[i].code, code) == 0;
    return found;
}

void warnings_write(const char *stored, const struct job_request *job, struct json_writer *json) {
    cJSON *before = stored ? cJSON_Parse(stored) : NULL;
    char text[WARNING_TEXT];
    json_open(json, '[');
    for (int i = 0; i < WARNINGS; i++)
        if (table[i].of_job && table[i].of_job(job, text))
            write_warning(table[i].code, text, json);
    for (const cJSON *each = before ? before->child : NULL; each; each = each->next) {
        const char *code = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(each, "code"));
        const char *detail = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(each, "detail"));
        if (code && detail && stays(code))
            write_warning(code, detail, json);
    }
    json_close(json, ']');
    cJSON_Delete(before);
}

void warnings_write_waiting(const char *stored, const char *arithmetic, struct json_writer *json) {
    char text[WARNING_TEXT];
    const size_t length = strlen(stored);
    snprintf(text, sizeof text,
             "the checkpoint goes on to the same result only with the arithmetic %s, which no "
             "running server offers: the job waits until a server with such a CPU and version "
             "starts (see --simd), or until it is resumed with afresh=true, from the beginning",
             arithmetic);
    json_open(json, '[');
    if (length > sizeof "[]" - 1) { /* what is between the brackets */
        buffer_append(json->out, stored + 1, length - 2);
        json->needs_comma = true;
    }
    write_warning(waits_for_kernels, text, json);
    json_close(json, ']');
}

char *api_conclude(const struct dn_spec *spec, const struct training_outcome *outcome) {
    char text[WARNING_TEXT];
    struct buffer out = {0};
    struct json_writer json = {.out = &out};
    bool any = false;
    json_open(&json, '[');
    for (int i = 0; i < WARNINGS; i++)
        if (table[i].of_outcome && table[i].of_outcome(spec, outcome, text)) {
            write_warning(table[i].code, text, &json);
            any = true;
        }
    json_close(&json, ']');
    char *all = any && !out.failed ? strndup(out.data, out.length) : NULL;
    buffer_clear(&out);
    return all;
}

struct code warning_code_at(int i) {
    return i < WARNINGS ? (struct code){table[i].code, table[i].doc} : (struct code){NULL, NULL};
}
