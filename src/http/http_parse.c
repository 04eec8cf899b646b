/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Parses the head of a request, line by line as it arrives.
 *
 * Takes bytes and its own progress; gives a struct http_head, or the status and the clause of the
 * refusal. Called by http_conn.c on a loop's thread, and by the fuzzer.
 * Must never guess: two lengths, a length beside a transfer coding, folded lines, a blank before a
 * colon, a bare LF or CR, a NUL, no Host or two of them are refused, because a proxy in front may
 * have read them otherwise (request smuggling). Must never allocate, and never look at a byte of
 * another request.
 * Follows RFC 9112 sections 2 to 6 where it leaves a choice: the stricter one.
 */
#include "http/http_parse.h"

enum { IS_TOKEN = 1, IS_VALUE = 2, IS_TARGET = 4, IS_HOST = 8 };

/* What each byte may be part of. Targets: visible ASCII but '#'; brackets, quotes and bars are
 * taken, because clients send them (source=[...]). */
static const uint8_t char_class[256] = {
    ['\t'] = IS_VALUE,
    [' '] = IS_VALUE,
    ['!'] = IS_TOKEN | IS_VALUE | IS_TARGET | IS_HOST,
    ['"'] = IS_VALUE | IS_TARGET,
    ['#'] = IS_TOKEN | IS_VALUE,
    ['$' ... '\''] = IS_TOKEN | IS_VALUE | IS_TARGET | IS_HOST,
    ['(' ... ')'] = IS_VALUE | IS_TARGET | IS_HOST,
    ['*' ... '+'] = IS_TOKEN | IS_VALUE | IS_TARGET | IS_HOST,
    [','] = IS_VALUE | IS_TARGET,
    ['-' ... '.'] = IS_TOKEN | IS_VALUE | IS_TARGET | IS_HOST,
    ['/'] = IS_VALUE | IS_TARGET,
    ['0' ... '9'] = IS_TOKEN | IS_VALUE | IS_TARGET | IS_HOST,
    [':' ... ';'] = IS_VALUE | IS_TARGET | IS_HOST,
    ['<'] = IS_VALUE | IS_TARGET,
    ['='] = IS_VALUE | IS_TARGET | IS_HOST,
    ['>' ... '@'] = IS_VALUE | IS_TARGET,
    ['A' ... 'Z'] = IS_TOKEN | IS_VALUE | IS_TARGET | IS_HOST,
    ['['] = IS_VALUE | IS_TARGET | IS_HOST,
    ['\\'] = IS_VALUE | IS_TARGET,
    [']'] = IS_VALUE | IS_TARGET | IS_HOST,
    ['^' ... '`'] = IS_TOKEN | IS_VALUE | IS_TARGET,
    ['a' ... 'z'] = IS_TOKEN | IS_VALUE | IS_TARGET | IS_HOST,
    ['{'] = IS_VALUE | IS_TARGET,
    ['|'] = IS_TOKEN | IS_VALUE | IS_TARGET,
    ['}'] = IS_VALUE | IS_TARGET,
    ['~'] = IS_TOKEN | IS_VALUE | IS_TARGET | IS_HOST,
    [0x80 ... 0xff] = IS_VALUE,
};

static const struct {
    const char *text;
    enum http_method method;
} methods[] = {
    {"GET", HTTP_GET},       {"HEAD", HTTP_HEAD},       {"POST", HTTP_POST},   {"PUT", HTTP_PUT},
    {"DELETE", HTTP_DELETE}, {"OPTIONS", HTTP_OPTIONS}, {"PATCH", HTTP_PATCH},
};

bool
http_is_token_char(uint8_t c)
{
    return (char_class[c] & IS_TOKEN) != 0;
}

bool
http_is_value_char(uint8_t c)
{
    return (char_class[c] & IS_VALUE) != 0;
}

void
http_head_init(struct http_head *head)
{
    /* the array of headers, 3 KB, is written as it fills */
    memset(head, 0, offsetof(struct http_head, headers));
}

static enum http_parse
refuse(struct http_head *head, int status, const char *clause)
{
    head->refused = status;
    head->clause = clause;
    return HTTP_PARSE_REFUSED;
}

/* Without a branch per byte: hardly any text is refused. */
static bool
all_are(struct span text, uint8_t class)
{
    uint8_t common = class;
    for (size_t i = 0; i < text.size; i++) {
        common &= char_class[text.data[i]];
    }
    return common != 0;
}

static struct span
skip(struct span s, size_t size)
{
    return size > 0 ? span_of(s.data + size, s.size - size) : s; /* data may be NULL */
}

/* Index of the first c, or s.size. */
static size_t
find_char(struct span s, uint8_t c)
{
    const uint8_t *at = s.size > 0 ? memchr(s.data, c, s.size) : NULL;
    return at != NULL ? (size_t)(at - s.data) : s.size;
}

static enum http_parse
take_version(struct http_head *head, struct span version)
{
    if (version.size != 8 || memcmp(version.data, "HTTP/", 5) != 0 || version.data[6] != '.' ||
        version.data[5] < '0' || version.data[5] > '9' || version.data[7] < '0' ||
        version.data[7] > '9') {
        return refuse(head, 400, "request line: no HTTP version (RFC 9112, 3)");
    }
    if (version.data[5] != '1') {
        return refuse(head, 505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
    }
    head->version = version.data[7] == '0' ? 10 : 11;
    return HTTP_PARSE_MORE;
}

/* http://host[:port]/path, which proxies send and a server has to take (RFC 9112, 3.2.2). */
static bool
cut_absolute_form(struct span *target)
{
    size_t scheme = 0;
    if (target->size > 7 && span_is_nocase(span_of(target->data, 7), "http://")) {
        scheme = 7;
    } else if (target->size > 8 && span_is_nocase(span_of(target->data, 8), "https://")) {
        scheme = 8;
    } else {
        return false;
    }
    struct span rest = skip(*target, scheme);
    size_t slash = find_char(rest, '/');
    size_t question = find_char(rest, '?');
    size_t authority = slash < question ? slash : question;
    if (authority == 0 || !all_are(span_of(rest.data, authority), IS_HOST)) {
        return false;
    }
    *target = skip(rest, authority);
    return true;
}

static enum http_parse
take_target(struct http_head *head, struct span target)
{
    if (target.size == 0 || !all_are(target, IS_TARGET)) {
        return refuse(head, 400, "request target: empty, or a character that must be escaped");
    }
    bool absolute = false;
    if (target.data[0] != '/') {
        absolute = cut_absolute_form(&target);
        bool asterisk = span_is(target, "*") && head->method == HTTP_OPTIONS;
        if (!absolute && !asterisk) {
            return refuse(head, 400, "request target: neither a path nor an http URL");
        }
    }
    size_t question = find_char(target, '?');
    head->path = question > 0 ? span_of(target.data, question) : span_of_text("/");
    head->query = question < target.size ? skip(target, question + 1) : span_of_text("");
    return HTTP_PARSE_MORE;
}

static void
take_method(struct http_head *head, struct span method)
{
    head->method_text = method;
    head->method = HTTP_OTHER;
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        if (span_is(method, methods[i].text)) {
            head->method = methods[i].method;
            return;
        }
    }
}

static enum http_parse
take_request_line(struct http_head *head, struct span line)
{
    if (line.size == 0 && !head->skipped_blank_line) {
        head->skipped_blank_line = true; /* one empty line in front is forgiven (RFC 9112, 2.2) */
        return HTTP_PARSE_MORE;
    }
    size_t first = find_char(line, ' ');
    if (first == 0 || first >= line.size || first > LIMIT_HTTP_METHOD_CHARS ||
        !all_are(span_of(line.data, first), IS_TOKEN)) {
        return refuse(head, 400, "request line: no method");
    }
    take_method(head, span_of(line.data, first));
    struct span rest = skip(line, first + 1);
    size_t second = find_char(rest, ' ');
    if (second >= rest.size) {
        return refuse(head, 400, "request line: no HTTP version (RFC 9112, 3)");
    }
    enum http_parse result = take_version(head, skip(rest, second + 1));
    if (result != HTTP_PARSE_MORE) {
        return result;
    }
    head->has_request_line = true;
    return take_target(head, span_of(rest.data, second));
}

static enum http_parse
take_content_length(struct http_head *head, struct span value)
{
    if (head->has_length) {
        return refuse(head, 400, "two Content-Length (RFC 9112, 6.3)");
    }
    if (value.size == 0 || value.size > 18) {
        return refuse(head, 400, "Content-Length is not a number of 1 to 18 digits");
    }
    uint64_t length = 0;
    for (size_t i = 0; i < value.size; i++) {
        if (value.data[i] < '0' || value.data[i] > '9') {
            return refuse(head, 400, "Content-Length is not a number of 1 to 18 digits");
        }
        length = length * 10 + (value.data[i] - '0');
    }
    head->has_length = true;
    head->content_length = length;
    return HTTP_PARSE_MORE;
}

static enum http_parse
take_transfer_encoding(struct http_head *head, struct span value)
{
    if (head->has_coding) {
        return refuse(head, 400, "two Transfer-Encoding (RFC 9112, 6.1)");
    }
    if (!span_is_nocase(value, "chunked")) {
        return refuse(head, 501, "a transfer coding other than chunked (RFC 9112, 6.1)");
    }
    head->has_coding = true;
    head->chunked = true;
    return HTTP_PARSE_MORE;
}

static struct span
trim(struct span s)
{
    while (s.size > 0 && (s.data[0] == ' ' || s.data[0] == '\t')) {
        s = skip(s, 1);
    }
    while (s.size > 0 && (s.data[s.size - 1] == ' ' || s.data[s.size - 1] == '\t')) {
        s.size--;
    }
    return s;
}

static void
take_connection(struct http_head *head, struct span value)
{
    while (value.size > 0) {
        size_t comma = find_char(value, ',');
        struct span option = trim(span_of(value.data, comma));
        head->said_close |= span_is_nocase(option, "close");
        head->said_keep_alive |= span_is_nocase(option, "keep-alive");
        value = skip(value, comma < value.size ? comma + 1 : comma);
    }
}

static enum http_parse
take_host(struct http_head *head, struct span value)
{
    if (head->has_host) {
        return refuse(head, 400, "two Host (RFC 9112, 3.2)");
    }
    if (!all_are(value, IS_HOST)) {
        return refuse(head, 400, "Host is not a host (RFC 9112, 3.2)");
    }
    head->has_host = true;
    return HTTP_PARSE_MORE;
}

/* The few fields that decide where this request ends; the length of the name sorts them out. */
static enum http_parse
take_known_header(struct http_head *head, const struct header *header)
{
    switch (header->name.size) {
    case sizeof "Host" - 1:
        if (span_is_nocase(header->name, "Host")) {
            return take_host(head, header->value);
        }
        break;
    case sizeof "Expect" - 1:
        if (span_is_nocase(header->name, "Expect")) {
            head->wants_continue |= span_is_nocase(header->value, "100-continue");
        }
        break;
    case sizeof "Connection" - 1:
        if (span_is_nocase(header->name, "Connection")) {
            take_connection(head, header->value);
        }
        break;
    case sizeof "Content-Length" - 1:
        if (span_is_nocase(header->name, "Content-Length")) {
            return take_content_length(head, header->value);
        }
        break;
    case sizeof "Transfer-Encoding" - 1:
        if (span_is_nocase(header->name, "Transfer-Encoding")) {
            return take_transfer_encoding(head, header->value);
        }
        break;
    default:
        break;
    }
    return HTTP_PARSE_MORE;
}

static enum http_parse
take_header(struct http_head *head, struct span line)
{
    if (line.data[0] == ' ' || line.data[0] == '\t') {
        return refuse(head, 400, "a folded header line (RFC 9112, 5.2)");
    }
    size_t colon = find_char(line, ':');
    if (colon == 0 || colon == line.size || !all_are(span_of(line.data, colon), IS_TOKEN)) {
        return refuse(head, 400,
                      "header without name, or a blank before its colon (RFC 9112, 5.1)");
    }
    struct header header = {span_of(line.data, colon), trim(skip(line, colon + 1))};
    if (!all_are(header.value, IS_VALUE)) {
        return refuse(head, 400, "a control character in a header (RFC 9110, 5.5)");
    }
    if (head->header_count == LIMIT_HTTP_HEADERS) {
        return refuse(head, 431, "more than 100 headers");
    }
    head->headers[head->header_count++] = header;
    return take_known_header(head, &header);
}

/* The empty line has come: what only the whole head can tell. */
static enum http_parse
finish(struct http_head *head)
{
    if (head->version == 11 && !head->has_host) {
        return refuse(head, 400, "no Host (RFC 9112, 3.2)");
    }
    if (head->chunked && head->has_length) {
        return refuse(head, 400, "Content-Length beside Transfer-Encoding (RFC 9112, 6.1)");
    }
    if (head->chunked && head->version == 10) {
        return refuse(head, 400, "Transfer-Encoding in HTTP/1.0 (RFC 9112, 6.1)");
    }
    head->has_body = head->chunked || head->content_length > 0;
    head->keeps_alive = !head->said_close && (head->version == 11 || head->said_keep_alive);
    head->wants_continue = head->wants_continue && head->version == 11 && head->has_body;
    head->size = head->line_at;
    return HTTP_PARSE_DONE;
}

static enum http_parse
take_line(struct http_head *head, struct span line)
{
    if (!head->has_request_line) {
        return take_request_line(head, line);
    }
    return line.size > 0 ? take_header(head, line) : finish(head);
}

/* No further line is complete. Refuses what cannot become a request any more, so that a TLS
 * client on a plain port, or a flood, need not be waited for. */
static enum http_parse
need_more(struct http_head *head, struct span bytes)
{
    struct span start = skip(bytes, head->line_at);
    if (head->has_request_line) {
        return bytes.size < LIMIT_HTTP_HEAD_BYTES
                   ? HTTP_PARSE_MORE
                   : refuse(head, 431, "request line and headers above 16 KB");
    }
    if (start.size > 0 && start.data[0] == '\r') {
        return start.size == 1 ? HTTP_PARSE_MORE : refuse(head, 400, "a CR without LF");
    }
    size_t method = find_char(start, ' ');
    if (method > LIMIT_HTTP_METHOD_CHARS || !all_are(span_of(start.data, method), IS_TOKEN)) {
        return refuse(head, 400, "request line: no method");
    }
    return bytes.size < LIMIT_HTTP_HEAD_BYTES ? HTTP_PARSE_MORE
                                              : refuse(head, 414, "request line above 16 KB");
}

enum http_parse
http_parse_head(struct http_head *head, struct span bytes)
{
    size_t limit = bytes.size < LIMIT_HTTP_HEAD_BYTES ? bytes.size : LIMIT_HTTP_HEAD_BYTES;
    while (head->scanned < limit) {
        const uint8_t *newline = memchr(bytes.data + head->scanned, '\n', limit - head->scanned);
        if (newline == NULL) {
            head->scanned = limit;
            break;
        }
        size_t end = (size_t)(newline - bytes.data);
        if (end == head->line_at || bytes.data[end - 1] != '\r') {
            return refuse(head, 400, "a line that ends in LF without CR");
        }
        struct span line = span_of(bytes.data + head->line_at, end - 1 - head->line_at);
        head->line_at = end + 1;
        head->scanned = end + 1;
        enum http_parse result = take_line(head, line);
        if (result != HTTP_PARSE_MORE) {
            return result;
        }
    }
    return need_more(head, bytes);
}
