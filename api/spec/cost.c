#include "api/spec/cost.h"

#include <math.h>

#include "api/contract/handlers.h"
#include "server/jobs/estimate.h"

/* Takes one core about 50 ms. */
#define LARGE_COST 5e9

/* Operations of the network for one point. Of a step of training, a third is the way forward. */
static double network_cost(const struct dn_spec *spec) {
    struct dn_spec one = *spec;
    one.training.batch_size = 1;
    return spec->dataset.height > 0 ? dn_spec_step_flops(&one) / 3
                                    : 2 * (double)dn_spec_parameters(spec);
}

/* The cost of one point. */
static double cost_of(const struct dn_model *model, const struct dn_sample_request *request) {
    return network_cost(dn_model_spec(model)) * dn_sample_evaluations(model, request);
}

bool cost_is_large(const struct dn_model *model, const struct dn_sample_request *request) {
    return cost_is_large_for(request->n, cost_of(model, request));
}

bool cost_is_large_for(int n, double one) {
    return n * one > LARGE_COST;
}

double cost_affordable(struct http_exchange *exchange, const struct dn_model *model,
                       const struct dn_sample_request *request) {
    return floor(service_of(exchange)->max_sample_cost / cost_of(model, request));
}

bool cost_fits(struct http_exchange *exchange, const struct dn_model *model,
               const struct dn_sample_request *request) {
    return cost_fits_for(exchange, request->n, cost_of(model, request));
}

bool cost_fits_for(struct http_exchange *exchange, int n, double one) {
    const double limit = service_of(exchange)->max_sample_cost;
    if (n * one <= limit)
        return true;
    problem(exchange, PROBLEM_TOO_EXPENSIVE,
            http_format(exchange,
                        "%d points would cost %.4g floating-point operations; one request may use "
                        "at most %.4g, which allows n = %.0f for this model",
                        n, n * one, limit, floor(limit / one)));
    return false;
}

/* ------------------------------------------------------------------ memory */

/* Settings that save memory when they are turned down. */
enum { HIDDEN_SIZE, HIDDEN_LAYERS, TIME_EMBEDDING, TIMESTEPS, BATCH_SIZE, POINTS, SAVINGS };
static const char *const savings[SAVINGS] = {
    [HIDDEN_SIZE] = "a smaller network.hidden_size",
    [HIDDEN_LAYERS] = "fewer network.hidden_layers",
    [TIME_EMBEDDING] = "network.time_embedding \"sinusoidal\"",
    [TIMESTEPS] = "fewer diffusion.timesteps",
    [BATCH_SIZE] = "a smaller training.batch_size",
    [POINTS] = "fewer points (dataset.n)",
};

int64_t cost_memory(struct http_exchange *exchange, const struct dn_spec *spec) {
    const int copies = store_row_copies(service_of(exchange)->store);
    struct dn_spec with = *spec;
    with.training.threads =
        estimate_threads(spec, copies, service_of(exchange)->max_training_memory);
    return estimate_memory(&with, copies);
}

/* "a smaller network.hidden_size, fewer points (dataset.n)": the settings that would each save a
 * tenth or more if they were turned down all the way. */
static const char *advice(struct http_exchange *exchange, const struct dn_spec *spec,
                          int64_t memory) {
    char *text = http_format(exchange, "%s", "");
    struct dn_spec less[SAVINGS];
    for (int i = 0; i < SAVINGS; i++)
        less[i] = *spec;
    less[HIDDEN_SIZE].network.hidden_size = DN_MIN_HIDDEN_SIZE;
    less[HIDDEN_LAYERS].network.hidden_layers = 1;
    less[TIME_EMBEDDING].network.time_embedding = DN_SINUSOIDAL;
    less[TIMESTEPS].diffusion.timesteps = 1;
    less[BATCH_SIZE].training.batch_size = 1;
    for (int k = 0; k < spec->dataset.source_count; k++)
        less[POINTS].dataset.sources[k].n = 1;
    for (int i = 0; text && i < SAVINGS; i++)
        if (cost_memory(exchange, &less[i]) <= memory / 10 * 9)
            text = http_format(exchange, "%s%s%s", text, text[0] ? ", " : "", savings[i]);
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
                        "training this job needs up to %s of memory; this server allows %s for "
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
                        "the checkpoints and models of this job take up to %s in the "
                        "database, which is limited to %s (--max-database): a smaller network "
                        "needs less",
                        size_text(exchange, bytes), size_text(exchange, limit)));
    return false;
}

bool cost_training_fits(struct http_exchange *exchange, const struct dn_spec *spec,
                        int64_t memory) {
    return memory_fits(exchange, spec, memory) && database_fits(exchange, spec);
}
