/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Finished responses: one heap block each (the struct, its head, its body), immutable, counted.
 * response_extra_lines adds what differs from answer to answer without allocating.
 * Called by workers (making) and server loops (answering, releasing); any thread.
 * Must never change a response once it was published.
 * api.md: Transport, When upstream fails, Freshness, Beyond the reference.
 */
#include "cache/response.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/header.h"
#include "base/mem.h"

struct response *
response_new(int status, struct span head, struct span body)
{
    size_t size = sizeof(struct response) + head.size + body.size;
    struct response *response = malloc(size);
    if (response == NULL) {
        return NULL;
    }
    uint8_t *bytes = (uint8_t *)(response + 1);
    *response = (struct response){
        .status = status,
        .head = span_of(bytes, head.size),
        .body = span_of(bytes + head.size, body.size),
        .memory_bytes = size,
    };
    if (head.size > 0) {
        memcpy(bytes, head.data, head.size);
    }
    if (body.size > 0) {
        memcpy(bytes + head.size, body.data, body.size);
    }
    atomic_init(&response->references, 1);
    return response;
}

struct response *
response_ref(struct response *response)
{
    atomic_fetch_add_explicit(&response->references, 1, memory_order_relaxed);
    return response;
}

void
response_unref(void *response_pointer)
{
    struct response *response = response_pointer;
    if (response != NULL &&
        atomic_fetch_sub_explicit(&response->references, 1, memory_order_acq_rel) == 1) {
        free(response);
    }
}

/* The lines in the making. No printf here: it would be a tenth of a hit's processor time. */
struct lines {
    char *out;
    size_t used;
};

static inline void
lines_put(struct lines *lines, const char *text, size_t size)
{
    memcpy(lines->out + lines->used, text, size);
    lines->used += size;
}

/* Appends a line if it fits whole; a line that does not fit is left out whole. Inline, so that the
 * sizes of names, which are literals, are known when it is compiled. */
static inline void
lines_add(struct lines *lines, const char *name, const char *value)
{
    size_t name_size = strlen(name);
    size_t value_size = strlen(value);
    if (name_size + value_size + sizeof ": \r\n" > RESPONSE_EXTRA_SIZE - lines->used) {
        return;
    }
    lines_put(lines, name, name_size);
    lines_put(lines, ": ", 2);
    lines_put(lines, value, value_size);
    lines_put(lines, "\r\n", 2);
}

static void
lines_add_number(struct lines *lines, const char *name, const char *prefix, int64_t number)
{
    char value[48] = "";
    size_t at = sizeof value - 1;
    uint64_t left = number > 0 ? (uint64_t)number : 0;
    do {
        value[--at] = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    size_t prefix_size = strlen(prefix);
    must(prefix_size <= at);
    at -= prefix_size;
    memcpy(value + at, prefix, prefix_size);
    lines_add(lines, name, value + at);
}

/* Cache-Control, ETag and the stale warning of a collateral answer. */
static void
lines_add_freshness(struct lines *lines, const struct response *response,
                    const struct response_extra *extra)
{
    if (response->is_stale) {
        lines_add(lines, "Warning", "110 - \"Response is Stale\"");
    }
    if (response->etag[0] == '\0') {
        return;
    }
    lines_add(lines, "ETag", response->etag);
    int64_t left = response->fresh_until - extra->now;
    if (response->is_stale || left <= 0) {
        lines_add(lines, "Cache-Control", "no-cache");
        return;
    }
    int64_t age_max = left < extra->client_cache_s ? left : extra->client_cache_s;
    lines_add_number(lines, "Cache-Control", "max-age=", age_max);
}

size_t
response_extra_lines(const struct response *response, const struct response_extra *extra,
                     char out[RESPONSE_EXTRA_SIZE])
{
    struct lines lines = {.out = out};
    if (extra->request_id != NULL) {
        lines_add(&lines, "Request-ID", extra->request_id);
    }
    if (extra->is_v3) {
        lines_add(&lines, "Warning",
                  "299 - \"PCS API version 3 has reached its end of life. Cached version 3 "
                  "collateral is deprecated, is not refreshed and may expire. Move to "
                  "version 4.\"");
    }
    lines_add_freshness(&lines, response, extra);
    if (response->retry_after_s > 0) {
        lines_add_number(&lines, "Retry-After", "", response->retry_after_s);
    }
    if (response->detail[0] != '\0') {
        lines_add(&lines, "PCCS-Error-Detail", response->detail);
    }
    out[lines.used] = '\0';
    return lines.used;
}

bool
response_matches(const struct response *response, struct span list)
{
    if (response->etag[0] == '\0') {
        return false;
    }
    struct span etag = span_of_text(response->etag);
    size_t at = 0;
    while (at < list.size) {
        size_t end = at;
        while (end < list.size && list.data[end] != ',') {
            end++;
        }
        struct span one = span_of(list.data + at, end - at);
        while (one.size > 0 && (one.data[0] == ' ' || one.data[0] == '\t')) {
            one = span_of(one.data + 1, one.size - 1);
        }
        while (one.size > 0 && (one.data[one.size - 1] == ' ' || one.data[one.size - 1] == '\t')) {
            one.size--;
        }
        if (span_starts_with(one, "W/")) {
            one = span_of(one.data + 2, one.size - 2); /* RFC 9110, 13.1.2: weak comparison */
        }
        if (span_equal(one, etag) || span_is(one, "*")) {
            return true;
        }
        at = end + 1;
    }
    return false;
}
