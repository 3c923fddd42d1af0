/*
 * form.h - the form of a table's rows: what its columns are, and in which order. A model of a table
 * has it, so that it writes samples as rows of the table that it was trained on.
 *
 * As JSON, it is an object: {"label": name of the column with the labels or null, "columns": [..]}.
 */
#ifndef API_TABLE_FORM_H
#define API_TABLE_FORM_H

#include "api/contract/json.h"
#include "api/table/column.h"

struct table_form {
    const struct column *columns; /* [count] */
    int count;
    int label;          /* the column with the labels; -1: none */
    const int *sources; /* [count] the column that each follows from; -1: none */
    size_t most;        /* bytes of a row as CSV or JSON, without the label */
};

/* Writes the form, without the columns' examples, notes and histograms: a model does not tell single cells. */
void form_write(const struct table_form *form, struct json_writer *json);
/* Reads it, into the arena. NULL: it is none, or arena->failed. */
const struct table_form *form_read(const char *text, struct arena *arena);
/* NULL, or what is wrong with a form from elsewhere, for a model of this dimension and with or
 * without labels. */
const char *form_wrong(const struct table_form *form, int dim, bool has_labels,
                       struct arena *arena);

/* The place of the class of missing labels in classes, up to a NULL; -1: there is none, or no form. */
int form_missing_class(const struct table_form *form, const char *const *classes);

/* The columns' names as a line of CSV. */
void form_csv_names(const struct table_form *form, struct buffer *out);
/* A row of a table. Columns that only name or number rows get the number of the row, index + 1. */
struct form_row {
    const double *values; /* the coordinates, NAN where one is missing */
    int label; /* the place of its class, for columns that follow from the labels; -1: none */
    const char *label_text;
    size_t index;
    const char *const *known; /* [form->count] texts of cells that are written as they are; NULL
                                 where there is none, or for all */
};
/* A row as a line of CSV. */
void form_csv_row(const struct table_form *form, const struct form_row *row, struct buffer *out);
/* The numbers of its cells as column_forward has them, by their coordinates [dim]. */
void form_numbers(const struct table_form *form, const struct form_row *row, double *out);
/* The same as arrays of JSON, without the labels: numbers are numbers, missing cells null. */
void form_json_names(const struct table_form *form, struct json_writer *json);
void form_json_row(const struct table_form *form, const struct form_row *row,
                   struct json_writer *json);
/* The value of a column that is a coordinate or follows, of a row: as column_forward has it. */
double form_value(const struct table_form *form, int column, const double *values, int label);

#endif
