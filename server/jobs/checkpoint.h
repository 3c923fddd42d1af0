/*
 * checkpoint.h - the stored state of a training: its bytes and their digest.
 */
#ifndef SERVER_JOBS_CHECKPOINT_H
#define SERVER_JOBS_CHECKPOINT_H

#include "engine/denoise.h"
#include "server/store/store.h"

/* The trainer as it is now, with the history up to `epoch`; the caller frees checkpoint->bytes.
 * False when out of memory. */
bool checkpoint_save(const struct dn_trainer *trainer, int epoch, double seconds,
                     struct checkpoint *checkpoint);
/* Brings the trainer there. DN_CORRUPT and why, and the trainer is as it was, if a bit of it is
 * another or if it is not of this training and program. */
enum dn_status checkpoint_load(const struct checkpoint *checkpoint, struct dn_trainer *trainer,
                               struct dn_error *error);

#endif
