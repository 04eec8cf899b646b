/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * DER by hand, for what OpenSSL has no template for: the SGX extension, and the outer shell of a
 * certificate or CRL around a signature of our own making.
 *
 * Takes content that is DER already, gives tag, length and content appended to a buffer. Called by
 * sim_cert.c, on its thread. Must never see outside bytes: contents stay below 64 KB.
 */
#include "pcssim/sim_der.h"

#include "base/mem.h"

int
der_add(struct buf *b, uint8_t tag, struct span content)
{
    must(content.size < 65536);
    buf_add_byte(b, tag);
    if (content.size >= 256) {
        buf_add_byte(b, 0x82);
        buf_add_byte(b, (uint8_t)(content.size >> 8));
    } else if (content.size >= 128) {
        buf_add_byte(b, 0x81);
    }
    buf_add_byte(b, (uint8_t)content.size);
    return buf_add(b, content);
}

int
der_add_unsigned(struct buf *b, uint8_t tag, uint32_t value)
{
    /* A leading zero keeps the number positive; DER wants the shortest form. */
    uint8_t bytes[5] = {0, (uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8),
                        (uint8_t)value};
    size_t start = 0;
    while (start < 4 && bytes[start] == 0 && bytes[start + 1] < 0x80) {
        start++;
    }
    return der_add(b, tag, span_of(bytes + start, sizeof(bytes) - start));
}
