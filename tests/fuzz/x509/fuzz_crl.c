/* SPDX-License-Identifier: BSD-3-Clause */
/* CRLs: what is accepted is accepted again as the DER that is kept, with the same dates. */
#include "base/mem.h"
#include "x509/x509_crl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct trust_anchors *anchors;
    struct x509_crl *crl = NULL, *again = NULL;
    must(anchors != NULL || trust_anchors_builtin(&anchors, NULL) == 0);
    if (x509_crl_parse(span_of(data, size), &crl, NULL) != 0) {
        return 0;
    }
    must(x509_crl_parse(x509_crl_der(crl), &again, NULL) == 0);
    must(span_equal(x509_crl_der(crl), x509_crl_der(again)));
    must(x509_crl_next_update(crl) == x509_crl_next_update(again));
    if (x509_crl_verify_by_anchor(crl, anchors, NULL) == 0) {
        must(x509_crl_names_anchor(crl, anchors));
    }
    x509_crl_free(crl);
    x509_crl_free(again);
    return 0;
}
