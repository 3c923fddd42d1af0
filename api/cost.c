#include "api/cost.h"

#include <math.h>

#include "api/handlers.h"

bool cost_fits(struct http_exchange *exchange, const struct dn_model *model, int n,
               int evaluations) {
    const double limit = service_of(exchange)->max_sample_cost;
    const double one = 2 * (double)dn_spec_parameters(dn_model_spec(model)) * evaluations;
    if (n * one <= limit)
        return true;
    problem(exchange, 422, "too_expensive",
            http_format(exchange,
                        "%d points would cost %.4g floating-point operations; at most %.4g are "
                        "spent on one request, which is n = %.0f here",
                        n, n * one, limit, floor(limit / one)));
    return false;
}
