#include "server/jobs/offers.h"

#include <string.h>

void offers_make(struct offers *offers, const char *only) {
    *offers = (struct offers){.count = 0};
    const char *kernels = only ? only : dn_kernels_offered(0);
    while (kernels && offers->count < STORE_MAX_OFFERS) {
        struct offer *offer = &offers->each[offers->count++];
        offer->kernels = kernels;
        dn_arithmetic(kernels, offer->arithmetic);
        kernels = only ? NULL : dn_kernels_offered(offers->count);
    }
}

const struct offer *offers_choose(const struct offers *offers, const char *arithmetic) {
    for (int i = 0; arithmetic && i < offers->count; i++)
        if (strcmp(offers->each[i].arithmetic, arithmetic) == 0)
            return &offers->each[i];
    return &offers->each[0];
}
