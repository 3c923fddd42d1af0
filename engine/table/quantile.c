#include "engine/table/quantile.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/internal.h"
#include "engine/table/normal.h"

/* A column with at most this many distinct values keeps them all; another keeps this many knots
 * among the values that are not repeated often, which are those with a share below 1 / KNOTS. */
enum { MAX_DISTINCT = 4096, KNOTS = 1024 };

/* ------------------------------------------------------------------ sorting */

/* A present value of a column, in its order as an integer. */
struct sorted {
    uint64_t key;
    uint32_t row;
};

static uint64_t key_of(double value) {
    uint64_t bits;
    value += 0; /* -0 becomes 0 */
    memcpy(&bits, &value, sizeof bits);
    return bits >> 63 ? ~bits : bits | (uint64_t)1 << 63;
}

static double value_of(uint64_t key) {
    double value;
    key = key >> 63 ? key & ~((uint64_t)1 << 63) : ~key;
    memcpy(&value, &key, sizeof value);
    return value;
}

/* One pass of a radix sort, by the byte at `shift`. False: all have the same byte. */
static bool sort_pass(const struct sorted *from, struct sorted *to, size_t n, int shift) {
    size_t start[257] = {0};
    for (size_t i = 0; i < n; i++)
        start[(from[i].key >> shift & 255) + 1]++;
    for (size_t byte = 0; byte < 256; byte++) {
        if (start[byte + 1] == n)
            return false;
        start[byte + 1] += start[byte];
    }
    for (size_t i = 0; i < n; i++)
        to[start[from[i].key >> shift & 255]++] = from[i];
    return true;
}

/* Sorts a [n] with the help of b [n]; returns the one that holds the result. */
static struct sorted *sort(struct sorted *a, struct sorted *b, size_t n) {
    for (int shift = 0; shift < 64 && n > 1; shift += 8)
        if (sort_pass(a, b, n, shift)) {
            struct sorted *before = a;
            a = b;
            b = before;
        }
    return a;
}

/* ------------------------------------------------------------------ fitting */

/* The present values of a column in order: `sorted` [present], after n - present missing ones. */
struct column {
    const struct sorted *sorted;
    size_t n, present, distinct;
};

/* Rows with the same value: `count` of them, and `below` rows with a lower one, missing included.
 * `at` is the first one in `sorted`. */
struct group {
    size_t at, below, count;
};

/* Moves on to the next group; start from one of count 0 at 0. False: there is none. */
static bool group_next(const struct column *column, struct group *group) {
    const struct sorted *sorted = column->sorted;
    group->at += group->count;
    group->below = column->n - column->present + group->at;
    group->count = 0;
    while (group->at + group->count < column->present &&
           sorted[group->at + group->count].key == sorted[group->at].key)
        group->count++;
    return group->count > 0;
}

/* Is the value repeated so often that it owns an interval of an interpolated column? */
static bool is_atom(const struct column *column, const struct group *group) {
    return group->count > 1 && group->count * KNOTS >= column->n;
}

/* Where nodes go; values NULL: they are only counted. */
struct nodes {
    double *values, *shares;
    int count;
};

static void add_node(struct nodes *nodes, double value, double share) {
    if (nodes->values) {
        nodes->values[nodes->count] = value;
        nodes->shares[nodes->count] = share;
    }
    nodes->count++;
}

static double group_value(const struct column *column, const struct group *group) {
    return value_of(column->sorted[group->at].key);
}

static void make_steps(const struct column *column, struct nodes *nodes) {
    struct group group = {0};
    while (group_next(column, &group))
        add_node(nodes, group_value(column, &group),
                 (double)(group.below + group.count) / (double)column->n);
}

/* The knot that the middle of a group's ranks belongs to. */
static size_t knot_of(const struct column *column, const struct group *group) {
    return (2 * group->below + group->count) * KNOTS / (2 * column->n);
}

/* A value that owns no interval is kept if there are few values, or else if it is the first of its
 * knot, or the first or last before an interval or an end: so the gap beside an interval is not
 * filled. */
static void make_lines(const struct column *column, struct nodes *nodes) {
    const bool all = column->distinct <= MAX_DISTINCT;
    const double n = (double)column->n;
    struct group group = {0}, next = {0};
    size_t knot = SIZE_MAX; /* of the last node; none: an interval, or the start */
    for (bool more = group_next(column, &next); more;) {
        group = next;
        more = group_next(column, &next);
        const double value = group_value(column, &group);
        if (is_atom(column, &group)) {
            add_node(nodes, value, (double)group.below / n);
            add_node(nodes, value, (double)(group.below + group.count) / n);
            knot = SIZE_MAX;
        } else if (all || !more || is_atom(column, &next) || knot_of(column, &group) != knot) {
            add_node(nodes, value, ((double)group.below + (double)group.count / 2) / n);
            knot = knot_of(column, &group);
        }
    }
}

static enum dn_status make_map(const struct column *column, struct dn_quantile *out,
                               struct dn_error *error) {
    struct nodes nodes = {0};
    out->missing = (double)(column->n - column->present) / (double)column->n;
    out->interpolates = column->distinct > MAX_DISTINCT || 2 * column->distinct > column->present;
    void (*const make)(const struct column *, struct nodes *) =
        out->interpolates ? make_lines : make_steps;
    make(column, &nodes);
    double *block = malloc((2 * (size_t)nodes.count + 1) * sizeof *block);
    if (!block)
        return error_set(error, DN_NO_MEMORY, "out of memory");
    nodes = (struct nodes){block, block + nodes.count, 0};
    make(column, &nodes);
    out->values = nodes.values;
    out->shares = nodes.shares;
    out->count = nodes.count;
    return DN_OK;
}

static double cell(const struct quantile_table *table, size_t row, int column) {
    const size_t at = row * (size_t)table->dim + (size_t)column;
    return table->values ? table->values[at] : (double)table->points[at];
}

/* Writes the ranks of all cells of column j. */
static void rank(const struct column *column, int j, struct ranks *ranks) {
    const size_t dim = (size_t)ranks->dim;
    struct group group = {0};
    for (size_t row = 0; row < column->n; row++) { /* the missing ones keep this */
        ranks->below[row * dim + (size_t)j] = 0;
        ranks->count[row * dim + (size_t)j] = (int32_t)(column->n - column->present);
    }
    while (group_next(column, &group))
        for (size_t i = group.at; i < group.at + group.count; i++) {
            const size_t at = column->sorted[i].row * dim + (size_t)j;
            ranks->below[at] = (int32_t)group.below;
            ranks->count[at] = (int32_t)group.count;
        }
}

size_t quantiles_fit_bytes(size_t n) {
    return 2 * n * sizeof(struct sorted);
}

size_t quantiles_bytes(size_t n, int dim) {
    const size_t most = 2 * n < DN_MAX_QUANTILE_COUNT ? 2 * n : DN_MAX_QUANTILE_COUNT;
    return (size_t)dim * (2 * most + 1) * sizeof(double);
}

static struct column sort_column(const struct quantile_table *table, int j, struct sorted *space) {
    struct column column = {.n = table->n};
    for (size_t row = 0; row < table->n; row++) {
        const double value = cell(table, row, j);
        if (!isnan(value))
            space[column.present++] = (struct sorted){key_of(value), (uint32_t)row};
    }
    column.sorted = sort(space, space + table->n, column.present);
    struct group group = {0};
    while (group_next(&column, &group))
        column.distinct++;
    return column;
}

enum dn_status quantiles_fit(const struct quantile_table *table, struct quantiles *out,
                             struct ranks *ranks, struct dn_error *error) {
    struct sorted *space = calloc(table->n, 2 * sizeof *space);
    enum dn_status status = space ? DN_OK : error_set(error, DN_NO_MEMORY, "out of memory");
    *out = (struct quantiles){.dim = table->dim};
    for (int j = 0; j < table->dim && status == DN_OK; j++) {
        const struct column column = sort_column(table, j, space);
        rank(&column, j, ranks);
        status = make_map(&column, &out->columns[j], error);
    }
    free(space);
    if (status != DN_OK)
        quantiles_clear(out);
    return status;
}

/* ------------------------------------------------------------------ life */

void quantiles_clear(struct quantiles *quantiles) {
    for (int j = 0; j < quantiles->dim; j++)
        free((void *)quantiles->columns[j].values);
    *quantiles = (struct quantiles){0};
}

enum dn_status quantiles_copy(const struct quantiles *from, struct quantiles *to,
                              struct dn_error *error) {
    *to = (struct quantiles){.dim = from->dim};
    for (int j = 0; j < from->dim; j++) {
        const struct dn_quantile *column = &from->columns[j];
        const size_t bytes = (size_t)column->count * sizeof(double);
        double *block = malloc(2 * bytes + 1);
        if (!block) {
            quantiles_clear(to);
            return error_set(error, DN_NO_MEMORY, "out of memory");
        }
        to->columns[j] = *column;
        to->columns[j].values = block;
        to->columns[j].shares = block + column->count;
        if (bytes > 0) {
            memcpy(block, column->values, bytes);
            memcpy(block + column->count, column->shares, bytes);
        }
    }
    return DN_OK;
}

/* Are the shares and values in order? An interval needs the same value twice, and a column without
 * interpolation has each value once. */
static bool is_sound(const struct dn_quantile *column) {
    const double *values = column->values, *shares = column->shares;
    if (!(column->missing >= 0 && column->missing <= 1) || column->count < 0 ||
        column->count > DN_MAX_QUANTILE_COUNT || (column->count == 0 && column->missing < 1))
        return false;
    double before = column->missing;
    for (int i = 0; i < column->count; i++) {
        const bool rises = column->interpolates ? shares[i] >= before : shares[i] > before;
        const bool ordered = i == 0 || values[i] > values[i - 1] ||
                             (column->interpolates && values[i] == values[i - 1]);
        if (!rises || !(shares[i] <= 1) || !ordered || !(fabs(values[i]) <= 1e30))
            return false;
        before = shares[i];
    }
    return column->count == 0 || column->interpolates || before >= 1;
}

enum dn_status quantiles_check(const struct quantiles *quantiles, struct dn_error *error) {
    for (int j = 0; j < quantiles->dim; j++)
        if (!is_sound(&quantiles->columns[j]))
            return error_set(error, DN_INVALID,
                             "column %d: the values and shares of its map must be in order", j);
    return DN_OK;
}

static void serial_column(struct serial *serial, struct dn_quantile *column) {
    int interpolates = column->interpolates;
    serial_value(serial, &column->missing);
    serial_value(serial, &interpolates);
    serial_value(serial, &column->count);
    column->interpolates = interpolates;
    if (column->count < 0 || column->count > DN_MAX_QUANTILE_COUNT)
        serial->failed = true;
    if (serial->failed)
        return;
    const size_t bytes = (size_t)column->count * sizeof(double);
    if (serial->mode == SERIAL_READ) {
        double *block = malloc(2 * bytes + 1);
        serial->failed = serial->no_memory = !block;
        column->values = block;
        column->shares = block ? block + column->count : NULL;
    }
    serial_block(serial, (void *)column->values, bytes);
    serial_block(serial, (void *)column->shares, bytes);
}

void quantiles_serial(struct serial *serial, struct quantiles *quantiles, int dim) {
    if (serial->mode == SERIAL_READ)
        *quantiles = (struct quantiles){.dim = dim};
    for (int j = 0; j < dim && !serial->failed; j++)
        serial_column(serial, &quantiles->columns[j]);
}

/* ------------------------------------------------------------------ forward and backward */

/* How many shares the lowest present value owns, and the highest. */
static void end_intervals(const struct dn_quantile *column, double *lowest, double *highest) {
    const double *shares = column->shares, missing = column->missing;
    const int last = column->count - 1;
    const double before = last > 0 ? shares[last - 1] : missing;
    if (!column->interpolates) {
        *lowest = shares[0] - missing;
        *highest = 1 - before;
        return;
    }
    /* a node is the middle of its interval, unless it is an end of one */
    *lowest = shares[0] > missing ? 2 * (shares[0] - missing) : shares[last > 0] - missing;
    *highest = shares[last] < 1 ? 2 * (1 - shares[last]) : 1 - before;
}

void quantile_range(const struct dn_quantile *column, double *low, double *high) {
    double lowest = 1, highest = 1; /* all are missing */
    if (column->count > 0)
        end_intervals(column, &lowest, &highest);
    if (column->missing > 0)
        lowest = column->missing;
    *low = normal_score(RANKS_MARGIN * lowest);
    *high = -normal_score(RANKS_MARGIN * highest);
}

/* The first i with what[i] > x, or count. */
static int first_above(const double *what, int count, double x) {
    int low = 0, high = count;
    while (low < high) {
        const int middle = low + (high - low) / 2;
        if (what[middle] > x)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* The interval of a value without interpolation, or where the one below it ends. The value is
 * within those that were seen, as for line_of. */
static void step_of(const struct dn_quantile *column, double value, double *low, double *high) {
    const int above = first_above(column->values, column->count, value);
    const int at = above - 1;
    *low = at > 0 ? column->shares[at - 1] : column->missing;
    *high = column->shares[at];
    if (column->values[at] < value) /* between this one and the next */
        *low = *high;
}

/* The shares of a value on the lines: of its first and its last node, or a place between two. */
static void line_of(const struct dn_quantile *column, double value, double *low, double *high) {
    const double *values = column->values, *shares = column->shares;
    const int count = column->count, above = first_above(values, count, value);
    int first = above;
    while (first > 0 && values[first - 1] == value)
        first--;
    if (first < above) {
        *low = shares[first];
        *high = shares[above - 1];
    } else {
        const double gap = values[above] - values[above - 1];
        const double rise = shares[above] - shares[above - 1];
        *low = *high = shares[above - 1] + rise * ((value - values[above - 1]) / gap);
    }
}

double quantile_forward(const struct dn_quantile *column, double value, double within) {
    const bool is_missing = isnan(value) || column->count == 0;
    double low = 0, high = column->missing;
    if (is_missing && column->missing == 0) {
        quantile_range(column, &low, &high);
        return low;
    }
    if (!is_missing) {
        value = fmin(fmax(value, column->values[0]), column->values[column->count - 1]);
        (column->interpolates ? line_of : step_of)(column, value, &low, &high);
    }
    within = RANKS_MARGIN + (1 - 2 * RANKS_MARGIN) * within;
    return normal_score(low + (high - low) * within);
}

double quantile_beyond(const struct dn_quantile *column, double value) {
    if (isnan(value) || column->count == 0)
        return 0;
    const double first = column->values[0], last = column->values[column->count - 1];
    const double past = value > last ? value - last : value < first ? value - first : 0;
    double low, high;
    quantile_range(column, &low, &high);
    const double score = last > first ? past / (last - first) * (high - low) : past * INFINITY;
    return past == 0 ? 0 : fmax(fmin(score, QUANTILE_MOST_BEYOND), -QUANTILE_MOST_BEYOND);
}

/* The shortest interval, or the smallest distance between the nodes of lines. */
static double least_step(const struct dn_quantile *column) {
    double least = column->missing > 0 ? column->missing : 1, before = column->missing;
    for (int i = 0; i < column->count; i++) {
        const double step = column->shares[i] - before;
        if (step > 0 && step < least)
            least = step;
        before = column->shares[i];
    }
    return least;
}

double quantile_frequency(const struct dn_quantile *column, double value) {
    double low = 0, high = column->missing;
    if (!isnan(value)) {
        const bool inside = column->count > 0 && value >= column->values[0] &&
                            value <= column->values[column->count - 1];
        if (inside)
            (column->interpolates ? line_of : step_of)(column, value, &low, &high);
        else
            low = high;
        if (high == low && column->interpolates)
            return 0;
    }
    return high > low ? high - low : least_step(column) / 2;
}

double quantile_backward(const struct dn_quantile *column, double score) {
    const double *values = column->values, *shares = column->shares;
    const double share = normal_share(score);
    if (share < column->missing || column->count == 0)
        return NAN;
    const int above = first_above(shares, column->count, share), last = column->count - 1;
    if (above > last)
        return values[last];
    if (!column->interpolates || above == 0)
        return values[above];
    const double run = shares[above] - shares[above - 1];
    const double part = (share - shares[above - 1]) / run;
    const double value = values[above - 1] + (values[above] - values[above - 1]) * part;
    return fmin(value, values[above]);
}
