/*
 * association.h - what the columns of a table say about each other.
 */
#ifndef API_TABLE_ASSOCIATION_H
#define API_TABLE_ASSOCIATION_H

#include "api/table/column.h"

/* The labels of a table as places of their classes; column -1: there are none. */
struct association_labels {
    int column;
    const int32_t *classes; /* [n], 0..count-1 */
    int count;
};

/* Finds the columns that follow from others, with the maps that fill them in, and puts the levels of
 * the other categories into the order of what they come with. Points of the plane, which are at most
 * two columns of numbers, have no columns that follow; neither the labels nor independent columns
 * follow, and not all other columns follow from the labels. What would follow from the same column as
 * an independent one, and follows from that one, too, follows from that one. columns [cells->count];
 * texts go to the arena. False: no memory. */
bool association_find(const struct cells *cells, struct association_labels labels,
                      struct column *columns, struct arena *arena);

#endif
