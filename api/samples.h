/*
 * samples.h - a request for samples of a model: shared by its reading (samples.c) and its answer
 * (samples_answer.c).
 */
#ifndef API_SAMPLES_H
#define API_SAMPLES_H

#include "api/format/point_stream.h"
#include "api/models.h"

/* A class has the name of a label or, in a list of data sets, of one of these (spec_class_name). */
enum { LABEL_TEXT = 120 };

struct sampling {
    struct dn_sample_request request;
    char label[LABEL_TEXT + 1]; /* name of the class request.label; "" if it is given by index */
    const char *const *classes; /* the names of the model's, up to a NULL; of the arena */
    int noise_dim;              /* columns of request.noise, if given */
    int epoch;                  /* of the checkpoint; 0: the newest */
    bool is_trajectory;
    bool is_unread; /* the body, which is large */
    const struct format *format;
    int which;                   /* of a trajectory: index into which_names */
    int *timesteps;              /* of a trajectory: [request.frames] */
    struct loaded_model *loaded; /* in the arena */
    struct look look;
};

/* Completes and checks the request against the model: fills in what the request leaves out (steps
 * 0; eta, guidance NAN; label DN_LABELS_IN_TURN), and adds errors to `wrong`. */
void sampling_fit(struct dn_sample_request *request, const struct dn_model *model,
                  struct problem_fields *wrong);

/* dn_sample on the pool: gives turns to others between its steps. */
enum dn_status sample_in_turns(const struct dn_model *model,
                               const struct dn_sample_request *request,
                               const struct dn_sample_result *result,
                               const struct http_exchange *exchange, struct dn_error *error);

/* Computes and answers exchange->state, a struct sampling that fits its model. Gives the model back
 * when that is over. */
void sampling_answer(struct http_exchange *exchange);

#endif
