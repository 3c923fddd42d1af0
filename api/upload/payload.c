#include "api/upload/payload.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

#include "api/images/reading.h"
#include "api/upload/charset.h"
#include "api/upload/form.h"
#include "server/base/utf8.h"
#include "server/threads/pool.h"

enum {
    GZIP_WINDOW = 16 + 15,
    ROOM_BYTES = 256 << 10,
    MOST_EXPANSION = 1032, /* of deflate */
};

static bool fail(struct payload *payload, enum problem_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static bool fail(struct payload *payload, enum problem_code code, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(payload->wrong, sizeof payload->wrong, format, arguments);
    va_end(arguments);
    payload->code = code;
    return false;
}

void payload_clear(struct payload *payload) {
    buffer_clear(&payload->whole);
    buffer_clear(&payload->inner);
    buffer_clear(&payload->decoded);
    buffer_clear(&payload->unpacked);
}

/* ------------------------------------------------------------------ gzip */

static bool is_gzip(const char *bytes, size_t length) {
    return length >= 3 && memcmp(bytes, "\x1f\x8b\x08", 3) == 0;
}

static bool says_gzip(const char *encoding) {
    return encoding && (strcasecmp(encoding, "gzip") == 0 || strcasecmp(encoding, "x-gzip") == 0);
}

size_t payload_memory(const struct payload *payload) {
    const bool may_grow = says_gzip(payload->content_encoding) ||
                          memmem(payload->body, payload->length, "\x1f\x8b\x08", 3) != NULL;
    const bool may_be_coded = strstr(payload->content_type, "charset") != NULL ||
                              strstr(payload->content_type, "multipart") != NULL ||
                              charset_mark(payload->body, payload->length) != CHARSET_UTF8;
    size_t size = payload->length;
    if (may_grow && (__builtin_mul_overflow(size, MOST_EXPANSION, &size) || size > payload->most))
        size = payload->most;
    const size_t labels = payload->takes_images ? IMAGES_MOST_LABELS : 0;
    return (may_grow ? 2 * (size + labels) : 0) + (may_be_coded ? 3 * size : 0);
}

/* Appends the members of a gzip file (RFC 1952), of which there is mostly one. NULL, or what is
 * wrong with it; stops as soon as it is larger than `most`. */
static const char *inflate_all(z_stream *stream, size_t most, struct buffer *out) {
    for (;;) {
        char *room = buffer_reserve(out, ROOM_BYTES);
        if (!room)
            return NULL;
        stream->next_out = (Bytef *)room;
        stream->avail_out = ROOM_BYTES;
        const int result = inflate(stream, Z_NO_FLUSH);
        out->length += ROOM_BYTES - stream->avail_out;
        if (out->length > most)
            return NULL;
        if (result == Z_STREAM_END && stream->avail_in == 0)
            return NULL;
        if (result == Z_STREAM_END && inflateReset(stream) == Z_OK)
            continue;
        if (result == Z_BUF_ERROR || (result == Z_OK && stream->avail_in == 0 && stream->avail_out))
            return "it ends too early";
        if (result != Z_OK)
            return "its bytes are damaged";
        pool_pause();
    }
}

/* Replaces the bytes by what they are decompressed, with a NUL after it. */
static bool gunzip(struct payload *payload, const char **bytes, size_t *length, size_t most,
                   struct buffer *out) {
    z_stream stream = {.next_in = (Bytef *)*bytes, .avail_in = (uInt)*length};
    if (*length > UINT32_MAX || inflateInit2(&stream, GZIP_WINDOW) != Z_OK)
        return fail(payload, PROBLEM_NO_MEMORY, "not enough memory to decompress the file");
    const char *wrong = inflate_all(&stream, most, out);
    inflateEnd(&stream);
    if (wrong)
        return fail(payload, PROBLEM_INVALID_UPLOAD, "the gzip file cannot be read: %s", wrong);
    if (!out->failed && out->length > most)
        return fail(payload, PROBLEM_BODY_TOO_LARGE,
                    "the file has more than %zu bytes when it is decompressed", most);
    buffer_append(out, "", 1);
    if (out->failed)
        return fail(payload, PROBLEM_NO_MEMORY, "not enough memory to decompress the file");
    *bytes = out->data;
    *length = out->length - 1;
    return true;
}

/* ------------------------------------------------------------------ what it is */

static const char npy_type[] = "application/octet-stream", csv_type[] = "text/csv",
                  json_type[] = "application/json", lines_type[] = "application/x-ndjson",
                  tab_type[] = "text/tab-separated-values";

static void set_type(struct payload *payload, const char *type) {
    const size_t length = strcspn(type, "; \t");
    snprintf(payload->media_type, sizeof payload->media_type, "%.*s", (int)length, type);
    for (char *at = payload->media_type; *at; at++)
        *at = (char)tolower((unsigned char)*at);
}

/* Types that do not say what a file is. */
static bool is_vague(const char *type) {
    static const char *const vague[] = {"",
                                        "application/octet-stream",
                                        "text/plain",
                                        "application/gzip",
                                        "application/x-gzip",
                                        "application/vnd.ms-excel", /* CSV, from Windows */
                                        "multipart/form-data"};
    for (size_t i = 0; i < sizeof vague / sizeof *vague; i++)
        if (strcmp(vague[i], type) == 0)
            return true;
    return false;
}

static bool may_be_images(const char *type) {
    return is_vague(type) || strcmp(type, "application/zip") == 0 ||
           strcmp(type, "application/x-zip-compressed") == 0;
}

static const char *type_of_name(const char *name) {
    static const struct {
        const char *ending, *type;
    } endings[] = {{".csv", csv_type},   {".tsv", tab_type},      {".tab", tab_type},
                   {".json", json_type}, {".ndjson", lines_type}, {".jsonl", lines_type},
                   {".npy", npy_type}};
    size_t length = strlen(name);
    if (length > 3 && strcasecmp(name + length - 3, ".gz") == 0)
        length -= 3;
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        const size_t ending = strlen(endings[i].ending);
        if (length > ending && strncasecmp(name + length - ending, endings[i].ending, ending) == 0)
            return endings[i].type;
    }
    return NULL;
}

/* After a byte order mark and blanks. */
static const char *first_character(const char *text, size_t length, size_t *left) {
    const char *at = text, *end = text + length;
    if (length >= 3 && memcmp(at, "\xef\xbb\xbf", 3) == 0)
        at += 3;
    while (at < end && isspace((unsigned char)*at))
        at++;
    *left = (size_t)(end - at);
    return at;
}

/* The type by the first bytes. JSON lines have an object that ends with its line, and another. */
static const char *type_of_bytes(const char *text, size_t length) {
    size_t left;
    const char *at = first_character(text, length, &left);
    if (length >= 6 && memcmp(text, "\x93NUMPY", 6) == 0)
        return npy_type;
    if (left == 0 || (*at != '{' && *at != '['))
        return csv_type;
    const char *line = memchr(at, '\n', left);
    if (*at == '[' || !line)
        return json_type;
    size_t rest;
    const char *next = first_character(line, left - (size_t)(line - at), &rest);
    const char *last = line;
    while (last > at && isspace((unsigned char)*last))
        last--;
    return *last == '}' && rest > 0 && *next == '{' ? lines_type : json_type;
}

/* Formats that people send by mistake; NULL: it is none of them. */
static const char *known_format(const char *bytes, size_t length) {
    static const struct {
        const char *magic;
        size_t length;
        const char *name;
    } formats[] = {
        {"PK\3\4", 4, "a zip archive, as an .xlsx workbook is: save the table as CSV"},
        {"\xd0\xcf\x11\xe0", 4, "an .xls workbook: save the table as CSV"},
        {"PAR1", 4, "Parquet: save the table as CSV (pandas: to_csv(index=False))"},
        {"ARROW1", 6, "Arrow: save the table as CSV (pandas: to_csv(index=False))"},
        {"\x89HDF", 4, "HDF5: save the table as CSV"},
        {"%PDF", 4, "PDF: save the table as CSV"},
        {"\x89PNG", 4,
         "a picture: many images of one size, as PNG in a zip archive, are a data set"},
        {"\xff\xd8\xff", 3,
         "a picture: many images of one size, as PNG in a zip archive, are a data set"},
        {"SQLite format 3", 15, "an SQLite database: save the table as CSV"},
        {"\x1f\x8b", 2, "compressed twice with gzip: decompress it once"},
        {"BZh", 3, "compressed with bzip2: decompress it, or use gzip"},
        {"\xfd"
         "7zXZ",
         5, "compressed with xz: decompress it, or use gzip"},
        {"\x28\xb5\x2f\xfd", 4, "compressed with zstd: decompress it, or use gzip"},
        {"\x93NUMPY", 6, "an .npy file: send it as application/octet-stream"},
    };
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (length >= formats[i].length && memcmp(bytes, formats[i].magic, formats[i].length) == 0)
            return formats[i].name;
    size_t left;
    const char *at = first_character(bytes, length, &left);
    static const char *const tags[] = {"<!doctype", "<html", "<?xml", "<table"};
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++)
        if (left >= strlen(tags[i]) && strncasecmp(at, tags[i], strlen(tags[i])) == 0)
            return "HTML or XML, perhaps an error page that was saved in place of the file";
    return NULL;
}

/* Is the file evidently something else than what its type says? */
static bool is_other_format(struct payload *payload) {
    const bool is_npy = strcmp(payload->media_type, npy_type) == 0;
    const char *format = known_format(payload->file, payload->file_length);
    const bool begins_as_npy =
        payload->file_length >= 6 && memcmp(payload->file, "\x93NUMPY", 6) == 0;
    if (!format || (is_npy && begins_as_npy))
        return false;
    return !fail(payload, PROBLEM_INVALID_DATA, "%sthe file is %s",
                 is_npy ? "the bytes are not an .npy file: " : "", format);
}

/* Is the text JSON of another kind than it was sent as, or than CSV? */
static bool is_json(struct payload *payload) {
    const char *type = payload->media_type;
    size_t left, next = 0;
    const char *at = first_character(payload->text, payload->text_length, &left);
    const char *after = left > 1 ? first_character(at + 1, left - 1, &next) : at;
    const bool is_record = *at == '{' && *after == '"', is_list = *at == '[' && *after == '{';
    const bool is_csv = strcmp(type, csv_type) == 0 || strcmp(type, tab_type) == 0;
    const char *found = next > 0 ? type_of_bytes(at, left) : csv_type;
    if (is_csv ? !is_record && !is_list && !(*at == '[' && *after == '[')
               : !(strcmp(type, json_type) == 0 && found == lines_type) &&
                     !(strcmp(type, lines_type) == 0 && is_list))
        return false;
    return next > 0 &&
           !fail(payload, PROBLEM_INVALID_DATA, "the file looks like JSON%s: send it as %s",
                 found == lines_type ? " lines" : "", found);
}

/* ------------------------------------------------------------------ character sets */

static bool has_high_bytes(const char *text, size_t length) {
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] >= 0x80)
            return true;
    return false;
}

/* What the text is, by its declaration and a mark; CHARSET_UNKNOWN after an error. */
static enum charset find_charset(struct payload *payload, const char *type) {
    char name[FORM_TEXT];
    form_parameter(type, "charset", name, sizeof name);
    const enum charset marked = charset_mark(payload->file, payload->file_length);
    const enum charset told = name[0] ? charset_find(name, strlen(name)) : marked;
    if (told == CHARSET_UNKNOWN)
        fail(payload, PROBLEM_UNSUPPORTED_MEDIA_TYPE,
             "the character set \"%.40s\" is not supported; use UTF-8 (iconv -f %.40s -t UTF-8), "
             "ISO-8859-1, windows-1252 or UTF-16",
             name, name);
    if (told == CHARSET_UTF8 || told == CHARSET_UNKNOWN)
        return told == CHARSET_UTF8 ? marked : told;
    const bool is_utf8 = utf8_is_valid(payload->file, payload->file_length);
    if (told == CHARSET_WINDOWS_1252 && is_utf8 &&
        has_high_bytes(payload->file, payload->file_length)) {
        fail(payload, PROBLEM_INVALID_DATA,
             "the text is UTF-8, but it was declared as %.40s: send it with charset=utf-8", name);
        return CHARSET_UNKNOWN;
    }
    if (told == CHARSET_WINDOWS_1252 && marked != CHARSET_UTF8)
        return marked;
    if (told != CHARSET_WINDOWS_1252 && is_utf8 &&
        !memchr(payload->file, 0, payload->file_length)) {
        fail(payload, PROBLEM_INVALID_DATA,
             "the text is UTF-8, but it was declared as %.40s: send it with charset=utf-8", name);
        return CHARSET_UNKNOWN;
    }
    return told;
}

static bool decode(struct payload *payload, const char *type) {
    payload->text = payload->file;
    payload->text_length = payload->file_length;
    if (strcmp(payload->media_type, npy_type) == 0)
        return true;
    const enum charset charset = find_charset(payload, type);
    if (charset == CHARSET_UNKNOWN)
        return false;
    if (charset == CHARSET_UTF8) {
        if (utf8_is_valid(payload->text, payload->text_length))
            return true;
        return fail(payload, PROBLEM_INVALID_DATA,
                    "the text is not UTF-8; if it comes from Excel, send it with "
                    "charset=windows-1252, or save it as UTF-8");
    }
    const char *wrong =
        charset_decode(charset, payload->file, payload->file_length, &payload->decoded);
    if (wrong)
        return fail(payload, PROBLEM_INVALID_DATA, "the text is not %s: %s",
                    charset == CHARSET_WINDOWS_1252 ? "ISO-8859-1 or windows-1252" : "UTF-16",
                    wrong);
    buffer_append(&payload->decoded, "", 1);
    if (payload->decoded.failed)
        return fail(payload, PROBLEM_NO_MEMORY, "not enough memory to decode the file");
    payload->text = payload->decoded.data;
    payload->text_length = payload->decoded.length - 1;
    return true;
}

/* ------------------------------------------------------------------ the file */

/* Takes the part `schema`, of which there may be one. */
static bool take_schema(struct payload *payload, const struct form_part *part) {
    if (payload->schema)
        return fail(payload, PROBLEM_INVALID_UPLOAD, "the form has more than one part schema");
    if (!utf8_is_valid(part->data, part->length))
        return fail(payload, PROBLEM_INVALID_UPLOAD, "the part schema is not UTF-8");
    payload->schema = part->data;
    payload->schema_length = part->length;
    return true;
}

/* Takes the part `labels`, of which there may be one. */
static bool take_labels(struct payload *payload, const struct form_part *part) {
    if (payload->labels)
        return fail(payload, PROBLEM_INVALID_UPLOAD, "the form has more than one part labels");
    payload->labels = part->data;
    payload->labels_length = part->length;
    return !is_gzip(payload->labels, payload->labels_length) ||
           gunzip(payload, &payload->labels, &payload->labels_length, IMAGES_MOST_LABELS,
                  &payload->unpacked);
}

/* Is it the part with the file, which is named so or has the name of a file? */
static bool is_file(const struct payload *payload, const struct form_part *part) {
    return strcmp(part->name, "file") == 0 || part->filename[0] ||
           (payload->takes_images && strcmp(part->name, "images") == 0);
}

/* The one part with a file; and those with the schema or labels. */
static bool find_part(struct payload *payload, const char *content_type, struct form_part *file) {
    struct form form;
    struct form_part part;
    bool found = false;
    form_begin(&form, content_type, payload->file, payload->file_length);
    while (form_next(&form, &part)) {
        if (payload->takes_schema && strcmp(part.name, "schema") == 0) {
            if (!take_schema(payload, &part))
                return false;
            continue;
        }
        if (payload->takes_images && strcmp(part.name, "labels") == 0) {
            if (!take_labels(payload, &part))
                return false;
            continue;
        }
        if (!is_file(payload, &part))
            return fail(payload, PROBLEM_INVALID_UPLOAD,
                        "a form has one part, file, but there is also \"%.60s\"", part.name);
        if (found)
            return fail(payload, PROBLEM_INVALID_UPLOAD, "the form has more than one file");
        *file = part;
        found = true;
    }
    if (form.wrong)
        return fail(payload, PROBLEM_INVALID_UPLOAD, "%s", form.wrong);
    return found || fail(payload, PROBLEM_INVALID_UPLOAD, "the form has no part called file");
}

/* Does the file have images? Then nothing else is done with it. *is_wrong: a part does not go
 * with it. */
static bool find_images(struct payload *payload, bool *is_wrong) {
    payload->is_images = payload->takes_images && may_be_images(payload->media_type) &&
                         images_are_in(payload->file, payload->file_length);
    *is_wrong = true;
    if (payload->is_images && payload->schema)
        fail(payload, PROBLEM_INVALID_UPLOAD, "images have no columns, so they take no schema");
    else if (!payload->is_images && payload->labels)
        fail(payload, PROBLEM_INVALID_UPLOAD,
             "the part labels goes with images, in IDX or npy; a table has its labels in a column");
    else
        *is_wrong = false;
    return payload->is_images;
}

bool payload_open(struct payload *payload) {
    struct form_part part = {0};
    const char *type = payload->content_type;
    payload->file = payload->body;
    payload->file_length = payload->length;
    set_type(payload, type);
    if (says_gzip(payload->content_encoding) &&
        !gunzip(payload, &payload->file, &payload->file_length, payload->most, &payload->whole))
        return false;
    const bool is_form = strcmp(payload->media_type, "multipart/form-data") == 0;
    if (is_form) {
        if (!find_part(payload, type, &part))
            return false;
        payload->file = part.data;
        payload->file_length = part.length;
        type = part.type;
        set_type(payload, type);
    }
    const bool is_packed = is_gzip(payload->file, payload->file_length);
    if (is_packed &&
        !gunzip(payload, &payload->file, &payload->file_length, payload->most, &payload->inner))
        return false;
    bool is_wrong;
    if (find_images(payload, &is_wrong) || is_wrong)
        return !is_wrong;
    if ((is_form || is_packed || strcmp(payload->media_type, npy_type) != 0) &&
        is_vague(payload->media_type)) {
        const char *found = type_of_name(part.filename);
        set_type(payload, found ? found : type_of_bytes(payload->file, payload->file_length));
    }
    return !is_other_format(payload) && decode(payload, type) && !is_json(payload);
}
