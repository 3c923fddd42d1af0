/*
 * datasets.h - uploaded data sets in the store, and which jobs train on them. As in store.h, functions
 * marked W are for the writing session.
 */
#ifndef SERVER_STORE_DATASETS_H
#define SERVER_STORE_DATASETS_H

#include "server/store/store.h"

/* An uploaded data set: points, or images. Its values, and the cells of its table, can be large, so
 * they are blobs: the caller may have begun to store them before their row (server/threads/blob.h). */
struct dataset {
    char id[ID_LENGTH + 1];
    char *name; /* NULL if the client gave none */
    int64_t n;
    int dim;                     /* coordinates of a point, or values of an image */
    int height, width, channels; /* of an image, dim = height * width * channels; 0: points */
    char *columns, *classes, *statistics; /* JSON, opaque here; no classes (NULL) without labels */
    char *label;                          /* name of the column with the labels; or NULL */
    char sha256[65];                      /* digest of the uploaded file, */
    int64_t bytes;                        /* and its size */
    int64_t created_at;
    float *points;   /* [n][dim]; NULL in a description, and for images */
    uint8_t *pixels; /* [n][height][width][channels] of images; NULL in a description */
    int64_t blob;    /* where the points or pixels are stored; 0 to insert them with the row */
    int32_t *labels; /* [n], indices of classes, or NULL */
    void *cells;     /* [cells_bytes], the table as it was written, opaque here; only to insert */
    size_t cells_bytes;
    int64_t cells_blob; /* the same of these; 0 without any: store_dataset_cells has none */
};
void dataset_clear(struct dataset *dataset);
/* Bytes of the points or pixels. */
size_t dataset_values_bytes(const struct dataset *dataset);
/* And these bytes; NULL in a description. */
const void *dataset_values(const struct dataset *dataset);

/* W. */
enum store_status store_dataset_insert(struct store_session *session,
                                       const struct dataset *dataset);
enum store_status store_dataset_get(struct store_session *session, const char *id, bool with_points,
                                    struct dataset *dataset);
/* The labels of a data set that has some: the caller frees them. */
enum store_status store_dataset_labels(struct store_session *session, const char *id,
                                       int32_t **labels);
/* Copies the images first..first+count-1 of a data set of images, whose description this is, into
 * pixels [count][dim]. */
enum store_status store_dataset_images(struct store_session *session, const struct dataset *dataset,
                                       size_t first, size_t count, uint8_t *pixels);
/* The table of a data set as it was written: the caller frees *cells; NULL if it was not kept. */
enum store_status store_dataset_cells(struct store_session *session, const char *id, void **cells,
                                      size_t *bytes);
/* Newest first, without points; sets datasets [limit], *count and *has_more. after: the last id of
 * the previous page, even if that data set has been deleted, or NULL. only_images: those of images,
 * for which it reads the rows between them, too. The page ends early with the data set whose
 * description exceeds most_bytes. */
enum store_status store_dataset_list(struct store_session *session, const char *after,
                                     bool only_images, int limit, size_t most_bytes,
                                     struct dataset *datasets, int *count, bool *has_more);
/* W. Changes what is known about the columns of a data set, and the points and labels that follow.
 * STORE_CONFLICT once a job uses it. */
enum store_status store_dataset_update(struct store_session *session,
                                       const struct dataset *dataset);
/* W. STORE_CONFLICT while a queued or running job uses it. */
enum store_status store_dataset_delete(struct store_session *session, const char *id);
/* W. Records that a job trains on a data set. STORE_NOT_FOUND if either is missing. */
enum store_status store_job_uses(struct store_session *session, const char *job_id,
                                 const char *dataset_id);

#endif
