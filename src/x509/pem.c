/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * PEM blocks (RFC 7468), read strictly and written anew (trust.md rule 9).
 *
 * Takes text from outside: CR LF line ends are fine, anything that is not base64 between the BEGIN
 * and the END line is not, so that no foreign byte can reach a header or a database.
 * Called by x509_chain.c, x509_crl.c and anchors.c, on any thread; pure.
 * Must never: skip what it does not understand, as PEM readers usually do.
 */
#include <limits.h>

#include <openssl/evp.h>

#include "base/mem.h"
#include "x509/x509_priv.h"

/* The next line without its LF or CR LF; the last one may lack it. False at the end. */
static bool
read_line(struct reader *text, struct span *ret_line)
{
    if (reader_at_end(text)) {
        return false;
    }
    struct span line;
    if (!reader_until(text, '\n', &line)) {
        line = text->rest;
        text->rest = span_of(line.data + line.size, 0);
    }
    if (line.size > 0 && line.data[line.size - 1] == '\r') {
        line.size--;
    }
    *ret_line = line;
    return true;
}

bool
pem_at_end(struct reader *text)
{
    while (reader_skip_text(text, "\n") || reader_skip_text(text, "\r\n")) {
    }
    return reader_at_end(text);
}

static bool
line_is(struct span line, const char *word, const char *label)
{
    char expected[64];
    int size = snprintf(expected, sizeof expected, "-----%s %s-----", word, label);
    return size > 0 && (size_t)size < sizeof expected && span_is(line, expected);
}

static bool
is_base64(struct span text)
{
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        bool is_digit = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!is_digit && c != '+' && c != '/' && c != '=') {
            return false;
        }
    }
    return true;
}

/* base64: only characters that is_base64 passed. */
static int
add_decoded(struct buf *der, struct span base64, struct fault *why)
{
    size_t padding = 0;
    while (padding < base64.size && base64.data[base64.size - 1 - padding] == '=') {
        padding++;
    }
    bool is_inner = memchr(base64.data, '=', base64.size - padding) != NULL;
    if (base64.size % 4 != 0 || padding > 2 || is_inner || base64.size > INT_MAX / 2) {
        return fault_set(why, FAULT_INPUT, "parse", "PEM block: its base64 is cut or badly padded");
    }
    uint8_t *out = buf_reserve(der, base64.size / 4 * 3);
    if (out == NULL) {
        return fault_set(why, der->failed == FAULT_MEMORY ? FAULT_MEMORY : FAULT_INPUT, "parse",
                         "PEM block: too large, or memory ran out");
    }
    int size = EVP_DecodeBlock(out, base64.data, (int)base64.size);
    if (size < (int)padding) {
        return fault_set(why, FAULT_INPUT, "parse", "PEM block: not base64");
    }
    buf_grew(der, (size_t)size - padding);
    return 0;
}

int
pem_read(struct reader *text, const char *label, struct buf *der, struct fault *why)
{
    struct span line;
    if (!read_line(text, &line) || !line_is(line, "BEGIN", label)) {
        return fault_set(why, FAULT_INPUT, "parse",
                         "PEM: text before, between or behind the blocks (trust.md rule 9), or "
                         "not a BEGIN %s line",
                         label);
    }
    auto_cleanup(buf_done) struct buf base64 = BUF_INIT(text->rest.size + 1);
    while (read_line(text, &line)) {
        if (line_is(line, "END", label)) {
            if (base64.failed != 0 || base64.size == 0) {
                return fault_set(why, base64.failed != 0 ? FAULT_MEMORY : FAULT_INPUT, "parse",
                                 "PEM block: empty");
            }
            return add_decoded(der, buf_span(&base64), why);
        }
        if (!is_base64(line)) {
            return fault_set(why, FAULT_INPUT, "parse", "PEM block: a line is not base64");
        }
        buf_add(&base64, line);
    }
    return fault_set(why, FAULT_INPUT, "parse", "PEM block: no END %s line", label);
}

int
pem_add(struct buf *b, const char *label, struct span der)
{
    enum { LINE_BYTES = 48 }; /* 64 characters */
    buf_add_format(b, "-----BEGIN %s-----\n", label);
    for (size_t at = 0; at < der.size; at += LINE_BYTES) {
        size_t size = der.size - at < LINE_BYTES ? der.size - at : LINE_BYTES;
        uint8_t line[65];
        int written = EVP_EncodeBlock(line, der.data + at, (int)size);
        buf_add(b, span_of(line, (size_t)written));
        buf_add_byte(b, '\n');
    }
    return buf_add_format(b, "-----END %s-----\n", label);
}
