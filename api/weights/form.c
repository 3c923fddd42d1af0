#include "api/weights/form.h"

#include <stdio.h>
#include <string.h>

#include "api/contract/handlers.h"

/* All levels and maps of as many columns as a table may have. */
enum { MOST_VALUES = 1 << 20 };

static const struct table_form *parse(const char *text, struct arena *arena, char *error,
                                      size_t error_size) {
    cJSON *json = json_read(text, strlen(text), MOST_VALUES, arena, error, error_size);
    if (!json)
        return NULL;
    cJSON_Delete(json); /* it is short enough */
    snprintf(error, error_size, "must be the form of a table's rows, as in an exported model");
    return form_read(text, arena);
}

/* Are all coordinates numbers that are never missing, and does no column follow from others? */
static bool has_numbers(const struct table_form *form) {
    bool all = true;
    for (int j = 0; j < form->count; j++)
        all &= form->columns[j].coordinate < 0
                   ? form->sources[j] < 0
                   : column_is_number(&form->columns[j]) && form->columns[j].missing == 0;
    return all;
}

char *weights_form_read(const char *text, const struct dn_spec *spec, struct arena *arena,
                        char *error, size_t error_size) {
    const struct dn_dataset_spec *dataset = &spec->dataset;
    const struct table_form *form = parse(text, arena, error, error_size);
    if (!form)
        return NULL;
    const char *wrong = form_wrong(form, dataset->dim, dataset->classes > 0, arena);
    if (!wrong && dataset->source_count > 1)
        wrong = "needs a model of one data set";
    if (!wrong && spec->training.normalization != DN_QUANTILE && !has_numbers(form))
        wrong = "has columns that need the normalization \"quantile\"";
    snprintf(error, error_size, "%s", wrong ? wrong : "not enough memory");
    if (wrong)
        return NULL;
    struct buffer out = {0};
    form_write(form, &(struct json_writer){.out = &out});
    char *copy = out.failed ? NULL : arena_copy(arena, out.data, out.length);
    buffer_clear(&out);
    return copy;
}
