/*
 * notation.h - how a column writes its numbers: what marks the decimals, and what the thousands.
 *
 * 1,234 is one number in English and another in German, so a column is read only if it cannot be
 * both: a comma is a decimal one in 5,1 and 0,123, and marks thousands in 1,234,567 and 1,234.50. If
 * nothing in the column decides, the other columns of the file may; otherwise the client has to.
 */
#ifndef API_TABLE_NOTATION_H
#define API_TABLE_NOTATION_H

#include "api/table/cells.h"

struct notation {
    char decimal;   /* '.' or ',' */
    char thousands; /* ',', '.', '\'', ' ' (of any kind: U+00A0, U+202F), or 0: none */
};

/* What a text alone says. */
enum notation_kind {
    NOTATION_NONE,    /* it is not a number */
    NOTATION_PLAIN,   /* 12, -1e5: without any mark */
    NOTATION_POINT,   /* 1.5 */
    NOTATION_COMMA,   /* 1,5 */
    NOTATION_GROUPED, /* 1 234, 1'234.5, 1,234,567, 1,234.50, 1.234,5: thousands are marked */
    NOTATION_EITHER,  /* 1,234 */
};
enum notation_kind notation_kind(const char *text, size_t length);

enum decimal_mode { DECIMAL_AUTO, DECIMAL_POINT, DECIMAL_COMMA };

/* Of each column: found [cells->count]. A column whose numbers are ambiguous, or contradict each
 * other, has decimal 0. `mode` says what the client knows. */
void notation_find(const struct cells *cells, enum decimal_mode mode, struct notation *found);
/* Has any column a point that cannot mark thousands, as that of 1.5? Reads all of a table without one. */
bool notation_is_certain(const struct cells *cells);
/* Has a column a point that may, as that of 1.234? */
bool notation_has_doubtful(const struct cells_column *column);

/* Reads the whole of a text, blanks around it ignored. False: it is not a number in this notation.
 * Infinite when it is too large. */
bool notation_read(struct notation notation, const char *text, size_t length, double *value);

#endif
