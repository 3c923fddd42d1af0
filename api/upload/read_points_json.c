/* {"points": [[1, 2], ..], "labels": ["a", ..], "name": ".."}: read from the text itself, because a
 * tree of the numbers would need forty times its memory. */
#include <cjson/cJSON.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "api/contract/json_scan.h"
#include "api/contract/names.h"
#include "api/format/number.h"
#include "api/upload/reading.h"
#include "server/threads/pool.h"

enum { POINTS_DEPTH = 2, POINT_DEPTH = 3, VALUE_DEPTH = 4, LABEL_BYTES = 512 };

struct document {
    struct json_scan scan;
    struct reading *reading;
    bool has_points, has_labels, has_name; /* the members were seen */
    bool is_labeled;                       /* and labels was not null */
    size_t label_count;
};

/* The string that was scanned, from quote to quote, in out [size]; its whole length. */
static size_t decode(struct document *document, const char *from, const char *to, char *out,
                     size_t size) {
    size_t length = (size_t)(to - from) - 2;
    const char *text = from + 1;
    cJSON *tree = NULL;
    if (memchr(from, '\\', (size_t)(to - from))) {
        tree = cJSON_ParseWithLength(from, (size_t)(to - from));
        document->reading->no_memory |= !tree; /* the scan has found nothing wrong */
        text = tree ? tree->valuestring : "";
        length = strlen(text);
    }
    memcpy(out, text, length < size ? length : size - 1);
    out[length < size ? length : size - 1] = '\0';
    cJSON_Delete(tree);
    return length;
}

/* Moves past a value of the wrong type. */
static bool skip(struct document *document, int depth) {
    return json_scan_value(&document->scan, depth);
}

/* Moves past a number. */
static bool take_number(struct json_scan *scan, double *value) {
    const char *from = scan->at;
    return json_scan_number(scan) && number_read(from, (size_t)(scan->at - from), value);
}

static bool at_number(const struct json_scan *scan) {
    return scan->at < scan->end && (*scan->at == '-' || (*scan->at >= '0' && *scan->at <= '9'));
}

/* ------------------------------------------------------------------ points */

/* The first point sets the number of coordinates of all points. */
static bool learn_dimension(struct document *document) {
    struct json_scan ahead = document->scan;
    int dim = 0;
    for (bool more = json_scan_enter(&ahead); more; more = json_scan_another(&ahead, ']')) {
        if (!json_scan_value(&ahead, VALUE_DEPTH))
            break;
        dim++;
    }
    if (ahead.wrong) {
        document->scan = ahead;
        return false;
    }
    if (dim < 1 || dim > DN_MAX_DIM) {
        problem_add(document->reading->wrong, "/points/0",
                    "a point has 1 to %d coordinates, not %d", DN_MAX_DIM, dim);
        return false;
    }
    document->reading->dim = dim;
    return true;
}

/* True unless the text is wrong. */
static bool read_point(struct document *document) {
    struct json_scan *scan = &document->scan;
    struct reading *reading = document->reading;
    int column = 0;
    for (bool more = json_scan_enter(scan); more; more = json_scan_another(scan, ']'), column++) {
        double value;
        if (!at_number(scan)) {
            if (!skip(document, VALUE_DEPTH))
                return false;
            if (column < reading->dim)
                reading_wrong_value(reading, column, "", "must be a number");
        } else if (!take_number(scan, &value)) {
            return false;
        } else if (column < reading->dim) {
            const char *wrong = reading_put(reading, column, value);
            if (wrong)
                reading_wrong_value(reading, column, "", wrong);
        }
    }
    if (!scan->wrong && column != reading->dim) {
        char text[80];
        snprintf(text, sizeof text, "%d coordinates, but the first point has %d", column,
                 reading->dim);
        reading_wrong_value(reading, -1, "", text);
    }
    return !scan->wrong;
}

static bool read_points(struct document *document) {
    struct json_scan *scan = &document->scan;
    struct reading *reading = document->reading;
    if (!json_scan_next_is(scan, '[')) {
        problem_add(reading->wrong, "/points", "must be an array of points");
        return skip(document, POINTS_DEPTH);
    }
    for (bool more = json_scan_enter(scan); more; more = json_scan_another(scan, ']')) {
        pool_pause();
        if (!json_scan_next_is(scan, '[')) {
            reading_wrong_value(reading, -1, "", "a point must be an array of numbers");
            if (!skip(document, POINT_DEPTH))
                return false;
            reading->n++;
            continue;
        }
        if (reading->dim == 0 && !learn_dimension(document))
            return false;
        if (!reading_reserve(reading, reading->n + 1) || !read_point(document))
            return false;
        reading->n++;
    }
    return !scan->wrong;
}

/* ------------------------------------------------------------------ labels and name */

static bool read_label(struct document *document) {
    struct json_scan *scan = &document->scan;
    struct reading *reading = document->reading;
    const size_t point = document->label_count;
    const char *from = scan->at, *wrong = "a label must be text or a number";
    char label[LABEL_BYTES];
    if (!reading_reserve_labels(reading, point + 1))
        return false;
    if (json_scan_next_is(scan, '"')) {
        if (!json_scan_string(scan))
            return false;
        const size_t length = decode(document, from, scan->at, label, sizeof label);
        wrong = length < sizeof label ? reading_put_label(reading, point, label, length)
                                      : "the label is much too long";
    } else if (at_number(scan)) {
        if (!json_scan_number(scan))
            return false;
        wrong = reading_put_label(reading, point, from, (size_t)(scan->at - from));
    } else if (!skip(document, POINT_DEPTH)) {
        return false;
    }
    if (wrong)
        reading_wrong_label(reading, point, "", wrong);
    document->label_count++;
    return true;
}

static bool read_labels(struct document *document) {
    struct json_scan *scan = &document->scan;
    if (json_scan_next_is(scan, 'n')) /* null, or not JSON */
        return skip(document, POINTS_DEPTH);
    if (!json_scan_next_is(scan, '[')) {
        problem_add(document->reading->wrong, "/labels", "must be an array of labels, or null");
        return skip(document, POINTS_DEPTH);
    }
    document->is_labeled = true;
    for (bool more = json_scan_enter(scan); more; more = json_scan_another(scan, ']'))
        if (!read_label(document))
            return false;
    return !scan->wrong;
}

static bool read_title(struct document *document) {
    struct json_scan *scan = &document->scan;
    struct reading *reading = document->reading;
    const char *from = scan->at;
    if (json_scan_next_is(scan, 'n')) /* null, or not JSON */
        return skip(document, POINTS_DEPTH);
    if (!json_scan_next_is(scan, '"')) {
        problem_add(reading->wrong, "/name", "must be a string");
        return skip(document, POINTS_DEPTH);
    }
    if (!json_scan_string(scan))
        return false;
    if (decode(document, from, scan->at, reading->title, sizeof reading->title) >
        READING_TITLE_BYTES)
        problem_add(reading->wrong, "/name", "must be at most %d bytes of text",
                    READING_TITLE_BYTES);
    const char *wrong = name_wrong(reading->title, strlen(reading->title));
    if (wrong)
        problem_add(reading->wrong, "/name", "%s", wrong);
    return true;
}

/* ------------------------------------------------------------------ the document */

static bool read_member(struct document *document) {
    static const struct {
        const char *name;
        size_t seen; /* offset of the flag */
        bool (*read)(struct document *document);
    } members[] = {{"points", offsetof(struct document, has_points), read_points},
                   {"labels", offsetof(struct document, has_labels), read_labels},
                   {"name", offsetof(struct document, has_name), read_title}};
    struct json_scan *scan = &document->scan;
    char key[16], pointer[24];
    const char *from = scan->at, *to;
    if (!json_scan_name(scan, &to))
        return false;
    decode(document, from, to, key, sizeof key);
    json_scan_space(scan);
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        bool *seen = (bool *)((char *)document + members[i].seen);
        if (strcmp(key, members[i].name) != 0)
            continue;
        if (!*seen) {
            *seen = true;
            return members[i].read(document);
        }
        snprintf(pointer, sizeof pointer, "/%s", key);
        problem_add(document->reading->wrong, pointer, "is given more than once");
        return skip(document, POINTS_DEPTH);
    }
    problem_add(document->reading->wrong, "",
                "a data set has points, labels and name, but no \"%s\"", key);
    return skip(document, POINTS_DEPTH);
}

/* True when the whole document was read. */
static bool read_document(struct document *document) {
    struct json_scan *scan = &document->scan;
    json_scan_space(scan);
    if (!json_scan_next_is(scan, '{')) {
        problem_add(document->reading->wrong, "", "must be an object with points");
        return skip(document, 1) && json_scan_end(scan);
    }
    for (bool more = json_scan_enter(scan); more; more = json_scan_another(scan, '}'))
        if (!read_member(document))
            return false;
    return !scan->wrong && json_scan_end(scan);
}

void read_points_json(struct reading *reading) {
    struct document document = {.reading = reading};
    if (reading->label[0]) {
        problem_add(reading->wrong, "/label", "is for CSV and npy; JSON has a member \"labels\"");
        return;
    }
    if (json_scan_begin(&document.scan, reading->text, reading->length, SIZE_MAX) &&
        read_document(&document) && document.is_labeled && document.label_count != reading->n)
        problem_add(reading->wrong, "/labels", "has %zu labels for %zu points",
                    document.label_count, reading->n);
    if (document.scan.wrong)
        json_scan_explain(&document.scan, reading->unreadable, sizeof reading->unreadable);
    else if (!document.has_points && reading->wrong->count == 0)
        problem_add(reading->wrong, "/points", "is missing");
    if (reading_goes_on(reading) && reading->dim > 0)
        reading_name_columns(reading);
    reading_finish(reading);
}
