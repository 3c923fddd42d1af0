#include "api/images/images.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/format/number.h"
#include "api/upload/statistics.h"
#include "server/threads/pool.h"

void images_clear(struct images *images) {
    free(images->pixels);
    free(images->labels);
    *images = (struct images){0};
}

size_t images_dim(const struct images *images) {
    return (size_t)images->height * (size_t)images->width * (size_t)images->channels;
}

/* ------------------------------------------------------------------ classes */

int images_class(struct images *images, const char *name) {
    int k = 0;
    while (k < images->class_count && strcmp(images->classes[k], name) != 0)
        k++;
    if (k == images->class_count && k < DN_MAX_CLASSES)
        strcpy(images->classes[images->class_count++], name);
    return k < DN_MAX_CLASSES ? k : -1;
}

static int by_value(const void *a, const void *b) {
    double x = 0, y = 0;
    number_read(a, strlen(a), &x);
    number_read(b, strlen(b), &y);
    return x < y ? -1 : x > y ? 1 : strcmp(a, b);
}

static int by_bytes(const void *a, const void *b) {
    return strcmp(a, b);
}

void images_sort_classes(struct images *images) {
    char before[DN_MAX_CLASSES][LABEL_NAME_BYTES + 1];
    int32_t place[DN_MAX_CLASSES];
    bool are_numbers = true;
    double value;
    memcpy(before, images->classes, sizeof before);
    for (int k = 0; k < images->class_count; k++)
        are_numbers &= number_read(before[k], strlen(before[k]), &value);
    qsort(images->classes, (size_t)images->class_count, sizeof *images->classes,
          are_numbers ? by_value : by_bytes);
    for (int k = 0; k < images->class_count; k++)
        place[k] = images_class(images, before[k]);
    for (size_t i = 0; i < images->n; i++)
        images->labels[i] = place[images->labels[i]];
}

/* ------------------------------------------------------------------ as JSON */

void images_write_shape(int height, int width, int channels, struct json_writer *json) {
    if (height == 0) {
        json_null(json);
        return;
    }
    json_open(json, '[');
    json_integer(json, height);
    json_integer(json, width);
    json_integer(json, channels);
    json_close(json, ']');
}

struct channel { /* of the bytes, as they are */
    int min, max;
    double mean, std;
};

/* From the counts of the 256 values, which makes the sums exact. */
static struct channel describe(const uint64_t counts[256]) {
    struct channel channel = {.min = 255, .max = 0};
    double n = 0, sum = 0, squares = 0;
    for (int v = 0; v < 256; v++) {
        if (counts[v] == 0)
            continue;
        channel.min = v < channel.min ? v : channel.min;
        channel.max = v;
        n += (double)counts[v];
        sum += (double)counts[v] * v;
    }
    channel.mean = sum / n;
    for (int v = 0; v < 256; v++)
        squares += (double)counts[v] * (v - channel.mean) * (v - channel.mean);
    channel.std = sqrt(squares / n);
    return channel;
}

static void count_values(const struct images *images, uint64_t counts[][256]) {
    const size_t channels = (size_t)images->channels, dim = images_dim(images);
    for (size_t i = 0; i < images->n; i++) {
        const uint8_t *image = images->pixels + i * dim;
        for (size_t j = 0; j < dim; j++)
            counts[j % channels][image[j]]++;
        pool_pause();
    }
}

void images_write_statistics(const struct images *images, struct json_writer *json) {
    static const char *const names[] = {"min", "max", "mean", "std"};
    struct channel channels[IMAGES_MAX_CHANNELS];
    uint64_t counts[IMAGES_MAX_CHANNELS][256] = {{0}};
    count_values(images, counts);
    for (int c = 0; c < images->channels; c++)
        channels[c] = describe(counts[c]);
    json_open(json, '{');
    for (int k = 0; k < 4; k++) {
        json_member_open(json, names[k], '[');
        for (int c = 0; c < images->channels; c++)
            if (k < 2)
                json_integer(json, k == 0 ? channels[c].min : channels[c].max);
            else
                json_double(json, k == 2 ? channels[c].mean : channels[c].std);
        json_close(json, ']');
    }
    statistics_write_duplicates(images->pixels, images->n, images_dim(images), json);
    statistics_write_counts(images->labels, images->n, images->class_count, json);
    json_close(json, '}');
}
