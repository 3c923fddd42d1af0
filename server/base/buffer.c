#include "server/base/buffer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buffer_clear(struct buffer *buffer) {
    free(buffer->data);
    *buffer = (struct buffer){0};
}

void buffer_fail(struct buffer *buffer) {
    buffer_clear(buffer);
    buffer->failed = true;
}

char *buffer_reserve(struct buffer *buffer, size_t length) {
    if (buffer->failed)
        return NULL;
    if (length <= buffer->capacity - buffer->length)
        return buffer->data + buffer->length;
    size_t needed = buffer->length + length;
    size_t capacity = buffer->capacity ? buffer->capacity * 2 : 1024;
    if (capacity < needed)
        capacity = needed;
    char *data = needed < length ? NULL : realloc(buffer->data, capacity);
    if (!data) {
        buffer_fail(buffer);
        return NULL;
    }
    buffer->data = data;
    buffer->capacity = capacity;
    return data + buffer->length;
}

void buffer_append(struct buffer *buffer, const void *bytes, size_t length) {
    if (length == 0)
        return;
    char *room = buffer_reserve(buffer, length);
    if (!room)
        return;
    memcpy(room, bytes, length);
    buffer->length += length;
}

void buffer_text(struct buffer *buffer, const char *text) {
    buffer_append(buffer, text, strlen(text));
}

void buffer_format(struct buffer *buffer, const char *format, ...) {
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    char *room = length < 0 ? NULL : buffer_reserve(buffer, (size_t)length + 1);
    if (room) {
        vsnprintf(room, (size_t)length + 1, format, again);
        buffer->length += (size_t)length;
    } else {
        buffer_fail(buffer);
    }
    va_end(again);
}
