/*
 * association.h - what the columns of a table say about each other.
 */
#ifndef API_TABLE_ASSOCIATION_H
#define API_TABLE_ASSOCIATION_H

#include "api/table/column.h"

/* Puts the levels of categories into the order of what they come with, and finds the columns that
 * follow from others. columns [cells->count]; texts go to the arena. False: no memory. */
bool association_find(const struct cells *cells, struct column *columns, struct arena *arena);

#endif
