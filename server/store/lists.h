/*
 * lists.h - pages of jobs and models: which, in what order, from which place on.
 */
#ifndef SERVER_STORE_LISTS_H
#define SERVER_STORE_LISTS_H

#include "server/store/store.h"

/* Lists come in pages. A page begins after a place, even if the item at that place has been
 * deleted. Items without a sort value come last; equal values are in the order of their ids, and so
 * of their creation, in the same direction. */
enum { LIST_KEY_BYTES = 256 }; /* more than the 60 characters that texts are sorted by */
struct list_place {
    char id[ID_LENGTH + 1];   /* "": before the first */
    bool has_key;             /* the list is sorted by a value, and the item has one: */
    char key[LIST_KEY_BYTES]; /* the value as text */
};

enum job_sort {
    JOBS_BY_CREATION,
    JOBS_BY_NAME,
    JOBS_BY_DATASET,
    JOBS_BY_STATUS,
    JOBS_BY_EPOCH,
    JOBS_BY_TRAIN_LOSS,
    JOBS_BY_VAL_LOSS,
    JOBS_BY_DURATION,
    JOBS_BY_CURVE_DISTANCE,
    JOBS_BY_ENERGY_DISTANCE,
    JOB_SORTS
};

struct job_filter {
    unsigned statuses;   /* 1 << enum job_status, added up; 0 for all */
    const char *dataset; /* NULL for all */
    const char *search;  /* part of the texts of a job, or the start of its id; NULL for all */
    enum job_sort sort;
    bool descending;
    struct list_place after;
    int limit;
    size_t most_bytes; /* of specs; the page ends early with the job that exceeds it; 0: no limit */
};
/* Can an index alone find the page, however many jobs there are? */
bool store_job_list_is_quick(const struct job_filter *filter);
/* Sets jobs [limit], *count, *has_more, and the place of the last one. */
enum store_status store_job_list(struct store_session *session, const struct job_filter *filter,
                                 struct job *jobs, int *count, bool *has_more,
                                 struct list_place *last);
/* The number of jobs of each status that match the filter, ignoring its statuses. */
enum store_status store_job_counts(struct store_session *session, const struct job_filter *filter,
                                   int64_t counts[JOB_STATUS_COUNT]);

enum model_sort {
    MODELS_BY_CREATION,
    MODELS_BY_UPDATE,
    MODELS_BY_NAME,
    MODELS_BY_EPOCH,
    MODELS_BY_PARAMETERS,
    MODELS_BY_BYTES,
    MODEL_SORTS
};

enum origin { ORIGIN_ANY, ORIGIN_TRAINED, ORIGIN_IMPORTED };

struct model_filter {
    enum origin origin;
    const char *search; /* as for jobs */
    enum model_sort sort;
    bool descending;
    struct list_place after;
    int limit;
};
/* The same as for jobs; the models have no bytes. */
bool store_model_list_is_quick(const struct model_filter *filter);
enum store_status store_model_list(struct store_session *session, const struct model_filter *filter,
                                   struct model *models, int *count, bool *has_more,
                                   struct list_place *last);

#endif
