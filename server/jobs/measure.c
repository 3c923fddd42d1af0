#include "server/jobs/measure.h"

#include <math.h>

enum dn_status measure_prepare(struct training *training, struct dn_error *error) {
    if (training->spec.training.evaluate_every == 0)
        dn_data_clear(&training->data);
    else if (!training->data.points)
        return dn_data_draw(&training->spec, NULL, &training->data, error);
    return DN_OK;
}

enum dn_status measure_epoch(const struct dn_trainer *trainer, const struct training *training,
                             int epoch, struct dn_evaluation *result, dn_stop_flag *stop,
                             struct dn_error *error) {
    const struct dn_training_spec *spec = &training->spec.training;
    struct dn_model *model;
    *result = (struct dn_evaluation){NAN, NAN};
    if (spec->evaluate_every == 0 || (epoch % spec->evaluate_every != 0 && epoch != spec->epochs))
        return DN_OK;
    enum dn_status status = dn_trainer_model(trainer, &model, error);
    if (status != DN_OK)
        return status;
    status = dn_evaluate(model, &training->data, DN_EVALUATION_POINTS, training->spec.seed, result,
                         stop, error);
    dn_model_free(model);
    return status == DN_INVALID ? DN_OK : status;
}
