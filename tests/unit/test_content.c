/* The headers that say what of an answer goes to the client (RFC 9110), and compression. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "server/http/content.h"
#include "server/http/gzip.h"

Test(content, gzip_is_sent_to_those_who_ask_for_it) {
    static const struct {
        const char *header;
        bool accepted;
    } cases[] = {
        {NULL, false},
        {"", false},
        {"gzip", true},
        {"GZip", true},
        {"x-gzip", true},
        {"deflate, gzip", true},
        {"deflate,gzip;q=0.5 , br", true},
        {"gzip;q=0", false},
        {"gzip;q=0.000", false},
        {"gzip; q=0.001", true},
        {"gzip;Q=0", false},
        {"gzip;freq=0", true},
        {"gzip;level=1;q=0", false},
        {"*", true},
        {"*;q=0", false},
        {"*;q=0, gzip", true},
        {"gzip;q=0, *", false},
        {"identity", false},
        {"identity;q=0, gzip", true},
        {"identity;q=1, gzip;q=0.5", false},
        {"identity;q=0.5, gzip;q=1", true},
        {"br, deflate", false},
        {"gzipped", false},
        {", ,gzip", true},
        {";;;", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        cr_expect_eq(content_accepts_gzip(cases[i].header), cases[i].accepted, "%s",
                     cases[i].header);
}

Test(content, entity_tags_are_found_in_lists) {
    static const struct {
        const char *list, *found;
    } cases[] = {
        {NULL, NULL},
        {"", NULL},
        {"\"abc\"", "\"abc\""},
        {"W/\"abc\"", "W/\"abc\""},
        {"\"abc-gzip\"", "\"abc-gzip\""},
        {"\"x\", \"abc\"", "\"abc\""},
        {"\"x\",W/\"y\",  \"abc-gzip\" , \"z\"", "\"abc-gzip\""},
        {"*", "*"},
        {"\"abcd\"", NULL},
        {"\"ab\"", NULL},
        {"\"abc-gzi\"", NULL},
        {"\"abd-gzip\"", NULL},
        {"\"ABC\"", NULL},
        {"abc", NULL},
        {"\"abc", NULL},
        {"w/\"abc\"", NULL},
        {"\"a,bc\", \"abc\"", "\"abc\""},
        {"\"x\" \"abc\"", "\"abc\""}, /* sloppy */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t length = 0;
        const char *found = content_find_tag(cases[i].list, "abc", &length);
        cr_expect_eq(!found, !cases[i].found, "%s", cases[i].list);
        if (found && cases[i].found) {
            cr_expect_eq(length, strlen(cases[i].found), "%s", cases[i].list);
            cr_expect_eq(memcmp(found, cases[i].found, length), 0, "%s", cases[i].list);
        }
    }
}

Test(content, ranges_are_read_or_let_alone) {
    static const struct {
        const char *header;
        size_t size;
        enum content_range range;
        size_t first, last;
    } cases[] = {
        {"bytes=0-0", 10, RANGE_ONE, 0, 0},
        {"bytes=0-9", 10, RANGE_ONE, 0, 9},
        {"Bytes=2-5", 10, RANGE_ONE, 2, 5},
        {"bytes=2-", 10, RANGE_ONE, 2, 9},
        {"bytes=9-", 10, RANGE_ONE, 9, 9},
        {"bytes=-3", 10, RANGE_ONE, 7, 9},
        {"bytes=-30", 10, RANGE_ONE, 0, 9},
        {"bytes=5-100", 10, RANGE_ONE, 5, 9},
        {"bytes=10-", 10, RANGE_BEYOND, 0, 0},
        {"bytes=10-11", 10, RANGE_BEYOND, 0, 0},
        {"bytes=-0", 10, RANGE_BEYOND, 0, 0},
        {"bytes=0-", 0, RANGE_BEYOND, 0, 0},
        {"bytes=-1", 0, RANGE_BEYOND, 0, 0},
        {NULL, 10, RANGE_NONE, 0, 0},
        {"", 10, RANGE_NONE, 0, 0},
        {"bytes=", 10, RANGE_NONE, 0, 0},
        {"bytes=-", 10, RANGE_NONE, 0, 0},
        {"bytes=5-2", 10, RANGE_NONE, 0, 0},
        {"bytes=0-1,3-4", 10, RANGE_NONE, 0, 0},
        {"bytes=0-1 ", 10, RANGE_NONE, 0, 0},
        {"bytes= 0-1", 10, RANGE_NONE, 0, 0},
        {"bytes=a-b", 10, RANGE_NONE, 0, 0},
        {"bytes=--1", 10, RANGE_NONE, 0, 0},
        {"bytes=0x1-2", 10, RANGE_NONE, 0, 0},
        {"lines=0-1", 10, RANGE_NONE, 0, 0},
        {"bytes=99999999999999999999-", 10, RANGE_NONE, 0, 0},
        {"bytes=0-99999999999999999999", 10, RANGE_NONE, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t first = 77, last = 77;
        enum content_range range =
            content_find_range(cases[i].header, cases[i].size, &first, &last);
        cr_expect_eq(range, cases[i].range, "%s", cases[i].header);
        if (range == RANGE_ONE) {
            cr_expect_eq(first, cases[i].first, "%s", cases[i].header);
            cr_expect_eq(last, cases[i].last, "%s", cases[i].header);
        }
    }
}

/* zlib's own way back. */
static size_t inflate_all(const struct buffer *packed, char *out, size_t room) {
    z_stream stream = {.next_in = (Bytef *)packed->data, .avail_in = (uInt)packed->length};
    stream.next_out = (Bytef *)out;
    stream.avail_out = (uInt)room;
    cr_assert_eq(inflateInit2(&stream, 15 + 16), Z_OK);
    cr_assert_eq(inflate(&stream, Z_FINISH), Z_STREAM_END);
    cr_assert_eq(stream.avail_in, 0);
    cr_assert_eq(inflateEnd(&stream), Z_OK);
    return stream.total_out;
}

static void compress_in_pieces(bool is_stream) {
    enum { MAX = 300000 };
    static char text[MAX], again[MAX];
    static const size_t sizes[] = {0, 1, 1023, 16384, 100000, 182592};
    unsigned state = 1;
    for (size_t i = 0; i < MAX; i++)
        text[i] = (char)('0' + ((state = state * 1103515245 + 12345) >> 16) % 10);
    struct gzip *gzip = gzip_start(is_stream);
    struct buffer packed = {0};
    size_t at = 0;
    cr_assert(gzip);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; at += sizes[i++])
        gzip_put(gzip, text + at, sizes[i], false, &packed);
    cr_assert_eq(at, MAX);
    gzip_put(gzip, NULL, 0, true, &packed);
    gzip_stop(gzip);
    cr_assert_not(packed.failed);
    cr_assert_lt(packed.length, MAX * 6 / 10); /* ten digits are 3.3 bits */
    cr_assert_eq(inflate_all(&packed, again, MAX), MAX);
    cr_assert_eq(memcmp(text, again, MAX), 0);
    buffer_clear(&packed);
}

Test(content, pieces_that_are_compressed_come_back_whole) {
    compress_in_pieces(false);
    compress_in_pieces(true);
}
