#include "api/table/histogram.h"

#include <math.h>

/* Equal parts from the smallest value to the largest. Where all values are multiples of a unit, so
 * is the width, so that no part has room for more of them than another. */
static void divide(const struct column *column, struct column_histogram *histogram) {
    const double range = column->max - column->min;
    const double unit = column->type == TYPE_INTEGER ? 1 : column->step;
    histogram->start = column->min;
    histogram->parts = HISTOGRAM_PARTS;
    if (range == 0) {
        histogram->width = unit > 0 ? unit : 1;
        histogram->parts = 1;
    } else if (unit > 0) {
        histogram->width = unit * ceil((range / unit + 1) / HISTOGRAM_PARTS);
        histogram->parts = 1 + (int)floor(range / histogram->width);
    } else {
        histogram->width = range / HISTOGRAM_PARTS;
    }
}

void histogram_make(const struct column_view *view, struct column *column) {
    struct column_histogram histogram = {.start = NAN, .width = NAN, .parts = column->level_count};
    if (!column->levels)
        divide(column, &histogram);
    histogram.counts = arena_alloc(view->arena, (size_t)histogram.parts * sizeof *histogram.counts);
    if (!histogram.counts)
        return;
    for (uint32_t code = 0; code < view->column->distinct; code++) {
        const double value = view->values[code];
        if (view->kinds[code] == CELL_MISSING || isnan(value))
            continue;
        const double place = column->levels ? value : (value - histogram.start) / histogram.width;
        histogram.counts[(int)fmin(place, histogram.parts - 1)] += view->counts[code];
    }
    column->histogram = histogram;
}

void histogram_write(const struct column_histogram *histogram, struct json_writer *json) {
    if (!histogram->counts) {
        json_null(json);
        return;
    }
    json_open(json, '{');
    json_key(json, "start");
    json_double(json, histogram->start);
    json_key(json, "width");
    json_double(json, histogram->width);
    json_member_open(json, "counts", '[');
    for (int i = 0; i < histogram->parts; i++)
        json_integer(json, histogram->counts[i]);
    json_close(json, ']');
    json_close(json, '}');
}
