/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Percent encoding, and absolute URLs taken apart.
 * Takes spans, gives spans into the same bytes or appends to a buf; nothing is normalised, so that
 * what was checked is what is sent.
 * Any room, any thread.
 * Must never take a URL that two parsers could read differently (user information, backslashes,
 * control bytes, percent signs in the host): the allow-list of crl?uri= stands on this (api.md).
 * Encoding follows encodeURIComponent (api.md, Transport); URLs follow RFC 3986, narrowed.
 */
#include "base/url.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "base/hex.h"

static bool
is_letter_or_digit(uint8_t byte)
{
    return (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
           (byte >= '0' && byte <= '9');
}

static bool
stays_plain(uint8_t byte)
{
    return is_letter_or_digit(byte) || (byte != '\0' && strchr("-_.!~*'()", byte) != NULL);
}

int
url_add_encoded(struct buf *b, struct span text)
{
    for (size_t i = 0; i < text.size; i++) {
        struct span byte = span_of(text.data + i, 1);
        if (stays_plain(text.data[i])) {
            buf_add(b, byte);
        } else {
            buf_add_byte(b, '%');
            hex_add_upper(b, byte);
        }
    }
    return b->failed;
}

int
url_add_decoded(struct buf *b, struct span text)
{
    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = text.data[i];
        if (byte == '%') {
            if (text.size - i < 3 || !hex_decode(span_of(text.data + i + 1, 2), &byte, 1)) {
                return FAULT_INPUT;
            }
            i += 2;
        }
        buf_add_byte(b, byte);
    }
    return b->failed;
}

/* Printable ASCII without blank, '#' (a fragment) and '\' (some parsers read it as '/'). */
static bool
has_url_bytes_only(struct span url)
{
    for (size_t i = 0; i < url.size; i++) {
        uint8_t byte = url.data[i];
        if (byte <= 0x20 || byte >= 0x7f || byte == '#' || byte == '\\') {
            return false;
        }
    }
    return true;
}

static bool
host_is_name(struct span host)
{
    for (size_t i = 0; i < host.size; i++) {
        if (!is_letter_or_digit(host.data[i]) && host.data[i] != '-' && host.data[i] != '.' &&
            host.data[i] != '_') {
            return false;
        }
    }
    return host.size != 0;
}

static bool
host_is_ipv6(struct span host)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr address;
    return span_to_text(host, text, sizeof text) && inet_pton(AF_INET6, text, &address) == 1;
}

/* Splits "host", "host:port", "[v6]" or "[v6]:port"; after is what follows the host. */
static bool
authority_split_host(struct span authority, struct span *ret_host, struct span *ret_after)
{
    bool bracketed = authority.size != 0 && authority.data[0] == '[';
    const uint8_t *end = NULL;
    if (authority.size != 0) {
        end = memchr(authority.data, bracketed ? ']' : ':', authority.size);
    }
    if (bracketed && end == NULL) {
        return false;
    }
    size_t start = bracketed ? 1 : 0;
    size_t stop = end != NULL ? (size_t)(end - authority.data) : authority.size;
    struct span host = span_of(authority.data + start, stop - start);
    if (bracketed ? !host_is_ipv6(host) : !host_is_name(host)) {
        return false;
    }
    stop += bracketed ? 1 : 0;
    *ret_host = host;
    *ret_after = span_of(authority.data + stop, authority.size - stop);
    return true;
}

/* "" (the default stays) or ":" and 1 to 65535. */
static bool
port_parse(struct span text, uint16_t *port)
{
    if (text.size == 0) {
        return true;
    }
    if (text.data[0] != ':' || text.size < 2 || text.size > 6) {
        return false;
    }
    unsigned value = 0;
    for (size_t i = 1; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
        value = value * 10 + (text.data[i] - '0');
    }
    if (value == 0 || value > UINT16_MAX) {
        return false;
    }
    *port = (uint16_t)value;
    return true;
}

static bool
scheme_skip(struct span *url, bool *ret_https)
{
    static const struct {
        const char *text;
        bool https;
    } schemes[] = {{"https://", true}, {"http://", false}};
    for (size_t i = 0; i < 2; i++) {
        size_t size = strlen(schemes[i].text);
        if (url->size >= size && span_is_nocase(span_of(url->data, size), schemes[i].text)) {
            *url = span_of(url->data + size, url->size - size);
            *ret_https = schemes[i].https;
            return true;
        }
    }
    return false;
}

int
url_split(struct span url, struct url_parts *ret_parts)
{
    struct url_parts parts = {0};
    struct span rest = url;
    if (!has_url_bytes_only(url) || !scheme_skip(&rest, &parts.https)) {
        return FAULT_INPUT;
    }
    const uint8_t *slash = rest.size != 0 ? memchr(rest.data, '/', rest.size) : NULL;
    size_t authority_size = slash != NULL ? (size_t)(slash - rest.data) : rest.size;
    struct span authority = span_of(rest.data, authority_size);
    parts.path = span_of(rest.data + authority_size, rest.size - authority_size);
    parts.port = parts.https ? 443 : 80;
    struct span port;
    /* user information and a '?' before the path fail here: neither is of a host or a port */
    if (!authority_split_host(authority, &parts.host, &port) || !port_parse(port, &parts.port)) {
        return FAULT_INPUT;
    }
    *ret_parts = parts;
    return 0;
}

bool
url_host_is_loopback(struct span host)
{
    char text[INET6_ADDRSTRLEN];
    struct in_addr v4;
    struct in6_addr v6;
    if (span_is_nocase(host, "localhost")) {
        return true;
    }
    if (!span_to_text(host, text, sizeof text)) {
        return false;
    }
    if (inet_pton(AF_INET, text, &v4) == 1) {
        return ntohl(v4.s_addr) >> 24 == 127;
    }
    return inet_pton(AF_INET6, text, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}
