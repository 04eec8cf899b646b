/* SPDX-License-Identifier: BSD-3-Clause */
/* Writes DER by hand: tag, length, content, from the inside out. */
#ifndef PCSSIM_SIM_DER_H
#define PCSSIM_SIM_DER_H

#include "base/buf.h"

enum {
    DER_BOOLEAN = 0x01,
    DER_INTEGER = 0x02,
    DER_BIT_STRING = 0x03,
    DER_OCTETS = 0x04,
    DER_OID = 0x06,
    DER_ENUMERATED = 0x0a,
    DER_SEQUENCE = 0x30
};

int der_add(struct buf *b, uint8_t tag, struct span content);
int der_add_unsigned(struct buf *b, uint8_t tag, uint32_t value);

#endif
