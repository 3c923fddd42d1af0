/* /v1/models/{id}/schedule: how much noise there is at each timestep of a model. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/contract/openapi.h"
#include "api/format/formats.h"
#include "api/format/number.h"
#include "api/format/svg.h"
#include "api/models.h"
#include "api/spec.h"
#include "api/warnings.h"

#define AT(member) offsetof(struct dn_schedule_step, member)
/* The columns after t. */
static const struct {
    const char *name;
    size_t offset;
} columns[] = {
    {"beta", AT(beta)},
    {"alpha", AT(alpha)},
    {"alpha_bar", AT(alpha_bar)},
    {"signal", AT(signal)},
    {"noise", AT(noise)},
    {"snr", AT(snr)},
    {"posterior_variance", AT(posterior_variance)},
};
enum { COLUMNS = sizeof columns / sizeof *columns };

static double cell(const struct dn_schedule_step *step, int column) {
    return *(const double *)((const char *)step + columns[column].offset);
}

static void write_data(const struct dn_schedule_step *steps, int T, struct json_writer *json) {
    json_key(json, "columns");
    json_open(json, '[');
    json_string(json, "t");
    for (int c = 0; c < COLUMNS; c++)
        json_string(json, columns[c].name);
    json_close(json, ']');
    json_key(json, "data");
    json_open(json, '{');
    json_key(json, "t");
    json_open(json, '[');
    for (int t = 1; t <= T; t++)
        json_integer(json, t);
    json_close(json, ']');
    for (int c = 0; c < COLUMNS; c++) {
        json_key(json, columns[c].name);
        json_open(json, '[');
        for (int t = 1; t <= T; t++)
            json_double(json, cell(&steps[t - 1], c));
        json_close(json, ']');
    }
    json_close(json, '}');
}

static void reply_json(struct http_exchange *exchange, const char *id,
                       const struct dn_diffusion_spec *spec, const struct dn_schedule_step *steps) {
    const double snr = steps[spec->timesteps - 1].snr;
    char warning[WARNING_TEXT];
    struct json_writer json = json_reply(exchange, 200);
    json_open(&json, '{');
    json_key(&json, "model");
    json_string(&json, id);
    json_key(&json, "beta_schedule");
    json_string(&json, dn_beta_schedule_names[spec->beta_schedule]);
    json_key(&json, "timesteps");
    json_integer(&json, spec->timesteps);
    json_key(&json, "terminal_snr");
    json_double(&json, snr);
    json_key(&json, "reaches_noise");
    json_bool(&json, dn_snr_is_noise(snr));
    json_key(&json, "warning");
    json_string(&json, warn_of_schedule(spec, warning) ? warning : NULL);
    write_data(steps, spec->timesteps, &json);
    json_close(&json, '}');
}

static void reply_csv(struct http_exchange *exchange, const struct dn_schedule_step *steps, int T) {
    struct buffer *out = &exchange->response.body;
    char text[DOUBLE_TEXT];
    exchange->response.status = 200;
    buffer_text(out, "t");
    for (int c = 0; c < COLUMNS; c++)
        buffer_format(out, ",%s", columns[c].name);
    for (int t = 1; t <= T; t++) {
        buffer_format(out, "\r\n%d", t);
        for (int c = 0; c < COLUMNS; c++) {
            const double value = cell(&steps[t - 1], c);
            buffer_append(out, ",", 1);
            if (isfinite(value)) /* else the cell is empty */
                buffer_append(out, text, double_text(text, value));
        }
    }
    buffer_text(out, "\r\n");
}

static void reply_svg(struct http_exchange *exchange, const struct dn_schedule_step *steps, int T) {
    double *values = malloc(3 * (size_t)T * sizeof *values);
    exchange->response.status = 200;
    if (!values) {
        buffer_fail(&exchange->response.body);
        return;
    }
    double *signal = values + T, *noise = signal + T;
    for (int i = 0; i < T; i++) {
        values[i] = i + 1;
        signal[i] = steps[i].signal;
        noise[i] = steps[i].noise;
    }
    svg_curves(&exchange->response.body, &(struct curves){.title = "signal and noise",
                                                          .x_name = "t",
                                                          .x = values,
                                                          .count = (size_t)T,
                                                          .names = {"signal", "noise"},
                                                          .y = {signal, noise}});
    free(values);
}

static void reply(struct http_exchange *exchange, const char *id,
                  const struct dn_diffusion_spec *spec) {
    const struct format *format = exchange->state;
    struct dn_schedule_step *steps = malloc((size_t)spec->timesteps * sizeof *steps);
    if (!steps || dn_schedule_steps(spec, steps, NULL) != DN_OK)
        problem(exchange, PROBLEM_NO_MEMORY, "not enough memory for the schedule");
    else if (format_is_json(format))
        reply_json(exchange, id, spec, steps);
    else if (strcmp(format->suffix, "csv") == 0)
        reply_csv(exchange, steps, spec->timesteps);
    else
        reply_svg(exchange, steps, spec->timesteps);
    free(steps);
}

/* The spec has all of it; the weights are not read. */
static void answer_on_pool(struct http_exchange *exchange, struct store_session *unused) {
    (void)unused;
    struct model row;
    struct job_request request;
    struct dn_error error;
    if (!read_model_row(exchange, exchange->request.ids[0], &row))
        return;
    if (spec_read_stored(row.spec, &request, http_arena(exchange), &error))
        reply(exchange, row.id, &request.spec.diffusion);
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
