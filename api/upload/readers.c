#include "api/upload/readers.h"

#include <string.h>

static const struct reader {
    const char *media_type;
    void (*read)(struct reading *reading);
    enum problem_code unreadable; /* for a file that is not of this format */
    char delimiter;
    bool is_lines;
} readers[] = {
    {"text/csv", read_csv, PROBLEM_INVALID_CSV, 0, false},
    {"text/tab-separated-values", read_csv, PROBLEM_INVALID_CSV, '\t', false},
    {"application/json", read_json, PROBLEM_INVALID_JSON, 0, false},
    {"application/x-ndjson", read_json, PROBLEM_INVALID_JSON, 0, true},
    {"application/octet-stream", read_npy, PROBLEM_INVALID_NPY, 0, false},
};

static const struct reader *find(const char *media_type) {
    for (size_t i = 0; i < sizeof readers / sizeof *readers; i++)
        if (strcmp(readers[i].media_type, media_type) == 0)
            return &readers[i];
    return NULL;
}

enum problem_code readers_code(const char *media_type) {
    const struct reader *reader = find(media_type);
    return reader ? reader->unreadable : PROBLEM_UNSUPPORTED_MEDIA_TYPE;
}

enum problem_code readers_read(const struct payload *payload, struct reading *reading) {
    const struct reader *reader = find(payload->media_type);
    if (!reader)
        return PROBLEM_UNSUPPORTED_MEDIA_TYPE;
    reading->text = payload->text;
    reading->length = payload->text_length;
    reading->delimiter = reader->delimiter;
    reading->is_lines = reader->is_lines;
    reader->read(reading);
    return reader->unreadable;
}
