/* The whole space of specs that the contract allows, not only the presets: what passes
 * dn_spec_check must work. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "engine/train.h"

/* Buffers are made for trainer_chunk_rows; a batch hands over chunks of trainer_batch_chunk rows.
 */
Test(spec_space, no_chunk_of_any_network_outgrows_its_buffers) {
    struct dn_spec spec = dn_presets[0].spec;
    size_t largest = 0;
    for (size_t n = 1; n <= DN_MAX_BATCH_SIZE; n++)
        if (trainer_batch_chunk(n) > largest)
            largest = trainer_batch_chunk(n);
    for (int H = DN_MIN_HIDDEN_SIZE; H <= DN_MAX_HIDDEN_SIZE; H += 2)
        for (int L = 1; L <= DN_MAX_HIDDEN_LAYERS; L++) {
            struct network network;
            spec.network.hidden_size = H;
            spec.network.hidden_layers = L;
            cr_assert_eq(dn_spec_check(&spec, NULL), DN_OK);
            network_layout(&network, &spec);
            cr_assert_geq(trainer_chunk_rows(&network), largest, "%d x %d", H, L);
        }
}

/* The shapes whose chunks of 128 rows once met buffers for 126. */
Test(spec_space, networks_around_the_second_level_cache_train) {
    static const int shapes[][2] = {{128, 4}, {64, 8}, {256, 2}, {512, 1}};
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        struct dn_spec spec = dn_presets[0].spec;
        struct dn_trainer *trainer;
        struct dn_error error;
        spec.dataset.sources[0].n = 300;
        spec.training.batch_size = 256;
        spec.network.hidden_size = shapes[i][0];
        spec.network.hidden_layers = shapes[i][1];
        cr_assert_eq(dn_trainer_new(&spec, NULL, &trainer, &error), DN_OK, "%s", error.text);
        struct dn_epoch epoch;
        cr_assert_eq(dn_trainer_epoch(trainer, NULL, &epoch, &error), DN_OK, "%s", error.text);
        cr_assert_eq(epoch.step, 2);
        cr_assert(epoch.val_loss > 0 && epoch.val_loss < 10, "%g", epoch.val_loss);
        dn_trainer_free(trainer);
    }
}
