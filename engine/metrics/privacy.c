/*
 * privacy.c - are synthetic rows nearer to the training rows than to others, or equal to them?
 */
#include <stdlib.h>
#include <string.h>

#include "engine/internal.h"
#include "engine/metrics/table.h"

/* ------------------------------------------------------------------ Gower's distance */

/* Values are replaced by floats between which min(|a - b|, 1) is the distance: ranks from 0 to 1
 * for numbers, even numbers for the levels of a category, and MISSING for missing ones. */
static const float missing_number = -1;

enum { BLOCK = 64, LANES = 16, COLUMNS_PER_LOOK = 4 };

struct coded {
    size_t queries, near, far; /* rows; near and far are padded to whole blocks */
    size_t stride;
    int dim;
    int *order;   /* [dim]: the columns, those that separate rows best first */
    float *at;    /* [dim][stride]: near, far, queries; column k is order[k] */
    double *rank; /* [scale]: a sorted column */
};

static size_t padded(size_t n) {
    return (n + BLOCK - 1) / BLOCK * BLOCK;
}

size_t privacy_nearer_bytes(size_t queries, size_t near, size_t far, size_t scale, int dim) {
    return (size_t)dim * ((padded(near) + padded(far) + queries) * sizeof(float) + sizeof(int) +
                          sizeof(double)) +
           scale * sizeof(double);
}

/* The number of sorted values below `value`, or also those equal to it. */
static size_t count_below(const double *sorted, size_t n, double value, bool or_equal) {
    size_t low = 0, high = n;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (sorted[middle] < value || (or_equal && sorted[middle] == value))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static float code_number(const double *sorted, size_t n, double value) {
    if (isnan(value) || n == 0)
        return isnan(value) ? missing_number : 0;
    const size_t both = count_below(sorted, n, value, false) + count_below(sorted, n, value, true);
    return (float)((double)both / (2 * (double)n));
}

static float code_level(int levels, double value) {
    return (float)(2 * (isnan(value) ? levels : (int)value));
}

static void code_rows(const struct coded *c, const struct rows *rows, int j, size_t ranked,
                      float *out) {
    const double *column = rows_column(rows, j);
    const int levels = rows->levels[j];
    for (size_t i = 0; i < rows->n; i++)
        out[i] = levels ? code_level(levels, column[i]) : code_number(c->rank, ranked, column[i]);
}

static float gap(float a, float b) {
    const float difference = fabsf(a - b);
    return difference < 1 ? difference : 1;
}

/* The mean distance of neighbors in the random order of the rows. */
static double separation(const struct rows *rows, int j) {
    const double *column = rows_column(rows, j);
    size_t different = 0;
    for (size_t i = 1; i < rows->n; i++)
        different += column[i] < column[i - 1] || column[i] > column[i - 1];
    /* two uniform ranks are 1/3 apart on average */
    return (double)different / (rows->levels[j] ? 1 : 3);
}

/* Sorts the columns by how well they separate the rows; stable. keys [dim] is room to work. */
static void order_columns(const struct coded *c, const struct rows *rows, double *keys) {
    for (int j = 0; j < c->dim; j++) {
        const double key = separation(rows, j);
        int place = j;
        for (; place > 0 && keys[place - 1] < key; place--) {
            keys[place] = keys[place - 1];
            c->order[place] = c->order[place - 1];
        }
        keys[place] = key;
        c->order[place] = j;
    }
}

static void fill(float *from, const float *end, float value) {
    while (from < end)
        *from++ = value;
}

static enum dn_status code_all(const struct coded *c, const struct rows *queries,
                               const struct rows *near, const struct rows *far,
                               const struct rows *scale, const struct dn_breaks *breaks,
                               struct dn_error *error) {
    enum dn_status status = DN_OK;
    for (int k = 0; k < c->dim && status == DN_OK; k++) {
        const int j = c->order[k];
        const size_t ranked = scale->levels[j] ? 0 : rows_present(scale, j, c->rank);
        float *column = c->at + (size_t)k * c->stride;
        fill(column, column + c->near + c->far, INFINITY); /* at distance 1 from all */
        code_rows(c, near, j, ranked, column);
        code_rows(c, far, j, ranked, column + c->near);
        code_rows(c, queries, j, ranked, column + c->near + c->far);
        status = break_check(breaks, error);
    }
    return status;
}

/* ------------------------------------------------------------------ nearest rows */

static void add_gaps(const float *restrict column, float value, float *restrict sums) {
    for (int i = 0; i < BLOCK; i++)
        sums[i] += gap(column[i], value);
}

static float least_of_block(const float *sums) {
    float lane[LANES];
    for (int l = 0; l < LANES; l++)
        lane[l] = sums[l];
    for (int i = LANES; i < BLOCK; i += LANES)
        for (int l = 0; l < LANES; l++)
            lane[l] = sums[i + l] < lane[l] ? sums[i + l] : lane[l];
    float least = lane[0];
    for (int l = 1; l < LANES; l++)
        least = lane[l] < least ? lane[l] : least;
    return least;
}

/* The least distance from a query to the rows of a block, or anything that is not below `best` if
 * no row is nearer than that. */
static float nearest_in_block(const struct coded *c, size_t first, const float *query, float best) {
    float sums[BLOCK] = {0}, least = 0;
    for (int k = 0; k < c->dim && (k == 0 || least < best);) {
        const int end = k + COLUMNS_PER_LOOK < c->dim ? k + COLUMNS_PER_LOOK : c->dim;
        for (; k < end; k++)
            add_gaps(c->at + (size_t)k * c->stride + first, query[k], sums);
        least = least_of_block(sums);
    }
    return least;
}

static float nearest(const struct coded *c, size_t first, size_t n, const float *query) {
    float best = INFINITY;
    for (size_t i = 0; i < n; i += BLOCK) {
        const float least = nearest_in_block(c, first + i, query, best);
        best = least < best ? least : best;
    }
    return best;
}

static enum dn_status count_nearer(const struct coded *c, double *share,
                                   const struct dn_breaks *breaks, struct dn_error *error) {
    float query[DN_MAX_REPORT_COLUMNS];
    size_t halves = 0; /* two for each query that is nearer, one for a tie */
    enum dn_status status = DN_OK;
    for (size_t i = 0; i < c->queries && status == DN_OK; i++) {
        for (int k = 0; k < c->dim; k++)
            query[k] = c->at[(size_t)k * c->stride + c->near + c->far + i];
        const float near = nearest(c, 0, c->near, query), far = nearest(c, c->near, c->far, query);
        halves += near < far ? 2 : near <= far;
        status = break_check(breaks, error);
    }
    *share = (double)halves / (2 * (double)c->queries);
    return status;
}

enum dn_status privacy_nearer(const struct rows *queries, const struct rows *near,
                              const struct rows *far, const struct rows *scale, double *share,
                              const struct dn_breaks *breaks, struct dn_error *error) {
    struct coded c = {queries->n, padded(near->n), padded(far->n), 0, near->dim, NULL, NULL, NULL};
    *share = NAN;
    if (queries->n == 0 || near->n == 0 || far->n == 0)
        return DN_OK;
    c.stride = c.near + c.far + c.queries;
    c.at = calloc((size_t)c.dim * c.stride, sizeof *c.at);
    c.order = calloc((size_t)c.dim, sizeof *c.order);
    c.rank = calloc(scale->n + (size_t)c.dim, sizeof *c.rank); /* the keys of the order, too */
    enum dn_status status =
        c.at && c.order && c.rank ? DN_OK : error_set(error, DN_NO_MEMORY, "out of memory");
    if (status == DN_OK) {
        order_columns(&c, scale, c.rank);
        status = code_all(&c, queries, near, far, scale, breaks, error);
    }
    if (status == DN_OK)
        status = count_nearer(&c, share, breaks, error);
    free(c.at);
    free(c.order);
    free(c.rank);
    return status;
}

/* ------------------------------------------------------------------ copies */

struct key {
    uint64_t hash;
    size_t row;
};

enum { ROWS_PER_BREAK = 4096 };

/* The bits of a value; -0 has those of 0, and all NaN the same. */
static uint64_t bits_of(double value) {
    uint64_t bits = UINT64_MAX;
    value += 0.0;
    if (!isnan(value))
        memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* The finalizer of MurmurHash3 after each value. */
static uint64_t hash_of(const double *row, int dim) {
    uint64_t hash = 0;
    for (int j = 0; j < dim; j++) {
        hash = (hash ^ bits_of(row[j])) + 0x9e3779b97f4a7c15;
        hash = (hash ^ hash >> 33) * 0xff51afd7ed558ccd;
        hash = (hash ^ hash >> 33) * 0xc4ceb9fe1a85ec53;
        hash ^= hash >> 33;
    }
    return hash;
}

static bool rows_equal(const double *a, const double *b, int dim) {
    for (int j = 0; j < dim; j++)
        if (bits_of(a[j]) != bits_of(b[j]))
            return false;
    return true;
}

static int compare_keys(const void *a, const void *b) {
    const struct key *x = a, *y = b;
    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

size_t privacy_copies_bytes(size_t rows) {
    return 2 * rows * sizeof(struct key); /* qsort may take as much again */
}

/* Is the row equal to one of those that have the keys? */
static bool is_copy(const struct key *keys, const struct dn_rows *rows, int dim,
                    const double *row) {
    const uint64_t hash = hash_of(row, dim);
    size_t low = 0, high = rows->n;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (keys[middle].hash < hash)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < rows->n && keys[low].hash == hash; low++)
        if (rows_equal(rows->values + keys[low].row * (size_t)dim, row, dim))
            return true;
    return false;
}

static enum dn_status count_copies(const struct key *keys, const struct dn_rows *rows, int dim,
                                   const struct dn_rows *queries, double *share,
                                   const struct dn_breaks *breaks, struct dn_error *error) {
    enum dn_status status = DN_OK;
    size_t count = 0;
    for (size_t i = 0; i < queries->n && status == DN_OK; i++) {
        count += is_copy(keys, rows, dim, queries->values + i * (size_t)dim);
        if (i % ROWS_PER_BREAK == 0)
            status = break_check(breaks, error);
    }
    *share = queries->n ? (double)count / (double)queries->n : NAN;
    return status;
}

enum dn_status privacy_copies(const struct dn_rows *rows, int dim, const struct dn_rows *first,
                              const struct dn_rows *second, double shares[2],
                              const struct dn_breaks *breaks, struct dn_error *error) {
    struct key *keys = calloc(rows->n, sizeof *keys);
    enum dn_status status = keys ? DN_OK : error_set(error, DN_NO_MEMORY, "out of memory");
    for (size_t i = 0; i < rows->n && status == DN_OK; i++) {
        keys[i] = (struct key){hash_of(rows->values + i * (size_t)dim, dim), i};
        if (i % ROWS_PER_BREAK == 0)
            status = break_check(breaks, error);
    }
    if (status == DN_OK) {
        qsort(keys, rows->n, sizeof *keys, compare_keys);
        status = count_copies(keys, rows, dim, first, &shares[0], breaks, error);
    }
    if (status == DN_OK)
        status = count_copies(keys, rows, dim, second, &shares[1], breaks, error);
    free(keys);
    return status;
}
