/* Training on the values of a table, with the normalization by ranks. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/denoise.h"
#include "engine/model/train.h"
#include "tests/unit/sanitized.h"

enum { ROWS = 1500, DIM = 4 };

/* Zero in a third of the rows and positive otherwise; a date in seconds; one of three numbers, which
 * goes with the date; and a number that is missing in a fifth of the rows. */
static double cell(size_t row, int column) {
    const size_t day = row * 2654435761u % 4093 % 97;
    switch (column) {
    case 0: return row % 3 == 0 ? 0 : 12.25 + (double)(row * 40503u % 4093);
    case 1: return 1580428800.0 + 86400 * (double)day;
    case 2: return day < 40 ? 1 : day < 80 ? 2 : 7;
    default: return row % 5 == 0 ? NAN : 0.1 * (double)(row * 69069u % 1021 % 31);
    }
}

static double *table(void) {
    double *values = malloc(ROWS * DIM * sizeof *values);
    for (size_t e = 0; e < ROWS * DIM; e++)
        values[e] = cell(e / DIM, (int)(e % DIM));
    return values;
}

static struct dn_spec table_spec(void) {
    struct dn_spec spec = dn_presets[0].spec;
    spec.dataset = (struct dn_dataset_spec){
        .source_count = 1, .dim = DIM, .sources = {{.pattern = DN_UPLOADED, .n = ROWS}}};
    spec.training.normalization = DN_QUANTILE;
    spec.training.batch_size = 128;
    spec.training.epochs = 300;
    spec.network.hidden_size = 128;
    spec.network.hidden_layers = 3;
    spec.training.timestep_focus = 0.3;
    spec.network.input_features = 3;
    spec.diffusion.ratio_min = 0.01;
    spec.diffusion.ratio_max = 10;
    spec.training.learning_rate = 6e-3;
    return spec;
}

static struct dn_data draw(const struct dn_spec *spec, const double *values) {
    const struct dn_upload upload = {.n = ROWS, .dim = DIM, .values = values};
    struct dn_data data;
    struct dn_error error;
    cr_assert_eq(dn_data_draw(spec, &upload, &data, NULL, &error), DN_OK, "%s", error.text);
    cr_assert(data.values && !data.points);
    return data;
}

static struct dn_trainer *new_trainer(const struct dn_spec *spec, const struct dn_data *data) {
    struct dn_trainer *trainer;
    struct dn_error error;
    cr_assert_eq(dn_trainer_new(spec, data, &trainer, &error), DN_OK, "%s", error.text);
    return trainer;
}

static void train(struct dn_trainer *trainer, int epochs) {
    struct dn_epoch epoch;
    for (int i = 0; i < epochs; i++) {
        cr_assert_eq(dn_trainer_epoch(trainer, NULL, &epoch, NULL), DN_OK);
        cr_assert(isfinite(epoch.train_loss) && isfinite(epoch.val_loss));
    }
}

/* The model of a trainer, through its bytes. */
static struct dn_model *model_of(const struct dn_trainer *trainer) {
    const size_t size = dn_trainer_model_bytes(trainer);
    unsigned char *bytes = malloc(size);
    struct dn_model *model;
    struct dn_error error;
    cr_assert_eq(dn_trainer_model_save(trainer, bytes, &error), DN_OK);
    for (size_t cut = 0; cut < size; cut += 1 + cut / 3)
        cr_assert_eq(dn_model_load(bytes, cut, &model, &error), DN_CORRUPT, "%zu bytes", cut);
    cr_assert_eq(dn_model_load(bytes, size, &model, &error), DN_OK, "%s", error.text);
    free(bytes);
    return model;
}

static void sample(const struct dn_model *model, int first, int n, double *values, float *points) {
    struct dn_error error;
    const struct dn_sample_request request = {
        .first = first, .n = n, .seed = 5, .sampler = DN_DPMPP_2M, .steps = 50, .clip = true};
    const struct dn_sample_result result = {.values = values, .points = points};
    cr_assert_eq(dn_sample(model, &request, &result, NULL, &error), DN_OK, "%s", error.text);
}

static bool same(double a, double b) {
    return a == b || (isnan(a) && isnan(b));
}

Test(table_training, samples_look_like_the_table, .disabled = SANITIZED) {
    enum { N = 20000 };
    const struct dn_spec spec = table_spec();
    double *values = table(), *drawn = malloc(N * DIM * sizeof *drawn);
    float *points = malloc(N * DIM * sizeof *points);
    struct dn_data data = draw(&spec, values);
    struct dn_trainer *trainer = new_trainer(&spec, &data);
    train(trainer, spec.training.epochs);
    struct dn_model *model = model_of(trainer);
    sample(model, 0, N, drawn, points);
    double zeros = 0, missing = 0, wrong = 0, share[8] = {0};
    for (size_t i = 0; i < N; i++) {
        const double *row = drawn + i * DIM;
        zeros += row[0] == 0;
        missing += isnan(row[3]);
        cr_assert(row[0] >= 0 && row[0] <= 12.25 + 4093);
        cr_assert(fmod(row[1] - 1580428800.0, 86400) == 0 && row[1] <= 1580428800.0 + 86400 * 96);
        cr_assert(row[2] == 1 || row[2] == 2 || row[2] == 7);
        cr_assert(isnan(row[3]) || fabs(10 * row[3] - round(10 * row[3])) < 1e-9);
        share[(int)row[2]]++;
        const double day = (row[1] - 1580428800.0) / 86400;
        wrong += row[2] != (day < 40 ? 1 : day < 80 ? 2 : 7);
        for (int j = 0; j < DIM; j++)
            cr_assert(same((double)points[i * DIM + (size_t)j], (double)(float)row[j]));
    }
    cr_assert_float_eq(zeros / N, 1.0 / 3, 0.03);
    cr_assert_float_eq(missing / N, 0.2, 0.03);
    cr_assert_float_eq(share[1] / N, 40.0 / 97, 0.03);
    cr_assert_float_eq(share[7] / N, 17.0 / 97, 0.03);
    cr_assert_lt(wrong / N, 0.12); /* independent columns: 0.62 */
    dn_model_free(model);
    dn_trainer_free(trainer);
    dn_data_clear(&data);
    free(values);
    free(drawn);
    free(points);
}

/* Of the columns without lines, exactly. */
Test(table_training, the_points_of_an_epoch_are_the_rows) {
    const struct dn_spec spec = table_spec();
    double *values = table();
    struct dn_data data = draw(&spec, values);
    struct dn_trainer *trainer = new_trainer(&spec, &data);
    float *first = malloc(data.n * DIM * sizeof *first);
    double back[DIM];
    memcpy(first, trainer->points, data.n * DIM * sizeof *first);
    train(trainer, 1);
    trainer_draw_points(trainer, 1);
    for (size_t i = 0; i < data.n * DIM; i += DIM) {
        transform_backward_values(&trainer->transform, 1, DIM, trainer->points + i, back);
        cr_assert(memcmp(first + i, trainer->points + i, DIM * sizeof *first) != 0);
        for (size_t j = 1; j < DIM; j++)
            cr_assert(same(back[j], data.values[i + j]));
    }
    for (size_t i = 0; i < data.n_val * DIM; i += DIM) {
        transform_backward_values(&trainer->transform, 1, DIM, trainer->validation.x_0 + i, back);
        for (size_t j = 1; j < DIM; j++)
            cr_assert(same(back[j], data.values[data.n * DIM + i + j]));
    }
    free(first);
    dn_trainer_free(trainer);
    dn_data_clear(&data);
    free(values);
}

Test(table_training, rows_do_not_depend_on_how_they_are_asked_for) {
    enum { N = 300 };
    const struct dn_spec spec = table_spec();
    double *values = table();
    static double whole[N * DIM], part[N * DIM];
    struct dn_data data = draw(&spec, values);
    struct dn_trainer *trainer = new_trainer(&spec, &data);
    train(trainer, 2);
    struct dn_model *model = model_of(trainer);
    sample(model, 0, N, whole, NULL);
    sample(model, 0, 7, part, NULL);
    sample(model, 7, N - 7, part + 7 * DIM, NULL);
    for (size_t e = 0; e < N * DIM; e++)
        cr_assert(same(whole[e], part[e]), "%zu: %g, %g", e, whole[e], part[e]);
    dn_model_free(model);
    dn_trainer_free(trainer);
    dn_data_clear(&data);
    free(values);
}

/* Interrupted in the middle of an epoch, between two, or not at all: the same bytes, and the same
 * verdict. */
Test(table_training, resumes_to_the_same_bytes) {
    const struct dn_spec spec = table_spec();
    double *values = table();
    struct dn_data data = draw(&spec, values);
    struct dn_trainer *straight = new_trainer(&spec, &data);
    const int steps = 2 * dn_spec_steps_per_epoch(&spec);
    struct dn_verdict verdict, other_verdict;
    const size_t size = dn_trainer_bytes(straight);
    unsigned char *bytes = malloc(size), *other = malloc(size);
    const size_t model_size = dn_trainer_model_bytes(straight);
    unsigned char *model = malloc(model_size), *other_model = malloc(model_size);
    for (int i = 0; i < steps; i++)
        cr_assert_eq(dn_trainer_step(straight, NULL, NULL), DN_OK);
    dn_trainer_save(straight, bytes);
    cr_assert_eq(dn_trainer_model_save(straight, model, NULL), DN_OK);
    cr_assert_eq(dn_trainer_judge(straight, &verdict, NULL, NULL), DN_OK);
    for (int stop = 1; stop <= steps; stop += stop == 3 ? steps - 3 : 1) {
        struct dn_trainer *trainer = new_trainer(&spec, &data);
        for (int i = 0; i < steps; i++) {
            cr_assert_eq(dn_trainer_step(trainer, NULL, NULL), DN_OK);
            if (i + 1 != stop)
                continue;
            dn_trainer_save(trainer, other);
            dn_trainer_free(trainer);
            trainer = new_trainer(&spec, &data);
            cr_assert_eq(dn_trainer_load(trainer, other, size, NULL), DN_OK);
        }
        dn_trainer_save(trainer, other);
        cr_assert_arr_eq(bytes, other, size, "interrupted after step %d", stop);
        cr_assert_eq(dn_trainer_model_save(trainer, other_model, NULL), DN_OK);
        cr_assert_arr_eq(model, other_model, model_size, "interrupted after step %d", stop);
        cr_assert_eq(dn_trainer_judge(trainer, &other_verdict, NULL, NULL), DN_OK);
        cr_assert_eq(verdict.loss, other_verdict.loss);
        dn_trainer_free(trainer);
    }
    dn_trainer_free(straight);
    dn_data_clear(&data);
    free(values);
    free(bytes);
    free(other);
    free(model);
    free(other_model);
}

Test(table_training, values_need_ranks_and_limits) {
    struct dn_spec spec = table_spec();
    double *values = table();
    struct dn_trainer *trainer;
    struct dn_error error;
    struct dn_data data = draw(&spec, values);
    spec.training.normalization = DN_STANDARDIZE;
    cr_assert_eq(dn_trainer_new(&spec, &data, &trainer, &error), DN_INVALID);
    cr_assert(strstr(error.text, "quantile"), "%s", error.text);
    spec.training.normalization = DN_QUANTILE;
    ((double *)data.values)[5] = 1e31;
    cr_assert_eq(dn_trainer_new(&spec, &data, &trainer, &error), DN_INVALID);
    cr_assert(strstr(error.text, "coordinate 1 of point 1"), "%s", error.text);
    dn_data_clear(&data);
    free(values);
}

/* One row, one value, columns in which everything is missing, or only in rows to validate with. */
Test(table_training, the_smallest_tables) {
    for (int rows = 1; rows <= 20; rows++) {
        struct dn_spec spec = table_spec();
        double values[20 * DIM], drawn[5 * DIM];
        spec.dataset.sources[0].n = rows;
        spec.training.validation_fraction = 0.4;
        for (int i = 0; i < rows; i++)
            memcpy(values + i * DIM, (double[DIM]){7, NAN, i, i % 3 ? 1 : NAN},
                   DIM * sizeof *values);
        const struct dn_upload upload = {.n = (size_t)rows, .dim = DIM, .values = values};
        struct dn_data data;
        struct dn_epoch epoch;
        cr_assert_eq(dn_data_draw(&spec, &upload, &data, NULL, NULL), DN_OK);
        struct dn_trainer *trainer = new_trainer(&spec, &data);
        for (int i = 0; i < 3; i++)
            cr_assert_eq(dn_trainer_epoch(trainer, NULL, &epoch, NULL), DN_OK);
        cr_assert(isfinite(epoch.train_loss));
        cr_assert(isfinite(epoch.val_loss) || data.n_val == 0);
        struct dn_model *model = model_of(trainer);
        sample(model, 0, 5, drawn, NULL);
        for (int i = 0; i < 5; i++) {
            cr_assert_eq(drawn[i * DIM], 7);
            cr_assert(isnan(drawn[i * DIM + 1]));
            cr_assert(drawn[i * DIM + 2] >= 0 && drawn[i * DIM + 2] < rows);
        }
        dn_model_free(model);
        dn_trainer_free(trainer);
        dn_data_clear(&data);
    }
}

/* ------------------------------------------------------------------ classes */

/* A model of `counts` points of each of three classes. */
static struct dn_model *with_classes(const int counts[3]) {
    struct dn_spec spec = table_spec();
    const int n = counts[0] + counts[1] + counts[2];
    spec.dataset.sources[0].n = n;
    spec.dataset.classes = 3;
    double *values = table();
    int32_t *labels = malloc((size_t)n * sizeof *labels);
    for (int i = 0; i < n; i++)
        labels[i] = i < counts[0] ? 0 : i < counts[0] + counts[1] ? 1 : 2;
    const struct dn_upload upload = {
        .n = (size_t)n, .dim = DIM, .values = values, .labels = labels};
    struct dn_data data;
    int32_t found[3];
    cr_assert_eq(dn_data_draw(&spec, &upload, &data, NULL, NULL), DN_OK);
    struct dn_trainer *trainer = new_trainer(&spec, &data);
    train(trainer, 1);
    struct dn_model *model = model_of(trainer);
    cr_assert(dn_model_class_counts(model, found));
    for (int k = 0; k < 3; k++)
        cr_assert_eq(found[k], counts[k]);
    dn_trainer_free(trainer);
    dn_data_clear(&data);
    free(values);
    free(labels);
    return model;
}

Test(table_training, classes_come_in_the_frequencies_of_the_data) {
    enum { N = 100000 };
    static const int counts[3] = {10, 1200, 290};
    struct dn_model *model = with_classes(counts);
    struct dn_sample_request request = {.n = N, .guidance = 1, .label = DN_LABELS_BY_FREQUENCY};
    static int first[20], labels[N];
    for (request.seed = 0; request.seed < 20; request.seed++) {
        double drawn[3] = {0};
        for (int i = 0; i < N; i++) {
            labels[i] = dn_sample_label(model, &request, i);
            drawn[labels[i]]++;
            for (int k = 0; k < 3 && i >= 99; k += 2) /* in each beginning, not only in the end */
                cr_assert_float_eq(drawn[k], (i + 1) * (double)counts[k] / 1500, 6);
        }
        first[request.seed] = labels[0];
        request.first = 777; /* a part of the same points */
        for (int i = 0; i < 1000; i++)
            cr_assert_eq(dn_sample_label(model, &request, i), labels[777 + i]);
        request.first = 0;
    }
    int other = 0;
    for (int i = 0; i < 20; i++)
        other += first[i] != first[0];
    cr_assert(other > 0 && other < 20);
    request.seed = 19;
    request.drawn_classes = 2; /* points of the third get one of the first two */
    double others[2] = {0};
    for (int i = 0; i < N; i++) {
        const int label = dn_sample_label(model, &request, i);
        cr_assert(labels[i] < 2 ? label == labels[i] : label < 2);
        others[label] += labels[i] == 2;
    }
    cr_assert_float_eq(others[0] / (others[0] + others[1]), 10.0 / 1210, 0.004);
    request.label = DN_LABELS_IN_TURN;
    for (int i = 0; i < 10; i++)
        cr_assert_eq(dn_sample_label(model, &request, i), i % 2);
    request.drawn_classes = 0;
    for (int i = 0; i < 10; i++)
        cr_assert_eq(dn_sample_label(model, &request, i), i % 3);
    dn_model_free(model);
    model = with_classes((int[]){0, 0, 300}); /* none of the drawn ones is in the training data */
    request = (struct dn_sample_request){
        .n = N, .guidance = 1, .label = DN_LABELS_BY_FREQUENCY, .drawn_classes = 2};
    for (int i = 0; i < 10; i++)
        cr_assert_eq(dn_sample_label(model, &request, i), i % 2);
    request.drawn_classes = 4;
    float none;
    cr_assert_eq(
        dn_sample(model, &request, &(struct dn_sample_result){.points = &none}, NULL, NULL),
        DN_INVALID);
    request = (struct dn_sample_request){.n = N, .guidance = 1};
    dn_model_free(model);
    model = with_classes((int[]){500, 0, 1000});
    request.label = DN_LABELS_BY_FREQUENCY;
    for (int i = 0; i < N; i++)
        cr_assert_neq(dn_sample_label(model, &request, i), 1);
    dn_model_free(model);
    model = with_classes((int[]){50, 50, 50});
    for (int i = 0; i < 10; i++)
        cr_assert_eq(dn_sample_label(model, &request, i), i % 3);
    dn_model_free(model);
}

/* A point is the same whether its class was asked for or drawn, with and without guidance. */
Test(table_training, a_point_is_that_of_its_class) {
    enum { POINTS = 60 };
    struct dn_model *model = with_classes((int[]){100, 300, 50});
    float all[POINTS * DIM], one[POINTS * DIM];
    for (int guided = 0; guided < 2; guided++) {
        struct dn_sample_request request = {.n = POINTS,
                                            .seed = 3,
                                            .steps = 5,
                                            .guidance = guided ? 2 : 1,
                                            .label = DN_LABELS_BY_FREQUENCY};
        const struct dn_sample_request asked = request;
        cr_assert_eq(
            dn_sample(model, &request, &(struct dn_sample_result){.points = all}, NULL, NULL),
            DN_OK);
        for (request.label = 0; request.label < 3; request.label++) {
            cr_assert_eq(
                dn_sample(model, &request, &(struct dn_sample_result){.points = one}, NULL, NULL),
                DN_OK);
            for (int i = 0; i < POINTS; i++)
                if (dn_sample_label(model, &asked, i) == request.label)
                    for (int j = 0; j < DIM; j++)
                        cr_assert(same((double)all[i * DIM + j], (double)one[i * DIM + j]));
        }
    }
    dn_model_free(model);
}
