#include "server/jobs/checkpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/sha256.h"

bool checkpoint_save(const struct dn_trainer *trainer, int epoch, double seconds,
                     struct checkpoint *checkpoint) {
    const size_t size = dn_trainer_bytes(trainer);
    void *bytes = malloc(size);
    if (!bytes)
        return false;
    dn_trainer_save(trainer, bytes);
    *checkpoint = (struct checkpoint){.bytes = bytes,
                                      .size = size,
                                      .step = dn_trainer_steps_done(trainer),
                                      .epoch = epoch,
                                      .seconds = seconds};
    sha256_text(bytes, size, checkpoint->sha256);
    return true;
}

enum dn_status checkpoint_load(const struct checkpoint *checkpoint, struct dn_trainer *trainer,
                               struct dn_error *error) {
    char digest[SHA256_TEXT];
    sha256_text(checkpoint->bytes, checkpoint->size, digest);
    if (strcmp(digest, checkpoint->sha256) != 0) {
        snprintf(error->text, sizeof error->text, "its bytes are damaged");
        return DN_CORRUPT;
    }
    return dn_trainer_load(trainer, checkpoint->bytes, checkpoint->size, error);
}
