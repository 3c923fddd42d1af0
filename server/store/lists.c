/* Pages of jobs and models: searched, filtered and sorted. The ids of a page are found first, in
 * indices that contain all that is compared (migrations/); then their rows are read. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "server/store/lists.h"
#include "server/store/sql.h"

/* The statements of an order, [ascending, descending]: for items with a sort value, then for those
 * without one. Sorting by id, which begins with the time of creation, has only the latter. The page
 * begins after the value ?1 and the id ?2; ?3 is its limit. */
struct order {
    const char *with_key[2], *without_key[2];
};
#define PAGE(from, where, key, than, way)                                                          \
    "SELECT id, " key " FROM " from " WHERE " where "(" key ", id) " than                          \
    " (?1, ?2) ORDER BY " key way ", id" way " LIMIT ?3"
#define REST(from, where, than, way)                                                               \
    "SELECT id, NULL FROM " from " WHERE " where " id " than " ?2 ORDER BY id" way " LIMIT ?3"
#define BY_ID(from, where)                                                                         \
    {                                                                                              \
        .without_key = { REST(from, where, ">", ""), REST(from, where, "<", " DESC") }             \
    }
#define BY(from, where, key)                                                                       \
    {                                                                                              \
        .with_key = {PAGE(from, where, key, ">", ""), PAGE(from, where, key, "<", " DESC")},       \
        .without_key = {                                                                           \
            REST(from, where key " IS NULL AND", ">", ""),                                         \
            REST(from, where key " IS NULL AND", "<", " DESC")                                     \
        }                                                                                          \
    }

/* A sort value, and the statements for all items or for those that match a filter. */
struct sort_key {
    bool is_text, has_index;
    struct order all, some;
};

/* The query for a page. */
struct listing {
    const struct order *order;
    bool is_text, descending;
    const struct list_place *after;
    const char *types; /* of the filter's parameters, from ?4 on: t for each text */
    const char *texts[3];
    int limit;
};

/* ------------------------------------------------------------------ the ids of a page */

/* Above all ids, whose digits are below 'g', and above all texts. */
static const char last_id[] = "g", last_text[] = "\xf4\x8f\xbf\xbf\xf4\x8f\xbf\xbf";

/* Prepares the statement for items with a sort value (has_key) or without one. */
static struct sql_statement *prepare_part(struct store_session *session,
                                          const struct listing *listing, bool has_key, int limit) {
    const bool descending = listing->descending;
    const bool continues = listing->after->id[0] && listing->after->has_key == has_key;
    const char *sql =
        (has_key ? listing->order->with_key : listing->order->without_key)[descending];
    const char *id = continues ? listing->after->id : descending ? last_id : "";
    const char *const *texts = listing->texts;
    char types[8];
    snprintf(types, sizeof types, "%cti%s", listing->is_text ? 't' : 'd', listing->types);
    if (listing->is_text) {
        const char *key = continues ? listing->after->key : descending ? last_text : "";
        return sql_prepare(session, sql, types, key, id, (int64_t)limit, texts[0], texts[1],
                           texts[2]);
    }
    const double key = continues    ? strtod(listing->after->key, NULL)
                       : descending ? INFINITY
                                    : -INFINITY;
    return sql_prepare(session, sql, types, key, id, (int64_t)limit, texts[0], texts[1], texts[2]);
}

static void read_place(struct sql_statement *row, bool is_text, struct list_place *place) {
    *place = (struct list_place){.has_key = !sql_is_null(row, 1)};
    memcpy(place->id, sql_chars(row, 0), ID_LENGTH);
    if (place->has_key && is_text)
        snprintf(place->key, sizeof place->key, "%s", sql_chars(row, 1));
    else if (place->has_key)
        snprintf(place->key, sizeof place->key, "%.17g", sql_double(row, 1));
}

/* Appends items with a sort value, or without one, to places [listing->limit]. */
static enum store_status read_part(struct store_session *session, const struct listing *listing,
                                   bool has_key, struct list_place *places, int *count) {
    struct sql_statement *row = prepare_part(session, listing, has_key, listing->limit - *count);
    while (*count < listing->limit && sql_row(session, row))
        read_place(row, listing->is_text, &places[(*count)++]);
    return sql_done(session, row);
}

static enum store_status read_places(struct store_session *session, const struct listing *listing,
                                     struct list_place *places, int *count) {
    const bool is_behind = listing->after->id[0] && !listing->after->has_key;
    enum store_status status = STORE_OK;
    *count = 0;
    if (listing->order->with_key[0] && !is_behind)
        status = read_part(session, listing, true, places, count);
    if (status == STORE_OK && *count < listing->limit)
        status = read_part(session, listing, false, places, count);
    return status;
}

/* ------------------------------------------------------------------ jobs */

#define WORDS        "(?4 IS NULL OR instr(words, ?4) > 0 OR instr(id, ?4) = 1) AND "
#define JOBS         "job INDEXED BY job_search"
#define CHOSEN       WORDS "(?5 IS NULL OR dataset = ?5) AND (?6 IS NULL OR instr(?6, status) > 0) AND "
#define JOB_KEY(key) .all = BY("job", "", key), .some = BY(JOBS, CHOSEN, key)

static const struct sort_key job_keys[JOB_SORTS] = {
    [JOBS_BY_CREATION] = {.all = BY_ID("job", ""), .some = BY_ID(JOBS, CHOSEN)},
    [JOBS_BY_NAME] = {.is_text = true, JOB_KEY("substr(words, 1, 60)")},
    [JOBS_BY_DATASET] = {.is_text = true, JOB_KEY("substr(dataset, 1, 60)")},
    [JOBS_BY_STATUS] = {.is_text = true, JOB_KEY("status")},
    [JOBS_BY_EPOCH] = {JOB_KEY("epoch")},
    [JOBS_BY_TRAIN_LOSS] = {JOB_KEY("train_loss")},
    [JOBS_BY_VAL_LOSS] = {JOB_KEY("val_loss")},
    [JOBS_BY_DURATION] = {JOB_KEY("nullif(seconds, 0)")},
    [JOBS_BY_CURVE_DISTANCE] = {JOB_KEY("curve_distance")},
    [JOBS_BY_ENERGY_DISTANCE] = {JOB_KEY("energy_distance")},
};
static const struct order with_status = BY_ID("job", "status = ?4 AND ");
static const struct order with_dataset = BY_ID("job", "dataset = ?4 AND ");

enum { STATUSES_BYTES = 64 };

/* The names of a set of statuses, one after another; NULL for all. */
static const char *name_statuses(unsigned statuses, char names[STATUSES_BYTES]) {
    names[0] = '\0';
    for (int i = 0; i < JOB_STATUS_COUNT; i++)
        if (statuses & 1U << i)
            strcat(strcat(names, job_status_names[i]), " ");
    return statuses ? names : NULL;
}

/* search: that of the filter, folded. */
static struct listing list_jobs(const struct job_filter *filter, const char *search,
                                char names[STATUSES_BYTES]) {
    const struct sort_key *key = &job_keys[filter->sort];
    const bool is_quick = store_job_list_is_quick(filter);
    struct listing listing = {.order = &key->all,
                              .is_text = key->is_text,
                              .descending = filter->descending,
                              .after = &filter->after,
                              .types = "",
                              .limit = filter->limit + 1}; /* to know whether there is more */
    if (is_quick && filter->statuses) {
        listing.order = &with_status;
        listing.types = "t";
        listing.texts[0] = job_status_names[ffs((int)filter->statuses) - 1];
    } else if (is_quick && filter->dataset) {
        listing.order = &with_dataset;
        listing.types = "t";
        listing.texts[0] = filter->dataset;
    } else if (!is_quick) {
        listing.order = &key->some;
        listing.types = "ttt";
        listing.texts[0] = search;
        listing.texts[1] = filter->dataset;
        listing.texts[2] = name_statuses(filter->statuses, names);
    }
    return listing;
}

bool store_job_list_is_quick(const struct job_filter *filter) {
    const bool many_statuses = (filter->statuses & (filter->statuses - 1)) != 0;
    if (filter->search || many_statuses || (filter->statuses && filter->dataset))
        return false;
    return filter->sort == JOBS_BY_CREATION || (!filter->statuses && !filter->dataset);
}

static int by_seq(const void *a, const void *b) {
    const struct job *left = *(struct job *const *)a, *right = *(struct job *const *)b;
    return (left->seq > right->seq) - (left->seq < right->seq);
}

/* Counts the queue before the first of these jobs, then between each and the next, so that it is
 * read once for all of them. */
static enum store_status place_jobs(struct store_session *session, struct job *jobs, int count) {
    struct job **queued = malloc((size_t)(count + 1) * sizeof(struct job *));
    if (!queued)
        return STORE_ERROR;
    size_t n = 0;
    for (int i = 0; i < count; i++)
        if (jobs[i].status == JOB_QUEUED && !jobs[i].waits_for_offer)
            queued[n++] = &jobs[i];
    qsort(queued, n, sizeof(struct job *), by_seq);
    enum store_status status = STORE_OK;
    int64_t from = 0, place = 0, more = 0;
    for (size_t i = 0; i < n && status == STORE_OK; i++) {
        status = sql_count_queued(session, from, queued[i]->seq, &more);
        place += more;
        from = queued[i]->seq;
        queued[i]->queue_position = place;
    }
    free(queued);
    return status;
}

/* The places of the items of a page, and of one more if there is one. */
struct page {
    struct list_place *places;
    int found;
    bool is_begun;
};

/* Finds the items of a page. end_page() must follow, even after a failure. */
static enum store_status begin_page(struct store_session *session, const struct listing *listing,
                                    int limit, struct page *page) {
    *page = (struct page){.places = malloc((size_t)(limit + 1) * sizeof *page->places)};
    const enum store_status status = page->places ? sql_begin_reading(session) : STORE_ERROR;
    page->is_begun = status == STORE_OK;
    return page->is_begun ? read_places(session, listing, page->places, &page->found) : status;
}

/* count: the number of items that were read. Returns the status, or that of the end. */
static enum store_status end_page(struct store_session *session, struct page *page,
                                  enum store_status status, int count, bool *has_more,
                                  struct list_place *last) {
    if (page->is_begun)
        status = sql_end_reading(session, status);
    *has_more = page->found > count;
    if (count > 0)
        *last = page->places[count - 1];
    free(page->places);
    return status;
}

/* Reads the jobs at the places [found], as far as they fit. */
static enum store_status read_jobs(struct store_session *session, const struct job_filter *filter,
                                   const struct list_place *places, int found, struct job *jobs,
                                   int *count) {
    enum store_status status = STORE_OK;
    size_t bytes = 0;
    while (status == STORE_OK && *count < found && *count < filter->limit &&
           (filter->most_bytes == 0 || bytes <= filter->most_bytes)) {
        status = sql_job_unplaced(session, places[*count].id, &jobs[*count]);
        if (status == STORE_OK)
            bytes += strlen(jobs[(*count)++].spec);
    }
    return status == STORE_OK ? place_jobs(session, jobs, *count) : status;
}

enum store_status store_job_list(struct store_session *session, const struct job_filter *filter,
                                 struct job *jobs, int *count, bool *has_more,
                                 struct list_place *last) {
    char names[STATUSES_BYTES], *search;
    struct page page;
    *count = 0;
    enum store_status status = sql_folded(filter->search, &search);
    if (status != STORE_OK)
        return status;
    const struct listing listing = list_jobs(filter, search, names);
    status = begin_page(session, &listing, filter->limit, &page);
    if (status == STORE_OK)
        status = read_jobs(session, filter, page.places, page.found, jobs, count);
    status = end_page(session, &page, status, *count, has_more, last);
    free(search);
    if (status != STORE_OK)
        while (*count > 0)
            job_clear(&jobs[--*count]);
    return status;
}

enum store_status store_job_counts(struct store_session *session, const struct job_filter *filter,
                                   int64_t counts[JOB_STATUS_COUNT]) {
    enum store_status status = STORE_OK;
    memset(counts, 0, JOB_STATUS_COUNT * sizeof *counts);
    if (!filter->search && !filter->dataset) {
        for (int i = 0; i < JOB_STATUS_COUNT && status == STORE_OK; i++)
            status = store_job_count(session, (enum job_status)i, &counts[i]);
        return status;
    }
    char *search;
    status = sql_folded(filter->search, &search);
    if (status != STORE_OK)
        return status;
    struct sql_statement *row = sql_prepare(
        session, "SELECT status, count(*) FROM " JOBS " WHERE " CHOSEN "true GROUP BY status",
        "tttttt", NULL, NULL, NULL, search, filter->dataset, NULL);
    while (sql_row(session, row))
        counts[sql_name(row, 0, job_status_names)] = sql_int64(row, 1);
    status = sql_done(session, row);
    free(search);
    return status;
}

enum store_status store_sparkline(struct store_session *session, const struct job *job, int most,
                                  double *losses, int *count) {
    const int n = job->epoch < most ? job->epoch : most;
    enum store_status status = STORE_OK;
    *count = 0;
    for (int i = 0; i < n && status == STORE_OK; i++) { /* a look-up each: histories can be long */
        const int64_t epoch = n == 1 ? job->epoch : 1 + (int64_t)i * (job->epoch - 1) / (n - 1);
        struct sql_statement *row =
            sql_prepare(session,
                        "SELECT CASE WHEN ?3 <> 0 THEN val_loss ELSE train_loss END FROM history"
                        " WHERE job_seq = ?1 AND epoch = ?2",
                        "iii", job->seq, epoch, (int64_t)!isnan(job->val_loss));
        losses[(*count)++] = sql_row(session, row) ? sql_real(row, 0) : NAN;
        status = sql_done(session, row);
    }
    return status;
}

/* ------------------------------------------------------------------ models */

#define MODELS         "model INDEXED BY model_search"
#define ORIGIN         WORDS "(?5 IS NULL OR (job_seq IS NULL) = (?5 = 'imported')) AND "
#define MODEL_KEY(key) .all = BY("model", "", key), .some = BY(MODELS, ORIGIN, key)

static const struct sort_key model_keys[MODEL_SORTS] = {
    [MODELS_BY_CREATION] = {.has_index = true,
                            .all = BY_ID("model", ""),
                            .some = BY_ID(MODELS, ORIGIN)},
    [MODELS_BY_UPDATE] = {.has_index = true, MODEL_KEY("updated_at")},
    [MODELS_BY_NAME] = {.is_text = true, .has_index = true, MODEL_KEY("substr(words, 1, 60)")},
    [MODELS_BY_EPOCH] = {MODEL_KEY("epoch")},
    [MODELS_BY_PARAMETERS] = {MODEL_KEY("parameters")},
    [MODELS_BY_BYTES] = {MODEL_KEY("size")},
};
static const struct order imported = BY_ID("model", "job_seq IS NULL AND ");

static bool is_all_imported(const struct model_filter *filter) {
    return !filter->search && filter->origin == ORIGIN_IMPORTED &&
           filter->sort == MODELS_BY_CREATION;
}

bool store_model_list_is_quick(const struct model_filter *filter) {
    return is_all_imported(filter) ||
           (!filter->search && filter->origin == ORIGIN_ANY && model_keys[filter->sort].has_index);
}

/* search: that of the filter, folded. */
static struct listing list_models(const struct model_filter *filter, const char *search) {
    const struct sort_key *key = &model_keys[filter->sort];
    struct listing listing = {.order = &key->all,
                              .is_text = key->is_text,
                              .descending = filter->descending,
                              .after = &filter->after,
                              .types = "",
                              .limit = filter->limit + 1};
    if (is_all_imported(filter)) {
        listing.order = &imported;
    } else if (filter->search || filter->origin != ORIGIN_ANY) {
        listing.order = &key->some;
        listing.types = "tt";
        listing.texts[0] = search;
        listing.texts[1] = filter->origin == ORIGIN_ANY        ? NULL
                           : filter->origin == ORIGIN_IMPORTED ? "imported"
                                                               : "trained";
    }
    return listing;
}

enum store_status store_model_list(struct store_session *session, const struct model_filter *filter,
                                   struct model *models, int *count, bool *has_more,
                                   struct list_place *last) {
    char *search;
    struct page page;
    *count = 0;
    enum store_status status = sql_folded(filter->search, &search);
    if (status != STORE_OK)
        return status;
    const struct listing listing = list_models(filter, search);
    status = begin_page(session, &listing, filter->limit, &page);
    while (status == STORE_OK && *count < page.found && *count < filter->limit) {
        status = sql_model(session, page.places[*count].id, &models[*count]);
        *count += status == STORE_OK;
    }
    status = end_page(session, &page, status, *count, has_more, last);
    free(search);
    if (status != STORE_OK)
        while (*count > 0)
            model_clear(&models[--*count]);
    return status;
}
