/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The head of an HTTP/1 request, taken strictly: what two parsers could read in two ways is
 * refused (design.md, Decisions; RFC 9112). Pure and incremental: each byte is looked at once,
 * however the bytes arrive.
 */
#ifndef HTTP_HTTP_PARSE_H
#define HTTP_HTTP_PARSE_H

#include "http/http.h"

enum http_parse {
    HTTP_PARSE_MORE,   /* not complete, nothing wrong so far */
    HTTP_PARSE_DONE,   /* complete: every field below is set */
    HTTP_PARSE_REFUSED /* refused and clause are set */
};

/* Spans point into the bytes that were given to http_parse_head. */
struct http_head {
    enum http_method method;
    struct span method_text;
    struct span path;  /* never empty; "*" only with OPTIONS */
    struct span query; /* behind '?' */
    size_t header_count;
    size_t size;         /* of the head, with its empty line */
    unsigned version;    /* 10 or 11 */
    bool has_body;       /* Content-Length above 0, or chunked */
    bool chunked;        /* otherwise content_length counts */
    bool keeps_alive;    /* what the client wants and its version allows */
    bool wants_continue; /* Expect: 100-continue */
    uint64_t content_length;
    int refused;        /* 400, 414, 431, 501, 505 */
    const char *clause; /* why; a literal */

    /* progress and what was seen; of no use to others */
    size_t line_at, scanned;
    bool has_request_line, has_host, has_length, has_coding, skipped_blank_line;
    bool said_close, said_keep_alive;

    struct header headers[LIMIT_HTTP_HEADERS];
};

void http_head_init(struct http_head *head);

/* bytes: everything that has arrived of this request, at the same address each time until DONE.
 * What follows the head is not looked at. */
enum http_parse http_parse_head(struct http_head *head, struct span bytes);

/* The characters of a token (RFC 9110, 5.6.2), and of a field value. */
bool http_is_token_char(uint8_t c);
bool http_is_value_char(uint8_t c);

#endif
