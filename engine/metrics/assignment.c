#include "engine/metrics/assignment.h"

#include <math.h>
#include <stdlib.h>

#include "engine/internal.h"

enum { NOBODY = -1 };

/* v [n] are the prices of the columns; a row prefers the column with the lowest cost - price. */
struct assignment {
    size_t n;
    const float *cost;
    double *v;
    int32_t *column_of, *row_of; /* NOBODY: free */
    int32_t *free_rows;
    size_t free_count;
    double *distance;                /* this and the next two: of one search for a shortest path */
    int32_t *reached_from, *columns; /* columns: settled ones first, then the others */
};

static const float *row_of_cost(const struct assignment *a, int32_t row) {
    return a->cost + (size_t)row * a->n;
}

static void assign(struct assignment *a, int32_t row, int32_t column) {
    a->column_of[row] = column;
    a->row_of[column] = row;
}

/* Each price is the lowest cost of its column; the row with this cost takes the column, if it has
 * none yet. */
static void column_reduction(struct assignment *a) {
    const size_t n = a->n;
    int32_t *cheapest = a->columns;
    for (size_t j = 0; j < n; j++) {
        a->v[j] = INFINITY;
        a->column_of[j] = a->row_of[j] = NOBODY;
    }
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            if ((double)a->cost[i * n + j] < a->v[j]) {
                a->v[j] = (double)a->cost[i * n + j];
                cheapest[j] = (int32_t)i;
            }
    for (size_t j = n; j-- > 0;)
        if (a->column_of[cheapest[j]] == NOBODY)
            assign(a, cheapest[j], (int32_t)j);
    for (size_t i = 0; i < n; i++)
        if (a->column_of[i] == NOBODY)
            a->free_rows[a->free_count++] = (int32_t)i;
}

/* The two columns that a row prefers. */
struct preference {
    double first, second;
    int32_t first_column, second_column;
};

static struct preference preference_of(const struct assignment *a, int32_t row) {
    struct preference best = {INFINITY, INFINITY, 0, 0};
    const float *cost = row_of_cost(a, row);
    for (size_t j = 0; j < a->n; j++) {
        double reduced = (double)cost[j] - a->v[j];
        if (reduced >= best.second)
            continue;
        if (reduced >= best.first) {
            best.second = reduced, best.second_column = (int32_t)j;
        } else {
            best.second = best.first, best.second_column = best.first_column;
            best.first = reduced, best.first_column = (int32_t)j;
        }
    }
    return best;
}

/* Each free row takes the column that it prefers, lowers its price until the second best is equally
 * good, and frees the owner, which is the next row to look for a column. Real prices can fall in
 * smaller and smaller steps, so the number of such turns is limited. */
static void augmenting_row_reduction(struct assignment *a) {
    size_t kept = 0, k = 0, budget = 4 * a->n;
    const size_t count = a->free_count;
    while (k < count) {
        const int32_t row = a->free_rows[k++];
        const struct preference best = preference_of(a, row);
        int32_t column = best.first_column, owner = a->row_of[column];
        const bool strictly = best.first < best.second && isfinite(best.second);
        if (strictly) {
            a->v[column] -= best.second - best.first;
        } else if (owner != NOBODY && isfinite(best.second)) {
            column = best.second_column;
            owner = a->row_of[column];
        }
        assign(a, row, column);
        if (owner == NOBODY)
            continue;
        a->column_of[owner] = NOBODY;
        if (strictly && budget > 0) {
            budget--;
            a->free_rows[--k] = owner;
        } else {
            a->free_rows[kept++] = owner;
        }
    }
    a->free_count = kept;
}

/* Dijkstra's algorithm from a free row to the nearest free column, which it returns at distance
 * *length. The first *settled of a->columns are settled. */
static int32_t shortest_path(struct assignment *a, int32_t from, size_t *settled, double *length) {
    const size_t n = a->n;
    for (size_t j = 0; j < n; j++) {
        a->columns[j] = (int32_t)j;
        a->distance[j] = INFINITY;
        a->reached_from[j] = from;
    }
    int32_t row = from;
    double so_far = 0, own = 0; /* distance to the row; reduced cost of the last edge */
    for (*settled = 0;; ++*settled) {
        const float *cost = row_of_cost(a, row);
        const double offset = so_far - own;
        size_t next = *settled;
        double least = INFINITY;
        for (size_t k = *settled; k < n; k++) {
            const int32_t j = a->columns[k];
            const double distance = offset + (double)cost[j] - a->v[j];
            if (distance < a->distance[j]) {
                a->distance[j] = distance;
                a->reached_from[j] = row;
            }
            /* a free column ends the search, so it comes first at equal distance */
            if (a->distance[j] < least || (a->distance[j] == least && a->row_of[j] == NOBODY)) {
                least = a->distance[j];
                next = k;
            }
        }
        const int32_t column = a->columns[next];
        a->columns[next] = a->columns[*settled];
        a->columns[*settled] = column;
        so_far = least;
        if (a->row_of[column] == NOBODY) {
            *length = least;
            return column;
        }
        row = a->row_of[column];
        own = (double)row_of_cost(a, row)[column] - a->v[column];
    }
}

/* Gives the row `from` a column, by moving owners along the shortest path. With the new prices,
 * every row still owns a column that it prefers. */
static void augment(struct assignment *a, int32_t from) {
    size_t settled;
    double length;
    int32_t column = shortest_path(a, from, &settled, &length), row;
    for (size_t k = 0; k < settled; k++)
        a->v[a->columns[k]] += a->distance[a->columns[k]] - length;
    do {
        row = a->reached_from[column];
        const int32_t before = a->column_of[row];
        assign(a, row, column);
        column = before;
    } while (row != from);
}

enum dn_status assignment_solve(size_t n, const float *cost, int32_t *column_of,
                                const struct dn_breaks *breaks, struct dn_error *error) {
    struct assignment a = {.n = n, .cost = cost, .column_of = column_of};
    double *numbers = malloc(2 * n * sizeof *numbers);
    int32_t *places = malloc(4 * n * sizeof *places);
    enum dn_status status = DN_OK;
    if (numbers && places) {
        a.v = numbers, a.distance = numbers + n;
        a.row_of = places, a.free_rows = places + n;
        a.reached_from = places + 2 * n, a.columns = places + 3 * n;
        column_reduction(&a);
        for (int pass = 0; pass < 2; pass++)
            augmenting_row_reduction(&a);
    } else {
        status = error_set(error, DN_NO_MEMORY, "out of memory");
    }
    for (size_t k = 0; k < a.free_count && status == DN_OK; k++)
        if ((status = break_check(breaks, error)) == DN_OK)
            augment(&a, a.free_rows[k]);
    free(numbers);
    free(places);
    return status;
}
