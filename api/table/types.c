/* The types of columns: one row each, in the order in which they are tried. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/table/column_view.h"
#include "api/table/dates.h"
#include "api/table/histogram.h"
#include "api/table/number_format.h"

const char *const column_type_names[] = {
    [TYPE_NUMERIC] = "numeric",         [TYPE_INTEGER] = "integer",   [TYPE_BOOLEAN] = "boolean",
    [TYPE_CATEGORICAL] = "categorical", [TYPE_DATETIME] = "datetime", [TYPE_ID] = "id",
    [TYPE_CONSTANT] = "constant",       [TYPE_COUNT] = NULL};

struct type {
    enum column_type type;
    bool is_trained;
    /* Is the column of this type, if the client does not say so? */
    bool (*detect)(const struct column_view *view);
    /* Learns what forward and backward need. NULL, or why the column cannot be of this type. */
    const char *(*fit)(struct column_view *view, struct column *column);
    double (*forward)(const struct column *column, const char *text, size_t length);
    size_t (*backward)(const struct column *column, double value, char out[COLUMN_TEXT_BYTES]);
};

static size_t copy(const char *text, char out[COLUMN_TEXT_BYTES]) {
    const size_t length = strnlen(text, COLUMN_TEXT_BYTES - 1);
    memcpy(out, text, length);
    out[length] = '\0';
    return length;
}

/* ------------------------------------------------------------------ numbers */

static bool is_number(const struct column_view *view) {
    return view->present > 0 && view->distinct_numbers == view->present && !view->is_coded;
}

static bool detect_integer(const struct column_view *view) {
    return is_number(view) && view->is_whole;
}

/* What would make a column of numbers of one that is not. */
static const char *not_numbers(struct column_view *view) {
    return arena_format(view->arena,
                        "%zu of %zu cells are not numbers (%s): correct them or leave them empty, "
                        "or choose the type \"categorical\" or \"id\"",
                        view->n - view->missing - view->numbers, view->n,
                        column_view_examples(view, CELL_OTHER));
}

static const char *fit_number(struct column_view *view, struct column *column) {
    struct number_format format = {.notation = view->request->notation,
                                   .least = NUMBER_MAX_DECIMALS};
    char pattern[NUMBER_FORMAT_BYTES];
    if (view->distinct_numbers < view->present || view->present == 0)
        return not_numbers(view);
    for (uint32_t code = 0; code < view->column->distinct; code++)
        if (view->kinds[code] == CELL_NUMBER)
            number_format_see(&format, cells_text(view->column, code),
                              cells_length(view->column, code));
    number_format_write(&format, pattern);
    column->format = arena_copy(view->arena, pattern, strlen(pattern));
    return NULL;
}

static const char *fit_integer(struct column_view *view, struct column *column) {
    const char *wrong = fit_number(view, column);
    return wrong ? wrong : view->is_whole ? NULL : "it has fractions: choose the type \"numeric\"";
}

static double number_forward(const struct column *column, const char *text, size_t length) {
    struct number_format format;
    double value;
    if (!column->format || !number_format_read(&format, column->format) ||
        !notation_read(format.notation, text, length, &value))
        return NAN;
    return value;
}

static size_t number_backward(const struct column *column, double value,
                              char out[COLUMN_TEXT_BYTES]) {
    struct number_format format;
    if (!column->format || !number_format_read(&format, column->format))
        return copy("", out);
    return number_format_text(&format, column->type == TYPE_INTEGER ? rint(value) : value, out);
}

/* ------------------------------------------------------------------ levels */

static double level_forward(const struct column *column, const char *text, size_t length) {
    for (int i = 0; i < column->level_count; i++)
        if (strlen(column->levels[i]) == length && memcmp(column->levels[i], text, length) == 0)
            return i;
    return NAN;
}

static size_t level_backward(const struct column *column, double value,
                             char out[COLUMN_TEXT_BYTES]) {
    const int last = column->level_count - 1;
    const int place = value < 0 ? 0 : value > last ? last : (int)rint(value);
    return copy(last < 0 ? "" : column->levels[place], out);
}

static const char *const pairs[][2] = {
    {"false", "true"}, {"no", "yes"}, {"f", "t"}, {"n", "y"}, {"off", "on"}};

/* Is it a half of a pair? Blanks around it do not count. */
static bool is_half(const char *text, const char *half) {
    text += strspn(text, " ");
    const size_t length = strlen(half);
    return strncasecmp(text, half, length) == 0 &&
           text[length + strspn(text + length, " ")] == '\0';
}

/* The two spellings of a boolean: false, true. */
static bool find_pair(const struct column_view *view, const char *texts[2]) {
    const char *found[2];
    uint32_t count = 0;
    for (uint32_t code = 0; code < view->column->distinct && view->present == 2; code++)
        if (view->kinds[code] != CELL_MISSING)
            found[count++] = cells_text(view->column, code);
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs && count == 2; i++)
        for (int first = 0; first < 2; first++)
            if (is_half(found[first], pairs[i][0]) && is_half(found[!first], pairs[i][1])) {
                texts[0] = found[first];
                texts[1] = found[!first];
                return true;
            }
    return false;
}

static bool detect_boolean(const struct column_view *view) {
    const char *texts[2];
    return find_pair(view, texts);
}

/* Copies the texts of the levels. */
static void set_levels(struct column_view *view, struct column *column, const char *const *texts,
                       int count) {
    const char **levels = arena_alloc(view->arena, ((size_t)count + 1) * sizeof *levels);
    for (int i = 0; levels && i < count; i++)
        if (!(levels[i] = arena_copy(view->arena, texts[i], strlen(texts[i]))))
            return;
    column->levels = levels;
    column->level_count = levels ? count : 0;
}

static const char *fit_boolean(struct column_view *view, struct column *column) {
    const char *texts[2];
    if (!find_pair(view, texts))
        return "it does not consist of two texts such as true and false: choose the type "
               "\"categorical\"";
    set_levels(view, column, texts, 2);
    return NULL;
}

/* The code of a text that is too long for a category, or -1. */
static int64_t find_long_text(const struct column_view *view) {
    for (uint32_t code = 0; code < view->column->distinct; code++)
        if (view->kinds[code] != CELL_MISSING &&
            cells_length(view->column, code) >= COLUMN_TEXT_BYTES)
            return code;
    return -1;
}

/* Texts that repeat; one of them may be a mark, beside cells without it. Missing cells repeat nothing:
 * remarks beside a few rows are no categories. */
static bool detect_categorical(const struct column_view *view) {
    const bool is_few = view->present > 1 && view->present <= 12;
    return view->present > 0 && view->present <= COLUMN_MAX_LEVELS && view->present < view->n &&
           (view->present <= (view->n - view->missing) / 2 || is_few) && find_long_text(view) < 0;
}

struct level {
    const char *text;
    uint32_t count;
};

static int by_count(const void *a, const void *b) {
    const struct level *x = a, *y = b;
    return x->count != y->count ? (x->count < y->count) - (x->count > y->count)
                                : strcmp(x->text, y->text);
}

/* The levels, the most frequent first. */
static const char *fit_categorical(struct column_view *view, struct column *column) {
    struct level levels[COLUMN_MAX_LEVELS];
    const char *texts[COLUMN_MAX_LEVELS];
    int count = 0;
    if (view->present > COLUMN_MAX_LEVELS)
        return arena_format(view->arena,
                            "it has %u different values, and a category has at most %d: choose "
                            "the type \"id\", with which it is not trained on",
                            view->present, COLUMN_MAX_LEVELS);
    const int64_t too_long = find_long_text(view);
    if (too_long >= 0)
        return arena_format(view->arena,
                            "a value of it has %zu bytes, and a category has at most %d: choose "
                            "the type \"id\", with which it is not trained on",
                            cells_length(view->column, (uint32_t)too_long), COLUMN_TEXT_BYTES - 1);
    for (uint32_t code = 0; code < view->column->distinct; code++)
        if (view->kinds[code] != CELL_MISSING)
            levels[count++] = (struct level){cells_text(view->column, code), view->counts[code]};
    qsort(levels, (size_t)count, sizeof *levels, by_count);
    for (int i = 0; i < count; i++)
        texts[i] = levels[i].text;
    set_levels(view, column, texts, count);
    if (view->is_coded)
        column_note(view, column, "Its values have leading zeros, so they are kept as text.");
    return NULL;
}

/* ------------------------------------------------------------------ dates */

/* The texts that are not missing. */
struct present {
    const struct cells_column *column;
    const uint32_t *codes;
};

static const char *present_text(const void *context, size_t i, size_t *length) {
    const struct present *present = context;
    *length = cells_length(present->column, present->codes[i]);
    return cells_text(present->column, present->codes[i]);
}

static bool find_dates(const struct column_view *view, char format[DATE_FORMAT_BYTES],
                       bool *ambiguous) {
    const bool may_be_digits = view->distinct_numbers == view->present && view->is_whole;
    *ambiguous = false;
    if (view->present == 0 || (view->distinct_numbers > 0 && !may_be_digits))
        return false;
    uint32_t *codes = malloc(view->present * sizeof *codes);
    if (!codes) {
        view->arena->failed = true;
        return false;
    }
    size_t count = 0;
    for (uint32_t code = 0; code < view->column->distinct; code++)
        if (view->kinds[code] != CELL_MISSING)
            codes[count++] = code;
    const struct present present = {view->column, codes};
    const struct date_texts texts = {present_text, &present, count};
    const bool found = date_find_format(&texts, format, ambiguous);
    free(codes);
    return found;
}

static bool detect_date(const struct column_view *view) {
    char format[DATE_FORMAT_BYTES];
    bool ambiguous;
    return view->present > 1 && find_dates(view, format, &ambiguous);
}

static const char *fit_date(struct column_view *view, struct column *column) {
    char format[DATE_FORMAT_BYTES];
    bool ambiguous;
    if (!find_dates(view, format, &ambiguous))
        return ambiguous ? "all its dates could be read with day and month exchanged: write them "
                           "as 2020-01-31"
                         : "not all its values are dates of one form: write them as 2020-01-31 or "
                           "2020-01-31 12:30:00";
    column->format = arena_copy(view->arena, format, strlen(format));
    column->step = 86400;
    for (uint32_t code = 0; code < view->column->distinct; code++) {
        double seconds;
        if (view->kinds[code] == CELL_MISSING ||
            !date_read(format, cells_text(view->column, code), cells_length(view->column, code),
                       &seconds))
            continue;
        column->step = date_step(column->step, seconds);
    }
    return NULL;
}

static double date_forward(const struct column *column, const char *text, size_t length) {
    double seconds;
    return column->format && date_read(column->format, text, length, &seconds) ? seconds : NAN;
}

static size_t date_backward(const struct column *column, double value,
                            char out[COLUMN_TEXT_BYTES]) {
    if (column->step > 0)
        value = rint(value / column->step) * column->step;
    return column->format ? date_text(column->format, value, out) : copy("", out);
}

/* ------------------------------------------------------------------ what is not trained on */

/* Names of columns that number or name the rows. */
static bool is_id_name(const char *name) {
    static const char *const words[] = {"id",  "no",    "nr",         "index", "row",
                                        "key", "rowid", "unnamed: 0", "uuid",  NULL};
    const size_t length = strlen(name);
    for (int i = 0; words[i]; i++)
        if (strcasecmp(name, words[i]) == 0)
            return true;
    return (length > 3 && strcasecmp(name + length - 3, "_id") == 0) ||
           (length > 2 && strcmp(name + length - 2, "Id") == 0);
}

static bool detect_id(const struct column_view *view) {
    const struct cells_column *column = view->column;
    const bool all_differ = view->missing == 0 && view->present == view->n && view->n > 1;
    const bool is_named =
        view->request->cells->has_names &&
        ((column->is_unnamed && view->request->index == 0) || is_id_name(column->name));
    return all_differ && (view->numbers == 0 || (view->is_whole && is_named));
}

static bool detect_constant(const struct column_view *view) {
    return view->present == 0 || (view->present == 1 && view->missing == 0);
}

/* Ids that are integers say so by their format. */
static const char *fit_id(struct column_view *view, struct column *column) {
    bool are_integers = view->present > 0;
    double value;
    for (uint32_t code = 0; code < view->column->distinct && are_integers; code++)
        are_integers = view->kinds[code] == CELL_MISSING ||
                       column_integer(cells_text(view->column, code),
                                      cells_length(view->column, code), &value);
    column->format = are_integers ? "0" : NULL;
    return NULL;
}

static const char *fit_constant(struct column_view *view, struct column *column) {
    if (!detect_constant(view))
        return "it has more than one value";
    if (is_number(view))
        return fit_number(view, column);
    for (uint32_t code = 0; code < view->column->distinct; code++)
        if (view->kinds[code] != CELL_MISSING) {
            const char *text = cells_text(view->column, code);
            set_levels(view, column, &text, 1);
        }
    column_note(view, column,
                view->present == 0 ? "All its cells are missing, so it is not trained on."
                                   : "It has only one value, so it is not trained on.");
    return NULL;
}

/* A constant that is not a number is not trained on; one that is comes back as it is. */
static size_t constant_backward(const struct column *column, double value,
                                char out[COLUMN_TEXT_BYTES]) {
    if (column->format)
        return number_backward(column, value, out);
    return copy(column->level_count > 0 ? column->levels[0] : column->missing_text, out);
}

static double no_forward(const struct column *column, const char *text, size_t length) {
    (void)column, (void)text, (void)length;
    return NAN;
}

static size_t no_backward(const struct column *column, double value, char out[COLUMN_TEXT_BYTES]) {
    (void)value;
    return copy(column->missing_text, out);
}

static const struct type types[] = {
    {TYPE_CONSTANT, false, detect_constant, fit_constant, number_forward, constant_backward},
    {TYPE_DATETIME, true, detect_date, fit_date, date_forward, date_backward},
    {TYPE_BOOLEAN, true, detect_boolean, fit_boolean, level_forward, level_backward},
    {TYPE_ID, false, detect_id, fit_id, no_forward, no_backward},
    {TYPE_INTEGER, true, detect_integer, fit_integer, number_forward, number_backward},
    {TYPE_NUMERIC, true, is_number, fit_number, number_forward, number_backward},
    {TYPE_CATEGORICAL, true, detect_categorical, fit_categorical, level_forward, level_backward},
};
enum { TYPES = sizeof types / sizeof *types };

static const struct type *type_of(enum column_type wanted) {
    int i = 0;
    while (types[i].type != wanted)
        i++;
    return &types[i];
}

bool column_is_trained(const struct column *column) {
    return type_of(column->type)->is_trained || (column->type == TYPE_CONSTANT && column->format);
}

bool column_is_number(const struct column *column) {
    return column->type == TYPE_NUMERIC || column->type == TYPE_INTEGER ||
           (column->type == TYPE_CONSTANT && column->format);
}

bool column_integer(const char *text, size_t length, double *value) {
    enum { MOST_DIGITS = 15 }; /* which a double has */
    const size_t sign = length > 0 && text[0] == '-', digits = length - sign;
    if (digits < 1 || digits > MOST_DIGITS || (text[sign] == '0' && length > 1))
        return false;
    for (size_t i = sign; i < length; i++)
        if (text[i] < '0' || text[i] > '9')
            return false;
    *value = strtod(text, NULL);
    return true;
}

double column_forward(const struct column *column, const char *text, size_t length) {
    return type_of(column->type)->forward(column, text, length);
}

void column_numbers(const struct column *column, const struct cells_column *cells,
                    double *numbers) {
    struct number_format format; /* is read once */
    const bool are_numbers =
        column_is_number(column) && column->format && number_format_read(&format, column->format);
    for (uint32_t code = 0; code < cells->distinct; code++) {
        const char *text = cells_text(cells, code);
        const size_t length = cells_length(cells, code);
        if (!are_numbers)
            numbers[code] = column_forward(column, text, length);
        else if (!notation_read(format.notation, text, length, &numbers[code]))
            numbers[code] = NAN;
    }
}

size_t column_backward(const struct column *column, double value, char out[COLUMN_TEXT_BYTES]) {
    const struct type *type = type_of(column->type);
    if (isnan(value) && column_is_trained(column))
        return copy(column->missing_text, out);
    if (value < column->min)
        value = column->min;
    if (value > column->max)
        value = column->max;
    return type->backward(column, value, out);
}

/* ------------------------------------------------------------------ finding */

/* Why a column of texts is not trained on. */
static void note_texts(struct column_view *view, struct column *column) {
    char format[DATE_FORMAT_BYTES];
    bool ambiguous;
    const int64_t too_long = find_long_text(view);
    find_dates(view, format, &ambiguous);
    if (too_long >= 0)
        column_note(view, column,
                    "It has texts of %zu bytes, and a category has at most %d, so it is not "
                    "trained on.",
                    cells_length(view->column, (uint32_t)too_long), COLUMN_TEXT_BYTES - 1);
    else if (ambiguous)
        column_note(view, column,
                    "All its dates could be read with day and month exchanged, so it is not "
                    "trained on. To change that, write them as 2020-01-31.");
    else if (view->present == view->n - view->missing)
        column_note(view, column, "All its texts differ, so it is not trained on.");
    else
        column_note(view, column,
                    "It has %u different texts in %zu cells, too many for categories, so it is "
                    "not trained on.",
                    view->present, view->n - view->missing);
}

/* The type that fits, or the id. */
static const struct type *choose_type(struct column_view *view, struct column *column) {
    int i = 0;
    while (i < TYPES && !types[i].detect(view))
        i++;
    const struct type *type = i < TYPES ? &types[i] : type_of(TYPE_ID);
    if (type->type == TYPE_ID && (i == TYPES || view->distinct_numbers < view->present))
        note_texts(view, column);
    return type;
}

/* The text of most missing cells, or else an empty one. */
static void find_missing_text(const struct column_view *view, struct column *column) {
    uint32_t most = 0;
    column->missing_text = "";
    for (uint32_t code = 0; code < view->column->distinct; code++)
        if (view->kinds[code] == CELL_MISSING && view->counts[code] > most) {
            most = view->counts[code];
            column->missing_text = arena_copy(view->arena, cells_text(view->column, code),
                                              cells_length(view->column, code));
        }
    if (!column->missing_text)
        column->missing_text = "";
}

static void find_examples(const struct column_view *view, struct column *column) {
    enum { MOST = 64 };
    int found = 0;
    for (uint32_t code = 0; code < view->column->distinct && found < COLUMN_EXAMPLES; code++)
        if (view->kinds[code] != CELL_MISSING && cells_length(view->column, code) <= MOST)
            column->examples[found++] = arena_copy(view->arena, cells_text(view->column, code),
                                                   cells_length(view->column, code));
}

/* Range, mean and deviation. Sums are of distances to the first value, so that a column far from 0
 * keeps its digits. */
static void measure(const struct column_view *view, struct column *column) {
    double first = NAN, sum = 0, squares = 0;
    size_t n = 0;
    if (!column_is_number(column))
        column_numbers(column, view->column, view->values);
    for (uint32_t code = 0; code < view->column->distinct; code++) {
        if (view->kinds[code] == CELL_MISSING)
            continue;
        const double x = view->values[code];
        first = isnan(first) ? x : first;
        column->min = isnan(column->min) || x < column->min ? x : column->min;
        column->max = isnan(column->max) || x > column->max ? x : column->max;
        sum += (x - first) * view->counts[code];
        n += view->counts[code];
    }
    const double shift = sum / (double)n;
    for (uint32_t code = 0; code < view->column->distinct; code++)
        if (view->kinds[code] != CELL_MISSING) {
            const double distance = view->values[code] - first - shift;
            squares += distance * distance * view->counts[code];
        }
    column->mean = first + shift;
    column->std = sqrt(squares / (double)n);
}

/* A value far outside of the others that is repeated often stands for something else. */
static void note_outliers(struct column_view *view, struct column *column) {
    for (uint32_t code = 0; column_is_number(column) && code < view->column->distinct; code++) {
        const double x = view->values[code];
        const bool is_end = x == column->min || x == column->max;
        const bool is_nines = fabs(x) == 99 || fabs(x) == 999 || fabs(x) == 9999;
        if (view->kinds[code] == CELL_NUMBER && is_end && is_nines && view->counts[code] > 1)
            column_note(view, column,
                        "%u cells are %s: if that stands for missing values, leave them empty.",
                        view->counts[code], cells_text(view->column, code));
    }
}

/* What a column of numbers may not mean, or cannot keep. */
static void note_numbers(struct column_view *view, struct column *column) {
    const double exact = (double)(1ll << 53); /* the whole numbers up to here are doubles */
    const struct column_request *request = view->request;
    if (!column_is_number(column))
        return;
    if (request->is_doubtful && request->notation.decimal == '.' &&
        notation_has_doubtful(&request->cells->columns[request->index]))
        column_note(
            view, column,
            "All its points are like that of 1.234, and are read as decimal points. If they "
            "mark thousands, upload the file with ?decimal=comma.");
    if (column->type == TYPE_INTEGER && fmax(fabs(column->min), fabs(column->max)) > exact)
        column_note(view, column,
                    "Its numbers have more than 15 digits, of which samples round the last. If "
                    "they are ids, choose the type \"id\".");
}

static const char *find(struct column_view *view, struct column *column) {
    const int wanted = view->request->type;
    const struct type *type =
        wanted < 0 ? choose_type(view, column) : type_of((enum column_type)wanted);
    column->type = type->type;
    find_missing_text(view, column);
    find_examples(view, column);
    const char *wrong = type->fit(view, column);
    if (wrong || !column_is_trained(column) || view->arena->failed)
        return wrong;
    if (view->present == 0)
        return "all its cells are missing";
    measure(view, column);
    histogram_make(view, column);
    note_outliers(view, column);
    note_numbers(view, column);
    return NULL;
}

const char *column_find(const struct column_request *request, struct arena *arena,
                        struct column *column) {
    struct column_view view;
    *column = (struct column){
        .coordinate = -1, .min = NAN, .max = NAN, .mean = NAN, .std = NAN, .missing_text = ""};
    snprintf(column->name, sizeof column->name, "%s", request->cells->columns[request->index].name);
    const char *wrong = NULL;
    if (column_view_make(&view, request, arena)) {
        column->missing = (int64_t)view.missing;
        column->distinct = view.present;
        wrong = find(&view, column);
    }
    column_view_clear(&view);
    return arena->failed ? "not enough memory" : wrong;
}
