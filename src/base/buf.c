/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The growing buffer with a ceiling.
 * Takes bytes, texts and formats, gives one contiguous block with a NUL behind it. The memory
 * doubles, so that n appends cost O(n), and never exceeds the ceiling and its NUL.
 * Any room; a buf belongs to one thread at a time.
 * Must never grow past size_max, and never forget a failure: the first one stays until buf_clear or
 * buf_done, so that callers may check once at the end of a chain.
 */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

enum { BUF_CAPACITY_LEAST = 64 };

void
buf_done(struct buf *b)
{
    if (b == NULL) {
        return;
    }
    free(b->data);
    *b = BUF_INIT(b->size_max);
}

void
buf_done_secret(struct buf *b)
{
    if (b == NULL) {
        return;
    }
    if (b->data != NULL) {
        explicit_bzero(b->data, b->capacity);
    }
    buf_done(b);
}

void
buf_clear(struct buf *b)
{
    b->size = 0;
    b->failed = 0;
    if (b->data != NULL) {
        b->data[0] = '\0';
    }
}

/* Room for size more bytes and the NUL; 0 or the fault, which is also kept in b. */
static int
buf_make_room(struct buf *b, size_t size)
{
    if (b->failed != 0) {
        return b->failed;
    }
    if (size > b->size_max - b->size) {
        return b->failed = FAULT_TOO_LARGE;
    }
    if (size >= SIZE_MAX - b->size) {
        return b->failed = FAULT_MEMORY;
    }
    size_t needed = b->size + size + 1;
    if (needed <= b->capacity) {
        return 0;
    }
    size_t capacity = b->capacity < BUF_CAPACITY_LEAST ? BUF_CAPACITY_LEAST : b->capacity;
    while (capacity < needed) {
        capacity = capacity > SIZE_MAX / 2 ? needed : capacity * 2;
    }
    if (b->size_max < capacity - 1) {
        capacity = b->size_max + 1;
    }
    uint8_t *data = realloc(b->data, capacity);
    if (data == NULL) {
        return b->failed = FAULT_MEMORY;
    }
    b->data = data;
    b->capacity = capacity;
    b->data[b->size] = '\0';
    return 0;
}

int
buf_add(struct buf *b, struct span bytes)
{
    int failed = buf_make_room(b, bytes.size);
    if (failed != 0) {
        return failed;
    }
    if (bytes.size != 0) {
        memcpy(b->data + b->size, bytes.data, bytes.size);
        buf_grew(b, bytes.size);
    }
    return 0;
}

int
buf_add_text(struct buf *b, const char *text)
{
    return buf_add(b, span_of_text(text));
}

int
buf_add_byte(struct buf *b, uint8_t byte)
{
    return buf_add(b, span_of(&byte, 1));
}

int
buf_add_format(struct buf *b, const char *format, ...)
{
    if (b->failed != 0) {
        return b->failed;
    }
    va_list arguments;
    va_start(arguments, format);
    va_list again;
    va_copy(again, arguments);
    int size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    int failed = size < 0 ? (b->failed = FAULT_INTERNAL) : buf_make_room(b, (size_t)size);
    if (failed == 0) {
        vsnprintf((char *)b->data + b->size, (size_t)size + 1, format, again);
        b->size += (size_t)size;
    }
    va_end(again);
    return failed;
}

uint8_t *
buf_reserve(struct buf *b, size_t size)
{
    return buf_make_room(b, size) == 0 ? b->data + b->size : NULL;
}

void
buf_grew(struct buf *b, size_t size)
{
    must(b->capacity > b->size && size < b->capacity - b->size);
    b->size += size;
    b->data[b->size] = '\0';
}

void
buf_consume(struct buf *b, size_t size)
{
    must(size <= b->size);
    if (size == 0) {
        return;
    }
    b->size -= size;
    memmove(b->data, b->data + size, b->size);
    b->data[b->size] = '\0';
}

const char *
buf_text(const struct buf *b)
{
    return b->data != NULL ? (const char *)b->data : "";
}

char *
buf_take(struct buf *b, size_t *ret_size)
{
    uint8_t *data = b->data != NULL ? b->data : calloc(1, 1);
    if (data == NULL) {
        return NULL;
    }
    if (ret_size != NULL) {
        *ret_size = b->size;
    }
    *b = BUF_INIT(b->size_max);
    return (char *)data;
}
