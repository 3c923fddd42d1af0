/* /v1/models/{id}/schedule: the amount of noise at each timestep of a model. */
#include <math.h>
#include <string.h>

#include "api/contract/openapi.h"
#include "api/format/formats.h"
#include "api/format/svg.h"
#include "api/models.h"
#include "api/spec/spec.h"
#include "api/spec/warnings.h"

#define COLUMN(name)                                                                               \
    { "", #name, FIELD_NUMBER, offsetof(struct dn_schedule_step, name), .flags = FIELD_OR_NULL }
static const struct field columns[] = {
    {"", "t", FIELD_INTEGER, offsetof(struct dn_schedule_step, t)},
    COLUMN(beta),
    COLUMN(alpha),
    COLUMN(alpha_bar),
    COLUMN(signal),
    COLUMN(noise),
    COLUMN(snr),
    COLUMN(posterior_variance),
};
const struct field_set schedule_columns = ANSWER(columns, .doc = "x_t = signal x_0 + noise eps.");

struct schedule {
    const char *model;
    int beta_schedule, timesteps;
    double terminal_snr;
    bool reaches_noise;
    const char *warning;
    struct table table;
};
#define AT(member) offsetof(struct schedule, member)
static const struct field answer_rows[] = {
    {"", "model", FIELD_STRING, AT(model), .schema = "Id"},
    {"", "beta_schedule", FIELD_CHOICE, AT(beta_schedule), .choices = dn_beta_schedule_names},
    {"", "timesteps", FIELD_INTEGER, AT(timesteps), 1, INFINITY},
    {"", "terminal_snr", FIELD_NUMBER, AT(terminal_snr), 0, INFINITY,
     .doc = "Signal-to-noise ratio at the last timestep, where sampling starts from pure noise."},
    {"", "reaches_noise", FIELD_BOOLEAN, AT(reaches_noise),
     .doc = "Whether terminal_snr is at most 0.01."},
    {"", "warning", FIELD_STRING, AT(warning), .flags = FIELD_OR_NULL},
    {"", "columns", FIELD_WRITTEN, AT(table), .schema = "Names", .write = table_write_names},
    {"", "data", FIELD_WRITTEN, AT(table), .schema = "ScheduleColumns",
     .write = table_write_columns},
};
const struct field_set schedule_answer = ANSWER(answer_rows);

static void reply_json(struct http_exchange *exchange, const char *id,
                       const struct job_request *job, const struct table *table) {
    const struct dn_diffusion_spec *spec = &job->spec.diffusion;
    const struct dn_schedule_step *steps = table->rows;
    const double snr = steps[spec->timesteps - 1].snr;
    char warning[WARNING_TEXT];
    const struct schedule schedule = {
        .model = id,
        .beta_schedule = (int)spec->beta_schedule,
        .timesteps = spec->timesteps,
        .terminal_snr = snr,
        .reaches_noise = dn_snr_is_noise(snr),
        .warning = warn_of_schedule(job, warning) ? warning : NULL,
        .table = *table,
    };
    struct json_writer json = json_reply(exchange, 200);
    fields_write(&schedule_answer, &schedule, &json);
}

static void reply(struct http_exchange *exchange, const char *id, const struct job_request *job) {
    const struct format *format = exchange->state;
    const size_t T = (size_t)job->spec.diffusion.timesteps;
    struct dn_schedule_step *steps = http_alloc(exchange, T * sizeof *steps);
    const struct table table = {&schedule_columns, steps, sizeof *steps, T};
    if (!steps)
        return;
    if (dn_schedule_steps(&job->spec.diffusion, steps, NULL) != DN_OK) {
        problem(exchange, PROBLEM_NO_MEMORY, "not enough memory for the schedule");
        return;
    }
    exchange->response.status = 200;
    if (format_is_json(format))
        reply_json(exchange, id, job, &table);
    else if (strcmp(format->suffix, "csv") == 0)
        table_write_csv(&table, &exchange->response.body);
    else
        svg_curves(&exchange->response.body, &(struct curves){
                                                 .title = "signal and noise",
                                                 .x_name = "t",
                                                 .table = &table,
                                                 .x = offsetof(struct dn_schedule_step, t),
                                                 .names = {"signal", "noise"},
                                                 .y = {offsetof(struct dn_schedule_step, signal),
                                                       offsetof(struct dn_schedule_step, noise)},
                                             });
}

/* The spec determines the schedule; the weights are not read. */
static void answer_on_pool(struct http_exchange *exchange, struct store_session *unused) {
    (void)unused;
    struct model row;
    struct job_request request;
    struct dn_error error;
    if (!read_model(exchange, 0, false, &row))
        return;
    if (spec_read_stored(row.spec, &request, http_arena(exchange), &error))
        reply(exchange, row.id, &request);
    else
        problem(exchange, PROBLEM_SPEC_UNREADABLE, error.text);
    model_clear(&row);
}

enum http_next api_model_schedule(struct http_exchange *exchange) {
    const struct format *format = format_of(exchange);
    if (!format || !no_query(exchange) || !path_id(exchange, PROBLEM_NO_SUCH_MODEL))
        return HTTP_REPLY;
    exchange->state = (void *)format;
    return http_on_pool(exchange, answer_on_pool);
}
