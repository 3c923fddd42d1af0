#include "server/jobs/estimate.h"

#include "server/base/machine.h"
#include "server/jobs/report.h"
#include "server/store/store.h"

/* SQLite's pages for the reading session, the claim, and the spec in its several forms; and the
 * stack of a thread of the team. */
enum { WORKER_BYTES = 3 << 20, HELPER_BYTES = 32 << 10 };

static int64_t larger(int64_t a, int64_t b) {
    return a > b ? a : b;
}

static int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/* While the values of a table are made: each cell's text, of up to 17 characters as numbers have, and
 * its end, in the stored block and in the table that is read from it, with a place and a code. Its
 * value and that of the drawn data, which come later, take less, and so do texts that repeat. */
static int64_t table_bytes(const struct dn_spec *spec, int row_copies) {
    enum { TEXT_BYTES = 18, CELL_BYTES = 2 * TEXT_BYTES + 4 + 8 };
    const int64_t labels = (int64_t)sizeof(int32_t) * larger(3, 1 + row_copies);
    return (int64_t)spec->dataset.sources[0].n * (CELL_BYTES * spec->dataset.dim + labels);
}

/* While the data is loaded: the rows of all uploads, the labels of one of them again in the memory of
 * the database's library, and the points drawn from them (api/spec/training.c). What is larger comes
 * in pieces. */
static int64_t loading_bytes(const struct dn_spec *spec, int row_copies) {
    const int64_t value = spec->dataset.height > 0 ? 1 : sizeof(float);
    const int64_t point = value * spec->dataset.dim, label = sizeof(int32_t);
    int64_t rows = 0, most = 0, all = 0;
    if (spec->training.normalization == DN_QUANTILE && spec->dataset.source_count == 1 &&
        spec->dataset.sources[0].pattern == DN_UPLOADED)
        return table_bytes(spec, row_copies);
    for (int k = 0; k < spec->dataset.source_count; k++) {
        size_t n, n_val;
        const bool uploaded = spec->dataset.sources[k].pattern == DN_UPLOADED;
        dn_source_split(spec, k, &n, &n_val);
        const int64_t count = (int64_t)(n + n_val), bytes = count * (point + label);
        rows += uploaded ? bytes : 0;
        most = larger(most, uploaded ? count : 0);
        all += bytes + label * (int64_t)n;
    }
    return rows > 0 ? rows + row_copies * label * most + all : 0;
}

/* Models and rows of the history in the two reports, one of which fills up while the other is on
 * its way. A report with REPORT_FULL_BYTES takes no more; the last model may exceed that. */
static int64_t report_bytes(const struct dn_spec *spec) {
    const struct dn_training_spec *training = &spec->training;
    const int64_t model = dn_spec_model_bytes(spec);
    const int64_t models =
        smaller(training->epochs / training->checkpoint_every + 2, STORE_MAX_SNAPSHOTS + 1);
    const int64_t rows = smaller(training->epochs, REPORT_MOST_ROWS);
    const int64_t row = 2 * (int64_t)sizeof(struct epoch_row); /* the array doubles as it grows */
    return 2 * (smaller(models * model, REPORT_FULL_BYTES + model) + rows * row);
}

int64_t estimate_memory(const struct dn_spec *spec, int row_copies) {
    /* One checkpoint is in memory at a time: the one from which training resumes; later, the
     * one being saved (reports_add_checkpoint). */
    return larger(dn_spec_memory(spec) + report_bytes(spec), loading_bytes(spec, row_copies)) +
           dn_spec_checkpoint_bytes(spec) + WORKER_BYTES + spec->training.threads * HELPER_BYTES;
}

int estimate_threads(const struct dn_spec *spec, int row_copies, int64_t limit) {
    struct dn_spec with = *spec;
    int *threads = &with.training.threads;
    if (*threads == 0) {
        *threads = machine_cores() < DN_MAX_THREADS ? machine_cores() : DN_MAX_THREADS;
        while (*threads > 1 && estimate_memory(&with, row_copies) > limit)
            --*threads;
    }
    return *threads;
}
