/*
 * lists.h - what lists share that can be searched and sorted: the names of their orders, and the
 * cursors from page to page.
 */
#ifndef API_CONTRACT_LISTS_H
#define API_CONTRACT_LISTS_H

#include "api/contract/handlers.h"
#include "server/store/lists.h"

enum { SEARCH_BYTES = 200, CURSOR_BYTES = 40 + 20 + 2 * LIST_KEY_BYTES };

/* The names of orders come in pairs: first the descending one, which begins with "-". These are the
 * order, as the store numbers it, and its direction. */
#define ORDER(name) "-" name, name
static inline int order_of(int choice) {
    return choice / 2;
}
static inline bool order_descends(int choice) {
    return choice % 2 == 0;
}

/* A cursor is the id that a page ended with; in any order but that of creation, also the order and
 * the value that the item is sorted by. False: 422 is already the response. */
bool cursor_read(struct http_exchange *exchange, const char *cursor, const char *const *orders,
                 int choice, struct list_place *place);
/* NULL: no memory. */
const char *cursor_write(struct http_exchange *exchange, const struct list_place *place,
                         const char *const *orders, int choice);

#endif
