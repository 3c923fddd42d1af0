#include "api/contract/lists.h"

#include <stdio.h>
#include <string.h>

#include "server/base/id.h"

static const char *name_of(const char *const *orders, int choice) {
    return orders[2 * order_of(choice) + 1];
}

static int hex_digit(char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Pairs of digits, so that any text can be part of a URL. */
static bool read_hex(const char *hex, char *text, size_t size) {
    size_t length = 0;
    for (; hex[0]; hex += 2) {
        const int high = hex_digit(hex[0]), low = high < 0 ? -1 : hex_digit(hex[1]);
        if (low < 0 || length + 1 >= size || (high == 0 && low == 0))
            return false;
        text[length++] = (char)(16 * high + low);
    }
    text[length] = '\0';
    return true;
}

/* ID, or ID.ORDER for what has no value, or ID.ORDER.VALUE */
static bool parse(const char *cursor, const char *order, struct list_place *place) {
    const size_t length = strlen(order);
    *place = (struct list_place){0};
    if (strlen(cursor) < ID_LENGTH)
        return false;
    memcpy(place->id, cursor, ID_LENGTH);
    const char *rest = cursor + ID_LENGTH;
    if (!id_valid(place->id))
        return false;
    if (length == 0)
        return rest[0] == '\0';
    if (rest[0] != '.' || strncmp(rest + 1, order, length) != 0)
        return false;
    rest += 1 + length;
    place->has_key = rest[0] == '.';
    return place->has_key ? read_hex(rest + 1, place->key, sizeof place->key) : rest[0] == '\0';
}

bool cursor_read(struct http_exchange *exchange, const char *cursor, const char *const *orders,
                 int choice, struct list_place *place) {
    *place = (struct list_place){0};
    if (!cursor[0] || parse(cursor, order_of(choice) ? name_of(orders, choice) : "", place))
        return true;
    problem_field(exchange, "/after",
                  http_format(exchange, "must be the `next` of a page sorted by \"%s\"",
                              name_of(orders, choice)));
    return false;
}

const char *cursor_write(struct http_exchange *exchange, const struct list_place *place,
                         const char *const *orders, int choice) {
    char hex[2 * LIST_KEY_BYTES + 2] = "";
    if (order_of(choice) == 0)
        return http_format(exchange, "%s", place->id);
    for (size_t i = 0; place->has_key && place->key[i]; i++)
        snprintf(hex + 2 * i, 3, "%02x", (unsigned char)place->key[i]);
    return http_format(exchange, "%s.%s%s%s", place->id, name_of(orders, choice),
                       place->has_key ? "." : "", hex);
}
