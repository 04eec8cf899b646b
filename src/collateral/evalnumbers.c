/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The TCB evaluation data numbers that the PCS serves, signed per product (pcs.md; trust.md rule
 * 2).
 *
 * Takes a verification of ITEM_EVALNUMBERS; fills the proven with body, chain and dates.
 * Called by verify.c on a worker; pure.
 * Must never: take TDX's list for SGX's.
 */
#include "base/mem.h"
#include "collateral/verify_priv.h"
#include "json/json_value.h"

enum { EVALNUMBERS_VERSION = 1 };

static int
parse_entries(const json_t *object, struct fault *why)
{
    json_t *entries;
    int fault = signed_get_array(object, "tcbEvalNumbers", &entries, why);
    if (fault == 0 && json_array_size(entries) > LIMIT_TCB_LEVELS) {
        fault = fault_set(why, FAULT_INPUT, "parse", "more than %d evaluation data numbers",
                          LIMIT_TCB_LEVELS);
    }
    for (size_t i = 0; fault == 0 && i < json_array_size(entries); i++) {
        const json_t *entry = json_array_get(entries, i);
        uint32_t number;
        int64_t at;
        fault = signed_get_number(entry, "tcbEvaluationDataNumber", UINT32_MAX, &number, why);
        if (fault == 0) {
            fault = signed_get_date(entry, "tcbRecoveryEventDate", &at, why);
        }
        if (fault == 0) {
            fault = signed_get_date(entry, "tcbDate", &at, why);
        }
    }
    return fault;
}

static int
check_key(const json_t *object, const struct item_key *key, struct fault *why)
{
    struct span id;
    uint32_t version;
    int fault = signed_get_string(object, "id", &id, why);
    if (fault == 0) {
        fault = signed_get_number(object, "version", INT32_MAX, &version, why);
    }
    if (fault != 0) {
        return fault;
    }
    if (version != EVALNUMBERS_VERSION) {
        return fault_set(why, FAULT_MISMATCH, "match",
                         "version %u of the evaluation data numbers is unknown", version);
    }
    if (!span_is(id, product_word(key->product))) {
        return fault_set(why, FAULT_MISMATCH, "match",
                         "the evaluation data numbers are not those of %s",
                         product_word(key->product));
    }
    return 0;
}

int
evalnumbers_prove(const struct verification *v, struct fault *why)
{
    auto_cleanup(signed_json_done) struct signed_json json = {0};
    auto_json json_t *object = NULL;
    int64_t issued_at = 0, next_update_at = 0;
    int fault = signed_json_parse(&json, buf_span(&v->raw->body), "tcbEvaluationDataNumbers", why);
    if (fault == 0) {
        fault = json_value_parse(json.inner, &object, why);
    }
    if (fault == 0) {
        fault = signed_get_date(object, "issueDate", &issued_at, why);
    }
    if (fault == 0) {
        fault = signed_get_date(object, "nextUpdate", &next_update_at, why);
    }
    if (fault == 0) {
        fault = parse_entries(object, why);
    }
    if (fault == 0) {
        fault = signed_json_prove(v, &json, issued_at, next_update_at, why);
    }
    return fault != 0 ? fault : check_key(object, v->key, why);
}
