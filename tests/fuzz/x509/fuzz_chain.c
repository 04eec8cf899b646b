/* SPDX-License-Identifier: BSD-3-Clause */
/* Chains: what is accepted is written anew, and that is accepted again and written the same. */
#include "base/mem.h"
#include "x509/x509_chain.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct trust_anchors *anchors;
    auto_cleanup(x509_chain_cleanup) struct x509_chain *chain = NULL, *again = NULL;
    auto_cleanup(buf_done) struct buf pem = BUF_INIT(2 * LIMIT_CHAIN_PEM_BYTES);
    auto_cleanup(buf_done) struct buf pem_again = BUF_INIT(2 * LIMIT_CHAIN_PEM_BYTES);
    struct chain_facts facts;
    char url[LIMIT_URL_CHARS + 1];
    must(anchors != NULL || trust_anchors_builtin(&anchors, NULL) == 0);
    if (x509_chain_parse(span_of(data, size), &chain, NULL) != 0) {
        return 0;
    }
    must(x509_chain_add_pem(chain, &pem) == 0);
    must(x509_chain_parse(buf_span(&pem), &again, NULL) == 0);
    must(x509_chain_add_pem(again, &pem_again) == 0);
    must(span_equal(buf_span(&pem), buf_span(&pem_again)));
    must(memchr(pem.data, '\r', pem.size) == NULL);
    (void)x509_crl_url(x509_chain_get(chain, 0), url);
    if (x509_chain_verify(chain, anchors, 1751328000, &facts, NULL) == 0) {
        must(trust_anchors_hold(anchors, x509_chain_get(chain, x509_chain_count(chain) - 1)));
    }
    return 0;
}
