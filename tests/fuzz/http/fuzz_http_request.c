/* SPDX-License-Identifier: BSD-3-Clause */
/* A request's head and chunked body, whole and byte by byte: both ways must read the same. */
#include "base/mem.h"
#include "http/http_chunk.h"
#include "http/http_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t
decode(struct span input, size_t piece, enum http_chunk *ret_result)
{
    struct http_chunks chunks = {0};
    size_t total = 0, at = 0;
    enum http_chunk result = HTTP_CHUNK_MORE;
    while (at < input.size && (result == HTTP_CHUNK_MORE || result == HTTP_CHUNK_DATA)) {
        size_t most = piece < input.size - at ? piece : input.size - at;
        struct span rest = span_of(input.data + at, most);
        struct span body = span_of_text("");
        result = http_chunks_take(&chunks, &rest, &body);
        total += body.size;
        at += most - rest.size;
    }
    *ret_result = result == HTTP_CHUNK_DATA ? HTTP_CHUNK_MORE : result;
    return total * 31 + at;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct http_head whole, drip;
    http_head_init(&whole);
    http_head_init(&drip);
    enum http_parse result = http_parse_head(&whole, span_of(data, size));
    enum http_parse dripped = HTTP_PARSE_MORE;
    for (size_t i = 0; i <= size && dripped == HTTP_PARSE_MORE; i++) {
        dripped = http_parse_head(&drip, span_of(data, i));
    }
    must(result == dripped && whole.refused == drip.refused && whole.size == drip.size);
    must(result != HTTP_PARSE_REFUSED || whole.clause != NULL);
    if (result == HTTP_PARSE_DONE) {
        must(whole.path.size > 0 && whole.header_count <= LIMIT_HTTP_HEADERS);
        enum http_chunk one, other;
        struct span body = span_of(data + whole.size, size - whole.size);
        must(decode(body, SIZE_MAX, &one) == decode(body, 1, &other) && one == other);
    }
    return 0;
}
