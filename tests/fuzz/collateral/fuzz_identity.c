/* SPDX-License-Identifier: BSD-3-Clause */
/* Signed JSON as a whole: envelope and identity; without an issuer chain nothing is ever proven. */
#include "base/mem.h"
#include "collateral/verify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum item_kind kinds[] = {ITEM_IDENTITY, ITEM_TCBINFO, ITEM_EVALNUMBERS};
    static struct trust_anchors *anchors;
    must(anchors != NULL || trust_anchors_builtin(&anchors, NULL) == 0);
    struct verify_context context = {.anchors = anchors, .now = 1751328000};
    for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
        struct item_key key = {.kind = kinds[i], .api_version = 4, .enclave = ENCLAVE_QE};
        struct raw_reply raw;
        struct proven *proven = NULL;
        raw_reply_init(&raw);
        if (buf_add(&raw.body, span_of(data, size)) == 0) {
            must(verify(&context, &key, &raw, &proven, NULL) != 0 && proven == NULL);
        }
        raw_reply_done(&raw);
    }
    return 0;
}
