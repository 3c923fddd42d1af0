/*
 * table.h - the report on the rows of a model: dn_table_report on as many new rows as it was
 * trained on. For models with the normalization "quantile", whose samples are rows of a table.
 */
#ifndef API_MEASURE_TABLE_H
#define API_MEASURE_TABLE_H

#include "api/contract/fields.h"
#include "api/table/form.h"
#include "engine/denoise.h"
#include "server/base/arena.h"
#include "server/store/store.h"

/* Rows of one class that are sampled together. */
struct table_range {
    int first, n, label;
};

/* A column of the rows that are compared. */
struct table_column {
    const char *name;
    enum column_type type;
    int levels; /* of a category, or classes of the labels; 0: numbers */
    int from;   /* of the form's columns, or the coordinate without a form; -1: the labels */
};

struct table_measure {
    struct dn_sample_request request; /* n: synthetic rows; 0: there is no report */
    const struct table_form *form;    /* of the model's rows; NULL: they are coordinates */
    int dim;                          /* coordinates */
    int count;
    struct table_column *columns; /* [count]: all that are written, but for ids and constants */
    double *values;               /* [n][dim]: synthetic rows */
    struct table_range *ranges;
    int range_count;
    struct dn_table_report report;
};

/* Decides how many rows a report on this model takes: none without maps of ranks; else as many as
 * the training points, up to a limit and to what is affordable; and which columns it has. form: of the
 * model's rows, or NULL. False: no memory. */
bool table_plan(struct table_measure *table, const struct dn_model *model,
                const struct table_form *form, const struct dn_sample_request *request,
                double affordable, struct arena *arena);
/* The memory that table_begin, the samples and table_report take. */
size_t table_bytes(const struct table_measure *table, const struct dn_model *model);

/* Allocates the rows and their ranges, of the classes in proportion to the data. False: out of
 * memory. */
bool table_begin(struct table_measure *table, const struct dn_data *data, struct arena *arena);
/* When all rows are sampled. */
enum dn_status table_report(struct table_measure *table, const struct dn_data *data,
                            const struct dn_breaks *breaks, struct dn_error *error);
void table_clear(struct table_measure *table); /* may be called again */

/* The member `table` of an evaluation: null without a report. Its lists are in the arena. */
struct table_answer {
    int n;
    struct field_list columns, pairs;
    struct figure shape, trend, detection, nearer_to_training, copies;
};
extern const struct field_set table_answer_set;
struct table_answer table_answer(const struct table_measure *table, struct arena *arena);

#endif
