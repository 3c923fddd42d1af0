/*
 * Tables in JSON, in one of these forms:
 *
 *     {"points": [[1, "a", null], ..], "columns": ["x", "kind", "y"], "labels": [..], "name": ".."}
 *     [{"x": 1, "kind": "a"}, ..]     records: a key that a record does not have is a missing cell
 *     [[1, "a", null], ..]
 *     {"x": 1, "kind": "a"}           and more of these, one after another: JSON lines
 *
 * They are read from the text itself, because a tree of the values would need forty times its
 * memory: first all of it is checked, so that nothing can be wrong with its syntax afterwards.
 */
#include <cjson/cJSON.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "api/contract/json_scan.h"
#include "api/contract/names.h"
#include "api/upload/reading.h"
#include "server/threads/pool.h"

enum { MEMBER_DEPTH = 2 };

enum member { MEMBER_POINTS, MEMBER_COLUMNS, MEMBER_LABELS, MEMBER_NAME, MEMBERS };
static const char *const member_names[MEMBERS] = {"points", "columns", "labels", "name"};

struct document {
    struct json_scan scan;
    struct reading *reading;
    struct buffer scratch;
    struct json_scan members[MEMBERS]; /* at their values; text is NULL: not there, or null */
    bool seen[MEMBERS];
    size_t rows; /* so far, with those that are wrong */
    int label;   /* column of the labels, or -1 */
};

/* ------------------------------------------------------------------ values */

/* The text of a string that was scanned, from quote to quote; NULL: no memory. */
static const char *decode(struct document *document, const char *from, const char *to,
                          size_t *length) {
    *length = (size_t)(to - from) - 2;
    if (!memchr(from, '\\', (size_t)(to - from)))
        return from + 1;
    cJSON *tree = cJSON_ParseWithLength(from, (size_t)(to - from));
    document->scratch.length = 0;
    if (tree) /* the scan has found nothing wrong */
        buffer_append(&document->scratch, tree->valuestring, strlen(tree->valuestring) + 1);
    const bool failed = !tree || document->scratch.failed;
    cJSON_Delete(tree);
    document->reading->no_memory |= failed;
    *length = failed ? 0 : document->scratch.length - 1;
    return failed ? NULL : document->scratch.data;
}

static bool put(struct document *document, int column, const char *text, size_t length) {
    document->reading->no_memory |=
        !text || !cells_put(&document->reading->cells, column, text, length);
    return !document->reading->no_memory;
}

/* Puts the value that comes next into a column. False: no memory. */
static bool put_value(struct document *document, int column, int depth) {
    struct json_scan *scan = &document->scan;
    const char *from = scan->at;
    char pointer[40];
    size_t length;
    json_scan_value(scan, depth);
    if (*from == '"') {
        const char *text = decode(document, from, scan->at, &length);
        return put(document, column, text, length);
    }
    if (*from == 'n')
        return put(document, column, "", 0);
    if (*from == '[' || *from == '{') {
        snprintf(pointer, sizeof pointer, "/points/%zu/%d", document->rows, column);
        const char *name = document->reading->cells.columns[column].name;
        reading_fault(document->reading, FAULT_VALUE, pointer,
                      name[0] ? "column \"%s\": an object or a list is no value: give each of its "
                                "values a column of its own"
                              : "%smust be a number, text, true, false or null",
                      name);
        return put(document, column, "", 0);
    }
    return put(document, column, from, (size_t)(scan->at - from));
}

static bool end_row(struct document *document, size_t line) {
    document->rows++;
    pool_pause();
    return reading_end_row(document->reading, line);
}

/* ------------------------------------------------------------------ rows that are arrays */

/* The first point sets the number of coordinates if there are no names. */
static bool learn_width(struct document *document) {
    struct json_scan ahead = document->scan;
    for (bool more = json_scan_enter(&ahead); more; more = json_scan_another(&ahead, ']')) {
        json_scan_value(&ahead, MEMBER_DEPTH);
        if (reading_add_column(document->reading, "", 0) < 0)
            return false;
    }
    return true;
}

/* The label of the current point, if there is one left. False: no memory. */
static bool put_label(struct document *document, bool *more) {
    struct json_scan points = document->scan;
    document->scan = document->members[MEMBER_LABELS];
    const bool fits = put_value(document, document->label, MEMBER_DEPTH);
    *more = json_scan_another(&document->scan, ']');
    document->members[MEMBER_LABELS] = document->scan;
    document->scan = points;
    return fits;
}

static bool put_point(struct document *document, int width) {
    struct json_scan *scan = &document->scan;
    int column = 0;
    char pointer[40];
    snprintf(pointer, sizeof pointer, "/points/%zu", document->rows);
    if (!json_scan_next_is(scan, '[')) {
        reading_fault(document->reading, FAULT_ROW, pointer,
                      "a point must be an array with one value per column");
        return json_scan_value(scan, MEMBER_DEPTH);
    }
    for (bool more = json_scan_enter(scan); more; more = json_scan_another(scan, ']'), column++)
        if (column >= width)
            json_scan_value(scan, MEMBER_DEPTH);
        else if (!put_value(document, column, MEMBER_DEPTH))
            return false;
    if (column != width)
        reading_fault(
            document->reading, FAULT_WIDTH, pointer, "%d coordinates, but %s %d", column,
            document->seen[MEMBER_COLUMNS] ? "there are names for" : "the first point has", width);
    return true;
}

/* The points from the array that comes next, and their labels beside them. */
static bool read_points(struct document *document) {
    struct json_scan *scan = &document->scan;
    struct reading *reading = document->reading;
    const bool is_labeled = document->members[MEMBER_LABELS].at != NULL;
    int width = reading->cells.count;
    size_t labels = 0;
    bool label_left = is_labeled && json_scan_enter(&document->members[MEMBER_LABELS]),
         begun = false;
    for (bool more = json_scan_enter(scan); more; more = json_scan_another(scan, ']')) {
        if (!begun && json_scan_next_is(scan, '[')) {
            begun = true;
            if (width == 0 && !learn_width(document))
                return false;
            width = reading->cells.count;
            if (is_labeled && (document->label = reading_add_column(reading, "label", 5)) < 0)
                return false;
        }
        if (!reading_has_room(reading) || !put_point(document, width))
            return false;
        labels += label_left && begun;
        if (label_left && begun && !put_label(document, &label_left))
            return false;
        if (!end_row(document, document->rows + 1))
            return false;
    }
    for (; label_left; label_left = json_scan_another(&document->members[MEMBER_LABELS], ']')) {
        json_scan_value(&document->members[MEMBER_LABELS], MEMBER_DEPTH);
        labels++;
    }
    if (is_labeled && labels != reading->cells.n && reading->faults[FAULT_ROW].count == 0)
        reading_fault(reading, FAULT_LENGTH, "/labels", "has %zu labels for %zu points", labels,
                      reading->cells.n);
    reading->last_is_label = document->label >= 0;
    return true;
}

/* ------------------------------------------------------------------ records */

/* The column of a key, which is added if it is new; guess: where it probably is. -1: an error ends
 * the reading. */
static int column_of(struct document *document, const char *key, size_t length, int guess) {
    struct reading *reading = document->reading;
    const struct cells *cells = &reading->cells;
    char name[CELLS_NAME_BYTES + 1];
    if (length > CELLS_NAME_BYTES) {
        problem_add(reading->wrong, "/columns", "the key \"%.40s..\" is longer than %d bytes", key,
                    CELLS_NAME_BYTES);
        return -1;
    }
    memcpy(name, key, length);
    name[length] = '\0';
    if (guess < cells->count && strcmp(cells->columns[guess].name, name) == 0)
        return guess;
    const int found = cells_find_column(cells, name);
    return found >= 0 ? found : reading_add_column(reading, name, length);
}

static bool put_record(struct document *document) {
    struct json_scan *scan = &document->scan;
    struct reading *reading = document->reading;
    int guess = 0;
    for (bool more = json_scan_enter(scan); more; more = json_scan_another(scan, '}'), guess++) {
        const char *from = scan->at, *to;
        size_t length;
        json_scan_name(scan, &to);
        const char *key = decode(document, from, to, &length);
        const int column = key ? column_of(document, key, length, guess) : -1;
        if (column < 0)
            return false;
        json_scan_space(scan);
        if (reading->cells.columns[column].count > reading->cells.n) {
            reading_fault(reading, FAULT_TWICE, "/points", "%s %zu has the key \"%.40s\" twice",
                          reading->unit, document->rows + 1, reading->cells.columns[column].name);
            json_scan_value(scan, MEMBER_DEPTH);
        } else if (!put_value(document, column, MEMBER_DEPTH)) {
            return false;
        }
    }
    return true;
}

/* A value of the list that comes next, which should be a record. */
static bool read_record(struct document *document, size_t line) {
    struct reading *reading = document->reading;
    reading->cells.has_names = true;
    if (json_scan_next_is(&document->scan, '{'))
        return reading_has_room(reading) && put_record(document) && end_row(document, line);
    reading_fault(reading, FAULT_ROW, "/points", "%s %zu is not a record, {\"column\": value, ..}",
                  reading->unit, line);
    json_scan_value(&document->scan, MEMBER_DEPTH);
    document->rows++;
    return true;
}

static bool read_records(struct document *document) {
    struct json_scan *scan = &document->scan;
    document->reading->unit = "record";
    for (bool more = json_scan_enter(scan); more; more = json_scan_another(scan, ']'))
        if (!read_record(document, document->rows + 1))
            return false;
    return true;
}

/* JSON lines; a value may also take several lines, or share one. */
static bool read_lines(struct document *document) {
    struct json_scan *scan = &document->scan;
    size_t line = 1;
    document->reading->unit = "line";
    for (const char *counted = scan->start;; counted = scan->at) {
        const char *from = counted;
        json_scan_space(scan);
        while (from < scan->at && (from = memchr(from, '\n', (size_t)(scan->at - from)))) {
            line++;
            from++;
        }
        if (scan->at == scan->end)
            return true;
        const char *value = scan->at;
        if (!read_record(document, line))
            return false;
        while (value < scan->at && (value = memchr(value, '\n', (size_t)(scan->at - value)))) {
            line++;
            value++;
        }
    }
}

/* ------------------------------------------------------------------ the object with points */

/* Remembers where the members are. */
static void find_member(struct document *document) {
    struct json_scan *scan = &document->scan;
    const char *from = scan->at, *to;
    size_t length;
    char pointer[24];
    json_scan_name(scan, &to);
    const char *key = decode(document, from, to, &length);
    json_scan_space(scan);
    int i = 0;
    while (key && i < MEMBERS &&
           (strlen(member_names[i]) != length || memcmp(member_names[i], key, length) != 0))
        i++;
    if (!key)
        return;
    if (i == MEMBERS) {
        problem_add(document->reading->wrong, "",
                    "a data set has points, columns, labels and name, but no \"%.*s\"",
                    length < 40 ? (int)length : 40, key);
    } else if (document->seen[i]) {
        snprintf(pointer, sizeof pointer, "/%s", member_names[i]);
        problem_add(document->reading->wrong, pointer, "is given more than once");
    } else {
        document->seen[i] = true;
        if (i == MEMBER_POINTS || !json_scan_next_is(scan, 'n'))
            document->members[i] = *scan;
    }
    json_scan_value(scan, MEMBER_DEPTH);
}

static void read_title(struct document *document, struct json_scan *scan) {
    struct reading *reading = document->reading;
    const char *from = scan->at;
    size_t length;
    if (!json_scan_next_is(scan, '"')) {
        problem_add(reading->wrong, "/name", "must be a string");
        return;
    }
    json_scan_string(scan);
    const char *title = decode(document, from, scan->at, &length);
    if (!title)
        return;
    if (length > READING_TITLE_BYTES) {
        problem_add(reading->wrong, "/name", "must be at most %d bytes of text",
                    READING_TITLE_BYTES);
        return;
    }
    memcpy(reading->title, title, length);
    reading->title[length] = '\0';
    const char *wrong = name_wrong(reading->title, length);
    if (wrong)
        problem_add(reading->wrong, "/name", "%s", wrong);
}

static void read_names(struct document *document, struct json_scan *scan) {
    struct reading *reading = document->reading;
    if (!json_scan_next_is(scan, '[')) {
        problem_add(reading->wrong, "/columns", "must be an array of names");
        return;
    }
    reading->cells.has_names = true;
    for (bool more = json_scan_enter(scan); more; more = json_scan_another(scan, ']')) {
        const char *from = scan->at;
        size_t length = 0;
        const bool is_text = json_scan_next_is(scan, '"');
        json_scan_value(scan, MEMBER_DEPTH);
        const char *name = is_text ? decode(document, from, scan->at, &length) : NULL;
        if (reading->no_memory)
            return;
        if (!name || length == 0 || length > CELLS_NAME_BYTES) {
            problem_add(reading->wrong, "/columns", "must be names of 1 to %d bytes",
                        CELLS_NAME_BYTES);
            return;
        }
        if (reading_add_column(reading, name, length) < 0)
            return;
    }
}

static void read_object(struct document *document) {
    struct reading *reading = document->reading;
    struct json_scan *scan = &document->scan, *members = document->members;
    const int before = reading->wrong->count;
    for (bool more = json_scan_enter(scan); more; more = json_scan_another(scan, '}'))
        find_member(document);
    if (!document->seen[MEMBER_POINTS]) { /* another form of a table, whatever its members are */
        reading->wrong->count = before;
        problem_add(reading->wrong, "/points",
                    "is missing; a table can also be a list of records, [{\"column\": value, ..}, "
                    "..] (pandas: to_json(orient=\"records\"))");
        return;
    }
    if (members[MEMBER_NAME].at)
        read_title(document, &members[MEMBER_NAME]);
    if (members[MEMBER_COLUMNS].at)
        read_names(document, &members[MEMBER_COLUMNS]);
    if (members[MEMBER_LABELS].at && !json_scan_next_is(&members[MEMBER_LABELS], '['))
        problem_add(reading->wrong, "/labels", "must be an array of labels, or null");
    if (!json_scan_next_is(&members[MEMBER_POINTS], '['))
        problem_add(reading->wrong, "/points", "must be an array of points");
    if (reading->wrong->count > 0 || reading->no_memory)
        return;
    *scan = members[MEMBER_POINTS];
    read_points(document);
}

/* ------------------------------------------------------------------ the document */

/* Checks all of the text; lines: one value after another. */
static bool check(struct json_scan scan, bool lines, struct json_scan *wrong) {
    do {
        json_scan_space(&scan);
    } while (json_scan_value(&scan, 1) && lines &&
             (json_scan_space(&scan), !scan.wrong && scan.at < scan.end));
    if (!scan.wrong)
        json_scan_end(&scan);
    *wrong = scan;
    return !scan.wrong;
}

static void read_value(struct document *document) {
    struct json_scan *scan = &document->scan;
    json_scan_space(scan);
    if (document->reading->is_lines) {
        read_lines(document);
    } else if (json_scan_next_is(scan, '{')) {
        read_object(document);
    } else if (json_scan_next_is(scan, '[')) {
        struct json_scan ahead = *scan;
        if (json_scan_enter(&ahead) && json_scan_next_is(&ahead, '['))
            read_points(document);
        else
            read_records(document);
    } else {
        problem_add(document->reading->wrong, "",
                    "must be an object with points, or an array of records");
    }
}

void read_json(struct reading *reading) {
    struct document document = {.reading = reading, .label = -1};
    struct json_scan checked;
    reading->unit = "row";
    const bool begins = json_scan_begin(&document.scan, reading->text, reading->length, SIZE_MAX);
    if (!begins)
        checked = document.scan;
    if (begins && check(document.scan, reading->is_lines, &checked))
        read_value(&document);
    else
        json_scan_explain(&checked, reading->unreadable, sizeof reading->unreadable);
    buffer_clear(&document.scratch);
    reading_finish(reading);
}
