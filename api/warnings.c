#include "api/warnings.h"

#include <stdio.h>
#include <stdlib.h>

bool warn_of_schedule(const struct dn_diffusion_spec *spec, char text[WARNING_TEXT]) {
    struct dn_schedule_step *steps = malloc((size_t)spec->timesteps * sizeof *steps);
    bool warn = false;
    if (steps && dn_schedule_steps(spec, steps, NULL) == DN_OK) {
        const double snr = steps[spec->timesteps - 1].snr;
        warn = !dn_snr_is_noise(snr);
        snprintf(text, WARNING_TEXT,
                 "the schedule ends with a signal-to-noise ratio of %.3g, far from the pure noise "
                 "that sampling starts from: samples will lie where the data is, but more or less "
                 "densely than the data; larger betas, more of them, or beta_schedule \"cosine\" "
                 "reach noise",
                 snr);
    }
    free(steps);
    return warn;
}

void warnings_write(const struct dn_spec *spec, struct json_writer *json) {
    char text[WARNING_TEXT];
    json_open(json, '[');
    if (warn_of_schedule(&spec->diffusion, text)) {
        json_open(json, '{');
        json_key(json, "code");
        json_string(json, "schedule_keeps_signal");
        json_key(json, "detail");
        json_string(json, text);
        json_close(json, '}');
    }
    json_close(json, ']');
}
