/*
 * trained.c - the model that a trainer has made so far.
 */
#include <string.h>

#include "engine/model/train.h"
#include "engine/model/uncertainty.h"

int dn_trainer_model_epoch(const struct dn_trainer *trainer) {
    return trainer->at.best_epoch > 0 ? trainer->at.best_epoch : trainer->at.epoch;
}

enum dn_status dn_trainer_model(const struct dn_trainer *trainer, struct dn_model **out,
                                struct dn_error *error) {
    struct dn_model *model;
    enum dn_status status = model_new(&trainer->spec, trainer->network.kernels, &model, error);
    if (status != DN_OK)
        return status;
    memcpy(model->parameters, trainer_model_weights(trainer),
           trainer->network.size * sizeof(float));
    model->transform = trainer->transform;
    model->moments = trainer->moments;
    memcpy(model->class_counts, trainer->class_counts, sizeof model->class_counts);
    model->epoch = dn_trainer_model_epoch(trainer);
    status = transform_own(&model->transform, error);
    if (status == DN_OK)
        status = model_use_levels(&model->network, &model->spec, &model->schedule,
                                  &model->transform, error);
    if (status == DN_OK)
        status = uncertainty_measure(model, trainer->points, trainer->n, error);
    if (status == DN_OK)
        *out = model;
    else
        dn_model_free(model);
    return status;
}

size_t dn_trainer_model_bytes(const struct dn_trainer *trainer) {
    const struct dn_model header = {
        .spec = trainer->spec, .transform = trainer->transform, .moments = trainer->moments};
    return model_serialize(&header, &trainer->network, NULL, NULL);
}

enum dn_status dn_trainer_model_save(const struct dn_trainer *trainer, void *bytes,
                                     struct dn_error *error) {
    struct dn_model model = {.spec = trainer->spec,
                             .dim = trainer->dim,
                             .transform = trainer->transform,
                             .moments = trainer->moments,
                             .epoch = dn_trainer_model_epoch(trainer),
                             .schedule = trainer->schedule,
                             .network = trainer->network,
                             .parameters = (float *)trainer_model_weights(trainer)};
    memcpy(model.class_counts, trainer->class_counts, sizeof model.class_counts);
    enum dn_status status = uncertainty_measure(&model, trainer->points, trainer->n, error);
    if (status == DN_OK)
        model_serialize(&model, &trainer->network, model.parameters, bytes);
    return status;
}
