/*
 * schema.h - what a client says about the columns of its table: their types, what they follow from,
 * and which one has the labels.
 *
 *     {"columns": {"zip": {"type": "categorical"}, "grade": {"follows": null}}, "label": "species"}
 */
#ifndef API_UPLOAD_SCHEMA_H
#define API_UPLOAD_SCHEMA_H

#include <cjson/cJSON.h>

#include "api/contract/problem.h"
#include "api/table/cells.h"

enum {
    SCHEMA_DETECT = -1,
    SCHEMA_INDEPENDENT = -2,
    SCHEMA_NO_LABEL = -1,
    SCHEMA_LABEL_OPEN = -2,
};

struct schema {
    int types[CELLS_MAX_COLUMNS];   /* enum column_type, or SCHEMA_DETECT */
    int follows[CELLS_MAX_COLUMNS]; /* the column that it has to follow from, SCHEMA_DETECT, or
                                       SCHEMA_INDEPENDENT: it is not to follow */
    int label;                      /* a column, SCHEMA_NO_LABEL, or SCHEMA_LABEL_OPEN: not said */
};

/* Nothing is said. */
void schema_init(struct schema *schema);

/* Reads the object over what the schema says already. Adds what is wrong with it. */
void schema_read(const cJSON *json, const struct cells *cells, struct schema *schema,
                 struct problem_fields *wrong);

#endif
