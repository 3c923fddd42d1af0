/*
 * measure.h - how good a model is during its training (training.evaluate_every).
 */
#ifndef SERVER_JOBS_MEASURE_H
#define SERVER_JOBS_MEASURE_H

#include "server/jobs/worker.h"

/* After the trainer has copied what it needs of the data: keeps all of it if models are to be held
 * against it, and nothing otherwise. */
enum dn_status measure_prepare(struct training *training, struct dn_error *error);

/* Metrics of the model, after each epoch for which the spec asks for them, and after the last.
 * Otherwise, and for metrics that this data does not allow, NAN. The trainer is only read. */
enum dn_status measure_epoch(const struct dn_trainer *trainer, const struct training *training,
                             int epoch, struct dn_evaluation *result, dn_stop_flag *stop,
                             struct dn_error *error);

#endif
