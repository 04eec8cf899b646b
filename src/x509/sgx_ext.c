/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The SGX extension of a PCK certificate (OID 1.2.840.113741.1.13.1, selection.md 2).
 *
 * Takes DER from outside, gives the values, or FAULT_INPUT naming what is wrong. Items are found
 * by OID, as Intel's library does it, never by position; each must stand exactly once.
 * Called by collateral/ and pcksel/, any thread; pure. The nesting is fixed (three levels), so
 * there is no recursion. Must never: accept lengths that are not minimal, or trailing bytes.
 */
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/mem.h"
#include "base/reader.h"
#include "x509/sgx_ext.h"

enum {
    TAG_BOOLEAN = 1,
    TAG_INTEGER = 2,
    TAG_OCTETS = 4,
    TAG_OID = 6,
    TAG_ENUMERATED = 10,
    TAG_SEQUENCE = 0x30
};
enum { TCB_ITEMS = 18, ITEMS_PROCESSOR = 5, ITEMS_PLATFORM = 7 };

/* 1.2.840.113741.1.13.1 without tag and length; the items append one or two arcs. */
static const uint8_t BASE_OID[] = {0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d, 0x01};

static int
refuse(struct fault *why, const char *what)
{
    return fault_set(why, FAULT_INPUT, "parse", "SGX extension: %s", what);
}

/* One element of that tag; lengths as DER has them, up to two length bytes. */
static bool
read_element(struct reader *r, uint8_t tag, struct span *ret_content)
{
    struct reader ahead = *r;
    uint8_t found, first;
    if (!reader_byte(&ahead, &found) || found != tag || !reader_byte(&ahead, &first)) {
        return false;
    }
    size_t size = first;
    if (first >= 0x80) {
        uint8_t high = 0, low;
        bool is_read = (first == 0x81 || (first == 0x82 && reader_byte(&ahead, &high))) &&
                       reader_byte(&ahead, &low);
        if (!is_read) {
            return false;
        }
        size = (size_t)high << 8 | low;
        if (size < (first == 0x81 ? 0x80U : 0x100U)) {
            return false;
        }
    }
    if (!reader_bytes(&ahead, size, ret_content)) {
        return false;
    }
    *r = ahead;
    return true;
}

/* SEQUENCE { OID base.arcs, value }: gives the last arc and a reader over the value. */
static bool
read_item(struct reader *items, const uint8_t *arcs, size_t arc_count, unsigned *ret_arc,
          struct reader *ret_value)
{
    struct span item, oid;
    if (!read_element(items, TAG_SEQUENCE, &item)) {
        return false;
    }
    struct reader inner = reader_of(item);
    if (!read_element(&inner, TAG_OID, &oid) || oid.size != sizeof BASE_OID + arc_count + 1 ||
        memcmp(oid.data, BASE_OID, sizeof BASE_OID) != 0 ||
        (arc_count != 0 && memcmp(oid.data + sizeof BASE_OID, arcs, arc_count) != 0)) {
        return false;
    }
    *ret_arc = oid.data[oid.size - 1];
    *ret_value = inner;
    return true;
}

static bool
read_octets(struct reader *value, uint8_t *out, size_t size)
{
    struct span octets;
    if (!read_element(value, TAG_OCTETS, &octets) || octets.size != size || !reader_at_end(value)) {
        return false;
    }
    memcpy(out, octets.data, size);
    return true;
}

/* Not negative, minimal, at most 31 bits. */
static bool
read_number(struct reader *value, uint8_t tag, uint32_t *ret_number)
{
    struct span digits;
    if (!read_element(value, tag, &digits) || !reader_at_end(value) || digits.size == 0 ||
        digits.size > 4 || digits.data[0] >= 0x80) {
        return false;
    }
    if (digits.size > 1 && digits.data[0] == 0 && digits.data[1] < 0x80) {
        return false;
    }
    uint32_t number = 0;
    for (size_t i = 0; i < digits.size; i++) {
        number = number << 8 | digits.data[i];
    }
    *ret_number = number;
    return true;
}

static bool
read_bool(struct reader *value, bool *ret_bool)
{
    struct span byte;
    if (!read_element(value, TAG_BOOLEAN, &byte) || !reader_at_end(value) || byte.size != 1 ||
        (byte.data[0] != 0 && byte.data[0] != 0xff)) {
        return false;
    }
    *ret_bool = byte.data[0] != 0;
    return true;
}

static bool
read_tcb_item(unsigned arc, struct reader *value, struct sgx_ext *ext)
{
    uint32_t number = 0;
    if (arc == TCB_ITEMS) {
        return read_octets(value, ext->cpusvn, sizeof ext->cpusvn);
    }
    if (!read_number(value, TAG_INTEGER, &number)) {
        return false;
    }
    if (arc == TCB_ITEMS - 1) {
        ext->pcesvn = (uint16_t)number;
        return number <= UINT16_MAX;
    }
    ext->components[arc - 1] = (uint8_t)number; /* modulo 256, as Intel's library has it */
    return true;
}

/* B.2: exactly 18 items, each once. */
static int
parse_tcb(struct reader *value, struct sgx_ext *ext, struct fault *why)
{
    static const uint8_t arcs[] = {2};
    struct span content;
    if (!read_element(value, TAG_SEQUENCE, &content) || !reader_at_end(value)) {
        return refuse(why, "TCB is not a sequence");
    }
    struct reader items = reader_of(content);
    uint32_t seen = 0;
    while (!reader_at_end(&items)) {
        unsigned arc = 0;
        struct reader item;
        if (!read_item(&items, arcs, sizeof arcs, &arc, &item) || arc < 1 || arc > TCB_ITEMS ||
            (seen & 1U << arc) != 0 || !read_tcb_item(arc, &item, ext)) {
            return refuse(why, "a TCB item is unknown, stands twice or has a bad value");
        }
        seen |= 1U << arc;
    }
    return seen == (1U << (TCB_ITEMS + 1)) - 2 ? 0 : refuse(why, "TCB has not all its 18 items");
}

/* B.7: booleans, each at most once. */
static int
parse_configuration(struct reader *value, struct sgx_ext *ext, struct fault *why)
{
    static const uint8_t arcs[] = {7};
    bool *const targets[] = {&ext->dynamic_platform, &ext->cached_keys, &ext->smt_enabled};
    struct span content;
    if (!read_element(value, TAG_SEQUENCE, &content) || !reader_at_end(value)) {
        return refuse(why, "configuration is not a sequence");
    }
    struct reader items = reader_of(content);
    uint32_t seen = 0;
    while (!reader_at_end(&items)) {
        unsigned arc = 0;
        struct reader item;
        if (!read_item(&items, arcs, sizeof arcs, &arc, &item) || arc < 1 ||
            arc > ARRAY_COUNT(targets) || (seen & 1U << arc) != 0 ||
            !read_bool(&item, targets[arc - 1])) {
            return refuse(why, "a configuration item is unknown, stands twice or has a bad value");
        }
        seen |= 1U << arc;
    }
    return 0;
}

static int
parse_item(unsigned arc, struct reader *value, struct sgx_ext *ext, struct fault *why)
{
    uint32_t type = 0;
    switch (arc) {
    case 1:
        return read_octets(value, ext->ppid, sizeof ext->ppid) ? 0 : refuse(why, "bad PPID");
    case 2:
        return parse_tcb(value, ext, why);
    case 3:
        return read_octets(value, ext->pceid, sizeof ext->pceid) ? 0 : refuse(why, "bad PCE ID");
    case 4:
        return read_octets(value, ext->fmspc, sizeof ext->fmspc) ? 0 : refuse(why, "bad FMSPC");
    case 5:
        if (!read_number(value, TAG_ENUMERATED, &type) || type > 2) {
            return refuse(why, "bad SGX type");
        }
        ext->sgx_type = (int)type;
        return 0;
    case 6:
        return read_octets(value, ext->platform_instance_id, sizeof ext->platform_instance_id)
                   ? 0
                   : refuse(why, "bad platform instance ID");
    case 7:
        return parse_configuration(value, ext, why);
    default:
        return refuse(why, "unknown item");
    }
}

int
sgx_ext_parse_der(struct span der, struct sgx_ext *ret_ext, struct fault *why)
{
    struct reader whole = reader_of(der);
    struct span content;
    if (!read_element(&whole, TAG_SEQUENCE, &content) || !reader_at_end(&whole)) {
        return refuse(why, "not one sequence, or cut");
    }
    struct sgx_ext ext = {0};
    struct reader items = reader_of(content);
    uint32_t seen = 0;
    while (!reader_at_end(&items)) {
        unsigned arc = 0;
        struct reader value;
        if (!read_item(&items, NULL, 0, &arc, &value) || arc < 1 || arc > ITEMS_PLATFORM) {
            return refuse(why, "an item is unknown or not a pair of OID and value");
        }
        if ((seen & 1U << arc) != 0) {
            return refuse(why, "an item stands twice");
        }
        seen |= 1U << arc;
        int fault = parse_item(arc, &value, &ext, why);
        if (fault != 0) {
            return fault;
        }
    }
    ext.has_platform_part = seen == (1U << (ITEMS_PLATFORM + 1)) - 2;
    if (!ext.has_platform_part && seen != (1U << (ITEMS_PROCESSOR + 1)) - 2) {
        return refuse(why, "neither the 5 items of a Processor CA nor the 7 of a Platform CA");
    }
    *ret_ext = ext;
    return 0;
}

int
sgx_ext_parse(X509 *certificate, struct sgx_ext *ret_ext, struct fault *why)
{
    ASN1_OBJECT *oid = OBJ_txt2obj("1.2.840.113741.1.13.1", 1);
    if (oid == NULL) {
        ERR_clear_error();
        return fault_set(why, FAULT_MEMORY, "parse", "memory ran out");
    }
    int index = X509_get_ext_by_OBJ(certificate, oid, -1);
    int second = index >= 0 ? X509_get_ext_by_OBJ(certificate, oid, index) : -1;
    ASN1_OBJECT_free(oid);
    if (index < 0 || second >= 0) {
        return refuse(why, index < 0 ? "the certificate has none" : "it stands twice");
    }
    const ASN1_OCTET_STRING *value = X509_EXTENSION_get_data(X509_get_ext(certificate, index));
    return sgx_ext_parse_der(
        span_of(ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value)), ret_ext, why);
}
