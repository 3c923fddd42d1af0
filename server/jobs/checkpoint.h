/*
 * checkpoint.h - the state from which training resumes: its bytes and their digest.
 */
#ifndef SERVER_JOBS_CHECKPOINT_H
#define SERVER_JOBS_CHECKPOINT_H

#include "engine/denoise.h"
#include "server/store/store.h"

/* Saves the trainer as it is now, with the history up to `epoch`; the caller frees
 * checkpoint->bytes. False when out of memory. */
bool checkpoint_save(const struct dn_trainer *trainer, int epoch, double seconds,
                     struct checkpoint *checkpoint);
/* Loads it. DN_CORRUPT and why if a bit of it has changed or if it belongs to another job;
 * DN_OTHER_ARITHMETIC if it is whole but continues only elsewhere. Then the trainer is unchanged. */
enum dn_status checkpoint_load(const struct checkpoint *checkpoint, struct dn_trainer *trainer,
                               struct dn_error *error);

#endif
