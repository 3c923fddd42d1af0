#include "api/spec/cost.h"

#include <math.h>

#include "api/contract/handlers.h"
#include "server/jobs/estimate.h"

/* Takes one core about 50 ms. */
#define LARGE_COST 5e9

/* The cost of one point. */
static double cost_of(const struct dn_model *model, const struct dn_sample_request *request) {
    return 2 * (double)dn_spec_parameters(dn_model_spec(model)) *
           dn_sample_evaluations(model, request);
}

bool cost_is_large(const struct dn_model *model, const struct dn_sample_request *request) {
    return request->n * cost_of(model, request) > LARGE_COST;
}

bool cost_fits(struct http_exchange *exchange, const struct dn_model *model,
               const struct dn_sample_request *request) {
    const double limit = service_of(exchange)->max_sample_cost;
    const double one = cost_of(model, request);
    if (request->n * one <= limit)
        return true;
    problem(exchange, PROBLEM_TOO_EXPENSIVE,
            http_format(exchange,
                        "%d points would cost %.4g floating-point operations; one request may use "
                        "at most %.4g, which allows n = %.0f for this model",
                        request->n, request->n * one, limit, floor(limit / one)));
    return false;
}

/* ------------------------------------------------------------------ memory */

/* Each of these settings is turned down on its own, to see what saves memory. */
static void less_hidden(struct dn_spec *spec) {
    spec->network.hidden_size = DN_MIN_HIDDEN_SIZE;
}
static void less_layers(struct dn_spec *spec) {
    spec->network.hidden_layers = 1;
}
static void less_timesteps(struct dn_spec *spec) {
    spec->diffusion.timesteps = 1;
}
static void less_embedding(struct dn_spec *spec) {
    spec->network.time_embedding = DN_SINUSOIDAL;
}
static void less_batch(struct dn_spec *spec) {
    spec->training.batch_size = 1;
}
static void less_points(struct dn_spec *spec) {
    for (int k = 0; k < spec->dataset.source_count; k++)
        spec->dataset.sources[k].n = 1;
}

static const struct {
    const char *advice;
    void (*apply)(struct dn_spec *spec);
} savings[] = {
    {"a smaller network.hidden_size", less_hidden},
    {"fewer network.hidden_layers", less_layers},
    {"network.time_embedding \"sinusoidal\"", less_embedding},
    {"fewer diffusion.timesteps", less_timesteps},
    {"a smaller training.batch_size", less_batch},
    {"fewer points (dataset.n)", less_points},
};
enum { SAVINGS = sizeof savings / sizeof savings[0] };

/* "a smaller network.hidden_size, fewer points (dataset.n)": the settings that, turned down all the
 * way, would save a tenth or more. */
static const char *advice(struct http_exchange *exchange, const struct dn_spec *spec,
                          int64_t memory) {
    char *text = http_format(exchange, "%s", "");
    struct dn_spec less;
    for (int i = 0; text && i < SAVINGS; i++) {
        less = *spec;
        savings[i].apply(&less);
        if (estimate_memory(&less) <= memory / 10 * 9)
            text = http_format(exchange, "%s%s%s", text, text[0] ? ", " : "", savings[i].advice);
    }
    return text && text[0] ? text : "a smaller network";
}

/* "2.1 GiB", "350 MiB". */
static const char *size_text(struct http_exchange *exchange, int64_t bytes) {
    const double mib = (double)bytes / (1 << 20);
    return mib < 1000 ? http_format(exchange, "%.1f MiB", mib)
                      : http_format(exchange, "%.1f GiB", mib / 1024);
}

static bool memory_fits(struct http_exchange *exchange, const struct dn_spec *spec,
                        int64_t memory) {
    const int64_t limit = service_of(exchange)->max_training_memory;
    if (memory <= limit)
        return true;
    problem(exchange, PROBLEM_TOO_LARGE,
            http_format(exchange,
                        "this training needs up to %s of memory; this server allows %s for "
                        "training (--max-training-memory); to use less: %s",
                        size_text(exchange, memory), size_text(exchange, limit),
                        advice(exchange, spec, memory)));
    return false;
}

/* A new checkpoint is stored before the previous one is deleted, and so is a new model. */
static bool database_fits(struct http_exchange *exchange, const struct dn_spec *spec) {
    const int64_t limit = service_of(exchange)->max_database / 16 * 15;
    const int64_t bytes = 2 * (dn_spec_checkpoint_bytes(spec) + dn_spec_model_bytes(spec));
    if (limit == 0 || bytes <= limit)
        return true;
    problem(exchange, PROBLEM_TOO_LARGE,
            http_format(exchange,
                        "the checkpoints and models of this training take up to %s in the "
                        "database, which is limited to %s (--max-database): a smaller network "
                        "needs less",
                        size_text(exchange, bytes), size_text(exchange, limit)));
    return false;
}

bool cost_training_fits(struct http_exchange *exchange, const struct dn_spec *spec,
                        int64_t memory) {
    return memory_fits(exchange, spec, memory) && database_fits(exchange, spec);
}
