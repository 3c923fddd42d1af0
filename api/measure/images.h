/*
 * images.h - the report on the images of a model: dn_image_report, with a judge that learns the
 * classes of the training images first.
 */
#ifndef API_MEASURE_IMAGES_H
#define API_MEASURE_IMAGES_H

#include "api/contract/fields.h"
#include "engine/denoise.h"
#include "server/base/arena.h"
#include "server/store/store.h"

enum { IMAGES_RANGE = 64 }; /* images that are sampled at a time */

struct image_measure {
    int n; /* generated images; 0: the model is not of images */
    int height, width, channels;
    int classes;     /* that a judge tells apart; 0: there is none */
    float *values;   /* [n][height * width * channels]: generated images, in data units */
    int32_t *labels; /* [n]: their classes; NULL: they were drawn without */
    struct dn_judge *judge;
    bool is_new; /* the judge was trained here */
    struct dn_image_report report;
};

/* Decides whether there is a report: on request->n images, of a model of images. */
void image_plan(struct image_measure *images, const struct dn_model *model,
                const struct dn_sample_request *request);
/* The memory of all below. */
size_t image_bytes(const struct image_measure *images, const struct dn_model *model);

/* Allocates the images, and finds their labels. False: out of memory. */
bool image_begin(struct image_measure *images, const struct dn_model *model,
                 const struct dn_sample_request *request);
/* Everything that the judge depends on, which is the same on every server: hashes of what it learns
 * from, and the arithmetic. In the arena; NULL: there is no judge, or no memory. */
const char *image_judge_key(const struct image_measure *images, const struct dn_data *data,
                            struct arena *arena);
/* Takes a judge that was saved. False: the bytes are not one of this version. */
bool image_judge_take(struct image_measure *images, const void *bytes, size_t size);
/* Trains the judge, unless there is none, or it is there already; it needs no generated images. */
enum dn_status image_judge(struct image_measure *images, const struct dn_data *data,
                           const struct dn_breaks *breaks, struct dn_error *error);
/* When all images are sampled and the judge is trained. */
enum dn_status image_report(struct image_measure *images, const struct dn_data *data, uint64_t seed,
                            const struct dn_breaks *breaks, struct dn_error *error);
void image_clear(struct image_measure *images); /* may be called again */

/* The member `images` of an evaluation: null without a report. */
struct image_answer {
    int n;
    int classes;
    const int32_t *confusion; /* [classes][classes]; NULL: none */
    struct figure fld, accuracy, nearest, nearer_to_training, copies;
};
extern const struct field_set image_answer_set;
struct image_answer image_answer(const struct image_measure *images);

#endif
