/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The chunked transfer coding of request bodies (RFC 9112, 7.1), taken strictly: sizes of 1 to 15
 * hex digits, CRLF everywhere, extensions and trailers read over within ceilings. Pure.
 */
#ifndef HTTP_HTTP_CHUNK_H
#define HTTP_HTTP_CHUNK_H

#include "base/limits.h"
#include "base/span.h"

enum http_chunk {
    HTTP_CHUNK_MORE, /* all of the input is used up */
    HTTP_CHUNK_DATA, /* ret_data holds bytes of the body; call again */
    HTTP_CHUNK_DONE, /* the body has ended; what is left of the input belongs to the next request */
    HTTP_CHUNK_REFUSED /* 400 */
};

/* All zero: the start of a body. */
struct http_chunks {
    uint64_t left;  /* of the size line so far; of the chunk's bytes */
    uint32_t extra; /* bytes of extensions and trailers so far */
    uint8_t digits; /* of the size */
    uint8_t state;
};

/* Takes bytes off the front of *input. ret_data points into them. */
enum http_chunk http_chunks_take(struct http_chunks *chunks, struct span *input,
                                 struct span *ret_data);

#endif
